"""`notifycli token list`: whose tokens there are, and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.command import ALL_USERS, SOME_USERS, command_class, examples, part, session_of
from notifycli.cli.output import show
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import printable
from notifycli.cli.times import in_words, now
from notifycli.cli.token.common import OlderThan, TokenRecord, older, record, selected_users
from notifycli.events.timestamps import parse_moment
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.reconcile import INCONSISTENT, MEANING, Condition, Finding, Inspector
from notifycli.store.tokens import Token

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
        users = selected_users(session, store, account)
        found = older(_findings(session, store.tokens.of_account(account, users)), older_than)
    at = now()
    wanted = [item for item in found if revoked or item.condition is not Condition.REVOKED]
    records = [record(item, users.get(item.token.user_id)) for item in wanted]
    heads = ["User", "Name", "Token", "Made", "Expires", "Last used", "State"]
    show(session, records, TokenRecord, heads=heads, cells=lambda item: _cells(item, at))
    _tell_state_of_list(session, wanted, older_than, revoked=len(found) - len(wanted))


def _findings(session: Session, tokens: Sequence[Token]) -> list[Finding]:
    """Give how tokens stand, asking the keychain unless it would ask for a passphrase."""
    if not tokens:
        return []
    keychain = open_keychain()
    inspector = Inspector(None if keychain.asks else keychain, now())
    findings = inspector.inspect(tokens)
    if inspector.trouble is not None:
        session.info(
            f"{inspector.trouble.message}: whether it holds these tokens was not checked; "
            "see: notifycli doctor"
        )
    return findings


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


def _tell_state_of_list(
    session: Session, found: Sequence[Finding], age: int | None, *, revoked: int
) -> None:
    torn = sum(finding.condition in INCONSISTENT for finding in found)
    if torn:
        session.info(f"torn: {torn} of {len(found)}; mend them: notifycli doctor --fix")
    if found:
        return
    if revoked:
        session.info(f"{plural(revoked, 'token')}, revoked: notifycli token list --revoked")
    else:
        session.info(
            "no token is that old" if age else "no tokens yet; make one: notifycli token generate"
        )
