"""Processes that share a replay by rounds: each reads parts of the input, and folds its share.

In round r of n processes, process k reads part rn + k, and deals its events to all by conversation.
In the next round everybody tells it which of them had come before; in the one after, it tells
everybody what its part tells of times and of who is there, and all fold the round. So nobody ever
waits for one who is a little behind, and no more than three rounds are held. What comes of the
events goes to the parent, which puts it into their order: the number of processes changes nothing
that is printed.

A large file of plain lines is read from the disk by the processes themselves. Everything else is
read, and decompressed, by the parent, in a thread of its own; it sends them texts of whole lines,
records, or blocks of packed events.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from heapq import merge
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from operator import itemgetter
from queue import SimpleQueue
from typing import Any, BinaryIO, Generic, NamedTuple, Self, TypeVar

import msgspec
from msgspec import Raw, Struct

from notifycli.errors import NotifycliError
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.replay.decompression import BLOCK, BOM, DamageError
from notifycli.replay.fold import (
    Clocks,
    CountingPass,
    Share,
    Told,
    carry,
    deal,
    find_repeats,
    fold,
    tell,
)
from notifycli.replay.json_values import LONGEST_LINE, split_lines, too_long
from notifycli.replay.pack import decode_block, read_blocks
from notifycli.replay.scan import is_packed, salvage
from notifycli.replay.sources import (
    BadLines,
    Inputs,
    Progress,
    Record,
    can_be_shared,
    file_errors,
    read_texts,
)

T = TypeVar("T")
_PART = 1 << 21
_BUFFER = 1 << 20
_ANSWER = 1 << 20
_PLACES = 32
_PICKLE = pickle.HIGHEST_PROTOCOL
_RECORDS = 512
_AHEAD = 2
"""The rounds that are given out before what came of an earlier one is waited for."""
_LAG = 2
"""The rounds after which one is folded."""
_STOPPED = "a process that read it has stopped; try --jobs 1"


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


class Piece(NamedTuple):
    """What a process is to read."""

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
            return _read(self.what)
        except DamageError as error:
            return Part([], Scanned(damage=str(error)))
        except OSError as error:
            return Part([], Scanned(error=error.errno or errno.EIO))


_NOTHING = Piece("", b"")
Turn = Piece | Callable[[], None]
"""A part of the input, or something to report when its turn comes."""


def replay_shared(
    crew: Crew, inputs: Inputs, bad: BadLines, progress: Progress | None
) -> Iterator[T]:
    """Return what a crew makes of all files, in their order, and merge what it has counted.

    Raises as `read_events` does.
    """
    failure: NotifycliError | None = None
    merger: _Merger[T] = _Merger(crew, bad, progress)
    with crew, closing(_rounds(inputs, bad, progress, crew.size)) as rounds:
        while failure is None:
            try:
                merger.give_out(next(rounds))
            except StopIteration:
                break
            except NotifycliError as error:
                failure = error
            yield from merger.take(_AHEAD)
        for _ in range(_LAG):
            merger.give_out([])
        yield from merger.take(0)
        if failure is not None:
            raise failure
        for counted in crew.finish():
            crew.one.merge(counted)


class _Merger(Generic[T]):
    """Puts what comes of the rounds into the order of the input."""

    def __init__(self, crew: Crew, bad: BadLines, progress: Progress | None) -> None:
        self._crew = crew
        self._bad = bad
        self._progress = progress
        self._decode = msgspec.msgpack.Decoder(_Answer).decode
        self._given = deque[list[Turn]]()
        """The rounds whose outcome is to come, the oldest first."""
        self._scanned = deque[list[Scanned]]()
        """What was read in the oldest of them."""
        self._lines = 0

    def give_out(self, turns: list[Turn]) -> None:
        """Have the pieces of a round read."""
        pieces = [turn for turn in turns if isinstance(turn, Piece)]
        self._crew.send([*pieces, *[_NOTHING] * (self._crew.size - len(pieces))])
        self._given.append(turns)

    def take(self, ahead: int) -> Iterator[T]:
        """Return what comes of rounds, until no more than some are still being read."""
        while len(self._given) - len(self._scanned) > ahead:
            firsts = [self._receive(who) for who in range(self._crew.size)]
            self._scanned.append([scanned for scanned, _, _ in firsts])
            made = (self._made(who, first) for who, first in enumerate(firsts))
            in_order = merge(*made, key=itemgetter(0))
            if len(self._scanned) > _LAG:
                yield from self._merge(in_order)
            deque(in_order, maxlen=0)

    def _receive(self, who: int) -> _Answer:
        named = next((turn.file for turn in self._given[0] if isinstance(turn, Piece)), "<input>")
        with file_errors(named):
            answer: _Answer = self._decode(self._crew.receive(who))
            return answer

    def _made(self, who: int, answer: _Answer) -> Iterator[tuple[int, T]]:
        _, made, more = answer
        yield from map(pickle.loads, made)
        while more:
            _, made, more = self._receive(who)
            yield from map(pickle.loads, made)

    def _merge(self, made: Iterator[tuple[int, T]]) -> Iterator[T]:
        """Return what is made of a round, and report what has its turn in it."""
        scanned, number = self._scanned.popleft(), 0
        following = next(made, None)
        for turn in self._given.popleft():
            if not isinstance(turn, Piece):
                turn()
                continue
            before = self._begin(turn, scanned[number])
            for fault in (*scanned[number].faults, None):
                end = number + 1 << _PLACES if fault is None else number << _PLACES | fault.place
                while following is not None and following[0] < end:
                    yield following[1]
                    following = next(made, None)
                if fault is not None:
                    self._bad.add(f"{fault.file or turn.file}:{before + fault.number}", fault.text)
            number += 1
            if self._progress is not None:
                self._progress(scanned[number - 1].size)

    def _begin(self, piece: Piece, scanned: Scanned) -> int:
        """Return how many lines of its file come before a piece, unless it could not be read."""
        with file_errors(piece.file):
            if scanned.damage:
                raise DamageError(scanned.damage)
            if scanned.error:
                raise OSError(scanned.error, os.strerror(scanned.error))
        before = 0 if piece.first else self._lines
        self._lines = before + scanned.lines
        return before


_Answer = tuple[Scanned, list[bytes], bool]
"""What a process answers to a piece: what it has read, and what it made of its share of the round
but one before, each pickled with its part and place. If the last says so, more of that follows."""


class _Later(BadLines):
    """Reports what is no event when its turn comes: reading is ahead of it."""

    def __init__(self, bad: BadLines, turns: deque[Turn]) -> None:
        super().__init__(print)
        self._bad = bad
        self._turns = turns

    def add(self, place: str, fault: str) -> None:
        """Report a line."""
        self._turns.append(partial(self._bad.add, place, fault))

    def refuse(self, file: str, fault: str) -> None:
        """Report a file."""
        self._turns.append(partial(self._bad.refuse, file, fault))

    def pass_over(self, file: str, why: str) -> None:
        """Say that a file was not read."""
        self._turns.append(partial(self._bad.pass_over, file, why))


def _rounds(
    inputs: Inputs, bad: BadLines, progress: Progress | None, size: int
) -> Generator[list[Turn]]:
    """Return the input in rounds of no more pieces than there are processes.

    What comes before an error of the input is returned before it is raised.
    """
    turns = deque[Turn]()
    pieces = 0
    failure: NotifycliError | None = None
    with closing(_pieces(inputs, _Later(bad, turns), progress)) as found:
        while True:
            try:
                piece = next(found)
            except StopIteration:
                break
            except NotifycliError as error:
                failure = error
                break
            if turns and _join(turns[-1], piece):
                continue
            if pieces == size:
                yield [*turns]
                turns.clear()
                pieces = 0
            turns.append(piece)
            pieces += 1
    yield [*turns]
    if failure is not None:
        raise failure


def _join(turn: Turn, piece: Piece) -> bool:
    """Put records to those that come just before, unless these are many."""
    if not isinstance(turn, Piece) or not isinstance(piece.what, list):
        return False
    if not isinstance(turn.what, list) or len(turn.what) >= _RECORDS or turn.source != piece.source:
        return False
    turn.what.extend(piece.what)
    return True


def _pieces(inputs: Inputs, later: _Later, progress: Progress | None) -> Generator[Piece]:
    for name in inputs.files:
        source = None if len(inputs.files) == 1 else name
        for piece in _pieces_of(inputs._replace(files=(name,)), name, later, progress):
            yield piece._replace(source=source)


def _pieces_of(
    inputs: Inputs, name: str, later: _Later, progress: Progress | None
) -> Iterator[Piece]:
    if is_packed(name):
        with file_errors(name), open(name, "rb") as file:  # noqa: PTH123 - as everything here
            for block, size in read_blocks(name, file):
                yield Piece(name, Packed(block, size))
    elif can_be_shared(name):
        for begin, end in _cuts(os.stat(name).st_size):  # noqa: PTH116
            yield Piece(name, Stretch(os.fsencode(name), begin, end), first=not begin)
    else:
        for found in read_texts(inputs, later, progress):
            if not isinstance(found, list):
                yield Piece(found.file, found.data, found.first)
            elif found:
                yield Piece(found[0][0], found)


def _cuts(size: int) -> Iterator[tuple[int, int | None]]:
    """Return from where to where each part of a file goes; `None` for its end."""
    count = -(-size // _PART)
    for number in range(count):
        yield number * _PART, None if number == count - 1 else (number + 1) * _PART


class Crew:
    """The processes of a pass."""

    @classmethod
    def of(cls, size: int, one: CountingPass[Any]) -> Self | None:
        """Start them; `None` where a new process can't be given the pass."""
        context = _context()
        if isinstance(context, SpawnContext):
            try:
                pickle.dumps(one)
            except (pickle.PicklingError, AttributeError, TypeError):
                return None
        return cls(size, one, context)

    def __init__(
        self, size: int, one: CountingPass[Any], context: ForkContext | SpawnContext
    ) -> None:
        self.size = size
        self.one = one
        pairs = {(a, b): context.Pipe() for a in range(size) for b in range(a + 1, size)}
        own = [context.Pipe() for _ in range(size)]
        self._connections = [ours for ours, _ in own]
        self._processes = []
        theirs = [
            [pairs[who, b][0] if who < b else pairs[b, who][1] for b in range(size) if b != who]
            for who in range(size)
        ]
        every = [
            *self._connections,
            *(end for _, end in own),
            *(e for p in pairs.values() for e in p),
        ]
        forked = isinstance(context, ForkContext)
        for who in range(size):
            ends = Ends(own[who][1], theirs[who], every if forked else ())
            process = context.Process(target=serve, args=(one, who, ends), daemon=True)
            process.start()
            self._processes.append(process)
        for end in every[size:]:
            end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process, connection in zip(self._processes, self._connections, strict=True):
            connection.close()
            process.terminate()
            process.join()

    def send(self, pieces: Sequence[Piece | None]) -> None:
        """Have each read a piece; or `None`, after the last."""
        for connection, piece in zip(self._connections, pieces, strict=True):
            with suppress(BrokenPipeError):  # that it has stopped is found where it is waited for
                connection.send(piece)

    def receive(self, who: int) -> bytes:
        """Return what one answers next."""
        try:
            return self._connections[who].recv_bytes()
        except EOFError:
            raise OSError(errno.EIO, _STOPPED) from None

    def finish(self) -> Iterator[Any]:
        """Return what each has counted."""
        self.send([None] * self.size)
        answers = (self.receive(who) for who in range(self.size))
        return map(pickle.loads, answers)


