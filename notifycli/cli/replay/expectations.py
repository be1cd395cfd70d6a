"""`simulate --expect`: the records that were shown against a file of expected ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from notifycli.cli.input.lines import read_lines
from notifycli.cli.output import show, text
from notifycli.cli.session import Session, plural
from notifycli.errors import DataError
from notifycli.rules.expectation import compared
from notifycli.rules.preferences import nearest
from notifycli.workbench.expected import FIELDS, read_expected

_MISMATCH = 1
_TOLD_IN_FULL = 20
Mismatch = msgspec.defstruct(
    "Mismatch", [("mismatch", str), *((field, Any, UNSET) for field in FIELDS)], frozen=True
)
"""An expected record that is `missing`, with its fields alone, or a found, `unexpected` one."""


def show_mismatches(this: Session, records: Iterable[Struct], file: str) -> int:
    """Print what is missing and what is unexpected; gives the exit status.

    Raises `DataError` for a file that holds anything else than expected records.
    """
    this.awaits(file)
    expected = _read(file)
    found = [msgspec.to_builtins(record) for record in records]
    missing, unexpected = compared(expected, found)
    if not missing and not unexpected:
        this.note(f"{plural(len(found), 'record')}, all as expected")
        return 0
    mismatches = [Mismatch("missing", **expected[place]) for place in missing]
    mismatches += [Mismatch("unexpected", **found[place]) for place in unexpected]
    show(this, mismatches, Mismatch, heads=["Mismatch", "Record"], cells=_cells)
    this.note(
        f"{len(expected) - len(missing):,} as expected, {len(missing):,} missing, "
        f"{len(unexpected):,} unexpected"
    )
    return _MISMATCH


def _read(file: str) -> list[dict[str, object]]:
    expected: list[dict[str, object]] = []
    faults: list[str] = []
    heads: list[str] | None = None
    for name, number, line in read_lines([file]):
        try:
            if heads is None:
                heads = _heads(f"{name}:{number}", line)
                if heads:
                    continue
            if heads:
                expected.append(read_expected(_row(heads, _cells_of(line)), strict=False))
            # `-o json` lays an array out with a record a line.
            elif (record := line.strip().removesuffix(b",")) not in (b"[", b"]"):
                expected.append(read_expected(msgspec.json.decode(record)))
        except (ValueError, RecursionError, csv.Error) as error:  # msgspec's are ValueErrors
            faults.append(f"{name}:{number}: {error}")
    if faults:
        more = len(faults) - _TOLD_IN_FULL
        listed = [*faults[:_TOLD_IN_FULL], *([f"… and {more:,} more"] if more > 0 else [])]
        raise DataError(
            "\n".join(listed),
            "a line is an object of any of the fields that simulate prints; or it is a row of a "
            "table, as -o csv prints it",
        )
    return expected


def _heads(place: str, line: bytes) -> list[str]:
    """Give the columns that a first line names; none, where it begins JSON.

    Raises `DataError` for a column that is none.
    """
    if line.lstrip()[:1] in (b"{", b"["):
        return []
    heads = _cells_of(line)
    for head in heads:
        if head not in FIELDS:
            near = nearest(head, tuple(FIELDS))
            raise DataError(
                f"{place}: {head!r} is no column" + (f"; did you mean {near}?" if near else ""),
                f"those that are known: {', '.join(FIELDS)}",
            )
    return heads


def _cells_of(line: bytes) -> list[str]:
    return next(csv.reader([line.decode()]))


def _row(heads: list[str], cells: list[str]) -> dict[str, str | None]:
    if len(cells) != len(heads):
        raise ValueError(f"has {plural(len(cells), 'cell')}, and the first line {len(heads)}")
    return {head: cell or None for head, cell in zip(heads, cells, strict=True)}


def _cells(mismatch: Any) -> list[str]:
    given = ((field, getattr(mismatch, field)) for field in FIELDS)
    shown = " ".join(f"{name}={text(value)}" for name, value in given if value is not UNSET)
    return [mismatch.mismatch, shown]
