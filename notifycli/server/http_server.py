"""Running an application: where it may listen, within which limits, and how it stops.

Whoever opens connections and sends nothing must not take the room of others: not before a
handshake of TLS, not within a head or a body, not between two requests, and not by never reading
an answer. So each connection has, from `accept` on, a time by which its client must have done its
part; no address has more than a part of the room; and where there is none left, whoever has waited
longest for its client gives way to who comes.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import signal
import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from msgspec import Struct
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from notifycli.errors import ConfigurationError, UnavailableError, UsageError
from notifycli.server.middleware import source_of

HEAD_SECONDS = 10.0
"""How long a client may take from `accept` to the end of its first head, or for a later one."""
REQUEST_SECONDS = 30.0
"""How long a request may take from its head to the last byte of the answer."""
IDLE_SECONDS = 20
"""How long a connection may wait for its next request."""
MOST_CONNECTIONS = 1000
_PART_OF_ADDRESS = 4
_FEWEST = 8
_CLOSING_AT_ONCE = 32
"""How many may still be on their way out while others are let in."""
_LOG_SECONDS = 60.0
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientConnection:
    """One connection that was let in.

    `until` is when its client must have done its part; `waits` tells whether it is the client's
    turn; `close` ends it at once.
    """

    __slots__ = ("_socket", "close", "since", "source", "until", "waits")

    def __init__(self, accepted: socket.socket, source: str, now: float) -> None:
        self._socket = accepted
        self.source = source
        self.since = now
        self.until = now + HEAD_SECONDS
        self.waits: Callable[[], bool] = lambda: True
        self.close: Callable[[], None] = self._shut_down

    def is_open(self) -> bool:
        """Whether the system still holds it."""
        return self._socket.fileno() >= 0

    def _shut_down(self) -> None:
        """End it before it has a transport: the loop reads its end, and closes it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class ConnectionLimits:
    """The connections of one server. `proxy`: whose connections are those of many."""

    def __init__(
        self,
        log: Callable[[str], None],
        proxy: Network | None = None,
        most: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._proxy = proxy
        self._most = most or most_connections()
        self._now = now
        self._held: dict[int, ClientConnection] = {}
        self._closing: set[ClientConnection] = set()
        self._ended: Counter[str] = Counter()
        self._logged = now() - _LOG_SECONDS

    def have_room(self) -> bool:
        """Whether one more can be accepted now; soon, if not: enough of them are being closed."""
        self._closing = {held for held in self._closing if held.is_open()}
        return len(self._closing) < _CLOSING_AT_ONCE

    def admit(self, accepted: socket.socket, address: str) -> bool:
        """Let a connection in, in the place of another if need be; False if there is no place."""
        self._held = {number: held for number, held in self._held.items() if held.is_open()}
        source = source_of(address)
        staying = [held for held in self._held.values() if held not in self._closing]
        counts = Counter(held.source for held in staying)
        if counts[source] >= self._most_of(address):
            crowd = source
        elif len(staying) >= self._most:
            crowd = counts.most_common(1)[0][0]
        else:
            crowd = None
        if crowd is not None and not self._end_longest(h for h in staying if h.source == crowd):
            self._ended[source] += 1
            return False
        self._held[accepted.fileno()] = ClientConnection(accepted, source, self._now())
        return True

    def connection(self, number: int) -> ClientConnection | None:
        """Return the connection with this descriptor."""
        return self._held.get(number)

    def note_refusal(self, address: str) -> None:
        """Count a connection for which the system had no room."""
        self._ended[source_of(address)] += 1

    def sweep(self) -> None:
        """End all whose client has had its time; say now and then how many were ended."""
        now = self._now()
        for held in [*self._held.values()]:
            if now >= held.until and held not in self._closing and held.is_open():
                self._end(held)
        if self._ended and now - self._logged >= _LOG_SECONDS:
            (source, most), *_ = self._ended.most_common(1)
            self._log(
                f"closed {self._ended.total()} connections: too slow, or too many at once; "
                f"{most} of them from {source or 'nowhere'}"
            )
            self._ended.clear()
            self._logged = now

    def _most_of(self, address: str) -> int:
        if self._proxy is not None:
            with suppress(ValueError):
                if ipaddress.ip_address(address.partition("%")[0]) in self._proxy:
                    return self._most
        return max(_FEWEST, self._most // _PART_OF_ADDRESS)

    def _end_longest(self, crowd: Iterable[ClientConnection]) -> bool:
        waiting = [held for held in crowd if held.waits()]
        if waiting:
            self._end(min(waiting, key=lambda held: held.since))
        return bool(waiting)

    def _end(self, held: ClientConnection) -> None:
        self._closing.add(held)
        self._ended[held.source] += 1
        held.close()


class LimitedSocket(socket.socket):
    """A listening socket that accepts within limits, and never fails for want of a descriptor."""

    limits: ConnectionLimits
    _spare = -1

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept, as asyncio calls it. `BlockingIOError` and the like mean: not now."""
        if not self.limits.have_room():
            raise BlockingIOError
        try:
            accepted, address = super().accept()
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            self._turn_away()
            raise ConnectionAbortedError from None
        if self._spare < 0:
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY)
        if not self.limits.admit(accepted, str(address[0])):
            accepted.close()
            raise ConnectionAbortedError
        return accepted, address

    def close(self) -> None:
        """Close it, and what it kept in reserve."""
        self._let_go()
        super().close()

    def _turn_away(self) -> None:
        """End the connection that waits first: it would be reported for ever otherwise."""
        self._let_go()
        with suppress(OSError):
            accepted, address = super().accept()
            accepted.close()
            self.limits.note_refusal(str(address[0]))

    def _let_go(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1


def most_connections() -> int:
    """Return how many connections fit into what the system lets the process open."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource  # noqa: PLC0415 - Windows has none

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    # The rest is for the store, the files, and what is sent meanwhile.
    return max(_FEWEST, min(MOST_CONNECTIONS, soft - max(32, soft // 8)))


LARGEST_HEAD = 32 * 1024
STOP_SECONDS = 10
"""How long requests may go on that were being answered when the server was told to stop."""
_BACKLOG = 2048


class ListenAddress(Struct, frozen=True):
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


class _UvicornServer(uvicorn.Server):
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
    _held: ClientConnection | None = None
    _noted: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        number = transport.get_extra_info("socket").fileno()
        self._held = held = self.limits.connection(number)
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


def _config(app: ASGIApp, place: ListenAddress, limits: ConnectionLimits) -> uvicorn.Config:
    return uvicorn.Config(
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


def run(
    app: ASGIApp, place: ListenAddress, told: Callable[[str], None], log: Callable[[str], None]
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
        config = _config(app, place, limits)
        for name in ("uvicorn", "asyncio"):
            logging.getLogger(name).handlers = [_Log(log)]
        server = _UvicornServer(config, limits, lambda: told(f"{scheme}://{shown}:{port}"), log)
        try:
            asyncio.run(server.serve(sockets=[listening]))
        except SystemExit:
            raise UnavailableError(
                "the server could not start", "the line above says why"
            ) from None


def _check_certificate(place: ListenAddress) -> None:
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


def _listen_at(place: ListenAddress) -> LimitedSocket:
    try:
        family = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0][0]
        plain = socket.create_server((place.host, place.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UnavailableError(
            f"{place.host} port {place.port} can't be listened at: {error.strerror or error}",
            "another program may have it: name another with --port",
        ) from None
    return LimitedSocket(fileno=plain.detach())
