"""Channels and notification types: the one table that everything else is derived from."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Channel(StrEnum):
    """A way on which a notification reaches a user."""

    EMAIL = "email"
    PUSH = "push"
    AUDIO = "audio"


class NotificationType(StrEnum):
    """What a user is notified of. The names are Chatwoot's own, but for the two last groups."""

    CREATION = "conversation_creation"
    ASSIGNMENT = "conversation_assignment"
    MENTION = "conversation_mention"
    ASSIGNED_MESSAGE = "assigned_conversation_new_message"
    PARTICIPATING_MESSAGE = "participating_conversation_new_message"
    UNASSIGNED_MESSAGE = "unassigned_conversation_new_message"
    SLA_FIRST = "sla_missed_first_response"
    SLA_NEXT = "sla_missed_next_response"
    SLA_RESOLUTION = "sla_missed_resolution"
    NEW_MESSAGE = "new_message"
    """The one type of the audio channel; it has no preference of its own."""


class TypeRow(NamedTuple):
    """One notification type that can be on or off for e-mail and for push."""

    type: NotificationType
    short: str
    """The name that a hand types: `email.created` is `email.conversation_creation`."""
    fires_when: str
    builtin: bool
    """Whether Chatwoot gives it, switched on, to a new agent."""


TYPES = (
    TypeRow(NotificationType.CREATION, "created", "a new conversation is created", builtin=False),
    TypeRow(
        NotificationType.ASSIGNMENT,
        "assigned",
        "a conversation is assigned to you by someone else",
        builtin=True,
    ),
    TypeRow(
        NotificationType.MENTION, "mention", "you are mentioned in a conversation", builtin=False
    ),
    TypeRow(
        NotificationType.ASSIGNED_MESSAGE,
        "message",
        "there is a new message in a conversation assigned to you, while you are inactive",
        builtin=False,
    ),
    TypeRow(
        NotificationType.PARTICIPATING_MESSAGE,
        "participating",
        "there is a new message in a conversation you take part in, while you are inactive",
        builtin=False,
    ),
    TypeRow(
        NotificationType.UNASSIGNED_MESSAGE,
        "unassigned",
        "a customer writes in a conversation nobody is assigned to, while you are inactive",
        builtin=False,
    ),
    TypeRow(
        NotificationType.SLA_FIRST,
        "sla_first",
        "a conversation missed its first response time",
        builtin=False,
    ),
    TypeRow(
        NotificationType.SLA_NEXT,
        "sla_next",
        "a conversation missed its next response time",
        builtin=False,
    ),
    TypeRow(
        NotificationType.SLA_RESOLUTION,
        "sla_resolution",
        "a conversation missed its resolution time",
        builtin=False,
    ),
)

SWITCHED_CHANNELS = (Channel.EMAIL, Channel.PUSH)
"""The channels on which each type can be on or off, in the order of their decisions."""

EVERY_TYPE = frozenset(row.type for row in TYPES)
NEW_MESSAGE_TYPES = frozenset(
    {
        NotificationType.ASSIGNED_MESSAGE,
        NotificationType.PARTICIPATING_MESSAGE,
        NotificationType.UNASSIGNED_MESSAGE,
    }
)
