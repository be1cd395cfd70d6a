"""One connection to a mail server, over which many mails go (RFC 5321)."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from contextlib import suppress

from notifycli.delivery.channel import Delivered, Later, Outcome, Refused
from notifycli.delivery.email.email_message import Mail
from notifycli.delivery.email.smtp_login import (
    AUTHENTICATION_NEEDED,
    MailServer,
    Reply,
    Watch,
    connect,
    greet,
    read_reply,
    socket_of,
    unwatched,
)
from notifycli.errors import ConfigurationError, UnavailableError

_MAILS = 100
"""On one connection: more than that, and many servers end it in their own way."""
_GOODBYE_SECONDS = 2.0
_GO_ON = 354
_PERMANENT = 500
_TOO_BIG = 552
_NO_MAILBOX = frozenset({550, 551, 553})
_DOT = re.compile(rb"^\.", re.MULTILINE)


class MailConnection:
    """Opens when it is needed, and again where the server has ended it. One thread at a time."""

    def __init__(self, server: MailServer, watch: Watch = unwatched) -> None:
        self._server = server
        self._watch = watch
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0
        self._lock = threading.Lock()
        self._under_way = False
        self._aborted = False

    def open(self) -> None:
        """Connect, encrypt and log in.

        Raises `ConfigurationError` for what only a change of settings mends, `UnavailableError`
        for what may be well another time.
        """
        server = self._server
        try:
            smtp = self._smtp = connect(server, self._watch)
            if self._aborted:
                raise smtplib.SMTPServerDisconnected  # noqa: TRY301 - as if the server had
            greet(smtp, server, self._watch)
        except ssl.SSLCertVerificationError as error:
            self._drop()
            raise ConfigurationError(
                f"{server.name}: its certificate is not trusted: {error.verify_message}",
                f"is {server.host} the name in the certificate? A certificate authority of your "
                "own is named by SSL_CERT_FILE",
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise UnavailableError(
                f"{server.name}: {trouble_in_words(error, server.seconds)}",
                "are smtp.host, smtp.port and smtp.security right?",
            ) from None
        except BaseException:
            self._drop()
            raise
        self._sent = 0

    def send(self, mail: Mail) -> Outcome:
        """Hand a mail over; a connection that has gone stale is opened anew, once.

        Raises what `open` raises.
        """
        if self._sent >= _MAILS:
            self.close()
        stale = self._smtp is not None
        try:
            return self._transact(mail)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            if not stale or is_timeout(error) or self._aborted:
                return self._later(error)
        try:
            return self._transact(mail)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return self._later(error)

    def close(self) -> None:
        """Say goodbye, as far as somebody listens."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                socket_of(smtp).settimeout(_GOODBYE_SECONDS)
                smtp.quit()
            smtp.close()

    def give_up(self) -> bool:
        """End it, from any thread, unless the server has heard of the mail that is being sent.

        Gives whether it has ended. Where it hadn't been opened yet, the thread that does so may
        wait on, but no mail goes over it.
        """
        with self._lock:
            if self._under_way:
                return False
            self._aborted = True
        self.abort()
        return True

    def abort(self) -> None:
        """End it at once, from any thread; whoever waits for the server stops waiting."""
        self._aborted = True
        smtp = self._smtp
        if smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                socket_of(smtp).shutdown(socket.SHUT_RDWR)

    def _transact(self, mail: Mail) -> Outcome:
        """Do one mail transaction (RFC 5321, 3.3)."""
        self._under_way = False
        if self._smtp is None:
            self.open()
        smtp = self._smtp
        with self._lock:
            if smtp is None or self._aborted:
                raise smtplib.SMTPServerDisconnected
            self._under_way = True
        if mail.needs_utf8 and not smtp.has_extn("smtputf8"):
            return Refused(
                f"{self._server.name} takes ASCII addresses alone (no SMTPUTF8), "
                f"not {mail.recipient} from {mail.sender}",
                "use another address, or a server that has SMTPUTF8 (RFC 6531)",
            )
        options = f" SIZE={len(mail.content)}" if smtp.has_extn("size") else ""
        options += " SMTPUTF8 BODY=8BITMIME" if mail.needs_utf8 else ""
        commands = (
            f"MAIL FROM:<{mail.sender}>{options}",
            f"RCPT TO:<{mail.recipient}>",
            "DATA",
        )
        self._sent += 1
        if fault := self._envelope(smtp, commands):
            return fault
        smtp.send(_DOT.sub(b"..", mail.content) + b".\r\n")
        try:
            reply = Reply(*smtp.getreply())
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return self._later(error, "; it may have taken the mail")
        if reply.is_good:
            self._watch(f"the server took the mail: {reply}")
            return Delivered(f"{mail.message_id} {reply}")
        return self._outcome("DATA", reply)

    def _envelope(self, smtp: smtplib.SMTP, commands: tuple[str, str, str]) -> Outcome | None:
        """Say who it is from and for; give what came of it, if that was no request to go on."""
        replies: list[Reply] = []
        if smtp.has_extn("pipelining"):
            # One round trip in the place of three (RFC 2920, 3.1).
            smtp.send("".join(f"{command}\r\n" for command in commands).encode())
            replies = [Reply(*smtp.getreply()) for _ in commands]
        else:
            for command in commands:
                replies.append(read_reply(smtp, command))
                if not (replies[-1].is_good or replies[-1].code == _GO_ON):
                    break
        for command, reply in zip(commands, replies, strict=False):
            if reply.is_good:
                self._watch(f"{command.partition(' SIZE=')[0]}: {reply}")
            elif reply.code != _GO_ON:
                self._reset(smtp, replies[-1])
                return self._outcome(command.partition(" ")[0], reply)
        return None

    def _reset(self, smtp: smtplib.SMTP, last: Reply) -> None:
        """Take the transaction back, so that the connection is good for the next mail."""
        if last.code == _GO_ON:  # the server wants a mail for no recipient; give it an empty one
            smtp.send(b".\r\n")
            smtp.getreply()
        read_reply(smtp, "RSET")

    def _outcome(self, command: str, reply: Reply) -> Outcome:
        why = f"{self._server.name} said to {command}: {reply}"
        if reply.is_closing:
            self._drop()
        if reply.code in AUTHENTICATION_NEEDED:
            return Later(f"{why}; set smtp.username and smtp.password")
        if reply.code < _PERMANENT:
            return Later(why)
        return Refused(why, remedy_for(command, reply))

    def _later(self, error: Exception, more: str = "") -> Later:
        why = trouble_in_words(error, self._server.seconds)
        return Later(f"{self._server.name}: {why}{more}")

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


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
