"""Reading a line: a body out of its envelopes, the facts out of the body, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from zlib import crc32

import msgspec
from msgspec import UNSET, Raw, Struct

from notifycli.events import payload as sent
from notifycli.events.envelope import (
    Body,
    decode_mended,
    envelope_of,
    find_bodies,
    is_control_frame,
)
from notifycli.events.event import UNSAID, Event
from notifycli.events.event_names import (
    AUTOMATION,
    CONVERSATION_EVENTS,
    CREATED,
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
from notifycli.events.fields import (
    account_of,
    assignee_of,
    author_of,
    blocked_of,
    connected_of,
    first_id,
    id_of,
    inbox_of,
    maker_of,
    message_of,
    participants_of,
    performer_of,
    sender_of,
    status_of,
    team_of,
    time_of_change,
    time_of_message,
    time_of_receipt,
)
from notifycli.events.payload import Payload

T = TypeVar("T")
_AT_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_STAMP = b'{"received_at":"'
_NO_CONVERSATION = sent.Conversation()
_NO_META = sent.Meta()
_NO_BODY = Payload()


class EventError(ValueError):
    """A line that is no event. The message names the field, and is free of control characters."""


class NotOneEventError(EventError):
    """A line with several bodies in it, or with something that is no event and no fault either."""

    def __init__(self, bodies: tuple[bytes, ...]) -> None:
        super().__init__(f"{len(bodies)} events in one line")
        self.bodies = bodies
        """Each as a line by itself."""


class _Kind(Struct, frozen=True):
    """What an event's name tells of where its facts are."""

    name: str
    known: bool
    read: bool
    flat: bool
    """Whether the body is the conversation itself."""
    message: bool
    sla: bool
    automation: bool
    names_conversation: bool
    """Whether it is of a conversation, which it has to name."""
    own_time: bool
    """Whether the time is that of the message, or whatever else happened, itself."""

    def is_whole(self, body: Payload) -> bool:
        """Whether a body has all that Chatwoot sends with such an event, and no envelope.

        Of such a body alone, there is no need to look for another one in it.
        """
        if self.message:
            whole = body.conversation is not None and body.message_type is not None
        elif self.flat:
            whole = body.id is not None and body.meta is not None
        else:
            whole = body.conversation is not None or body.account is not None
        return whole and not (
            body.body
            or body.payload
            or body.data
            or body.message
            or body.raw
            or body.json
            or body.record
            or body.value
            or body.log
        )


def _kind(name: str) -> _Kind:
    name = normal_name(name)
    return _Kind(
        name,
        known=name in KNOWN_EVENTS,
        read=name in READ_EVENTS,
        flat=name in CONVERSATION_EVENTS,
        message=name in MESSAGE_EVENTS,
        sla=name in SLA_EVENTS,
        automation=name.startswith(AUTOMATION),
        names_conversation=name in CONVERSATION_EVENTS.union(MESSAGE_EVENTS, SLA_EVENTS),
        own_time=name in MESSAGE_EVENTS or name == PRESENCE,
    )


_KINDS: dict[str | None, _Kind] = {
    spelling: _kind(name)
    for name in KNOWN_EVENTS
    # As webhooks and as the live socket spell it.
    for spelling in (name, name.replace("_", ".", 1))
}


def _kind_of(event: str) -> _Kind:
    return _KINDS.get(event) or _kind(event)


def decode_event(line: bytes, number: int) -> Event:
    """Read one line of a replay. Raises `EventError`, and `NotOneEventError` of that family."""
    try:
        body, kind = _whole_body(line)
        if kind is not None:
            return _read(body, kind, number, line)
        found = _find_body(line)
        return _read(_open(found), _kind_of(found.event), number, found.text)
    except EventError:
        raise
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise EventError(fault_text(error)) from None


