"""`docs/beyond.md`, section 7: a sound for more than messages; a table of examples, and laws."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from msgspec import structs

from notifycli.rules.counts import Insight
from notifycli.rules.coverage import unreached
from notifycli.rules.decision import Decision, Outcome, deciding
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import InvalidPreferenceError, Layer, full_keys, read_value
from notifycli.rules.profile import profile_named
from notifycli.rules.replay import Account, Replay
from tests.conftest import Notifycli
from tests.rules.cases import ASSIGNED, CREATED, DIRECTORY, NOON, SOUND
from tests.rules.harness import decisions_of, directory_of, preferences_of
from tests.rules.test_beyond import (
    USERS_IN_WORLDS,
    Json,
    Row,
    conversation,
    decided,
    message,
    presence,
    rows_of,
    update,
)
from tests.rules.worlds import World, worlds

KEY = "audio.events"


def person(user: int | None) -> Json:
    return {"assignee": None if user is None else {"id": user, "type": "user"}}


def created(assignee: int | None = None, at: int = NOON, **fields: Any) -> Json:
    return {
        "event": "conversation_created",
        "created_at": at,
        "account": {"id": 1},
        **conversation(meta=person(assignee), **fields),
    }


def assigned(to: int, *, by: int = 9, **fields: Any) -> Json:
    return update({"assignee_id": to}, by=by, meta=person(to), **fields)


def opened() -> list[Json]:
    """Return how a bot hands a conversation over."""
    pending = created(status="pending", at=NOON - 60)
    handed = {**created(), "event": "conversation_bot_handoff"}
    return [pending, handed]


def window(user: int, *, at: int = NOON - 30, visible: bool = True, **fields: Any) -> Json:
    seen = {"event": "presence_update", "account_id": 1, "user": {"id": user}, "created_at": at}
    return {**seen, "visible": visible, **fields}


class Case(NamedTuple):
    """What is set, the events, and what the last one comes to on the channel of sound."""

    stored: Preferences
    bodies: list[Json]
    expected: list[Row]


def of(user: int, **values: str) -> Preferences:
    return Preferences(user={user: {key.replace("_", "."): one for key, one in values.items()}})


def sounds(type_: str, *rows: tuple[int, str, str | None]) -> list[Row]:
    return [(user, type_, "audio", reason, origin) for user, reason, origin in rows]


MESSAGE_SILENT = sounds(SOUND, *((user, "disabled", "builtin") for user in (7, 8, 9)))
CASES = {
    "a creation sounds for whom it concerns and who has set it": Case(
        of(7, audio_events="message+created"),
        [created()],
        sounds(CREATED, (7, "enabled", "user")),
    ),
    "a default is everybody's": Case(
        Preferences(default={KEY: "created"}, inbox={(8, 3): {KEY: "message"}}),
        [created()],
        sounds(CREATED, (7, "enabled", "default"), (8, "disabled", "inbox")),
    ),
    "who can see the inbox of another hears nothing of this one": Case(
        Preferences(inbox={(7, 4): {KEY: "created"}}), [created()], []
    ),
    "a hand-over is a creation": Case(
        of(7, audio_events="created"), opened(), sounds(CREATED, (7, "enabled", "user"))
    ),
    "a pending one is a bot's": Case(
        of(7, audio_events="created"),
        [created(status="pending")],
        sounds(CREATED, (7, "pending_conversation", None)),
    ),
    "an assignment sounds for the assignee": Case(
        of(7, audio_events="assigned"), [assigned(7)], sounds(ASSIGNED, (7, "enabled", "user"))
    ),
    "of another's assignment nobody hears": Case(of(7, audio_events="assigned"), [assigned(8)], []),
    "who took it knows": Case(
        of(7, audio_events="assigned"),
        [assigned(7, by=7)],
        sounds(ASSIGNED, (7, "self_assigned", None)),
    ),
    "who was told isn't told again": Case(
        of(7, audio_events="assigned"),
        [assigned(7), assigned(7, labels=["vip"])],
        sounds(ASSIGNED, (7, "already_notified", None)),
    ),
    "a creation that is assigned sounds twice, creation first": Case(
        Preferences(default={KEY: "created+assigned"}),
        [created(7)],
        sounds(CREATED, (7, "enabled", "default"), (8, "enabled", "default"))
        + sounds(ASSIGNED, (7, "enabled", "default")),
    ),
    "set to what is built in, it is off all the same": Case(
        of(7, audio_events="message"), [assigned(7)], sounds(ASSIGNED, (7, "disabled", "user"))
    ),
    "a blocked contact is silent": Case(
        of(7, audio_events="assigned"),
        [{**assigned(7), "meta": {**person(7), "sender": {"id": 1, "blocked": True}}}],
        sounds(ASSIGNED, (7, "blocked_contact", None)),
    ),
    "what is muted is silent": Case(
        Preferences(default={KEY: "assigned"}, conversation={(7, 42): {"mute": "on"}}),
        [assigned(7)],
        sounds(ASSIGNED, (7, "muted", "conversation")),
    ),
    "quiet hours hold": Case(
        Preferences(user={7: {KEY: "assigned", "quiet_hours": "11:00-13:00"}}),
        [assigned(7)],
        sounds(ASSIGNED, (7, "quiet_hours", "user")),
    ),
    "who is busy can have it withheld": Case(
        Preferences(user={7: {KEY: "assigned"}}, default={"when_unavailable": "withhold"}),
        [presence(NOON - 60, _7="busy"), assigned(7)],
        sounds(ASSIGNED, (7, "unavailable", "default")),
    ),
    "with the app in front nothing sounds": Case(
        of(7, audio_events="created"),
        [window(7), created()],
        sounds(CREATED, (7, "window_visible", "builtin")),
    ),
    "unless it always does": Case(
        of(7, audio_events="created", audio_when="always"),
        [window(7), created()],
        sounds(CREATED, (7, "enabled", "user")),
    ),
    "but not of what is open in front": Case(
        of(7, audio_events="assigned", audio_when="always"),
        [window(7, conversation_id=42), assigned(7)],
        sounds(ASSIGNED, (7, "viewing", None)),
    ),
    "a lock beats all": Case(
        Preferences(lock={KEY: "assigned"}, user={7: {KEY: "message"}}),
        [assigned(7)],
        sounds(ASSIGNED, (7, "enabled", "lock")),
    ),
    "one conversation can have what sounds of its own": Case(
        Preferences(user={7: {KEY: "message"}}, conversation={(7, 42): {KEY: "assigned"}}),
        [assigned(7)],
        sounds(ASSIGNED, (7, "enabled", "conversation")),
    ),
    "messages can be left out": Case(
        Preferences(user={7: {"audio": "all", KEY: "created"}, 8: {"audio": "all"}}),
        [message()],
        sounds(SOUND, (7, "disabled", "user"), (8, "enabled", "user"), (9, "disabled", "builtin")),
    ),
    "where no message sounds anyway, audio decides": Case(
        Preferences(user={7: {"audio": "none"}}, default={KEY: "none"}),
        [message()],
        sounds(
            SOUND, (7, "disabled", "user"), (8, "disabled", "builtin"), (9, "disabled", "builtin")
        ),
    ),
    "nobody has set it": Case(of(7, audio_volume="30"), [created(7)], []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_more_than_messages_can_sound(case: Case) -> None:
    found = rows_of(case.stored, *case.bodies)
    assert [row for row in found if row[2] == "audio"] == case.expected
    # They come after all others.
    assert found[len(found) - len(case.expected) :] == case.expected


def test_sounds_come_after_those_of_messages() -> None:
    stored = Preferences(default={KEY: "message+created"}, user={7: {"audio": "all"}})
    # The message shows that a bot has handed the conversation over.
    found = rows_of(stored, opened()[0], message(assignee=None))
    assert [row[:2] for row in found if row[2] == "audio"] == [
        *((user, SOUND) for user in (7, 8, 9)),
        *((user, CREATED) for user in (7, 8)),
    ]


def test_a_chatwoot_knows_no_such_sounds() -> None:
    stored = Preferences(default={KEY: "none"}, user={7: {"audio": "all"}})
    account = Account(directory_of(DIRECTORY), stored, profile_named("chatwoot@4.16"))
    lines = [json.dumps(body) for body in (created(), message())]
    found = decisions_of(Replay({1: account}), lines)
    assert [(one.type, one.user_id) for one in found if one.channel is Channel.AUDIO] == [
        (SOUND, 7),
        (SOUND, 8),
        (SOUND, 9),
    ]
    assert (SOUND, 7, "enabled") in [(one.type, one.user_id, one.reason) for one in found]


EVENTS = st.sampled_from(
    ["none", "message", "created", "assigned", "created+assigned", "message+created+assigned"]
)
PLACES = st.sampled_from([Layer.USER, Layer.INBOX, Layer.CONVERSATION])


def with_sounds(stored: Preferences, user: int, layer: Layer, value: str) -> Preferences:
    """Return the preferences with what sounds for a user, everywhere or in place 1."""

    def put(values: Any, where: object) -> Any:
        return {**values, where: {**values.get(where, {}), KEY: value}}

    if layer is Layer.USER:
        return structs.replace(stored, user=put(stored.user, user))
    if layer is Layer.INBOX:
        return structs.replace(stored, inbox=put(stored.inbox, (user, 1)))
    return structs.replace(stored, conversation=put(stored.conversation, (user, 1)))


@drawn(worlds(), USERS_IN_WORLDS, PLACES, EVENTS)
def test_setting_what_sounds_changes_sounds_alone_and_for_its_user(
    world: World, user: int, layer: Layer, value: str
) -> None:
    account = world.directory["account"]["id"]
    stored = preferences_of(world.preferences, account)
    before, _ = decided(world, stored)
    after, counts = decided(world, with_sounds(stored, user, layer, value))

    def others(found: list[Decision]) -> list[Decision]:
        sound = user, Channel.AUDIO, account
        return [one for one in found if (one.user_id, one.channel, one.account_id) != sound]

    assert others(before) == others(after)
    fired = [one for one in after if one.outcome is Outcome.FIRE]
    assert sum(counts.fired.values()) == len(fired)
    assert sum(counts.decided.values()) == len(after)


@drawn(worlds(), USERS_IN_WORLDS, PLACES, EVENTS, EVENTS)
def test_what_sounds_was_reached_where_it_has_decided(
    world: World, user: int, layer: Layer, value: str, of_all: str
) -> None:
    account = world.directory["account"]["id"]
    stored = preferences_of(world.preferences, account)
    stored.default = {**stored.default, KEY: of_all}
    stored = with_sounds(stored, user, layer, value)
    replay = Replay(
        {account: Account(directory_of(world.directory), stored)},
        world.fallback_account,
        insight=Insight(int),
    )
    found = [one for one in decisions_of(replay, world.lines) if one.account_id == account]
    expected = set()
    for one in found:
        setting = deciding(one, one.reason, stored)
        if one.origin not in (None, Layer.BUILTIN):
            assert setting is not None
            assert setting.layer is one.origin
            expected.add((setting.key, one.origin))
    insight = replay.counts().insight
    assert insight is not None
    reached = {(one.key, one.layer) for one in insight.reached if one.account == account}
    assert reached == expected


def test_a_sound_that_never_was_is_a_dead_line() -> None:
    stored = Preferences(default={KEY: "created+assigned"}, user={7: {"audio.volume": "5"}})
    accounts = {1: Account(directory_of(DIRECTORY), stored)}
    replay = Replay(accounts, insight=Insight(int))
    decisions_of(replay, [json.dumps(created())])
    insight = replay.counts().insight
    assert insight is not None
    missed = unreached(accounts, insight, {})
    assert [(one.what, one.key) for one in missed if "audio" in str(one.key)] == [
        ("type", "audio.conversation_assignment")
    ]


@pytest.mark.parametrize(
    ("key", "given", "stored"),
    [
        (KEY, "assigned + Message", "message+assigned"),
        (KEY, "created+created", "created"),
        (KEY, "none", "none"),
        ("audio.volume", "40%", "40"),
        ("audio.volume", "007", "7"),
        ("audio.volume", "0", "0"),
    ],
)
def test_what_sounds_is_stored_in_one_way(key: str, given: str, stored: str) -> None:
    assert read_value(key, given) == stored


@pytest.mark.parametrize(
    ("key", "given", "told"),
    [
        (KEY, "created+none", "the value is none, or message, created, assigned joined with +"),
        (KEY, "", "the value is none, or message, created, assigned joined with +"),
        ("audio.volume", "101", "the value is a number from 0 to 100"),
        ("audio.volume", "-1", "the value is a number from 0 to 100"),
        ("audio.volume", "\N{ARABIC-INDIC DIGIT FIVE}", "the value is a number from 0 to 100"),
        ("audio.volume", "loud", "the value is a number from 0 to 100"),
    ],
)
def test_what_is_no_such_value_is_said(key: str, given: str, told: str) -> None:
    with pytest.raises(InvalidPreferenceError, match=r"audio\.") as error:
        read_value(key, given)
    assert str(error.value) == f"{key}: {given!r}: {told}"


def test_a_key_that_is_misspelt_by_a_letter_is_known() -> None:
    with pytest.raises(InvalidPreferenceError) as error:
        full_keys("audio.event")
    assert error.value.nearest == KEY


def test_why_says_what_to_type(notifycli: Notifycli) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DIRECTORY).encode())
    notifycli.ok("prefs", "set", "audio.events=created", "audio=all", "-u", "7")
    log = "\n".join(json.dumps(body) for body in (created(), assigned(7), message())).encode()
    result = notifycli("why", "-", "-u", "7", "--channel", "audio", "-o", "jsonl", stdin=log)
    told = [
        (one["type"], one["outcome"], one["sentence"], one["command"]) for one in result.records
    ]
    set_ = "notifycli prefs set -u jane@example.com audio.events="
    assert told == [
        (
            CREATED,
            "fire",
            "it is switched on: audio.events is created (user)",
            f"{set_}none",
        ),
        (
            ASSIGNED,
            "suppress",
            "it is switched off: audio.events is created (user)",
            f"{set_}created+assigned",
        ),
        (
            SOUND,
            "suppress",
            "it is switched off: audio.events is created (user)",
            f"{set_}message+created",
        ),
    ]
