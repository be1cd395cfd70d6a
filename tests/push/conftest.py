"""A keyring of its own, a desk whose push is set up, and a push service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from notifycli.secrets import encrypted_file as sealed
from notifycli.secrets.private_file import replace_private
from tests.conftest import Notifycli
from tests.push.receiver import UserAgent
from tests.push.service import PushService


@pytest.fixture(autouse=True)
def _keyring_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its passphrase costs next to nothing to try: 0.2 s a command add up.
    cheap = sealed.Derivation(salt=b"0" * 16, n=2, r=1, p=1)
    replace_private(tmp_path / "keychain", sealed.seal({}, sealed.derive("correct horse", cheap)))
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse")
    passphrase.chmod(0o600)
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(tmp_path / "keychain"))
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(passphrase))


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running


_READY: dict[str, bytes] = {}
"""The store and the keychain of `ready`, once they were made."""


@pytest.fixture
def ready(desk: Notifycli, tmp_path: Path) -> Notifycli:
    """The program with a desk, a push key, and an address to ask about pushes."""
    places = {"store": desk.store, "keychain": tmp_path / "keychain"}
    if _READY:
        for name, place in places.items():
            replace_private(place, _READY[name])
    else:
        desk.ok("push", "keys", "generate")
        desk.ok("config", "set", "push.subject=mailto:desk@example.com")
        _READY.update({name: place.read_bytes() for name, place in places.items()})
    return desk


def subscribe(
    ready: Notifycli, endpoint: str, agent: UserAgent | None = None, user: str = "7"
) -> UserAgent:
    """Subscribe a browser to a service on loopback."""
    agent = agent or UserAgent()
    given = agent.subscription(endpoint)
    ready.ok("push", "add", "-u", user, "--allow-loopback", stdin=given)
    return agent
