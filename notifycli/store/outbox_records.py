"""What the outbox holds and hands out. All times are microseconds since 1970 UTC."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from notifycli.rules.notifications import Channel, NotificationType


class NoticeState(StrEnum):
    """Where a notice is on its way."""

    PENDING = "pending"
    """It is to be sent, now or, after a failure, when it is due."""
    SENDING = "sending"
    """A process has leased it."""
    SENT = "sent"
    DEAD = "dead"
    """It can't be sent: a dead letter, kept until somebody retries or drops it."""
    DROPPED = "dropped"


class Entry(NamedTuple):
    """A notice to be written: the columns of that name."""

    event_key: bytes
    account_id: int
    user_id: int
    type: NotificationType
    channel: Channel
    event: str
    conversation_id: int | None
    inbox_id: int | None
    inbox_name: str
    message_id: int | None
    at: int | None
    contact: str
    author: str
    text: str


class Notice(Struct, frozen=True):
    """One notification that is to reach one person on one channel."""

    id: int
    """The outbox's row; 0 for a test message."""
    account_id: int
    user_id: int
    email: str | None
    user_name: str
    """An empty string where they have none."""
    channel: Channel
    type: NotificationType
    event: str
    conversation_id: int | None
    inbox_id: int | None
    inbox_name: str
    message_id: int | None
    at: int | None
    """The event's time."""
    contact: str
    """Whom the conversation is with; an empty string where the event doesn't say."""
    author: str
    """Who wrote the message; an empty string where nobody did."""
    text: str
    """What the message says, cut to 1,000 characters; an empty string where there is none."""


class Leased(Notice, frozen=True):
    """A notice to be sent, with its user and inbox as the directory has them now."""

    member: int | None
    """The user once more; `None` where they have left the account."""
    since: int
    """When it was written, or put back by hand."""
    attempts: int


class Settled(NamedTuple):
    """What has become of a leased notice."""

    id: int
    state: NoticeState
    due_at: int
    why: str = ""
    remedy: str = ""
    tried: bool = True
    """Whether it was an attempt; a notice that is given back untried keeps its count."""


class Scope(NamedTuple):
    """Which notices are meant."""

    channels: frozenset[Channel]
    users: frozenset[tuple[int, int]] | None = None
    """(account, user); `None` for everybody."""
    account: int | None = None
    """`None` for all accounts."""

    def where(self) -> tuple[str, list[object]]:
        """Give the condition on the table `n`, and its parameters."""
        condition = f"n.channel IN ({', '.join('?' * len(self.channels))})"
        parameters: list[object] = [*sorted(self.channels)]
        if self.account is not None:
            condition += " AND n.account_id = ?"
            parameters.append(self.account)
        if self.users is not None:
            # VALUES of no row is no SQL.
            pairs = sorted(self.users) or [(-1, -1)]
            condition += (
                f" AND (n.account_id, n.user_id) IN (VALUES {', '.join(['(?, ?)'] * len(pairs))})"
            )
            parameters += (part for pair in pairs for part in pair)
        return condition, parameters


EVERY_CHANNEL = Scope(frozenset(Channel))


class Noted(Struct, frozen=True, kw_only=True):
    """A notice as a list shows it: never what a message says."""

    id: int
    at: int | None
    account_id: int
    user_id: int
    email: str | None
    channel: Channel
    type: NotificationType
    event: str
    conversation_id: int | None
    message_id: int | None
    state: NoticeState
    attempts: int
    changed_at: int
    due_at: int
    why: str
    remedy: str


class StateCount(Struct, frozen=True):
    """How many notices of a channel are in a state, and when the first of them was written."""

    channel: Channel
    state: NoticeState
    count: int
    oldest: int
    why: str
    """Why those that are pending wait, as the last of them says; "" if none has been tried."""


class FilePosition(NamedTuple):
    """How far a followed file has been read."""

    inode: int
    start: bytes
    """A digest of the file's first line, by which it is known again."""
    offset: int
    """The byte behind the last line that was read."""
