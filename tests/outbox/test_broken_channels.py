"""A channel that is set up and can't be opened: the others go on, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from notifycli.delivery import engine
from notifycli.errors import ConfigurationError
from notifycli.rules.notifications import Channel
from notifycli.store.sqlite.connection import SQLite
from tests.conftest import Json, Notifycli
from tests.secrets.services import until

from .desk import Post, asked

NOTHING: Json = {"sent": 0, "dead": 0, "waiting": 0, "known": 0, "skipped": 0}
LOST = "nothing is sent by email: the key of email is lost\n  find it\n"
LEFT = "1 notification still to be sent: notifycli deliver --pending\n"


@pytest.fixture
def both(told: Notifycli) -> Notifycli:
    """The desk, where Jane hears sounds besides being mailed."""
    told.ok("prefs", "set", "audio=all", "-u", "7")
    return told


def test_what_fires_on_a_broken_channel_waits_while_the_others_go_on(
    both: Notifycli, post: Post
) -> None:
    post.broken = {Channel.EMAIL}
    events = both.write_events("e.jsonl", [asked(100)])

    broken = both("deliver", events, "-u", "7")
    assert (broken.status, broken.stderr) == (69, LOST + LEFT)
    assert broken.records == [
        {"channel": "email", **NOTHING, "waiting": 1},
        {"channel": "audio", **NOTHING, "sent": 1},
    ]
    left = both("deliver", "--pending", "-u", "7")
    assert (left.status, left.stderr) == (69, LOST + LEFT)
    named = both("deliver", events, "--channel", "email")
    assert (named.status, named.stderr) == (69, "error: the key of email is lost\n  find it\n")

    post.broken = set()
    assert both.ok("deliver", "--pending").records == [{"channel": "email", **NOTHING, "sent": 1}]
    assert [notice.channel for notice in post.sent] == [Channel.AUDIO, Channel.EMAIL]


def test_a_dry_run_says_what_is_broken(both: Notifycli, post: Post) -> None:
    post.broken = {Channel.EMAIL}
    told = both.ok("deliver", both.write_events("e.jsonl", [asked(100)]), "--dry-run", "-u", "7")
    assert [record["channel"] for record in told.records] == ["email", "audio"]
    assert told.stderr == LOST


def test_a_sender_that_cannot_begin_keeps_the_others_from_nothing(
    both: Notifycli, post: Post
) -> None:
    post.unable[Channel.EMAIL] = ConfigurationError(
        "the server refuses the password", "set another"
    )
    events = both.write_events("e.jsonl", [asked(100), asked(101)])

    told = both("deliver", events, "-u", "7", "--limit", "4")

    assert told.status == 78
    assert told.records == [
        {"channel": "email", **NOTHING, "waiting": 2},
        {"channel": "audio", **NOTHING, "sent": 2},
    ]
    assert told.stderr == (
        "nothing is sent by email: the server refuses the password\n  set another\n"
        "2 notifications still to be sent: notifycli deliver --pending\n"
    )
    [waiting] = [c for c in both.ok("deliver", "status").records if c["state"] == "pending"]
    assert (waiting["channel"], waiting["count"]) == ("email", 2)
    post.unable.clear()
    assert both.ok("deliver", "--pending").records == [{"channel": "email", **NOTHING, "sent": 2}]


def test_a_sender_that_takes_long_to_begin_keeps_no_other_waiting_and_what_is_leased(
    both: Notifycli, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine stands still; a third of it goes by when the test says so.
    monkeypatch.setattr(engine, "LEASE", 60_000_000)
    now, ahead = SQLite.now, [0]
    monkeypatch.setattr(SQLite, "now", lambda self: now(self) + sum(ahead))

    seen: list[tuple[str, bool]] = []

    def rows() -> dict[str, tuple[str, int]]:
        with closing(sqlite3.connect(both.store)) as store:
            found = store.execute("SELECT channel, state, due_at FROM notice").fetchall()
        return {channel: (state, due) for channel, state, due in found}

    async def begin() -> None:
        await asyncio.to_thread(until, lambda: rows()["audio"][0] == "sent", "the sound")
        leased = rows()["email"]
        ahead.append(20_000_000)
        await asyncio.to_thread(until, lambda: rows()["email"] != leased, "another lease")
        state, due = rows()["email"]
        seen.append((state, due > leased[1]))

    post.begins[Channel.EMAIL] = begin
    both.ok("deliver", both.write_events("e.jsonl", [asked(100)]), "-u", "7")
    assert seen == [("sending", True)]
    assert [notice.channel for notice in post.sent] == [Channel.AUDIO, Channel.EMAIL]


def test_a_fault_of_a_sender_that_begins_is_no_loss(both: Notifycli, post: Post) -> None:
    faults = [True]

    async def begin() -> None:
        if faults:
            raise RuntimeError(faults.pop())

    post.begins[Channel.EMAIL] = begin
    told = both.ok("deliver", both.write_events("e.jsonl", [asked(100)]), "-u", "7")
    assert told.records == [
        {"channel": "email", **NOTHING, "sent": 1},
        {"channel": "audio", **NOTHING, "sent": 1},
    ]