def _context() -> ForkContext | SpawnContext:
    """Choose how processes start: a copy of this one is there at once, if nothing else runs in it.

    A progress bar has a thread of its own.
    """
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


class Ends(NamedTuple):
    """The connections of one process."""

    parent: Connection
    others: list[Connection]
    """To the other processes, in their order."""
    every: Sequence[Connection] = ()
    """All that it has inherited."""

    def close_others(self) -> None:
        """Close what isn't its own: who listens there learns when nobody is left to write."""
        for end in self.every:
            if end is not self.parent and end not in self.others:
                end.close()


def serve(one: CountingPass[Any], who: int, ends: Ends) -> None:
    """Do as `work` does, as a process of its own."""
    # Ctrl-C reaches all of them; the parent ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ends.close_others()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        work(one, who, ends)


def work(one: CountingPass[Any], who: int, ends: Ends) -> None:
    """Read pieces and fold a share, until there are no more; then send what was counted."""
    inbox = _Inbox([ends.parent, *ends.others])
    worker = _Worker(one, who, len(ends.others) + 1)
    encode = msgspec.msgpack.Encoder().encode
    while (piece := pickle.loads(inbox.take(ends.parent))) is not None:  # noqa: S301 - of the parent
        part = piece.read()
        messages = worker.messages(part, piece)
        for other, message in zip(ends.others, messages, strict=True):
            other.send_bytes(message)
        made = worker.take([inbox.take(other) for other in ends.others])
        for block, more in _in_blocks(made):
            ends.parent.send_bytes(encode((part.scanned, block, more)))
    ends.parent.send_bytes(pickle.dumps(worker.counted()))


