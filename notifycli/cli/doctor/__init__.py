"""`notifycli doctor`: whether what is set up works, and what to type where it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.command import command_class, examples, session_of
from notifycli.cli.doctor.checks import (
    CheckResult,
    Facts,
    Status,
    check_clipboard,
    check_completion,
    check_keyring,
    check_store,
    check_terminal,
    check_tokens,
)
from notifycli.cli.doctor.services import (
    check_chatwoot,
    check_email,
    check_listen,
    check_push,
    check_sound,
)
from notifycli.cli.output import show
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import printable
from notifycli.errors import NotifycliError
from notifycli.secrets.reconcile import reconcile

if TYPE_CHECKING:
    from rich.console import RenderableType


app = typer.Typer(rich_markup_mode=None, add_completion=False)
CHECKS: tuple[Callable[[Facts], CheckResult], ...] = (
    check_store,
    check_keyring,
    check_tokens,
    check_email,
    check_push,
    check_sound,
    check_chatwoot,
    check_listen,
    check_clipboard,
    check_completion,
    check_terminal,
)
_FAILED = 1
_MARKS = {Status.OK: ("✓", "green"), Status.NOTE: ("·", "yellow"), Status.FAIL: ("✗", "red")}


@app.command(
    "doctor",
    cls=command_class(),
    epilog=examples(
        """
notifycli doctor
notifycli doctor --fix
notifycli doctor -o json | jq -r '.[] | select(.status == "fail") | .fix'
"""
    ),
)
def doctor(
    ctx: typer.Context,
    *,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="First end and delete the tokens that a crash left torn."),
    ] = False,
) -> None:
    """Check store, keyring, tokens, channels, clipboard, completion and terminal.

    Exits with 1 if something that is set up doesn't work.
    """
    session = session_of(ctx)
    if fix:
        _mend(session)
    facts = Facts(session)
    try:
        findings = [_run(check, facts) for check in CHECKS]
    finally:
        facts.close()
    show(session, findings, CheckResult, heads=["", "Check", "Finding"], cells=_cells)
    if any(finding.status is Status.FAIL for finding in findings):
        raise typer.Exit(_FAILED)


def _run(check: Callable[[Facts], CheckResult], facts: Facts) -> CheckResult:
    """Run a check; what keeps it from being made is what it finds."""
    try:
        return check(facts)
    except NotifycliError as error:
        name = check.__name__.removeprefix("check_")
        return CheckResult(name, Status.FAIL, "-", error.message, error.hint)


def _mend(session: Session) -> None:
    """Mend what is torn; what can't be is told, and the checks show the rest."""
    from notifycli.cli.token.token_options import token_service  # noqa: PLC0415 - only --fix needs it

    try:
        with session.store() as store:
            found = reconcile(store, token_service(session, store))
    except NotifycliError as error:
        session.warn(f"not mended: {error.message}")
        return
    mended = [*found.inconsistent, *found.past_grace]
    for token, condition in mended:
        session.info(f"ended and deleted: user {token.user_id} {token.name!r} ({condition})")
    if found.orphans:
        session.info(f"deleted {plural(len(found.orphans), 'secret')} of users who were removed")
    if not mended and not found.orphans:
        session.info("nothing to mend")


def _cells(item: CheckResult) -> Sequence[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    mark, colour = _MARKS[item.status]
    finding = Text(printable(item.found), style="dim")
    if item.meaning:
        finding.append(f"\n{printable(item.meaning)}", style="not dim")
    if item.fix:
        # A column of its own would be too narrow to copy a command from.
        finding.append(f"\n→ {printable(item.fix)}", style="not dim bold")
    return [Text(mark, style=colour), item.check, finding]
