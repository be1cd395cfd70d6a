"""The PostgreSQL database: connecting, transactions, and what its errors mean.

All that is ours lies in a schema of its own, so that it may share a database with another program.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import psycopg2
from psycopg2 import BINARY
from psycopg2.extensions import connection, make_dsn, new_type, parse_dsn, register_type

from notifycli.errors import (
    ConfigurationError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UsageError,
)
from notifycli.store.store import Inspection, damage_error

if TYPE_CHECKING:
    from pathlib import Path

    from notifycli.store.received_events import Received
    from notifycli.store.store import Cursor, Location, Parameters

T = TypeVar("T")

WRITING = 0x6E746679
"""The advisory lock of whoever changes anything but the outbox: "ntfy"."""
PATIENCE_SECONDS = 5.0
"""How long to wait for a server that can't be reached, and for another process that is writing."""
_AGAIN_SECONDS = 0.1
_LOOPBACK = ("localhost", "127.", "::1", "/", "@")
_LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)
_AT_ONCE = 500
"""How many statements go to the server in one."""
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
_BEFORE = "notifycli_before"
_BEGIN_WRITING = f"BEGIN; SELECT pg_advisory_xact_lock({WRITING})"
_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_CLOCK_HOLDS = 30_000_000
"""How long the difference of the clocks is believed, in microseconds."""
_CLOCK_STEPS = 100_000
"""By how much this host's clock may be put right, or stand still, before it is asked again."""


