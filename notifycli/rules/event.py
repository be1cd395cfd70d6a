"""One event, as the rules read it: facts, whatever shape they came in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from notifycli.rules import payload as sent
from notifycli.rules.audience import LARGEST_ID
from notifycli.rules.moment import parse_moment
from notifycli.rules.names import (
    CONVERSATION_EVENTS,
    KNOWN_EVENTS,
    MESSAGE_CREATED,
    MESSAGE_EVENTS,
    PRESENCE,
    READ_EVENTS,
    SLA_EVENTS,
    STATUS_BY_EVENT,
    TYPING_ON,
    normal_name,
)
from notifycli.rules.payload import Payload

MESSAGE_TYPES = ("incoming", "outgoing", "activity", "template")
"""By Chatwoot's number."""


_LONGEST_ID = 40
_MAXIMUM_ENVELOPES = 4
_AT_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


class EventError(ValueError):
    """A line that is no event. The message names the field, and is free of control characters."""


class Message(Struct, frozen=True):
    """What a `message_created` says."""

    id: int | None
    type: str
    private: bool
    content: str

    @property
    def is_private_note(self) -> bool:
        """Whether only the desk can read it: an outgoing message that is private."""
        return self.private and self.type == "outgoing"


class Event(Struct):
    """What happened. `None` means that the event doesn't say, unless a field says otherwise."""

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
    assignee: int | UnsetType | None = UNSET
    """A user id, `None` for nobody (or a bot), `UNSET` where the event doesn't say."""
    assignment: bool = False
    """Whether the event says that the assignee was changed."""
    team: int | None = None
    performed_by: int | None = None
    blocked: bool | None = None
    participants: tuple[int, ...] | None = None
    author: int | None = None
    """The user who wrote the message; contacts and bots are none."""
    message: Message | None = None
    present: int | None = None
    """The user whose presence the event tells of, by typing or by a presence event."""
    visible: bool | None = None
    open_conversation: int | UnsetType | None = UNSET

    def agents(self) -> Iterator[int]:
        """Give the ids of the users whom the event shows to be agents."""
        for user in (self.author, self.present, self.performed_by, self.assignee):
            if isinstance(user, int):
                yield user
        yield from self.participants or ()


def decode_event(line: bytes, number: int) -> Event:
    """Read one line of a replay. Raises `EventError`."""
    try:
        return _read(unwrap(line), number)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        name = _name_if_readable(line)
        if name is not None and name not in READ_EVENTS:
            return Event(number, name, known=name in KNOWN_EVENTS)
        raise EventError(_told(error)) from None


def unwrap(line: bytes) -> Payload:
    """Decode a line, out of its envelopes. Raises msgspec's errors."""
    body = outer = _outermost(line)
    for _ in range(_MAXIMUM_ENVELOPES):
        inner = body.wrapped()
        if inner is None:
            break
        body = sent.decode_payload(inner)
        body.event = body.event or outer.event
        outer = body
    return body


def _outermost(line: bytes) -> Payload:
    try:
        return sent.decode_payload(line)
    except msgspec.ValidationError:
        # An envelope may have fields of these names that are none of ours.
        envelope = sent.decode_envelope(line)
        inner = sent.first_object(envelope.body, envelope.payload, envelope.data)
        if inner is None:
            raise
        body = sent.decode_payload(inner)
        body.event = body.event or envelope.event
        return body


def _name_if_readable(line: bytes) -> str | None:
    try:
        return normal_name(sent.decode_name(line).event)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def _told(error: Exception) -> str:
    text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    match = _AT_PATH.fullmatch(text)
    if match:
        text = f"{match[2]}: {match[1]}" if match[2] else f"no JSON object: {match[1]}"
    elif isinstance(error, msgspec.DecodeError) or text.startswith("Expected `object`"):
        text = f"no JSON object: {text}"
    text = text.replace("`", "").replace("Expected", "expected")
    return "".join(char if char.isprintable() else "�" for char in text)


def _read(body: Payload, number: int) -> Event:
    if body.event is None:
        raise ValueError('no "event" with the name of what happened')
    name = normal_name(body.event)
    if name not in KNOWN_EVENTS:
        return Event(number, name, known=False)
    if name not in READ_EVENTS:
        return Event(number, name, known=True, at=_time(body, name), account=_account(body))
    flat = name in CONVERSATION_EVENTS or (name in SLA_EVENTS and body.conversation is None)
    inner = body.conversation or sent.Conversation()
    meta = (body.meta if flat else inner.meta) or body.meta or inner.meta or sent.Meta()
    changes = _changes(body)
    author = _author(body) if name in MESSAGE_EVENTS else None
    event = Event(
        line=number,
        name=name,
        known=True,
        at=_time(body, name),
        account=_account(body),
        conversation=_conversation(body, inner, flat=flat, name=name),
        inbox=_first("inbox_id", body.inbox_id, _id_of(body.inbox), inner.inbox_id),
        status=_status(body, inner, flat=flat),
        assignee=_assignee(body, inner, meta),
        team=_id("meta.team.id", meta.team.id) if meta.team else None,
        performed_by=_performed_by(body),
        blocked=_blocked(body, meta, author),
        participants=_participants(
            inner.participants if body.participants is None else body.participants
        ),
        author=author,
    )
    _read_changes(event, changes)
    event.status = event.status or STATUS_BY_EVENT.get(name)
    if name == MESSAGE_CREATED:
        event.message = _message(body, author)
    elif name == PRESENCE or (name == TYPING_ON and body.user and body.user.is_user()):
        _read_presence(event, body)
    return event


