"""`chatwoot compare`: what a Chatwoot did, beside what its rules say by version.

The worlds in `tests/rules/decided` are what Chatwoot 4.16.2's own code sent; its worker's log is
written from them here, in the wording that it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from notifycli.chatwoot.compare import Evidence, Guess, Observation, compare, guess
from notifycli.events.decode import decode_event
from notifycli.events.event import Event
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.profile import every_chatwoot
from notifycli.rules.replay import Account, Replay
from tests.chatwoot.recorded import Asked, Chatwoot, Person, Reply
from tests.conftest import Json, Notifycli, lines
from tests.rules.harness import directory_of, preferences_of
from tests.rules.test_decided import WORLDS, read, rows_of

CREATION, ASSIGNMENT = "conversation_creation", "conversation_assignment"
MENTION, MESSAGE = "conversation_mention", "assigned_conversation_new_message"
PARTICIPATING = "participating_conversation_new_message"
MAILS = {
    CREATION: "Jane, A new conversation [ID - {}] has been created in Sales (#2).",
    ASSIGNMENT: "Jane, A new conversation [ID - {}] has been assigned to you.",
    MENTION: "Jane, You have been mentioned in conversation [ID - {}]",
    MESSAGE: "Jane, New message in your assigned conversation [ID - {}].",
    PARTICIPATING: "Jane, New message in your participating conversation [ID - {}].",
    "sla_missed_first_response": "Conversation [ID - {}] missed SLA for first response",
    "sla_missed_next_response": "Conversation [ID - {}] missed SLA for next response",
    "sla_missed_resolution": "Conversation [ID - {}] missed SLA for resolution time",
}
PUSHES = {
    CREATION: "A conversation (#{}) has been created in Sales",
    ASSIGNMENT: "A conversation (#{}) has been assigned to you",
    MENTION: "You have been mentioned in conversation (#{})",
    MESSAGE: "A new message is created in conversation (#{})",
    PARTICIPATING: "A new message is created in conversation (#{})",
    "sla_missed_first_response": "SLA target first response missed for conversation (#{})",
    "sla_missed_next_response": "SLA target next response missed for conversation (#{})",
    "sla_missed_resolution": "SLA target resolution missed for conversation (#{})",
}


def log_of(world: Json, events: list[Event]) -> Iterator[str]:
    """Write the log of the worker that sent what a world says."""
    at: dict[int, int] = {}
    conversations: dict[int, int] = {}
    for event, step in zip(events, world["step"], strict=True):
        at[step] = max(event.at or 0, *at.values()) if at else event.at or 0
        conversations[step] = event.conversation or conversations.get(step, 0)
    addresses = {user["id"]: user["email"] for user in world["directory"]["users"]}
    yield f"{format_moment(min(at.values()))} pid=1 tid=9 INFO: Booting Sidekiq"
    for step, sends in sorted(world["sends"].items(), key=lambda one: int(one[0])):
        for user, type_, channel in sends:
            number, mail = conversations[int(step)], channel == "email"
            text = (MAILS if mail else PUSHES)[type_].format(number)
            sent = "Email sent" if mail else "Browser push sent"
            what = "subject" if mail else "title"
            time = format_moment(at[int(step)])
            yield f"{time} INFO -- : {sent} to {addresses[user]} with {what} {text}"
    yield f"{format_moment(max(at.values()) + 3600 * SECOND)} pid=1 tid=9 INFO: Bye!"


def compare_world(world: Json, *, told: bool) -> Guess:
    bodies = enumerate(world["events"], 1)
    events = [decode_event(json.dumps(body).encode(), line) for line, body in bodies]
    evidence = Evidence()
    log = enumerate(log_of(world, events), 1)
    addresses = {user["email"]: user["id"] for user in world["directory"]["users"]}
    evidence.take_log((("log", number, line.encode()) for number, line in log), addresses)
    directory, preferences = directory_of(world["directory"]), preferences_of(rows_of(world), 1)
    replays = [Replay({1: Account(directory, preferences, one)}, 1) for one in every_chatwoot()]
    kept = [one for one, is_told in zip(events, world["told"], strict=True) if told or not is_told]
    return guess(compare(kept, 1, replays, evidence))


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.name)
def test_what_4_16_sent_is_explained_by_it_and_by_webhooks_nearly(path: Path) -> None:
    world = read(path)

    found = compare_world(world, told=True)
    alone = compare_world(world, told=False)

    sent = sum(map(len, world["sends"].values()))
    assert (found.best.profile.name, found.differences) == ("chatwoot@4.16", 0)
    assert len(found.best.agreed) == sent
    assert alone.best.profile.name == "chatwoot@4.16"
    reported = list(alone.best.findings(None, everything=False))
    assert {one.result for one in reported} <= {"not_predicted"}
    untold = [one for one in reported if not one.type.startswith("sla_")]
    assert all("bot handed over" in (one.remedy or "") for one in untold)


def test_together_the_worlds_single_out_their_version() -> None:
    found = [compare_world(read(path), told=True).versions for path in WORLDS]
    assert set(found) == {"4.0 or newer", "4.4 or newer", "4.11.2 or newer", "4.16"}


# A desk: 7 and 8 are members of inbox 3, 9 is an administrator. 10:00 is 1_772_532_000.
TEN = 1_772_532_000


def body(**of: Any) -> Json:
    return {"id": 42, "inbox_id": 3, "status": "open", "meta": {"assignee": None}} | of


def assigned_to(user: int) -> Json:
    return {"assignee": {"id": user, "type": "user"}}


CREATED = body(event="conversation_created", created_at=TEN)
ASSIGNED = body(
    event="conversation_updated",
    updated_at=TEN + 60,
    meta=assigned_to(7),
    changed_attributes=[{"assignee_id": {"previous_value": None, "current_value": 7}}],
)


def message(id_: int, seconds: int, **of: Any) -> Json:
    return {
        "event": "message_created",
        "id": id_,
        "conversation": body(meta=assigned_to(7)),
        "message_type": "incoming",
        "content": "hello",
        "private": False,
        "sender": {"id": 1, "type": "contact"},
        "created_at": TEN + seconds,
    } | of


EVENTS = [CREATED, ASSIGNED, message(100, 120), message(101, 180)]


def row(
    seconds: float, type_: str, message: int | None = None, user: int = 7, conversation: int = 42
) -> Json:
    return {
        "at": format_moment(int((TEN + seconds) * SECOND)),
        "account_id": 1,
        "user_id": user,
        "type": type_,
        "conversation_id": conversation,
        "message_id": message,
        "read": False,
    }


@dataclass(frozen=True)
class Noted:
    name: str
    rows: list[Json]
    differences: list[tuple[str, int, str, str, str]]
    """Result, user, type, reason, and how the remedy begins."""


ROWS = [
    Noted("only the last row of a user and conversation is left", [row(180.2, MESSAGE, 101)], []),
    Noted(
        "older rows that are still there agree too",
        [row(120.2, MESSAGE, 100), row(180.2, MESSAGE, 101)],
        [],
    ),
    Noted(
        "the last one is missing",
        [row(120.2, MESSAGE, 100)],
        [("not_found", 7, MESSAGE, "disabled", "perhaps deleted there")],
    ),
    Noted(
        "one who is no member here was told",
        [row(180.2, MESSAGE, 101), row(0.1, CREATION, user=11)],
        [("not_predicted", 11, CREATION, "not_named", "the directory lacks this user")],
    ),
    Noted(
        "a member was told of a creation that is off here",
        [row(180.2, MESSAGE, 101), row(0.1, CREATION, user=8)],
        [("not_predicted", 8, CREATION, "disabled", "it is switched on there")],
    ),
    Noted(
        "one was told as taking part whom no event lets take part",
        [row(180.2, MESSAGE, 101), row(120.1, PARTICIPATING, 100, user=8)],
        [("not_predicted", 8, PARTICIPATING, "not_named", "perhaps added by hand")],
    ),
    Noted(
        "the log of events lacks a message",
        [row(180.2, MESSAGE, 101), row(150, MESSAGE, 555)],
        [("not_predicted", 7, MESSAGE, "not_named", "no event has this message")],
    ),
    Noted(
        "an administrator who is no member was told of a creation",
        [row(180.2, MESSAGE, 101), row(0.1, CREATION, user=9)],
        [("not_predicted", 9, CREATION, "not_named", "perhaps a bot handed over")],
    ),
    Noted(
        "one was told once more than the rules say",
        [row(180.2, MESSAGE, 101), row(60.1, ASSIGNMENT), row(90.1, ASSIGNMENT)],
        [("not_predicted", 7, ASSIGNMENT, "once_more", "the events tell of one fewer")],
    ),
    Noted(
        "what happened where no events were logged is no difference",
        [row(180.2, MESSAGE, 101), row(120, CREATION, conversation=7), row(-9999, ASSIGNMENT)],
        [],
    ),
]


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
def test_rows(desk: Notifycli, case: Noted) -> None:
    desk.write_events("e.jsonl", EVENTS)
    desk.write("n.jsonl", lines(case.rows))

    done = desk(
        "chatwoot", "compare", "e.jsonl", "--notifications", "n.jsonl", "--rules", "chatwoot@4.16"
    )

    fields = ("result", "user_id", "type", "reason")
    found = [(*(one[name] for name in fields), one["remedy"]) for one in done.records]
    assert [one[:4] for one in found] == [one[:4] for one in case.differences]
    for (*_, remedy), (*_, beginning) in zip(found, case.differences, strict=True):
        assert remedy.startswith(beginning)
    assert done.status == bool(case.differences)


def test_a_whole_record_and_all_that_agrees_or_proves_nothing(desk: Notifycli) -> None:
    desk.write_events("e.jsonl", EVENTS)
    desk.write("n.jsonl", lines([row(180.2, MESSAGE, 101), row(-9999, ASSIGNMENT)]))
    options = ("--notifications", "n.jsonl", "--rules", "chatwoot@4.16", "--explain")

    done = desk.ok("chatwoot", "compare", "e.jsonl", *options)

    assert done.records == [
        {
            "result": "agreed",
            "line": 4,
            "at": "2026-03-03T10:03:00Z",
            "account_id": 1,
            "conversation_id": 42,
            "message_id": 101,
            "user_id": 7,
            "email": "jane@example.com",
            "type": MESSAGE,
            "channel": "app",
            "reason": "disabled",
            "remedy": None,
        },
        {
            "result": "no_evidence",
            "line": None,
            "at": "2026-03-03T07:13:21Z",
            "account_id": 1,
            "conversation_id": 42,
            "message_id": None,
            "user_id": 7,
            "email": "jane@example.com",
            "type": ASSIGNMENT,
            "channel": "app",
            "reason": "not_in_events",
            "remedy": None,
        },
    ]
    assert "chatwoot@4.16: 1 as predicted, 0 different, of 2 notifications found" in done.stderr


def test_an_assignment_that_the_assignee_may_have_made_says_so(desk: Notifycli) -> None:
    desk.write_events("e.jsonl", [CREATED, ASSIGNED])
    desk.write("n.jsonl", b"")
    done = desk("chatwoot", "compare", "e.jsonl", "--notifications", "n.jsonl")
    assert done.status == 1
    assert [one["remedy"] for one in done.records] == [
        "the events don't say who assigned it: perhaps they took it themselves"
    ]


def test_another_version_that_explains_a_row_is_the_remedy(desk: Notifycli) -> None:
    note = message(
        102, 240, private=True, message_type="outgoing", sender={"id": 8, "type": "user"}
    )
    desk.write_events("e.jsonl", [*EVENTS, note])
    desk.write("n.jsonl", lines([row(240.1, MESSAGE, 102)]))
    command = ("chatwoot", "compare", "e.jsonl", "--notifications", "n.jsonl")

    by_newest = desk(*command, "--rules", "chatwoot@4.16")
    guessed = desk(*command)

    assert [one["remedy"] for one in by_newest.records] == [
        "rules of another version: --rules chatwoot@4.4"
    ]
    assert by_newest.status == 1
    assert (guessed.status, guessed.records) == (0, [])
    assert "explained best by Chatwoot 3.5.1 to before 4.11.2, with 0 differences" in guessed.stderr


def test_what_a_log_of_the_worker_says(desk: Notifycli) -> None:
    """Each form that a log has: docker's time, compose's name, Rails' prefix, JSON."""
    desk.ok("prefs", "set", "email.message=on", "push.message=on", "email.created=on", "-u", "7")
    desk.ok("prefs", "set", "email.created=on", "-u", "8")
    desk.write_events("e.jsonl", EVENTS)
    mail, push = "Email sent to {} with subject {}", "{} push sent to {} with title {}"
    desk.write(
        "worker.log",
        "\n".join(
            [
                "2026-03-03T09:59:00.123456789Z I, [2026-03-03T09:59:00.1 #7]  INFO -- : start",
                "worker-1  | 2026-03-03T10:00:02.123456789Z [ActiveJob] [uuid] "
                + mail.format("jane@example.com", MAILS[CREATION].format(42)),
                "2026-03-03T10:01:01Z "
                + mail.format("jane@example.com", MAILS[ASSIGNMENT].format(42)),
                "2026-03-03T10:01:01Z "
                + push.format("FCM", "jane@example.com", PUSHES[ASSIGNMENT].format(42)),
                "I, [2026-03-03T10:02:01.5 #7]  INFO -- : [ActiveJob] "
                + push.format("FCM", "Jane@example.com", PUSHES[MESSAGE].format(42)),
                "I, [2026-03-03T10:02:02.5 #7]  INFO -- : [ActiveJob] "
                + push.format("Browser", "jane@example.com", PUSHES[MESSAGE].format(42)),
                '{"time":"2026-03-03T10:02:03Z","message":"'
                + mail.format("jane@example.com", MAILS[MESSAGE].format(42))
                + '"}',
                "2026-03-03T10:02:04Z "
                + mail.format("zoe@elsewhere.example", MAILS[MESSAGE].format(1)),
                "2026-03-03T10:02:05Z Email sent to customer@example.com with subject Re: order 7",
                "2026-03-03T11:00:00Z bye",
            ]
        ),
    )

    done = desk("chatwoot", "compare", "e.jsonl", "--log", "worker.log", "--rules", "chatwoot@4.16")

    found = [
        (one["result"], one["user_id"], one["channel"], one["type"], one["line"])
        for one in done.records
    ]
    assert found == [
        ("not_found", 8, "email", CREATION, 1),
        ("not_found", 7, "push", MESSAGE, 4),
    ]
    assert done.status == 1
    assert "1 address that nobody here has, and they are left out (zoe@elsewhere" in done.stderr


