"""What else a dashboard keeps in a user's `ui_settings`: not ours, kept and handed back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from notifycli.store.sqlite.connection import translate_errors


class UiSettings:
    """The keys of `ui_settings` that are no preferences, each with its value in JSON."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def of(self, account: int, user: int) -> dict[str, str]:
        """Give a user's, in the order in which they were written."""
        with translate_errors(self._path):
            rows = self._connection.execute(
                "SELECT key, value FROM ui_setting WHERE account_id = ? AND user_id = ?"
                " ORDER BY place",
                (account, user),
            )
            return dict(rows.fetchall())

    def replace(self, account: int, user: int, values: Mapping[str, str]) -> None:
        """Put these in the place of all that a user has; in a change of the store."""
        self._connection.execute(
            "DELETE FROM ui_setting WHERE account_id = ? AND user_id = ?", (account, user)
        )
        self._connection.executemany(
            "INSERT INTO ui_setting (account_id, user_id, key, value, place)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                (account, user, key, value, place)
                for place, (key, value) in enumerate(values.items())
            ),
        )
