"""What a mail server says, in words that help (RFC 5321, 4.2; RFC 3463)."""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import NamedTuple

AUTHENTICATION_NEEDED = frozenset({530, 534, 535, 538})
"""RFC 4954, 6: it isn't the mail that is wrong."""
_CLOSING = 421
_GOOD = range(200, 300)
_LONGEST = 300
_TOO_BIG = 552
_NO_MAILBOX = frozenset({550, 551, 553})


class Reply(NamedTuple):
    """One reply."""

    code: int
    text: bytes | str

    @property
    def words(self) -> str:
        """What it says, in one line of harmless characters."""
        text = self.text.decode("utf-8", "replace") if isinstance(self.text, bytes) else self.text
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

    @property
    def is_good(self) -> bool:
        """Whether the command was carried out."""
        return self.code in _GOOD

    @property
    def is_closing(self) -> bool:
        """Whether the server ends the connection with it."""
        return self.code == _CLOSING

    def __str__(self) -> str:
        return f"{self.code} {self.words}"


def read_reply(smtp: smtplib.SMTP, command: str) -> Reply:
    """Say a command and give the reply. Raises smtplib's and the system's errors."""
    smtp.send(f"{command}\r\n".encode())
    return Reply(*smtp.getreply())


def remedy_for(command: str, reply: Reply) -> str:
    """Give what to do about a command that was refused for good."""
    if command == "MAIL":
        return "may this server send for that sender? notifycli config set email.sender=…"
    if command == "RCPT":
        return "is the user's address right? See: notifycli user list"
    if reply.code == _TOO_BIG:
        return "the mailbox is full, or the mail too big for the server"
    if reply.code in _NO_MAILBOX:
        return "is the user's address right, and may this server send for email.sender?"
    return "ask who runs the mail server what it has against the mail"


def is_timeout(error: BaseException) -> bool:
    """Whether the server was too slow; smtplib tells that as a disconnection."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def trouble_in_words(error: Exception, seconds: float) -> str:
    """Say why there is no talking to a server."""
    if is_timeout(error):
        return f"no answer within {seconds:g} s"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the server answered: {Reply(error.smtp_code, error.smtp_error)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'the server ended the connection'}"
    words = next((words for kind, words in _TROUBLES if isinstance(error, kind)), "")
    return words or f"{error.strerror if isinstance(error, OSError) else error}".lower()


_TROUBLES: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPServerDisconnected, "the server ended the connection"),
    (smtplib.SMTPException, "the server doesn't speak SMTP there"),
    (ConnectionRefusedError, "nothing listens there"),
    (ConnectionError, "the server ended the connection"),
    (socket.gaierror, "no machine of this name is known"),
)
