"""`notifycli chatwoot history`: what happened, for whoever has logged no webhooks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from notifycli.chatwoot.account import Desk, reading_order
from notifycli.chatwoot.past import (
    AT_ONCE,
    REQUESTS_A_MINUTE,
    Cache,
    Pace,
    Past,
    PastReader,
    Wanted,
    fill,
    names_of,
    rebuild,
)
from notifycli.chatwoot.rebuild import Inexact
from notifycli.cli.chatwoot.access import desk_of, progress
from notifycli.cli.command import (
    ConversationOption,
    check_order,
    command_class,
    examples,
    part,
    session_of,
)
from notifycli.cli.output import write
from notifycli.cli.session import Session, find_inboxes, plural
from notifycli.cli.times import in_local_time, read_time
from notifycli.errors import NotifycliError, NotPermittedError, UnavailableError
from notifycli.rules.directory import User
from notifycli.store.store import Store

app = part()

_NAMED = 5


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
    since: Annotated[
        int | None,
        typer.Option(parser=read_time, metavar="TIME", help="Only what happened from then on."),
    ] = None,
    until: Annotated[
        int | None, typer.Option(parser=read_time, metavar="TIME", help="Only before this time.")
    ] = None,
    conversation: ConversationOption = None,
    inbox: Annotated[
        list[str] | None,
        typer.Option("--inbox", metavar="INBOX", help="Only this inbox, by id or name."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-O",
            "--out",
            metavar="FILE",
            help="Write there; a log that is there already gets what it lacks.",
        ),
    ] = None,
) -> None:
    """Fetch the past of your Chatwoot as webhooks' events.

    They are the events that webhooks would have sent.

    It needs an administrator's token. What was read stays in the cache, so after Ctrl-C it goes on
    where it was. What Chatwoot keeps of the past isn't everything: each guess is marked in its
    event, and counted at the end.
    """
    from notifycli.secrets.private_file import hold_lock, replace_private  # noqa: PLC0415 - to write

    session = session_of(ctx)
    check_order(since, until)
    with session.store() as store:
        inboxes = find_inboxes(store, session.resolve_account(store), inbox)
    wanted = Wanted(since, until, tuple(conversation or ()), inboxes)
    past = fetch(session, wanted)
    if out is None:
        write(line + b"\n" for line in past.lines)
        say_inexact(session, past.inexact)
        return
    with hold_lock(out.with_name(f".{out.name}.lock"), 0):
        filled = fill(_lines(out), past.lines)
        replace_private(out, b"".join(line + b"\n" for line in filled.lines))
    say_inexact(session, past.inexact)
    known = len(past.lines) - filled.added
    session.info(
        f"{plural(filled.added, 'event')} written to {out}, {known} were there; "
        f"next: notifycli why -u EMAIL {out}"
    )


def fetch(session: Session, wanted: Wanted) -> Past:
    """Return what happened in the account's Chatwoot. Raises the API's errors."""
    with session.store() as store, ExitStack() as stack:
        desk = desk_of(session, store)
        apis = [stack.enter_context(api) for api in desk.open_many(administrator(desk), AT_ONCE)]
        cache = Cache(cache_path(session, store))
        bots = {one.id: one.bot for one in store.inboxes(desk.account)}
        stack.callback(cache.close)
        cache.open()
        with progress(session, "reading conversations") as told:
            reader = PastReader(apis, cache, told, Pace(REQUESTS_A_MINUTE))
            try:
                found = reader.read(wanted, lambda inbox: bots.get(inbox) is not False)
            except (KeyboardInterrupt, NotifycliError):
                kept = plural(len(cache.found), "conversation")
                session.info(f"{kept} read so far are kept: the same command goes on from there")
                raise
        with_bots = frozenset(id_ for id_, bot in bots.items() if bot)
        return rebuild(desk.account, found, wanted, names_of(apis[0]), with_bots)


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
    for what, count in sorted(inexact.approximate.items()):
        session.info(f"approximate: the {what} of {plural(count, 'event')}")
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
