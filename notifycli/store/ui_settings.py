"""What else a dashboard keeps in a user's `ui_settings`: not ours, kept and handed back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notifycli.store.store import Database


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
