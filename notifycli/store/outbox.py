"""The outbox: every notification that is to be sent, from the decision to its end.

A notice is written before it is sent, and known by (event, user, type, channel): written again, it
stays what it is. Whoever sends leases notices first; a lease that isn't renewed ends, and another
process takes over. What a message says is kept as long as it may still have to be sent.

All times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct, convert

from notifycli.events.timestamps import SECOND
from notifycli.rules.notifications import Channel, NotificationType, channel_order
from notifycli.store.received_events import AccountPlace


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

    channels: frozenset[Channel] | None = None
    """`None` for all."""
    users: frozenset[tuple[int, int]] | None = None
    """(account, user); `None` for everybody."""
    account: int | None = None
    """`None` for all accounts."""
    without: frozenset[NotificationType] = frozenset()
    """Types that aren't meant."""

    def takes(self, channel: Channel) -> bool:
        """Whether notices on a channel are meant."""
        return self.channels is None or channel in self.channels

    def where(self) -> tuple[str, list[object]]:
        """Return the condition on the table `n`, and its parameters."""
        condition, parameters = "1 = 1", list[object]()
        if self.channels is not None:
            # IN () is no SQL.
            condition = f"n.channel IN ({', '.join('?' * len(self.channels)) or 'NULL'})"
            parameters += sorted(self.channels)
        if self.account is not None:
            condition += " AND n.account_id = ?"
            parameters.append(self.account)
        if self.without:
            condition += f" AND n.type NOT IN ({', '.join('?' * len(self.without))})"
            parameters += sorted(self.without)
        if self.users is not None:
            # VALUES of no row is no SQL.
            pairs = sorted(self.users) or [(-1, -1)]
            condition += (
                f" AND (n.account_id, n.user_id) IN (VALUES {', '.join(['(?, ?)'] * len(pairs))})"
            )
            parameters += (part for pair in pairs for part in pair)
        return condition, parameters


EVERY_CHANNEL = Scope()


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


class OutboxChange(NamedTuple):
    """What has become of notices that were to be written."""

    new: list[OutboxEntry]
    """Those that weren't there before."""
    overtaken: list[Channel]
    """Where some were to go that are dropped."""


class Outbox(Protocol):
    """The notices in a store. Every method is one transaction, and quick."""

    def write(
        self,
        entries: Iterable[OutboxEntry],
        now: int,
        place: tuple[str, FilePosition] | None = None,
        reached: Iterable[AccountPlace] = (),
        overtaken: Collection[bytes] = (),
    ) -> OutboxChange:
        """Write notices, and how far the file or the log has been read that they come from, in one.

        One that was written before stays as it is. Then what is open of the events with the keys
        `overtaken` is dropped. Raises `TryAgainError` if another host has taken an account over.
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
        renew: Collection[int],
    ) -> list[Leased]:
        """Record what has become of leased notices, and lease up to `room` that are due.

        A notice waits for every earlier one to the same user, of the same conversation, on the
        same channel: until that is sent, dead or dropped. What the owner holds of the notices in
        `renew` is leased until then too.
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


if TYPE_CHECKING:
    from notifycli.store.received_events import AccountPlace
    from notifycli.store.store import Database

Record = TypeVar("Record", bound=Struct)


# As the partial indexes have it, or SQLite wouldn't use them.
_OPEN = "n.state IN ('pending', 'sending')"
CLOCK_SLACK = 60 * SECOND
"""How much later than now others may have leased and decided: whoever waits for its turn goes by
the time before it."""
# A lease that ends later still than one that begins now, and a pause that was decided later still
# than now, are of a clock that has been put right since.
_DUE = """(n.due_at <= ? OR (n.state = 'sending' AND n.due_at > ?)
  OR (n.state = 'pending' AND n.changed_at > ?))"""
_FIRST_IN_LINE = """NOT EXISTS (
  SELECT 1 FROM notice e WHERE e.state IN ('pending', 'sending') AND e.id < n.id
  AND e.account_id = n.account_id AND e.user_id = n.user_id AND e.channel = n.channel
  AND e.conversation_id = n.conversation_id)"""
_FORGET = "contact = '', author = '', text = ''"
# One that is being sent has lost its lease: if it comes back unsent, it isn't pending anew.
_OVERTAKE = (
    "UPDATE notice SET state = 'dropped', owner = '', changed_at = ?, remedy = '',"
    f" why = 'overtaken: the customer waits no longer', {_FORGET}"
    " WHERE state IN ('pending', 'sending')"
)
_JOINED = {
    "email": "u.email",
    "user_name": "coalesce(u.name, '')",
    "member": "u.id",
    "inbox_name": "coalesce(nullif(n.inbox_name, ''), i.name, '')",
}
_FROM = (
    ' FROM notice n LEFT JOIN "user" u ON u.account_id = n.account_id AND u.id = n.user_id'
    " LEFT JOIN inbox i ON i.account_id = n.account_id AND i.id = n.inbox_id"
)


