"""The options of `simulate`, many of which others take too."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from notifycli.cli.command import a_number, none_of
from notifycli.cli.session import Session
from notifycli.errors import UsageError
from notifycli.rules.decision import read_type
from notifycli.rules.notifications import Channel
from notifycli.rules.quiet_hours import zone_info

if TYPE_CHECKING:
    from notifycli.rules.counts import Insight


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

    def check(self) -> None:
        """Raise `UsageError` for what doesn't go together."""
        if self.compares and not self.proposal:
            option = "--diff" if self.diff else "--exit-code"
            raise UsageError(
                f"{option} compares with other preferences or rules, and none are given",
                "propose some: --set [USER:]KEY=VALUE, --prefs FILE or --rules PROFILE",
            )
        if self.expect is not None and self.summary:
            raise UsageError("--expect and --summary show different things", "give one of them")

    def insight(self, session: Session) -> Insight | None:
        """Make what counts for the eye, where an eye will see it."""
        if self.report is None and not (self.summary and session.shows_table):
            return None
        from notifycli.rules.counts import Insight, hour_of_week  # noqa: PLC0415 - others take no more than its options

        return Insight(hour_of_week(None if self.zone is None else zone_info(self.zone)))


def check_page(page: str | None, *read: str | None) -> None:
    """Raise `UsageError` for a page that has no place, or would be written over what is read."""
    if page is None:
        return
    folder = Path(page).parent
    if not os.path.isdir(folder):  # noqa: PTH112 - pathlib's raises where it may not look
        raise UsageError(
            f"--report {page}: there is no folder {folder}",
            f"make it: mkdir -p {shlex.quote(str(folder))}",
        )
    if not os.path.exists(page):  # noqa: PTH110 - as above
        return
    there = Path(page)
    if any(name and os.path.exists(name) and there.samefile(name) for name in read):  # noqa: PTH110
        raise UsageError(
            f"--report {page} would be written over what is read", "give the page another name"
        )


def a_channel(text: str) -> Channel:
    """Read the name of a channel."""
    try:
        return Channel(text.lower())
    except ValueError:
        raise none_of(text, tuple(Channel)) from None


def a_type(text: str) -> str:
    """Read the full or the short name of a type; gives the full one."""
    try:
        return read_type(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def check_order(since: int | None, until: int | None) -> None:
    """Raise `UsageError` where no time is both."""
    if since is not None and until is not None and since > until:
        raise UsageError("--since is later than --until", "give the earlier time to --since")


def a_zone(text: str) -> str:
    """Check the name of an IANA time zone."""
    try:
        zone_info(text)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise typer.BadParameter(f"{text!r} is no IANA time zone such as Europe/Berlin") from None
    return text


ChannelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--channel", parser=a_channel, metavar="|".join(Channel), help="Only this channel."
    ),
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", parser=a_type, metavar="TYPE", help="Only this type."),
]
ConversationOption = Annotated[
    list[int] | None,
    typer.Option(
        "--conversation",
        parser=a_number("conversation id"),
        metavar="ID",
        help="Only this conversation.",
    ),
]
