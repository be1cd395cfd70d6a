"""Our client against our server: a real `notifycli serve`, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DESK, Json, Notifycli, Program

SEEN = ["audio", "audio.tone", "audio.when", "audio.repeat", "email.*", "push.*"]


class Other:
    """The desk that is served: a store of its own, with the same keyring."""

    def __init__(self, notifycli: Notifycli, path: Path) -> None:
        self._notifycli = notifycli
        self._db = ("--db", str(path))
        self.url = ""

    def ok(self, *arguments: str, stdin: bytes = b"") -> list[Json]:
        stdout = self._notifycli.ok(*arguments, *self._db, stdin=stdin).stdout
        return [json.loads(line) for line in stdout.splitlines()]

    def token(self, user: int) -> bytes:
        return self._notifycli.ok("token", "show", "-u", str(user), *self._db).stdout

    def values(self, user: int) -> list[Json]:
        return values(self.ok("prefs", "list", *SEEN, "-u", str(user)))


def values(records: list[Json]) -> list[Json]:
    return [{"key": record["key"], "value": record["value"]} for record in records]


@pytest.fixture
def served(notifycli: Notifycli, program: Program, tmp_path: Path) -> Iterator[Other]:
    """A desk behind `notifycli serve`."""
    path = tmp_path / "served.db"
    other = Other(notifycli, path)
    other.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    process = subprocess.Popen(
        program.command("serve", "--port", "0", "--db", str(path)),
        stderr=subprocess.PIPE,
        env={**os.environ},
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        other.url = found[0]
        yield other
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture
def client(notifycli: Notifycli, served: Other) -> Notifycli:
    """The program, with the tokens of all three users there."""
    notifycli.ok("chatwoot", "login", served.url, stdin=served.token(9))
    for user in (7, 8):
        notifycli.ok("chatwoot", "login", stdin=served.token(user))
    return notifycli


def test_directory_and_preferences_come_over_and_go_back(client: Notifycli, served: Other) -> None:
    served.ok("prefs", "set", "audio=assigned+others", "audio.when=always", "-u", "7")
    served.ok("prefs", "set", "email.*=on", "push.assigned=off", "-u", "7")
    served.ok("prefs", "set", "audio.tone=bell", "audio.repeat=on", "-u", "8")
    client.ok("chatwoot", "pull")
    users = [{**user, "confirmed": True} for user in DESK["users"]]
    assert json.loads(client.ok("directory", "export").stdout) == {**DESK, "users": users}
    for user in (7, 8, 9):
        listed = client.ok("prefs", "list", *SEEN, "-u", str(user)).records
        assert values(listed) == served.values(user)
    assert client.ok("chatwoot", "diff", "--exit-code").records == []

    client.ok("prefs", "set", "audio=all", "email.mention=off", "push.unassigned=on", "-u", "7")
    client.ok("prefs", "set", "audio.tone=ping", "-u", "9")
    pushed = client.ok("chatwoot", "push").records
    assert [(step["id"], step["result"]) for step in pushed] == [
        (7, "pushed"),
        (8, "same"),
        (9, "pushed"),
    ]
    for user in (7, 8, 9):
        listed = client.ok("prefs", "list", *SEEN, "-u", str(user)).records
        assert values(listed) == served.values(user)
    assert {s["result"] for s in client.ok("chatwoot", "pull").records} == {"same"}


def test_a_lock_there_is_told_and_nothing_is_lost(client: Notifycli, served: Other) -> None:
    client.ok("chatwoot", "pull")
    served.ok("prefs", "set", "email.mention=off", "--lock")
    client.ok("prefs", "set", "email.mention=on", "-u", "7")
    client.ok("prefs", "set", "email.created=on", "-u", "8")
    result = client("chatwoot", "push")
    assert [(step["id"], step["result"]) for step in result.records] == [
        (7, "failed"),
        (8, "pushed"),
        (9, "same"),
    ]
    assert result.status == 77
    assert "locked" in result.records[0]["detail"]


def test_a_change_there_meanwhile_is_refused(client: Notifycli, served: Other) -> None:
    client.ok("chatwoot", "pull")
    served.ok("prefs", "set", "audio=all", "-u", "7")
    client.ok("prefs", "set", "email.mention=on", "-u", "7")
    assert client("chatwoot", "push").status == 75
    client.ok("chatwoot", "pull")
    client.ok("chatwoot", "push")
    there = {record["key"]: record["value"] for record in served.values(7)}
    assert (there["audio"], there["email.conversation_mention"]) == ("all", "on")


def test_tokens_are_rotated(client: Notifycli, served: Other) -> None:
    before = served.token(7)
    records = client.ok("chatwoot", "rotate").records
    assert [step["result"] for step in records] == ["rotated"] * 3
    assert served.token(7) != before
    assert [r["state"] for r in client.ok("chatwoot", "status").records] == ["works"] * 3
