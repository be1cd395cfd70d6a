"""What is withheld for a time comes as a digest: a table of worked examples, and laws."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given as drawn
from hypothesis import strategies as st

from notifycli.delivery.enqueue import pack_state, unpack_state
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.rules.decision import Decision, DigestDecision
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer
from notifycli.rules.quiet_hours import QuietHours
from notifycli.rules.replay import event_fields
from notifycli.rules.state import Held, Withheld
from tests.conftest import Notifycli
from tests.replay.test_fold import shared_out, whole
from tests.rules.cases import DIRECTORY
from tests.rules.harness import decisions_of
from tests.rules.harness import replay_of as slow_replay_of
from tests.rules.slow import evaluate
from tests.rules.test_beyond import conversation, message, replay_of
from tests.rules.test_decisions import first_difference
from tests.rules.worlds import World

Json = dict[str, Any]
Told = tuple[str | None, int, str, list[int], int, str | None]
"""Of a digest: its time, user, channel, conversations, line and origin."""
HELD = {
    "push.assigned_conversation_new_message": "on",
    "quiet_hours": "22:00-07:00",
    "quiet_hours_then": "hold",
}
DIGESTED = {"push.assigned_conversation_new_message": "on", "when_unavailable": "digest"}


def at(clock: str) -> int:
    """Return a moment: in the evening it is of the day before."""
    hour, minute, second = map(int, f"{clock}:00".split(":")[:3])
    return int(
        datetime(2026, 3, 3 if hour >= 12 else 4, hour, minute, second, tzinfo=UTC).timestamp()
    )


def writes(clock: str, id_: int = 42, **fields: Any) -> Json:
    return message(at(clock), id_=id_, **fields)


def replies(clock: str, id_: int = 42, user: int = 8, **fields: Any) -> Json:
    by = {"id": user, "type": "user"}
    return writes(clock, id_, message_type="outgoing", sender=by, **fields)


def shown(clock: str, status: str, id_: int = 42) -> Json:
    return {
        "event": "conversation_status_changed",
        "created_at": at(clock),
        "updated_at": at(clock),
        "account": {"id": 1},
        **conversation(id_, status=status),
    }


def opens(clock: str, user: int = 7, **fields: Any) -> Json:
    return {
        "event": "presence_update",
        "account_id": 1,
        "user": {"id": user},
        "created_at": at(clock),
        "conversation_id": 42,
        **fields,
    }


def types(clock: str, user: int = 7) -> Json:
    return {
        "event": "conversation_typing_on",
        "created_at": at(clock),
        "account": {"id": 1},
        "conversation": conversation(),
        "user": {"id": user, "type": "user"},
    }


def online(clock: str, **users: str) -> Json:
    named = {name.removeprefix("_"): state for name, state in users.items()}
    return {"event": "presence.update", "account_id": 1, "users": named, "created_at": at(clock)}


def anything(clock: str) -> Json:
    return shown(clock, "open", 99)


@dataclass(frozen=True)
class Case:
    """What is set for user 7, what happens, and which digests come."""

    events: list[Json]
    digests: list[Told]
    own: Json = field(default_factory=lambda: HELD)
    inbox: Json = field(default_factory=dict)
    here: Json = field(default_factory=dict)


def in_the_morning(*ids: int, line: int = 1, clock: str = "07:00", origin: str = "user") -> Told:
    return (f"2026-03-04T{clock}:00Z", 7, "push", [*ids], line, origin)


CASES = {
    "what quiet hours withheld comes when they end, each conversation once": Case(
        [writes("23:00"), writes("23:10", 43), writes("23:20"), anything("08:00")],
        [in_the_morning(42, 43)],
    ),
    "what has been answered doesn't": Case(
        [writes("23:00"), replies("23:30"), anything("08:00")], []
    ),
    "what comes after an answer does": Case(
        [
            *(writes("23:00"), writes("23:10", 43)),
            *(replies("23:30"), writes("23:40"), anything("08:00")),
        ],
        [in_the_morning(43, 42, line=2)],
    ),
    "an answer in the very moment is in time": Case(
        [writes("23:00"), replies("07:00:00"), anything("08:00")], []
    ),
    "one just after it isn't": Case([writes("23:00"), replies("07:00:01")], [in_the_morning(42)]),
    "a private note of somebody else answers nothing": Case(
        [writes("23:00"), replies("23:30", private=True), anything("08:00")], [in_the_morning(42)]
    ),
    "a private note of one's own shows that one knows": Case(
        [writes("23:00"), replies("23:30", user=7, private=True), anything("08:00")], []
    ),
    "what one has opened is read": Case([writes("23:00"), opens("06:00"), anything("08:00")], []),
    "what one has open behind another window isn't": Case(
        [writes("23:00"), opens("06:00", visible=False), anything("08:00")], [in_the_morning(42)]
    ),
    "what somebody else has opened isn't": Case(
        [writes("23:00"), opens("06:00", 8), anything("08:00")], [in_the_morning(42)]
    ),
    "who types knows": Case([writes("23:00"), types("06:00"), anything("08:00")], []),
    "somebody else who types doesn't matter": Case(
        [writes("23:00"), types("06:00", 8), anything("08:00")], [in_the_morning(42)]
    ),
    "what is resolved is done": Case(
        [writes("23:00"), shown("23:30", "resolved"), anything("08:00")], []
    ),
    "what comes for one that is resolved isn't": Case(
        [
            *(writes("23:00"), shown("23:30", "resolved")),
            writes("23:40", conversation=conversation(status="resolved")),
            anything("08:00"),
        ],
        [in_the_morning(42, line=3)],
    ),
    "what the log doesn't reach isn't known": Case([writes("23:00"), anything("06:59")], []),
    "quiet hours that never end have no digest": Case(
        [writes("23:00"), {**anything("08:00"), "updated_at": at("08:00") + 700_000}],
        [],
        HELD | {"quiet_hours": "00:00-00:00"},
    ),
    "without hold it is dropped": Case(
        [writes("23:00"), anything("08:00")], [], HELD | {"quiet_hours_then": "drop"}
    ),
    "each channel has its own, with its own conversations": Case(
        [writes("23:00", 43), writes("23:10"), anything("08:00")],
        [
            ("2026-03-04T07:00:00Z", 7, "email", [42], 2, "user"),
            in_the_morning(43, 42),
        ],
        here={"email.assigned_conversation_new_message": "on"},
    ),
    "an inbox can have quiet hours of its own": Case(
        [writes("23:00"), anything("08:30"), anything("09:00:01")],
        [in_the_morning(42, clock="09:00", origin="inbox")],
        HELD | {"quiet_hours_then": "drop"},
        inbox={"quiet_hours": "22:00-09:00", "quiet_hours_then": "hold"},
    ),
    "each is due by the quiet hours of its place": Case(
        [writes("23:00"), writes("23:10", 43), anything("08:30"), anything("09:00:01")],
        [in_the_morning(43, line=2), in_the_morning(42, clock="09:00")],
        here={"quiet_hours": "22:00-09:00"},
    ),
    "what is set for a conversation for a time ends": Case(
        [writes("23:00"), anything("08:00")],
        [in_the_morning(42, clock="05:30")],
        HELD | {"quiet_hours": "off"},
        here={"quiet_hours": "22:00-09:00 until 2026-03-04T05:30:00Z"},
    ),
    "what one has muted meanwhile is left out": Case(
        [writes("23:00"), anything("08:00")],
        [],
        inbox={"mute": "on"},
        here={"mute": "off until 2026-03-04T06:00:00Z"},
    ),
    "of whom is blocked meanwhile nothing is told": Case(
        [
            writes("23:00"),
            {**shown("06:00", "open"), "meta": {"sender": {"id": 5, "blocked": True}}},
            anything("08:00"),
        ],
        [],
    ),
    "a digest tells of what there was since the last one": Case(
        [
            *(writes("23:00"), anything("07:30"), writes("07:40")),
            {**writes("23:00", 43), "created_at": at("08:00") + 54_000, "id": 9},
            {
                **anything("08:00"),
                "created_at": at("08:00") + 90_000,
                "updated_at": at("08:00") + 90_000,
            },
        ],
        [in_the_morning(42), ("2026-03-05T07:00:00Z", 7, "push", [43], 4, "user")],
    ),
    "who is back is told directly": Case(
        [online("12:00", _7="busy"), writes("12:05"), online("12:30", _7="online")],
        [("2026-03-03T12:30:00Z", 7, "push", [42], 2, "user")],
        DIGESTED,
    ),
    "who is back in quiet hours is told at their end": Case(
        [
            *(online("12:00", _7="busy"), writes("12:05"), online("12:30", _7="online")),
            *(writes("12:40", 43), anything("13:30")),
        ],
        [("2026-03-03T13:00:00Z", 7, "push", [42], 2, "user")],
        DIGESTED | {"quiet_hours": "12:15-13:00"},
    ),
    "who is away at the end of quiet hours is told when they are back": Case(
        [
            *(writes("23:00"), online("06:00", _8="online", _7="busy"), anything("08:00")),
            online("09:00", _7="online"),
        ],
        [in_the_morning(42, clock="09:00")],
        HELD | {"when_unavailable": "withhold"},
    ),
    "whom nothing is withheld from while away is told all the same": Case(
        [writes("23:00"), online("06:00", _7="busy"), anything("08:00")], [in_the_morning(42)]
    ),
    "who is back with the conversation open has read it": Case(
        [
            *(online("12:00", _7="busy"), writes("12:05")),
            opens("12:30", user=7) | {"user": {"id": 7, "availability_status": "online"}},
        ],
        [],
        DIGESTED,
    ),
    "where no time is known it comes without one": Case(
        [
            online("12:00", _7="busy") | {"created_at": None},
            writes("12:05") | {"created_at": None},
            online("12:30", _7="online") | {"created_at": None},
        ],
        [(None, 7, "push", [42], 2, "user")],
        DIGESTED,
    ),
}


def stored_for(case: Case) -> Preferences:
    return Preferences(
        user={7: case.own},
        inbox={(7, 3): case.inbox} if case.inbox else {},
        conversation={(7, 42): case.here} if case.here else {},
    )


def digests_in(decisions: list[Decision]) -> list[Told]:
    return [
        (one.at, one.user_id, one.channel.value, [*one.conversations], one.line, one.origin)
        for one in decisions
        if isinstance(one, DigestDecision)
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_was_withheld_comes_as_a_digest(case: Case) -> None:
    lines = [json.dumps(body) for body in case.events]
    assert digests_in(decisions_of(replay_of(stored_for(case)), lines)) == case.digests


# Laws, on logs that are drawn.

USERS = (7, 8)
ACTIONS = st.sampled_from(
    ["customer", "customer", "customer", "reply", "note", "resolved", "open", "opens", "types",
     "busy", "online", "gone", "anything"]
)  # fmt: skip
STEPS = st.lists(
    st.tuples(
        ACTIONS, st.integers(41, 43), st.sampled_from(USERS), st.sampled_from([1, 7, 45, 180, 900])
    ),
    min_size=3,
    max_size=25,
)
OWN = st.fixed_dictionaries(
    {},
    optional={
        "push.assigned_conversation_new_message": st.just("on"),
        "push.unassigned_conversation_new_message": st.just("on"),
        "email.participating_conversation_new_message": st.just("on"),
        "quiet_hours": st.sampled_from(
            [
                "22:00-07:00",
                "12:00-11:00",
                "00:00-00:00 mon-fri",
                "off",
                "20:00-22:30 Asia/Kathmandu",
            ]
        ),
        "quiet_hours_then": st.sampled_from(["hold", "hold", "drop"]),
        "when_unavailable": st.sampled_from(["digest", "digest", "withhold", "send"]),
        "mute": st.just("on"),
    },
)
EVERYTHING_ON = {
    "push.assigned_conversation_new_message": "on",
    "push.unassigned_conversation_new_message": "on",
    "quiet_hours": "22:00-07:00",
    "quiet_hours_then": "hold",
    "when_unavailable": "digest",
}


def body_of(action: str, id_: int, user: int, clock: int) -> Json:
    """Return one event of a drawn log."""
    sender = {"id": user, "type": "user"}
    written: dict[str, Json] = {
        "customer": {"message_type": "incoming"},
        "reply": {"message_type": "outgoing", "sender": sender},
        "note": {"message_type": "outgoing", "sender": sender, "private": True},
    }
    presences: dict[str, dict[str, str]] = {
        "busy": {str(user): "busy", str(15 - user): "online"},
        "online": {"7": "online", "8": "online"},
        "gone": {str(15 - user): "online"},
    }
    assignee = {41: None, 42: 7, 43: 8}[id_]
    if action in written:
        return message(clock, id_=id_, assignee=assignee, **written[action])
    if action in presences:
        return {**online("12:00"), "users": presences[action], "created_at": clock}
    if action == "opens":
        return {**opens("12:00", user), "conversation_id": id_, "created_at": clock}
    if action == "types":
        return {**types("12:00", user), "conversation": conversation(id_), "created_at": clock}
    status = "resolved" if action == "resolved" else "open"
    place = 99 if action == "anything" else id_
    return {**shown("12:00", status, place), "created_at": clock, "updated_at": clock}


def log_of(steps: list[tuple[str, int, int, int]]) -> list[Json]:
    clock, bodies = at("21:00"), []
    for action, id_, user, minutes in steps:
        clock += 60 * minutes
        bodies.append(body_of(action, id_, user, clock))
    return bodies


@drawn(STEPS, OWN, OWN, OWN)
@example(
    [("busy", 42, 7, 1), ("customer", 42, 7, 1), ("customer", 41, 7, 45), ("gone", 42, 8, 7),
     ("customer", 43, 7, 45), ("online", 42, 7, 180), ("customer", 42, 7, 900)],
    EVERYTHING_ON, EVERYTHING_ON, {},
)  # fmt: skip
def test_who_takes_over_anywhere_gives_the_same_digests(
    steps: list[tuple[str, int, int, int]], jane: Json, omar: Json, here: Json
) -> None:
    stored = Preferences(user={7: jane, 8: omar}, conversation={(7, 42): here})
    lines = [json.dumps(body) for body in log_of(steps)]
    expected = decisions_of(replay_of(stored), lines)
    for cut in range(len(lines)):
        before, after = replay_of(stored), replay_of(stored)
        found = decisions_of(before, lines[:cut])
        after.account(1).resume(unpack_state(pack_state(before.account(1).state)))
        found += decisions_of(after, lines[cut:], cut + 1)
        assert found == expected


class Expected:
    """What each digest must name, by the log and the other decisions alone."""

    def __init__(self, own: dict[int, Json]) -> None:
        self.own = own
        self.held: dict[tuple[int, str], list[int]] = {
            (user, channel): [] for user in USERS for channel in ("email", "push")
        }
        self.absent = set[int]()
        self.named = set[int]()
        self.status: dict[int, str] = {}
        self.clock = 0

    def can_be_told(self, user: int, clock: int) -> bool:
        own = self.own[user]
        hours = own.get("quiet_hours", "off")
        if hours != "off" and QuietHours.parse(hours).hold(clock * SECOND):
            return False
        return user not in self.absent or own.get("when_unavailable", "send") == "send"

    def pass_to(self, clock: int) -> None:
        """Check that nothing is held that could have been told before a moment."""
        for (user, _), ids in self.held.items():
            minutes = range(self.clock + 60, clock, 60) if ids else ()
            assert not any(self.can_be_told(user, minute) for minute in minutes)
        self.clock = clock

    def overtake(self, action: str, id_: int, user: int, body: Json) -> None:
        known = self.status.get(id_)
        status = body.get("status") or body.get("conversation", {}).get("status")
        of_all = action == "reply" or (action == "resolved" and known != "resolved")
        if action in ("customer", "reply", "note", "resolved", "open", "types"):
            self.status[id_] = status
        for (one, _), ids in self.held.items():
            own = action in ("reply", "note", "opens", "types") and one == user
            if id_ in ids and (of_all or own):
                ids.remove(id_)

    def hold(self, action: str, decision: Decision) -> None:
        own, id_ = self.own[decision.user_id], decision.conversation_id or 0
        key = {
            "quiet_hours": own.get("quiet_hours_then") == "hold",
            "unavailable": own.get("when_unavailable") == "digest",
        }
        ids = self.held.get((decision.user_id, decision.channel.value))
        if key.get(decision.reason) and action != "reply" and ids is not None and id_ not in ids:
            ids.append(id_)

    def tell(self, digest: DigestDecision) -> None:
        ids = self.held[digest.user_id, digest.channel.value]
        assert [*digest.conversations] == ids != []
        ids.clear()

    def see(self, body: Json) -> None:
        if "users" in body:
            there = {int(user) for user, state in body["users"].items() if state == "online"}
            self.named |= {*map(int, body["users"])}
            self.absent = self.named - there


@drawn(STEPS, OWN, OWN)
@example(
    [
        *(("customer", 42, 7, 180), ("customer", 41, 7, 45)),
        *(("reply", 42, 8, 7), ("anything", 41, 7, 900)),
    ],
    EVERYTHING_ON,
    EVERYTHING_ON,
)
def test_a_digest_names_exactly_what_was_withheld_and_not_overtaken(
    steps: list[tuple[str, int, int, int]], jane: Json, omar: Json
) -> None:
    own = {7: jane, 8: omar, 9: {}}
    replay, expected = replay_of(Preferences(user=own)), Expected(own)
    for step, body in zip(steps, log_of(steps), strict=True):
        decisions = decisions_of(replay, [json.dumps(body)])
        digests = [one for one in decisions if isinstance(one, DigestDecision)]
        now = format_moment(body["created_at"] * SECOND)
        for digest in digests:
            if digest.at != now:
                expected.tell(digest)
        expected.pass_to(body["created_at"])
        expected.overtake(*step[:3], body)
        for decision in decisions:
            if not isinstance(decision, DigestDecision):
                expected.hold(step[0], decision)
        expected.see(body)
        for digest in digests:
            if digest.at == now:
                expected.tell(digest)


WHERE = st.tuples(
    st.sampled_from([7, 8]), st.sampled_from([Channel.EMAIL, Channel.PUSH]), st.integers(41, 43)
)
DROPPED = st.tuples(
    st.integers(41, 43),
    st.sampled_from([None, 7, 8]),
    st.sampled_from([None, Channel.EMAIL, Channel.PUSH]),
)


@drawn(st.lists(WHERE | DROPPED), st.integers(0, 10))
def test_what_is_held_is_what_was_added_and_not_dropped_since(
    steps: list[tuple[Any, Any, Any]], cut: int
) -> None:
    withheld, expected = Withheld(), dict[tuple[int, Channel, int], Held]()
    for number, step in enumerate(steps):
        if number == cut:  # A snapshot of what was before it was known by conversation.
            withheld = Withheld(withheld.of_users, withheld.said)
        if isinstance(step[1], Channel):
            held = Held(number, None, None, "quiet_hours_then", Layer.USER)
            assert withheld.add(*step, held) is (step not in expected)
            expected.setdefault(step, held)
            withheld.said[step[2]] = "Mia", "Hello"
        else:
            id_, user, channel = step
            withheld.drop(id_, user, channel)
            expected = {
                at: held
                for at, held in expected.items()
                if at[2] != id_ or user not in {None, at[0]} or channel not in {None, at[1]}
            }
        of_users: dict[int, dict[Channel, dict[int, Held]]] = {}
        for (user, channel, id_), held in expected.items():
            of_users.setdefault(user, {}).setdefault(channel, {})[id_] = held
        assert withheld.of_users == of_users
        known = {id_ for _, _, id_ in expected}
        assert {id_ for id_ in range(41, 44) if withheld.holds(id_)} == known
        assert withheld.said.keys() == known


ODD_STEPS = st.lists(
    st.tuples(
        st.one_of(ACTIONS, st.sampled_from(["back", "blocked", "hers", "unknown"])),
        st.integers(41, 43),
        st.sampled_from(USERS),
        st.sampled_from([1, 7, 45, 180, 900, 0, -30, -600, None]),
    ),
    min_size=3,
    max_size=25,
)
HERE = st.fixed_dictionaries(
    {},
    optional={
        "quiet_hours": st.sampled_from(
            [
                "off",
                "22:00-09:00",
                "21:30-23:00 until 2026-03-03T22:10:00Z",
                "off until 2026-03-04T01:00:00Z",
            ]
        ),
        "quiet_hours_then": st.sampled_from(["hold", "drop", "hold until 2026-03-04T01:00:00Z"]),
        "when_unavailable": st.sampled_from(
            ["digest", "send", "withhold until 2026-03-04T01:00:00Z"]
        ),
        "mute": st.sampled_from(["off", "on", "off until 2026-03-04T01:00:00Z"]),
    },
)


def odd_body(action: str, id_: int, user: int, clock: int) -> Json:
    if action == "back":
        status = {"id": user, "availability_status": "online"}
        return {**body_of("opens", id_, user, clock), "user": status}
    if action == "blocked":
        meta = {"sender": {"id": 5, "type": "contact", "blocked": True}}
        return {**body_of("open", id_, user, clock), "meta": meta}
    if action == "hers":
        by = {"id": user, "type": "user"}
        change = {"assignee_id": {"previous_value": None, "current_value": 15 - user}}
        meta = {"assignee": {"id": 15 - user, "type": "user"}}
        body = {**body_of("open", id_, user, clock), "event": "conversation_updated"}
        return {**body, "meta": meta, "performed_by": by, "changed_attributes": [change]}
    if action == "unknown":
        return {**body_of("open", id_, user, clock), "event": "something_else"}
    return body_of(action, id_, user, clock)


Steps = list[tuple[str, int, int, int | None]]


def world_of(steps: Steps, jane: Json, omar: Json, here: Json) -> World:
    clock, lines = at("21:00"), []
    for number, (action, id_, user, minutes) in enumerate(steps):
        clock += 60 * (minutes or 0)
        body = odd_body(action, id_, user, clock)
        if minutes is None:
            body |= {"created_at": None, "updated_at": None}
        lines.append(json.dumps(body | ({"id": number} if "message_type" in body else {})))
    row = {"account": 1, "inbox": None}
    rows = [
        *(row | {"layer": "user", "user": 7, "key": k, "value": v} for k, v in jane.items()),
        *(row | {"layer": "user", "user": 8, "key": k, "value": v} for k, v in omar.items()),
        *(
            row | {"layer": "conversation", "user": 7, "conversation": 42, "key": k, "value": v}
            for k, v in here.items()
        ),
    ]
    return World(DIRECTORY, rows, lines, 1)


ODD_WORLDS = st.builds(world_of, ODD_STEPS, OWN, OWN, HERE)
ABSENCES = world_of(
    [
        *(("busy", 42, 7, 1), ("customer", 42, 7, 1), ("customer", 43, 8, 45), ("gone", 42, 8, 7)),
        *(("customer", 42, 7, 45), ("online", 42, 7, 180), ("customer", 42, 7, 180)),
        ("anything", 41, 7, 900),
    ],
    EVERYTHING_ON,
    EVERYTHING_ON,
    {},
)


@drawn(ODD_WORLDS)
@example(ABSENCES)
def test_digests_are_those_of_the_slow_evaluator(world: World) -> None:
    kept = {*DigestDecision.__struct_fields__} - {"email", "deliverable", "file"}
    found = [
        plain({field: getattr(one, field) for field in one.__struct_fields__ if field in kept})
        for one in decisions_of(slow_replay_of(DIRECTORY, world.preferences), world.lines)
    ]
    expected = [*map(plain, evaluate(world.lines, DIRECTORY, world.preferences))]
    assert first_difference(found, expected) is None


def plain(decision: Json) -> Json:
    return {key: [*value] if key == "conversations" else value for key, value in decision.items()}


@drawn(ODD_WORLDS, st.lists(st.integers(0, 25), max_size=4), st.sampled_from([(0, 1), (1, 0, 2)]))
@example(ABSENCES, [2, 6], (0, 1))
def test_processes_that_share_a_log_give_the_same_digests(
    world: World, cuts: list[int], whose: tuple[int, ...]
) -> None:
    lines = [line.encode() for line in world.lines]
    edges = sorted({0, *(cut for cut in cuts if cut < len(lines)), len(lines)})
    parts = [lines[begin:end] for begin, end in pairwise(edges)]
    assert shared_out(world, parts, None, whose) == whole(world, lines, None)


# On the command line.


@pytest.fixture
def desk(notifycli: Notifycli) -> Notifycli:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DIRECTORY).encode())
    held = [f"{key}={value}" for key, value in HELD.items()]
    notifycli.ok("prefs", "set", *held, "email.message=on", "-u", "7")
    return notifycli


NIGHT = b"".join(
    json.dumps(body).encode() + b"\n"
    for body in (writes("23:00"), writes("23:10", 43), replies("23:20"), anything("08:00"))
)
DIGEST = {
    "line": 2,
    "at": "2026-03-04T07:00:00Z",
    "event": "digest",
    "account_id": 1,
    "conversation_id": None,
    "inbox_id": None,
    "message_id": None,
    "user_id": 7,
    "email": "jane@example.com",
    "type": "digest",
    "channel": "email",
    "outcome": "fire",
    "reason": "enabled",
    "origin": "user",
    "deliverable": True,
}
MAIL = {**DIGEST, "conversations": [43]}
PUSH = {**MAIL, "channel": "push", "deliverable": False}


def test_a_digest_is_simulated_in_every_format(desk: Notifycli) -> None:
    assert desk("simulate", "-", stdin=NIGHT).records == [MAIL, PUSH]
    table = desk(
        "simulate", "-", "--explain", "--type", "digest", "-o", "csv", stdin=NIGHT
    ).stdout.decode()
    assert table.splitlines() == [
        ",".join([*DIGEST, "conversations"]),
        "2,2026-03-04T07:00:00Z,digest,1,,,,7,jane@example.com,digest,email,fire,enabled,user,true,43",
        "2,2026-03-04T07:00:00Z,digest,1,,,,7,jane@example.com,digest,push,fire,enabled,user,false,43",
    ]
    plain = (
        desk("simulate", "-", "--explain", "-o", "csv", stdin=NIGHT).stdout.decode().splitlines()
    )
    assert plain[0].endswith(",deliverable,conversations")
    assert plain[1].endswith(",suppress,quiet_hours,user,,")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--conversation", "43"], [MAIL, PUSH]),
        (["--conversation", "42"], []),
        (["--type", "digest", "--channel", "push"], [PUSH]),
        (["--since", "2026-03-04T00:00:00Z"], [MAIL, PUSH]),
        (["--until", "2026-03-04T07:00:00Z"], []),
        (["-u", "8"], []),
    ],
)
def test_what_is_selected_changes_nothing_of_what_is_held(
    desk: Notifycli, options: list[str], found: list[Json]
) -> None:
    assert desk("simulate", "-", *options, stdin=NIGHT).records == found


def test_a_digest_is_counted_on_its_channel_alone(desk: Notifycli) -> None:
    counted = desk("simulate", "-", "--summary", "--type", "digest", stdin=NIGHT).records
    who = {"user_id": 7, "email": "jane@example.com", "type": "digest"}
    assert counted == [
        {**who, "channel": channel, "fired": 1, "suppressed": 0} for channel in ("email", "push")
    ]
    missed = desk("simulate", "-", "--coverage", stdin=NIGHT).records
    assert [one["key"] for one in missed if one["what"] == "preference"] == [
        "email.assigned_conversation_new_message",
        "push.assigned_conversation_new_message",
    ]
    dropped = desk("simulate", "-", "--coverage", stdin=NIGHT.splitlines(keepends=True)[0]).records
    assert "quiet_hours_then" in [one["key"] for one in dropped]


def test_a_proposal_adds_and_removes_digests(desk: Notifycli) -> None:
    asked = ("simulate", "-", "--set", "quiet_hours_then=drop", "--diff", "--channel", "email")
    assert desk(*asked, stdin=NIGHT).records == [
        {**DIGEST, "change": "removed", "conversations": [43]}
    ]


def test_why_names_what_has_held_it_and_how_to_drop_it(desk: Notifycli) -> None:
    [found] = desk(
        "why", "-u", "7", "-", "--channel", "email", "--type", "digest", stdin=NIGHT
    ).records
    assert found == {
        **DIGEST,
        "key": "quiet_hours_then",
        "value": "hold",
        "sentence": "it was held until jane@example.com could be told: "
        "quiet_hours_then is hold (user)",
        "command": "notifycli prefs set -u jane@example.com quiet_hours_then=drop",
        "delivery": None,
        "conversations": [43],
    }
    desk.ok("prefs", "unset", "quiet_hours_then", "-u", "7")
    desk.ok("prefs", "set", "quiet_hours_then=hold", "--inbox", "3", "-u", "7")
    [found] = desk(
        "why", "-u", "7", "-", "--channel", "email", "--type", "digest", stdin=NIGHT
    ).records
    assert found["command"] == (
        "notifycli prefs set -u jane@example.com --inbox 3 quiet_hours_then=drop"
    )


def test_digests_can_be_expected(desk: Notifycli, tmp_path: Path) -> None:
    expected = tmp_path / "expected.csv"
    expected.write_text("channel,conversations\nemail,43\npush,42\n")
    result = desk("simulate", "-", "--expect", str(expected), stdin=NIGHT)
    assert (result.status, result.records) == (
        1,
        [
            {"mismatch": "missing", "channel": "push", "conversations": [42]},
            {"mismatch": "unexpected", **PUSH},
        ],
    )


def test_it_is_listed_where_it_is_set_and_off_everywhere_else(notifycli: Notifycli) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DIRECTORY).encode())
    listed = notifycli("prefs", "list", "-u", "7").records
    assert "quiet_hours_then" not in [one["key"] for one in listed]
    notifycli.ok("prefs", "set", "quiet_hours_then=HOLD", "-u", "7")
    listed = notifycli("prefs", "list", "-u", "7").records
    assert [one["value"] for one in listed if one["key"] == "quiet_hours_then"] == ["hold"]
    refused = notifycli("prefs", "set", "quiet_hours_then=keep", "-u", "7")
    assert (refused.status, "one of drop, hold" in refused.stderr) == (2, True)
    told = notifycli("simulate", "-", "--rules", "chatwoot@4.16", stdin=NIGHT)
    assert b"digest" not in told.stdout


def test_why_says_what_is_held_and_what_is_not(desk: Notifycli) -> None:
    asked = ("why", "-u", "7", "-", "--channel", "push", "--type", "message")
    found = desk(*asked, stdin=NIGHT).records
    quiet = "it was in jane@example.com's quiet hours: quiet_hours is 22:00-07:00 (user)"
    assert [(one["line"], one["sentence"]) for one in found] == [
        (1, f"{quiet}; it is held for a digest"),
        (2, f"{quiet}; it is held for a digest"),
        (3, quiet),
    ]


def changed_at_two(own: Json) -> list[Told]:
    """Return the digests of a night in which user 7 sets something else at two o'clock."""
    replay = replay_of(Preferences(user={7: HELD}))
    lines = [json.dumps(body) for body in (writes("23:00"), anything("02:00"), anything("08:00"))]
    found = decisions_of(replay, lines[:2])
    account = replay.account(1)
    account.take_over(account.directory, Preferences(user={7: own}))
    return digests_in(found + decisions_of(replay, lines[2:], 3))


