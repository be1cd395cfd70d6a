"""A push service on loopback that takes nothing that RFC 8030, 8188 or 8292 forbids."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web
from cryptography.exceptions import InvalidSignature

from tests.push.receiver import Token, read_token

_LONGEST_BODY = 4096
_OVERHEAD = 103
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_URGENCIES = {"very-low", "low", "normal", "high"}
_START_SECONDS = 30


@dataclass(frozen=True)
class Push:
    """A push that was taken."""

    path: str
    headers: dict[str, str]
    body: bytes
    token: Token


@dataclass(frozen=True)
class Answer:
    """What the service says instead of 201."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    after: float = 0.0


class PushService:
    """It answers 201 to what is right, or what `answers` says for the path."""

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self.taken: list[Push] = []
        self.asked: list[str] = []
        self.connections: set[object] = set()
        self.answers: dict[str, Answer] = {}
        self.application_key = ""
        self._certificate = certificate
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    @property
    def origin(self) -> str:
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_SECONDS)
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=1 << 20)
        self.routes(app)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._certificate)
        await site.start()
        self.port: int = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{name:.*}", self._pushed)

    async def _pushed(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        self.connections.add(request.transport)
        body = await request.read()
        answer = self.answers.get(request.path)
        if answer is not None:
            await asyncio.sleep(answer.after)
            return web.Response(status=answer.status, headers=answer.headers, text=answer.text)
        status, why = self._judged(request, body)
        if status == web.HTTPCreated.status_code:
            token = read_token(request.headers["Authorization"])
            self.taken.append(Push(request.path, dict(request.headers), body, token))
            await self.take(request.path, body)
        return web.Response(status=status, text=why)

    async def take(self, path: str, body: bytes) -> None:
        """Do with a push what a service does; this one only keeps it."""

    def _judged(self, request: web.Request, body: bytes) -> tuple[int, str]:
        headers = request.headers
        if request.method != "POST" or not headers.get("TTL", "").isdecimal():
            return 400, "no POST with a TTL"
        if len(body) > _LONGEST_BODY:
            return 413, f"{len(body)} bytes"
        if headers.get("Content-Encoding") != "aes128gcm" or len(body) < _OVERHEAD:
            return 400, "not encrypted"
        if headers.get("Urgency", "normal") not in _URGENCIES:
            return 400, "no such urgency"
        if "Topic" in headers and not _TOPIC.fullmatch(headers["Topic"]):
            return 400, "no topic"
        try:
            token = read_token(headers.get("Authorization", ""))
        except (InvalidSignature, AssertionError, ValueError) as error:
            return 401, f"no token: {error}"
        if fault := token.fault(self.origin):
            return 401, f"wrong: {fault}"
        if self.application_key and token.key != self.application_key:
            return 403, "another key"
        return 201, ""
