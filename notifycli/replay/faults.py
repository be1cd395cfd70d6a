"""What is wrong with the input, told as it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from notifycli.errors import DataError, InputMissingError
from notifycli.replay.decompression import DamageError

_TOLD_IN_FULL = 20


class BadLines:
    """Reports what is no event, lines and files: the first in full, then a count at the end."""

    def __init__(self, tell: Callable[[str], None], *, strict: bool = False) -> None:
        self.lines = 0
        self.files = 0
        self._tell = tell
        self._strict = strict
        self._told = 0

    @property
    def count(self) -> int:
        """How many there were."""
        return self.lines + self.files

    def add(self, place: str, fault: str) -> None:
        """Report a line. Raises `DataError` if the first fault is to stop everything."""
        self.lines += 1
        self._report(place, fault)

    def refuse(self, file: str, fault: str) -> None:
        """Report a file that is none of events at all; raises as `add` does."""
        self.files += 1
        self._report(file, fault)

    def _report(self, place: str, fault: str) -> None:
        if self._strict:
            raise DataError(f"{place}: {fault}", "leave out --strict to pass over such lines")
        if self._told < _TOLD_IN_FULL:
            self._told += 1
            self._tell(f"{place}: {fault}")

    def pass_over(self, file: str, why: str) -> None:
        """Say that a file among others was not read: that is no fault."""
        self._tell(f"{file}: passed over: {why}")

    def finish(self) -> int:
        """Say how many there were; gives the exit status."""
        if not self.count:
            return 0
        if self.count > self._told:
            self._tell(f"… and {self.count - self._told} more bad lines")
        kinds = (self.lines, "bad line"), (self.files, "file")
        counted = [f"{n} {kind}{'s' * (n > 1)}" for n, kind in kinds if n]
        self._tell(f"{' and '.join(counted)} passed over; everything else was read")
        return DataError.status


@contextmanager
def file_errors(place: str) -> Iterator[None]:
    """Turn what can go wrong with a file into the product's errors, with the file's name."""
    try:
        yield
    except DamageError as error:
        raise DataError(f"{place}: {error}") from None
    except OSError as error:
        raise InputMissingError(
            f"{place}: {error.strerror or error}", "check the name; - reads standard input"
        ) from None
