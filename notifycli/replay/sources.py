"""Files, folders and archives, here or elsewhere, become records: a JSON text with its place.

What a file holds is found out by looking at it: lines of JSON, values laid out over lines, one
array of them, lines with text around the JSON; plain, compressed or in an archive. What is wrong
with it is told as it is found. What lies in an object store or behind a web server, fsspec reaches.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import closing, contextmanager, suppress
from enum import Enum
from functools import partial
from io import BufferedReader, FileIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from notifycli.errors import DataError, InputMissingError, NotifycliError, UnavailableError
from notifycli.replay.decompression import (
    BLOCK,
    BinaryFile,
    Blocks,
    DamageError,
    decompressed,
    head_of,
    is_compressed,
    is_hidden,
    is_utf8,
    members_of,
    read_blocks,
    text_of,
)
from notifycli.replay.json_values import (
    ANEW,
    LONGEST_LINE,
    NEARBY,
    JSONValue,
    Lines,
    breaks_off,
    divide,
    split_values,
    too_long,
)

_TOLD_IN_FULL = 20
_MEND = "if it is still being written, read it once it is whole, else copy it anew"
"""What to do about damaged data."""


class BadLines:
    """Reports what is no event, lines and files: the first in full, then a count at the end.

    `counted` is called for each of them, for whoever has no end.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        *,
        strict: bool = False,
        counted: Callable[[], None] | None = None,
    ) -> None:
        self.lines = 0
        self.files = 0
        self.places = 0
        self._tell = tell
        self._strict = strict
        self._counted = counted
        self._told = 0

    @property
    def count(self) -> int:
        """How many there were."""
        return self.lines + self.files + self.places

    def add(self, place: str, fault: str) -> None:
        """Report a line. Raises `DataError` if the first fault is to stop everything."""
        self.lines += 1
        self._report(place, fault)

    def refuse(self, file: str, fault: str) -> None:
        """Report a file that is none of events at all; raises as `add` does."""
        self.files += 1
        self._report(file, fault)

    def break_off(self, place: str, fault: str) -> None:
        """Report from where on the data of a file are damaged; raises as `add` does."""
        self.places += 1
        self._report(place, f"{fault}; nothing of it is read from there on: {_MEND}")

    def _report(self, place: str, fault: str) -> None:
        if self._strict:
            raise DataError(f"{place}: {fault}", "leave out --strict to pass over such lines")
        if self._counted is not None:
            self._counted()
        if self._told < _TOLD_IN_FULL:
            self._told += 1
            self._tell(f"{place}: {fault}")

    def pass_over(self, file: str, why: str) -> None:
        """Say that a file among others was not read: that is no fault."""
        self._tell(f"{file}: passed over: {why}")

    def finish(self) -> int:
        """Say how many there were; gives the exit status."""
        if not self.count:
            return 0
        if self.count > self._told:
            self._tell(f"… and {self.count - self._told} more bad lines")
        kinds = (self.lines, "bad line"), (self.files, "file"), (self.places, "damaged place")
        counted = [f"{n} {kind}{'s' * (n > 1)}" for n, kind in kinds if n]
        self._tell(f"{' and '.join(counted)} passed over; everything else was read")
        return DataError.status


@contextmanager
def file_errors(place: str) -> Iterator[None]:
    """Turn what can go wrong with a file into the product's errors, with the file's name."""
    try:
        yield
    except DamageError as error:
        raise DataError(f"{place}: {error}", _MEND) from None
    except OSError as error:
        raise InputMissingError(
            f"{place}: {error.strerror or error}", "check the name; - reads standard input"
        ) from None


_TAR = slice(257, 262)
_MAY_HOLD_EVENTS = re.compile(rb'\{\s*\\?"|\{\\x22|\\"event|"e[yw]').search
"""An object, plain or in a text, in nginx's escapes, or in base64."""


PACKED = b"\x93notifycli facts "
"""What a file of packed events begins with."""


Suggest = Callable[[str, str], str]
"""Completes a command for a file: after it, `notifycli VERB` is to read standard input instead."""


