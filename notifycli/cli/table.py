"""Tables on a terminal: where one is too wide for it, lines are broken between words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from notifycli.cli.terminal import encode

_ASCII = box.Box("    \n    \n -- \n" + "    \n" * 5, ascii=True)
"""`SIMPLE_HEAD` for encodings without a line: rich's own would draw edges too."""


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[RenderableType]],
    width: int,
    encoding: str = "utf-8",
) -> Table | None:
    """Lay out rows for a terminal that is so many cells wide; gives nothing if there are none.

    What its encoding hasn't is replaced before there are columns, so that they stay straight.
    """
    edges = box.SIMPLE_HEAD if encoding.startswith("utf") else _ASCII
    laid_out = Table(box=edges, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head in heads:
        laid_out.add_column(head, overflow="fold")
    for row in rows:
        laid_out.add_row(*(_encodable(cell, encoding) for cell in row))
    if not laid_out.row_count:
        return None
    columns = [[*map(_plain, column.cells)] for column in laid_out.columns]
    # Beside the cells there are an edge on both sides, and two cells between columns.
    widths = _widths(heads, columns, width - 2 * len(heads))
    for column, fitting in zip(laid_out.columns, widths, strict=False):
        column.width = fitting
    return laid_out


def _encodable(cell: RenderableType, encoding: str) -> RenderableType:
    text = _plain(cell)
    spelt = encode(text, encoding).decode(encoding)
    if spelt == text:
        return cell
    return Text(spelt, style=cell.style) if isinstance(cell, Text) else spelt


def _plain(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _widths(heads: Sequence[str], columns: Sequence[Sequence[str]], room: int) -> Sequence[int]:
    """Give widths at which no word is broken; none, where all fits as it is, or no words would."""
    widths, whole = [], []
    for head, texts in zip(heads, columns, strict=True):
        widths.append(max(_widest([head], str.split), _widest(texts, str.split)))
        # A head may be broken all the same: it is read once.
        whole.append(max(widths[-1], _widest(texts, str.splitlines)))
    if sum(map(max, whole, map(cell_len, heads))) <= room or sum(widths) > room:
        return ()
    for _ in range(room - sum(widths)):
        # The narrowest first: a date in one line is worth more than a sentence in one less.
        broken = [place for place, most in enumerate(whole) if widths[place] < most]
        if broken:
            widths[min(broken, key=widths.__getitem__)] += 1
    return widths


def _widest(texts: Iterable[str], cut: Callable[[str], list[str]]) -> int:
    return max((cell_len(part) for text in texts for part in cut(text)), default=0)
