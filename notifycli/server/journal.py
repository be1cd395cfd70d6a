"""The files in which received events are kept: a line each, on the disk before it is confirmed.

Three things lie in one folder:

- `events.jsonl`, to which lines are appended, and which `simulate` replays;
- `events-DATE.jsonl`, what it was until it became too large or its day was over;
- `.events.jsonl.deliveries`, the ids of the last deliveries, each with where its line ends.

An id is written before its line, and both are on the disk before the delivery is confirmed. So
whatever moment the power goes, what is found afterwards can be mended: a line without an end was
never confirmed and is taken away, and an id whose line isn't there is forgotten.

Many deliveries that come at once share one writing (group commit): while the disk is busy with
some, the others gather.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from notifycli.errors import ConfigurationError, TryAgainError
from notifycli.events.payload import decode_name
from notifycli.secrets.private_file import locked, replace_private, sync_folder

LARGEST_FILE = 64 * 1024 * 1024
MOST_DELIVERIES = 100_000
"""How many ids are remembered: a day of a desk with a message a second."""
_DAY = 86_400
_BLOCK = 1 << 16


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
        self._ids_path = path.with_name(f".{path.name}.deliveries")
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
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            self._stack.enter_context(locked(lock, 0))
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
                f"{self.path} can't be written: {error.strerror}", "name another file with --path"
            ) from None

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._file, self._ids):
            with suppress(OSError):
                os.close(descriptor)
        self._file = self._ids = -1
        self._stack.close()

    def seen(self, delivery: str) -> bool:
        """Whether this id is on the disk with its line."""
        return delivery in self._seen

    def write(self, lines: list[Line]) -> None:
        """Put lines on the disk, all or none. Raises `OSError`, and can be called again then."""
        if self._torn:
            self._take_back()
        self._rotate_if_due(sum(len(line.body) + 1 for line in lines))
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
        os.ftruncate(self._file, self._size)
        os.ftruncate(self._ids, self._ids_size)
        self._torn = False

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

    def _open_file(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.fchmod(opened, 0o600)
            sync_folder(self.path.parent)
            status = os.fstat(opened)
        except BaseException:
            os.close(opened)
            raise
        self._file = opened
        self._size = status.st_size
        self._day = int(status.st_mtime // _DAY)

    def _mend(self) -> None:
        """End the last line: with its end, if it is whole, else where the one before it ends."""
        last = self._last_line()
        if not last:
            return
        try:
            decode_name(last)
            _append(self._file, b"\n")
            self._size += 1
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._size -= len(last)
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
            self._told(
                f"{self.path}: took away {len(last)} bytes of an event that never came whole"
            )

    def _last_line(self) -> bytes:
        """Give what follows the last line break."""
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


def _append(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)
