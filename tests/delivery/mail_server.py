"""A mail server of the tests' own: what it is to do is scripted, what it got is kept."""

from __future__ import annotations

import asyncio
import datetime as dt
import smtplib
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import kept_port

HANG = "hang"
CLOSE = "close"
USER, PASSWORD = "desk", "pässword-of-the-desk"


@dataclass
class Received:
    """One mail as it arrived."""

    sender: str
    recipients: list[str]
    options: list[str]
    message: EmailMessage
    encrypted: bool
    login: str | None
    connection: int


@dataclass
class Post:
    """What the server is to do, and what it got. Replies are by command, or by an address."""

    replies: Mapping[str, str] = field(default_factory=dict)
    pipelining: bool = True
    closes_after: int = 0
    """Mails, after which it ends a connection."""
    received: list[Received] = field(default_factory=list)
    connections: list[Session] = field(default_factory=list)
    resets: int = 0
    port: int = 0
    hangs: threading.Event = field(default_factory=threading.Event)
    """Set once it lets somebody wait."""
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Can be had once for each connection that it has ended."""

    async def _scripted(self, server: SMTP, *occasions: str) -> str | None:
        for occasion in occasions:
            reply = self.replies.get(occasion)
            if reply == HANG:
                self.hangs.set()
                await asyncio.sleep(60)
            if reply == CLOSE:
                _transport(server).abort()
            if reply:
                return reply
        return None

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, session: Session, __: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if session not in self.connections:
            self.connections.append(session)
        more = ["250-PIPELINING"] if self.pipelining else []
        return [*responses[:-1], *more, responses[-1]]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := await self._scripted(server, "MAIL", address):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender fine"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, __: list[str]
    ) -> str:
        if reply := await self._scripted(server, "RCPT", address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient fine"

    async def handle_RSET(self, *_: object) -> str:  # noqa: N802
        self.resets += 1
        return "250 2.0.0 reset"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if reply := await self._scripted(server, "DATA"):
            return reply
        content = envelope.content
        assert isinstance(content, bytes)
        assert b"\r" not in content.replace(b"\r\n", b"")
        assert b"\n" not in content.replace(b"\r\n", b"")
        utf8 = "SMTPUTF8" in envelope.mail_options
        message = message_from_bytes(content, policy=SMTPUTF8 if utf8 else SMTP_POLICY)
        assert isinstance(message, EmailMessage)
        login: object = session.auth_data
        self.received.append(
            Received(
                sender=str(envelope.mail_from),
                recipients=list(envelope.rcpt_tos),
                options=envelope.mail_options,
                message=message,
                encrypted=_transport(server).get_extra_info("sslcontext") is not None,
                login=login.login.decode() if isinstance(login, LoginPassword) else None,
                connection=self.connections.index(session),
            )
        )
        if self.closes_after and len(self.received) % self.closes_after == 0:
            asyncio.get_running_loop().call_later(0.05, self._close, _transport(server))
        return f"250 2.0.0 taken as {len(self.received)}"

    def _close(self, transport: asyncio.WriteTransport) -> None:
        transport.close()
        # Once the socket is closed, which is next in turn.
        asyncio.get_running_loop().call_soon(self.closed.release)


def _transport(server: SMTP) -> asyncio.WriteTransport:
    assert isinstance(server.transport, asyncio.WriteTransport)
    return server.transport


def hurry(monkeypatch: pytest.MonkeyPatch, command: str, seconds: float = 0.1) -> None:
    """Let clients wait so long for an answer to this command; to any other, as long as they do."""
    send = smtplib.SMTP.send

    def sent(smtp: smtplib.SMTP, data: Any) -> None:
        said = data if isinstance(data, bytes) else data.encode()
        is_content = said.endswith(b"\r\n.\r\n")
        if smtp.sock and (is_content if command == "DATA" else said.startswith(command.encode())):
            smtp.sock.settimeout(seconds)
        send(smtp, data)

    monkeypatch.setattr(smtplib.SMTP, "send", sent)


@contextmanager
def serving(
    post: Post,
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: bool = False,
    smtputf8: bool = True,
    port: int | None = None,
) -> Iterator[Post]:
    """Run a mail server on the loopback address."""
    options: dict[str, Any] = {"enable_SMTPUTF8": smtputf8, "hostname": "127.0.0.1"}
    if starttls:
        options |= {"tls_context": starttls, "require_starttls": True}
    if tls:
        options |= {"ssl_context": tls}
    if login:
        options |= {"authenticator": _authenticate, "auth_required": True}
        options |= {"auth_require_tls": bool(starttls)}
    with ExitStack() as stack:
        post.port = port or stack.enter_context(kept_port())
        controller = Controller(post, port=post.port, ready_timeout=60, **options)
        # Also where it takes too long to start.
        stack.callback(controller.stop)
        controller.start()
        yield post


def _authenticate(_: SMTP, __: Session, ___: Envelope, mechanism: str, data: Any) -> AuthResult:
    assert mechanism in {"PLAIN", "LOGIN"}
    assert isinstance(data, LoginPassword)
    good = data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False, auth_data=data)


class Certificate:
    """A certificate that says of itself that it is the server's, for `name`."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mail server")])
        now = dt.datetime.now(dt.UTC)
        alternative: x509.GeneralName = (
            x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        )
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret = folder / f"{name}.key"
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.path, secret)
