"""The files in which received events are kept: a line each, on the disk before it is confirmed.

Three things lie in one folder:

- `events.jsonl`, to which lines are appended, and which `simulate` replays;
- `events-DATE.jsonl`, what it was until it became too large or its day was over;
- `.events.jsonl.deliveries`, the ids of the last deliveries, each with where its line ends.

An id is written before its line, and both are on the disk before the delivery is confirmed. So
whatever moment the power goes, what is found afterwards can be mended: a line without an end was
never confirmed and is taken away, and an id whose line isn't there is forgotten.

Whoever puts the file aside, takes it away or shortens it while it is written to (logrotate, `rm`)
is noticed before each writing and after it: a new one is begun, and what is confirmed lies in a
file that has a name. A file that isn't one of events is never touched.

Many deliveries that come at once share one writing (group commit): while the disk is busy with
some, the others gather.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from glob import escape
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from notifycli.errors import ConfigurationError, NotifycliError, TryAgainError
from notifycli.events.decode import EventError, NotOneEventError, decode_body, decode_event
from notifycli.events.payload import decode_name
from notifycli.secrets.private_file import hold_lock, replace_private, sync_folder
from notifycli.store.received_events import Arrival
from notifycli.store.store import Location, Store, open_store

JOURNAL = "events.jsonl"
"""Where `listen` and `watch` keep events unless `listen.path` says otherwise: beside the store."""
LARGEST_FILE = 64 * 1024 * 1024
MOST_DELIVERIES = 100_000
"""How many ids are remembered: a day of a desk with a message a second."""
_DAY = 86_400
_BLOCK = 1 << 16
_LONGEST_LINE = 1 << 24
_ANOTHER = "name another file with --path"


class Line(NamedTuple):
    """One event: its body without a line break, and the id under which it was delivered, if any."""

    body: bytes
    delivery: str | None


class Journal:
    """The files at one path. `open` first; `write` from one thread at a time.

    `told` hears of what was mended and of files that were put aside.
    """

    def __init__(
        self,
        path: Path,
        told: Callable[[str], None],
        largest: int = LARGEST_FILE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._told = told
        self._largest = largest
        self._now = now
        # Not by `with_name`, which takes no folder: `_check` is to say that it is one.
        self._ids_path = path.parent / f".{path.name}.deliveries"
        self._stack = ExitStack()
        self._seen: dict[str, None] = {}
        self._torn = False
        self._file = self._ids = -1
        self._size = self._ids_size = 0
        self._day = 0

    def open(self) -> None:
        """Take the files for this process alone, and mend what a crash left.

        Raises `TryAgainError` if another process has them, `ConfigurationError` if they can't be
        written.
        """
        self._check()
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            self._stack.enter_context(hold_lock(lock, 0))
        except TryAgainError:
            raise TryAgainError(
                f"another process receives events into {self.path}", "name another with --path"
            ) from None
        try:
            self._open_file()
            self._mend()
            self._remember(self._ids_on_record())
            self._open_ids()
        except OSError as error:
            self.close()
            raise ConfigurationError(
                f"{self.path} can't be written: {error.strerror}", _ANOTHER
            ) from None
        except NotifycliError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._file, self._ids):
            with suppress(OSError):
                os.close(descriptor)
        self._file = self._ids = -1
        self._stack.close()

    def check(self) -> None:
        """Raise `ConfigurationError` or `OSError` if the next event couldn't be kept."""
        self._check()
        folder = self.path.parent
        if self._torn or shutil.disk_usage(folder).free == 0 or not os.access(folder, os.W_OK):
            raise ConfigurationError(f"{self.path} can't be written", _ANOTHER)

    def knows(self, delivery: str) -> bool:
        """Whether this id is on the disk with its line."""
        return delivery in self._seen

    def write(self, lines: list[Line]) -> None:
        """Put lines on the disk, all or none. Raises `OSError`, and can be called again then."""
        if self._torn:
            self._take_back()
        self._begin_anew_if_changed()
        self._rotate_if_due(sum(len(line.body) + 1 for line in lines))
        self._append_lines(lines)
        if os.fstat(self._file).st_nlink == 0:
            # Taken away between the look and the writing.
            self._begin_anew_if_changed()
            self._append_lines(lines)

    def _append_lines(self, lines: list[Line]) -> None:
        end, ids = self._size, []
        for line in lines:
            end += len(line.body) + 1
            if line.delivery is not None:
                ids.append(f"{end} {line.delivery}\n")
        self._torn = True
        if ids:
            _append(self._ids, "".join(ids).encode())
        _append(self._file, b"".join(line.body + b"\n" for line in lines))
        self._torn = False
        self._size = end
        self._ids_size += sum(map(len, ids))
        self._day = self._today()
        self._seen.update((line.delivery, None) for line in lines if line.delivery is not None)
        if len(self._seen) > 2 * MOST_DELIVERIES:
            self._forget_old()

    def _take_back(self) -> None:
        """Cut off what a writing that failed may have left."""
        for descriptor, size in ((self._file, self._size), (self._ids, self._ids_size)):
            # Never longer: that would fill it with zeros, if somebody has shortened it.
            os.ftruncate(descriptor, min(size, os.fstat(descriptor).st_size))
        self._torn = False

    def _begin_anew_if_changed(self) -> None:
        """Open what is at the path now, if that isn't the file as this process has left it."""
        ours = os.fstat(self._file)
        try:
            found = self.path.stat()
        except FileNotFoundError:
            found = None
        if found is not None and os.path.samestat(ours, found) and found.st_size == self._size:
            return
        before = self._file
        # The ids said where their lines are in the file that was.
        self._open_file()
        os.close(before)
        self._forget_old()
        if self._last_line():
            # Somebody may still be writing it: it is for a reader to judge.
            _append(self._file, b"\n")
            self._size += 1
        self._told(f"{self.path} was taken away or changed: writing to what is there now")

    def _today(self) -> int:
        return int(self._now() // _DAY)

    def _rotate_if_due(self, more: int) -> None:
        full = self._size + more > self._largest
        if self._size == 0 or not (full or self._today() != self._day):
            return
        # First the ids no longer say where their lines are, then the lines go there.
        self._forget_old()
        at = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{self.path.stem}-{at}{self.path.suffix}")
        with suppress(FileNotFoundError):
            self.path.rename(aside)
        before = self._file
        self._open_file()
        os.close(before)
        self._told(f"put aside: {aside}")

    def _check(self) -> None:
        """Raise `ConfigurationError` for what is no file of events; its first line tells."""
        try:
            kind = self.path.stat().st_mode
            # Opening a device may do something, and a pipe waits for its other end.
            first = _first_line(self.path) if stat.S_ISREG(kind) else b""
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigurationError(
                f"{self.path} can't be written: {error.strerror}", _ANOTHER
            ) from None
        if not stat.S_ISREG(kind):
            raise ConfigurationError(f"{self.path} is no file", _ANOTHER)
        if first and not (_is_event(first) or self._is_torn(first)):
            raise ConfigurationError(
                f"{self.path} holds something else than events: its first line is none", _ANOTHER
            )

    def _is_torn(self, line: bytes) -> bool:
        """Whether this can be the beginning of an event that this program was writing."""
        return line.startswith(b"{") and not _is_json(line) and self._ids_path.exists()

    def _open_file(self) -> None:
        """Open the file, or make one for its owner alone; one that is there keeps its rights."""
        self._check()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            sync_folder(self.path.parent)
            status = os.fstat(opened)
        except BaseException:
            os.close(opened)
            raise
        self._file = opened
        self._size = status.st_size
        self._day = int(status.st_mtime // _DAY)

    def _mend(self) -> None:
        """End the last line: with its end, if it is whole, else where the one before it ends.

        Raises `ConfigurationError` for a broken one that this program can't have written.
        """
        last = self._last_line()
        if not last:
            return
        if _is_event(last):
            _append(self._file, b"\n")
            self._size += 1
            return
        if not self._is_torn(last):
            raise ConfigurationError(f"{self.path} ends with what is no event", _ANOTHER)
        self._size -= len(last)
        os.ftruncate(self._file, self._size)
        os.fsync(self._file)
        self._told(f"{self.path}: took away {len(last)} bytes of an event that never came whole")

    def _last_line(self) -> bytes:
        """Return what follows the last line break."""
        start, last = self._size, b""
        while start and b"\n" not in last:
            begin = max(0, start - _BLOCK)
            last = os.pread(self._file, start - begin, begin) + last
            start = begin
        return last.rpartition(b"\n")[2]

    def _ids_on_record(self) -> list[str]:
        try:
            text = self._ids_path.read_bytes().decode("ascii", "replace")
        except FileNotFoundError:
            return []
        found = []
        for line in text.splitlines(keepends=True):
            end, _, delivery = line.partition(" ")
            if delivery.endswith("\n") and end.isdigit() and int(end) <= self._size:
                found.append(delivery.removesuffix("\n"))
        return found

    def _remember(self, ids: list[str]) -> None:
        self._seen = dict.fromkeys(ids[-MOST_DELIVERIES:])
        replace_private(self._ids_path, "".join(f"0 {id_}\n" for id_ in self._seen).encode())

    def _forget_old(self) -> None:
        """Keep the last ids alone, all of whose lines are on the disk."""
        self._remember(list(islice(self._seen, max(0, len(self._seen) - MOST_DELIVERIES), None)))
        os.close(self._ids)
        self._open_ids()

    def _open_ids(self) -> None:
        self._ids = os.open(self._ids_path, os.O_WRONLY | os.O_APPEND)
        self._ids_size = os.fstat(self._ids).st_size


def journal_of(location: Location, store: Store | None) -> Path:
    """Return where events are kept that come, of a store that may not open."""
    named = None if store is None else store.configuration.get("listen.path")
    return location.folder / JOURNAL if named is None else Path(named)


def files_of(journal: Path) -> list[Path]:
    """Return the files of a journal that hold anything: those put aside, then the last one."""
    return [*put_aside(journal, "-*"), *_filled([journal])]


def put_aside(journal: Path, mark: str = "-[0-9][0-9][0-9][0-9]*") -> list[Path]:
    """Return what a journal has put aside, oldest first: its name goes on with a year.

    Another journal in the folder may be called the same, up to another `mark`.
    """
    names = f"{escape(journal.stem)}{mark}{escape(journal.suffix)}"
    return _filled(sorted(journal.parent.glob(names)))


def _filled(paths: list[Path]) -> list[Path]:
    # pathlib's own raises where it may not look.
    return [one for one in paths if os.path.isfile(one) and os.path.getsize(one)]  # noqa: PTH113, PTH202


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(_LONGEST_LINE)


def _is_event(line: bytes) -> bool:
    """Whether a line is an object that names an event: itself, or the body inside it."""
    if not line.lstrip().startswith(b"{"):
        return False
    for decode in (decode_name, lambda it: decode_body(it, bytes)):
        try:
            decode(line)
        except NotOneEventError:
            return True
        except (msgspec.DecodeError, RecursionError, ValueError):
            continue
        return True
    return False


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _append(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


_LOOK_SECONDS = 2.0


class StoredLog:
    """Keeps events as a journal does. `open` first; `write` from one thread at a time.

    An event that names no account is counted to the `fallback` account.
    """

    def __init__(self, location: Location, fallback: int) -> None:
        self.path = location.name
        self._location = location
        self._fallback = fallback
        self._store: Store | None = None
        self._trouble: NotifycliError | None = None
        self._closed = threading.Event()
        self._looking = threading.Thread(target=self._look, name="store", daemon=True)

    def open(self) -> None:
        """Connect. Raises the store's errors, and `UsageError` for a file's."""
        store = open_store(self._location)
        try:
            _ = store.received
        except NotifycliError:
            store.__exit__()
            raise
        self._store = store
        self._looking.start()

    def close(self) -> None:
        """Disconnect."""
        self._closed.set()
        if self._store is not None:
            self._store.__exit__()

    def check(self) -> None:
        """Raise what kept the store from being asked when it was last tried."""
        if self._trouble is not None:
            raise self._trouble

    def knows(self, _: str) -> bool:
        """Return False: the store finds out which deliveries it has, whichever host got them."""
        return False

    def write(self, lines: list[Line]) -> None:
        """Write events to the store, all or none; on return they are committed."""
        if self._store is not None:
            self._store.received.write([self._arrival(line) for line in lines])

    def _arrival(self, line: Line) -> Arrival:
        account = None
        with suppress(EventError):
            account = decode_event(line.body, 1).account
        return Arrival(account or self._fallback, line.body.decode(), line.delivery)

    def _look(self) -> None:
        """Ask the store now and then, apart: whoever asks for the state must not wait for it."""
        while not self._closed.wait(_LOOK_SECONDS):
            try:
                open_store(self._location, create=False).__exit__()
                self._trouble = None
            except NotifycliError as error:
                self._trouble = error
