"""A log that is cut anywhere, and whose conversations are given to anybody, comes to the same."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from operator import itemgetter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from notifycli.cli.replay_run import Run, RunPass
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.replay import fold
from notifycli.replay.fold import Clocks, Share, Told, carry, deal, find_repeats, in_order, tell
from notifycli.replay.sources import BadLines
from notifycli.report.findings import Observations
from notifycli.rules.counts import Recipient
from notifycli.rules.decision import Decision, Selection
from notifycli.rules.profile import NOTIFYCLI, Profile, profile_named
from notifycli.rules.replay import Replay
from tests.rules.test_counts import replay_with, seen
from tests.rules.worlds import ACCOUNTS, USERS, World, worlds

PROFILES = st.sampled_from([None, None, profile_named("chatwoot@4.16")])
_encode = msgspec.msgpack.Encoder().encode


def a_pass(world: World, profile: Profile | None) -> tuple[Run, RunPass[list[Decision]]]:
    """Make a pass that gives every decision; with a profile, the differences that it makes."""
    bad = BadLines(print)
    if profile is None:
        run = Run(replay_with(world, NOTIFYCLI, Selection()), Selection(), bad)
        run.observations = Observations(20)
        return run, RunPass(run, partial(run.decisions, explain=True))
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


def shared_out(
    world: World, parts: list[list[bytes]], profile: Profile | None, shares: int
) -> tuple[object, ...]:
    """Drive the functions as processes would: one after the other, of all parts at once."""
    fallback, before, events = world.fallback_account, 0, []
    for lines in parts:
        events.append([*events_of(lines, before)])
        before += len(lines)
    dealt = [
        [msgspec.msgpack.decode(_encode(share), type=Share) for share in dealt_of]
        for dealt_of in (deal(part, fallback, shares, n % shares) for n, part in enumerate(events))
    ]
    passes = [a_pass(world, profile) for _ in range(shares)]
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


@given(cut_worlds(), PROFILES, st.integers(1, 4))
def test_any_cut_and_any_share_gives_the_same_decisions_counts_and_differences(
    drawn_world: tuple[World, list[list[bytes]]], profile: Profile | None, shares: int
) -> None:
    world, parts = drawn_world
    expected = whole(world, [*chain(*parts)], profile)
    assert shared_out(world, parts, profile, shares) == expected


def test_a_difference_is_sought_in_accounts_that_are_on_no_record() -> None:
    event = decode_event(b'{"event": "conversation_created", "id": 1, "account": {"id": 9}}', 1)
    run = Run(Replay({}), Selection(), BadLines(print), Replay({}))
    one = RunPass(run, partial(run.compare, explain=True, changes=True))
    assert [*in_order([event], one)] == []
    assert (run.events, [*run.replay.accounts]) == (1, [9])
