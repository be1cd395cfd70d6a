"""Expected records against found ones."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.rules.expectation import Record, compare, matches

EMAIL: Record = {"user_id": 7, "channel": "email"}
PUSH: Record = {"user_id": 7, "channel": "push"}
OTHER: Record = {"user_id": 8, "channel": "push"}
RECORDS = st.lists(
    st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.integers(0, 2)}), max_size=5
)
EXPECTED = st.lists(
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), min_size=1), max_size=5
)


@pytest.mark.parametrize(
    ("expected", "found", "missing", "unexpected"),
    [
        pytest.param([], [], [], [], id="nothing is as expected"),
        pytest.param([PUSH, EMAIL], [EMAIL, PUSH], [], [], id="the order doesn't matter"),
        pytest.param([EMAIL, EMAIL], [EMAIL], [1], [], id="what is expected twice is found twice"),
        pytest.param([EMAIL], [EMAIL, EMAIL], [], [1], id="what is expected once is found once"),
        pytest.param([{"user_id": 7}], [EMAIL], [], [], id="some of the fields are enough"),
        pytest.param(
            [{"email": "Ana@Desk.example"}],
            [{"email": "ana@desk.example"}],
            [],
            [],
            id="the case of an address is none of it",
        ),
        pytest.param([{"user_id": 9}], [EMAIL], [0], [0], id="another value is another record"),
        pytest.param([{"text": "x"}], [EMAIL], [0], [0], id="a field that isn't there is missing"),
        pytest.param(
            [{"user_id": 7}, EMAIL],
            [EMAIL, PUSH],
            [],
            [],
            id="who names little leaves the record that another one needs",
        ),
        pytest.param(
            [{"channel": "push"}, {"user_id": 7}],
            [PUSH, OTHER],
            [],
            [],
            id="two that both would do give way to each other",
        ),
    ],
)
def test_what_is_missing_and_what_is_unexpected(
    expected: list[Record], found: list[Record], missing: list[int], unexpected: list[int]
) -> None:
    assert compare(expected, found) == (missing, unexpected)


@given(EXPECTED, RECORDS)
def test_as_many_match_as_trying_every_order_would_match(
    expected: list[Record], found: list[Record]
) -> None:
    def matched(order: tuple[Record, ...]) -> int:
        left = list(order)
        count = 0
        for one in expected:
            place = next((i for i, record in enumerate(left) if matches(one, record)), None)
            if place is not None:
                left.pop(place)
                count += 1
        return count

    best = max(matched(order) for order in permutations(found))
    missing, unexpected = compare(expected, found)
    assert (len(expected) - len(missing), len(found) - len(unexpected)) == (best, best)
