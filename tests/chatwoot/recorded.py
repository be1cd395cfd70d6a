"""A Chatwoot of the tests' own: its API over real HTTP on loopback, in the shapes that it has.

It is as unforgiving as the real one: a list of flags that is left out is cleared, an unknown flag
is an error, a write replaces all of `ui_settings`.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TYPES = (
    "conversation_creation",
    "conversation_assignment",
    "assigned_conversation_new_message",
    "conversation_mention",
    "participating_conversation_new_message",
    "sla_missed_first_response",
    "sla_missed_next_response",
    "sla_missed_resolution",
)
JANE, OMAR, ROOT = (name * 8 for name in ("jan", "oma", "roo"))
"""Tokens of 24 characters, as Chatwoot makes them."""


@dataclass
class Person:
    """A user, with what is theirs alone."""

    id: int
    email: str
    name: str
    role: str
    email_flags: list[str] = field(default_factory=lambda: ["email_conversation_assignment"])
    push_flags: list[str] = field(default_factory=lambda: ["push_conversation_assignment"])
    ui_settings: Json | None = field(default_factory=dict)
    told: Json = field(default_factory=dict)
    """What newer versions and other editions tell of an agent besides."""


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Reply(Exception):  # noqa: N818 - an answer, not an error
    """An answer that is given instead of the right one; `raw` is sent as it is."""

    def __init__(
        self, status: int, body: Any = None, headers: Json | None = None, *, raw: bytes = b""
    ) -> None:
        super().__init__()
        self.status, self.body, self.headers, self.raw = status, body, headers or {}, raw


class Chatwoot:
    """The state of the server, and what a test may do to it."""

    def __init__(self) -> None:
        self.url = ""
        self.version = "4.16.2"
        self.people = {
            JANE: Person(7, "jane@example.com", "Jane", "agent"),
            OMAR: Person(8, "omar@example.com", "Omar", "agent"),
            ROOT: Person(9, "root@example.com", "Root", "administrator"),
        }
        self.inboxes: dict[int, tuple[str, list[int]]] = {3: ("Website", [7, 8])}
        self.teams: dict[int, tuple[str, list[int]]] = {2: ("Support", [7])}
        self.custom_roles: list[Json] | None = None
        """None but Chatwoot Enterprise has them."""
        self.bots: dict[int, Json] | None = None
        """By inbox; `None` is a version without them."""
        self.accounts = [(1, "Acme")]
        self.webhooks: list[Json] = []
        self.webhook_secret: str | None = None
        """`None` is a version that signs nothing, and knows no events of typing."""
        self.platform_token: str | None = None
        """That of the platform app, where there is one."""
        self.platform_users: set[int] = set()
        """Whom the platform app may see."""
        self.further_flags: list[str] = []
        self.pubsub_token = "x"  # noqa: S105 - nobody connects with it
        self.asked: list[Asked] = []
        self.before: Callable[[Asked, Person | None], None] = lambda _asked, _person: None
        """Is called before each answer; may change the state, or raise a `Reply`."""

    def person(self, id_: int) -> Person:
        return next(person for person in self.people.values() if person.id == id_)

    def token(self, id_: int) -> str:
        return next(token for token, person in self.people.items() if person.id == id_)

    def count(self, method: str) -> int:
        return sum(asked.method == method for asked in self.asked)

    def answer(self, asked: Asked) -> Any:
        person = self.people.get(asked.headers.get("api_access_token", ""))
        self.before(asked, person)
        if asked.path == "/api":
            return {"version": self.version, "timestamp": "2026-07-20 10:00:00", "data": "ok"}
        if asked.path.startswith("/platform/"):
            return self._of_platform(asked)
        if person is None:
            raise Reply(401, {"error": "Invalid Access Token"})
        if asked.path.startswith("/api/v1/profile"):
            return self._of_profile(asked, person)
        found = re.fullmatch(r"/api/v1/accounts/(\d+)/(.+)", asked.path)
        if found is None or int(found[1]) not in dict(self.accounts):
            raise Reply(404, {"error": "Resource could not be found"})
        return self._of_account(asked, person, found[2])

    def _of_platform(self, asked: Asked) -> Json:
        """Answer as the platform API, which asks for the app first, then for the user."""
        if asked.headers.get("api_access_token") != self.platform_token or not self.platform_token:
            raise Reply(401, {"error": "Invalid access_token"})
        found = re.fullmatch(r"/platform/api/v1/users/(\d+)/token", asked.path)
        if asked.method != "POST" or found is None:
            raise Reply(404, raw=b"<!DOCTYPE html><title>The page you were looking for</title>")
        user = next((one for one in self.people.values() if one.id == int(found[1])), None)
        if user is None:
            raise Reply(404, {"error": "Resource could not be found"})
        if user.id not in self.platform_users:
            raise Reply(401, {"error": "Non permissible resource"})
        names = {"id": user.id, "name": user.name, "display_name": None, "email": user.email}
        whose = {**names, "pubsub_token": self.pubsub_token}
        return {"access_token": self.token(user.id), "expiry": None, "user": whose}

    def _of_profile(self, asked: Asked, person: Person) -> Json:
        if asked.method == "PUT":
            person.ui_settings = asked.body["profile"]["ui_settings"]
        if asked.method == "POST":
            new = (self.token(person.id) + "x")[-24:]
            self.people = {
                new if found is person else token: found for token, found in self.people.items()
            }
        return {
            "access_token": self.token(person.id),
            "account_id": self.accounts[0][0],
            "available_name": person.name,
            "avatar_url": "",
            "confirmed": True,
            "display_name": None,
            "email": person.email,
            "id": person.id,
            "name": person.name,
            "provider": "email",
            "pubsub_token": self.pubsub_token,
            "role": person.role,
            "ui_settings": person.ui_settings,
            "accounts": [
                {"id": id_, "name": name, "status": "active", "role": person.role}
                for id_, name in self.accounts
            ],
        }

    def _of_account(self, asked: Asked, person: Person, what: str) -> Any:
        if what == "notification_settings":
            return self._settings(asked, person)
        if what == "agents":
            return [
                {"id": p.id, "account_id": 1, "email": p.email, "name": p.name, "role": p.role}
                | p.told
                for p in self.people.values()
            ]
        if what == "inboxes":
            seen = self.inboxes.items()
            mine = [i for i in seen if person.role != "agent" or person.id in i[1][1]]
            return {"payload": [{"id": id_, "name": name} for id_, (name, _) in mine]}
        if what == "webhooks" and asked.method == "POST":
            return self._make_webhook(asked, person)
        if what == "teams":
            return [{"id": id_, "name": name} for id_, (name, _) in self.teams.items()]
        if found := re.fullmatch(r"inbox_members/(\d+)", what):
            if person.role == "agent":
                raise Reply(401, {"error": "You are not authorized to do this action"})
            return {"payload": self._members(self.inboxes[int(found[1])][1])}
        if found := re.fullmatch(r"teams/(\d+)/team_members", what):
            return self._members(self.teams[int(found[1])][1])
        return self._of_newer(person, what)

    def _of_newer(self, person: Person, what: str) -> Any:
        if what == "custom_roles" and self.custom_roles is not None:
            if person.role == "agent":
                raise Reply(401, {"error": "You are not authorized to do this action"})
            return self.custom_roles
        if (found := re.fullmatch(r"inboxes/(\d+)/agent_bot", what)) and self.bots is not None:
            bot = self.bots.get(int(found[1]))
            return {} if bot is None else {"agent_bot": bot}
        raise Reply(404, {"error": "Resource could not be found"})

    def _make_webhook(self, asked: Asked, person: Person) -> Json:
        if person.role == "agent":
            raise Reply(401, {"error": "You are not authorized to do this action"})
        wanted = asked.body["webhook"]
        typing = any("typing" in name for name in wanted["subscriptions"])
        if any(one["url"] == wanted["url"] for one in self.webhooks):
            raise Reply(422, {"message": "Url has already been taken"})
        if typing and self.webhook_secret is None:
            raise Reply(422, {"message": "Subscriptions Invalid events"})
        self.webhooks.append(wanted)
        secret = {} if self.webhook_secret is None else {"secret": self.webhook_secret}
        return {"payload": {"webhook": {"id": 1, "account_id": 1, **wanted, **secret}}}

    def _members(self, ids: list[int]) -> list[Json]:
        return [{"id": id_, "name": "", "email": "", "role": "agent"} for id_ in ids]

    def _settings(self, asked: Asked, person: Person) -> Json:
        every = {
            channel: [f"{channel}_{type_}" for type_ in TYPES] + self.further_flags
            for channel in ("email", "push")
        }
        if asked.method == "PATCH":
            given = asked.body["notification_settings"]
            lists = {c: given.get(f"selected_{c}_flags", []) for c in every}
            for channel, flags in lists.items():
                if not set(flags) <= set(every[channel]):
                    raise Reply(422, {"error": "there is no such flag"})
            person.email_flags, person.push_flags = lists["email"], lists["push"]
        return {
            "id": person.id + 100,
            "user_id": person.id,
            "account_id": 1,
            "all_email_flags": every["email"],
            "selected_email_flags": person.email_flags,
            "all_push_flags": every["push"],
            "selected_push_flags": person.push_flags,
        }


def _handler(chatwoot: Chatwoot) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            chatwoot.asked.append(asked)
            try:
                reply = Reply(200, chatwoot.answer(asked))
            except Reply as other:
                reply = other
            data = reply.raw or json.dumps(reply.body).encode()
            self.send_response(reply.status)
            sent = {"Content-Type": "application/json", "Content-Length": str(len(data))}
            for name, value in {**sent, **reply.headers}.items():
                self.send_header(name, value)
            if "Content-Length" in reply.headers:
                self.close_connection = True
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_PATCH = do_POST = _any  # noqa: N815 - the standard library's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serving(chatwoot: Chatwoot, certificate: tuple[Path, Path] | None = None) -> Iterator[None]:
    """Serve it on loopback for as long as the context lasts; with a certificate over https."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(chatwoot))
    server.daemon_threads = False
    server.block_on_close = False
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    chatwoot.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
