"""Standard input, output and error: each may be closed, or unable to write a sign.

Everything that a command reads, prints or tells goes through here.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import typer

from notifycli.errors import DataError, InputMissingError, TryAgainError
from notifycli.text import printable

_LONGEST_INPUT = 1 << 16
_SIGNS = {
    "✓": "yes",
    "✗": "no",
    "→": "->",
    "█": "#",
    "▓": "+",
    "▒": "=",
    "░": "-",
    "│": "|",
    "─": "-",
    "·": ".",
    "…": "...",
}
"""What our own signs become where an encoding has none of them; no two that differ look the same.

The shades of a bar and of the map stay one cell wide.
"""
_REPLACE = "notifycli-signs"
_held: list[bytes] | None = None
"""What a pager may be going to show."""


def prepare_streams() -> None:
    """Have each stream write what its encoding has, and no file take the place of a closed one.

    A store that was opened as descriptor 2 would be written into by whatever reports an error.
    The place is held the wrong way round, such that reading or writing there stays an error.
    """
    for descriptor, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            # It asks where in a file the stream is, which by now may be a pipe.
            with suppress(OSError):
                stream.reconfigure(errors=_REPLACE)


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is there and leads to a terminal."""
    return stream is not None and stream.isatty()


def write_output(data: bytes) -> None:
    """Write to standard output.

    A reader that has gone away ends the program quietly. Raises `TryAgainError` where the output
    can't be written, to a full disk for one.
    """
    if sys.stdout is None:
        raise TryAgainError("standard output is closed")
    if _held is not None:
        _held.append(data)
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(0) from None
        raise TryAgainError(f"standard output can't be written: {error.strerror}") from None


def discard(stream: TextIO) -> None:
    """Let what is still buffered go nowhere: without this, the interpreter would end with 120."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def pager() -> Iterator[None]:
    """Have what is written meanwhile shown by a pager, where it is longer than the terminal.

    That is the one which `NOTIFYCLI_PAGER` or `PAGER` names; with neither there is none.
    """
    global _held  # noqa: PLW0603 - standard output is one for the whole program, too
    command = os.environ.get("NOTIFYCLI_PAGER", os.environ.get("PAGER", ""))
    if _held is not None or not is_terminal(sys.stdout) or command in {"", "cat"}:
        yield
        return
    held = _held = []
    try:
        yield
    finally:
        _held = None
        text = b"".join(held)
        height = os.get_terminal_size(sys.stdout.fileno()).lines
        if text.count(b"\n") < height or not _show_by(command, text):
            write_output(text)


def _show_by(command: str, text: bytes) -> bool:
    """Show a text by a pager; whether there is one of this name."""
    import shlex  # noqa: PLC0415 - few have so much to show
    import subprocess  # noqa: PLC0415 - the same

    # As git has it: colours as they are, and what fits is left on the screen.
    environment = {"LESS": "FRX", **os.environ}
    try:
        subprocess.run(shlex.split(command), input=text, env=environment, check=False)  # noqa: S603 - the user's own
    except (OSError, ValueError):
        return False
    return True


def is_utf_8(text: str) -> bool:
    """Tell whether a text can be stored; an argument may hold bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_COMMAND = re.compile(r"\bnotifycli [a-z](?:(?!notifycli |[,:)] )[^;\n])*")
"""A command within a text, with its options and arguments."""
_SPACES_WITHIN = re.compile(r" (?=\S)")
_GLUE = "\0"
"""Stands for the spaces of a command while a line is broken."""


def print_error(text: str) -> None:
    """Write a line, or several, to standard error, free of control characters."""
    if sys.stderr is None:
        return
    safe = "\n".join(map(_fold, map(printable, text.split("\n"))))
    try:
        sys.stderr.write(f"{safe}\n")
        sys.stderr.flush()
    except OSError:
        # Whoever has stopped listening to the talk may still want the data.
        discard(sys.stderr)


def _fold(line: str) -> str:
    """Break a line between words where it is too long for the terminal; commands stay whole."""
    if not is_terminal(sys.stderr):
        return line
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return line
    if len(line) < width or not width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return filled(line.strip(), width - 1, indent, f"{indent}  ")


def filled(line: str, width: int, first: str = "", others: str = "") -> str:
    """Break a line between words, but no command, so that it can be pasted as it is.

    What is longer than a line is left to the terminal; `first` and `others` begin the lines.
    """
    import textwrap  # noqa: PLC0415 - most lines fit

    whole = _COMMAND.sub(lambda command: _SPACES_WITHIN.sub(_GLUE, command[0]), line)
    return textwrap.fill(
        whole,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace(_GLUE, " ")


def leave_line() -> None:
    """Begin a new line on a terminal, where Ctrl-C has left `^C` or a prompt on the last one."""
    if is_terminal(sys.stderr):
        print_error("")


def input_descriptor() -> int:
    """Return the descriptor of standard input. Raises `InputMissingError` if it is closed."""
    if sys.stdin is None:
        raise InputMissingError("standard input is closed", "name a file, or pipe something in")
    return sys.stdin.fileno()


def read_input(most: int) -> bytes:
    """Read at most so many bytes of standard input. Raises `InputMissingError`."""
    input_descriptor()
    return sys.stdin.buffer.read(most)


def encode(text: str, encoding: str) -> bytes:
    """Encode a text, with what the encoding hasn't replaced by what it has."""
    return text.encode(encoding, errors=_REPLACE)


def read_secret(prompt: str, what: str, example: str) -> str:
    """Read a secret from standard input, unseen on a terminal, without the white space around it.

    Nor does the byte order mark belong to it that PowerShell puts before what it pipes.

    Raises `DataError` for nothing, with `example` as the way to pipe it, and for what isn't text.
    """
    if is_terminal(sys.stdin):
        import getpass  # noqa: PLC0415 - only a terminal needs it

        try:
            text = getpass.getpass(prompt)
        except EOFError:
            text = ""
    else:
        try:
            text = read_input(_LONGEST_INPUT).decode("utf-8-sig")
        except UnicodeDecodeError:
            # Not even from that error's context: it holds what was read.
            text = "\N{REPLACEMENT CHARACTER}"
    if not text.strip():
        raise DataError(f"no {what} came from standard input", f"pipe it: {example}")
    return text.strip()


def ask(question: str, default: str) -> str:
    """Ask on a terminal; Enter alone, or the end of what is typed, is the default."""
    print_error(f"{question} [{default}]")
    answer = sys.stdin.buffer.readline().decode("utf-8", "replace").strip()
    return answer or default


def confirm(question: str) -> None:
    """Ask on a terminal. Raises `typer.Abort` for anything but a yes."""
    print_error(f"{question} [y/N]")
    if sys.stdin.buffer.readline().strip().lower() not in (b"y", b"yes"):
        raise typer.Abort


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """Spell out our own signs, take accents off letters, and put `?` for the rest."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    if error.encoding == "utf-8":  # It lacks but halves of pairs, as which names have odd bytes.
        return "\N{REPLACEMENT CHARACTER}".encode() * (error.end - error.start), error.end
    import unicodedata  # noqa: PLC0415 - few terminals need it

    spelt = []
    for char in error.object[error.start : error.end]:
        bare = unicodedata.normalize("NFKD", char)[:1]
        spelt.append(_SIGNS.get(char) or (bare if bare.isascii() else "?"))
    return "".join(spelt), error.end


codecs.register_error(_REPLACE, _replace)
