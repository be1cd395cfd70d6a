"""The application that receives Chatwoot's webhooks: checks their signatures, keeps, confirms."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from notifycli.errors import NotifycliError
from notifycli.events.decode import with_receipt
from notifycli.events.payload import decode_name
from notifycli.secrets.token_format import Secret, sign_webhook
from notifycli.server.http_server import is_loopback
from notifycli.server.journal import Line
from notifycli.server.middleware import ErrorMiddleware, RefusalError, answer, read_body

if TYPE_CHECKING:
    from notifycli.server.metrics import Metrics


OLDEST = 300
"""Seconds that a webhook may be old, or ahead of our clock."""
_LONGEST_TIME = 12


class Seal(Struct, frozen=True):
    """What a webhook's headers say: `X-Chatwoot-Timestamp`, `X-Chatwoot-Signature`."""

    timestamp: str | None
    signature: str | None


def check(
    seal: Seal, body: bytes, secrets: Sequence[Secret], now: float, *, unsigned: bool
) -> None:
    """Raise `RefusalError` 401 unless the body was signed with one of the secrets, a moment ago.

    With `unsigned`, one that has no signature at all passes: older servers sign nothing.
    """
    if seal.signature is None and unsigned:
        return
    if seal.signature is None or seal.timestamp is None:
        raise RefusalError(401, "this webhook isn't signed")
    if not secrets:
        raise RefusalError(401, "this webhook is signed, and no secret is set to check it with")
    given = seal.signature.encode()
    # All of them, so that the time doesn't tell which one it was.
    right = [
        hmac.compare_digest(given, sign_webhook(secret, seal.timestamp, body).encode())
        for secret in secrets
    ]
    if not any(right):
        raise RefusalError(401, "the signature of this webhook is wrong")
    # Only now: whoever can't sign learns nothing of our clock.
    if not _is_recent(seal.timestamp, now):
        raise RefusalError(401, f"this webhook is more than {OLDEST} s old, or the clocks differ")


def _is_recent(timestamp: str, now: float) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIME):
        return False
    return abs(now - int(timestamp)) <= OLDEST


LARGEST_BODY = 4 * 1024 * 1024
"""Bytes; a body is mostly 3 KB, and a message in it has at most 150,000 characters."""
_PATIENCE = 4.0
"""Seconds to wait for the disk or the store: Chatwoot gives up after five."""
_LONGEST_DELIVERY = 200


class EventLog(Protocol):
    """Where events are kept: a `Journal`, or the store."""

    @property
    def path(self) -> object:
        """What messages call it."""
        ...

    def check(self) -> None:
        """Raise an `OSError` or one of ours if the next event couldn't be kept."""
        ...

    def knows(self, delivery: str) -> bool:
        """Whether a delivery is certainly kept already."""
        ...

    def write(self, lines: list[Line]) -> None:
        """Keep events, all or none; each delivery once."""
        ...


class _Waiting(NamedTuple):
    line: Line
    kept: asyncio.Future[None]


