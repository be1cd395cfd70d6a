"""What isn't JSON, by what it begins with: its name, and the command that makes events of it."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

_TAR = slice(257, 262)
_MAY_HOLD_EVENTS = re.compile(rb'\{\s*\\?"|\\"event|"e[yw]').search
"""An object, plain or in a text, or in base64."""


PACKED = b"\x93notifycli facts "
"""What a file of packed events begins with."""


class Foreign(NamedTuple):
    """Something that can't be read as it is."""

    name: str
    command: str = ""
    """What to type, with FILE for the file's name; "" where nothing helps."""

    def fault(self, file: str, verb: str) -> str:
        """Return what to say of a file of this kind, to whoever typed `notifycli VERB`."""
        command = self.command.replace("VERB", verb).replace("FILE", shlex.quote(file))
        return f"{self.name}; try: {command}" if command else self.name


_BY_MAGIC = (
    (
        PACKED,
        Foreign(
            "packed events, which simulate, why and test alone can read, as a named file: "
            "they hold no text, and no bodies"
        ),
    ),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7-Zip archive", "7z x -so FILE | notifycli VERB")),
    (b"Rar!\x1a\x07", Foreign("a RAR archive", "unrar p -inul FILE | notifycli VERB")),
    (b"\x04\x22\x4d\x18", Foreign("lz4 data", "lz4 -dc FILE | notifycli VERB")),
    (b"\x1f\x9d", Foreign("data of compress", "zcat FILE | notifycli VERB")),
    (
        b"SQLite format 3\0",
        Foreign("an SQLite database", "sqlite3 FILE 'select COLUMN from TABLE' | notifycli VERB"),
    ),
    (b"PAR1", Foreign("a Parquet file, not JSON")),
    (b"%PDF-", Foreign("a PDF, not JSON")),
)
_PYTHON = Foreign(
    "Python's notation, not JSON",
    "python3 -c 'import ast, json, sys; "
    "[print(json.dumps(ast.literal_eval(x))) for x in sys.stdin]' < FILE | notifycli VERB",
)
_RUBY = Foreign(
    "Ruby's notation, not JSON", "sed -E 's/\"=>/\":/g; s/:nil\\b/:null/g' FILE | notifycli VERB"
)


_DIRECTORY = re.compile(rb'"(?:users|inboxes)"\s*:\s*\[').search
_JSON = re.compile(rb'\{\s*"(?:[^"\\]|\\.)*"\s*:').search
_CELL = re.compile(rb'(?:^|[,;\t])"\{""').search
_BY_BEGINNING = (
    (re.compile(rb"\s*[\[(]?\s*\{\s*'"), _PYTHON),
    (re.compile(rb'[^\n]*\{\s*(?:"\w+"|:\w+)\s*=>'), _RUBY),
    (
        re.compile(rb"__CURSOR="),
        Foreign("journald's export format", "journalctl -o json | notifycli VERB"),
    ),
    (re.compile(rb"\s*<(?:[!?]|html\b)", re.IGNORECASE), Foreign("XML or HTML, not JSON")),
    (
        re.compile(rb"(?:---\s*\n|%YAML|- \w+:|(?:account|body|event|payload):)"),
        Foreign("YAML, not JSON", "yq -o=json -I=0 FILE | notifycli VERB"),
    ),
)


def foreign_of(head: bytes) -> Foreign | None:
    """Return what a file is that begins so and can't be read; `None` for what can, or may."""
    if head[_TAR] == b"ustar":
        return Foreign("a tar archive", "tar xOf FILE | notifycli VERB")
    for magic, foreign in _BY_MAGIC:
        if head.startswith(magic):
            return foreign
    if _DIRECTORY(head) and b'"event' not in head:
        return Foreign("a directory, not events", "notifycli directory import FILE")
    if _JSON(head):
        return None
    if b"\0" in head:
        return Foreign("binary data, not JSON")
    found = (foreign for pattern, foreign in _BY_BEGINNING if pattern.match(head))
    return next(found, None) or _csv(head)


def _csv(head: bytes) -> Foreign | None:
    """Return what to do about a table, whose second line has as many separators as the first."""
    header, *rows = head.split(b"\n")
    separator = max((b",", b";", b"\t"), key=header.count)
    columns = header.count(separator)
    with_body = next(filter(_CELL, (header, *rows)), None)
    if with_body is None:
        alike = columns > 0 and len(rows) > 1 and rows[0].count(separator) == columns
        return Foreign("CSV, not JSON") if alike else None
    # Before the first body there is seldom a separator inside a cell.
    found = _CELL(with_body)
    column = with_body[: found.end() if found else 0].count(separator)
    reader = f"csv.reader(sys.stdin, delimiter={separator.decode()!r})"
    code = (
        f"import csv, sys; [print(row[{column}]) for row in {reader} if row[{column}][:1] == '{{']"
    )
    command = f"python3 -c {shlex.quote(code)} < FILE | notifycli VERB"
    return Foreign(f"CSV, not JSON, with the bodies in column {column + 1}", command)


def may_hold_events(head: bytes) -> bool:
    """Whether there is anything like JSON in the beginning of a text."""
    return _MAY_HOLD_EVENTS(head) is not None
