"""The profiles `chatwoot@VERSION`: `spec/chatwoot.md` sections 1, 2 and 7, `rules.md` section 10.

What they have in common with `notifycli`, keeping the state that events tell of, is that of
`own.py`. What is suppressed has the reason that comes first in `rules.md`, section 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from tests.rules.slow.bodies import SLA_EVENTS, Event, Json
from tests.rules.slow.hours import duration
from tests.rules.slow.own import (
    ASSIGNED_MESSAGE,
    ASSIGNMENT,
    AUDIO_TYPE,
    CHANNELS,
    CREATION,
    MENTION,
    PARTICIPATING_MESSAGE,
    Connected,
    Conversation,
    Decider,
    Replay,
    Verdict,
    less_than_apart,
    marked_up,
    resolve,
)

Version = tuple[int, ...]
LATEST: Version = (4, 16, 2)
NEW_MESSAGE = (ASSIGNED_MESSAGE, PARTICIPATING_MESSAGE)


def read_version(profile: str) -> Version:
    _, _, written = profile.partition("@")
    numbers = [int(part) for part in written.split(".")] if written else LATEST
    return (*numbers, 0, 0)[:3]


@dataclass
class ChatwootReplay(Replay):
    version: Version = LATEST

    hidden_counts: ClassVar[bool] = True

    def come_between(self, event: Event) -> list[Json]:  # noqa: ARG002 - nothing of it is Chatwoot's
        return []

    def decider(self, event: Event, conversation: Conversation, hand_over: str | None) -> Decider:
        return ChatwootDecider(self, event, conversation, hand_over)


class ChatwootDecider(Decider):
    replay: ChatwootReplay

    def since(self, *version: int) -> bool:
        return self.replay.version >= version

    def preference(self, user: int, key: str) -> tuple[str, str]:
        """rules.md 10: the effective values without those of an inbox."""
        return resolve(self.replay.rows, self.event.account, user, None, key)

    def who_leaves(self) -> set[int]:
        return set()

    def channels(self, user: int, type_: str) -> list[str]:  # noqa: ARG002 - none is added
        return [*CHANNELS]

    # Who can be told

    def inbox_members(self) -> set[int]:
        inbox = self.conversation.inbox
        if inbox not in self.directory.inbox_members:
            return set()
        return self.directory.members_of_inbox(inbox)

    def administrators(self) -> set[int]:
        return {user for user in self.directory.users if self.directory.is_administrator(user)}

    def members_and_administrators(self) -> set[int]:
        """R25, R31, A9."""
        return self.inbox_members() | self.administrators()

    def can_see(self, user: int) -> bool:
        """R29, "Access"; before, every user of the account."""
        if user not in self.directory.users:
            return False
        if not self.since(4, 14) or user in self.administrators():
            return True
        team = self.directory.members_of_team(self.conversation.team)
        if user not in self.inbox_members() | team:
            return False
        return self.directory.custom_role_allows(user, self.conversation)

    # What an event tells

    def decide(self) -> list[Json]:
        event = self.event
        if event.name == "conversation_created":
            self.decide_creation(already_notified=False)
            if self.since(3, 9):  # R10
                self.decide_assignment()
        if self.hand_over == "bot" and self.since(3, 6):  # R7
            self.decide_creation(already_notified=self.conversation.hand_over_told)
        if event.name == "assignee_changed":
            self.decide_assignment()
        if event.name == "conversation_updated" and "assignee_id" in event.changes:
            self.decide_assignment()
        if event.name == "message_created":
            self.decide_message()
            self.decide_audio()
        if event.name in SLA_EVENTS and self.since(3, 7):  # R5
            audience = self.participants() | self.assignee() | self.administrators()
            self.decide_type(event.name, audience, set())
        return self.decisions

    def decide_creation(self, *, already_notified: bool) -> None:
        """R6: every member of the inbox, the creator too."""
        audience = self.inbox_members()
        self.decide_type(CREATION, audience, audience if already_notified else set())

    def decide_assignment(self) -> None:
        """R9: at every change, without a memory."""
        self.decide_type(ASSIGNMENT, self.assignee(), set())

    def participants(self) -> set[int]:
        """R4, R31."""
        if not self.since(2, 14):
            return set()
        return self.conversation.participants & self.members_and_administrators()

    def mentioned(self) -> set[int]:
        """R25, R27."""
        mentioned: set[int] = set()
        for kind, number in marked_up(self.event.content) if self.event.private else []:
            if kind == "team" and self.since(4, 4):
                mentioned |= self.directory.members_of_team(int(number))
            elif not re.match("0", number):
                mentioned.add(int(number))
        return mentioned & self.members_and_administrators()

    def decide_message(self) -> None:
        event, conversation = self.event, self.conversation
        mentioned = self.mentioned()
        told = mentioned
        if self.since(4, 14):  # R28
            told = mentioned - {event.author}
        has_a_row = {user for user in told if self.can_see(user)}
        self.decide_type(MENTION, told, set())
        conversation.participants |= mentioned
        if event.message_type not in self.types_of_new_messages():
            return
        if event.private and (self.since(4, 11, 2) or not self.since(2, 14)):  # R14, R15
            return
        assignee = self.assignee() - {event.author}
        participants = self.participants() - {event.author}
        if self.since(4, 0):  # R17
            assignee -= has_a_row
            participants -= has_a_row | assignee
            self.decide_type(ASSIGNED_MESSAGE, assignee, set())
            self.decide_type(PARTICIPATING_MESSAGE, participants, set())
        else:  # R16
            self.decide_type(PARTICIPATING_MESSAGE, participants, set())
            wanting = {user for user in participants if self.wants(user, PARTICIPATING_MESSAGE)}
            self.decide_type(ASSIGNED_MESSAGE, assignee - wanting, set())

    def types_of_new_messages(self) -> tuple[str, ...]:
        """R13."""
        return ("incoming", "outgoing") if self.since(2, 14) else ("incoming",)

    def wants(self, user: int, type_: str) -> bool:
        return any(self.preference(user, f"{channel}.{type_}")[0] == "on" for channel in CHANNELS)

    def verdict(self, type_: str, user: int, channel: str, already_notified: bool) -> Verdict:
        wanted, wanted_by = self.preference(user, f"{channel}.{type_}")
        if type_ in (CREATION, ASSIGNMENT) and self.conversation.status == "pending":
            return "pending_conversation", None
        if type_ != MENTION and self.conversation.blocked and self.since(4, 0):  # R23
            return "blocked_contact", None
        if not self.can_see(user):
            return "no_access", None
        if type_ == ASSIGNMENT and self.is_self_assigned():
            return "self_assigned", None
        if already_notified:
            return "already_notified", None
        if wanted == "off":
            return "disabled", wanted_by
        if type_ in NEW_MESSAGE and channel == "email" and self.is_connected(user):  # R33
            return "active", None
        return "enabled", wanted_by

    def is_connected(self, user: int) -> bool:
        """rules.md 10: less than PRESENCE_DURATION ago."""
        value, origin = resolve(
            [row for row in self.replay.rows if row["layer"] in ("lock", "default")],
            self.event.account,
            None,
            None,
            "inactive_after",
        )
        lasts = duration("20s" if origin == "builtin" else value)
        seen = self.replay.presence(self.event.account, user).last_seen
        connected = self.replay.connected.get(self.event.account, Connected())
        if user in connected.users and less_than_apart(connected.time, self.now, lasts):
            return True
        return less_than_apart(seen, self.now, lasts)

    # Sounds

    def decide_audio(self) -> None:
        for user in sorted(self.members_and_administrators()):
            self.record(user, AUDIO_TYPE, "audio", self.audio_verdict(user))

    def audio_verdict(self, user: int) -> Verdict:
        audio, audio_by = self.preference(user, "audio")
        when, when_by = self.preference(user, "audio.when")
        presence = self.replay.presence(self.event.account, user)
        if self.event.message_type != "incoming" and not self.event.private:
            return "not_audible", None
        if self.since(4, 0, 2) and self.conversation.status == "pending":  # A7
            return "pending_conversation", None
        if user not in self.administrators() and not self.may_hear(user):
            return "no_access", None
        if user == (self.event.sender if self.since(3, 16) else self.event.author):  # A5
            return "self_authored", None
        if audio == "none":
            return "disabled", audio_by
        if not self.audio_covers(self.audio_choices(audio), user):
            return "not_assigned", audio_by
        shown = presence.conversation
        if presence.visible and shown is not None and shown == self.event.conversation:
            return "viewing", None
        if presence.visible and when == "hidden":  # A3
            return "window_visible", when_by
        return "enabled", audio_by

    def may_hear(self, user: int) -> bool:
        """A custom role needs any permission for conversations."""
        permissions = self.directory.users[user].get("permissions")
        if permissions is None:
            return True
        return any(one.startswith("conversation_") for one in permissions)

    def audio_choices(self, audio: str) -> list[str]:
        """A5: before 3.16 there are `none`, `mine` and `all` alone; A7: then `mine` is ignored.

        `chatwoot push` writes `mine` for `assigned`.
        """
        if self.since(3, 16) and not self.since(4, 0, 2) and audio == "assigned":
            return []
        known = self.since(3, 16) or audio in ("all", "assigned")
        return audio.split("+") if known else []

    def record(self, user: int, type_: str, channel: str, verdict: Verdict) -> None:
        """R34: a mail to an unconfirmed address isn't sent, though nothing suppresses it."""
        super().record(user, type_, channel, verdict)
        entry = self.directory.users.get(user, {})
        unconfirmed = self.since(4, 0, 3) and entry.get("confirmed") is False
        refused = channel == "email" and (unconfirmed or not entry.get("email"))
        self.decisions[-1]["sent"] = verdict[0] == "enabled" and not refused
