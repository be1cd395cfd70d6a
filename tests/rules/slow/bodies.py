"""`spec/events.md`: from one line of input to the values that the rules read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

Json = dict[str, Any]


class Absent(Enum):
    """Not carried by the event: something else than an explicit null."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

SLA_EVENTS = ("sla_missed_first_response", "sla_missed_next_response", "sla_missed_resolution")
STATUS_EVENTS = ("conversation_status_changed", "conversation_opened", "conversation_resolved")
CONVERSATION_EVENTS = (
    "conversation_created",
    "conversation_updated",
    "assignee_changed",
    "team_changed",
    "conversation_bot_handoff",
    *STATUS_EVENTS,
    *SLA_EVENTS,
)
MESSAGE_EVENTS = ("message_created", "message_updated")
TYPING_EVENTS = ("conversation_typing_on", "conversation_typing_off")
SILENT_EVENTS = ("contact_created", "contact_updated", "webwidget_triggered", "inbox_created")
KNOWN_EVENTS = (
    *CONVERSATION_EVENTS,
    *MESSAGE_EVENTS,
    *TYPING_EVENTS,
    "presence_update",
    *SILENT_EVENTS,
)
STATUS_BY_NAME = {
    "conversation_opened": "open",
    "conversation_resolved": "resolved",
    "conversation_bot_handoff": "open",
}
MESSAGE_TYPES = ("incoming", "outgoing", "activity", "template")
CONNECTED = ("online", "busy")
AVAILABILITIES = (*CONNECTED, "offline")


class BadLineError(Exception):
    """The line says nothing that can be replayed."""


@dataclass
class Event:
    line: int
    name: str
    body: Json
    account: int
    conversation: int | None
    inbox: int | None
    status: str | None
    assignee: int | Absent | None
    team: int | Absent | None
    changes: dict[str, tuple[Any, Any]]
    performer: int | None
    """The user who did it, where the event says so."""
    first_author: int | None
    """The agent who wrote the outgoing message that a conversation's own event carries."""
    blocked: bool | None
    participants: set[int] | None
    message: int | None
    content: str
    message_type: str | None
    private: bool
    author: int | None
    sender: int | None
    """The sender's number, whatever the sender is: Chatwoot's own sounds go by it."""
    time: int | None
    present_user: int | None
    """Whom a presence event is about."""
    typist: int | None
    connected: set[int] | None
    availabilities: dict[int, str] | None
    """What Chatwoot's own form of a presence event says of everybody."""
    availability: str | None
    """What a presence event says of the user whom it is about."""
    visible: bool | None
    shown_conversation: int | Absent | None

    @property
    def assignee_named_by_the_change(self) -> int | None:
        named = self.changes.get("assignee_id", (None, None))[1]
        return as_id(named)


# "Ids may be numbers or strings of digits"


def look(body: Json, path: str) -> Any:
    value: Any = body
    for name in path.split("."):
        if value is None or value is ABSENT:
            return ABSENT
        if not isinstance(value, dict):
            raise BadLineError(path)
        value = value.get(name, ABSENT)
    return value


def first(body: Json, *paths: str) -> Any:
    for path in paths:
        value = look(body, path)
        if value is not ABSENT and value is not None:
            return value
    return None


def as_id(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch("[0-9]+", value):
        return int(value)
    raise BadLineError(f"no id: {value!r}")


def as_kind(value: Any, kind: type) -> Any:
    """The value, if it is of that kind or null."""
    if value is not None and not isinstance(value, kind):
        raise BadLineError(f"no {kind.__name__}: {value!r}")
    return value


# "time": ISO 8601, RFC 3339, or Unix seconds, milliseconds or microseconds, told apart by size

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 10**11
MICROSECONDS_FROM = 10**14


def as_microseconds(value: Any) -> int | None:
    if value is None:
        return None
    try:
        if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            when = datetime.fromisoformat(value.upper().replace(" UTC", "+00:00"))
            if when.tzinfo is None:
                when = when.replace(tzinfo=UTC)
            return (when - EPOCH) // timedelta(microseconds=1)
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise BadLineError(f"no time: {value!r}")
        number = Decimal(value)
        if abs(number) >= MICROSECONDS_FROM:
            microseconds = int(number)
        elif abs(number) >= MILLISECONDS_FROM:
            microseconds = int(number * 1_000)
        else:
            microseconds = int(number * 1_000_000)
        EPOCH + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError) as error:
        raise BadLineError(f"no time: {value!r}") from error
    return microseconds


# "Envelopes"

ENVELOPES = (
    "body",
    "payload",
    "data",
    "message",
    "raw",
    "json",
    "record",
    "value",
    "log",
    "Records",
    "request",
)
CABLE_TALK = ("ping", "welcome", "confirm_subscription", "disconnect", "reject_subscription")


