"""What an event says beyond what the rules read: names and text, for the eyes of those told.

Only an event that fires is read a second time, so the rules need not decode what they don't use.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from notifycli.events.event import Event

LONGEST_TEXT = 1_000
_MAXIMUM_ENVELOPES = 4


class _Named(Struct):
    # Any: what isn't text is no name, and no reason to leave the event out either.
    name: Any = None
    email: Any = None
    phone_number: Any = None

    def called(self) -> str:
        return next(filter(None, map(_text, (self.name, self.email, self.phone_number))), "")


class _Meta(Struct):
    sender: _Named | None = None


class _Message(Struct):
    content: Any = None


class _Conversation(Struct):
    meta: _Meta | None = None


class _Body(Struct):
    content: Any = None
    sender: _Named | None = None
    inbox: _Named | None = None
    meta: _Meta | None = None
    conversation: _Conversation | None = None
    messages: list[_Message] | None = None
    body: Raw | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET

    def inside(self) -> Raw | None:
        """Give what this is an envelope of."""
        if self.conversation is not None or self.meta is not None or self.sender is not None:
            return None
        wrapped = (raw for raw in (self.body, self.payload, self.data) if raw is not UNSET)
        return next((raw for raw in wrapped if bytes(raw).lstrip().startswith(b"{")), None)


class Said(Struct, frozen=True):
    """Names and text; "" for what the event doesn't say."""

    contact: str = ""
    author: str = ""
    text: str = ""
    inbox: str = ""


_decode = msgspec.json.Decoder(_Body).decode


def read_said(line: bytes, event: Event) -> Said:
    """Read what an event says; what can't be read is as if it were not said."""
    try:
        body = _decode(line)
        for _ in range(_MAXIMUM_ENVELOPES):
            inner = body.inside()
            if inner is None:
                break
            body = _decode(inner)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return Said()
    inner_meta = body.conversation.meta if body.conversation else None
    contact = next((m.sender for m in (body.meta, inner_meta) if m and m.sender), None)
    if contact is None and event.message is not None and event.message.type == "incoming":
        contact = body.sender
    opening = body.messages[-1:] if event.name == "conversation_created" and body.messages else ()
    author = body.sender if event.message is not None else None
    return Said(
        "" if contact is None else contact.called(),
        "" if author is None else author.called(),
        next(filter(None, (_text(m.content) for m in (body, *opening))), "")[:LONGEST_TEXT],
        "" if body.inbox is None else _text(body.inbox.name),
    )


def event_key(event: Event, own_time: int | None, line: bytes) -> bytes:
    """Give what an event is known by, however often and wherever it is received.

    Of a message with an id, that is the account, the event's name, the conversation and the
    message: its time is left out, since a webhook and the live socket write it with different
    precision. Of any other event of a conversation it is the time instead of the message: the
    event's `own_time`, not one that the replay has taken from the event before. Else it is the
    line itself: then the same event in another envelope counts as another event.
    """
    parts: tuple[object, ...]
    if event.message is not None and event.message.id is not None:
        parts = ("message", event.conversation, event.message.id)
    elif event.message is None and event.conversation is not None and own_time is not None:
        parts = ("time", event.conversation, own_time)
    else:
        parts = ("line", line.strip())
    identity = repr((event.account, event.name, *parts)).encode()
    return blake2b(identity, digest_size=16).digest()


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
