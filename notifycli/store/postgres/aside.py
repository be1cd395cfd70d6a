"""A store that makes way for another one, and comes back if that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from notifycli.errors import UsageError
from notifycli.store.postgres.connection import PostgreSQL

if TYPE_CHECKING:
    from notifycli.store.store import Location

_BEFORE = "notifycli_before"


@contextmanager
def set_aside(location: Location) -> Iterator[None]:
    """Do as `store.set_aside` says."""
    database = PostgreSQL(location, create=False)
    try:
        if not database.is_made:
            yield
            return
        with database.transaction():
            sql = "SELECT to_regnamespace(?) IS NULL"
            if not database.execute(sql, (_BEFORE,)).fetchone()[0]:
                raise UsageError(
                    f"{location.name} has a schema {_BEFORE}: not overwritten",
                    f"remove it once you don't need it: psql, DROP SCHEMA {_BEFORE} CASCADE",
                )
            database.execute(f"ALTER SCHEMA notifycli RENAME TO {_BEFORE}")
        try:
            yield
        except BaseException:
            with database.transaction():
                database.execute("DROP SCHEMA IF EXISTS notifycli CASCADE")
                database.execute(f"ALTER SCHEMA {_BEFORE} RENAME TO notifycli")
            raise
    finally:
        database.close()
