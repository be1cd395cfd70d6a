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
    *("account_preference", "user_preference", "preset", "setting", "setting_secret"),
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
    """Copy all rows in one transaction, and compare what has arrived; gives how many there are.

    A copy that is broken off leaves nothing. `name` is the target's. Raises `UsageError` if the
    target holds anything, and `DataError` if something doesn't arrive as it was.
    """
    total = 0
    with source.snapshot(), target.transaction():
        for table in TABLES:
            if target.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone():
                raise UsageError(
                    f"the store {name} holds something already",
                    "name an empty one; or, for a backup: notifycli restore FILE --replace",
                )
        for table in TABLES:
            sent, columns = _Seen(), _columns(source, table)
            listed = ", ".join(f'"{column}"' for column in columns)
            insert = f'INSERT INTO "{table}" ({listed}) VALUES ({", ".join("?" * len(columns))})'
            rows = _rows(source, table, listed)
            while batch := list(islice(rows, _BATCH)):
                target.executemany(insert, batch)
                for row in batch:
                    sent = sent.add(row)
            arrived = _Seen()
            for row in _rows(target, table, listed):
                arrived = arrived.add(row)
            if arrived != sent:
                raise DataError(
                    f"{table}: {sent.rows} rows were sent and didn't arrive as they were",
                    "nothing was stored; is a text in it that has NUL characters?",
                )
            total += sent.rows
        target.count_on()
    return total


def _columns(database: Database, table: str) -> tuple[str, ...]:
    described = database.execute(f'SELECT * FROM "{table}" LIMIT 0').description or ()
    return tuple(column[0] for column in described)


def _rows(database: Database, table: str, columns: str) -> Iterator[tuple[object, ...]]:
    ordered = ' ORDER BY "id"' if '"id"' in columns else ""
    for row in database.execute(f'SELECT {columns} FROM "{table}"{ordered}'):
        yield tuple(row)
