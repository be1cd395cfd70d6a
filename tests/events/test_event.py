"""Lines as servers and relays send them, and the facts that are read from them."""

from __future__ import annotations

import json
from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import UNSAID, Event, Message
from notifycli.events.timestamps import format_moment, parse_moment

Json = dict[str, Any]
NOON = 1_772_539_200_000_000


def conversation(**more: Any) -> Json:
    """A conversation in the shape of a server of 2026, with its own texts."""
    return {
        "additional_attributes": {"browser": {"device_name": "Unknown"}, "initiated_at": {}},
        "can_reply": True,
        "channel": "Channel::WebWidget",
        "contact_inbox": {"id": 6, "contact_id": 6, "inbox_id": 1, "hmac_verified": False},
        "id": 42,
        "inbox_id": 3,
        "messages": [
            {
                "id": 500,
                "content": "The parcel is late",
                "account_id": 1,
                "message_type": 0,
                "created_at": 1772539200,
                "sender_type": "Contact",
                "sender_id": 6,
                "conversation": {"assignee_id": 99, "unread_count": 1},
            }
        ],
        "meta": {
            "sender": {"id": 6, "name": "Mia", "blocked": False, "type": "contact"},
            "assignee": {"id": 7, "name": "Jane", "type": "user"},
            "assignee_type": None,
            "team": {"id": 2, "name": "Support"},
            "hmac_verified": False,
        },
        "status": "open",
        "unread_count": 1,
        "agent_last_seen_at": 0,
        "last_activity_at": 1772539199,
        "timestamp": 1772539198,
        "created_at": 1772539197,
        "updated_at": 1772539200.000001,
        **more,
    }


def message(**more: Any) -> Json:
    """A message's body in that shape; a contact says nothing of being one."""
    return {
        "account": {"id": 1, "name": "Acme"},
        "content": "The parcel is late",
        "conversation": conversation(),
        "created_at": "2026-03-03T12:00:00.000Z",
        "id": 500,
        "inbox": {"id": 3, "name": "Website"},
        "message_type": "incoming",
        "private": False,
        "sender": {"account": {"id": 1}, "email": None, "id": 6, "name": "Mia", "blocked": False},
        "source_id": None,
        "event": "message_created",
        **more,
    }


def without_digest(event: Event) -> Event:
    event = copy(event)
    event.digest = None
    return event


CONVERSATION_FACTS: Json = {
    "known": True,
    "account": 1,
    "conversation": 42,
    "inbox": 3,
    "status": "open",
    "assignee": 7,
    "team": 2,
    "blocked": False,
}
BY_MIA: Json = {"at": NOON, "sender": 6}
LATE = Message(500, "incoming", private=False, content="")


def event(name: str, **facts: Any) -> Event:
    return Event(**{"line": 1, "name": name, **CONVERSATION_FACTS, **facts})


BARE: Json = dict.fromkeys(("account", "inbox", "status", "blocked"))
BARE["assignee"] = BARE["team"] = UNSAID
NOWHERE = BARE | {"conversation": None}

