"""Differences between what is set and what is to be, as records or as a coloured table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from notifycli.cli.output import show, text
from notifycli.cli.session import Session
from notifycli.store.staging import Difference

if TYPE_CHECKING:
    from rich.text import Text

_HEADS = ("Whose", "Layer", "Key", "Old", "New")


def show_differences(this: Session, differences: Iterable[Difference]) -> int:
    """Show them; gives how many there are."""
    counted = _Counted(differences)
    show(this, counted, Difference, heads=_HEADS, cells=_cells)
    if not counted.count:
        this.note("no differences")
    return counted.count


class _Counted:
    """Counts what passes."""

    def __init__(self, differences: Iterable[Difference]) -> None:
        self.count = 0
        self._differences = differences

    def __iter__(self) -> Iterator[Difference]:
        for item in self._differences:
            self.count += 1
            yield item


def _cells(item: Difference) -> list[str | Text]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal sees it

    inbox = f" {item.inbox_id}" if item.inbox_id else ""
    return [
        whose(item.account_id, item.user_id, item.email),
        f"{item.layer}{inbox}",
        item.key,
        Text(text(item.old), style="red" if item.old is not None else "dim"),
        Text(text(item.new), style="green" if item.new is not None else "dim"),
    ]


def whose(account: int, user: int | None, email: str | None) -> str:
    """Name the user whose value it is or, where it is nobody's own, the account."""
    return f"account {account}" if user is None else text(email or user)
