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
        """Give the whole seconds that the address has to wait; 0 if it needn't."""
        left = self._level(_source(address))
        over = left - (self._most - 1)
        return math.ceil(over / self._a_second) if over > 0 else 0

    def failed(self, address: str) -> None:
        """Count a failure."""
        source = _source(address)
        level = self._level(source) + 1
        self._failed.pop(source, None)
        self._failed[source] = (level, self._now())
        if len(self._failed) > _MOST:
            del self._failed[next(iter(self._failed))]

    def _level(self, source: str) -> float:
        level, at = self._failed.get(source, (0.0, 0.0))
        return max(0.0, level - (self._now() - at) * self._a_second)


def _source(address: str) -> str:
    """Give what counts as one: an IPv4 address, or the network that one customer gets in IPv6."""
    host = address.partition("%")[0]
    try:
        return str(ipaddress.IPv6Network(f"{host}/{_IPV6_PREFIX}", strict=False))
    except ValueError:
        return host
