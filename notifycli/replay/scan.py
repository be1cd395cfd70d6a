"""Records become events, read by one process or by several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from notifycli.events.decode import EventError, NotOneEventError, decode_event
from notifycli.events.event import Event
from notifycli.replay.fold import CountingPass, in_order
from notifycli.replay.json_values import objects_in
from notifycli.replay.sources import (
    PACKED,
    STDIN,
    BadLines,
    Inputs,
    Progress,
    Record,
    file_errors,
    is_worth_sharing,
    read_together,
)

T = TypeVar("T")
_MOST_READERS = 8
_DEEPEST = 8


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
    several = len(inputs.files) > 1
    for name in inputs.files:
        for event in _read_file(inputs, name, bad, progress):
            if several:
                event.file = name
            yield event


def _read_file(
    inputs: Inputs, name: str, bad: BadLines, progress: Progress | None
) -> Iterator[Event]:
    if is_packed(name):
        yield from unpack(name, progress)
        return
    for records in read_together(inputs._replace(files=(name,)), bad, progress):
        yield from decode_records(records, bad)


def decode_records(records: Iterable[Record], bad: BadLines) -> Iterator[Event]:
    """Return the events of records.

    All are decoded before the first is replayed: each of the two has the processor's caches to
    itself, which makes both together a quarter faster.
    """
    events: list[Event] = []
    for file, number, text in records:
        try:
            events.append(decode_event(text, number))
        except EventError as error:
            found, faults = salvage(error, text, number, decode_event)
            yield from events
            yield from found
            events = []
            for fault in faults:
                bad.add(f"{file}:{number}", fault)
    yield from events


def is_packed(name: str) -> bool:
    """Whether a file is one of packed events. Raises `InputMissingError`."""
    if name == STDIN or not os.path.isfile(name):  # noqa: PTH113 - as everything here
        return False
    with file_errors(name), open(name, "rb", 0) as file:  # noqa: PTH123
        return file.read(len(PACKED)) == PACKED


def unpack(name: str, progress: Progress | None) -> Iterator[Event]:
    """Return the events of a file of packed ones."""
    from notifycli.replay.pack import read_facts  # noqa: PLC0415 - few logs are packed

    with file_errors(name), open(name, "rb") as file:  # noqa: PTH123 - as everything here
        for events, size in read_facts(name, file):
            yield from events
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
    else:
        parts = [one for one in objects_in(text) if one != text.strip()]
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


def processors() -> int:
    """Return how many processes can read at the same time here."""
    try:
        here = len(os.sched_getaffinity(0))
    except AttributeError:  # elsewhere than on Linux
        here = os.cpu_count() or 1
    return min(here, _MOST_READERS)
