"""What fires, found the short way: just the decisions of the long way that fire."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.rules import firing
from notifycli.rules.decision import Decision, Facts, Outcome, Reason, Verdict, joined
from notifycli.rules.firing import Firing
from notifycli.rules.insight import Insight
from notifycli.rules.looking import Looking
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.replay import facts
from notifycli.rules.selection import Selection
from notifycli.rules.summary import Summary
from tests.rules.harness import decisions_of, replay_of
from tests.rules.worlds import World, worlds

LAW = settings(max_examples=100, deadline=None)


SELECTIONS = st.builds(
    Selection,
    users=st.none() | st.frozensets(st.tuples(st.just(1), st.integers(6, 9))),
    channels=st.frozensets(st.sampled_from(Channel)),
    types=st.frozensets(st.sampled_from(NotificationType)),
    inboxes=st.just(frozenset()) | st.just(frozenset({3})),
)


def events_of(world: World) -> Iterator[Event]:
    for number, line in enumerate(world.lines, 1):
        with suppress(EventError):
            yield decode_event(line.encode(), number)


def the_short_way(
    world: World, selection: Selection, insight: Insight
) -> tuple[list[Decision], Summary]:
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    looking = Looking(insight, selection.takes_kind)
    short, summary = Firing(replay, selection, looking), Summary()
    found: list[Decision] = []
    for event in events_of(world):
        verdicts = short.of(event)
        found += [joined(facts(event), verdict) for verdict in verdicts]
    short.settle(summary)
    return found, summary


@LAW
@given(worlds(), st.sampled_from([(8, 4096, 9999), (2, 3, 9999), (1, 1, 9999), (8, 4096, 8)]))
def test_it_is_what_every_decision_together_says(world: World, kept: tuple[int, int, int]) -> None:
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    every = decisions_of(replay, world.lines)
    counted = Summary()
    for decision in every:
        counted.add(decision)

    kinds, routes, size = kept
    with patch.multiple(firing, _KINDS_KEPT=kinds, _ROUTES_KEPT=routes, _SIZE_KEPT=size):
        found, summary = the_short_way(world, Selection(), Insight(int))

    assert found == [decision for decision in every if decision.outcome is Outcome.FIRE]
    assert summary.counts() == counted.counts()


@LAW
@given(worlds(), SELECTIONS)
def test_what_is_counted_for_the_eye_is_too(world: World, selection: Selection) -> None:
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    counted, insight = Insight(int), Insight(int)
    for event in events_of(world):
        every = list(replay.decide(event))
        if selection.takes_event(event):
            for decision in filter(selection.takes, every):
                counted.add(decision, event.at)

    the_short_way(world, selection, insight)

    assert dict(insight.reasons) == dict(counted.reasons)
    assert (insight.fired, insight.places) == (counted.fired, counted.places)


@LAW
@given(worlds(), SELECTIONS)
def test_what_holds_back_the_others_is_counted_of_what_is_selected(
    world: World, selection: Selection
) -> None:
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    held: Counter[Reason] = Counter()
    for event in events_of(world):
        every = list(replay.decide(event))
        assert event.account is not None
        if selection.takes_event(event):
            wanted = replay.accounts[event.account].stored.settings
            for decision in filter(selection.takes, every):
                on = wanted.of(decision.user_id, event.inbox).switched_on[decision.type]
                if decision.outcome is Outcome.SUPPRESS and decision.channel in dict(on):
                    held[decision.reason] += 1

    _, summary = the_short_way(world, selection, Insight(int))

    assert summary.held == held


def test_what_is_kept_for_messages_of_a_large_desk_is_bounded() -> None:
    users = [{"id": id_, "email": None, "role": "agent"} for id_ in range(1, 101)]
    directory = {"account": {"id": 1}, "users": users, "inboxes": [], "teams": []}
    replay = replay_of(directory, [])
    short = Firing(replay, Selection(), Looking(Insight(int), Selection().takes_kind))

    with patch.object(firing, "_SIZE_KEPT", 1000):
        for user in range(1, 101):
            conversation = {"id": user, "meta": {"assignee": {"id": user}}}
            message = {"event": "message_created", "conversation": conversation}
            short.of(decode_event(json.dumps(message).encode(), user))

    routes = replay.accounts[1].stored.routes
    assert 0 < sum(len(route.settled) for route in routes.values()) < 1000 + 200


def test_facts_and_verdict_are_the_fields_of_a_decision_in_their_order() -> None:
    both = Facts.__struct_fields__ + Verdict.__struct_fields__
    assert both == Decision.__struct_fields__
