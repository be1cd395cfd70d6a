"""A webhook's body: the shapes in which servers and relays send it, and its fields out of any.

Just the fields that are read: everything else in a body is skipped without being decoded, and what
is rarely looked at stays raw JSON until it is. What reads a field raises `ValueError`, which names
the field, for a value that can't be one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec import Meta as Limits

from notifycli.events.event import LARGEST_ID, UNSAID, Message, Unsaid
from notifycli.events.timestamps import parse_moment

_Number = Annotated[int, Limits(ge=-LARGEST_ID, le=LARGEST_ID)]
Id = _Number | None
"""Decoders that aren't strict take "42" and 42.0 for 42, as some relays and exports write it."""
AnyId = _Number | str | None
"""Of what may be none: a relay's own beside a body's, a hash in a log without names."""
Time = float | str | None
T = TypeVar("T")


class Reference(Struct, gc=False):
    """Something told by its id: an account, an inbox, a team."""

    id: Id = None


AWAY = ("busy", "offline")
"""How Chatwoot calls the availability of one who isn't there for customers."""


class Person(Struct, gc=False):
    """A sender, an assignee, somebody typing: a user, a contact or a bot."""

    id: AnyId = None
    type: str | None = None
    blocked: bool | None = None
    availability_status: Any = None

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
    team_id: Raw | UnsetType = UNSET


class WrittenMessage(Struct, gc=False):
    """One of the messages that a conversation's body carries."""

    account_id: Id = None
    message_type: int | str | None = None
    sender_type: str | None = None
    sender_id: AnyId = None
    sender: Person | None = None


class Payload(Struct, gc=False):
    """A webhook's body.

    The fields are in the order in which a server sends them: they are found soonest so.
    """

    account: Reference | None = None
    content: str | None = None
    conversation: ConversationPayload | None = None
    created_at: Time = None
    id: AnyId = None
    inbox: Reference | None = None
    message_type: int | str | None = None
    private: bool | None = None
    sender: Person | None = None
    event: str | None = None
    inbox_id: Id = None
    messages: list[WrittenMessage] | None = None
    meta: Meta | None = None
    status: str | int | None = None
    last_activity_at: Time = None
    timestamp: Time = None
    updated_at: Time = None
    changed_attributes: list[ChangedAttributes] | ChangedAttributes | None = None
    user: Person | None = None
    performed_by: Person | None = None
    performer: Person | None = None
    account_id: AnyId = None
    conversation_id: AnyId | UnsetType = UNSET
    assignee_id: AnyId | UnsetType = UNSET
    participants: list[int | str | Reference] | None = None
    sender_type: str | None = None
    sender_id: AnyId = None
    visible: bool | None = None
    users: Raw | UnsetType = UNSET
    received_at: Time = None


class BarePayload(Payload, gc=False):
    """A body with nothing under the names that most envelopes are found by."""

    body: None = None
    payload: None = None
    data: None = None
    message: None = None
    raw: None = None
    json: None = None
    record: None = None
    value: None = None
    log: None = None


class Name(Struct):
    """An event's name alone, to tell whether a body that can't be decoded matters."""

    event: str


class _MessagePayload(Struct, gc=False):
    account_id: Id = None


class _UnreadMessages(Payload, gc=False):
    """A body whose messages are of another shape: only what has to be is read of them."""

    messages: Raw | UnsetType = UNSET  # type: ignore[assignment] # what the other is made of


class AttributeChange(Struct):
    """The two values of a changed attribute."""

    previous_value: AnyId = None
    current_value: AnyId | UnsetType = UNSET


decode_bare = msgspec.json.Decoder(BarePayload, strict=False).decode
decode_name = msgspec.json.Decoder(Name).decode
_decode_payload = msgspec.json.Decoder(Payload, strict=False).decode
_decode_unread = msgspec.json.Decoder(_UnreadMessages, strict=False).decode
_decode_messages = msgspec.json.Decoder(list[_MessagePayload] | None, strict=False).decode
_decode_users = msgspec.json.Decoder(dict[str, str | None]).decode
_decode_change = msgspec.json.Decoder(
    AttributeChange | tuple[AnyId, AnyId] | None, strict=False
).decode


