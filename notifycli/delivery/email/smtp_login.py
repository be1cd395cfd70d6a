"""How a connection to a mail server is opened: connected, encrypted, logged in."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
import time
from collections.abc import Callable

from notifycli.delivery.email.smtp_reply import Reply, read_reply
from notifycli.delivery.email.smtp_server import MailServer, Security
from notifycli.errors import ConfigurationError

_AUTHENTICATED = 235
_PERMANENT = 500

Watch = Callable[[str], None]
"""Is told each step, in words."""


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
