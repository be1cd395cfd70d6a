"""A command line as it stands in the shell: its words, and how the last one is quoted."""

from __future__ import annotations

import re
from typing import NamedTuple

_UNSAFE = re.compile(r"[^\w@%+:,./=-]")
_IN_DOUBLE_QUOTES = re.compile(r'["$`\\]')


class Line(NamedTuple):
    """A line up to the cursor."""

    words: tuple[str, ...]
    """The finished words, unquoted, without redirections."""
    current: str
    """The word at the cursor, unquoted; empty after a space."""
    quote: str
    """The quotation mark that is open there, if any."""
    redirected: bool
    """Whether the word at the cursor is the file of a redirection."""


def split(text: str, quote: str = "") -> Line:
    """Read a line by the quoting rules of POSIX shells; nothing in it is expanded.

    `quote` is the quotation mark that is open before it.
    """
    reader = _Reader(quote)
    rest = iter(text)
    for char in rest:
        reader.read(char, rest)
    return Line(tuple(reader.words), reader.word or "", reader.quote, reader.redirected)


class _Reader:
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
            self._escaped(next(rest, ""))  # type: ignore[call-overload]
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

    def _escaped(self, char: str) -> None:
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


def quoted(text: str, quote: str) -> str:
    """Write `text` so that bash reads it as it is, where the quotation mark `quote` is open."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote:
        # An exclamation mark between double quotes would bring back an old command.
        return _IN_DOUBLE_QUOTES.sub(r"\\\g<0>", text).replace("!", "\"'!'\"")
    return _UNSAFE.sub(r"\\\g<0>", text)
