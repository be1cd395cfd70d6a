"""Documents that commands read, from files or standard input, plain or compressed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from notifycli.cli.terminal import input_descriptor
from notifycli.errors import DataError
from notifycli.replay.decompression import is_compressed, text_of
from notifycli.replay.faults import file_errors
from notifycli.replay.sources import STDIN, place_of, whole_blocks
from notifycli.replay.values import LONGEST_LINE, split_lines, too_long

_IN_MEMORY = 1 << 24


def read_document(name: str) -> bytes:
    """Read a file whole, or standard input for `-`.

    Raises `InputMissingError` for a file that can't be read, and `DataError` for damaged data.
    """
    return b"".join(whole_blocks(name, input_descriptor))


def read_lines(name: str) -> Iterator[tuple[str, int, bytes]]:
    """Return a file's lines that aren't blank, with its name and their numbers.

    Raises as `read_document` does.
    """
    blocks = text_of(whole_blocks(name, input_descriptor))
    for number, line in enumerate(split_lines(blocks), 1):
        if line is None:
            raise DataError(f"{place_of(name)}:{number}: {too_long(LONGEST_LINE)}")
        if line and not line.isspace():
            yield place_of(name), number, line


@contextmanager
def open_document(name: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for `-`, such that it can be read again from its start.

    Raises as `read_document` does, for all that is read inside too.
    """
    import tempfile  # noqa: PLC0415 - used here alone

    with file_errors(place_of(name)):
        if name != STDIN:
            with Path(name).open("rb") as file:
                if file.seekable() and not is_compressed(file.peek()):
                    yield file
                    return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
            for block in whole_blocks(name, input_descriptor):
                kept.write(block)
            kept.seek(0)
            yield cast("BinaryIO", kept)
