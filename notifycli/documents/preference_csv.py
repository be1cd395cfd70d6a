"""A document of preferences as CSV. It is read as it comes, however long it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import BinaryIO, Protocol

from notifycli.documents.entries import Checker, Target
from notifycli.errors import DataError
from notifycli.store.staging import Row

COLUMNS = ("account", "layer", "user", "inbox", "key", "value")
_KEY = COLUMNS.index("key")
_NEEDED = ("layer", "key", "value")


class _Reader(Protocol):
    """What `csv.reader` makes; the module doesn't name its type before Python 3.13."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


class CsvDocument:
    """Rows of CSV; the number of a place is that of the line on which the row ends."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name

    def place(self, number: int) -> str:
        """Name a place."""
        return f"{self._name}:{number}"

    def rows(self, checker: Checker) -> Iterator[Row]:
        """Give what is right; what is wrong goes to the checker. Raises `DataError`."""
        text = io.TextIOWrapper(self._file, "utf-8-sig", newline="")
        reader = csv.reader(text, strict=True)
        try:
            columns = next(reader, [])
            self._check_columns(columns)
            yield from self._checked(reader, columns, checker)
        except csv.Error as error:
            raise DataError(
                f"{self._name}:{reader.line_num}: {error}", "nothing was stored"
            ) from None
        except UnicodeDecodeError:
            raise DataError(
                f"{self._name}:{self._undecodable()}: no UTF-8", "save it as UTF-8"
            ) from None
        finally:
            # Else the file would be closed with the text that is read from it.
            text.detach()

    def _checked(self, reader: _Reader, columns: Sequence[str], checker: Checker) -> Iterator[Row]:
        # A column that is left out is empty: it is read from behind the last one.
        pick = itemgetter(*(columns.index(c) if c in columns else len(columns) for c in COLUMNS))
        width, in_order = len(columns), tuple(columns) == COLUMNS
        of: Sequence[str] = ()
        target: Target | None = None
        known = checker.known_pairs
        for row in reader:
            if len(row) != width:
                if row:
                    fault = f"has {len(row)} fields, and the first line has {width} columns"
                    checker.fault(self.place(reader.line_num), fault)
                continue
            given = row if in_order else list(pick([*row, ""]))
            key, value = given[_KEY:]
            try:
                if target is None or given[:_KEY] != of:
                    of, target = given[:_KEY], None
                    target = checker.target(*of)
                pairs = known.get((key, value)) or checker.pairs(key, value)
            except ValueError as error:
                checker.fault(self.place(reader.line_num), error)
                continue
            account, layer, user, inbox = target
            for full, read in pairs:
                yield account, layer, user, inbox, full, read, reader.line_num

    def _check_columns(self, columns: Sequence[str]) -> None:
        unknown = [column for column in columns if column not in COLUMNS]
        missing = [column for column in _NEEDED if column not in columns]
        if unknown or missing or len(set(columns)) < len(columns):
            raise DataError(
                f"{self._name}:1: the columns are {','.join(COLUMNS)}; "
                f"found {','.join(columns) or 'nothing'}",
                "give the first line these names, in any order",
            )

    def _undecodable(self) -> int:
        self._file.seek(0)
        for number, line in enumerate(self._file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
        return 1
