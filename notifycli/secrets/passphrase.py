"""The passphrase of the encrypted file: from a private file, or typed unseen."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from notifycli.errors import DataError, InputMissingError, UnavailableError
from notifycli.secrets.private_file import read_private
from notifycli.secrets.token_format import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PASSPHRASE_FILE = "NOTIFYCLI_KEYRING_PASSPHRASE_FILE"  # noqa: S105 - a variable's name


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


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Where the passphrase comes from: the file, if one is named, else `ask`."""

    file: Path | None
    ask: Callable[[str], str] = ask_on_terminal

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Passphrase:
        """Return the source that the environment names; the passphrase itself is never in it."""
        named = environ.get(PASSPHRASE_FILE)
        return cls(Path(os.path.expanduser(named)) if named else None)

    @property
    def asks(self) -> bool:
        """Whether a person has to type it."""
        return self.file is None

    def read(self, *, new: bool) -> Secret:
        """Return the passphrase; a `new` one is asked for twice.

        Raises `DataError` for an empty one or two that differ, `InputMissingError`,
        `NotPermittedError`, `ConfigurationError` for a file that is missing, unreadable or open to
        others, `UnavailableError` without file and terminal.
        """
        text = self._typed(new) if self.file is None else self._written(self.file)
        if not text:
            raise DataError("the keyring's passphrase is empty", "Choose a long one.")
        return Secret(text)

    def _typed(self, new: bool) -> str:
        text = self.ask("Passphrase of the keyring: " if not new else "New passphrase: ")
        if new and text and self.ask("The same again: ") != text:
            raise DataError("the two passphrases differ", "Nothing was stored. Try again.")
        return text

    def _written(self, file: Path) -> str:
        raw = read_private(file)
        if raw is None:
            raise InputMissingError(
                f"the passphrase file {file} is missing",
                f"Make it with mode 600, or name another in {PASSPHRASE_FILE}.",
            )
        try:
            return raw.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise DataError(f"the passphrase file {file} isn't text in UTF-8") from None
