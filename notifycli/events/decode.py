"""A webhook's body, out of whatever holds it, becomes an event.

Receivers, queues and exports put things around it. An object that has an `event` of its own, or
beside whose `event` it stands, is the body, whatever stands beside it. What customers can write
into is never looked into: they could forge events.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from contextlib import suppress
from operator import itemgetter
from typing import NamedTuple, TypeVar
from zlib import crc32

import msgspec
from msgspec import UNSET, Raw, Struct

from notifycli.events.event import (
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
    TYPING_EVENTS,
    TYPING_ON,
    UNSAID,
    Event,
    is_known,
    normal_name,
)
from notifycli.events.payload import (
    AWAY,
    ChangedAttributes,
    ConversationPayload,
    Meta,
    Payload,
    Time,
    account_of,
    assignee_of,
    attribute_change,
    author_of,
    away_users,
    decode_bare,
    decode_payload,
    id_of,
    inbox_of,
    is_blocked,
    maker_of,
    message_of,
    online_users,
    participants_of,
    performer_of,
    sender_of,
    status_of,
    time_of,
)

T = TypeVar("T")
_DEEPEST = 16
"""How many objects, lists and texts may be around a body."""
_ENVELOPES = (
    *("body", "payload", "data", "message", "raw", "json", "record", "value", "log", "records"),
    *("request", "line", "msg", "text", "rawbody", "requestbody", "jsonpayload", "textpayload"),
    *("entries", "item", "items", "events", "postdata"),
    *("detail", "source", "event", "eventdata", "hook", "webhook", "params"),
)
"""Names under which bodies are found, in the order in which they are looked into: in any case, with
or without `_`."""
_RANK = {name: rank for rank, name in enumerate(_ENVELOPES)}
_BY_CUSTOMERS = frozenset(
    {
        *("additional_attributes", "content_attributes", "custom_attributes", "event_info"),
        *("external_source_ids", "processed_message_content", "submitted_values"),
    }
)
"""Fields into which a customer can write what they like."""
_BY_CHATWOOT = frozenset(
    {
        *("account", "agent", "attachments", "changed_attributes", "contact", "contact_inbox"),
        *("content", "conversation", "current_conversation", "inbox", "labels", "messages"),
        *("last_non_activity_message", "meta", "notification", "participants", "performed_by"),
        *("performer", "primary_actor", "secondary_actor", "sender", "sentiment", "sla_events"),
        *("sla_policy", "team", "user", "users"),
    }
)
"""Fields of Chatwoot's own bodies that aren't plain values."""
_SUBJECT = frozenset(
    {"conversation", "conversation_id", "contact_inbox", "inbox_id", "message_type"}
)
"""Fields by which an object is known as Chatwoot's, though it has no `event`."""
_CONVERSATION = _SUBJECT.union(
    ("account", "account_id", "assignee_id", "changed_attributes", "messages", "meta", "status")
)
_CONTROL = frozenset({"welcome", "ping", "confirm_subscription", "disconnect"})
"""What the frames of a cable that carry no event say that they are."""
_ESCAPE = re.compile(
    rb"""
    \\ (?:
      u [dD] [89abAB] [0-9a-fA-F]{2} \\ u [dD] [c-fC-F] [0-9a-fA-F]{2}  # a pair
    | (?P<half> u [dD] [89a-fA-F] [0-9a-fA-F]{2} )
    | .
    )
    | (?P<raw_half> \xed [\xa0-\xbf] [\x80-\xbf] )
    """,
    re.VERBOSE | re.DOTALL,
)
_HEX = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_MAY_HOLD_ONE = re.compile(rb'event|"(?:e[yw]|W[3wy]|77u)|123, ?34,').search
"""`"e` is how an object begins in base64, `"W` a list, and 123, 34 in bytes."""
_BASE64 = (b"ey", b"ew", b"W3", b"Ww", b"Wy", b"77")
"""How JSON begins in base64; the last is a byte order mark."""
_FOR_ADDRESSES = bytes.maketrans(b"-_", b"+/")
_BOM = b"\xef\xbb\xbf"
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_OBJECT = re.compile(rb'\{\s*"').search
_BYTES = re.compile(rb"\[(?:(?:[1-9]?\d|1\d\d|2[0-4]\d|25[0-5])(?:, ?|\]))+\Z").match

