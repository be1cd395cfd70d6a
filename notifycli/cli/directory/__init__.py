"""`directory`, `user`, `inbox` and `team`: what removes something asks first, and names it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Annotated, NamedTuple

import typer
from msgspec import json

from notifycli.cli.command import a_number
from notifycli.cli.output import show
from notifycli.cli.session import Group, Session, find_user, plural
from notifycli.cli.terminal import confirm, is_terminal
from notifycli.rules.directory import User
from notifycli.store import Store
from notifycli.store.history import DirectoryStep, step_of
from notifycli.store.transaction import Change

_NAMED = 5
Work = Callable[[Change], None]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before something is removed.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
]


class Manner(NamedTuple):
    """How a change is to be made."""

    yes: bool
    dry_run: bool


def carry_out(session: Session, store: Store, account: int, asked: Manner, work: Work) -> bool:
    """Do the work in one change, or show what it would do; gives whether it was done.

    On a terminal it is asked for first, if it removes anything. Raises `typer.Abort` for a no.
    """
    from notifycli.cli.token import forget_leftovers  # noqa: PLC0415 - used here alone

    if asked.dry_run or (is_terminal(sys.stdin) and not asked.yes):
        with store.rehearsal(account) as change:
            work(change)
            steps = list(map(step_of, change.directory))
            lost = _name_lost(change)
        if asked.dry_run:
            show(session, steps, DirectoryStep)
            session.info(f"nothing was changed{f'; it would remove {lost}' if lost else ''}")
            return False
        if lost:
            confirm(f"Remove {lost}?")
    with store.change(account, session.command, session.who) as change:
        work(change)
        tell_new_ids(session, change)
        lost = _name_lost(change)
    forget_leftovers(session, store)
    if lost:
        session.info(f"removed: {lost}; take it back: notifycli directory undo {change.id}")
    if tokens := change.ended_tokens:
        session.info(f"{plural(tokens, 'token')} ended, and can't be taken back")
    if addresses := change.ended_addresses:
        gone = f"{addresses} addresses on other channels are"
        if addresses == 1:
            gone = "an address on another channel is"
        session.info(
            f"{gone} forgotten, and can't be taken back: notifycli channel add adds one anew"
        )
    return True


def tell_new_ids(session: Session, change: Change) -> None:
    """Tell who had a made-up id and has another one now."""
    for one in change.directory:
        if one.kind == "user" and one.old is not None and one.new is not None:
            old, new = (json.decode(side, type=User) for side in (one.old, one.new))
            if old.id != new.id:
                session.info(f"{new.email or new.name}: the id {old.id} has become {new.id}")


def _name_lost(change: Change) -> str:
    """Name what a change removes; nothing if that is nothing."""
    steps = [step_of(one) for one in change.directory if one.new is None]
    named = [f"{step.kind} {step.id} {step.name}".rstrip() for step in steps[:_NAMED]]
    more = f" and {len(steps) - _NAMED:,} more" if len(steps) > _NAMED else ""
    # Only with its user does a preference go here, or come back with them.
    values = f" with {plural(change.preferences, 'preference')}" if change.preferences else ""
    return f"{', '.join(named)}{more}{values}" if steps else ""


def check_name(text: str | None) -> str | None:
    """Refuse a name that a terminal could take as a command."""
    if text is not None and not text.isprintable():
        raise typer.BadParameter("the name has control characters")
    return text


Id = Annotated[
    int,
    typer.Argument(parser=a_number("id"), metavar="ID", help="The id that Chatwoot gives it."),
]
Name = Annotated[
    str | None,
    typer.Option("--name", callback=check_name, metavar="NAME", help="The name to show."),
]
Members = Annotated[
    list[str] | None,
    typer.Option("--member", metavar="USER", help="A member, by e-mail or id; may be repeated."),
]


def member_ids(store: Store, account: int, references: Iterable[str]) -> tuple[int, ...]:
    """Give the ids of the users that are named, in their order."""
    return tuple(sorted({find_user(store, account, ref).id for ref in references}))


def remove(session: Session, store: Store, account: int, group: Group, asked: Manner) -> None:
    """Remove an inbox or a team."""
    carry_out(session, store, account, asked, lambda change: change.remove(group))
