"""Counts of decisions instead of the decisions."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from notifycli.rules.decision import Decision, Outcome, Reason
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.overlay import ChangedDecision, ChangeKind

_CHANNELS = list(Channel)
_TYPES = list(NotificationType)


class Count(Struct, frozen=True):
    """How often one user would and would not be notified on a channel of a type."""

    user_id: int
    email: str | None
    channel: Channel
    type: NotificationType
    fired: int
    suppressed: int


class ChangedCount(Count, frozen=True):
    """The same as it would be with proposed preferences, and how many of them that changes."""

    added: int
    removed: int


Key = tuple[int, str | None, Channel, NotificationType]


class Summary:
    """Counts decisions as they come."""

    def __init__(self) -> None:
        self.held: Counter[Reason] = Counter()
        """Why what is switched on did not fire."""
        self.fired = 0
        self._counts: dict[Key, list[int]] = {}

    @property
    def concerned_nobody(self) -> bool:
        """Whether no decision was counted at all."""
        return not self._counts

    def add(self, decision: Decision) -> None:
        """Count one decision."""
        suppressed = decision.outcome is Outcome.SUPPRESS
        counts = self._counts.setdefault(_key(decision), [0, 0])
        counts[suppressed] += 1
        if not suppressed:
            self.fired += 1
        elif decision.reason is not Reason.DISABLED:
            self.held[decision.reason] += 1

    def add_all(self, key: Key, *, fired: int, decided: int) -> None:
        """Count several decisions of a kind, of which some fired."""
        counts = self._counts.setdefault(key, [0, 0])
        counts[0] += fired
        counts[1] += decided - fired
        self.fired += fired

    def counts(self) -> list[Count]:
        """Give the counts by user, channel and type."""
        return [Count(*key, *self._counts[key]) for key in sorted(self._counts, key=_order)]

    def changed_counts(self, changes: ChangeSummary) -> list[ChangedCount]:
        """Give the counts that changes concern, with the number of each."""
        return [
            ChangedCount(*key, *self._counts[key], *changes.counts[key])
            for key in sorted(changes.counts, key=_order)
        ]


class ChangeSummary:
    """Counts changes as they come."""

    def __init__(self) -> None:
        self.counts: dict[Key, list[int]] = {}
        """How many are added and removed."""

    def add(self, changed: ChangedDecision) -> None:
        """Count one change."""
        counts = self.counts.setdefault(_key(changed), [0, 0])
        counts[changed.change is ChangeKind.REMOVED] += 1

    def total(self) -> tuple[int, int]:
        """Give how many are added and removed in all."""
        added = sum(counts[0] for counts in self.counts.values())
        return added, sum(counts[1] for counts in self.counts.values())


def _key(decision: Decision) -> Key:
    return decision.user_id, decision.email, decision.channel, decision.type


def _order(key: Key) -> tuple[object, ...]:
    return key[0], key[1] or "", _CHANNELS.index(key[2]), _TYPES.index(key[3])
