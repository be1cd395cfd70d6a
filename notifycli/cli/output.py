"""The one place that writes: records in every format, and text that is safe on a terminal."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, get_args

import msgspec
from msgspec import UNSET, UnsetType

from notifycli.cli.session import Session
from notifycli.cli.terminal import encode, is_terminal, pager, write_output
from notifycli.errors import NotifycliError, NotPermittedError, TryAgainError, UsageError
from notifycli.text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_BLOCK = 1 << 16
_KINDS: Mapping[int, type[NotifycliError]] = {
    errno.EISDIR: UsageError,
    errno.ENOSPC: TryAgainError,
    errno.EDQUOT: TryAgainError,
    errno.EFBIG: TryAgainError,
}
"""By what went wrong with a file."""
_DUMB = {"dumb", "unknown"}
"""Terminals that can't move the cursor; an editor's, for one."""
Cells = Callable[[Any], Sequence["RenderableType"]]
_encode = msgspec.json.Encoder().encode


def show(
    session: Session,
    records: Iterable[msgspec.Struct],
    record: type[msgspec.Struct],
    *,
    heads: Sequence[str] = (),
    cells: Cells | None = None,
) -> None:
    """Print records of one type in the format that was asked for.

    On a terminal that is a table, if there are any: `heads` and `cells` shape it, where the
    record's own fields would be too wide or too dull.
    """
    chosen = output_format(session)
    if chosen == "table":
        fields = record.__struct_fields__
        plain = cells or (lambda item: [text(getattr(item, field)) for field in fields])
        _print_table(session, heads or [_head(field) for field in fields], map(plain, records))
    elif chosen in _ROW_WRITERS:
        cell = _safe_cell if session.csv_safe else _cell
        write(_separate(records, record, _ROW_WRITERS[chosen], cell))
    else:
        write(_WRITERS[chosen](records))


def output_format(session: Session) -> str:
    """Give the format that was asked for or, failing that, suits where the output goes."""
    return session.output or ("table" if session.shows_table else "jsonl")


def show_one(session: Session, item: msgspec.Struct) -> None:
    """Print a single record: on a terminal a line a field, elsewhere as `show` does."""
    if not session.shows_table:
        show(session, [item], type(item))
        return
    fields = item.__struct_fields__
    width = max(map(len, fields))
    write(f"{_head(f):{width}}  {text(getattr(item, f))}\n".encode() for f in fields)


def write(blocks: Iterable[bytes]) -> None:
    """Write to standard output, in large pieces; what comes before a fault is written too.

    Raises as `write_output` does.
    """
    pending: list[bytes] = []
    size = 0
    try:
        for block in blocks:
            pending.append(block)
            size += len(block)
            if size >= _BLOCK:
                write_output(b"".join(pending))
                pending, size = [], 0
    finally:
        if pending:
            write_output(b"".join(pending))


def encode_record(record: msgspec.Struct) -> bytes:
    """Write a record as JSON, which is UTF-8 whatever the name of a file in it may be."""
    try:
        return _encode(record)
    except UnicodeEncodeError:
        import json  # noqa: PLC0415 - few file names need it

        plain = json.dumps(msgspec.to_builtins(record), ensure_ascii=False, separators=(",", ":"))
        return encode(plain, "utf-8")


def check_file(name: str) -> None:
    """Raise `UsageError` for `-`: what is named here is a file."""
    if name == "-":
        raise UsageError("-: a file is written here, not standard output", "name a file")


def write_file(name: str, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file, or let `data` write it: whatever happens, it is the old one or the new one.

    Raises `UsageError` for a folder and for `-`, `TryAgainError` where there is no room,
    `NotPermittedError`.
    """
    from notifycli.secrets.private_file import replace_file  # noqa: PLC0415 - few write files

    check_file(name)
    try:
        replace_file(Path(name), data)
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, NotPermittedError)
        raise kind(
            f"{name}: can't be written: {error.strerror or error}",
            "name another place, or make room or rights for it",
        ) from None


