"""What `deliver` reads: files, one of them followed, or the log in the store.

The log is followed by any number of hosts: each account by one of them.
"""

from __future__ import annotations

import asyncio
import math
import os
import stat
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import suppress
from glob import escape
from hashlib import blake2b
from io import BufferedReader
from pathlib import Path
from queue import Empty, Full, Queue
from shlex import quote
from typing import Generic, NamedTuple, TypeVar

from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import input_descriptor
from notifycli.delivery.enqueue import unpack_state, wall_clock
from notifycli.errors import DataError, NotifycliError, TryAgainError, UsageError
from notifycli.replay.sources import STDIN, BadLines, Inputs, file_errors, read_records
from notifycli.rules.state import AccountState
from notifycli.store.outbox import FilePosition
from notifycli.store.received_events import AccountPlace, Place, Received, ReceivedEvent
from notifycli.store.store import Store

T = TypeVar("T")
POLL_SECONDS = 0.2
RENEW_SECONDS = 2.0
OLD_SECONDS = 10.0
"""How long nothing has come to an old file until it is let go: logrotate tells who writes to it
only once all files are renamed, and what is in a buffer by then goes to the old one."""
_GZIP = b"\x1f\x8b"
_KEPT_DAYS = 30
"""What was received counts for so long: in the store's log, and in files that were put aside."""
_MOST_AGAIN = 2 << 30
"""Bytes of files put aside that are read at a start: half a minute's work."""
_DAY = 86_400
_TIDY_SECONDS = 24 * 3600.0
_MOST = 500
_MOST_WAITING = 4_000
_LARGEST_BATCH = 1_000
_LOOK_SECONDS = 0.2


class Item(NamedTuple):
    """A line that isn't blank."""

    file: str
    number: int
    line: bytes
    place: FilePosition | None = None
    """How far the file has been read with it; `None` where that can't be remembered."""
    fresh: bool = True
    """Whether it is to be delivered; else an earlier run has seen it, and it counts as history."""
    reached: AccountPlace | None = None
    """How far the log in the store has been read with it."""
    state: AccountState | None = None
    """What another process had kept of its account before it."""
    moment: int | None = None
    """It is no line: all that came before this moment has been given."""


class Follower:
    """Follows one file by its name, as `tail -F` does; one that has lost it, for a while longer.

    `pause` waits for some seconds and says whether to go on.
    """

    def __init__(
        self, name: str, remembered: FilePosition | None, pause: Callable[[float], bool]
    ) -> None:
        self.path = self.path_of(name)
        self._name = name
        self._pause = pause
        self._told = remembered
        with file_errors(name):
            file = _OpenFile(name)
            if file.is_compressed:
                file.close()
                raise UsageError(
                    f"{name} is compressed: it can't be followed", "leave out --follow"
                )
            self.regular = file.regular
            self.resumed = file.regular and remembered is not None and file.resume(remembered)
            """Whether an earlier run has read this very file."""
        self._files = [file]
        """The one that has the name is the last; those before it had it one after the other."""
        self.inode = file.inode
        """Which file it was at first, on its disk."""

    @staticmethod
    def path_of(name: str) -> str:
        """Give by what the store remembers a file."""
        return os.path.realpath(name)

    def items(self) -> Iterator[Item]:
        """Give the lines there are, and each that comes, until `pause` says no."""
        begun = None
        try:
            with file_errors(self._name):
                while True:
                    before, begun = begun, wall_clock()
                    complete = yield from self._lines()
                    # Since then, a file that took its place has been read.
                    if before is not None and complete:
                        yield Item(self._name, 0, b"", self._untold_place(), moment=before)
                    if not self._pause(POLL_SECONDS):
                        return
                    self._look()
        finally:
            for file in self._files:
                file.close()

    def _lines(self) -> Generator[Item, None, bool]:
        """Give the whole lines there are, the oldest file's first, and whether these are all.

        A line that is still being written to an old file is waited for, so that the order holds.
        """
        for file in [*self._files[:-1]]:
            yield from self._items(file.lines())
            if file.looks * POLL_SECONDS >= OLD_SECONDS:
                yield from self._items(file.last_line())
                self._files.remove(file)
                file.close()
            elif file.rest:
                return False
        yield from self._items(self._files[-1].lines())
        return True

    def _items(self, lines: Iterator[_Line]) -> Iterator[Item]:
        # The place stays in the oldest file: begun again, it says that this one has been replaced,
        # and takes the newer ones from their starts; what is known by then isn't sent again.
        for number, line, fresh in lines:
            self._told = self._files[0].place
            yield Item(self._name, number, line, self._told, fresh)

    def _untold_place(self) -> FilePosition | None:
        """Return the place where no line has told it: a file is empty, or an old one was let go."""
        before, self._told = self._told, self._files[0].place
        return None if self._told == before else self._told

    def _look(self) -> None:
        """See whether a file has been cut, and whether another one has taken the name."""
        if not self._files[-1].regular:
            return
        for file in self._files:
            file.begin_again_if_cut()
            file.looks += 1
        with suppress(FileNotFoundError):  # between the two halves of a rotation
            if Path(self._name).stat().st_ino != self._files[-1].inode:
                new = _OpenFile(self._name)
                self._files[-1].looks = 0
                self._files.append(new)


