"""Tables on a terminal: where one is too wide for it, lines are broken between words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


def table(
    heads: Sequence[str], rows: Iterable[Sequence[RenderableType]], width: int
) -> Table | None:
    """Lay out rows for a terminal that is so many cells wide; gives nothing if there are none."""
    laid_out = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head in heads:
        laid_out.add_column(head, overflow="fold")
    for row in rows:
        laid_out.add_row(*row)
    if not laid_out.row_count:
        return None
    texts = [
        [head, *map(_plain, column.cells)]
        for head, column in zip(heads, laid_out.columns, strict=True)
    ]
    # Beside the cells there are an edge on both sides, and two cells between columns.
    for column, fitting in zip(
        laid_out.columns, _widths(texts, width - 2 * len(heads)), strict=False
    ):
        column.width = fitting
    return laid_out


def _plain(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _widths(columns: Sequence[Sequence[str]], room: int) -> Sequence[int]:
    """Give widths at which no word is broken; none, where all fits as it is, or no words would."""
    whole = [_widest(texts, str.splitlines) for texts in columns]
    widths = [_widest(texts, str.split) for texts in columns]
    if sum(whole) <= room or sum(widths) > room:
        return ()
    for _ in range(room - sum(widths)):
        # The narrowest first: a date in one line is worth more than a sentence in one less.
        narrow = [
            n for n, (width, most) in enumerate(zip(widths, whole, strict=True)) if width < most
        ]
        widths[min(narrow, key=widths.__getitem__)] += 1
    return widths


def _widest(texts: Iterable[str], cut: Callable[[str], list[str]]) -> int:
    return max((cell_len(part) for text in texts for part in cut(text)), default=0)
