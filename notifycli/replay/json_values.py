"""A text's lines and JSON values, each by itself; no more of it is kept than one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import NamedTuple

import msgspec
from msgspec import Raw

from notifycli.events.decode import without_hex

LONGEST_LINE = 1 << 24
"""Bytes that a line may have; 16 MiB."""
LARGEST_VALUE = 1 << 26
"""Bytes that a value which is laid out over lines may have; 64 MiB."""
_TOKEN = re.compile(
    rb"""
      (?P<string> "(?:[^"\\\n]|\\[^\n])*+" )
    | (?P<unended> "(?:[^"\\\n]|\\[^\n])*+\\?\Z )  # where the text ends for now
    | (?P<opening> [{\[] )
    | (?P<closing> [}\]] )
    | (?P<stray> " )  # a string can't go over lines
    """,
    re.VERBOSE,
)
_BETWEEN = re.compile(rb"[\s,\x1e]*+")
_SCALAR = re.compile(rb"[^\s,\]{\[]++")
_REST_OF_LINE = re.compile(
    rb"""
      [^\n]*? (?P<before> (?= \{ [ \t\r]* \n \s* ["}] | \[ [ \t\r]* \n \s* ["{\[\]] ) )
      # a value that is laid out
    | [^\n]*+ (?:\n|\Z)
    """,
    re.VERBOSE,
)
_MAY_COME_BEFORE = re.compile(rb"[^\n]*[{\[]\s*\Z")
"""Text that ends for now where it can't be told whether a value begins."""
_ARRAY = re.compile(rb'\[\s*(?:[\[\]{"]|\Z)')
_BRACKET = re.compile(rb"\[\s*")
_HEX = re.compile(rb"(?<!\\)\\x")
_OBJECT = re.compile(rb'\{\s*"')
_UP_TO_OBJECT = re.compile(rb'(?:(?!\{\s*").)*+', re.DOTALL)
_IN_QUOTES = re.compile(rb'(?<!\\)"\s*[{\[](?:[^"\\\n]|\\.)*+"')
_OPEN = {ord("}"): ord("{"), ord("]"): ord("[")}
"""What each bracket closes."""
_BEFORE_ONE_MORE = {ord("{"): b":", ord("["): b"[,"}
"""What an object follows inside another value."""
_SPACE = b" \t\r\n"
_decode = msgspec.json.Decoder(Raw).decode
_AROUND = b" \t\r\x1e"
_INSIDE = {
    b"{": re.compile(rb'\s*["}]').match,
    b"[": re.compile(rb'\s*["{\[\]]').match,
}
"""How the line after one begins that ends with a bracket, where a value is laid out."""
_AFTER_VALUE = b" \t\r\n,\x1e"
_CLOSING = ord("}")
_GOES_ON = re.compile(rb'\s*["}\],]|\s+[{\[]').match
"""How one after a line begins that is the beginning of an object."""
NEARBY = 1 << 20
"""Bytes within which a line is looked for that begins anew."""
ANEW = re.compile(
    rb"""
      \n (?= [^\s"}\],{\[] )
    | (?<! [,\[] ) (?<! [,\[]\r ) \n (?= [{\[] )
    """,
    re.VERBOSE,
)
"""The end of a line after which no value goes on that is laid out over lines."""
_ALIKE = 4
"""By how many bytes a line begins as another one of the same log does."""


class Lines(NamedTuple):
    """Lines one after the other."""

    first: int
    """The number of the first, from 1."""
    lines: list[bytes | None]
    """Without their ends; `None` for one over `LONGEST_LINE`."""


class JSONValue(NamedTuple):
    """A JSON value, or a line that is none."""

    line: int
    """The line in which it begins, from 1."""
    text: bytes
    fault: str = ""
    """Why it can't be read."""


def split_lines(blocks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Return the lines of a text without their ends; `None` for one over `LONGEST_LINE`."""
    return chain.from_iterable(lines_by_block(blocks))


def lines_by_block(blocks: Iterable[bytes]) -> Iterator[list[bytes | None]]:
    """Return the same, those together that end in one block: as they come, nothing waits."""
    parts: list[bytes] = []
    length = 0
    for block in blocks:
        # `split` would look at every single byte.
        pieces = BytesIO(block).readlines()
        rest = pieces.pop() if pieces and not block.endswith(b"\n") else b""
        lines: list[bytes | None] = [piece[:-1] for piece in pieces]
        first = pieces[0][:-1] if pieces else rest
        length += len(first)
        if length > LONGEST_LINE:
            parts.clear()
        else:
            parts.append(first)
        if lines:
            lines[0] = b"".join(parts) if length <= LONGEST_LINE else None
            yield lines
            parts, length = [rest], len(rest)
    if length:
        yield [b"".join(parts) if length <= LONGEST_LINE else None]


def divide(blocks: Iterable[bytes]) -> Iterator[Lines | JSONValue]:
    """Return a text's lines, and instead of those over which a value is laid out, that.

    Lines are given as they come but for one that may begin such a value; last comes where it ends.
    """
    text = _Text(blocks)
    while text.has_more():
        while (opening := text.opening()) < text.count - 1:
            yield text.take(opening)
            yield from text.values()
        yield text.take(opening)
    yield text.take(text.count)
    yield text.take(text.count)
    if text.error is not None:
        raise text.error


class _Text:
    """Lines that come by block and are taken together or, for a value, one by one."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._source = lines_by_block(blocks)
        self._lines: list[bytes | None] = []
        self._place = 0
        """How many of them have been taken."""
        self._before = 1
        self.error: Exception | None = None
        """What ends the text too early."""

    @property
    def count(self) -> int:
        """How many lines are there now."""
        return len(self._lines)

    def has_more(self) -> bool:
        """Go on to the next lines, behind those that haven't been taken, if more come."""
        try:
            more = next(self._source, [])
        except Exception as error:  # noqa: BLE001 - raised once all that came before is given
            self.error, more = error, []
        self._before += self._place
        self._lines = self._lines[self._place :] + more
        self._place = 0
        return bool(more)

    def opening(self) -> int:
        """Return which line is the first that begins a value, or may once there is one more."""
        lines = self._lines
        for at, line in enumerate(lines[self._place :], self._place):
            # Most lines of a log are objects: nothing more may be done for them.
            if line and line[-1] != _CLOSING and _opens(line, lines[at + 1 : at + 2]):
                return at
        return len(lines)

    def take(self, end: int) -> Lines:
        """Take the lines before one."""
        taken = self._lines[self._place : end]
        number = self._before + self._place
        self._place = end
        return Lines(number, taken)

    def values(self) -> Iterator[JSONValue]:
        """Take the values that begin in the next line, up to the end of the last one's line."""
        before = self._before + self._place - 1
        splitter = _Splitter(_REST_OF_LINE)
        for value in splitter.split(self._one_by_one()):
            yield value._replace(line=before + value.line)
            if splitter.is_between_lines:
                return

    def _one_by_one(self) -> Iterator[bytes]:
        before = b""
        while self._place < len(self._lines) or self.has_more():
            line = self._lines[self._place]
            if line is None or (before and ANEW.search(before[-3:] + line[:1])):
                return  # Whatever is being read has ended, or breaks off.
            self._place += 1
            before = line + b"\n"
            yield before


def _opens(line: bytes, following: list[bytes | None]) -> bool:
    """Whether a line begins a value that the one after it goes on with; if none has come, may."""
    text = line.strip(_AROUND)
    if text.endswith(b"}"):
        return False
    goes_on = _INSIDE.get(text[-1:])
    if goes_on is None and text.startswith((b"{", b"[")) and breaks_off(text):
        goes_on = _GOES_ON if text.startswith(b"{") else _INSIDE[b"["]
    if goes_on is None:
        return False
    return not following or (following[0] is not None and goes_on(following[0]) is not None)


def breaks_off(line: bytes) -> bool:
    """Whether a line is the beginning of a JSON value."""
    try:
        _decode(line)
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (RecursionError, ValueError):
        return False
    return False


def split_values(blocks: Iterable[bytes]) -> Iterator[JSONValue]:
    """Return the JSON values of a text, however they are laid out; of an array, its elements.

    A line that begins no value is given as it is. What breaks off is a fault, after which it goes
    on with the next value that begins as far from the left.
    """
    return _Splitter(_REST_OF_LINE).split(blocks)


def objects_in(line: bytes) -> list[bytes]:
    """Return the JSON objects of a line that has something around them, as logs have.

    Of a line that has none, those in texts: such a text, with its quotation marks.
    """
    found = _OBJECT.search(line)
    if found is not None and rb"{\x22" in line[found.start() :]:
        line = _HEX.sub(rb"\\\\x", line)  # Of a text in an object, which can't have such escapes.
    else:
        line = without_hex(line)
        found = _OBJECT.search(line)
    if found is None:
        return _IN_QUOTES.findall(line)
    values = _Splitter(_UP_TO_OBJECT).split([line[found.start() :]])
    return [value.text for value in values if not value.fault and _OBJECT.match(value.text)]


class _Splitter:
    """Splits a text that comes block by block."""

    def __init__(self, between: re.Pattern[bytes]) -> None:
        """`between` matches what is no value, up to where one may begin."""
        self._no_value = between
        self._in_line = between is _UP_TO_OBJECT
        """Whether only objects are looked for, as in a line of a log."""
        self._text = bytearray()
        self._line = 1
        """The line in which what is counted so far ends."""
        self._counted = 0
        self._place = 0
        self._start = 0
        """Where the value begins that is being read, if brackets are open."""
        self._open = bytearray()
        self._in_array = False
        self._array = 0
        """The line in which that begins."""
        self._empty = False
        """Whether nothing of it has come yet."""
        self._before = b""
        """What stands before the value in its line, if that is no other value."""
        self._in_text = False
        """Whether that is text, as of a log."""
        self._next = b""
        """After a value that breaks off: what the next one begins with."""

    @property
    def is_between_lines(self) -> bool:
        """Whether nothing has begun that isn't complete, as far as the text goes."""
        begun = self._open or self._in_array or self._next
        return not begun and not self._text[self._place :].strip(_AFTER_VALUE)

    def split(self, blocks: Iterable[bytes]) -> Iterator[JSONValue]:
        """Return the values, each as soon as it is complete."""
        for block in blocks:
            self._text += block
            yield from self._values(final=False)
            self._forget(self._start if self._open else self._place)
        yield from self._values(final=True)
        if self._in_array:
            yield JSONValue(self._array, b"", "the array that begins here has no end")

    def _values(self, *, final: bool) -> Iterator[JSONValue]:
        while True:
            value = self._value(final=final) if self._open else self._between(final=final)
            if isinstance(value, JSONValue):
                yield value
            elif not value:
                return

    def _between(self, *, final: bool) -> JSONValue | bool:
        """Go on to the next value; tells whether it has, as far as the text goes."""
        if self._next and not self._resume():
            return False
        end = _end(_BETWEEN.match(self._text, self._place))
        self._before = bytes(self._before + self._text[self._place : end]).rpartition(b"\n")[2]
        self._place = end
        first = bytes(self._text[end : end + 1])
        if not first:
            return False
        if first == b"]" and self._in_array:
            self._in_array = False
            self._place, self._before = end + 1, b""
            return JSONValue(self._array, b"[]") if self._empty else True
        if first == b"[" and not final and _BRACKET.fullmatch(self._text, end):
            return False
        may_begin_array = not self._in_array and not self._in_line
        if first == b"[" and may_begin_array and _ARRAY.match(self._text, end):
            self._in_array = self._empty = True
            self._array = self._line_at(end)
            self._place, self._before = end + 1, b""
        elif first == b"{" or (first == b"[" and self._in_array):
            self._empty = False
            self._start = self._place
            self._open += first
            self._place = end + 1
        else:
            self._empty = False
            return self._line_or_scalar(first, final=final)
        return True

    def _line_or_scalar(self, first: bytes, *, final: bool) -> JSONValue | bool:
        pattern = _SCALAR if self._in_array else self._no_value
        if first == b'"' and not self._in_line:
            pattern = _TOKEN
        found = pattern.match(self._text, self._place)
        end = _end(found)
        self._start = self._place
        if found is not None and found.lastgroup == "before":
            self._before = bytes(self._text[self._place : end])[:_ALIKE]
            self._place, self._in_text = end, True
            return True
        waits = end == len(self._text) or _MAY_COME_BEFORE.match(self._text, self._place)
        if waits and not final:
            long = end - self._start > LONGEST_LINE
            return self._broken(too_long(LONGEST_LINE)) if long else False
        return self._take(end)

    def _value(self, *, final: bool) -> JSONValue | bool:
        """Go on to the end of a value, as far as the text goes."""
        place = len(self._text)
        for token in _TOKEN.finditer(self._text, self._place):
            kind = token.lastgroup
            if kind == "unended" and not final:
                place = token.start()
            elif kind in ("unended", "stray") or (kind != "string" and self._is_misplaced(token)):
                return self._broken()
            elif not self._open:
                return self._take(token.end())
        self._place = place
        if len(self._text) - place > LONGEST_LINE:
            return self._broken(too_long(LONGEST_LINE))
        if len(self._text) - self._start > LARGEST_VALUE:
            return self._broken(f"a value over {LARGEST_VALUE >> 20} MiB")
        return self._broken() if final else False

    def _is_misplaced(self, token: re.Match[bytes]) -> bool:
        """Take in a bracket; tells whether it can't be one of the value."""
        bracket = self._text[token.start()]
        if token.lastgroup == "closing":
            return self._open.pop() != _OPEN[bracket]
        breaks_off = self._breaks_off_before(token.start())
        self._open.append(bracket)
        return breaks_off

    def _breaks_off_before(self, place: int) -> bool:
        """Whether a line begins here as a value of its own would, and can't be a part of one."""
        if place == 0 or self._text[place - 1] != ord("\n"):
            return False
        before = place - 1
        while self._text[before] in _SPACE:
            before -= 1
        return self._text[before] not in _BEFORE_ONE_MORE[self._open[-1]]

    def _take(self, end: int) -> JSONValue:
        line = self._line_at(self._start)
        text = bytes(self._text[self._start : end])
        self._place = end
        self._before, self._in_text = b"", False
        if len(text) > LONGEST_LINE and b"\n" not in text:
            return JSONValue(line, b"", too_long(LONGEST_LINE))
        return JSONValue(line, text)

    def _broken(self, fault: str = "no JSON object: what begins here breaks off") -> JSONValue:
        """Give up the value that is being read, and look for the next that begins like it."""
        line = self._line_at(self._start)
        self._next = b"\n" + self._before + (b"" if self._in_text else b"{")
        self._in_text = False
        self._open.clear()
        self._place = self._start
        return JSONValue(line, b"", fault)

    def _resume(self) -> bool:
        found = self._text.find(self._next, self._place)
        if found < 0:
            self._place = max(self._place, len(self._text) - len(self._next) + 1)
            return False
        # Once more from the beginning of its line.
        self._place, self._before, self._next = found, b"", b""
        return True

    def _line_at(self, place: int) -> int:
        self._line += self._text.count(b"\n", self._counted, place)
        self._counted = place
        return self._line

    def _forget(self, place: int) -> None:
        self._line_at(place)
        del self._text[:place]
        self._counted = 0
        self._place -= place
        self._start = 0


def too_long(most: int) -> str:
    """Return what is wrong with a line that has more bytes."""
    return f"a line over {most >> 20} MiB"


def _end(match: re.Match[bytes] | None) -> int:
    assert match is not None  # noqa: S101 - the pattern matches anything
    return match.end()
