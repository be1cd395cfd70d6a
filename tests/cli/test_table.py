"""Tables that are too wide for a terminal are broken between words, while that can be."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from notifycli.cli.output import table

HEADS = ["User", "Made", "Why"]
ROWS: list[list[str | Text]] = [
    ["jane@example.com", "3 months ago", "the server wouldn't take it\n→ notifycli email test"],
    [Text("omar@example.com"), "just now", "-"],
]


def shown(heads: list[str], rows: Sequence[Sequence[str | Text]], width: int) -> list[str]:
    screen = Console(file=StringIO(), width=width, no_color=True)
    laid_out = table(heads, rows, width)
    assert laid_out is not None
    with screen.capture() as captured:
        screen.print(laid_out)
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        pytest.param(
            80,
            [
                " User              Made          Why",
                " ───────────────────────────────────────────────────────────",
                " jane@example.com  3 months ago  the server wouldn't take it",
                "                                 → notifycli email test",
                " omar@example.com  just now      -",
            ],
            id="there is room",
        ),
        pytest.param(
            45,
            [
                " User              Made          Why",
                " ───────────────────────────────────────────",
                " jane@example.com  3 months ago  the server",
                "                                 wouldn't",
                "                                 take it",
                "                                 → notifycli",
                "                                 email test",
                " omar@example.com  just now      -",
            ],
            id="it is narrow",
        ),
    ],
)
def test_a_table_fits_its_terminal_with_whole_words(width: int, expected: list[str]) -> None:
    assert shown(HEADS, ROWS, width) == expected


def test_nothing_is_no_table() -> None:
    assert table(HEADS, [], 80) is None


words = st.text("abcé→日", min_size=1, max_size=9)
cells = st.lists(words, min_size=1, max_size=6).map(" ".join)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=4))
def test_no_word_is_broken_that_has_room(rows: list[list[str]]) -> None:
    # Three columns of at most 9 characters of two cells each, and what is between them.
    lines = shown(HEADS, rows, 3 * 18 + 6)
    assert max(map(cell_len, lines)) <= 3 * 18 + 6
    told = sorted(word for line in lines[2:] for word in line.split())
    assert told == sorted(word for row in rows for cell in row for word in cell.split())