class _Line(NamedTuple):
    number: int
    text: bytes
    fresh: bool


class _OpenFile:
    """A file that is read on, whatever its name is by now."""

    def __init__(self, name: str) -> None:
        self._file = _open(name)
        status = os.fstat(self._file.fileno())
        self.inode = status.st_ino
        self.regular = stat.S_ISREG(status.st_mode)
        self.looks = 0
        """How often it was looked at since something came, or since it lost its name."""
        self._seen = 0
        """Up to where an earlier run has read it."""
        self._begin()

    def _begin(self) -> None:
        self._place = FilePosition(self.inode, b"", 0)
        self._number = 0
        self.rest = b""
        """A line that is being written."""

    @property
    def is_compressed(self) -> bool:
        return self._file.peek(2)[:2] == _GZIP

    @property
    def place(self) -> FilePosition | None:
        """How far it has been read; `None` where that can't be remembered."""
        return self._place if self.regular else None

    def resume(self, remembered: FilePosition) -> bool:
        """Take as history what an earlier run has read, if it was this very file; tells that."""
        first = self._file.readline()
        self._file.seek(0)
        known = remembered.inode == self.inode and (
            not remembered.offset or remembered.start == _digest(first)
        )
        if not known or remembered.offset > os.fstat(self._file.fileno()).st_size:
            return False
        self._seen = remembered.offset
        return True

    def lines(self) -> Iterator[_Line]:
        """Give the whole lines that are there; one that is being written waits for its end."""
        while block := self._file.readline():
            self.looks = 0
            self.rest += block
            if self.rest.endswith(b"\n"):
                yield from self.last_line()

    def last_line(self) -> Iterator[_Line]:
        """Give what there is of a line as one, unless it is blank."""
        line, self.rest = self.rest, b""
        self._number += 1
        start = _digest(line) if self._number == 1 else self._place.start
        self._place = FilePosition(self.inode, start, self._place.offset + len(line))
        if line.strip():
            yield _Line(self._number, line, self._place.offset > self._seen)

    def begin_again_if_cut(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if size < self._place.offset + len(self.rest):
            self._seen = 0
            self._file.seek(0)
            self._begin()

    def close(self) -> None:
        self._file.close()


def _open(name: str) -> BufferedReader:
    return Path(name).open("rb")


def _rotated(path: Path) -> Path | None:
    """Find what logrotate has made of a file last, by its names: NAME.1, NAME-20260303.gz."""
    with file_errors(str(path)):
        found = path.parent.glob(f"{escape(path.name)}[.-][0-9]*")
        return max(found, key=lambda one: one.stat().st_mtime, default=None)


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=16).digest()


class Followed(NamedTuple):
    """An event, how far its account is read with it, and whether it is to be delivered.

    Else others have delivered it, and it counts as history.
    """

    event: ReceivedEvent
    reached: AccountPlace
    fresh: bool
    state: AccountState | None
    """What others have kept of the account before it, where they have handed it over with it."""


