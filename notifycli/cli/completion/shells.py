"""The answer for each shell: a first line that says what is offered, then a line an offer.

What the shells send and expect is in `install`; both sides have to agree.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from notifycli.cli.completion import VARIABLE, WORDS
from notifycli.cli.completion.answer import Offers, answer

_UNSAFE = re.compile(r"[^\w@%+:,./=-]")
_IN_DOUBLE_QUOTES = re.compile(r'["$`\\]')


class CommandLine(NamedTuple):
    """A line up to the cursor."""

    words: tuple[str, ...]
    """The finished words, unquoted, without redirections."""
    current: str
    """The word at the cursor, unquoted; empty after a space."""
    quote: str
    """The quotation mark that is open there, if any."""
    redirected: bool
    """Whether the word at the cursor is the file of a redirection."""


def split(text: str, quote: str = "") -> CommandLine:
    """Read a line by the quoting rules of POSIX shells; nothing in it is expanded.

    `quote` is the quotation mark that is open before it.
    """
    reader = _LineReader(quote)
    rest = iter(text)
    for char in rest:
        reader.read(char, rest)
    return CommandLine(tuple(reader.words), reader.word or "", reader.quote, reader.redirected)


class _LineReader:
    def __init__(self, quote: str) -> None:
        self.words: list[str] = []
        self.word: str | None = None
        self.quote = quote
        self.redirected = False

    def read(self, char: str, rest: object) -> None:
        if char == self.quote:
            self.quote = ""
        elif self.quote == "'":
            self._add(char)
        elif char == "\\":
            self._escape(next(rest, ""))  # type: ignore[call-overload]
        elif self.quote:
            self._add(char)
        elif char in "'\"":
            self.quote = char
            self._add("")
        elif char in "<>":
            self._end(is_descriptor=True)
            self.redirected = True
        elif char.isspace():
            self._end()
        elif not (self.redirected and char in "&|" and self.word is None):
            self._add(char)

    def _escape(self, char: str) -> None:
        kept = "\\" if self.quote and char not in '"$`\\' else ""
        self._add(kept + char)

    def _add(self, text: str) -> None:
        self.word = (self.word or "") + text

    def _end(self, *, is_descriptor: bool = False) -> None:
        if self.word is None:
            return
        if not self.redirected and not (is_descriptor and (self.word + "0").isdigit()):
            self.words.append(self.word)
        self.redirected = False
        self.word = None


def quote_word(text: str, quote: str) -> str:
    """Write `text` so that bash reads it as it is, where the quotation mark `quote` is open."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote:
        # An exclamation mark between double quotes would bring back an old command.
        return _IN_DOUBLE_QUOTES.sub(r"\\\g<0>", text).replace("!", "\"'!'\"")
    return _UNSAFE.sub(r"\\\g<0>", text)


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
            text = quote_word((found.lead + offer.word)[kept:], line.quote)
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


def _head(found: Offers) -> str:
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
