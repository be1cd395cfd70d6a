"""The SQLite file itself: opening, migrating, transactions, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from notifycli.errors import (
    ConfigurationError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
)

VERSION = 12
"""The number of migrations: `PRAGMA user_version` of an up-to-date store."""
APPLICATION_ID = 0x6E746679
"""`PRAGMA application_id` of a store: "ntfy"."""
EVERY_INBOX = 0
"""The inbox of a value that holds in every inbox: a primary key can't hold NULL."""
BUSY_SECONDS = 5.0
"""How long to wait for another process that is writing."""
_AGAIN_SECONDS = 0.01
_SMALLEST = 512
"""Bytes: SQLite's smallest page."""
_IN_MEMORY = ":memory:"


def default_path() -> Path:
    """Give where the store lives unless `--db` or `NOTIFYCLI_DB` says otherwise."""
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed where a path is given

    return user_data_path("notifycli", appauthor=False) / "notifycli.db"


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the product's own, with the file's name and the way out."""
    try:
        yield
    except sqlite3.Error as error:
        raise _told(error, path) from error


def _told(error: sqlite3.Error, path: Path) -> NotifycliError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return TryAgainError(f"the store {path} is in use by another process", "try again shortly")
    if "disk is full" in text:
        return TryAgainError(
            f"the disk is full: nothing was stored in {path}", "free some space and try again"
        )
    if "readonly" in text:
        return NotPermittedError(
            f"the store {path} can't be written", "check the permissions of the file and its folder"
        )
    if "not a database" in text or "malformed" in text:
        return ConfigurationError(
            f"{path} is no notifycli store", "name another file with --db or NOTIFYCLI_DB"
        )
    if "unable to open" in text:
        return ConfigurationError(
            f"the store {path} can't be opened", "check the path given by --db or NOTIFYCLI_DB"
        )
    return ConfigurationError(f"the store {path} failed: {text}")


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the store at `path`, brought up to date; an empty one in memory if it may not be made.

    Raises the errors of `told_errors`, and `ConfigurationError` for a store of a newer version
    and for a file that belongs to another program. None of them touches the file.
    """
    exists = _holds_something(path)
    if not exists and create:
        _create_private(path)
    with translate_errors(path):
        connection = sqlite3.connect(
            path if exists or create else _IN_MEMORY, timeout=BUSY_SECONDS, isolation_level=None
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _holds_something(path: Path) -> bool:
    """Whether there is a store; SQLite itself would overwrite a file of a single byte.

    The file isn't opened to see that: closing it would let go of the locks that other connections
    of this process have on it, and another program could then take away the log they write to.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigurationError(
            f"the store {path} can't be opened: {error.strerror}",
            "check the path given by --db or NOTIFYCLI_DB",
        ) from error
    if 0 < size < _SMALLEST:
        raise ConfigurationError(
            f"{path} is no notifycli store", "name another file with --db or NOTIFYCLI_DB"
        )
    return size > 0


def _create_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise NotPermittedError(
            f"the store {path} can't be created: {error.strerror}",
            "name another place with --db or NOTIFYCLI_DB",
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    version = _checked_version(connection, path)
    if version < VERSION:
        _write_ahead(connection)
        with transaction(connection):
            # Another process may have migrated while this one waited for its turn.
            if _checked_version(connection, path) < VERSION:
                _migrate(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite itself doesn't wait for another that does so."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _checked_version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        if version or connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            raise ConfigurationError(
                f"{path} is a database of another program",
                "name another file with --db or NOTIFYCLI_DB",
            )
    elif version > VERSION:
        raise ConfigurationError(
            f"the store {path} was written by a newer notifycli (version {version} of the store, "
            f"this one knows {VERSION})",
            "upgrade notifycli, or name another store with --db",
        )
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database  # noqa: PLC0415 - 70 ms that an up-to-date store can spare

    from notifycli.store.sqlite.schema import migrations  # noqa: PLC0415 - imports sqlite_utils too

    migrations.apply(Database(connection))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all or nothing. Takes the write lock at once, so that what is read stays true."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
