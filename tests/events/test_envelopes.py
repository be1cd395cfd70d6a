"""Bodies in the envelopes that receivers, queues, logs and exports put around them."""

from __future__ import annotations

import json
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from notifycli.documents.directory_document import Learnt
from notifycli.events.content import Said, read_said
from notifycli.events.decode import EventError, NotOneEventError, decode_event
from notifycli.events.event import Event
from tests.events.bodies import BODIES, CONVERSATION, FORGERY, MESSAGE, UNKNOWN

Json = dict[str, Any]
HELLO = json.dumps(MESSAGE)
SPACED = json.dumps(MESSAGE, indent=1)
ODD = json.dumps({"odd": "~~~???>>>", **MESSAGE}, ensure_ascii=False).replace(
    "~", "\N{LATIN SMALL LETTER Y WITH DIAERESIS}"
)
CRLF = b"\r\n"


def read(line: Any, number: int = 1) -> Event:
    return decode_event(json.dumps(line).encode(), number)


ENVELOPES: list[tuple[str, Any]] = [
    ("a row of a table", {"id": 5, "event": "message_created", "payload": MESSAGE}),
    ("… with columns taken from it", {"id": 6, "conversation_id": 9, "payload": MESSAGE}),
    (
        "… that is like a message's body itself",
        {
            "id": 7,
            "event": "message_created",
            "message_type": "outgoing",
            "content": "",
            "conversation": {"id": 9},
            "user": {"id": 1},
            "data": MESSAGE,
        },
    ),
    ("an event of the receiver's own", {"event": "webhook.received", "data": MESSAGE}),
    ("a name that isn't text", {"event": {"kind": "hook"}, "message": MESSAGE}),
    ("under the name event", {"event": MESSAGE}),
    ("fields that have our names and other types", {"sender": "n8n", "id": [], "body": MESSAGE}),
    ("a name that nobody has thought of", {"id": 9, "event": "message_created", "x9": MESSAGE}),
    ("beside an event of another program", {"source": {"event": "x"}, "after": {"x9": MESSAGE}}),
    ("twice, as it came and as it was read", {"rawRequest": SPACED, "cleanedRequest": MESSAGE}),
    ("a usual name of several words", {"raw_body": HELLO, "id": 9}),
    ("a name in capitals", {"Type": "Notification", "Message": HELLO}),
    ("docker's log", {"log": HELLO + "\n", "stream": "stdout", "time": "2026-03-03T10:00:00Z"}),
    ("a log shipper's message", {"@timestamp": "2026-03-03T10:00:00Z", "message": HELLO}),
    ("… with something before it", {"log": f"POST /hook 200 {HELLO}\n", "stream": "stdout"}),
    ("… with another object before it", {"log": f'{{"a": {{"b": 1}}}} got {HELLO}', "time": "1"}),
    ("… laid out", {"log": f"got it:\n{json.dumps(MESSAGE, indent=2)}\n", "stream": "stdout"}),
    ("… in colours", {"log": f"\x1b[36m{HELLO}\x1b[0m\n", "stream": "stdout"}),
    ("nginx", {"request_body": HELLO, "status": 200}),
    ("… with its own escapes", {"request_body": HELLO.replace('"', "\\x22")}),
    ("journald, of a text with colours", {"MESSAGE": list(f"\x1b[36m{HELLO}\x1b[0m".encode())}),
    ("a queue's value", {"topic": "hooks", "offset": 1, "value": HELLO}),
    ("a gateway's body", {"headers": {"event": "x"}, "body": HELLO, "isBase64Encoded": False}),
    (
        "… in base64",
        {"body": b64encode(HELLO.encode()).decode(), "isBase64Encoded": True},
    ),
    ("… of a list", {"body": b64encode(f"[{HELLO}]".encode()).decode()}),
    ("… of a list that is laid out", {"body": b64encode(f"[\n {HELLO}\n]".encode()).decode()}),
    ("… of a text with a byte order mark", {"body": b64encode(f"\ufeff{HELLO}".encode()).decode()}),
    ("… over lines, as of mail", {"body": encodebytes(HELLO.encode()).decode()}),
    (
        "… over the lines of Windows",
        {"body": CRLF.join(encodebytes(HELLO.encode()).split(b"\n")).decode()},
    ),
    ("… for addresses, unpadded", {"body": urlsafe_b64encode(ODD.encode()).decode().rstrip("=")}),
    ("a queue's records", {"Records": [{"messageId": "1", "body": HELLO}]}),
    ("a push of a cloud", {"message": {"data": b64encode(HELLO.encode()).decode()}}),
    ("a request that was recorded", {"request": {"body": MESSAGE}, "response": {"body": "ok"}}),
    ("n8n", [{"json": {"headers": {}, "params": {}, "query": {}, "body": MESSAGE}}]),
    (
        "a HAR",
        {"log": {"entries": [{"request": {"postData": {"text": HELLO}}, "response": {}}]}},
    ),
    ("Postman", {"info": {}, "item": [{"item": [{"request": {"body": {"raw": HELLO}}}]}]}),
    ("a line that is a text", HELLO),
    (
        "a text in a text in a text",
        {"log": json.dumps({"message": json.dumps({"body": HELLO})})},
    ),
    (
        "an envelope beside the name, without one inside",
        {"id": 1, "event": "message_created", "payload": {**MESSAGE, "event": None}},
    ),
    (
        "a frame of a cable",
        {
            "identifier": '{"channel":"RoomChannel","account_id":1,"user_id":3}',
            "message": {"event": "message.created", "data": {**MESSAGE, "event": None}},
        },
    ),
]


