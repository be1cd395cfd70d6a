"""`docs/beyond.md`, section 5: waits without a reply, as a table of its examples, and as laws."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import example
from hypothesis import given as drawn
from hypothesis import strategies as st

from notifycli.delivery.enqueue import pack_state, unpack_state
from notifycli.rules.decision import Decision, Outcome
from notifycli.rules.layers import Preferences, links_conversations
from notifycli.rules.quiet_hours import QuietHours
from notifycli.rules.replay import Replay
from tests.conftest import Notifycli
from tests.rules.cases import DIRECTORY
from tests.rules.harness import decisions_of
from tests.rules.test_beyond import message, replay_of, update

Json = dict[str, Any]
WAITING, ESCALATION = "conversation_waiting", "escalation"
FRIDAY = 6


def moment(written: str) -> int:
    """Read `12:00`, on Friday, 6 March 2026, or `9 10:00`, on the ninth."""
    day, _, time = written.rpartition(" ")
    hour, minute = map(int, time.split(":"))
    return int(datetime(2026, 3, int(day or FRIDAY), hour, minute, tzinfo=UTC).timestamp())


def customer(at: str, id_: int = 42, **fields: Any) -> Json:
    return message(moment(at), id_=id_, **fields)


def reply(at: str, by: int = 7, **fields: Any) -> Json:
    sender = {"id": by, "type": "user"}
    return message(moment(at), message_type="outgoing", sender=sender, **fields)


def note(at: str) -> Json:
    return reply(at, private=True)


def status(at: str, shown: str) -> Json:
    return update({"status": shown}, status=shown) | {"updated_at": moment(at)}


def assigned(at: str, user: int | None) -> Json:
    assignee = None if user is None else {"id": user, "type": "user"}
    changed = update({"assignee_id": user}, meta={"assignee": assignee})
    return changed | {"updated_at": moment(at)}


def later(at: str) -> Json:
    return {"event": "contact_updated", "account": {"id": 1}, "id": 1, "timestamp": moment(at)}


class Told(NamedTuple):
    """A decision of what is beyond Chatwoot, as far as these tests care."""

    at: str
    user: int
    type: str
    channel: str
    reason: str
    line: int
    conversation: int | None = 42


def told(found: list[Decision]) -> list[Told]:
    return [
        Told(
            f"{one.at}"[11:16],
            *(one.user_id, one.type.value, one.channel.value, one.reason.value),
            *(one.line, one.conversation_id),
        )
        for one in found
        if one.event in (WAITING, ESCALATION)
    ]


JANE = {"email.conversation_waiting": "on", "waiting_after": "10m"}
ROOT = {"push.escalation": "on"}
STORED = Preferences(user={7: JANE, 9: ROOT})


def decide(stored: Preferences, *bodies: Json, directory: Json = DIRECTORY) -> list[Decision]:
    lines = [json.dumps(body) for body in bodies]
    return decisions_of(replay_of(stored, directory=directory), lines)


def waiting(at: str, user: int = 7, line: int = 1, conversation: int = 42) -> list[Told]:
    """What comes of a wait to one who wants a mail, and has said nothing of pushes."""
    return [
        Told(at, user, WAITING, channel, reason, line, conversation)
        for channel, reason in (("email", "enabled"), ("push", "disabled"))
    ]


def escalated(at: str, line: int = 1, reason: str = "enabled") -> list[Told]:
    return [
        Told(at, 9, ESCALATION, channel, why, line)
        for channel, why in (("email", "disabled"), ("push", reason))
    ]


BERLIN = {**JANE, "business_hours": "09:00-17:00 mon-fri"}
ROWS: dict[str, tuple[Preferences, list[Json], list[Told]]] = {
    "told once, of the first message": (
        STORED,
        [customer("12:00"), customer("12:05"), later("12:20")],
        waiting("12:10"),
    ),
    "a reply in the very moment is in time": (
        STORED,
        [customer("12:00"), reply("12:10"), later("13:30")],
        [],
    ),
    "anybody's reply is one": (
        STORED,
        [customer("12:00"), reply("12:09", by=8), later("14:00")],
        [],
    ),
    "a reply after the deadline comes too late": (
        STORED,
        [customer("12:00"), reply("12:11")],
        waiting("12:10"),
    ),
    "a private note is no reply": (
        STORED,
        [customer("12:00"), note("12:05"), later("12:20")],
        waiting("12:10"),
    ),
    "nor is what a bot says": (
        STORED,
        [
            customer("12:00"),
            message(
                moment("12:05"), message_type="outgoing", sender={"id": 1, "type": "agent_bot"}
            ),
            later("12:20"),
        ],
        waiting("12:10"),
    ),
    "who has it by then is told, and only if they want it": (
        STORED,
        [customer("12:00"), assigned("12:05", 8), later("13:30")],
        escalated("13:00"),
    ),
    "a new message after the reply begins a new wait": (
        STORED,
        [customer("12:00"), reply("12:30"), customer("12:40"), later("13:30")],
        [*waiting("12:10"), *waiting("12:50", line=3)],
    ),
    "what is resolved waits no longer": (
        STORED,
        [customer("12:00"), status("12:05", "resolved"), later("13:30")],
        [],
    ),
    "nor what is snoozed": (
        STORED,
        [customer("12:00"), status("12:05", "snoozed"), status("12:06", "open"), later("13:30")],
        [],
    ),
    "a bot's conversation waits from the hand-over on": (
        STORED,
        [
            customer("12:00"),
            status("12:05", "pending"),
            status("12:30", "open"),
            later("12:45"),
        ],
        waiting("12:40"),
    ),
    "one that a reply came to while it was pending doesn't": (
        STORED,
        [
            customer("12:00"),
            status("12:05", "pending"),
            reply("12:20", conversation={"id": 42, "inbox_id": 3}),
            status("12:30", "open"),
            later("13:45"),
        ],
        [],
    ),
    "the end of the log is no deadline": (STORED, [customer("12:00")], []),
    "nor is an event of its very moment": (STORED, [customer("12:00"), later("12:10")], []),
    "two at once come by their conversations": (
        STORED,
        [customer("12:00"), customer("12:00", 41), later("12:20")],
        [*waiting("12:10", line=2, conversation=41), *waiting("12:10")],
    ),
    "of nobody's conversation the inbox's members are told": (
        Preferences(default={"email.conversation_waiting": "on"}),
        [customer("12:00", assignee=None), later("12:20")],
        [*waiting("12:15", 7), *waiting("12:15", 8)],
    ),
    "time outside business hours isn't counted": (
        Preferences(user={7: BERLIN}),
        [customer("16:55"), later("9 10:00")],
        waiting("09:05"),
    ),
    "their end may be the deadline": (
        Preferences(user={7: BERLIN}),
        [customer("16:50"), later("17:01")],
        waiting("17:00"),
    ),
    "who has muted the conversation isn't told": (
        Preferences(user=STORED.user, conversation={(9, 42): {"mute": "on"}}),
        [customer("12:00"), later("13:30")],
        [*waiting("12:10"), *escalated("13:00", reason="muted")],
    ),
    "nor who has quiet hours then": (
        Preferences(user={9: {**ROOT, "quiet_hours": "13:00-14:00"}}),
        [customer("12:00"), later("13:30")],
        escalated("13:00", reason="quiet_hours"),
    ),
    "what is set for the conversation when the wait begins holds": (
        Preferences(
            user={7: JANE},
            conversation={(7, 42): {"waiting_after": "30m until 2026-03-06T12:20:00Z"}},
        ),
        [customer("12:00"), customer("12:00", 41), later("13:30")],
        [*waiting("12:10", line=2, conversation=41), *waiting("12:30")],
    ),
    "each inbox may have its own time": (
        Preferences(user={7: JANE}, inbox={(7, 3): {"waiting_after": "20m"}}),
        [customer("12:00"), later("13:30")],
        waiting("12:20"),
    ),
    "a message that comes once more is no reason to wait again": (
        STORED,
        [customer("12:00"), reply("12:05"), customer("12:00"), later("12:20")],
        [],
    ),
    "a year and a day later nobody wants to know": (
        Preferences(user={7: {**JANE, "waiting_after": "8785h"}}),
        [customer("12:00"), later("12:20") | {"timestamp": moment("12:20") + 400 * 24 * 3600}],
        [],
    ),
    "who has set neither channel isn't told": (
        Preferences(user={7: {"waiting_after": "10m"}}),
        [customer("12:00"), later("13:30")],
        [],
    ),
}


@pytest.mark.parametrize(("stored", "bodies", "expected"), ROWS.values(), ids=ROWS)
def test_who_is_told_that_nobody_answers(
    stored: Preferences, bodies: list[Json], expected: list[Told]
) -> None:
    assert told(decide(stored, *bodies)) == expected


def test_all_fields_of_what_is_told() -> None:
    found = decide(STORED, customer("12:00", id=77), later("12:20"))
    [mail] = [one for one in found if one.event == WAITING and one.outcome is Outcome.FIRE]
    assert mail == Decision(
        line=1,
        file=mail.file,
        at="2026-03-06T12:10:00Z",
        event=WAITING,
        account_id=1,
        conversation_id=42,
        inbox_id=3,
        message_id=77,
        user_id=7,
        email="jane@example.com",
        type=mail.type,
        channel=mail.channel,
        outcome=Outcome.FIRE,
        reason=mail.reason,
        origin=mail.origin,
        deliverable=True,
    )


def test_a_chatwoot_tells_nobody_that_nobody_answers() -> None:
    lines = [json.dumps(body) for body in (customer("12:00"), later("13:30"))]
    assert told(decisions_of(replay_of(STORED, "chatwoot@4.16"), lines)) == []


KINDS = st.sampled_from(["customer", "reply", "note", "resolved", "pending", "open", "later"])
STEPS = st.lists(
    st.tuples(
        KINDS, st.sampled_from([0, 60, 540, 600, 601, 3600, -900]), st.sampled_from([41, 42])
    ),
    min_size=3,
    max_size=14,
)
EVERYBODY = Preferences(
    default={"email.conversation_waiting": "on", "push.escalation": "on"},
    user={7: {"waiting_after": "10m"}, 8: {"business_hours": "12:30-13:00", "waiting_after": "5m"}},
    conversation={(9, 42): {"escalate_after": "1m until 2026-03-06T12:30:00Z"}},
)


def log_of(steps: list[tuple[str, int, int]]) -> list[str]:
    at, lines = moment("12:00"), []
    for number, (kind, seconds, id_) in enumerate(steps):
        at += seconds
        own: Json = {"id": number, "created_at": at, "timestamp": at}
        if kind == "later":
            body: Json = later("12:00") | own
        elif kind in ("customer", "reply", "note"):
            made = {"customer": customer, "reply": reply, "note": note}[kind]("12:00")
            body = made | own | {"conversation": {**made["conversation"], "id": id_, "meta": {}}}
            del body["conversation"]["status"]
        else:
            shown = {"id": id_, "status": kind, "updated_at": at}
            body = status("12:00", kind) | shown
        lines.append(json.dumps(body))
    return lines


TELLING = [("customer", 60, 42), ("customer", 60, 41), ("pending", 60, 42), ("later", 3600, 41)]
TELLING += [("open", 60, 42), ("reply", -900, 41), ("later", 3600, 41), ("later", 3600, 41)]


@drawn(STEPS)
@example(TELLING)
def test_a_log_that_is_cut_anywhere_tells_the_same(steps: list[tuple[str, int, int]]) -> None:
    lines = log_of(steps)
    expected = decisions_of(replay_of(EVERYBODY), lines)
    for cut in range(len(lines)):
        before, after = replay_of(EVERYBODY), replay_of(EVERYBODY)
        found = decisions_of(before, lines[:cut])
        after.account(1).resume(unpack_state(pack_state(before.account(1).state)))
        assert found + decisions_of(after, lines[cut:], cut + 1) == expected


def test_the_log_of_this_law_tells_of_each_kind_of_wait() -> None:
    found = told(decisions_of(replay_of(EVERYBODY), log_of(TELLING)))
    fired = {
        (one.at, one.user, one.type, one.conversation) for one in found if one.reason == "enabled"
    }
    assert fired == {
        ("12:02", 9, ESCALATION, 42),
        ("12:12", 7, WAITING, 41),
        ("12:35", 8, WAITING, 41),
        ("13:02", 7, ESCALATION, 41),
        ("13:02", 9, ESCALATION, 41),
        ("13:14", 7, WAITING, 42),
        ("14:04", 7, ESCALATION, 42),
        ("14:04", 9, ESCALATION, 42),
    }


@drawn(STEPS)
@example([("customer", 0, 42), ("later", 600, 42), ("reply", 0, 42), ("later", 3600, 42)])
def test_what_is_answered_in_time_is_never_told(steps: list[tuple[str, int, int]]) -> None:
    """Each customer's message here has its reply, in the moment of the first deadline."""
    answered = [
        step
        for kind, seconds, id_ in steps
        if kind in ("customer", "later")
        for step in (
            [("customer", abs(seconds), id_), ("reply", 300, id_)]
            if kind == "customer"
            else [(kind, abs(seconds), id_)]
        )
    ]
    stored = Preferences(default={**JANE, **ROOT, "waiting_after": "5m", "escalate_after": "5m"})
    assert told(decisions_of(replay_of(stored), log_of(answered))) == []


