"""What a channel is given to send, and what it answers."""

from __future__ import annotations

from typing import Protocol, Self

from msgspec import Struct

from notifycli.rules.notifications import Channel, NotificationType


class Notice(Struct, frozen=True):
    """One notification that is to reach one person on one channel."""

    id: int
    """The outbox's row; 0 for a test message."""
    account_id: int
    user_id: int
    email: str | None
    user_name: str
    channel: Channel
    type: NotificationType
    event: str
    conversation_id: int | None
    inbox_id: int | None
    inbox_name: str
    message_id: int | None
    at: int | None
    """The event's time, in microseconds since 1970 UTC."""
    contact: str
    """Whom the conversation is with; an empty string where the event doesn't say."""
    author: str
    """Who wrote the message; an empty string where nobody did."""
    text: str
    """What the message says, cut to 1,000 characters; an empty string where there is none."""


class Delivered(Struct, frozen=True):
    """The service took it."""

    detail: str = ""


class Later(Struct, frozen=True):
    """It may work another time."""

    why: str
    after: float | None = None
    """The seconds that the service asked to wait (RFC 9110, 10.2.3), if it did."""


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
