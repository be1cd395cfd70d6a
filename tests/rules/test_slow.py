"""The slow evaluator against the table of examples: until the product follows the same pages."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings

from tests.rules.slow import evaluate
from tests.rules.slow.cases import CASES, Case, Expected
from tests.rules.slow.worlds import World, worlds


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_of_the_table(case: Case) -> None:
    lines = [json.dumps(event) for event in case.events]
    decisions = evaluate(lines, case.directory, list(case.preferences))
    found = [
        Expected(one["user_id"], one["type"], one["channel"], one["outcome"], one["reason"])
        for one in decisions
    ]
    assert found == list(case.expected)
    if case.origins is not None:
        assert [one["origin"] for one in decisions] == list(case.origins)


@settings(max_examples=20, deadline=None)
@given(worlds())
def test_there_is_one_decision_for_each_event_user_type_and_channel(world: World) -> None:
    decisions = evaluate(
        world.lines, world.directory, world.preferences, fallback_account=world.fallback_account
    )
    keys = Counter((one["line"], one["user_id"], one["type"], one["channel"]) for one in decisions)
    assert [key for key, count in keys.items() if count > 1] == []
