"""The facts of an event, out of a body of any shape."""

from __future__ import annotations

from zlib import crc32

from msgspec import UNSET, Raw, Struct

from notifycli.events import payload as sent
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

_NO_CONVERSATION = sent.Conversation()
_NO_META = sent.Meta()


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
    own_time: bool
    """Whether the time is that of the message, or whatever else happened, itself."""


def _kind(name: str) -> _Kind:
    return _Kind(
        name,
        known=name in KNOWN_EVENTS,
        read=name in READ_EVENTS,
        flat=name in CONVERSATION_EVENTS,
        message=name in MESSAGE_EVENTS,
        sla=name in SLA_EVENTS,
        automation=name.startswith(AUTOMATION),
        own_time=name in MESSAGE_EVENTS or name == PRESENCE,
    )


_KINDS = {name: _kind(name) for name in KNOWN_EVENTS}

_STAMP = b'{"received_at":"'


def read_facts(body: Payload, number: int, place: bytes | Raw) -> Event:
    """Give the event that a body at a place tells of.

    Raises `ValueError`, which names the field.
    """
    if body.event is None:
        raise ValueError('no "event" with the name of what happened')
    kind = _KINDS.get(body.event) or _kind(normal_name(body.event))
    if not kind.known and not kind.automation:
        return Event(number, kind.name, known=False)
    at = time_of_message(body) if kind.own_time else time_of_change(body)
    if at is None and body.received_at is not None:
        at = time_of_receipt(body)
    if not kind.read:
        event = Event(number, kind.name, known=True, at=at, account=account_of(body))
        event.automation = kind.automation
        return event
    event = _read(body, number, kind, at)
    if kind.flat or kind.sla:
        event.digest = _digest(place)
    return event


def stamped(body: bytes, received_at: str) -> bytes:
    """Return a body with the time of its receipt as its first field, and its own bytes after it.

    So that a line stays a body, and tells the time of what has no other, such as typing. One that
    has a stamp from where it was received before keeps it.
    """
    body = body.strip()
    return (
        body if body.startswith(_STAMP) else b'%b%b",%b' % (_STAMP, received_at.encode(), body[1:])
    )


def _without_stamp(body: bytes) -> bytes:
    end = body.find(b'",', len(_STAMP)) if body.startswith(_STAMP) else -1
    return body if end < 0 else b"{" + body[end + 2 :]


def _digest(place: bytes | Raw) -> bytes:
    # Two bodies that differ in four bytes in a row at most, as by their time, never have the same;
    # when they were received makes no difference.
    body = _without_stamp(bytes(place).strip())
    return (crc32(body) << 32 | len(body)).to_bytes(8)


def _read(body: Payload, number: int, kind: _Kind, at: int | None) -> Event:
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
            if event.assignee is UNSAID and current is not UNSET:
                event.assignee = id_of("changed_attributes.assignee_id", current)
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
