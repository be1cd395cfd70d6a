"""Decisions counted for the eye: who, on which channel, when in the week, where, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple, TypeVar

from notifycli.events.timestamps import SECOND, to_datetime
from notifycli.rules.decision import Decision, Outcome, Reason, Verdict
from notifycli.rules.notifications import Channel, NotificationType

K = TypeVar("K")
G = TypeVar("G")
HOURS_A_DAY = 24
_QUARTER = 15 * 60 * SECOND
"""Every zone's offset has been a multiple of it for half a century."""


class Agent(NamedTuple):
    """Who: the account, the user, and the address, where it is known."""

    account: int
    user: int
    email: str | None

    @property
    def name(self) -> str:
        """The name to show."""
        return self.email or str(self.user)


class Kind(NamedTuple):
    """What: a channel and a type."""

    channel: Channel
    type: NotificationType


class Place(NamedTuple):
    """Where: a conversation of an account."""

    account: int
    conversation: int | None


Why = tuple[Agent, Kind, Reason]
"""For whom something was decided, what, and the reason."""


def hour_of_week(zone: tzinfo | None) -> Callable[[int], int]:
    """Make a function from a moment to the hour of its week in a zone: 0 is Monday, 00:00.

    `None` is the zone of the computer.
    """
    known: dict[int, int] = {}

    def hour(moment: int) -> int:
        quarter = moment // _QUARTER
        if quarter not in known:
            local = to_datetime(quarter * _QUARTER).astimezone(zone)
            known[quarter] = local.weekday() * HOURS_A_DAY + local.hour
        return known[quarter]

    return hour


class Insight:
    """Counts decisions as they come."""

    def __init__(self, hour: Callable[[int], int]) -> None:
        self.fired: Counter[tuple[Agent, Kind, int | None]] = Counter()
        """By the hour of the week too; `None` where no time is known."""
        self.reasons: Counter[Why] = Counter()
        self.places: Counter[Place] = Counter()
        """What fired, by conversation."""
        self._hour = hour

    def add(self, decision: Decision, at: int | None) -> None:
        """Count one decision of an event at a moment (microseconds since 1970 UTC)."""
        self.add_reason(decision.account_id, decision, decision.reason)
        if decision.outcome is Outcome.FIRE:
            self.add_fired(decision.account_id, decision, decision.conversation_id, at)

    def add_reason(self, account: int, decided: Decision | Verdict, reason: Reason) -> None:
        """Count a reason for a decision of that user, channel and type."""
        self.reasons[why(account, decided, reason)] += 1

    def add_fired(
        self, account: int, decided: Decision | Verdict, conversation: int | None, at: int | None
    ) -> None:
        """Count where and when such a decision fires."""
        agent, kind = Agent(account, decided.user_id, decided.email), _kind(decided)
        self.fired[agent, kind, None if at is None else self._hour(at)] += 1
        self.places[Place(account, conversation)] += 1

    def by_channel(self) -> Counter[Channel]:
        """Give how many fired on each channel."""
        return _summed(self.fired, lambda key: key[1].channel)

    def by_kind(self) -> Counter[Kind]:
        """Give how many fired of each channel and type."""
        return _summed(self.fired, lambda key: key[1])

    def by_agent(self) -> Counter[Agent]:
        """Give how many fired for each agent."""
        return _summed(self.fired, lambda key: key[0])

    def by_hour(self) -> Counter[int | None]:
        """Give how many fired in each hour of the week."""
        return _summed(self.fired, lambda key: key[2])

    def by_reason(self) -> Counter[Reason]:
        """Give how often each reason decided."""
        return _summed(self.reasons, lambda key: key[2])


def why(account: int, decided: Decision | Verdict, reason: Reason) -> Why:
    """Give under what a decision of that user, channel and type is counted."""
    return Agent(account, decided.user_id, decided.email), _kind(decided), reason


def _kind(decided: Decision | Verdict) -> Kind:
    return Kind(decided.channel, decided.type)


def _summed(counts: Counter[K], group: Callable[[K], G]) -> Counter[G]:
    sums: Counter[G] = Counter()
    for key, count in counts.items():
        sums[group(key)] += count
    return sums
