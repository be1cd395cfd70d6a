"""What `--set` and `--prefs` propose: preferences to replay with, which nothing stores."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from notifycli.cli.inputs import open_document
from notifycli.cli.session import Session, find_user
from notifycli.errors import UsageError
from notifycli.replay.sources import place_of
from notifycli.rules.directory import User
from notifycli.rules.layers import Preferences, Wish, keys_locked_away, overlaid
from notifycli.rules.preferences import Layer
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.documents.preference_document import Placed

Wishes = Mapping[int, list[Wish]]
"""By account, in the order in which they are laid over what is stored."""


def read_proposal(
    session: Session, store: Store, settings: Iterable[str], file: str | None
) -> Wishes:
    """Read what is proposed: the file's preferences, and over them `[USER:]KEY=VALUE` settings.

    Raises `UsageError` for a setting and `DataError` for a file that can't be read.
    """
    wishes: dict[int, list[Wish]] = {account: [] for account in _accounts(session, store)}
    if file is not None:
        session.awaits(file)
        for placed in read_document(store, file, session.fallback_account(store)):
            (layer, user, inbox), key, value = placed.entry
            if value is not None:
                wishes.setdefault(placed.account, []).append(Wish(layer, user, inbox, key, value))
    for text in settings:
        reference, values = _parse_setting(text)
        for account, users in find_users(session, store, reference).items():
            for key, value in values:
                wishes[account] += (Wish(Layer.USER, u.id, None, key, value) for u in users)
    return wishes


def as_given(settings: Iterable[str], file: str | None, rules: str | None) -> str:
    """Write the options as on a command line."""
    options = [("--set", setting) for setting in settings]
    options += [("--prefs", file)] if file is not None else []
    options += [("--rules", rules)] if rules is not None else []
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in options)


def read_document(store: Store, file: str, account: int) -> list[Placed]:
    """Read a document of preferences; `-` is standard input. Raises `DataError`."""
    from notifycli.documents.preference_document import PreferenceDocument  # noqa: PLC0415 - only with --prefs

    with open_document(file) as source:
        return PreferenceDocument(store, source, place_of(file), account).entries()


def propose(session: Session, account: int, stored: Preferences, wishes: Wishes) -> Preferences:
    """Lay the account's wishes over what is stored, and tell of those that a lock beats."""
    result = overlaid(stored, wishes.get(account, ()))
    for key in keys_locked_away(result, wishes.get(account, ())):
        session.info(f"{key} is locked to {result.lock[key]} for account {account}: it stays so")
    return result


def _accounts(session: Session, store: Store) -> list[int]:
    given = session.given_account
    return [a.id for a in store.accounts()] if given is None else [given]


def _parse_setting(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Take `[USER:]KEY=VALUE` apart: the user, if one is named, and full keys with the value."""
    left, equals, value = text.partition("=")
    reference, colon, key = left.rpartition(":")
    if not equals or not key.strip():
        raise UsageError(f"{text!r} sets nothing", "write it as KEY=VALUE or USER:KEY=VALUE")
    from notifycli.cli.prefs.arguments import read_assignment  # noqa: PLC0415 - TAB can spare it

    return [reference] if colon else [], read_assignment(f"{key}={value}")


def find_users(session: Session, store: Store, references: Iterable[str]) -> dict[int, list[User]]:
    """Give the named users of each account that is meant, all of them if none is named.

    An account that hasn't any of the named ones is left out. Raises `UsageError` for a name that
    no account has.
    """
    accounts = _accounts(session, store)
    named = list(references)
    if not named:
        return {account: store.users(account) for account in accounts}
    found: dict[int, list[User]] = {}
    for reference in named:
        missing = None
        before = sum(map(len, found.values()))
        for account in accounts:
            try:
                found.setdefault(account, []).append(find_user(store, account, reference))
            except UsageError as error:
                missing = missing or error
        if sum(map(len, found.values())) == before:
            raise missing or UsageError(
                f"there is no user {reference!r}", "nobody is on record: notifycli directory learn"
            )
    return {account: users for account, users in found.items() if users}
