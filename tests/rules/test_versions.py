"""Chatwoot's rules by version: the twelve cases of `spec/chatwoot.md`, section 1, and its rows.

A case says from which version on who is told of its last event, and by which type.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from msgspec import structs

from notifycli.rules.profile import profile_named
from tests.rules.cases import (
    ASSIGNED,
    CREATED,
    MENTION,
    MESSAGE,
    PARTICIPATING,
    SLA_FIRST,
    SOUND,
    Json,
    both,
    conversation,
    created,
    customer,
    default,
    everything_on,
    known,
    note,
    own,
    reply,
    seen,
    status,
)
from tests.rules.harness import decisions_of, is_sent, replay_of
from tests.rules.slow import evaluate

VERSIONS = (
    "2.13",
    "2.14",
    "3.5.0",
    "3.5.1",
    "3.6",
    "3.7",
    "3.8",
    "3.9",
    "3.15",
    "3.16",
    "4.0",
    "4.0.2",
    "4.0.3",
    "4.4",
    "4.11.1",
    "4.11.2",
    "4.14",
    "4.16",
)

# Sam is in team 2 and in no inbox.
DIRECTORY: Json = {
    "account": {"id": 1, "name": "Acme"},
    "users": [
        {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"},
        {"id": 8, "email": "omar@example.com", "name": "Omar", "role": "agent"},
        {"id": 9, "email": "root@example.com", "name": "Root", "role": "administrator"},
        {"id": 10, "email": "sam@example.com", "name": "Sam", "role": "agent"},
    ],
    "inboxes": [{"id": 3, "name": "Website", "members": [7, 8]}],
    "teams": [{"id": 2, "name": "Support", "members": [8, 10]}],
}

MAIL_AND_PUSH = ("email", "push")
Told = tuple[tuple[int, str], ...]
NOBODY: Told = ()


@dataclass(frozen=True)
class History:
    """What is told from a version on, for as long as no later one says otherwise."""

    name: str
    events: tuple[Json, ...]
    preferences: tuple[Json, ...]
    told: dict[str, Told]
    channels: tuple[str, ...] = MAIL_AND_PUSH
    users: tuple[Json, ...] = ()

    @property
    def directory(self) -> Json:
        changed = {user["id"]: user for user in self.users}
        users = [changed.get(user["id"], user) for user in DIRECTORY["users"]]
        return {**DIRECTORY, "users": users}

    def expected(self, version: str) -> set[tuple[int, str, str]]:
        begun = [since for since in self.told if number(since) <= number(version)]
        told = self.told[max(begun, key=number)]
        return {(user, type_, channel) for user, type_ in told for channel in self.channels}


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def history(
    name: str,
    *events: Json,
    prefs: list[Json],
    told: dict[str, Told],
    channels: tuple[str, ...] = MAIL_AND_PUSH,
    users: tuple[Json, ...] = (),
) -> History:
    return History(name, events, tuple(prefs), told, channels, users)


MINE = known(assignee=7)
TEAM_NOTE = note(9, "[@Support](mention://team/2/Support)")

TWELVE = [
    history(
        "a customer writes, and both types are on",
        MINE,
        customer(),
        prefs=everything_on(MESSAGE, PARTICIPATING),
        told={
            "2.13": ((7, MESSAGE),),
            "2.14": ((7, PARTICIPATING),),
            "4.0": ((7, MESSAGE),),
        },
    ),
    history(
        "a customer writes, and participating alone is on",
        MINE,
        customer(),
        prefs=everything_on(PARTICIPATING),
        told={"2.13": NOBODY, "2.14": ((7, PARTICIPATING),), "4.0": NOBODY},
    ),
    history(
        "a colleague replies",
        MINE,
        reply(8),
        prefs=everything_on(MESSAGE),
        told={"2.13": NOBODY, "2.14": ((7, MESSAGE),)},
    ),
    history(
        "a colleague writes a private note",
        MINE,
        note(8),
        prefs=everything_on(MESSAGE),
        told={"2.13": NOBODY, "2.14": ((7, MESSAGE),), "4.11.2": NOBODY},
    ),
    history(
        "a private note mentions the assignee",
        MINE,
        note(8, "[@Jane](mention://user/7/Jane)"),
        prefs=everything_on(MENTION, MESSAGE),
        told={
            "2.13": ((7, MENTION),),
            "2.14": ((7, MENTION), (7, MESSAGE)),
            "4.0": ((7, MENTION),),
        },
    ),
    history(
        "an agent mentions themselves",
        MINE,
        note(7, "[@Jane](mention://user/7/Jane)"),
        prefs=everything_on(MENTION, MESSAGE),
        told={"2.13": ((7, MENTION),), "4.14": NOBODY},
    ),
    history(
        "a note mentions a team, of whom one is not in the inbox",
        TEAM_NOTE,
        prefs=everything_on(MENTION),
        told={"2.13": NOBODY, "4.4": ((8, MENTION),)},
    ),
    history(
        "a blocked contact writes",
        MINE,
        customer(blocked=True),
        prefs=everything_on(MESSAGE),
        told={"2.13": ((7, MESSAGE),), "4.0": NOBODY},
    ),
    history(
        "the assignee has no access",
        known(assignee=10),
        customer(),
        prefs=everything_on(MESSAGE),
        told={"2.13": ((10, MESSAGE),), "4.14": NOBODY},
    ),
    history(
        "a conversation is created with an assignee by round robin",
        created(assignee=7),
        prefs=[],
        told={"2.13": NOBODY, "3.9": ((7, ASSIGNED),)},
    ),
    history(
        "a bot hands over",
        known(status="pending"),
        conversation("conversation_bot_handoff"),
        prefs=both(7, CREATED),
        told={"2.13": NOBODY, "3.6": ((7, CREATED),)},
    ),
    history(
        "a colleague opens a pending conversation",
        known(status="pending", assignee=None),
        status("open", assignee=8),
        prefs=everything_on(CREATED),
        told={"2.13": NOBODY},
    ),
]

ROWS = [
    history(
        "a service level is missed",
        known(assignee=7, participants=[8]),
        conversation(SLA_FIRST),
        prefs=everything_on(SLA_FIRST),
        told={"2.13": NOBODY, "3.7": ((7, SLA_FIRST), (8, SLA_FIRST), (9, SLA_FIRST))},
    ),
    history(
        "a participant who is neither in the inbox nor an administrator is none",
        known(assignee=None, participants=[8, 9, 10]),
        customer(),
        prefs=everything_on(PARTICIPATING),
        told={"2.13": NOBODY, "2.14": ((8, PARTICIPATING), (9, PARTICIPATING))},
    ),
    history(
        "a team's number is a user's, before teams can be mentioned",
        note(9, "(mention://team/8/Any)"),
        prefs=everything_on(MENTION),
        told={"2.13": ((8, MENTION),), "4.4": NOBODY},
    ),
    history(
        "an id with leading zeros is none",
        note(9, "(mention://user/007/Jane)"),
        prefs=everything_on(MENTION),
        told={"2.13": NOBODY},
    ),
    history(
        "a mention outside of a private note mentions nobody, by markup or by address",
        reply(9, "(mention://user/7/Jane) @jane@example.com", assignee=None),
        prefs=everything_on(MENTION),
        told={"2.13": NOBODY},
    ),
    history(
        "an assignment told once is told again",
        conversation(
            "conversation_updated", assignee=7, changed_attributes={"assignee_id": [8, 7]}
        ),
        conversation(
            "conversation_updated", assignee=7, changed_attributes={"assignee_id": [None, 7]}
        ),
        prefs=[],
        told={"2.13": ((7, ASSIGNED),)},
    ),
    history(
        "quiet hours, and what only this program knows of, have no effect",
        customer(assignee=None, at=0),
        prefs=[
            default("quiet_hours", "00:00-00:00"),
            default("email.unassigned_conversation_new_message"),
        ],
        told={"2.13": NOBODY},
    ),
    history(
        "an agent who is connected gets no mail of a new message",
        MINE,
        seen(7, at=0, visible=False),
        customer(at=19.9),
        prefs=everything_on(MESSAGE),
        told={"2.13": ((7, MESSAGE),)},
        channels=("push",),
    ),
    history(
        "exactly twenty seconds later they are away",
        MINE,
        seen(7, at=0),
        customer(at=20),
        prefs=everything_on(MESSAGE),
        told={"2.13": ((7, MESSAGE),)},
    ),
    history(
        "a hand-over that a message shows silences the message for nobody",
        known(assignee=7, status="pending"),
        customer(assignee=7, status="open"),
        prefs=both(7, MESSAGE),
        told={"2.13": ((7, MESSAGE),)},
        # Who has a role of their own is judged apart.
        users=({**DIRECTORY["users"][0], "permissions": ["conversation_manage"]},),
    ),
    history(
        "an address that is not confirmed gets no mail",
        MINE,
        customer(),
        prefs=[own(7, f"email.{MESSAGE}")],
        told={"2.13": ((7, MESSAGE),), "4.0.3": NOBODY},
        channels=("email",),
        users=({**DIRECTORY["users"][0], "confirmed": False},),
    ),
    history(
        "a custom role that manages unassigned conversations doesn't see other people's",
        known(assignee=8, participants=[7]),
        customer(),
        prefs=both(7, PARTICIPATING),
        told={"2.13": NOBODY, "2.14": ((7, PARTICIPATING),), "4.14": NOBODY},
        users=({**DIRECTORY["users"][0], "permissions": ["conversation_unassigned_manage"]},),
    ),
    history(
        "a sound in a pending conversation",
        {**customer(status="pending"), "sender": {"id": 99, "type": "contact"}},
        prefs=[own(7, "audio", "all")],
        told={"2.13": ((7, SOUND),), "4.0.2": NOBODY},
        channels=("audio",),
    ),
    history(
        "a sound of a contact who has the agent's number",
        {**customer(), "sender": {"id": 7, "type": "contact"}},
        prefs=[own(7, "audio", "all")],
        told={"2.13": ((7, SOUND),), "3.16": NOBODY},
        channels=("audio",),
    ),
    history(
        "a sound to members and administrators, blocked or not, and not to the team's others",
        {**customer(team=2, blocked=True), "sender": {"id": 99, "type": "contact"}},
        prefs=[default("audio", "all")],
        told={"2.13": ((7, SOUND), (8, SOUND), (9, SOUND))},
        channels=("audio",),
    ),
    history(
        "a sound for what is assigned to somebody else",
        {**customer(assignee=8), "sender": {"id": 99, "type": "contact"}},
        prefs=[own(7, "audio", "assigned+others")],
        told={"2.13": NOBODY, "3.16": ((7, SOUND),)},
        channels=("audio",),
    ),
]

Evaluator = Callable[[History, str], list[Json]]


def by_reference(one: History, version: str) -> list[Json]:
    lines = [json.dumps(event) for event in one.events]
    preferences = list(one.preferences)
    decisions = evaluate(lines, one.directory, preferences, profile=f"chatwoot@{version}")
    return [decision for decision in decisions if decision["sent"]]


def by_product(one: History, version: str) -> list[Json]:
    lines = [json.dumps(event) for event in one.events]
    profile = profile_named(f"chatwoot@{version}")
    replay = replay_of(one.directory, one.preferences, profile=profile)
    return [
        structs.asdict(decision) for decision in decisions_of(replay, lines) if is_sent(decision)
    ]


@pytest.mark.parametrize("evaluator", [by_reference, by_product])
@pytest.mark.parametrize("one", [*TWELVE, *ROWS], ids=lambda one: one.name)
def test_each_version_tells(one: History, evaluator: Evaluator) -> None:
    told = {
        version: sorted(
            (decision["user_id"], decision["type"], decision["channel"])
            for decision in evaluator(one, version)
            if decision["line"] == len(one.events) and relevant(one, decision)
        )
        for version in VERSIONS
    }
    assert told == {version: sorted(one.expected(version)) for version in VERSIONS}


def relevant(one: History, decision: Json) -> bool:
    """Sounds are asked of in the cases that are about sounds."""
    is_sound: bool = decision["channel"] == "audio"
    return is_sound == ("audio" in one.channels)
