"""The outbox under every order of writing, leasing, ending, crashing: nothing is lost or doubled.

The model knows no SQL: a list of notices, who holds which until when, and what was acknowledged.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import (
    CLOCK_SLACK,
    EVERY_CHANNEL,
    Leased,
    NoticeState,
    OutboxEntry,
    Scope,
    Settled,
)

from .engines import Engine

LEASE = 10
OWNERS = ("a", "b")
Line = tuple[int, Channel, int | None]


@dataclass
class Known:
    """What the model knows of a notice."""

    line: Line
    text: str
    state: NoticeState = NoticeState.PENDING
    owner: str = ""
    due: int = 0
    changed: int = 0

    def is_due(self, now: int) -> bool:
        """Whether its time has come, or can only be of a clock that was put right since."""
        if self.state is NoticeState.SENDING:
            return self.due <= now or self.due > now + LEASE + CLOCK_SLACK
        return self.due <= now or self.changed > now + CLOCK_SLACK


def entry(key: int, user: int, channel: Channel, conversation: int | None) -> OutboxEntry:
    return OutboxEntry(
        event_key=bytes([key]),
        account_id=1,
        user_id=user,
        type=NotificationType.ASSIGNED_MESSAGE,
        channel=channel,
        event="message_created",
        conversation_id=conversation,
        inbox_id=3,
        inbox_name="",
        message_id=key,
        at=None,
        contact="Ada",
        author="Ada",
        text=f"text {key}",
    )


class Machine(RuleBasedStateMachine):
    """Two senders at one outbox."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.store = engine.open()
        self.outbox = self.store.outbox
        self.now = 10 * CLOCK_SLACK
        self.known: dict[int, Known] = {}
        self.keys: set[tuple[int, int, Channel]] = set()
        self.held: dict[str, dict[int, Leased]] = {owner: {} for owner in OWNERS}

    def teardown(self) -> None:
        self.drain()
        self.store.__exit__()

    @rule(
        key=st.integers(0, 5),
        user=st.sampled_from((7, 8)),
        channel=st.sampled_from((Channel.EMAIL, Channel.PUSH)),
        conversation=st.sampled_from((None, 42, 43)),
    )
    def write(self, key: int, user: int, channel: Channel, conversation: int | None) -> None:
        new, _ = self.outbox.write([entry(key, user, channel, conversation)], self.now)
        identity = (key, user, channel)
        assert bool(new) == (identity not in self.keys), "each notice is written once"
        if new:
            self.keys.add(identity)
            id_ = max(notice.id for notice in self.outbox.in_state(NoticeState.PENDING))
            self.known[id_] = Known(
                (user, channel, conversation), f"text {key}", due=self.now, changed=self.now
            )

    @rule(key=st.integers(0, 5))
    def overtake(self, key: int) -> None:
        self.outbox.write([], self.now, overtaken=[bytes([key]), b"of nothing"])
        for notice in self.known.values():
            of_it = notice.text == f"text {key}"
            if of_it and notice.state in (NoticeState.PENDING, NoticeState.SENDING):
                notice.state, notice.owner = NoticeState.DROPPED, ""
                notice.changed = self.now

    @rule(owner=st.sampled_from(OWNERS), room=st.integers(0, 4), renew=st.booleans())
    def lease(self, owner: str, room: int, renew: bool) -> None:
        self._turn(owner, [], room, [*self.held[owner]] if renew else ())

    @rule(
        owner=st.sampled_from(OWNERS),
        state=st.sampled_from((NoticeState.SENT, NoticeState.DEAD, NoticeState.PENDING)),
        wait=st.integers(0, 15),
        which=st.integers(0, 9),
    )
    def end(self, owner: str, state: NoticeState, wait: int, which: int) -> None:
        held = [*self.held[owner]]
        if held:
            self._turn(owner, [Settled(held[which % len(held)], state, self.now + wait)], 0)

    @rule(owner=st.sampled_from(OWNERS))
    def crash(self, owner: str) -> None:
        self.held[owner].clear()

    @rule(seconds=st.integers(1, LEASE + 2))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(seconds=st.integers(1, 3 * LEASE), slack=st.sampled_from([0, CLOCK_SLACK]))
    def clock_is_put_right(self, seconds: int, slack: int) -> None:
        self.now = max(1, self.now - seconds - slack)

    @precondition(lambda self: self.known)
    @rule(which=st.integers(0, 99), drop=st.booleans())
    def take_in_hand(self, which: int, drop: bool) -> None:
        id_ = [*self.known][which % len(self.known)]
        notice = self.known[id_]
        count = (self.outbox.drop if drop else self.outbox.retry)([id_], self.now)
        assert count == (notice.state in (NoticeState.DEAD, NoticeState.PENDING))
        if count:
            notice.state = NoticeState.DROPPED if drop else NoticeState.PENDING
            notice.due = notice.changed = self.now

    @invariant()
    def the_store_is_what_the_model_says(self) -> None:
        assert self.outbox.states(self.known) == {i: k.state for i, k in self.known.items()}

    @invariant()
    def nothing_that_has_ended_is_still_told(self) -> None:
        store: Any = self.store
        for (text,) in store._database.execute(  # noqa: SLF001 - no door leads to what is forgotten
            "SELECT text || contact || author FROM notice WHERE state IN ('sent', 'dropped')"
        ):
            assert not text

    def drain(self) -> None:
        """End it all: whatever was done to it, each notice that is open can be sent."""
        for _ in range(len(self.known) + 1):
            self.now += LEASE + CLOCK_SLACK + 20
            leased = self._turn("a", [], 100)
            self._turn("a", [Settled(n.id, NoticeState.SENT, self.now) for n in leased], 0)
        assert self.outbox.open_count(EVERY_CHANNEL) == 0
        assert self.outbox.next_due(EVERY_CHANNEL) is None

    def _turn(
        self, owner: str, settled: list[Settled], room: int, renew: Collection[int] = ()
    ) -> list[Leased]:
        until = self.now + LEASE
        scope: Scope = EVERY_CHANNEL
        leased = self.outbox.turn(owner, settled, room, scope, self.now, until, renew)
        for item in settled:
            self._settle(owner, item)
        for id_ in renew:
            notice = self.known[id_]
            if notice.state is NoticeState.SENDING and notice.owner == owner:
                notice.due = until
        self._check_lease(leased, room)
        for notice_ in leased:
            known = self.known[notice_.id]
            known.state, known.owner, known.due = NoticeState.SENDING, owner, until
            self.held[owner][notice_.id] = notice_
        return leased

    def _settle(self, owner: str, item: Settled) -> None:
        known = self.known[item.id]
        self.held[owner].pop(item.id, None)
        mine = known.state is NoticeState.SENDING and known.owner == owner
        if item.state is NoticeState.SENT or mine:
            known.state, known.due, known.owner = item.state, item.due_at, ""
            known.changed = self.now

    def _check_lease(self, leased: list[Leased], room: int) -> None:
        """Check that just what is due and first in its line was leased, the oldest first."""
        open_ = {
            i: k
            for i, k in self.known.items()
            if k.state in (NoticeState.PENDING, NoticeState.SENDING)
        }
        free = [
            id_
            for id_, notice in sorted(open_.items())
            if notice.is_due(self.now)
            and not any(
                other < id_ and notice.line[2] is not None and open_[other].line == notice.line
                for other in open_
            )
        ]
        assert [notice.id for notice in leased] == free[:room]
        assert [notice.text for notice in leased] == [self.known[i].text for i in free[:room]]


