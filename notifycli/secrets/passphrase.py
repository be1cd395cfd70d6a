"""The passphrase of the encrypted file: from a file or an open descriptor, or typed unseen."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from notifycli.errors import ConfigurationError, DataError, InputMissingError, UnavailableError
from notifycli.secrets.private_file import read_given
from notifycli.secrets.token_format import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PASSPHRASE_FILE = "NOTIFYCLI_KEYRING_PASSPHRASE_FILE"  # noqa: S105 - a variable's name
PASSPHRASE_FD = "NOTIFYCLI_KEYRING_PASSPHRASE_FD"  # noqa: S105 - as above
_MOST = 1 << 16
_DIGITS = 6


def ask_on_terminal(prompt: str) -> str:
    """Return what is typed on the terminal, unseen; standard input stays free for data.

    Raises `UnavailableError` without a terminal: `getpass` would then echo what is typed.
    """
    if sys.platform != "win32":
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError:
            raise UnavailableError(
                "there is no terminal to type the keyring's passphrase on",
                f"Write it to a file of mode 600 and type: export {PASSPHRASE_FILE}=PATH",
            ) from None
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise DataError("no passphrase was typed") from None


@cache
def _piped(descriptor: int) -> bytes:
    """Read what a descriptor was opened on, which can be read once only."""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_MOST)


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Where the passphrase comes from: a descriptor or file, if one is named, else `ask`."""

    file: Path | None
    ask: Callable[[str], str] = ask_on_terminal
    descriptor: int | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Passphrase:
        """Return the source that the environment names; the passphrase itself is never in it.

        Raises `ConfigurationError` for a descriptor that is no number.
        """
        named, number = environ.get(PASSPHRASE_FILE), environ.get(PASSPHRASE_FD)
        if number and not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
            raise ConfigurationError(
                f"{PASSPHRASE_FD} is {number!r}, which is no number of an open descriptor",
                f"Use {PASSPHRASE_FD}=3, and 3< FILE.",
            )
        return cls(
            Path(named).expanduser() if named else None,
            descriptor=int(number) if number else None,
        )

    @property
    def asks(self) -> bool:
        """Whether a person has to type it."""
        return self.file is None and self.descriptor is None

    def read(self, *, new: bool) -> Secret:
        """Return the passphrase; a `new` one is asked for twice.

        Raises `DataError` for an empty one or two that differ, `InputMissingError`,
        `NotPermittedError`, `ConfigurationError` for a file that is missing, unreadable or open to
        others, `UnavailableError` without file and terminal.
        """
        if self.descriptor is not None:
            text = _decoded(self._handed_over(self.descriptor), f"descriptor {self.descriptor}")
        elif self.file is not None:
            text = _decoded(self._written(self.file), str(self.file))
        else:
            text = self._typed(new)
        if not text:
            raise DataError("the keyring's passphrase is empty", "Choose a long one.")
        return Secret(text)

    def _typed(self, new: bool) -> str:
        text = self.ask("Passphrase of the keyring: " if not new else "New passphrase: ")
        if new and text and self.ask("The same again: ") != text:
            raise DataError("the two passphrases differ", "Nothing was stored. Try again.")
        return text

    def _handed_over(self, descriptor: int) -> bytes:
        try:
            return _piped(descriptor)
        except OSError as error:
            raise InputMissingError(
                f"the passphrase can't be read from descriptor {descriptor}: {error.strerror}",
                f"Open it for the command: notifycli … {descriptor}< FILE",
            ) from None

    def _written(self, file: Path) -> bytes:
        raw = read_given(file, os.environ)
        if raw is None:
            raise InputMissingError(
                f"the passphrase file {file} is missing",
                f"Make it with mode 600, or name another in {PASSPHRASE_FILE}.",
            )
        return raw


def _decoded(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"the passphrase in {where} isn't text in UTF-8") from None
