"""Waits without a reply in `deliver`: told at the deadline, once, and never of what is answered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from notifycli.delivery.channels import discard
from notifycli.delivery.engine import Channels
from notifycli.delivery.enqueue import Enqueuer, Terms, pack_state, unpack_state, wall_clock
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import NoticeState
from notifycli.store.store import Store, open_store
from tests.conftest import Json, Notifycli

from .desk import Post, asked


@pytest.fixture
def waiting(told: Notifycli, post: Post) -> Notifycli:
    """The desk, at which Jane wants to know of customers who wait for five minutes."""
    assert post.sent == []
    told.ok("prefs", "set", "email.waiting=on", "waiting_after=5m", "-u", "7")
    return told


def replied(ago: int, message: int = 900) -> Json:
    by = {"id": 8, "type": "user", "name": "Omar"}
    body = asked(message, ago=ago, text="Here you are")
    return {**body, "message_type": "outgoing", "sender": by}


def shown(status: str, ago: int) -> Json:
    return {
        "event": "conversation_status_changed",
        "account": {"id": 1},
        "id": 42,
        "inbox_id": 3,
        "status": status,
        "updated_at": time.time() - ago,
    }


class Log:
    """What follows a log, without the log: it can be begun again at any time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.begin()

    def begin(self) -> None:
        channels = Channels(self.store, frozenset(Channel), discard)
        self.enqueuer = Enqueuer(self.store, 1, Terms(), channels, clock=wall_clock)

    def take(self, *bodies: Json, fresh: bool = True) -> None:
        take = self.enqueuer.take if fresh else self.enqueuer.fold
        for number, body in enumerate(bodies, 1):
            take(json.dumps(body).encode(), number)

    def wait(self, seconds: int = 0) -> list[tuple[str, str, str]]:
        """Let the clock on the wall go on to now, or further, and return what is written then."""
        self.enqueuer.pass_to(time.time_ns() // 1_000 + seconds * 1_000_000)
        kept = [entry for entry, _ in self.enqueuer._entries]  # noqa: SLF001 - what is to be written
        new = self.enqueuer.write()
        found = [(str(one.type), one.contact, one.text) for one in kept]
        return [one for one in found if one[0] == "conversation_waiting"][:new]

    def states(self) -> list[tuple[str, int | None, str]]:
        """Return what the outbox holds of waits: state, message, why."""
        return [
            (str(state), one.message_id, one.why)
            for state in NoticeState
            for one in self.store.outbox.in_state(state)
            if one.type == "conversation_waiting"
        ]


WAITING = ("conversation_waiting", "Ada", "Hello?")


@pytest.fixture
def log(waiting: Notifycli) -> Iterator[Log]:
    with open_store(waiting.store) as store:
        yield Log(store)


def test_a_deadline_comes_by_the_clock_on_the_wall_and_once(log: Log) -> None:
    log.take(asked(100, ago=301, text="Hello?"), asked(101, ago=200, text="Anybody?"))
    assert log.wait() == [WAITING]
    assert log.wait() == []


def test_before_its_deadline_nobody_is_told(log: Log) -> None:
    log.take(asked(100, ago=200, text="Hello?"))
    assert log.wait() == []


@pytest.mark.parametrize("fresh", [True, False])
def test_an_event_ahead_of_the_clock_brings_no_deadline_forward(log: Log, *, fresh: bool) -> None:
    log.take(asked(100, ago=200, text="Hello?"), shown("open", ago=-1_200), fresh=fresh)
    assert log.wait() == []
    assert log.wait(101) == [WAITING]


def test_of_who_was_answered_meanwhile_nobody_is_told(log: Log) -> None:
    log.take(asked(100, ago=301), replied(ago=2))
    assert log.wait() == []


def test_who_starts_again_tells_of_what_came_due_meanwhile_and_of_nothing_twice(
    log: Log,
) -> None:
    question = asked(100, ago=301, text="Hello?")
    log.take(question, fresh=False)
    assert log.wait() == [WAITING]
    log.begin()
    log.take(question, fresh=False)
    assert log.wait() == []


def test_who_changes_their_mind_goes_by_the_new_time(log: Log, waiting: Notifycli) -> None:
    log.take(asked(100, ago=200, text="Hello?"))
    assert log.wait() == []
    waiting.ok("prefs", "set", "waiting_after=4m", "-u", "7")
    log.enqueuer._looked = 0  # noqa: SLF001 - as if some time had passed
    log.enqueuer.keep_up()
    assert log.wait() == []
    assert log.wait(41) == [WAITING]


OVERTAKEN = "overtaken: the customer waits no longer"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(replied(ago=2), id="somebody replies"),
        pytest.param(shown("resolved", ago=2), id="it is resolved"),
        pytest.param(shown("snoozed", ago=2), id="it is snoozed"),
        pytest.param(shown("pending", ago=2), id="a bot has it"),
    ],
)
def test_what_waits_to_be_sent_is_dropped_when(end: Json, log: Log) -> None:
    log.take(asked(100, ago=301))
    assert log.wait() == [("conversation_waiting", "Ada", "Hello")]
    log.take(end)
    log.wait()
    assert log.states() == [("dropped", 100, OVERTAKEN)]