def _record(record: type[Record], row: tuple[Any, ...]) -> Record:
    return convert(dict(zip(record.__struct_fields__, row, strict=True)), record)


def _select(record: type[Struct]) -> str:
    columns = ", ".join(_JOINED.get(field, f"n.{field}") for field in record.__struct_fields__)
    return f"SELECT {columns}{_FROM}"


_SELECT_LEASED = _select(Leased)
_SELECT_NOTED = _select(Noted)
_ROW = f"({', '.join('?' * (len(OutboxEntry._fields) + 3))})"
_KNOWN_BY = ("event_key", "user_id", "type", "channel")
_AT_ONCE = 500
"""Rows of one statement: each is a way to a server and back."""

_FOLLOW = """
INSERT INTO followed (path, inode, start, "offset") VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE SET inode = excluded.inode, start = excluded.start,
       "offset" = excluded."offset"
"""


def _settling(state: NoticeState) -> str:
    """Return the statement that records what has become of a notice."""
    # That it was sent is true even if the lease is lost; anything else is for the owner to say.
    own = "1 = 1" if state is NoticeState.SENT else "state = 'sending' AND owner = :owner"
    forget = f", {_FORGET}" if state in (NoticeState.SENT, NoticeState.DROPPED) else ""
    return (
        "UPDATE notice SET state = :state, owner = '', changed_at = :now, due_at = :due,"
        " why = CASE WHEN :tried = 1 OR :why <> '' THEN :why ELSE why END, remedy = :remedy,"
        f" attempts = attempts + :tried{forget}"
        f" WHERE id = :id AND {own}"
    )


