"""A log that is cut anywhere, and whose conversations are given to anybody, comes to the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.replay import fold
from notifycli.replay.fold import Clocks, Share, Told, carry, deal, find_repeats, in_order, tell
from notifycli.rules.counts import Counts, Insight
from notifycli.rules.decision import Decision, Selection, join_fields
from notifycli.rules.profile import NOTIFYCLI, Profile, profile_named
from notifycli.rules.replay import Replay, event_fields
from notifycli.rules.state import Sign
from tests.rules.test_counts import replay_with, seen
from tests.rules.worlds import World, worlds

PROFILES = st.sampled_from([NOTIFYCLI, NOTIFYCLI, profile_named("chatwoot@4.16")])
_encode = msgspec.msgpack.Encoder().encode


class Everything:
    """A pass that gives every decision."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay

    def fold(self, event: Event, *, news: bool) -> list[Decision] | None:
        evaluation = self.replay.fold(event) if news else None
        if evaluation is None:
            return None
        fields = event_fields(event)
        return [join_fields(fields, recipient) for recipient in evaluation.everything]

    def keep(self, sign: Sign) -> None:
        self.replay.accounts[sign.account].keep(sign)


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


def whole(world: World, lines: list[bytes], profile: Profile) -> tuple[list[object], Counts]:
    replay = replay_with(world, profile, Selection())
    return [*in_order(events_of(lines, 0), Everything(replay))], replay.counts()


def shared_out(
    world: World, parts: list[list[bytes]], profile: Profile, shares: int
) -> tuple[list[object], Counts]:
    """Drive the functions as processes would: one after the other, of all parts at once."""
    fallback, before, events = world.fallback_account, 0, []
    for lines in parts:
        events.append([*events_of(lines, before)])
        before += len(lines)
    dealt = [
        [msgspec.msgpack.decode(_encode(share), type=Share) for share in dealt_of]
        for dealt_of in (deal(part, fallback, shares, n % shares) for n, part in enumerate(events))
    ]
    passes = [Everything(replay_with(world, profile, Selection())) for _ in range(shares)]
    repeats = [
        [find_repeats(one.replay, part[who]) for who, one in enumerate(passes)] for part in dealt
    ]
    told = [
        _encode(tell(part, set().union(*of_part)))
        for part, of_part in zip(events, repeats, strict=True)
    ]
    made: list[list[tuple[int, int, list[Decision]]]] = []
    for who, one in enumerate(passes):
        clocks: Clocks = {}
        for part, (share, again, text) in enumerate(zip(dealt, repeats, told, strict=True)):
            said = msgspec.msgpack.decode(text, type=Told)
            folded = fold.fold(one, share[who], again[who], said, clocks)
            made.append([(part, *each) for each in folded])
            carry(clocks, said)
        if who == 0:
            one.replay.assumptions.times_back = sum(one.steps_back for one in clocks.values())
    counts = Counts(insight=Insight(int))
    for one in passes:
        counts.merge(one.replay.counts())
    return [each for _, _, each in sorted(chain(*made), key=lambda m: m[:2])], counts


@given(cut_worlds(), PROFILES, st.integers(1, 4))
def test_any_cut_and_any_share_gives_the_same_decisions_and_counts(
    drawn: tuple[World, list[list[bytes]]], profile: Profile, shares: int
) -> None:
    world, parts = drawn
    expected, counts = whole(world, [*chain(*parts)], profile)
    found, merged = shared_out(world, parts, profile, shares)
    assert found == expected
    assert seen(merged) == seen(counts)
