"""Channels and notification types: the one table that everything else is derived from."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Channel(StrEnum):
    """A way on which a notification reaches a user."""

    EMAIL = "email"
    PUSH = "push"
    AUDIO = "audio"


class NotificationType(StrEnum):
    """What a user is notified of. The names are Chatwoot's own, but for the two last groups."""

    CREATION = "conversation_creation"
    ASSIGNMENT = "conversation_assignment"
    TEAM_ASSIGNMENT = "team_assignment"
    MENTION = "conversation_mention"
    ASSIGNED_MESSAGE = "assigned_conversation_new_message"
    PARTICIPATING_MESSAGE = "participating_conversation_new_message"
    UNASSIGNED_MESSAGE = "unassigned_conversation_new_message"
    SLA_FIRST = "sla_missed_first_response"
    SLA_NEXT = "sla_missed_next_response"
    SLA_RESOLUTION = "sla_missed_resolution"
    NEW_MESSAGE = "new_message"
    """The one type of the audio channel; it has no preference of its own."""


class TypeRow(Struct, frozen=True):
    """One notification type that can be on or off for e-mail and for push."""

    type: NotificationType
    short: str
    """The name that a hand types: `email.created` is `email.conversation_creation`."""
    subject: str
    """What it is about, as in `e-mails about assignments`."""
    fires_when: str
    concerns: str
    """Whom an event of this type is about, before anything is switched off."""
    box: str
    """What Chatwoot's profile settings send notifications of, in its words; "" if it has none."""
    builtin: bool
    """Whether Chatwoot gives it, switched on, to a new agent."""
    beyond: bool = False
    """Whether Chatwoot hasn't got it: then it concerns those alone for whom a layer sets it."""


_MISSED = "its assignee, those who take part in it, and every administrator"

TYPES = (
    TypeRow(
        NotificationType.CREATION,
        "created",
        "new conversations",
        "a new conversation is created",
        "every member of its inbox",
        "a new conversation is created",
        builtin=False,
    ),
    TypeRow(
        NotificationType.ASSIGNMENT,
        "assigned",
        "assignments",
        "a conversation is assigned to you by someone else",
        "the new assignee",
        "a conversation is assigned to me",
        builtin=True,
    ),
    TypeRow(
        NotificationType.TEAM_ASSIGNMENT,
        "team",
        "conversations given to their teams",
        "a conversation is given to a team of yours by someone else",
        "every member of the team but the assignee",
        "",
        builtin=False,
        beyond=True,
    ),
    TypeRow(
        NotificationType.MENTION,
        "mention",
        "mentions",
        "you are mentioned in a conversation",
        "each user who is mentioned, or whose team is",
        "you are mentioned in a conversation",
        builtin=False,
    ),
    TypeRow(
        NotificationType.ASSIGNED_MESSAGE,
        "message",
        "messages in their own conversations",
        "there is a new message in a conversation assigned to you, while you are inactive",
        "the assignee",
        "a new message is created in an assigned conversation",
        builtin=False,
    ),
    TypeRow(
        NotificationType.PARTICIPATING_MESSAGE,
        "participating",
        "messages where they take part",
        "there is a new message in a conversation you take part in, while you are inactive",
        "those who were assigned or mentioned before, or were added, but not the assignee",
        "a new message is created in a participated conversation",
        builtin=False,
    ),
    TypeRow(
        NotificationType.UNASSIGNED_MESSAGE,
        "unassigned",
        "messages in unassigned conversations",
        "a customer writes in a conversation nobody is assigned to, while you are inactive",
        "every member of its inbox",
        "",
        builtin=False,
    ),
    TypeRow(
        NotificationType.SLA_FIRST,
        "sla_first",
        "missed first responses",
        "a conversation missed its first response time",
        _MISSED,
        "a conversation misses first response SLA",
        builtin=False,
    ),
    TypeRow(
        NotificationType.SLA_NEXT,
        "sla_next",
        "missed next responses",
        "a conversation missed its next response time",
        _MISSED,
        "a conversation misses next response SLA",
        builtin=False,
    ),
    TypeRow(
        NotificationType.SLA_RESOLUTION,
        "sla_resolution",
        "missed resolutions",
        "a conversation missed its resolution time",
        _MISSED,
        "a conversation misses resolution SLA",
        builtin=False,
    ),
)

SWITCHED_CHANNELS = (Channel.EMAIL, Channel.PUSH)
"""The channels on which each type can be on or off, in the order of their decisions."""

BEYOND_CHATWOOT = frozenset(row.type for row in TYPES if row.beyond)
EVERY_TYPE = frozenset(row.type for row in TYPES)
NEW_MESSAGE_TYPES = frozenset(
    {
        NotificationType.ASSIGNED_MESSAGE,
        NotificationType.PARTICIPATING_MESSAGE,
        NotificationType.UNASSIGNED_MESSAGE,
    }
)
