"""What a channel is given to send, what it answers, and what is logged and counted of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, Self

from msgspec import Struct, field

from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import Leased, Notice, NoticeState


class Delivered(Struct, frozen=True):
    """The service took it."""

    detail: str = ""


class Later(Struct, frozen=True):
    """It may work another time."""

    why: str
    after: float | None = None
    """The seconds that the service asked to wait (RFC 9110, 10.2.3), if it did."""
    tried: bool = True
    """Whether the service was asked; one that is left alone for a while isn't."""


class Refused(Struct, frozen=True):
    """It will never work as it is: a dead letter."""

    why: str
    remedy: str = ""


Outcome = Delivered | Later | Refused


class Sender(Protocol):
    """One channel, opened once for many notices; sends of several may run at the same time."""

    async def __aenter__(self) -> Self:
        """Get ready to send."""

    async def __aexit__(self, *_: object) -> None:
        """Close what was opened."""

    async def send(self, notice: Notice) -> Outcome:
        """Send one notice. What the service does is told in the outcome, never raised."""


def sample_notice(
    account: int, user: User, channel: Channel, type_: NotificationType, at: int
) -> Notice:
    """Make one for a user; `at` in microseconds since 1970 UTC."""
    return Notice(
        id=0,
        account_id=account,
        user_id=user.id,
        email=user.email,
        user_name=user.name,
        channel=channel,
        type=type_,
        event="test",
        conversation_id=1,
        inbox_id=None,
        inbox_name="Website",
        message_id=None,
        at=at,
        contact="Alex Rivera",
        author="notifycli",
        text="This is a test. If you can read it, notifications reach you this way.",
    )


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


def discard(_: LogEntry) -> None:
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
