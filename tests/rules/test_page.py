"""The examples of `docs/beyond.md`, sections 5 to 7: what comes between events, and sounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.rules.cases import DIRECTORY, HOUR, MINUTE, NOON
from tests.rules.harness import decisions_of, replay_of
from tests.rules.slow import evaluate
from tests.rules.test_decisions import comparable

Json = dict[str, Any]

MIDNIGHT = NOON - 12 * HOUR


def clock(time: str) -> int:
    """Return a time of day as Unix seconds: of Tuesday, or of the named day after it."""
    *day, hours = time.split()
    week = ("tue", "wed", "thu", "fri", "sat", "sun", "mon")
    hour, minute, *second = (int(part) for part in hours.split(":"))
    days = week.index(day[0]) if day else 0
    return MIDNIGHT + days * 24 * HOUR + hour * HOUR + minute * MINUTE + sum(second)


def conversation(id_: int, assignee: int | None = 7, **fields: Any) -> Json:
    meta = {"assignee": None if assignee is None else {"id": assignee, "type": "user"}}
    return {"id": id_, "inbox_id": 3, "status": "open", "meta": meta, **fields}


def message(time: str, id_: int, assignee: int | None, fields: Json, **of: Any) -> Json:
    body = {"event": "message_created", "account": {"id": 1}, "created_at": clock(time)}
    identity = {"id": clock(time) * 100 + id_, "content": "Hello?"}
    return body | identity | of | {"conversation": conversation(id_, assignee, **fields)}


def customer(time: str, id_: int = 42, assignee: int | None = 7, **fields: Any) -> Json:
    return message(time, id_, assignee, fields, message_type="incoming")


def reply(
    time: str, by: int, id_: int = 42, assignee: int | None = 7, *, private: bool = False
) -> Json:
    sender = {"id": by, "type": "user"}
    of = {"message_type": "outgoing", "sender": sender, "private": private}
    return message(time, id_, assignee, {}, **of)


def update(time: str, id_: int = 42, assignee: int | None = 7, **fields: Any) -> Json:
    body = {"event": "conversation_updated", "account": {"id": 1}, "updated_at": clock(time)}
    return body | conversation(id_, assignee, **fields)


def anything(time: str) -> Json:
    return {"event": "presence_update", "account_id": 1, "created_at": clock(time)}


def opens(time: str, user: int, id_: int = 42) -> Json:
    return anything(time) | {"user": {"id": user}, "conversation_id": id_}


def online(time: str, **users: str) -> Json:
    return anything(time) | {"users": {name.removeprefix("_"): one for name, one in users.items()}}


WAITING = {7: "email.conversation_waiting=on; waiting_after=10m", 9: "push.escalation=on"}
HOURS = {7: "email.conversation_waiting=on; waiting_after=10m; business_hours=09:00-17:00 mon-fri"}
NIGHT = "push.assigned_conversation_new_message=on; quiet_hours=22:00-07:00"
HOLD = {7: f"{NIGHT}; quiet_hours_then=hold"}
ABSENT = {7: "push.assigned_conversation_new_message=on; when_unavailable=digest"}
ABSENT_AT_NOON = {7: f"{ABSENT[7]}; quiet_hours=12:15-13:00"}
TO_7 = ["12:10 email conversation_waiting to 7: enabled, user, line 1"]
NO_PUSH = ["12:10 push conversation_waiting to 7: disabled, builtin, line 1"]
TO_9 = [
    "13:00 email escalation to 9: disabled, builtin, line 1",
    "13:00 push escalation to 9: enabled, user, line 1",
]
BUSY = [online("12:00", _7="busy"), customer("12:05")]
NAMES_42 = ["07:00 push digest to 7: enabled, user, line 1, of 42"]

# What is set (`42:key=value` in that conversation), the events, and what comes between them.
CASES: dict[str, tuple[dict[int, str], list[Json], list[str]]] = {
    "the first message without a reply counts": (
        WAITING,
        [customer("12:00"), customer("12:05"), anything("12:20")],
        [*TO_7, *NO_PUSH],
    ),
    "a reply in the moment of the deadline is in time": (
        WAITING,
        [customer("12:00"), reply("12:10", by=7), anything("13:30")],
        [],
    ),
    "a private note is no reply": (
        WAITING,
        [customer("12:00"), reply("12:05", by=7, private=True), anything("12:20")],
        [*TO_7, *NO_PUSH],
    ),
    "given to somebody who has set nothing": (
        WAITING,
        [customer("12:00"), update("12:05", assignee=8), anything("13:30")],
        TO_9,
    ),
    "a wait for each message without a reply": (
        WAITING,
        [customer("12:00"), reply("12:30", by=7), customer("12:40"), anything("13:30")],
        [
            *TO_7,
            *NO_PUSH,
            "12:50 email conversation_waiting to 7: enabled, user, line 3",
            "12:50 push conversation_waiting to 7: disabled, builtin, line 3",
        ],
    ),
    "what is resolved waits for nobody": (
        WAITING,
        [customer("12:00"), update("12:05", status="resolved"), anything("13:30")],
        [],
    ),
    "while a bot has it nobody waits": (
        WAITING,
        [
            customer("12:00"),
            update("12:05", status="pending"),
            update("12:30"),
            anything("12:45"),
        ],
        [
            "12:40 email conversation_waiting to 7: enabled, user, line 1",
            "12:40 push conversation_waiting to 7: disabled, builtin, line 1",
        ],
    ),
    "what a log doesn't reach isn't known": (WAITING, [customer("12:00")], []),
    "of one moment the lesser conversation comes first": (
        WAITING,
        [customer("12:00"), customer("12:00", 41), anything("12:20")],
        [line.replace("line 1", f"line {line_}") for line_ in (2, 1) for line in (*TO_7, *NO_PUSH)],
    ),
    "only business hours are counted": (
        HOURS,
        [customer("fri 16:55"), anything("mon 10:00")],
        [
            "mon 09:05 email conversation_waiting to 7: enabled, user, line 1",
            "mon 09:05 push conversation_waiting to 7: disabled, builtin, line 1",
        ],
    ),
    "the last moment of business hours": (
        HOURS,
        [customer("fri 16:50"), anything("fri 17:01")],
        [
            "fri 17:00 email conversation_waiting to 7: enabled, user, line 1",
            "fri 17:00 push conversation_waiting to 7: disabled, builtin, line 1",
        ],
    ),
    "an escalation that is muted": (
        WAITING | {9: f"{WAITING[9]}; 42:mute=on"},
        [customer("12:00"), anything("13:30")],
        [*TO_7, *NO_PUSH, TO_9[0], "13:00 push escalation to 9: muted, conversation, line 1"],
    ),
    "an escalation on an added channel alone": (
        {9: "slack.escalation=on"},
        [customer("12:00"), anything("13:30")],
        [
            "13:00 email escalation to 9: disabled, builtin, line 1",
            "13:00 push escalation to 9: disabled, builtin, line 1",
            "13:00 slack escalation to 9: enabled, user, line 1",
        ],
    ),
    "a night's messages": (
        HOLD,
        [
            customer("23:00"),
            customer("23:10", 43),
            customer("23:20"),
            anything("wed 08:00"),
        ],
        ["wed 07:00 push digest to 7: enabled, user, line 1, of 42 43"],
    ),
    "somebody replied in the night": (
        HOLD,
        [customer("23:00"), reply("23:30", by=8), anything("wed 08:00")],
        [],
    ),
    "a reply, and another message": (
        HOLD,
        [
            customer("23:00"),
            customer("23:10", 43),
            reply("23:30", by=8),
            customer("23:40"),
            anything("wed 08:00"),
        ],
        ["wed 07:00 push digest to 7: enabled, user, line 2, of 43 42"],
    ),
    "a reply in the moment in which quiet hours end": (
        HOLD,
        [customer("23:00"), reply("wed 07:00", by=8), anything("wed 08:00")],
        [],
    ),
    "who has it open knows it": (
        HOLD,
        [customer("23:00"), opens("wed 06:00", 7), anything("wed 08:00")],
        [],
    ),
    "what somebody else has open": (
        HOLD,
        [customer("23:00"), opens("wed 06:00", 8), anything("wed 08:00")],
        [f"wed {line}" for line in NAMES_42],
    ),
    "resolved in the night": (
        HOLD,
        [customer("23:00"), update("23:30", status="resolved"), anything("wed 08:00")],
        [],
    ),
    "resolved, and another message": (
        HOLD,
        [
            customer("23:00"),
            update("23:30", status="resolved"),
            customer("23:40", status="resolved"),
            anything("wed 08:00"),
        ],
        ["wed 07:00 push digest to 7: enabled, user, line 3, of 42"],
    ),
    "the log ends before quiet hours do": (HOLD, [customer("23:00"), anything("wed 06:59")], []),
    "quiet for ever": (
        {7: HOLD[7].replace("22:00-07:00", "00:00-00:00")},
        [customer("23:00"), anything("mon 08:00")],
        [],
    ),
    "what isn't held is dropped": ({7: NIGHT}, [customer("23:00"), anything("wed 08:00")], []),
    "back from being busy": (
        ABSENT,
        [*BUSY, online("12:30", _7="online")],
        ["12:30 push digest to 7: enabled, user, line 2, of 42"],
    ),
    "back in quiet hours": (
        ABSENT_AT_NOON,
        [*BUSY, online("12:30", _7="online"), anything("13:30")],
        ["13:00 push digest to 7: enabled, user, line 2, of 42"],
    ),
    "what quiet hours don't hold": (
        ABSENT_AT_NOON,
        [*BUSY, online("12:30", _7="online"), customer("12:40", 43), anything("13:30")],
        ["13:00 push digest to 7: enabled, user, line 2, of 42"],
    ),
}


CREATED = update("12:00", assignee=None) | {"event": "conversation_created"}
CREATION, ASSIGNMENT = "conversation_creation", "conversation_assignment"
IN_FRONT = anything("11:00") | {"user": {"id": 7}, "visible": True}


def assigned(to: int, by: int) -> Json:
    change = {"previous_value": None, "current_value": to}
    of = {
        "performed_by": {"id": by, "type": "user"},
        "changed_attributes": [{"assignee_id": change}],
    }
    return update("12:00", assignee=to) | of


# What is set (`default:` for everybody, `inbox:` in inbox 3), the events, and what sounds.
SOUNDS: dict[str, tuple[dict[int, str], list[Json], list[str]]] = {
    "a creation sounds": (
        {7: "audio.events=message+created"},
        [CREATED],
        [f"12:00 audio {CREATION} to 7: enabled, user, line 1"],
    ),
    "in front of the window": (
        {7: "audio.events=message+created"},
        [IN_FRONT, CREATED],
        [f"12:00 audio {CREATION} to 7: window_visible, builtin, line 2"],
    ),
    "an assignment sounds": (
        {7: "audio.events=assigned"},
        [assigned(to=7, by=9)],
        [f"12:00 audio {ASSIGNMENT} to 7: enabled, user, line 1"],
    ),
    "who did it knows": (
        {7: "audio.events=assigned"},
        [assigned(to=7, by=7)],
        [f"12:00 audio {ASSIGNMENT} to 7: self_assigned, None, line 1"],
    ),
    "assigned to somebody who has set nothing": (
        {7: "audio.events=assigned"},
        [assigned(to=8, by=9)],
        [],
    ),
    "only messages sound": (
        {7: "audio.events=message"},
        [assigned(to=7, by=9)],
        [f"12:00 audio {ASSIGNMENT} to 7: disabled, user, line 1"],
    ),
    "messages are left out": (
        {7: "audio=all; audio.events=created"},
        [customer("12:00")],
        [
            "12:00 audio new_message to 7: disabled, user, line 1",
            "12:00 audio new_message to 8: disabled, builtin, line 1",
            "12:00 audio new_message to 9: disabled, builtin, line 1",
        ],
    ),
    "a conversation that is muted": (
        {7: "audio=all; 42:mute=on; default:audio.events=message+assigned"},
        [assigned(to=7, by=9)],
        [f"12:00 audio {ASSIGNMENT} to 7: muted, conversation, line 1"],
    ),
    "an inbox that is another's": (
        {8: "default:audio.events=created; inbox:audio.events=message"},
        [CREATED],
        [
            f"12:00 audio {CREATION} to 7: enabled, default, line 1",
            f"12:00 audio {CREATION} to 8: disabled, inbox, line 1",
        ],
    ),
    "however loud": (
        {7: "audio.events=assigned; audio.volume=0"},
        [assigned(to=7, by=9)],
        [f"12:00 audio {ASSIGNMENT} to 7: enabled, user, line 1"],
    ),
}


def rows_of(values: dict[int, str]) -> list[Json]:
    rows = []
    for user, written in values.items():
        for word in written.split("; "):
            name, _, value = word.partition("=")
            place, _, key = name.rpartition(":")
            row: Json = {"account": 1, "layer": "user", "user": user, "inbox": None, "key": key}
            if place == "default":
                row |= {"layer": "default", "user": None}
            elif place == "inbox":
                row |= {"layer": "inbox", "inbox": 3}
            elif place:
                row |= {"layer": "conversation", "conversation": int(place)}
            rows.append({**row, "value": value})
    return rows


def written(decision: Json) -> str:
    at = datetime.fromisoformat(decision["at"])
    day = "" if at.day == 3 else f"{at:%a} ".lower()
    said = (decision["reason"], str(decision["origin"]), f"line {decision['line']}")
    named = " ".join(str(one) for one in decision.get("conversations") or [])
    who = f"{decision['channel']} {decision['type']} to {decision['user_id']}"
    return f"{day}{at:%H:%M} {who}: {', '.join(said)}" + (f", of {named}" if named else "")


def by_reference(values: dict[int, str], events: list[Json]) -> list[Json]:
    return evaluate([json.dumps(event) for event in events], DIRECTORY, rows_of(values))


def by_product(values: dict[int, str], events: list[Json]) -> list[Json]:
    lines = [json.dumps(event) for event in events]
    return comparable(decisions_of(replay_of(DIRECTORY, rows_of(values)), lines))


EVALUATORS = pytest.mark.parametrize("decided", [by_product, by_reference])
Evaluator = Callable[[dict[int, str], list[Json]], list[Json]]


@EVALUATORS
@pytest.mark.parametrize(("values", "events", "expected"), CASES.values(), ids=CASES)
def test_what_comes_between_events(
    values: dict[int, str], events: list[Json], expected: list[str], decided: Evaluator
) -> None:
    between = ("conversation_waiting", "escalation", "digest")
    found = [one for one in decided(values, events) if one["type"] in between]
    assert [written(one) for one in found] == expected


@EVALUATORS
@pytest.mark.parametrize(("values", "events", "expected"), SOUNDS.values(), ids=SOUNDS)
def test_what_sounds(
    values: dict[int, str], events: list[Json], expected: list[str], decided: Evaluator
) -> None:
    found = [one for one in decided(values, events) if one["channel"] == "audio"]
    assert [written(one) for one in found] == expected
