"""Processes that share the reading of one file: they take its parts in turn.

Reading is what takes the time, and needs nothing but the line itself. What one event means for
the next (who has been seen, who is assigned) stays with the one process that puts the parts
together in their order: so the number of readers changes nothing that is printed.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from typing import BinaryIO

import msgspec
from msgspec import Struct

from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.replay.decompression import BLOCK, BOM
from notifycli.replay.scan import salvage
from notifycli.replay.values import LONGEST_LINE, split_lines, too_long

if sys.platform == "linux":
    import fcntl

_PART = 1 << 22
_PIPE = 1 << 20
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
    size: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Part).decode


def read_in_parts(name: str, jobs: int) -> Iterator[Part]:
    """Return the parts of a file in their order. Raises `OSError` where it can't be read.

    `jobs` are the processors to use. There is a reader more: when the process that puts the parts
    together needs a processor for a while, the others are shared by readers that wait for nobody.
    """
    context = _context()
    count = -(-os.stat(name).st_size // _PART)  # noqa: PTH116 - as everything here
    readers = []
    try:
        for first in range(min(jobs + 1, count)):
            receiver, sender = context.Pipe(duplex=False)
            share = range(first, count, jobs + 1)
            process = context.Process(
                target=_read, args=(name, share, count, sender, receiver), daemon=True
            )
            process.start()
            sender.close()
            readers.append((process, receiver))
        for number in range(count):
            yield _received(readers[number % len(readers)][1])
    finally:
        for process, receiver in readers:
            receiver.close()
            process.terminate()
            process.join()


def _context() -> ForkContext | SpawnContext:
    """Choose how processes start: a copy of this one is there at once, if nothing else runs in it.

    A progress bar has a thread of its own.
    """
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _received(receiver: Connection) -> Part:
    try:
        return _decode(receiver.recv_bytes())
    except EOFError:
        raise OSError(errno.EIO, "a process that read it has stopped; try --jobs 1") from None


def _read(name: str, share: range, count: int, sender: Connection, receiver: Connection) -> None:
    """Read some of the parts of a file, and send what is in them."""
    # Ctrl-C reaches all of them; the one that puts the parts together ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.nice(_NICER)
    # As long as this end were open here too, a reader would never learn that nobody reads any more.
    receiver.close()
    with suppress(BrokenPipeError), open(name, "rb", _PIPE) as file:  # noqa: PTH123 - as everything here
        if sys.platform == "linux":
            with suppress(OSError):
                fcntl.fcntl(sender.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        for number in share:
            end = None if number == count - 1 else (number + 1) * _PART
            sender.send_bytes(_encode(read_part(file, number * _PART, end)))


def read_part(file: BinaryIO, start: int, end: int | None) -> Part:
    """Read the lines that begin from `start` on and before `end`."""
    begin = _line_from(file, start)
    stop = None if end is None else _line_from(file, end)
    events: list[Event] = []
    faults: list[Fault] = []
    number = 0
    for line in split_lines(_blocks(file, begin, stop)):
        number += 1
        if line is None:
            faults.append(Fault(len(events), number, too_long(LONGEST_LINE)))
        elif line and not line.isspace():
            try:
                events.append(decode_event(line, number))
            except EventError as error:
                found, told = salvage(error, line, number, decode_event)
                events += found
                faults += [Fault(len(events), number, text) for text in told]
    return Part(events, faults, number, file.tell() - begin if stop is None else stop - begin)


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
