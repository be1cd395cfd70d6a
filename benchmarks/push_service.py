"""The least of a push service: it answers each request 201 over TLS, after a while if asked to."""

from __future__ import annotations

import asyncio
import multiprocessing
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Service:
    """A service that runs in a process of its own."""

    address: str
    certificate: Path
    taken: Any
    """A shared counter: how many pushes it has answered."""


@contextmanager
def service(folder: Path, seconds: float) -> Iterator[Service]:
    """Run a service that takes so many seconds for each push."""
    certificate = folder / "certificate.pem"
    if not certificate.exists():
        _certify(certificate)
    spawn = multiprocessing.get_context("spawn")
    taken = spawn.Value("q", 0)
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(certificate, seconds, taken, theirs), daemon=True)
    process.start()
    try:
        yield Service(f"https://127.0.0.1:{ours.recv()}/push", certificate, taken)
    finally:
        process.terminate()
        process.join()
        ours.close()


def _serve(certificate: Path, seconds: float, taken: Any, ready: Connection) -> None:
    asyncio.run(_listen(certificate, seconds, taken, ready))


async def _listen(certificate: Path, seconds: float, taken: Any, ready: Connection) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Taking(seconds, taken), "127.0.0.1", 0, ssl=context, backlog=1000
    )
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Taking(asyncio.Protocol):
    def __init__(self, seconds: float, taken: Any) -> None:
        self._seconds = seconds
        self._taken = taken
        self._pending = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            length = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)
            if len(self._pending) < end + 4 + length:
                return
            self._pending = self._pending[end + 4 + length :]
            asyncio.get_running_loop().call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        with self._taken.get_lock():
            self._taken.value += 1
        self._transport.write(_CREATED)


def _certify(path: Path) -> None:
    """Make a certificate of this machine, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, *form)
    )