@pytest.mark.parametrize("line", [row[1] for row in ENVELOPES], ids=[row[0] for row in ENVELOPES])
def test_a_body_is_read_out_of(line: Any) -> None:
    assert read(line) == read(MESSAGE)


def test_beside_the_name_in_an_envelope_stands_what_it_is_about() -> None:
    body = {**CONVERSATION, "performer": {"id": 6, "type": "user"}}
    frame = {"identifier": "{}", "message": {"event": "assignee.changed", "data": body}}
    event = read(frame)
    assert (event.name, event.conversation, event.assignee, event.performed_by) == (
        "assignee_changed",
        4,
        2,
        6,
    )


def test_beside_the_name_of_a_missed_service_level_stands_its_conversation() -> None:
    body = {"conversation": CONVERSATION, "account_id": 1}
    beside = read({"event": "sla_missed_resolution", "data": body})
    inside = read({"event": "sla_missed_resolution", **body})
    assert structs.replace(beside, digest=inside.digest) == inside


def as_json(inner: str) -> str:
    return inner


def as_text(inner: str) -> str:
    return json.dumps(inner)


def as_base64(inner: str) -> str:
    return json.dumps(b64encode(inner.encode()).decode())


def in_list(inner: str) -> str:
    return f"[{inner}]"


DECOYS: Json = {
    "id": 77,
    "conversation_id": 9,
    "message_type": "incoming",
    "user": {"id": 1, "name": "hook"},
    "headers": {"x-event": "message_created"},
    "created_at": "2026-04-04T04:04:04Z",
    "status": 200,
    "sender": "n8n",
    "account_id": 9,
    "query": {},
    "response": {"event": "ok"},
}
NAMES = ("body", "payload", "data", "message", "raw", "json", "record", "value", "log", "Records")
MADE_UP = ("hook", "x", "Webhook node")
FORMS: list[Callable[[str], str]] = [as_json, as_text, as_base64, in_list]


@dataclass
class Envelope:
    name: str
    form: Callable[[str], str]
    beside: Json
    first: bool

    def wrap(self, inner: str) -> str:
        fields = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in self.beside.items()]
        own = f"{json.dumps(self.name)}: {self.form(inner)}"
        return "{" + ", ".join([own, *fields] if self.first else [*fields, own]) + "}"


ENVELOPES_DRAWN = st.builds(
    Envelope,
    st.sampled_from(NAMES + MADE_UP),
    st.sampled_from(FORMS),
    st.fixed_dictionaries(
        {},
        optional={
            **{key: st.just(value) for key, value in DECOYS.items()},
            "event": st.sampled_from(["webhook.received", "message_created", "assignee_changed"]),
        },
    ),
    st.booleans(),
)


@given(st.sampled_from(BODIES), st.lists(ENVELOPES_DRAWN, max_size=4))
def test_whatever_is_around_a_body_it_is_the_same_event(body: Json, around: list[Envelope]) -> None:
    # A name that isn't known makes a body only where bodies usually are.
    assume(body is not UNKNOWN or all(one.name in NAMES for one in around))
    line = json.dumps(body)
    for one in around:
        line = one.wrap(line)
    bare, wrapped = json.dumps(body).encode(), line.encode()
    expected = decode_event(bare, 1)
    assert decode_event(wrapped, 1) == expected
    assert read_said(wrapped, expected) == read_said(bare, expected)
    by_itself, learnt = Learnt(), Learnt()
    by_itself.note(bare, 1)
    learnt.note(wrapped, 1)
    assert (learnt.agents, learnt.inboxes) == (by_itself.agents, by_itself.inboxes)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body["event"]))
def test_what_a_customer_writes_is_never_taken_for_an_event(body: Json) -> None:
    read(body)
    assert read(body).conversation != 66
    assert read({"received_at": "2026-03-03T10:00:00Z", **body}).conversation != 66


@pytest.mark.parametrize("around", ["{}", "got {}", 'h={{"a": 1}} got {}'])
def test_what_breaks_off_is_not_looked_into(around: str) -> None:
    forged = {**MESSAGE, "custom_attributes": {"event": "conversation_created", "id": 66}}
    with pytest.raises(EventError, match='no "event"'):
        read({"log": around.format(json.dumps(forged)[:-1])})


def test_a_text_that_only_looks_like_an_event_is_not_looked_into() -> None:
    line = {"event": "message_created", "conversation_id": 4, "content": FORGERY[:-2]}
    assert read(line).conversation == 4


