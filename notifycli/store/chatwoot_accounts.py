"""What was last seen of users in the Chatwoot to which their account is connected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from notifycli.store.store import Database


class LinkedUser(NamedTuple):
    """What is on record of a user of Chatwoot."""

    seen: bytes | None
    """The preferences there as the last pull or push left them, in JSON; `None` before it."""
    rotating: str | None
    """The name under which the keychain keeps a new token, while a rotation goes on."""


class LinkedUsers:
    """What is on record of users of Chatwoot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_of(self, account: int, user: int) -> LinkedUser:
        """Return what is on record of a user."""
        with self._database.errors():
            row = self._database.execute(
                "SELECT seen, rotating FROM chatwoot_user WHERE account_id = ? AND user_id = ?",
                (account, user),
            ).fetchone()
        return LinkedUser(*row) if row else LinkedUser(None, None)

    def sightings(self, account: int) -> dict[int, bytes]:
        """Return what is on record of users' preferences there, as `LinkedUser.seen`, by user."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT user_id, seen FROM chatwoot_user"
                " WHERE account_id = ? AND seen IS NOT NULL ORDER BY user_id",
                (account,),
            ).fetchall()
        return dict(rows)


class ConnectionChanges:
    """The changes of an account's connection, in a transaction of its change.

    They are no preferences, so the history doesn't tell of them.
    """

    def __init__(self, database: Database, account: int) -> None:
        self._database = database
        self._account = account

    def connect(self, url: str, remote_account: int) -> None:
        """Connect the account."""
        self._database.execute(
            "INSERT INTO chatwoot (account_id, url, remote_account_id) VALUES (?, ?, ?)"
            " ON CONFLICT (account_id) DO NOTHING",
            (self._account, url, remote_account),
        )

    def disconnect(self) -> None:
        """Forget the connection and all that was seen there."""
        for table in ("chatwoot", "chatwoot_user"):
            self._database.execute(
                f"DELETE FROM {table} WHERE account_id = ?",
                (self._account,),
            )

    def note_pull(self, at: int) -> None:
        """Note when the account was last pulled."""
        self._database.execute(
            "UPDATE chatwoot SET pulled_at = ? WHERE account_id = ?", (at, self._account)
        )

    def saw(self, user: int, seen: bytes) -> None:
        """Note a user's preferences as they are there."""
        self._put("seen", user, seen)

    def rotating(self, user: int, secret_name: str | None) -> None:
        """Note under which name a new token will be kept; `None` ends the rotation."""
        self._put("rotating", user, secret_name)

    def _put(self, column: str, user: int, value: bytes | str | None) -> None:
        self._database.execute(
            f"INSERT INTO chatwoot_user (account_id, user_id, {column}) VALUES (?, ?, ?)"
            f" ON CONFLICT (account_id, user_id) DO UPDATE SET {column} = excluded.{column}",
            (self._account, user, value),
        )


class UiSettings:
    """The keys of `ui_settings` that are no preferences, each with its value in JSON."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, account: int, user: int) -> dict[str, str]:
        """Return a user's, in the order in which they were written."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT key, value FROM ui_setting WHERE account_id = ? AND user_id = ?"
                " ORDER BY place",
                (account, user),
            )
            return dict(rows.fetchall())

    def replace(self, account: int, user: int, values: Mapping[str, str]) -> None:
        """Put these in the place of all that a user has; in a change of the store."""
        self._database.execute(
            "DELETE FROM ui_setting WHERE account_id = ? AND user_id = ?", (account, user)
        )
        self._database.executemany(
            "INSERT INTO ui_setting (account_id, user_id, key, value, place)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                (account, user, key, value, place)
                for place, (key, value) in enumerate(values.items())
            ),
        )