_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode
_decode_raw = msgspec.json.Decoder(Raw).decode
_decode_string = msgspec.json.Decoder(str).decode
_decode_bytes = msgspec.json.Decoder(list[int]).decode
_decode_time = msgspec.json.Decoder(Time).decode

Fields = dict[str, Raw]


class Body(NamedTuple):
    """A body, with what its envelopes say of it."""

    text: bytes | Raw
    event: str
    """Its own name, or the one that it stands beside."""
    received_at: Time = None

    def by_itself(self) -> bytes:
        """Return a JSON text of the body alone that says all of this."""
        around = {"event": self.event, "received_at": self.received_at, "body": Raw(self.text)}
        return msgspec.json.encode(around)


def find_bodies(text: bytes | Raw) -> list[Body]:
    """Return the bodies in a JSON text; it may be one itself. Raises msgspec's errors."""
    return _bodies(text, _DEEPEST)


def is_control_frame(text: bytes | Raw) -> bool:
    """Whether a JSON text is a frame of a cable that carries no event: a ping, a confirmation.

    It may be in envelopes, as a body.
    """
    try:
        node = _json_in(text) if bytes(text).lstrip()[:1] == b'"' else text
        fields = {} if node is None else _decode_object(node)
    except (msgspec.DecodeError, ValueError):
        return False
    if "event" in fields:
        return False
    told = _string(fields["type"]) if "type" in fields else None
    return told in _CONTROL or any(is_control_frame(fields[key]) for key in _by_rank(fields))


def envelope_of(text: bytes | Raw) -> str | None:
    """Return the name under which an object that is no body lies in a text, for a hint."""
    fields = _decode_object(text)
    named = (key for key in _by_rank(fields) if bytes(fields[key])[:1] == b"{")
    return next(named, None)


def decode_mended(text: bytes | Raw, decode: Callable[[bytes | Raw], T]) -> T:
    """Decode a JSON text; where lone halves of surrogate pairs keep it from it, without them."""
    try:
        return decode(text)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        mended = _without_halves(bytes(text))
        if mended == text:
            raise
        return decode(mended)


def _without_halves(line: bytes) -> bytes:

    def mend(match: re.Match[bytes]) -> bytes:
        half = match["half"] is not None or match["raw_half"] is not None
        return rb"\ufffd" if half else match[0]

    return _ESCAPE.sub(mend, line)


def _bodies(node: bytes | Raw, depth: int) -> list[Body]:
    text = bytes(node).lstrip()
    if text[:1] == b"{":
        return _bodies_of_object(node, _decode_object(node), depth)
    if text[:1] == b"[":
        if depth and _BYTES(text):
            return _bodies_of_text(_json_in(node), depth)
        # A list of another kind of thing is passed over whole.
        nodes = _decode_array(node) if depth and _MAY_HOLD_ONE(text) else ()
        return [body for one in nodes for body in _bodies(one, depth - 1)]
    if text[:1] == b'"' and depth and _MAY_HOLD_ONE(text):
        return _bodies_of_text(_json_in(node), depth)
    return []


def _bodies_of_text(inner: bytes | None, depth: int) -> list[Body]:
    for _ in range(_DEEPEST):
        if inner is None:
            break
        try:
            return decode_mended(inner, lambda it: _bodies(it, depth - 1))
        except msgspec.DecodeError:
            inner = _from_next_object(inner)
    return []  # a text that only looks like JSON