def check_page(page: str | None, *read: str | None) -> None:
    """Raise `UsageError` for a page that has no place, or would be written over what is read."""
    if page is None:
        return
    folder = Path(page).parent
    if not os.path.isdir(folder):  # noqa: PTH112 - pathlib's raises where it may not look
        import shlex  # noqa: PLC0415 - this case alone needs it

        raise UsageError(
            f"--report {page}: there is no folder {folder}",
            f"make it: mkdir -p {shlex.quote(str(folder))}",
        )
    check_apart("--report", page, *read)


def check_apart(option: str, file: str, *read: str | None) -> None:
    """Raise `UsageError` for a file that would be written over what is read, or is in it.

    As `check_file` does, too.
    """
    check_file(file)
    if any(name and _is_of(file, name) for name in read):
        raise UsageError(
            f"{option} {file} would be written over what is read", "give it another name"
        )


def _is_of(file: str, read: str) -> bool:
    """Whether a file is the one that is read, or one of the folder that is."""
    if not (os.path.exists(file) and os.path.exists(read)):  # noqa: PTH110 - as above
        return False
    there = Path(file)
    return there.samefile(read) or there.resolve().is_relative_to(Path(read).resolve())


def console(session: Session, *, stderr: bool = False) -> Console:
    """Make rich's console for standard output or error, with or without colour as asked."""
    from rich.console import Console  # noqa: PLC0415 - 40 ms that a pipe can spare

    file = sys.stderr if stderr else sys.stdout
    width = height = None
    if os.environ.get("TERM", "").lower() in _DUMB and is_terminal(file):
        import shutil  # noqa: PLC0415 - few terminals need it

        # Rich takes 80 columns for granted there.
        width, height = shutil.get_terminal_size()
    return Console(
        width=width,
        height=height,
        # Named, since rich asks no other for its encoding.
        file=file,
        stderr=stderr,
        no_color=session.no_color or None,
        highlight=False,
        emoji=False,
        markup=False,
    )


def print_rich(screen: Console, *renderables: RenderableType, **options: Any) -> None:
    """Print on standard output what rich lays out, as `screen.print` would."""
    with screen.capture() as captured:
        screen.print(*renderables, **options)
    write([encode(captured.get(), screen.encoding)])


def text(value: object) -> str:
    """Write a value for people, free of control characters."""
    if value is None or value is msgspec.UNSET:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(map(text, value)) or "-"
    return printable(str(value))


def _head(field: str) -> str:
    return field.replace("_", " ").capitalize()


