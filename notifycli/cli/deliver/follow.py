"""A file that grows: its lines as they are written, over rotation, truncation and restarts."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from hashlib import blake2b
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from notifycli.errors import UsageError
from notifycli.replay.faults import file_errors
from notifycli.store.outbox import FilePosition

POLL_SECONDS = 0.2
_GZIP = b"\x1f\x8b"


class Item(NamedTuple):
    """A line that isn't blank."""

    file: str
    number: int
    line: bytes
    place: FilePosition | None = None
    """How far the file has been read with it; `None` where that can't be remembered."""
    fresh: bool = True
    """Whether it is to be delivered; else an earlier run has seen it, and it counts as history."""


class Follower:
    """Follows one file by its name, as `tail -F` does.

    `pause` waits for some seconds and says whether to go on.
    """

    def __init__(
        self, name: str, remembered: FilePosition | None, pause: Callable[[float], bool]
    ) -> None:
        self.path = self.path_of(name)
        self._name = name
        self._pause = pause
        self._place = FilePosition(0, b"", 0)
        self._number = 0
        self._rest = b""
        with file_errors(name):
            self._file = _opened(name)
            if self._file.peek(2)[:2] == _GZIP:
                self._file.close()
                raise UsageError(
                    f"{name} is compressed: it can't be followed", "leave out --follow"
                )
            self._regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
            self._seen = self._seen_before(remembered) if self._regular else 0
        self.replaced = remembered is not None and self._regular and not self._seen
        """Whether the file that was followed before has been replaced by another since."""
        self._begin()

    @staticmethod
    def path_of(name: str) -> str:
        """Give by what the store remembers a file."""
        return str(Path(name).resolve())

    def items(self) -> Iterator[Item]:
        """Give the lines there are, and each that comes, until `pause` says no."""
        try:
            with file_errors(self._name):
                while True:
                    yield from self._written()
                    if not self._pause(POLL_SECONDS):
                        return
                    yield from self._renewed()
        finally:
            self._file.close()

    def _seen_before(self, remembered: FilePosition | None) -> int:
        """Give up to where an earlier run has read this very file."""
        if remembered is None:
            return 0
        status = os.fstat(self._file.fileno())
        first = self._file.readline()
        self._file.seek(0)
        same = remembered.inode == status.st_ino and remembered.start == _digest(first)
        return remembered.offset if same and remembered.offset <= status.st_size else 0

    def _begin(self) -> None:
        self._place = FilePosition(os.fstat(self._file.fileno()).st_ino, b"", 0)
        self._number = 0
        self._rest = b""

    def _written(self) -> Iterator[Item]:
        """Give the whole lines that are there; one that is being written waits for its end."""
        while block := self._file.readline():
            self._rest += block
            if self._rest.endswith(b"\n"):
                yield from self._ended()

    def _ended(self) -> Iterator[Item]:
        line, self._rest = self._rest, b""
        self._number += 1
        start = _digest(line) if self._number == 1 else self._place.start
        self._place = FilePosition(self._place.inode, start, self._place.offset + len(line))
        if line.strip():
            place = self._place if self._regular else None
            fresh = self._place.offset > self._seen
            yield Item(self._name, self._number, line, place, fresh)

    def _renewed(self) -> Iterator[Item]:
        """Begin anew where the file has been cut, or another has taken its name."""
        if not self._regular:
            return
        if os.fstat(self._file.fileno()).st_size < self._place.offset + len(self._rest):
            self._seen = 0
            self._file.seek(0)
            self._begin()
            return
        try:
            now = Path(self._name).stat()
        except FileNotFoundError:
            return  # between the two halves of a rotation
        if now.st_ino == self._place.inode:
            return
        yield from self._written()
        if self._rest:
            yield from self._ended()
        self._file.close()
        self._file = _opened(self._name)
        self._seen = 0
        self._begin()


def _opened(name: str) -> BufferedReader:
    return Path(name).open("rb")


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=16).digest()
