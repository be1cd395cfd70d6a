"""`notifycli token`: access tokens. Only `show` and `header` print one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from notifycli.cli import token_change
from notifycli.cli.command import ALL_USERS, OUTPUT, USER, examples, session, takes
from notifycli.cli.output import printable, show, show_one, write
from notifycli.cli.session import Session
from notifycli.cli.times import in_words, now
from notifycli.cli.token_parts import (
    ClearAfter,
    Expires,
    Label,
    Name,
    OlderThan,
    Previous,
    TokenRecord,
    app,
    life,
    older,
    read_token,
    record,
    selected_users,
    the_owner,
    wish,
    written,
)
from notifycli.errors import UsageError
from notifycli.rules.moment import parse_moment
from notifycli.store.tokens import Token
from notifycli.vault.keychain import open_keychain
from notifycli.vault.mending import MEANING, TORN, Condition, Finding, Inspector
from notifycli.vault.token import Secret
from notifycli.vault.tokens import DEFAULT_NAME, NO_WISH, Owner, Wish
from notifycli.vault.verify import verified

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["app", "token_change"]

_NO = 1
_COLOURS = {Condition.ACTIVE: "green", Condition.ROTATED: "yellow", Condition.EXPIRED: "yellow"}


class VerifiedRecord(Struct):
    """Whose a token is, as printed."""

    account_id: int
    user_id: int
    email: str | None
    name: str
    expires_at: str | None


@app.command(
    "show",
    cls=takes(USER),
    epilog=examples(
        """
notifycli token show -u jane@example.com
notifycli token show --copy
notifycli token show -u 7 --name backup-script | ssh server 'cat > token && chmod 600 token'
"""
    ),
)
def token_show(
    ctx: typer.Context,
    name: Name = DEFAULT_NAME,
    *,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy it to the clipboard; don't print it.")
    ] = False,
    clear_after: ClearAfter = None,
    previous: Previous = False,
    expires: Expires = None,
    label: Label = "",
) -> None:
    """Print a user's token, made if need be: --expires and --label are for one that is made."""
    this = session(ctx)
    asked = wish(expires, label)
    if copy:
        _copy(this, name, clear_after, previous=previous, asked=asked)
        return
    if clear_after is not None:
        raise UsageError("--clear-after is for --copy", "add --copy")
    owner, token, secret = _taken(this, name, previous=previous, asked=asked)
    write([f"{secret.reveal()}\n".encode()])
    if sys.stdout.isatty():
        _explain(this, owner, token)


@app.command(
    "copy",
    cls=takes(USER),
    epilog=examples(
        "notifycli token copy\nnotifycli token copy -u jane@example.com --clear-after 0"
    ),
)
def token_copy(
    ctx: typer.Context,
    name: Name = DEFAULT_NAME,
    *,
    clear_after: ClearAfter = None,
    previous: Previous = False,
) -> None:
    """Copy a user's token to the clipboard.

    It isn't printed; it is made if there is none, and cleared after a while.
    """
    _copy(session(ctx), name, clear_after, previous=previous)


@app.command(
    "header",
    cls=takes(USER),
    epilog=examples(
        """
notifycli token header | curl -H @- https://chat.example.com/api/v1/profile
notifycli token header -u jane@example.com --name chatwoot
"""
    ),
)
def token_header(
    ctx: typer.Context, name: Name = DEFAULT_NAME, *, previous: Previous = False
) -> None:
    """Print the HTTP header with a user's token."""
    _, _, secret = _taken(session(ctx), name, previous=previous)
    write([f"api_access_token: {secret.reveal()}\n".encode()])


