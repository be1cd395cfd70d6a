"""`notifycli prefs list|get`: what users have, all layers taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import USER, USERS, command_class, examples, part, session_of
from notifycli.cli.output import show, text, write
from notifycli.cli.prefs.arguments import (
    SOUND_KEYS,
    Default,
    InboxId,
    find_inbox,
    keys_of,
    one_inbox,
    tell_unheard,
)
from notifycli.cli.session import Session
from notifycli.cli.types import Reference
from notifycli.errors import UsageError
from notifycli.rules.preferences import KEYS, Layer, short_key
from notifycli.rules.settings import Preferences

app = part()
_HEADS = ["Key", "Value", "Origin", "Locked"]

Origin = Annotated[bool, typer.Option("--show-origin", help="Say which layer it comes from.")]


class PreferenceRecord(Struct):
    """An effective preference, as printed."""

    key: str
    value: str
    origin: Layer
    locked: bool


class UserPreferenceRecord(Struct):
    """An effective preference of one of several users, as printed."""

    user_id: int
    email: str | None
    key: str
    value: str
    origin: Layer
    locked: bool


@app.command(
    "list",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs list -u jane@example.com
notifycli prefs list -u 7 'email.*' --inbox 3
notifycli prefs list --default -o json
notifycli prefs list email.message --team 2 --role administrator
"""
    ),
)
def prefs_list(
    ctx: typer.Context,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Only these keys or globs.")
    ] = None,
    *,
    inbox: InboxId = None,
    default: Default = False,
    show_origin: Origin = False,  # noqa: ARG001 - the list always shows it
) -> None:
    """List effective preferences and the layers they come from.

    Of several users, each line says whose it is.
    """
    session = session_of(ctx)
    here = one_inbox(inbox)
    chosen = [key for given in keys or () for key in keys_of(given)] or list(KEYS)
    if session.selects_many and not default:
        show(
            session,
            _of_many(session, chosen, here),
            UserPreferenceRecord,
            heads=["User", *_HEADS],
            cells=lambda item: [text(item.email or item.user_id), *_cells(item)],
        )
    else:
        records = _effective(session, chosen, here, default=default)
        show(session, records, PreferenceRecord, heads=_HEADS, cells=_cells)
    if not default and SOUND_KEYS.intersection(chosen):
        _tell_unheard(session)


def _tell_unheard(session: Session) -> None:
    with session.store() as store:
        account = session.resolve_account(store)
        many = session.selects_many
        users = session.resolve_users(store, account) if many else []
        listed = users or [session.resolve_user(store, account)]
        tell_unheard(session, store, account, {user.id for user in listed})


def _cells(item: PreferenceRecord | UserPreferenceRecord) -> list[str]:
    return [short_key(item.key), text(item.value), item.origin, text(item.locked)]


@app.command(
    "get",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli prefs get audio -u jane@example.com
notifycli prefs get email.mention -u 7 --inbox 3 --show-origin
notifycli prefs get quiet_hours --default
notifycli prefs get audio audio.tone -u jane -o json
"""
    ),
)
def prefs_get(
    ctx: typer.Context,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Preferences.")],
    *,
    inbox: InboxId = None,
    default: Default = False,
    show_origin: Origin = False,
) -> None:
    """Print effective values alone, a line each, in the order asked for."""
    session = session_of(ctx)
    chosen: list[str] = []
    for key in keys:
        full = keys_of(key)
        if len(full) > 1 and session.output is None:
            hint = f"notifycli prefs list {key}"
            raise UsageError(f"{key} stands for {len(full)} preferences", hint)
        chosen += full
    records = _effective(session, chosen, one_inbox(inbox), default=default)
    if session.output is not None:
        show(session, records, PreferenceRecord, heads=_HEADS, cells=_cells)
        return
    write(
        f"{record.origin}\t{record.value}\n".encode()
        if show_origin
        else f"{record.value}\n".encode()
        for record in records
    )


def _effective(
    session: Session, keys: Iterable[str], named: Reference | None, *, default: bool
) -> list[PreferenceRecord]:
    with session.store() as store:
        account = session.resolve_account(store)
        inbox = None if named is None else find_inbox(store, account, named)
        user = None if default else session.resolve_user(store, account).id
        preferences = store.preferences_of(account, user)
    return [PreferenceRecord(*row) for row in _resolve(preferences, keys, user, inbox)]


def _of_many(
    session: Session, keys: Sequence[str], named: Reference | None
) -> Iterator[UserPreferenceRecord]:
    with session.store() as store:
        account = session.resolve_account(store)
        inbox = None if named is None else find_inbox(store, account, named)
        users = session.resolve_users(store, account)
        preferences = store.preferences(account)
    return (
        UserPreferenceRecord(user.id, user.email, *row)
        for user in users
        for row in _resolve(preferences, keys, user.id, inbox)
    )


def _resolve(
    preferences: Preferences, keys: Iterable[str], user: int | None, inbox: int | None
) -> Iterator[tuple[str, str, Layer, bool]]:
    for key in keys:
        value, origin = preferences.resolve(key, user, inbox)
        yield key, value, origin, origin is Layer.LOCK
