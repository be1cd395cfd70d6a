"""What happened: an `Event` as the rules read it, facts, whatever shape they came in. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

PRESENCE = "presence_update"
CREATED = "conversation_created"
MESSAGE_CREATED = "message_created"
SLA_EVENTS = ("sla_missed_first_response", "sla_missed_next_response", "sla_missed_resolution")
STATUS_EVENTS = ("conversation_status_changed", "conversation_opened", "conversation_resolved")
"""One event and, in old servers, two names more for it."""
STATUS_BY_EVENT = {
    "conversation_opened": "open",
    "conversation_resolved": "resolved",
    "conversation_bot_handoff": "open",
}
"""The status that an event's name tells, where the event carries none."""
CONVERSATION_EVENTS = frozenset(
    {
        CREATED,
        "conversation_updated",
        "conversation_status_changed",
        "conversation_opened",
        "conversation_resolved",
        "conversation_bot_handoff",
        "conversation_contact_changed",
        "conversation_mentioned",
        "conversation_read",
        "assignee_changed",
        "team_changed",
    }
)
MESSAGE_EVENTS = frozenset(
    {MESSAGE_CREATED, "message_updated", "first_reply_created", "reply_created"}
)
AUTOMATION = "automation_event_"
"""What the names begin with of events that an automation rule or a macro sends."""
TYPING_ON = "conversation_typing_on"
TYPING_EVENTS = (TYPING_ON, "conversation_typing_off")
READ_EVENTS = CONVERSATION_EVENTS.union(MESSAGE_EVENTS, SLA_EVENTS, TYPING_EVENTS, (PRESENCE,))
"""The events whose fields matter. A body of any other event need not even have their types."""

KNOWN_EVENTS = READ_EVENTS | {
    "account_cache_invalidated",
    "account_created",
    "agent_added",
    "agent_removed",
    "campaign_triggered",
    "contact_created",
    "contact_deleted",
    "contact_merged",
    "contact_updated",
    "copilot_message_created",
    "inbox_created",
    "inbox_updated",
    "notification_created",
    "notification_deleted",
    "notification_updated",
    "webwidget_triggered",
}
"""All names that Chatwoot is known to send; what isn't among them is counted as unknown."""


def is_known(name: str) -> bool:
    """Whether Chatwoot is known to send events of this name, or automation rules are."""
    name = normal_name(name)
    return name in KNOWN_EVENTS or name.startswith(AUTOMATION)


def normal_name(name: str) -> str:
    """Return the webhook's name for a webhook's or an internal, dotted name."""
    return name.strip().lower().replace(".", "_")


LARGEST_ID = 2**63 - 1
"""What a column of Chatwoot's database, and of ours, can hold."""


class Unsaid(StrEnum):
    """What an event doesn't say, where `None` is something that it may say."""

    UNSAID = "unsaid"


UNSAID: Final[Literal[Unsaid.UNSAID]] = Unsaid.UNSAID


class Message(Struct, frozen=True, array_like=True, gc=False):
    """What a `message_created` says."""

    id: int | None
    type: str
    private: bool
    content: str
    """What it says, where that can mention somebody: in a private note or after an `@`."""

    @property
    def is_private_note(self) -> bool:
        """Whether only the desk can read it, whatever its type."""
        return self.private


class Event(Struct, array_like=True, gc=False):
    """What happened. `None` means that the event doesn't say, unless a field says otherwise.

    An array where it is encoded: that is how the processes of `simulate --jobs` hand it on.
    """

    line: int
    name: str
    known: bool
    at: int | None = None
    """Microseconds since 1970 UTC."""
    account: int | None = None
    conversation: int | None = None
    inbox: int | None = None
    status: str | None = None
    previous_status: str | None = None
    assignee: int | Unsaid | None = UNSAID
    """A user id, or `None` for nobody (or a bot)."""
    assignment: bool = False
    """Whether the event says that the assignee was changed."""
    team: int | Unsaid | None = UNSAID
    """The team that the conversation is given to, or `None` for none."""
    performed_by: int | None = None
    """The user who did it."""
    performed_by_other: bool = False
    """Whether an automation rule or a bot did it: the actor is known, and is no user."""
    blocked: bool | None = None
    participants: tuple[int, ...] | None = None
    author: int | None = None
    """The user who wrote the message; contacts and bots are none."""
    sender: int | None = None
    """The number of whoever wrote the message: a user's, a contact's or a bot's."""
    message: Message | None = None
    present: int | None = None
    """The user whose presence the event tells of, by typing or by a presence event."""
    visible: bool | None = None
    open_conversation: int | Unsaid | None = UNSAID
    connected: tuple[int, ...] | None = None
    """The users who are online or busy, where the event tells it of all: others are not."""
    automation: bool = False
    """Whether an automation rule or a macro sent it: then it notifies nobody."""
    assigned: int | None = None
    """The user whom the change of assignee names: by now it may be another one."""
    digest: bytes | None = None
    """Of an event of a conversation: the same for a body that is the same to the letter."""
    updated_message: int | None = None
    """The message of an event about one that came before."""
    team_change: bool = False
    """Whether the event says that the team was changed."""
    away: tuple[int, ...] | None = None
    """The users who are busy or offline, where the event tells who is and who isn't."""
    available: bool | None = None
    """Whether the one whose presence it tells of is, and neither busy nor offline."""
    file: str | None = None
    """The file that it is of, as it was named, where several were."""

    @property
    def message_id(self) -> int | None:
        """The message that the event is about, if it is about one."""
        return self.updated_message if self.message is None else self.message.id

    @property
    def known_team(self) -> int | None:
        """The team that the conversation is given to, as far as the event says it."""
        return None if self.team is UNSAID else self.team

    @property
    def is_reply(self) -> bool:
        """Whether a user has answered the customer."""
        message = self.message
        if message is None or self.author is None:
            return False
        return message.type == "outgoing" and not message.private

    @property
    def is_from_customer(self) -> bool:
        """Whether it is a customer's message, at a time that is known."""
        message = self.message
        if message is None or self.at is None:
            return False
        return message.type == "incoming" and not message.private

    def agents(self) -> Iterator[int]:
        """Give the ids of the users whom the event shows to be agents."""
        for user in (self.author, self.present, self.performed_by, self.assignee):
            if isinstance(user, int):
                yield user
        yield from self.participants or ()
        yield from self.connected or ()


class Due(Event, gc=False):
    """What comes of a deadline, which lies between the events of a log; its name is its type's.

    Line, file and message are those of what it goes back to.
    """

    since: int | None = None
    """When that began which it ends."""
    user: int = 0
    """Whose digest it is, if it is one."""
    kind: int = 0
    """On which channel, by its number."""
    told: tuple[tuple[int, int | None], ...] = ()
    """The conversations that it names, each with its inbox."""
    key: str = ""
    """The preference that held the first of them."""
