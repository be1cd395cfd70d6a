"""The profile `notifycli`: every part names the section of the page that it repeats.

The pages are `spec/rules.md` and `docs/beyond.md`.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

import idna

from tests.rules.slow import between
from tests.rules.slow.bodies import (
    ABSENT,
    CONVERSATION_EVENTS,
    SLA_EVENTS,
    STATUS_EVENTS,
    Event,
    Json,
    as_id,
    as_microseconds,
    in_todays_words,
)
from tests.rules.slow.hours import SECOND, duration, in_hours, written

Verdict = tuple[str, str | None]

CREATION = "conversation_creation"
ASSIGNMENT = "conversation_assignment"
TEAM_ASSIGNMENT = "team_assignment"
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
    others |= {"when_unavailable": "send", "participants_after_resolve": "stay"}
    others |= {"quiet_hours_then": "drop", "waiting_after": "15m", "escalate_after": "1h"}
    others |= {"audio.events": "message"}
    return others.get(key, "off")


def resolve(
    rows: list[Json],
    account: int,
    user: int | None,
    inbox: int | None,
    key: str,
    *,
    conversation: int | None = None,
    now: int | None = None,
) -> tuple[str, str]:
    for layer in ("lock", "conversation", "inbox", "user", "default"):
        for row in rows:
            if row["layer"] != layer or row["key"] != key or as_id(row["account"]) != account:
                continue
            if layer in ("conversation", "inbox", "user") and as_id(row["user"]) != user:
                continue
            if layer == "inbox" and (inbox is None or as_id(row["inbox"]) != inbox):
                continue
            if layer == "conversation":
                value = value_for_a_time(row["value"], now)
                if value is None or conversation is None or row["conversation"] != conversation:
                    continue
                return value, layer
            return row["value"], layer
    return builtin(key), "builtin"


def value_for_a_time(value: str, now: int | None) -> str | None:
    """beyond.md, section 2, "For a time": none where it doesn't hold."""
    value, _, until = value.partition(" until ")
    if not until:
        return value
    end = as_microseconds(until)
    assert end is not None
    return value if now is not None and now < end else None


# rules.md, section 4: who can see a conversation


@dataclass
class Conversation:
    assignee: int | None = None
    status: str | None = None
    inbox: int | None = None
    team: int | None = None
    blocked: bool = False
    participants: set[int] = field(default_factory=set)
    notified_assignee: int | None = None
    notified_team: int | None = None
    hand_over_told: bool = False
    opened_by_a_person: bool = False
    unanswered: Event | None = None
    wait: between.Wait | None = None
    last_messages: list[int] = field(default_factory=list)
    last_body: Json | None = None


@dataclass
class Directory:
    users: dict[int, Json] = field(default_factory=dict)
    inbox_members: dict[int, set[int]] = field(default_factory=dict)
    team_members: dict[int, set[int]] = field(default_factory=dict)
    inboxes_without_a_bot: set[int] = field(default_factory=set)

    def is_administrator(self, user: int) -> bool:
        return bool(self.users[user].get("role") == "administrator")

    def members_of_inbox(self, inbox: int | None) -> set[int]:
        if inbox not in self.inbox_members:
            return set(self.users)
        return self.inbox_members[inbox] & set(self.users)

    def members_of_team(self, team: int | None) -> set[int]:
        if team not in self.team_members:
            return set()
        return self.team_members[team] & set(self.users)

    def can_see(self, user: int, conversation: Conversation) -> bool:
        if user not in self.users:
            return False
        if self.is_administrator(user):
            return True
        members = self.members_of_inbox(conversation.inbox)
        if user not in members | self.members_of_team(conversation.team):
            return False
        return self.custom_role_allows(user, conversation)

    def custom_role_allows(self, user: int, conversation: Conversation) -> bool:
        """cli.md, "directory document": what of the conversations they see (chatwoot.md 7)."""
        permissions = self.users[user].get("permissions")
        if permissions is None or "conversation_manage" in permissions:
            return True
        assignee = conversation.assignee
        if "conversation_unassigned_manage" in permissions and assignee in (None, user):
            return True
        takes_part = user == assignee or user in conversation.participants
        return "conversation_participating_manage" in permissions and takes_part