BODIES = [
    ("a message of a contact", message(), event("message_created", **BY_MIA, message=LATE)),
    (
        "a message of an agent says so in its sender",
        message(sender={"id": 7, "type": "user"}, message_type="outgoing"),
        event(
            "message_created",
            at=NOON,
            author=7,
            sender=7,
            message=Message(500, "outgoing", private=False, content=""),
        ),
    ),
    (
        "a sender who says nothing of being one is an agent, where the message is outgoing",
        message(sender={"id": 7, "name": "Jane"}, message_type=1),
        event(
            "message_created",
            at=NOON,
            author=7,
            sender=7,
            message=Message(500, "outgoing", private=False, content=""),
        ),
    ),
    (
        "a bot that writes has a number, and is no user",
        message(sender={"id": 7, "type": "agent_bot"}, message_type="outgoing"),
        event(
            "message_created",
            at=NOON,
            sender=7,
            message=Message(500, "outgoing", private=False, content=""),
        ),
    ),
    (
        "a contact of a log without names has no number",
        message(sender={"id": "d41d8cd9"}),
        event("message_created", at=NOON, message=LATE),
    ),
    (
        "a private message is a note, whatever its type",
        message(private=True),
        event(
            "message_created",
            **BY_MIA,
            message=Message(500, "incoming", private=True, content="The parcel is late"),
        ),
    ),
    (
        "a message of a bot has no sender",
        message(sender=None, message_type="template", content=None),
        event(
            "message_created",
            at=NOON,
            message=Message(500, "template", private=False, content=""),
        ),
    ),
    (
        "a conversation names its account only in its messages, and its time in four places",
        conversation(event="conversation_created"),
        event("conversation_created", at=NOON + 1),
    ),
    (
        "messages of any shape, where they aren't needed to know the account",
        conversation(event="conversation_created", account_id=1, messages="none"),
        event("conversation_created", at=NOON + 1),
    ),
    (
        "a creation's own difference is no assignment",
        conversation(
            event="conversation_updated",
            changed_attributes=[
                {"id": {"previous_value": None, "current_value": 42}},
                {"additional_attributes": {"previous_value": {}, "current_value": {"a": [1]}}},
                {"created_at": {"previous_value": None, "current_value": "2026-03-03T12:00:00Z"}},
            ],
        ),
        event("conversation_updated", at=NOON + 1),
    ),
    (
        "a status change may come without saying what changed",
        conversation(
            event="conversation_status_changed", status="pending", changed_attributes=None
        ),
        event("conversation_status_changed", at=NOON + 1, status="pending"),
    ),
    (
        "a status change in Chatwoot's internal form is a pair",
        conversation(
            event="conversation.status_changed",
            changed_attributes={"status": ["pending", "open"]},
        ),
        event("conversation_status_changed", at=NOON + 1, previous_status="pending"),
    ),
    (
        "an explicit null assignee is nobody",
        message(conversation=conversation(meta={"assignee": None})),
        event("message_created", **BY_MIA, assignee=None, team=UNSAID, message=LATE),
    ),
    (
        "an explicit null team is none",
        message(conversation=conversation(meta={"team": None})),
        event("message_created", **BY_MIA, assignee=UNSAID, team=None, message=LATE),
    ),
    (
        "a bot as the assignee is nobody",
        message(
            conversation=conversation(
                meta={"assignee": {"id": 7, "name": "Bot"}, "assignee_type": "AgentBot"}
            )
        ),
        event("message_created", **BY_MIA, assignee=None, team=UNSAID, message=LATE),
    ),
    (
        "a contact who types says nothing of being one, and the event has no time of its own",
        {
            "event": "conversation_typing_off",
            "user": {"id": 6, "name": "Mia", "blocked": False},
            "conversation": conversation(),
            "is_private": False,
        },
        event("conversation_typing_off"),
    ),
    (
        "an agent who types is present",
        {
            "event": "conversation_typing_on",
            "user": {"id": 7, "type": "user"},
            "conversation": conversation(),
        },
        event("conversation_typing_on", present=7),
    ),
    (
        "a presence event tells of the window",
        {
            "event": "presence_update",
            "user": {"id": 7},
            "visible": True,
            "conversation_id": "42",
            "created_at": 1772539200,
        },
        event("presence_update", **BARE, at=NOON, present=7, visible=True, open_conversation=42),
    ),
    (
        "a minimal message by hand",
        {
            "event": "message_created",
            "conversation_id": "42",
            "content": "hi @jane@example.com",
            "id": "500",
        },
        event(
            "message_created",
            **BARE,
            message=Message(500, "incoming", private=False, content="hi @jane@example.com"),
        ),
    ),
    (
        "numbers as a table of fractions has them",
        message(
            id=500.0,
            account={"id": 1.0},
            conversation=conversation(id=42.0, inbox_id="3.0"),
            inbox=None,
            message_type=0.0,
            private=0,
            sender={"id": 6.0, "blocked": False},
        ),
        event("message_created", **BY_MIA, message=LATE),
    ),
    (
        "ids with zeros before them are strings of digits, too",
        message(account={"id": "01"}, conversation=conversation(id="0042")),
        event("message_created", **BY_MIA, message=LATE),
    ),
    (
        "ids that nothing is known by, of a relay and of a log without names",
        {
            "event": "conversation_typing_on",
            "id": "evt_1",
            "account": {"id": 1},
            "account_id": "acme",
            "conversation_id": "x-9",
            "user": {"id": "c4ca4238"},
            "performed_by": {"id": "eccbc87e"},
            "conversation": conversation(
                meta={"sender": {"id": "d41d8cd9"}, "assignee": {"id": 7}, "team": {"id": 2}}
            ),
        },
        event("conversation_typing_on", blocked=None, performed_by_other=True),
    ),
    (
        "a message from the live socket in its envelope",
        {
            "event": "message.created",
            "data": {
                "id": 500,
                "account_id": 1,
                "inbox_id": 3,
                "conversation_id": 42,
                "conversation": {"assignee_id": 7, "unread_count": 1},
                "content": "The parcel is late",
                "message_type": 1,
                "private": True,
                "sender_type": "User",
                "sender_id": 8,
                "created_at": 1772539200,
            },
        },
        event(
            "message_created",
            at=NOON,
            status=None,
            team=UNSAID,
            blocked=None,
            author=8,
            sender=8,
            message=Message(500, "outgoing", private=True, content="The parcel is late"),
        ),
    ),
    (
        "a body in an envelope in an envelope",
        {"id": "delivery-1", "payload": {"body": message(), "headers": {}}},
        event("message_created", **BY_MIA, message=LATE),
    ),
    (
        "an envelope with an id and a user of its own, that are none of ours",
        {"id": "evt_1", "user": "relay", "event": "message_created", "data": message()},
        event("message_created", **BY_MIA, message=LATE),
    ),
    (
        "a map of presences tells of all, and those who are offline are not connected",
        {
            "event": "presence.update",
            "data": {"account_id": 1, "users": {"8": "busy", "7": "online", "9": "offline"}},
        },
        event("presence_update", **NOWHERE | {"account": 1, "connected": (7, 8), "away": (8, 9)}),
    ),
    (
        "… of nobody, as a relay in PHP writes it",
        {"event": "presence.update", "account_id": 1, "users": []},
        event("presence_update", **NOWHERE | {"account": 1, "connected": (), "away": ()}),
    ),
    (
        "the old name of pending",
        conversation(
            event="conversation_status_changed",
            status="bot",
            changed_attributes=[{"status": {"previous_value": "bot", "current_value": "open"}}],
        ),
        event(
            "conversation_status_changed",
            at=NOON + 1,
            status="pending",
            previous_status="pending",
        ),
    ),
    (
        "what an automation rule sends is known",
        conversation(event="automation_event.conversation_updated", account_id=1),
        event(
            "automation_event_conversation_updated",
            **NOWHERE | {"account": 1, "at": NOON + 1, "automation": True},
        ),
    ),
    (
        "what is received has no other time than that, if it has none of its own",
        {
            "received_at": "2026-03-03T12:00:00Z",
            "body": {"event": "conversation_typing_on", "conversation": {"id": 42}},
        },
        event("conversation_typing_on", **BARE, at=NOON),
    ),
    (
        "a time of its own wins over when it was received",
        {"received_at": "2026-04-04T12:00:00Z", **message()},
        event("message_created", **BY_MIA, message=LATE),
    ),
    (
        "a contact's event need not have the types of a conversation's",
        {"event": "contact_created", "id": {"uuid": "x"}, "account": {"id": 1}},
        event("contact_created", **NOWHERE),
    ),
    (
        "a name that isn't known tells nothing",
        {"event": "conversation.teleported", "id": 42, "account": {"id": 1}},
        event("conversation_teleported", **NOWHERE | {"known": False}),
    ),
]


