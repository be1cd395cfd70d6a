"""Processes that share the reading of files: they take parts of them in turn.

Reading is what takes the time, and needs nothing but the line itself. What one event means for
the next (who has been seen, who is assigned) stays with the one process that puts the parts
together in their order: so the number of readers changes nothing that is printed.

A large file of plain lines is read from the disk by the readers themselves. Everything else is
read, and decompressed, by the one process, in a thread of its own; texts of whole lines are sent
to the readers. What isn't lines of events stays where it is.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from queue import SimpleQueue
from typing import BinaryIO, Self

import msgspec
from msgspec import Struct

from notifycli.errors import NotifycliError
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.replay.decompression import BLOCK, BOM
from notifycli.replay.json_values import LONGEST_LINE, split_lines, too_long
from notifycli.replay.scan import (
    decode_records,
    is_packed,
    read_events,
    salvage,
    tell_file,
    unpack,
)
from notifycli.replay.sources import (
    STDIN,
    BadLines,
    Inputs,
    Progress,
    can_be_shared,
    file_errors,
    read_texts,
)

_PART = 1 << 22
_BUFFER = 1 << 20
_NICER = 5
"""By how much readers step back for the process that puts the parts together."""


class Fault(Struct, array_like=True):
    """A line that is no event."""

    place: int
    """How many events of the part come before it."""
    number: int
    text: str


class Part(Struct, array_like=True):
    """What was read of one part. Line numbers count from its start."""

    events: list[Event]
    faults: list[Fault]
    lines: int
    size: int = 0
    """Its bytes in the file, of one that the readers read."""


Piece = tuple[bytes, int, int | None] | bytes
"""What a reader is to read: a file, from one place to another, or a text."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Part).decode
_decode_piece = msgspec.msgpack.Decoder(Piece).decode


def read_shared(
    inputs: Inputs, bad: BadLines, progress: Progress | None, jobs: int
) -> Iterator[Event]:
    """Return the events of all files, as `read_events` does."""
    turns = deque[Iterator[Event]]()
    with (
        _Readers(jobs) as readers,
        closing(_pieces(inputs, _Later(bad, turns), readers, progress)) as pieces,
    ):
        failure: NotifycliError | None = None
        while failure is None:
            try:
                turns.append(next(pieces))
            except StopIteration:
                break
            except NotifycliError as error:
                failure = error
            while len(turns) > readers.ahead:
                yield from turns.popleft()
        while turns:
            yield from turns.popleft()
        if failure is not None:
            raise failure


class _Later(BadLines):
    """Reports what is no event when its turn comes: reading is ahead of it."""

    def __init__(self, bad: BadLines, turns: deque[Iterator[Event]]) -> None:
        super().__init__(print)
        self._bad = bad
        self._turns = turns

    def add(self, place: str, fault: str) -> None:
        """Report a line."""
        self._turns.append(_call(partial(self._bad.add, place, fault)))

    def refuse(self, file: str, fault: str) -> None:
        """Report a file."""
        self._turns.append(_call(partial(self._bad.refuse, file, fault)))

    def pass_over(self, file: str, why: str) -> None:
        """Say that a file was not read."""
        self._turns.append(_call(partial(self._bad.pass_over, file, why)))

    @property
    def reports(self) -> BadLines:
        """What it is reported to in the end."""
        return self._bad


def _call(report: Callable[[], None]) -> Iterator[Event]:
    report()
    yield from ()


def _pieces(
    inputs: Inputs, later: _Later, readers: _Readers, progress: Progress | None
) -> Generator[Iterator[Event]]:
    """Return for each piece of the input, in order, the events in it, once it has been read."""
    bad = later.reports
    for name in inputs.files:
        one = inputs._replace(files=(name,))
        if name == STDIN:
            yield tell_file(inputs, name, read_events(one, bad, progress))
        elif is_packed(name):
            yield tell_file(inputs, name, unpack(name, progress))
        elif can_be_shared(name):
            whole = Whole(name, bad, progress)
            for start, end in _cuts(os.stat(name).st_size):  # noqa: PTH116 - as everything here
                part = whole.receive(readers.send((os.fsencode(name), start, end)))
                yield tell_file(inputs, name, part)
        else:
            for found in read_texts(one, later, progress):
                if isinstance(found, list):
                    yield tell_file(inputs, name, decode_records(found, bad))
                    continue
                if found.first:
                    whole = Whole(found.file, bad)
                yield tell_file(inputs, name, whole.receive(readers.send(found.data)))