class PostgreSQL:
    """An open database, as `Database` has it; one that was lost is opened anew where it can be."""

    upgrade = None
    """Its server keeps the copies."""
    passing_over = "FOR UPDATE OF n SKIP LOCKED"

    def __init__(self, location: Location, *, create: bool) -> None:
        self._location = location
        self._create = create
        self._changing = False
        self._asked_at = -_CLOCK_HOLDS, -_CLOCK_HOLDS
        self._ahead = 0
        self._password: str | None = None
        self.is_made = False
        self._connection = self._patiently(self._connect)

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        """Run a statement; outside of a transaction, on a new connection if the old one is lost."""
        return self._kept(lambda: self._execute(sql, parameters))

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> None:
        """Run a statement for each of several parameters."""
        spelt, rows = _spelt(sql), map(_plain, parameters)
        with self._connection.cursor() as cursor:
            while batch := list(islice(rows, _AT_ONCE)):
                self._run(cursor, b";".join(cursor.mogrify(spelt, row) for row in batch))

    def errors(self) -> AbstractContextManager[None]:
        """Raise the product's errors in place of PostgreSQL's."""
        return translate_errors(self._location.name)

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing, while nobody else changes anything but the outbox."""
        return self._begun(_BEGIN_WRITING)

    def rehearsal(self) -> AbstractContextManager[None]:
        """Take everything back at the end."""
        return self._begun(_BEGIN_WRITING, end="ROLLBACK")

    def snapshot(self) -> AbstractContextManager[None]:
        """Read what is there at one moment; what is staged is this connection's own."""
        return self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ", end="ROLLBACK")

    def brief(self) -> AbstractContextManager[None]:
        """Do all or nothing beside others who write."""
        return self._begun("BEGIN")

    def now(self) -> int:
        """Return the server's time, which is one for all hosts; asked now and then."""
        wall, steady = _host_clocks()
        since = steady - self._asked_at[1]
        if since > _CLOCK_HOLDS or abs(wall - self._asked_at[0] - since) > _CLOCK_STEPS:
            # Else it is what it was, until the next statement tells what is wrong.
            with suppress(psycopg2.Error):
                (there,) = self._execute(_CLOCK).fetchone()
                self._asked_at = wall, steady
                self._ahead = int(there) - wall
        return wall + self._ahead

    def received(self) -> Received:
        """Return the log of what several hosts receive."""
        from notifycli.store.postgres.received import PostgreSQLReceived  # noqa: PLC0415

        return PostgreSQLReceived(self)

    def stage(self) -> None:
        """Make the table `staged` anew."""
        self.execute(
            'CREATE TEMP TABLE IF NOT EXISTS staged (account_id bigint, layer text COLLATE "C",'
            ' user_id bigint, scope bigint, key text COLLATE "C", value text COLLATE "C",'
            " place bigint, PRIMARY KEY (user_id, scope, key, layer, account_id))"
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
        # It imports its SQL.
        from notifycli.store.postgres.schema import VERSION, find_trouble  # noqa: PLC0415

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
        with self.errors():
            trouble, remedy = find_trouble(self)
        if trouble:
            return Inspection(found, trouble, remedy)
        return Inspection(found, meaning="it answers; who may read it is for the server to say")

    def copy_to(self, _file: Path) -> bool:
        """Return False: rows are to be read one by one."""
        return False

    def count_on(self) -> None:
        """Have new rows be numbered on from those that are there."""
        from notifycli.store.postgres.schema import NUMBERED  # noqa: PLC0415 - a copy's alone

        for (table,) in self.execute(NUMBERED).fetchall():
            self.execute(
                f"SELECT setval(pg_get_serial_sequence('notifycli.{table}', 'id'),"
                f" max(id)) FROM {table}"
            )

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        cursor: Any = self._connection.cursor()
        if parameters:
            self._run(cursor, _spelt(sql), _plain(parameters))
        else:
            self._run(cursor, sql)
        found: Cursor = cursor
        return found

    def _run(self, cursor: Any, sql: str | bytes, parameters: Any = None) -> None:
        try:
            cursor.execute(sql, parameters)
        except psycopg2.DatabaseError as error:
            # This alone is all that psycopg2 says of a server that died while nothing was asked.
            if type(error) is not psycopg2.DatabaseError:
                raise
            self._connection.close()
            raise psycopg2.OperationalError(*error.args) from error

    def _kept(self, run: Callable[[], T]) -> T:
        """Run something; on a new connection if the old one is lost and no transaction with it."""
        try:
            return run()
        except _LOST:
            if self._changing or not self._connection.closed:
                raise
            self._connection = self._patiently(self._connect)
            return run()

    @contextmanager
    def _begun(self, begin: str, end: str = "COMMIT") -> Iterator[None]:
        """Begin a transaction, on a new connection if the old one is lost, and end it."""
        with self.errors():
            try:
                self._kept(lambda: self._execute(begin))
                self._changing = True
                yield
            except BaseException:
                with suppress(*_LOST):
                    self._execute("ROLLBACK")
                raise
            finally:
                self._changing = False
            self._end(end)

    def _end(self, end: str) -> None:
        try:
            self._execute(end)
        except _LOST as error:
            if not self._connection.closed:
                raise
            raise TryAgainError(
                f"the connection to {self._location.name} was lost while this change was stored: "
                "nobody knows whether it was",
                "look before you type it again",
            ) from error

    def _patiently(self, connect: Callable[[], T]) -> T:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return connect()
            except _LOST as error:
                if time.monotonic() > until:
                    raise _unreachable(error, self._location.name) from error
            time.sleep(_AGAIN_SECONDS)

    def _connect(self) -> connection:
        from notifycli.store.postgres.schema import prepare  # noqa: PLC0415 - imports its SQL

        made = self._let_in()
        made.autocommit = True
        try:
            with self.errors(), made.cursor() as cursor:
                self.is_made = prepare(
                    cursor, self._location.name, int(PATIENCE_SECONDS), create=self._create
                )
        except BaseException:
            made.close()
            raise
        return made

    def _let_in(self) -> connection:
        """Connect, with a password that is asked for where the server wants one."""
        _verify_by_default(self._location.url)
        while True:
            # Made in two steps: what was refused still says whether it was for a password.
            made = connection.__new__(connection)
            try:
                made.__init__(self._dsn())  # type: ignore[misc]
            except psycopg2.OperationalError as error:
                if made.info.needs_password and self._password is None:
                    self._password = self._location.password()
                    if self._password is not None:
                        continue
                if made.info.used_password:
                    raise _wrong_key(error, made, self._location.name) from error
                raise
            return made

    def _dsn(self) -> str:
        options: dict[str, Any] = {
            "application_name": "notifycli",
            "client_encoding": "UTF8",
            "connect_timeout": int(PATIENCE_SECONDS),
        }
        if self._password is not None:
            options["password"] = self._password
        return make_dsn(self._location.url, **options)


def _host_clocks() -> tuple[int, int]:
    return time.time_ns() // 1000, time.monotonic_ns() // 1000


@contextmanager
def translate_errors(name: str) -> Iterator[None]:
    """Turn PostgreSQL's errors into the product's own, by SQLSTATE: their texts are translated."""
    try:
        yield
    except psycopg2.Error as error:
        raise _translate(error, name) from error
    except msgspec.DecodeError as error:
        raise damage_error(name) from error


def _translate(error: psycopg2.Error, name: str) -> NotifycliError:
    state = error.pgcode or ""
    said = _first_line(error)
    if state in _BUSY:
        return TryAgainError(f"the store {name} is in use by another process", "try again shortly")
    if state in _FULL:
        return TryAgainError(f"the server of {name} has no room: {said}", "free some, try again")
    if state in _REFUSED:
        return NotPermittedError(
            f"the store {name} can't be written: {said}", f"ask who runs the server for it: {state}"
        )
    if isinstance(error, _LOST) or state.startswith("08"):
        return TryAgainError(
            f"the connection to {name} was lost: nothing of this change was stored",
            "try again shortly",
        )
    return ConfigurationError(f"the store {name} failed: {said}", "then: notifycli doctor")


def _wrong_key(
    error: psycopg2.OperationalError, refused: connection, name: str
) -> NotPermittedError:
    """Return the error of a password that is missing or refused: waiting doesn't mend it."""
    if refused.info.needs_password:
        return NotPermittedError(
            f"the server of {name} asks for a password, and none is given",
            "notifycli store login keeps it in the keyring; or put it into a password file "
            "(~/.pgpass or PGPASSFILE), or into a service file",
        )
    return NotPermittedError(
        f"the server of {name} refuses: {_first_line(error)}",
        "check the user's name, and where the password comes from: PGPASSWORD, a password file "
        "(~/.pgpass or PGPASSFILE), or the keyring (notifycli store login)",
    )


def _unreachable(error: psycopg2.Error, name: str) -> TryAgainError:
    said = _first_line(error)
    if "certificate" in said or "SSL" in said:
        return TryAgainError(
            f"the store {name} isn't used, for who its server is isn't sure: {said}",
            "name whom you trust: PGSSLROOTCERT=ca.pem; to verify less, add to the address: "
            "?sslmode=verify-ca, require or disable",
        )
    return TryAgainError(
        f"the store {name} can't be reached: {said}",
        "check the address given by --db or NOTIFYCLI_DB, and that the server runs",
    )


def _first_line(error: psycopg2.Error) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]