def _from_next_object(text: bytes) -> bytes | None:
    """Return a text without its first object: what a log has written before the one looked for.

    One that breaks off is the last, or else what a customer wrote into it were taken for the next.
    """
    try:
        _decode_raw(text)
    except msgspec.DecodeError as error:
        end = _TRAILING.search(str(error))
        begins = None if end is None else _OBJECT(text, int(end[1]))
        return None if begins is None else text[begins.start() :]
    return None


def _bodies_of_object(node: bytes | Raw, fields: Fields, depth: int) -> list[Body]:
    name = _string(fields["event"]) if "event" in fields else None
    if name is not None and not name.strip():
        name = None
    found = _bodies_beneath(fields, name, depth) if depth else []
    if not found and name is not None:
        beside = None if is_complete(name, fields) else _body_beside(fields, normal_name(name))
        found = [Body(node if beside is None else beside, name)]
    received_at = _time(fields["received_at"]) if "received_at" in fields else None
    if received_at is None:
        return found
    return [one if one.received_at else one._replace(received_at=received_at) for one in found]


def _bodies_beneath(fields: Fields, name: str | None, depth: int) -> list[Body]:
    """Find what has an `event` of its own, under the usual names first."""
    unknown: list[Body] = []
    for key in _by_rank(fields):
        found = _bodies(fields[key], depth - 1) if _may_hold_one(fields[key]) else []
        if any(is_known(body.event) for body in found):
            return found
        unknown = unknown or found
    if name is not None and is_complete(name, fields):
        return []
    passed_over = _BY_CUSTOMERS.union(_by_rank(fields))
    if name is not None or not _SUBJECT.isdisjoint(fields):
        passed_over |= _BY_CHATWOOT
    others = (raw for key, raw in fields.items() if key not in passed_over and _may_hold_one(raw))
    each = [[one for one in _bodies(raw, depth - 1) if is_known(one.event)] for raw in others]
    return _once([here for here in each if here]) or unknown


def _once(each: list[list[Body]]) -> list[Body]:
    """Return the bodies under several names: as it came and as it was read, it is one event."""
    if len(each) == 1:
        return each[0]
    found, said = list[Body](), set[bytes]()
    for here in each:
        facts = [_facts(body) for body in here]
        found += [body for body, fact in zip(here, facts, strict=True) if fact not in said]
        said.update(facts)
    return found


def _facts(body: Body) -> bytes:
    """Return what a body says, however it is written; itself, if it can't be read."""
    try:
        event = _read(_open(body), _kind_of(body.event), 0, body.text)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return bytes(body.text)
    event.digest = None
    return msgspec.msgpack.encode(event)


def is_complete(name: str, fields: Iterable[str]) -> bool:
    """Whether an object of such fields is a whole body by itself.

    Then only the usual names are envelopes, and only of what has an `event` of its own.
    """
    name = normal_name(name)
    if name in CONVERSATION_EVENTS:
        return "id" in fields and "meta" in fields
    if name in MESSAGE_EVENTS:
        return "conversation" in fields and ("content" in fields or "message_type" in fields)
    return "conversation" in fields or "account" in fields


def _body_beside(fields: Fields, name: str) -> Raw | bytes | None:
    """Return the object that stands beside an `event`, as the live socket sends it."""
    for key in _by_rank(fields):
        text = bytes(fields[key])
        node = _json_in(fields[key]) if text[:1] == b'"' else fields[key]
        if node is not None and bytes(node)[:1] == b"{":
            inner = _decode_object(node)
            if _is_subject(name, inner, alone="id" not in fields):
                return node
    return None


def _is_subject(name: str, fields: Fields, *, alone: bool) -> bool:
    """Whether an object is what an event of this name is about; `alone`: if it has an id."""
    named = "conversation" in fields or "conversation_id" in fields
    if name in MESSAGE_EVENTS or (named and name in SLA_EVENTS):
        return named
    if name in CONVERSATION_EVENTS or name in SLA_EVENTS:
        return "id" in fields and (alone or not _CONVERSATION.isdisjoint(fields))
    if name in TYPING_EVENTS:
        return "conversation" in fields or "user" in fields
    if name == PRESENCE:
        return "users" in fields or "user" in fields
    return True


