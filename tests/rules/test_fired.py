"""What fires, found the short way: just the decisions of the long way that fire."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from notifycli.rules import firing
from notifycli.rules.decision import Decision, Facts, Outcome, Verdict, joined
from notifycli.rules.firing import Firing
from notifycli.rules.reading import EventError, decode_event
from notifycli.rules.replay import facts
from notifycli.rules.selection import Selection
from notifycli.rules.summary import Summary
from tests.rules.harness import decisions_of, replay_of
from tests.rules.worlds import World, worlds

LAW = settings(max_examples=150, deadline=None)


def the_short_way(world: World) -> tuple[list[Decision], Summary]:
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    short, summary = Firing(replay, Selection()), Summary()
    found: list[Decision] = []
    for number, line in enumerate(world.lines, 1):
        try:
            event = decode_event(line.encode(), number)
        except EventError:
            continue
        verdicts = short.of(event)
        found += [joined(facts(event), verdict) for verdict in verdicts]
    short.settle(summary)
    return found, summary


@LAW
@given(worlds(), st.sampled_from([(8, 4096), (2, 3), (1, 1)]))
def test_it_is_what_every_decision_together_says(world: World, kept: tuple[int, int]) -> None:
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    every = decisions_of(replay, world.lines)
    counted = Summary()
    for decision in every:
        counted.add(decision)

    with patch.multiple(firing, _KINDS_KEPT=kept[0], _ROUTES_KEPT=kept[1]):
        found, summary = the_short_way(world)

    assert found == [decision for decision in every if decision.outcome is Outcome.FIRE]
    assert summary.counts() == counted.counts()
    assert summary.held <= counted.held


def test_facts_and_verdict_are_the_fields_of_a_decision_in_their_order() -> None:
    both = Facts.__struct_fields__ + Verdict.__struct_fields__
    assert both == Decision.__struct_fields__