class Foreign(NamedTuple):
    """Something that can't be read as it is."""

    name: str
    command: str = ""
    """What to type, with FILE for the file's name; "" where nothing helps."""

    def fault(self, file: str, suggest: Suggest) -> str:
        """Return what to say of a file of this kind, with the command that helps."""
        command = suggest(self.command_for(file), file)
        return f"{self.name}; try: {command}" if command else self.name

    def command_for(self, file: str) -> str:
        """Return what to type, about a file that is here."""
        is_here = file != place_of(STDIN) and not is_remote(file)
        return self.command.replace("FILE", shlex.quote(file) if is_here else "FILE")


_FROM_DATABASE = (
    "notifycli chatwoot export-sql | psql -qAt restored | notifycli chatwoot import-export -"
)
DUMP = Foreign(
    "a PostgreSQL dump, to be restored first",
    f"createdb restored && zcat -f FILE | psql -qo /dev/null restored; {_FROM_DATABASE}",
)
CUSTOM_DUMP = Foreign(
    DUMP.name, f"createdb restored && pg_restore -xOd restored FILE; {_FROM_DATABASE}"
)
_ZIP = b"PK\x03\x04"
_BY_MAGIC = (
    (
        PACKED,
        Foreign(
            "packed events, which simulate, why and test alone can read, as a named file: "
            "they hold no text, and no bodies"
        ),
    ),
    (_ZIP, Foreign("a zip archive, packed once more: unpack it first")),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7-Zip archive", "7z x -so FILE | notifycli VERB")),
    (b"Rar!\x1a\x07", Foreign("a RAR archive", "unrar p -inul FILE | notifycli VERB")),
    (b"\x04\x22\x4d\x18", Foreign("lz4 data", "lz4 -dc FILE | notifycli VERB")),
    (b"\x1f\x9d", Foreign("data of compress", "zcat FILE | notifycli VERB")),
    (
        b"SQLite format 3\0",
        Foreign("an SQLite database", "sqlite3 FILE 'select COLUMN from TABLE' | notifycli VERB"),
    ),
    (b"--\n-- PostgreSQL database ", DUMP),
    (b"PGDMP", CUSTOM_DUMP),
    (b"PAR1", Foreign("a Parquet file, not JSON")),
    (b"%PDF-", Foreign("a PDF, not JSON")),
)
_PYTHON = Foreign(
    "Python's notation, not JSON",
    "python3 -c 'import ast, json, sys; "
    r'[print(json.dumps(ast.literal_eval(x[x.index("{\x27"):x.rindex("}") + 1]))) '
    r"""for x in sys.stdin if "{\x27" in x]' < FILE | notifycli VERB""",
)
_RUBY, _NEWER_RUBY = (
    Foreign(
        "Ruby's notation, not JSON",
        f"sed -nE '/{event}/{{s/#<[^>]*>+/null/g; {keys}; "
        r's/" ?=> ?/":/g; s/: ?nil\b/:null/g; s/: ?([A-Z][a-z]{2}, [0-9]{2} [^,}]+)/:"\1"/g; p;}'
        "' FILE | notifycli VERB",
    )
    for event, keys in (
        ('[:"]event"? ?=>', r's/:([a-z_]+) ?=> ?/"\1":/g'),
        ('event: "', r's/([{,] ?)([a-z_]+): /\1"\2":/g'),
    )
)


