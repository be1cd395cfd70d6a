"""What a run does: told as it happens, and counted for its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct, field

from notifycli.rules.notifications import Channel
from notifycli.store.outbox import Leased, NoticeState


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


class DeliveryReport(Struct):
    """What the engine has done, by channel."""

    sent: Counter[Channel] = field(default_factory=Counter)
    dead: Counter[Channel] = field(default_factory=Counter)
    dropped: Counter[Channel] = field(default_factory=Counter)
    later: Counter[Channel] = field(default_factory=Counter)
    """Attempts after which another is due."""
    last_trouble: dict[Channel, str] = field(default_factory=dict)
    """Why the last attempt failed after which none has succeeded."""

    def count(self, channel: Channel, state: NoticeState) -> None:
        """Count a notice that an attempt has brought to a state."""
        counters = {
            NoticeState.SENT: self.sent,
            NoticeState.DEAD: self.dead,
            NoticeState.DROPPED: self.dropped,
            NoticeState.PENDING: self.later,
        }
        counters[state][channel] += 1
