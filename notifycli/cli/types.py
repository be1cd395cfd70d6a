"""What several nouns take on the command line: numbers, and an option for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from notifycli.events.event import LARGEST_ID

_LONGEST = 20


def number_in(text: str) -> int | None:
    """Give the number that a text of digits alone is; `None` for any other, or one too large."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _LONGEST else None


def a_number(
    what: str, see: str = "", *, lowest: int = 1, highest: int = LARGEST_ID
) -> Callable[[str], int]:
    """Make the parser of a number; of anything else it says that it is no `what`.

    `see` is the command that lists those there are.
    """
    span = "on" if highest == LARGEST_ID else f"to {highest}"
    hint = f"; see them: {see}" if see else ""

    def read(text: str) -> int:
        number = number_in(str(text))  # Typer has defaults read too, and they are numbers already
        if number is None or not lowest <= number <= highest:
            raise typer.BadParameter(
                f"{text!r} is no {what}: a number from {lowest} {span} is expected{hint}"
            )
        return number

    return read


Reference = int | str
"""An inbox or a team, by its id or by its name."""


def read_reference(text: str) -> Reference:
    """Read an id, or else a name; what is called so is seen once the store is open."""
    number = number_in(str(text))
    return text if number is None or not 1 <= number <= LARGEST_ID else number


INBOX_ID = a_number("inbox id", "notifycli inbox list")
CONVERSATION_ID = a_number("conversation id")
AllowLoopback = Annotated[
    bool,
    typer.Option(
        "--allow-loopback",
        help="For tests: also a push service on this machine, even without TLS.",
    ),
]
