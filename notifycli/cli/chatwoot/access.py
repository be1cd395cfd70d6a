"""`notifycli chatwoot login|status|logout`: none of them prints a token."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from notifycli.chatwoot.api import role_of
from notifycli.chatwoot.desk import Desk, Step, in_a_line
from notifycli.chatwoot.login import keep, logout, look, meant
from notifycli.cli.chatwoot.common import UNDONE, DryRun, chosen, desk_of, progress
from notifycli.cli.command import SOME_USERS, USER, examples, part, session, takes
from notifycli.cli.numbers import a_number
from notifycli.cli.output import printable, show
from notifycli.cli.session import Session, display_name, plural
from notifycli.cli.times import in_words, now, written
from notifycli.cli.tokens import life, read_token, tell_ended
from notifycli.errors import NotifycliError, UsageError
from notifycli.rules.audience import User
from notifycli.rules.moment import parse_moment
from notifycli.vault.token import Secret

app = part()
Remote = Annotated[
    int | None,
    typer.Option(
        "--remote",
        parser=a_number("account number"),
        metavar="N",
        help="The account's number there.",
    ),
]
_NO = 1
_HEADS = ("User", "Role", "Token", "State", "Pulled")


class StatusRecord(Struct):
    """A user's access to Chatwoot, as printed. `state` is `works`, or why it doesn't."""

    account_id: int
    url: str
    remote_account_id: int
    user_id: int
    email: str | None
    role: str
    """The role there where the token works, else the one on record."""
    token: str
    state: str
    pulled_at: str | None


@app.command(
    "login",
    cls=takes(USER),
    epilog=examples(
        """
notifycli chatwoot login https://chat.example.com
pass chatwoot/jane | notifycli chatwoot login -u jane@example.com
notifycli chatwoot login https://chat.example.com -a 1 --remote 3
"""
    ),
)
def chatwoot_login(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="Its address; not needed for a further user."),
    ] = None,
    *,
    remote: Remote = None,
    dry_run: DryRun = False,
) -> None:
    """Connect to a Chatwoot, or keep the token of a further user.

    The token (profile, access token) is read from standard input, or typed unseen on a terminal.
    It is checked there and kept in the keyring. It is its user's: -u makes sure of whose it is.
    """
    this = session(ctx)
    with this.store() as store:
        meant(life(this, store), url, this.given_account)  # told before the token is typed
    piped = "pass chatwoot/jane | notifycli chatwoot login"
    secret = Secret(read_token("Access token of your profile there: ", piped))
    with this.store(create=not dry_run) as store:
        of = life(this, store)
        login = look(of, url, secret, this.given_account, remote)
        _check_user(this, login.user)
        where = f"account {login.connection.account_id} with {login.connection.url}"
        who = f"{display_name(login.user)} ({login.user.role})"
        if dry_run:
            this.note(f"would connect {where}, as {who}")
            return
        ended = keep(of, login, secret)
    if ended is None:
        this.note(f"{who} is logged in already")
        return
    tell_ended(this, ended)
    this.note(f"connected {where}, as {who}; next: notifycli chatwoot pull")


@app.command(
    "status",
    cls=takes(SOME_USERS),
    epilog=examples("notifycli chatwoot status\nnotifycli chatwoot status -o json | jq -r .[].url"),
)
def chatwoot_status(ctx: typer.Context) -> None:
    """Say who is logged in where, with what rights.

    And when it was last pulled. Each token is tried. Exits with 1 if the account isn't connected,
    and with another status if a token doesn't work.
    """
    this = session(ctx)
    records: list[StatusRecord] = []
    with this.store() as store:
        account = this.the_account(store)
        if store.chatwoot.of(account) is None:
            this.note(
                f"account {account} isn't connected; notifycli chatwoot login https://your.chatwoot"
            )
            raise typer.Exit(_NO)
        desk = desk_of(this, store)
        with progress(this, "asking Chatwoot") as told:
            report = desk.each(
                "token", chosen(this, desk), lambda user: _tried(desk, user, records), told
            )
    for step in report.steps:
        if step.result in UNDONE:
            this.warn(f"{step.name}: {step.detail}")
    if this.shows_table:
        there = desk.connection.remote_account_id
        this.note(f"account {account} is account {there} at {desk.connection.url}")
    show(this, records, StatusRecord, heads=_HEADS, cells=_cells)
    if report.status:
        raise typer.Exit(report.status)


@app.command(
    "logout",
    cls=takes(SOME_USERS),
    epilog=examples("notifycli chatwoot logout\nnotifycli chatwoot logout -u jane@example.com"),
)
def chatwoot_logout(ctx: typer.Context, *, dry_run: DryRun = False) -> None:
    """Forget the tokens and the connection.

    With -u, the tokens of these users alone. Users, preferences and the history stay. The tokens
    stay valid there.
    """
    this = session(ctx)
    with this.store() as store:
        desk = desk_of(this, store)
        some = bool(this.given_users)
        users = this.the_users(store, desk.account) if some else desk.users()
        tokens = sum(desk.token(user) is not None for user in users)
        if dry_run:
            whole = "" if some else " and the connection"
            this.note(f"would forget {plural(tokens, 'token')}{whole}")
            return
        tell_ended(this, logout(desk, users, disconnect=not some))
    this.note(
        f"{plural(tokens, 'token')} forgotten; to end them at {desk.connection.url} too, reset "
        "them there"
    )


def _check_user(this: Session, user: User) -> None:
    for named in this.user:
        if named not in {str(user.id), user.email} and named.lower() != (user.email or "").lower():
            raise UsageError(
                f"this token is {display_name(user)}'s, not {named}'s",
                "copy it from that user's own profile",
            )


def _tried(desk: Desk, user: User, records: list[StatusRecord]) -> Step:
    """Try a user's token; what it finds is recorded, and raised if it is bad."""
    token = desk.token(user)
    connection = desk.connection
    found = StatusRecord(
        connection.account_id,
        connection.url,
        connection.remote_account_id,
        user.id,
        user.email,
        user.role,
        token.masked if token else "",
        "works",
        written(connection.pulled_at),
    )
    records.append(found)
    try:
        with desk.open(user) as api:
            profile = api.profile()
    except NotifycliError as error:
        found.state = in_a_line(error)
        raise
    roles = {there.id: there.role for there in profile.accounts}
    found.role = role_of(roles.get(connection.remote_account_id) or profile.role)
    return Step("token", user.id, display_name(user), "works", "")


def _cells(item: StatusRecord) -> list[str]:
    pulled = in_words(None if item.pulled_at is None else parse_moment(item.pulled_at), now())
    user = item.email or str(item.user_id)
    return [printable(user), item.role, item.token, printable(item.state), pulled]
