"""What inboxes and teams have in common: an id, a name, and members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from msgspec import json

from notifycli.cli.session import Group, Session, find_user, found
from notifycli.cli.types import a_number
from notifycli.rules.directory import User
from notifycli.store.store import Store
from notifycli.store.transaction import Change


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


def tell_new_ids(session: Session, change: Change) -> None:
    """Tell who had a made-up id and has another one now."""
    for one in change.directory:
        if one.kind == "user" and one.old is not None and one.new is not None:
            old, new = (json.decode(side, type=User) for side in (one.old, one.new))
            if old.id != new.id:
                session.info(f"{new.email or new.name}: the id {old.id} has become {new.id}")


def member_ids(store: Store, account: int, references: Iterable[str]) -> tuple[int, ...]:
    """Give the ids of the users that are named, in their order."""
    return tuple(sorted({find_user(store, account, ref).id for ref in references}))


def remove(session: Session, groups: Iterable[Group], id_: int, kind: str, store: Store) -> None:
    """Remove the one with this id."""
    account = session.resolve_account(store)
    with store.change(account, session.command, session.who) as change:
        change.remove(found(groups, id_, kind))
    session.info(f"removed {kind} {id_} from account {account}")
