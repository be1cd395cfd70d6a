"""The outbox in a database, by the SQL that all engines share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, convert

from notifycli.rules.notifications import Channel
from notifycli.store.outbox import (
    EVERY_CHANNEL,
    FilePosition,
    Leased,
    Noted,
    NoticeState,
    OutboxEntry,
    Scope,
    Settled,
    StateCount,
)

if TYPE_CHECKING:
    from notifycli.store.received import AccountPlace
    from notifycli.store.store import Database

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
    ) -> list[OutboxEntry]:
        with self._database.brief():
            new = self._insert(list(entries), now)
            if place is not None:
                self._database.execute(_FOLLOW, (place[0], *place[1]))
            for account in reached:
                self._database.received().advance(account)
            return new

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
        *,
        renew: bool,
    ) -> list[Leased]:
        with self._database.brief():
            self._settle(settled, owner, now)
            if renew:
                self._database.execute(
                    "UPDATE notice AS n SET due_at = ? WHERE n.owner = ?"
                    f" AND n.state = 'sending' AND {_OPEN}",
                    (lease_until, owner),
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
            (now, lease_until, now, *parameters, room),
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
        return [channel for channel in Channel if channel in found]

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
        states, channels = list(NoticeState), list(Channel)
        return sorted(found, key=lambda c: (channels.index(c.channel), states.index(c.state)))

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
