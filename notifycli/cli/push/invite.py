"""`notifycli push invite`: a link for each user, by which they subscribe browsers of their own."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import ALL_USERS, SOME_USERS, command_class, examples, session_of
from notifycli.cli.output import show
from notifycli.cli.terminal import printable
from notifycli.cli.times import now, written
from notifycli.cli.types import a_number
from notifycli.errors import ConfigurationError
from notifycli.secrets.token_format import digest
from notifycli.store.subscriptions import Invitation

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_DAY = 86_400_000_000
_MOST_DAYS = 90


class InvitationRecord(Struct):
    """An invitation, as printed. The link is a secret of its user: it is never shown again."""

    user_id: int
    email: str | None
    url: str
    expires_at: str


@app.command(
    "invite",
    cls=command_class(SOME_USERS, ALL_USERS),
    epilog=examples(
        """
notifycli config set serve.url=https://notify.example.com
notifycli push invite -u jane@example.com
notifycli push invite --all-users -o csv > links.csv
"""
    ),
)
def push_invite(
    ctx: typer.Context,
    *,
    days: Annotated[
        int,
        typer.Option(
            "--days",
            parser=a_number("number of days", lowest=1, highest=_MOST_DAYS),
            metavar="N",
            help="How long a link is good.",
        ),
    ] = 7,
) -> None:
    """Make a link for each user to subscribe by.

    A link opens a page of notifycli serve, and is good for one browser. Give each person their own:
    whoever opens it gets that person's pushes.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        users = session.resolve_users(store, account)
        if not store.subscriptions.push_keys():
            raise ConfigurationError("there is no push key yet", "notifycli push keys generate")
        base = store.configuration.get("serve.url")
        at = now()
        expires_at = at + days * _DAY
        tokens = {user.id: secrets.token_urlsafe(24) for user in users}
        store.subscriptions.invite(
            (Invitation(digest(tokens[u.id]), account, u.id, expires_at) for u in users), at
        )
    show(
        session,
        [
            InvitationRecord(
                user.id, user.email, f"{base}/push/{tokens[user.id]}/", written(expires_at) or ""
            )
            for user in users
        ],
        InvitationRecord,
        heads=("User", "Link", "Until"),
        cells=lambda item: (printable(item.email or str(item.user_id)), item.url, item.expires_at),
    )
    session.info("the links work while notifycli serve runs, and can be reached there")
