"""What a run says while it goes on: what was sent, what failed, what works again."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from notifycli.rules.notifications import Channel
from notifycli.store.outbox_records import Leased


class LogEvent(StrEnum):
    """What has happened."""

    SENT = "sent"
    FAILED = "failed"
    """An attempt, after which another is due."""
    DEAD = "dead"
    """Refused for good, or given up."""
    UNAVAILABLE = "unavailable"
    """A channel can't be opened."""
    RECOVERED = "recovered"
    """A channel works again on which the last attempt failed."""


class LogEntry(Struct, frozen=True):
    """One thing that has happened; `next_at` in microseconds since 1970 UTC."""

    event: LogEvent
    channel: Channel
    notice: Leased | None = None
    why: str = ""
    remedy: str = ""
    next_at: int | None = None


Log = Callable[[LogEntry], None]


def unlogged(_: LogEntry) -> None:
    """Tell nobody."""
