"""A mail server: which one it is, what it replies, and how a connection to it is opened."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple

from msgspec import Struct

from notifycli.errors import ConfigurationError
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


def unwatched(_: str) -> None:
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
