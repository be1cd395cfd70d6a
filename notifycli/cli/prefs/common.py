"""What the commands on preferences have in common: the options that name a layer."""

from __future__ import annotations

from typing import Annotated

import typer

from notifycli.cli.types import INBOX_ID
from notifycli.errors import UsageError
from notifycli.rules.preferences import nearest
from notifycli.store.store import Store

InboxIds = Annotated[
    list[int] | None,
    typer.Option(
        "--inbox",
        parser=INBOX_ID,
        metavar="ID",
        help="Only for events of this inbox; may be repeated.",
    ),
]
InboxId = Annotated[
    list[int] | None,
    typer.Option("--inbox", parser=INBOX_ID, metavar="ID", help="Only for events of this inbox."),
]
Default = Annotated[bool, typer.Option("--default", help="The account's default for everybody.")]
Lock = Annotated[
    bool, typer.Option("--lock", help="The account's lock: no user can set anything else.")
]


def one_inbox(given: list[int] | None) -> int | None:
    """Give the inbox that is named, if one is. Raises `UsageError` for several."""
    if given and len(given) > 1:
        named = " ".join(f"--inbox {inbox}" for inbox in given)
        raise UsageError(f"this command takes one inbox, not {named}", "name just one: --inbox ID")
    return given[0] if given else None


def check_inbox(store: Store, account: int, inbox: int) -> None:
    """Raise `UsageError` if the account has no such inbox."""
    if not store.has_inbox(account, inbox):
        known = {str(item.id): item.name for item in store.inboxes(account)}
        near = nearest(str(inbox), known) or ", ".join(known) or "none yet"
        raise UsageError(
            f"account {account} has no inbox {inbox}",
            f"nearest: {near}; add it: notifycli inbox add {inbox}",
        )