class WebhookReceiver:
    """Receives webhooks into a log. Signed by one of `secrets`, unless `unsigned`.

    `local`: it listens on loopback, and no proxy stands before it. Then a web page in a browser on
    this machine can reach it, by its address or by a name that its owner has led there.
    """

    def __init__(
        self,
        journal: EventLog,
        secrets: Sequence[Secret],
        log: Callable[[str], None],
        *,
        unsigned: bool = False,
        local: bool = False,
        metrics: Metrics | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._secrets = secrets
        self._log = log
        self._unsigned = unsigned
        self._local = local
        self._metrics = metrics
        self._now = now
        self._thread = ThreadPoolExecutor(1, "journal")
        self._waiting: list[_Waiting] = []
        self._on_the_way: dict[str, asyncio.Future[None]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._full = False
        self.kept = 0
        """How many events were written since it was made."""

    def application(self) -> ASGIApp:
        """Return the ASGI application; every path is a webhook's."""
        router = Router(default=self._receive, lifespan=self._lifespan)
        return ErrorMiddleware(router, self._log, self._journal.check, self._metrics)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._writing is not None:
                await self._writing
            self._thread.shutdown()

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise RefusalError(405, "webhooks are posted", {"allow": "POST"})
        body = await read_body(request, LARGEST_BODY)
        headers = request.headers
        seal = Seal(headers.get("x-chatwoot-timestamp"), headers.get("x-chatwoot-signature"))
        now = self._now()
        check(seal, body, self._secrets, now, unsigned=self._unsigned)
        if seal.signature is None:
            _check_sender(request.headers, local=self._local)
        received_at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        event = with_receipt(_one_line(body), received_at.replace("+00:00", "Z"))
        line = Line(event, _delivery(headers.get("x-chatwoot-delivery")))
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._keep(line)
        except TimeoutError:
            raise RefusalError(503, "the event isn't kept in time", {"retry-after": "1"}) from None
        except (OSError, NotifycliError):
            raise RefusalError(503, "the event can't be kept", {"retry-after": "1"}) from None
        return answer({})

    async def _keep(self, line: Line) -> None:
        """Return when the event is on the disk, or was before."""
        if line.delivery is not None:
            if self._journal.knows(line.delivery):
                return
            if (twin := self._on_the_way.get(line.delivery)) is not None:
                await asyncio.shield(twin)
                return
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(line, kept))
        if line.delivery is not None:
            self._on_the_way[line.delivery] = kept
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await asyncio.shield(kept)

    async def _write(self) -> None:
        """Write what waits, and then what has gathered meanwhile."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            trouble = await loop.run_in_executor(
                self._thread, self._try_write, [item.line for item in batch]
            )
            self._tell(trouble)
            if trouble is None and self._metrics is not None:
                self._metrics.count_kept(len(batch))
            for line, kept in batch:
                if line.delivery is not None:
                    self._on_the_way.pop(line.delivery, None)
                if trouble is None:
                    self.kept += 1
                    kept.set_result(None)
                else:
                    kept.set_exception(trouble)
                    kept.exception()  # so that nobody complains if its client has gone

    def _try_write(self, lines: list[Line]) -> OSError | NotifycliError | None:
        try:
            self._journal.write(lines)
        except (OSError, NotifycliError) as error:
            return error
        return None

    def _tell(self, trouble: OSError | NotifycliError | None) -> None:
        """Say when events can't be kept, and when they can be again; not for each of them."""
        if trouble is not None and not self._full:
            why = trouble.strerror if isinstance(trouble, OSError) else trouble.message
            self._log(f"error: events can't be kept in {self._journal.path}: {why}")
        elif trouble is None and self._full:
            self._log(f"events are kept in {self._journal.path} again")
        self._full = trouble is not None


def _check_sender(headers: Headers, *, local: bool) -> None:
    """Raise `RefusalError` 403 for what a web page may have sent: nothing else vouches for it."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if origin is not None and origin not in {f"http://{host}", f"https://{host}"}:
        raise RefusalError(403, "a web page sent this: only a signed webhook is taken from there")
    if local and not is_loopback(_name_of(host)):
        remedy = (
            "if a proxy or tunnel stands before this server, start it with "
            "--behind-proxy 127.0.0.1, or let webhooks be signed"
        )
        logged = f"its Host isn't this machine: {remedy}"
        raise RefusalError(403, f"this isn't {host}: {remedy}", logged=logged)


def _name_of(host: str) -> str:
    """Return a `Host` without its port; "" for what is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _one_line(body: bytes) -> bytes:
    """Return an event's body in one line. Raises `RefusalError` 400 unless it is an event."""
    try:
        body.decode()
        decode_name(body)
        if b"\n" in body or b"\r" in body:
            return msgspec.json.format(body, indent=-1)
    except msgspec.ValidationError as error:
        raise RefusalError(400, f"the body is no event: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusalError(400, "the body is no JSON") from None
    return body


def _delivery(text: str | None) -> str | None:
    if text is None:
        return None
    if not (0 < len(text) <= _LONGEST_DELIVERY and all("!" <= char <= "~" for char in text)):
        raise RefusalError(400, "X-Chatwoot-Delivery is no id")
    return text
