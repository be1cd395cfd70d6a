"""Reading a line: a body out of its envelopes, and what is wrong with one that is no event."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from notifycli.events import payload as sent
from notifycli.events.event import Event
from notifycli.events.event_names import (
    KNOWN_EVENTS,
    READ_EVENTS,
    normal_name,
)
from notifycli.events.facts import read_facts
from notifycli.events.payload import Payload

_MAXIMUM_ENVELOPES = 4
_AT_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


class EventError(ValueError):
    """A line that is no event. The message names the field, and is free of control characters."""


def decode_event(line: bytes, number: int) -> Event:
    """Read one line of a replay. Raises `EventError`."""
    try:
        try:
            body = sent.decode_payload(line)
        except msgspec.ValidationError:
            body, place = _inside(line)
        else:
            place = line
        if body.conversation is None:
            body, place = _unwrapped(body, place)
        return read_facts(body, number, place)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        name = _name_if_readable(line)
        if name is not None and name not in READ_EVENTS:
            return Event(number, name, known=name in KNOWN_EVENTS)
        raise EventError(told(error)) from None


def unwrap(line: bytes) -> bytes | Raw:
    """Give the body in a line, out of its envelopes. Raises msgspec's errors."""
    try:
        body, place = sent.decode_payload(line), line
    except msgspec.ValidationError:
        body, place = _inside(line)
    return _unwrapped(body, place)[1]


def _unwrapped(body: Payload, place: bytes | Raw) -> tuple[Payload, bytes | Raw]:
    name, received = body.event, body.received_at
    for _ in range(_MAXIMUM_ENVELOPES):
        inner = body.wrapped()
        if inner is None:
            break
        body, place = sent.decode_payload(inner), inner
        name = body.event = body.event or name
        received = body.received_at = body.received_at or received
    return body, place


def _inside(line: bytes) -> tuple[Payload, bytes | Raw]:
    """Decode what is in an envelope: it may have fields of these names that are none of ours."""
    envelope = sent.decode_envelope(line)
    # Without anything inside, this tells again what is wrong with the line itself.
    place = sent.first_object(envelope.body, envelope.payload, envelope.data) or line
    body = sent.decode_payload(place)
    body.event = body.event or envelope.event
    body.received_at = body.received_at or envelope.received_at
    return body, place


def _name_if_readable(line: bytes) -> str | None:
    try:
        return normal_name(sent.decode_name(line).event)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def told(error: Exception) -> str:
    """Give what is wrong with a line, in the words of a user."""
    text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    match = _AT_PATH.fullmatch(text)
    if match:
        text = f"{match[2]}: {match[1]}" if match[2] else f"no JSON object: {match[1]}"
    elif isinstance(error, msgspec.DecodeError) or text.startswith("Expected `object`"):
        text = f"no JSON object: {text}"
    text = text.replace("`", "").replace("Expected", "expected")
    return "".join(char if char.isprintable() else "�" for char in text)