def read_directory(document: Json) -> Directory:
    inboxes = document.get("inboxes") or []
    return Directory(
        users={user["id"]: user for user in document.get("users") or []},
        inbox_members={
            inbox["id"]: set(inbox["members"])
            for inbox in inboxes
            if inbox.get("members") is not None
        },
        team_members={
            team["id"]: set(team.get("members") or []) for team in document.get("teams") or []
        },
        inboxes_without_a_bot={inbox["id"] for inbox in inboxes if inbox.get("bot") is False},
    )


# rules.md, section 5: mentions


def marked_up(content: str) -> list[tuple[str, str]]:
    return re.findall(r"\(mention://(user|team)/([0-9]+)/.+?\)", content)


def mentioned_users(event: Event, directory: Directory) -> set[int]:
    mentioned: set[int] = set()
    if event.private:
        for kind, number in marked_up(event.content):
            if kind == "user":
                mentioned |= {int(number)} & set(directory.users)
            else:
                mentioned |= directory.members_of_team(int(number))
    for user, entry in directory.users.items():
        if entry.get("email") and mentions_address(event.content, entry["email"]):
            mentioned.add(user)
    return mentioned


def mentions_address(content: str, address: str) -> bool:
    content = unicodedata.normalize("NFKC", content)
    for at in [place for place, character in enumerate(content) if character == "@"]:
        before = content[:at][-1:]
        if continues_address(before) or before in (".", "-"):
            continue
        for spelling in spellings(unicodedata.normalize("NFKC", address)):
            written = content[at + 1 : at + 1 + len(spelling)]
            after = content[at + 1 + len(spelling) :].lstrip(".-")
            if written.lower() == spelling.lower() and not continues_address(after[:1]):
                return True
    return False


def spellings(address: str) -> set[str]:
    """An address with its domain as typed, in ASCII, and in its own letters."""
    local, _, domain = address.rpartition("@")
    with suppress(idna.IDNAError):
        in_ascii = idna.encode(domain, uts46=True).decode()
        return {address, f"{local}@{in_ascii}", f"{local}@{idna.decode(in_ascii)}"}
    return {address}


def continues_address(character: str) -> bool:
    """A letter of a script without case, such as a Chinese one, is written beside an address."""
    if character.isalpha():
        return character.upper() != character.lower()
    return character.isdigit() or character in ("+", "%")


# rules.md, section 6: presence


@dataclass
class Presence:
    last_seen: int | None = None
    visible: bool = False
    conversation: int | None = None
    availability: str | None = None
    named: bool = False
    """By an event of Chatwoot's own form."""


@dataclass
class Connected:
    """Chatwoot's own form: who is connected, and since when that is known."""

    users: set[int] = field(default_factory=set)
    time: int | None = None


def less_than_apart(one: int | None, other: int | None, microseconds: int) -> bool:
    return one is not None and other is not None and abs(one - other) < microseconds


# rules.md, section 5: what the replay keeps


REMEMBERED_MESSAGES = 100


