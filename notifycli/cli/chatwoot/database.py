"""`notifycli chatwoot export-sql|import-export`: all of a Chatwoot from its database."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from notifycli.chatwoot.export import Export, script
from notifycli.cli.chatwoot.history_command import say_inexact
from notifycli.cli.command import check_order, command_class, examples, part, session_of
from notifycli.cli.output import write
from notifycli.cli.session import Session, plural
from notifycli.cli.times import read_time
from notifycli.errors import UnavailableError
from notifycli.rules.preferences import Layer
from notifycli.store.store import Store
from notifycli.store.transaction import Entry, Target

app = part()

EVENTS, NOTIFICATIONS = "events.jsonl", "notifications.jsonl"
_READ_IT = (
    "notifycli chatwoot export-sql | psql -qAt chatwoot_production | "
    "notifycli chatwoot import-export -"
)


@app.command(
    "export-sql",
    cls=command_class(),
    epilog=examples(
        f"""
{_READ_IT}
notifycli chatwoot export-sql --since 30d > export.sql
notifycli chatwoot export-sql -a 1 --since 2026-03-01 --until 2026-04-01 |
  docker exec -i postgres psql -qAt -U postgres chatwoot_production |
  notifycli chatwoot import-export -
"""
    ),
)
def chatwoot_export_sql(
    ctx: typer.Context,
    *,
    since: Annotated[
        int | None,
        typer.Option(parser=read_time, metavar="TIME", help="Only what happened from then on."),
    ] = None,
    until: Annotated[
        int | None, typer.Option(parser=read_time, metavar="TIME", help="Only before this time.")
    ] = None,
) -> None:
    """Print a script for psql that reads a Chatwoot.

    It reads one account (-a) or all. It gives the directory, everybody's preferences, what
    happened, and whom Chatwoot told. It changes nothing, selects no token or password, and no text
    of a message but the markup of mentions and the sentences that Chatwoot writes itself. For
    Chatwoot 2.14 and newer.
    """
    session = session_of(ctx)
    check_order(since, until)
    write([script(session.given_account, since, until).encode()])


@app.command(
    "import-export",
    cls=command_class(),
    epilog=examples(f"{_READ_IT}\nnotifycli chatwoot import-export export.jsonl -O march"),
)
def chatwoot_import_export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What psql printed; - is stdin.")],
    *,
    out: Annotated[
        Path,
        typer.Option("-O", "--out", metavar="FOLDER", help="Where the events are written."),
    ] = Path("chatwoot-export"),
) -> None:
    """Take over what the script of export-sql printed.

    All is taken over, or nothing. Directory and preferences are stored. What happened is written to
    FOLDER/events.jsonl, for why and simulate, and whom Chatwoot told to FOLDER/notifications.jsonl.
    """
    from notifycli.cli.inputs import read_lines  # noqa: PLC0415 - not for the help

    session = session_of(ctx)
    session.awaits(file)
    with Export() as export:
        export.read(read_lines(file))
        rebuilder = export.rebuilder()
        with _folder(out), session.store(create=True) as store:
            events = _write_lines(out / EVENTS, rebuilder.events(export.rows()))
            noted = _write_lines(out / NOTIFICATIONS, export.notifications())
            _store(session, store, export, file)
    say_inexact(session, rebuilder.inexact)
    session.info(
        f"{plural(events, 'event')} in {out / EVENTS}, {plural(noted, 'notification')} of "
        f"Chatwoot's in {out / NOTIFICATIONS}; next: notifycli why -u EMAIL {out / EVENTS}"
    )


def _store(session: Session, store: Store, export: Export, file: str) -> None:
    from notifycli.documents.directory_document import (  # noqa: PLC0415 - for import-export alone
        import_directory,
        read_directory,
    )

    entries: dict[int, list[Entry]] = {}
    for one in export.preferences:
        target = Target(Layer.USER, one.user_id)
        of_account = entries.setdefault(one.account_id, [])
        of_account += [Entry(target, key, value) for key, value in one.values().items()]
    with store.changes(session.command, session.who) as changes:
        for account, text in export.documents:
            change = changes(account)
            document = read_directory(text, file)
            import_directory(change, store, account, document, file, replace=False)
            locked = store.preferences(account).lock
            free = [entry for entry in entries.get(account, ()) if entry.key not in locked]
            change.set(free)
            session.info(
                f"account {account}: {plural(len(document.users), 'user')}, "
                f"{plural(len(document.inboxes), 'inbox')} and "
                f"{plural(len(document.teams), 'team')}, with everybody's preferences"
            )
            if len(free) < len(entries.get(account, ())):
                session.warn("what is locked here stays as it is: notifycli prefs list --lock")


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make a folder; what can't be written in it, meanwhile, is told as what it is."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UnavailableError(
            f"{folder} can't be written: {error.strerror or error}", "name another: -O FOLDER"
        ) from None


def _write_lines(path: Path, items: Iterable[object]) -> int:
    """Write items as JSON Lines, readable by their owner alone, whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    count, encode = 0, msgspec.json.Encoder().encode
    private = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(private, "wb") as file:
        for item in items:
            file.write(encode(item) + b"\n")
            count += 1
    beside.replace(path)
    return count