def _print_table(
    session: Session, heads: Sequence[str], rows: Iterable[Sequence[RenderableType]]
) -> None:
    screen = console(session)
    if laid_out := table(heads, rows, screen.width, screen.encoding):
        with pager():
            print_rich(screen, laid_out)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[RenderableType]],
    width: int,
    encoding: str = "utf-8",
) -> Table | None:
    """Lay out rows for a terminal that is so many cells wide; gives nothing if there are none.

    What its encoding hasn't is replaced before there are columns, so that they stay straight.
    """
    from rich import box  # noqa: PLC0415 - see console()
    from rich.table import Table  # noqa: PLC0415

    # Without a line in the encoding: rich's own box for that would draw edges too.
    ascii_head = box.Box("    \n    \n -- \n" + "    \n" * 5, ascii=True)
    edges = box.SIMPLE_HEAD if encoding.startswith("utf") else ascii_head
    laid_out = Table(box=edges, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head in heads:
        laid_out.add_column(head, overflow="fold")
    for row in rows:
        laid_out.add_row(*(_encodable(cell, encoding) for cell in row))
    if not laid_out.row_count:
        return None
    columns = [[*map(str, column.cells)] for column in laid_out.columns]
    # Beside the cells there are an edge on both sides, and two cells between columns.
    widths = _widths(heads, columns, width - 2 * len(heads))
    for column, fitting in zip(laid_out.columns, widths, strict=False):
        column.width = fitting
    return laid_out


def _encodable(cell: RenderableType, encoding: str) -> RenderableType:
    text = str(cell)
    spelt = encode(text, encoding).decode(encoding)
    if spelt == text:
        return cell
    from rich.text import Text  # noqa: PLC0415 - see console()

    return Text(spelt, style=cell.style) if isinstance(cell, Text) else spelt


def _widths(heads: Sequence[str], columns: Sequence[Sequence[str]], room: int) -> Sequence[int]:
    """Give widths at which no word is broken; none, where all fits as it is, or no words would."""
    from rich.cells import cell_len  # noqa: PLC0415 - see console()

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
    from rich.cells import cell_len  # noqa: PLC0415 - see console()

    return max((cell_len(part) for text in texts for part in cut(text)), default=0)


def _jsonl(records: Iterable[msgspec.Struct]) -> Iterator[bytes]:
    for record in records:
        yield encode_record(record)
        yield b"\n"


def _json(records: Iterable[msgspec.Struct]) -> Iterator[bytes]:
    separator = b"[\n  "
    for record in records:
        yield separator
        yield encode_record(record)
        separator = b",\n  "
    yield b"[]\n" if separator.startswith(b"[") else b"\n]\n"


def _write_csv(buffer: StringIO) -> Callable[[Iterable[object]], Any]:
    import csv  # noqa: PLC0415 - only this format needs it

    return csv.writer(buffer, lineterminator="\n").writerow


def _write_tsv(buffer: StringIO) -> Callable[[Iterable[object]], Any]:
    return lambda row: buffer.write("\t".join(printable(str(cell)) for cell in row) + "\n")


def _separate(
    records: Iterable[msgspec.Struct],
    record: type[msgspec.Struct],
    row_writer: Callable[[StringIO], Callable[[Iterable[object]], Any]],
    cell: Callable[[object], object],
) -> Iterator[bytes]:
    buffer = StringIO(newline="")
    write_row = row_writer(buffer)
    known, records = _known(records)
    unused = _unused_fields(record, known)
    fields = [field for field in record.__struct_fields__ if field not in unused]
    write_row(fields)
    for item in records:
        # What is of one layer alone isn't in the records of others.
        write_row(cell(getattr(item, field, None)) for field in fields)
        yield encode(buffer.getvalue(), "utf-8")
        buffer.seek(0)
        buffer.truncate()
    yield encode(buffer.getvalue(), "utf-8")


def _known(
    records: Iterable[msgspec.Struct],
) -> tuple[Sequence[msgspec.Struct], Iterable[msgspec.Struct]]:
    """Give the records that tell which columns there are, and all of them.

    Those of a stream may be millions: its first one has what the others have.
    """
    if isinstance(records, Sequence):
        return records, records
    rest = iter(records)
    first = [*islice(rest, 1)]
    return first, chain(first, rest)


def _unused_fields(record: type[msgspec.Struct], known: Sequence[msgspec.Struct]) -> set[str]:
    """Give the fields of what only some runs have to say, where no known record does."""
    return {
        field.name
        for field in msgspec.structs.fields(record)
        if field.type is UnsetType or UnsetType in get_args(field.type)
        if all(getattr(item, field.name, UNSET) is UNSET for item in known)
    }


def _safe_cell(value: object) -> object:
    """Write a value such that no spreadsheet takes it for a formula, as OWASP advises.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    written = _cell(value)
    return f"'{written}" if isinstance(written, str) and written[:1] in _FORMULAS else written


def _cell(value: object) -> object:
    """Write a value as JSON would, but for text and the absence of a value."""
    if value is None or value is msgspec.UNSET:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


_FORMULAS = frozenset(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
"""What begins a formula in one spreadsheet or another."""
_WRITERS: Mapping[str, Callable[[Iterable[msgspec.Struct]], Iterator[bytes]]] = {
    "json": _json,
    "jsonl": _jsonl,
}
_ROW_WRITERS: Mapping[str, Callable[[StringIO], Callable[[Iterable[object]], Any]]] = {
    "csv": _write_csv,
    "tsv": _write_tsv,
}
