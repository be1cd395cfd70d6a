"""Records become events: of whole files, or of parts of them that several processes read."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple, TypeVar

from msgspec import Struct

from notifycli.events.decode import EventError, NotOneEventError, decode_event
from notifycli.events.event import Event
from notifycli.replay.decompression import BLOCK, BOM, DamageError
from notifycli.replay.fold import CountingPass, in_order
from notifycli.replay.json_values import (
    ANEW,
    LONGEST_LINE,
    NEARBY,
    JSONValue,
    divide,
    objects_in,
    too_long,
)
from notifycli.replay.sources import (
    PACKED,
    STDIN,
    BadLines,
    Inputs,
    Progress,
    Record,
    can_be_shared,
    file_errors,
    is_worth_sharing,
    read_texts,
    read_together,
    shown,
)

T = TypeVar("T")
_MOST_READERS = 8
_DEEPEST = 8
_PART = 1 << 21
_CONTEXT = 3
"""Bytes before the end of a line by which, and with it, its place among values is told."""
_BETWEEN_VALUES = b" \t\r\n,\x1e[]"
_PIECE = re.compile(
    rb"""
      \S+ \ std(?:out|err) \ P \   # as Kubernetes' runtimes mark it
    | \{"log":"(?=.{16384}) (?:[^"\\]|\\.)*+ (?<!\\n) ","stream":"std  # Docker: no line end
    """,
    re.VERBOSE | re.DOTALL,
)


def start_pass(
    inputs: Inputs, bad: BadLines, one: CountingPass[T], jobs: int
) -> Callable[[Progress | None], Iterator[T]]:
    """Start a pass over all files, for which what is returned gives what it makes of the events.

    With several `jobs`, so many processes share it where files are large; all comes out the same.
    They have been started then. Raises as `read_events` does.
    """
    if jobs > 1 and is_worth_sharing(inputs.files):
        from notifycli.replay.parallel import Crew, replay_shared  # noqa: PLC0415 - only for large files

        crew = Crew.of(jobs, one)
        if crew is not None:
            return lambda progress: replay_shared(crew, inputs, bad, progress)
    return lambda progress: in_order(read_events(inputs, bad, progress), one)


def read_events(inputs: Inputs, bad: BadLines, progress: Progress | None = None) -> Iterator[Event]:
    """Return the events of all files; what is none goes to `bad`.

    Raises as `read_texts` and `BadLines` do.
    """
    return chain.from_iterable(_read_files(inputs, bad, progress))


def _read_files(inputs: Inputs, bad: BadLines, progress: Progress | None) -> Iterator[list[Event]]:
    several = len(inputs.files) > 1
    for name in inputs.files:
        for events in _read_file(inputs, name, bad, progress):
            if several:
                for event in events:
                    event.file = shown(name)
            yield events


def _read_file(
    inputs: Inputs, name: str, bad: BadLines, progress: Progress | None
) -> Iterator[list[Event]]:
    if is_packed(name):
        yield from unpack(name, progress)
        return
    for records in read_together(inputs._replace(files=(name,)), bad, progress):
        yield from _decode_records(records, bad)


def _decode_records(records: Iterable[Record], bad: BadLines) -> Iterator[list[Event]]:
    """Return the events of records, up to each fault, which is reported in its turn.

    All are decoded before the first is replayed: each of the two has the processor's caches to
    itself, which makes both together a quarter faster.
    """
    events: list[Event] = []
    for file, number, text in records:
        try:
            events.append(decode_event(text, number))
        except EventError as error:
            found, faults = salvage(error, text, number, decode_event)
            yield [*events, *found]
            events = []
            for fault in faults:
                bad.add(f"{file}:{number}", fault)
    yield events


def is_packed(name: str) -> bool:
    """Whether a file is one of packed events. Raises `InputMissingError`."""
    if name == STDIN or not os.path.isfile(name):  # noqa: PTH113 - as everything here
        return False
    with file_errors(name), open(name, "rb", 0) as file:  # noqa: PTH123
        return file.read(len(PACKED)) == PACKED


def unpack(name: str, progress: Progress | None) -> Iterator[list[Event]]:
    """Return the events of a file of packed ones, block by block."""
    from notifycli.replay.packed_events import read_facts  # noqa: PLC0415 - few logs are packed

    with file_errors(name), open(name, "rb") as file:  # noqa: PTH123 - as everything here
        for events, size in read_facts(name, file):
            yield events
            if progress is not None:
                progress(size)


def take_record(
    text: bytes, number: int, take: Callable[[bytes, int], T]
) -> tuple[list[T], list[str]]:
    """Return what `take` makes of each event in a record, and what is wrong with the others."""
    try:
        return [take(text, number)], []
    except EventError as error:
        return salvage(error, text, number, take)


def salvage(
    error: EventError,
    text: bytes,
    number: int,
    take: Callable[[bytes, int], T],
    depth: int = _DEEPEST,
) -> tuple[list[T], list[str]]:
    """Return as `take_record` does, for a record that isn't one event as it is.

    It may be several events, or JSON with something around it, as in a log.
    """
    if isinstance(error, NotOneEventError):
        parts = list(error.bodies)
        if not parts:
            return [], []
    elif _PIECE.match(text):
        told = (
            "a piece of a line, cut by what ran the container; docker logs and kubectl logs join it"
        )
        return [], [told]
    else:
        parts = _objects_among(text)
    if not parts or not depth:
        return [], [str(error)]
    taken: list[T] = []
    faults: list[str] = []
    for part in parts:
        try:
            taken.append(take(part, number))
        except EventError as fault:
            more = salvage(fault, part, number, take, depth - 1)
            taken += more[0]
            faults += more[1]
    return taken, faults


def _objects_among(text: bytes) -> list[bytes]:
    """Return the objects of a line that is none; of a line of text, those that may be events.

    What a log says of a request beside its body, as the headers, is no fault.
    """
    whole = text.strip()
    objects = [one for one in objects_in(text) if one != whole]
    _, last, rest = whole.rpartition(objects[-1]) if objects else (b"", b"", b"")
    if last and (begins := rest.find(b'{"')) >= 0:
        objects.append(rest[begins:])  # it breaks off, which is to be told
    bare = [len(one.translate(None, _BETWEEN_VALUES)) for one in (whole, *objects)]
    if bare[0] == sum(bare[1:]):
        return objects
    return [one for one in objects if b"event" in one] or objects


class Fault(Struct, array_like=True):
    """A line that is no event."""

    place: int
    """How many events of the part come before it."""
    number: int
    text: str
    file: str = ""
    """Where it is, unless that is where the whole part is."""


class Scanned(Struct, array_like=True):
    """What was read of a part, but for its events."""

    lines: int = 0
    faults: list[Fault] = []
    size: int = 0
    """Its bytes in the file, of one that the processes read."""
    damage: str = ""
    """Why its data can't be read."""
    error: int = 0
    """The number of the system's error that reading it has ended with."""


