"""Filling the holes of a log: what it lacks of what happened, put where it belongs in time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import UNSAID, Event
from notifycli.events.timestamps import SECOND

_Key = tuple[object, ...]
_SAME = 60 * SECOND
"""Two changes to the same within this are one: what is rebuilt has whole seconds, and a webhook
comes after the fact."""


class Filled(NamedTuple):
    """The lines of the whole log in the order of time, and how many of them are new."""

    lines: Iterator[bytes]
    added: int


def fill(log: Iterable[bytes], events: Iterable[bytes]) -> Filled:
    """Return the log with those of the events, ordered by time, that it lacks.

    Lines stay as they are, in their order; one that is no event too.
    """
    lines: list[tuple[int, bytes]] = []
    known = Known()
    for line in log:
        known.note(line)
        lines.append((known.latest, line))
    new = list(known.missing(events))
    merged = heapq.merge(lines, new, key=lambda one: one[0])
    return Filled((line for _, line in merged), len(new))


class Known:
    """What a log tells of, line by line: all of it, or with `limit` about the last so many."""

    def __init__(self, limit: int | None = None) -> None:
        self.latest = 0
        """The latest time so far, in microseconds since 1970 UTC."""
        self._times: defaultdict[_Key, list[int]] = defaultdict(list)
        self._limit = limit

    def note(self, line: bytes) -> None:
        """Take in a line; one that is no event tells of nothing."""
        try:
            event = decode_event(line, 0)
        except EventError:
            return
        self.latest = max(self.latest, event.at or 0)
        self._times[_key(event)].append(self.latest)
        if self._limit is not None and len(self._times) > 2 * self._limit:
            for key in list(islice(self._times, self._limit)):
                del self._times[key]

    def missing(self, events: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Return those of the events that it doesn't tell of, with their times."""
        for line in events:
            event = decode_event(line, 0)
            at = event.at or 0
            if not any(abs(time - at) <= _SAME for time in self._times.get(_key(event), ())):
                yield at, line


def _key(event: Event) -> _Key:
    """Return what two accounts of one happening have in common."""
    if event.message is not None and event.message.id is not None:
        return event.account, event.conversation, "message", event.message.id
    if event.assignment:
        assignee = None if event.assignee is UNSAID else event.assignee
        return event.account, event.conversation, "assignment", assignee
    if event.name in {
        "conversation_status_changed",
        "conversation_opened",
        "conversation_resolved",
    }:
        return event.account, event.conversation, "status", event.status
    return event.account, event.conversation, event.name
