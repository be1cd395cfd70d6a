"""The SQLite file itself: opening, migrating, transactions, and what its errors mean."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from notifycli.errors import (
    ConfigurationError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UsageError,
)
from notifycli.store.store import Inspection, Upgrade, damage_error

if TYPE_CHECKING:
    from notifycli.store.received_events import Received

T = TypeVar("T")

VERSION = 18
"""The number of migrations: `PRAGMA user_version` of an up-to-date store."""
APPLICATION_ID = 0x6E746679
"""`PRAGMA application_id` of a store: "ntfy"."""
BUSY_SECONDS = 5.0
"""How long to wait for another process that is writing."""
_GLANCE_SECONDS = 0.2
"""How long completion waits."""
_AGAIN_SECONDS = 0.01
_SMALLEST = 512
"""Bytes: SQLite's smallest page."""
_IN_MEMORY = ":memory:"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_KIB = 1024
_SQLITE = b"SQLite format 3\0"
_MARK_AT = 68
"""Where a database's file has its application id (SQLite's file format, 1.3)."""
_ROOM = 1 << 16
"""Bytes: SQLite makes a file of 32 KiB beside a store that it opens, and a log."""
_DAMAGE = ("not a database", "malformed", "Could not decode", "unsupported file format")
_UNWRITABLE = ("unable to open", "readonly")
_OUR_TABLE = "SELECT 1 FROM sqlite_schema WHERE name = 'user_preference'"


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the product's own, with the file's name and the way out.

    A byte of damage can make a text that is no UTF-8, or a value that is none of ours.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise damage_error(str(path)) from error


_PERMISSIONS = "check the permissions of the file and its folder"
_MEANINGS: tuple[tuple[tuple[str, ...], type[NotifycliError], str, str], ...] = (
    (
        ("locked", "busy"),
        TryAgainError,
        "the store {} is in use by another process",
        "try again shortly",
    ),
    (
        ("readonly",),
        NotPermittedError,
        "the store {} can't be written",
        _PERMISSIONS,
    ),
    (
        ("unable to open",),
        ConfigurationError,
        "the store {} can't be opened",
        "check the path given by --db or NOTIFYCLI_DB",
    ),
)
"""What SQLite's messages mean: the kind of error, what is said of the path, and the way out."""


def _translate(error: sqlite3.Error, path: Path) -> NotifycliError:
    text = str(error)
    if "disk is full" in text or ("disk I/O" in text and _is_full(path)):
        return _full(path)
    if "not a database" in text and not _is_ours(path):
        return _no_store(path)
    if any(sign in text for sign in _DAMAGE):
        return damage_error(str(path))
    # Not by opening the file: see `_holds_something`.
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if os.access(file, os.F_OK) and not os.access(file, os.R_OK):
            return _unreadable(file)
    for signs, kind, message, hint in _MEANINGS:
        if any(sign in text for sign in signs):
            return kind(message.format(path), hint)
    return ConfigurationError(
        f"the store {path} failed: {text}", "check the disk that it is on; then: notifycli doctor"
    )


def _unreadable(path: Path) -> NotPermittedError:
    return NotPermittedError(
        f"the store {path} can't be read: {os.strerror(errno.EACCES)}", _PERMISSIONS
    )


def _no_store(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is no notifycli store", "name another file with --db or NOTIFYCLI_DB"
    )


def _full(path: Path) -> TryAgainError:
    return TryAgainError(
        f"the disk is full: nothing was stored in {path}", "free some space and try again"
    )


def _is_full(path: Path) -> bool:
    """Whether there is no room for the files that SQLite makes beside a store."""
    try:
        return shutil.disk_usage(path.parent).free < _ROOM
    except OSError:
        return False


def _is_ours(path: Path) -> bool:
    """Whether a file that SQLite can't read has the mark of a store: it was one."""
    try:
        with path.open("rb") as file:
            head = file.read(_SMALLEST)
    except OSError:
        return False
    mark = head[_MARK_AT : _MARK_AT + 4]
    return mark == APPLICATION_ID.to_bytes(4) or (len(head) <= _MARK_AT and head[:16] == _SQLITE)


