"""`listen` and `serve` under 200 clients at once, beside a bare server of the same framework.

The bare server is Starlette on uvicorn with the same HTTP parser: it reads a request's body and
answers a text as long as ours. Ours also checks a signature and puts each event on the disk before
it answers; or checks a token, reads the store, and writes to it for each twentieth request. Each
client sends its next request when the last was answered, all for a minute (`LOAD_SECONDS`); what
counts is that each answer is the right one, and how long half and all but one in a hundred took.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.frame import NOTIFYCLI, Done, Race, Way, WrongError
from notifycli.rules.audience import User
from notifycli.store.store import Store
from notifycli.vault.health import Health
from notifycli.vault.token import Secret
from notifycli.vault.tokens import NO_WISH, Life, Owner

_CLIENTS = 200
_SECONDS = float(os.environ.get("LOAD_SECONDS", "60"))
_SMALL_SECONDS = 1.0
_SECRET = "benchmark"  # noqa: S105 - the benchmark's own
_WRITES = 20
_START_SECONDS = 60
_BARE = """
import sys
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

answer = sys.argv[2].encode()


async def app(scope, receive, send):
    await Request(scope, receive).body()
    await Response(answer, media_type="application/json")(scope, receive, send)


uvicorn.run(Router(default=app), port=int(sys.argv[1]), http="h11", ws="none", log_config=None)
"""
_FLAGS = ("email_conversation_creation", "email_conversation_mention")


class _Answer(NamedTuple):
    status: int
    body: bytes


class _Client:
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


class _Chatwoot(_Client):
    """Sends webhooks of 3 KB."""

    def request(self) -> bytes:
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
        signature = hmac.new(_SECRET.encode(), at + b"." + body, hashlib.sha256).hexdigest()
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


class _Agent(_Client):
    """Reads profile and settings, and now and then changes these."""

    def __init__(self, number: int, token: str, *, real: bool) -> None:
        super().__init__(number)
        self._header = {"api_access_token": token}
        self._real = real
        self._flags = ["email_conversation_assignment"]
        self._changed = False

    def request(self) -> bytes:
        self.asked += 1
        if self.asked % 2:
            return _request("GET", "/api/v1/profile", self._header)
        path = "/api/v1/accounts/1/notification_settings"
        if self.asked % _WRITES:
            return _request("GET", path, self._header)
        self._flags = [_FLAGS[self.asked // _WRITES % 2]]
        wish = {"notification_settings": {"selected_email_flags": self._flags}}
        return _request("PATCH", path, self._header, msgspec.json.encode(wish))

    def check(self, answer: _Answer) -> None:
        super().check(answer)
        if not self._real:
            return
        found = msgspec.json.decode(answer.body)
        told = found["id"] if self.asked % 2 else found["selected_email_flags"]
        if told != (self.number if self.asked % 2 else self._flags):
            raise WrongError(f"user {self.number} was answered {told!r}")


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race both servers against a bare one."""
    seconds = _SMALL_SECONDS if small else _SECONDS
    yield _race("listen, webhooks of 3 KB", _listen(folder, seconds), "{}", seconds, _chatwoots)
    tokens = _desk(folder / "desk.db")
    serving = (*NOTIFYCLI, "serve", "-q", "--db", str(folder / "desk.db"))
    yield _race(
        "serve, profile and settings",
        partial(_loaded, serving, partial(_agents, tokens, real=True), seconds),
        "x" * 800,
        seconds,
        partial(_agents, tokens, real=False),
    )


def _race(
    name: str,
    run: Callable[[], Done],
    answer: str,
    seconds: float,
    clients: Callable[[], Sequence[_Client]],
) -> Race:
    bare = partial(_loaded, (sys.executable, "-c", _BARE), clients, seconds, answer)
    ways = [Way(name.partition(",")[0], run), Way("bare Starlette", bare)]
    return Race(name, ways, rounds=1, check=_compare)


def _compare(answers: Sequence[dict[str, float]]) -> None:
    """Add to the product's figures how they compare with the bare server's of the same round."""
    ours, bare = answers
    for figure in ("p50", "p99"):
        ours[f"{figure}_ratio"] = ours[f"{figure}_ms"] / bare[f"{figure}_ms"]


def _chatwoots() -> list[_Client]:
    return [_Chatwoot(number) for number in range(_CLIENTS)]


def _agents(tokens: Mapping[int, str], *, real: bool) -> list[_Client]:
    return [_Agent(number, token, real=real) for number, token in tokens.items()]


def _listen(folder: Path, seconds: float) -> Callable[[], Done]:
    def run() -> Done:
        path = folder / f"{time.monotonic_ns()}" / "events.jsonl"
        os.environ["NOTIFYCLI_LISTEN_SECRET"] = _SECRET
        done = _loaded((*NOTIFYCLI, "listen", "-q", "--path", str(path)), _chatwoots, seconds)
        names = [
            msgspec.json.decode(line)["name"]
            for file in path.parent.glob("*.jsonl")
            for line in file.read_bytes().splitlines()
        ]
        if len(names) != len(set(names)) or len(names) != done.figures["requests"]:
            raise WrongError(f"of {done.figures['requests']} events {len(names)} are in the files")
        return done

    return run


class _Keychain:
    """Keeps secrets while the benchmark runs."""

    kind = "system"
    asks = False

    def __init__(self) -> None:
        self._kept: dict[str, Secret] = {}

    def get(self, name: str) -> Secret | None:
        return self._kept.get(name)

    def set(self, name: str, secret: Secret) -> None:
        self._kept[name] = secret

    def delete(self, name: str) -> bool:
        return self._kept.pop(name, None) is not None

    def describe(self) -> Health:
        return Health("memory", "here", works=True, meaning="it answers")


def _desk(path: Path) -> dict[int, str]:
    """Make a desk with a user and a token for each client."""
    users = [User(number, f"agent{number}@example.com") for number in range(1, _CLIENTS + 1)]
    with Store(path) as store:
        with store.change(1, "benchmark", "benchmark") as change:
            change.put_users(users)
        now = int(time.time()) * 1_000_000
        life = Life(store, _Keychain(), "benchmark", "benchmark", lambda: now)
        return {
            user.id: life.reveal(life.generate(Owner(1, user), NO_WISH)).reveal() for user in users
        }


def _loaded(
    command: Sequence[str],
    clients: Callable[[], Sequence[_Client]],
    seconds: float,
    *arguments: str,
) -> Done:
    """Start a server, and let the clients ask it for so long."""
    with _running(command, arguments) as port:
        took = asyncio.run(_all_ask(clients(), port, seconds))
    cuts = statistics.quantiles(took, n=100)
    figures = {"requests": len(took), "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}
    return Done(figures, figures)


@contextmanager
def _running(command: Sequence[str], arguments: Sequence[str]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    options = (str(port), *arguments) if arguments else ("--port", str(port))
    server = subprocess.Popen([*command, *options])
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise WrongError("the server doesn't answer") from None
            time.sleep(0.05)
        else:
            return


async def _all_ask(clients: Sequence[_Client], port: int, seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    return [
        took
        for all_ in await asyncio.gather(*(_ask(client, port, until) for client in clients))
        for took in all_
    ]


async def _ask(client: _Client, port: int, until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    while (start := time.perf_counter()) < until:
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
