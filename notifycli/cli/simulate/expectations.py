"""`simulate --expect`: the records that were shown against a file of expected ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from notifycli.cli.output import show, text
from notifycli.cli.session import Session, plural
from notifycli.cli.simulate.expected_file import read_expected_file
from notifycli.rules.decision import Outcome
from notifycli.rules.matching import compared
from notifycli.scenarios.expected import FIELDS

_MISMATCH = 1
Mismatch = msgspec.defstruct(
    "Mismatch", [("mismatch", str), *((field, Any, UNSET) for field in FIELDS)], frozen=True
)
"""An expected record that is `missing`, with its fields alone, or a found, `unexpected` one."""


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
    missing, unexpected = compared(expected if changes else [*map(_firing, expected)], found)
    if not changes:
        unexpected = [place for place in unexpected if found[place]["outcome"] == Outcome.FIRE]
    if not missing and not unexpected:
        session.info(f"{plural(len(expected), 'record')}, all as expected")
        return 0
    mismatches = [Mismatch("missing", **expected[place]) for place in missing]
    mismatches += [Mismatch("unexpected", **found[place]) for place in unexpected]
    show(session, mismatches, Mismatch, heads=["Mismatch", "Record"], cells=_cells)
    session.info(
        f"{len(expected) - len(missing):,} as expected, {len(missing):,} missing, "
        f"{len(unexpected):,} unexpected"
    )
    return _MISMATCH


def _firing(expected: dict[str, object]) -> dict[str, object]:
    told = "outcome" in expected or "reason" in expected
    return expected if told else {**expected, "outcome": str(Outcome.FIRE)}


def _cells(mismatch: Any) -> list[str]:
    given = ((field, getattr(mismatch, field)) for field in FIELDS)
    shown = " ".join(f"{name}={text(value)}" for name, value in given if value is not UNSET)
    return [mismatch.mismatch, shown]
