"""The shapes in which Chatwoot and its relays send events: just the fields that are read.

Everything else in a body is skipped without being decoded. Fields that are rarely looked at stay
raw JSON until they are.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec import Meta as Limits

from notifycli.events.event import LARGEST_ID

Id = Annotated[int, Limits(ge=-LARGEST_ID, le=LARGEST_ID)] | str | None
Time = float | str | None


class Reference(Struct, gc=False):
    """Something told by its id: an account, an inbox, a team."""

    id: Id = None


class Person(Struct, gc=False):
    """A sender, an assignee, somebody typing: a user, a contact or a bot."""

    id: Id = None
    type: str | None = None
    blocked: bool | None = None

    def is_user(self) -> bool:
        """Whether it says of itself that it is a user; a contact may have the same id."""
        return self.type == "user" or (self.type is not None and self.type.lower() == "user")


class Meta(Struct, gc=False):
    """A conversation's `meta`."""

    sender: Person | None = None
    assignee: Person | UnsetType | None = UNSET
    assignee_type: str | None = None
    team: Reference | UnsetType | None = UNSET


class ConversationPayload(Struct, gc=False):
    """A conversation inside another object."""

    id: Id = None
    inbox_id: Id = None
    messages: Raw | UnsetType = UNSET
    meta: Meta | None = None
    status: str | None = None
    display_id: Id = None
    account_id: Id = None
    assignee_id: Id | UnsetType = UNSET
    participants: list[int | str | Reference] | None = None


class ChangedAttributes(Struct, gc=False):
    """One object of `changed_attributes`."""

    assignee_id: Raw | UnsetType = UNSET
    status: Raw | UnsetType = UNSET


class Payload(Struct, gc=False):
    """A webhook's body, or the outer object of an envelope around one.

    The fields are in the order in which a server sends them: they are found soonest so.
    """

    account: Reference | None = None
    content: str | None = None
    conversation: ConversationPayload | None = None
    created_at: Time = None
    id: Id = None
    inbox: Reference | None = None
    message_type: int | str | None = None
    private: bool | None = None
    sender: Person | None = None
    event: str | None = None
    inbox_id: Id = None
    messages: Raw | UnsetType = UNSET
    meta: Meta | None = None
    status: str | int | None = None
    last_activity_at: Time = None
    timestamp: Time = None
    updated_at: Time = None
    changed_attributes: list[ChangedAttributes] | ChangedAttributes | None = None
    user: Person | None = None
    performed_by: Person | None = None
    performer: Person | None = None
    account_id: Id = None
    conversation_id: Id | UnsetType = UNSET
    assignee_id: Id | UnsetType = UNSET
    participants: list[int | str | Reference] | None = None
    sender_type: str | None = None
    sender_id: Id = None
    visible: bool | None = None
    users: Raw | UnsetType = UNSET
    received_at: Time = None
    body: Raw | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    message: Raw | UnsetType = UNSET
    raw: Raw | UnsetType = UNSET
    json: Raw | UnsetType = UNSET
    record: Raw | UnsetType = UNSET
    value: Raw | UnsetType = UNSET
    log: Raw | UnsetType = UNSET


class Name(Struct):
    """An event's name alone, to tell whether a body that can't be decoded matters."""

    event: str


class _MessagePayload(Struct, gc=False):
    account_id: Id = None


class WrittenMessage(Struct, gc=False):
    """One of the messages that a conversation's body carries."""

    message_type: int | str | None = None
    sender: Person | None = None
    sender_type: str | None = None
    sender_id: Id = None


class AttributeChange(Struct):
    """The two values of a changed attribute."""

    previous_value: Id = None
    current_value: Id | UnsetType = UNSET


decode_payload = msgspec.json.Decoder(Payload).decode
decode_name = msgspec.json.Decoder(Name).decode
_decode_messages = msgspec.json.Decoder(list[_MessagePayload] | None).decode
_decode_written = msgspec.json.Decoder(list[WrittenMessage] | None).decode
_decode_users = msgspec.json.Decoder(dict[str, str | None]).decode
_decode_change = msgspec.json.Decoder(AttributeChange | tuple[Id, Id] | None).decode


def messages_account(raw: Raw | UnsetType) -> Id:
    """Give the account that a conversation's `messages` name."""
    messages = () if raw is UNSET else _decode_messages(raw) or ()
    return next((m.account_id for m in messages if m.account_id is not None), None)


def messages_in(raw: Raw | UnsetType) -> list[WrittenMessage]:
    """Give the messages that a conversation's body carries; none, if they are of another shape."""
    try:
        return [] if raw is UNSET else _decode_written(raw) or []
    except msgspec.ValidationError:
        return []


def presences(raw: Raw) -> dict[str, str | None]:
    """Read a map of presences: `online`, `busy` or `offline` by user."""
    return _decode_users(raw)


def difference(raw: Raw) -> AttributeChange:
    """Read a changed attribute: an object of two values, or Chatwoot's internal pair."""
    change = _decode_change(raw)
    if isinstance(change, tuple):
        return AttributeChange(*change)
    return change or AttributeChange()
