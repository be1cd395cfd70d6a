"""The outbox: every notification that is to be sent, from the decision to its end.

A notice is written before it is sent, and known by (event, user, type, channel): written again, it
stays what it is. Whoever sends leases notices first; a lease that isn't renewed ends, and another
process takes over. What a message says is kept as long as it may still have to be sent.

All times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.received import AccountPlace


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


class OutboxEntry(NamedTuple):
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
        """Return the condition on the table `n`, and its parameters."""
        # IN () is no SQL.
        condition = f"n.channel IN ({', '.join('?' * len(self.channels)) or 'NULL'})"
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


class Outbox(Protocol):
    """The notices in a store. Every method is one transaction, and quick."""

    def write(
        self,
        entries: Iterable[OutboxEntry],
        now: int,
        place: tuple[str, FilePosition] | None = None,
        reached: Iterable[AccountPlace] = (),
    ) -> list[OutboxEntry]:
        """Write notices, and how far the file or the log has been read that they come from, in one.

        Gives those that are new: one that was written before stays as it is. Raises `TryAgainError`
        if another host has taken an account over.
        """
        ...

    def now(self) -> int:
        """Return what time it is, for all who share the outbox."""
        ...

    def has(self, entry: OutboxEntry) -> bool:
        """Whether a notice was written before."""
        ...

    def place(self, path: str) -> FilePosition | None:
        """Return how far a followed file was read; `None` if it never was."""
        ...

    def turn(  # noqa: PLR0917 - the engine's one call
        self,
        owner: str,
        settled: Sequence[Settled],
        room: int,
        scope: Scope,
        now: int,
        lease_until: int,
        *,
        renew: bool,
    ) -> list[Leased]:
        """Record what has become of leased notices, and lease up to `room` that are due.

        A notice waits for every earlier one to the same user, of the same conversation, on the
        same channel: until that is sent, dead or dropped. With `renew`, what the owner holds is
        leased until then too.
        """
        ...

    def next_due(self, scope: Scope) -> int | None:
        """Return the moment at which the next notice can be leased; `None` if none is open."""
        ...

    def open_count(self, scope: Scope) -> int:
        """Count what is still to be sent."""
        ...

    def open_channels(self) -> list[Channel]:
        """Return the channels on which something is still to be sent."""
        ...

    def counts(self, scope: Scope = EVERY_CHANNEL) -> list[StateCount]:
        """Count notices by channel and state, in the order of those."""
        ...

    def in_state(self, state: NoticeState, scope: Scope = EVERY_CHANNEL) -> Iterator[Noted]:
        """Return the notices in a state, the oldest first."""
        ...

    def states(self, ids: Iterable[int], scope: Scope = EVERY_CHANNEL) -> dict[int, NoticeState]:
        """Return the states of the notices with these ids; one that isn't there is left out."""
        ...

    def explain(self, scope: Scope, why: str, now: int) -> None:
        """Note why notices wait that have never been tried."""
        ...

    def retry(self, ids: Iterable[int], now: int) -> int:
        """Make dead notices pending anew, and pending ones due at once; gives how many."""
        ...

    def drop(self, ids: Iterable[int], now: int) -> int:
        """Give up dead and pending notices, and forget what they say; gives how many."""
        ...

    def forget(self, before: int) -> None:
        """Forget what was sent or dropped before a moment."""
        ...

    def version(self) -> int:
        """Return a number that differs once another process has changed the store."""
        ...