@app.command(
    "list",
    cls=takes(USER, ALL_USERS, OUTPUT),
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
    this = session(ctx)
    with this.store() as store:
        account = this.the_account(store)
        users = selected_users(this, store, account)
        found = older(_findings(this, store.tokens.of_account(account, users)), older_than)
    at = now()
    wanted = [item for item in found if revoked or item.condition is not Condition.REVOKED]
    records = [record(item, users.get(item.token.user_id)) for item in wanted]
    heads = ["User", "Name", "Token", "For", "Made", "Expires", "Last used", "State"]
    show(this, records, TokenRecord, heads=heads, cells=lambda item: _cells(item, at))
    _tell_state_of_list(this, wanted, older_than)


@app.command(
    "verify",
    cls=takes(OUTPUT),
    epilog=examples(
        """
notifycli token verify < token
pbpaste | notifycli token verify -o json
"""
    ),
)
def token_verify(ctx: typer.Context) -> None:
    """Say whose token standard input holds.

    On a terminal it is typed unseen. Its use is noted. If it is nobody's, that is told by the
    exit status 1, and no more than that.
    """
    this = session(ctx)
    text = read_token("Token: ")
    with this.store() as store:
        token = verified(store, text, now(), this.given_account)
        if token is None:
            this.note("this is no valid token")
            raise typer.Exit(_NO)
        user = store.user(token.account_id, token.user_id)
    email = None if user is None else user.email
    expires = written(token.expires_at)
    show_one(this, VerifiedRecord(token.account_id, token.user_id, email, token.name, expires))


def _taken(
    this: Session, name: str, *, previous: bool, asked: Wish = NO_WISH
) -> tuple[Owner, Token, Secret]:
    """Give a user's token with its secret, made as it is asked for if there is none."""
    with this.store(create=True) as store:
        owner = the_owner(this, store, name)
        of = life(this, store)
        token, made = (of.previous(owner), False) if previous else of.obtain(owner, asked)
        if not made and asked != NO_WISH:
            raise UsageError(
                f"{_whose(owner)} has a token already: {token.masked}",
                "leave out --expires and --label, or make a new one: notifycli token rotate",
            )
        if made:
            this.note(f"there was no token yet: {token.masked} was made for {_whose(owner)}")
        return owner, token, of.reveal(token)


def _copy(
    this: Session,
    name: str,
    clear_after: float | None,
    *,
    previous: bool,
    asked: Wish = NO_WISH,
) -> None:
    from notifycli.vault import clipboard  # noqa: PLC0415 - 10 ms that the others can spare

    owner, _, secret = _taken(this, name, previous=previous, asked=asked)
    seconds = clipboard.CLEAR_AFTER if clear_after is None else clear_after
    copied = clipboard.copy(secret, seconds)
    cleared = copied.clears_after
    this.note(
        f"{owner}: {copied.told}"
        + (f"; cleared in {cleared:g} s" if cleared else "; it stays there until you clear it")
        + (f"\n{copied.note}" if copied.note else "")
    )


def _explain(this: Session, owner: Owner, token: Token) -> None:
    at = now()
    ends = "" if token.expires_at is None else f", expires {in_words(token.expires_at, at)}"
    label = f" ({token.label})" if token.label else ""
    this.note(
        f"\n{owner}{label}, made {in_words(token.created_at, at)}{ends}. "
        "Who has it can do what the user can.\n"
        f"  copy it   notifycli token copy {owner.options}\n"
        f"  use it    notifycli token header {owner.options} | curl -H @- URL\n"
        f"  end it    notifycli token revoke {owner.options}"
    )


def _whose(owner: Owner) -> str:
    return owner.user.email or f"user {owner.user.id}"


def _findings(this: Session, tokens: Sequence[Token]) -> list[Finding]:
    """Give how tokens stand, asking the keychain unless it would ask for a passphrase."""
    if not tokens:
        return []
    keychain = open_keychain()
    inspector = Inspector(None if keychain.asks else keychain, now())
    findings = inspector.inspect(tokens)
    if inspector.trouble is not None:
        this.note(
            f"{inspector.trouble.message}: whether it holds these tokens was not checked; "
            "see: notifycli doctor"
        )
    return findings


def _cells(item: TokenRecord, at: int) -> Sequence[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    condition = Condition(item.state)
    torn = f": {MEANING[condition]} → notifycli doctor --fix" if condition in TORN else ""
    return [
        printable(item.email or str(item.user_id)),
        item.name,
        item.token,
        printable(item.label),
        _ago(item.created_at, at),
        _ago(item.expires_at, at),
        _ago(item.last_used_at, at),
        Text(f"{condition}{torn}", style="red" if torn else _COLOURS.get(condition, "dim")),
    ]


def _ago(written_moment: str | None, at: int) -> str:
    return in_words(None if written_moment is None else parse_moment(written_moment), at)


def _tell_state_of_list(this: Session, found: Sequence[Finding], age: int | None) -> None:
    torn = sum(finding.condition in TORN for finding in found)
    if torn:
        this.note(f"torn: {torn} of {len(found)}; what to do: notifycli doctor")
    if not found:
        this.note(
            "no token is that old" if age else "no tokens yet; make one: notifycli token generate"
        )