def decode_payload(text: bytes | Raw) -> Payload:
    """Decode a body, whatever the shape of its messages. Raises msgspec's errors."""
    try:
        return _decode_payload(text)
    except msgspec.ValidationError:
        return _decode_unread(text)


def _decode_field(field: str, decode: Callable[[Raw], T], raw: Raw) -> T:
    """Decode what was kept as it is. Raises `ValueError`, which names the place."""
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        fault, _, path = str(error).partition(" - at `$")
        raise ValueError(f"{field}{path.rstrip('`')}: {fault}") from None


def presences(raw: Raw) -> dict[str, str | None]:
    """Read a map of presences: `online`, `busy` or `offline` by user."""
    # A relay in PHP writes an empty object as a list.
    return {} if bytes(raw) == b"[]" else _decode_field("users", _decode_users, raw)


def attribute_change(attribute: str, raw: Raw) -> AttributeChange:
    """Read a changed attribute: an object of two values, or Chatwoot's internal pair."""
    change = _decode_field(f"changed_attributes.{attribute}", _decode_change, raw)
    if isinstance(change, tuple):
        return AttributeChange(*change)
    return change or AttributeChange()


MESSAGE_TYPES = ("incoming", "outgoing", "activity", "template")
"""By Chatwoot's number."""
_TYPE_OF: dict[int | str | None, str] = {
    **dict(enumerate(MESSAGE_TYPES)),
    **{str(number): type_ for number, type_ in enumerate(MESSAGE_TYPES)},
    **{type_: type_ for type_ in MESSAGE_TYPES},
}
_LONGEST_ID = 40

_FULL_WIDTH_AT = "\N{FULLWIDTH COMMERCIAL AT}"


def id_of(field: str, value: AnyId) -> int | None:
    """Read an id: a number, or a string of digits."""
    if not isinstance(value, str):
        return value
    if value.isascii() and value.isdigit() and len(value) <= _LONGEST_ID:
        number = int(value)
        if number <= LARGEST_ID:
            return number
    raise ValueError(f"{field}: {value!r} is no id: a number, or a string of digits")


def time_of(body: Payload, fields: Sequence[str]) -> int | None:
    """Give the first of these times that a body tells, in microseconds since 1970 UTC."""
    for field in fields:
        value = getattr(body, field)
        if value is not None:
            try:
                return parse_moment(value)
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from None
    return None


def account_of(body: Payload) -> int | None:
    """Give the account that the body, its conversation or that one's messages name."""
    if body.account is not None and body.account.id is not None:
        return body.account.id
    inner = body.conversation
    account = None if body.account_id is None else id_of("account_id", body.account_id)
    if account is None and inner is not None:
        account = inner.account_id
    if account is None:
        account = _account_in("messages", body.messages)
    if account is None and inner is not None:
        account = _account_in("conversation.messages", inner.messages)
    return account


def _account_in(
    field: str, given: Iterable[WrittenMessage | _MessagePayload] | Raw | UnsetType | None
) -> int | None:
    if given is UNSET or given is None:
        return None
    messages = _decode_field(field, _decode_messages, given) if isinstance(given, Raw) else given
    for message in messages or ():
        if message.account_id is not None:
            return message.account_id
    return None


def inbox_of(body: Payload, inner: ConversationPayload) -> int | None:
    """Give the inbox."""
    inbox = body.inbox_id
    if inbox is None and body.inbox is not None:
        inbox = body.inbox.id
    return inner.inbox_id if inbox is None else inbox


def status_of(word: str | None) -> str | None:
    """Give a status by the name that servers have for it now."""
    return "pending" if word == "bot" else word


def assignee_of(body: Payload, inner: ConversationPayload, meta: Meta) -> int | Unsaid | None:
    """Give the user who is assigned; `None` for nobody, or a bot."""
    assignee = meta.assignee
    if assignee is None:
        return None
    if meta.assignee_type is not None and meta.assignee_type.lower() != "user":
        return None
    if assignee is not UNSET and assignee.id is not None:
        if assignee.type is not None and not assignee.is_user():
            return None
        id_ = assignee.id
        return id_ if isinstance(id_, int) else id_of("meta.assignee.id", id_)
    if inner.assignee_id is not UNSET:
        return inner.assignee_id
    return UNSAID if body.assignee_id is UNSET else id_of("assignee_id", body.assignee_id)