def _verify_by_default(url: str) -> None:
    """Have the server's certificate verified, unless it is on this machine or the user says else.

    libpq's own default takes any certificate, or none. The environment is what a URL and a service
    file both outrank.
    """
    said = parse_dsn(url)
    host = str(said.get("host") or os.environ.get("PGHOST") or "")
    if host and all(part.startswith(_LOOPBACK) for part in host.split(",")):
        return
    if "sslmode" in said or "PGSSLMODE" in os.environ:
        return
    os.environ["PGSSLMODE"] = "verify-full"
    usual = os.path.expanduser("~/.postgresql/root.crt")
    if not os.path.exists(usual):  # noqa: PTH110 - pathlib's raises where it may not look
        import ssl  # noqa: PLC0415 - for another machine's server alone

        # Not "system": the driver's own OpenSSL looks where it was built.
        trusted = ssl.get_default_verify_paths().cafile or "system"
        os.environ.setdefault("PGSSLROOTCERT", trusted)


def _as_bytes(cell: Any, cursor: Any) -> bytes | None:
    return None if cell is None else bytes(BINARY(cell, cursor))


# Everywhere, for it is `bytes` that PEP 249's other drivers give.
register_type(new_type(BINARY.values, "BYTES", _as_bytes))


@cache
def _spelt(sql: str) -> str:
    """Return a statement with its parameters marked as psycopg2 has them."""

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
