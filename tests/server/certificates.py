"""A certificate of the tests' own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """Where it and its key are."""

    cert: str
    key: str

    @property
    def options(self) -> tuple[str, ...]:
        return ("--tls-cert", self.cert, "--tls-key", self.key)


def make_certificate(folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Certificate:
    """Make one for 127.0.0.1 and localhost, or for what it is to name."""
    made = Certificate(str(folder / "cert.pem"), str(folder / "key.pem"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", made.key),
            *("-out", made.cert, "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", f"subjectAltName={names}"),
        ],
        check=True,
        capture_output=True,
    )
    return made
