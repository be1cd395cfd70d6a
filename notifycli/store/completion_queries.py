"""A glance at a store, for completion: quick, read-only, and silent about what is wrong with it.

What is asked for is what begins with a few letters, so every answer is an index range and is cut
off at `LIMIT`: a store of 100,000 users answers as quickly as one of ten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from notifycli.rules.preferences import short_key
from notifycli.store.settings import address_key
from notifycli.store.sqlite.connection import glance
from notifycli.store.store import Location

if TYPE_CHECKING:
    from notifycli.store.store import Reader

LIMIT = 100
_MINUTES = len("2026-03-03T13:05")
_LAST = 10
"""How many changes a person looks at to find the one they mean."""
_BEYOND = "\U0010ffff"


class Completion(NamedTuple):
    """What a word may become, and what helps to recognize it."""

    word: str
    help: str


class Glance:
    """An open store, looked at in some of its accounts: in `account`, or in all of them."""

    def __init__(self, database: Reader, account: int | None) -> None:
        self._database = database
        self._account = account

    def accounts(self) -> list[Completion]:
        """Return the accounts with their names, by id."""
        return self._find("SELECT id, name FROM account ORDER BY id LIMIT ?", LIMIT)

    def inboxes(self) -> list[Completion]:
        """Return the inboxes with their names, by id."""
        return self._find(
            f"SELECT DISTINCT id, name FROM inbox WHERE {_HERE} ORDER BY id LIMIT ?",
            *(self._account, LIMIT),
        )

    def teams(self) -> list[Completion]:
        """Return the teams with their names, by id."""
        return self._find(
            f"SELECT DISTINCT id, name FROM team WHERE {_HERE} ORDER BY id LIMIT ?",
            *(self._account, LIMIT),
        )

    def tokens(self) -> list[Completion]:
        """Return the names of users' tokens."""
        return self._find(
            f"SELECT DISTINCT name, '' FROM token WHERE {_HERE} ORDER BY name LIMIT ?",
            *(self._account, LIMIT),
        )

    def subscriptions(self) -> list[Completion]:
        """Return the push subscriptions with their browsers' names, by id."""
        return self._find(
            f"SELECT id, label FROM push_subscription WHERE {_HERE} ORDER BY id LIMIT ?",
            *(self._account, LIMIT),
        )

    def channels(self) -> list[Completion]:
        """Return the names of the added channels on which somebody has an address."""
        return self._find(
            "SELECT DISTINCT substr(key, length(rtrim(key, replace(key, '/', ''))) + 1), ''"
            " FROM setting_secret WHERE key LIKE ? ORDER BY 1 LIMIT ?",
            *(address_key(self._account or "%", "%", "%"), LIMIT),
        )

    def presets(self) -> list[Completion]:
        """Return the names of saved presets; those that come with the program are not stored."""
        return self._find("SELECT DISTINCT name, '' FROM preset ORDER BY name LIMIT ?", LIMIT)

    def tones(self) -> list[Completion]:
        """Return the names of tones of one's own."""
        return self._find("SELECT name, '' FROM tone ORDER BY name LIMIT ?", LIMIT)

    def changes(self) -> list[Completion]:
        """Return the last changes of preferences, the newest first, by number."""
        found = self._database.execute(
            "SELECT id, at, who, command FROM change c"
            f" WHERE {_HERE} AND EXISTS"
            " (SELECT 1 FROM preference_change v WHERE v.change_id = c.id)"
            " ORDER BY id DESC LIMIT ?",
            (self._account, _LAST),
        )
        return [
            Completion(
                str(id_),
                f"{at[:_MINUTES].replace('T', ' ')} {who}: {command}, {self._difference(id_)}",
            )
            for id_, at, who, command in found
        ]

    def _difference(self, change: int) -> str:
        """Tell the first preference that a change has changed, and whether there are more."""
        (key, old, new), *more = self._database.execute(
            "SELECT key, coalesce(old, '-'), coalesce(new, '-') FROM preference_change"
            " WHERE change_id = ? ORDER BY id LIMIT 2",
            (change,),
        )
        return f"{short_key(key)}: {old} \N{RIGHTWARDS ARROW} {new}{', …' if more else ''}"

    def users(self, start: str) -> list[Completion]:
        """Return the users whose address begins with `start`, and the ids of those without one.

        Of more than `LIMIT` of either kind the last one is among them, so that what all the words
        given have in common is what all users meant have in common.
        """
        return [*self._addresses(start), *self._ids(start)]

    def _addresses(self, start: str) -> list[Completion]:
        chosen = f'FROM "user" WHERE {_HERE} AND email >= ? AND email < ? ORDER BY email'
        return self._ends(f"SELECT email, name {chosen}", start, start + _BEYOND)

    def _ids(self, start: str) -> list[Completion]:
        if start.strip("0123456789"):
            return []
        number = "CAST(id AS TEXT)"
        chosen = f'FROM "user" WHERE {_HERE} AND email IS NULL AND {number} LIKE ? ORDER BY 1'
        return self._ends(f"SELECT {number}, name {chosen}", f"{start}%")

    def _ends(self, sql: str, *parameters: str) -> list[Completion]:
        """Return the first rows in the order of `sql`, and the last if there are more."""
        first = self._find(f"{sql} LIMIT ?", self._account, *parameters, LIMIT)
        if len(first) < LIMIT:
            return first
        last = self._find(f"{sql} DESC LIMIT 1", self._account, *parameters)
        return first if last == first[-1:] else [*first, *last]

    def _find(self, sql: str, *parameters: object) -> list[Completion]:
        rows = self._database.execute(sql, parameters)
        return [Completion(str(word), str(help_)) for word, help_ in rows]


_HERE = "account_id IN (SELECT id FROM account WHERE id = coalesce(?, id))"


def look(
    location: Location, account: int | None, ask: Callable[[Glance], list[Completion]]
) -> list[Completion]:
    """Ask a store, in one account or in all (`None`), without touching it.

    One that is missing, damaged, locked, foreign or of another version has nothing to say.
    """
    if location.file is None:
        return []  # A server may take longer than a TAB may.
    return glance(location.file, lambda database: ask(Glance(database, account))) or []
