"""Writes the page of `simulate --report`."""

from __future__ import annotations

from collections.abc import Sequence

from notifycli import __version__
from notifycli.cli.output import write_file
from notifycli.cli.session import Session, plural
from notifycli.cli.simulate.options import Asked
from notifycli.cli.simulate.run import Run
from notifycli.cli.terminal import encode
from notifycli.events.timestamps import format_moment
from notifycli.replay.sources import STDIN
from notifycli.report import report

_NAMED = 5


def write_report(session: Session, run: Run, files: Sequence[str], asked: Asked) -> None:
    """Write the page and say where it is. Raises as `write_file` does."""
    assert asked.report is not None  # noqa: S101 - or there is none
    zone, source = asked.zone or "local time", _source(run, files, asked.proposal)
    page = report(*run.insights(), zone, compared=asked.diff, source=source)
    write_file(asked.report, encode(page, "utf-8"))
    session.info(f"wrote {asked.report}")


def _source(run: Run, files: Sequence[str], proposal: str) -> dict[str, str]:
    """Say what the page was made of: the same for the same input, whenever that is."""
    named = ["standard input" if file == STDIN else file for file in files[:_NAMED]]
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    source = {"Events": f"{plural(run.events, 'event')} of {', '.join(named)}{more}"}
    if run.span is not None:
        source["Time"] = " to ".join(map(format_moment, run.span))
    if proposal:
        source["Proposed"] = proposal
    if rules := ", then ".join(run.rules()):
        source["Rules"] = rules
    return source | {"Made by": f"notifycli {__version__}"}