def _by_rank(fields: Fields) -> list[str]:
    ranked = {key: _RANK.get(key.lower().replace("_", "")) for key in fields}
    found = [(rank, key) for key, rank in ranked.items() if rank is not None]
    return [key for _, key in sorted(found, key=itemgetter(0))]


def _may_hold_one(raw: Raw) -> bool:
    return _MAY_HOLD_ONE(bytes(raw)) is not None


def _json_in(raw: Raw | bytes) -> bytes | None:
    """Return the JSON text that a string holds: plain, in base64, after what a log has put.

    It may be a list of bytes, as which journald writes a text with control characters.
    """
    string = bytes(raw).lstrip()[:1] == b'"'
    text = _decode_string(raw).encode(errors="replace") if string else bytes(_decode_bytes(raw))
    text = without_hex(text.strip())
    if text[:2] in _BASE64:
        try:
            text = _from_base64(text)
        except ValueError:
            return None
    if text[:1] in (b"{", b"["):
        return text
    begins, end = _OBJECT(text), text.rfind(b"}")
    return text[begins.start() : end + 1] if begins and begins.start() < end else None


def _from_base64(text: bytes) -> bytes:
    """Read base64 as mail or addresses have it, too: over lines, unpadded. Raises `ValueError`."""
    text = b"".join(text.split()).translate(_FOR_ADDRESSES).rstrip(b"=")
    return b64decode(text + b"=" * (-len(text) % 4), validate=True).removeprefix(_BOM).strip()


def without_hex(text: bytes) -> bytes:
    """Return a text without the escapes of an nginx log, for quotation marks to begin with."""
    if rb"{\x22" not in text:
        return text
    return _HEX.sub(lambda found: bytes([int(found[1], 16)]), text)


def _string(raw: Raw) -> str | None:
    return _decode_string(raw) if bytes(raw)[:1] == b'"' else None


def _time(raw: Raw) -> Time:
    try:
        time: Time = _decode_time(raw)
    except msgspec.ValidationError:
        return None
    return time


_AT_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_ZEROS = re.compile(rb'(id"\s*:\s*")0+(?=\d)')
"""An id is a string of digits to us, also where msgspec takes it for no number."""
_NO_ID = "a number, or a string of digits, is expected"
_STAMP = re.compile(rb'\{\s*"received_at"\s*:\s*"[^"\\]*"\s*,').match
_NO_CONVERSATION = ConversationPayload()
_NO_META = Meta()
_TIMES = ("updated_at", "last_activity_at", "timestamp", "created_at", "received_at")


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
    times: tuple[str, ...]
    """Where its time is looked for."""


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
        times=_TIMES[-2:] if name in MESSAGE_EVENTS or name == PRESENCE else _TIMES,
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
        whole = _whole_body(line)
        if whole is not None:
            body, kind = whole
            return _read(body, kind, number, line)
        found = _find_body(line)
        return _read(_open(found), _kind_of(found.event), number, found.text)
    except EventError:
        raise
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise EventError(fault_text(error)) from None


def _whole_body(line: bytes) -> tuple[Payload, _Kind] | None:
    """Return the body that a line is, if it has all that Chatwoot sends with such an event.

    There is no need to look for another one in it.
    """
    try:
        body = decode_bare(line)
        kind = _KINDS[body.event]
    except (msgspec.MsgspecError, RecursionError, ValueError, KeyError):
        return None  # What is wrong with it is found again, if it is no envelope.
    if kind.message:
        whole = body.conversation is not None and body.message_type is not None
    elif kind.flat:
        whole = body.id is not None and body.meta is not None
    else:
        whole = body.conversation is not None or body.account is not None
    return (body, kind) if whole else None