class SQLOutbox:
    """The notices in a database; what each method does is told by `Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> int:
        return self._database.now()

    def write(
        self,
        entries: Iterable[OutboxEntry],
        now: int,
        place: tuple[str, FilePosition] | None = None,
        reached: Iterable[AccountPlace] = (),
        overtaken: Collection[bytes] = (),
    ) -> OutboxChange:
        with self._database.brief():
            new = self._insert(list(entries), now)
            dropped = self._drop_overtaken([*overtaken], now)
            if place is not None:
                self._database.execute(_FOLLOW, (place[0], *place[1]))
            for account in reached:
                self._database.received().advance(account)
            return OutboxChange(new, dropped)

    def _insert(self, entries: list[OutboxEntry], now: int) -> list[OutboxEntry]:
        """Write notices, and give those that are new."""
        new: list[OutboxEntry] = []
        for start in range(0, len(entries), _AT_ONCE):
            some = entries[start : start + _AT_ONCE]
            rows = self._database.execute(
                f"INSERT INTO notice ({', '.join(OutboxEntry._fields)}, since, changed_at, due_at)"
                f" VALUES {', '.join([_ROW] * len(some))}"
                f" ON CONFLICT DO NOTHING RETURNING {', '.join(_KNOWN_BY)}",
                [cell for entry in some for cell in (*entry, now, now, now)],
            ).fetchall()
            written = set(map(tuple, rows))
            for entry in some:
                key = tuple(getattr(entry, column) for column in _KNOWN_BY)
                if key in written:
                    written.remove(key)
                    new.append(entry)
        return new

    def _drop_overtaken(self, keys: list[bytes], now: int) -> list[Channel]:
        """Drop what is open of these events, and return where it was to go."""
        dropped: list[Channel] = []
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            rows = self._database.execute(
                f"{_OVERTAKE} AND event_key IN ({', '.join('?' * len(some))}) RETURNING channel",
                (now, *some),
            )
            dropped += (Channel(channel) for (channel,) in rows.fetchall())
        return dropped

    def has(self, entry: OutboxEntry) -> bool:
        return bool(
            self._one(
                "SELECT count(*) FROM notice WHERE (event_key, user_id, type, channel)"
                " = (?, ?, ?, ?)",
                entry.event_key,
                entry.user_id,
                entry.type,
                entry.channel,
            )
        )

    def place(self, path: str) -> FilePosition | None:
        rows = self._rows('SELECT inode, start, "offset" FROM followed WHERE path = ?', path)
        return next((FilePosition(*row) for row in rows), None)

    def turn(  # noqa: PLR0917 - the engine's one call
        self,
        owner: str,
        settled: Sequence[Settled],
        room: int,
        scope: Scope,
        now: int,
        lease_until: int,
        renew: Collection[int],
    ) -> list[Leased]:
        with self._database.brief():
            self._settle(settled, owner, now)
            self._database.executemany(
                "UPDATE notice SET due_at = ? WHERE id = ? AND owner = ? AND state = 'sending'",
                ((lease_until, id_, owner) for id_ in renew),
            )
            return self._lease(owner, room, scope, now, lease_until) if room > 0 else []

    def _settle(self, settled: Sequence[Settled], owner: str, now: int) -> None:
        by_statement: dict[str, list[dict[str, object]]] = {}
        for item in settled:
            parameters = {
                "id": item.id,
                "state": item.state,
                "due": item.due_at,
                "why": item.why,
                "remedy": item.remedy,
                "tried": int(item.tried),
                "now": now,
                "owner": owner,
            }
            by_statement.setdefault(_settling(item.state), []).append(parameters)
        for sql, rows in by_statement.items():
            self._database.executemany(sql, rows)

    def _lease(
        self, owner: str, room: int, scope: Scope, now: int, lease_until: int
    ) -> list[Leased]:
        condition, parameters = scope.where()
        rows = self._database.execute(
            f"{_SELECT_LEASED} WHERE {_OPEN} AND {_DUE} AND {condition}"
            f" AND {_FIRST_IN_LINE} ORDER BY n.id LIMIT ? {self._database.passing_over}",
            (now, lease_until + CLOCK_SLACK, now + CLOCK_SLACK, *parameters, room),
        )
        leased = [_record(Leased, row) for row in rows]
        self._database.executemany(
            "UPDATE notice SET state = 'sending', owner = ?, due_at = ? WHERE id = ?",
            ((owner, lease_until, notice.id) for notice in leased),
        )
        return leased

    def next_due(self, scope: Scope) -> int | None:
        condition, parameters = scope.where()
        found: int | None = self._one(
            f"SELECT min(n.due_at) FROM notice n WHERE {_OPEN} AND {condition}"
            f" AND {_FIRST_IN_LINE}",
            *parameters,
        )
        return found

    def open_count(self, scope: Scope) -> int:
        condition, parameters = scope.where()
        return int(
            self._one(
                f"SELECT count(*) FROM notice n WHERE {_OPEN} AND {condition}",
                *parameters,
            )
        )

    def open_channels(self) -> list[Channel]:
        rows = self._rows(f"SELECT DISTINCT channel FROM notice n WHERE {_OPEN}")
        found = {row[0] for row in rows}
        return sorted(map(Channel, found), key=channel_order)

    def counts(self, scope: Scope = EVERY_CHANNEL) -> list[StateCount]:
        condition, parameters = scope.where()
        rows = self._rows(
            "SELECT channel, state, count(*), min(since), coalesce((SELECT why FROM notice w"
            " WHERE w.state = 'pending' AND w.state = n.state AND w.channel = n.channel"
            " AND w.why <> '' ORDER BY w.changed_at DESC LIMIT 1), '') FROM notice n"
            f" WHERE {condition} GROUP BY channel, state",
            *parameters,
        )
        found = [StateCount(Channel(row[0]), NoticeState(row[1]), *row[2:]) for row in rows]
        states = list(NoticeState)
        return sorted(found, key=lambda c: (channel_order(c.channel), states.index(c.state)))

    def in_state(self, state: NoticeState, scope: Scope = EVERY_CHANNEL) -> Iterator[Noted]:
        condition, parameters = scope.where()
        rows = self._rows(
            f"{_SELECT_NOTED} WHERE n.state = ? AND {condition} ORDER BY n.id", state, *parameters
        )
        return (_record(Noted, row) for row in rows)

    def states(self, ids: Iterable[int], scope: Scope = EVERY_CHANNEL) -> dict[int, NoticeState]:
        condition, parameters = scope.where()
        one = f"SELECT state FROM notice n WHERE id = ? AND {condition}"
        found = {id_: self._one(one, id_, *parameters) for id_ in ids}
        return {id_: NoticeState(state) for id_, state in found.items() if state is not None}

    def explain(self, scope: Scope, why: str, now: int) -> None:
        condition, parameters = scope.where()
        with self._database.brief():
            self._database.execute(
                "UPDATE notice AS n SET why = ?, changed_at = ?"
                f" WHERE n.state = 'pending' AND n.attempts = 0 AND {condition}",
                (why, now, *parameters),
            )

    def retry(self, ids: Iterable[int], now: int) -> int:
        return self._change(
            "UPDATE notice SET state = 'pending', attempts = 0, since = :now, changed_at = :now,"
            " due_at = :now, why = '', remedy = ''"
            " WHERE id = :id AND state IN ('dead', 'pending')",
            ids,
            now,
        )

    def drop(self, ids: Iterable[int], now: int) -> int:
        return self._change(
            f"UPDATE notice SET state = 'dropped', changed_at = :now, {_FORGET}"
            " WHERE id = :id AND state IN ('dead', 'pending')",
            ids,
            now,
        )

    def forget(self, before: int) -> None:
        with self._database.brief():
            self._database.execute(
                "DELETE FROM notice WHERE state IN ('sent', 'dropped') AND changed_at < ?",
                (before,),
            )

    def version(self) -> int:
        return self._database.version()

    def _change(self, sql: str, ids: Iterable[int], now: int) -> int:
        with self._database.brief():
            execute = self._database.execute
            return sum(execute(sql, {"id": id_, "now": now}).rowcount for id_ in ids)

    def _one(self, sql: str, *parameters: object) -> Any:
        return next(self._rows(sql, *parameters), (None,))[0]

    def _rows(self, sql: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        with self._database.errors():
            yield from self._database.execute(sql, parameters)
