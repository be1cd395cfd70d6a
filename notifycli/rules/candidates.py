"""From an event to the notification types it leads to, and whom each of them concerns.

Section 5 of the rules, sentence by sentence.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from notifycli.events.event import CREATED, MESSAGE_CREATED, SLA_EVENTS, Event, Message
from notifycli.rules.directory import Directory
from notifycli.rules.mentions import addressed_users, marked_users
from notifycli.rules.notifications import NotificationType
from notifycli.rules.profile import Profile
from notifycli.rules.state import Conversation, Opening

_CHAT = ("incoming", "outgoing")
_BY_BOT = (Opening.BY_BOT, Opening.BY_BOT_PERHAPS)


class Candidates(Struct, frozen=True, gc=False):
    """A type that an event leads to, and whom it concerns."""

    type: NotificationType
    users: Collection[int] | None = None
    """In ascending order; `None` for an audience, which depends on inbox and team alone."""


_CREATION = Candidates(NotificationType.CREATION)
_UNASSIGNED_MESSAGE = Candidates(NotificationType.UNASSIGNED_MESSAGE)
_NEW_MESSAGE = Candidates(NotificationType.NEW_MESSAGE)


class Finder:
    """Finds the candidates of an account's events, by a profile."""

    def __init__(self, directory: Directory, profile: Profile) -> None:
        self._directory = directory
        self._profile = profile

    def candidates(
        self, event: Event, conversation: Conversation, opening: Opening | None
    ) -> list[Candidates]:
        """Return the types in their order, of an event that its conversation has taken over."""
        found: list[Candidates] = []
        if opening in _BY_BOT and self._profile.handoff_told:
            found.append(_CREATION)
        if event.name == MESSAGE_CREATED:
            self._message(event, conversation, found)
        elif event.name == CREATED:
            found.append(_CREATION)
            if self._profile.assignment_at_creation:
                self._assignment(conversation, found)
        elif event.assignment:
            self._assignment(conversation, found)
        elif event.name in SLA_EVENTS and self._profile.sla:
            found.append(self._missed_service_level(event, conversation))
        return found

    def audience(
        self, type_: NotificationType, inbox: int | None, team: int | None
    ) -> tuple[int, ...]:
        """Return whom a type concerns that has an audience: for sounds, the team's members too."""
        if type_ is not NotificationType.NEW_MESSAGE:
            return self._directory.recipients(inbox)
        return self._directory.viewers(inbox, team if self._profile.team_as_members else None)

    def _assignment(self, conversation: Conversation, found: list[Candidates]) -> None:
        if conversation.assignee is not None:
            found.append(Candidates(NotificationType.ASSIGNMENT, (conversation.assignee,)))

    def _missed_service_level(self, event: Event, conversation: Conversation) -> Candidates:
        people = self._directory.administrators.union(self._participants(conversation))
        if conversation.assignee is not None:
            people = people.union((conversation.assignee,))
        return Candidates(NotificationType(event.name), sorted(people))

    def _message(self, event: Event, conversation: Conversation, found: list[Candidates]) -> None:
        message = event.message
        assert message is not None  # noqa: S101 - every message_created has one
        if message.private or (message.content and message.type in _CHAT):
            self._mentions(event, message, conversation, found)
        if self._is_new_message(message):
            if self._profile.participating_first:
                self._participating(conversation, found)
                self._assigned(conversation, found)
            else:
                self._assigned(conversation, found)
                self._participating(conversation, found)
            if (
                message.type == "incoming"
                and conversation.assignee is None
                and self._profile.unassigned
            ):
                found.append(_UNASSIGNED_MESSAGE)
        found.append(_NEW_MESSAGE)

    def _is_new_message(self, message: Message) -> bool:
        if message.private and not self._profile.private_notes:
            return False
        return message.type == "incoming" or (message.type == "outgoing" and self._profile.outgoing)

    def _mentions(
        self, event: Event, message: Message, conversation: Conversation, found: list[Candidates]
    ) -> None:
        mentioned = self._mentioned(event, message)
        if not mentioned:
            return
        if self._profile.participants_are_members:
            conversation.join(mentioned)
        else:
            conversation.join(
                user for user in mentioned if self._can_see(user, event, conversation)
            )
        found.append(Candidates(NotificationType.MENTION, sorted(mentioned)))

    def _mentioned(self, event: Event, message: Message) -> set[int]:
        """Give whom a message mentions, of those who can be."""
        directory, profile = self._directory, self._profile
        found: set[int] = set()
        if message.private:
            found = marked_users(message.content, directory, profile)
        if profile.address_mentions:
            found |= addressed_users(message.content, directory)
        if profile.team_as_members:
            return found & directory.users.keys()
        return {user for user in found if directory.is_member(user, event.inbox)}

    def _can_see(self, user: int, event: Event, kept: Conversation) -> bool:
        return self._directory.can_see(
            user, event.inbox, kept.team, kept.assignee, kept.participants
        )

    def _assigned(self, conversation: Conversation, found: list[Candidates]) -> None:
        if conversation.assignee is not None:
            found.append(Candidates(NotificationType.ASSIGNED_MESSAGE, (conversation.assignee,)))

    def _participating(self, conversation: Conversation, found: list[Candidates]) -> None:
        users = self._participants(conversation)
        if not self._profile.participating_first and conversation.assignee in users:
            users = tuple([user for user in users if user != conversation.assignee])
        if users:
            found.append(Candidates(NotificationType.PARTICIPATING_MESSAGE, users))

    def _participants(self, conversation: Conversation) -> tuple[int, ...]:
        if not self._profile.participants:
            return ()
        if not self._profile.participants_are_members:
            return conversation.participants
        is_member, inbox = self._directory.is_member, conversation.inbox
        return tuple(user for user in conversation.participants if is_member(user, inbox))