def _whole_body(line: bytes) -> tuple[Payload, _Kind | None]:
    """Return the body that a line is; without its kind, where it may be something around one."""
    try:
        body = sent.decode_payload(line)
        kind = _KINDS.get(body.event)
        return body, kind if kind is not None and kind.is_whole(body) else None
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return _NO_BODY, None  # What is wrong with it is found again, if it is no envelope.


def decode_body(line: bytes, decode: Callable[[bytes | Raw], T]) -> T:
    """Decode the one body in a line as something else than what the rules read of it.

    Raises as `decode_event` does, and what `decode` raises.
    """
    _, kind = _whole_body(line)
    return decode_mended(line if kind is not None else _find_body(line).text, decode)


def _find_body(line: bytes) -> Body:
    bodies = decode_mended(line, find_bodies)
    if len(bodies) > 1:
        raise NotOneEventError(tuple(body.by_itself() for body in bodies))
    if bodies:
        return bodies[0]
    if is_control_frame(line):
        raise NotOneEventError(())
    sent.decode_payload(line)  # tells what is wrong with it, if it is no object
    raise EventError('no "event" with the name of what happened')


def _open(found: Body) -> Payload:
    try:
        body = decode_mended(found.text, sent.decode_payload)
    except (msgspec.MsgspecError, ValueError):
        if normal_name(found.event) in READ_EVENTS:
            raise
        body = Payload()  # A body that isn't read need not have the types of one that is.
    body.received_at = body.received_at or found.received_at
    return body


def fault_text(error: Exception) -> str:
    """Return what is wrong with a line, in the words of a user."""
    text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    match = _AT_PATH.fullmatch(text)
    if match:
        text = f"{match[2]}: {match[1]}" if match[2] else f"no JSON object: {match[1]}"
    elif isinstance(error, msgspec.DecodeError) or text.startswith("Expected `object`"):
        text = f"no JSON object: {text}"
    text = text.replace("`", "").replace("Expected", "expected")
    return "".join(char if char.isprintable() else "�" for char in text)


def _read(body: Payload, kind: _Kind, number: int, text: bytes | Raw) -> Event:
    """Return the event that a body tells of. Raises `ValueError`, which names the field."""
    if not kind.known and not kind.automation:
        return Event(number, kind.name, known=False)
    at = time_of_message(body) if kind.own_time else time_of_change(body)
    if at is None:
        at = time_of_receipt(body)
    if not kind.read:
        event = Event(number, kind.name, known=True, at=at, account=account_of(body))
        event.automation = kind.automation
        return event
    event = _read_facts(body, number, kind, at)
    if event.conversation is None and kind.names_conversation:
        raise EventError(f"{kind.name} that names no conversation{_hint(text)}")
    if not kind.message:
        event.digest = _digest(text) if kind.names_conversation else None
    elif body.message_type is None and _says_nothing(body):
        told = "none of id, content, message_type and sender"
        raise EventError(f"{kind.name} that has {told}{_hint(text)}")
    return event


def _says_nothing(body: Payload) -> bool:
    said = (body.id, body.content, body.sender, body.sender_id)
    return all(value is None for value in said)


def _hint(text: bytes | Raw) -> str:
    name = envelope_of(text)
    return (
        "" if name is None else f'; "{name}" in it is not read, for want of an "event" of its own'
    )


def with_receipt(body: bytes, received_at: str) -> bytes:
    """Return a body with the time of its receipt as its first field, and its own bytes after it.

    So that a line stays a body, and tells the time of what has no other, such as typing. One that
    has a stamp from where it was received before keeps it.
    """
    body = body.strip()
    return (
        body if body.startswith(_STAMP) else b'%b%b",%b' % (_STAMP, received_at.encode(), body[1:])
    )


def _without_receipt(body: bytes) -> bytes:
    end = body.find(b'",', len(_STAMP))
    return body if end < 0 else b"{" + body[end + 2 :]