def _in_blocks(made: Iterator[tuple[int, object]]) -> Iterator[tuple[list[bytes], bool]]:
    """Return what is made, pickled, in blocks that are no larger than they need be.

    Each with whether another follows: an event may be told to thousands.
    """
    block, size = list[bytes](), 0
    for each in made:
        if size >= _ANSWER:
            yield block, True
            block, size = [], 0
        block.append(pickle.dumps(each, _PICKLE))
        size += len(block[-1])
    yield block, False


class _Inbox:
    """Receives whatever comes, all the time: nobody waits for one who waits for them."""

    def __init__(self, ends: Sequence[Connection]) -> None:
        self._queues: dict[int, SimpleQueue[bytes | None]] = {id(e): SimpleQueue() for e in ends}
        threading.Thread(target=self._receive, args=([*ends],), daemon=True).start()

    def take(self, end: Connection) -> bytes:
        """Return the next message from there. Raises `EOFError` where nobody is left."""
        message = self._queues[id(end)].get()
        if message is None:
            raise EOFError
        return message

    def _receive(self, ends: list[Connection]) -> None:
        while ends:
            for end in wait(ends):
                assert isinstance(end, Connection)  # noqa: S101 - there are no others
                message = None
                with suppress(EOFError, OSError):
                    message = end.recv_bytes()
                if message is None:
                    ends.remove(end)
                self._queues[id(end)].put(message)


