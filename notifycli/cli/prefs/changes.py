"""`notifycli prefs history|undo`: what was changed, taking it back, and how changes are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

import typer

from notifycli.cli.command import SOME_USERS, a_number, command_class, examples, part, session_of
from notifycli.cli.output import show, text
from notifycli.cli.prefs.arguments import keys_of
from notifycli.cli.session import Session, find_user, plural
from notifycli.cli.times import read_time, to_the_minute
from notifycli.events.timestamps import to_datetime
from notifycli.rules.preferences import short_key
from notifycli.store.history import ChangedValue
from notifycli.store.staged_values import Difference

if TYPE_CHECKING:
    from rich.text import Text

app = part()
T = TypeVar("T")
_HEADS = ("Id", "At (UTC)", "By", "What")
_DIFFERENCE_HEADS = ("Whose", "Layer", "Key", "Old", "New")


def _since(given: str) -> str:
    return to_datetime(read_time(given)).isoformat(timespec="seconds")


@app.command(
    "history",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli prefs history --limit 20
notifycli prefs history -u jane@example.com --key 'email.*' --since 2026-03-01
notifycli prefs history -o jsonl | jq -r 'select(.layer == "lock") | .who' | sort -u
"""
    ),
)
def prefs_history(
    ctx: typer.Context,
    *,
    key: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Only this key or glob.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            parser=_since,
            metavar="TIME",
            help="Only from this time on: 2026-03-03, 2026-03-03T13:05Z, 12h (ago), today.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(parser=a_number("limit"), metavar="N", help="No more than so many values."),
    ] = None,
) -> None:
    """List who changed what, and when; the newest first."""
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        values = store.history.values(
            account,
            users=[find_user(store, account, reference).id for reference in session.user],
            keys=[full for given in key or () for full in keys_of(given)],
            since=since,
            limit=limit,
        )
        newest = [*islice(values, 1)]
        show(session, chain(newest, values), ChangedValue, heads=_HEADS, cells=_cells)
    if not newest:
        session.info("no such change of a preference is on record")


@app.command(
    "undo",
    cls=command_class(),
    epilog=examples(
        """
notifycli prefs undo
notifycli prefs undo 12
notifycli prefs undo 12 --force
"""
    ),
)
def prefs_undo(
    ctx: typer.Context,
    id_: Annotated[
        int | None,
        typer.Argument(
            parser=a_number("id of a change", "notifycli prefs history"),
            metavar="[ID]",
            help="The change's number; the last if left out.",
        ),
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even where a value has been changed since.")
    ] = False,
) -> None:
    """Take back a change of preferences: all of it, or nothing.

    That is a change too: undo it, and what was taken back is there again.
    """
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        past = store.history.change(account, id_)
    # The history tells with it which change was taken back.
    session.command = f"{session.command} {past.id}"
    with (
        session.store(create=True) as store,
        store.changes(session.command, session.who) as changes,
    ):
        staging = store.staging()
        store.history.stage_undoing(staging, account, past.id, force=force)
        changed = changes(account).settle(staging)
    session.info(
        f"{plural(changed, 'preference')} of account {account} changed back: change {past.id},"
        f" {past.command}, by {past.who} at {past.at}"
    )


def _cells(item: ChangedValue) -> list[str | Text]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal sees it

    inbox = f" {item.inbox_id}" if item.inbox_id else ""
    place = f"{whose(item.account_id, item.user_id, item.email)}, {item.layer}{inbox}"
    old, new = change_cells(item.old, item.new)
    return [
        text(item.id),
        to_the_minute(item.at),
        text(f"{item.who}: {item.command}"),
        Text.assemble(f"{place}\n{short_key(item.key)}: ", old, " \N{RIGHTWARDS ARROW} ", new),
    ]


class Counted(Generic[T]):
    """Counts what passes."""

    def __init__(self, items: Iterable[T]) -> None:
        self.count = 0
        self._items = items

    def __iter__(self) -> Iterator[T]:
        for item in self._items:
            self.count += 1
            yield item


def show_differences(session: Session, differences: Iterable[Difference]) -> int:
    """Show them; gives how many there are."""
    counted = Counted(differences)
    show(session, counted, Difference, heads=_DIFFERENCE_HEADS, cells=difference_cells)
    if not counted.count:
        session.info("no differences")
    return counted.count


def difference_cells(item: Difference) -> list[str | Text]:
    """Give the cells of a difference, for a terminal."""
    inbox = f" {item.inbox_id}" if item.inbox_id else ""
    return [
        whose(item.account_id, item.user_id, item.email),
        f"{item.layer}{inbox}",
        short_key(item.key),
        *change_cells(item.old, item.new),
    ]


def change_cells(old: str | None, new: str | None) -> tuple[Text, Text]:
    """Give the cells of what was and what is: red and green."""
    from rich.text import Text  # noqa: PLC0415 - only a terminal sees it

    return (
        Text(text(old), style="dim" if old is None else "red"),
        Text(text(new), style="dim" if new is None else "green"),
    )


def whose(account: int, user: int | None, email: str | None) -> str:
    """Name the user whose value it is or, where it is nobody's own, the account."""
    return f"account {account}" if user is None else text(email or user)
