"""`notifycli token`: what becomes of tokens. Only `show` and `header` print one.

Other nouns read, end and forget tokens as this one does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import (
    ALL_USERS,
    SOME_USERS,
    USER,
    command_class,
    examples,
    part,
    session_of,
)
from notifycli.cli.output import show, show_one, write
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import is_terminal, read_secret
from notifycli.cli.times import expiry, in_words, now, read_seconds, read_span, to_record
from notifycli.errors import UsageError
from notifycli.events.timestamps import format_moment, parse_moment
from notifycli.rules.directory import User
from notifycli.secrets.keychain import Keychain, open_keychain
from notifycli.secrets.token_format import Secret, check, unwrap
from notifycli.secrets.token_service import (
    DEFAULT_NAME,
    FIX,
    INCONSISTENT,
    MEANING,
    NO_WISH,
    Condition,
    Ended,
    TokenFinding,
    TokenInspection,
    TokenOwner,
    TokenService,
    TokenWish,
    inspect_tokens,
    verify_token,
)
from notifycli.store.store import Store
from notifycli.store.tokens import Token, TokenState
from notifycli.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

app = part()
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_LONGEST_NAME = 64
_NO = 1
_COLOURS = {Condition.ACTIVE: "green", Condition.ROTATED: "yellow", Condition.EXPIRED: "yellow"}


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
    """A token, as printed: never the token itself. `state` is one of `token_service.Condition`."""

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
        keychain or open_keychain(beside=store.location),
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
    """Delete the secrets, tokens and addresses, that went with their users."""
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


Grace = Annotated[
    int,
    typer.Option(
        "--grace", parser=read_span, metavar="TIME", help="How long the old one stays valid: 24h."
    ),
]


@app.command(
    "generate",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli token generate -u jane@example.com
notifycli token generate -u 7 --name backup-script --expires 90d --label 'nightly export'
"""
    ),
)
def token_generate(
    ctx: typer.Context, name: Name = DEFAULT_NAME, expires: Expires = None, label: Label = ""
) -> None:
    """Make a token for a user who has none.

    It isn't printed: show or copy it afterwards.
    """
    session = session_of(ctx)
    asked = wish(expires, label)
    with session.store(create=True) as store:
        owner = the_owner(session, store, name)
        token = token_service(session, store).generate(owner, asked)
    session.info(f"{owner} is {token.masked}{_validity(token)}; {_see(owner)}")


@app.command(
    "rotate",
    cls=command_class(SOME_USERS, ALL_USERS),
    epilog=examples(
        """
notifycli token rotate -u jane@example.com
notifycli token rotate -u 7 --name backup-script --grace 24h
notifycli token rotate --older-than 1y --all-users --grace 7d
"""
    ),
)
def token_rotate(
    ctx: typer.Context,
    name: AnyName = None,
    *,
    grace: Grace = "0s",  # type: ignore[assignment] # Typer parses the default as if it were typed
    expires: Expires = None,
    label: Label = "",
    older_than: OlderThan = None,
) -> None:
    """Replace a token by a new one.

    The old one ends at once or, with --grace, after that time. The new one keeps the label, and
    for how long it is valid. With --older-than or --all-users it is all tokens of the users, or
    those of one --name; so it is with several users.
    """
    session = session_of(ctx)
    asked = wish(expires, label)
    with session.store(create=True) as store:
        of = token_service(session, store)
        many = older_than is not None or session.all_users or len(session.given_users) > 1
        if not many:
            _rotate(session, of, the_owner(session, store, name or DEFAULT_NAME), grace, asked)
            return
        owners = _owners_to_rotate(session, store, name, older_than)
        for owner in owners:
            _rotate(session, of, owner, grace, asked)
    if not owners:
        session.info("no token is that old" if older_than else "there are no tokens to rotate")


