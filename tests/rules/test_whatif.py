"""Proposed preferences beside the stored ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.rules.decision import Outcome, difference
from notifycli.rules.layers import Preferences, Wish, keys_locked_away, overlaid
from notifycli.rules.preferences import Layer
from tests.rules.harness import decisions_of, replay_of
from tests.rules.worlds import World, preference_rows, worlds

STORED = Preferences(
    lock={"audio": "none"},
    inbox={(7, 3): {"audio": "all"}},
    user={7: {"email.conversation_mention": "on"}},
    default={"inactive_after": "5m"},
)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param(
            Wish(Layer.USER, 7, None, "audio", "all"),
            Preferences(
                STORED.lock,
                STORED.inbox,
                {7: {"email.conversation_mention": "on", "audio": "all"}},
                STORED.default,
            ),
            id="a user's value joins what they have set",
        ),
        pytest.param(
            Wish(Layer.INBOX, 7, 3, "audio", "none"),
            Preferences(STORED.lock, {(7, 3): {"audio": "none"}}, STORED.user, STORED.default),
            id="a value for an inbox replaces the one there",
        ),
        pytest.param(
            Wish(Layer.DEFAULT, None, None, "audio", "all"),
            Preferences(
                STORED.lock, STORED.inbox, STORED.user, {"inactive_after": "5m", "audio": "all"}
            ),
            id="a default joins the others",
        ),
        pytest.param(
            Wish(Layer.LOCK, None, None, "audio", "all"),
            Preferences({"audio": "all"}, STORED.inbox, STORED.user, STORED.default),
            id="a lock replaces a lock",
        ),
    ],
)
def test_a_wish_is_laid_over_what_is_stored(wish: Wish, expected: Preferences) -> None:
    before = repr(STORED)
    assert overlaid(STORED, [wish]) == expected
    assert repr(STORED) == before


def test_the_last_of_two_wishes_wins() -> None:
    wishes = [Wish(Layer.USER, 8, None, "audio", value) for value in ("all", "assigned")]
    assert overlaid(Preferences(), wishes).user == {8: {"audio": "assigned"}}


def test_wishes_that_a_lock_beats_are_named() -> None:
    wishes = [
        Wish(Layer.USER, 7, None, "audio", "all"),
        Wish(Layer.USER, 7, None, "quiet_hours", "off"),
        Wish(Layer.LOCK, None, None, "audio", "all"),
    ]
    assert keys_locked_away(STORED, wishes) == ["audio"]


@given(worlds(), st.data(), st.booleans())
def test_a_difference_is_what_only_one_side_notifies_of(
    world: World, data: st.DataObject, explain: bool
) -> None:
    as_it_is, proposed = (
        {
            (one.line, one.user_id, one.type, one.channel): one
            for one in decisions_of(
                replay_of(world.directory, rows, world.fallback_account), world.lines
            )
        }
        for rows in (world.preferences, data.draw(preference_rows(world.directory)))
    )
    # Who is told as a team, and who still takes part, is a matter of preferences: one side may
    # have a decision alone.
    for key in as_it_is.keys() | proposed.keys():
        before, after = as_it_is.get(key), proposed.get(key)
        fired, fires = (one is not None and one.outcome is Outcome.FIRE for one in (before, after))
        changed = difference(before, after, explain=explain)
        if fired is fires:
            assert changed is None
        else:
            assert changed is not None
            shown = after if fires or (explain and after is not None) else before
            assert shown is not None
            kind = "added" if fires else "removed"
            assert (changed.change, changed.reason) == (kind, shown.reason)