def test_nothing_is_lost_or_doubled_in_whatever_order_it_happens(engine: Engine) -> None:
    class MachineOfEngine(Machine):
        def __init__(self) -> None:
            super().__init__(engine)

    run_state_machine_as_test(MachineOfEngine, settings=settings(stateful_step_count=30))


def test_what_was_sent_is_forgotten_in_the_end_and_what_is_open_never(engine: Engine) -> None:
    with engine.open() as store:
        entries = [entry(key, 7, Channel.EMAIL, None) for key in range(3)]
        store.outbox.write(entries, 1)
        first, second, _ = store.outbox.turn("a", [], 3, EVERY_CHANNEL, 1, 9, ())
        ends = [Settled(first.id, NoticeState.SENT, 5), Settled(second.id, NoticeState.DEAD, 5)]
        store.outbox.turn("a", ends, 0, EVERY_CHANNEL, 5, 9, ())

        store.outbox.forget(before=5)
        assert all(map(store.outbox.has, entries))
        store.outbox.forget(before=6)
        assert [*map(store.outbox.has, entries)] == [False, True, True]


def test_what_its_owner_was_given_and_does_not_know_of_is_given_anew(engine: Engine) -> None:
    with engine.open() as store:
        store.outbox.write([entry(key, 7, Channel.EMAIL, key) for key in range(2)], 1)
        known, lost = store.outbox.turn("a", [], 2, EVERY_CHANNEL, 1, 9, ())
        assert store.outbox.turn("a", [], 2, EVERY_CHANNEL, 8, 16, [known.id]) == []
        given = store.outbox.turn("a", [], 2, EVERY_CHANNEL, 12, 20, [known.id])
        assert [notice.id for notice in given] == [lost.id]


def test_what_is_overtaken_is_dropped_and_says_why_unless_it_was_sent(engine: Engine) -> None:
    with engine.open() as store:
        outbox = store.outbox
        outbox.write([entry(key, 7, Channel.EMAIL, key) for key in range(4)], 1)
        sent, failed, _ = outbox.turn("a", [], 3, EVERY_CHANNEL, 1, 9, ())
        both = [entry(4, 7, Channel.EMAIL, 4), entry(5, 7, Channel.EMAIL, 5)]
        done = outbox.write(both, 2, overtaken=[bytes([key]) for key in range(5)])
        assert done == (both, [Channel.EMAIL] * 5)
        ends = [Settled(sent.id, NoticeState.SENT, 3), Settled(failed.id, NoticeState.PENDING, 3)]
        outbox.turn("a", ends, 0, EVERY_CHANNEL, 3, 9, ())

        found = [(s, n.conversation_id, n.why) for s in NoticeState for n in outbox.in_state(s)]
        why = "overtaken: the customer waits no longer"
        assert found == [
            (NoticeState.PENDING, 5, ""),
            (NoticeState.SENT, 0, ""),
            *((NoticeState.DROPPED, id_, why) for id_ in (1, 2, 3, 4)),
        ]


def test_types_that_are_left_out_of_a_scope_wait(engine: Engine) -> None:
    with engine.open() as store:
        outbox, now = store.outbox, 1
        waiting = entry(1, 7, Channel.EMAIL, 42)._replace(type=NotificationType.WAITING)
        outbox.write([waiting, entry(2, 7, Channel.EMAIL, 43)], now)
        others = Scope(without=frozenset({NotificationType.WAITING, NotificationType.ESCALATION}))
        leased = outbox.turn("a", [], 3, others, now, 9, ())
        assert [notice.conversation_id for notice in leased] == [43]
        assert (outbox.open_count(others), outbox.open_count(EVERY_CHANNEL)) == (1, 2)
