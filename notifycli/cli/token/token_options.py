"""What commands of tokens share, and other nouns do with tokens too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.session import Session
from notifycli.cli.terminal import read_secret
from notifycli.cli.times import expiry, now, read_seconds, read_span, to_record
from notifycli.events.timestamps import format_moment
from notifycli.rules.directory import User
from notifycli.secrets.keychain import Keychain, open_keychain
from notifycli.secrets.reconcile import TokenFinding
from notifycli.secrets.token_format import Secret, check, unwrap
from notifycli.secrets.token_service import DEFAULT_NAME, Ended, TokenOwner, TokenService, TokenWish
from notifycli.store.store import Store

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_LONGEST_NAME = 64


def _name(text: str) -> str:
    good = set(text) <= _NAME_CHARACTERS and 0 < len(text) <= _LONGEST_NAME
    if not good or text.startswith("-"):
        raise typer.BadParameter(
            f"a name has letters, digits and . _ - only, and at most {_LONGEST_NAME} of them"
        )
    return text


def _label(text: str) -> str:
    if not text.isprintable():
        raise typer.BadParameter("it has control characters")
    return text


Name = Annotated[
    str,
    typer.Option("--name", parser=_name, metavar="NAME", help="Which of the user's tokens."),
]
MeantName = Annotated[
    str | None,
    typer.Option(
        "--name",
        parser=_name,
        metavar="NAME",
        help="Which of the user's tokens. [default: that for the connected Chatwoot, else default]",
    ),
]
AnyName = Annotated[
    str | None,
    typer.Option("--name", parser=_name, metavar="NAME", help="Only the tokens of this name."),
]
Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="WHEN", help="Until when it is valid: 90d or 2027-01-31."),
]
Label = Annotated[
    str, typer.Option("--label", parser=_label, metavar="TEXT", help="What it is for, in words.")
]
OlderThan = Annotated[
    int | None,
    typer.Option(
        "--older-than", parser=read_span, metavar="AGE", help="Only those made before: 90d, 1y."
    ),
]
ClearAfter = Annotated[
    float | None,
    typer.Option(
        "--clear-after",
        parser=read_seconds,
        metavar="SECONDS",
        help="When the clipboard is cleared; 0 for never. [default: 45]",
    ),
]
Previous = Annotated[
    bool,
    typer.Option("--previous", help="The one that was rotated, while its grace lasts."),
]


class TokenRecord(Struct):
    """A token, as printed: never the token itself. `state` is one of `mending.Condition`."""

    user_id: int
    email: str | None
    name: str
    token: str
    label: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    state: str


def record(finding: TokenFinding, user: User | None) -> TokenRecord:
    """Give what is printed of a token of a user."""
    token = finding.token
    return TokenRecord(
        token.user_id,
        user.email if user else None,
        token.name,
        token.masked,
        token.label,
        format_moment(token.created_at),
        to_record(token.expires_at),
        to_record(token.last_used_at),
        finding.condition,
    )


def the_owner(session: Session, store: Store, name: str = DEFAULT_NAME) -> TokenOwner:
    """Give whose token is meant, and which; raises `UsageError` unless it is one user's."""
    account = session.resolve_account(store)
    return TokenOwner(account, session.resolve_user(store, account), name)


def wish(expires: str | None, label: str) -> TokenWish:
    """Give what the options ask of a new token."""
    return TokenWish(label, None if expires is None else expiry(expires, now()))


def select_users(session: Session, store: Store, account: int) -> dict[int, User]:
    """Give the users that were named, by id; all of the account if none was."""
    if session.given_users and not session.all_users:
        return {user.id: user for user in session.resolve_users(store, account)}
    return {user.id: user for user in store.users(account)}


def older(findings: Iterable[TokenFinding], age: int | None) -> list[TokenFinding]:
    """Keep those made at least `age` microseconds ago; all of them for None."""
    last = None if age is None else now() - age
    return [found for found in findings if last is None or found.token.created_at <= last]


def token_service(session: Session, store: Store, keychain: Keychain | None = None) -> TokenService:
    """Give the changes of tokens as this run makes them, in `keychain` if it is open already."""
    return TokenService(
        store,
        keychain or open_keychain(beside=store.location.folder),
        session.command,
        session.who,
        now,
    )


def tell_ended(session: Session, ended: Ended) -> None:
    """Say so if the secret of a token that has ended couldn't be deleted."""
    if ended.trouble is not None:
        session.warn(
            "what has ended is not valid any more, but the keyring still holds it "
            f"({ended.trouble.message}); delete it later: notifycli doctor --fix"
        )


def forget_leftovers(session: Session, store: Store) -> None:
    """Delete the secrets of tokens that went with their users."""
    if names := store.tokens.leftovers():
        tell_ended(session, Ended([], token_service(session, store).forget(names)))


def read_token(keychain: Keychain, prompt: str, example: str) -> Secret:
    """Read a token that a keychain is to keep from standard input, or typed unseen.

    Raises `DataError` for what is no token; a keychain that can't keep it says so first.
    """
    keychain.unlock(to_write=True)
    text = unwrap(read_secret(prompt, "token", example))
    check(text)
    return Secret(text)
