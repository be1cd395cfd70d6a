"""The PostgreSQL database: connecting, transactions, and what its errors mean.

All that is ours lies in a schema of its own, so that it may share a database with another program.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from notifycli.errors import (
    ConfigurationError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
)
from notifycli.store.store import Inspection, damage_error

if TYPE_CHECKING:
    from pathlib import Path

    from notifycli.store.store import Cursor, Location, Parameters

T = TypeVar("T")
Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

WRITING = 0x6E746679
"""The advisory lock of whoever changes anything but the outbox: "ntfy"."""
PATIENCE_SECONDS = 5.0
"""How long to wait for a server that can't be reached, and for another process that is writing."""
_AGAIN_SECONDS = 0.1
_LOOPBACK = ("localhost", "127.", "::1", "/", "@")
_SYSTEMS_ROOTS = 160000
"""The version of libpq that can trust what the system trusts."""
_MARK = re.compile(r"'[^']*'|\?|(?<!:):(\w+)|%")
_BUSY = {"40001", "40P01", "53300", "55P03"}
"""Serialization, deadlock, too many connections, lock timeout."""
_FULL = {"53100", "53200"}
_REFUSED = {"25006", "42501"}
"""A transaction that only reads, and a privilege that is lacking."""
# Each change of a directory or of preferences has a number, and settings are few.
_DECIDED_BY = """
SELECT hashtextextended(concat((SELECT max(id) FROM change), (
  SELECT string_agg(concat(key, '=', value), ',' ORDER BY key) FROM setting)), 0)
"""
_SETTINGS = """
SELECT set_config('search_path', 'notifycli, public', false), set_config('lock_timeout', %s, false)
"""
_NUMBERED = """
SELECT table_name FROM information_schema.columns
 WHERE table_schema = 'notifycli' AND is_identity = 'YES'
"""


