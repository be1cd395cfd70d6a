"""Another id for a user: nothing that is theirs is left behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from notifycli.store.store import open_store
from notifycli.store.transaction import _OF_A_USER


def test_every_table_whose_rows_go_with_their_user_is_moved_with_them(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path):
        pass
    with closing(sqlite3.connect(path)) as store:
        rows = store.execute(
            "SELECT DISTINCT t.name FROM sqlite_schema t, pragma_foreign_key_list(t.name) k"
            " WHERE t.type = 'table' AND k.\"table\" = 'user'"
        )
        of_users = {name for (name,) in rows}
    assert "push_subscription" in of_users
    assert of_users - {*_OF_A_USER} == set()
