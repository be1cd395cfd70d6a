"""The engines of stores, each as the contract needs it: a new store, and a look beneath it."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from notifycli.store.copy_store import TABLES
from notifycli.store.store import Store, open_store
from tests.chatwoot.database import Postgres

Row = tuple[Any, ...]
_DATABASES = 8
"""More than a test opens at the same time."""
_RESTART = """
SELECT setval(pg_get_serial_sequence(table_schema || '.' || table_name, 'id'), 1, false)
  FROM information_schema.columns WHERE table_schema = 'notifycli' AND is_identity = 'YES'
"""


class Engine(Protocol):
    """What keeps stores."""

    def new(self) -> str:
        """Make an empty store; gives its URL."""
        ...

    def open(self, url: str = "") -> Store:
        """Open a store, a new one unless it is named; what it holds needn't outlive the machine."""
        ...

    def rows(self, url: str, sql: str) -> list[Row]:
        """Give what a query finds beneath a store."""
        ...


class SQLiteEngine:
    """Stores in files."""

    def __init__(self, folder: Path) -> None:
        self._files = (folder / f"{number}.db" for number in itertools.count())
        empty = folder / "empty.db"
        open_store(empty).__exit__()
        self._empty = empty.read_bytes()

    def new(self) -> str:
        file = next(self._files)
        file.write_bytes(self._empty)
        return f"sqlite:///{file}"

    def open(self, url: str = "") -> Store:
        store: Any = open_store(url or self.new())
        # Thousands of changes wait for no disk.
        store._database.execute("PRAGMA synchronous = OFF")  # noqa: SLF001 - no door leads there
        opened: Store = store
        return opened

    def rows(self, url: str, sql: str) -> list[Row]:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(sql).fetchall()


class PostgreSQLEngine:
    """Stores in databases of one server; a few, which are emptied in turn."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._names = itertools.cycle(f"store_{number}" for number in range(_DATABASES))
        self._made = set[str]()

    def new(self) -> str:
        name = next(self._names)
        url = f"postgresql://postgres@/{name}?host={self._server.socket}&port={self._server.port}"
        if name not in self._made:
            self._server.psql("postgres", f"CREATE DATABASE {name}")
            self._made.add(name)
            open_store(url).__exit__()
        # A tenth of the time that TRUNCATE takes: it makes new files.
        # A token that goes leaves the name of its secret.
        tables = [*reversed(TABLES), "token_leftover"]
        self.rows(url, "; ".join(f'DELETE FROM "{table}"' for table in tables))
        self.rows(url, _RESTART)
        return url

    def open(self, url: str = "") -> Store:
        return open_store(url or self.new())

    def rows(self, url: str, sql: str) -> list[Row]:
        import psycopg2  # noqa: PLC0415 - an extra

        options = "-c search_path=notifycli,public"
        with closing(psycopg2.connect(url, options=options)) as connection, connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