def _id(field: str, value: sent.Id) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _LONGEST_ID:
        value = int(value)
    if value is None or (isinstance(value, int) and abs(value) <= LARGEST_ID):
        return value
    raise ValueError(f"{field}: {value!r} is no id: a number, or a string of digits")


def _id_of(named: sent.Reference | sent.Person | None) -> sent.Id:
    return None if named is None else named.id


def _first(field: str, *values: sent.Id) -> int | None:
    return next((_id(field, value) for value in values if value is not None), None)


def _time(body: Payload, name: str) -> int | None:
    fields = (
        ("created_at",)
        if name == PRESENCE or name in MESSAGE_EVENTS
        else ("updated_at", "last_activity_at", "timestamp", "created_at")
    )
    for field in fields:
        value = getattr(body, field)
        if value is not None:
            try:
                return parse_moment(value)
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from None
    return None


def _account(body: Payload) -> int | None:
    inner = body.conversation
    found = _first(
        "account_id",
        _id_of(body.account),
        body.account_id,
        None if inner is None else inner.account_id,
    )
    if found is None:
        found = _id("messages[0].account_id", sent.messages_account(body.messages))
    if found is None and inner is not None:
        found = _id("conversation.messages[0].account_id", sent.messages_account(inner.messages))
    return found


def _conversation(body: Payload, inner: sent.Conversation, *, flat: bool, name: str) -> int | None:
    given = None if body.conversation_id is UNSET else body.conversation_id
    nested = (inner.id, inner.display_id, given)
    if name in SLA_EVENTS:
        return _first("conversation.id", *nested, body.id)
    return _first("id" if flat else "conversation.id", *((body.id, *nested) if flat else nested))


def _status(body: Payload, inner: sent.Conversation, *, flat: bool) -> str | None:
    if not flat:
        return inner.status
    if isinstance(body.status, int):
        raise ValueError("status: a word such as open or pending is expected, not a number")  # noqa: TRY004 - told to a user
    return body.status or inner.status


def _assignee(body: Payload, inner: sent.Conversation, meta: sent.Meta) -> int | UnsetType | None:
    if meta.assignee_type is not None and meta.assignee_type.lower() != "user":
        return None
    if meta.assignee is None:
        return None
    if meta.assignee is not UNSET and meta.assignee.id is not None:
        is_bot = meta.assignee.type is not None and not meta.assignee.is_user()
        return None if is_bot else _id("meta.assignee.id", meta.assignee.id)
    for field, value in (
        ("conversation.assignee_id", inner.assignee_id),
        ("assignee_id", body.assignee_id),
    ):
        if value is not UNSET:
            return _id(field, value)
    return UNSET


def _author(body: Payload) -> int | None:
    sender = body.sender
    if sender is not None and sender.is_user() and sender.id is not None:
        return _id("sender.id", sender.id)
    if body.sender_type is not None and body.sender_type.lower() == "user":
        return _first("sender_id", body.sender_id, _id_of(sender))
    return None


def _performed_by(body: Payload) -> int | None:
    by = body.performed_by
    # An automation rule has an id as well, and says of itself nothing at all.
    return _id("performed_by.id", by.id) if by is not None and by.is_user() else None


def _blocked(body: Payload, meta: sent.Meta, author: int | None) -> bool | None:
    if meta.sender is not None and meta.sender.blocked is not None:
        return meta.sender.blocked
    sender = body.sender
    is_contact = author is None and sender is not None and sender.type in (None, "contact")
    return sender.blocked if is_contact and sender is not None else None


def _participants(given: Iterable[int | str | sent.Reference] | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    ids = (item.id if isinstance(item, sent.Reference) else item for item in given)
    found = (_id("participants", value) for value in ids)
    return tuple(value for value in found if value is not None)


def _changes(body: Payload) -> list[sent.Change]:
    changed = body.changed_attributes
    return [changed] if isinstance(changed, sent.Change) else changed or []


def _read_changes(event: Event, changes: list[sent.Change]) -> None:
    """Take what the change tells and the event itself doesn't: who came, what was before."""
    event.assignment = event.name == "assignee_changed"
    for change in changes:
        if isinstance(change.assignee_id, Raw):
            event.assignment = event.assignment or event.name == "conversation_updated"
            current = sent.difference(change.assignee_id).current_value
            if event.assignee is UNSET and current is not UNSET:
                event.assignee = _id("changed_attributes.assignee_id", current)
        if isinstance(change.status, Raw):
            status = sent.difference(change.status)
            event.previous_status = _word(status.previous_value)
            event.status = event.status or _word(status.current_value)


def _word(value: sent.Id | UnsetType) -> str | None:
    return value if isinstance(value, str) else None


def _message(body: Payload, author: int | None) -> Message:
    given = body.message_type
    if given is None:
        type_ = "incoming" if author is None else "outgoing"
    elif str(given).isdigit() and int(given) < len(MESSAGE_TYPES):
        type_ = MESSAGE_TYPES[int(given)]
    elif given in MESSAGE_TYPES:
        type_ = str(given)
    else:
        kinds = ", ".join(MESSAGE_TYPES)
        raise ValueError(f"message_type: {given!r} is none of {kinds}, nor 0 to 3")
    return Message(_id("id", body.id), type_, bool(body.private), body.content or "")


def _read_presence(event: Event, body: Payload) -> None:
    user = body.user
    if user is None or not (user.type is None or user.is_user()):
        return
    event.present = _id("user.id", user.id)
    if event.name == PRESENCE:
        event.visible = body.visible
        if body.conversation_id is not UNSET:
            event.open_conversation = _id("conversation_id", body.conversation_id)
