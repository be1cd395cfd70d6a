"""The rules against the table of examples, against a slow evaluator, and against their laws."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.rules.decision import Decision, Outcome, Reason
from notifycli.rules.ladder import ladders_of
from notifycli.rules.notifications import NotificationType
from notifycli.rules.preferences import KEYS, Layer
from notifycli.rules.profile import NOTIFYCLI, profile_named
from tests.rules.cases import BEYOND, CASES, Case, Expected
from tests.rules.harness import decisions_of, replay_of
from tests.rules.slow import evaluate
from tests.rules.worlds import BETWEEN, World, worlds

Json = dict[str, Any]
NOT_COMPARED = ("email", "deliverable", "file")
INTRUDER = 999


def by_product(case: Case) -> list[Json]:
    lines = [json.dumps(event) for event in case.events]
    return comparable(decisions_of(replay_of(case.directory, case.preferences), lines))


def by_reference(case: Case) -> list[Json]:
    lines = [json.dumps(event) for event in case.events]
    return evaluate(lines, case.directory, list(case.preferences))


def comparable(decisions: list[Decision]) -> list[Json]:
    return [
        {field: getattr(one, field) for field in one.__struct_fields__ if field not in NOT_COMPARED}
        for one in decisions
    ]


def replayed(world: World) -> list[Decision]:
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    return decisions_of(replay, world.lines)


@pytest.mark.parametrize("evaluator", [by_product, by_reference])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_of_the_table(case: Case, evaluator: Callable[[Case], list[Json]]) -> None:
    decisions = evaluator(case)
    found = [
        Expected(one["user_id"], one["type"], one["channel"], one["outcome"], one["reason"])
        for one in decisions
    ]
    assert found == list(case.expected)
    if case.origins is not None:
        assert [one["origin"] for one in decisions] == list(case.origins)


def test_every_row_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []


def test_every_rung_of_every_ladder_is_reached_by_some_row() -> None:
    expected = {(one.type, one.reason) for case in CASES for one in case.expected}
    reasons = {reason for _, reason in expected}
    types = {type_ for type_, reason in expected if reason == "enabled"}
    assert reasons == {reason.value for reason in set(Reason) - BEYOND}
    assert types == {type_.value for type_ in set(NotificationType) - BEYOND}
    assert {rule.reason for ladder in ladders_of(NOTIFYCLI).whole.values() for rule in ladder} == (
        set(Reason) - {Reason.ENABLED}
    )


@given(worlds(BETWEEN))
def test_the_rules_decide_as_the_slow_evaluator_does(world: World) -> None:
    expected = evaluate(
        world.lines,
        world.directory,
        world.preferences,
        fallback_account=world.fallback_account,
    )
    assert first_difference(comparable(replayed(world)), expected) is None


def first_difference(found: list[Any], expected: list[Any]) -> tuple[Any, Any] | None:
    """Give where two lists first part: of long ones, pytest's own report takes seconds a world."""
    pairs = zip_longest(found, expected)
    return next(((one, other) for one, other in pairs if one != other), None)


VERSIONS = (
    "2.13",
    "2.14",
    "3.6",
    "3.9",
    "3.16",
    "4.0.1",
    "4.0.2",
    "4.0.3",
    "4.4",
    "4.11.1",
    "4.11.2",
    "4.14",
    "4.16.2",
)


@given(worlds(BETWEEN), st.sampled_from(VERSIONS))
def test_a_chatwoot_decides_as_the_slow_evaluator_of_its_version_does(
    world: World, version: str
) -> None:
    profile = f"chatwoot@{version}"
    replay = replay_of(
        world.directory, world.preferences, world.fallback_account, profile_named(profile)
    )
    expected = evaluate(
        world.lines,
        world.directory,
        world.preferences,
        fallback_account=world.fallback_account,
        profile=profile,
    )
    fields = ("line", "user_id", "type", "channel")
    found = [
        [getattr(one, field) for field in fields]
        for one in decisions_of(replay, world.lines)
        if one.outcome is Outcome.FIRE
    ]
    fired = [[one[field] for field in fields] for one in expected if one["outcome"] == "fire"]
    assert first_difference(sorted(found), sorted(fired)) is None


@given(worlds(BETWEEN), st.data())
def test_a_replay_cut_in_two_and_resumed_gives_the_same_decisions(
    world: World, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(world.lines)))
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    resumed = decisions_of(replay, world.lines[:cut])
    resumed += decisions_of(replay, world.lines[cut:], first=cut + 1)
    assert first_difference(resumed, replayed(world)) is None


@given(worlds(BETWEEN))
def test_adding_a_user_never_changes_the_decisions_for_others(world: World) -> None:
    newcomer = {"id": INTRUDER, "email": "newcomer@example.org", "name": "", "role": "agent"}
    users = [*world.directory["users"], newcomer]
    more = World(
        {**world.directory, "users": users}, world.preferences, world.lines, world.fallback_account
    )
    others = [one for one in replayed(more) if one.user_id != INTRUDER]
    assert others == replayed(world)


@given(worlds(), st.sampled_from([key for key in KEYS if key.startswith(("email.", "push."))]))
def test_a_lock_beats_every_other_layer(world: World, key: str) -> None:
    account = world.directory["account"]["id"]
    lock = {
        "account": account,
        "layer": "lock",
        "user": None,
        "inbox": None,
        "key": key,
        "value": "off",
    }
    locked = World(world.directory, [*world.preferences, lock], world.lines, world.fallback_account)
    concerned = [
        one
        for one in replayed(locked)
        if f"{one.channel}.{one.type}" == key and one.account_id == account
    ]
    assert [one for one in concerned if one.outcome is Outcome.FIRE] == []
    assert {one.origin for one in concerned if one.reason is Reason.DISABLED} <= {Layer.LOCK}


@given(worlds())
def test_there_is_exactly_one_decision_for_each_event_user_type_and_channel(world: World) -> None:
    keys = Counter((one.line, one.user_id, one.type, one.channel) for one in replayed(world))
    assert [key for key, count in keys.items() if count > 1] == []
    without_twin = [
        (line, user, type_)
        for line, user, type_, channel in keys
        if channel != "audio"
        and not {(line, user, type_, "email"), (line, user, type_, "push")} <= keys.keys()
    ]
    assert without_twin == []


@given(worlds(BETWEEN), st.randoms(use_true_random=False))
def test_the_order_of_the_directory_does_not_matter(world: World, random: Any) -> None:
    shuffled: Json = dict(world.directory)
    for kind in ("users", "inboxes", "teams"):
        shuffled[kind] = random.sample(shuffled[kind], len(shuffled[kind]))
    other = World(shuffled, world.preferences, world.lines, world.fallback_account)
    assert replayed(other) == replayed(world)
