"""The outbox: every notification that is to be sent, from the decision to its end.

A notice is written before it is sent, and known by (event, user, type, channel): written again, it
stays what it is. Whoever sends leases notices first; a lease that isn't renewed ends, and another
process takes over. What a message says is kept as long as it may still have to be sent.

All times are microseconds since 1970 UTC.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, convert

from notifycli.rules.notifications import Channel
from notifycli.store.outbox_records import (
    EVERY_CHANNEL,
    Entry,
    FilePosition,
    Leased,
    Noted,
    NoticeState,
    Scope,
    Settled,
    StateCount,
)
from notifycli.store.sqlite.connection import transaction, translate_errors

Record = TypeVar("Record", bound=Struct)


# As the partial indexes have it, or SQLite wouldn't use them.
_OPEN = "n.state IN ('pending', 'sending')"
# A lease that ends later than one that begins now, and a pause that was decided later than now, are
# of a clock that has been put right since.
_DUE = """(n.due_at <= ? OR (n.state = 'sending' AND n.due_at > ?)
  OR (n.state = 'pending' AND n.changed_at > ?))"""
_FIRST_IN_LINE = """NOT EXISTS (
  SELECT 1 FROM notice e WHERE e.state IN ('pending', 'sending') AND e.id < n.id
  AND e.account_id = n.account_id AND e.user_id = n.user_id AND e.channel = n.channel
  AND e.conversation_id = n.conversation_id)"""
_FORGET = "contact = '', author = '', text = ''"
_JOINED = {
    "email": "u.email",
    "user_name": "coalesce(u.name, '')",
    "member": "u.id",
    "inbox_name": "coalesce(nullif(n.inbox_name, ''), i.name, '')",
}
_FROM = (
    " FROM notice n LEFT JOIN user u ON u.account_id = n.account_id AND u.id = n.user_id"
    " LEFT JOIN inbox i ON i.account_id = n.account_id AND i.id = n.inbox_id"
)


def _record(record: type[Record], row: tuple[Any, ...]) -> Record:
    return convert(dict(zip(record.__struct_fields__, row, strict=True)), record)


def _select(record: type[Struct]) -> str:
    columns = ", ".join(_JOINED.get(field, f"n.{field}") for field in record.__struct_fields__)
    return f"SELECT {columns}{_FROM}"


_SELECT_LEASED = _select(Leased)
_SELECT_NOTED = _select(Noted)
_INSERT = (
    f"INSERT OR IGNORE INTO notice ({', '.join(Entry._fields)}, since, changed_at, due_at)"  # noqa: S608 - our own fields
    f" VALUES ({', '.join('?' * len(Entry._fields))}, ?, ?, ?)"
)


class Outbox:
    """The notices in a store. Every method is one transaction, and quick."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def write(
        self, entries: Iterable[Entry], now: int, place: tuple[str, FilePosition] | None = None
    ) -> list[Entry]:
        """Write notices, and how far the file has been read that they come from, in one.

        Gives those that are new: one that was written before stays as it is.
        """
        with self._told(), transaction(self._connection):
            execute = self._connection.execute
            new = [e for e in entries if execute(_INSERT, (*e, now, now, now)).rowcount]
            if place is not None:
                execute(
                    "INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?)", (place[0], *place[1])
                )
            return new

    def known(self, entry: Entry) -> bool:
        """Whether a notice was written before."""
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
        """Give how far a followed file was read; `None` if it never was."""
        rows = self._rows("SELECT inode, start, offset FROM followed WHERE path = ?", path)
        return next((FilePosition(*row) for row in rows), None)

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
        with self._told(), transaction(self._connection):
            for item in settled:
                self._settle(item, owner, now)
            if renew:
                self._connection.execute(
                    "UPDATE notice AS n SET due_at = ? WHERE n.owner = ?"  # noqa: S608 - constants
                    f" AND n.state = 'sending' AND {_OPEN}",
                    (lease_until, owner),
                )
            return self._lease(owner, room, scope, now, lease_until) if room > 0 else []

    def _settle(self, item: Settled, owner: str, now: int) -> None:
        # That it was sent is true even if the lease is lost; anything else is for the owner to say.
        own = "1" if item.state is NoticeState.SENT else "state = 'sending' AND owner = :owner"
        forget = f", {_FORGET}" if item.state in (NoticeState.SENT, NoticeState.DROPPED) else ""
        self._connection.execute(
            "UPDATE notice SET state = :state, owner = '', changed_at = :now, due_at = :due,"  # noqa: S608 - constants
            " why = CASE WHEN :tried OR :why <> '' THEN :why ELSE why END, remedy = :remedy,"
            f" attempts = attempts + :tried{forget}"
            f" WHERE id = :id AND {own}",
            {
                "id": item.id,
                "state": item.state,
                "due": item.due_at,
                "why": item.why,
                "remedy": item.remedy,
                "tried": item.tried,
                "now": now,
                "owner": owner,
            },
        )

    def _lease(
        self, owner: str, room: int, scope: Scope, now: int, lease_until: int
    ) -> list[Leased]:
        condition, parameters = scope.where()
        rows = self._connection.execute(
            f"{_SELECT_LEASED} WHERE {_OPEN} AND {_DUE} AND {condition}"
            f" AND {_FIRST_IN_LINE} ORDER BY n.id LIMIT ?",
            (now, lease_until, now, *parameters, room),
        )
        leased = [_record(Leased, row) for row in rows]
        self._connection.executemany(
            "UPDATE notice SET state = 'sending', owner = ?, due_at = ? WHERE id = ?",
            ((owner, lease_until, notice.id) for notice in leased),
        )
        return leased

    def next_due(self, scope: Scope) -> int | None:
        """Give the moment at which the next notice can be leased; `None` if none is open."""
        condition, parameters = scope.where()
        found: int | None = self._one(
            f"SELECT min(n.due_at) FROM notice n WHERE {_OPEN} AND {condition}"  # noqa: S608 - constants
            f" AND {_FIRST_IN_LINE}",
            *parameters,
        )
        return found

    def open_count(self, scope: Scope) -> int:
        """Count what is still to be sent."""
        condition, parameters = scope.where()
        return int(
            self._one(
                f"SELECT count(*) FROM notice n WHERE {_OPEN} AND {condition}",  # noqa: S608 - constants
                *parameters,
            )
        )

    def open_channels(self) -> list[Channel]:
        """Give the channels on which something is still to be sent."""
        rows = self._rows(f"SELECT DISTINCT channel FROM notice n WHERE {_OPEN}")  # noqa: S608 - constants
        found = {row[0] for row in rows}
        return [channel for channel in Channel if channel in found]

    def counts(self, scope: Scope = EVERY_CHANNEL) -> list[StateCount]:
        """Count notices by channel and state, in the order of those."""
        condition, parameters = scope.where()
        rows = self._rows(
            "SELECT channel, state, count(*), min(since), coalesce((SELECT why FROM notice w"  # noqa: S608 - constants
            " WHERE w.state = 'pending' AND w.state = n.state AND w.channel = n.channel"
            " AND w.why <> '' ORDER BY w.changed_at DESC LIMIT 1), '') FROM notice n"
            f" WHERE {condition} GROUP BY channel, state",
            *parameters,
        )
        found = [StateCount(Channel(row[0]), NoticeState(row[1]), *row[2:]) for row in rows]
        states, channels = list(NoticeState), list(Channel)
        return sorted(found, key=lambda c: (channels.index(c.channel), states.index(c.state)))

    def in_state(self, state: NoticeState, scope: Scope = EVERY_CHANNEL) -> Iterator[Noted]:
        """Give the notices in a state, the oldest first."""
        condition, parameters = scope.where()
        rows = self._rows(
            f"{_SELECT_NOTED} WHERE n.state = ? AND {condition} ORDER BY n.id", state, *parameters
        )
        return (_record(Noted, row) for row in rows)

    def states(self, ids: Iterable[int], scope: Scope = EVERY_CHANNEL) -> dict[int, NoticeState]:
        """Give the states of the notices with these ids; one that isn't there is left out."""
        condition, parameters = scope.where()
        one = f"SELECT state FROM notice n WHERE id = ? AND {condition}"  # noqa: S608 - constants
        found = {id_: self._one(one, id_, *parameters) for id_ in ids}
        return {id_: NoticeState(state) for id_, state in found.items() if state is not None}

    def explain(self, scope: Scope, why: str, now: int) -> None:
        """Note why notices wait that have never been tried."""
        condition, parameters = scope.where()
        with self._told(), transaction(self._connection):
            self._connection.execute(
                "UPDATE notice AS n SET why = ?, changed_at = ?"  # noqa: S608 - constants
                f" WHERE n.state = 'pending' AND n.attempts = 0 AND {condition}",
                (why, now, *parameters),
            )

    def retry(self, ids: Iterable[int], now: int) -> int:
        """Make dead notices pending anew, and pending ones due at once; gives how many."""
        return self._change(
            "UPDATE notice SET state = 'pending', attempts = 0, since = :now, changed_at = :now,"
            " due_at = :now, why = '', remedy = ''"
            " WHERE id = :id AND state IN ('dead', 'pending')",
            ids,
            now,
        )

    def drop(self, ids: Iterable[int], now: int) -> int:
        """Give up dead and pending notices, and forget what they say; gives how many."""
        return self._change(
            f"UPDATE notice SET state = 'dropped', changed_at = :now, {_FORGET}"  # noqa: S608 - constants
            " WHERE id = :id AND state IN ('dead', 'pending')",
            ids,
            now,
        )

    def forget(self, before: int) -> None:
        """Forget what was sent or dropped before a moment."""
        with self._told(), transaction(self._connection):
            self._connection.execute(
                "DELETE FROM notice WHERE state IN ('sent', 'dropped') AND changed_at < ?",
                (before,),
            )

    def version(self) -> int:
        """Give a number that differs once another process has changed the store."""
        return int(self._one("PRAGMA data_version"))

    def _change(self, sql: str, ids: Iterable[int], now: int) -> int:
        with self._told(), transaction(self._connection):
            before = self._connection.total_changes
            self._connection.executemany(sql, ({"id": id_, "now": now} for id_ in ids))
            return self._connection.total_changes - before

    def _one(self, sql: str, *parameters: object) -> Any:
        return next(self._rows(sql, *parameters), (None,))[0]

    def _rows(self, sql: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        with self._told():
            yield from self._connection.execute(sql, parameters)

    def _told(self) -> AbstractContextManager[None]:
        return translate_errors(self._path)