@pytest.mark.parametrize(
    ("body", "expected"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES]
)
def test_an_event_is_read(body: Json, expected: Event) -> None:
    assert without_digest(decode_event(json.dumps(body).encode(), 1)) == expected


OUTGOING = {"message_type": 1, "sender": {"id": 8, "type": "user"}}
PERFORMERS = [
    ("nobody says", {}, (None, False)),
    ("a user", {"performed_by": {"id": 7, "type": "user"}}, (7, False)),
    ("an automation rule", {"performed_by": {"id": 7, "name": "Rule"}}, (None, True)),
    ("a bot", {"performed_by": {"id": 7, "type": "agent_bot"}}, (None, True)),
    ("the live socket's performer", {"performer": {"id": 7, "name": "Jane"}}, (7, False)),
    ("… says of itself what it is", {"performer": {"id": 7, "type": "user"}}, (7, False)),
    ("… or that it is none", {"performer": {"id": 7, "type": "agent_bot"}}, (None, True)),
    (
        "a user who set off an automation rule",
        {"performed_by": {"id": 3}, "performer": {"id": 7, "type": "user"}},
        (7, False),
    ),
    (
        "whoever wrote the last message of a creation",
        {"messages": [{"message_type": 1, "sender": {"id": 7, "type": "user"}}, OUTGOING]},
        (8, False),
    ),
    (
        "nobody, where a customer wrote it",
        {"messages": [OUTGOING, {"message_type": 0, "sender": {"id": 6}}]},
        (None, False),
    ),
    (
        "… told by the type of the sender",
        {"messages": [{"message_type": "outgoing", "sender_type": "User", "sender_id": "8"}]},
        (8, False),
    ),
    ("… which may be a bot", {"messages": [{**OUTGOING, "sender": {"type": "x"}}]}, (None, False)),
    (
        "… also where an automation rule did it",
        {"performed_by": {"id": 7}, "messages": [OUTGOING]},
        (8, True),
    ),
    (
        "… and only of a creation",
        {"event": "conversation_updated", "messages": [OUTGOING]},
        (None, False),
    ),
]


