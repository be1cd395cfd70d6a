"""`notifycli store`: a copy of all that a store holds, and the password of its server."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from notifycli.cli.command import command_class, examples, group, session_of
from notifycli.cli.session import plural
from notifycli.cli.terminal import is_terminal, read_secret
from notifycli.errors import InputMissingError, UnavailableError, UsageError
from notifycli.secrets.keychain import Keychain, open_keychain
from notifycli.secrets.token_format import Secret
from notifycli.store.store import Location, locate, open_store

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

    What is broken off goes on when it is typed again. Secrets stay in the keyring, under the
    names that both stores have.
    """
    session = session_of(ctx)
    here, there = locate(source, find_password), locate(target, find_password)
    if not here.exists:
        raise InputMissingError(f"there is no store at {here.name}", "name the one that is there")
    with open_store(here, create=False) as old, open_store(there) as new:
        rows = new.copy_from(old)
    session.info(
        f"copied {plural(rows, 'row')} to {there.name}, and compared them; "
        f"use it: --db {there.name}, or NOTIFYCLI_DB"
    )


@app.command(
    "login",
    cls=command_class(),
    epilog=examples(
        "notifycli store login postgresql://jane@db.example.com/desk\n"
        "notifycli store login < password.txt     of the store that NOTIFYCLI_DB names"
    ),
)
def login(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="[URL]", help="The store; else that of --db.")] = "",
) -> None:
    """Keep the password of a store's server in the keyring."""
    session = session_of(ctx)
    at = locate(url, find_password) if url else session.location
    if at.file is not None:
        raise UsageError(f"{at.name} is a file: it has no password", "name a postgresql:// address")
    keychain = _keychain(at)
    keychain.unlock(to_write=True)
    text = read_secret(
        f"Password of {at.url}: ", "password", "notifycli store login URL < password.txt"
    )
    asked = []

    def give() -> str:
        asked.append(at.url)
        return text

    open_store(at._replace(password=give), create=False).__exit__()
    if not asked:
        session.info(f"the server of {at.url} lets in without it: not kept")
        return
    keychain.set(_name(at.url), Secret(text))
    session.info(f"the password of {at.url} is kept, and lets in")


def find_password(url: str) -> str | None:
    """Return a server's password: the keyring's, else one that is typed now on a terminal."""
    try:
        kept = _keychain(locate(url)).get(_name(url))
    except UnavailableError:
        kept = None
    if kept is not None:
        return kept.reveal()
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return None
    return read_secret(f"Password of {url}: ", "password", "notifycli store login")


def _keychain(at: Location) -> Keychain:
    return open_keychain(beside=at.folder)


def _name(url: str) -> str:
    return f"store/{url}"
