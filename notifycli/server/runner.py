"""Running an application: where it may listen, within which limits, and how it stops."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from msgspec import Struct
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from notifycli.errors import ConfigurationError, UnavailableError, UsageError

MOST_CONNECTIONS = 1000
"""What is open at once; a further request is answered 503."""
HEADER_SECONDS = 10.0
"""How long a client may take to send a request's head."""
LARGEST_HEAD = 32 * 1024
IDLE_SECONDS = 20
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

    def check(self) -> None:
        """Raise `UsageError` for a place where tokens would travel in the clear."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError(
                "--tls-cert and --tls-key belong together",
                "name both; a file that holds both is named twice",
            )
        if self.behind_proxy is not None:
            _check_network(self.behind_proxy)
        elif self.tls_cert is None and not _is_loopback(self.host):
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


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Server(uvicorn.Server):
    """Uvicorn, which would otherwise end the process with the signal that stopped it.

    `ready` is called once a signal no longer does that.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._ready()
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Protocol(H11Protocol):
    """HTTP/1.1 that doesn't wait for ever for a request's head."""

    if TYPE_CHECKING:
        transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._waiting = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.close()


class _Log(logging.Handler):
    """Hands on what uvicorn says, without its tracebacks."""

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
    certificate that can't be used, and `UnavailableError` for a port that is taken.
    """
    place.check()
    _check_certificate(place)
    with _bound(place) as listening:
        host, port = listening.getsockname()[:2]
        scheme = "http" if place.tls_cert is None else "https"
        shown = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=place.behind_proxy is not None,
            forwarded_allow_ips=place.behind_proxy,
            limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            ssl_certfile=place.tls_cert,
            ssl_keyfile=place.tls_key,
        )
        logging.getLogger("uvicorn").handlers = [_Log(log)]
        server = _Server(config, lambda: told(f"{scheme}://{shown}:{port}"))
        asyncio.run(server.serve(sockets=[listening]))


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


def _bound(place: Place) -> socket.socket:
    try:
        family = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((place.host, place.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UnavailableError(
            f"{place.host} port {place.port} can't be listened at: {error.strerror or error}",
            "another program may have it: name another with --port",
        ) from None