def test_what_a_newer_one_may_have_displaced_is_no_difference(desk: Notifycli) -> None:
    """Chatwoot tidies up a user's older notifications, whether or not they have gone out."""
    desk.ok("prefs", "set", "email.message=on", "email.assigned=off", "-u", "7")
    desk.ok("prefs", "set", "push.assigned=off", "inactive_after=0s", "--default")
    mail = f"Email sent to jane@example.com with subject {MAILS[MESSAGE].format(42)}"
    desk.write(
        "worker.log",
        f"2026-03-03T09:00:00Z start\n2026-03-03T10:02:02Z {mail}\n2026-03-03T11:00:00Z bye\n",
    )
    for seconds, status in ((125, 0), (180, 1)):
        desk.write_events("e.jsonl", [CREATED, ASSIGNED, message(100, 120), message(101, seconds)])
        done = desk("chatwoot", "compare", "e.jsonl", "--log", "worker.log", "--explain")
        reasons = {"agreed": "enabled", "not_found": "enabled"}
        if not status:
            reasons = {"agreed": "enabled", "no_evidence": "perhaps_dropped_for_a_newer_one"}
        assert {one["result"]: one["reason"] for one in done.records} == reasons
        assert done.status == status


@pytest.mark.parametrize(
    ("release", "types"),
    [
        ("2.13", []),
        ("2.14", [PARTICIPATING]),
        ("3.5.1", [PARTICIPATING]),
        ("4.0", [MESSAGE]),
        ("4.16", [MESSAGE]),
    ],
)
def test_the_row_of_an_assignee_who_has_participating_alone_on(
    desk: Notifycli, release: str, types: list[str]
) -> None:
    """The second of the twelve cases: from 4.0 on it is in the app only."""
    desk.ok("prefs", "set", "email.*=off", "push.*=off", "--default")
    desk.ok("prefs", "set", "email.participating=on", "-u", "7")
    desk.write_events("e.jsonl", [message(100, 120)])
    desk.write("n.jsonl", b"")
    command = ("chatwoot", "compare", "e.jsonl", "--notifications", "n.jsonl")
    done = desk(*command, "--rules", f"chatwoot@{release}")
    assert [(one["user_id"], one["type"]) for one in done.records] == [(7, one) for one in types]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        *((f"Email sent to a@b.c with subject {text}", type_) for type_, text in MAILS.items()),
        *(
            (f"FCM push sent to a@b.c with title {text}", type_)
            for type_, text in PUSHES.items()
            if type_ not in {MESSAGE, PARTICIPATING}
        ),
    ],
)
def test_every_wording_is_read_back(sentence: str, expected: str) -> None:
    evidence = Evidence()
    line = f"2026-03-03T10:00:00Z {sentence.format(615)}".encode()
    evidence.take_log([("log", 1, line)], {"a@b.c": 7})
    channel = Channel.EMAIL if sentence.startswith("Email") else Channel.PUSH
    types = frozenset({NotificationType(expected)})
    assert evidence.observations == [Observation(TEN * SECOND, 7, 615, types, channel)]


