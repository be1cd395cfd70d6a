"""What if other preferences held: they are laid over the stored ones, and nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from msgspec import structs

from notifycli.rules.decision import Decision, Outcome
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import Layer


class Wish(NamedTuple):
    """One value as it would be set. The key is full, the value as it would be stored."""

    layer: Layer
    user: int | None
    inbox: int | None
    key: str
    value: str


class ChangeKind(StrEnum):
    """What becomes of a notification with the proposed preferences."""

    ADDED = "added"
    REMOVED = "removed"


class ChangedDecision(Decision, frozen=True, gc=False):
    """A decision that would come out differently."""

    change: ChangeKind


def overlaid(preferences: Preferences, wishes: Iterable[Wish]) -> Preferences:
    """Give the preferences as they would be if the wishes were set; later ones win."""
    lock, default = dict(preferences.lock), dict(preferences.default)
    user, inbox = dict(preferences.user), dict(preferences.inbox)
    own: dict[int, dict[str, str]] = {}
    here: dict[tuple[int, int], dict[str, str]] = {}
    for wish in wishes:
        if wish.layer is Layer.LOCK:
            lock[wish.key] = wish.value
        elif wish.user is None:
            default[wish.key] = wish.value
        elif wish.inbox is None:
            values = own.get(wish.user)
            if values is None:
                values = own[wish.user] = dict(user.get(wish.user, {}))
            values[wish.key] = wish.value
        else:
            place = wish.user, wish.inbox
            here.setdefault(place, dict(inbox.get(place, {})))[wish.key] = wish.value
    return Preferences(lock, {**inbox, **here}, {**user, **own}, default, preferences.builtin)


def keys_locked_away(preferences: Preferences, wishes: Iterable[Wish]) -> list[str]:
    """Give the keys that the wishes set in vain, since a lock of the overlaid ones beats them."""
    return sorted({w.key for w in wishes if w.layer is not Layer.LOCK} & preferences.lock.keys())


def difference(
    before: Decision | None, after: Decision | None, *, explain: bool
) -> ChangedDecision | None:
    """Tell what becomes of a notification; `None`, if it fires on both sides or on neither.

    A side that knows of no such decision has `None`. What is added is told as it fires then; what
    is removed as it fired before or, to `explain` it, as it is suppressed then.
    """
    fired = before is not None and before.outcome is Outcome.FIRE
    fires = after is not None and after.outcome is Outcome.FIRE
    if fired is fires:
        return None
    shown = after if fires or (explain and after is not None) else before
    assert shown is not None  # noqa: S101 - it fires on one side
    kind = ChangeKind.ADDED if fires else ChangeKind.REMOVED
    return ChangedDecision(*(*structs.astuple(shown), kind))