class Part(NamedTuple):
    """What was read of one part. Line numbers count from its start."""

    events: list[Event]
    scanned: Scanned


class Stretch(NamedTuple):
    """A part of a file on disk: the lines that begin in it."""

    name: bytes
    begin: int
    end: int | None
    """`None` for the file's end."""


class Packed(NamedTuple):
    """A block of packed events."""

    block: bytes
    size: int


class Portion(NamedTuple):
    """What one process is to read of the input."""

    file: str
    """What messages call it."""
    what: Stretch | Packed | bytes | list[Record]
    first: bool = True
    """Whether its lines are counted from 1."""
    source: str | None = None
    """The file as it was named, where several were."""

    def read(self) -> Part:
        """Read it; what is wrong with all of it is in `Scanned`."""
        try:
            return _read_part_of(self.what)
        except DamageError as error:
            return Part([], Scanned(damage=str(error)))
        except OSError as error:
            return Part([], Scanned(error=error.errno or errno.EIO))


def portions_of(inputs: Inputs, bad: BadLines, progress: Progress | None) -> Generator[Portion]:
    """Return all files cut up, in their order. Raises as `read_texts` and `read_blocks` do."""
    for name in inputs.files:
        source = None if len(inputs.files) == 1 else shown(name)
        for portion in _portions_of_file(inputs._replace(files=(name,)), name, bad, progress):
            yield portion._replace(source=source)