def decode_body(line: bytes, decode: Callable[[bytes | Raw], T]) -> T:
    """Decode the one body in a line as something else than what the rules read of it.

    Raises as `decode_event` does, and what `decode` raises.
    """
    text = _find_body(line).text if _whole_body(line) is None else line
    return decode_mended(text, decode)


def _find_body(line: bytes) -> Body:
    bodies = decode_mended(line, find_bodies)
    if len(bodies) > 1:
        raise NotOneEventError(tuple(body.by_itself() for body in bodies))
    if bodies:
        return bodies[0]
    if is_control_frame(line):
        raise NotOneEventError(())
    decode_payload(line)  # tells what is wrong with it, if it is no object
    raise EventError('no "event" with the name of what happened')


def _open(found: Body) -> Payload:
    try:
        body = decode_mended(_ZEROS.sub(b"\\1", bytes(found.text)), decode_payload)
    except (msgspec.MsgspecError, ValueError):
        if normal_name(found.event) in READ_EVENTS:
            raise
        body = Payload()  # A body that isn't read need not have the types of one that is.
    body.received_at = body.received_at or found.received_at
    return body


def fault_text(error: Exception) -> str:
    """Return what is wrong with a line, in the words of a user."""
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return f"not UTF-8, for byte 0x{byte:02x}; try: iconv -f WINDOWS-1252 -t UTF-8 on the file"
    text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    text = text.replace("Expected `int | null`, got `str`", _NO_ID)
    match = _AT_PATH.fullmatch(text)
    if match:
        text = f"{match[2]}: {match[1]}" if match[2] else f"no JSON object: {match[1]}"
    elif isinstance(error, msgspec.DecodeError) or text.startswith("Expected `object`"):
        text = f"no JSON object: {text}"
    text = text.replace("`", "").replace("Expected", "expected")
    return "".join(char if char.isprintable() else "�" for char in text)


def _read(body: Payload, kind: _Kind, number: int, text: bytes | Raw) -> Event:
    """Return the event that a body tells of. Raises `ValueError`, which names the field."""
    if not kind.read:
        return _read_name(body, kind, number)
    event = _read_facts(body, kind, number)
    if event.conversation is None and kind.names_conversation:
        raise EventError(f"{kind.name} that names no conversation{_hint(text)}")
    if body.performed_by is not None or body.performer is not None:
        event.performed_by = performer_of(body)
        event.performed_by_other = event.performed_by is None
    if kind.name == CREATED and event.performed_by is None:
        event.performed_by = maker_of(body)
    if kind.flat or body.changed_attributes:
        _read_changes(event, body)
    if kind.message:
        if body.message_type is None and _says_nothing(body):
            told = "none of id, content, message_type and sender"
            raise EventError(f"{kind.name} that has {told}{_hint(text)}")
    elif kind.names_conversation:
        event.digest = _digest(text, "" if body.event else kind.name)
    else:
        _read_presence(event, body)
    return event


def _read_name(body: Payload, kind: _Kind, number: int) -> Event:
    """Return an event of which nothing else matters than whose it is, and when it was."""
    if not kind.known and not kind.automation:
        return Event(number, kind.name, known=False)
    at, account = time_of(body, kind.times), account_of(body)
    return Event(number, kind.name, True, at, account, automation=kind.automation)


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
    return body if _STAMP(body) else b'{"received_at":"%b",%b' % (received_at.encode(), body[1:])


def _digest(text: bytes | Raw, name: str) -> bytes:
    """Return the digest of a body; `name` is the one that it stands beside, if it has none."""
    body = bytes(text).strip()
    stamp = _STAMP(body)
    if stamp:
        body = b"{" + body[stamp.end() :]  # when it was received makes no difference
    # Two bodies that differ in four bytes in a row at most, as by their time, never have the same.
    return crc32(body, crc32(name.encode(), len(body))).to_bytes(4)


