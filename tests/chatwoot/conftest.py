"""A Chatwoot that is running, and the program with a keyring in a file of the test's own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifycli.secrets import encrypted_file as sealed
from notifycli.secrets.private_file import replace_private
from tests.chatwoot.recorded import JANE, OMAR, ROOT, Chatwoot, serving
from tests.conftest import Notifycli

_PASSPHRASE = "CanaryOfThePassphrase"  # noqa: S105 - that's what it is


@pytest.fixture
def chatwoot() -> Iterator[Chatwoot]:
    """A Chatwoot with three users, on loopback."""
    found = Chatwoot()
    with serving(found):
        yield found


@pytest.fixture(autouse=True)
def _keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = sealed.Derivation(salt=b"0" * 16, n=2, r=1, p=1)
    path = tmp_path / "keychain.json"
    replace_private(path, sealed.seal({}, sealed.derive(_PASSPHRASE, cheap)))
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(f"{_PASSPHRASE}\n", encoding="ascii")
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(path))
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(passphrase))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0.001)


@pytest.fixture
def member(notifycli: Notifycli, chatwoot: Chatwoot) -> Notifycli:
    """The program, logged in as an administrator."""
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=ROOT.encode())
    return notifycli


@pytest.fixture
def everybody(member: Notifycli) -> Notifycli:
    """The program, with the tokens of all three users."""
    for token in (JANE, OMAR):
        member.ok("chatwoot", "login", stdin=token.encode())
    return member


@pytest.fixture
def pulled(everybody: Notifycli) -> Notifycli:
    """The program, when all has been pulled."""
    everybody.ok("chatwoot", "pull")
    return everybody
