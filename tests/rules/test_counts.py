"""What is counted without making every decision: as if each had been made and counted."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event, Message
from notifycli.events.timestamps import SECOND
from notifycli.rules.counts import ConversationKey, Counts, Insight
from notifycli.rules.decision import (
    Decision,
    EventFields,
    Outcome,
    Reason,
    RecipientFields,
    Selection,
    join_fields,
)
from notifycli.rules.layers import Settings
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.profile import NOTIFYCLI, Profile, profile_named
from notifycli.rules.replay import Account, Replay, event_fields
from notifycli.rules.state import AccountState
from tests.rules.harness import directory_of, preferences_of, replay_of
from tests.rules.worlds import World, worlds

PROFILES = st.sampled_from(
    [NOTIFYCLI, profile_named("chatwoot@3.9"), profile_named("chatwoot@4.16")]
)
OF_RECIPIENT = RecipientFields.__struct_fields__
SELECTIONS = st.builds(
    Selection,
    users=st.none() | st.frozensets(st.tuples(st.just(1), st.integers(1, 4))),
    channels=st.frozensets(st.sampled_from(Channel)),
    types=st.frozensets(st.sampled_from(NotificationType)),
    inboxes=st.just(frozenset[int]()) | st.just(frozenset({1, 3})),
)


def events_of(lines: list[str]) -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        with suppress(EventError):
            yield decode_event(line.encode(), number)


def replay_with(world: World, profile: Profile, selection: Selection) -> Replay:
    account = world.directory["account"]["id"]
    preferences = preferences_of(world.preferences, account)
    accounts = {account: Account(directory_of(world.directory), preferences, profile)}
    return Replay(accounts, world.fallback_account, selection, Insight(int))


def seen(counts: Counts) -> tuple[object, ...]:
    assert counts.insight is not None
    insight = counts.insight
    nonzero = [+counts.decided, +counts.fired, +counts.held, +insight.reasons]
    return (*nonzero, insight.fired, insight.places, insight.switches, counts.assumptions)


@given(worlds(), PROFILES)
def test_what_fires_is_what_fires_of_everything_that_is_decided(
    world: World, profile: Profile
) -> None:
    replay = replay_with(world, profile, Selection())
    for event in events_of(world.lines):
        evaluation = replay.evaluate(event)
        if evaluation is not None:
            fired = [one for one in evaluation.everything if one.outcome is Outcome.FIRE]
            assert evaluation.fired == fired


def is_on(settings: Settings, one: Decision) -> bool:
    """Whether a decision's type is switched on; `audio.events` does that for types' sounds."""
    if one.channel is Channel.AUDIO and one.type is not NotificationType.NEW_MESSAGE:
        return settings.enabled[one.channel, one.type].value
    return one.channel in dict(settings.switched_on[one.type])


@given(worlds(), PROFILES, SELECTIONS, st.sampled_from([4096, 2, 0]))
def test_counts_are_those_of_every_decision_that_is_selected(
    world: World, profile: Profile, selection: Selection, kept: int
) -> None:
    slow, held = Insight(int), Counter[Reason]()
    decided, fired = Counter[object](), Counter[object]()
    long_way = replay_with(world, profile, Selection())
    for event in events_of(world.lines):
        every = long_way.decide(event)
        if not selection.takes_event(event):
            continue
        settings = long_way.accounts[event.account or 0].evaluator.settings
        for one in filter(selection.takes, every):
            key = one.user_id, one.email, one.channel, one.type
            decided[key] += 1
            recipient = RecipientFields(
                *(getattr(one, f) for f in RecipientFields.__struct_fields__)
            )
            slow.add_reason(one.account_id, recipient, 1)
            if one.outcome is Outcome.FIRE:
                fired[key] += 1
                place = ConversationKey(one.account_id, event.conversation)
                slow.add_fired(place, recipient, event.at, event.inbox)
            elif is_on(settings.in_event(one.user_id, event), one):
                held[one.reason] += 1

    with patch("notifycli.rules.evaluator.PLANS_KEPT", kept):
        replay = replay_with(world, profile, selection)
        for event in events_of(world.lines):
            replay.evaluate(event)
        counts = replay.counts()

    nothing = Counts(assumptions=long_way.assumptions, insight=slow, held=held)
    expected = (+decided, +fired, *seen(nothing)[2:])
    assert seen(counts) == expected


@given(worlds(), worlds())
def test_any_partition_by_account_replayed_apart_and_merged_is_the_whole(
    one: World, other: World
) -> None:
    lines = [*one.lines, *other.lines]
    accounts = sorted({event.account or one.fallback_account for event in events_of(lines)})
    *apart, whole = (counted(one, lines, part) for part in [*([at] for at in accounts), accounts])
    merged = Counts(insight=Insight(int))
    for counts in apart:
        merged.merge(counts)
    assert seen(merged) == seen(whole)


def counted(world: World, lines: list[str], accounts: list[int]) -> Counts:
    replay = replay_with(world, NOTIFYCLI, Selection())
    for event in events_of(lines):
        if (event.account or world.fallback_account) in accounts:
            replay.evaluate(event)
    return replay.counts()


@pytest.mark.parametrize("inboxes", [0, 3])
@patch("notifycli.rules.evaluator.PLANS_KEPT", 50)
def test_what_is_kept_grows_with_the_inboxes_on_record_and_not_with_the_log(inboxes: int) -> None:
    users = [{"id": id_, "email": None, "role": "agent"} for id_ in range(1, 51)]
    known = [{"id": id_, "members": [1, 2, 3]} for id_ in range(1, inboxes + 1)]
    directory = {"account": {"id": 1}, "users": users, "inboxes": known, "teams": []}
    replay = replay_of(directory, [])
    for number in range(2_000):
        conversation = {
            "id": number,
            "inbox_id": number % 100,
            "status": ("open", "pending", "resolved")[number % 3],
            "meta": {
                "assignee": {"id": number % 50 + 1} if number % 7 else None,
                "team": {"id": number},
            },
            "participants": [number % 49 + 1, number % 31 + 1],
        }
        message = {"event": "message_created", "id": number, "conversation": conversation}
        replay.evaluate(decode_event(json.dumps(message).encode(), number))

    evaluator = replay.accounts[1].evaluator
    plans = evaluator.plans
    # Of sounds and unassigned conversations, pending or not, with an assignee or without.
    assert len(plans) <= 6 * (inboxes + 1)
    # For sounds, and for messages in conversations that nobody has.
    assert len(evaluator.audiences) <= 2 * (inboxes + 1)
    assert len(evaluator.plan_by_state) <= 50


def test_memory_grows_with_conversations_and_people_and_not_with_events() -> None:
    users = [{"id": id_, "email": None, "role": "agent"} for id_ in range(1, 31)]
    known = [{"id": id_, "members": [*range(1, 31)]} for id_ in (1, 2)]
    directory = {"account": {"id": 1}, "users": users, "inboxes": known, "teams": []}
    on = {"account": 1, "layer": "default", "user": None, "inbox": None, "value": "on"}
    keys = ("email.unassigned_conversation_new_message", "push.conversation_assignment")
    replay = replay_of(directory, [{**on, "key": key} for key in keys])
    lines = count(1)

    def replay_some(events: int) -> None:
        for number in islice(lines, events):
            conversation, user = number % 5, number % 29 + 1
            event = Event(number, "message_created", True, number * SECOND, 1, conversation, 1)
            event.assignee, event.author = (None, user)[number % 3 > 1], (None, user)[number % 2]
            event.message = Message(number, ("incoming", "outgoing")[number % 2], False, "")
            if number % 5 == 0:
                event = Event(
                    number, "conversation_updated", True, number * SECOND, 1, conversation
                )
                event.assignment, event.assignee = True, user
                event.digest = number.to_bytes(4)
            replay.evaluate(event)

    # As many messages as are known again of each conversation; everybody has taken part in each.
    replay_some(1_000)
    tracemalloc.start()
    replay_some(500)
    before, _ = tracemalloc.get_traced_memory()
    replay_some(500)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 500 * 8  # not a word an event


def test_event_and_recipient_make_a_decision_in_its_order() -> None:
    both = EventFields.__struct_fields__ + RecipientFields.__struct_fields__
    assert both == Decision.__struct_fields__


def test_a_decision_is_its_two_parts_together() -> None:
    event = Event(1, "message_created", known=True, account=1)
    recipient = RecipientFields(
        7, None, NotificationType.MENTION, Channel.PUSH, Outcome.FIRE, Reason.ENABLED, None, False
    )
    assert join_fields(event_fields(event), recipient).user_id == 7


@given(worlds(), PROFILES)
def test_what_goes_on_from_a_kept_state_notifies_as_if_it_had_never_stopped(
    world: World, profile: Profile
) -> None:
    def notified(replay: Replay, event: Event) -> list[tuple[object, ...]]:
        evaluation = replay.evaluate(event)
        return [] if evaluation is None else [*map(astuple, evaluation.fired)]

    # Each replay completes the events that it is given.
    whole, states = replay_with(world, profile, Selection()), [dict[int, bytes]()]
    expected = []
    for event in events_of(world.lines):
        expected.append(notified(whole, event))
        states.append({id_: one.state.encode() for id_, one in whole.accounts.items()})
    for cut, kept in enumerate(states):
        after = replay_with(world, profile, Selection())
        for id_, state in kept.items():
            after.account(id_).resume(AccountState.decode(state))
        rest = islice(events_of(world.lines), cut, None)
        assert [notified(after, event) for event in rest] == expected[cut:]
        ends = {id_: one.state for id_, one in after.accounts.items()}
        assert ends == {id_: one.state for id_, one in whole.accounts.items()}


def test_whoever_has_a_part_in_a_message_and_the_window_in_front_is_counted_once() -> None:
    directory = {
        "account": {"id": 1},
        "users": [{"id": id_, "email": None, "role": "agent"} for id_ in (7, 8)],
        "inboxes": [{"id": 3, "members": [7, 8]}],
        "teams": [],
    }
    all_ = {"account": 1, "layer": "default", "user": None, "inbox": None}
    replay = replay_of(directory, [{**all_, "key": "audio", "value": "all"}])
    meta = {"assignee": {"id": 7, "type": "user"}}
    message = {
        "event": "message_created",
        "id": 1,
        "message_type": "incoming",
        "account": {"id": 1},
    }
    for event in (
        {"event": "presence_update", "account": {"id": 1}, "user": {"id": 7}, "visible": True},
        {**message, "conversation": {"id": 1, "inbox_id": 3, "meta": meta}},
    ):
        replay.evaluate(decode_event(json.dumps(event).encode(), 1))
    counted = {
        one.user_id: (one.fired, one.suppressed)
        for one in replay.counts().by_user()
        if one.channel is Channel.AUDIO
    }
    assert counted == {7: (0, 1), 8: (1, 0)}
