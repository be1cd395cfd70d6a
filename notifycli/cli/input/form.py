"""What a file is that doesn't begin as one JSON object a line does."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from notifycli.cli.input.lines import BOM

_LONGEST = 1 << 24
_HINTS = {
    b"[": "\n  one object a line is expected; jq makes that of an array: jq -c '.[]' FILE",
    b"{": "\n  one object a line is expected; jq makes that of what is laid out: jq -c . FILE",
}
_DIRECTORY = "\n  it holds no events but a directory: notifycli directory import FILE"
_DIRECTORY_KEYS = {"users", "inboxes"}


class Form(NamedTuple):
    """What is known of a file from its first line and, if it can be read again, from all of it."""

    hint: str
    """What to do about it, as the next line of a message; nothing if that isn't known."""
    one_value: bool
    """Whether it is a single JSON value, in whose lines there is nothing to look for."""


def form_of(file: str, first_line: bytes) -> Form:
    """Find out what a file is whose first line is no JSON object."""
    hint = _HINTS.get(first_line.strip()[:1], "")
    try:
        document = msgspec.json.decode(_again(Path(file)))
    except (OSError, ValueError, RecursionError):  # msgspec's are ValueErrors
        return Form(hint, one_value=False)
    if isinstance(document, dict) and document.keys() & _DIRECTORY_KEYS:
        hint = _DIRECTORY
    return Form(hint, one_value=True)


def _again(path: Path) -> bytes:
    """Read a whole file anew. Of a pipe that would take what is still to be read."""
    if not path.is_file() or path.stat().st_size > _LONGEST:
        return b""
    return path.read_bytes().removeprefix(BOM)
