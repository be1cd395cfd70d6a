"""Channels and notification types: the one table that everything else is derived from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_LONGEST_NAME = 32
_added: dict[str, Channel] = {}


class Channel(StrEnum):
    """A way on which a notification reaches a user.

    Beside those that are named here, which alone are listed, any name stands for a channel that a
    package may add: `Channel("slack")`. It is one for the whole process, as the named ones are.
    """

    EMAIL = "email"
    PUSH = "push"
    AUDIO = "audio"

    @classmethod
    def _missing_(cls, value: object) -> Channel | None:
        if not isinstance(value, str) or not _is_name(value):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return _added.setdefault(value, member)

    @property
    def is_added(self) -> bool:
        """Whether a package adds it."""
        return self not in _OWN_CHANNELS


def _is_name(text: str) -> bool:
    plain = text.isascii() and text.replace("-", "").isalnum() and text == text.lower()
    return plain and text[0].isalpha() and len(text) <= _LONGEST_NAME


_OWN_CHANNELS = frozenset(Channel)


def channel_order(channel: Channel) -> tuple[int, str]:
    """Return by what channels are sorted: added ones come last, by name."""
    return (3, channel) if channel.is_added else (_PLACES[channel], "")


_PLACES = {channel: place for place, channel in enumerate(Channel)}


class NotificationType(StrEnum):
    """What a user is notified of. The names are Chatwoot's own, but for what is beyond it."""

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
    WAITING = "conversation_waiting"
    ESCALATION = "escalation"
    DIGEST = "digest"
    """What was withheld for a time; it has no preference of its own either."""
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
    TypeRow(
        NotificationType.WAITING,
        "waiting",
        "customers who wait for a reply",
        "a customer has had no reply for waiting_after in a conversation that is yours or nobody's",
        "the assignee or, if there is none, every member of its inbox",
        "",
        builtin=False,
        beyond=True,
    ),
    TypeRow(
        NotificationType.ESCALATION,
        "escalation",
        "customers who wait for too long",
        "a customer has had no reply for escalate_after",
        "everybody who can see the conversation",
        "",
        builtin=False,
        beyond=True,
    ),
)

SHIPPED_CHANNELS = {
    "webhook": "notifycli",
    **dict.fromkeys(
        ("slack", "teams", "discord", "telegram", "signal", "ntfy", "sms", "apprise"),
        "notifycli[apprise]",
    ),
}
"""The added channels that this program has a plug-in for, and what is installed for it."""
ENTRY_POINTS = "notifycli.channels"


@cache
def plug_ins() -> Mapping[str, EntryPoint]:
    """Return what other installed packages add a channel with, by the channel's name.

    All installed packages are looked through: for whoever names a channel that isn't known.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - few name such a channel

    found = {one.name: one for one in entry_points(group=ENTRY_POINTS)}
    own = {*_OWN_CHANNELS, *SHIPPED_CHANNELS}
    return {name: found[name] for name in sorted(found.keys() - own) if _is_name(name)}


SWITCHED_CHANNELS = (Channel.EMAIL, Channel.PUSH)
"""The channels on which each type can be on or off, in the order of their decisions."""

BEYOND_CHATWOOT = frozenset(row.type for row in TYPES if row.beyond)
EVERY_TYPE = frozenset(row.type for row in TYPES)
SHORT_NAMES: Mapping[str, str] = {
    **{row.type: row.short for row in TYPES},
    NotificationType.DIGEST: "digest",
}
"""How a hand names what an e-mail or a push is of."""
WAITING_TYPES = (NotificationType.WAITING, NotificationType.ESCALATION)
"""What comes of a customer's waiting, at a moment between events; in their order."""
NEW_MESSAGE_TYPES = frozenset(
    {
        NotificationType.ASSIGNED_MESSAGE,
        NotificationType.PARTICIPATING_MESSAGE,
        NotificationType.UNASSIGNED_MESSAGE,
    }
)
_NAMED_TYPES = {row.type.value: row.type for row in TYPES}


@lru_cache(4096)
def added_switch(key: str) -> tuple[Channel, NotificationType] | None:
    """Return the added channel and the type that a full key switches; `None` for other keys."""
    name, _, rest = key.partition(".")
    type_ = _NAMED_TYPES.get(rest)
    if type_ is None or name in _OWN_CHANNELS or not _is_name(name):
        return None
    return Channel(name), type_