@app.command(
    "revoke",
    cls=command_class(USER),
    epilog=examples("notifycli token revoke -u jane@example.com --name backup-script"),
)
def token_revoke(ctx: typer.Context, name: Name = DEFAULT_NAME) -> None:
    """End a token at once.

    Its predecessor ends too, if it was still valid. The keyring forgets both.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        owner = the_owner(session, store, name)
        ended = token_service(session, store).revoke(owner)
    tell_ended(session, ended)
    session.info(f"{owner} is revoked")


@app.command(
    "set",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli token set -u jane@example.com
pass crm/jane | notifycli token set -u 7 --name crm --label 'from the profile page'
"""
    ),
)
def token_set(
    ctx: typer.Context, name: Name = DEFAULT_NAME, expires: Expires = None, label: Label = ""
) -> None:
    """Keep a token that was made elsewhere.

    It is read from standard input, or typed unseen on a terminal. It takes the place of the token
    that the user had under that name, which ends.
    """
    session = session_of(ctx)
    asked = wish(expires, label)
    with session.store(create=True) as store:
        owner = the_owner(session, store, name)
        of = token_service(session, store)
        secret = read_token(
            of.keychain, "Token: ", f"notifycli token set {owner.options} < token.txt"
        )
        made = of.keep(owner, secret, asked)
    tell_ended(session, made.ended)
    replaced = f", in the place of {made.ended.tokens[-1].masked}" if made.ended.tokens else ""
    session.info(f"{owner} is {made.token.masked}{replaced}{_validity(made.token)}")


def _rotate(
    session: Session, of: TokenService, owner: TokenOwner, grace: int, asked: TokenWish
) -> None:
    made = of.rotate(owner, grace, asked)
    tell_ended(session, made.ended)
    old = f"; the old one ends {in_words(now() + grace, now())}" if grace else ""
    session.info(f"{owner} is {made.token.masked} now{_validity(made.token)}{old}; {_see(owner)}")


def _owners_to_rotate(
    session: Session, store: Store, name: str | None, age: int | None
) -> list[TokenOwner]:
    """Give whose tokens to rotate; those made elsewhere are only told of."""
    account = session.resolve_account(store)
    users = {user.id: user for user in session.resolve_users(store, account)}
    current = [
        TokenFinding(token, Condition.ACTIVE)
        for token in store.tokens.of_account(account, users)
        if token.state is TokenState.ACTIVE and name in (None, token.name)
    ]
    owners = []
    for token in (finding.token for finding in older(current, age)):
        owner = TokenOwner(account, users[token.user_id], token.name)
        if token.made_elsewhere:
            session.info(f"{owner} was made elsewhere: left as it is")
        else:
            owners.append(owner)
    return owners


def _validity(token: Token) -> str:
    return "" if token.expires_at is None else f", expires {in_words(token.expires_at, now())}"


def _see(owner: TokenOwner) -> str:
    return f"see it: notifycli token show {owner.options}"


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


def _inspect(session: Session, store: Store, account: int, users: Iterable[int]) -> TokenInspection:
    """Give how tokens stand, asking the keychain unless it would ask for a passphrase."""
    tokens, orphans = store.tokens.of_account(account, users), store.tokens.leftovers()
    if not tokens and not orphans:
        return TokenInspection([], [], 0, None)
    keychain = open_keychain(beside=store.location)
    inspection = inspect_tokens(tokens, orphans, None if keychain.asks else keychain, now())
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


def _tell_state(session: Session, seen: TokenInspection) -> None:
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
    connection = of.store.connection(owner.account)
    if connection is None or name is not None:
        return owner
    from notifycli.chatwoot.account import TOKEN_NAME  # noqa: PLC0415 - few accounts are connected

    theirs = TokenOwner(owner.account, owner.user, TOKEN_NAME)
    if of.current(theirs) is not None:
        session.info(f"{_whose(owner)}'s token for {connection.url}")
        return theirs
    session.info(
        f"no token of {_whose(owner)} for {connection.url} is held; this one opens notifycli serve "
        f"alone; log them in: notifycli chatwoot login {owner.of_user}"
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
    from notifycli.clipboard import CLEAR_AFTER, copy  # noqa: PLC0415 - 10 ms that the others can spare

    owner, _, secret = _take(session, name, previous=previous, asked=asked)
    seconds = CLEAR_AFTER if clear_after is None else clear_after
    copied = copy(secret, seconds)
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
