"""`notifycli chatwoot history|export-sql|import-export`: what happened, for whoever logged nothing.

It is asked of the API, or read from the database with all else that a Chatwoot has.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from notifycli.chatwoot.account import Desk, ProgressCallback, reading_order
from notifycli.chatwoot.api_history import (
    AT_ONCE,
    REQUESTS_A_MINUTE,
    Cache,
    Pace,
    PastEvents,
    PastReader,
    Wanted,
    fill,
    names_of,
    rebuild,
)
from notifycli.chatwoot.export import Export, script
from notifycli.chatwoot.rebuild import Inexact
from notifycli.cli.chatwoot.connection import desk_of, progress
from notifycli.cli.command import (
    ConversationOption,
    InboxNames,
    check_order,
    command_class,
    examples,
    part,
    session_of,
)
from notifycli.cli.output import check_file, write
from notifycli.cli.session import Session, find_inboxes, plural, quoted
from notifycli.cli.terminal import input_descriptor
from notifycli.cli.times import Since, Until, in_local_time
from notifycli.errors import DataError, NotifycliError, NotPermittedError, UnavailableError
from notifycli.rules.directory import User
from notifycli.rules.preferences import Layer
from notifycli.store.store import Store
from notifycli.store.transaction import Entry, Target

app = part()

_NAMED = 5
EVENTS, NOTIFICATIONS = "events.jsonl", "notifications.jsonl"
_READ_IT = (
    "notifycli chatwoot export-sql | psql -qAt chatwoot_production | "
    "notifycli chatwoot import-export -"
)


Out = Annotated[
    Path | None,
    typer.Option(
        "-O",
        "--out",
        metavar="FILE",
        help="Write there; a log that is there already gets what it lacks.",
    ),
]


@app.command(
    "history",
    cls=command_class(),
    epilog=examples(
        """
notifycli chatwoot history --since 2d | notifycli why -u jane@example.com
notifycli chatwoot history --since 2026-03-01 --until 2026-04-01 -O march.jsonl
notifycli chatwoot history --conversation 615 | notifycli simulate --explain
"""
    ),
)
def chatwoot_history(
    ctx: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    conversation: ConversationOption = None,
    inbox: InboxNames = None,
    out: Out = None,
) -> None:
    """Fetch the past of your Chatwoot as webhooks' events.

    They are the events that webhooks would have sent.

    It needs an administrator's token. What was read stays in the cache, so after Ctrl-C it goes on
    where it was. What Chatwoot keeps of the past isn't everything: each guess is marked in its
    event, and counted at the end.
    """
    session = session_of(ctx)
    check_order(since, until)
    if out is not None:
        check_file(str(out))
    with session.store() as store:
        inboxes = find_inboxes(store, session.resolve_account(store), inbox)
    wanted = Wanted(since, until, tuple(conversation or ()), inboxes)
    past = fetch(session, wanted)
    written = ""
    if out is None:
        write(line + b"\n" for line in past.lines)
    else:
        written = _write_log(out, past.lines)
    say_inexact(session, past.inexact)
    missing = past.inexact.unlisted or (past.inexact.deleted and not past.lines)
    if not past.lines and not missing:
        session.info(f"nothing happened{_span_of(wanted) or ' there yet'}")
    if written:
        session.info(written)
    if missing:
        raise typer.Exit(UnavailableError.status)


def _write_log(out: Path, lines: Sequence[bytes]) -> str:
    """Write a log, or what one that is there lacks; give what was done, and what comes next."""
    from notifycli.secrets.private_file import hold_lock, replace_private  # noqa: PLC0415 - to write

    with hold_lock(out.with_name(f".{out.name}.lock"), 0):
        filled = fill(_lines(out), lines)
        replace_private(out, b"".join(line + b"\n" for line in filled.lines))
    known = len(lines) - filled.added
    return (
        f"{plural(filled.added, 'event')} written to {out}, {known} were there; "
        f"next: notifycli why -u EMAIL {quoted(str(out))}"
    )


def _span_of(wanted: Wanted) -> str:
    """Give what was asked for in words; nothing where that was everything."""
    named = " in what was named" if wanted.conversations or wanted.inboxes else ""
    since = "" if wanted.since is None else f" since {in_local_time(wanted.since)}"
    until = "" if wanted.until is None else f" before {in_local_time(wanted.until)}"
    return named + ",".join(filter(None, (since, until)))


def fetch(session: Session, wanted: Wanted, *, aside: bool = False) -> PastEvents:
    """Return what happened in the account's Chatwoot. Raises the API's errors.

    `aside` shows nothing of its progress: whoever has it done may end before it does.
    """
    with session.store() as store, ExitStack() as stack:
        desk = desk_of(session, store)
        apis = [stack.enter_context(api) for api in desk.open_many(administrator(desk), AT_ONCE)]
        cache = Cache(cache_path(session, store))
        bots = {one.id: one.bot for one in store.inboxes(desk.account)}
        stack.callback(cache.close)
        cache.open()
        with _no_progress() if aside else progress(session, "reading conversations") as told:
            reader = PastReader(apis, cache, told, Pace(REQUESTS_A_MINUTE))
            try:
                found = reader.read(wanted, lambda inbox: bots.get(inbox) is not False)
            except (KeyboardInterrupt, NotifycliError):
                kept = plural(len(cache.found), "conversation")
                if not aside:
                    session.info(
                        f"{kept} read so far are kept: the same command goes on from there"
                    )
                raise
        past = rebuild(desk.account, found, wanted, names_of(apis[0]), bots)
        past.inexact.unlisted, past.inexact.deleted = reader.unlisted, reader.deleted
        return past


def _no_progress() -> AbstractContextManager[ProgressCallback]:
    return nullcontext(lambda _done, _total: None)


def fetch_to_cache(session: Session, since: int, until: int | None) -> Path:
    """Return a file of what happened in the account's Chatwoot. Raises the API's errors."""
    from notifycli.secrets.private_file import replace_private  # noqa: PLC0415 - to write

    past = fetch(session, Wanted(since, until, (), frozenset()))
    with session.store() as store:
        path = cache_path(session, store).with_suffix(".events.jsonl")
    replace_private(path, b"".join(line + b"\n" for line in past.lines))
    session.info(
        f"{plural(len(past.lines), 'event')} of your Chatwoot's past since {in_local_time(since)}"
    )
    say_inexact(session, past.inexact)
    return path


def say_inexact(session: Session, inexact: Inexact) -> None:
    """Say what the events don't know, and how often."""
    if inexact.unlisted:
        counted, listed = inexact.unlisted
        session.warn(
            f"your Chatwoot counts {plural(counted, 'conversation')} and lists {listed}: what "
            "happened in the others is missing; run it again, and if that doesn't help, its own "
            "log says why"
        )
    if inexact.deleted:
        numbers = ", ".join(map(str, inexact.deleted))
        one = len(inexact.deleted) == 1
        session.warn(
            "left out, and probably deleted meanwhile, for Chatwoot has no messages of "
            f"{'it' if one else 'them'}: conversation{'' if one else 's'} {numbers}"
        )
    for what, count in sorted(inexact.approximate.items()):
        session.info(f"approximate: the {what} of {plural(count, 'event')}")
    if inexact.unknown:
        rows = plural(inexact.unknown.total(), "row")
        session.warn(
            f"left out: {rows} of types that this program doesn't know: "
            f"{', '.join(sorted(inexact.unknown))}"
        )
    if inexact.unresolved:
        names = ", ".join(name for name, _ in inexact.unresolved.most_common(_NAMED))
        session.warn(
            f"{plural(inexact.unresolved.total(), 'assignment')} to names that are nobody's, or "
            f"more than one's: {names}"
        )
    if inexact.unexplained:
        have = "conversation has" if inexact.unexplained == 1 else "conversations have"
        session.warn(
            f"{inexact.unexplained} {have} an assignee, and nothing says since when: replayed "
            "without one"
        )


