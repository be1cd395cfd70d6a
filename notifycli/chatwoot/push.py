"""Pushing: what holds here is written there, unless it was changed there meanwhile.

Chatwoot has no way to write only if nothing has changed. So each user is read, compared, written
and read back in one go; what a browser writes in that instant is found by the reading back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from notifycli.chatwoot.account import Desk, ProgressCallback, Report, SyncResult
from notifycli.chatwoot.client import ChatwootApi
from notifycli.chatwoot.preference_sync import (
    ChangedBy,
    Divergence,
    Seen,
    divergences,
    lost,
    read_seen,
    values,
    with_values,
    write_seen,
)
from notifycli.chatwoot.pull import here_of, see
from notifycli.errors import TryAgainError, UnavailableError
from notifycli.rules.directory import User
from notifycli.rules.layers import Preferences


class Compared(NamedTuple):
    """One user's preferences there, and what differs here."""

    there: Seen
    differing: list[Divergence]
    unreadable: tuple[str, ...]


def compare(desk: Desk, user: User, api: ChatwootApi, here: Mapping[str, str]) -> Compared:
    """Compare what holds here with what is there now."""
    there = see(api, user)
    theirs = values(there)
    before = read_seen(desk.life.store.chatwoot.record_of(desk.account, user.id).seen)
    agreed = None if before is None else values(before).of
    return Compared(there, divergences(here, theirs.of, agreed), theirs.unreadable)


def diff(
    desk: Desk, users: Sequence[User], told: ProgressCallback
) -> tuple[list[tuple[User, Divergence]], Report]:
    """Give what differs here and there, by user and key, and what became of each user."""
    found: list[tuple[User, Divergence]] = []
    preferences = desk.life.store.preferences(desk.account)

    def work(user: User) -> SyncResult:
        with desk.open(user) as api:
            compared = compare(desk, user, api, here_of(preferences, user.id))
        found.extend((user, item) for item in compared.differing)
        result = "differs" if compared.differing else "same"
        return _step(user, result, ", ".join(compared.unreadable))

    return found, desk.each("preferences", users, work, told)


def push(
    desk: Desk, users: Sequence[User], told: ProgressCallback, *, force: bool, dry_run: bool
) -> Report:
    """Write the users' effective preferences there; what agrees already isn't written.

    A user is refused whose preferences were changed there since the last pull or push, or were
    never pulled; with `force` what holds here wins. What isn't ours there stays as it is.
    """
    preferences = desk.life.store.preferences(desk.account)

    def work(user: User) -> SyncResult:
        return _push(desk, user, preferences, force=force, dry_run=dry_run)

    return desk.each("preferences", users, work, told)


def _push(
    desk: Desk, user: User, preferences: Preferences, *, force: bool, dry_run: bool
) -> SyncResult:
    here = here_of(preferences, user.id)
    with desk.open(user) as api:
        compared = compare(desk, user, api, here)
        if not force:
            _refuse_changed(compared.differing)
        detail = [f"{d.key} {d.there}→{d.here}" for d in compared.differing]
        detail += [f"left as it is there: {why}" for why in compared.unreadable]
        after = compared.there
        if compared.differing and not dry_run:
            wanted = {d.key: d.here for d in compared.differing}
            after = _write(api, user, compared.there, with_values(compared.there, wanted))
    if not dry_run:
        _note(desk, user, after)
    return _step(user, "pushed" if compared.differing else "same", ", ".join(detail))


def _refuse_changed(differing: Sequence[Divergence]) -> None:
    if any(d.changed is ChangedBy.UNKNOWN for d in differing):
        raise TryAgainError(
            "never pulled: writing would undo what was chosen there",
            "first: notifycli chatwoot pull; or let what is here win: --force",
        )
    moved = [d for d in differing if d.changed is not ChangedBy.HERE]
    if moved:
        listed = ", ".join(f"{d.key} is {d.there} there and {d.here} here" for d in moved)
        raise TryAgainError(
            f"changed there since the last pull: {listed}",
            "first: notifycli chatwoot pull; or let what is here win: --force",
        )


def _write(api: ChatwootApi, user: User, before: Seen, wanted: Seen) -> Seen:
    """Write what differs, read it back, and give what is there then."""
    if (before.email, before.push) != (wanted.email, wanted.push):
        api.write_settings(wanted.email.selected, wanted.push.selected)
    if before.ui_settings != wanted.ui_settings:
        api.write_ui_settings(wanted.ui_settings)
    after = see(api, user)
    if missing := lost(wanted, after):
        raise UnavailableError(
            f"written, but not there when read back: {', '.join(missing)}",
            "somebody else may have written at the same time: notifycli chatwoot diff",
        )
    return after


def _note(desk: Desk, user: User, after: Seen) -> None:
    text = write_seen(after)
    if desk.life.store.chatwoot.record_of(desk.account, user.id).seen != text:
        with desk.change() as change:
            change.chatwoot.saw(user.id, text)


def _step(user: User, result: str, detail: str) -> SyncResult:
    return SyncResult("preferences", user.id, user.email or str(user.id), result, detail)
