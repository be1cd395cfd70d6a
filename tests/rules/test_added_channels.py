"""`docs/beyond.md`, other channels: a table of examples, and laws."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from msgspec import structs

from notifycli.rules.counts import Counts, Insight
from notifycli.rules.coverage import unreached
from notifycli.rules.decision import Decision, Outcome, Selection
from notifycli.rules.layers import Preferences, links_conversations, without_effect
from notifycli.rules.notifications import Channel, channel_order
from notifycli.rules.preferences import (
    KEYS,
    InvalidPreferenceError,
    UnknownChannelError,
    full_keys,
    read_value,
    short_key,
)
from notifycli.rules.profile import profile_named
from notifycli.rules.replay import Account, Replay
from tests.rules.cases import (
    CREATED,
    DIRECTORY,
    MENTION,
    MESSAGE,
    NOON,
    PARTICIPATING,
    UNASSIGNED,
)
from tests.rules.harness import decisions_of, directory_of, preferences_of
from tests.rules.test_beyond import (
    TEAM,
    TEAM_DIRECTORY,
    Json,
    Row,
    conversation,
    given,
    message,
    replay_of,
    rows_of,
)
from tests.rules.worlds import INBOXES, World, worlds

SLACK_MENTION = {f"slack.{MENTION}": "on"}
OFF = ("disabled", "builtin")
TOLD = ("already_notified", None)
MENTIONS_JANE = message(
    message_type="outgoing",
    private=True,
    content="[@Jane](mention://user/7/Jane)",
    sender={"id": 8, "type": "user"},
)
MENTIONS_TWO = MENTIONS_JANE | {
    "content": "[@Jane](mention://user/7/Jane) [@Kim](mention://user/9/Kim)"
}
TAKES_PART = conversation(meta={"assignee": None}, participants=[{"id": 8}])
NIGHT = NOON + 11 * 3600


def both(user: int, type_: str, reason: str, origin: str | None) -> list[Row]:
    return [(user, type_, channel, reason, origin) for channel in ("email", "push")]


def created(inbox: int) -> Json:
    return {
        "event": "conversation_created",
        "created_at": NOON,
        "account": {"id": 1},
        **conversation(inbox_id=inbox),
    }


CASES: dict[str, tuple[Preferences, Json, str, list[Row]]] = {
    "what is on there fires there": (
        Preferences(user={7: SLACK_MENTION}),
        MENTIONS_JANE,
        MENTION,
        [*both(7, MENTION, *OFF), (7, MENTION, "slack", "enabled", "user")],
    ),
    "who has set it off is told so, and who has set nothing has what all have": (
        Preferences(default=SLACK_MENTION, user={7: {f"slack.{MENTION}": "off"}}),
        MENTIONS_TWO,
        MENTION,
        [
            *both(7, MENTION, *OFF),
            (7, MENTION, "slack", "disabled", "user"),
            *both(9, MENTION, *OFF),
            (9, MENTION, "slack", "enabled", "default"),
        ],
    ),
    "whom a message has reached there is not told of it again": (
        Preferences(user={8: {f"slack.{PARTICIPATING}": "on", f"email.{UNASSIGNED}": "on"}}),
        message(assignee=None, conversation=TAKES_PART),
        UNASSIGNED,
        [*both(7, UNASSIGNED, *OFF), *both(8, UNASSIGNED, *TOLD)],
    ),
    "channels come in the order of their names, with the reasons of e-mail": (
        Preferences(
            user={
                7: {
                    f"webhook.{MESSAGE}": "on",
                    f"slack.{MESSAGE}": "on",
                    "quiet_hours": "22:00-07:00",
                }
            }
        ),
        message(NIGHT),
        MESSAGE,
        [
            *both(7, MESSAGE, *OFF),
            (7, MESSAGE, "slack", "quiet_hours", "user"),
            (7, MESSAGE, "webhook", "quiet_hours", "user"),
        ],
    ),
    "an inbox has values of its own": (
        Preferences(inbox={(8, 3): {f"webhook.{CREATED}": "on"}}),
        created(3),
        CREATED,
        [
            *both(7, CREATED, *OFF),
            *both(8, CREATED, *OFF),
            (8, CREATED, "webhook", "enabled", "inbox"),
        ],
    ),
    "in another inbox they aren't": (
        Preferences(inbox={(8, 3): {f"webhook.{CREATED}": "on"}}),
        created(4),
        CREATED,
        both(8, CREATED, *OFF),
    ),
    "a lock is everybody's": (
        Preferences(lock={f"pager.{MESSAGE}": "off"}, user={7: {f"pager.{MESSAGE}": "on"}}),
        message(),
        MESSAGE,
        [*both(7, MESSAGE, *OFF), (7, MESSAGE, "pager", "disabled", "lock")],
    ),
    "a conversation has values of its own": (
        Preferences(conversation={(7, 42): {f"slack.{MESSAGE}": "on"}}),
        message(),
        MESSAGE,
        [*both(7, MESSAGE, *OFF), (7, MESSAGE, "slack", "enabled", "conversation")],
    ),
    "who mutes is told there of nothing either": (
        Preferences(user={7: {f"slack.{MESSAGE}": "on", "mute": "on"}}),
        message(),
        MESSAGE,
        [*both(7, MESSAGE, *OFF), (7, MESSAGE, "slack", "muted", "user")],
    ),
    "a type that Chatwoot hasn't got concerns who sets it there alone": (
        Preferences(user={8: {f"slack.{TEAM}": "on"}}),
        given(2),
        TEAM,
        [*both(8, TEAM, *OFF), (8, TEAM, "slack", "enabled", "user")],
    ),
}
WHERE = {
    **TEAM_DIRECTORY,
    "inboxes": [*DIRECTORY["inboxes"], {"id": 4, "name": "Mail", "members": [8]}],
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_added_channel_decides_as_the_page_says(
    case: tuple[Preferences, Json, str, list[Row]],
) -> None:
    stored, event, type_, expected = case
    rows = rows_of(stored, event, directory=WHERE)
    assert [row for row in rows if row[1] == type_] == expected


def test_a_chatwoot_has_no_such_channel() -> None:
    stored = Preferences(user={7: SLACK_MENTION})
    assert without_effect(profile_named("chatwoot@4.16"), stored) == [*SLACK_MENTION]
    replay = replay_of(stored, "chatwoot@4.16")
    found = decisions_of(replay, [msgspec.json.encode(MENTIONS_JANE).decode()])
    assert {one.channel for one in found} == {*Channel}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("slack.mention", (f"slack.{MENTION}",)),
        ("Slack.conversation_mention", (f"slack.{MENTION}",)),
        ("webhook.team", (f"webhook.{TEAM}",)),
        ("slack.*", tuple(key.replace("email", "slack") for key in full_keys("email.*"))),
        ("*.mention", (f"email.{MENTION}", f"push.{MENTION}")),
    ],
)
def test_keys_are_written_as_those_of_e_mail(word: str, expected: tuple[str, ...]) -> None:
    assert full_keys(word) == expected


@pytest.mark.parametrize(
    ("word", "message", "near"),
    [
        ("slakc.mention", "nothing here adds a channel 'slakc'", "slack.mention"),
        ("pager.mention", "nothing here adds a channel 'pager'", ""),
        ("slack.mentoin", "there is no preference 'slack.mentoin'", "slack.mention"),
        ("slack", "there is no preference 'slack'", "slack.*"),
        ("emial.mention", "there is no preference 'emial.mention'", "email.mention"),
        ("audio.mention", "there is no preference 'audio.mention'", "audio.tone"),
        ("slack.new_message", "there is no preference 'slack.new_message'", "slack.message"),
    ],
)
def test_a_key_that_nothing_adds_is_an_error_with_the_nearest(
    word: str, message: str, near: str
) -> None:
    with pytest.raises(InvalidPreferenceError, match=message) as caught:
        full_keys(word)
    assert caught.value.nearest == near
    assert isinstance(caught.value, UnknownChannelError) == ("nothing here" in message)


def test_keys_of_added_channels_are_not_listed() -> None:
    key = KEYS[f"pager.{MENTION}"]
    assert (key.builtin, key.beyond, read_value(key.name, "Yes")) == ("off", True, "on")
    assert short_key(key.name) == "pager.mention"
    assert key.name not in KEYS
    assert not [name for name in KEYS if name.startswith("pager")]


def test_a_channel_is_one_for_all() -> None:
    slack = Channel("slack")
    assert slack is Channel("slack") is pickle.loads(pickle.dumps(slack))  # noqa: S301 - our own
    assert msgspec.json.decode(b'"slack"', type=Channel) is slack
    assert [*Channel] == ["email", "push", "audio"]
    assert sorted([slack, Channel("ntfy"), *Channel], key=channel_order) == [
        *("email", "push", "audio", "ntfy", "slack")
    ]


@pytest.mark.parametrize("name", ["", "Slack", "sl ack", "1st", "-x", "a.b", "a_b", "ü", "a" * 33])
def test_not_everything_is_the_name_of_a_channel(name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Channel"):
        Channel(name)


TYPES = (MENTION, MESSAGE, CREATED, TEAM, PARTICIPATING, UNASSIGNED)
VALUES = st.dictionaries(
    st.sampled_from([f"{channel}.{type_}" for channel in ("slack", "web-2") for type_ in TYPES]),
    st.sampled_from(["on", "off"]),
    min_size=1,
)
PLACES = st.one_of(
    st.just(("default", 0)),
    st.just(("lock", 0)),
    st.just(("user", 0)),
    st.tuples(st.just("inbox"), st.sampled_from(INBOXES)),
    st.tuples(st.just("conversation"), st.integers(1, 2)),
)
USERS = st.integers(1, 4)


def with_added(stored: Preferences, place: tuple[str, int], user: int, values: Json) -> Preferences:
    layer, id_ = place
    if layer in {"lock", "default"}:
        return structs.replace(stored, **{layer: {**getattr(stored, layer), **values}})
    key: Any = user if layer == "user" else (user, id_)
    of_layer = getattr(stored, layer)
    here = {**of_layer, key: {**of_layer.get(key, {}), **values}}
    return structs.replace(stored, **{layer: here})


def decided(world: World, stored: Preferences) -> tuple[list[Decision], Counts]:
    account = world.directory["account"]["id"]
    accounts = {account: Account(directory_of(world.directory), stored)}
    replay = Replay(accounts, world.fallback_account, Selection(), Insight(int))
    return decisions_of(replay, world.lines), replay.counts()


@drawn(worlds(), PLACES, USERS, VALUES)
def test_added_channels_change_nothing_but_who_was_told_already(
    world: World, place: tuple[str, int], user: int, values: Json
) -> None:
    account = world.directory["account"]["id"]
    stored = preferences_of(world.preferences, account)
    before, _ = decided(world, stored)
    after, _ = decided(world, with_added(stored, place, user, values))
    alike = [
        one for one in after if not one.channel.is_added and (one.type != TEAM or one in before)
    ]
    for one, other in zip(before, alike, strict=True):
        if other != one:
            assert place[0] in {"default", "lock"} or one.user_id == user
            told = {"reason": other.reason, "origin": None, "outcome": Outcome.SUPPRESS}
            assert other.reason == "already_notified"
            assert other == structs.replace(one, **told, deliverable=None)


@drawn(worlds(), PLACES, USERS, VALUES)
def test_counts_are_those_of_every_decision(
    world: World, place: tuple[str, int], user: int, values: Json
) -> None:
    account = world.directory["account"]["id"]
    stored = with_added(preferences_of(world.preferences, account), place, user, values)
    found, counts = decided(world, stored)
    keys = [((one.user_id, one.email, one.channel, one.type), one) for one in found]
    assert +counts.decided == Counter(key for key, _ in keys)
    assert +counts.fired == Counter(key for key, one in keys if one.outcome is Outcome.FIRE)
    order = [(one.line, one.type, one.user_id, one.channel) for one in found]
    assert len({*order}) == len(order)
    by_place: dict[tuple[object, ...], list[Channel]] = {}
    for one in found:
        if one.channel != Channel.AUDIO:  # sounds come after all else of an event
            by_place.setdefault((one.line, one.type, one.user_id), []).append(one.channel)
    assert all(own == sorted(own, key=channel_order) for own in by_place.values())


def test_coverage_names_what_no_event_came_to() -> None:
    stored = Preferences(user={7: {f"slack.{MESSAGE}": "on", **SLACK_MENTION}})
    account = Account(directory_of(DIRECTORY), stored)
    replay = Replay({1: account}, 1, Selection(), Insight(int))
    decisions_of(replay, [msgspec.json.encode(message()).decode()])
    insight = replay.counts().insight
    assert insight is not None
    found = unreached({1: account}, insight, {})
    assert [(one.what, one.key) for one in found if "slack" in (one.key or "")] == [
        ("type", f"slack.{MENTION}")
    ]


def test_who_waits_is_told_there_too() -> None:
    own = {"slack.conversation_waiting": "on", "waiting_after": "10m"}
    stored = Preferences(user={7: own})
    lines = [json.dumps(body) for body in (message(), message(NOON + 3600, id_=43))]
    found = [
        (one.at, one.channel.value, one.reason.value)
        for one in decisions_of(replay_of(stored), lines)
        if one.event == "conversation_waiting"
    ]
    assert found == [
        ("2026-03-03T12:10:00Z", channel, reason)
        for channel, reason in (("email", "disabled"), ("push", "disabled"), ("slack", "enabled"))
    ]
    assert links_conversations(stored)


def test_what_is_withheld_there_is_held_for_no_digest() -> None:
    own = {f"slack.{MESSAGE}": "on", f"push.{MESSAGE}": "on", "quiet_hours_then": "hold"}
    stored = Preferences(user={7: own | {"quiet_hours": "11:00-13:00"}})
    lines = [json.dumps(body) for body in (message(), message(NOON + 7200, id_=43))]
    found = decisions_of(replay_of(stored), lines)
    assert [one.channel.value for one in found if one.type == "digest"] == ["push"]
