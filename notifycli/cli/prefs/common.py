"""What the commands on preferences have in common: the options that name a layer."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from notifycli.cli.session import find_group
from notifycli.cli.types import Reference, read_reference
from notifycli.errors import UsageError
from notifycli.rules.preferences import nearest
from notifycli.store.store import Store

InboxIds = Annotated[
    list[Any] | None,  # Typer takes no union, though its parser gives ids and names
    typer.Option(
        "--inbox",
        parser=read_reference,
        metavar="INBOX",
        help="Only for events of this inbox, by id or name; may be repeated.",
    ),
]
InboxId = Annotated[
    list[Any] | None,
    typer.Option(
        "--inbox",
        parser=read_reference,
        metavar="INBOX",
        help="Only for events of this inbox, by id or name.",
    ),
]
Default = Annotated[bool, typer.Option("--default", help="The account's default for everybody.")]
Lock = Annotated[
    bool, typer.Option("--lock", help="The account's lock: no user can set anything else.")
]


def one_inbox(given: list[Reference] | None) -> Reference | None:
    """Give the inbox that is named, if one is. Raises `UsageError` for several."""
    if given and len(given) > 1:
        named = " ".join(f"--inbox {inbox}" for inbox in given)
        raise UsageError(f"this command takes one inbox, not {named}", "name just one: --inbox ID")
    return given[0] if given else None


def find_inbox(store: Store, account: int, inbox: Reference) -> int:
    """Give the id of the inbox that is meant. Raises `UsageError` if the account has none such."""
    if isinstance(inbox, str):
        return find_group(store.inboxes(account), inbox, "inbox", "--inbox").id
    if not store.has_inbox(account, inbox):
        known = {str(item.id): item.name for item in store.inboxes(account)}
        near = nearest(str(inbox), known) or ", ".join(known) or "none yet"
        raise UsageError(
            f"account {account} has no inbox {inbox}",
            f"nearest: {near}; add it: notifycli inbox add {inbox}",
        )
    return inbox
