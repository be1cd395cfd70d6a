"""Values that are to be set, beside those that are: the database compares and writes them as sets.

One value or two million go the same way: into a temporary table, against which everything that
is asked of a change (what differs, what is locked) and done by it is one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field

from notifycli.events.timestamps import parse_moment
from notifycli.rules.preferences import TONES, UNTIL, Layer
from notifycli.store.store import EVERYWHERE

if TYPE_CHECKING:
    from notifycli.store.store import Database

NOBODY = 0
"""Stands for "no user" in the layers of an account, as `EVERYWHERE` does for "no inbox"."""
NO_PLACE = 0
_BLOCK = 100
"""Rows a statement: SQLite takes 999 values in one, before version 3.32."""

Row = tuple[int, str, int, int, str, str | None, int]
"""Account, layer, user (or `NOBODY`), scope (or `EVERYWHERE`), key, value, place.

A value of `None` takes the value away. The place is whatever number its source can name it by.
"""
Place = tuple[int, str, int, int, str]
"""Where a value is kept: a row up to its key."""

_OF_CONVERSATIONS, _OF_INBOXES = "scope < 0", "scope > 0"
LAYER_OF_SCOPE = (
    f"CASE WHEN {_OF_CONVERSATIONS} THEN 'conversation' WHEN {_OF_INBOXES} THEN 'inbox'"
    " ELSE 'user' END"
)
"""The layer of a user's value, as SQL."""
_COLUMNS = "account_id, layer, user_id, scope, key, value, place"
_STAGED = f"INSERT INTO staged ({_COLUMNS})"
_LATER = """ ON CONFLICT (user_id, scope, key, layer, account_id)
 DO UPDATE SET value = excluded.value, place = excluded.place"""


LAYERS_OF_USERS = {
    Layer.USER: "scope = 0",
    Layer.INBOX: _OF_INBOXES,
    Layer.CONVERSATION: _OF_CONVERSATIONS,
}
"""How a user's values are told apart by their scope, as SQL."""


def scope_of(inbox: int | None, conversation: int | None) -> int:
    """Return how a column tells where a user's value holds.

    0 is everywhere, a number from 1 on an inbox, and one below 0 a conversation, made negative.
    """
    if conversation is not None:
        return -conversation
    return EVERYWHERE if inbox is None else inbox


def layer_of(scope: int) -> Layer:
    """Return the layer of a user's value."""
    if scope == EVERYWHERE:
        return Layer.USER
    return Layer.INBOX if scope > 0 else Layer.CONVERSATION


def inbox_of(scope: int | None) -> int | None:
    """Return the inbox that a scope is of, if it is of one."""
    return scope if scope is not None and scope > 0 else None


def conversation_of(scope: int | None) -> int | None:
    """Return the conversation that a scope is of, if it is of one."""
    return -scope if scope is not None and scope < 0 else None


def differ(one: str, other: str) -> str:
    """Return the condition that two columns differ, of which each may be NULL.

    SQLite has IS DISTINCT FROM since 3.39, which is younger than what servers run.
    """
    return f"({one} <> {other} OR ({one} IS NULL) <> ({other} IS NULL))"


_OF_USERS = f"""
SELECT s.account_id, s.layer, s.user_id, s.scope, s.key, p.value AS old, s.value AS new, s.place
  FROM staged s LEFT JOIN user_preference p
    ON p.account_id = s.account_id AND p.user_id = s.user_id
   AND p.scope = s.scope AND p.key = s.key
 WHERE s.user_id <> 0 AND {differ("p.value", "s.value")}
"""
_OF_ACCOUNTS = f"""
SELECT s.account_id, s.layer, s.user_id, s.scope, s.key, p.value AS old, s.value AS new, s.place
  FROM staged s LEFT JOIN account_preference p
    ON p.account_id = s.account_id AND p.layer = s.layer AND p.key = s.key
 WHERE s.user_id = 0 AND {differ("p.value", "s.value")}
"""
_DIFFERING = f"({_OF_USERS} UNION ALL {_OF_ACCOUNTS})"
_HISTORY = (
    # In the order of what is staged: two million need not be sorted.
    (f"{_OF_USERS} AND s.scope >= 0", "user_id, scope, key"),
    (f"{_OF_USERS} AND s.{_OF_CONVERSATIONS}", "user_id, scope DESC, key"),
    (_OF_ACCOUNTS, "key, layer"),
)
"""What the history tells of a change, part by part, and in which order."""

