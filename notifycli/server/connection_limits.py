"""How many connections a server holds, of whom and for how long: from `accept` on.

Whoever opens connections and sends nothing must not take the room of others: not before a
handshake of TLS, not within a head or a body, not between two requests, and not by never reading
an answer. So each connection has a time by which its client must have done its part; no address
has more than a part of the room; and where there is none left, whoever has waited longest for its
client gives way to who comes.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from notifycli.server.throttle import source_of

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


class Held:
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
        self._held: dict[int, Held] = {}
        self._closing: set[Held] = set()
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
        self._held[accepted.fileno()] = Held(accepted, source, self._now())
        return True

    def held(self, number: int) -> Held | None:
        """Return the connection with this descriptor."""
        return self._held.get(number)

    def refused(self, address: str) -> None:
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

    def _end_longest(self, crowd: Iterable[Held]) -> bool:
        waiting = [held for held in crowd if held.waits()]
        if waiting:
            self._end(min(waiting, key=lambda held: held.since))
        return bool(waiting)

    def _end(self, held: Held) -> None:
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
            self.limits.refused(str(address[0]))

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
