"""Every change of the store leaves its trace: who, when, from what, to what."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from notifycli.rules.directory import User
from notifycli.rules.preferences import Layer
from notifycli.store.history import History
from notifycli.store.transaction import Entry, Target
from tests.conftest import Notifycli

from .engines import Engine, PostgreSQLEngine, Row

MENTION = "email.conversation_mention"
FIELDS = ("id", "email", "name", "role", "members")


class Look(NamedTuple):
    """What is in the store's tables."""

    engine: Engine
    url: str

    def rows(self, query: str) -> list[Row]:
        return self.engine.rows(self.url, query)


@pytest.fixture
def look(engine: Engine, url: str) -> Look:
    """Look beneath the store."""
    return Look(engine, url)


def changes(look: Look) -> list[Row]:
    """What was changed, by whom and where; not when."""
    return look.rows("SELECT who, account_id, command FROM change ORDER BY id")


def preferences(look: Look) -> list[Row]:
    return look.rows(
        "SELECT layer, user_id, scope, key, old, new FROM preference_change ORDER BY change_id, id",
    )


def directory(look: Look) -> list[Row]:
    """What happened to which user, inbox or team; of their fields, those that can be seen."""
    found = look.rows(
        "SELECT kind, item_id, old, new FROM directory_change ORDER BY change_id, id",
    )
    return [(kind, id_, _seen(kind, old), _seen(kind, new)) for kind, id_, old, new in found]


def _seen(kind: str, side: str | None) -> Any:
    if kind == "account" or side is None:
        return side
    return {name: value for name, value in json.loads(side).items() if name in FIELDS}


SET = [
    pytest.param(["audio=all", "-u", "7"], [("user", 7, None, "audio", None, "all")], id="user"),
    pytest.param(
        ["audio=all", "-u", "7", "--inbox", "3"],
        [("inbox", 7, 3, "audio", None, "all")],
        id="inbox",
    ),
    pytest.param(
        ["audio=all", "--default"], [("default", None, None, "audio", None, "all")], id="default"
    ),
    pytest.param(["audio=all", "--lock"], [("lock", None, None, "audio", None, "all")], id="lock"),
    pytest.param(
        ["audio=mine", "email.mention=yes", "-u", "7"],
        [
            ("user", 7, None, "audio", None, "assigned"),
            ("user", 7, None, MENTION, None, "on"),
        ],
        id="two keys, as they are stored",
    ),
    pytest.param(
        ["audio=all", "-u", "8", "-u", "7"],
        [("user", 7, None, "audio", None, "all"), ("user", 8, None, "audio", None, "all")],
        id="two users, by id",
    ),
]


@pytest.mark.parametrize(("arguments", "expected"), SET)
def test_set_and_unset_leave_a_row_for_each_value(
    desk: Notifycli, look: Look, arguments: list[str], expected: list[Row]
) -> None:
    before = len(changes(look))
    desk.ok("prefs", "set", *arguments)
    assert preferences(look) == expected
    keys = [text.split("=")[0] for text in arguments]
    desk.ok("prefs", "unset", *keys)
    taken = [(*place, new, None) for *place, _, new in expected]
    assert preferences(look) == [*expected, *taken]
    assert changes(look)[before:] == [("tester", 1, "prefs set"), ("tester", 1, "prefs unset")]


def test_a_second_value_tells_the_first(desk: Notifycli, look: Look) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    desk.ok("prefs", "set", "audio=assigned", "-u", "7")
    assert preferences(look)[1:] == [("user", 7, None, "audio", "all", "assigned")]


def test_the_time_is_that_of_the_change(desk: Notifycli, look: Look) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    ((told,),) = look.rows("SELECT at FROM change ORDER BY id DESC LIMIT 1")
    assert before <= datetime.fromisoformat(told) <= datetime.now(UTC)


NOTHING = [
    pytest.param(["prefs", "set", "audio=all", "-u", "7"], b"", id="the value that is set already"),
    pytest.param(["prefs", "unset", "email.*", "-u", "7"], b"", id="unset of what is not set"),
    pytest.param(["prefs", "set", "adio=all", "-u", "7"], b"", id="an unknown key"),
    pytest.param(["prefs", "set", "audio.tone=bell", "-u", "7"], b"", id="a locked key"),
    pytest.param(["inbox", "add", "3"], b"", id="an inbox that is as it was"),
    pytest.param(["user", "add", "jane@example.com"], b"", id="a user who is there"),
    pytest.param(["directory", "import", "-"], b"{}", id="an empty document"),
    pytest.param(["directory", "import", "-"], b'{"users": [{"id": 1}, {"id": 1}]}', id="a faulty"),
    pytest.param(["directory", "learn"], b"", id="no events"),
    pytest.param(["simulate"], b"", id="a replay"),
    pytest.param(
        ["prefs", "import", "-"],
        b"account,layer,user,inbox,key,value\n1,user,8,,audio,all\n1,user,8,,adio,all\n",
        id="a faulty document of preferences",
    ),
]


