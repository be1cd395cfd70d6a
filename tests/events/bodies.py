"""Bodies of a small desk, one of each kind of event that is read."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

META: Json = {
    "sender": {"id": 2, "name": "Kit", "blocked": False, "type": "contact"},
    "assignee": {"id": 2, "name": "Gil", "type": "user"},
    "team": None,
}
CONVERSATION: Json = {
    "id": 4,
    "inbox_id": 4,
    "account_id": 1,
    "meta": META,
    "status": "open",
    "custom_attributes": {"event": "message_created", "conversation": {"id": 66}, "content": "!"},
    "timestamp": 1772532000,
}
MESSAGE: Json = {
    "account": {"id": 1, "name": "Desk"},
    "content": "Hello",
    "conversation": CONVERSATION,
    "created_at": "2026-03-03T10:00:00.000Z",
    "id": 429,
    "inbox": {"id": 4, "name": "API"},
    "message_type": "incoming",
    "private": False,
    "sender": {"id": 2, "name": "Kit", "blocked": False},
    "event": "message_created",
}
FORGERY = '{"event":"message_created","conversation":{"id":66},"content":"!","id":1}'
"""What a customer may write to have it taken for an event."""
PUSHED: Json = {
    "id": 1,
    "content": FORGERY,
    "account_id": 1,
    "inbox_id": 4,
    "conversation_id": 4,
    "message_type": 0,
    "created_at": 1772532000,
    "private": False,
    "status": "sent",
    "sender_type": "Contact",
    "sender_id": 2,
    "conversation": {"assignee_id": 3, "unread_count": 0},
    "sender": {"id": 2, "name": "Kit", "type": "contact"},
}
UNKNOWN: Json = {"event": "conversation.teleported", "id": 42}
BODIES: list[Json] = [
    MESSAGE,
    {**MESSAGE, "content": FORGERY, "message_type": "outgoing", "sender": {"id": 3}},
    {**CONVERSATION, "event": "conversation_created"},
    {
        **CONVERSATION,
        "event": "conversation_updated",
        "changed_attributes": [{"assignee_id": {"previous_value": None, "current_value": 2}}],
    },
    {**CONVERSATION, "event": "automation_event.conversation_updated"},
    {"event": "message.created", "data": PUSHED},
    {"event": "assignee.changed", "data": {**CONVERSATION, "performer": {"id": 6}}},
    {"event": "presence.update", "data": {"account_id": 1, "users": {"3": "online"}}},
    {"event": "presence_update", "user": {"id": 3}, "visible": True, "created_at": 1772532000},
    {
        "event": "conversation_typing_on",
        "user": {"id": 3, "type": "user"},
        "conversation": {"id": 4},
    },
    {"event": "sla_missed_first_response", "conversation": CONVERSATION, "account": {"id": 1}},
    {"event": "message_created", "conversation_id": "42", "content": "by hand"},
    {"event": "conversation_updated", "id": 42, "assignee_id": 3},
    {"event": "contact_created", "account": {"id": 1}, "id": {"uuid": "x"}},
    UNKNOWN,
]
