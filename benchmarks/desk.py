"""A desk and its traffic, made up: bodies of the size and shape that a server sends."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from notifycli.rules.directory import Inbox, Team, User
from notifycli.store.store import open_store

Json = dict[str, Any]
_OTHERS, _AGENTS = 0.1, 0.5
"""Of ten events, one is no message and four are an agent's."""
_NOON = 1_772_539_200
_CONTENT = "The parcel has not arrived yet, and nobody could tell me where it is."
_CONTACT = {
    "additional_attributes": {"city": "Berlin", "country": "Germany", "country_code": "DE"},
    "custom_attributes": {"plan": "gold"},
    "email": "mia@example.org",
    "id": 18,
    "identifier": None,
    "name": "Mia Müller",
    "phone_number": "+491701234567",
    "thumbnail": "https://desk.example.com/rails/active_storage/representations/mia.png",
    "blocked": False,
    "type": "contact",
}
_VISIT = {
    "browser": {
        "device_name": "Unknown",
        "browser_name": "Chrome",
        "platform_name": "Generic Linux",
        "browser_version": "136.0.0.0",
        "platform_version": "0",
    },
    "referer": "https://shop.example.com/orders/where-is-my-parcel",
    "initiated_at": {"timestamp": "Tue Mar 03 2026 12:00:00 GMT+0100 (CET)"},
    "browser_language": "de",
}


class Size(NamedTuple):
    """How large a desk is."""

    agents: int
    inboxes: int
    teams: int = 0
    members: int = 0
    """The members of each inbox and team; all agents if 0."""


def fill(path: Path, size: Size) -> Path:
    """Make a store with a desk of that size; gives its path."""
    agents = range(1, size.agents + 1)

    def some(first: int) -> tuple[int, ...]:
        if not size.members:
            return tuple(agents)
        return tuple(sorted({(first * 7 + n) % size.agents + 1 for n in range(size.members)}))

    with open_store(path) as store, store.change(1, "benchmark", "benchmark") as change:
        change.put_users([User(n, f"agent{n}@example.com", f"Agent {n}") for n in agents])
        for number in range(1, size.inboxes + 1):
            change.put_inbox(Inbox(number, f"Inbox {number}", some(number)))
        for number in range(1, size.teams + 1):
            change.put_team(Team(number, f"Team {number}", some(number)))
    return path


def write_events(path: Path, count: int, size: Size, conversations: int = 2000) -> Path:
    """Write that many bodies, of some 3 KB, as a server sends them; gives the path."""
    encode = msgspec.json.encode
    chance = random.Random(1)  # noqa: S311 - the same traffic each time
    with path.open("wb") as file:
        for number in range(count):
            conversation = chance.randrange(1, conversations + 1)
            file.write(encode(body_of(number, conversation, size, chance)) + b"\n")
    return path


def write_creations(path: Path, count: int) -> Path:
    """Write that many new conversations of inbox 1; gives the path."""
    encode, size = msgspec.json.encode, Size(1, 1)
    with path.open("wb") as file:
        for number in range(count):
            body = conversation_of(number + 1, size, number) | {"event": "conversation_created"}
            body["meta"]["assignee"] = None
            file.write(encode(body) + b"\n")
    return path


def body_of(number: int, conversation: int, size: Size, chance: random.Random) -> Json:
    """Make a body with the fields of those that a Chatwoot 4 sent, in their order."""
    inner = conversation_of(conversation, size, number)
    kind = chance.random()
    if kind < _OTHERS:
        changed = {"priority": {"previous_value": None, "current_value": "high"}}
        return inner | {"event": "conversation_updated", "changed_attributes": [changed]}
    sender: Json = {"account": {"id": 1, "name": "Acme"}, **_CONTACT}
    del sender["type"]
    if kind < _AGENTS:
        agent = conversation % size.agents + 1
        sender = {"id": agent, "name": "Jane", "email": "jane@example.com", "type": "user"}
    return {
        "account": {"id": 1, "name": "Acme"},
        "additional_attributes": {},
        "content_attributes": {},
        "content_type": "text",
        "content": _CONTENT,
        "conversation": inner,
        "created_at": f"2026-03-03T12:{number // 60 % 60:02}:{number % 60:02}.011Z",
        "id": number,
        "inbox": {"id": inner["inbox_id"], "name": "Website"},
        "message_type": "outgoing" if kind < _AGENTS else "incoming",
        "private": False,
        "sender": sender,
        "source_id": None,
        "event": "message_created",
    }


def conversation_of(id_: int, size: Size, number: int) -> Json:
    """Make a conversation as a server sends it."""
    agent = id_ % size.agents + 1
    assignee = {"id": agent, "name": f"Agent {agent}", "type": "user"} if id_ % 3 else None
    team = {"id": id_ % size.teams + 1, "name": "Support"} if size.teams else None
    inbox = id_ % size.inboxes + 1
    return {
        "additional_attributes": _VISIT,
        "can_reply": True,
        "channel": "Channel::WebWidget",
        "contact_inbox": {
            "id": 18,
            "contact_id": 18,
            "inbox_id": inbox,
            "source_id": "8f14e45f-ceea-467f-9575-b6a2f3bfa6d1",
            "created_at": "2026-03-03T11:59:26.917Z",
            "updated_at": "2026-03-03T11:59:26.917Z",
            "hmac_verified": False,
            "pubsub_token": "c9f0f895fb98ab9159f51fd0297e236d",
        },
        "id": id_,
        "inbox_id": inbox,
        "messages": [_message(id_, inbox, number)],
        "labels": ["billing"],
        "meta": {
            "sender": _CONTACT,
            "assignee": assignee,
            "assignee_type": "User" if assignee else None,
            "team": team,
            "hmac_verified": False,
        },
        "status": "open",
        "custom_attributes": {},
        "snoozed_until": None,
        "unread_count": 1,
        "first_reply_created_at": "2026-03-03T12:31:56.601Z",
        "priority": None,
        "waiting_since": _NOON,
        "agent_last_seen_at": _NOON,
        "contact_last_seen_at": _NOON,
        "last_activity_at": _NOON + number,
        "timestamp": _NOON + number,
        "created_at": _NOON,
        "updated_at": _NOON + number + 0.5,
    }


def _message(conversation: int, inbox: int, number: int) -> Json:
    return {
        "id": number,
        "content": _CONTENT,
        "account_id": 1,
        "inbox_id": inbox,
        "conversation_id": conversation,
        "message_type": 0,
        "created_at": _NOON + number,
        "updated_at": "2026-03-03T12:25:14.011Z",
        "private": False,
        "status": "sent",
        "source_id": None,
        "content_type": "text",
        "content_attributes": {},
        "sender_type": "Contact",
        "sender_id": 18,
        "external_source_ids": {},
        "additional_attributes": {},
        "processed_message_content": _CONTENT,
        "sentiment": {},
        "conversation": {
            "assignee_id": None,
            "unread_count": 1,
            "last_activity_at": _NOON + number,
            "contact_inbox": {"source_id": "8f14e45f-ceea-467f-9575-b6a2f3bfa6d1"},
        },
        "sender": _CONTACT,
    }
