"""Writes the page of `simulate --report`."""

from __future__ import annotations

from pathlib import Path

from notifycli.cli.replay.run import Run
from notifycli.cli.session import Session
from notifycli.errors import UsageError
from notifycli.workbench.report import report


def write_report(this: Session, run: Run, file: str, zone: str | None, *, compared: bool) -> None:
    """Write the page and say where it is. Raises `UsageError` if it can't be written."""
    assert run.insights is not None  # noqa: S101 - a report counts for the eye
    page = report(*run.insights, zone or "local time", compared=compared)
    try:
        Path(file).write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: can't be written: {error.strerror or error}") from None
    this.note(f"wrote {file}")
