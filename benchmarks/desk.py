"""A desk and its traffic, made up: bodies of the size and shape that a server sends."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

from notifycli.rules.audience import Inbox, Team, User
from notifycli.store.store import Store

Json = dict[str, Any]
_OTHERS, _AGENTS = 0.1, 0.5
"""Of ten events, one is no message and four are an agent's."""
_NOON = 1_772_539_200
_SENDER = {
    "additional_attributes": {"city": "Berlin", "country": "Germany", "browser": "x" * 300},
    "custom_attributes": {"plan": "gold", "notes": "y" * 400},
    "email": "mia@example.org",
    "identifier": None,
    "name": "Mia",
    "phone_number": "+491701234567",
    "thumbnail": "https://desk.example.com/" + "t" * 200,
    "blocked": False,
    "type": "contact",
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

    with Store(path) as store, store.change(1, "benchmark", "benchmark") as change:
        change.put_users([User(n, f"agent{n}@example.com", f"Agent {n}") for n in agents])
        for number in range(1, size.inboxes + 1):
            change.put_inbox(Inbox(number, f"Inbox {number}", some(number)))
        for number in range(1, size.teams + 1):
            change.put_team(Team(number, f"Team {number}", some(number)))
    return path


def write_events(path: Path, count: int, size: Size, conversations: int = 2000) -> Path:
    """Write that many bodies, of some 3 KB, as a server sends them; gives the path."""
    chance = random.Random(1)  # noqa: S311 - the same traffic each time
    with path.open("wb") as file:
        for number in range(count):
            conversation = chance.randrange(1, conversations + 1)
            file.write(json.dumps(_body(number, conversation, size, chance)).encode() + b"\n")
    return path


def write_creations(path: Path, count: int) -> Path:
    """Write that many new conversations of inbox 1; gives the path."""
    size = Size(1, 1)
    with path.open("wb") as file:
        for number in range(count):
            body = _conversation(number + 1, size, number) | {"event": "conversation_created"}
            body["meta"]["assignee"] = None
            file.write(json.dumps(body).encode() + b"\n")
    return path


def _body(number: int, conversation: int, size: Size, chance: random.Random) -> Json:
    inner = _conversation(conversation, size, number)
    kind = chance.random()
    if kind < _OTHERS:
        changed = {"priority": {"previous_value": None, "current_value": "high"}}
        return inner | {"event": "conversation_updated", "changed_attributes": [changed]}
    sender: Json = _SENDER
    if kind < _AGENTS:
        sender = {"id": conversation % size.agents + 1, "name": "Jane", "type": "user"}
    return {
        "account": {"id": 1, "name": "Acme"},
        "additional_attributes": {},
        "content_attributes": {},
        "content_type": "text",
        "content": "The parcel has not arrived yet, and nobody could tell me where it is. " * 3,
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


def _conversation(id_: int, size: Size, number: int) -> Json:
    agent = id_ % size.agents + 1
    assignee = {"id": agent, "name": f"Agent {agent}", "type": "user"} if id_ % 3 else None
    team = {"id": id_ % size.teams + 1, "name": "Support"} if size.teams else None
    return {
        "additional_attributes": {"browser": {"device_name": "Unknown", "more": "z" * 300}},
        "can_reply": True,
        "channel": "Channel::WebWidget",
        "contact_inbox": {"id": 6, "contact_id": 6, "source_id": "s" * 36},
        "id": id_,
        "inbox_id": id_ % size.inboxes + 1,
        "messages": [{"id": number, "account_id": 1, "content": "m" * 200, "sender": _SENDER}],
        "labels": ["billing"],
        "meta": {"sender": _SENDER, "assignee": assignee, "team": team, "hmac_verified": False},
        "status": "open",
        "custom_attributes": {},
        "snoozed_until": None,
        "unread_count": 1,
        "last_activity_at": _NOON + number,
        "timestamp": _NOON + number,
        "created_at": _NOON,
        "updated_at": _NOON + number + 0.5,
    }
