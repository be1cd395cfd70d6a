"""Certificates, and a sender of mails, for the tests of the channels."""

from __future__ import annotations

import pytest

from .mail_server import Certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """The certificate, where it is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    return certificate
