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
from notifycli.daemon_threads import Daemons
from notifycli.errors import NotifycliError
from notifycli.events.decode import with_receipt
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.server.journal import Journal, Line

_OVERLAP = 60 * SECOND
"""What the clocks of two machines may differ by."""
_REMEMBERED = 100_000
"""How many happenings are remembered, so that none is fetched that came."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two tries to fetch what was missed."""
_LONGEST_GAP = 7 * 24 * 3600 * SECOND
"""What was missed before isn't fetched unasked."""


class Watch:
    """Keeps what comes, and fetches what was missed beside it."""

    def __init__(self, session: Session, journal: Journal, log: Callable[[str], None]) -> None:
        self.kept = 0
        self._session = session
        self._journal = journal
        self._log = log
        self._known = Known(_REMEMBERED)
        self._missing_since: int | None = None
        """Since when nothing may have been kept; `None` while all is."""
        self._stop = asyncio.Event()
        self._connected = asyncio.Event()
        self._disk = asyncio.Lock()
        self._filling: asyncio.Task[None] | None = None

    async def go_on(self, address: Address) -> None:
        """Watch until a signal comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
                loop.add_signal_handler(number, self._stop.set)
        self._missing_since = self._end_of_log()
        try:
            async for item in messages(address, self._stop):
                if item is State.CONNECTED:
                    self._log(f"connected; events are kept in {self._journal.path}")
                    self._connected.set()
                elif isinstance(item, Lost):
                    self._connected.clear()
                    self._begin_gap(_a_moment_ago())
                    self._log(f"connection lost: {item.why}; again in {item.seconds:.0f} s")
                elif isinstance(item, bytes):
                    await self._keep(item)
                self._fill_gap()
        finally:
            await self._end()

    def _end_of_log(self) -> int | None:
        """Return the latest time of an event in the file that is there; `None` without one."""
        with suppress(OSError), self._journal.path.open("rb") as file:
            for line in file:
                self._known.note(line)
        latest, now = self._known.latest, int(time.time() * SECOND)
        if latest and now - latest > _LONGEST_GAP:
            self._log(
                f"{self._journal.path} ends at {format_moment(latest)}; what happened since: "
                f"{_by_hand(latest)}"
            )
            return None
        return latest or None

    def _begin_gap(self, since: int) -> None:
        self._missing_since = min(since, self._missing_since or since)

    async def _keep(self, message: bytes) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        async with self._disk:
            if not await asyncio.to_thread(self._write, [with_receipt(message, at)]):
                self._begin_gap(_a_moment_ago())

    def _write(self, lines: list[bytes]) -> bool:
        try:
            self._journal.write([Line(line, None) for line in lines])
        except (OSError, NotifycliError) as error:
            self._log(f"error: events can't be kept in {self._journal.path}: {_in_words(error)}")
            return False
        for line in lines:
            self._known.note(line)
        self.kept += len(lines)
        return True

    def _fill_gap(self) -> None:
        """Have fetched what was missed, unless that is being done."""
        idle = self._filling is None or self._filling.done()
        if idle and self._connected.is_set() and self._missing_since is not None:
            self._filling = asyncio.create_task(self._fetch_missed())
            self._filling.add_done_callback(self._notice_fault)

    async def _fetch_missed(self) -> None:
        """Fetch what was missed, again with growing pauses, until it is there."""
        pause = _FIRST_PAUSE
        while self._missing_since is not None:
            # While nothing comes, what happens next would be missed again.
            await self._connected.wait()
            # A gap that begins from now on isn't in what is fetched now.
            since, self._missing_since = self._missing_since, None
            try:
                done = await self._fetch(max(0, since - _OVERLAP), pause)
            except asyncio.CancelledError:
                self._begin_gap(since)
                raise
            if not done:
                self._begin_gap(since)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _fetch(self, since: int, pause: float) -> bool:
        """Write what happened and isn't in the log, or say how to get it."""
        first = format_moment(since)
        thread = Daemons(1, "missed events")
        try:
            past = await asyncio.wrap_future(
                thread.submit(lambda: fetch(self._session, Wanted(since=since), aside=True))
            )
        except (OSError, NotifycliError) as error:
            self._log(
                f"error: what happened since {first} couldn't be fetched: {_in_words(error)}; "
                f"again in {pause:.0f} s; or yourself: {_by_hand(since)}"
            )
            return False
        finally:
            thread.end()
        async with self._disk:
            added = await asyncio.to_thread(self._write_missing, past.lines)
        if added is None:
            return False
        self._log(f"{plural(added, 'event')} since {first} fetched from the history")
        say_inexact(self._session, past.inexact)
        return True

    def _write_missing(self, lines: list[bytes]) -> int | None:
        """Write those that the log lacks, and return how many; `None` if they can't be kept."""
        missing = [line for _, line in self._known.missing(lines)]
        return len(missing) if not missing or self._write(missing) else None

    def _notice_fault(self, filling: asyncio.Task[None]) -> None:
        if not filling.cancelled() and filling.exception() is not None:
            self._stop.set()

    async def _end(self) -> None:
        """Leave what is being fetched, and say what is missing then."""
        if self._filling is not None:
            self._filling.cancel()
            with suppress(asyncio.CancelledError):
                await self._filling
        if self._missing_since is not None:
            first = max(0, self._missing_since - _OVERLAP)
            self._log(
                f"what happened since {format_moment(first)} isn't all there: {_by_hand(first)}"
            )


def _in_words(error: OSError | NotifycliError) -> str:
    return error.message if isinstance(error, NotifycliError) else error.strerror or str(error)


def _a_moment_ago() -> int:
    return int(time.time() * SECOND) - _OVERLAP


def _by_hand(since: int) -> str:
    return f"notifycli chatwoot history --since {format_moment(since)} -O missed.jsonl"
