"""What other preferences would change, the short way: as if every decision were made twice."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from notifycli.rules import firing
from notifycli.rules.comparing import Comparing
from notifycli.rules.decision import Decision
from notifycli.rules.insight import Insight
from notifycli.rules.looking import Looking
from notifycli.rules.overlay import ChangedDecision, difference
from notifycli.rules.replay import Replay
from notifycli.rules.selection import Selection
from notifycli.rules.state import Account
from notifycli.rules.summary import Summary
from tests.rules.harness import directory_of, preferences_of, replay_of
from tests.rules.test_fired import SELECTIONS, events_of
from tests.rules.worlds import World, preference_rows, worlds


class Found:
    def __init__(self) -> None:
        self.changes: list[ChangedDecision] = []
        self.summary = Summary()
        self.insights = Insight(int), Insight(int)

    def add(self, before: Decision, after: Decision, at: int | None) -> None:
        self.insights[0].add(before, at)
        self.insights[1].add(after, at)
        self.summary.add(after)
        change = difference(before, after, explain=False)
        self.changes += [change] if change else []

    def as_told(self) -> tuple[object, ...]:
        seen = [
            (dict(insight.reasons), dict(insight.fired), dict(insight.places))
            for insight in self.insights
        ]
        return self.changes, self.summary.counts(), seen


def replay_of_both(world: World, proposed: Any) -> Replay:
    account = world.directory["account"]["id"]
    both = Account(
        directory_of(world.directory),
        preferences_of(world.preferences, account),
        preferences_of(proposed, account),
    )
    return Replay({account: both}, world.fallback_account)


def the_long_way(world: World, proposed: Any, selection: Selection) -> Found:
    """Replay twice, with the preferences as they are and as proposed, and make every decision."""
    found = Found()
    sides = [
        replay_of(world.directory, rows, world.fallback_account)
        for rows in (world.preferences, proposed)
    ]
    for one, other in zip(events_of(world), events_of(world), strict=True):
        before, after = list(sides[0].decide(one)), list(sides[1].decide(other))
        if selection.takes_event(one):
            for pair in zip(before, after, strict=True):
                if selection.takes(pair[1]):
                    found.add(*pair, one.at)
    return found


def the_short_way(world: World, replay: Replay, selection: Selection, *, whole: bool) -> Found:
    found = Found()
    first, second = (Looking(insight, selection.takes_kind) for insight in found.insights)
    comparing = Comparing(replay, selection, (first, second), whole=whole)
    for event in events_of(world):
        for before, after in comparing.of(event):
            change = difference(before, after, explain=False) if selection.takes(after) else None
            found.changes += [change] if change else []
    comparing.settle(found.summary)
    return found


@settings(max_examples=80, deadline=None)
@given(worlds(), st.data(), SELECTIONS, st.sampled_from([(8, 4096), (2, 3), (1, 1)]), st.booleans())
def test_it_is_what_every_decision_made_twice_says(
    world: World, data: st.DataObject, selection: Selection, kept: tuple[int, int], whole: bool
) -> None:
    proposed = data.draw(preference_rows(world.directory))
    expected = the_long_way(world, proposed, selection)

    with patch.multiple(firing, _KINDS_KEPT=kept[0], _ROUTES_KEPT=kept[1]):
        found = the_short_way(world, replay_of_both(world, proposed), selection, whole=whole)

    assert found.as_told() == expected.as_told()