@dataclass
class Replay:
    document: Json
    rows: list[Json]
    conversations: dict[tuple[int, int], Conversation] = field(default_factory=dict)
    presences: dict[tuple[int, int], Presence] = field(default_factory=dict)
    connected: dict[int, Connected] = field(default_factory=dict)
    clocks: dict[int, int] = field(default_factory=dict)
    held: list[between.Held] = field(default_factory=list)

    #: In Chatwoot a presence event of a hidden window says all the same that it is open.
    hidden_counts: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.directories = {self.document["account"]["id"]: read_directory(self.document)}

    def directory(self, account: int) -> Directory:
        return self.directories.get(account, Directory())

    def conversation(self, event: Event) -> Conversation:
        if event.conversation is None:
            return Conversation()
        key = (event.account, event.conversation)
        return self.conversations.setdefault(key, Conversation())

    def step(self, event: Event) -> list[Json]:
        conversation = self.conversation(event)
        decisions = self.come_between(event)
        if came_already(event, conversation):
            return decisions
        if event.time is not None:
            self.clocks[event.account] = event.time
        hand_over = read_hand_over(event, conversation, self.directory(event.account))
        before = conversation.status
        remember_state(event, conversation)
        between.follow_wait(event, conversation, before, self.clocks.get(event.account))
        between.overtake(self, event, before)
        decider = self.decider(event, conversation, hand_over)
        if event.status == "resolved" and before != "resolved":
            conversation.participants -= decider.who_leaves()
        decisions += decider.decide()
        if hand_over == "bot":
            conversation.hand_over_told = True
        if hand_over == "person":
            conversation.opened_by_a_person = True
        if conversation.status == "pending":
            # "Once for each time that it was pending."
            conversation.hand_over_told = conversation.opened_by_a_person = False
        # Section 6: what a user did in an event counts from the next event on.
        self.remember_presence(event)
        return decisions + between.come_with(self, event)

    def come_between(self, event: Event) -> list[Json]:
        if event.time is None:
            return []
        return between.come_between(self, event.account, event.time)

    def value(
        self,
        account: int,
        user: int,
        inbox: int | None,
        key: str,
        *,
        conversation: int | None,
        now: int | None,
    ) -> tuple[str, str]:
        return resolve(self.rows, account, user, inbox, key, conversation=conversation, now=now)

    def decider(self, event: Event, conversation: Conversation, hand_over: str | None) -> Decider:
        return Decider(self, event, conversation, hand_over)

    # Section 6

    def presence(self, account: int, user: int) -> Presence:
        return self.presences.setdefault((account, user), Presence())

    def remember_presence(self, event: Event) -> None:
        now = self.clocks.get(event.account)
        if event.name == "message_created" and event.author is not None:
            self.presence(event.account, event.author).last_seen = now
        if event.name == "conversation_typing_on" and event.typist is not None:
            self.presence(event.account, event.typist).last_seen = now
        if event.name != "presence_update":
            return
        if event.connected is not None:
            self.connected[event.account] = Connected(event.connected, now)
        self.remember_availability(event)
        if event.present_user is not None:
            presence = self.presence(event.account, event.present_user)
            if event.visible is not False or self.hidden_counts:
                presence.last_seen = now
            if event.visible is not None:
                presence.visible = event.visible
            if event.shown_conversation is not ABSENT:
                presence.conversation = event.shown_conversation

    # beyond.md, section 4

    def remember_availability(self, event: Event) -> None:
        if event.availabilities is not None:
            for (account, user), presence in self.presences.items():
                missing = presence.named and user not in event.availabilities
                if account == event.account and missing:
                    presence.availability = "offline"
            for user, availability in event.availabilities.items():
                presence = self.presence(event.account, user)
                presence.availability, presence.named = availability, True
        if event.present_user is not None and event.availability is not None:
            self.presence(event.account, event.present_user).availability = event.availability


def came_already(event: Event, conversation: Conversation) -> bool:
    """Section 5, "Twice"."""
    if event.name == "message_created" and event.message is not None:
        if event.message in conversation.last_messages[-REMEMBERED_MESSAGES:]:
            return True
        conversation.last_messages.append(event.message)
    if event.name in CONVERSATION_EVENTS:
        # When it was received is the receiver's word, and stands beside the body.
        body = {name: value for name, value in event.body.items() if name != "received_at"}
        if body == conversation.last_body:
            return True
        conversation.last_body = body
    return False


def read_hand_over(event: Event, kept: Conversation, directory: Directory) -> str | None:
    """Section 5, "A bot hands over": by a `bot`, a `person`, or none at all."""
    announced = event.name == "conversation_bot_handoff"
    before = kept.status
    if "status" in event.changes:
        before = in_todays_words(event.changes["status"][0])
    shown = event.conversation is not None and event.status == "open" and before == "pending"
    if event.name == "conversation_created" or not (announced or shown):
        return None
    if announced:
        # The server's own word. What follows is about what is only seen.
        return "bot"
    appears = event.assignee not in (ABSENT, None, kept.assignee)
    inbox = event.inbox if event.inbox is not None else kept.inbox
    if event.name in STATUS_EVENTS and appears:
        return "person"
    # Who did it: also whoever wrote the message.
    if event.performer is not None or event.author is not None:
        return "person"
    if inbox in directory.inboxes_without_a_bot:
        return "person"
    if kept.opened_by_a_person and not kept.hand_over_told:
        # A later word of the change that a person has made: `conversation_updated` repeats it.
        return None
    return "bot"