_UTF_16 = tuple(
    (
        re.compile(pattern).match,
        Foreign(
            "UTF-16 that doesn't begin with its mark",
            f"iconv -f {encoding} -t UTF-8 FILE | notifycli VERB",
        ),
    )
    for encoding, pattern in (
        ("UTF-16LE", rb'(?:\s\0)*[{\[]\0(?:\s\0)*["{\[]\0'),
        ("UTF-16BE", rb'(?:\0\s)*\0[{\[](?:\0\s)*\0["{\[]'),
    )
)
DIRECTORY = Foreign("a directory, not events", "notifycli directory import FILE")
PREFERENCES = Foreign("preferences, not events", "notifycli prefs import FILE")
_OF_A_DIRECTORY = re.compile(rb'"(?:users|inboxes)"\s*:\s*\[').search
_OF_PREFERENCES = re.compile(
    rb"""
      \{\s* "(?:default|lock|users)" \s*:\s* \{
    | (?:\s|\#.*\n)* \[(?:default|lock|users\..*)\] [ \t\r]* (?:\n|\Z)
    | (?:"?sep=.*\n)? (?=.*\bkey\b) (?=.*\bvalue\b) (?=.*\b(?:layer|user|account)\b)
      (?:\ *"?\w+"?\ *[,;\t])+ \ *"?\w*"?\s*\n
    """,
    re.VERBOSE | re.IGNORECASE,
).match
"""As JSON, TOML and CSV."""
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
        re.compile(rb"(?:---\s*\n|%YAML|- \w+:|(?:account|body|event|payload):(?! *\{))"),
        Foreign(
            "YAML, not JSON",
            "yq -o=json -I=0 FILE | notifycli VERB, "
            "or with Debian's yq: yq -c . FILE | notifycli VERB",
        ),
    ),
    (re.compile(rb"(?s:.*)'event': *'"), _PYTHON),
    (re.compile(rb'(?s:.*)(?:"|:)event"? *=> *"'), _RUBY),
    (re.compile(rb'(?s:.*)\bevent: "'), _NEWER_RUBY),
    (
        re.compile(rb"(?s:.*)\bevent: '"),
        Foreign("JavaScript's notation, not JSON: let the receiver write JSON.stringify(body)"),
    ),
    (
        re.compile(rb"""(?s:.*)\[?["']?event["']?\]? *=>\s"""),
        Foreign("PHP's notation, not JSON: let the receiver write json_encode($body)"),
    ),
    (
        re.compile(rb"(?=(?s:.*)\bmap\[)(?s:.*)[ \[]event:\w"),
        Foreign("Go's notation, not JSON: let the receiver write json.Marshal(body)"),
    ),
)


def foreign_of(head: bytes) -> Foreign | None:
    """Return what a file is that begins so and can't be read; `None` for what can, or may."""
    if head[_TAR] == b"ustar":
        return Foreign("a tar archive", "tar xOf FILE | notifycli VERB")
    for magic, foreign in _BY_MAGIC:
        if head.startswith(magic):
            return foreign
    if b'"event' not in head and (_OF_A_DIRECTORY(head) or _OF_PREFERENCES(head)):
        return DIRECTORY if _OF_A_DIRECTORY(head) else PREFERENCES
    if _JSON(head):
        return None
    if b"\0" in head:
        encoded = (foreign for begins, foreign in _UTF_16 if begins(head))
        return next(encoded, Foreign("binary data, not JSON"))
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
        # Of a long text, as a log, nobody knows what follows.
        is_known = len(head) < _HEAD and not may_hold_events(head)
        return Foreign("CSV, not JSON") if alike and is_known else None
    import csv  # noqa: PLC0415 - few files are tables

    line = with_body.replace(b"\r", b"").decode(errors="replace")
    cells = next(csv.reader([line], delimiter=separator.decode()))
    # A request's headers, say, are an object too.
    column = max(range(len(cells)), key=lambda n: (cells[n][:1] == "{", '"event"' in cells[n]))
    reader = f"csv.reader(sys.stdin, delimiter={separator.decode()!r})"
    code = (
        f"import csv, sys; [print(row[{column}]) for row in {reader} if row[{column}][:1] == '{{']"
    )
    command = f"python3 -c {shlex.quote(code)} < FILE | notifycli VERB"
    return Foreign(f"CSV, not JSON, with the bodies in column {column + 1}", command)


def may_hold_events(head: bytes) -> bool:
    """Whether there is anything like JSON in the beginning of a text."""
    return _MAY_HOLD_EVENTS(head) is not None


STDIN = "-"
_WORTH_SHARING = 1 << 24
_TEXT = 1 << 21
"""The bytes of an undivided text."""
_PACKS = 8
"""How much larger a text is than what it is compressed to, at least."""
_HEAD = 1 << 16
_MAGIC = 8
_AROUND = b" \t\r\x1e"
_ARRAY = re.compile(rb'\[\s*(?:[]{["]|\Z)')
_LAID_OUT = re.compile(rb'\{[ \t\r]*\n\s*["}]|\[[ \t\r]*\n\s*["{\[\]]').search
_AFTER_NAME = re.compile(rb"\|(?:\x1b\[[\d;]*m)?[ \t]+(?=([{\[][ \t\r]*\n))").finditer
_GOES_ON = re.compile(rb'\s*["{}\[\]]').match
_NONE_OF_EVENTS = Foreign("there is no JSON in it")
_OVERLAP = 64

