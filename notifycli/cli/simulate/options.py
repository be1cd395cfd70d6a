"""What `simulate` is to show, of all that it can."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import NamedTuple

from notifycli.cli.session import Session
from notifycli.errors import UsageError
from notifycli.rules.counts import Insight, hour_of_week
from notifycli.rules.quiet_hours import zone_info


class Asked(NamedTuple):
    """What is to be shown."""

    explain: bool
    summary: bool
    diff: bool
    exit_code: bool
    expect: str | None
    report: str | None
    zone: str | None
    jobs: int
    proposal: str
    """The options that propose other preferences or rules, as given; nothing without any."""

    @property
    def compares(self) -> bool:
        """Whether the preferences as they are matter beside the proposed ones."""
        return self.diff or self.exit_code

    @property
    def lists(self) -> bool:
        """Whether each record is shown, and not just what they come to."""
        return not self.summary and self.report is None

    def check_files(self, *read: str | None) -> None:
        """Raise `UsageError` for a page that would be written over what is read."""
        if self.report is None or not os.path.exists(self.report):  # noqa: PTH110 - see check()
            return
        page = Path(self.report)
        if any(name and os.path.exists(name) and page.samefile(name) for name in read):  # noqa: PTH110
            raise UsageError(
                f"--report {self.report} would be written over what is read",
                "give the page another name",
            )

    def check(self) -> None:
        """Raise `UsageError` for what doesn't go together, and for a page that has no place."""
        if self.compares and not self.proposal:
            option = "--diff" if self.diff else "--exit-code"
            raise UsageError(
                f"{option} compares with other preferences or rules, and none are given",
                "propose some: --set [USER:]KEY=VALUE, --prefs FILE or --rules PROFILE",
            )
        if self.expect is not None and self.summary:
            raise UsageError("--expect and --summary show different things", "give one of them")
        if self.report is None:
            return
        folder = Path(self.report).parent
        if not os.path.isdir(folder):  # noqa: PTH112 - pathlib's raises where it may not look
            raise UsageError(
                f"--report {self.report}: there is no folder {folder}",
                f"make it: mkdir -p {shlex.quote(str(folder))}",
            )

    def insight(self, session: Session) -> Insight | None:
        """Make what counts for the eye, where an eye will see it."""
        if self.report is None and not (self.summary and session.shows_table):
            return None
        return Insight(hour_of_week(None if self.zone is None else zone_info(self.zone)))
