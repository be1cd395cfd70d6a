"""Differences between what is set and what is to be, as records or as a coloured table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from notifycli.cli.output import show, text
from notifycli.cli.session import Session
from notifycli.rules.preferences import short_key
from notifycli.store.staging import Difference

if TYPE_CHECKING:
    from rich.text import Text

T = TypeVar("T")

_HEADS = ("Whose", "Layer", "Key", "Old", "New")


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
    show(session, counted, Difference, heads=_HEADS, cells=difference_cells)
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
