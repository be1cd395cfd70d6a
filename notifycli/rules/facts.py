"""The facts of an event, wherever in its body the server or a relay has put them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, Raw, Struct

from notifycli.rules import payload as sent
from notifycli.rules.audience import LARGEST_ID
from notifycli.rules.event import UNSAID, Event, Message, Unsaid
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
_TYPE_OF: dict[int | str, str] = {
    **dict(enumerate(MESSAGE_TYPES)),
    **{str(number): type_ for number, type_ in enumerate(MESSAGE_TYPES)},
    **{type_: type_ for type_ in MESSAGE_TYPES},
}
_LONGEST_ID = 40
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


def _kind(name: str) -> _Kind:
    return _Kind(
        name,
        known=name in KNOWN_EVENTS,
        read=name in READ_EVENTS,
        flat=name in CONVERSATION_EVENTS,
        message=name in MESSAGE_EVENTS,
        sla=name in SLA_EVENTS,
    )


_KINDS = {name: _kind(name) for name in KNOWN_EVENTS}


def read_facts(body: Payload, number: int) -> Event:
    """Give the event that a body tells of. Raises `ValueError`, which names the field."""
    if body.event is None:
        raise ValueError('no "event" with the name of what happened')
    kind = _KINDS.get(body.event) or _kind(normal_name(body.event))
    if not kind.read:
        if not kind.known:
            return Event(number, kind.name, known=False)
        return Event(number, kind.name, known=True, at=_time(body, kind), account=_account(body))
    inner = body.conversation
    flat = kind.flat or (kind.sla and inner is None)
    if inner is None:
        inner = _NO_CONVERSATION
    meta = (body.meta if flat else inner.meta) or body.meta or inner.meta or _NO_META
    author = _author(body) if kind.message else None
    event = Event(
        number,
        kind.name,
        True,
        _time(body, kind),
        _account(body),
        _conversation(body, inner, kind, flat=flat),
        _inbox(body, inner),
        _status(body, flat=flat) or inner.status,
        None,
        _assignee(body, inner, meta),
        False,
        None if meta.team is None else _id("meta.team.id", meta.team.id),
        None if body.performed_by is None else _performed_by(body.performed_by),
        _blocked(body, meta, author),
        None,
        author,
    )
    told = inner.participants if body.participants is None else body.participants
    if told is not None:
        event.participants = _participants(told)
    _read_changes(event, body.changed_attributes)
    if event.status is None:
        event.status = STATUS_BY_EVENT.get(kind.name)
    if kind.name == MESSAGE_CREATED:
        event.message = _message(body, author)
    elif body.user is not None:
        _read_presence(event, body, body.user)
    return event


def _id(field: str, value: sent.Id) -> int | None:
    if value is None or value.__class__ is int:
        return value
    assert isinstance(value, str)  # noqa: S101 - what else may be an id
    if value.isascii() and value.isdigit() and len(value) <= _LONGEST_ID:
        number = int(value)
        if number <= LARGEST_ID:
            return number
    raise ValueError(f"{field}: {value!r} is no id: a number, or a string of digits")


def _id_of(named: sent.Reference | sent.Person | None) -> sent.Id:
    return None if named is None else named.id


def _first(field: str, *values: sent.Id) -> int | None:
    return next((_id(field, value) for value in values if value is not None), None)


def _time(body: Payload, kind: _Kind) -> int | None:
    field, value = "created_at", body.created_at
    if not kind.message and kind.name != PRESENCE:
        for name in ("updated_at", "last_activity_at", "timestamp", "created_at"):
            field, value = name, getattr(body, name)
            if value is not None:
                break
    if value is None:
        return None
    try:
        return parse_moment(value)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _account(body: Payload) -> int | None:
    value = body.account_id if body.account is None else body.account.id
    if value is None:
        value = body.account_id
    inner = body.conversation
    if value is None and inner is not None:
        value = inner.account_id
    if value is not None:
        return _id("account_id", value)
    found = _id("messages[0].account_id", sent.messages_account(body.messages))
    if found is None and inner is not None:
        found = _id("conversation.messages[0].account_id", sent.messages_account(inner.messages))
    return found


def _conversation(
    body: Payload, inner: sent.Conversation, kind: _Kind, *, flat: bool
) -> int | None:
    if flat and not kind.sla and body.id is not None:
        return _id("id", body.id)
    if inner.id is not None:
        return _id("conversation.id", inner.id)
    given = None if body.conversation_id is UNSET else body.conversation_id
    last = body.id if kind.sla else None
    return _first("conversation.id", inner.display_id, given, last)


def _inbox(body: Payload, inner: sent.Conversation) -> int | None:
    value = body.inbox_id
    if value is None and body.inbox is not None:
        value = body.inbox.id
    return _id("inbox_id", inner.inbox_id if value is None else value)


def _status(body: Payload, *, flat: bool) -> str | None:
    if not flat:
        return None
    if isinstance(body.status, int):
        raise ValueError("status: a word such as open or pending is expected, not a number")  # noqa: TRY004 - told to a user
    return body.status


def _assignee(body: Payload, inner: sent.Conversation, meta: sent.Meta) -> int | Unsaid | None:
    assignee = meta.assignee
    if assignee is None:
        return None
    if meta.assignee_type is not None and meta.assignee_type.lower() != "user":
        return None
    if assignee is not UNSET and assignee.id is not None:
        is_bot = assignee.type is not None and not assignee.is_user()
        return None if is_bot else _id("meta.assignee.id", assignee.id)
    if inner.assignee_id is not UNSET:
        return _id("conversation.assignee_id", inner.assignee_id)
    return UNSAID if body.assignee_id is UNSET else _id("assignee_id", body.assignee_id)


def _author(body: Payload) -> int | None:
    sender = body.sender
    if (
        sender is not None
        and sender.type is not None
        and sender.is_user()
        and sender.id is not None
    ):
        return _id("sender.id", sender.id)
    if body.sender_type is not None and body.sender_type.lower() == "user":
        return _first("sender_id", body.sender_id, _id_of(sender))
    return None


def _performed_by(by: sent.Person) -> int | None:
    # An automation rule has an id as well, and says of itself nothing at all.
    return _id("performed_by.id", by.id) if by.is_user() else None


def _blocked(body: Payload, meta: sent.Meta, author: int | None) -> bool | None:
    if meta.sender is not None and meta.sender.blocked is not None:
        return meta.sender.blocked
    sender = body.sender
    if author is None and sender is not None and sender.type in (None, "contact"):
        return sender.blocked
    return None


def _participants(given: Iterable[int | str | sent.Reference]) -> tuple[int, ...]:
    ids = (item.id if isinstance(item, sent.Reference) else item for item in given)
    found = (_id("participants", value) for value in ids)
    return tuple(value for value in found if value is not None)


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
                event.assignee = _id("changed_attributes.assignee_id", current)
        if isinstance(change.status, Raw):
            status = sent.difference(change.status)
            if isinstance(status.previous_value, str):
                event.previous_status = status.previous_value
            if event.status is None and isinstance(status.current_value, str):
                event.status = status.current_value


def _message(body: Payload, author: int | None) -> Message:
    given = body.message_type
    if given is None:
        type_ = "incoming" if author is None else "outgoing"
    elif given in _TYPE_OF:
        type_ = _TYPE_OF[given]
    else:
        kinds = ", ".join(MESSAGE_TYPES)
        raise ValueError(f"message_type: {given!r} is none of {kinds}, nor 0 to 3")
    return Message(_id("id", body.id), type_, body.private is True, body.content or "")


def _read_presence(event: Event, body: Payload, user: sent.Person) -> None:
    if event.name == PRESENCE:
        may_be_silent = user.type is None
    elif event.name == TYPING_ON:
        may_be_silent = False
    else:
        return
    if not (may_be_silent or user.is_user()):
        return
    event.present = _id("user.id", user.id)
    if event.name == PRESENCE:
        event.visible = body.visible
        if body.conversation_id is not UNSET:
            event.open_conversation = _id("conversation_id", body.conversation_id)
