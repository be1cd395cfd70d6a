"""`notifycli chatwoot pull`."""

from __future__ import annotations

from typing import Annotated

import typer

from notifycli.chatwoot.pull import pull, read_there
from notifycli.cli.chatwoot.common import DryRun, chosen, desk_of, finish, progress
from notifycli.cli.command import USERS, command_class, examples, part, session_of
from notifycli.cli.token.token_options import forget_leftovers
from notifycli.errors import UsageError

app = part()


@app.command(
    "pull",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot pull
notifycli chatwoot pull --dry-run -o table
notifycli chatwoot pull -u jane@example.com
notifycli chatwoot pull --replace
"""
    ),
)
def chatwoot_pull(
    ctx: typer.Context,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove users, inboxes and teams that aren't there.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Take what is there also where it was changed here.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Fetch the directory, and preferences of users with a token.

    All is stored in one change, which prefs undo takes back as far as preferences go. With -u it is
    these users' preferences alone, without the directory. What was changed here since the last pull
    stays, until you push it; what was changed on both sides is a conflict (75).
    """
    session = session_of(ctx)
    whole = not (session.given_users or session.selects_many)
    if replace and not whole:
        raise UsageError("--replace is for the whole directory", "leave out the users")
    with session.store(create=not dry_run) as store:
        desk = desk_of(session, store)
        users = chosen(session, desk)
        directory = None
        if whole:
            with progress(session, "reading the directory") as told:
                directory = read_there(desk, told, replace=replace)
        with progress(session, "reading preferences") as told:
            pulled = pull(
                desk, users, directory, told, replace=replace, force=force, dry_run=dry_run
            )
        if not dry_run:
            forget_leftovers(session, store)
    for line in pulled.unread:
        session.info(line)
    finish(session, pulled.report, dry_run=dry_run)