def _digest(text: bytes | Raw) -> bytes:
    body = bytes(text).strip()
    if body.startswith(_STAMP):
        body = _without_receipt(body)  # when it was received makes no difference
    # Two bodies that differ in four bytes in a row at most, as by their time, never have the same.
    return crc32(body, len(body)).to_bytes(4)


def _read_facts(body: Payload, number: int, kind: _Kind, at: int | None) -> Event:
    inner = body.conversation
    flat = kind.flat or (kind.sla and inner is None)
    if inner is None:
        inner = _NO_CONVERSATION
    meta = (body.meta if flat else inner.meta) or body.meta or inner.meta or _NO_META
    author = author_of(body) if kind.message else None
    event = Event(
        number,
        kind.name,
        True,
        at,
        account_of(body),
        _conversation(body, inner, kind),
        inbox_of(body, inner),
        status_of((_own_status(body) if flat else None) or inner.status),
        None,
        assignee_of(body, inner, meta),
        False,
        team_of(meta),
        None,
        False,
        blocked_of(body, meta, author),
        None,
        author,
        sender_of(body) if kind.message else None,
    )
    if body.performed_by is not None or body.performer is not None:
        event.performed_by = performer_of(body)
        event.performed_by_other = event.performed_by is None
    elif kind.name == CREATED:
        event.performed_by = maker_of(body)
    told = inner.participants if body.participants is None else body.participants
    if told is not None:
        event.participants = participants_of(told)
    if kind.flat or body.changed_attributes:
        _read_changes(event, body.changed_attributes)
    if event.status is None:
        event.status = STATUS_BY_EVENT.get(kind.name)
    if kind.name == MESSAGE_CREATED:
        event.message = message_of(body, author)
    elif body.user is not None:
        _read_presence(event, body, body.user)
    elif kind.name == PRESENCE and body.users is not UNSET:
        event.connected = connected_of(body.users)
    return event


def _conversation(body: Payload, inner: sent.Conversation, kind: _Kind) -> int | None:
    if kind.flat and body.id is not None:
        return id_of("id", body.id)
    value = inner.id
    if isinstance(value, int):
        return value
    if value is not None:
        return id_of("conversation.id", value)
    given = None if body.conversation_id is UNSET else body.conversation_id
    last = body.id if kind.sla else None
    return first_id("conversation.id", inner.display_id, given, last)


def _own_status(body: Payload) -> str | None:
    if isinstance(body.status, int):
        raise ValueError("status: a word such as open or pending is expected, not a number")  # noqa: TRY004 - told to a user
    return body.status


def _read_changes(event: Event, changed: list[sent.Change] | sent.Change | None) -> None:
    """Take what the change tells and the event itself doesn't: who came, what was before."""
    if event.name == "assignee_changed":
        event.assignment = True
    if not changed:
        return
    for change in [changed] if isinstance(changed, sent.Change) else changed:
        if isinstance(change.assignee_id, Raw):
            event.assignment = event.assignment or event.name == "conversation_updated"
            current = sent.difference(change.assignee_id).current_value
            if current is not UNSET:
                event.assigned = id_of("changed_attributes.assignee_id", current)
                if event.assignee is UNSAID:
                    event.assignee = event.assigned
        if isinstance(change.status, Raw):
            status = sent.difference(change.status)
            if isinstance(status.previous_value, str):
                event.previous_status = status_of(status.previous_value)
            if event.status is None and isinstance(status.current_value, str):
                event.status = status_of(status.current_value)


def _read_presence(event: Event, body: Payload, user: sent.Person) -> None:
    if event.name == PRESENCE:
        may_be_silent = user.type is None
    elif event.name == TYPING_ON:
        may_be_silent = False
    else:
        return
    if not (may_be_silent or user.is_user()):
        return
    event.present = id_of("user.id", user.id)
    if event.name == PRESENCE:
        event.visible = body.visible
        if body.conversation_id is not UNSET:
            event.open_conversation = id_of("conversation_id", body.conversation_id)