def administrator(desk: Desk) -> User:
    """Return the user who sees most: an administrator. Raises `NotPermittedError`."""
    user = next(reading_order(desk.users()), None)
    if user is None or user.role != "administrator":
        raise NotPermittedError(
            f"no administrator's token for {desk.connection.url} is held",
            "only an administrator sees every conversation; log one in: notifycli chatwoot login",
        )
    return user


def cache_path(session: Session, store: Store) -> Path:
    """Return where what was read of the account's Chatwoot is kept."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - 15 ms that the help can spare

    connection = desk_of(session, store).connection
    there = f"{connection.url} {connection.remote_account_id}"
    name = hashlib.sha256(there.encode()).hexdigest()[:16]
    return user_cache_path("notifycli", appauthor=False) / "history" / f"{name}.jsonl"


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line.rstrip(b"\r\n") for line in file if not line.isspace())
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnavailableError(f"{path} can't be read: {error.strerror}") from None


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
    since: Since = None,
    until: Until = None,
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
    next_ = f"notifycli why -u EMAIL {quoted(str(out / EVENTS))}"
    session.info(
        f"{plural(events, 'event')} in {out / EVENTS}, {plural(noted, 'notification')} of "
        f"Chatwoot's in {out / NOTIFICATIONS}; next: {next_}"
    )


def _store(session: Session, store: Store, export: Export, file: str) -> None:
    from notifycli.documents.directory_document import (  # noqa: PLC0415 - for import-export alone
        import_directory,
        read_directory,
        with_shown_names,
    )

    entries: dict[int, list[Entry]] = {}
    for one in export.preferences:
        target = Target(Layer.USER, one.user_id)
        of_account = entries.setdefault(one.account_id, [])
        of_account += [Entry(target, key, value) for key, value in one.values().items()]
    with store.changes(session.command, session.who) as changes:
        for account, text in export.documents:
            change = changes(account)
            document = with_shown_names(read_directory(text, file))
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
                session.warn(
                    "what is locked here stays as it is: notifycli prefs export --layer lock"
                )


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


def read_lines(name: str) -> Iterator[tuple[str, int, bytes]]:
    """Return a file's lines that aren't blank, with its name and their numbers.

    Raises `InputMissingError` for a file that can't be read, and `DataError` for damaged data.
    """
    from notifycli.replay.decompression import text_of  # noqa: PLC0415 - not for the help
    from notifycli.replay.json_values import LONGEST_LINE, split_lines, too_long  # noqa: PLC0415
    from notifycli.replay.sources import place_of, whole_blocks  # noqa: PLC0415

    blocks = text_of(whole_blocks(name, input_descriptor))
    for number, line in enumerate(split_lines(blocks), 1):
        if line is None:
            raise DataError(f"{place_of(name)}:{number}: {too_long(LONGEST_LINE)}")
        if line and not line.isspace():
            yield place_of(name), number, line