Record = tuple[str, int, bytes]
"""A file's name, the line in which it begins, and a text that may be an event."""
Progress = Callable[[int], None]
Translate = Callable[[Iterator[list[Record]]], Iterator[list[Record]]]
"""Makes events of the records of one file, where they are something else."""


class Text(NamedTuple):
    """Whole lines of a file."""

    file: str
    data: bytes
    first: bool
    """Whether they are its first ones."""


def _as_they_are(blocks: Iterator[list[Record]]) -> Iterator[list[Record]]:
    return blocks


class _Form(Enum):
    """How a text is divided."""

    LINES = "a value a line, or a value among the text of a line"
    VALUES = "values that are laid out over lines, or are in one array"


class Inputs(NamedTuple):
    """What a command reads."""

    files: tuple[str, ...]
    """Files and folders; `-` for standard input."""
    stdin: Callable[[], int]
    """Returns standard input's descriptor."""
    suggest: Suggest = lambda command, _: command.replace("VERB", "simulate")
    """For what it suggests to type."""
    translate: Translate = _as_they_are


def read_records(
    inputs: Inputs, bad: BadLines, progress: Progress | None = None
) -> Iterator[Record]:
    """Return the records of all files in their order; what is none goes to `bad`.

    Raises as `read_together` does.
    """
    return chain.from_iterable(read_together(inputs, bad, progress))


def read_together(
    inputs: Inputs, bad: BadLines, progress: Progress | None = None
) -> Iterator[list[Record]]:
    """Return the same, those together that are there at once: nothing waits for what may come.

    Raises as `read_texts` does.
    """
    for piece in _read(inputs, bad, progress, undivided=False):
        if isinstance(piece, list):
            yield piece


def read_texts(
    inputs: Inputs, bad: BadLines, progress: Progress | None = None
) -> Iterator[Text | list[Record]]:
    """Return the same, but texts of lines of events undivided.

    `progress` is told how many bytes of a file on disk have been read since it was told before.
    Raises `InputMissingError` for a file that can't be read.
    """
    return _read(inputs, bad, progress, undivided=True)


def _read(
    inputs: Inputs, bad: BadLines, progress: Progress | None, *, undivided: bool
) -> Iterator[Text | list[Record]]:
    for name in inputs.files:
        source = _Source(inputs, bad, progress if name != STDIN else None, undivided=undivided)
        if is_remote(name):
            with open_remote(name) as raw:
                yield from source.file(shown(name), raw)
        elif name != STDIN and os.path.isdir(name):  # noqa: PTH112 - as everything here
            yield from source.folder(name)
        else:
            with file_errors(place_of(name)), closing(_open(name, inputs.stdin)) as raw:
                yield from source.file(place_of(name), raw)


