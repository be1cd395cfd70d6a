"""`notifycli prefs set|unset`: the preferences of users, one layer at a time."""

from __future__ import annotations

from typing import Annotated

import typer

from notifycli.cli.assignments import all_assigned, keys_of
from notifycli.cli.command import USERS, command_class, examples, part, session_of
from notifycli.cli.prefs.common import Default, InboxIds, Lock
from notifycli.cli.prefs.scope import change
from notifycli.rules.quiet_hours import QuietHours, describe_zone

app = part()


@app.command(
    "set",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs set email.mention=on push.message=on -u jane@example.com
notifycli prefs set audio=assigned+unassigned --inbox 3 -u 7
notifycli prefs set 'quiet_hours=22:00-07:00 Europe/Berlin mon-fri' --all-users
notifycli prefs set push.message=on --team 2 --inbox-members 3 -u 7
notifycli prefs set 'email.*=off' --lock
notifycli prefs set push.created=on --default
"""
    ),
)
def prefs_set(
    ctx: typer.Context,
    assignments: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...", help="Preferences and their values; later ones win."
        ),
    ],
    *,
    inboxes: InboxIds = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Set preferences of users or of the whole account.

    Quiet hours are in UTC unless they name a zone; from 22:00 to 22:00 is the whole day.
    """
    session = session_of(ctx)
    values = all_assigned(assignments)
    change(session, values, inboxes or (), default=default, lock=lock)
    hours = dict(values).get("quiet_hours", "off")
    zone = "UTC" if hours == "off" else QuietHours.parse(hours).zone
    if told := describe_zone(zone):
        session.info(told)
    if hours != "off" and zone not in hours:
        session.info(
            f"without a zone they are in UTC; name yours: 'quiet_hours={hours} Europe/Berlin'"
        )


@app.command(
    "unset",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs unset audio -u jane@example.com
notifycli prefs unset 'email.*' --lock
notifycli prefs unset quiet_hours --role agent
"""
    ),
)
def prefs_unset(
    ctx: typer.Context,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Preferences or globs.")],
    *,
    inboxes: InboxIds = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Take away what is set, so that the layers below show."""
    values = [(key, None) for given in keys for key in keys_of(given)]
    change(session_of(ctx), values, inboxes or (), default=default, lock=lock)
