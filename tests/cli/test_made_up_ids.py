"""A made-up id gives way to Chatwoot's, and all that is the user's goes with them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from notifycli.rules.directory import User
from notifycli.store.store import Store, open_store
from notifycli.store.transaction import _OF_A_USER, _PAST_OF_A_USER
from tests.conftest import Json, Notifycli, lines

Step = Callable[[Notifycli], None]


def message(**sender: object) -> Json:
    return {
        "event": "message_created",
        "id": 1,
        "content": "Hello",
        "message_type": "outgoing",
        "created_at": "2026-03-03T13:05:00Z",
        "account": {"id": 1, "name": "Acme"},
        "conversation": {"id": 5, "inbox_id": 3},
        "inbox": {"id": 3, "name": "Website"},
        "sender": {"type": "user", **sender},
    }


def learn(**sender: object) -> Step:
    return lambda notifycli: _ok(
        notifycli, "directory", "learn", "-", stdin=lines([message(**sender)])
    )


def load(*users: Json) -> Step:
    document = json.dumps({"users": users}).encode()
    return lambda notifycli: _ok(notifycli, "directory", "import", "-", stdin=document)


def run(*arguments: str) -> Step:
    return lambda notifycli: _ok(notifycli, *arguments)


def _ok(notifycli: Notifycli, *arguments: str, stdin: bytes = b"") -> None:
    notifycli.ok(*arguments, stdin=stdin)


def user(id_: int, email: str | None, name: str = "", role: str = "agent") -> Json:
    return {"id": id_, "email": email, "name": name, "role": role}


JANE, OMAR = "jane@example.com", "omar@example.com"

# Jane was added without her id; then this happens, and these are the users.
GIVES_WAY: list[Any] = [
    pytest.param(
        [learn(id=7, name="Jane D.", email=JANE)],
        [user(7, JANE, "Jane")],
        id="events tell of the address",
    ),
    pytest.param(
        [learn(id=7, name="Jane D.", email="JANE@Example.com")],
        [user(7, JANE, "Jane")],
        id="events tell of the address in another case",
    ),
    pytest.param(
        [load({"id": 7, "email": JANE, "role": "administrator"})],
        [user(7, JANE, "Jane", "administrator")],
        id="a document has the address",
    ),
    pytest.param(
        [run("user", "add", JANE, "--id", "7")],
        [user(7, JANE, "Jane")],
        id="she is added again with her id",
    ),
    pytest.param(
        [run("user", "add", JANE, "--id", "7", "--name", "J", "--role", "administrator")],
        [user(7, JANE, "J", "administrator")],
        id="she is added again with her id, another name and role",
    ),
    pytest.param(
        [run("user", "set", JANE, "--id", "7")], [user(7, JANE, "Jane")], id="her id is set"
    ),
    pytest.param(
        [learn(id=7, name="Jane D."), run("user", "add", JANE, "--id", "7")],
        [user(7, JANE, "Jane D.")],
        id="events told of her by id alone, and she is added again",
    ),
    pytest.param(
        [learn(id=7, name="Jane D."), run("user", "set", JANE, "--id", "7")],
        [user(7, JANE, "Jane D.")],
        id="events told of her by id alone, and her id is set",
    ),
    pytest.param(
        [learn(id=7, name="Jane D."), load({"id": 7, "email": JANE})],
        [user(7, JANE, "Jane D.")],
        id="events told of her by id alone, and a document has the address",
    ),
    pytest.param(
        [load({"id": 1, "email": OMAR}, {"id": 7, "email": JANE})],
        [user(1, OMAR), user(7, JANE, "Jane")],
        id="her made-up id is somebody else's",
    ),
    pytest.param(
        [run("user", "add", OMAR), load({"id": 1, "email": OMAR}, {"id": 2, "email": JANE})],
        [user(1, OMAR), user(2, JANE, "Jane")],
        id="two had made up each other's id",
    ),
]


@pytest.mark.parametrize(("steps", "expected"), GIVES_WAY)
def test_a_made_up_id_gives_way_with_all_that_is_theirs(
    notifycli: Notifycli, steps: list[Step], expected: list[Json]
) -> None:
    notifycli.ok("user", "add", JANE, "--name", "Jane")
    notifycli.ok("inbox", "add", "3", "--member", JANE)
    notifycli.ok("team", "add", "2", "--member", JANE)
    notifycli.ok("prefs", "set", "audio=all", "-u", JANE)
    notifycli.ok("prefs", "set", "email.mention=on", "--inbox", "3", "-u", JANE)
    before = notifycli.ok("prefs", "export").stdout
    for step in steps:
        step(notifycli)
    assert notifycli.ok("user", "list").records == expected
    jane = next(user["id"] for user in expected if user["email"] == JANE)
    assert notifycli.ok("prefs", "export").stdout == before
    assert notifycli.ok("inbox", "list").records[0]["members"] == [jane]
    assert notifycli.ok("team", "list").records[0]["members"] == [jane]
    history = notifycli.ok("prefs", "history").records
    assert {(change["user_id"], change["email"]) for change in history} == {(jane, JANE)}
    assert "made up" not in notifycli("user", "show", JANE).stderr
    # From now on the id is hers: nothing takes it away.
    refused = notifycli("user", "add", JANE, "--id", "70")
    assert (refused.status, "already" in refused.stderr) == (2, True)


STAYS = [
    pytest.param(
        [load({"id": 1, "email": OMAR})],
        [user(1, OMAR), user(2, JANE, "Jane")],
        "all",
        id="a document has her made-up id for somebody else: she gets another one",
    ),
    pytest.param(
        [learn(id=1, name="Omar")],
        [user(1, None, "Omar"), user(2, JANE, "Jane")],
        "all",
        id="events have her made-up id for somebody without an address",
    ),
    pytest.param(
        [run("user", "add", OMAR, "--id", "1")],
        [user(1, OMAR), user(2, JANE, "Jane")],
        "all",
        id="somebody is added with her made-up id",
    ),
    pytest.param(
        [learn(id=7, name="Jane")],
        [user(1, JANE, "Jane"), user(7, None, "Jane")],
        "all",
        id="a name alone says nothing",
    ),
]


@pytest.mark.parametrize(("steps", "expected", "audio"), STAYS)
def test_nobody_is_taken_for_somebody_else(
    notifycli: Notifycli, steps: list[Step], expected: list[Json], audio: str
) -> None:
    notifycli.ok("user", "add", JANE, "--name", "Jane")
    notifycli.ok("prefs", "set", "audio=all", "-u", JANE)
    for step in steps:
        step(notifycli)
    assert notifycli.ok("user", "list").records == expected
    assert notifycli.ok("prefs", "get", "audio", "-u", JANE).stdout.decode().strip() == audio
    assert "is made up" in notifycli.ok("user", "show", JANE).stderr
    notifycli.ok("user", "add", JANE, "--id", "70")
    assert notifycli.ok("prefs", "get", "audio", "-u", "70").stdout == b"all\n"


BOB = "bob@x.example"
_LISTED = "see who there is: notifycli user list"
_AND_JANE = f"and user 7 is {JANE}; if user 7 has this address by now: notifycli user remove 10"

# Bob was added without his id; then this would give him the id of somebody with another address.
SOMEBODY_ELSES: list[Any] = [
    pytest.param(
        ["user", "set", BOB, "--id", "7"],
        None,
        (2, [f"error: user 7 is {JANE}", f"  {_LISTED}"]),
        id="his id is set",
    ),
    pytest.param(
        ["user", "add", BOB, "--id", "7"],
        None,
        (2, [f"error: user 7 is {JANE}", f"  {_LISTED}"]),
        id="he is added again with it",
    ),
    pytest.param(
        ["user", "add", "BOB@X.example", "--id", "7"],
        None,
        (2, [f"error: user 7 is {JANE}", f"  {_LISTED}"]),
        id="he is added again with it, in another case",
    ),
    pytest.param(
        ["directory", "import", "-"],
        json.dumps({"users": [{"id": 7, "email": BOB}]}).encode(),
        (
            65,
            [
                f"error: <stdin>: users[0].email: {BOB!r} belongs to user 10 already, {_AND_JANE}",
                "nothing was stored",
                "  mend these entries and import again",
            ],
        ),
        id="a document has it",
    ),
    pytest.param(
        ["directory", "learn", "-"],
        lines([message(id=7, name="Bob", email=BOB)]),
        (0, ["account 1: 0 users and inboxes added or completed"]),
        id="events have it",
    ),
]


@pytest.mark.parametrize(("command", "stdin", "answer"), SOMEBODY_ELSES)
def test_nobody_takes_over_who_has_another_address(
    desk: Notifycli, command: list[str], stdin: bytes | None, answer: tuple[int, list[str]]
) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", JANE)
    desk.ok("user", "add", BOB, "--name", "Bob")
    desk.ok("prefs", "set", "audio=assigned", "push.mention=on", "-u", BOB)
    before = _told_of(desk)
    result = desk(*command, stdin=stdin or b"")
    assert (result.status, result.stderr.splitlines()) == answer
    assert _told_of(desk) == before


def _told_of(notifycli: Notifycli) -> list[bytes]:
    commands = (["user", "list"], ["prefs", "export"], ["prefs", "history"])
    return [notifycli.ok(*command).stdout for command in commands]


def test_what_the_refusal_of_a_document_names_lets_it_in(desk: Notifycli) -> None:
    document = json.dumps({"users": [{"id": 7, "email": BOB}]}).encode()
    desk.ok("user", "add", BOB)
    refused = desk("directory", "import", "-", stdin=document)
    remedy = refused.stderr.splitlines()[0].rpartition("notifycli ")[2]
    desk.ok(*remedy.split())
    desk.ok("directory", "import", "-", stdin=document)
    assert desk.ok("user", "list").records[0] == user(7, BOB, "Jane")


def test_an_export_that_is_imported_again_leaves_the_id_made_up(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", JANE)
    document = notifycli.ok("directory", "export").stdout
    notifycli.ok("directory", "import", "-", stdin=document)
    notifycli.ok("user", "add", JANE, "--id", "7")
    assert notifycli.ok("user", "list").records == [user(7, JANE)]


def test_what_both_have_set_is_what_the_one_with_the_real_id_has(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", JANE)
    learn(id=7, name="Jane")(notifycli)
    notifycli.ok("prefs", "set", "audio=all", "push.mention=on", "-u", JANE)
    notifycli.ok("prefs", "set", "audio=assigned", "-u", "7")
    notifycli.ok("user", "set", JANE, "--id", "7")
    values = notifycli.ok("prefs", "list", "audio", "push.mention", "-u", "7").records
    assert [value["value"] for value in values] == ["assigned", "on"]


def test_every_table_that_has_users_is_moved(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", JANE)
    with closing(sqlite3.connect(notifycli.store)) as store:
        tables = store.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        with_users = {
            name
            for (name,) in tables
            if any(row[1] == "user_id" for row in store.execute(f"PRAGMA table_info({name})"))
        }
    assert with_users == _OF_A_USER.keys() | set(_PAST_OF_A_USER)


EMAILS = st.sampled_from(["a@example.com", "b@example.com", "c@example.com"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in which each example has an account of its own."""
    with open_store(tmp_path_factory.mktemp("store") / "notifycli.db", create=True) as store:
        yield store


