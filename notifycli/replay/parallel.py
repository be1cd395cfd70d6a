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
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from heapq import merge
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from operator import itemgetter
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, Self, TypeVar

import msgspec

from notifycli.errors import NotifycliError
from notifycli.replay.decompression import DamageError
from notifycli.replay.fold import LAG, PLACES, CountingPass, Partner
from notifycli.replay.scan import Portion, Scanned, portions_of
from notifycli.replay.sources import BadLines, Inputs, Progress, file_errors

T = TypeVar("T")
_ANSWER = 1 << 20
_ENOUGH = 1 << 16
_TOGETHER = 512
"""The most events of which what is made is pickled in one go: until that is enough bytes."""
_PICKLE = pickle.HIGHEST_PROTOCOL
_RECORDS = 512
_AHEAD = 2
"""The rounds that are given out before what came of an earlier one is waited for."""
_STOPPED = "a process that read it has stopped; try --jobs 1"
_NOTHING = Portion("", b"")
Turn = Portion | Callable[[], None]
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
        for _ in range(LAG):
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
        """Have the portions of a round read."""
        portions = [turn for turn in turns if isinstance(turn, Portion)]
        self._crew.send([*portions, *[_NOTHING] * (self._crew.size - len(portions))])
        self._given.append(turns)

    def take(self, ahead: int) -> Iterator[T]:
        """Return what comes of rounds, until no more than some are still being read."""
        while len(self._given) - len(self._scanned) > ahead:
            firsts = [self._receive(who) for who in range(self._crew.size)]
            self._scanned.append([scanned for scanned, _, _ in firsts])
            made = (self._made(who, first) for who, first in enumerate(firsts))
            in_order = merge(*made, key=itemgetter(0))
            if len(self._scanned) > LAG:
                yield from self._merge(in_order)
            deque(in_order, maxlen=0)

    def _receive(self, who: int) -> _Answer:
        named = next((turn.file for turn in self._given[0] if isinstance(turn, Portion)), "<input>")
        with file_errors(named):
            answer: _Answer = self._decode(self._crew.receive(who))
            return answer

    def _made(self, who: int, answer: _Answer) -> Iterator[tuple[int, T]]:
        _, made, more = answer
        yield from chain.from_iterable(map(pickle.loads, made))
        while more:
            _, made, more = self._receive(who)
            yield from chain.from_iterable(map(pickle.loads, made))

    def _merge(self, made: Iterator[tuple[int, T]]) -> Iterator[T]:
        """Return what is made of a round, and report what has its turn in it."""
        scanned, number = self._scanned.popleft(), 0
        following = next(made, None)
        for turn in self._given.popleft():
            if not isinstance(turn, Portion):
                turn()
                continue
            before = self._begin(turn, scanned[number])
            for fault in (*scanned[number].faults, None):
                end = number + 1 << PLACES if fault is None else number << PLACES | fault.place
                while following is not None and following[0] < end:
                    yield following[1]
                    following = next(made, None)
                if fault is not None:
                    self._bad.add(f"{fault.file or turn.file}:{before + fault.number}", fault.text)
            number += 1
            if self._progress is not None:
                self._progress(scanned[number - 1].size)

    def _begin(self, portion: Portion, scanned: Scanned) -> int:
        """Return how many lines of its file come before a portion, unless it could not be read."""
        with file_errors(portion.file):
            if scanned.damage:
                raise DamageError(scanned.damage)
            if scanned.error:
                raise OSError(scanned.error, os.strerror(scanned.error))
        before = 0 if portion.first else self._lines
        self._lines = before + scanned.lines
        return before


_Answer = tuple[Scanned, list[bytes], bool]
"""What a process answers to a portion: what it has read, and what it made of its share of the round
but one before, pickled with parts and places. If the last says so, more of that follows."""


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

    def break_off(self, place: str, fault: str) -> None:
        """Report where a file is damaged."""
        self._turns.append(partial(self._bad.break_off, place, fault))

    def pass_over(self, file: str, why: str) -> None:
        """Say that a file was not read."""
        self._turns.append(partial(self._bad.pass_over, file, why))


def _rounds(
    inputs: Inputs, bad: BadLines, progress: Progress | None, size: int
) -> Generator[list[Turn]]:
    """Return the input in rounds of no more portions than there are processes.

    What comes before an error of the input is returned before it is raised.
    """
    turns = deque[Turn]()
    portions = 0
    failure: NotifycliError | None = None
    with closing(portions_of(inputs, _Later(bad, turns), progress)) as found:
        while True:
            try:
                portion = next(found)
            except StopIteration:
                break
            except NotifycliError as error:
                failure = error
                break
            if turns and _join(turns[-1], portion):
                continue
            if portions == size:
                yield [*turns]
                turns.clear()
                portions = 0
            turns.append(portion)
            portions += 1
    yield [*turns]
    if failure is not None:
        raise failure


def _join(turn: Turn, portion: Portion) -> bool:
    """Put records to those that come just before, unless these are many."""
    if not isinstance(turn, Portion) or not isinstance(portion.what, list):
        return False
    if (
        not isinstance(turn.what, list)
        or len(turn.what) >= _RECORDS
        or turn.source != portion.source
    ):
        return False
    turn.what.extend(portion.what)
    return True


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

    def send(self, portions: Sequence[Portion | None]) -> None:
        """Have each read a portion; or `None`, after the last."""
        for connection, portion in zip(self._connections, portions, strict=True):
            with suppress(BrokenPipeError):  # that it has stopped is found where it is waited for
                connection.send(portion)

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
    """Read portions and fold a share, until there are no more; then send what was counted."""
    inbox = _Mailbox([ends.parent, *ends.others])
    partner = Partner(one, who, len(ends.others) + 1)
    encode = msgspec.msgpack.Encoder().encode
    while (portion := pickle.loads(inbox.take(ends.parent))) is not None:  # noqa: S301 - of the parent
        part = portion.read()
        lines = part.scanned.lines, portion.first, portion.source
        for other, letter in zip(ends.others, partner.write(part.events, lines), strict=True):
            other.send_bytes(letter)
        made = partner.read([inbox.take(other) for other in ends.others])
        for block, more in _in_blocks(made):
            ends.parent.send_bytes(encode((part.scanned, block, more)))
    ends.parent.send_bytes(pickle.dumps(partner.counted()))


def _in_blocks(made: Iterator[tuple[int, object]]) -> Iterator[tuple[list[bytes], bool]]:
    """Return what is made, pickled, in blocks that are no larger than they need be.

    Each with whether another follows: an event may be told to thousands. What several events share
    is pickled once for all of them.
    """
    block, size, several = list[bytes](), 0, 1
    while together := [*islice(made, several)]:
        if size >= _ANSWER:
            yield block, True
            block, size = [], 0
        block.append(pickle.dumps(together, _PICKLE))
        size += len(block[-1])
        several = min(2 * several, _TOGETHER) if len(block[-1]) < _ENOUGH else several // 2 or 1
    yield block, False


class _Mailbox:
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
