"""What every server of ours does the same: bodies, answers, errors, headers and the log."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notifycli.errors import (
    DataError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UsageError,
)

if TYPE_CHECKING:
    from notifycli.server.metrics import Metrics

BODY_SECONDS = 10.0
"""How long a client may take to send a body."""
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""For answers that no browser should keep, show, frame or guess the type of."""
_FOR_SUPERVISORS = {"/healthz", "/readyz", "/metrics"}
_AGAIN_SECONDS = 1
_SECRET_PATH = re.compile(r"^(/push/)(?!worker\.js$)[^/]+")
_LONGEST_PATH = 200
"""Of a path in the log; a request's head may have 32 KB."""
_encode = msgspec.json.Encoder().encode


class Failure(Struct):
    """What every answer that is no success says, in Chatwoot's shape."""

    error: str


class HTTPError(Exception):
    """An answer that is no success; its text is shown to whoever asked."""

    def __init__(self, status: int, error: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = headers
        self.logged = ""
        """What the log says of it."""


class RefusalError(HTTPError):
    """One that the log explains, by its text or, where that quotes what was sent, by another."""

    def __init__(
        self, status: int, error: str, headers: dict[str, str] | None = None, logged: str = ""
    ) -> None:
        super().__init__(status, error, headers)
        self.logged = logged or error


def answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    return Response(_encode(data), status, headers, "application/json")


async def read_body(request: Request, largest: int) -> bytes:
    """Return a request's body, of at most `largest` bytes.

    Raises `HTTPError` 413 for a larger one, before it is sent if its length is said, and 408 for
    one that takes too long.
    """
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said[:20]) > largest:
        raise too_large(largest)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > largest:
                    raise too_large(largest)
    except TimeoutError:
        raise RefusalError(408, f"the body took longer than {BODY_SECONDS:g} s", _CLOSE) from None
    return bytes(body)


def too_large(largest: int) -> HTTPError:
    """Return the answer to a body of more than `largest` bytes; what is left of it is not read."""
    return RefusalError(413, f"the body has more than {largest:,} bytes", _CLOSE)


_CLOSE = {"connection": "close"}


