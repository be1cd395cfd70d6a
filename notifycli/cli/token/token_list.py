"""`notifycli token list`: whose tokens there are, and how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.command import ALL_USERS, SOME_USERS, command_class, examples, part, session_of
from notifycli.cli.output import show
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import printable
from notifycli.cli.times import in_words, now
from notifycli.cli.token.common import OlderThan, TokenRecord, older, record, select_users
from notifycli.events.timestamps import parse_moment
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.reconcile import FIX, INCONSISTENT, MEANING, Condition, Inspection, inspect
from notifycli.store.store import Store

if TYPE_CHECKING:
    from rich.console import RenderableType

app = part()
_COLOURS = {Condition.ACTIVE: "green", Condition.ROTATED: "yellow", Condition.EXPIRED: "yellow"}


@app.command(
    "list",
    cls=command_class(SOME_USERS, ALL_USERS),
    epilog=examples(
        """
notifycli token list
notifycli token list --older-than 90d -o csv
notifycli token list | jq -r 'select(.last_used_at == null) | .email'
"""
    ),
)
def token_list(
    ctx: typer.Context,
    older_than: OlderThan = None,
    *,
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked ones too.")] = False,
) -> None:
    """List tokens, masked, with dates and state.

    Everybody's, unless users are named.
    """
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        users = select_users(session, store, account)
        inspection = _inspect(session, store, account, users)
    found = older(inspection.findings, older_than)
    at = now()
    wanted = [item for item in found if revoked or item.condition is not Condition.REVOKED]
    records = [record(item, users.get(item.token.user_id)) for item in wanted]
    heads = ["User", "Name", "Token", "Made", "Expires", "Last used", "State"]
    show(session, records, TokenRecord, heads=heads, cells=lambda item: _cells(item, at))
    _tell_state(session, inspection)
    if not wanted:
        _tell_why_none(session, len(found), older_than)


def _inspect(session: Session, store: Store, account: int, users: Iterable[int]) -> Inspection:
    """Give how tokens stand, asking the keychain unless it would ask for a passphrase."""
    tokens, orphans = store.tokens.of_account(account, users), store.tokens.leftovers()
    if not tokens and not orphans:
        return Inspection([], [], 0, None)
    keychain = open_keychain(beside=store.location.folder)
    inspection = inspect(tokens, orphans, None if keychain.asks else keychain, now())
    trouble = inspection.trouble
    if keychain.asks or trouble is not None:
        why = "it would ask for its passphrase" if trouble is None else trouble.message
        session.info(f"not compared with the keyring ({why}); see: notifycli doctor")
    return inspection


def _cells(item: TokenRecord, at: int) -> Sequence[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    condition = Condition(item.state)
    torn = f": {MEANING[condition]}" if condition in INCONSISTENT else ""
    return [
        printable(item.email or str(item.user_id)),
        f"{item.name}\n{printable(item.label)}".rstrip(),
        item.token,
        _ago(item.created_at, at),
        _ago(item.expires_at, at),
        _ago(item.last_used_at, at),
        Text(f"{condition}{torn}", style="red" if torn else _COLOURS.get(condition, "dim")),
    ]


def _ago(written_moment: str | None, at: int) -> str:
    return in_words(None if written_moment is None else parse_moment(written_moment), at)


def _tell_state(session: Session, seen: Inspection) -> None:
    torn, orphans, outlived = len(seen.inconsistent), len(seen.orphans), len(seen.past_grace)
    told = (
        (torn, f"torn: {torn} of {len(seen.findings)}"),
        (orphans, f"{plural(orphans, 'secret')} of removed users left over"),
        (outlived, f"the grace of {outlived} is over"),
    )
    if parts := [text for count, text in told if count]:
        session.info(f"{'; '.join(parts)}; mend them: {FIX}")
    if seen.elsewhere:
        session.info(f"{plural(seen.elsewhere, 'secret')} in another keychain: not compared")


def _tell_why_none(session: Session, hidden: int, age: int | None) -> None:
    if hidden:
        session.info(f"{plural(hidden, 'token')}, revoked: notifycli token list --revoked")
    else:
        session.info(
            "no token is that old" if age else "no tokens yet; make one: notifycli token generate"
        )