def _portions_of_file(
    inputs: Inputs, name: str, bad: BadLines, progress: Progress | None
) -> Iterator[Portion]:
    if is_packed(name):
        from notifycli.replay.packed_events import read_blocks  # noqa: PLC0415 - few logs are packed

        with file_errors(name), open(name, "rb") as file:  # noqa: PTH123 - as everything here
            for block, size in read_blocks(name, file):
                yield Portion(name, Packed(block, size))
    elif can_be_shared(name):
        for begin, end in _cuts(os.stat(name).st_size):  # noqa: PTH116
            yield Portion(name, Stretch(os.fsencode(name), begin, end), first=not begin)
    else:
        for found in read_texts(inputs, bad, progress):
            if not isinstance(found, list):
                yield Portion(found.file, found.data, found.first)
            elif found:
                yield Portion(found[0][0], found)


def _cuts(size: int) -> Iterator[tuple[int, int | None]]:
    """Return from where to where each part of a file goes; `None` for its end."""
    count = -(-size // _PART)
    for number in range(count):
        yield number * _PART, None if number == count - 1 else (number + 1) * _PART


def _read_part_of(what: Stretch | Packed | bytes | list[Record]) -> Part:
    """Read a part. Raises `OSError` and `DamageError`."""
    if isinstance(what, bytes):
        return decode_text([what])
    if isinstance(what, Packed):
        from notifycli.replay.packed_events import decode_block  # noqa: PLC0415 - few logs are packed

        return Part(decode_block(what.block), Scanned(size=what.size))
    if isinstance(what, Stretch):
        with open(what.name, "rb", BLOCK) as file:  # noqa: PTH123 - as everything here
            return read_part(file, what.begin, what.end)
    part = Part([], Scanned(faults=[]))
    for place, number, text in what:
        _decode_into(part, text, number, place)
    return part


def read_part(file: BinaryIO, begin: int, end: int | None) -> Part:
    """Read the lines that begin from a place on and before another."""
    start = _line_from(file, begin)
    stop = None if end is None else _line_from(file, end)
    part = decode_text(_blocks(file, start, stop))
    part.scanned.size = file.tell() - start if stop is None else stop - start
    return part


def decode_text(blocks: Iterable[bytes]) -> Part:
    """Return the part that a text is."""
    part = Part([], Scanned(faults=[]))
    for piece in divide(blocks):
        if isinstance(piece, JSONValue):
            _take_into(part, piece)
            continue
        first, lines = piece
        part.scanned.lines = first - 1
        for number, line in enumerate(lines, first):
            if line is None:
                fault = Fault(len(part.events), number, too_long(LONGEST_LINE))
                part.scanned.faults.append(fault)
            elif line and not line.isspace():
                _decode_into(part, line, number)
    return part


def _take_into(part: Part, value: JSONValue) -> None:
    if value.fault:
        part.scanned.faults.append(Fault(len(part.events), value.line, value.fault))
    else:
        _decode_into(part, value.text, value.line)


def _decode_into(part: Part, text: bytes, number: int, file: str = "") -> None:
    events, scanned = part
    try:
        events.append(decode_event(text, number))
    except EventError as error:
        found, told = salvage(error, text, number, decode_event)
        events += found
        scanned.faults += [Fault(len(events), number, fault, file) for fault in told]


def _line_from(file: BinaryIO, place: int) -> int:
    """Return where the first line begins that begins at a place or after it.

    It is one that goes on with no value laid out over lines, unless there is none nearby.
    """
    if not place:
        return 0
    begin = max(place - _CONTEXT, 0)
    file.seek(begin)
    text, at, nearest = b"", place - 1 - begin, 0
    while block := file.read(BLOCK):
        begin = file.tell() - len(block) - len(text)
        text += block
        if found := ANEW.search(text, at):
            return begin + found.end()
        if not nearest and (end := text.find(b"\n", at)) >= 0:
            nearest = begin + end + 1
        if nearest and file.tell() - place > NEARBY:
            return nearest
        text, at = text[-_CONTEXT:], _CONTEXT - 1
    return file.tell()


def _blocks(file: BinaryIO, begin: int, stop: int | None) -> Iterator[bytes]:
    file.seek(begin)
    size = BLOCK
    while stop is None or (size := min(BLOCK, stop - file.tell())) > 0:
        block = file.read(size)
        if not block:
            return
        yield block if begin or file.tell() > len(block) else block.removeprefix(BOM)


def processors() -> int:
    """Return how many processes can read at the same time here."""
    try:
        here = len(os.sched_getaffinity(0))
    except AttributeError:  # elsewhere than on Linux
        here = os.cpu_count() or 1
    return min(here, _MOST_READERS)
