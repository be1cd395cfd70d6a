"""Digests in `deliver`: one mail, one push, once, whatever is started again."""

from __future__ import annotations

import time

import pytest

from notifycli.delivery.email_channel import letterhead
from notifycli.delivery.email_message import write
from notifycli.delivery.push_channel import message_of
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import Notice
from notifycli.store.store import open_store
from tests.conftest import Json, Notifycli

from .desk import Post, asked


def presence(state: str, ago: int) -> Json:
    return {
        "event": "presence.update",
        "account_id": 1,
        "users": {"7": state, "8": "online"},
        "created_at": int(time.time()) - ago,
    }


def answered(message: int, conversation: int, ago: int) -> Json:
    by = {"id": 8, "type": "user", "name": "Omar"}
    body = asked(message, conversation=conversation, ago=ago, text="Here you are")
    return {**body, "message_type": "outgoing", "sender": by}


@pytest.fixture
def away(told: Notifycli) -> Notifycli:
    """The desk, at which Jane has digests."""
    told.ok("prefs", "set", "when_unavailable=digest", "push.message=on", "-u", "7")
    return told


def day() -> list[Json]:
    return [
        presence("busy", 600),
        asked(100, ago=500, text="Hello?"),
        asked(101, ago=480, conversation=43, text="Where is\nmy order?"),
        asked(102, ago=470, conversation=44),
        answered(103, 44, 400),
        asked(104, ago=300, text="Anybody <there>?"),
        presence("online", 60),
    ]


def test_a_digest_is_one_mail_of_all_that_is_left(away: Notifycli, post: Post) -> None:
    events = away.write_events("e.jsonl", day())
    away.ok("deliver", events)
    [sent] = post.of(Channel.EMAIL)
    assert (sent.type, sent.event, sent.conversation_id, sent.contact, sent.text) == (
        "digest",
        "digest",
        None,
        "",
        "#42 Ada: Anybody <there>?\n#43 Ada: Where is my order?",
    )
    assert [one["known"] for one in away.ok("deliver", events).records] == [1, 0]
    assert len(post.of(Channel.EMAIL)) == 1


def test_who_starts_again_in_between_tells_of_it_once(away: Notifycli, post: Post) -> None:
    bodies = day()
    for end in range(1, len(bodies) + 1):
        away.ok("deliver", away.write_events("e.jsonl", bodies[:end]))
    assert [one.text.count("\n") for one in post.of(Channel.EMAIL)] == [1]


def test_a_digest_that_is_old_by_now_is_history(away: Notifycli, post: Post) -> None:
    bodies = [{**body, "created_at": body["created_at"] - 4_000} for body in day()]
    result = away.ok("deliver", away.write_events("e.jsonl", bodies))
    assert post.sent == []
    assert "2 notifications of old events not sent" in result.stderr


def test_a_dry_run_lists_the_conversations(away: Notifycli, post: Post) -> None:
    result = away.ok("deliver", "--dry-run", away.write_events("e.jsonl", day()), "-o", "csv")
    heads, row = (line.split(",") for line in result.stdout.decode().splitlines())
    assert (heads[-1], row[-1], row[10], post.sent) == ("conversations", "42 43", "email", [])


def sent_as_mail(away: Notifycli, post: Post) -> Notice:
    away.ok("config", "set", "desk.url=https://desk.example.com", "email.sender=desk@example.com")
    away.ok("deliver", away.write_events("e.jsonl", day()))
    return post.of(Channel.EMAIL)[0]


def test_the_mail_links_each_conversation(away: Notifycli, post: Post) -> None:
    notice = sent_as_mail(away, post)
    with open_store(away.store) as store:
        parts = write(notice, letterhead(store))
    place = "https://desk.example.com/app/accounts/1/conversations/"
    assert parts.subject == "What came in the meantime: #42, #43"
    assert (
        f"> #42 Ada: Anybody <there>?\n> {place}42\n> #43 Ada: Where is my order?\n> {place}43\n"
        in parts.text
    )
    assert f'&lt;there&gt;?<br><a href="{place}42">{place}42</a><br>#43 Ada' in parts.html


def test_the_push_names_all_and_takes_the_place_of_no_other(away: Notifycli, post: Post) -> None:
    notice = sent_as_mail(away, post)
    plain = message_of(notice, "https://desk.example.com").plaintext
    assert b'"title":"What came in the meantime"' in plain
    assert b'"body":"#42 Ada: Anybody <there>?\\n#43 Ada: Where is my order?"' in plain
    assert f'"tag":"notifycli/1/digest/{notice.at}"'.encode() in plain
