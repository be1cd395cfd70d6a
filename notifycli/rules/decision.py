"""What is decided for one (event, user, type, channel), and why."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import astuple

from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.preferences import Layer


class Outcome(StrEnum):
    """Whether the notification goes out."""

    FIRE = "fire"
    SUPPRESS = "suppress"


class Reason(StrEnum):
    """Why: one for a decision that fires, the first that held for one that doesn't."""

    ENABLED = "enabled"
    NOT_AUDIBLE = "not_audible"
    PENDING_CONVERSATION = "pending_conversation"
    BLOCKED_CONTACT = "blocked_contact"
    NO_ACCESS = "no_access"
    SELF_AUTHORED = "self_authored"
    SELF_ASSIGNED = "self_assigned"
    ALREADY_NOTIFIED = "already_notified"
    DISABLED = "disabled"
    NOT_ASSIGNED = "not_assigned"
    QUIET_HOURS = "quiet_hours"
    ACTIVE = "active"
    VIEWING = "viewing"
    WINDOW_VISIBLE = "window_visible"


class Decision(Struct, frozen=True, gc=False):
    """One decision; its fields are those of `simulate`'s output, in that order."""

    line: int
    at: str | None
    """ISO 8601 in UTC; `None` where no time is known."""
    event: str
    account_id: int
    conversation_id: int | None
    inbox_id: int | None
    message_id: int | None
    user_id: int
    email: str | None
    type: NotificationType
    channel: Channel
    outcome: Outcome
    reason: Reason
    origin: Layer | None
    """The layer of the preference that decided; `None` where none did."""
    deliverable: bool | None
    """Whether it can be delivered, if it fires; `None` if it doesn't."""


class EventFields(Struct, frozen=True, gc=False):
    """The first fields of a decision: what the event says, the same for everybody."""

    line: int
    at: str | None
    event: str
    account_id: int
    conversation_id: int | None
    inbox_id: int | None
    message_id: int | None


class RecipientFields(Struct, frozen=True, gc=False, eq=False):
    """The other fields of a decision: made once for a user, whatever the event."""

    user_id: int
    email: str | None
    type: NotificationType
    channel: Channel
    outcome: Outcome
    reason: Reason
    origin: Layer | None
    deliverable: bool | None


def joined(event: EventFields, recipient: RecipientFields) -> Decision:
    """Give the decision that both make together."""
    return Decision(*astuple(event), *astuple(recipient))