@pytest.mark.parametrize(
    ("own", "clock"),
    [
        pytest.param(HELD | {"quiet_hours": "off"}, "02:00", id="no quiet hours any more"),
        pytest.param(HELD | {"quiet_hours": "22:00-05:00"}, "05:00", id="other ones"),
        pytest.param(HELD | {"quiet_hours_then": "drop"}, "07:00", id="what is held is told"),
        pytest.param({}, "02:00", id="nothing at all"),
    ],
)
def test_what_is_held_goes_by_what_is_set_by_now(own: Json, clock: str) -> None:
    assert changed_at_two(own) == [in_the_morning(42, clock=clock)]


def test_what_comes_late_is_told_of_after_what_was_told() -> None:
    replay = replay_of(Preferences(user={7: HELD}))
    decisions_of(replay, [json.dumps(writes("23:00"))])

    def passed(clock: str) -> list[tuple[str | None, tuple[int, ...]]]:
        due = [*map(replay.evaluate, replay.due_at(at(clock) * SECOND))]
        return [
            (event_fields(one.event).at, one.digest.conversations)
            for one in due
            if one is not None and one.digest is not None
        ]

    assert passed("07:00:02") == [("2026-03-04T07:00:00Z", (42,))]
    decisions_of(replay, [json.dumps(writes("06:59:59", 43))])
    assert passed("07:00:05") == [("2026-03-04T07:00:02Z", (43,))]
