"""`docs/beyond.md`, what Chatwoot hasn't got: a table of examples, and laws."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given as drawn
from hypothesis import strategies as st
from msgspec import structs

from notifycli.delivery.enqueue import pack_state, unpack_state
from notifycli.rules.counts import Counts, Insight, PlacedKey
from notifycli.rules.coverage import unreached
from notifycli.rules.decision import Decision, Outcome, Selection, deciding
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import Layer
from notifycli.rules.profile import NOTIFYCLI, profile_named
from notifycli.rules.replay import Account, Replay
from tests.conftest import Notifycli
from tests.replay.test_fold import shared_out, whole
from tests.rules.cases import ASSIGNED, DIRECTORY, MESSAGE, NOON, SOUND, UNASSIGNED
from tests.rules.harness import decisions_of, directory_of, preferences_of
from tests.rules.test_counts import replay_with
from tests.rules.worlds import SWITCH_KEYS, World, worlds

Json = dict[str, Any]
Row = tuple[int, str, str, str, str | None]
"""Of a decision: user, type, channel, reason, origin."""


def conversation(id_: int = 42, **fields: object) -> Json:
    return {"id": id_, "inbox_id": 3, "status": "open", **fields}


def message(at: int = NOON, *, id_: int = 42, assignee: int | None = 7, **fields: Any) -> Json:
    meta = {"assignee": None if assignee is None else {"id": assignee, "type": "user"}}
    return {
        "event": "message_created",
        "id": at,
        "message_type": "incoming",
        "content": "Hello?",
        "created_at": at,
        "account": {"id": 1},
        "conversation": conversation(id_, meta=meta),
        **fields,
    }


def replay_of(stored: Preferences, rules: str = "notifycli", directory: Json = DIRECTORY) -> Replay:
    profile = NOTIFYCLI if rules == "notifycli" else profile_named(rules)
    return Replay({1: Account(directory_of(directory), stored, profile)})


def rows_of(stored: Preferences, *bodies: Json, directory: Json = DIRECTORY) -> list[Row]:
    """Return what the last of the events comes to."""
    lines = [json.dumps(body) for body in bodies]
    return [
        (one.user_id, one.type.value, one.channel.value, one.reason.value, one.origin)
        for one in decisions_of(replay_of(stored, directory=directory), lines)
        if one.line == len(lines)
    ]


@dataclass(frozen=True)
class Case:
    """What is set for the users, in conversation 42 and everywhere, and what an event comes to."""

    own: dict[int, Json]
    here: dict[int, Json]
    event: Json
    expected: list[Row]
    lock: Json = field(default_factory=dict)


def of_jane(*rows: tuple[str, str, str, str | None]) -> list[Row]:
    return [(7, *row) for row in rows]


OFF = ("email", "disabled", "builtin")
ON = {"push.assigned_conversation_new_message": "on"}
UNTIL_NOON = {"mute": "on until 2026-03-03T12:00:00Z", **ON}
CASES = {
    "who has muted a conversation is told nothing of it": Case(
        {7: {**ON, "audio": "all"}},
        {7: {"mute": "on"}},
        message(),
        of_jane(
            (MESSAGE, *OFF),
            (MESSAGE, "push", "muted", "conversation"),
            (SOUND, "audio", "muted", "conversation"),
        ),
    ),
    "of another conversation they are told": Case(
        {7: ON},
        {7: {"mute": "on"}},
        message(id_=43),
        of_jane((MESSAGE, *OFF), (MESSAGE, "push", "enabled", "user")),
    ),
    "up to a moment a value holds": Case(
        {},
        {7: UNTIL_NOON},
        message(NOON - 1),
        of_jane((MESSAGE, *OFF), (MESSAGE, "push", "muted", "conversation")),
    ),
    "from that moment on it doesn't": Case(
        {},
        {7: UNTIL_NOON},
        message(),
        of_jane((MESSAGE, *OFF), (MESSAGE, "push", "enabled", "conversation")),
    ),
    "where no time is known it doesn't either": Case(
        {},
        {7: UNTIL_NOON},
        message() | {"created_at": None},
        of_jane((MESSAGE, *OFF), (MESSAGE, "push", "enabled", "conversation")),
    ),
    "a mute is out of a lock's reach that switches a type on": Case(
        {},
        {7: {"mute": "on"}},
        message(),
        of_jane((MESSAGE, *OFF), (MESSAGE, "push", "muted", "conversation")),
        lock=ON,
    ),
    "a lock can have nobody mute": Case(
        {7: ON},
        {7: {"mute": "on"}},
        message(),
        of_jane((MESSAGE, *OFF), (MESSAGE, "push", "enabled", "user")),
        lock={"mute": "off"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_conversation_has_preferences_of_its_own(case: Case) -> None:
    here = {(user, 42): values for user, values in case.here.items()}
    stored = Preferences(lock=case.lock, user=case.own, conversation=here)
    found = rows_of(stored, case.event)
    sounds = "audio" in case.own.get(7, {})
    kinds = (MESSAGE, SOUND) if sounds else (MESSAGE,)
    assert [row for row in found if row[0] == 7 and row[1] in kinds] == case.expected


def test_an_audience_takes_in_who_wants_one_conversation() -> None:
    stored = Preferences(
        user={9: {"email.unassigned_conversation_new_message": "on"}},
        conversation={(8, 42): {"email.unassigned_conversation_new_message": "on"}},
    )
    found = rows_of(stored, message(assignee=None))
    assert [row for row in found if row[1] == UNASSIGNED] == [
        (7, UNASSIGNED, *OFF),
        (7, UNASSIGNED, "push", "disabled", "builtin"),
        (8, UNASSIGNED, "email", "enabled", "conversation"),
        (8, UNASSIGNED, "push", "disabled", "builtin"),
    ]


def test_an_inbox_can_be_muted_too() -> None:
    stored = Preferences(inbox={(7, 3): {"mute": "on"}})
    taken = {
        "event": "conversation_updated",
        "created_at": NOON,
        "account": {"id": 1},
        **conversation(meta={"assignee": {"id": 7, "type": "user"}}),
        "changed_attributes": [{"assignee_id": {"previous_value": None, "current_value": 7}}],
    }
    assert rows_of(stored, taken) == of_jane(
        (ASSIGNED, "email", "muted", "inbox"), (ASSIGNED, "push", "muted", "inbox")
    )


def update(changed: Json, *, by: int | None = 9, **fields: Any) -> Json:
    performer = None if by is None else {"id": by, "type": "user"}
    return {
        "event": "conversation_updated",
        "created_at": NOON,
        "account": {"id": 1},
        "performed_by": performer,
        **conversation(**fields),
        "changed_attributes": [
            {key: {"previous_value": None, "current_value": value}}
            for key, value in changed.items()
        ],
    }


def given(team: int | None, assignee: int | None = None, **fields: Any) -> Json:
    person = None if assignee is None else {"id": assignee, "type": "user"}
    group = None if team is None else {"id": team, "name": "Support"}
    return update({"team_id": team}, meta={"team": group, "assignee": person}, **fields)


TEAM = "team_assignment"
FOR_TEAM = Preferences(user={user: {f"email.{TEAM}": "on"} for user in (7, 8)})
TEAM_DIRECTORY = {**DIRECTORY, "teams": [{"id": 2, "name": "Support", "members": [7, 8]}]}


def of_team(user: int, email: str, push: str = "disabled") -> list[Row]:
    origins = {"enabled": "user", "disabled": "builtin"}
    return [
        (user, TEAM, "email", email, origins.get(email)),
        (user, TEAM, "push", push, origins.get(push)),
    ]


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        pytest.param([given(2)], of_team(7, "enabled") + of_team(8, "enabled"), id="all of it"),
        pytest.param(
            [given(2, by=7)],
            of_team(7, "self_assigned", "self_assigned") + of_team(8, "enabled"),
            id="who did it knows",
        ),
        pytest.param(
            [given(2), given(2, labels=["vip"])],
            of_team(7, *["already_notified"] * 2) + of_team(8, *["already_notified"] * 2),
            id="who was told isn't told again",
        ),
        pytest.param(
            [given(2), given(None), given(2, labels=["vip"])],
            of_team(7, "enabled") + of_team(8, "enabled"),
            id="taken away and given again",
        ),
        pytest.param([given(2, 7)], of_team(8, "enabled"), id="the assignee has it already"),
        pytest.param([given(None)], [], id="no team, nobody"),
        pytest.param(
            [update({"team_id": 2})],
            of_team(7, "enabled") + of_team(8, "enabled"),
            id="only the change names it",
        ),
        pytest.param(
            [{**update({"team_id": 2}), "event": "team_changed"}],
            of_team(7, "enabled") + of_team(8, "enabled"),
            id="only the change of a team_changed names it",
        ),
        pytest.param([given(2), update({"team_id": None})], [], id="the change takes it away"),
        pytest.param([given(5)], [], id="a team that isn't on record, nobody"),
        pytest.param(
            [{**given(2), "event": "conversation_created"}],
            of_team(7, "enabled") + of_team(8, "enabled"),
            id="a creation",
        ),
        pytest.param(
            [given(2, status="pending")],
            of_team(7, *["pending_conversation"] * 2) + of_team(8, *["pending_conversation"] * 2),
            id="a bot has it",
        ),
        pytest.param([update({"priority": "high"}, meta={"team": {"id": 2}})], [], id="no change"),
    ],
)
def test_a_team_is_told_of_what_it_is_given(bodies: list[Json], expected: list[Row]) -> None:
    found = rows_of(FOR_TEAM, *bodies, directory=TEAM_DIRECTORY)
    assert [row for row in found if row[1] == TEAM] == expected


def test_nobody_is_a_candidate_who_has_set_nothing_of_it() -> None:
    stored = Preferences(user={8: {f"push.{TEAM}": "off"}})
    assert rows_of(stored, given(2), directory=TEAM_DIRECTORY) == [
        (8, TEAM, "email", "disabled", "builtin"),
        (8, TEAM, "push", "disabled", "user"),
    ]


def presence(at: int, **users: str) -> Json:
    named = {name.removeprefix("_"): state for name, state in users.items()}
    return {"event": "presence.update", "account_id": 1, "users": named, "created_at": at}


def presence_of(state: object, at: int = NOON - 3600) -> Json:
    user = {"id": 7, "availability_status": state}
    return {"event": "presence_update", "account_id": 1, "user": user, "created_at": at}


EARLY = NOON - 7200


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param([], "enabled", id="nothing is known"),
        pytest.param([presence(EARLY, _7="online")], "enabled", id="online"),
        pytest.param([presence(EARLY, _7="busy")], "unavailable", id="busy"),
        pytest.param([presence(EARLY, _7="offline")], "unavailable", id="offline"),
        pytest.param([presence(EARLY, _8="busy")], "enabled", id="of others"),
        pytest.param(
            [presence(EARLY, _7="busy"), presence(EARLY + 60, _7="online")], "enabled", id="back"
        ),
        pytest.param(
            [presence(EARLY, _7="online"), presence(EARLY + 60)], "unavailable", id="gone"
        ),
        pytest.param([presence_of("busy")], "unavailable", id="busy, by an event of the user"),
        pytest.param(
            [presence(EARLY, _7="busy"), presence_of("online")], "enabled", id="back, by such one"
        ),
        pytest.param(
            [presence_of("online", EARLY), presence(EARLY + 60, _8="online")],
            "enabled",
            id="whom no list ever named isn't missing from one",
        ),
        pytest.param(
            [presence_of("busy", EARLY), presence(EARLY + 60, _8="online")],
            "unavailable",
            id="busy, by an event of the user, whatever a list leaves out",
        ),
        pytest.param([presence_of({"odd": 1})], "enabled", id="a state that there isn't"),
    ],
)
@pytest.mark.parametrize("assignee", [7, None])
def test_who_is_busy_or_offline_can_have_it_withheld(
    before: list[Json], reason: str, assignee: int | None
) -> None:
    kinds = {7: MESSAGE, None: UNASSIGNED}
    own = {f"push.{kinds[assignee]}": "on", "audio": "all"}
    stored = Preferences(user={7: own}, default={"when_unavailable": "withhold"})
    found = rows_of(stored, *before, message(assignee=assignee))
    origins = {"enabled": "user", "unavailable": "default"}
    assert [row for row in found if row[0] == 7 and row[2] != "email"] == of_jane(
        (kinds[assignee], "push", reason, origins[reason]),
        (SOUND, "audio", reason, origins[reason]),
    )


def test_a_mention_reaches_even_who_is_busy() -> None:
    stored = Preferences(
        user={7: {"push.conversation_mention": "on", "when_unavailable": "withhold"}}
    )
    note = message(
        message_type="outgoing",
        content="@jane@example.com knows more",
        sender={"id": 8, "type": "user"},
    )
    found = rows_of(stored, presence(EARLY, _7="busy"), note)
    assert (7, "conversation_mention", "push", "enabled", "user") in found


def test_who_leaves_what_is_resolved_is_no_participant_any_longer() -> None:
    on = {"push.participating_conversation_new_message": "on"}
    stored = Preferences(user={8: {**on, "participants_after_resolve": "leave"}, 9: on})
    assigned = [
        update({"assignee_id": user}, meta={"assignee": {"id": user, "type": "user"}})
        for user in (9, 8, 7)
    ]
    resolved = update({"status": "resolved"}, status="resolved")
    participating = "participating_conversation_new_message"

    def told(*bodies: Json) -> list[int]:
        rows = rows_of(stored, *bodies, message(NOON + 300))
        return [row[0] for row in rows if row[1] == participating and row[2] == "push"]

    assert told(*assigned) == [8, 9]
    assert told(*assigned, resolved) == [9]
    assert told(*assigned, resolved, assigned[1] | {"labels": ["again"]}) == [8, 9]


def test_a_chatwoot_knows_nothing_of_it() -> None:
    stored = Preferences(user={7: ON | {"mute": "on"}}, conversation={(7, 42): {"mute": "on"}})
    lines = [json.dumps(message())]
    fired = [one for one in decisions_of(replay_of(stored, "chatwoot@4.16"), lines) if sent(one)]
    assert [(one.user_id, one.channel.value) for one in fired] == [(7, "push")]


def sent(decision: Decision) -> bool:
    return decision.outcome is Outcome.FIRE


VALUES = st.dictionaries(st.sampled_from([*SWITCH_KEYS, "mute"]), st.sampled_from(["on", "off"]))
USERS_IN_WORLDS = st.integers(1, 4)
CONVERSATIONS_IN_WORLDS = st.integers(1, 2)


def decided(world: World, stored: Preferences) -> tuple[list[Decision], Counts]:
    account = world.directory["account"]["id"]
    accounts = {account: Account(directory_of(world.directory), stored)}
    replay = Replay(accounts, world.fallback_account)
    return decisions_of(replay, world.lines), replay.counts()


def with_values(stored: Preferences, user: int, conversation: int, values: Json) -> Preferences:
    here = {**stored.conversation.get((user, conversation), {}), **values}
    return structs.replace(stored, conversation={**stored.conversation, (user, conversation): here})


@drawn(worlds(), USERS_IN_WORLDS, CONVERSATIONS_IN_WORLDS)
def test_muting_takes_away_alone(world: World, user: int, conversation: int) -> None:
    stored = preferences_of(world.preferences, world.directory["account"]["id"])
    stored.lock = {key: value for key, value in stored.lock.items() if key != "mute"}
    before, _ = decided(world, stored)
    after, _ = decided(world, with_values(stored, user, conversation, {"mute": "on"}))
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        here = (one.user_id, one.conversation_id) == (user, conversation)
        of_account = one.account_id == world.directory["account"]["id"]
        if here and of_account:
            assert other.outcome is Outcome.SUPPRESS
        else:
            assert one == other


@drawn(worlds(), USERS_IN_WORLDS, CONVERSATIONS_IN_WORLDS, VALUES)
def test_values_of_a_conversation_decide_as_those_of_each_inbox_would(
    world: World, user: int, conversation: int, values: Json
) -> None:
    stored = preferences_of(world.preferences, world.directory["account"]["id"])
    stored.conversation = {}
    own = {**stored.user, user: {**stored.user.get(user, {}), **values}}
    inbox = {
        place: {**here, **values} if place[0] == user else here
        for place, here in stored.inbox.items()
    }
    there, _ = decided(world, structs.replace(stored, user=own, inbox=inbox))
    elsewhere, _ = decided(world, stored)
    found, counts = decided(world, with_values(stored, user, conversation, values))
    account = world.directory["account"]["id"]
    expected = [
        one
        if (one.account_id, one.user_id, one.conversation_id) == (account, user, conversation)
        else other
        for one, other in zip(there, elsewhere, strict=True)
    ]
    assert [(d.outcome, d.reason) for d in found] == [(d.outcome, d.reason) for d in expected]
    fired = Counter(
        (d.user_id, d.email, d.channel, d.type) for d in found if d.outcome is Outcome.FIRE
    )
    assert +counts.fired == fired
    assert +counts.decided == Counter((d.user_id, d.email, d.channel, d.type) for d in found)


Here = dict[tuple[int, int], dict[str, str]]
CONVERSATIONS = st.dictionaries(
    st.tuples(USERS_IN_WORLDS, CONVERSATIONS_IN_WORLDS), VALUES, max_size=3
)


@drawn(worlds(), CONVERSATIONS)
def test_what_was_reached_is_what_has_decided(world: World, here: Here) -> None:
    account = world.directory["account"]["id"]
    stored = preferences_of(world.preferences, account)
    stored.conversation = here
    accounts = {account: Account(directory_of(world.directory), stored)}
    replay = Replay(accounts, world.fallback_account, insight=Insight(int))
    found = decisions_of(replay, world.lines)
    expected = set()
    for one in found:
        if one.origin in (None, Layer.BUILTIN) or one.account_id != account:
            continue
        place = {Layer.INBOX: one.inbox_id, Layer.CONVERSATION: one.conversation_id}
        setting = deciding(one, one.reason, stored)
        assert setting is not None
        assert setting.layer is one.origin
        user = None if one.origin in (Layer.LOCK, Layer.DEFAULT) else one.user_id
        where = place.get(one.origin)
        expected.add(PlacedKey(account, one.origin, user, where, setting.key))
    insight = replay.counts().insight
    assert insight is not None
    assert {one for one in insight.reached if one.account == account} == expected
    users = {(account, user.id): user for user in accounts[account].directory.users.values()}
    missed = unreached(accounts, insight, users)
    silent = {user for _, user in users} - {
        one.user_id for one in found if one.outcome is Outcome.FIRE and one.account_id == account
    }
    assert {one.user_id for one in missed if one.what == "user"} == silent


def test_dead_lines_of_a_policy_are_listed(notifycli: Notifycli) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DIRECTORY).encode())
    notifycli.ok("prefs", "set", "push.message=on", "email.sla_first=on", "-u", "7")
    notifycli.ok("prefs", "set", "audio=all", "audio.tone=bell", "--inbox", "3", "-u", "8")
    notifycli.ok("prefs", "set", "quiet_hours=22:00-07:00", "--default")
    log = json.dumps(message()).encode()
    result = notifycli("simulate", "-", "--coverage", "--exit-code", stdin=log)
    nothing = dict.fromkeys(
        ("account_id", "user_id", "email", "layer", "inbox_id", "conversation_id", "key", "value")
    )
    sla = "email.sla_missed_first_response"
    jane = {"account_id": 1, "user_id": 7, "email": "jane@example.com"}
    root = {"account_id": 1, "user_id": 9, "email": "root@example.com"}
    assert result.records == [
        {"what": "type", **nothing, "key": "email.conversation_assignment"},
        {"what": "type", **nothing, "key": sla},
        {"what": "type", **nothing, "key": "push.conversation_assignment"},
        {
            "what": "preference",
            **nothing,
            "account_id": 1,
            "layer": "default",
            "key": "quiet_hours",
            "value": "22:00-07:00",
        },
        {"what": "preference", **nothing, **jane, "layer": "user", "key": sla, "value": "on"},
        {"what": "user", **nothing, **root},
    ]
    assert (result.status, "never reached: 3 types" in result.stderr) == (1, True)
    assert notifycli("simulate", "-", "--coverage", "--summary", stdin=log).status == 2


def without_assignee(body: Json) -> Json:
    return {**body, "conversation": conversation()}


def listed(*users: int) -> Json:
    return update({"priority": "high"}, participants=[{"id": user} for user in users])


TAKEN = update({"assignee_id": 8}, meta={"assignee": {"id": 8, "type": "user"}})
RESOLVED = update({"status": "resolved"}, status="resolved")
CUSTOMER = without_assignee(message())
BODIES = [
    *(given(team, assignee) for team in (2, 5, None) for assignee in (None, 7)),
    {**given(2, by=8), "event": "team_changed"},
    *(presence(0, _7=state, _8="online") for state in ("online", "busy", "offline")),
    *(presence(0), presence_of("busy"), presence_of("online"), listed(7, 8, 9), listed()),
    *(TAKEN, RESOLVED, update({"status": "open"}), CUSTOMER, message(assignee=None)),
]
ALL_OF_IT = {
    **dict.fromkeys((*SWITCH_KEYS, f"email.{TEAM}", f"push.{TEAM}"), "on"),
    "audio": "all",
    "audio.events": "message+created+assigned",
    "when_unavailable": "withhold",
    "participants_after_resolve": "leave",
}
GROUPS = [{"id": 2, "name": "Support", "members": [7, 8]}, {"id": 5, "name": "B", "members": [8]}]
# Everything that is kept decides something later on.
HERE, GONE = presence(0, _8="online"), presence(0)
TELLING = [given(2), HERE, TAKEN, given(2, 7), GONE, RESOLVED, given(2, 7), CUSTOMER]


def world_of(bodies: list[Json]) -> World:
    """Return a log in which no message and no time is another's, where all is switched on."""
    lines = []
    for place, body in enumerate(bodies, 1):
        own = {"id": place} if "message_type" in body else {}
        lines.append(json.dumps({**body, **own, "created_at": NOON + 300 * place}))
    row = {"account": 1, "layer": "default", "user": None, "inbox": None}
    rows = [{**row, "key": key, "value": value} for key, value in ALL_OF_IT.items()]
    return World({**DIRECTORY, "teams": GROUPS}, rows, lines, 1)


