"""The bodies in a JSON text, out of whatever receivers, queues and exports have put around them.

An object that has an `event` of its own, or beside whose `event` it stands, is the body, whatever
stands beside it. What customers can write into is never looked into: they could forge events.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from notifycli.events.event_names import (
    CONVERSATION_EVENTS,
    MESSAGE_EVENTS,
    PRESENCE,
    SLA_EVENTS,
    TYPING_EVENTS,
    is_known,
    normal_name,
)
from notifycli.events.payload import Time

T = TypeVar("T")
_DEEPEST = 16
"""How many objects, lists and texts may be around a body."""
_ENVELOPES = (
    *("body", "payload", "data", "message", "raw", "json", "record", "value", "log", "records"),
    *("request", "line", "msg", "text", "rawbody", "request_body", "jsonpayload", "textpayload"),
    *("entries", "item", "items", "events", "postdata"),
    *("detail", "_source", "source", "event", "event_data", "hook", "webhook", "params"),
)
"""Names under which bodies are found, in any case, in the order in which they are looked into."""
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
_MAY_HOLD_ONE = re.compile(rb'event|"e[yw]').search
"""`"e` is how an object begins in base64."""

_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode
_decode_string = msgspec.json.Decoder(str).decode
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


def is_control_frame(text: bytes) -> bool:
    """Whether a JSON text is a frame of a cable that carries no event: a ping, a confirmation."""
    try:
        fields = _decode_object(text)
    except msgspec.ValidationError:
        return False
    return "event" not in fields and "type" in fields and _string(fields["type"]) in _CONTROL


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
        # A list of another kind of thing is passed over whole.
        nodes = _decode_array(node) if depth and _MAY_HOLD_ONE(text) else ()
        return [body for one in nodes for body in _bodies(one, depth - 1)]
    inner = _json_in(node) if text[:1] == b'"' and depth and _MAY_HOLD_ONE(text) else None
    try:
        return [] if inner is None else decode_mended(inner, lambda it: _bodies(it, depth - 1))
    except msgspec.DecodeError:
        return []  # a text that only looks like JSON


def _bodies_of_object(node: bytes | Raw, fields: Fields, depth: int) -> list[Body]:
    name = _string(fields["event"]) if "event" in fields else None
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
    whole = name is not None and is_complete(name, fields)
    if whole or unknown:
        return [] if whole else unknown
    passed_over = _RANK.keys() | _BY_CUSTOMERS
    if name is not None or not _SUBJECT.isdisjoint(fields):
        passed_over |= _BY_CHATWOOT
    others = (raw for key, raw in fields.items() if key not in passed_over and _may_hold_one(raw))
    found = [body for raw in others for body in _bodies(raw, depth - 1)]
    return [body for body in found if is_known(body.event)]


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
    if name in MESSAGE_EVENTS:
        return "conversation" in fields or "conversation_id" in fields
    if name in CONVERSATION_EVENTS or name in SLA_EVENTS:
        return "id" in fields and (alone or not _CONVERSATION.isdisjoint(fields))
    if name in TYPING_EVENTS:
        return "conversation" in fields or "user" in fields
    if name == PRESENCE:
        return "users" in fields or "user" in fields
    return True


def _by_rank(fields: Fields) -> list[str]:
    return sorted((key for key in fields if key.lower() in _RANK), key=lambda k: _RANK[k.lower()])


def _may_hold_one(raw: Raw) -> bool:
    return _MAY_HOLD_ONE(bytes(raw)) is not None


def _json_in(raw: Raw | bytes) -> bytes | None:
    """Return the JSON text that a string holds: plain, in base64, after what a log has put."""
    text = without_hex(_decode_string(raw).strip().encode(errors="replace"))
    if text[:2] in (b"ey", b"ew"):
        try:
            text = b64decode(text, validate=True)
        except ValueError:
            return None
    if text[:1] in (b"{", b"["):
        return text
    start = text.find(b'{"')
    return text[start:] if start > 0 and text.endswith(b"}") else None


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
