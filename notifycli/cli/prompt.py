"""What is typed: a yes, or a secret that is piped in or typed unseen, never an argument."""

from __future__ import annotations

import sys

import typer

from notifycli.cli.terminal import is_terminal, print_error, read_input
from notifycli.errors import DataError

_LONGEST_INPUT = 1 << 16


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
