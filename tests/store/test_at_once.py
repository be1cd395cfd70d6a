"""Several processes at one store: they wait for each other, and lose nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from notifycli.store.sqlite import connection as database
from tests.conftest import Notifycli, Program

ROUNDS = 20
# Each adds users of its own and, over and over, sets a value of its own for the shared user.
WRITER = """
import sys
from notifycli.cli.main import run
name, rounds = sys.argv[1], int(sys.argv[2])
for i in range(rounds):
    status = run(["-q", "user", "add", f"{name}{i}@example.com", "-a", "1"])
    assert status == 0, status
    status = run(["-q", "prefs", "set", f"inactive_after={i}s", f"{name}.mention=on", "--default"])
    assert status == 0, status
"""


def test_two_processes_that_write_at_once_lose_nothing(
    notifycli: Notifycli, program: Program
) -> None:
    # Neither finds a store: they race for its making too.
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name, str(ROUNDS)],
            cwd=program.folder,
            env=dict(os.environ),
            stderr=subprocess.PIPE,
        )
        for name in ("email", "push")
    ]
    faults = [writer.communicate(timeout=60)[1].decode() for writer in writers]
    assert ([writer.returncode for writer in writers], faults) == ([0, 0], ["", ""])
    users = notifycli.ok("user", "list").records
    assert {user["email"] for user in users} == {
        f"{name}{i}@example.com" for name in ("email", "push") for i in range(ROUNDS)
    }
    assert sorted(user["id"] for user in users) == list(range(1, 2 * ROUNDS + 1))
    with closing(sqlite3.connect(notifycli.store)) as store:
        added = store.execute("SELECT count(*) FROM directory_change WHERE kind = 'user'")
        assert added.fetchone() == (2 * ROUNDS,)
        waits = store.execute(
            "SELECT old, new FROM preference_change WHERE key = 'inactive_after' ORDER BY id"
        ).fetchall()
    # The history of one value is a chain: each change starts where the one before it ended.
    assert [old for old, _ in waits] == [None, *(new for _, new in waits[:-1])]


@pytest.fixture
def locked(desk: Notifycli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notifycli]:
    """A desk whose store another process is writing to."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(desk.store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield desk
        other.execute("ROLLBACK")


NEW = b'{"users": [{"id": 10, "email": "new@example.com"}]}'
MESSAGE = (
    b'{"event":"message_created","account":{"id":1},"conversation":{"id":1},'
    b'"sender":{"id":70,"type":"user"},"message_type":"outgoing"}\n'
)
WRITING = [
    pytest.param(["user", "add", "new@example.com"], b"", id="user add"),
    pytest.param(["user", "remove", "7"], b"", id="user remove"),
    pytest.param(["inbox", "add", "4"], b"", id="inbox add"),
    pytest.param(["inbox", "remove", "3"], b"", id="inbox remove"),
    pytest.param(["team", "add", "4"], b"", id="team add"),
    pytest.param(["team", "remove", "2"], b"", id="team remove"),
    pytest.param(["directory", "import", "-"], NEW, id="directory import"),
    pytest.param(["directory", "learn"], MESSAGE, id="directory learn"),
    pytest.param(["prefs", "set", "audio=all", "-u", "7"], b"", id="prefs set"),
    pytest.param(["prefs", "set", "audio=all", "--lock"], b"", id="prefs set --lock"),
    pytest.param(["prefs", "unset", "audio", "-u", "7"], b"", id="prefs unset"),
    pytest.param(
        ["prefs", "import", "-"],
        b"account,layer,user,inbox,key,value\n1,user,7,,audio,all\n",
        id="prefs import",
    ),
]


@pytest.mark.parametrize(("command", "stdin"), WRITING)
def test_a_locked_store_is_75(locked: Notifycli, command: list[str], stdin: bytes) -> None:
    before = locked.ok("directory", "export").stdout
    result = locked(*command, stdin=stdin)
    assert (result.status, result.stdout) == (75, b"")
    assert str(locked.store) in result.stderr
    assert "try again" in result.stderr
    assert "Traceback" not in result.stderr
    assert locked.ok("directory", "export").stdout == before


READING = [
    ["user", "list"],
    ["user", "show", "7"],
    ["inbox", "list"],
    ["team", "list"],
    ["directory", "export"],
    ["prefs", "list", "-u", "7"],
    ["prefs", "get", "audio", "-u", "7"],
    ["simulate"],
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_store_that_is_being_written_can_be_read(locked: Notifycli, command: list[str]) -> None:
    assert locked(*command).status == 0


def test_a_store_locked_while_it_is_made_is_75(
    notifycli: Notifycli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    path = Path(notifycli.write("store.db", b"")).resolve()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        result = notifycli("user", "add", "new@example.com", "--db", str(path))
    assert (result.status, result.stdout) == (75, b"")
    assert "try again" in result.stderr


def test_a_store_that_another_process_begins_to_make_is_waited_for(notifycli: Notifycli) -> None:
    path = Path(notifycli.write("store.db", b"")).resolve()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        # SQLite waits for no lock like this one when it switches to write-ahead logging.
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.3, other.execute, ["ROLLBACK"])
        done.start()
        result = notifycli("user", "add", "new@example.com", "--db", str(path))
        done.join()
    assert (result.status, result.stdout) == (0, b"")


PATIENT = """
from notifycli.cli.main import main
from notifycli.store.sqlite import connection
connection.BUSY_SECONDS = 120
main()
"""
"""A program that waits longer than the test stands still while it holds the lock."""


def test_a_lock_that_is_let_go_in_time_is_waited_for(desk: Notifycli, program: Program) -> None:
    with closing(sqlite3.connect(desk.store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = subprocess.Popen(
            [sys.executable, "-c", PATIENT, "user", "add", "new@example.com"],
            cwd=program.folder,
            stderr=subprocess.DEVNULL,
        )
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(1.5)
            other.execute("ROLLBACK")
            assert waiting.wait(60) == 0
        finally:
            waiting.kill()
            waiting.wait()
    assert len(desk.ok("user", "list").records) == 4
