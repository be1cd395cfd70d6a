"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chatwoot.database import Postgres, postgres
from tests.conftest import kept_port
from tests.server.certificates import make_certificate

NAME = "desk.test"
"""Whom its certificate names."""


@pytest.fixture(autouse=True)
def _quick_stores() -> None:
    """Let stores be made by their migrations, and written to the disk: that is what is tested."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """A server with a certificate, on loopback; skipped where it or its driver is missing."""
    pytest.importorskip("psycopg2", reason="needs psycopg2")
    # Not pytest's own folder: a socket's path is short, and PostgreSQL's own user has to reach it.
    with tempfile.TemporaryDirectory(prefix="notifycli-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        certificate = make_certificate(place, f"DNS:{NAME}")
        if os.geteuid() == 0 and shutil.which("psql"):
            shutil.chown(certificate.key, "postgres")
        files = f"-c ssl_cert_file={certificate.cert} -c ssl_key_file={certificate.key}"
        settings = f"-c listen_addresses=127.0.0.1 -c ssl=on {files}"
        with kept_port() as port, postgres(place / "pg", port, settings) as running:
            yield running
