"""A document of preferences as CSV. It is read and written as it comes, however long it is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import BinaryIO, Protocol

from notifycli.documents.entries import Checker, Target
from notifycli.errors import DataError
from notifycli.rules.preferences import Layer
from notifycli.store.staged_values import Row, Written, conversation_of, inbox_of

COLUMNS = ("account", "layer", "user", "inbox", "key", "value")
CONVERSATION = "conversation"
"""The column that a document has where it speaks of conversations."""
_KNOWN = (*COLUMNS, CONVERSATION)
_LAYER, _INBOX, _KEY, _VALUE = (COLUMNS.index(name) for name in ("layer", "inbox", "key", "value"))
_NEEDED = ("key", "value")
_DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r'"?sep=([,;\t])"?[,;]*\s*$', re.IGNORECASE)
"""The line by which Excel is told, and tells, what stands between fields."""


class _CsvReader(Protocol):
    """What `csv.reader` makes; the module doesn't name its type before Python 3.13."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


class CsvDocument:
    """Rows of CSV; the number of a place is that of the line on which the row ends.

    Spreadsheet programs write it with `,`, `;` or TAB, and say so on a first line of their own or
    not at all; they pad rows with empty fields.
    """

    def __init__(self, file: BinaryIO, name: str, encoding: str) -> None:
        self._file = file
        self._name = name
        self._encoding = encoding
        self._skipped = 0
        self._padded = 0
        """Fields of a row, with the empty ones that pad it."""

    def place(self, number: int) -> str:
        """Name a place."""
        return f"{self._name}:{number}"

    def rows(self, checker: Checker) -> Iterator[Row]:
        """Return what is right; what is wrong goes to the checker. Raises `DataError`."""
        text = io.TextIOWrapper(self._file, self._encoding, newline="")
        line = 1
        try:
            delimiter, columns = self._head(text)
            reader = csv.reader(text, strict=True, delimiter=delimiter)
            for row in self._check_rows(reader, columns, checker):
                yield row
                line = row[-1]
        except csv.Error as error:
            raise DataError(
                f"{self._name}:{self._skipped + reader.line_num}: {error}", "nothing was stored"
            ) from None
        except UnicodeDecodeError:
            wrong = "UTF-8" if self._encoding == "utf-8-sig" else "UTF-16"
            place = self._undecodable() if wrong == "UTF-8" else line
            raise DataError(f"{self._name}:{place}: no {wrong}", "save it as UTF-8") from None
        finally:
            # Else the file would be closed with the text that is read from it.
            text.detach()

    def _head(self, text: io.TextIOWrapper) -> tuple[str, list[str]]:
        """Read up to the names of the columns; gives what stands between fields, and the names."""
        first = text.readline()
        self._skipped = 1
        between = _SEPARATOR.match(first)
        if between is not None:
            first = text.readline()
            self._skipped = 2
        found = max(
            ((sign, _names(first, sign)) for sign in ([between[1]] if between else _DELIMITERS)),
            key=lambda one: len(set(one[1]) & set(_KNOWN)),
        )
        columns = found[1]
        self._padded = len(columns)
        while columns and not columns[-1]:
            del columns[-1]
        self._check_columns(columns, first)
        return found

    def _check_rows(
        self, reader: _CsvReader, columns: Sequence[str], checker: Checker
    ) -> Iterator[Row]:
        # A column that is left out is empty: it is read from behind the last one.
        names = _KNOWN if CONVERSATION in columns else COLUMNS
        pick = itemgetter(*(columns.index(c) if c in columns else len(columns) for c in names))
        width, in_order = len(columns), tuple(columns) == COLUMNS
        no_layer = "layer" not in columns
        of: Sequence[str] = ()
        target: Target | None = None
        known = checker.known_pairs
        for fields in reader:
            row = _strip_padding(fields, width) if len(fields) == self._padded else fields
            number = self._skipped + reader.line_num
            if len(row) != width or not any(row):
                if row and any(row):
                    fault = f"has {len(row)} fields, and the first line has {width} columns"
                    checker.fault(self.place(number), fault)
                continue
            given = row if in_order else list(pick([*row, ""]))
            if no_layer:
                given[_LAYER] = _layer_of(given)
            key, value = given[_KEY], given[_VALUE]
            try:
                if checker.only is not None and checker.account_of(given[0]) != checker.only:
                    checker.foreign_count += 1
                    continue
                place = given[:_KEY] + given[_VALUE + 1 :]
                if target is None or place != of:
                    of, target = place, None
                    target = checker.target(*of)
                pairs = known.get((key, value)) or checker.pairs(key, value, target[1])
            except ValueError as error:
                checker.fault(self.place(number), error)
                continue
            account, layer, user, scope = target
            for full, read in pairs:
                yield account, layer, user, scope, full, read, number

    def _check_columns(self, columns: Sequence[str], line: str) -> None:
        unknown = [column for column in columns if column not in _KNOWN]
        missing = [column for column in _NEEDED if column not in columns]
        if unknown or missing or len(set(columns)) < len(columns):
            raise DataError(
                f"{self._name}:{self._skipped}: the columns are {','.join(COLUMNS)}; "
                f"found {line.strip() or 'nothing'}",
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


def _layer_of(given: Sequence[str]) -> Layer:
    """Return the layer of a row that doesn't name it."""
    if any(field.strip() for field in given[_VALUE + 1 :]):
        return Layer.CONVERSATION
    return Layer.INBOX if given[_INBOX].strip() else Layer.USER


def _names(line: str, delimiter: str) -> list[str]:
    """Return the names of columns, in small letters."""
    try:
        row = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [name.strip().lower() for name in row]


def _strip_padding(row: list[str], width: int) -> list[str]:
    """Return a row without the empty fields that pad it."""
    return row if any(row[width:]) else row[:width]


def as_csv(values: Iterable[Written], layers: frozenset[Layer], account: int) -> Iterator[str]:
    """Write CSV with the columns `COLUMNS`, a row a value; with one more for conversations."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    of_conversations = Layer.CONVERSATION in layers
    writer.writerow((*COLUMNS, CONVERSATION) if of_conversations else COLUMNS)
    for layer, user, scope, key, value in values:
        row = (account, layer.value, user, inbox_of(scope) or "", key, value)
        writer.writerow((*row, conversation_of(scope) or "") if of_conversations else row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
