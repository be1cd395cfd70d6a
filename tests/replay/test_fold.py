"""A log that is cut anywhere, and whose conversations are given to anybody, comes to the same."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from operator import itemgetter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.cli.replay_run import Run, RunPass
from notifycli.cli.why.why_records import PastPreferences
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.replay import fold
from notifycli.replay.fold import Clocks, Share, Told, carry, deal, find_repeats, in_order, tell
from notifycli.replay.sources import BadLines
from notifycli.report.findings import Observations
from notifycli.rules import layers
from notifycli.rules.counts import Recipient
from notifycli.rules.decision import Decision, Selection, join_fields
from notifycli.rules.directory import Directory
from notifycli.rules.layers import Preferences, links_conversations
from notifycli.rules.profile import NOTIFYCLI, Profile, profile_named
from notifycli.rules.replay import Account, Replay
from notifycli.store.store import open_store
from tests.conftest import Notifycli
from tests.rules.test_counts import replay_with, seen
from tests.rules.worlds import ACCOUNTS, USERS, World, worlds

PROFILES = st.sampled_from([None, None, profile_named("chatwoot@4.16")])
_encode = msgspec.msgpack.Encoder().encode


def decide(run: Run, event: Event) -> list[Decision] | None:
    """Give every decision on an event."""
    found = run.recipients(event, explain=True)
    return None if found is None else [join_fields(found[0], one) for one in found[1]]


def a_pass(world: World, profile: Profile | None) -> tuple[Run, RunPass[list[Decision]]]:
    """Make a pass that gives every decision; with a profile, the differences that it makes."""
    bad = BadLines(print)
    if profile is None:
        run = Run(replay_with(world, NOTIFYCLI, Selection()), Selection(), bad)
        run.observations = Observations(20)
        return run, RunPass(run, partial(decide, run))
    sides = [replay_with(world, each, Selection()) for each in (profile, NOTIFYCLI)]
    run = Run(sides[0], Selection(), bad, sides[1])
    return run, RunPass(run, partial(run.compare, explain=True, changes=True))


def drawn(run: Run) -> list[object]:
    """Give all that is counted, for the eye too."""
    of_report: list[object] = []
    if run.observations is not None:
        page, held = run.observations, (run.observations.fired, run.observations.withheld)
        hours = [
            page.hours_of(Recipient(account, user, None)) for account in ACCOUNTS for user in USERS
        ]
        of_report = [page.span, hours, *((one.one_in, one.events) for one in held)]
    return [*seen(run.replay.counts()), run.events, run.changes.counts, run.unmet(), *of_report]


@st.composite
def cut_worlds(draw: st.DrawFn) -> tuple[World, list[list[bytes]]]:
    """Draw a world, and its lines in parts; some come again, at once or later."""
    world = draw(worlds())
    lines = [line.encode() for line in world.lines]
    for at in draw(st.lists(st.integers(0, max(len(lines) - 1, 0)), max_size=3)):
        if lines:
            lines.insert(draw(st.integers(at, len(lines))), lines[at])
    cuts = sorted(draw(st.lists(st.integers(0, len(lines)), max_size=6)))
    edges = zip([0, *cuts], [*cuts, len(lines)], strict=True)
    return world, [lines[begin:end] for begin, end in edges]


def events_of(lines: list[bytes], before: int) -> Iterator[Event]:
    for number, line in enumerate(lines, before + 1):
        with suppress(EventError):
            yield decode_event(line, number)


def whole(world: World, lines: list[bytes], profile: Profile | None) -> tuple[object, ...]:
    run, one = a_pass(world, profile)
    return [*in_order(events_of(lines, 0), one)], drawn(run)


def given_to(whose: Sequence[int], shares: list[Share]) -> list[Share]:
    """Put together the shares of each who folds any, and hand them on."""
    held: list[Share] = []
    for who in range(max(whose) + 1):
        own = [share for each, share in zip(whose, shares, strict=True) if each == who]
        pairs = chain.from_iterable(zip(share.places, share.events, strict=True) for share in own)
        in_order = sorted(pairs, key=itemgetter(0))
        share = Share([place for place, _ in in_order], [event for _, event in in_order])
        held.append(msgspec.msgpack.decode(_encode(share), type=Share))
    return held


def shared_out(
    world: World,
    parts: list[list[bytes]],
    profile: Profile | None,
    whose: Sequence[int],
    undivided: Collection[int] = (),
) -> tuple[object, ...]:
    """Drive the functions as processes would: one after the other, of all parts at once.

    `whose` says for each of the shares that conversations are dealt out to who folds it.
    """
    fallback, before, events, shares = world.fallback_account, 0, [], len(whose)
    undivided = {*undivided, *a_pass(world, profile)[1].undivided()}
    for lines in parts:
        events.append([*events_of(lines, before)])
        before += len(lines)
    dealt = [
        given_to(whose, deal(part, fallback, shares, number % shares, undivided))
        for number, part in enumerate(events)
    ]
    passes = [a_pass(world, profile) for _ in range(max(whose) + 1)]
    repeats = [
        [find_repeats(one.replay, part[who]) for who, (_, one) in enumerate(passes)]
        for part in dealt
    ]
    told = [
        _encode(tell(part, set().union(*of_part)))
        for part, of_part in zip(events, repeats, strict=True)
    ]
    made: list[tuple[int, int, list[Decision]]] = []
    for who, (run, one) in enumerate(passes):
        clocks: Clocks = {}
        for part, (share, again, text) in enumerate(zip(dealt, repeats, told, strict=True)):
            said = msgspec.msgpack.decode(text, type=Told)
            folded = fold.fold(one, share[who], again[who], said, clocks)
            made += [(part, place, each) for place, each in folded]
            carry(clocks, said)
        if who == 0:
            run.replay.assumptions.times_back = sum(one.steps_back for one in clocks.values())
    run, one = a_pass(world, profile)
    for _, other in passes:
        one.merge(pickle.loads(pickle.dumps(other.counted())))  # noqa: S301 - dumped here
    return [each for _, _, each in sorted(made, key=itemgetter(0, 1))], drawn(run)


WHOSE = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(cut_worlds(), PROFILES, WHOSE, st.sets(st.sampled_from(ACCOUNTS)))
def test_any_cut_and_any_share_gives_the_same_decisions_counts_and_differences(
    drawn_world: tuple[World, list[list[bytes]]],
    profile: Profile | None,
    whose: list[int],
    undivided: set[int],
) -> None:
    world, parts = drawn_world
    expected = whole(world, [*chain(*parts)], profile)
    assert shared_out(world, parts, profile, whose, undivided) == expected


@given(worlds(), st.integers(1, 4), st.integers(0, 3))
def test_all_that_an_undivided_account_tells_is_in_one_share(
    world: World, shares: int, own: int
) -> None:
    events = [*events_of([line.encode() for line in world.lines], 0)]
    dealt = deal(events, world.fallback_account, shares, own % shares, {1})
    holding = [share for share in dealt if any(event.account == 1 for event in share.events)]
    assert len(holding) <= 1
    assert sum(len(share.events) for share in dealt) == len(events)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Preferences(user={7: {"mute": "on"}}), Preferences(), id="as it is"),
        pytest.param(Preferences(), Preferences(default={"mute": "on"}), id="as proposed"),
        pytest.param(
            Preferences(), Preferences(conversation={(7, 42): {"mute": "on"}}), id="in one place"
        ),
    ],
)
def test_conversations_are_shared_out_unless_a_preference_links_them(
    before: Preferences, after: Preferences, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, proposed = (
        Replay({1: Account(Directory(), one), 2: Account(Directory(), Preferences())})
        for one in (before, after)
    )
    run = Run(proposed, Selection(), BadLines(print), stored)
    assert run.undivided() == set()
    monkeypatch.setattr(layers, "_LINKING", frozenset({"mute"}))
    assert run.undivided() == {1}


def test_a_difference_is_sought_in_accounts_that_are_on_no_record() -> None:
    event = decode_event(b'{"event": "conversation_created", "id": 1, "account": {"id": 9}}', 1)
    run = Run(Replay({}), Selection(), BadLines(print), Replay({}))
    one = RunPass(run, partial(run.compare, explain=True, changes=True))
    assert [*in_order([event], one)] == []
    assert (run.events, [*run.replay.accounts]) == (1, [9])


def test_so_does_one_that_was_set_in_the_past_that_why_goes_by(
    notifycli: Notifycli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_LINKING", frozenset({"when_unavailable"}))
    notifycli.ok("user", "add", "jane@example.com", "--id", "7")
    notifycli.ok("prefs", "set", "-u", "7", "when_unavailable=withhold")
    notifycli.ok("prefs", "unset", "-u", "7", "when_unavailable")
    with closing(sqlite3.connect(notifycli.store, isolation_level=None)) as file:
        file.execute(
            "UPDATE change SET at = '2026-03-01T12:00:00Z'"
            " WHERE id = (SELECT min(change_id) FROM preference_change)"
        )
    with open_store(notifycli.store) as store:
        past = PastPreferences(store, 1, None)
    assert links_conversations(past.today) is False
    assert past.links_conversations() is True
