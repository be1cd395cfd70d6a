"""How SQLite finds what commands ask for: by an index, whatever else is in the store."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from notifycli.store.sqlite.connection import SQLiteConnection
from tests.conftest import Notifycli

_STEP = re.compile(r"(SCAN|SEARCH) (\w+)(?:.*\((.*)\))?")
_BROUGHT_ALONG = {"staged", "s", "d", "made", "CONSTANT"}
"""What a command itself is about: `staged`, the view `differing` of it, what one change made."""
_FEW = {"account", "account_preference", "preset"}
"""Has no more rows than there are accounts, keys, or presets that somebody has saved."""


class Watched(SQLiteConnection):
    """Notes, of each statement that it runs, which tables SQLite reads from end to end."""

    whole: set[str]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._note(sql, parameters)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        rows = list(parameters)
        if rows:
            self._note(sql, rows[0])
        return super().executemany(sql, rows)

    def _note(self, sql: str, parameters: Any) -> None:
        if sql.split(maxsplit=1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}:
            plan = super().execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
            self.whole.update(_whole(row[-1] for row in plan if " LIMIT " not in sql))


def _whole(steps: Iterable[str]) -> Iterator[str]:
    for step in steps:
        found = _STEP.match(step)
        if found is None or found[2].isdigit() or found[2] in _BROUGHT_ALONG | _FEW:
            continue
        if found[1] == "SCAN":
            yield found[2]
        elif found[3] == "account_id=?":
            yield f"{found[2]} of the account"


@pytest.fixture
def whole(desk: Notifycli, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The tables that are read from end to end; a desk with something in each is in the store."""
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    desk.ok("prefs", "set", "audio=all", "-u", "7", "--inbox", "3")
    desk.ok("prefs", "set", "email.*=on", "--default")
    desk.ok("prefs", "set", "audio.tone=bell", "--lock")
    desk.ok("prefs", "preset", "save", "mine", "audio=all")
    found = set[str]()
    connect = sqlite3.connect

    class Noting(Watched):
        whole = found

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        options["factory"] = Noting
        made: sqlite3.Connection = connect(*arguments, **options)
        return made

    monkeypatch.setattr(sqlite3, "connect", watched)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "prefs get audio -u jane@example.com",
        "prefs get audio -u 7 --inbox 3",
        "prefs get audio --default",
        "prefs list -u jane@example.com",
        "prefs set audio=none email.*=off -u jane@example.com",
        "prefs set audio=none -u 7 --inbox 3",
        "prefs set push.*=off --lock",
        "prefs unset audio -u 7",
        "prefs preset apply mine -u 7",
        "prefs history --limit 5",
        "prefs undo",
        "user show 7",
        "user add new@example.com",
    ],
)
def test_a_command_about_one_user_reads_no_table_from_end_to_end(
    desk: Notifycli, whole: set[str], line: str
) -> None:
    desk.ok(*line.split())
    assert whole == set()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("user list", {"user of the account"}),
        ("inbox list", {"inbox of the account", "inbox_member of the account"}),
        # It says how many have something else of their own.
        ("prefs set push.*=off --default", {"user_preference of the account"}),
    ],
)
def test_what_is_about_all_of_an_account_reads_just_that(
    desk: Notifycli, whole: set[str], line: str, expected: set[str]
) -> None:
    desk.ok(*line.split())
    assert whole == expected
