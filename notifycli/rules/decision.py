"""What is decided for one (event, user, type, channel), and why; which decisions are looked at."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import astuple

from notifycli.events.event import Event
from notifycli.rules.notifications import TYPES, Channel, NotificationType
from notifycli.rules.preferences import Layer, nearest


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


def join_fields(event: EventFields, recipient: RecipientFields) -> Decision:
    """Give the decision that both make together."""
    return Decision(*astuple(event), *astuple(recipient))


_NAMES = {row.short: row.type for row in TYPES} | {type_.value: type_ for type_ in NotificationType}


class Selection(Struct, frozen=True):
    """What to look at; an empty set stands for everything."""

    users: frozenset[tuple[int, int]] | None = None
    """(account, user); `None` for everybody."""
    channels: frozenset[Channel] = frozenset()
    types: frozenset[NotificationType] = frozenset()
    inboxes: frozenset[int] = frozenset()
    conversations: frozenset[int] = frozenset()
    account: int | None = None
    since: int | None = None
    """The first moment that is looked at, in microseconds since 1970 UTC."""
    until: int | None = None
    """The first moment that isn't any more."""

    def takes_event(self, event: Event) -> bool:
        """Whether decisions of the event are looked at. The event has been replayed."""
        if self.account is not None and event.account != self.account:
            return False
        if self.since is not None and (event.at is None or event.at < self.since):
            return False
        if self.until is not None and (event.at is None or event.at >= self.until):
            return False
        return (not self.inboxes or event.inbox in self.inboxes) and (
            not self.conversations or event.conversation in self.conversations
        )

    def takes_every_event(self) -> bool:
        """Whether decisions of all events are looked at."""
        somewhere = self.inboxes or self.conversations
        return self.account is self.since is self.until is None and not somewhere

    def takes(self, decision: Decision) -> bool:
        """Whether this decision of such an event is looked at."""
        return self.takes_kind(
            decision.account_id, decision.user_id, decision.channel, decision.type
        )

    def takes_kind(
        self, account: int, user: int, channel: Channel, type_: NotificationType
    ) -> bool:
        """Whether decisions of a user, on a channel, of a type are looked at."""
        return (
            (self.users is None or (account, user) in self.users)
            and (not self.channels or channel in self.channels)
            and (not self.types or type_ in self.types)
        )

    def takes_every_kind(self) -> bool:
        """Whether all decisions of such an event are looked at."""
        return self.users is None and not self.channels and not self.types


def read_type(name: str) -> NotificationType:
    """Give the type with this full or short name. Raises `ValueError`."""
    try:
        return _NAMES[name.lower()]
    except KeyError:
        near = nearest(name, _NAMES)
        hint = f"is no type; did you mean {near}?" if near else f"is none of {', '.join(_NAMES)}"
        raise ValueError(f"{name!r} {hint}") from None
