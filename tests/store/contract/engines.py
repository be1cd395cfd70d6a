"""The engines of stores, each as the contract needs it: a new store, and a look beneath it."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from notifycli.store.store import Store, open_store

Row = tuple[Any, ...]


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


ENGINES = {"sqlite": SQLiteEngine}
