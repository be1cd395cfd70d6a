"""A Chatwoot with a past: `python -m benchmarks.chatwoot_server CONVERSATIONS MESSAGES A_MINUTE`.

It prints its port. Each conversation has so many messages, one of them a sentence that says to whom
it was assigned. Over A_MINUTE requests in a minute it answers 429 with `Retry-After`, as Chatwoot
does.
`GET /asked` tells how many requests it answered, and how many it refused, and forgets both.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_NOON = 1_772_539_200
"""2026-03-03 12:00:00 UTC, when the first conversation began."""
_A_PAGE = 25
_MINUTE = 60
_ACCOUNT = "/api/v1/accounts/1/"
_AGENTS = [
    {"id": 1, "email": "root@example.com", "name": "Root", "role": "administrator"},
    {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"},
    {"id": 8, "email": "omar@example.com", "name": "Omar", "role": "agent"},
]
_SMALL: dict[str, Any] = {
    "/api/v1/profile": {**_AGENTS[0], "accounts": [{"id": 1, "role": "administrator"}]},
    "agents": _AGENTS,
    "teams": [],
}
_KIT = {"id": 900, "name": "Kit Lane", "type": "contact"}
_OMAR = {"id": 8, "name": "Omar", "type": "user"}


class _Limit:
    """So many requests in each minute."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._lock = threading.Lock()
        self._began, self._used = time.monotonic(), 0
        self.counts = Counter[str]()

    def wait(self) -> int:
        """Return for how many seconds nothing more is answered; 0 takes a request."""
        with self._lock:
            now = time.monotonic()
            if now - self._began >= _MINUTE:
                self._began, self._used = now, 0
            refused = self._used >= self._a_minute
            self._used += not refused
            self.counts["refused" if refused else "answered"] += 1
            return int(_MINUTE - (now - self._began)) + 1 if refused else 0


def _conversation(number: int, messages: int) -> dict[str, Any]:
    return {
        "id": number,
        "inbox_id": 3,
        "status": "open",
        "created_at": _NOON + number,
        "last_activity_at": _NOON + number + messages,
        "meta": {"sender": {"id": 900, "blocked": False}, "assignee": {"id": 7, "type": "user"}},
    }


def _messages(conversation: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": conversation * count + number,
            "content": "Assigned to Jane by Omar" if number == 1 else f"message {number}",
            "message_type": 2 if number == 1 else number % 2,
            "private": False,
            "created_at": _NOON + conversation + number,
            "conversation_id": conversation,
            "inbox_id": 3,
            "content_attributes": {},
            "sender": None if number == 1 else (_KIT, _OMAR)[number % 2],
        }
        for number in range(count)
    ]


def _answer(path: str, conversations: int, messages: int) -> Any:
    parts = urlsplit(path)
    what = parts.path.removeprefix(_ACCOUNT)
    if what in _SMALL:
        return _SMALL[what]
    match what.split("/"):
        case ["conversations"]:
            first = conversations - (int(parse_qs(parts.query)["page"][0]) - 1) * _A_PAGE
            numbers = range(first, max(0, first - _A_PAGE), -1)
            return {"data": {"payload": [_conversation(number, messages) for number in numbers]}}
        case ["conversations", number, "messages"]:
            return {"payload": _messages(int(number), messages)}
    return None


def _handler(conversations: int, messages: int, limit: _Limit) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/asked":
                self._send(200, dict(limit.counts))
                limit.counts.clear()
            elif wait := limit.wait():
                self._send(429, {"error": "Retry later"}, {"Retry-After": str(wait)})
            else:
                found = _answer(self.path, conversations, messages)
                self._send(404 if found is None else 200, found)

        def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


if __name__ == "__main__":
    conversations, messages, a_minute = map(int, sys.argv[1:])
    handler = _handler(conversations, messages, _Limit(a_minute))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
