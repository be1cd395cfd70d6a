"""The vault's isolation, and a command that keeps its secrets in an encrypted file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notifycli.secrets import encrypted_file as sealed
from notifycli.secrets.private_file import replace_private
from tests.secrets.conftest import bus, home, screen, unlocked

from .harness import PASSPHRASE, MemoryKeychain, Program, life_of, store_with_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from notifycli.secrets.token_service import TokenService
    from notifycli.store.store import Store
    from tests.conftest import Notifycli
    from tests.forked import Forker

__all__ = ["bus", "home", "screen", "unlocked"]

FOREIGN = (
    *("NOTIFYCLI_USER", "NOTIFYCLI_ACCOUNT", "NOTIFYCLI_DB", "NO_COLOR", "COLUMNS"),
    *("PYTHONPATH", "SHELL"),
)


@pytest.fixture(autouse=True)
def own_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in FOREIGN:
        monkeypatch.delenv(variable, raising=False)
    temporary = home / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))


@pytest.fixture
def file_keyring(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An empty one whose passphrase costs next to nothing to try: 0.2 s a command add up.
    cheap = sealed.Derivation(salt=b"0" * 16, n=2, r=1, p=1)
    replace_private(
        home / ".local/share/notifycli/keychain.json",
        sealed.seal({}, sealed.derive(PASSPHRASE, cheap)),
    )
    passphrase = home / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(f"{PASSPHRASE}\n", encoding="ascii")
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(passphrase))


@pytest.fixture
def program(home: Path, notifycli: Notifycli, forker: Forker) -> Program:
    return Program(home, notifycli, forker)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_with_users(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture
def keychain() -> MemoryKeychain:
    return MemoryKeychain()


@pytest.fixture
def life(store: Store, keychain: MemoryKeychain) -> TokenService:
    return life_of(store, keychain)


@pytest.fixture
def team(program: Program) -> Program:
    for email in ("jane@example.com", "omar@example.com"):
        assert program("user", "add", email).status == 0
    return program
