"""What a report is made of beside the counts: gathered event by event, while they are replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from notifycli.events.event import Event
from notifycli.events.timestamps import SECOND
from notifycli.rules.counts import Kind, Recipient
from notifycli.rules.decision import Reason, RecipientFields

MOST_HELD = 10_000
"""The decisions that fire, and of the others as many, that a page holds. Some 20 bytes each."""
_HOUR = 3600 * SECOND
_SCATTER = 0x9E3779B1
"""Multiplies a number so that its higher bits look drawn by lot (Knuth, TAOCP 3, 6.4)."""
Sides = tuple[Sequence[RecipientFields], Sequence[RecipientFields]]
"""What is decided before and after; the first is empty without a comparison."""
Decided = dict[tuple[Recipient, Kind], tuple[Reason | None, Reason | None]]
"""For whom and what, and the reasons: before, after; `None` where nothing was decided."""


class HeldEvent(NamedTuple):
    """An event, and what was decided of it."""

    lot: int
    """What decides whether it is held: a number as if drawn, though the same each time."""
    event: Event
    decided: Decided


class Sample:
    """The decisions of all events or, once that is too many, of one event in two, four, eight."""

    def __init__(self, most: int) -> None:
        self.one_in = 1
        self.events: list[HeldEvent] = []
        self._most = most
        self._held = 0

    def wants(self, lot: int) -> bool:
        """Whether decisions of an event with this lot are to be held."""
        return lot % self.one_in == 0

    def hold(self, one: HeldEvent) -> None:
        """Hold decisions of an event; of fewer events, if that is too much by now."""
        if not one.decided:
            return
        self.events.append(one)
        self._held += len(one.decided)
        while self._held > self._most and len(self.events) > 1:
            self.one_in *= 2
            self.events = [held for held in self.events if self.wants(held.lot)]
            self._held = sum(len(held.decided) for held in self.events)


class Material:
    """Holds what the counts don't tell: the time span, who worked when, and decisions."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.span: tuple[int, int] | None = None
        """The first and the last time of the events that were timed."""
        self.fired = Sample(most)
        self.withheld = Sample(most)
        self._number = 0
        self._worked: dict[tuple[int, int], tuple[int, int]] = {}

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass events on, and keep when they are and who was at work."""
        for event in events:
            yield event
            # By now the replay has said of what account it is.
            at = event.at
            if at is None:
                continue
            first, last = self.span or (at, at)
            self.span = min(first, at), max(last, at)
            present = None if event.visible is False else event.present
            for user in {event.author, event.performed_by, present}:
                if user is not None:
                    self._see(event.account or 0, user, at // _HOUR)

    def _see(self, account: int, user: int, hour: int) -> None:
        last, hours = self._worked.get((account, user), (hour - 1, 0))
        if hour > last:
            self._worked[account, user] = hour, hours + 1

    def hours_of(self, agent: Recipient) -> int:
        """Return in how many hours somebody wrote, typed, did something or was there."""
        return self._worked.get((agent.account, agent.user), (0, 0))[1]

    def hold(self, event: Event, decided: Callable[[bool], Sides]) -> None:
        """Hold decisions of an event; `decided` gives those that fire, or all if it is told to."""
        lot = (self._number * _SCATTER & 0xFFFFFFFF) >> 8
        self._number += 1
        whole = self.withheld.wants(lot)
        if not (whole or self.fired.wants(lot)):
            return
        reasons: Decided = {}
        account = event.account or 0
        before, after = decided(whole)
        for one in before:
            reasons[_key(account, one)] = one.reason, None
        for one in after:
            key = _key(account, one)
            reasons[key] = reasons.get(key, (None, None))[0], one.reason
        fired = {key: both for key, both in reasons.items() if Reason.ENABLED in both}
        if self.fired.wants(lot):
            self.fired.hold(HeldEvent(lot, event, fired))
        if whole:
            others = {key: both for key, both in reasons.items() if key not in fired}
            self.withheld.hold(HeldEvent(lot, event, others))


def _key(account: int, one: RecipientFields) -> tuple[Recipient, Kind]:
    return Recipient(account, one.user_id, one.email), Kind(one.channel, one.type)