@drawn(
    st.integers(0, 3 * 366 * 24 * 60),
    st.integers(0, 3000),
    st.sampled_from(
        ["22:00-07:00 Europe/Berlin fri-sun", "09:00-17:00 America/New_York mon", "00:00-00:00"]
    ),
)
@example(
    moment("28 22:00") // 60 - moment("1 00:00") // 60, 240, "22:00-07:00 Europe/Berlin fri-sun"
)
def test_time_in_business_hours_is_counted_minute_by_minute(
    minute: int, length: int, written: str
) -> None:
    hours, begin = QuietHours.parse(written), moment("1 00:00") + minute * 60
    at, left = begin, length
    while left:
        left -= hours.hold(at * 1_000_000)
        at += 60
    assert hours.end_of(begin * 1_000_000, length * 60_000_000) == at * 1_000_000


JUMP = moment("12:00") + 10 * 366 * 86_400
"""What a clock says that has jumped."""


@pytest.mark.parametrize(
    ("after", "hours", "at"),
    [
        pytest.param("8784h", "off", "2027-03-07T12:00:00Z", id="366 days are the most"),
        pytest.param("31622401s", "off", None, id="a second more never comes"),
        pytest.param("8784h", "00:00-00:00", "2027-03-07T12:00:00Z", id="in hours that never end"),
        pytest.param("31622401s", "00:00-00:00", None, id="nor does a second more in these"),
        pytest.param("52m", "12:00-12:01 fri", "2027-02-26T12:01:00Z", id="a minute each week"),
        pytest.param("53m", "12:00-12:01 fri", "2027-03-05T12:01:00Z", id="up to the last one"),
        pytest.param("54m", "12:00-12:01 fri", None, id="and not the week after"),
    ],
)
def test_no_wait_is_longer_than_a_year_however_far_the_clock_jumps(
    after: str, hours: str, at: str | None
) -> None:
    own = {**JANE, "waiting_after": after, "business_hours": hours}
    jumped = {**later("12:00"), "timestamp": JUMP}
    found = decide(Preferences(user={7: own}), customer("12:00"), jumped, {**jumped, "id": 2})
    assert [one.at for one in found if one.event == WAITING] == ([] if at is None else [at] * 2)