class PostgreSQL:
    """An open database, as `Database` has it; one that was lost is opened anew where it can be."""

    upgrade = None
    """Its server keeps the copies."""
    passing_over = "FOR UPDATE OF n SKIP LOCKED"

    def __init__(self, location: Location, *, create: bool) -> None:
        self._location = location
        self._create = create
        self._changing = False
        self._connection = self._patiently(self._connect)

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        """Run a statement; outside of a transaction, on a new connection if the old one is lost."""
        found: Cursor = self._kept(
            lambda: self._connection.execute(_spelt(sql), _plain(parameters))
        )
        return found

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> None:
        """Run a statement for each of several parameters."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_spelt(sql), map(_plain, parameters))

    def errors(self) -> AbstractContextManager[None]:
        """Raise the product's errors in place of PostgreSQL's."""
        return translate_errors(self._location.name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing, while nobody else changes anything but the outbox."""
        with self.errors(), self._begun():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITING,))
            yield

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Take everything back at the end."""
        with self.errors(), self._begun(take_back=True):
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITING,))
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read what is there at one moment; what is staged is this connection's own."""
        with self.errors(), self._begun(take_back=True):
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield

    @contextmanager
    def brief(self) -> Iterator[None]:
        """Do all or nothing beside others who write."""
        with self.errors(), self._begun():
            yield

    def stage(self) -> None:
        """Make the table `staged` anew."""
        self.execute(
            'CREATE TEMP TABLE IF NOT EXISTS staged (account_id bigint, layer text COLLATE "C",'
            ' user_id bigint, inbox_id bigint, key text COLLATE "C", value text COLLATE "C",'
            " place bigint, PRIMARY KEY (user_id, inbox_id, key, layer, account_id))"
        )
        self.execute("TRUNCATE staged")

    def version(self) -> int:
        """Return a number that differs once somebody has changed what is decided by."""
        with self.errors():
            return int(self.execute(_DECIDED_BY).fetchone()[0])

    def damage(self) -> str:
        """Return an empty string: it is the server that finds damage, and stops at it."""
        return ""

    def inspect(self) -> Inspection:
        """Look the database over."""
        from notifycli.store.postgres.schema import VERSION  # noqa: PLC0415 - imports its SQL

        with self.errors():
            server, size, encrypted = self.execute(
                "SELECT current_setting('server_version'), (SELECT coalesce(sum("
                "pg_total_relation_size(c.oid)), 0) / 1024 FROM pg_class c WHERE c.relkind = 'r'"
                " AND c.relnamespace = 'notifycli'::regnamespace),"
                " (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
            ).fetchone()
        found = (
            f"{self._location.name}, version {VERSION}, {int(size)} KiB, PostgreSQL {server}, "
            + ("encrypted" if encrypted else "not encrypted")
        )
        return Inspection(found, meaning="it answers; who may read it is for the server to say")

    def copy_to(self, _file: Path) -> bool:
        """Return False: rows are to be read one by one."""
        return False

    def count_on(self) -> None:
        """Have new rows be numbered on from those that are there."""
        for (table,) in self.execute(_NUMBERED).fetchall():
            self.execute(
                f"SELECT setval(pg_get_serial_sequence('notifycli.{table}', 'id'),"
                f" max(id)) FROM {table}"
            )

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _kept(self, run: Callable[[], T]) -> T:
        """Run something; on a new connection if the old one is lost and no transaction with it."""
        try:
            return run()
        except psycopg.OperationalError:
            if self._changing or not self._connection.closed:
                raise
            self._connection = self._patiently(self._connect)
            return run()

    @contextmanager
    def _begun(self, *, take_back: bool = False) -> Iterator[None]:
        """Open a transaction, once it is sure that there is a connection."""
        self._kept(lambda: self._connection.execute("SELECT"))
        self._changing = True
        try:
            with self._connection.transaction(force_rollback=take_back):
                yield
        finally:
            self._changing = False

    def _patiently(self, connect: Callable[[], T]) -> T:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return connect()
            except psycopg.OperationalError as error:
                wrong = _wrong_key(error, self._location.name)
                if wrong is not None:
                    raise wrong from error
                if time.monotonic() > until:
                    raise _unreachable(error, self._location.name) from error
            time.sleep(_AGAIN_SECONDS)

    def _connect(self) -> Connection:
        from notifycli.store.postgres.schema import migrate  # noqa: PLC0415 - imports its SQL

        _verify_by_default(self._location.url)
        connection = psycopg.connect(
            self._location.url,
            autocommit=True,
            application_name="notifycli",
            connect_timeout=int(PATIENCE_SECONDS),
            cursor_factory=psycopg.ClientCursor,
        )
        try:
            with translate_errors(self._location.name):
                # No option of the connection: those of the URL and of PGOPTIONS hold too.
                connection.execute(_SETTINGS, (f"{int(PATIENCE_SECONDS)}s",))
                self.is_made = migrate(connection, self._location.name, create=self._create)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def translate_errors(name: str) -> Iterator[None]:
    """Turn PostgreSQL's errors into the product's own, by SQLSTATE: their texts are translated."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error, name) from error
    except msgspec.DecodeError as error:
        raise damage_error(name) from error


def _translate(error: psycopg.Error, name: str) -> NotifycliError:
    state = error.sqlstate or ""
    said = _first_line(error)
    if state in _BUSY:
        return TryAgainError(f"the store {name} is in use by another process", "try again shortly")
    if state in _FULL:
        return TryAgainError(f"the server of {name} has no room: {said}", "free some, try again")
    if state in _REFUSED:
        return NotPermittedError(
            f"the store {name} can't be written: {said}", f"ask who runs the server for it: {state}"
        )
    if isinstance(error, psycopg.OperationalError) or state.startswith("08"):
        return TryAgainError(
            f"the connection to {name} was lost: nothing of this change was stored",
            "try again shortly",
        )
    return ConfigurationError(f"the store {name} failed: {said}", "then: notifycli doctor")


def _wrong_key(error: psycopg.OperationalError, name: str) -> NotifycliError | None:
    """Return the error of a password that is missing or refused: waiting doesn't mend it."""
    pgconn = error.pgconn
    if pgconn is None:
        return None
    if pgconn.needs_password:
        return NotPermittedError(
            f"the server of {name} asks for a password, and none is given",
            "put it into a password file (~/.pgpass or PGPASSFILE), or into a service file",
        )
    if pgconn.used_password:
        return NotPermittedError(
            f"the server of {name} refuses: {_first_line(error)}",
            "check the password file (~/.pgpass or PGPASSFILE) and the user's name",
        )
    return None


def _unreachable(error: psycopg.OperationalError, name: str) -> TryAgainError:
    return TryAgainError(
        f"the store {name} can't be reached: {_first_line(error)}",
        "check the address given by --db or NOTIFYCLI_DB, and that the server runs",
    )


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]


def _verify_by_default(url: str) -> None:
    """Have the server's certificate verified, unless it is on this machine or the user says else.

    libpq's own default takes any certificate, or none. The environment is what a URL and a service
    file both outrank.
    """
    host = str(conninfo_to_dict(url).get("host") or os.environ.get("PGHOST") or "")
    if host and all(part.startswith(_LOOPBACK) for part in host.split(",")):
        return
    os.environ.setdefault("PGSSLMODE", "verify-full")
    usual = os.path.expanduser("~/.postgresql/root.crt")
    if psycopg.pq.version() >= _SYSTEMS_ROOTS and not os.path.exists(usual):  # noqa: PTH110
        os.environ.setdefault("PGSSLROOTCERT", "system")


@cache
def _spelt(sql: str) -> Any:
    """Return a statement with its parameters marked as psycopg has them."""

    def mark(found: re.Match[str]) -> str:
        if found[0] == "?":
            return "%s"
        if found[1]:
            return f"%({found[1]})s"
        return found[0].replace("%", "%%")

    return _MARK.sub(mark, sql)


def _plain(parameters: Parameters) -> Any:
    """Return parameters that a text column takes: it can't hold NUL."""
    if isinstance(parameters, Mapping):
        return {name: _without_nul(value) for name, value in parameters.items()}
    return [_without_nul(value) for value in parameters]


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
