"""Events that nobody names: of a log, of the connected Chatwoot, or how they can be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifycli.cli.session import NO_USERS_YET
from tests.conftest import Json, Notifycli

MESSAGE: Json = {
    "event": "message_created",
    "id": 5,
    "conversation": {"id": 42},
    "inbox": {"id": 3},
    "message_type": "incoming",
    "created_at": "2026-03-03T13:30:00Z",
    "account": {"id": 1},
}
WAYS = """\
error: no events are named, and none are known
  there are three ways to get events:
  fetch the past of your Chatwoot:   notifycli chatwoot login URL, then this command again
  name a file of webhooks' events:   notifycli {command} FILE
  receive them from now on:          notifycli listen, or notifycli chatwoot watch
"""
COMMANDS = ["why -u 7", "simulate --explain -u 7", "directory learn"]


@pytest.mark.parametrize("command", COMMANDS)
def test_where_nothing_is_known_the_ways_to_events_are_told(desk: Notifycli, command: str) -> None:
    done = desk(*command.split(), at_terminal=True)
    assert (done.status, done.stderr) == (2, WAYS.format(command=command))


def test_why_of_nobody_names_the_ways_to_users(notifycli: Notifycli) -> None:
    done = notifycli("why", stdin=b"")
    told = f"error: account 1 has no users yet\n  {NO_USERS_YET}\n"
    assert (done.status, done.stderr) == (2, told)


@pytest.mark.parametrize("place", ["", "kept/here.jsonl"], ids=["usual", "of the setting"])
def test_what_was_received_is_read_with_what_was_put_aside(desk: Notifycli, place: str) -> None:
    kept = desk.store.parent / "events.jsonl"
    if place:
        kept = desk.folder / place
        kept.parent.mkdir()
        desk.ok("config", "set", f"listen.path={place}")
    for number, path in enumerate((kept.with_stem(f"{kept.stem}-20260303T000000Z"), kept)):
        desk.write_events(str(path), [{**MESSAGE, "id": number}])
    done = desk.ok("why", "-u", "7", "--channel", "audio", at_terminal=True)
    assert [one["message_id"] for one in done.records] == [0, 1]
    assert f"reading what was received: {kept}\n" in done.stderr


def test_standard_input_that_is_no_terminal_is_read_as_ever(desk: Notifycli) -> None:
    desk.write_events(str(desk.store.parent / "events.jsonl"), [MESSAGE])
    assert desk.ok("why", "-u", "7", stdin=b"").records == []


def test_listen_keeps_events_where_the_setting_says(desk: Notifycli, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "events.jsonl"
    done = desk("config", "set", f"listen.path={missing}")
    assert (done.status, f"there is no folder {missing.parent}" in done.stderr) == (2, True)