class ErrorMiddleware:
    """Stands before an application: adds the headers, writes the log, answers what goes wrong.

    It answers `/metrics`, `/healthz` and `/readyz` itself, the last by `check_ready`, which raises
    an error of ours or `OSError` while the server can't do its work.

    The log has a line a request: who, what, how it ended and, of a `RefusalError`, why; no query,
    no header and no body, in which secrets travel. What a client chose in it is quoted as in a URL
    (RFC 3986, 2.1), so that nothing that is sent looks like another line or another word of it.
    """

    def __init__(
        self,
        app: ASGIApp,
        log: Callable[[str], None],
        check_ready: Callable[[], None],
        metrics: Metrics | None = None,
    ) -> None:
        self._app = app
        self._log = log
        self._check_ready = check_ready
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] in {"GET", "HEAD"} and scope["path"] in _FOR_SUPERVISORS:
            # Asked every few seconds: no line in the log for each.
            await (await self._tell_supervisor(scope))(scope, receive, send)
            return
        started = time.monotonic()
        status, why = 0, ""

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name.lower() for name, _ in message["headers"]}
                added = [(name, value) for name, value in HEADERS if name not in own]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except ClientDisconnect:
            status = 499
        except Exception as error:  # noqa: BLE001 - a server goes on
            if isinstance(error, HTTPError) and error.logged:
                why = f": {error.logged}"
            if not status:
                await self._answer_error(error)(scope, receive, send_guarded)
            else:
                self._log(f"unexpected {type(error).__name__} after an answer had begun")
        took = (time.monotonic() - started) * 1000
        self._log(f"{_request_line(scope)} {status} {took:.0f} ms{why}")
        if self._metrics is not None:
            self._metrics.count_request(scope["method"], status)

    async def _tell_supervisor(self, scope: Scope) -> Response:
        """Answer that the process lives, that it can do its work, or what it has done."""
        if scope["path"] == "/metrics":
            return await self._show_metrics(scope)
        if scope["path"] == "/readyz":
            try:
                self._check_ready()
            except (NotifycliError, OSError):
                return answer({"status": "not ready"}, 503)
        return answer({"status": "ok"})

    async def _show_metrics(self, scope: Scope) -> Response:
        address = (scope["client"] or ("",))[0]
        if not is_near(address):
            return answer(Failure("metrics are for this machine and its own network"), 403)
        if self._metrics is None:
            return answer(Failure("no metrics are kept here"), 404)
        # It looks into the store, which may be busy.
        text = await asyncio.get_running_loop().run_in_executor(None, self._metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    def _answer_error(self, error: Exception) -> Response:
        if isinstance(error, HTTPError):
            return answer(Failure(error.error), error.status, error.headers)
        if isinstance(error, NotPermittedError):
            return answer(Failure(error.message), 403)
        if isinstance(error, (UsageError, DataError)):
            return answer(Failure(error.message), 422)
        if isinstance(error, NotifycliError):
            self._log(f"error: {error.message}")
            busy = isinstance(error, TryAgainError)
            said = "busy: try again" if busy else "not available now: see the log of the server"
            return answer(Failure(said), 503, {"retry-after": str(_AGAIN_SECONDS)})
        self._log(f"error: unexpected: {type(error).__name__}")
        return answer(Failure("something went wrong here"), 500)


def _request_line(scope: Scope) -> str:
    client = scope["client"] or ("-",)
    # Under this path the first word is a link's secret.
    asked = _SECRET_PATH.sub(r"\1*", scope["path"])
    path = quote(asked, safe="/:@!$&'()*+,;=~", errors="replace")
    shown = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
    return f"{quote(str(client[0]), safe=':%')} {scope['method']} {shown}"


def is_near(address: str) -> bool:
    """Whether an address is this machine's or its own network's, not the world's."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_private
    except ValueError:
        return False


FAILURES = 10
"""How often in a row an address may be wrong."""
WINDOW = 60.0
"""Seconds after which all of that is forgiven; a part of it after a part of them."""
_MOST = 10_000
_IPV6_PREFIX = 64
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


class Throttle:
    """Counts failures by address, and forgets them evenly.

    Bounded: of more addresses than it can hold, the one that failed longest ago goes first.
    """

    def __init__(self, failures: int = FAILURES, now: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._a_second = failures / WINDOW
        self._now = now
        self._failed: dict[str, tuple[float, float]] = {}

    def wait(self, address: str) -> int:
        """Return the whole seconds that the address has to wait; 0 if it needn't."""
        left = self._level(source_of(address))
        over = left - (self._most - 1)
        return math.ceil(over / self._a_second) if over > 0 else 0

    def note_failure(self, address: str) -> None:
        """Count a failure."""
        source = source_of(address)
        level = self._level(source) + 1
        self._failed.pop(source, None)
        self._failed[source] = (level, self._now())
        if len(self._failed) > _MOST:
            del self._failed[next(iter(self._failed))]

    def _level(self, source: str) -> float:
        level, at = self._failed.get(source, (0.0, 0.0))
        return max(0.0, level - (self._now() - at) * self._a_second)


def source_of(address: str) -> str:
    """Return what counts as one: an IPv4 address, or the network that one customer gets in IPv6.

    An IPv4 address inside an IPv6 one is itself: as a socket for both families shows it (RFC 4291,
    2.5.5.2), and as a translator does (RFC 6052, 2.1).
    """
    host = address.partition("%")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    if found in _TRANSLATED:
        return str(ipaddress.IPv4Address(found.packed[-4:]))
    return str(ipaddress.IPv6Network(f"{found}/{_IPV6_PREFIX}", strict=False))
