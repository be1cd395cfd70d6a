"""What inboxes and teams have in common: an id, a name, and members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from notifycli.cli.directory.directory_change import Asked, carry_out
from notifycli.cli.session import Group, Session, find_user
from notifycli.cli.types import a_number
from notifycli.store.store import Store


def shown_name(text: str | None) -> str | None:
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
    typer.Option("--name", callback=shown_name, metavar="NAME", help="The name to show."),
]
Members = Annotated[
    list[str] | None,
    typer.Option("--member", metavar="USER", help="A member, by e-mail or id; may be repeated."),
]


def member_ids(store: Store, account: int, references: Iterable[str]) -> tuple[int, ...]:
    """Give the ids of the users that are named, in their order."""
    return tuple(sorted({find_user(store, account, ref).id for ref in references}))


def remove(session: Session, store: Store, account: int, group: Group, asked: Asked) -> None:
    """Remove an inbox or a team."""
    carry_out(session, store, account, asked, lambda change: change.remove(group))
