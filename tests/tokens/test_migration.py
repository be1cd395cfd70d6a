"""A store of version 1 becomes one of version 2, with all that was in it."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlite_utils import Database

from notifycli.errors import TryAgainError
from notifycli.secrets.token_service import TokenWish
from notifycli.store.sqlite import connection as sqlite
from notifycli.store.sqlite.connection import APPLICATION_ID, VERSION
from notifycli.store.sqlite.schema import migrations
from notifycli.store.store import open_store

from .harness import HERS, JANE, MemoryKeychain, life_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Notifycli


def version_1(path: Path) -> None:
    connection = sqlite3.connect(path)
    migrations.apply(Database(connection), stop_before="m002_add_tokens")
    connection.execute("INSERT INTO account (id, name) VALUES (1, 'Acme')")
    connection.execute("INSERT INTO user VALUES (1, 7, 'jane@example.com', 'Jane', 'agent')")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_an_old_store_keeps_its_users_and_takes_tokens(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    version_1(path)
    with open_store(path) as store:
        assert (store.users(1), store.tokens.all()) == ([JANE], [])
        token = life_of(store, MemoryKeychain()).generate(HERS, TokenWish())
        assert store.tokens.all() == [token]
    with sqlite3.connect(path) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    assert version == (VERSION,)


def test_an_old_store_and_a_new_one_have_the_same_schema(tmp_path: Path) -> None:
    version_1(tmp_path / "old.db")
    schemas = []
    for name in ("old.db", "new.db"):
        open_store(tmp_path / name).__exit__()
        with sqlite3.connect(tmp_path / name) as connection:
            sql = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
            schemas.append(connection.execute(sql).fetchall())
        connection.close()
    assert schemas[0] == schemas[1]


def test_the_version_is_the_number_of_migrations() -> None:
    database = Database(memory=True)
    assert len(migrations.pending(database)) == VERSION
    database.close()


def test_a_store_is_copied_before_it_is_migrated_and_the_command_says_where(
    notifycli: Notifycli,
) -> None:
    path = notifycli.folder / "old.db"
    version_1(path)
    before = contents(path)
    first = notifycli.ok("user", "list", "--db", "old.db")
    copy = notifycli.folder / "old.db.version-1"
    assert first.stderr == (
        f"the store is now of version {VERSION}; as it was, of version 1, it is kept in "
        "old.db.version-1: remove that once all is well\n"
    )
    assert contents(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert notifycli.ok("user", "list", "--db", "old.db").stderr == ""
    assert [one["email"] for one in first.records] == ["jane@example.com"]


def test_a_copy_is_never_written_over(tmp_path: Path) -> None:
    kept = tmp_path / "old.db.version-1"
    kept.write_bytes(b"of last week")
    version_1(tmp_path / "old.db")
    open_store(tmp_path / "old.db").__exit__()
    assert kept.read_bytes() == b"of last week"
    assert (1,) in contents(tmp_path / "old.db.version-1.2")["version"]


def test_a_store_that_can_not_be_copied_is_not_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_connection: sqlite3.Connection, file: Path) -> None:
        file.write_bytes(b"half of it")
        raise sqlite3.OperationalError("database or disk is full")

    version_1(tmp_path / "old.db")
    before = contents(tmp_path / "old.db")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_copy", full)
        with pytest.raises(TryAgainError, match="disk is full"):
            open_store(tmp_path / "old.db")
    assert [path.name for path in tmp_path.glob("old.db.v*")] == []
    assert contents(tmp_path / "old.db") == before


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what a store holds, and its version."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}
        return {**rows, "version": connection.execute("PRAGMA user_version").fetchall()}