@given(
    made=st.lists(EMAILS, unique=True),
    told=st.lists(st.tuples(st.integers(1, 5), EMAILS), unique_by=(lambda t: t[0], lambda t: t[1])),
    nameless=st.sets(st.integers(1, 5)),
)
def test_nobody_becomes_somebody_else_and_nobody_is_lost(
    shared: Store, made: list[str], told: list[tuple[int, str]], nameless: set[int]
) -> None:
    account = len(shared.accounts()) + 1
    everybody = {**dict.fromkeys(nameless), **dict(told)}
    for email in made:
        with shared.change(account, "", "") as change:
            change.put_users([User(change.free_user_id(), email, email, made_up=True)])
    with shared.change(account, "", "") as change:
        change.settle_ids(everybody.items())
        known = {user.id: user for user in shared.users(account)}
        change.put_users(
            structs.replace(known.get(id_, User(id_)), email=email)
            for id_, email in everybody.items()
        )
    users = {user.id: user for user in shared.users(account)}
    assert {id_: users[id_].email for id_ in everybody} == everybody
    assert {id_ for id_, user in users.items() if not user.made_up} == set(everybody)
    # A name shows who it was.
    assert {user.name for user in users.values()} - {""} == set(made)
    assert all(user.name in ("", user.email) for user in users.values())