class _Message(Struct, array_like=True):
    """What one tells another in a round."""

    share: Share
    """What the other has to fold of the part that was read."""
    piece: tuple[int, bool, str | None]
    """How many lines the part has, whether they are counted from 1, and the file's name."""
    repeats: list[int]
    """What had come before, in the other's part of the last round, of what the one folds."""
    told: Raw
    """What the one's part of the last round but one tells."""


class _Worker:
    """What one process does in a round, between what it sends and what it receives."""

    def __init__(self, one: CountingPass[Any], who: int, size: int) -> None:
        self._one = one
        self._undivided = one.undivided()
        self._who = who
        self._size = size
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Message).decode
        self._decode_told = msgspec.msgpack.Decoder(Told).decode
        self._clocks: Clocks = {}
        self._lines = 0
        nothing = [(Share(), list[int]())] * size
        self._parts = deque[list[Event]]([[]])
        """Its own, of the last round."""
        self._shares = deque([nothing, nothing])
        """Of each part of the last two rounds: what it has to fold, and what of that came before"""
        self._told = Raw(self._encode(Told()))
        self._own = _Message(Share(), (0, True, None), [], self._told)

    def messages(self, part: Part, piece: Piece) -> Iterator[bytes]:
        """Return what to send to each of the others, in their order."""
        told = part.scanned.lines, piece.first, piece.source
        fallback = self._one.replay.fallback
        shares = deal(part.events, fallback, self._size, self._who, self._undivided)
        self._parts.append(part.events)
        for who, (share, (_, repeats)) in enumerate(zip(shares, self._shares[-1], strict=True)):
            message = _Message(share, told, repeats, self._told)
            if who == self._who:
                self._own = message
            else:
                yield self._encode(message)

    def take(self, received: Sequence[bytes]) -> Iterator[tuple[int, Any]]:
        """Return what is made of its share of the last round but one, by part and place."""
        messages = [self._decode(message) for message in received]
        messages.insert(self._who, self._own)
        dealt = []
        for message in messages:
            lines, first, file = message.piece
            before = 0 if first else self._lines
            self._lines = before + lines
            for event in message.share.events:
                event.line += before
                event.file = file
            dealt.append((message.share, find_repeats(self._one.replay, message.share)))
        self._shares.append(dealt)
        repeats = {place for message in messages for place in message.repeats}
        self._told = Raw(self._encode(tell(self._parts.popleft(), repeats)))
        return self._fold([self._decode_told(message.told) for message in messages])

    def _fold(self, told: list[Told]) -> Iterator[tuple[int, Any]]:
        shares = zip(self._shares.popleft(), told, strict=True)
        for part, ((share, repeats), of_part) in enumerate(shares):
            made = fold(self._one, share, frozenset(repeats), of_part, self._clocks)
            yield from ((part << _PLACES | place, each) for place, each in made)
            carry(self._clocks, of_part)

    def counted(self) -> object:
        """Return what was counted: what is everybody's by one of them alone."""
        if self._who == 0:
            assumed = self._one.replay.assumptions
            assumed.times_back += sum(clock.steps_back for clock in self._clocks.values())
        return self._one.counted()