def remember_state(event: Event, conversation: Conversation) -> None:
    # "A list of participants that an event carries is the whole list."
    if event.participants is not None:
        conversation.participants = set(event.participants)
    if event.assignee is not ABSENT:
        # "An assignee is a participant from then on."
        if event.assignee is not None and event.assignee != conversation.assignee:
            conversation.participants.add(event.assignee)
        conversation.assignee = event.assignee
        if conversation.notified_assignee != event.assignee:
            conversation.notified_assignee = None
    if event.status is not None:
        conversation.status = event.status
    if event.inbox is not None:
        conversation.inbox = event.inbox
    if event.team is not ABSENT:
        conversation.team = event.team
        if conversation.notified_team != event.team:
            conversation.notified_team = None
    if event.blocked is not None:
        conversation.blocked = event.blocked


# rules.md, sections 5 and 7: decisions


@dataclass
class Decider:
    """One event, with all that is known when it comes."""

    replay: Replay
    event: Event
    conversation: Conversation
    hand_over: str | None
    decisions: list[Json] = field(default_factory=list)
    sounding: list[tuple[str, set[int], set[int]]] = field(default_factory=list)
    """Of creations and assignments: the type, whom it concerns, and who was told of it before."""
    moment: int | None = None
    """That of a deadline, which is no event's."""

    @property
    def directory(self) -> Directory:
        return self.replay.directory(self.event.account)

    @property
    def now(self) -> int | None:
        return self.replay.clocks.get(self.event.account) if self.moment is None else self.moment

    def preference(self, user: int, key: str) -> tuple[str, str]:
        account, conversation = self.event.account, self.event.conversation
        inbox = self.conversation.inbox
        return self.replay.value(account, user, inbox, key, conversation=conversation, now=self.now)

    def can_see(self, user: int) -> bool:
        return self.directory.can_see(user, self.conversation)

    def assignee(self) -> set[int]:
        """Return nobody or one."""
        assignee = self.conversation.assignee
        return set() if assignee is None else {assignee}

    def who_leaves(self) -> set[int]:
        """beyond.md, section 2, "Leave"."""
        key = "participants_after_resolve"
        return {
            user
            for user in self.conversation.participants
            if self.preference(user, key)[0] == "leave"
        }

    # Section 5: from event to notification types

    def decide(self) -> list[Json]:
        event = self.event
        if event.name == "conversation_created":
            self.decide_creation(already_notified=False)
            self.decide_assignment()
        if self.hand_over == "bot":
            self.decide_creation(already_notified=self.conversation.hand_over_told)
        if event.name == "assignee_changed":
            self.decide_assignment()
        if event.name == "conversation_updated" and "assignee_id" in event.changes:
            self.decide_assignment()
        if event.name in ("conversation_created", "team_changed"):
            self.decide_team_assignment()
        if event.name == "conversation_updated" and "team_id" in event.changes:
            self.decide_team_assignment()
        if event.name == "message_created":
            self.decide_message()
            self.decide_audio()
        if event.name in SLA_EVENTS:
            self.decide_missed_service_level()
        self.decide_sounds()
        return self.decisions

    def decide_creation(self, *, already_notified: bool) -> None:
        audience = self.directory.members_of_inbox(self.conversation.inbox)
        notified = audience if already_notified else set()
        self.decide_type(CREATION, audience, notified)
        self.sounding.append((CREATION, audience, notified))

    def decide_assignment(self) -> None:
        assignee, notified = self.assignee(), {self.conversation.notified_assignee}
        self.decide_type(ASSIGNMENT, assignee, assignee & notified)
        self.sounding.append((ASSIGNMENT, assignee, assignee & notified))
        self.conversation.notified_assignee = self.conversation.assignee

    def decide_team_assignment(self) -> None:
        """beyond.md, section 3."""
        conversation = self.conversation
        members = self.directory.members_of_team(conversation.team) - self.assignee()
        told_already = conversation.team == conversation.notified_team
        audience = {user for user in members if self.has_set(user, TEAM_ASSIGNMENT)}
        self.decide_type(TEAM_ASSIGNMENT, audience, audience if told_already else set())
        conversation.notified_team = conversation.team

    def has_set(self, user: int, type_: str) -> bool:
        """beyond.md, section 1: "by a layer other than `builtin`"."""
        channels = {row["key"].partition(".")[0] for row in self.replay.rows}
        return any(self.sets(user, f"{channel}.{type_}") for channel in channels)

    def sets(self, user: int, key: str) -> bool:
        return self.preference(user, key)[1] != "builtin"

    def channels(self, user: int, type_: str) -> list[str]:
        """beyond.md, section 9: added ones are those that somebody sets a type on."""
        named = {row["key"].partition(".")[0] for row in self.replay.rows} - {*CHANNELS, "audio"}
        added = [channel for channel in sorted(named) if self.sets(user, f"{channel}.{type_}")]
        return [*CHANNELS, *added]

    def decide_message(self) -> None:
        event, conversation = self.event, self.conversation
        chat = event.message_type in ("incoming", "outgoing")
        mentioned = mentioned_users(event, self.directory) if chat or event.private else set()
        seeing = {user for user in mentioned if self.can_see(user)}
        notified = self.decide_type(MENTION, mentioned, set())
        conversation.participants |= seeing
        if event.private or not chat:
            return
        assignee = self.assignee()
        others = conversation.participants - assignee
        notified |= self.decide_type(ASSIGNED_MESSAGE, assignee, notified)
        notified |= self.decide_type(PARTICIPATING_MESSAGE, others, notified)
        if event.message_type == "incoming" and conversation.assignee is None:
            audience = self.directory.members_of_inbox(conversation.inbox)
            self.decide_type(UNASSIGNED_MESSAGE, audience, notified)

    def decide_audio(self) -> None:
        for user in sorted(self.directory.users):
            if self.can_see(user):
                self.record(user, AUDIO_TYPE, "audio", self.audio_verdict(user))

    def decide_sounds(self) -> None:
        """beyond.md, section 7."""
        for type_, audience, notified in self.sounding:
            for user in sorted(audience):
                if self.preference(user, "audio.events")[1] != "builtin":
                    verdict = self.sound_verdict(type_, user, user in notified)
                    self.record(user, type_, "audio", verdict)

    def decide_missed_service_level(self) -> None:
        administrators = {
            user for user in self.directory.users if self.directory.is_administrator(user)
        }
        audience = self.conversation.participants | self.assignee() | administrators
        self.decide_type(self.event.name, audience, set())

    def decide_type(self, type_: str, audience: set[int], notified: set[int]) -> set[int]:
        """Records the decisions and answers the users on whom one of them fired."""
        fired: set[int] = set()
        for user in sorted(audience):
            for channel in self.channels(user, type_):
                verdict = self.verdict(type_, user, channel, user in notified)
                self.record(user, type_, channel, verdict)
                if verdict[0] == "enabled":
                    fired.add(user)
        return fired

    # Section 7: decisions

    def verdict(self, type_: str, user: int, channel: str, already_notified: bool) -> Verdict:
        wanted, wanted_by = self.preference(user, f"{channel}.{type_}")
        inactive_after, inactive_by = self.preference(user, "inactive_after")
        new_message = type_ in NEW_MESSAGE_TYPES
        with_a_bot = type_ in (CREATION, ASSIGNMENT, TEAM_ASSIGNMENT, UNASSIGNED_MESSAGE)
        told_once = type_ in (CREATION, ASSIGNMENT, TEAM_ASSIGNMENT) or new_message

        if with_a_bot and self.conversation.status == "pending":
            return "pending_conversation", None
        if type_ != MENTION and self.conversation.blocked:
            return "blocked_contact", None
        if not self.can_see(user):
            return "no_access", None
        if (type_ == MENTION or new_message) and user == self.event.author:
            return "self_authored", None
        if self.did_it_themselves(type_, user):
            return "self_assigned", None
        if told_once and already_notified:
            return "already_notified", None
        if wanted == "off":
            return "disabled", wanted_by
        if withheld := self.withheld(type_, user):
            return withheld
        if new_message and self.is_active(user, duration(inactive_after)):
            return "active", inactive_by
        return "enabled", wanted_by

    def withheld(self, type_: str, user: int) -> Verdict | None:
        """What somebody wants, but not here or not now: beyond.md, sections 2 and 4."""
        mute, muted_by = self.preference(user, "mute")
        quiet_hours, quiet_by = self.preference(user, "quiet_hours")
        when_unavailable, withheld_by = self.preference(user, "when_unavailable")
        if mute == "on":
            return "muted", muted_by
        if type_ == MENTION:
            return None
        if quiet_hours != "off" and self.now is not None and in_hours(quiet_hours, self.now):
            return "quiet_hours", quiet_by
        if when_unavailable != "send" and self.is_unavailable(user):
            return "unavailable", withheld_by
        return None

    def did_it_themselves(self, type_: str, user: int) -> bool:
        if type_ == TEAM_ASSIGNMENT:
            return user == self.assigned_by()
        return type_ == ASSIGNMENT and self.is_self_assigned()

    def is_self_assigned(self) -> bool:
        """ "Who did it is the one whom the change names", or whom the creation shows."""
        named = self.event.assignee_named_by_the_change or self.conversation.assignee
        return named is not None and named == self.assigned_by()

    def assigned_by(self) -> int | None:
        if self.event.performer is not None:
            return self.event.performer
        return self.event.first_author

    def is_active(self, user: int, inactive_after: int) -> bool:
        seen = self.replay.presence(self.event.account, user).last_seen
        connected = self.replay.connected.get(self.event.account, Connected())
        if user in connected.users and less_than_apart(connected.time, self.now, 40 * SECOND):
            return True
        return less_than_apart(seen, self.now, inactive_after)

    def is_unavailable(self, user: int) -> bool:
        presence = self.replay.presence(self.event.account, user)
        return presence.availability in ("busy", "offline")

    def audio_verdict(self, user: int) -> Verdict:
        audio, audio_by = self.preference(user, "audio")
        events, events_by = self.preference(user, "audio.events")

        if self.event.message_type != "incoming" and not self.event.private:
            return "not_audible", None
        if self.conversation.status == "pending":
            return "pending_conversation", None
        if self.conversation.blocked:
            return "blocked_contact", None
        if user == self.event.author:
            return "self_authored", None
        if audio == "none":
            return "disabled", audio_by
        if "message" not in events.split("+"):
            return "disabled", events_by
        if not self.audio_covers(audio.split("+"), user):
            return "not_assigned", audio_by
        return self.withheld(AUDIO_TYPE, user) or self.in_sight(user) or ("enabled", audio_by)

    def sound_verdict(self, type_: str, user: int, already_notified: bool) -> Verdict:
        events, events_by = self.preference(user, "audio.events")
        name = {CREATION: "created", ASSIGNMENT: "assigned"}[type_]

        if self.conversation.status == "pending":
            return "pending_conversation", None
        if self.conversation.blocked:
            return "blocked_contact", None
        if not self.can_see(user):
            return "no_access", None
        if self.did_it_themselves(type_, user):
            return "self_assigned", None
        if already_notified:
            return "already_notified", None
        if name not in events.split("+"):
            return "disabled", events_by
        return self.withheld(type_, user) or self.in_sight(user) or ("enabled", events_by)

    def in_sight(self, user: int) -> Verdict | None:
        when, when_by = self.preference(user, "audio.when")
        presence = self.replay.presence(self.event.account, user)
        shown = presence.conversation
        if presence.visible and shown is not None and shown == self.event.conversation:
            return "viewing", None
        if presence.visible and when == "hidden":
            return "window_visible", when_by
        return None

    def audio_covers(self, choices: list[str], user: int) -> bool:
        assignee = self.conversation.assignee
        if "all" in choices:
            return True
        if assignee is None:
            return "unassigned" in choices
        if assignee == user:
            return "assigned" in choices or "mine" in choices
        return "others" in choices

    def hold(self, user: int, channel: str, reason: str) -> None:
        """beyond.md, section 6, "Held"."""
        keys = {"quiet_hours": "quiet_hours_then", "unavailable": "when_unavailable"}
        value, by = self.preference(user, keys[reason])
        conversation = self.event.conversation
        if conversation is None or channel not in CHANNELS or between.is_reply(self.event):
            return
        if value in ("hold", "digest"):
            account, line = self.event.account, self.event.line
            where = account, user, channel, conversation, line
            held = between.Held(*where, by, self.conversation.inbox, self.now)
            self.replay.held.append(held)

    def record(self, user: int, type_: str, channel: str, verdict: Verdict) -> None:
        reason, origin = verdict
        if reason in ("quiet_hours", "unavailable"):
            self.hold(user, channel, reason)
        self.decisions.append(
            {
                "line": self.event.line,
                "at": written(self.now),
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
