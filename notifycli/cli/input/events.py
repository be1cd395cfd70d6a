"""The events of a replay's input, in their order, read by one process or by several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from notifycli.cli.input.lines import BadLines, can_be_shared, read_lines, shown, told_faults
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event

if TYPE_CHECKING:
    from notifycli.cli.input.readers import Part

_MOST_READERS = 8
Progress = Callable[[int], None]


def read_events(
    files: Iterable[str], bad: BadLines, progress: Progress | None = None, *, jobs: int = 1
) -> Iterator[Event]:
    """Give the events of files, `-` for standard input; lines that are none go to `bad`.

    With several `jobs`, so many processes read a file that lies on disk uncompressed; the events
    are the same, in the same order. Raises as `read_lines` and `BadLines` do.
    """
    for name in files:
        if jobs > 1 and can_be_shared(name):
            yield from _shared_out(name, bad, progress, jobs)
            continue
        for file, number, line in read_lines([name], progress):
            try:
                event = decode_event(line, number)
            except EventError as error:
                bad.add(f"{file}:{number}", str(error), line)
            else:
                yield event


def _shared_out(name: str, bad: BadLines, progress: Progress | None, jobs: int) -> Iterator[Event]:
    from notifycli.cli.input.readers import read_in_parts  # noqa: PLC0415 - only for large files

    with told_faults(shown(name)):
        yield from put_together(read_in_parts(name, jobs), name, bad, progress)


def put_together(
    parts: Iterable[Part], name: str, bad: BadLines, progress: Progress | None = None
) -> Iterator[Event]:
    """Give the events of the parts of a file, in their order, as if it had been read as a whole."""
    before = 0
    for part in parts:
        for event in part.events:
            event.line += before
        at = 0
        for fault in part.faults:
            yield from part.events[at : fault.place]
            at = fault.place
            bad.add(f"{name}:{before + fault.number}", fault.told, fault.opening)
        yield from part.events[at:]
        before += part.lines
        if progress is not None:
            progress(part.size)


def processors() -> int:
    """Give how many processes can read at the same time here."""
    try:
        here = len(os.sched_getaffinity(0))
    except AttributeError:  # elsewhere than on Linux
        here = os.cpu_count() or 1
    return min(here, _MOST_READERS)