def _read(what: Stretch | Packed | bytes | list[Record]) -> Part:
    """Read a part. Raises `OSError` and `DamageError`."""
    if isinstance(what, bytes):
        return decode_lines(split_lines([what]))
    if isinstance(what, Packed):
        return Part(decode_block(what.block), Scanned(size=what.size))
    if isinstance(what, Stretch):
        with open(what.name, "rb", _BUFFER) as file:  # noqa: PTH123 - as everything here
            return read_part(file, what.begin, what.end)
    part = Part([], Scanned(faults=[]))
    for place, number, text in what:
        _decode_into(part, text, number, place)
    return part


def read_part(file: BinaryIO, begin: int, end: int | None) -> Part:
    """Read the lines that begin from a place on and before another."""
    start = _line_from(file, begin)
    stop = None if end is None else _line_from(file, end)
    part = decode_lines(split_lines(_blocks(file, start, stop)))
    part.scanned.size = file.tell() - start if stop is None else stop - start
    return part


def decode_lines(lines: Iterable[bytes | None]) -> Part:
    """Return the part that lines are."""
    part = Part([], Scanned(faults=[]))
    number = 0
    for number, line in enumerate(lines, 1):
        if line is None:
            fault = Fault(len(part.events), number, too_long(LONGEST_LINE))
            part.scanned.faults.append(fault)
        elif line and not line.isspace():
            _decode_into(part, line, number)
    part.scanned.lines = number
    return part


def _decode_into(part: Part, text: bytes, number: int, file: str = "") -> None:
    events, scanned = part
    try:
        events.append(decode_event(text, number))
    except EventError as error:
        found, told = salvage(error, text, number, decode_event)
        events += found
        scanned.faults += [Fault(len(events), number, fault, file) for fault in told]


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
