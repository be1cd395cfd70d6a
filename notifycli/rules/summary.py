"""Counts of decisions instead of the decisions."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from notifycli.rules.decision import Decision, Outcome, Reason
from notifycli.rules.notifications import Channel, NotificationType

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


class Summary:
    """Counts decisions as they come."""

    def __init__(self) -> None:
        self.reasons: Counter[Reason] = Counter()
        self._counts: dict[tuple[int, str | None, Channel, NotificationType], list[int]] = {}

    def add(self, decision: Decision) -> None:
        """Count one decision."""
        self.reasons[decision.reason] += 1
        key = (decision.user_id, decision.email, decision.channel, decision.type)
        counts = self._counts.setdefault(key, [0, 0])
        counts[decision.outcome is Outcome.SUPPRESS] += 1

    def counts(self) -> list[Count]:
        """Give the counts by user, channel and type."""

        def order(key: tuple[int, str | None, Channel, NotificationType]) -> tuple[object, ...]:
            return key[0], key[1] or "", _CHANNELS.index(key[2]), _TYPES.index(key[3])

        return [Count(*key, *self._counts[key]) for key in sorted(self._counts, key=order)]
