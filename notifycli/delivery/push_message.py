"""What a push says, and how a push service is to treat it."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import NamedTuple

import msgspec

from notifycli.rules.notifications import NotificationType as Type
from notifycli.secrets.vapid import encode_base64url
from notifycli.store.outbox import Notice

LONGEST_PLAINTEXT = 3993
"""Bytes: a push service must take a body of 4,096 (RFC 8030, 7.2), less RFC 8188's overhead."""
_DAY = 86_400
_LONGEST_NAME = 120
_TOPIC_BYTES = 24
_CUT = "…"
_JOINERS = "\u200d\ufe0e\ufe0f"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL = range(0x1F1E6, 0x1F200)


class Handling(NamedTuple):
    """How long a service keeps a push for a device that is offline, and how much it matters."""

    ttl: int
    """Seconds (RFC 8030, 5.2)."""
    urgency: str
    """RFC 8030, 5.3: "high" reaches a device that is low on battery."""


_ROUTINE = Handling(_DAY, "normal")
_HANDLING = {
    # What waits for this one person is still news after a weekend.
    Type.ASSIGNMENT: Handling(3 * _DAY, "normal"),
    Type.TEAM_ASSIGNMENT: Handling(3 * _DAY, "normal"),
    Type.MENTION: Handling(3 * _DAY, "high"),
    **dict.fromkeys((Type.SLA_FIRST, Type.SLA_NEXT, Type.SLA_RESOLUTION), Handling(_DAY, "high")),
}
_TITLES = {
    Type.CREATION: "New conversation with {contact}",
    Type.ASSIGNMENT: "Assigned to you: {contact}",
    Type.TEAM_ASSIGNMENT: "Given to your team: {contact}",
    Type.MENTION: "{author} mentioned you",
    Type.ASSIGNED_MESSAGE: "{author} wrote",
    Type.PARTICIPATING_MESSAGE: "{author} wrote",
    Type.UNASSIGNED_MESSAGE: "{author} wrote, and nobody is assigned",
    Type.SLA_FIRST: "First response missed: {contact}",
    Type.SLA_NEXT: "Next response missed: {contact}",
    Type.SLA_RESOLUTION: "Resolution time missed: {contact}",
}


class Content(msgspec.Struct):
    """What the service worker gets, as JSON; it shows the first three and opens the last."""

    title: str
    body: str
    tag: str
    url: str


class PushMessage(NamedTuple):
    """A push that is ready to be encrypted."""

    plaintext: bytes
    """At most `LONGEST_PLAINTEXT`."""
    headers: dict[str, str]


def message_of(notice: Notice, desk_url: str) -> PushMessage:
    """Write the push of a notice. `desk_url` is where the desk is; "" opens nothing on click."""
    conversation = notice.conversation_id
    tag = f"notifycli/{notice.account_id}/{'test' if conversation is None else conversation}"
    title = "This is a test" if notice.id == 0 else _TITLES[notice.type]
    title = title.format(
        contact=_name(notice.contact, "a customer"), author=_name(notice.author, "Somebody")
    )
    place = [f"#{conversation}"] if conversation is not None else []
    place += [_name(notice.inbox_name, "")] if notice.inbox_name else []
    body = "\n".join(filter(None, [" · ".join(place), notice.text]))
    url = f"{desk_url.rstrip('/')}/app/accounts/{notice.account_id}" if desk_url else ""
    if url and conversation is not None:
        url += f"/conversations/{conversation}"
    handling = _HANDLING.get(notice.type, _ROUTINE)
    headers = {
        "TTL": str(handling.ttl),
        "Urgency": handling.urgency,
        "Topic": topic(tag),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
    return PushMessage(_plaintext(Content(title, body, tag, url)), headers)


def topic(tag: str) -> str:
    """Give the topic of a tag, 32 characters of base64url: the later push replaces the earlier.

    RFC 8030, 5.4. A digest, since it is the one thing of a push that the service can read.
    """
    return encode_base64url(hashlib.sha256(tag.encode()).digest()[:_TOPIC_BYTES])


def cut(text: str, length: int) -> str:
    """Cut a text to at most `length` characters, and not within what is seen as one."""
    if len(text) <= length:
        return text
    end = max(length - len(_CUT), 0)
    while end > 0 and _are_one(text, end):
        end -= 1
    return f"{text[:end].rstrip()}{_CUT}" if length > 0 else ""


def _plaintext(content: Content) -> bytes:
    data = msgspec.json.encode(content)
    while len(data) > LONGEST_PLAINTEXT and content.body:
        # What is too much is at least a byte, and no character takes more than six in JSON.
        fewer = max(1, (len(data) - LONGEST_PLAINTEXT) // 6)
        content.body = cut(content.body, len(content.body) - fewer)
        data = msgspec.json.encode(content)
    return data


def _name(text: str, otherwise: str) -> str:
    return cut(text, _LONGEST_NAME) or otherwise


def _are_one(text: str, at: int) -> bool:
    """Whether the characters before and after a place are seen as one."""
    before, after = text[at - 1], text[at]
    if ord(after) in _REGIONAL and ord(before) in _REGIONAL:
        start = at
        while start > 0 and ord(text[start - 1]) in _REGIONAL:
            start -= 1
        return (at - start) % 2 == 1
    return (
        unicodedata.category(after).startswith("M")
        or after in _JOINERS
        or before == "\u200d"
        or ord(after) in _SKIN_TONES
    )
