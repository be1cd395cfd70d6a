"""How long `prefs import` takes for many users, beside bare `sqlite3.executemany` of the rows.

Both write the same rows into a table of the same schema, in one transaction, on the same disk; the
import reads them as CSV, checks each, and leaves the history that lets `prefs undo` take it back.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.frame import NOTIFYCLI, Done, Race, Way, process
from notifycli.rules.directory import User
from notifycli.rules.preferences import KEYS
from notifycli.store.store import open_store

_ACCOUNT = 1
KEYS_EACH = 20


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race two million rows."""
    users = 100 if small else 100_000
    document, fresh, used = folder / "preferences.csv", folder / "fresh.db", folder / "used.db"
    write_csv(document, users)
    _make_store(fresh, users)
    copied = partial(_copy, fresh, used)
    yield Race(
        "prefs import",
        [
            Way("prefs import", partial(_import, used, document), copied),
            Way("executemany", partial(_execute_many, used, users), copied, most=2.5),
        ],
        amount=users * KEYS_EACH,
        unit="rows",
        rounds=3,
    )


def _rows(users: int) -> Iterator[tuple[int, int, int, str, str]]:
    """Give account, user, inbox, key and value, in the order of the table."""
    names = sorted(KEYS)[:KEYS_EACH]
    for user in range(1, users + 1):
        for name in names:
            values = KEYS[name].values
            yield _ACCOUNT, user, 0, name, values[user % len(values)]


def write_csv(path: Path, users: int) -> None:
    """Write a document of what is set for each user."""
    with path.open("w", encoding="utf-8") as file:
        file.write("account,layer,user,inbox,key,value\n")
        file.writelines(
            f"{account},user,agent{user}@example.com,,{key},{value}\n"
            for account, user, _, key, value in _rows(users)
        )


def _make_store(path: Path, users: int) -> None:
    with open_store(path) as store, store.change(_ACCOUNT, "benchmark", "benchmark") as change:
        change.put_users(User(i, f"agent{i}@example.com") for i in range(1, users + 1))


def _copy(fresh: Path, used: Path) -> None:
    shutil.copyfile(fresh, used)


def _execute_many(path: Path, users: int) -> Done:
    """Write the rows with nothing but `executemany`."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO user_preference VALUES (?, ?, ?, ?, ?)", _rows(users))
        connection.execute("COMMIT")
    return Done(_stored(path))


def _import(path: Path, document: Path) -> Done:
    done = process(*NOTIFYCLI, "--db", path, "prefs", "import", document)
    return Done(_stored(path), done.figures)


def _stored(path: Path) -> list[tuple[object, ...]]:
    """Give what the table has: how many rows and, of what tells them apart, a digest."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT count(*), sum(user_id * length(key || value)) FROM user_preference"
        )
        return found.fetchall()
