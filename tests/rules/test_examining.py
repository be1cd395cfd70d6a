"""One user's decisions, found without judging anybody else's: the same as among all of them."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given

from notifycli.events.decode import EventError, decode_event
from notifycli.rules.decision import Decision
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import Channel
from tests.rules.harness import replay_of
from tests.rules.worlds import World, worlds


def looked_at(decision: Decision, case: Case) -> tuple[Decision, Channel]:
    assert (decision.user_id, decision.type) == (case.user, case.type)
    return decision, case.channel


@given(worlds())
def test_each_user_s_decisions_are_those_that_all_decisions_hold_about_them(world: World) -> None:
    users = [*(user["id"] for user in world.directory["users"]), 99]
    all_at_once, *one_by_one = (
        replay_of(world.directory, world.preferences, world.fallback_account)
        for _ in ("all", *users)
    )
    for number, line in enumerate(world.lines, 1):
        with suppress(EventError):
            # A replay completes the event that it gets.
            every = list(all_at_once.decide(decode_event(line.encode(), number)))
            for replay, user in zip(one_by_one, users, strict=True):
                event = decode_event(line.encode(), number)
                looks, others = list[tuple[Decision, Channel]](), False
                if replay.admit(event):
                    looks, others = replay.examine(event, user, looked_at)
                    replay.leave(event)
                own = [decision for decision in every if decision.user_id == user]
                assert [decision for decision, _ in looks] == own
                assert [channel for _, channel in looks] == [d.channel for d in own]
                assert others == (len(own) < len(every))
    assert [replay.assumptions for replay in one_by_one] == [all_at_once.assumptions] * len(users)