def parsed(value: Any) -> Any:
    """What a string that holds JSON holds; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value, parse_float=Decimal)
    except ValueError:
        return value


def unwrap(outer: Json) -> Json | None:
    """The body inside, with the `received_at` that stands beside it; none if there is no body."""
    for name in ENVELOPES:
        inner = parsed(outer.get(name))
        if isinstance(inner, list) and len(inner) == 1:
            inner = parsed(inner[0])
        if not isinstance(inner, dict):
            continue
        body = unwrap(inner)
        if body is None and has_name(outer) and name == "data":
            body = {"event": outer["event"], **inner}
        if body is not None:
            # Of a cable's frame inside a receiver's record, it is the outer one that has it.
            received_at = first(body, "received_at") or outer.get("received_at")
            return {**body, "received_at": received_at}
    return outer if has_name(outer) else None


def has_name(outer: Json) -> bool:
    name = outer.get("event")
    return isinstance(name, str) and bool(name.strip())


# "Fields read": a function a row


def read_account(body: Json, fallback_account: int) -> int:
    found = first(body, "account.id", "account_id", "conversation.account_id")
    if found is None:
        messages = read_messages(body)
        if messages:
            found = first({"message": messages[0]}, "message.account_id")
    account = as_id(found)
    return fallback_account if account is None else account


def read_messages(body: Json) -> list[Any]:
    return as_kind(first(body, "messages", "conversation.messages"), list) or []


def read_status(body: Json, name: str, changes: dict[str, tuple[Any, Any]]) -> str | None:
    paths = ("status", "conversation.status") if name in CONVERSATION_EVENTS else ()
    given = as_kind(first(body, *paths or ("conversation.status",)), str)
    status = given or changes.get("status", (None, None))[1] or STATUS_BY_NAME.get(name)
    return in_todays_words(status)


def in_todays_words(status: Any) -> str | None:
    found: str | None = as_kind(status, str)
    return "pending" if found == "bot" else found


def read_changes(body: Json) -> dict[str, tuple[Any, Any]]:
    given = body.get("changed_attributes")
    changes: dict[str, tuple[Any, Any]] = {}
    for entry in given if isinstance(given, list) else [given or {}]:
        for name, change in (as_kind(entry, dict) or {}).items():
            if isinstance(change, dict):
                changes[name] = (change.get("previous_value"), change.get("current_value"))
            elif isinstance(change, list) and len(change) == 2:
                changes[name] = (change[0], change[1])
    return changes


def read_assignee(body: Json, changes: dict[str, tuple[Any, Any]]) -> int | Absent | None:
    if first(body, "meta.assignee_type", "conversation.meta.assignee_type") not in (None, "User"):
        return None
    for path in ("meta.assignee", "conversation.meta.assignee"):
        assignee = look(body, path)
        if assignee is None:
            return None
        if assignee is not ABSENT and look(body, path + ".id") is not ABSENT:
            return as_id(look(body, path + ".id"))
    for path in ("conversation.assignee_id", "assignee_id"):
        assignee = look(body, path)
        if assignee is not ABSENT:
            return as_id(assignee)
    if "assignee_id" in changes:
        return as_id(changes["assignee_id"][1])
    return ABSENT


def read_team(body: Json, changes: dict[str, tuple[Any, Any]]) -> int | Absent | None:
    for path in ("meta.team", "conversation.meta.team"):
        team = look(body, path)
        if team is None:
            return None
        if team is not ABSENT and look(body, path + ".id") is not ABSENT:
            return as_id(look(body, path + ".id"))
    if "team_id" in changes:
        return as_id(changes["team_id"][1])
    return ABSENT


def read_performer(body: Json) -> int | None:
    if first(body, "performed_by.type") == "user" and first(body, "performed_by.id") is not None:
        return as_id(first(body, "performed_by.id"))
    if first(body, "performer.type") in (None, "user"):
        return as_id(first(body, "performer.id"))
    return None


def read_first_author(body: Json) -> int | None:
    messages = read_messages(body)
    if not messages or read_message_type(as_kind(messages[-1], dict)) != "outgoing":
        return None
    return read_author(messages[-1])


def read_author(message: Json) -> int | None:
    if first(message, "sender.type") == "user":
        return as_id(first(message, "sender.id"))
    if message.get("sender_type") == "User":
        return as_id(message.get("sender_id"))
    return None


def read_blocked(body: Json) -> bool | None:
    blocked = first(body, "meta.sender.blocked", "conversation.meta.sender.blocked")
    by_contact = first(body, "sender.type") in (None, "contact")
    if blocked is None and by_contact and body.get("sender_type") in (None, "Contact"):
        blocked = first(body, "sender.blocked")
    found: bool | None = as_kind(blocked, bool)
    return found


def read_participants(body: Json) -> set[int] | None:
    listed = as_kind(first(body, "participants", "conversation.participants"), list)
    if listed is None:
        return None
    ids = {as_id(one.get("id") if isinstance(one, dict) else one) for one in listed}
    return {one for one in ids if one is not None}


def read_message_type(message: Json) -> str | None:
    given = message.get("message_type")
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < len(MESSAGE_TYPES):
        return MESSAGE_TYPES[given]
    if given is None:
        return None
    if given in MESSAGE_TYPES:
        return str(given)
    raise BadLineError(f"no message type: {given!r}")


def read_time(body: Json, name: str) -> int | None:
    paths: tuple[str, ...] = ()
    if name in CONVERSATION_EVENTS or name in TYPING_EVENTS:
        paths = ("updated_at", "last_activity_at", "timestamp", "created_at")
    if name in MESSAGE_EVENTS or name == "presence_update":
        paths = ("created_at",)
    return as_microseconds(first(body, *paths, "received_at"))


def read_present_user(body: Json, name: str) -> int | None:
    return as_id(first(body, "user.id")) if name == "presence_update" else None


def read_typist(body: Json, name: str) -> int | None:
    typing = name in TYPING_EVENTS and first(body, "user.type") == "user"
    return as_id(first(body, "user.id")) if typing else None


def read_connected(body: Json, name: str) -> set[int] | None:
    users = as_kind(body.get("users"), dict)
    if name != "presence_update" or users is None:
        return None
    ids = {as_id(user) for user, status in users.items() if status in CONNECTED}
    return {one for one in ids if one is not None}


def read_availabilities(body: Json, name: str) -> dict[int, str] | None:
    """beyond.md, section 4."""
    users = as_kind(body.get("users"), dict)
    if name != "presence_update" or users is None:
        return None
    said = {as_id(user): status for user, status in users.items() if status in AVAILABILITIES}
    return {user: status for user, status in said.items() if user is not None}


def read_availability(body: Json, name: str) -> str | None:
    said = first(body, "user.availability_status") if name == "presence_update" else None
    return said if said in AVAILABILITIES else None


def read_conversation(body: Json, name: str) -> int | None:
    paths = ["conversation.id", "conversation.display_id", "conversation_id"]
    if name in CONVERSATION_EVENTS:
        paths.insert(0, "id")
    conversation = as_id(first(body, *paths))
    if conversation is None and name in (*CONVERSATION_EVENTS, *MESSAGE_EVENTS):
        raise BadLineError("no conversation")
    return conversation


def read_body(outer: Json) -> Json | None:
    """The body of a line; none where a live socket only talks about itself."""
    body = unwrap(outer)
    if body is None:
        if outer.get("type") in CABLE_TALK:
            return None
        raise BadLineError("no event name")
    return body


def read_event(number: int, line: str, fallback_account: int) -> Event | None:
    try:
        outer = json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise BadLineError("no JSON") from error
    body = read_body(as_kind(outer, dict) or {})
    if body is None:
        return None
    name = body["event"].replace(".", "_")
    if name not in KNOWN_EVENTS:
        return None
    is_message = name in MESSAGE_EVENTS
    facts = ("id", "content", "message_type", "sender")
    if is_message and all(body.get(fact) is None for fact in facts):
        raise BadLineError("a message of which nothing is said")
    is_presence = name == "presence_update"
    shown = body.get("conversation_id", ABSENT)
    changes = read_changes(body)
    return Event(
        line=number,
        name=name,
        body=body,
        account=read_account(body, fallback_account),
        conversation=read_conversation(body, name),
        inbox=as_id(first(body, "inbox_id", "inbox.id", "conversation.inbox_id")),
        status=read_status(body, name, changes),
        assignee=read_assignee(body, changes),
        team=read_team(body, changes),
        changes=changes,
        performer=read_performer(body),
        first_author=read_first_author(body) if name == "conversation_created" else None,
        blocked=read_blocked(body),
        participants=read_participants(body),
        message=as_id(body.get("id")) if is_message else None,
        content=(as_kind(body.get("content"), str) or "") if is_message else "",
        message_type=read_message_type(body) if is_message else None,
        private=bool(as_kind(body.get("private"), bool)) if is_message else False,
        author=read_author(body) if is_message else None,
        sender=as_id(first(body, "sender.id", "sender_id")) if is_message else None,
        time=read_time(body, name),
        present_user=read_present_user(body, name),
        typist=read_typist(body, name),
        connected=read_connected(body, name),
        availabilities=read_availabilities(body, name),
        availability=read_availability(body, name),
        visible=as_kind(body.get("visible"), bool) if is_presence else None,
        shown_conversation=as_id(shown) if is_presence and shown is not ABSENT else ABSENT,
    )
