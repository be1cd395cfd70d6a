"""What keeps a service that is down from being asked again and again."""

from __future__ import annotations

from notifycli.events.timestamps import SECOND


class Breaker:
    """Leaves a channel alone for a while on which nothing gets through, for anybody."""

    FAILURES = 8
    LONGEST = 60 * SECOND

    def __init__(self) -> None:
        self.closed_until = 0
        self._failures = 0
        self._rounds = 0

    def failed(self, now: int) -> None:
        """Count a failure; those of one round count once."""
        self._failures += 1
        if self._failures >= self.FAILURES and self.closed_until <= now:
            self._rounds += 1
            self.closed_until = now + min(self.LONGEST, SECOND * 2**self._rounds)

    def worked(self) -> None:
        """Take the channel up again."""
        self.closed_until = self._failures = self._rounds = 0
