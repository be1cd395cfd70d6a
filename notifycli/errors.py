"""The errors a user can meet: each carries its exit status and, where there is one, the way out.

The statuses are sysexits.h's, as far as it has one (65 `EX_DATAERR`, 66 `EX_NOINPUT`,
69 `EX_UNAVAILABLE`, 75 `EX_TEMPFAIL`, 77 `EX_NOPERM`, 78 `EX_CONFIG`).
"""

from __future__ import annotations

from typing import ClassVar


class NotifycliError(Exception):
    """An error told to the user as `message` and, on a line of its own, `hint`.

    Neither may ever hold a secret: both reach the terminal and logs.
    """

    status: ClassVar[int] = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(NotifycliError):
    """The command was called in a way that can't be carried out; an unknown name, for one."""

    status = 2


class DataError(NotifycliError):
    """Input data are wrong."""

    status = 65


class InputMissingError(NotifycliError):
    """An input file is missing or can't be read."""

    status = 66


class UnavailableError(NotifycliError):
    """A service that is needed isn't available: keyring, clipboard, mail server, Chatwoot."""

    status = 69


class TryAgainError(NotifycliError):
    """Something is busy now and will be free later, such as a locked store."""

    status = 75


class NotPermittedError(NotifycliError):
    """It may not be done: a locked preference, a refused token, a read-only store."""

    status = 77


class ConfigurationError(NotifycliError):
    """The program's own set-up is wrong: a store of a newer version, a file that is no store."""

    status = 78