@pytest.mark.parametrize(
    ("more", "expected"), [row[1:] for row in PERFORMERS], ids=[r[0] for r in PERFORMERS]
)
def test_who_did_it(more: Json, expected: tuple[int | None, bool]) -> None:
    body = conversation(account_id=1) | {"event": "conversation_created"} | more
    event = decode_event(json.dumps(body).encode(), 1)
    assert (event.performed_by, event.performed_by_other) == expected


def test_a_digest_is_of_the_body_and_not_of_what_is_around_it() -> None:
    body = conversation(event="conversation_updated")
    text = json.dumps(body)
    wrapped = f'{{"received_at": 1772539200, "body": {text} }}'
    other = json.dumps({**body, "updated_at": 1772539200.000002})
    digests = [
        decode_event(one.encode(), 1).digest for one in (text, text + "\r\n", wrapped, other)
    ]
    assert digests[:3] == [digests[0]] * 3
    assert None not in digests
    assert digests[3] != digests[0]


def test_beside_two_names_the_same_is_two_events() -> None:
    body = conversation()
    names = ("conversation.updated", "assignee.changed", "assignee_changed")
    frames = [{"message": {"event": name, "data": body}} for name in names]
    digests = [decode_event(json.dumps(one).encode(), 1).digest for one in frames]
    assert digests[0] != digests[1]
    assert digests[1] == digests[2]


@pytest.mark.parametrize("between", [":", ": "])
def test_when_it_was_received_makes_no_difference_to_a_digest(between: str) -> None:
    body = json.dumps(conversation(event="conversation_updated"))
    stamps = ("", f'"received_at"{between}"2026-03-03T10:00:00Z",', f'"received_at"{between}"x",')
    lines = ["{" + stamp + body[1:] for stamp in stamps]
    assert len({decode_event(line.encode(), 1).digest for line in lines}) == 1


