"""The answer for each shell: a first line that says what is offered, then a line an offer.

What the shells send and expect is in `scripts`; both sides have to agree.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from notifycli.cli.completion import VARIABLE, WORDS
from notifycli.cli.completion.answer import answer
from notifycli.cli.completion.line import quoted, split
from notifycli.cli.completion.sources import Answer

FILES, WORD, PART = "files", "word", "part"
"""The first line for bash: complete a file's name; a space follows a single word; none does."""
_USUAL_COLUMNS = 80
_LISTING = "63"
"""`COMP_TYPE` of bash where it shows a list and inserts nothing."""


def reply(program: Any, arguments: list[str]) -> int:
    """Answer the shell that asks; gives the exit status. An error is told to nobody."""
    try:
        lines = list(SHELLS[os.environ[VARIABLE]](program, arguments))
        text = "".join(f"{line}\n" for line in lines)
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001 - it would be written across the prompt
        return 1
    return 0


def _bash(program: Any, arguments: Sequence[str]) -> Iterator[str]:
    """Answer with what bash is to put in the place of `fragment`, quoted for that place."""
    text, fragment, kind = arguments
    line = split(text)
    if line.redirected:
        yield FILES
        return
    found = answer(program, line.words[1:], line.current)
    offers = list(found.candidates)
    if found.files:
        yield FILES
    elif kind == _LISTING and len(offers) > 1:
        yield WORD
        width = max(len(offer.word) for offer in offers)
        for offer in offers:
            yield _row(f"{offer.word:{width}}  ", _help(offer.help), _columns())
    else:
        kept = len(line.current) - len(split(fragment, line.quote).current)
        yield WORD if all(offer.ends for offer in offers) else PART
        for offer in offers:
            text = quoted((found.lead + offer.word)[kept:], line.quote)
            # Readline takes a mark at the start for the one that is open, and writes it once.
            doubled = line.quote if line.quote and text.startswith(line.quote) else ""
            yield doubled + text


def _zsh(program: Any, arguments: Sequence[str]) -> Iterator[str]:
    *words, current = arguments
    found = answer(program, words, current)
    yield _head(found)
    for offer in found.candidates:
        yield "\t".join((WORD if offer.ends else PART, offer.word, _help(offer.help)))


def _fish(program: Any, arguments: Sequence[str]) -> Iterator[str]:
    """Answer with whole words; fish itself adds no space to what ends in `=` or `:`."""
    *words, current = arguments
    line = split(current)
    found = answer(program, words, line.current)
    yield _head(found)
    for offer in found.candidates:
        yield f"{found.lead}{offer.word}\t{_help(offer.help)}"


def _powershell(program: Any, _: Sequence[str]) -> Iterator[str]:
    """Answer with the text to insert, the text to show, and its help."""
    *words, current = os.environ.get(WORDS, "").split("\n")
    found = answer(program, words, current.lstrip("'\""))
    if found.files:
        return
    for offer in found.candidates:
        text = found.lead + offer.word
        inserted = text if _is_plain(text) else "'" + text.replace("'", "''") + "'"
        yield "\t".join((inserted, offer.word, _help(offer.help) or offer.word))


def _head(found: Answer) -> str:
    return f"{FILES if found.files else WORD}\t{found.lead}"


def _help(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _columns() -> int:
    """Give how many cells wide the terminal is, as bash tells; 80 where it doesn't."""
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() and int(told) else _USUAL_COLUMNS


def _row(word: str, help_: str, columns: int) -> str:
    """Give a row of a list, whose help is cut at the end of a word to what there is room for.

    What is wider than the terminal would be broken in the middle of a word.
    """
    if len(word + help_) >= columns:
        kept = help_[: max(columns - len(word) - 2, 0)].rpartition(" ")[0].rstrip()
        help_ = f"{kept} …" if kept else ""
    return f"{word}{help_}".rstrip()


def _is_plain(text: str) -> bool:
    return all(char.isalnum() or char in "._-=:/+" for char in text)


SHELLS: Mapping[str, Callable[[Any, Sequence[str]], Iterator[str]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
    "powershell": _powershell,
}