_LOCKED = """
SELECT d.layer, u.email, nullif(d.user_id, 0), d.scope, d.key, locks.value, d.place
  FROM {among} d CROSS JOIN account_preference locks
  LEFT JOIN "user" u ON u.account_id = d.account_id AND u.id = d.user_id
 WHERE d.account_id = ? AND d.layer <> 'lock'
   AND locks.account_id = d.account_id AND locks.layer = 'lock' AND locks.key = d.key
   AND NOT EXISTS (
     SELECT 1 FROM staged unlocking
      WHERE unlocking.account_id = d.account_id AND unlocking.layer = 'lock'
        AND unlocking.user_id = 0 AND unlocking.scope = 0
        AND unlocking.key = d.key AND unlocking.value IS NULL)
"""

_TIMED = """
SELECT p.user_id, p.scope, p.key, p.value
  FROM (SELECT DISTINCT user_id FROM staged WHERE account_id = ? AND scope < 0) s
 CROSS JOIN user_preference p
 WHERE p.account_id = ? AND p.user_id = s.user_id AND p.scope < 0 AND p.value LIKE ?
   AND NOT EXISTS (
     SELECT 1 FROM staged anew
      WHERE anew.account_id = p.account_id AND anew.user_id = p.user_id
        AND anew.scope = p.scope AND anew.key = p.key)
"""
"""What holds for a time, of users who set something in a conversation; but not what they set."""

_WRITES = (
    """
DELETE FROM user_preference WHERE (account_id, user_id, scope, key) IN (
  SELECT account_id, user_id, scope, key FROM staged
   WHERE account_id = ? AND user_id <> 0 AND value IS NULL)
""",
    """
INSERT INTO user_preference (account_id, user_id, scope, key, value)
SELECT account_id, user_id, scope, key, value FROM staged
 WHERE account_id = ? AND user_id <> 0 AND value IS NOT NULL
    ON CONFLICT (account_id, user_id, scope, key) DO UPDATE SET value = excluded.value
 WHERE user_preference.value <> excluded.value
""",
    """
DELETE FROM account_preference WHERE (account_id, layer, key) IN (
  SELECT account_id, layer, key FROM staged
   WHERE user_id = 0 AND account_id = ? AND value IS NULL)
""",
    """
INSERT INTO account_preference (account_id, layer, key, value)
SELECT account_id, layer, key, value FROM staged
 WHERE user_id = 0 AND account_id = ? AND value IS NOT NULL
    ON CONFLICT (account_id, layer, key) DO UPDATE SET value = excluded.value
 WHERE account_preference.value <> excluded.value
""",
)


class Difference(Struct):
    """A value that is to change, as printed. `None` is "not set"."""

    account_id: int
    layer: str
    user_id: int | None
    email: str | None
    inbox_id: int | None
    key: str
    old: str | None
    new: str | None


class DifferenceInConversation(Difference):
    """The same in the layer `conversation`."""

    conversation_id: int


class Locked(NamedTuple):
    """A value that a lock forbids to change."""

    layer: str
    user: str | int | None
    """The address or, failing that, the id."""
    scope: int
    key: str
    lock: str
    """What the key is locked to."""
    place: int


class Spoken(Struct):
    """What a document speaks of: of this it can be said that the document lacks a value."""

    layers: set[tuple[int, str]] = field(default_factory=set)
    """Account and layer, of the layers that have no user."""
    users: dict[int, set[int]] = field(default_factory=dict)
    """The users, by account."""
    user_layers: set[str] = field(default_factory=set)
    """Which of the layers of users; of the named users alone."""