@pytest.mark.parametrize(("command", "stdin"), NOTHING)
def test_what_changes_nothing_leaves_no_trace(
    desk: Notifycli, look: Look, command: list[str], stdin: bytes
) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    desk.ok("prefs", "set", "audio.tone=ping", "--lock")
    before = changes(look), preferences(look), directory(look)
    desk(*command, stdin=stdin)
    assert (changes(look), preferences(look), directory(look)) == before


def test_the_directory_leaves_a_row_for_each_item(notifycli: Notifycli, look: Look) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--id", "7", "--name", "Jane")
    notifycli.ok("inbox", "add", "3", "--name", "Website", "--member", "7")
    notifycli.ok("team", "add", "2", "--member", "7")
    notifycli.ok("inbox", "add", "3", "--name", "Shop")
    notifycli.ok("team", "remove", "2")
    notifycli.ok("inbox", "remove", "3")
    jane = {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"}
    website = {"id": 3, "name": "Website", "members": [7]}
    shop = {**website, "name": "Shop"}
    team = {"id": 2, "name": "", "members": [7]}
    assert directory(look) == [
        ("user", 7, None, jane),
        ("inbox", 3, None, website),
        ("team", 2, None, team),
        ("inbox", 3, website, shop),
        ("team", 2, team, None),
        ("inbox", 3, shop, None),
    ]
    assert changes(look) == [
        ("tester", 1, command)
        for command in (
            "user add",
            "inbox add",
            "team add",
            "inbox add",
            "team remove",
            "inbox remove",
        )
    ]


def test_removing_a_user_tells_what_they_had_set(desk: Notifycli, look: Look) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    desk.ok("prefs", "set", "audio=assigned", "-u", "7", "--inbox", "3")
    before = len(preferences(look))
    desk.ok("user", "remove", "7")
    assert sorted(preferences(look)[before:], key=str) == [
        ("inbox", 7, 3, "audio", "assigned", None),
        ("user", 7, None, "audio", "all", None),
    ]
    jane = {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"}
    assert ("user", 7, jane, None) in directory(look)


def test_removing_a_user_tells_where_they_were_a_member(desk: Notifycli, look: Look) -> None:
    before = len(directory(look))
    desk.ok("user", "remove", "7")
    assert {row[:2] for row in directory(look)[before:]} == {("user", 7), ("inbox", 3), ("team", 2)}


def test_an_import_is_one_change_of_each_account(desk: Notifycli, look: Look) -> None:
    desk.ok("user", "add", "far@example.com", "--id", "1", "-a", "2")
    before = len(changes(look))
    text = (
        "account,layer,user,inbox,key,value\n"
        "1,user,7,,audio,all\n1,lock,,,audio.tone,bell\n2,user,1,,audio,all\n"
    )
    desk.ok("prefs", "import", "-", stdin=text.encode())
    assert changes(look)[before:] == [("tester", 1, "prefs import"), ("tester", 2, "prefs import")]
    assert preferences(look) == [
        ("user", 7, None, "audio", None, "all"),
        ("lock", None, None, "audio.tone", None, "bell"),
        ("user", 1, None, "audio", None, "all"),
    ]


class Plans:
    """A database that keeps, of each statement that it runs, how it finds what is asked for."""

    def __init__(self, database: Any, explain: str) -> None:
        self._database = database
        self._explain = explain
        self.found = ""

    def errors(self) -> AbstractContextManager[None]:
        made: AbstractContextManager[None] = self._database.errors()
        return made

    def execute(self, sql: str, parameters: Any) -> Any:
        steps = self._database.execute(f"{self._explain} {sql}", parameters).fetchall()
        self.found += "\n".join(str(step[-1]) for step in steps)
        return self._database.execute(sql, parameters)


@pytest.mark.parametrize("limit", [None, 2])
def test_the_changes_of_a_user_are_found_without_those_of_the_others(
    engine: Engine, limit: int | None
) -> None:
    with engine.open() as store:
        with store.change(1, "import", "tests") as change:
            change.put_users(User(user, f"agent{user}@example.com") for user in range(1, 41))
            change.set(
                Entry(Target(Layer.USER, user), key, "on")
                for user in range(1, 41)
                for key in (MENTION, "push.conversation_mention", "email.conversation_creation")
            )
        database: Any = store._database  # type: ignore[attr-defined]  # noqa: SLF001 - no door leads there
        explain = "EXPLAIN QUERY PLAN"
        if isinstance(engine, PostgreSQLEngine):
            explain = "EXPLAIN"
            database.execute("SET enable_seqscan = off")  # so small a table is read whole
        plans: Any = Plans(database, explain)
        values = [*History(plans).values(1, users=[7], limit=limit)]
    assert [one.user_id for one in values] == [7] * (limit or 3)
    assert "preference_change_user" in plans.found
