"""The rules of `spec/rules.md`, once more, written to be read and not to be fast.

It shares nothing with the product but the specification, so that comparing the two tells
something. Every part names the section whose words it repeats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from tests.rules.reading import (
    ABSENT,
    EPOCH,
    SLA_EVENTS,
    STATUS_EVENTS,
    BadLineError,
    Event,
    Json,
    as_id,
    read_event,
)

Verdict = tuple[str, str | None]

CREATION = "conversation_creation"
ASSIGNMENT = "conversation_assignment"
MENTION = "conversation_mention"
ASSIGNED_MESSAGE = "assigned_conversation_new_message"
PARTICIPATING_MESSAGE = "participating_conversation_new_message"
UNASSIGNED_MESSAGE = "unassigned_conversation_new_message"
NEW_MESSAGE_TYPES = (ASSIGNED_MESSAGE, PARTICIPATING_MESSAGE, UNASSIGNED_MESSAGE)
AUDIO_TYPE = "new_message"
CHANNELS = ("email", "push")


# rules.md, section 2: built-in defaults; section 3: where a value comes from


def builtin(key: str) -> str:
    if key in ("email." + ASSIGNMENT, "push." + ASSIGNMENT):
        return "on"
    others = {"audio": "none", "audio.when": "hidden", "inactive_after": "60s"}
    return others.get(key, "off")


def resolve(
    rows: list[Json], account: int, user: int, inbox: int | None, key: str
) -> tuple[str, str]:
    for layer in ("lock", "inbox", "user", "default"):
        for row in rows:
            if row["layer"] != layer or row["key"] != key or as_id(row["account"]) != account:
                continue
            if layer in ("inbox", "user") and as_id(row["user"]) != user:
                continue
            if layer == "inbox" and (inbox is None or as_id(row["inbox"]) != inbox):
                continue
            return row["value"], layer
    return builtin(key), "builtin"


# rules.md, section 4: who can see a conversation


@dataclass
class Directory:
    users: dict[int, Json] = field(default_factory=dict)
    inbox_members: dict[int, set[int]] = field(default_factory=dict)
    team_members: dict[int, set[int]] = field(default_factory=dict)

    def is_administrator(self, user: int) -> bool:
        return bool(self.users[user].get("role") == "administrator")

    def can_see(self, user: int, inbox: int | None, team: int | None) -> bool:
        if user not in self.users:
            return False
        if inbox not in self.inbox_members:
            return True
        return (
            self.is_administrator(user)
            or user in self.inbox_members[inbox]
            or user in self.members_of_team(team)
        )

    def members_of_inbox(self, inbox: int | None) -> set[int]:
        if inbox not in self.inbox_members:
            return set(self.users)
        return self.inbox_members[inbox] & set(self.users)

    def members_of_team(self, team: int | None) -> set[int]:
        if team not in self.team_members:
            return set()
        return self.team_members[team] & set(self.users)


def read_directory(document: Json) -> Directory:
    return Directory(
        users={user["id"]: user for user in document.get("users") or []},
        inbox_members={
            inbox["id"]: set(inbox["members"])
            for inbox in document.get("inboxes") or []
            if inbox.get("members") is not None
        },
        team_members={
            team["id"]: set(team.get("members") or []) for team in document.get("teams") or []
        },
    )


# rules.md, section 5: mentions


def mentioned_users(event: Event, directory: Directory) -> set[int]:
    mentioned: set[int] = set()
    if event.is_private_note:
        for kind, number in re.findall(r"\(mention://(user|team)/([0-9]+)/.+?\)", event.content):
            if kind == "user":
                mentioned |= {int(number)} & set(directory.users)
            else:
                mentioned |= directory.members_of_team(int(number))
    for user, entry in directory.users.items():
        if entry.get("email") and mentions_address(event.content, entry["email"]):
            mentioned.add(user)
    return mentioned


def mentions_address(content: str, address: str) -> bool:
    for at in [place for place, character in enumerate(content) if character == "@"]:
        before = content[:at][-1:]
        written = content[at + 1 : at + 1 + len(address)]
        after = content[at + 1 + len(address) :].lstrip(".-")
        if continues_address(before) or before in (".", "-"):
            continue
        if written.lower() == address.lower() and not continues_address(after[:1]):
            return True
    return False


def continues_address(character: str) -> bool:
    return character.isalnum() or character in ("+", "%")


# rules.md, section 6: presence


@dataclass
class Presence:
    last_seen: int | None = None
    visible: bool = False
    conversation: int | None = None


def is_active(presence: Presence, now: int | None, inactive_after: str) -> bool:
    if presence.last_seen is None or now is None:
        return False
    unit = {"s": 1, "m": 60, "h": 3600}[inactive_after[-1]]
    return now - presence.last_seen < int(inactive_after[:-1]) * unit * 1_000_000


# rules.md, sections 2 and 7: quiet hours


WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_days(word: str) -> set[int] | None:
    days: set[int] = set()
    for part in word.lower().split(","):
        begin, _, end = part.partition("-")
        end = end or begin
        if begin not in WEEK or end not in WEEK:
            return None
        day = WEEK.index(begin)
        days.add(day)
        while WEEK[day] != end:
            day = (day + 1) % 7
            days.add(day)
    return days


def minute_of_day(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def in_quiet_hours(value: str, now: int | None) -> bool:
    if value == "off" or now is None:
        return False
    hours, *rest = value.split()
    zone, days = ZoneInfo("UTC"), set(range(7))
    for word in rest:
        named_days = read_days(word)
        if named_days is None:
            zone = ZoneInfo(word)
        else:
            days = named_days
    local = (EPOCH + timedelta(microseconds=now)).astimezone(zone)
    minute, today = local.hour * 60 + local.minute, local.weekday()
    begin, end = (minute_of_day(clock) for clock in hours.split("-"))
    if begin < end:
        return begin <= minute < end and today in days
    if minute >= begin:
        return today in days
    return minute < end and (today - 1) % 7 in days


# rules.md, sections 5 and 7: the replay and its decisions


@dataclass
class Conversation:
    assignee: int | None = None
    status: str | None = None
    inbox: int | None = None
    blocked: bool = False
    ever_assigned_or_mentioned: set[int] = field(default_factory=set)
    listed_participants: set[int] = field(default_factory=set)
    last_told: int | None = None

    @property
    def participants(self) -> set[int]:
        return self.ever_assigned_or_mentioned | self.listed_participants


class Replay:
    def __init__(self, document: Json, rows: list[Json]) -> None:
        self.directories = {document["account"]["id"]: read_directory(document)}
        self.rows = rows
        self.conversations: dict[tuple[int, int], Conversation] = {}
        self.presences: dict[tuple[int, int], Presence] = {}
        self.now: int | None = None

    def step(self, event: Event) -> list[Json]:
        if event.time is not None:
            self.now = event.time
        if event.name == "presence_update":
            self.remember_presence(event)
            return []
        conversation = Conversation()
        if event.conversation is not None:
            key = (event.account, event.conversation)
            conversation = self.conversations.setdefault(key, conversation)
        status_before = conversation.status
        self.remember_state(event, conversation)
        decisions = Decider(self, event, conversation, status_before).decide()
        # Section 6: what a user did in an event counts from the next event on.
        self.remember_presence(event)
        return decisions

    def remember_state(self, event: Event, conversation: Conversation) -> None:
        if event.assignee is not ABSENT:
            conversation.assignee = event.assignee
            if conversation.last_told != event.assignee:
                conversation.last_told = None
        if conversation.assignee is not None:
            conversation.ever_assigned_or_mentioned.add(conversation.assignee)
        if event.status is not None:
            conversation.status = event.status
        if event.inbox is not None:
            conversation.inbox = event.inbox
        if event.blocked is not None:
            conversation.blocked = event.blocked
        if event.participants is not None:
            conversation.listed_participants = event.participants

    def presence(self, account: int, user: int) -> Presence:
        return self.presences.setdefault((account, user), Presence())

    def remember_presence(self, event: Event) -> None:
        if event.name == "message_created" and event.author is not None:
            self.presence(event.account, event.author).last_seen = self.now
        if event.name == "conversation_typing_on" and event.present_user is not None:
            self.presence(event.account, event.present_user).last_seen = self.now
        if event.name == "presence_update" and event.present_user is not None:
            presence = self.presence(event.account, event.present_user)
            if event.visible is not False:
                presence.last_seen = self.now
            if event.visible is not None:
                presence.visible = event.visible
            if event.shown_conversation is not ABSENT:
                presence.conversation = event.shown_conversation


@dataclass
class Decider:
    """One event, with all that is known when it comes."""

    replay: Replay
    event: Event
    conversation: Conversation
    status_before: str | None
    decisions: list[Json] = field(default_factory=list)

    @property
    def directory(self) -> Directory:
        return self.replay.directories.get(self.event.account, Directory())

    def preference(self, user: int, key: str) -> tuple[str, str]:
        return resolve(self.replay.rows, self.event.account, user, self.conversation.inbox, key)

    def can_see(self, user: int) -> bool:
        return self.directory.can_see(user, self.conversation.inbox, self.event.team)

    # Section 5: from event to notification types

    def decide(self) -> list[Json]:
        event, conversation = self.event, self.conversation
        if event.name == "conversation_created":
            self.decide_creation()
            self.decide_assignment()
        if self.is_handed_over_by_a_bot():
            self.decide_creation()
        if event.name == "assignee_changed":
            self.decide_assignment()
        if event.name == "conversation_updated" and "assignee_id" in event.changes:
            self.decide_assignment()
        if event.name == "message_created":
            if event.message_type in ("incoming", "outgoing"):
                self.decide_message()
            self.decide_audio()
        if event.name in SLA_EVENTS:
            audience = conversation.participants | {
                user for user in self.directory.users if self.directory.is_administrator(user)
            }
            self.decide_type(event.name, audience, set())
        return self.decisions

    def is_handed_over_by_a_bot(self) -> bool:
        if self.event.name == "conversation_bot_handoff":
            return True
        if self.event.name not in STATUS_EVENTS:
            return False
        before = self.status_before
        if "status" in self.event.changes:
            before = self.event.changes["status"][0]
        return before == "pending" and self.conversation.status == "open"

    def decide_creation(self) -> None:
        audience = self.directory.members_of_inbox(self.conversation.inbox)
        self.decide_type(CREATION, audience, set())

    def decide_assignment(self) -> None:
        assignee, told = self.conversation.assignee, self.conversation.last_told
        if assignee is not None:
            self.decide_type(ASSIGNMENT, {assignee}, {assignee} & {told})
            self.conversation.last_told = assignee

    def decide_message(self) -> None:
        event, conversation = self.event, self.conversation
        mentioned = mentioned_users(event, self.directory)
        conversation.ever_assigned_or_mentioned |= {
            user for user in mentioned if self.can_see(user)
        }
        notified = self.decide_type(MENTION, mentioned, set())
        if event.is_private_note:
            return
        if conversation.assignee is not None:
            notified |= self.decide_type(ASSIGNED_MESSAGE, {conversation.assignee}, notified)
        notified |= self.decide_type(PARTICIPATING_MESSAGE, conversation.participants, notified)
        if event.message_type == "incoming" and conversation.assignee is None:
            audience = self.directory.members_of_inbox(conversation.inbox)
            self.decide_type(UNASSIGNED_MESSAGE, audience, notified)

    def decide_audio(self) -> None:
        for user in sorted(self.directory.users):
            if self.can_see(user):
                self.record(user, AUDIO_TYPE, "audio", self.audio_verdict(user))

    def decide_type(self, type_: str, audience: set[int], notified: set[int]) -> set[int]:
        """Records the decisions and answers the users on whom one of them fired."""
        fired: set[int] = set()
        for user in sorted(audience):
            for channel in CHANNELS:
                verdict = self.verdict(type_, user, channel, user in notified)
                self.record(user, type_, channel, verdict)
                if verdict[0] == "enabled":
                    fired.add(user)
        return fired

    # Section 7: decisions

    def verdict(self, type_: str, user: int, channel: str, already_notified: bool) -> Verdict:
        wanted, wanted_by = self.preference(user, f"{channel}.{type_}")
        quiet_hours, quiet_by = self.preference(user, "quiet_hours")
        inactive_after, inactive_by = self.preference(user, "inactive_after")
        presence = self.replay.presence(self.event.account, user)
        new_message = type_ in NEW_MESSAGE_TYPES

        if type_ in (CREATION, ASSIGNMENT) and self.conversation.status == "pending":
            return "pending_conversation", None
        if type_ != MENTION and self.conversation.blocked:
            return "blocked_contact", None
        if not self.can_see(user):
            return "no_access", None
        if (type_ == MENTION or new_message) and user == self.event.author:
            return "self_authored", None
        if type_ == ASSIGNMENT and user == self.event.performed_by:
            return "self_assigned", None
        if (type_ == ASSIGNMENT or new_message) and already_notified:
            return "already_notified", None
        if wanted == "off":
            return "disabled", wanted_by
        if type_ != MENTION and in_quiet_hours(quiet_hours, self.replay.now):
            return "quiet_hours", quiet_by
        if new_message and is_active(presence, self.replay.now, inactive_after):
            return "active", inactive_by
        return "enabled", wanted_by

    def audio_verdict(self, user: int) -> Verdict:
        audio, audio_by = self.preference(user, "audio")
        quiet_hours, quiet_by = self.preference(user, "quiet_hours")
        when, when_by = self.preference(user, "audio.when")
        presence = self.replay.presence(self.event.account, user)
        shown = presence.conversation

        if self.event.message_type != "incoming" and not self.event.is_private_note:
            return "not_audible", None
        if self.conversation.status == "pending":
            return "pending_conversation", None
        if self.conversation.blocked:
            return "blocked_contact", None
        if user == self.event.author:
            return "self_authored", None
        if audio == "none":
            return "disabled", audio_by
        if not self.audio_covers(audio.split("+"), user):
            return "not_assigned", audio_by
        if in_quiet_hours(quiet_hours, self.replay.now):
            return "quiet_hours", quiet_by
        if presence.visible and shown is not None and shown == self.event.conversation:
            return "viewing", None
        if presence.visible and when == "hidden":
            return "window_visible", when_by
        return "enabled", audio_by

    def audio_covers(self, choices: list[str], user: int) -> bool:
        assignee = self.conversation.assignee
        if "all" in choices:
            return True
        if assignee is None:
            return "unassigned" in choices
        if assignee == user:
            return "assigned" in choices or "mine" in choices
        return "others" in choices

    def record(self, user: int, type_: str, channel: str, verdict: Verdict) -> None:
        reason, origin = verdict
        self.decisions.append(
            {
                "line": self.event.line,
                "event": self.event.name,
                "account_id": self.event.account,
                "conversation_id": self.event.conversation,
                "inbox_id": self.conversation.inbox,
                "message_id": self.event.message,
                "user_id": user,
                "type": type_,
                "channel": channel,
                "outcome": "fire" if reason == "enabled" else "suppress",
                "reason": reason,
                "origin": origin,
            }
        )


def evaluate(
    lines: Iterable[str],
    directory: Json,
    preferences: list[Json],
    *,
    fallback_account: int = 1,
) -> list[Json]:
    """Every decision, fired or suppressed, in the order of rules.md.

    `directory` and the rows of `preferences` are those of cli.md, the rows' user being an id.
    `fallback_account` is the account of events that name none.
    """
    replay = Replay(directory, preferences)
    decisions: list[Json] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = read_event(number, line, fallback_account)
        except BadLineError:
            continue
        if event is not None:
            decisions += replay.step(event)
    return decisions