class _Source:
    """Reads one of the inputs."""

    def __init__(
        self, inputs: Inputs, bad: BadLines, progress: Progress | None, *, undivided: bool
    ) -> None:
        self._suggest = inputs.suggest
        self._translate = inputs.translate
        self._bad = bad
        self._progress = progress
        self._undivided = undivided
        self._read = 0
        """How many files of a folder or an archive may have held events."""
        self._damage: tuple[str, str] | None = None
        """Where the text that is being read breaks off, and why."""

    def folder(self, name: str) -> Iterator[Text | list[Record]]:
        """Return the records of all files in a folder."""
        with file_errors(name):
            paths = list(map(str, files_of(name)))
        for path in paths:
            with file_errors(path), closing(_reader(path)) as raw:
                yield from self.file(path, raw, partial(_blocks_of, path))
        if not self._read:
            raise InputMissingError(
                f"{name}: a folder of {_file_count(paths)}, none of which holds events",
                "name the folder in which they are, or the files",
            )

    def file(
        self, place: str, raw: BinaryFile, again: Callable[[], Blocks] | None = None
    ) -> Iterator[Text | list[Record]]:
        """Return the records of a file; one among others can be read `again` from its beginning."""
        head, blocks = head_of(read_blocks(raw, self._progress), len(_ZIP))
        if head.startswith(_ZIP):
            try:
                yield from self._archive(place, raw, blocks)
            except DamageError as error:
                self._bad.break_off(place, str(error))
        else:
            yield from self._text(place, blocks, again)

    def _archive(
        self, place: str, raw: BinaryFile, blocks: Blocks
    ) -> Iterator[Text | list[Record]]:
        before, count = self._read, 0
        for name, read in members_of(raw, blocks):
            count += 1
            yield from self._text(f"{place}/{name}", read(), read)
        if self._read == before:
            told = f"a zip archive of {_file_count(range(count))}, none of which holds events"
            self._bad.refuse(place, told)

    def _text(
        self, place: str, blocks: Blocks, again: Callable[[], Blocks] | None
    ) -> Iterator[Text | list[Record]]:
        self._damage = None
        yield from self._pieces(place, blocks, again)
        if self._damage is not None:  # told only now, after all that comes before it
            self._bad.break_off(*self._damage)

    def _undamaged(self, place: str, blocks: Blocks) -> Blocks:
        """Return the text of a file, as far as its data are sound."""
        line = 1
        try:
            for block in text_of(decompressed(blocks)[1]):
                yield block
                line += block.count(b"\n")
        except DamageError as error:
            self._damage = f"{place}:{line}", str(error)

    def _pieces(
        self, place: str, blocks: Blocks, again: Callable[[], Blocks] | None
    ) -> Iterator[Text | list[Record]]:
        form, head, blocks = _form_of(self._undamaged(place, blocks))
        if again and isinstance(form, _Form) and head and not may_hold_events(head):
            found = any(map(may_hold_events, _overlapping(blocks)))
            form, _, blocks = _form_of(self._undamaged(place, again()))
            form = form if found else _NONE_OF_EVENTS
        if isinstance(form, Foreign) and again:
            self._bad.pass_over(place, form.name)
        elif isinstance(form, Foreign):
            self._bad.refuse(place, form.fault(place, self._suggest))
        else:
            self._read += 1
            if self._undivided and _is_of_events(form, head):
                yield from _undivided(place, blocks)
                return
            pieces = divide(blocks) if form is _Form.LINES else split_values(blocks)
            yield from self._translate(_records(place, pieces, self._bad))


def _overlapping(blocks: Blocks) -> Blocks:
    """Return blocks with the end of the one before, so that nothing short is cut in two."""
    end = b""
    for block in blocks:
        yield end + block
        end = block[-_OVERLAP:]


def _undivided(file: str, blocks: Blocks) -> Iterator[Text]:
    """Return texts of whole lines, none much longer than it has to be."""
    first, parts, size = True, list[bytes](), 0
    try:
        for block in blocks:
            end = _end_of_lines(block, anywhere=size > NEARBY + _TEXT)
            if end and size + end >= _TEXT:
                yield Text(file, b"".join((*parts, block[:end])), first=first)
                first, parts, size = False, [block[end:]], len(block) - end
            else:
                parts.append(block)
                size += len(block)
            if size > 2 * LONGEST_LINE:  # a line that is refused: no more of it is kept than that
                before, newline, line = b"".join(parts).rpartition(b"\n")
                parts = [before, newline, line[: LONGEST_LINE + 1]]
                size = sum(map(len, parts))
    except OSError:
        lines, newline, _ = b"".join(parts).rpartition(b"\n")
        if newline:
            yield Text(file, lines + newline, first=first)
        raise
    if size:
        yield Text(file, b"".join(parts), first=first)


def _end_of_lines(block: bytes, *, anywhere: bool) -> int:
    """Return where the last line begins; if not `anywhere`, one that goes on with no value."""
    end = block.rfind(b"\n")
    while end >= 0 and not (anywhere or ANEW.match(block, end)):
        end = block.rfind(b"\n", 0, end)
    return end + 1


def _records(
    file: str, pieces: Iterable[Lines | JSONValue], bad: BadLines
) -> Iterator[list[Record]]:
    for piece in pieces:
        if isinstance(piece, Lines):
            first, lines = piece
            if None in lines[:2]:  # No other line of a block, after one that waited, is so long.
                bad.add(f"{file}:{first + lines.index(None)}", too_long(LONGEST_LINE))
            yield [
                (file, number, line)
                for number, line in enumerate(lines, first)
                if line and not line.isspace()
            ]
        elif piece.fault:
            bad.add(f"{file}:{piece.line}", piece.fault)
        else:
            yield [(file, piece.line, piece.text)]


