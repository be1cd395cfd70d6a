"""A glance at a store, for completion: quick, read-only, and silent about what is wrong with it.

What is asked for is what begins with a few letters, so every answer is an index range and is cut
off at `LIMIT`: a store of 100,000 users answers as quickly as one of ten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from notifycli.rules.preferences import short_key
from notifycli.store.sqlite.connection import APPLICATION_ID, VERSION

LIMIT = 100
_MINUTES = len("2026-03-03T13:05")
_LAST = 10
"""How many changes a person looks at to find the one they mean."""
_BUSY_SECONDS = 0.2
_BEYOND = "\U0010ffff"


class Found(NamedTuple):
    """What a word may become, and what helps to recognize it."""

    word: str
    help: str


class Glance:
    """An open store, looked at in some of its accounts: in `account`, or in all of them."""

    def __init__(self, connection: sqlite3.Connection, account: int | None) -> None:
        self._connection = connection
        self._account = account

    def accounts(self) -> list[Found]:
        """Give the accounts with their names, by id."""
        return self._found("SELECT id, name FROM account ORDER BY id LIMIT ?", LIMIT)

    def inboxes(self) -> list[Found]:
        """Give the inboxes with their names, by id."""
        return self._found(
            f"SELECT DISTINCT id, name FROM inbox WHERE {_HERE} ORDER BY id LIMIT ?",  # noqa: S608 - constants
            *(self._account, LIMIT),
        )

    def teams(self) -> list[Found]:
        """Give the teams with their names, by id."""
        return self._found(
            f"SELECT DISTINCT id, name FROM team WHERE {_HERE} ORDER BY id LIMIT ?",  # noqa: S608 - constants
            *(self._account, LIMIT),
        )

    def tokens(self) -> list[Found]:
        """Give the names of users' tokens."""
        return self._found(
            f"SELECT DISTINCT name, '' FROM token WHERE {_HERE} ORDER BY name LIMIT ?",  # noqa: S608 - constants
            *(self._account, LIMIT),
        )

    def subscriptions(self) -> list[Found]:
        """Give the push subscriptions with their browsers' names, by id."""
        return self._found(
            f"SELECT id, label FROM push_subscription WHERE {_HERE} ORDER BY id LIMIT ?",  # noqa: S608 - constants
            *(self._account, LIMIT),
        )

    def presets(self) -> list[Found]:
        """Give the names of saved presets; those that come with the program are not stored."""
        return self._found("SELECT DISTINCT name, '' FROM preset ORDER BY name LIMIT ?", LIMIT)

    def changes(self) -> list[Found]:
        """Give the last changes of preferences, the newest first, by number."""
        found = self._connection.execute(
            "SELECT id, at, who, command FROM change c"  # noqa: S608 - constants
            f" WHERE {_HERE} AND EXISTS"
            " (SELECT 1 FROM preference_change v WHERE v.change_id = c.id)"
            " ORDER BY id DESC LIMIT ?",
            (self._account, _LAST),
        )
        return [
            Found(
                str(id_),
                f"{at[:_MINUTES].replace('T', ' ')} {who}: {command}, {self._changed(id_)}",
            )
            for id_, at, who, command in found
        ]

    def _changed(self, change: int) -> str:
        """Tell the first preference that a change has changed, and whether there are more."""
        (key, old, new), *more = self._connection.execute(
            "SELECT key, coalesce(old, '-'), coalesce(new, '-') FROM preference_change"
            " WHERE change_id = ? ORDER BY rowid LIMIT 2",
            (change,),
        )
        return f"{short_key(key)}: {old} \N{RIGHTWARDS ARROW} {new}{', …' if more else ''}"

    def users(self, start: str) -> list[Found]:
        """Give the users whose address begins with `start`, and the ids of those without one.

        Of more than `LIMIT` of either kind the last one is among them, so that what all the words
        given have in common is what all users meant have in common.
        """
        return [*self._addresses(start), *self._ids(start)]

    def _addresses(self, start: str) -> list[Found]:
        chosen = f"FROM user WHERE {_HERE} AND email >= ? AND email < ? ORDER BY email"
        return self._ends(f"SELECT email, name {chosen}", start, start + _BEYOND)

    def _ids(self, start: str) -> list[Found]:
        if start.strip("0123456789"):
            return []
        chosen = f"FROM user WHERE {_HERE} AND email IS NULL AND word GLOB ? ORDER BY word"
        return self._ends(f"SELECT CAST(id AS TEXT) AS word, name {chosen}", f"{start}*")

    def _ends(self, sql: str, *parameters: str) -> list[Found]:
        """Give the first rows in the order of `sql`, and the last if there are more."""
        first = self._found(f"{sql} LIMIT ?", self._account, *parameters, LIMIT)
        if len(first) < LIMIT:
            return first
        last = self._found(f"{sql} DESC LIMIT 1", self._account, *parameters)
        return first if last == first[-1:] else [*first, *last]

    def _found(self, sql: str, *parameters: object) -> list[Found]:
        rows = self._connection.execute(sql, parameters)
        return [Found(str(word), str(help_)) for word, help_ in rows]


_HERE = "account_id IN (SELECT id FROM account WHERE id = coalesce(?, id))"


def look(path: Path, account: int | None, ask: Callable[[Glance], list[Found]]) -> list[Found]:
    """Ask the store at `path`, in one account or in all (`None`), without touching the file.

    A store that is missing, damaged, locked, foreign or of another version has nothing to say.
    """
    try:
        if not path.is_file():
            return []
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            ours = (application, version) == (APPLICATION_ID, VERSION)
            return ask(Glance(connection, account)) if ours else []
    except (sqlite3.Error, OSError):
        return []
