"""Running an application: where it may listen, within which limits, and how it stops."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from msgspec import Struct
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from notifycli.errors import ConfigurationError, UnavailableError, UsageError
from notifycli.server.connection_limits import (
    HEAD_SECONDS,
    IDLE_SECONDS,
    REQUEST_SECONDS,
    ConnectionLimits,
    Held,
    LimitedSocket,
    Network,
)

LARGEST_HEAD = 32 * 1024
STOP_SECONDS = 10
"""How long requests may go on that were being answered when the server was told to stop."""
_BACKLOG = 2048


class Place(Struct, frozen=True):
    """Where a server listens."""

    host: str
    port: int
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: str | None = None
    """The address or network of a reverse proxy that does TLS, and says who is asking."""

    @property
    def proxy(self) -> Network | None:
        """The network of the reverse proxy."""
        return None if self.behind_proxy is None else ipaddress.ip_network(self.behind_proxy)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it, and nobody speaks for others."""
        return self.behind_proxy is None and is_loopback(self.host)

    def check(self) -> None:
        """Raise `UsageError` for a place where tokens would travel in the clear."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError(
                "--tls-cert and --tls-key belong together",
                "name both; a file that holds both is named twice",
            )
        if self.behind_proxy is not None:
            _check_network(self.behind_proxy)
        elif self.tls_cert is None and not is_loopback(self.host):
            raise UsageError(
                f"at {self.host} others could read the secrets of every request on their way",
                "add --tls-cert FILE --tls-key FILE, or --behind-proxy ADDRESS "
                "if a proxy with TLS stands before it",
            )


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise UsageError(
            f"--behind-proxy {text}: this is no address and no network",
            "name the proxy's, such as 127.0.0.1 or 10.0.0.0/24",
        ) from None


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, that no other can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Server(uvicorn.Server):
    """Uvicorn, which would otherwise end the process with the signal that stopped it.

    `ready` is called once it listens.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        limits: ConnectionLimits,
        ready: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        super().__init__(config)
        self._limits = limits
        self._ready = ready
        self._log = log

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        def say(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            self._log(f"error: {context['message']}{f': {error}' if error else ''}")

        asyncio.get_running_loop().set_exception_handler(say)
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        self._limits.sweep()
        return await super().on_tick(counter)


class _Protocol(H11Protocol):
    """HTTP/1.1 that notes whose turn it is, for the limits of the connection."""

    if TYPE_CHECKING:
        transport: asyncio.Transport
    limits: ConnectionLimits
    """Of the server: a class of its own has it."""
    _held: Held | None = None
    _noted: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        number = transport.get_extra_info("socket").fileno()
        self._held = held = self.limits.held(number)
        if held is not None:
            held.close, held.waits = self.transport.abort, self._waits

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _waits(self) -> bool:
        """Whether it is the client's turn: to send a head or a body, or to read an answer."""
        return not self._is_answering() or self.cycle.more_body or self.flow.write_paused

    def _note(self) -> None:
        """Note when the client must have done its part; more of the same part gives no more time.

        Uvicorn's own limit between requests ends with the first byte of the next.
        """
        held, now = self._held, time.monotonic()
        if held is None:
            return
        if self._is_answering():
            if self.cycle is not self._noted:
                self._noted = self.cycle
                held.since, held.until = now, now + REQUEST_SECONDS
        elif self._noted is not None:
            self._noted = None
            held.since, held.until = now, now + IDLE_SECONDS
        else:
            held.until = min(held.until, now + HEAD_SECONDS)


class _Log(logging.Handler):
    """Hands on what uvicorn and asyncio say, without their tracebacks."""

    def __init__(self, log: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log(record.getMessage().strip().rpartition("\n")[2])


def run(
    app: ASGIApp, place: Place, told: Callable[[str], None], log: Callable[[str], None]
) -> None:
    """Listen at `place` until a signal says to stop; `told` is given the address.

    What is being answered then is finished first. Raises `UsageError`, `ConfigurationError` for a
    certificate that can't be used, and `UnavailableError` for a port that is taken and for an
    application that can't start.
    """
    place.check()
    _check_certificate(place)
    limits = ConnectionLimits(log, place.proxy)
    with _listen_at(place) as listening:
        listening.limits = limits
        host, port = listening.getsockname()[:2]
        scheme = "http" if place.tls_cert is None else "https"
        shown = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            app,
            http=type("_LimitedProtocol", (_Protocol,), {"limits": limits}),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=place.behind_proxy is not None,
            forwarded_allow_ips=place.behind_proxy,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            ssl_certfile=place.tls_cert,
            ssl_keyfile=place.tls_key,
        )
        for name in ("uvicorn", "asyncio"):
            logging.getLogger(name).handlers = [_Log(log)]
        server = _Server(config, limits, lambda: told(f"{scheme}://{shown}:{port}"), log)
        try:
            asyncio.run(server.serve(sockets=[listening]))
        except SystemExit:
            raise UnavailableError(
                "the server could not start", "the line above says why"
            ) from None


def _check_certificate(place: Place) -> None:
    if place.tls_cert is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(place.tls_cert, place.tls_key)
    except OSError as error:
        raise ConfigurationError(
            f"the certificate {place.tls_cert} and key {place.tls_key} can't be used: "
            f"{error.strerror or error}",
            "they must be PEM files that belong together",
        ) from None


def _listen_at(place: Place) -> LimitedSocket:
    try:
        family = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0][0]
        plain = socket.create_server((place.host, place.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UnavailableError(
            f"{place.host} port {place.port} can't be listened at: {error.strerror or error}",
            "another program may have it: name another with --port",
        ) from None
    return LimitedSocket(fileno=plain.detach())
