"""All that a store holds, written into another one, whichever engines keep the two."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from notifycli.errors import DataError, UsageError

if TYPE_CHECKING:
    from notifycli.store.store import Database

TABLES = (
    *("account", "user", "inbox", "inbox_member", "team", "team_member"),
    *(
        "account_preference",
        "user_preference",
        "preset",
        "setting",
        "setting_secret",
        "vault",
        "tone",
    ),
    *("ui_setting", "chatwoot", "chatwoot_user"),
    *("change", "preference_change", "directory_change", "removed_row"),
    *("token", "token_use", "token_leftover", "token_change"),
    *("push_key", "push_subscription", "subscription_change", "push_invitation"),
    *("notice", "followed"),
)
"""Every table, behind those that it refers to."""
_BATCH = 1000


class _Seen(NamedTuple):
    """How many rows a table has, and a sum over all that is in them, in whatever order."""

    rows: int = 0
    sum: int = 0

    def add(self, row: tuple[object, ...]) -> _Seen:
        digest = int.from_bytes(sha256(msgspec.json.encode(row)).digest()[:16], "big")
        return _Seen(self.rows + 1, self.sum + digest)


def copy_store(source: Database, target: Database, name: str) -> int:
    """Copy all rows, a table a transaction, and compare what has arrived; gives how many there are.

    A copy that was broken off goes on: a table that is there already must be as in the source.
    `name` is the target's. Raises `UsageError` if the target holds anything else, and `DataError`
    if something doesn't arrive as it was.
    """
    total, empty = 0, []
    with source.snapshot():
        with target.errors():
            for table in TABLES:
                there = _sum(target, table)
                if not there.rows:
                    empty.append(table)
                elif there != _sum(source, table):
                    raise UsageError(
                        f"the store {name} holds something already: {table} isn't as in the other",
                        "name an empty one; or, for a backup: notifycli restore FILE --replace",
                    )
                total += there.rows
        for table in empty:
            with target.transaction():
                total += _copy_table(source, target, table)
        with target.transaction():
            target.count_on()
    return total


def _copy_table(source: Database, target: Database, table: str) -> int:
    """Copy a table, and give how many rows it has."""
    sent, columns = _Seen(), _columns(source, table)
    listed = ", ".join(f'"{column}"' for column in columns)
    insert = f'INSERT INTO "{table}" ({listed}) VALUES ({", ".join("?" * len(columns))})'
    rows = _rows(source, table, columns)
    while batch := list(islice(rows, _BATCH)):
        target.executemany(insert, batch)
        for row in batch:
            sent = sent.add(row)
    if _sum(target, table, columns) != sent:
        raise DataError(
            f"{table}: {sent.rows} rows were sent and didn't arrive as they were",
            "nothing of it was stored; is a text in it that has NUL characters?",
        )
    return sent.rows


def _sum(database: Database, table: str, columns: tuple[str, ...] = ()) -> _Seen:
    seen = _Seen()
    for row in _rows(database, table, columns or _columns(database, table)):
        seen = seen.add(row)
    return seen


def _columns(database: Database, table: str) -> tuple[str, ...]:
    """Return a table's columns, in an order that doesn't depend on the engine."""
    described = database.execute(f'SELECT * FROM "{table}" LIMIT 0').description or ()
    return tuple(sorted(column[0] for column in described))


def _rows(database: Database, table: str, columns: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    listed = ", ".join(f'"{column}"' for column in columns)
    ordered = ' ORDER BY "id"' if "id" in columns else ""
    for row in database.execute(f'SELECT {listed} FROM "{table}"{ordered}'):
        yield tuple(row)
