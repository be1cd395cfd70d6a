"""What a channel is given to send, and what it answers."""

from __future__ import annotations

from typing import Protocol, Self

from msgspec import Struct

from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import Notice


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