def test_a_title_in_another_language_may_be_of_any_type() -> None:
    evidence = Evidence()
    title = "Eine Konversation (#615) wurde Ihnen zugewiesen"
    line = f"2026-03-03T10:00:00Z Browser push sent to a@b.c with title {title}".encode()
    evidence.take_log([("log", 1, line)], {"a@b.c": 7})
    (found,) = evidence.observations
    assert {ASSIGNMENT, MENTION, CREATION} < found.types


def notifications_of(chatwoot: Chatwoot, rows: dict[int, list[Json]]) -> None:
    """Let the API give users their notifications, 15 a page."""

    def answer(asked: Asked, person: Person | None) -> None:
        path, _, query = unquote(asked.path).partition("?")
        if path.endswith("/notifications") and person is not None:
            assert "includes[]=read&includes[]=snoozed&sort_order=asc" in query
            first = (int(query.split("page=")[1].split("&")[0]) - 1) * 15
            payload = rows.get(person.id, [])[first : first + 15]
            raise Reply(200, {"data": {"meta": {"count": 0}, "payload": payload}})

    chatwoot.before = answer


def by_api(type_: str, seconds: int, message: int | None = None, conversation: int = 42) -> Json:
    actor = None if message is None else {"id": message, "message_type": 0}
    return {
        "id": 1,
        "notification_type": type_,
        "primary_actor_type": "Conversation",
        "primary_actor_id": 9000,
        "primary_actor": {"id": conversation, "meta": {}},
        "secondary_actor": actor,
        "user": {"id": 7},
        "read_at": None,
        "created_at": TEN + seconds,
    }


