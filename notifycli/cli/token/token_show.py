"""`notifycli token show|copy|header|verify`: only `show` and `header` print a token."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import USER, command_class, examples, part, session_of
from notifycli.cli.output import show_one, write
from notifycli.cli.session import Session
from notifycli.cli.terminal import is_terminal, read_secret
from notifycli.cli.times import in_words, now, to_record
from notifycli.cli.token.lifecycle import (
    ClearAfter,
    Expires,
    Label,
    MeantName,
    Previous,
    the_owner,
    token_service,
    wish,
)
from notifycli.errors import UsageError
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import (
    DEFAULT_NAME,
    NO_WISH,
    TokenOwner,
    TokenService,
    TokenWish,
    verify_token,
)
from notifycli.store.tokens import Token

app = part()
_NO = 1


class VerifiedRecord(Struct):
    """Whose a token is, as printed."""

    account_id: int
    user_id: int
    email: str | None
    name: str
    expires_at: str | None


@app.command(
    "show",
    cls=command_class(USER),
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
    name: MeantName = None,
    *,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy it to the clipboard; don't print it.")
    ] = False,
    clear_after: ClearAfter = None,
    previous: Previous = False,
    expires: Expires = None,
    label: Label = "",
) -> None:
    """Print a user's token, made if need be.

    --expires and --label are for one that is made.
    """
    session = session_of(ctx)
    asked = wish(expires, label)
    if copy:
        _copy(session, name, clear_after, previous=previous, asked=asked)
        return
    if clear_after is not None:
        raise UsageError("--clear-after is for --copy", "add --copy")
    owner, token, secret = _take(session, name, previous=previous, asked=asked)
    write([f"{secret.reveal()}\n".encode()])
    if is_terminal(sys.stdout):
        _explain(session, owner, token)


@app.command(
    "copy",
    cls=command_class(USER),
    epilog=examples(
        "notifycli token copy\nnotifycli token copy -u jane@example.com --clear-after 0"
    ),
)
def token_copy(
    ctx: typer.Context,
    name: MeantName = None,
    *,
    clear_after: ClearAfter = None,
    previous: Previous = False,
) -> None:
    """Copy a user's token to the clipboard.

    It isn't printed; it is made if there is none, and cleared after a while.
    """
    _copy(session_of(ctx), name, clear_after, previous=previous)


@app.command(
    "header",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli token header | curl -H @- https://chat.example.com/api/v1/profile
notifycli token header -u jane@example.com --name chatwoot
"""
    ),
)
def token_header(ctx: typer.Context, name: MeantName = None, *, previous: Previous = False) -> None:
    """Print the HTTP header with a user's token."""
    _, _, secret = _take(session_of(ctx), name, previous=previous)
    write([f"api_access_token: {secret.reveal()}\n".encode()])


@app.command(
    "verify",
    cls=command_class(),
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
    session = session_of(ctx)
    text = read_secret("Token: ", "token", "notifycli token show | notifycli token verify")
    with session.store() as store:
        token = verify_token(store, text, now(), session.given_account)
        if token is None:
            session.info("this is no valid token")
            raise typer.Exit(_NO)
        user = store.user(token.account_id, token.user_id)
    email = None if user is None else user.email
    expires = to_record(token.expires_at)
    show_one(session, VerifiedRecord(token.account_id, token.user_id, email, token.name, expires))


def _take(
    session: Session, name: str | None, *, previous: bool, asked: TokenWish = NO_WISH
) -> tuple[TokenOwner, Token, Secret]:
    """Give a user's token with its secret, made as it is asked for if there is none."""
    with session.store(create=True) as store:
        of = token_service(session, store)
        owner = _find_meant(session, of, name)
        token, made = (of.previous(owner), False) if previous else of.obtain(owner, asked)
        if not made and asked != NO_WISH:
            raise UsageError(
                f"{_whose(owner)} has a token already: {token.masked}",
                "leave out --expires and --label, or make a new one: notifycli token rotate",
            )
        if made:
            session.info(f"there was no token yet: {token.masked} was made for {_whose(owner)}")
        return owner, token, of.reveal(token)


def _find_meant(session: Session, of: TokenService, name: str | None) -> TokenOwner:
    """Give whose token is meant: in an account that is connected, the one that works there."""
    owner = the_owner(session, of.store, name or DEFAULT_NAME)
    connection = of.store.chatwoot.of(owner.account)
    if connection is None or name is not None:
        return owner
    from notifycli.chatwoot.account import TOKEN_NAME  # noqa: PLC0415 - few accounts are connected

    theirs = TokenOwner(owner.account, owner.user, TOKEN_NAME)
    if of.current(theirs) is not None:
        session.info(f"{_whose(owner)}'s token for {connection.url}")
        return theirs
    session.info(
        f"no token of {_whose(owner)} for {connection.url} is held; this one opens notifycli serve "
        f"alone; log them in: notifycli chatwoot login -u {_whose(owner)}"
    )
    return owner


def _copy(
    session: Session,
    name: str | None,
    clear_after: float | None,
    *,
    previous: bool,
    asked: TokenWish = NO_WISH,
) -> None:
    from notifycli import clipboard  # noqa: PLC0415 - 10 ms that the others can spare

    owner, _, secret = _take(session, name, previous=previous, asked=asked)
    seconds = clipboard.CLEAR_AFTER if clear_after is None else clear_after
    copied = clipboard.copy(secret, seconds)
    cleared = copied.clears_after
    session.info(
        f"{owner}: {copied.told}"
        + (f"; cleared in {cleared:g} s" if cleared else "; it stays there until you clear it")
        + (f"\n{copied.note}" if copied.note else "")
    )


def _explain(session: Session, owner: TokenOwner, token: Token) -> None:
    at = now()
    ends = "" if token.expires_at is None else f", expires {in_words(token.expires_at, at)}"
    label = f" ({token.label})" if token.label else ""
    session.info(
        f"\n{owner}{label}, made {in_words(token.created_at, at)}{ends}. "
        "Who has it can do what the user can.\n"
        f"  copy it   notifycli token copy {owner.options}\n"
        f"  use it    notifycli token header {owner.options} | curl -H @- URL\n"
        f"  end it    notifycli token revoke {owner.options}"
    )


def _whose(owner: TokenOwner) -> str:
    return owner.user.email or f"user {owner.user.id}"
