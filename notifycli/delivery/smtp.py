"""One connection to a mail server, over which many mails go (RFC 5321)."""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from ipaddress import ip_address

from msgspec import Struct

from notifycli.delivery.channel import Delivered, Later, Outcome, Refused
from notifycli.delivery.email_message import Mail
from notifycli.delivery.smtp_reply import (
    AUTHENTICATION_NEEDED,
    Reply,
    is_timeout,
    read_reply,
    remedy_for,
    trouble_in_words,
)
from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.vault.token import Secret

SECONDS = 30.0
"""How long a server may take to answer; longer than any that is well takes."""
_MAILS = 100
"""On one connection: more than that, and many servers end it in their own way."""
_GOODBYE_SECONDS = 2.0
_GO_ON, _AUTHENTICATED = 354, 235
_PERMANENT = 500
_DOT = re.compile(rb"^\.", re.MULTILINE)


class Security(StrEnum):
    """How a connection is kept from others' eyes."""

    STARTTLS = "starttls"
    """Asked for on a plain connection (RFC 3207)."""
    TLS = "tls"
    """From the first byte on (RFC 8314)."""
    PLAIN = "plain"
    """Not at all: within one machine."""


PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.PLAIN: 25}


class MailServer(Struct, frozen=True):
    """Which mail server, and how it is talked to."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: Secret | None = None
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        """Refuse what would send mails and passwords in the clear over a network."""
        if self.security is Security.PLAIN and not _is_loopback(self.host):
            raise ConfigurationError(
                f"smtp.security is plain, and {self.host} is another machine",
                "plain is for this machine alone: notifycli config set smtp.security=starttls",
            )
        if self.username is not None and self.password is None:
            raise ConfigurationError(
                "smtp.username is set, and there is no password",
                "notifycli config set smtp.password; or, if none is needed: "
                "notifycli config unset smtp.username",
            )

    @property
    def name(self) -> str:
        """How it is named to people."""
        return f"{self.host}:{self.port}"


Watch = Callable[[str], None]
"""Is told each step, in words."""


def unwatched(_: str) -> None:
    """Tell nobody."""


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
            self._connect()
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
        self._under_way = False
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
                _socket(smtp).settimeout(_GOODBYE_SECONDS)
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
                _socket(smtp).shutdown(socket.SHUT_RDWR)

    def _connect(self) -> None:
        server = self._server
        context = ssl.create_default_context()
        start = time.perf_counter()
        # smtplib would ask the DNS for our own name, for as long as that takes.
        where = (server.host, server.port, "localhost")
        if server.security is Security.TLS:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=server.seconds, context=context)
        else:
            smtp = smtplib.SMTP(*where, timeout=server.seconds)
        self._smtp = smtp
        if self._aborted:
            raise smtplib.SMTPServerDisconnected
        smtp.local_hostname = _own_name(_socket(smtp))
        took = (time.perf_counter() - start) * 1000
        self._watch(f"connected to {server.name} in {took:.0f} ms")
        smtp.ehlo_or_helo_if_needed()
        if server.security is Security.STARTTLS:
            if not smtp.has_extn("starttls"):
                raise ConfigurationError(
                    f"{server.name} offers no STARTTLS",
                    "has it TLS from the start? notifycli config set smtp.security=tls",
                )
            smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
        self._watch(_encryption(_socket(smtp)))
        self._log_in(smtp)

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        user, password = self._server.username, self._server.password
        if user is None or password is None:
            self._watch("not logged in: smtp.username is not set")
            return
        offered = str(smtp.esmtp_features.get("auth", "")).upper().split()
        if not offered:
            raise ConfigurationError(
                f"{self._server.name} offers no authentication",
                "if it needs none: notifycli config unset smtp.username",
            )
        reply = self._authenticate(smtp, offered, user, password.reveal())
        if reply.code >= _PERMANENT:
            raise ConfigurationError(
                f"{self._server.name} refuses the login of {user}: {reply}",
                "notifycli config set smtp.username=… ; notifycli config set smtp.password",
            )
        if reply.code != _AUTHENTICATED:
            raise smtplib.SMTPResponseException(reply.code, reply.words)
        self._watch(f"logged in as {user}: {reply}")

    def _authenticate(
        self, smtp: smtplib.SMTP, offered: list[str], user: str, password: str
    ) -> Reply:
        if "PLAIN" in offered or not f"{user}{password}".isascii():
            # smtplib's own takes ASCII alone, and its error would hold the password (RFC 4616).
            initial = base64.b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
            return read_reply(smtp, f"AUTH PLAIN {initial}")
        try:
            return Reply(*smtp.login(user, password))
        except smtplib.SMTPResponseException as error:
            return Reply(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError:
            raise ConfigurationError(
                f"{self._server.name} wants a login by {', '.join(offered)}, "
                "which isn't known here",
                "many servers have passwords for programs (app passwords): use one with PLAIN",
            ) from None

    def _transact(self, mail: Mail) -> Outcome:
        """Do one mail transaction (RFC 5321, 3.3)."""
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


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _socket(smtp: smtplib.SMTP) -> socket.socket:
    if smtp.sock is None:
        raise smtplib.SMTPServerDisconnected
    return smtp.sock


def _own_name(sock: socket.socket) -> str:
    """Give the name for EHLO: the address itself is always a right one (RFC 5321, 4.1.4)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address = str(sock.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _encryption(sock: socket.socket) -> str:
    if not isinstance(sock, ssl.SSLSocket):
        return "not encrypted: within this machine"
    cipher = sock.cipher()
    certificate = sock.getpeercert() or {}
    until = certificate.get("notAfter", "an unknown day")
    return f"encrypted by {sock.version()}, {cipher[0] if cipher else ''}; trusted until {until}"