class SQLite:
    """The database in a file, as `Database` has it."""

    passing_over = ""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self._connection = connect(path, create=create)
        self.upgrade = self._connection.upgrade
        self.execute = self._connection.execute
        self.executemany = self._connection.executemany

    def errors(self) -> AbstractContextManager[None]:
        """Raise the product's errors in place of SQLite's."""
        return translate_errors(self._path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing. Takes the write lock at once, so that what is read stays true."""
        with self.errors(), transaction(self._connection):
            yield

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Take everything back at the end."""
        with self._roll_back_after("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read what is there at one moment; what is staged is this connection's own."""
        with self._roll_back_after("BEGIN"):
            yield

    @contextmanager
    def _roll_back_after(self, begin: str) -> Iterator[None]:
        with self.errors():
            self.execute(begin)
            try:
                yield
            finally:
                self.execute("ROLLBACK")

    def stage(self) -> None:
        """Make the table `staged` anew."""
        # The key begins with what tells most rows apart: each finds its place by comparing.
        self.execute(
            "CREATE TEMP TABLE IF NOT EXISTS staged (account_id INTEGER, layer TEXT,"
            " user_id INTEGER, scope INTEGER, key TEXT, value TEXT, place INTEGER,"
            " PRIMARY KEY (user_id, scope, key, layer, account_id)) WITHOUT ROWID"
        )
        self.execute("DELETE FROM staged")

    def brief(self) -> AbstractContextManager[None]:
        """Do all or nothing; writers take turns."""
        return self.transaction()

    def now(self) -> int:
        """Return this machine's time: nobody else writes to the file."""
        return time.time_ns() // 1_000

    def received(self) -> Received:
        """Raise `UsageError`: one host receives into a file, and has a journal for it."""
        raise UsageError(
            "a store in a file is one machine's: it has no log for several hosts",
            "keep the store in PostgreSQL: --db postgresql://HOST/DATABASE; on one machine, listen "
            "and deliver do without --store",
        )

    def version(self) -> int:
        """Return a number that differs once another process has changed the file."""
        with self.errors():
            return int(self.execute("PRAGMA data_version").fetchone()[0])

    def damage(self) -> str:
        """Return the first thing that SQLite finds wrong with the file; an empty string if none."""
        try:
            with self.errors():
                found = str(self.execute("PRAGMA quick_check(1)").fetchone()[0])
        except ConfigurationError as error:
            return str(error.__cause__ or error)
        return "" if found == "ok" else found

    def inspect(self) -> Inspection:
        """Look the file over, and its permissions."""
        status = self._path.stat()
        mode = stat.S_IMODE(status.st_mode)
        size = -(-status.st_size // _KIB)
        found = f"{self._path}, version {VERSION}, {size} KiB, mode {mode:04o}"
        if mode & _OTHERS and sys.platform != "win32":
            trouble = "others on this machine can read it: addresses, preferences, history"
            return Inspection(found, trouble, f"chmod 600 {self._path}")
        if not os.access(self._path, os.W_OK):
            return Inspection(found, "it can be read but not changed")
        if damage := self.damage():
            return Inspection(found, f"it is damaged ({damage})", "notifycli restore FILE")
        return Inspection(found, meaning="it is whole, and yours alone to read")

    def copy_to(self, file: Path) -> bool:
        """Copy the database while others write, as it is at one moment (SQLite's online backup)."""
        with self.errors():
            _copy(self._connection, file)
        return True

    def count_on(self) -> None:
        """Do nothing: SQLite has noted the numbers that it was given."""

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _copy(connection: sqlite3.Connection, file: Path) -> None:
    with closing(sqlite3.connect(file)) as copy:
        connection.backup(copy)
        # One file: nothing that lies beside it needs to be kept too.
        copy.execute("PRAGMA journal_mode = DELETE")


def check_unused(path: Path) -> None:
    """Raise `TryAgainError` while anybody has a store open; one that is damaged is let be.

    What a log beside it holds is in the store afterwards.
    """
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as store,
    ):
        try:
            # Before anything is read: then it takes that nobody else has it open, readers too.
            store.execute("PRAGMA locking_mode = EXCLUSIVE")
            store.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise TryAgainError(
                    f"the store {path} is in use", "stop what uses it: serve, listen, deliver"
                ) from None


def glance(path: Path, ask: Callable[[sqlite3.Connection], T]) -> T | None:
    """Ask the store at `path` without touching the file; `None` if it is no use just now."""
    try:
        if not path.is_file():
            return None
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_GLANCE_SECONDS)) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            ours = (application, version) == (APPLICATION_ID, VERSION)
            return ask(connection) if ours else None
    except (sqlite3.Error, OSError):
        return None


