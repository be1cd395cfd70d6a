"""Input files: their lines, numbered, plain or gzip-compressed, and what is wrong with them."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO, cast

from notifycli.cli.session import plural
from notifycli.cli.terminal import input_descriptor, print_error
from notifycli.errors import DataError, InputMissingError

STDIN = "-"
# The first of the magic number's two bytes: a pipe may give it alone, and no JSON starts with it.
_GZIP = b"\x1f"
BOM = b"\xef\xbb\xbf"
_BUFFER = 1 << 18
_IN_MEMORY = 1 << 24
_WORTH_SHARING = 1 << 24
_TOLD_IN_FULL = 20
_LINES_A_TELLING = 1000


class BadLines:
    """Reports lines that are no events: the first ones in full, then a count at the end."""

    def __init__(self, *, strict: bool) -> None:
        self.count = 0
        self._strict = strict
        self._told = 0
        self._hints: set[str] = set()
        self._given_up = ""
        """A file that is no lines of events at all: one fault of it is enough."""

    def add(self, place: str, fault: str, line: bytes) -> None:
        """Report one. Raises `DataError` if the first one is to stop everything."""
        self.count += 1
        file, _, number = place.rpartition(":")
        if self._strict:
            raise DataError(f"{place}: {fault}", "leave out --strict to pass over such lines")
        if file == self._given_up or self._told == _TOLD_IN_FULL:
            return
        first = number == "1" and fault.startswith("no JSON object")
        hint = self._look_at(file, line) if first else ""
        self._told += 1
        print_error(f"{place}: {fault}{hint}")

    def finish(self) -> int:
        """Say how many there were; gives the exit status."""
        if not self.count:
            return 0
        if self.count > self._told:
            print_error(f"… and {self.count - self._told} more bad lines")
        print_error(f"{plural(self.count, 'bad line')} passed over; everything else was read")
        return DataError.status

    def _look_at(self, file: str, line: bytes) -> str:
        """Give what to do about a file with such a first line, unless that has been said."""
        from notifycli.cli.input.form import form_of  # noqa: PLC0415 - only for a wrong file

        form = form_of(file, line)
        if form.one_value:
            self._given_up = file
        hint = "" if form.hint in self._hints else form.hint
        self._hints.add(form.hint)
        return hint


def read_lines(
    files: Iterable[str], progress: Callable[[int], None] | None = None
) -> Iterator[tuple[str, int, bytes]]:
    """Give the files' lines that aren't blank, as (file, number from 1, line).

    `-` is standard input. `progress` is told now and then how many bytes of a file on disk have
    been read since it was told before. Raises `InputMissingError` for a file that can't be read,
    and `DataError` for damaged gzip data.
    """
    for name in files:
        told, place = 0, shown(name)
        with told_faults(place), _open(name) as raw:
            for number, line in enumerate(_streamed(raw), 1):
                if number == 1:
                    line = line.removeprefix(BOM)  # noqa: PLW2901 - what Windows tools put first
                if progress is not None and number % _LINES_A_TELLING == 0 and name != STDIN:
                    progress(raw.tell() - told)
                    told = raw.tell()
                if line and not line.isspace():
                    yield place, number, line


def read_whole(name: str) -> bytes:
    """Read a file, or standard input for `-`; raises as `read_lines` does."""
    with told_faults(shown(name)), _open(name) as raw:
        return _plain(raw).read()


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for `-`, such that it can be read again from its start.

    Raises as `read_lines` does, for all that is read inside too.
    """
    with told_faults(shown(name)), _open(name) as raw:
        if name != STDIN:
            yield _plain(raw)
            return
        import shutil  # noqa: PLC0415 - only a pipe needs to be kept
        import tempfile  # noqa: PLC0415

        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
            shutil.copyfileobj(_plain(raw), kept)
            kept.seek(0)
            yield cast(BinaryIO, kept)


def shown(name: str) -> str:
    """Give what messages call a file."""
    return "<stdin>" if name == STDIN else name


def can_be_shared(name: str) -> bool:
    """Whether several processes can read parts of a file: it is on disk, large, and no gzip."""
    if name == STDIN:
        return False
    with told_faults(name), _open(name) as raw:
        status = os.fstat(raw.fileno())
        large = stat.S_ISREG(status.st_mode) and status.st_size >= _WORTH_SHARING
        return large and raw.peek(1)[:1] != _GZIP


def total_size(files: Iterable[str]) -> int | None:
    """Give the bytes on disk of all files; `None` where that can't be known."""
    try:
        return sum(Path(name).stat().st_size for name in files)
    except OSError:
        return None


@contextmanager
def told_faults(place: str) -> Iterator[None]:
    """Turn what can go wrong with a file into the product's errors, with the file's name."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{place}: damaged gzip data: {error}") from None
    except OSError as error:
        raise InputMissingError(
            f"{place}: {error.strerror or error}", "check the name; - reads standard input"
        ) from None


class _EndingOnce(FileIO):
    """Standard input: a terminal's could be read on after its end, which one Ctrl-D is to be."""

    _ended = False

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # a buffer is one of these
        """Give the next bytes; none from the first end on."""
        size = 0 if self._ended else super().readinto(buffer)
        self._ended = not size
        return size

    def readall(self) -> bytes:
        """Give all that is left."""
        data = b"" if self._ended else super().readall()
        self._ended = True
        return data


def _open(name: str) -> BufferedReader:
    # A duplicate, so that closing it leaves the process its standard input.
    source = _EndingOnce(os.dup(input_descriptor())) if name == STDIN else FileIO(name)
    return BufferedReader(source, _BUFFER)


def _plain(raw: BufferedReader) -> BinaryIO:
    return cast(BinaryIO, gzip.open(raw)) if raw.peek(1)[:1] == _GZIP else raw


def _streamed(raw: BufferedReader) -> Iterator[bytes]:
    """Give the lines; of gzip data, each as soon as it is decompressed."""
    if raw.peek(1)[:1] != _GZIP:
        yield from raw
        return
    from notifycli.cli.input.inflating import Inflated  # noqa: PLC0415 - plain files need no thread

    with BufferedReader(Inflated(raw), _BUFFER) as inflated:
        yield from inflated
