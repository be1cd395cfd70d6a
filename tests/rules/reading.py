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


class BadLineError(Exception):
    """The line says nothing that can be replayed."""


@dataclass
class Event:
    line: int
    name: str
    account: int
    conversation: int | None
    inbox: int | None
    status: str | None
    assignee: int | Absent | None
    team: int | None
    changes: dict[str, tuple[Any, Any]]
    performed_by: int | None
    blocked: bool | None
    participants: set[int] | None
    message: int | None
    content: str
    message_type: str | None
    private: bool
    author: int | None
    time: int | None
    present_user: int | None
    visible: bool | None
    shown_conversation: int | Absent | None

    @property
    def is_private_note(self) -> bool:
        return self.message_type == "outgoing" and self.private


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
    if value is not None and not isinstance(value, kind):
        raise BadLineError(f"no {kind.__name__}: {value!r}")
    return value


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_microseconds(value: Any) -> int | None:
    if value is None:
        return None
    try:
        if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            when = datetime.fromisoformat(value.replace(" UTC", "+00:00"))
            if when.tzinfo is None:
                when = when.replace(tzinfo=UTC)
            return (when - EPOCH) // timedelta(microseconds=1)
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise BadLineError(f"no time: {value!r}")
        microseconds = int(Decimal(value) * 1_000_000)
        EPOCH + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError) as error:
        raise BadLineError(f"no time: {value!r}") from error
    return microseconds


def unwrap(line: Json) -> Json:
    if any(name in line for name in ("id", "conversation", "conversation_id")):
        return line
    for envelope in ("body", "payload", "data"):
        inner = line.get(envelope)
        if isinstance(inner, dict):
            return {"event": line.get("event"), **inner}
    return line


def read_account(body: Json, fallback_account: int) -> int:
    found = first(body, "account.id", "account_id", "conversation.account_id")
    if found is None:
        messages = as_kind(first(body, "messages", "conversation.messages"), list)
        if messages:
            found = look({"message": messages[0]}, "message.account_id")
    account = None if found is ABSENT else as_id(found)
    return fallback_account if account is None else account


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


def read_performed_by(body: Json) -> int | None:
    if first(body, "performed_by.type") != "user":
        return None
    return as_id(first(body, "performed_by.id"))


def read_author(body: Json) -> int | None:
    if first(body, "sender.type") == "user":
        return as_id(first(body, "sender.id"))
    if body.get("sender_type") == "User":
        return as_id(body.get("sender_id"))
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


def read_message_type(body: Json) -> str | None:
    given = body.get("message_type")
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < len(MESSAGE_TYPES):
        return MESSAGE_TYPES[given]
    if given is None or given in MESSAGE_TYPES:
        return given
    raise BadLineError(f"no message type: {given!r}")


def read_present_user(body: Json, name: str) -> int | None:
    typing = name in TYPING_EVENTS and first(body, "user.type") == "user"
    return as_id(first(body, "user.id")) if typing or name == "presence_update" else None


def read_event(number: int, line: str, fallback_account: int) -> Event | None:
    try:
        outer = json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise BadLineError("no JSON") from error
    if not isinstance(outer, dict):
        raise BadLineError("no object")
    body = unwrap(outer)
    if not isinstance(body.get("event"), str):
        raise BadLineError("no event name")
    name = body["event"].replace(".", "_")
    if name not in KNOWN_EVENTS:
        return None

    conversation_paths = ["conversation.id", "conversation.display_id", "conversation_id"]
    status_paths = ["conversation.status"]
    time_paths: list[str] = []
    if name in CONVERSATION_EVENTS:
        conversation_paths.insert(0, "id")
        status_paths.insert(0, "status")
    if name in CONVERSATION_EVENTS or name in TYPING_EVENTS:
        time_paths = ["updated_at", "last_activity_at", "timestamp", "created_at"]
    if name in MESSAGE_EVENTS or name == "presence_update":
        time_paths = ["created_at"]

    is_presence = name == "presence_update"
    shown = body.get("conversation_id", ABSENT)
    is_message = name in MESSAGE_EVENTS
    changes = read_changes(body)
    return Event(
        line=number,
        name=name,
        account=read_account(body, fallback_account),
        conversation=as_id(first(body, *conversation_paths)),
        inbox=as_id(first(body, "inbox_id", "inbox.id", "conversation.inbox_id")),
        status=as_kind(first(body, *status_paths), str)
        or changes.get("status", (None, None))[1]
        or STATUS_BY_NAME.get(name),
        assignee=read_assignee(body, changes),
        team=as_id(first(body, "meta.team.id", "conversation.meta.team.id")),
        changes=changes,
        performed_by=read_performed_by(body),
        blocked=read_blocked(body),
        participants=read_participants(body),
        message=as_id(body.get("id")) if is_message else None,
        content=(as_kind(body.get("content"), str) or "") if is_message else "",
        message_type=read_message_type(body) if is_message else None,
        private=bool(as_kind(body.get("private"), bool)) if is_message else False,
        author=read_author(body) if is_message else None,
        time=as_microseconds(first(body, *time_paths)),
        present_user=read_present_user(body, name),
        visible=as_kind(body.get("visible"), bool) if is_presence else None,
        shown_conversation=shown if shown is ABSENT else as_id(shown),
    )