class Written(NamedTuple):
    """A value as a document has it; in the order of a document."""

    layer: Layer
    user: str
    """The user's address or, failing that, the id; empty for the layers of the account."""
    scope: int
    key: str
    value: str


def _later(_: Row, later: Row) -> Row:
    return later


def one_for_each_place(rows: Iterable[Row], choose: Callable[[Row, Row], Row]) -> dict[Place, Row]:
    """Return the rows by their place in the store; of two for one, that which `choose` gives."""
    found: dict[Place, Row] = {}
    for row in rows:
        place = row[:5]
        found[place] = choose(found[place], row) if place in found else row
    return found


class Staging:
    """The values that are to be set next. There is one on a connection; making it empties it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.stage()

    def put(self, rows: Iterable[Row], choose: Callable[[Row, Row], Row] = _later) -> None:
        """Add values; of two for the same place in the store, the one that `choose` gives."""
        left = iter(rows)
        while block := list(islice(left, _BLOCK)):
            # Blocks take two thirds of the time that `executemany` takes.
            # A statement can put a row in one place but once: where the first five are the same.
            apart = {row[:5]: row for row in block}
            if len(apart) < len(block):
                apart = one_for_each_place(block, choose)
            if self._insert(apart.values(), "ON CONFLICT DO NOTHING") < len(apart):
                self._put_again(apart, choose)

    def _insert(self, rows: Collection[Row], otherwise: str) -> int:
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        return self._database.execute(
            f"{_STAGED} VALUES {marks} {otherwise}", list(chain.from_iterable(rows))
        ).rowcount

    def _put_again(self, rows: Mapping[Place, Row], choose: Callable[[Row, Row], Row]) -> None:
        """Put rows of which some have a place that another had before."""
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(rows))
        there = self._database.execute(
            f"SELECT {_COLUMNS} FROM staged WHERE (account_id, layer, user_id, scope, key)"
            f" IN (VALUES {marks})",
            list(chain.from_iterable(rows)),
        ).fetchall()
        chosen = {
            before: choose(before, row) for before in there if before != (row := rows[before[:5]])
        }
        if changed := [row for before, row in chosen.items() if row != before]:
            self._insert(changed, _LATER)

    def put_absent(self, spoken: Spoken) -> None:
        """Add the taking away of all that is set where the document speaks, but not in it."""
        self._database.executemany(
            f"{_STAGED} SELECT account_id, layer, 0, 0, key, NULL, 0"
            " FROM account_preference WHERE account_id = ? AND layer = ? ON CONFLICT DO NOTHING",
            spoken.layers,
        )
        chosen = " OR ".join(
            condition for layer, condition in LAYERS_OF_USERS.items() if layer in spoken.user_layers
        )
        if chosen:
            self._database.executemany(
                f"{_STAGED} SELECT account_id, {LAYER_OF_SCOPE}, user_id, scope, key, NULL, 0"
                f" FROM user_preference WHERE account_id = ? AND user_id = ? AND ({chosen})"
                " ON CONFLICT DO NOTHING",
                ((account, user) for account, users in spoken.users.items() for user in users),
            )

    def put_old_values(self, account: int, change: int) -> None:
        """Add what a change of the account replaced."""
        # Of a value that it changed twice, the first row tells.
        self._database.execute(
            f"{_STAGED} SELECT ?, layer, coalesce(user_id, 0), coalesce(scope, 0), key, old, 0"
            " FROM preference_change WHERE id IN (SELECT min(id) FROM preference_change"
            f" WHERE change_id = ? GROUP BY layer, user_id, scope, key){_LATER}",
            (account, change),
        )

    def put_ended(self, account: int, moment: int) -> int:
        """Add the taking away of what has ended by a moment, of users who set conversations anew.

        Gives how many values that is.
        """
        ended = [
            (account, "conversation", user, scope, key, None, NO_PLACE)
            for user, scope, key, value in self._database.execute(
                _TIMED, (account, account, f"%{UNTIL}%")
            ).fetchall()
            if parse_moment(value.partition(UNTIL)[2]) <= moment
        ]
        self.put(ended)
        return len(ended)

    def accounts(self) -> list[int]:
        """Return the accounts that something is to be set in."""
        # An account that isn't on record yet has no users: only its own layers can be set.
        return [
            row[0]
            for row in self._database.execute(
                "SELECT id FROM account WHERE EXISTS"
                " (SELECT 1 FROM staged WHERE account_id = account.id)"
                " UNION SELECT account_id FROM staged WHERE user_id = 0 ORDER BY 1"
            )
        ]

    def unknown_inboxes(self) -> list[int]:
        """Return the inboxes that values are set for and that the directory doesn't have."""
        return [
            row[0]
            for row in self._database.execute(
                "SELECT DISTINCT scope FROM staged s WHERE layer = 'inbox' AND value IS NOT NULL"
                " AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.account_id = s.account_id"
                " AND i.id = s.scope) ORDER BY scope"
            )
        ]

    def unknown_tones(self) -> list[str]:
        """Return the tones that values name and that there are not."""
        named = self._database.execute(
            "SELECT DISTINCT value FROM staged WHERE key = 'audio.tone' AND value IS NOT NULL"
        )
        names = {value.partition(UNTIL)[0] for (value,) in named}.difference(TONES)
        if names:
            names.difference_update(
                name for (name,) in self._database.execute("SELECT name FROM tone")
            )
        return sorted(names)

    def differences(self) -> Iterator[Difference]:
        """Return what would change, in the order of an export."""
        rows = self._database.execute(
            "SELECT d.account_id, layer, nullif(user_id, 0), email, scope, key, old,"
            f' new FROM {_DIFFERING} d LEFT JOIN "user" u'
            " ON u.account_id = d.account_id AND u.id = d.user_id ORDER BY d.account_id,"
            " d.user_id <> 0, CASE d.user_id WHEN 0 THEN layer END, email IS NULL, email,"
            " d.user_id, d.scope < 0, abs(d.scope), d.key"
        )
        for account, layer, user, email, scope, key, old, new in rows:
            what = (account, layer, user, email, inbox_of(scope), key, old, new)
            conversation = conversation_of(scope)
            if conversation is None:
                yield Difference(*what)
            else:
                yield DifferenceInConversation(*what, conversation)

    def speaks_of_conversations(self) -> bool:
        """Whether anything is to be set in the layer `conversation`."""
        asked = f"SELECT EXISTS (SELECT 1 FROM staged WHERE {_OF_CONVERSATIONS})"
        return bool(self._database.execute(asked).fetchone()[0])

    def find_locked(self, account: int, *, again: bool) -> list[Locked]:
        """Return what may not be set, since its key is locked and this doesn't unlock it.

        With `again`, what is set already may be set again.
        """
        locks = self._database.execute(
            "SELECT 1 FROM account_preference WHERE account_id = ? AND layer = 'lock'", (account,)
        ).fetchone()
        # Mostly there is no lock, and no need to look at everything that differs.
        if locks is None:
            return []
        asked = _LOCKED.format(among=_DIFFERING if again else "staged")
        rows = self._database.execute(asked, (account,))
        return [Locked(layer, email or user, *row) for layer, email, user, *row in rows]

    def differ(self, account: int) -> bool:
        """Whether anything of the account would change."""
        found = self._database.execute(
            f"SELECT EXISTS (SELECT 1 FROM {_DIFFERING} d WHERE account_id = ?)", (account,)
        ).fetchone()
        return bool(found[0])

    def write(self, account: int, change: int) -> int:
        """Set the values of an account, and tell the history; gives how many have changed."""
        changed = 0
        for differing, order in _HISTORY:
            changed += self._database.execute(
                "INSERT INTO preference_change (change_id, layer, user_id, scope, key, old, new)"
                " SELECT ?, layer, nullif(user_id, 0), nullif(scope, 0), key, old, new"
                f" FROM ({differing}) d WHERE account_id = ? ORDER BY {order}",
                (change, account),
            ).rowcount
        for statement in _WRITES:
            self._database.execute(statement, (account,))
        return changed
