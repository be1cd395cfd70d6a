"""What the commands on a Chatwoot share: whose desk, which users, and how results are shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.chatwoot.account import Desk, ProgressCallback, Report, SyncResult, the_desk
from notifycli.cli.output import console, show
from notifycli.cli.session import Session
from notifycli.cli.terminal import is_terminal, printable
from notifycli.cli.token.lifecycle import token_service
from notifycli.errors import UsageError
from notifycli.rules.directory import User
from notifycli.store.store import Store

if TYPE_CHECKING:
    from rich.console import RenderableType

UNDONE = frozenset({"failed", "refused", "left"})
"""Results that are not what was asked for."""
_DONE = frozenset({"added", "changed", "removed", "pushed"})
"""Results that a dry run only tells of."""
_COLOURS = {"failed": "red", "conflict": "red", "refused": "red", "left": "yellow", "same": "dim"}

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done; change nothing anywhere.")
]


def desk_of(session: Session, store: Store) -> Desk:
    """Give the account's connection; its tokens can be had from then on without a question."""
    desk = the_desk(token_service(session, store), session.resolve_account(store))
    desk.life.keychain.unlock()
    return desk


def desk_users(session: Session, desk: Desk) -> list[User]:
    """Give the users who are meant: those named, else all whose tokens are held.

    Raises `UsageError` where that is nobody.
    """
    if session.given_users or session.selects_many:
        return session.resolve_users(desk.life.store, desk.account)
    held = desk.users()
    if not held:
        raise UsageError(
            f"no token for {desk.connection.url} is held", "add one: notifycli chatwoot login"
        )
    return held


@contextmanager
def progress(session: Session, label: str) -> Iterator[ProgressCallback]:
    """Show how far it is, on a terminal."""
    if not is_terminal(sys.stderr) or session.quiet:
        yield lambda _done, _total: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - a pipe can spare it

    with Progress(console=console(session, stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def finish(session: Session, report: Report, *, dry_run: bool) -> None:
    """Show what became of everything; what failed ends the command with its exit status."""

    def cells(item: SyncResult) -> Sequence[RenderableType]:
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        would = "would be " if dry_run and item.result in _DONE else ""
        result = Text(f"{would}{item.result}", style=_COLOURS.get(item.result, "green"))
        return [item.kind, str(item.id), printable(item.name), result, printable(item.detail)]

    heads = ("What", "Id", "Name", "Result", "Detail")
    show(session, report.steps, SyncResult, heads=heads, cells=cells)
    if dry_run:
        session.info("nothing was changed: this was a dry run")
    undone = sum(step.result in {"failed", "left"} for step in report.steps)
    if undone:
        session.info(f"{undone} not done; mend what is told, and run it again for the rest")
    if report.status:
        raise typer.Exit(report.status)
