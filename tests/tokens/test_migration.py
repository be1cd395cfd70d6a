"""A store of version 1 becomes one of version 2, with all that was in it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlite_utils import Database

from notifycli.secrets.token_service import Wish
from notifycli.store.sqlite.connection import APPLICATION_ID, VERSION
from notifycli.store.sqlite.schema import migrations
from notifycli.store.store import open_store

from .harness import HERS, JANE, MemoryKeychain, life_of

if TYPE_CHECKING:
    from pathlib import Path


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
        token = life_of(store, MemoryKeychain()).generate(HERS, Wish())
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
