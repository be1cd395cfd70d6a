"""`notifycli chatwoot rotate`."""

from __future__ import annotations

import typer

from notifycli.chatwoot.rotate import rotate
from notifycli.cli.chatwoot.common import DryRun, chosen, desk_of, finish, progress
from notifycli.cli.command import USERS, command_class, examples, part, session_of

app = part()


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
            report = rotate(desk, chosen(session, desk), told, dry_run=dry_run)
    finish(session, report, dry_run=dry_run)
