"""Connections to mail servers (RFC 5321): logging in, and many mails over each."""

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
from typing import NamedTuple

from msgspec import Struct

from notifycli.delivery.channels import Delivered, Later, Outcome, Refused
from notifycli.delivery.email_message import Mail
from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.secrets.token_format import Secret

SECONDS = 30.0
"""How long a server may take to answer; longer than any that is well takes."""
AUTHENTICATION_NEEDED = frozenset({530, 534, 535, 538})
"""RFC 4954, 6: it isn't the mail that is wrong."""
_CLOSING = 421
_GOOD = range(200, 300)
_LONGEST = 300
_AUTHENTICATED = 235
_PERMANENT = 500

Watch = Callable[[str], None]
"""Is told each step, in words."""


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


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


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


def ignore_line(_: str) -> None:
    """Tell nobody."""


def connect(server: MailServer, watch: Watch) -> smtplib.SMTP:
    """Connect, and wait until the server says who it is. Raises what smtplib raises."""
    start = time.perf_counter()
    # smtplib would ask the DNS for our own name, for as long as that takes.
    where = (server.host, server.port, "localhost")
    if server.security is Security.TLS:
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=server.seconds, context=context)
    else:
        smtp = smtplib.SMTP(*where, timeout=server.seconds)
    smtp.local_hostname = _own_name(socket_of(smtp))
    took = (time.perf_counter() - start) * 1000
    watch(f"connected to {server.name} in {took:.0f} ms")
    return smtp


def greet(smtp: smtplib.SMTP, server: MailServer, watch: Watch) -> None:
    """Encrypt and log in, as the server is talked to.

    Raises what smtplib raises, and `ConfigurationError`.
    """
    smtp.ehlo_or_helo_if_needed()
    if server.security is Security.STARTTLS:
        if not smtp.has_extn("starttls"):
            raise ConfigurationError(
                f"{server.name} offers no STARTTLS",
                "has it TLS from the start? notifycli config set smtp.security=tls",
            )
        smtp.starttls(context=ssl.create_default_context())
        smtp.ehlo_or_helo_if_needed()
    watch(_encryption(socket_of(smtp)))
    _log_in(smtp, server, watch)


def _log_in(smtp: smtplib.SMTP, server: MailServer, watch: Watch) -> None:
    user, password = server.username, server.password
    if user is None or password is None:
        watch("not logged in: smtp.username is not set")
        return
    offered = str(smtp.esmtp_features.get("auth", "")).upper().split()
    if not offered:
        raise ConfigurationError(
            f"{server.name} offers no authentication",
            "if it needs none: notifycli config unset smtp.username",
        )
    reply = _authenticate(smtp, server, offered, user, password.reveal())
    if reply.code >= _PERMANENT:
        raise ConfigurationError(
            f"{server.name} refuses the login of {user}: {reply}",
            "notifycli config set smtp.username=… ; notifycli config set smtp.password",
        )
    if reply.code != _AUTHENTICATED:
        raise smtplib.SMTPResponseException(reply.code, reply.words)
    watch(f"logged in as {user}: {reply}")


def _authenticate(
    smtp: smtplib.SMTP, server: MailServer, offered: list[str], user: str, password: str
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
            f"{server.name} wants a login by {', '.join(offered)}, which isn't known here",
            "many servers have passwords for programs (app passwords): use one with PLAIN",
        ) from None


def socket_of(smtp: smtplib.SMTP) -> socket.socket:
    """Give what it talks over. Raises `SMTPServerDisconnected` where that is closed."""
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


_MAILS = 100
"""On one connection: more than that, and many servers end it in their own way."""
_GOODBYE_SECONDS = 2.0
_GO_ON = 354
_TOO_BIG = 552
_NO_MAILBOX = frozenset({550, 551, 553})
_DOT = re.compile(rb"^\.", re.MULTILINE)


class MailConnection:
    """Opens when it is needed, and again where the server has ended it. One thread at a time."""

    def __init__(self, server: MailServer, watch: Watch = ignore_line) -> None:
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
    # A reply without a code, for which smtplib has -1, is none.
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
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
