"""`notifycli deliver`: what is sent, what isn't, and what is said of it."""

from __future__ import annotations

from notifycli.delivery.channel import Delivered, Later, Notice, Refused
from notifycli.rules.notifications import Channel, NotificationType
from tests.conftest import Json, Notifycli

from .desk import Post, asked

NOTHING: Json = {"sent": 0, "dead": 0, "waiting": 0, "known": 0, "skipped": 0}


def mailed(**counts: int) -> list[Json]:
    return [{"channel": "email", **NOTHING, **counts}]


def test_what_fires_is_sent_with_what_the_event_says(told: Notifycli, post: Post) -> None:
    event = asked(100, text="Where is my parcel?")
    result = told("deliver", told.write_events("e.jsonl", [event]))

    assert (result.status, result.records, result.stderr) == (0, mailed(sent=1), "")
    assert post.sent == [
        Notice(
            id=1,
            account_id=1,
            user_id=7,
            email="jane@example.com",
            user_name="Jane",
            channel=Channel.EMAIL,
            type=NotificationType.ASSIGNED_MESSAGE,
            event="message_created",
            conversation_id=42,
            inbox_id=3,
            inbox_name="Website",
            message_id=100,
            at=event["created_at"] * 1_000_000,
            contact="Ada",
            author="Ada",
            text="Where is my parcel?",
        )
    ]


def test_an_event_that_is_received_again_notifies_nobody_again(told: Notifycli, post: Post) -> None:
    events = told.write_events("e.jsonl", [asked(100), asked(100), asked(101)])

    assert told.ok("deliver", events).records == mailed(sent=2, known=1)
    assert told.ok("deliver", events).records == mailed(known=3)
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
