"""What `chatwoot watch` does while it runs: keeps what comes, and fetches what was missed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from notifycli.chatwoot.api_history import Known, Wanted
from notifycli.chatwoot.stream import Address, Lost, State, messages
from notifycli.cli.chatwoot.past_events import fetch, say_inexact
from notifycli.cli.session import Session, plural
from notifycli.errors import NotifycliError
from notifycli.events.decode import with_receipt
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.server.journal import Journal, Line

_OVERLAP = 60 * SECOND
"""What the clocks of two machines may differ by."""
_REMEMBERED = 100_000
"""How many happenings are remembered, so that none is fetched that came."""
_LONGEST_GAP = 7 * 24 * 3600 * SECOND
"""What was missed before isn't fetched unasked."""


class Watch:
    """Keeps what comes, and fetches what was missed."""

    def __init__(self, session: Session, journal: Journal, log: Callable[[str], None]) -> None:
        self.kept = 0
        self._session = session
        self._journal = journal
        self._log = log
        self._known = Known(_REMEMBERED)
        self._missing_since: int | None = None
        """Since when nothing may have been kept; `None` while all is."""

    async def go_on(self, address: Address) -> None:
        """Watch until a signal comes."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
                loop.add_signal_handler(number, stop.set)
        self._missing_since = self._end_of_log()
        async for item in messages(address, stop):
            if item is State.CONNECTED:
                self._log(f"connected; events are kept in {self._journal.path}")
                await asyncio.to_thread(self._fetch_missed)
            elif isinstance(item, Lost):
                self._begin_gap()
                self._log(f"connection lost: {item.why}; again in {item.seconds:.0f} s")
            elif isinstance(item, bytes):
                await asyncio.to_thread(self._keep, item)

    def _end_of_log(self) -> int | None:
        """Return the latest time of an event in the file that is there; `None` without one."""
        with suppress(OSError), self._journal.path.open("rb") as file:
            for line in file:
                self._known.note(line)
        latest, now = self._known.latest, int(time.time() * SECOND)
        if latest and now - latest > _LONGEST_GAP:
            self._log(
                f"{self._journal.path} ends at {format_moment(latest)}; what happened since: "
                f"notifycli chatwoot history --since {format_moment(latest)} -O missed.jsonl"
            )
            return None
        return latest or None

    def _begin_gap(self) -> None:
        if self._missing_since is None:
            self._missing_since = int(time.time() * SECOND) - _OVERLAP

    def _keep(self, message: bytes) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._write([with_receipt(message, at)]) and self._missing_since is not None:
            self._fetch_missed()

    def _write(self, lines: list[bytes]) -> bool:
        try:
            self._journal.write([Line(line, None) for line in lines])
        except (OSError, NotifycliError) as error:
            why = error.message if isinstance(error, NotifycliError) else error.strerror
            self._log(f"error: events can't be kept in {self._journal.path}: {why}")
            self._begin_gap()
            return False
        for line in lines:
            self._known.note(line)
        self.kept += len(lines)
        return True

    def _fetch_missed(self) -> None:
        """Write what happened since the log's end and isn't in it, or say how to get it."""
        since = self._missing_since
        if since is None:
            return
        first = format_moment(max(0, since - _OVERLAP))
        try:
            past = fetch(self._session, Wanted(since=max(0, since - _OVERLAP)))
        except NotifycliError as error:
            self._log(
                f"error: what happened since {first} couldn't be fetched: {error.message}; later: "
                f"notifycli chatwoot history --since {first} -O missed.jsonl"
            )
            return
        missing = [line for _, line in self._known.missing(past.lines)]
        if not missing or self._write(missing):
            self._missing_since = None
            self._log(f"{plural(len(missing), 'event')} since {first} fetched from the history")
            say_inexact(self._session, past.inexact)