def test_the_api_is_asked_for_those_whose_tokens_are_held(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.write_events("e.jsonl", EVENTS)
    older = [by_api(ASSIGNMENT, -9999, conversation=number) for number in range(100, 120)]
    notifications_of(chatwoot, {7: [*older, by_api(MESSAGE, 180, 101)], 8: [by_api(CREATION, 0)]})

    done = pulled("chatwoot", "compare", "e.jsonl")
    one = pulled("chatwoot", "compare", "e.jsonl", "-u", "7")

    assert [(x["user_id"], x["type"], x["reason"]) for x in done.records] == [
        (8, CREATION, "disabled")
    ]
    assert (done.status, one.status, one.records) == (1, 0, [])
    assert "of 3 users, whose tokens are held" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--rules", "notifycli", "--notifications", "n.jsonl"), 2, "is no version of Chatwoot"),
        (("--log", "none.log"), 66, "none.log: No such file"),
        (("--log", "quiet.log"), 65, "no line says that an e-mail or a push was sent"),
        (("--notifications", "bad.jsonl"), 65, "bad.jsonl:2: is no row"),
        ((), 78, "isn't connected to a Chatwoot"),
    ],
)
def test_what_can_not_be_compared(
    desk: Notifycli, arguments: tuple[str, ...], status: int, told: str
) -> None:
    desk.write_events("e.jsonl", EVENTS)
    desk.write("n.jsonl", b"")
    desk.write("quiet.log", "2026-03-03T10:00:00Z WARN nothing\n")
    desk.write("bad.jsonl", lines([row(0, CREATION)]) + b'{"at": 7}\n')
    done = desk("chatwoot", "compare", "e.jsonl", *arguments)
    assert (done.status, done.stdout) == (status, b"")
    assert told in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--log", "-"), ("e.jsonl", "--log", "-", "--notifications", "-")]
)
def test_standard_input_is_one_thing(desk: Notifycli, arguments: tuple[str, ...]) -> None:
    desk.write_events("e.jsonl", EVENTS)
    done = desk("chatwoot", "compare", *arguments, stdin=b"")
    assert (done.status, "can be one thing only" in done.stderr) == (2, True)


def test_whoever_is_connected_to_none_is_told_of_the_files_that_would_do(desk: Notifycli) -> None:
    events = desk.write_events("none.jsonl", [])
    done = desk("chatwoot", "compare", events)
    assert (done.status, done.stderr) == (
        78,
        (
            "error: account 1 isn't connected to a Chatwoot that could say what it did\n"
            "  name a file that does: --log FILE or --notifications FILE; "
            "or connect it: notifycli chatwoot login URL\n"
        ),
    )