LOGS = st.lists(st.sampled_from(BODIES), min_size=4, max_size=16).map(world_of)


@drawn(LOGS)
@example(world_of(TELLING))
def test_who_takes_over_from_what_was_packed_decides_as_if_nobody_had(world: World) -> None:
    def start() -> Replay:
        return replay_with(world, NOTIFYCLI, Selection())

    expected = decisions_of(start(), world.lines)
    for cut in range(len(world.lines)):
        before, after = start(), start()
        found = decisions_of(before, world.lines[:cut])
        packed = pack_state(before.account(1).state)
        after.account(1).resume(unpack_state(packed))
        found += decisions_of(after, world.lines[cut:], cut + 1)
        assert found == expected


@drawn(LOGS, st.integers(1, 15), st.integers(2, 3))
@example(world_of(TELLING), 4, 2)
def test_processes_that_share_a_log_decide_as_one_would(
    world: World, cut: int, shares: int
) -> None:
    lines = [line.encode() for line in world.lines]
    parts = [lines[:cut], lines[cut:]]
    assert shared_out(world, parts, None, range(shares)) == whole(world, lines, None)


def test_the_log_of_these_laws_shows_each_thing_that_is_kept() -> None:
    world = world_of(TELLING)
    decisions = decisions_of(replay_with(world, NOTIFYCLI, Selection()), world.lines)
    of_omar = [
        (one.line, one.type.value, one.reason.value)
        for one in decisions
        if one.user_id == 8 and one.channel.value != "email"
    ]
    assert of_omar == [
        (1, TEAM, "enabled"),
        (3, ASSIGNED, "enabled"),
        (3, ASSIGNED, "enabled"),  # and its sound
        (4, TEAM, "already_notified"),
        (7, TEAM, "already_notified"),
        # He has left: otherwise there would be a message to a participant, too.
        (8, SOUND, "unavailable"),
    ]
