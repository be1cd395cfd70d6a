"""Filling the holes of a log: what it lacks of what happened, put where it belongs in time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import UNSAID, Event
from notifycli.events.timestamps import SECOND

Json = dict[str, Any]
_Key = tuple[object, ...]
_SAME = 60 * SECOND
"""Two changes to the same within this are one: what is rebuilt has whole seconds, and a webhook
comes after the fact."""


class Filled(NamedTuple):
    """The lines of the whole log in the order of time, and how many of them are new."""

    lines: Iterator[bytes]
    added: int


def fill(log: Iterable[bytes], events: Iterable[Json]) -> Filled:
    """Return the log with those of the events, ordered by time, that it lacks.

    Lines stay as they are, in their order; one that is no event too.
    """
    lines: list[tuple[int, bytes]] = []
    seen: defaultdict[_Key, list[int]] = defaultdict(list)
    latest = 0
    for number, line in enumerate(log, 1):
        event = _read(line, number)
        if event is not None:
            latest = max(latest, event.at or 0)
            seen[_key(event)].append(latest)
        lines.append((latest, line))
    new = []
    for number, body in enumerate(events, 1):
        line = msgspec.json.encode(body)
        event = decode_event(line, number)
        if not any(abs(at - (event.at or 0)) <= _SAME for at in seen.get(_key(event), ())):
            new.append((event.at or 0, line))
    merged = heapq.merge(lines, new, key=lambda one: one[0])
    return Filled((line for _, line in merged), len(new))


def _read(line: bytes, number: int) -> Event | None:
    try:
        return decode_event(line, number)
    except EventError:
        return None


def _key(event: Event) -> _Key:
    """Return what two accounts of one happening have in common."""
    if event.message is not None and event.message.id is not None:
        return event.account, event.conversation, "message", event.message.id
    if event.name == "conversation_updated" and event.assignment:
        assignee = None if event.assignee is UNSAID else event.assignee
        return event.account, event.conversation, "assignment", assignee
    if event.name in {
        "conversation_status_changed",
        "conversation_opened",
        "conversation_resolved",
    }:
        return event.account, event.conversation, "status", event.status
    return event.account, event.conversation, event.name