def test_what_is_told_apart_by_an_id_has_no_digest() -> None:
    assert decode_event(json.dumps(message()).encode(), 1).digest is None


BAD_LINES = [
    ("text", b"hello", "no JSON object: JSON is malformed: invalid character (byte 0)"),
    ("a list", b"[1]", "no JSON object: expected object, got array"),
    ("two objects", b'{"event":"x"} {}', "no JSON object: JSON is malformed: trailing characters"),
    ("no name", b'{"id":1}', 'no "event" with the name of what happened'),
    ("an empty name", b'{"event":"","id":1}', 'no "event" with the name of what happened'),
    ("a blank name", b'{"event":" \\t","id":1}', 'no "event" with the name of what happened'),
    (
        "an empty name in an envelope",
        b'{"payload":{"event":"","account":{"id":1}}}',
        'no "event" with the name of what happened',
    ),
    ("a name that is a number", b'{"event":1}', "event: expected str | null, got int"),
    (
        "an id that is a list",
        b'{"event":"message_created","id":[1]}',
        "id: expected int | str | null, got array",
    ),
    (
        "… or a list in it",
        b'{"event":"message_created","account":{"id":[]}}',
        "account.id: expected",
    ),
    ("an id that is a fraction", b'{"event":"message_created","id":4.5}', "id: expected int"),
    ("an id that is true", b'{"event":"message_created","id":true}', "id: expected int"),
    (
        "an id that nothing can hold",
        b'{"event":"message_created","conversation":{"id":"9223372036854775808"}}',
        "conversation.id: expected int <= 9223372036854775807",
    ),
    (
        "an id that is a word",
        b'{"event":"conversation_created","id":"abc"}',
        "id: 'abc' is no id: a number, or a string of digits",
    ),
    (
        "… of what is in it",
        b'{"event":"message_created","conversation":{"id":"abc"}}',
        "conversation.id: a number, or a string of digits, is expected",
    ),
    (
        "a time that is none",
        b'{"event":"message_created","created_at":"yesterday"}',
        "created_at: 'yesterday' is no time: ISO 8601 or Unix time is expected",
    ),
    (
        "a kind of message that Chatwoot has not",
        b'{"event":"message_created","message_type":9}',
        "message_type: 9 is none of incoming, outgoing, activity, template, nor 0 to 3",
    ),
    (
        "letters of another encoding",
        b'{"event":"conversation_created","id":1,"status":"h\xe9"}',
        "not UTF-8, for byte 0xe9; try: iconv -f WINDOWS-1252 -t UTF-8 on the file",
    ),
    ("nested without end", b'{"a":' + b"[" * 99_999 + b"]" * 99_999 + b"}", "nested too deeply"),
    (
        "an account that would stand in a message",
        b'{"event":"conversation_created","id":1,"messages":[1]}',
        "messages[0]: expected object, got int",
    ),
    (
        "a change that is none",
        b'{"event":"conversation_updated","id":1,"changed_attributes":[{"assignee_id":7}]}',
        "changed_attributes.assignee_id: expected object | array | null, got int",
    ),
    (
        "… to what is no id",
        b'{"event":"conversation_updated","id":1,"changed_attributes":{"assignee_id":[1,{}]}}',
        "changed_attributes.assignee_id[1]: expected int | str | null, got object",
    ),
    (
        "presences that are none",
        b'{"event":"presence.update","users":{"7":[]}}',
        "users[...]: expected str | null, got array",
    ),
    (
        "control characters in a value",
        b'{"event":"message_created","conversation_id":1,"created_at":"\\u001b[2J"}',
        "created_at: '\\x1b[2J' is no time",
    ),
    (
        "an author whose id is a word",
        b'{"event":"message_created","conversation_id":1,"sender":{"id":"\\u001b","type":"user"}}',
        "sender.id: '\\x1b' is no id: a number, or a string of digits",
    ),
]