def test_a_private_note_and_a_second_question_drop_nothing(log: Log) -> None:
    log.take(asked(100, ago=301))
    log.wait()
    log.take({**replied(ago=2), "private": True}, asked(101, ago=1))
    log.wait()
    assert log.states() == [("pending", 100, "")]


def test_who_takes_over_drops_what_is_overtaken(log: Log) -> None:
    log.take(asked(100, ago=301))
    log.wait()
    kept = pack_state(log.enqueuer.replay.account(1).state)
    log.begin()
    log.enqueuer.resume(1, unpack_state(kept))
    log.take(replied(ago=2))
    log.wait()
    assert log.states() == [("dropped", 100, OVERTAKEN)]


def test_a_log_read_again_drops_what_its_replies_overtake_and_nothing_else(log: Log) -> None:
    events = asked(100, ago=900), replied(ago=500), asked(101, ago=400), replied(ago=2, message=901)
    log.take(*events[:3])
    log.wait()
    told = [("pending", 101, ""), ("dropped", 100, OVERTAKEN)]
    assert log.states() == told
    for _ in range(2):
        log.begin()
        log.take(*events[:3])
        log.wait()
        assert log.states() == told
    log.take(events[3])
    log.wait()
    assert log.states() == [("dropped", 100, OVERTAKEN), ("dropped", 101, OVERTAKEN)]


def test_what_the_mail_server_kept_from_going_is_not_sent_after_the_reply(
    waiting: Notifycli, post: Post
) -> None:
    waiting.ok("prefs", "set", "email.message=off", "-u", "7")
    events = [asked(100, ago=900), asked(101, conversation=43, ago=800), asked(102, ago=60)]
    post.broken = {Channel.EMAIL}
    waiting("deliver", waiting.write_events("e.jsonl", events))
    assert post.of(Channel.EMAIL) == []
    post.broken = set()
    done = waiting.ok("deliver", waiting.write_events("e.jsonl", [*events, replied(ago=2)]))
    assert done.stderr == "1 e-mail not sent: overtaken, the customer waits no longer\n"
    assert [(str(one.type), one.message_id) for one in post.of(Channel.EMAIL)] == [
        ("conversation_waiting", 101)
    ]
    listed = waiting.ok("deliver", "status", "--state", "dropped", "-o", "jsonl").records
    assert [(one["message_id"], one["why"]) for one in listed] == [(100, OVERTAKEN)]
    asked_why = "why", "e.jsonl", "-u", "7", "--type", "waiting", "--channel", "email"
    told = (
        "the customer had no reply within 5m (waiting_after), and it is switched on:"
        " email.waiting is on (user)"
    )
    assert [
        (one["message_id"], one["delivery"], one["sentence"])
        for one in waiting.ok(*asked_why, "-o", "jsonl").records
    ] == [(100, "dropped", f"{told}; {OVERTAKEN}"), (101, "sent", told)]


def test_deliver_of_a_file_goes_by_the_times_of_events(waiting: Notifycli, post: Post) -> None:
    events = [asked(100, ago=900, text="Hello?"), asked(101, ago=60, text="Anybody?")]
    waiting.ok("deliver", waiting.write_events("e.jsonl", events))
    told = [one for one in post.of(Channel.EMAIL) if one.type == "conversation_waiting"]
    assert [(one.contact, one.text, one.conversation_id) for one in told] == [("Ada", "Hello?", 42)]
