"""A progress bar on standard error, for what takes a while."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from notifycli.cli.output import console
from notifycli.cli.session import Session
from notifycli.cli.terminal import is_terminal
from notifycli.replay.sources import STDIN, total_size

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """A bar over the reading of one file; without `progress`, none is shown."""

    def __init__(self, progress: Progress | None, label: str, total: int | None) -> None:
        self._progress = progress
        self._total = total
        self._task = None if progress is None else progress.add_task(label, total=total)

    def advance_to(self, source: BinaryIO) -> None:
        """Show how far the file has been read."""
        if self._progress is not None and self._task is not None and self._total:
            # The place in the file on disk, also where it is decompressed.
            position = os.lseek(source.fileno(), 0, os.SEEK_CUR)
            self._progress.update(self._task, completed=position)

    def wait(self, label: str) -> None:
        """Show that something goes on of which nobody knows how long it takes."""
        if self._progress is not None and self._task is not None:
            # A total can't be taken from a task that has one.
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(label, total=None)


@contextmanager
def bar_over(session: Session, file: str, label: str, *, wanted: bool | None) -> Iterator[Bar]:
    """Show a bar while a file is read; if it isn't said, only on a terminal."""
    if not (is_terminal(sys.stderr) and not session.quiet if wanted is None else wanted):
        yield Bar(None, label, None)
        return
    from rich.progress import Progress  # noqa: PLC0415 - a pipe can spare it

    with Progress(console=console(session, stderr=True), transient=True) as progress:
        yield Bar(progress, label, None if file == STDIN else total_size([file]))
