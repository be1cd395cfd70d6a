"""What a push says, how it is cut, and how a service is to treat it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from notifycli.delivery.push_channel import LONGEST_PLAINTEXT, cut, message_of, seconds_of
from notifycli.rules.notifications import EVERY_TYPE, Channel, NotificationType
from notifycli.store.outbox import Notice
from tests.delivery.notices import notice as a_notice

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
_DASHBOARD = "https://desk.example.com/app/accounts/1"
GERMANY = "\U0001f1e9\U0001f1ea"


def notice(**changes: Any) -> Notice:
    said = {"contact": "Eve", "author": "Omar", "text": "look at this"}
    return a_notice(**{"channel": Channel.PUSH, "message_id": 99, "at": None, **said, **changes})


def test_a_push_names_who_and_where_and_leads_to_the_conversation() -> None:
    message = message_of(notice(), _DASHBOARD)
    assert msgspec.json.decode(message.plaintext) == {
        "title": "Omar mentioned you",
        "body": "#42 · Website\nlook at this",
        "tag": "notifycli/1/42",
        "url": "https://desk.example.com/app/accounts/1/conversations/42",
    }
    assert message.headers == {
        "TTL": "259200",
        "Urgency": "high",
        "Topic": "jOIPCathcOBJikdwIH4QF6OaRSywTD92",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }


TITLES = {
    NotificationType.CREATION: "New conversation with a customer",
    NotificationType.ASSIGNMENT: "Assigned to you: a customer",
    NotificationType.TEAM_ASSIGNMENT: "Given to your team: a customer",
    NotificationType.MENTION: "Somebody mentioned you",
    NotificationType.ASSIGNED_MESSAGE: "Somebody wrote",
    NotificationType.PARTICIPATING_MESSAGE: "Somebody wrote",
    NotificationType.UNASSIGNED_MESSAGE: "Somebody wrote, and nobody is assigned",
    NotificationType.SLA_FIRST: "First response missed: a customer",
    NotificationType.SLA_NEXT: "Next response missed: a customer",
    NotificationType.SLA_RESOLUTION: "Resolution time missed: a customer",
    NotificationType.WAITING: "Waiting for a reply: a customer",
    NotificationType.ESCALATION: "Still waiting for a reply: a customer",
}


@pytest.mark.parametrize("kind", sorted(EVERY_TYPE))
def test_every_type_has_a_title_where_the_event_names_nobody(kind: NotificationType) -> None:
    message = message_of(notice(type=kind, contact="", author=""), "")
    assert msgspec.json.decode(message.plaintext)["title"] == TITLES[kind]


def test_a_conversation_has_one_topic_for_all_types_and_no_other_has_it() -> None:
    topics = {
        (account, conversation): {
            message_of(
                notice(type=kind, account_id=account, conversation_id=conversation), ""
            ).headers["Topic"]
            for kind in EVERY_TYPE
        }
        for account in (1, 2)
        for conversation in (1, 21, None)
    }
    assert all(len(found) == 1 for found in topics.values())
    every = {topic for found in topics.values() for topic in found}
    assert len(every) == len(topics)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", topic) for topic in every)


LONG = [
    pytest.param("a" * 1000, id="what fits stays"),
    pytest.param("é" * 5000, id="two bytes a character"),
    pytest.param(FAMILY * 1000, id="several characters that are seen as one"),
    pytest.param("\x01" * 1000, id="six bytes a character in JSON"),
    pytest.param('"\\' * 3000, id="two bytes for one"),
]


@pytest.mark.parametrize("text", LONG)
def test_a_push_is_never_longer_than_a_service_must_take(text: str) -> None:
    message = message_of(notice(text=text, contact=text, author=text), _DASHBOARD)
    assert len(message.plaintext) <= LONGEST_PLAINTEXT
    body = msgspec.json.decode(message.plaintext)["body"].removeprefix("#42 · Website\n")
    if body != text:
        assert body.endswith("…")
        assert text.startswith(body[:-1])
        assert len(message.plaintext) > LONGEST_PLAINTEXT - 50


CUTS = [
    pytest.param("hello", 5, "hello", id="what fits stays"),
    pytest.param("hello", 4, "hel…", id="at a character"),
    pytest.param("hello", 0, "", id="to nothing"),
    pytest.param("see that", 5, "see…", id="without the space before it"),
    pytest.param("ae\u0301bc", 3, "a…", id="not between a letter and its accent"),
    pytest.param(f"a{FAMILY}b", 4, "a…", id="not within a family"),
    pytest.param(f"a{FAMILY}bc", 7, f"a{FAMILY}…", id="after a family"),
    pytest.param(f"{GERMANY}{GERMANY}{GERMANY}", 4, f"{GERMANY}…", id="not within a flag"),
    pytest.param("a\U0001f44d\U0001f3fdbc", 3, "a…", id="not before the colour of a hand"),
]


@pytest.mark.parametrize(("text", "length", "expected"), CUTS)
def test_a_text_is_cut_where_a_reader_sees_no_harm(text: str, length: int, expected: str) -> None:
    assert cut(text, length) == expected


NOW = 1_700_000_000.0
WAITS = [
    pytest.param("120", 120.0, id="seconds"),
    pytest.param(" 0 ", 0.0, id="none"),
    pytest.param("Tue, 14 Nov 2023 22:15:20 GMT", 120.0, id="a date"),
    pytest.param("Tuesday, 14-Nov-23 22:15:20 GMT", 120.0, id="a date as it was written in 1987"),
    pytest.param("Tue Nov 14 22:15:20 2023", 120.0, id="a date of C's asctime"),
    pytest.param("Tue, 14 Nov 2023 22:13:00 GMT", 0.0, id="a date that is over"),
    pytest.param(None, None, id="nothing"),
    pytest.param("soon", None, id="a word"),
    pytest.param("-5", None, id="less than nothing"),
    pytest.param("9" * 400, None, id="for ever"),
]


@pytest.mark.parametrize(("given", "seconds"), WAITS)
def test_retry_after_is_read_in_all_its_forms(given: str | None, seconds: float | None) -> None:
    assert seconds_of(given, NOW) == seconds
