"""How often an address may be wrong: guessing tokens is slowed down, whoever is right is not."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable

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
