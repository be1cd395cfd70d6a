"""`notifycli prefs preset`: named sets of preferences."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import USER, USERS, command_class, examples, group, session_of
from notifycli.cli.output import show, text
from notifycli.cli.prefs.common import Default, InboxIds, Lock, read_assignments
from notifycli.cli.prefs.set import targets_of
from notifycli.cli.session import display_name, plural
from notifycli.errors import UsageError
from notifycli.rules.preferences import short_key
from notifycli.store.presets import Preset
from notifycli.store.transaction import Entry

app = group("Named sets of preferences, to be given to many users.")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The preset.")]


class PresetValue(Struct):
    """A value of a preset, as printed."""

    key: str
    value: str


@app.command(
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


@app.command(
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


@app.command("list", cls=command_class(), epilog=examples("notifycli prefs preset list"))
def preset_list(ctx: typer.Context) -> None:
    """List the built-in presets, then your own."""
    session = session_of(ctx)
    with session.store() as store:
        presets = store.presets.all()
    show(session, presets, Preset)


@app.command("show", cls=command_class(), epilog=examples("notifycli prefs preset show quiet"))
def preset_show(ctx: typer.Context, name: Name) -> None:
    """Show what a preset sets."""
    session = session_of(ctx)
    with session.store() as store:
        values = store.presets.values(name)
    records = (PresetValue(*pair) for pair in values.items())
    show(session, records, PresetValue, cells=lambda item: [short_key(item.key), text(item.value)])


@app.command("remove", cls=command_class(), epilog=examples("notifycli prefs preset remove night"))
def preset_remove(ctx: typer.Context, name: Name) -> None:
    """Remove a preset of your own; what it has set stays as it is."""
    session = session_of(ctx)
    with session.store(create=True) as store:
        store.presets.remove(name)
    session.info(f"removed the preset {name}")