@pytest.mark.parametrize(
    ("line", "fault"), [row[1:] for row in BAD_LINES], ids=[r[0] for r in BAD_LINES]
)
def test_a_bad_line_says_what_is_wrong_with_it(line: bytes, fault: str) -> None:
    with pytest.raises(EventError) as caught:
        decode_event(line, 1)
    assert str(caught.value).startswith(fault)
    assert str(caught.value).isprintable()


@given(st.binary() | st.text().map(str.encode))
def test_no_line_whatever_brings_anything_but_an_event_or_its_fault(line: bytes) -> None:
    fault = ""
    try:
        decode_event(line, 1)
    except EventError as error:
        fault = str(error)
    assert fault.isprintable()


TIMES = [
    ("2026-03-03T12:00:00Z", "2026-03-03T12:00:00Z"),
    ("2026-03-03T13:00:00.257+01:00", "2026-03-03T12:00:00.257Z"),
    ("2026-03-03 13:05:57 UTC", "2026-03-03T13:05:57Z"),
    ("2026-03-03", "2026-03-03T00:00:00Z"),
    (1772539200, "2026-03-03T12:00:00Z"),
    ("1772539200", "2026-03-03T12:00:00Z"),
    (1772539200.837771, "2026-03-03T12:00:00.837771Z"),
    ("1772539200.5", "2026-03-03T12:00:00.500Z"),
    (1772539200693, "2026-03-03T12:00:00.693Z"),
    ("1772539200693", "2026-03-03T12:00:00.693Z"),
    (1772539200693.25, "2026-03-03T12:00:00.693250Z"),
    (1772539200693001, "2026-03-03T12:00:00.693001Z"),
    (99_999_999_999, "5138-11-16T09:46:39Z"),
    (100_000_000_000, "1973-03-03T09:46:40Z"),
    (-1.5, "1969-12-31T23:59:58.500Z"),
    ("2026-03-03t12:00:00z", "2026-03-03T12:00:00Z"),
    ("2026-03-03T12:00:00.693z", "2026-03-03T12:00:00.693Z"),
    ("2026-03-03 13:05:57 utc", "2026-03-03T13:05:57Z"),
    (" 2026-03-03T12:00:00Z\n", "2026-03-03T12:00:00Z"),
    ("2026-03-03 13:05:57 +0100", "2026-03-03T12:05:57Z"),
    ("2026-03-03 13:05:57.25 -01:00", "2026-03-03T14:05:57.250Z"),
    ("2026-03-03 13:05:57 GMT", "2026-03-03T13:05:57Z"),
    ("Tue, 03 Mar 2026 12:00:00 GMT", "2026-03-03T12:00:00Z"),
    ("Thu, 31 Dec 2026 12:00:00.693000000 UTC +00:00", "2026-12-31T12:00:00.693Z"),
]


@pytest.mark.parametrize(("sent", "expected"), TIMES)
def test_a_time_is_read_in_every_form(sent: float | str, expected: str) -> None:
    assert format_moment(parse_moment(sent)) == expected


@pytest.mark.parametrize(
    "sent",
    [
        "Tue, 03 Foo 2026 12:00:00 GMT",
        "",
        "noon",
        "1e9",
        "nan",
        1e300,
        -1e300,
        "9" * 18,
        "0001-01-01",
    ],
)
def test_what_is_no_time_is_refused(sent: float | str) -> None:
    with pytest.raises(ValueError, match="time"):
        parse_moment(sent)


@given(
    st.datetimes(timezones=st.timezones(), allow_imaginary=False).filter(
        lambda t: 2 < t.year < 9998
    )
)
def test_a_time_keeps_its_moment_to_the_microsecond(when: Any) -> None:
    assert parse_moment(format_moment(parse_moment(when.isoformat()))) == parse_moment(
        when.isoformat()
    )
