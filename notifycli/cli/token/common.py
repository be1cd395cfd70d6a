"""What the commands of tokens share: their options, their records, and whose token is meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.session import Session
from notifycli.cli.times import expiry, now, read_seconds, read_span, written
from notifycli.events.timestamps import format_moment
from notifycli.rules.directory import User
from notifycli.secrets.reconcile import Finding
from notifycli.secrets.token_service import DEFAULT_NAME, TokenOwner, Wish
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


def record(finding: Finding, user: User | None) -> TokenRecord:
    """Give what is printed of a token of a user."""
    token = finding.token
    return TokenRecord(
        token.user_id,
        user.email if user else None,
        token.name,
        token.masked,
        token.label,
        format_moment(token.created_at),
        written(token.expires_at),
        written(token.last_used_at),
        finding.condition,
    )


def the_owner(session: Session, store: Store, name: str = DEFAULT_NAME) -> TokenOwner:
    """Give whose token is meant, and which; raises `UsageError` unless it is one user's."""
    account = session.resolve_account(store)
    return TokenOwner(account, session.resolve_user(store, account), name)


def wish(expires: str | None, label: str) -> Wish:
    """Give what the options ask of a new token."""
    return Wish(label, None if expires is None else expiry(expires, now()))


def selected_users(session: Session, store: Store, account: int) -> dict[int, User]:
    """Give the users that were named, by id; all of the account if none was."""
    if session.given_users and not session.all_users:
        return {user.id: user for user in session.resolve_users(store, account)}
    return {user.id: user for user in store.users(account)}


def older(findings: Iterable[Finding], age: int | None) -> list[Finding]:
    """Keep those made at least `age` microseconds ago; all of them for None."""
    last = None if age is None else now() - age
    return [found for found in findings if last is None or found.token.created_at <= last]
