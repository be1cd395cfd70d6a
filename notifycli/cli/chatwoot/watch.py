"""`notifycli chatwoot watch`: the live socket, into a file that `simulate` replays."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.chatwoot.fill import Known
from notifycli.chatwoot.history import Wanted
from notifycli.chatwoot.stream import Address, Lost, State, messages
from notifycli.cli.chatwoot.common import desk_of
from notifycli.cli.chatwoot.history_command import administrator, fetch, say_inexact
from notifycli.cli.command import command_class, examples, part, session_of
from notifycli.cli.log_writer import LogFormat, LogWriter
from notifycli.cli.server.server_options import JOURNAL, print_stopped
from notifycli.cli.session import Session, display_name, plural
from notifycli.errors import NotifycliError
from notifycli.events.decode import with_receipt
from notifycli.events.timestamps import SECOND, format_moment

if TYPE_CHECKING:
    from notifycli.server.journal import Journal

app = part()

_OVERLAP = 60 * SECOND
"""What the clocks of two machines may differ by."""
_REMEMBERED = 100_000
"""How many happenings are remembered, so that none is fetched that came."""
_LONGEST_GAP = 7 * 24 * 3600 * SECOND
"""What was missed before isn't fetched unasked."""


@app.command(
    "watch",
    cls=command_class(),
    epilog=examples(
        """
notifycli chatwoot watch
notifycli chatwoot watch -O ~/desk/events.jsonl
notifycli chatwoot watch --deliver        and send what fires
"""
    ),
)
def chatwoot_watch(
    ctx: typer.Context,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "-O", "--out", metavar="FILE", help="Where to keep events. [default: as listen does]"
        ),
    ] = None,
    deliver: Annotated[
        bool,
        typer.Option("--deliver", help="Send what fires, as deliver --follow does."),
    ] = False,
) -> None:
    """Keep what your Chatwoot's live socket tells.

    That is an event a line. It needs no webhook and no address that others can reach, and tells who
    is online, which webhooks don't. What was missed while the connection was lost is fetched from
    the history. Ctrl-C or SIGTERM stops it.

    Whoever is connected counts as online: their own e-mails wait, and new conversations may be
    given to them. So log in as an administrator who is in no inbox.
    """
    from notifycli.cli.server.deliver_meanwhile import (  # noqa: PLC0415 - if asked for
        deliver_meanwhile,
    )
    from notifycli.server.journal import Journal  # noqa: PLC0415 - once it is clear for whom

    session = session_of(ctx)
    writer = LogWriter(session, LogFormat.TEXT)
    log = writer.note
    address = _address(session)
    journal = Journal((out or session.path.parent / JOURNAL).expanduser(), log)
    journal.open()
    with ExitStack() as stack:
        stack.callback(journal.close)
        if deliver:
            stack.enter_context(deliver_meanwhile(session, journal.path, writer))
        watch = _Watch(session, journal, log)
        with suppress(KeyboardInterrupt):
            asyncio.run(watch.go_on(address))
    print_stopped(session, f"; {plural(watch.kept, 'event')} received")


def _address(session: Session) -> Address:
    """Find whose stream is read, and say what that means before it is."""
    with session.store() as store:
        desk = desk_of(session, store)
        user = administrator(desk)
        with desk.open(user) as api:
            token = api.pubsub_token()
        theirs = [one for one in store.inboxes(desk.account) if user.id in (one.members or ())]
    who = display_name(user)
    session.info(f"connecting to {desk.connection.url} as {who}, who counts as online meanwhile")
    if theirs:
        inboxes = ", ".join(one.name or str(one.id) for one in theirs)
        session.warn(
            f"{who} is in {inboxes}: their own e-mails wait, and new conversations may "
            "be given to them; better log in as an administrator who is in no inbox"
        )
    return Address(desk.connection.url, desk.connection.remote_account_id, user.id, token)


class _Watch:
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
        from notifycli.server.journal import Line  # noqa: PLC0415 - see chatwoot_watch

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
        missing = [line for _, line in self._known.missing(past.events)]
        if not missing or self._write(missing):
            self._missing_since = None
            self._log(f"{plural(len(missing), 'event')} since {first} fetched from the history")
            say_inexact(self._session, past.inexact)
