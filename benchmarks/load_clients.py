"""Who asks the servers of `load`: one request after the other, each answer looked at."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from benchmarks.frame import WrongError

SECRET = "benchmark"  # noqa: S105 - the benchmark's own
WRITES = 20
"""Each one of so many requests of an agent changes something."""
_FLAGS = ("email_conversation_creation", "email_conversation_mention")


class _Answer(NamedTuple):
    status: int
    body: bytes


class Client:
    """What one client asks, one request after the other, and what it must be answered."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.asked = 0

    def request(self) -> bytes:
        """Give the next request."""
        raise NotImplementedError

    def check(self, answer: _Answer) -> None:
        """Look whether the answer to the last one is right."""
        if answer.status != 200:  # noqa: PLR2004 - done
            raise WrongError(f"a request was answered {answer.status}: {answer.body[:200]!r}")


class Chatwoot(Client):
    """Sends webhooks of 3 KB."""

    def request(self) -> bytes:
        """Give the next event, signed."""
        self.asked += 1
        name = f"{self.number}-{self.asked}"
        body = msgspec.json.encode(
            {
                "event": "message_created",
                "id": self.asked,
                "name": name,
                "account": {"id": 1},
                "conversation": {"id": self.number},
                "content": "x" * 2850,
            }
        )
        at = str(int(time.time())).encode()
        signature = hmac.new(SECRET.encode(), at + b"." + body, hashlib.sha256).hexdigest()
        return _request(
            "POST",
            "/",
            {
                "x-chatwoot-timestamp": at.decode(),
                "x-chatwoot-signature": f"sha256={signature}",
                "x-chatwoot-delivery": name,
            },
            body,
        )


class Agent(Client):
    """Reads profile and settings, and now and then changes these."""

    def __init__(self, number: int, token: str, *, real: bool) -> None:
        super().__init__(number)
        self._header = {"api_access_token": token}
        self._real = real
        self._flags = ["email_conversation_assignment"]
        self._changed = False

    def request(self) -> bytes:
        """Give a change for each twentieth, else a question."""
        self.asked += 1
        if self.asked % 2:
            return _request("GET", "/api/v1/profile", self._header)
        path = "/api/v1/accounts/1/notification_settings"
        if self.asked % WRITES:
            return _request("GET", path, self._header)
        self._flags = [_FLAGS[self.asked // WRITES % 2]]
        wish = {"notification_settings": {"selected_email_flags": self._flags}}
        return _request("PATCH", path, self._header, msgspec.json.encode(wish))

    def check(self, answer: _Answer) -> None:
        """Look whether it is this user's, as they have set it."""
        super().check(answer)
        if not self._real:
            return
        found = msgspec.json.decode(answer.body)
        told = found["id"] if self.asked % 2 else found["selected_email_flags"]
        if told != (self.number if self.asked % 2 else self._flags):
            raise WrongError(f"user {self.number} was answered {told!r}")


async def ask(client: Client, port: int, times: int) -> list[float]:
    """Let a client ask so often; gives how many seconds each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(times):
        start = time.perf_counter()
        writer.write(client.request())
        answer = await _read(reader)
        took.append(time.perf_counter() - start)
        client.check(answer)
    writer.close()
    return took


def _request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _read(reader: asyncio.StreamReader) -> _Answer:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return _Answer(int(head[9:12]), await reader.readexactly(length))
    except (EOFError, ConnectionError) as error:
        raise WrongError("a request was not answered") from error