def _form_of(blocks: Blocks) -> tuple[_Form | Foreign, bytes, Blocks]:
    """Return how a text is to be read, its beginning, and all of it nevertheless."""
    head, blocks = _first_line_of(blocks)
    if prefix := _prefix_of_lines(head[:_HEAD]):
        return _form_of(_without_prefix(blocks, prefix))
    foreign = foreign_of(head[:_HEAD])
    if foreign is not None:
        return foreign, head, blocks
    line = head.lstrip().partition(b"\n")[0].strip(_AROUND)
    if line[:1] == b"{":
        values = len(line) <= LONGEST_LINE and breaks_off(line)
    else:
        values = (_ARRAY.match(line) or _LAID_OUT(head[:_HEAD])) is not None
    return _Form.VALUES if values else _Form.LINES, head[:_HEAD], blocks


def _prefix_of_lines(head: bytes) -> bytes:
    """Return what docker compose puts before each line, where a body is laid out over lines."""
    for name in _AFTER_NAME(head):
        prefix = head[head.rfind(b"\n", 0, name.start()) + 1 : name.end()]
        following = name.end(1)
        if head.startswith(prefix, following) and _GOES_ON(head, following + len(prefix)):
            return prefix
    return b""


def _without_prefix(blocks: Blocks, prefix: bytes) -> Blocks:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield b"".join(line.removeprefix(prefix) + b"\n" for line in lines)
    yield rest.removeprefix(prefix)


def _first_line_of(blocks: Blocks) -> tuple[bytes, Blocks]:
    """Return a text's beginning, with the first line that isn't blank, and all of it."""
    size = 1
    while True:
        head, blocks = head_of(blocks, size)
        if len(head) < size or len(head) > LONGEST_LINE or b"\n" in head.lstrip():
            return head, blocks
        size = len(head) + 1


def _file_count(files: Sized) -> str:
    return "1 file" if len(files) == 1 else f"{len(files):,} files"


def place_of(name: str) -> str:
    """Return what messages call a file."""
    return "<stdin>" if name == STDIN else name


def can_be_shared(name: str) -> bool:
    """Whether several processes can read parts of a file: a large one of plain lines, on disk."""
    if name == STDIN or is_remote(name):
        return False
    with file_errors(name):
        status = os.stat(name)  # noqa: PTH116 - as everything here
        if not stat.S_ISREG(status.st_mode) or status.st_size < _WORTH_SHARING:
            return False
        with FileIO(name) as raw:
            head, blocks = head_of(read_blocks(raw), len(_ZIP))
            if head.startswith(_ZIP) or not is_utf8(head):
                return False
            form, head, _ = _form_of(text_of(blocks))
            return _is_of_events(form, head)


def _is_of_events(form: _Form | Foreign, head: bytes) -> bool:
    """Whether what begins so is lines that are events already, as far as the first one tells."""
    return form is _Form.LINES and b'"event"' in head.lstrip().partition(b"\n")[0]


def is_worth_sharing(files: Iterable[str]) -> bool:
    """Whether files are so large that several processes replay them sooner than one.

    Standard input is not: what comes there is to be replayed when it comes.
    """
    named = [*files]
    return STDIN not in named and sum(map(_text_size, named)) >= _WORTH_SHARING


def _text_size(name: str) -> int:
    """Return about how many bytes the text is that a file or a folder holds.

    What lies elsewhere is taken to be large: nobody puts a few events there.
    """
    if is_remote(name):
        return _WORTH_SHARING
    size = 0
    for path in files_of(name):
        with suppress(OSError):
            if path.is_file():
                with path.open("rb", 0) as file:
                    packs = _PACKS if is_compressed(file.read(_MAGIC)) else 1
                size += path.stat().st_size * packs
    return size


def total_size(files: Iterable[str]) -> int | None:
    """Return the bytes on disk of all files; `None` where that can't be known."""
    try:
        return sum(path.stat().st_size for name in files for path in files_of(name))
    except OSError:
        return None


def read_whole(name: str, stdin: Callable[[], int]) -> bytes:
    """Read a document, which may be compressed; raises as `read_records` does."""
    return b"".join(whole_blocks(name, stdin))


def whole_blocks(name: str, stdin: Callable[[], int]) -> Iterator[bytes]:
    """Return the blocks of a document, which may be compressed; raises as `read_records` does."""
    with file_errors(place_of(name)), closing(_open(name, stdin)) as raw:
        yield from decompressed(read_blocks(raw))[1]


