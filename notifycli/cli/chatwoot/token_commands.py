"""`notifycli chatwoot tokens|rotate`: many users' tokens at once."""

from __future__ import annotations

from typing import Annotated

import typer

from notifycli.chatwoot.platform import PlatformApi, fetch_tokens, learn_agents
from notifycli.chatwoot.rotate import rotate
from notifycli.cli.chatwoot.common import DryRun, desk_of, desk_users, finish, progress
from notifycli.cli.command import USERS, command_class, examples, part, session_of
from notifycli.cli.token.lifecycle import read_token
from notifycli.errors import UsageError

app = part()


@app.command(
    "tokens",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot tokens --platform
pass chatwoot/platform | notifycli chatwoot tokens --platform
notifycli chatwoot tokens --platform -u jane@example.com --dry-run
"""
    ),
)
def chatwoot_tokens(
    ctx: typer.Context,
    *,
    platform: Annotated[
        bool,
        typer.Option("--platform", help="From the platform API, with a platform app's token."),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Keep every agent's token, without asking each of them for it.

    For a server of your own: the token of a platform app (its super admin page) is read from
    standard input, or typed unseen on a terminal. It is used once and not kept. It needs a login.
    """
    session = session_of(ctx)
    if not platform:
        raise UsageError(
            "where do the tokens come from?",
            "from your own server, with a platform app's token: notifycli chatwoot tokens "
            "--platform; or user by user: notifycli chatwoot login",
        )
    with session.store() as store:
        desk = desk_of(session, store)
        some = session.given_users or session.selects_many
        users = (
            session.resolve_users(store, desk.account)
            if some
            else learn_agents(desk, dry_run=dry_run)
        )
        piped = "pass chatwoot/platform | notifycli chatwoot tokens --platform"
        secret = read_token(desk.life.keychain, "Access token of the platform app: ", piped)
        with progress(session, "asking for tokens") as told, PlatformApi(desk, secret) as api:
            report = fetch_tokens(desk, api, users, told, dry_run=dry_run)
    finish(session, report, dry_run=dry_run)


@app.command(
    "rotate",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot rotate --dry-run
notifycli chatwoot rotate -u jane@example.com
notifycli chatwoot rotate
"""
    ),
)
def chatwoot_rotate(ctx: typer.Context, *, dry_run: DryRun = False) -> None:
    """Replace the tokens that are held, there and here.

    Each new one is tried, and each old one too: it must be refused. Whatever else uses an old one
    needs the new one then. A rotation that was broken off is finished first.
    """
    session = session_of(ctx)
    with session.store() as store:
        desk = desk_of(session, store)
        with progress(session, "rotating tokens") as told:
            report = rotate(desk, desk_users(session, desk), told, dry_run=dry_run)
    finish(session, report, dry_run=dry_run)