def sender_of(body: Payload) -> int | None:
    """Return the number of whoever wrote a message, be it a user, a contact or a bot.

    What is no number, as in a log without names, is nobody's.
    """
    sender = body.sender
    value = body.sender_id if sender is None or sender.id is None else sender.id
    if isinstance(value, str):
        return id_of("sender.id", value) if value.isdecimal() else None
    return value


def author_of(body: Payload | WrittenMessage) -> int | None:
    """Return the user who wrote the message; contacts and bots are none.

    Only contacts and old servers' agents say nothing of what they are; contacts send no outgoing
    messages.
    """
    sender = body.sender
    if sender is not None:
        if sender.type is not None:
            if sender.id is not None and sender.is_user():
                return id_of("sender.id", sender.id)
        elif body.sender_type is None:
            outgoing = _TYPE_OF.get(body.message_type) == "outgoing"
            return id_of("sender.id", sender.id) if outgoing else None
    if body.sender_type is not None and body.sender_type.lower() == "user":
        id_ = sender.id if body.sender_id is None and sender is not None else body.sender_id
        return id_of("sender_id", id_)
    return None


def performer_of(body: Payload) -> int | None:
    """Give the user who did it; an automation rule has an id as well, and says of itself nothing.

    The live socket's performer may say nothing of itself either, and is always a user.
    """
    by = body.performed_by
    if by is not None and by.is_user():
        return id_of("performed_by.id", by.id)
    by = body.performer
    if by is not None and (by.type is None or by.is_user()):
        return id_of("performer.id", by.id)
    return None


def maker_of(body: Payload) -> int | None:
    """Give who began a conversation: whoever wrote the last message with it, if it went out."""
    written = body.messages
    if not isinstance(written, list) or not written:
        return None
    if _TYPE_OF.get(written[-1].message_type) != "outgoing":
        return None
    return author_of(written[-1])


def online_users(users: Raw) -> tuple[int, ...]:
    """Give the users whom a map of presences shows to be online or busy."""
    told = presences(users).items()
    ids = (id_of("users", user) for user, state in told if state in ("online", "busy"))
    return tuple(sorted(user for user in ids if user is not None))


def away_users(users: Raw) -> tuple[int, ...]:
    """Give the users whom a map of presences shows to be busy or offline."""
    told = presences(users).items()
    ids = (id_of("users", user) for user, state in told if state in AWAY)
    return tuple(sorted(user for user in ids if user is not None))


def is_blocked(body: Payload, meta: Meta, author: int | None) -> bool | None:
    """Tell whether the conversation's contact is blocked."""
    contact = meta.sender
    if contact is not None and contact.blocked is not None:
        return contact.blocked
    contact = body.sender
    if contact is not None and author is None and contact.type in (None, "contact"):
        return contact.blocked
    return None


def participants_of(given: Iterable[int | str | Reference]) -> tuple[int, ...]:
    """Give the users that a list of participants names."""
    ids = [item.id if isinstance(item, Reference) else item for item in given]
    found = [id_of("participants", value) for value in ids]
    return tuple([value for value in found if value is not None])


def message_of(body: Payload, author: int | None) -> Message:
    """Give the message."""
    type_ = _TYPE_OF.get(body.message_type)
    if type_ is None:
        if body.message_type is not None:
            kinds = ", ".join(MESSAGE_TYPES)
            told = f"message_type: {body.message_type!r} is none of {kinds}, nor 0 to 3"
            raise ValueError(told)
        type_ = "incoming" if author is None else "outgoing"
    content = body.content or ""
    private = body.private is True
    if not private and "@" not in content and _FULL_WIDTH_AT not in content:
        content = ""
    id_ = body.id if isinstance(body.id, int) else id_of("id", body.id)
    return Message(id_, type_, private, content)