def test_several_events_in_one_line_are_told_apart() -> None:
    other = {**MESSAGE, "id": 430}
    frame = {"message": {"event": "assignee.changed", "data": CONVERSATION}}
    records = [{"body": HELLO}, {"body": json.dumps(other)}, {"body": json.dumps(frame)}]
    with pytest.raises(NotOneEventError) as caught:
        read({"received_at": "2026-03-03T10:00:00Z", "Records": records})
    expected = [read(MESSAGE), read(other), read(frame)]
    assert [decode_event(body, 1) for body in caught.value.bodies] == expected


def test_an_export_of_many_events_by_their_keys_is_read_whole() -> None:
    ids = range(1, 4_000)
    export = {f"-N{id_}": {**MESSAGE, "id": id_} for id_ in ids}
    with pytest.raises(NotOneEventError) as caught:
        read(export)
    assert [json.loads(body)["body"]["id"] for body in caught.value.bodies] == [*ids]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "welcome"},
        {"type": "ping", "message": 1772532000},
        {"type": "confirm_subscription", "identifier": '{"channel":"RoomChannel"}'},
        {"type": "disconnect", "reason": "server_restart", "reconnect": True},
        {"received_at": "2026-03-03T10:00:00Z", "type": "ping", "message": 1772532000},
        {"ts": 1, "data": {"type": "welcome"}},
        {"ts": 1, "data": '{"type":"ping","message":1772532000}'},
    ],
    ids=str,
)
def test_a_frame_that_carries_no_event_is_none_and_no_fault(frame: Json) -> None:
    with pytest.raises(NotOneEventError) as caught:
        read(frame)
    assert caught.value.bodies == ()


NONE_OF = "none of id, content, message_type and sender"
MEANT = 'is not read, for want of an "event" of its own'
WITHOUT_FACTS: list[tuple[str, Json, str]] = [
    ("a name alone", {"event": "message_created"}, "message_created that names no conversation"),
    (
        "a conversation's",
        {"event": "conversation_created", "account": {"id": 1}},
        "conversation_created that names no conversation",
    ),
    (
        "a service level's",
        {"event": "sla_missed_resolution", "account": {"id": 1}},
        "sla_missed_resolution that names no conversation",
    ),
    (
        "a message that says nothing",
        {"event": "message_created", "conversation": {"id": 4}, "content": None},
        f"message_created that has {NONE_OF}",
    ),
    (
        "a message beside its conversation",
        {"event": "message_created", "conversation": {"id": 4}, "message": {"id": 1}},
        f'message_created that has {NONE_OF}; "message" in it {MEANT}',
    ),
    ("nothing of the kind", {"hello": {"event": 1}}, 'no "event" with the name of what happened'),
    ("a frame that is refused", {"type": "reject_subscription"}, 'no "event" with the name of'),
]


@pytest.mark.parametrize(
    ("body", "fault"), [row[1:] for row in WITHOUT_FACTS], ids=[row[0] for row in WITHOUT_FACTS]
)
def test_an_event_without_its_facts_is_a_bad_line(body: Json, fault: str) -> None:
    with pytest.raises(EventError) as caught:
        read(body)
    assert str(caught.value).startswith(fault)


@pytest.mark.parametrize(
    "half",
    [rb"\ud83d", rb"\uDE00", rb"\ud83dx", rb"\ude00\ud83d", b"\xed\xa0\xbd", rb"\\\ud83d"],
    ids=repr,
)
@pytest.mark.parametrize(
    "around", ["{}", '{{"body": {}}}', '{{"log": {{"body": {}}}}}'], ids=["bare", "one", "two"]
)
def test_half_a_pair_costs_that_character_and_not_the_event(half: bytes, around: str) -> None:
    line = around.format(json.dumps({**MESSAGE, "content": "a HALF b @x"})).encode()
    event = decode_event(line.replace(b"HALF", half), 1)
    assert event.message is not None
    assert event.message.content.startswith("a ")
    assert event.message.content.endswith(" b @x")
    assert "�" in event.message.content
    assert "�" in read_said(line.replace(b"HALF", half), event).text


def test_what_is_said_is_read_though_a_name_is_no_utf_8() -> None:
    line = json.dumps({**MESSAGE, "sender": {"id": 2, "name": "André"}}, ensure_ascii=False)
    said = read_said(line.encode("windows-1252"), read(MESSAGE))
    assert said == Said(contact="Kit", author="Andr�", text="Hello", inbox="API")


def test_a_whole_pair_and_an_escaped_backslash_stay_as_they_are() -> None:
    text = rb'"@ \ud83d\ude00 \\ud83d \ud83d"'
    line = json.dumps({**MESSAGE, "content": "TEXT"}).encode().replace(b'"TEXT"', text)
    message = decode_event(line, 1).message
    assert message is not None
    assert message.content == "@ 😀 \\ud83d �"


def test_half_a_pair_in_a_text_in_a_text() -> None:
    inner = json.dumps({**MESSAGE, "content": "@ \ud83d"})
    message = read({"log": inner}).message
    assert message is not None
    assert message.content == "@ �"