class LogFollower:
    """Follows what `listen --store` has received on all hosts: those accounts that it can lease.

    An account that it takes is read on from where what was kept of it ends, else from the beginning
    of the log, as history. Reads in a thread with a connection of its own, which `connect` gives;
    `pause` waits and says whether to go on, `tell` tells what somebody should know.
    """

    def __init__(
        self,
        connect: Callable[[], Store],
        pause: Callable[[float], bool],
        tell: Callable[[str], object],
        only: int | None = None,
    ) -> None:
        """`only`: the one account that is wanted."""
        self.owner = uuid.uuid4().hex
        self._connect = connect
        self._pause = pause
        self._tell = tell
        self._only = only
        self._states: dict[int, AccountState] = {}
        self._tidied = -math.inf
        self._read: dict[int, Place] = {}
        self._delivered: dict[int, Place] = {}

    def events(self) -> Iterator[Followed | int]:
        """Give the events there are, and each that comes, until `pause` says no.

        A number is a moment: what came before it has all been given.
        Raises `TryAgainError` if another host has taken an account over.
        """
        with self._connect() as store:
            while True:
                if time.monotonic() - self._tidied > _TIDY_SECONDS:
                    store.received.tidy(_KEPT_DAYS)
                    self._tidied = time.monotonic()
                self._lease(store.received)
                until = time.monotonic() + RENEW_SECONDS
                while time.monotonic() < until:
                    before, begun = dict(self._read), wall_clock()
                    yield from self._read_accounts(store.received)
                    if self._read == before:
                        yield begun
                        if not self._pause(POLL_SECONDS):
                            return

    def _lease(self, received: Received) -> None:
        held = received.lease(self.owner, self._only)
        if lost := self._read.keys() - held.keys():
            listed = ", ".join(map(str, sorted(lost)))
            raise TryAgainError(f"another host delivers account {listed} by now", "start it again")
        for account in held.keys() - self._read.keys():
            self._read[account] = self._take_over(received, account)
            self._delivered[account] = held[account]

    def _take_over(self, received: Received, account: int) -> Place:
        """Take what others have kept of an account, and give the place from which it is read."""
        kept = received.state(account)
        if kept is None:
            return Place()
        try:
            self._states[account] = unpack_state(kept.state)
        except DataError as error:
            self._tell(
                f"account {account}: what was kept of it isn't used, {error.message}; "
                "its events are read again from the beginning of the log, as history"
            )
            return Place()
        return kept.place

    def _read_accounts(self, received: Received) -> Iterator[Followed]:
        for account, place in self._read.items():
            events = received.read(account, place, _MOST)
            for event in events:
                reached = AccountPlace(account, self.owner, event.place)
                fresh = event.place > self._delivered[account]
                yield Followed(event, reached, fresh, self._states.pop(account, None))
            if events:
                self._read[account] = events[-1].place