class SQLiteConnection(sqlite3.Connection):
    """A connection to a store, which knows whether it found an earlier version of it."""

    upgrade: Upgrade | None = None


def connect(path: Path, *, create: bool) -> SQLiteConnection:
    """Open the store at `path`, brought up to date; an empty one in memory if it may not be made.

    One of an earlier version is copied before. One that can't be written is opened to be read.

    Raises the errors of `translate_errors`, and `ConfigurationError` for a store of a newer version
    and for a file that belongs to another program. None of them touches the file.
    """
    exists = _holds_something(path)
    if not exists and create:
        _create_private(path)
    with translate_errors(path):
        try:
            return _open(path if exists or create else _IN_MEMORY, path, _prepare)
        except sqlite3.OperationalError as error:
            if not exists or not any(sign in str(error) for sign in _UNWRITABLE):
                raise
            return _connect_to_read(path)


def _open(
    name: Path | str, path: Path, prepare: Callable[[SQLiteConnection, Path], None]
) -> SQLiteConnection:
    uri = isinstance(name, str) and name.startswith("file:")
    connection = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, uri=uri, factory=SQLiteConnection
    )
    try:
        prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(path: Path) -> SQLiteConnection:
    """Open a store in a place that can't be written: SQLite would put files beside it.

    Where nobody can write, nobody does meanwhile; what a log beside it holds is read too, or it
    isn't opened. One of an earlier version is brought up to date in memory.
    """
    address = path.absolute().as_uri()
    try:
        found = _open(f"{address}?mode=ro", path, _look)
    except sqlite3.OperationalError:
        if _size(Path(f"{path}-wal")):
            raise
        found = _open(f"{address}?immutable=1", path, _look)
    if _check_version(found, path) < VERSION:
        with closing(found) as old:

            def migrate_copy(connection: SQLiteConnection, _path: Path) -> None:
                old.backup(connection)
                with transaction(connection):
                    _migrate(connection)

            found = _open(_IN_MEMORY, path, migrate_copy)
    found.execute("PRAGMA query_only = ON")
    return found


def _look(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    _check_version(connection, path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _holds_something(path: Path) -> bool:
    """Whether there is a store; SQLite itself would overwrite a file of a single byte.

    The file isn't opened to see that: closing it would let go of the locks that other connections
    of this process have on it, and another program could then take away the log they write to.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise _unreadable(path) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the store {path} can't be opened: {getattr(error, 'strerror', None) or error}",
            "check the path given by --db or NOTIFYCLI_DB",
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(
            f"the store {path} can't be opened: it is no file",
            "check the path given by --db or NOTIFYCLI_DB",
        )
    size = status.st_size
    if 0 < size < _SMALLEST:
        raise damage_error(str(path)) if _is_ours(path) else _no_store(path)
    return size > 0


def _create_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(path) from error
        raise NotPermittedError(
            f"the store {path} can't be created: {error.strerror}",
            "name another place with --db or NOTIFYCLI_DB",
        ) from error


def _prepare(connection: SQLiteConnection, path: Path) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    version = _check_version(connection, path)
    if version < VERSION:
        _write_ahead(connection)
        with transaction(connection):
            # Another process may have migrated while this one waited for its turn.
            version = _check_version(connection, path)
            if 0 < version < VERSION:
                connection.upgrade = Upgrade(version, VERSION, _keep_copy(path, version))
            if version < VERSION:
                _migrate(connection)


def _keep_copy(path: Path, version: int) -> Path:
    """Copy a store that is about to be migrated, beside it; its transaction keeps writers away."""
    name = f"{path}.version-{version}"
    later = (Path(f"{name}.{number}") for number in count(2))
    copy = next(one for one in chain([Path(name)], later) if not one.exists())
    _create_private(copy)
    try:
        with closing(sqlite3.connect(path)) as store:
            _copy(store, copy)
    except BaseException:
        copy.unlink()
        raise
    return copy


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


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        if version and connection.execute(_OUR_TABLE).fetchone():
            raise damage_error(str(path))
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
