"""Writes the page of `simulate --report`."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Sequence

from notifycli import __version__
from notifycli.cli.output import write_file
from notifycli.cli.session import Session, display_name, plural
from notifycli.cli.simulate.replay_run import Run, desk_links
from notifycli.cli.simulate.simulate import Asked
from notifycli.cli.terminal import encode
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.replay.sources import STDIN
from notifycli.report import About, report
from notifycli.report.findings import People
from notifycli.report.material import Material
from notifycli.rules.quiet_hours import zone_info

_NAMED = 5


def write_report(session: Session, run: Run, files: Sequence[str], asked: Asked) -> None:
    """Write the page and say where it is. Raises as `write_file` does."""
    assert asked.report is not None  # noqa: S101 - or there is none
    assert run.material is not None  # noqa: S101
    before, after = run.insights()
    with session.store() as store:
        links = desk_links(store)
    about = About(
        people=_people(run),
        zone=asked.zone or local_zone(run.material),
        tz=None if asked.zone is None else zone_info(asked.zone),
        links=links,
        command=_command(files, asked.proposal),
        source=_source(run, files, asked.proposal),
    )
    page = report(before if asked.diff else None, after, run.material, about)
    write_file(asked.report, encode(page, "utf-8"))
    session.info(f"wrote {asked.report}")


def local_zone(material: Material) -> str:
    """Name this computer's time zone, as it was called when the events begin."""
    if material.span is None:
        return "local time"
    return f"local time, {time.strftime('%Z', time.localtime(material.span[0] // SECOND))}"


def _people(run: Run) -> People:
    """Name the selected users of the accounts that the events are of."""
    _, after = run.insights()
    met = {agent.account for agent, _, _ in after.reasons} or {*run.replay.accounts}
    users = {key: user for key, user in run.users().items() if key[0] in met}
    namesakes = Counter((account, user.name) for (account, _), user in users.items())
    names = {
        key: f"{user.name} ({display_name(user)})"
        if namesakes[key[0], user.name] > 1 and user.name
        else user.name or user.email or f"user {user.id}"
        for key, user in users.items()
    }
    return People(names, several=len(met) > 1)


def _command(files: Sequence[str], proposal: str) -> str:
    named = [file for file in files if file != STDIN]
    given = shlex.join(named) if named and len(named) <= _NAMED else "EVENTS"
    return " ".join(filter(None, ("notifycli simulate", given, proposal, "--explain")))


def _source(run: Run, files: Sequence[str], proposal: str) -> dict[str, str]:
    """Say what the page was made of: the same for the same input, whenever that is."""
    named = ["standard input" if file == STDIN else file for file in files[:_NAMED]]
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    source = {"Events": f"{plural(run.events, 'event')} of {', '.join(named)}{more}"}
    if run.material is not None and run.material.span is not None:
        source["Time"] = " to ".join(map(format_moment, run.material.span))
    if proposal:
        source["Proposed"] = proposal
    if rules := ", then ".join(run.rules()):
        source["Rules"] = rules
    return source | {"Made by": f"notifycli {__version__}"}