def _cuts(size: int) -> Iterator[tuple[int, int | None]]:
    """Return from where to where each part of a file goes; `None` for its end."""
    count = -(-size // _PART)
    for number in range(count):
        yield number * _PART, None if number == count - 1 else (number + 1) * _PART


class Whole:
    """A file whose parts are put together as if it had been read whole."""

    def __init__(self, name: str, bad: BadLines, progress: Progress | None = None) -> None:
        self._name = name
        self._bad = bad
        self._progress = progress
        self._lines = 0
        """Of the parts so far."""

    def receive(self, receive: Callable[[], Part]) -> Iterator[Event]:
        """Return the events of the next part, which is waited for first."""
        with file_errors(self._name):
            part = receive()
        yield from self.add(part)
        if self._progress is not None:
            self._progress(part.size)

    def add(self, part: Part) -> Iterator[Event]:
        """Return the events of the next part."""
        before, at = self._lines, 0
        self._lines += part.lines
        for event in part.events:
            event.line += before
        for fault in part.faults:
            yield from part.events[at : fault.place]
            at = fault.place
            self._bad.add(f"{self._name}:{before + fault.number}", fault.text)
        yield from part.events[at:]


class _Readers:
    """The processes that read, in turn.

    There is one more than `jobs`: when the process that puts the parts together needs a processor
    for a while, the others are shared by readers that wait for nobody.
    """

    def __init__(self, jobs: int) -> None:
        context = _context()
        self._count = 0
        self._readers = []
        for _ in range(jobs + 1):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, ours), daemon=True)
            process.start()
            theirs.close()
            self._readers.append((process, ours))
        self.ahead = 2 * len(self._readers)
        """How many pieces are being read at most: each reader has the next one already."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process, connection in self._readers:
            connection.close()
            process.terminate()
            process.join()

    def send(self, piece: Piece) -> Callable[[], Part]:
        """Have a piece read; returns what waits for it. They are to be waited for in order."""
        _, connection = self._readers[self._count % len(self._readers)]
        self._count += 1
        with suppress(BrokenPipeError):  # that it has stopped is found where it is waited for
            connection.send_bytes(_encode(piece))
        return partial(_take_part, connection)


def _context() -> ForkContext | SpawnContext:
    """Choose how processes start: a copy of this one is there at once, if nothing else runs in it.

    A progress bar has a thread of its own.
    """
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _take_part(receiver: Connection) -> Part:
    try:
        return _decode(receiver.recv_bytes())
    except EOFError:
        raise OSError(errno.EIO, "a process that read it has stopped; try --jobs 1") from None


def _serve(connection: Connection, parent: Connection) -> None:
    """Read the pieces that are sent, and send what is in them."""
    # Ctrl-C reaches all of them; the one that puts the parts together ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.nice(_NICER)
    # As long as this end were open here too, a reader would never learn that nobody reads any more.
    parent.close()
    pieces: SimpleQueue[Piece | None] = SimpleQueue()
    # By a thread of its own: the parent never waits for a reader that waits for the parent.
    threading.Thread(target=_receive, args=(connection, pieces), daemon=True).start()
    with suppress(BrokenPipeError, ConnectionResetError):
        while (piece := pieces.get()) is not None:
            connection.send_bytes(_encode(read_piece(piece)))


def _receive(connection: Connection, pieces: SimpleQueue[Piece | None]) -> None:
    with suppress(EOFError, OSError):
        while True:
            pieces.put(_decode_piece(connection.recv_bytes()))
    pieces.put(None)


def read_piece(piece: Piece) -> Part:
    """Read a part of a file, or a text. Raises `OSError`."""
    if isinstance(piece, bytes):
        return _decode_lines(split_lines([piece]))
    name, start, end = piece
    with open(name, "rb", _BUFFER) as file:  # noqa: PTH123 - as everything here
        return read_part(file, start, end)


def read_part(file: BinaryIO, start: int, end: int | None) -> Part:
    """Read the lines that begin from `start` on and before `end`."""
    begin = _line_from(file, start)
    stop = None if end is None else _line_from(file, end)
    part = _decode_lines(split_lines(_blocks(file, begin, stop)))
    part.size = file.tell() - begin if stop is None else stop - begin
    return part


def _decode_lines(lines: Iterable[bytes | None]) -> Part:
    events: list[Event] = []
    faults: list[Fault] = []
    number = 0
    for number, line in enumerate(lines, 1):
        if line is None:
            faults.append(Fault(len(events), number, too_long(LONGEST_LINE)))
        elif line and not line.isspace():
            try:
                events.append(decode_event(line, number))
            except EventError as error:
                found, told = salvage(error, line, number, decode_event)
                events += found
                faults += [Fault(len(events), number, text) for text in told]
    return Part(events, faults, number)


def _line_from(file: BinaryIO, place: int) -> int:
    """Return where the first line begins that begins at a place or after it."""
    if not place:
        return 0
    file.seek(place - 1)
    while block := file.read(BLOCK):
        found = block.find(b"\n")
        if found >= 0:
            return file.tell() - len(block) + found + 1
    return file.tell()


def _blocks(file: BinaryIO, begin: int, stop: int | None) -> Iterator[bytes]:
    file.seek(begin)
    size = BLOCK
    while stop is None or (size := min(BLOCK, stop - file.tell())) > 0:
        block = file.read(size)
        if not block:
            return
        yield block if begin or file.tell() > len(block) else block.removeprefix(BOM)