def _read_facts(body: Payload, kind: _Kind, number: int) -> Event:
    inner = body.conversation or _NO_CONVERSATION
    flat = kind.flat or (kind.sla and body.conversation is None)
    meta = (body.meta if flat else inner.meta) or body.meta or inner.meta or _NO_META
    conversation = body.id if kind.flat else inner.id
    if not isinstance(conversation, int):
        conversation = _conversation(body, inner, kind)
    status = (_own_status(body) if flat else None) or inner.status
    team = meta.team
    participants = inner.participants if body.participants is None else body.participants
    author = author_of(body) if kind.message else None
    event = Event(
        number,
        kind.name,
        True,
        time_of(body, kind.times),
        account_of(body),
        conversation,
        inbox_of(body, inner),
        status_of(status),
        None,
        assignee_of(body, inner, meta),
        False,
        None if team is None else UNSAID if team is UNSET else team.id,
        None,
        False,
        is_blocked(body, meta, author),
        None if participants is None else participants_of(participants),
        author,
        sender_of(body) if kind.message else None,
        message_of(body, author) if kind.name == MESSAGE_CREATED else None,
    )
    if kind.message and event.message is None:
        event.updated_message = id_of("id", body.id)
    return event


def _conversation(body: Payload, inner: ConversationPayload, kind: _Kind) -> int | None:
    """Give the conversation where its number isn't where Chatwoot sends it."""
    if kind.flat and body.id is not None:
        return id_of("id", body.id)
    found = inner.display_id if inner.id is None else inner.id
    if found is None and body.conversation_id is not UNSET:
        found = id_of("conversation_id", body.conversation_id)
    return id_of("id", body.id) if found is None and kind.sla else found


def _own_status(body: Payload) -> str | None:
    if isinstance(body.status, int):
        raise ValueError("status: a word such as open or pending is expected, not a number")  # noqa: TRY004 - told to a user
    return body.status


_TEAM_CHANGES = ("conversation_updated", "team_changed")


def _read_changes(event: Event, body: Payload) -> None:
    """Take what the change tells and the event itself doesn't: who came, what was before."""
    if event.name == "assignee_changed":
        event.assignment = True
    elif event.name == "team_changed":
        event.team_change = True
    changed = body.changed_attributes or ()
    for change in [changed] if isinstance(changed, ChangedAttributes) else changed:
        if isinstance(change.assignee_id, Raw):
            event.assignment = event.assignment or event.name == "conversation_updated"
            current = attribute_change("assignee_id", change.assignee_id).current_value
            if current is not UNSET:
                event.assigned = id_of("changed_attributes.assignee_id", current)
                if event.assignee is UNSAID:
                    event.assignee = event.assigned
        if isinstance(change.team_id, Raw) and event.name in _TEAM_CHANGES:
            _read_team_change(event, change.team_id)
        if isinstance(change.status, Raw):
            _read_status_change(event, change.status)
    if event.status is None:
        event.status = STATUS_BY_EVENT.get(event.name)


def _read_status_change(event: Event, change: Raw) -> None:
    status = attribute_change("status", change)
    if isinstance(status.previous_value, str):
        event.previous_status = status_of(status.previous_value)
    if event.status is None and isinstance(status.current_value, str):
        event.status = status_of(status.current_value)


def _read_team_change(event: Event, change: Raw) -> None:
    event.team_change = True
    if event.team is UNSAID:
        # What it was changed to may have any shape: nobody had to read it before.
        with suppress(ValueError, msgspec.ValidationError):
            current = attribute_change("team_id", change).current_value
            if current is not UNSET:
                event.team = id_of("changed_attributes.team_id", current)


def _read_presence(event: Event, body: Payload) -> None:
    user = body.user
    if user is None:
        if body.users is not UNSET:
            event.connected = online_users(body.users)
            event.away = away_users(body.users)
        return
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
        if user.availability_status in ("online", *AWAY):
            event.available = user.availability_status not in AWAY
        if body.conversation_id is not UNSET:
            event.open_conversation = id_of("conversation_id", body.conversation_id)
