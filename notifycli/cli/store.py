"""`notifycli store copy`: all that a store holds, into another one."""

from __future__ import annotations

from typing import Annotated

import typer

from notifycli.cli.command import command_class, examples, group, session_of
from notifycli.cli.session import plural
from notifycli.errors import InputMissingError
from notifycli.store.store import locate, open_store

app = group("A whole store, copied from one place to another.")


@app.command(
    "copy",
    cls=command_class(),
    epilog=examples(
        "notifycli store copy notifycli.db postgresql://db.example.com/desk\n"
        "notifycli store copy postgresql://db.example.com/desk sqlite:///desk.db"
    ),
)
def copy(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store that is there.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty one, or one yet to be.")],
) -> None:
    """Copy all that a store holds into an empty one, and compare the two.

    What is broken off leaves nothing behind: type it again. Secrets stay in the keyring, under the
    names that both stores have.
    """
    session = session_of(ctx)
    here, there = locate(source), locate(target)
    if not here.exists:
        raise InputMissingError(f"there is no store at {here.name}", "name the one that is there")
    with open_store(here, create=False) as old, open_store(there) as new:
        rows = new.copy_from(old)
    session.info(
        f"copied {plural(rows, 'row')} to {there.name}, and compared them; "
        f"use it: --db {there.name}, or NOTIFYCLI_DB"
    )
