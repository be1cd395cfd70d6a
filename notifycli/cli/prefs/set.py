"""`notifycli prefs set|unset|preset`: the preferences of users, one layer at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import USER, USERS, command_class, examples, group, part, session_of
from notifycli.cli.output import show, text
from notifycli.cli.prefs.arguments import (
    SOUND_KEYS,
    Default,
    InboxIds,
    Lock,
    find_inbox,
    keys_of,
    read_assignments,
    tell_unheard,
    tell_unpushed,
)
from notifycli.cli.session import Reference, Session, display_name, plural
from notifycli.errors import UsageError
from notifycli.rules.preferences import Layer, short_key
from notifycli.rules.quiet_hours import QuietHours, describe_zone
from notifycli.store.presets import Preset
from notifycli.store.store import Store
from notifycli.store.transaction import Entry, Target

app = part()
preset = group("Named sets of preferences, to be given to many users.")
app.add_typer(preset, name="preset")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The preset.")]
_NAMED = 3


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
    values = read_assignments(assignments)
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


def change(
    session: Session,
    values: Sequence[tuple[str, str | None]],
    inboxes: Sequence[Reference],
    *,
    default: bool,
    lock: bool,
) -> None:
    """Set or take away these values, wherever the options say."""
    with session.store(create=True) as store:
        with store.changes(session.command, session.who) as changes:
            account = session.resolve_account(store, may_be_new=not store.accounts())
            targets, whose = targets_of(
                session, store, account, inboxes, default=default, lock=lock
            )
            changed = changes(account).set(
                Entry(target, key, value) for target in targets for key, value in values
            )
        session.info(f"{plural(changed, 'preference')} changed for {whose} account {account}")
        if any(value is not None and key in SOUND_KEYS for key, value in values):
            tell_unheard(session, store, account, {target.user for target in targets})
        if changed:
            tell_unpushed(session, store, account, {target.user for target in targets})


def targets_of(
    session: Session,
    store: Store,
    account: int,
    inboxes: Sequence[Reference],
    *,
    default: bool,
    lock: bool,
) -> tuple[list[Target], str]:
    """Give the places that the options name, and what a message calls them, up to `account N`."""
    if default + lock + bool(inboxes) > 1:
        raise UsageError("--default, --lock and --inbox name three layers", "give one of them")
    if default or lock:
        if session.user or session.selects_many:
            option = "--lock" if lock else "--default"
            raise UsageError(f"{option} is of the whole account", "leave out who is selected")
        whose = "the lock of" if lock else "the default of"
        return [Target(Layer.LOCK if lock else Layer.DEFAULT)], whose
    ids = [*dict.fromkeys(find_inbox(store, account, inbox) for inbox in inboxes)]
    users = session.resolve_users(store, account)
    named = ", ".join(map(display_name, users[:_NAMED]))
    more = f" and {len(users) - _NAMED:,} more" if len(users) > _NAMED else ""
    if not ids:
        return [Target(Layer.USER, user.id) for user in users], f"{named}{more} in"
    kind = "inbox" if len(ids) == 1 else "inboxes"
    where = f"{kind} {' and '.join(map(str, ids))} of"
    targets = [Target(Layer.INBOX, user.id, inbox) for user in users for inbox in ids]
    return targets, f"{named}{more} in {where}"


class PresetValue(Struct):
    """A value of a preset, as printed."""

    key: str
    value: str


@preset.command(
    "save",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli prefs preset save night 'quiet_hours=20:00-08:00 Europe/Berlin' 'push.*=off'
notifycli prefs preset save like-jane -u jane@example.com
"""
    ),
)
def preset_save(
    ctx: typer.Context,
    name: Name,
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Its values; if none, the user's own ones."),
    ] = None,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Even if there is one of this name.")
    ] = False,
) -> None:
    """Save a preset.

    It has the values named or, if none are, what a user has set for themselves.
    """
    session = session_of(ctx)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't be a name", "letters, digits and . _ - make one")
    values = dict(read_assignments(assignments or ()))
    with session.store(create=True) as store:
        if not values:
            account = session.resolve_account(store)
            user = session.resolve_user(store, account)
            values = dict(store.preferences_of(account, user.id).user.get(user.id, {}))
            if not values:
                raise UsageError(
                    f"{display_name(user)} has set nothing that could be saved",
                    f"name the values: notifycli prefs preset save {name} KEY=VALUE...",
                )
        store.presets.save(name, values, replace=replace)
    session.info(f"preset {name} has {plural(len(values), 'preference')}")


@preset.command(
    "apply",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs preset apply quiet -u jane@example.com
notifycli prefs preset apply everything --team 2
notifycli prefs preset apply chatwoot-default --default
"""
    ),
)
def preset_apply(
    ctx: typer.Context,
    name: Name,
    *,
    inboxes: InboxIds = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Set what a preset has; what it doesn't have stays as it is."""
    session = session_of(ctx)
    session.command = f"{session.command} {name}"
    with (
        session.store(create=True) as store,
        store.changes(session.command, session.who) as changes,
    ):
        values = store.presets.values(name)
        account = session.resolve_account(store, may_be_new=not store.accounts())
        targets, whose = targets_of(
            session, store, account, inboxes or (), default=default, lock=lock
        )
        changed = changes(account).set(
            Entry(target, key, value) for target in targets for key, value in values.items()
        )
    session.info(f"{plural(changed, 'preference')} changed for {whose} account {account}")


@preset.command("list", cls=command_class(), epilog=examples("notifycli prefs preset list"))
def preset_list(ctx: typer.Context) -> None:
    """List the built-in presets, then your own."""
    session = session_of(ctx)
    with session.store() as store:
        presets = store.presets.all()
    show(session, presets, Preset)


@preset.command("show", cls=command_class(), epilog=examples("notifycli prefs preset show quiet"))
def preset_show(ctx: typer.Context, name: Name) -> None:
    """Show what a preset sets."""
    session = session_of(ctx)
    with session.store() as store:
        values = store.presets.values(name)
    records = (PresetValue(*pair) for pair in values.items())
    show(session, records, PresetValue, cells=lambda item: [short_key(item.key), text(item.value)])


@preset.command(
    "remove", cls=command_class(), epilog=examples("notifycli prefs preset remove night")
)
def preset_remove(ctx: typer.Context, name: Name) -> None:
    """Remove a preset of your own; what it has set stays as it is."""
    session = session_of(ctx)
    with session.store(create=True) as store:
        store.presets.remove(name)
    session.info(f"removed the preset {name}")
