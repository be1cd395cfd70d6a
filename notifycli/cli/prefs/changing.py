"""`notifycli prefs set|unset`: the preferences of users, one layer at a time."""

from __future__ import annotations

from typing import Annotated

import typer

from notifycli.cli.assignments import assigned, keys_of
from notifycli.cli.command import USERS, examples, part, session, takes
from notifycli.cli.prefs.common import Default, InboxId, Lock
from notifycli.cli.prefs.targets import change

app = part()


@app.command(
    "set",
    cls=takes(*USERS),
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
    inbox: InboxId = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Set preferences of users or of the whole account."""
    values = [pair for given in assignments for pair in assigned(given)]
    change(session(ctx), values, inbox, default=default, lock=lock)


@app.command(
    "unset",
    cls=takes(*USERS),
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
    inbox: InboxId = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Take away what is set, so that the layers below show."""
    values = [(key, None) for given in keys for key in keys_of(given)]
    change(session(ctx), values, inbox, default=default, lock=lock)
