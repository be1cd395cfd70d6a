"""What an event says beyond what the rules read: names and text, for the eyes of those told.

Only an event that fires is read a second time, so the rules need not decode what they don't use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from notifycli.events.decode import decode_body
from notifycli.events.event import Due, Event
from notifycli.events.payload import ChangedAttributes, attribute_change, decode_payload, id_of

LONGEST_TEXT = 1_000
_KINDS = {"sticker": "sticker", "voice_call": "call"}
"""Messages that are what their `content_type` says, whatever is attached."""
_FILES = {
    "image": "picture",
    "audio": "voice message",
    "video": "video",
    "file": "file",
    "location": "location",
    "contact": "contact",
    "fallback": "link",
    "share": "shared post",
    "story_mention": "story",
    "ig_reel": "reel",
}
"""Attachments, by Chatwoot's `file_type`."""
_NAMED_FILES = frozenset({"file", "location", "contact", "fallback"})
_FILE_NAME = re.compile(r"/(?P<name>[^/?#]+)(?:[?#].*)?$", re.DOTALL)
# Chatwoot's own markup, [@Jane](mention://user/7/Jane), whose label may be missing.
_MENTION = re.compile(
    r"(?:\[(?P<label>[^][\n]*)\])?\(mention://(?:user|team)/\d{1,18}/(?P<name>[^)\n]+)\)", re.ASCII
)


class _NameAndEmail(Struct):
    # Any: what isn't text is no name, and no reason to leave the event out either.
    name: Any = None
    email: Any = None
    phone_number: Any = None

    def display_name(self) -> str:
        return next(filter(None, map(_text, (self.name, self.email, self.phone_number))), "")


class _ContentMeta(Struct):
    sender: _NameAndEmail | None = None


class _ContentMessage(Struct):
    content: Any = None
    content_type: Any = None
    attachments: Any = None


class _ContentConversation(Struct):
    meta: _ContentMeta | None = None


class _ContentBody(_ContentMessage):
    sender: _NameAndEmail | None = None
    inbox: _NameAndEmail | None = None
    meta: _ContentMeta | None = None
    conversation: _ContentConversation | None = None
    messages: list[_ContentMessage] | None = None


class Said(Struct, frozen=True):
    """Names and text; "" for what the event doesn't say."""

    contact: str = ""
    author: str = ""
    text: str = ""
    inbox: str = ""


_decode = msgspec.json.Decoder(_ContentBody).decode


def read_said(line: bytes, event: Event) -> Said:
    """Read what an event says; what can't be read is as if it were not said."""
    try:
        try:
            body = decode_body(line, _decode)
        except UnicodeDecodeError:  # in a name, which the rules don't read
            body = decode_body(line.decode(errors="replace").encode(), _decode)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return Said()
    inner_meta = body.conversation.meta if body.conversation else None
    contact = next((m.sender for m in (body.meta, inner_meta) if m and m.sender), None)
    if contact is None and event.message is not None and event.message.type == "incoming":
        contact = body.sender
    opening = body.messages[-1:] if event.name == "conversation_created" and body.messages else ()
    author = body.sender if event.message is not None else None
    return Said(
        "" if contact is None else contact.display_name(),
        "" if author is None else author.display_name(),
        _quotation((body, *opening), is_message=event.message is not None)[:LONGEST_TEXT],
        "" if body.inbox is None else _text(body.inbox.name),
    )


def _quotation(messages: Iterable[_ContentMessage], *, is_message: bool) -> str:
    """Return the first of these texts that says something; of a message that is never ""."""
    found = next(filter(None, map(_show, messages)), "")
    return found or ("[no text]" if is_message else "")


def _show(message: _ContentMessage) -> str:
    """Return a message's text as Chatwoot shows it, and after it what came with it."""
    text = _MENTION.sub(lambda found: f"@{_mention_names(found)}", _text(message.content))
    if kind := _KINDS.get(_text(message.content_type)):
        labels = [f"[{kind}]"]
    else:
        given = message.attachments if isinstance(message.attachments, list) else ()
        labels = [_label(one) for one in given if isinstance(one, dict)]
    return "\n".join(filter(None, (text, " ".join(labels)))).strip()


def _mention_names(markup: re.Match[str]) -> str:
    label = (markup["label"] or "").strip().removeprefix("@")
    return label or unquote(markup["name"])


def _label(attachment: dict[str, Any]) -> str:
    kind = _text(attachment.get("file_type"))
    title = _text(attachment.get("fallback_title"))
    if kind == "file":
        found = _FILE_NAME.search(_text(attachment.get("data_url")))
        title = title or (unquote(found["name"]) if found else "")
    named = f": {title}" if title and kind in _NAMED_FILES else ""
    return f"[{_FILES.get(kind, 'attachment')}{named}]"


def event_key(event: Event, own_time: int | None, line: bytes) -> bytes:
    """Give what an event is known by, however often and wherever it is received.

    Of a message with an id, that is the account, the event's name, the conversation and the
    message: its time is left out, since a webhook and the live socket write it with different
    precision. Of any other event of a conversation it is the time instead of the message: the
    event's `own_time`, not one that the replay has taken from the event before. Else it is the
    line itself: then the same event in another envelope counts as another event. A digest is known
    by whose it is and when it was due, and what tells of a customer's wait by when that began.
    """
    parts: tuple[object, ...]
    if isinstance(event, Due) and event.user:
        parts = ("digest", event.user, event.at, () if event.at else event.told)
    elif isinstance(event, Due):
        return wait_key(event.account, event.name, event.conversation, event.since)
    elif event.message is not None and event.message.id is not None:
        parts = ("message", event.conversation, event.message.id)
    elif event.message is None and event.conversation is not None and own_time is not None:
        parts = ("time", event.conversation, own_time)
    else:
        parts = ("line", line.strip())
    return _digest(event.account, event.name, *parts)


def change_key(key: bytes, attribute: str, line: bytes) -> bytes | None:
    """Give what a change is known by among others of the same key: by what was before, too.

    That is said alike by a webhook and by what is rebuilt from the history. `None` if the event
    doesn't tell of such a change.
    """
    try:
        changed = decode_body(line, decode_payload).changed_attributes or ()
        for change in [changed] if isinstance(changed, ChangedAttributes) else changed:
            raw = getattr(change, attribute)
            if isinstance(raw, Raw):
                before = attribute_change(attribute, raw).previous_value
                return _digest(key, "from", id_of(attribute, before))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        pass  # What was before need not be readable for the event to fire.
    return None


def wait_key(account: int | None, type_: str, conversation: int | None, since: int | None) -> bytes:
    """Give what that is known by which tells of a customer's wait; `since` is when that began."""
    return _digest(account, type_, "wait", conversation, since)


def _digest(*identity: object) -> bytes:
    return blake2b(repr(identity).encode(), digest_size=16).digest()


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
