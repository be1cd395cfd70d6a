"""`notifycli chatwoot pull|diff|push`: what both the store and a Chatwoot have, in step."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from notifycli.chatwoot.pull_and_push import diff, pull, push, read_there
from notifycli.cli.chatwoot.access import UNDONE, DryRun, desk_of, desk_users, finish, progress
from notifycli.cli.command import USERS, command_class, examples, part, session_of
from notifycli.cli.output import show
from notifycli.cli.session import READ_PREFERENCES, plural
from notifycli.cli.terminal import printable
from notifycli.cli.token import forget_leftovers
from notifycli.errors import UsageError
from notifycli.rules.preferences import short_key

app = part()
_DIFFERENT = 1
_HEADS = ("User", "Key", "Here", "There", "Changed")


Replace = Annotated[
    bool, typer.Option("--replace", help="Remove users, inboxes and teams that aren't there.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Take what is there also where it was changed here.")
]


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
    replace: Replace = False,
    force: Force = False,
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
        users = desk_users(session, desk)
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
        unread = 0 if not whole else len(store.users(desk.account)) - len(users)
    for line in pulled.unread:
        session.info(line)
    if unread > 0:
        session.info(
            f"the preferences of {plural(unread, 'user')} can't be read without their tokens; "
            f"{READ_PREFERENCES}"
        )
    finish(session, pulled.report, dry_run=dry_run)


class DivergenceRecord(Struct):
    """A preference that isn't the same here and there, as printed."""

    user_id: int
    email: str | None
    key: str
    here: str
    there: str
    changed: str
    """Where, since both agreed: `here`, `there` or `both`; `unknown` if it was never pulled."""


@app.command(
    "diff",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot diff
notifycli chatwoot diff -u jane@example.com
notifycli chatwoot diff --exit-code -q > differences.jsonl
"""
    ),
)
def chatwoot_diff(
    ctx: typer.Context,
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if anything differs.")
    ] = False,
) -> None:
    """Show what differs here and there, and where it was changed."""
    session = session_of(ctx)
    with session.store() as store:
        desk = desk_of(session, store)
        with progress(session, "comparing") as told:
            found, report = diff(desk, desk_users(session, desk), told)
    for step in report.steps:
        if step.result in UNDONE:
            session.warn(f"{step.name}: {step.detail}")
        elif step.detail:
            session.info(f"{step.name}: left as it is there: {step.detail}")
    records = [DivergenceRecord(user.id, user.email, *item) for user, item in found]
    show(session, records, DivergenceRecord, heads=_HEADS, cells=_cells)
    if report.status:
        raise typer.Exit(report.status)
    if not found:
        session.info("no differences")
    elif exit_code:
        raise typer.Exit(_DIFFERENT)


@app.command(
    "push",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot push --dry-run -o table
notifycli chatwoot push -u jane@example.com
notifycli chatwoot push --team 2
"""
    ),
)
def chatwoot_push(
    ctx: typer.Context,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Write also over what was changed there meanwhile.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Write preferences of users whose tokens are held.

    What is written is what holds here: locks and defaults too. A user whose preferences were
    changed there since the last pull is refused (75): pull first. Flags and settings there that
    aren't ours stay as they are, and what was written is read back.
    """
    session = session_of(ctx)
    with session.store() as store:
        desk = desk_of(session, store)
        with progress(session, "writing preferences") as told:
            report = push(desk, desk_users(session, desk), told, force=force, dry_run=dry_run)
    finish(session, report, dry_run=dry_run)


def _cells(item: DivergenceRecord) -> list[str]:
    return [
        printable(item.email or str(item.user_id)),
        short_key(item.key),
        item.here,
        item.there,
        item.changed,
    ]
