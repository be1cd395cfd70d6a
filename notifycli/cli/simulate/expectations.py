"""`simulate --expect`: the records that were shown against a file of expected ones."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from notifycli.cli.inputs import read_document
from notifycli.cli.output import show, text
from notifycli.cli.session import Session, plural
from notifycli.errors import DataError
from notifycli.replay.decompression import BOM
from notifycli.replay.sources import place_of
from notifycli.rules.decision import Outcome
from notifycli.rules.expectation import EVERY_FIELD, FIELDS, compare, read_expected
from notifycli.rules.preferences import nearest

_MISMATCH = 1
_TOLD_IN_FULL = 20
# Records follow each other, a line each or laid out, or are in an array: all the same here.
_BETWEEN = re.compile(r"[\s,\[\]]*")
_BROKEN_LINE = re.compile(r"[^\n]*\n?")
_HALF = "half of a surrogate pair is no text"
_BROKEN_RECORD = re.compile(r"[^\n]*(\n(?!\s*\{)[^\n]*)*")
Mismatch = msgspec.defstruct(
    "Mismatch", [("mismatch", str), *((field, Any, UNSET) for field in FIELDS)], frozen=True
)
"""An expected record that is `missing`, with its fields alone, or a found, `unexpected` one."""
_DigestMismatch = msgspec.defstruct(
    "DigestMismatch",
    [(field, Any, UNSET) for field in EVERY_FIELD if field not in FIELDS],
    bases=(Mismatch,),
    frozen=True,
)


def _no_number(constant: str) -> object:
    raise ValueError(f"{constant} is no number")


_decode = json.JSONDecoder(parse_constant=_no_number).raw_decode


def show_mismatches(
    session: Session, records: Iterable[Struct], file: str, *, changes: bool
) -> int:
    """Print what is missing and what is unexpected; gives the exit status.

    Unless the records are `changes`, only those that fire have to be expected, and stand for what
    names neither an outcome nor a reason. Raises `DataError` for a file that holds anything else
    than expected records.
    """
    session.awaits(file)
    expected = read_expected_file(file)
    found = [msgspec.to_builtins(record) for record in records]
    missing, unexpected = compare(expected if changes else [*map(_firing, expected)], found)
    if not changes:
        unexpected = [place for place in unexpected if found[place]["outcome"] == Outcome.FIRE]
    if not missing and not unexpected:
        session.info(f"{plural(len(expected), 'record')}, all as expected")
        return 0
    told = [("missing", expected[place]) for place in missing]
    told += [("unexpected", found[place]) for place in unexpected]
    kind = _DigestMismatch if any("conversations" in one for _, one in told) else Mismatch
    mismatches = [kind(mismatch, **one) for mismatch, one in told]
    show(session, mismatches, kind, heads=["Mismatch", "Record"], cells=_cells)
    session.info(
        f"{len(expected) - len(missing):,} as expected, {len(missing):,} missing, "
        f"{len(unexpected):,} unexpected"
    )
    return _MISMATCH


def _firing(expected: dict[str, object]) -> dict[str, object]:
    told = "outcome" in expected or "reason" in expected
    return expected if told else {**expected, "outcome": str(Outcome.FIRE)}


def _cells(mismatch: Any) -> list[str]:
    given = ((field, getattr(mismatch, field, UNSET)) for field in EVERY_FIELD)
    shown = " ".join(f"{name}={text(value)}" for name, value in given if value is not UNSET)
    return [mismatch.mismatch, shown]


def read_expected_file(file: str) -> list[dict[str, object]]:
    """Read the expected records of a file, `-` for standard input, in their order.

    Raises `DataError`, which names each fault with its line, unless all of it is such records.
    """
    text = _text(file)
    table = text.lstrip()[:1] not in ("{", "[", "")
    expected: list[dict[str, object]] = []
    faults: list[str] = []
    for line, given in (_rows if table else _values)(text, place_of(file)):
        try:
            if isinstance(given, ValueError):
                raise given
            expected.append(read_expected(given, strict=not table))
        except ValueError as error:
            faults.append(f"{place_of(file)}:{line}: {error}")
    if faults:
        more = len(faults) - _TOLD_IN_FULL
        listed = [*faults[:_TOLD_IN_FULL], *([f"… and {more:,} more"] if more > 0 else [])]
        raise DataError(
            "\n".join(listed),
            "a record is an object of any of the fields that simulate prints; or it is a row of a "
            "table, as -o csv prints it",
        )
    return expected


def _text(file: str) -> str:
    data = read_document(file).removeprefix(BOM)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{place_of(file)}:{line}: is no UTF-8", "save it as UTF-8") from None


def _values(text: str, _: str) -> Iterator[tuple[int, object]]:
    """Give the values in a text, each with its line; of a record that is none, what is wrong."""
    line, counted, at = 1, 0, _skip(_BETWEEN, text, 0)
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        further, value, end = _value(text, at)
        yield line + further, value
        at = _skip(_BETWEEN, text, end)


def _value(text: str, at: int) -> tuple[int, object, int]:
    """Give the value there, or what is wrong so many lines further on, and where it ends."""
    try:
        value, end = _decode(text, at)
    except json.JSONDecodeError as error:
        further = text.count("\n", at, error.pos)
        broken = _BROKEN_RECORD if further else _BROKEN_LINE
        return further, ValueError(f"no JSON: {error.msg}"), _skip(broken, text, at)
    except RecursionError:
        return 0, ValueError("nested too deeply"), _skip(_BROKEN_LINE, text, at)
    except ValueError as error:
        return 0, error, _skip(_BROKEN_LINE, text, at)
    return 0, value if _is_text(text[at:end], value) else ValueError(_HALF), end


def _is_text(written: str, value: object) -> bool:
    """Whether UTF-8 can carry the value: JSON can write what it can't."""
    if "\\u" in written:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return False
    return True


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _rows(text: str, place: str) -> Iterator[tuple[int, object]]:
    """Give the rows of a table, each with its last line; of one that doesn't fit, what is wrong.

    Raises `DataError` for a column that is none.
    """
    first = text.lstrip().partition("\n")[0]
    delimiter = next((one for one in "\t;" if one in first), ",")
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
    )
    heads: list[str] = []
    try:
        for cells in filter(None, reader):
            if heads:
                yield reader.line_num, _row(heads, cells)
            else:
                heads = _check_heads(cells, f"{place}:{reader.line_num}")
    except csv.Error as error:
        raise DataError(f"{place}:{reader.line_num}: {error}", "save it as CSV again") from None


def _check_heads(heads: list[str], place: str) -> list[str]:
    for head in heads:
        if head not in EVERY_FIELD:
            near = nearest(head, tuple(FIELDS))
            raise DataError(
                f"{place}: {head!r} is no column" + (f"; did you mean {near}?" if near else ""),
                f"those that are known: {', '.join(FIELDS)}",
            )
    return heads


def _row(heads: list[str], cells: list[str]) -> Mapping[str, str | None] | ValueError:
    if len(cells) != len(heads):
        return ValueError(f"has {plural(len(cells), 'cell')}, and the first line {len(heads)}")
    return {head: cell or None for head, cell in zip(heads, cells, strict=True)}
