"""`notifycli deliver`: what is sent, what isn't, and what is said of it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec import structs

from notifycli.cli.deliver import worker
from notifycli.cli.log_writer import LogFormat, LogWriter
from notifycli.cli.session import Session
from notifycli.delivery.channels import Delivered, Later, Outcome, Refused
from notifycli.delivery.engine import Engine
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import Notice
from tests.conftest import Json, Notifycli, Program, lines
from tests.delivery.notices import notice

from .desk import Post, asked

NOTHING: Json = {"sent": 0, "dead": 0, "waiting": 0, "known": 0, "skipped": 0}


def mailed(**counts: int) -> list[Json]:
    return [{"channel": "email", **NOTHING, **counts}]


def test_what_fires_is_sent_with_what_the_event_says(told: Notifycli, post: Post) -> None:
    event = asked(100, text="Where is my parcel?")
    result = told("deliver", told.write_events("e.jsonl", [event]))

    assert (result.status, result.records, result.stderr) == (0, mailed(sent=1), "")
    (sent,) = post.sent
    assert {name: getattr(sent, name) for name in Notice.__struct_fields__} == structs.asdict(
        notice(
            id=1,
            user_name="Jane",
            type=NotificationType.ASSIGNED_MESSAGE,
            message_id=100,
            at=event["created_at"] * 1_000_000,
            contact="Ada",
            author="Ada",
            text="Where is my parcel?",
        )
    )


def test_an_event_that_is_received_again_notifies_nobody_again(told: Notifycli, post: Post) -> None:
    events = told.write_events("e.jsonl", [asked(100), asked(100), asked(101)])

    assert told.ok("deliver", events).records == mailed(sent=2)
    assert told.ok("deliver", events).records == mailed(known=2)
    assert [notice.message_id for notice in post.sent] == [100, 101]


def test_old_events_are_history_unless_asked_for(told: Notifycli, post: Post) -> None:
    events = told.write_events("e.jsonl", [asked(100, ago=2 * 3600), asked(101)])

    first = told.ok("deliver", events)

    assert first.records == mailed(sent=1, skipped=1)
    assert "1 notification of old events not sent: --max-age SPAN takes older ones" in first.stderr
    assert told.ok("deliver", events, "--max-age", "3h").records == mailed(sent=1, known=1)
    assert [notice.message_id for notice in post.sent] == [101, 100]


def test_what_is_refused_is_a_dead_letter_that_can_be_retried(told: Notifycli, post: Post) -> None:
    post.answer = lambda _: Refused("no such mailbox", "correct the address")
    result = told("deliver", told.write_events("e.jsonl", [asked(100)]))

    assert (result.status, result.records) == (1, mailed(dead=1))
    assert "1 notification can't be sent: notifycli deliver status says why" in result.stderr
    (dead,) = told.ok("deliver", "status", "--state", "dead").records
    assert (dead["why"], dead["remedy"]) == ("no such mailbox", "correct the address")

    post.answer = lambda _: Delivered()
    told.ok("deliver", "retry", "--all")
    assert told.ok("deliver", "--pending").records == mailed(sent=1)


def test_what_can_not_be_sent_now_stays_pending(told: Notifycli, post: Post) -> None:
    post.answer = lambda _: Later("the server is asleep", after=3600.0)
    result = told("deliver", told.write_events("e.jsonl", [asked(100)]))

    assert (result.status, result.records) == (69, mailed(waiting=1))
    assert "email: the server is asleep" in result.stderr
    assert "1 notification still to be sent: notifycli deliver --pending" in result.stderr


def test_what_waits_on_a_channel_that_was_not_named_is_not_told(
    told: Notifycli, post: Post
) -> None:
    told.ok("prefs", "set", "audio=all", "-u", "7")
    post.answer = lambda _: Later("not now", after=40.0)
    told("deliver", told.write_events("e.jsonl", [asked(100)]), "-u", "7")

    mails = told("deliver", "--pending", "--channel", "email")
    sounds = told("deliver", "--pending", "--channel", "audio", "-u", "7")
    assert mails.records == mailed(waiting=1)
    assert sounds.records == [{"channel": "audio", **NOTHING, "waiting": 1}]


def test_a_dry_run_shows_what_would_be_sent_and_changes_nothing(
    told: Notifycli, post: Post
) -> None:
    events = told.write_events("e.jsonl", [asked(100), asked(101)])
    told.ok("deliver", events, "--limit", "1")
    before = told.store.read_bytes()

    result = told.ok("deliver", events, "--dry-run")

    assert [(r["message_id"], r["channel"], r["reason"]) for r in result.records] == [
        (101, "email", "enabled")
    ]
    assert told.store.read_bytes() == before
    assert len(post.sent) == 1


def test_a_limit_counts_what_is_new(told: Notifycli, post: Post) -> None:
    events = told.write_events("e.jsonl", [asked(message) for message in range(100, 105)])

    first = told.ok("deliver", events, "--limit", "2")
    assert first.records == mailed(sent=2, skipped=3)
    assert "3 notifications beyond the limit not sent" in first.stderr
    assert told.ok("deliver", events, "--limit", "2").records == mailed(sent=2, known=2, skipped=1)
    assert [notice.message_id for notice in post.sent] == [100, 101, 102, 103]


def test_what_has_no_subscription_or_no_channel_is_told_and_not_kept(
    told: Notifycli, post: Post
) -> None:
    told.ok("prefs", "set", "push.message=on", "-u", "7")
    post.closed = {Channel.EMAIL}
    events = told.write_events("e.jsonl", [asked(100)])

    result = told("deliver", events)

    assert result.status == 78
    assert result.records == [
        {"channel": "email", **NOTHING, "skipped": 1},
        {"channel": "push", **NOTHING, "skipped": 1},
    ]
    assert told("deliver", events, "--channel", "push").status == 0
    assert "1 push not sent: their users have no subscription" in result.stderr
    assert "1 e-mail not sent: email is not set up\n  set it up" in result.stderr
    named = told("deliver", events, "--channel", "email")
    assert (named.status, named.stderr) == (78, "error: email is not set up\n  set it up\n")
    assert told.ok("deliver", "status").records == []


def test_sounds_are_played_for_the_one_user_who_is_named(told: Notifycli, post: Post) -> None:
    told.ok("prefs", "set", "audio=all", "email.message=off", "--default")
    told.ok("prefs", "unset", "email.message", "-u", "7")
    events = told.write_events("e.jsonl", [asked(100)])

    everybody = told.ok("deliver", events)
    assert everybody.records == [{"channel": "audio", **NOTHING, "skipped": 3}]
    assert "3 sounds not sent: sounds are played for one person: -u USER" in everybody.stderr
    told.ok("deliver", events, "-u", "jane@example.com")
    assert [(n.channel, n.user_id) for n in post.sent] == [(Channel.AUDIO, 7)]


def test_a_bad_line_is_told_and_all_else_is_sent(told: Notifycli, post: Post) -> None:
    told.write("e.jsonl", b"{\n" + lines([asked(100)]))
    result = told("deliver", "e.jsonl")

    assert (result.status, len(post.sent)) == (65, 1)
    assert result.stderr.startswith("e.jsonl:1: no JSON object")


def test_what_was_read_before_a_file_that_is_missing_is_sent(told: Notifycli, post: Post) -> None:
    result = told("deliver", told.write_events("e.jsonl", [asked(100)]), "missing.jsonl")

    assert (result.status, len(post.sent)) == (66, 1)
    assert "error: missing.jsonl: No such file or directory" in result.stderr


def test_events_come_in_a_pipe_too(told: Notifycli, post: Post) -> None:
    assert told.ok("deliver", stdin=lines([asked(100)])).records == mailed(sent=1)
    assert len(post.sent) == 1


def test_a_later_one_of_a_conversation_waits_for_the_earlier(told: Notifycli, post: Post) -> None:
    failed: list[int] = []

    def answer(notice: Notice) -> Outcome:
        assert notice.message_id is not None
        if notice.message_id % 3 == 0 and notice.message_id not in failed:
            failed.append(notice.message_id)
            return Later("not now")
        return Delivered()

    post.answer = answer
    post.seconds = 0.01
    told.ok("config", "set", "deliver.concurrency=3")
    events = [asked(message, conversation=40 + message % 4) for message in range(100, 124)]
    told.ok("deliver", told.write_events("e.jsonl", events))

    through = [n.message_id or 0 for n in post.sent]
    for message in failed:
        through.remove(message)
    assert sorted(through) == [*range(100, 124)]
    for conversation in range(4):
        of_it = [message for message in through if message % 4 == conversation]
        assert of_it == sorted(of_it)
    assert post.most_at_once == 3


def test_a_fault_in_a_channel_is_no_loss(told: Notifycli, post: Post) -> None:
    faults = [True]

    def answer(_: Notice) -> Outcome:
        if faults:
            raise RuntimeError(faults.pop())
        return Delivered()

    post.answer = answer
    events = told.write_events("e.jsonl", [asked(100)])
    assert told.ok("deliver", events).records == mailed(sent=1)


def test_what_is_sent_says_nothing_any_more(told: Notifycli, post: Post) -> None:
    post.answer = lambda notice: Delivered() if notice.message_id == 100 else Refused("no")
    events = [asked(100, text="Canary-100"), asked(101, text="Canary-101")]
    told("deliver", told.write_events("e.jsonl", events))

    with closing(sqlite3.connect(told.store)) as store:
        found = store.execute("SELECT state, contact, author, text FROM notice").fetchall()
    assert found == [("sent", "", "", ""), ("dead", "Ada", "Ada", "Canary-101")]

    told.ok("deliver", "drop", "--all")
    with closing(sqlite3.connect(told.store)) as store:
        found = store.execute("SELECT state, contact, author, text FROM notice").fetchall()
    assert found == [("sent", "", "", ""), ("dropped", "", "", "")]


@pytest.mark.parametrize("outcome", [Later("not now", after=60.0), Refused("no such mailbox")])
def test_what_waited_for_one_who_has_left_is_sent_to_nobody_who_gets_the_id(
    told: Notifycli, post: Post, outcome: Outcome
) -> None:
    post.answer = lambda _: outcome
    told("deliver", told.write_events("e.jsonl", [asked(100)]))
    told.ok("user", "remove", "-u", "7")
    told.ok("user", "add", "bob@example.com", "--id", "7")
    told.ok("deliver", "retry", "--all")

    assert told.ok("deliver", "--pending").stderr == "nothing to send\n"
    (dropped,) = told.ok("deliver", "status", "--state", "dropped").records
    assert dropped["why"] == "user 7 has left account 1"
    assert len(post.sent) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drop"], "name the notifications by their ids, or all of them by --all"),
        (["retry", "1", "--all"], "name the notifications by their ids, or all of them by --all"),
        (["retry", "9"], "there is no notification 9"),
        (["drop", "1"], "notification 1 is sent, not dead or pending: nothing was done"),
        (["drop", "--all", "--state", "sent"], "what is sent can't be dropped"),
        (["--pending", "e.jsonl"], "--pending reads no events"),
        (["--dry-run", "--pending"], "--dry-run needs events"),
        (["--dry-run", "--follow", "e.jsonl"], "--dry-run reads what is there, and can't follow"),
        (["--follow", "--store", "-u", "jane@example.com"], "-u with --store: what this reads"),
        (["--follow", "--store", "-u", "7"], "a file: deliver --follow FILE -u USER\n"),
        (["--follow", "--store", "--channel", "audio"], "leave --channel audio out; for one user"),
        (["--follow", "--store", "--channel", "email"], "nobody sends push of what this reads"),
        (["missing.jsonl", "--channel", "fax"], "'fax' is none of email, push, audio"),
    ],
)
def test_what_can_not_be_meant(
    told: Notifycli, post: Post, arguments: list[str], message: str
) -> None:
    told.ok("deliver", told.write_events("e.jsonl", [asked(100)]))
    result = told("deliver", *arguments)

    assert result.status == 2
    assert message in result.stderr
    assert len(post.sent) == 1


def test_events_are_read_after_options_too(told: Notifycli, post: Post) -> None:
    events = told.write_events("e.jsonl", [asked(100)])
    assert told.ok("deliver", "-u", "7", events).records == mailed(sent=1)
    assert told.ok("deliver", "--limit", "3", "-q", events).records == mailed(known=1)
    assert len(post.sent) == 1


def test_a_channel_sees_what_goes_on_from_its_first_notice_on(told: Notifycli, post: Post) -> None:
    answered = {**asked(101), "message_type": "outgoing", "sender": {"id": 7, "type": "user"}}
    resolved: Json = {"event": "conversation_resolved", "id": 42, "meta": {"assignee": None}}
    quiet: Json = {"event": "conversation_updated", "id": 42}
    told.ok("deliver", told.write_events("e.jsonl", [quiet, asked(100), answered, resolved]))

    assert post.seen == [
        ("message_created", 42, 7),
        ("message_created", 42, 7),
        ("conversation_resolved", 42, None),
    ]


def test_what_ends_before_all_is_read_does_not_say_that_there_was_nothing(
    told: Notifycli, post: Post
) -> None:
    result = told("deliver", told.write_events("e.jsonl", []), "none.jsonl")
    assert (result.status, result.stderr) == (
        66,
        (
            "nothing was sent\nerror: none.jsonl: No such file or directory\n"
            "  check the name; - reads standard input\n"
        ),
    )
    assert post.sent == []


def test_nothing_left_over_is_said(told: Notifycli, program: Program) -> None:
    assert told.ok("deliver", "--pending").stderr == "nothing to send\n"
    assert "nothing to send" in program.on_terminal("deliver").stdout.decode()


def test_a_log_tells_once_what_is_not_sent_for_want_of_an_address(
    told: Notifycli, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def turns() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    monkeypatch.setattr(worker, "SUMMARY_SECONDS", 0)
    post.begins[Channel.EMAIL] = turns
    told.ok("prefs", "set", "webhook.message=on", "-u", "7")
    done = told.ok("deliver", told.write_events("e.jsonl", [asked(100)]), "--log-format", "text")
    why = "1 webhook message not sent: their users have no address there: "
    logged = [line for line in done.stderr.splitlines() if f"Z {why}" in line]
    assert [line.partition("Z ")[2] for line in logged] == [
        f"{why}notifycli channel add webhook -u USER"
    ]


def test_a_run_that_begins_anew_is_summed_up_from_its_own_beginning(
    told: Notifycli, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = LogWriter(Session(db=str(told.store)), LogFormat.JSON)
    for sent in (5, 2):
        report = SimpleNamespace(sent=Counter(email=sent), later=Counter(), dead=Counter())
        engine = SimpleNamespace(report=report, count_waiting=lambda: 0, troubles=dict)
        writer.begin()
        writer.count_bad_line()
        writer.write_summary(None, cast(Engine, engine))
    summed = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["sent"], one["bad_lines"]) for one in summed] == [(5, 1), (2, 1)]
