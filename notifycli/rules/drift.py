"""Who wants something else than a policy says: their effective values against its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from notifycli.rules.settings import Preferences, Resolved


class Drift(NamedTuple):
    """An effective value that isn't the policy's."""

    user: int
    inbox: int | None
    key: str
    expected: Resolved[str]
    """What the policy says, and in which of its layers."""
    actual: Resolved[str]


def drifts(policy: Preferences, actual: Preferences, users: Iterable[int]) -> Iterator[Drift]:
    """Compare each user with the policy, in every inbox where either has a value of its own.

    A policy's default is for all, its table of a user for that user: only of the keys that it
    has does it say anything.
    """
    inboxes: dict[int, set[int]] = {}
    for user, inbox in {*policy.inbox, *actual.inbox}:
        inboxes.setdefault(user, set()).add(inbox)
    everybody = {*policy.lock, *policy.default}
    for user in users:
        keys = everybody.union(policy.user.get(user, ()))
        yield from _drifts(policy, actual, keys, user, None)
        for inbox in sorted(inboxes.get(user, ())):
            own = policy.inbox.get((user, inbox), {})
            # What neither sets for this inbox differs here only if it differs everywhere.
            here = keys.intersection(actual.inbox.get((user, inbox), ())).union(own)
            yield from _drifts(policy, actual, here, user, inbox)


def _drifts(
    policy: Preferences, actual: Preferences, keys: set[str], user: int, inbox: int | None
) -> Iterator[Drift]:
    for key in sorted(keys):
        expected = policy.resolve(key, user, inbox)
        found = actual.resolve(key, user, inbox)
        if found.value != expected.value:
            yield Drift(user, inbox, key, expected, found)
