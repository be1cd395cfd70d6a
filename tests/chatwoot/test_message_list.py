"""Messages as Chatwoot's own command line prints them: `chatwoot conv 123 messages -o json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Json, Notifycli

NOON = 1_772_539_200
"""2026-03-03 12:00:00 UTC."""
KIT: Json = {"id": 900, "name": "Kit Lane", "type": "contact", "thumbnail": ""}
OMAR: Json = {"id": 8, "name": "Omar", "email": "omar@example.com", "type": "user"}
JANE: Json = {"id": 7, "name": "Jane", "email": "jane@example.com", "type": "user"}
MENTION = "[@Jane](mention://user/7/Jane) look"


def message(number: int, content: str, **differing: Any) -> Json:
    """Return a message as `GET conversations/123/messages` has it."""
    return {
        "id": number,
        "content": content,
        "inbox_id": 3,
        "conversation_id": 123,
        "message_type": 0,
        "content_type": "text",
        "status": "sent",
        "content_attributes": {},
        "created_at": NOON + number,
        "private": False,
        "source_id": None,
        "sender": KIT,
        **differing,
    }


def activity(number: int, content: str) -> Json:
    return message(number, content, message_type=2, sender=None)


MESSAGES = [
    message(1, "hello"),
    activity(2, "Assigned to Jane by Omar"),
    message(3, "anybody?"),
    message(4, MENTION, message_type=1, private=True, sender=OMAR),
    message(5, "here I am", message_type=1, sender=JANE),
    activity(6, "Conversation was marked resolved by Jane"),
]


def bare(messages: list[Json]) -> list[Json]:
    """Return them as the command line prints them, which leaves out where they are."""
    named = ("conversation_id", "inbox_id", "status")
    return [
        {**{k: v for k, v in one.items() if k not in named}, "conversation": None}
        for one in messages
    ]


def page(messages: list[Json], **meta: Any) -> Json:
    return {"meta": {"labels": [], "additional_attributes": {}, **meta}, "payload": messages}


def lines(messages: list[Json]) -> str:
    return "\n".join(map(json.dumps, messages))


FORMS: dict[str, Callable[[], str]] = {
    "a page, laid out": lambda: json.dumps(page(MESSAGES), indent=2),
    "a page in a line": lambda: json.dumps(page(MESSAGES)),
    "an array, laid out": lambda: json.dumps(MESSAGES, indent=2),
    "an array in a line": lambda: json.dumps(MESSAGES),
    "the newest first": lambda: json.dumps(MESSAGES[::-1]),
    "a message a line": lambda: lines(MESSAGES),
    "two pages that overlap": lambda: (
        f"{json.dumps(page(MESSAGES[2:]))}\n{json.dumps(page(MESSAGES[:4]))}"
    ),
    "as the command line prints it": lambda: json.dumps(page(bare(MESSAGES)), indent=2),
}


@pytest.fixture
def desk(notifycli: Notifycli) -> Notifycli:
    for id_, name in ((7, "Jane"), (8, "Omar")):
        notifycli.ok("user", "add", f"{name.lower()}@example.com", "--id", str(id_), "--name", name)
    notifycli.ok("inbox", "add", "3", "--member", "7", "--member", "8")
    wanted = ("email.assigned_conversation_new_message=on", "email.conversation_mention=on")
    notifycli.ok("prefs", "set", "-u", "7", *wanted)
    return notifycli


@pytest.mark.parametrize(
    ("command", "form"),
    [("why", "a page, laid out"), *(("simulate --explain", form) for form in FORMS)],
)
def test_listed_messages_are_events_and_their_sentences_say_who_was_assigned(
    desk: Notifycli, command: str, form: str
) -> None:
    options = ("-u", "7", "--channel", "email", "--conversation", "123")
    done = desk.ok(*command.split(), *options, stdin=FORMS[form]().encode())
    told = [(one["at"][11:19], one["event"], one["type"], one["outcome"]) for one in done.records]
    assert told == [
        ("12:00:01", "message_created", "unassigned_conversation_new_message", "suppress"),
        ("12:00:02", "conversation_updated", "conversation_assignment", "fire"),
        ("12:00:03", "message_created", "assigned_conversation_new_message", "fire"),
        ("12:00:04", "message_created", "conversation_mention", "fire"),
        ("12:00:05", "message_created", "assigned_conversation_new_message", "suppress"),
    ]
    assert {one["conversation_id"] for one in done.records} == {123}
    assert "6 messages as Chatwoot's API lists them\n" in done.stderr
    assert "approximate: the assignee of 1 event\n" in done.stderr


def test_where_no_sentence_tells_todays_assignee_stands_in_and_that_is_counted(
    desk: Notifycli,
) -> None:
    text = json.dumps(page([MESSAGES[0], MESSAGES[2]], assignee=JANE))
    done = desk.ok("simulate", "-u", "7", "--channel", "email", stdin=text.encode())
    assert [(one["message_id"], one["type"]) for one in done.records] == [
        (1, "assigned_conversation_new_message"),
        (3, "assigned_conversation_new_message"),
    ]
    assert "approximate: the assignee of 2 events\n" in done.stderr


def test_several_conversations_are_replayed_in_the_order_of_time(desk: Notifycli) -> None:
    other = [message(7, MENTION, conversation_id=124, private=True, sender=OMAR, created_at=NOON)]
    text = f"{json.dumps(page(MESSAGES))}\n{json.dumps(page(other))}"
    mentions = ("--type", "conversation_mention", "--channel", "email")
    done = desk.ok("simulate", *mentions, stdin=text.encode())
    assert [(one["line"], one["conversation_id"]) for one in done.records] == [(2, 124), (1, 123)]


@pytest.mark.parametrize("options", [[], ["--conversation", "1", "--conversation", "2"]])
def test_messages_that_name_no_conversation_need_it_named(
    desk: Notifycli, options: list[str]
) -> None:
    done = desk("simulate", *options, stdin=json.dumps(bare(MESSAGES)).encode())
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr == (
        "error: <stdin>:1: these messages don't say of which conversation they are\n"
        "  name it: --conversation 123\n"
    )


def test_learn_takes_who_wrote(notifycli: Notifycli) -> None:
    done = notifycli.ok("directory", "learn", stdin=json.dumps(page(bare(MESSAGES))).encode())
    assert [(u["id"], u["email"], u["name"]) for u in notifycli.ok("user", "list").records] == [
        (7, "jane@example.com", "Jane"),
        (8, "omar@example.com", "Omar"),
    ]
    assert "approximate: the assignee of 1 event\n" in done.stderr


def test_a_name_that_two_have_is_not_guessed_and_no_bot_is_an_assignee(desk: Notifycli) -> None:
    desk.ok("user", "add", "j2@example.com", "--id", "17", "--name", "Jane")
    bot = {"id": 7, "name": "Captain", "type": "agent_bot"}
    text = json.dumps(page([MESSAGES[0], MESSAGES[1], MESSAGES[2]], assignee=bot))
    done = desk.ok("simulate", "-u", "7", "--channel", "email", stdin=text.encode())
    assert done.records == []
    assert "1 assignment to names that are nobody's, or more than one's: Jane\n" in done.stderr
    text = json.dumps(page([MESSAGES[0]], assignee=bot))
    assert desk.ok("simulate", "-u", "7", "--channel", "email", stdin=text.encode()).records == []


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"payload": [{"id": 4, "status": "open"}]}, id="a list of something else"),
        pytest.param(message(1, "x", message_type="incoming"), id="a body without its event"),
        pytest.param(message(1, "x", created_at="noon"), id="no time"),
    ],
)
def test_what_only_looks_like_it_is_a_bad_line_as_ever(desk: Notifycli, odd: Json) -> None:
    text = lines([MESSAGES[2], odd])
    done = desk("simulate", "--type", "unassigned_conversation_new_message", stdin=text.encode())
    assert (done.status, '<stdin>:2: no "event"' in done.stderr) == (65, True)


def test_a_page_without_messages_has_no_events(desk: Notifycli) -> None:
    done = desk.ok("simulate", stdin=json.dumps(page([])).encode())
    assert done.stderr == "nothing fired: there were no events\n"


def test_a_kind_of_message_that_nobody_knows_notifies_nobody(desk: Notifycli) -> None:
    text = json.dumps([message(1, "x", message_type=9), MESSAGES[2]])
    done = desk.ok("simulate", "--explain", "--channel", "email", stdin=text.encode())
    assert {one["message_id"] for one in done.records} == {3}