class Source:
    """The events of a run: files to their end, and then one that is followed.

    What `listen` and `watch` have put aside of that one is read before it, unless files are named
    before it: what was kept of an account begins there.

    Raises `InputMissingError`, and `UsageError` for a file that can't be followed.
    """

    def __init__(
        self,
        session: Session,
        store: Store,
        files: list[str],
        bad: BadLines,
        *,
        follow: bool,
        from_store: bool = False,
    ) -> None:
        """`from_store`: what is followed is what `listen --store` has received."""
        self._this = session
        self._store = store
        self._files = files
        self.follows = follow
        self.bad = bad
        self.stopped = threading.Event()
        self._remembered: FilePosition | None = None
        self.followed = self._open_followed()
        # Only now: what is put aside meanwhile is the file that was opened.
        self._aside = self._find_aside()
        only = session.given_account
        log = LogFollower(session.store, self._go_on, session.info, only) if from_store else None
        self._log = log

    def items(self) -> Iterator[Item]:
        """Give what may be events."""
        if self._log:
            for one in self._log.events():
                if isinstance(one, int):
                    yield Item("the store", 0, b"", moment=one)
                    continue
                event, reached, fresh, state = one
                line = event.body.encode()
                yield Item("the store", event.place.event, line, None, fresh, reached, state)
            return
        whole = self._files[:-1] if self.followed else self._files
        inputs = Inputs(tuple(whole), input_descriptor, self._this.suggest)
        for file, number, text in read_records(inputs, self.bad):
            yield Item(file, number, text)
        if self.followed:
            yield from self._put_aside(self.followed)
            yield from self.followed.items()

    def _find_aside(self) -> list[Path]:
        """Find what was put aside lately of the followed file, oldest first, and say so."""
        followed = self.followed
        if not followed or not followed.regular or len(self._files) > 1:
            return []
        from notifycli.server.journal import put_aside  # noqa: PLC0415 - only if a file is followed

        since, room = time.time() - _KEPT_DAYS * _DAY, _MOST_AGAIN
        recent: list[Path] = []
        with file_errors(self._files[0]):
            for path in reversed(put_aside(Path(self._files[0]))):
                status = path.stat()
                room -= status.st_size
                if status.st_mtime < since or room < 0:
                    break
                if status.st_ino != followed.inode:
                    recent.insert(0, path)
        if recent:
            self._this.info(
                f"reading {plural(len(recent), 'file')} put aside before, from {recent[0]} on:"
                " what was read of them isn't sent again"
            )
        return recent

    def _put_aside(self, followed: Follower) -> Iterator[Item]:
        """Give what was put aside, as history up to where an earlier run has read."""
        unread = False
        for path in self._aside:
            try:
                file = Follower(str(path), self._remembered, lambda _: False)
            except NotifycliError as error:
                self._this.warn(f"{error.message}: what it would tell isn't known")
                continue
            unread = unread or file.resumed
            for item in file.items():
                yield item._replace(fresh=item.fresh and unread)
        if self._remembered and followed.regular and len(self._files) == 1:
            self._tell_predecessor(replaced=not (followed.resumed or unread))

    def _tell_predecessor(self, *, replaced: bool) -> None:
        """Say what isn't known of a file that others, as logrotate, have put aside."""
        name = self._files[-1]
        before = _rotated(Path(name))
        both = f"notifycli deliver --follow {quote(str(before or 'OLD_FILE'))} {quote(name)}"
        if replaced:
            self._this.info(
                f"{name} is another file than the one followed before: what was written to that one"
                f" meanwhile is read only if you name it: {both}"
            )
        elif before:
            self._this.info(
                f"{name} was rotated: who takes part by {before}, and what it has for a digest, is"
                f" known only if you name it: {both}"
            )

    @property
    def has_end(self) -> bool:
        """Whether it is known when all has been read that there is: of a pipe, it isn't."""
        return STDIN not in self._files

    def release(self) -> None:
        """Let others take at once what was leased."""
        if self._log:
            with suppress(NotifycliError):  # its lease runs out
                self._store.received.release(self._log.owner)

    def _open_followed(self) -> Follower | None:
        if not self.follows or not self._files or self._files[-1] == STDIN:
            return None
        name = self._files[-1]
        self._remembered = self._store.outbox.place(Follower.path_of(name))
        return Follower(name, self._remembered, self._go_on)

    def _go_on(self, seconds: float) -> bool:
        return not self.stopped.wait(seconds)


class AsyncReader(Generic[T]):
    """Reads in a thread of its own. `stop` ends it, whatever the reader is waiting for."""

    def __init__(self, source: Iterator[T], stopped: threading.Event) -> None:
        self._source = source
        self._stopped = stopped
        self._queue: Queue[T] = Queue(_MOST_WAITING)
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._idle = False
        self._ended = False
        self._error: BaseException | None = None
        # A daemon: a read from a terminal or a pipe can't be broken off.
        threading.Thread(target=self._read, daemon=True).start()

    async def batches(self) -> AsyncIterator[list[T]]:
        """Give what has been read, until there is no more. Raises what the reader raises."""
        while not self._stopped.is_set():
            ended = self._ended
            if batch := self._take_batch():
                yield batch
                await asyncio.sleep(0)
            elif ended:
                if self._error is not None:
                    raise self._error
                return
            else:
                await self._rest()

    async def _rest(self) -> None:
        self._arrived.clear()
        self._idle = True
        if self._queue.empty() and not self._ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._arrived.wait()
        self._idle = False

    def _take_batch(self) -> list[T]:
        batch: list[T] = []
        with suppress(Empty):
            while len(batch) < _LARGEST_BATCH:
                batch.append(self._queue.get_nowait())
        return batch

    def _read(self) -> None:
        try:
            for item in self._source:
                if not self._put(item):
                    return
                if self._idle:
                    self._tell()
        except BaseException as error:  # noqa: BLE001 - raised again where somebody listens
            self._error = error
        finally:
            self._ended = True
            self._tell()

    def _put(self, item: T) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_LOOK_SECONDS)
            except Full:
                continue
            return True
        return False

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is gone
            self._loop.call_soon_threadsafe(self._arrived.set)