def _open(name: str, stdin: Callable[[], int]) -> BinaryFile:
    # A duplicate, so that closing it leaves the process its standard input.
    return _reader(os.dup(stdin()) if name == STDIN else name)


def _reader(name: str | int) -> BinaryFile:
    """Open a file such that a thread may still read when it is closed.

    A plain `FileIO` would let it go on with the descriptor's number, which by then may be another
    file's. The reader's lock has the closing wait for the reading; what is no file on disk may keep
    it waiting for ever, and is read as it comes.
    """
    raw = FileIO(name)
    return BufferedReader(raw, BLOCK) if stat.S_ISREG(os.fstat(raw.fileno()).st_mode) else raw


def _blocks_of(path: str) -> Blocks:
    with closing(_reader(path)) as raw:
        yield from read_blocks(raw)


def files_of(name: str) -> Iterator[Path]:
    """Return the files of a folder and the folders in it, in their order; hidden ones are none."""
    if not os.path.isdir(name):  # noqa: PTH112 - as everything here
        yield Path(name)
        return
    for folder, folders, files in os.walk(name):
        folders[:] = sorted(one for one in folders if not is_hidden(one))
        paths = (Path(folder, one) for one in sorted(files) if not is_hidden(one))
        yield from (path for path in paths if path.is_file())


_SCHEMES = ("s3", "gs", "az", "abfs", "https", "http")


def is_remote(name: str) -> bool:
    """Whether a file's name is the address of one that isn't on this computer."""
    return name.partition("://")[0] in _SCHEMES and "://" in name


def shown(name: str) -> str:
    """Return a file's name as it may be shown: an address without a password and what signs it."""
    if not is_remote(name):
        return name
    parts = urlsplit(name)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def find_remote(address: str) -> list[str]:
    """Return the addresses that an address with wildcards stands for, in their order.

    A shell does as much with the names of files that are here. Raises `InputMissingError` where
    there is none, and `UnavailableError` where a web server can't be reached, or what it takes
    isn't installed.
    """
    try:
        path = urlsplit(address).path
    except ValueError as error:
        scheme, _, _ = address.partition(":")
        told = f"an address of a file, {scheme}:…, can't be read: {error}"
        raise InputMissingError(told, "check its host") from None
    if not any(wildcard in path for wildcard in "*["):
        return [address]
    with _remote_errors(address):
        system, path = _remote_system(address)
        found = sorted(map(str, system.glob(path)))
    if not found:
        raise InputMissingError(
            f"{shown(address)}: no file has such a name", "check the address, and its wildcards"
        )
    return [system.unstrip_protocol(one) for one in found]


@contextmanager
def open_remote(address: str) -> Iterator[BufferedReader]:
    """Open a file; raises as `find_remote` does, while it is read too, and `DataError`."""
    with _remote_errors(address):
        system, path = _remote_system(address)
        with BufferedReader(system.open(path, "rb"), BLOCK) as raw:
            yield raw


def _remote_system(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    from fsspec.core import url_to_fs  # noqa: PLC0415 - few logs lie elsewhere

    system, path = url_to_fs(address)
    return system, path


@contextmanager
def _remote_errors(address: str) -> Iterator[None]:
    place = shown(address)
    try:
        yield
    except NotifycliError:
        raise
    except ImportError as error:
        raise UnavailableError(
            f"{place}: to read from there needs what isn't installed: {error}",
            "pip install 'notifycli[remote]'",
        ) from None
    except FileNotFoundError as error:
        cause = error.__cause__
        # So fsspec says it of a web server that can't be reached, too.
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
            told = f"{place}: {_said(cause, address)}"
            raise UnavailableError(
                told, "check the address, and whether its server answers"
            ) from None
        raise InputMissingError(f"{place}: there is no such file", "check the address") from None
    except Exception as error:  # noqa: BLE001 - each store's library raises its own
        raise InputMissingError(
            f"{place}: {_said(error, address)}",
            "check the address, and the credentials of this place in the environment",
        ) from None


def _said(error: Exception, address: str) -> str:
    """Return what an error says, which may hold the address, without what signs that."""
    said = str(error).replace(address, shown(address)).partition("?")[0]
    return said or type(error).__name__