def test_nothing_is_kept_where_nobody_wants_to_know() -> None:
    replay: Replay = replay_of(Preferences())
    decisions_of(replay, log_of(TELLING))
    account = replay.account(1)
    assert not replay.has_deadlines
    assert account.deadlines.queue == []
    assert [one.wait for one in account.conversations.values()] == [None, None]


def test_why_says_for_how_long_a_customer_had_no_reply(notifycli: Notifycli) -> None:
    notifycli.ok(
        "directory", "import", notifycli.write("desk.json", json.dumps(DIRECTORY).encode())
    )
    notifycli.ok("prefs", "set", "-u", "7", "email.waiting=on", "waiting_after=10m")
    notifycli.ok("prefs", "set", "-u", "7", "business_hours=09:00-17:00 mon-fri")
    events = notifycli.write_events(
        "e.jsonl", [customer("12:00"), customer("12:05"), later("13:00")]
    )
    found = notifycli.ok("why", "-u", "7", "--type", "waiting", events)
    no_reply = "the customer had no reply within 10m of business hours (waiting_after), and it is"
    assert [(one["line"], one["at"], one["sentence"]) for one in found.records] == [
        (1, "2026-03-06T12:10:00Z", f"{no_reply} switched on: email.waiting is on (user)"),
        (1, "2026-03-06T12:10:00Z", f"{no_reply} switched off: push.waiting is off (builtin)"),
    ]
    shown = notifycli.ok("why", "-u", "7", "--type", "waiting", events, "-o", "table")
    assert "conversation 42 · a customer has waited since 2026-03-06" in shown.stdout.decode()


def test_a_channel_that_a_package_adds_can_tell_of_it_alone() -> None:
    stored = Preferences(user={7: {"slack.conversation_waiting": "on"}})
    found = told(decide(stored, customer("12:00"), later("12:20")))
    assert links_conversations(stored)
    assert [(one.at, one.channel, one.reason) for one in found] == [
        ("12:15", "email", "disabled"),
        ("12:15", "push", "disabled"),
        ("12:15", "slack", "enabled"),
    ]
