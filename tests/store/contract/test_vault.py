"""Secrets in the store, sealed: one passphrase, and each host has them all."""

from __future__ import annotations

import base64
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from notifycli.errors import ConfigurationError, NotPermittedError
from notifycli.secrets import encrypted_file
from notifycli.secrets.encrypted_file import Passphrase, StoreVault
from notifycli.secrets.keychain import Keychain, get_secret, open_keychain
from notifycli.secrets.private_file import replace_private
from notifycli.secrets.token_format import Secret
from notifycli.secrets.vapid import PushKeys, public_of
from notifycli.store.settings import SealedVault
from notifycli.store.store import locate, open_store
from tests.conftest import Notifycli
from tests.secrets.test_keychain_contract import Contract

from .engines import Engine

CANARY = "CanaryCanaryCanary"


@pytest.fixture(autouse=True)
def cheap_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """New vaults ask for little work; what they ask for is written in them."""
    derivation = encrypted_file.Derivation(os.urandom(16), n=2, r=1, p=1)
    monkeypatch.setattr(encrypted_file, "new_derivation", lambda: derivation)


def knowing(passphrase: str) -> Passphrase:
    return Passphrase(None, lambda _: passphrase)


class TestVault(Contract):
    @pytest.fixture
    def keychain(self, url: str) -> Keychain:
        return StoreVault(locate(url), knowing("right"))

    @pytest.fixture
    def reopened(self, url: str) -> Keychain:
        return StoreVault(locate(url), knowing("right"))


def test_hosts_that_write_at_the_same_time_lose_nothing(url: str) -> None:
    names = [[f"{host}/{number}" for number in range(5)] for host in range(4)]

    def keep(of_host: list[str]) -> None:
        vault = StoreVault(locate(url), knowing("right"))
        for name in of_host:
            vault.set(name, Secret(name))

    with ThreadPoolExecutor(len(names)) as hosts:
        list(hosts.map(keep, names))
    vault = StoreVault(locate(url), knowing("right"))
    assert all(vault.get(name) == Secret(name) for of_host in names for name in of_host)


def test_only_what_was_seen_is_replaced(url: str) -> None:
    with open_store(url) as one, open_store(url) as other:
        nothing = one.vault.read()
        assert nothing == SealedVault(0, None)
        assert [one.vault.replace(nothing, b"1"), other.vault.replace(nothing, b"2")] == [
            True,
            False,
        ]
        seen = other.vault.read()
        assert seen == SealedVault(1, b"1")
        assert [other.vault.replace(seen, b"3"), one.vault.replace(seen, b"4")] == [True, False]
        assert one.vault.read() == SealedVault(2, b"3")


def test_a_wrong_passphrase_is_refused_and_changes_nothing(engine: Engine, url: str) -> None:
    StoreVault(locate(url), knowing("right")).set("a", Secret(CANARY))
    before = engine.rows(url, "SELECT version, sealed FROM vault")
    wrong = StoreVault(locate(url), knowing("wrong"))
    for call in (partial(wrong.get, "a"), partial(wrong.set, "b", Secret("b"))):
        with pytest.raises(NotPermittedError) as raised:
            call()
        assert raised.value.status == 77
        assert (
            raised.value.message == f"the passphrase doesn't open the vault in {locate(url).name}"
        )
        assert "NOTIFYCLI_KEYRING_PASSPHRASE_FILE" in raised.value.hint
    assert engine.rows(url, "SELECT version, sealed FROM vault") == before
    health = wrong.describe()
    assert (health.works, health.name) == (True, "sealed"), "the doctor asks nobody"


def test_a_damaged_one_is_called_so_before_anyone_types(url: str) -> None:
    with open_store(url) as store:
        assert store.vault.replace(SealedVault(), b"{}")
    with pytest.raises(ConfigurationError, match=r"the vault in .* is damaged"):
        StoreVault(locate(url), Passphrase(None, pytest.fail)).get("a")


def test_a_store_that_is_not_there_yet_is_not_made_by_a_look(tmp_path: Path) -> None:
    vault = StoreVault(locate(tmp_path / "none.db"), Passphrase(None, pytest.fail))
    assert (vault.get("a"), vault.delete("a"), vault.asks) == (None, False, False)
    assert not (tmp_path / "none.db").exists()


@pytest.fixture
def sealed(desk: Notifycli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notifycli:
    """A desk whose secrets are in its store."""
    replace_private(tmp_path / "passphrase", b"right\n")
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "store")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.delenv("NOTIFYCLI_KEYRING_FILE", raising=False)
    return desk


def test_each_host_has_what_one_of_them_has_kept(
    sealed: Notifycli, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = sealed.ok("token", "show", "-u", "7").stdout
    sealed.ok("push", "keys", "generate")
    sealed.ok("config", "set", "smtp.password", stdin=CANARY.encode())
    monkeypatch.setenv("HOME", str(tmp_path / "another host"))
    assert sealed.ok("token", "show", "-u", "7").stdout == token
    with open_store(url) as store:
        keys = PushKeys(store, open_keychain(beside=store.location), lambda: 5)
        assert public_of(keys.private(keys.current())) == keys.current().public_key
        assert get_secret(store, "smtp.password") == Secret(CANARY)
    (found,) = [one for one in sealed("doctor").records if one["check"] == "keyring"]
    assert found == {
        "check": "keyring",
        "status": "ok",
        "found": f"sealed, the vault in {locate(url).name}",
        "meaning": "its passphrase file opens it",
        "fix": "",
    }
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    refused = sealed("token", "show", "-u", "7")
    assert refused.status == 69
    assert refused.stderr == (
        "error: this token's secret is in another keychain, NOTIFYCLI_KEYRING=store\n"
        "  export NOTIFYCLI_KEYRING=store\n"
    )


def test_it_goes_into_a_backup_and_comes_back_sealed(
    sealed: Notifycli, engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sealed.ok("token", "show", "-u", "7").stdout
    sealed.ok("config", "set", "smtp.password", stdin=CANARY.encode())
    assert sealed.ok("backup", "all.backup").stderr == "wrote the store to all.backup\n"
    with zipfile.ZipFile(sealed.folder / "all.backup") as backup:
        content = b"".join(backup.read(name) for name in backup.namelist())
    for secret in (token.strip(), CANARY.encode()):
        assert secret not in content
        assert base64.b64encode(secret)[:16] not in content
    monkeypatch.setenv("NOTIFYCLI_DB", "new.db" if url.startswith("sqlite") else engine.new())
    assert "didn't have" not in sealed.ok("restore", "all.backup").stderr
    assert sealed.ok("token", "show", "-u", "7").stdout == token


def test_what_one_machine_has_is_copied_for_all(
    sealed: Notifycli, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(sealed.folder / "keychain"))
    token = sealed.ok("token", "show", "-u", "7").stdout
    sealed.ok("token", "generate", "-u", "9")
    sealed.ok("token", "revoke", "-u", "9")
    sealed.ok("push", "keys", "generate")
    sealed.ok("config", "set", "smtp.password", stdin=CANARY.encode())
    where = f"the vault in {locate(url).name}"
    use = "on each host that uses it: export NOTIFYCLI_KEYRING=store\n"
    assert sealed.ok("store", "seal").stderr == f"3 secrets copied into {where}; {use}"
    assert sealed.ok("store", "seal").stderr == f"0 secrets copied into {where}; {use}"
    (sealed.folder / "keychain").unlink()
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "store")
    assert sealed.ok("token", "show", "-u", "7").stdout == token
    with open_store(url) as store:
        keys = PushKeys(store, open_keychain(beside=store.location), lambda: 5)
        assert public_of(keys.private(keys.current())) == keys.current().public_key
        assert get_secret(store, "smtp.password") == Secret(CANARY)
    assert sealed("store", "seal").status == 2


def test_what_this_machine_does_not_have_stays_and_is_told(
    sealed: Notifycli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(sealed.folder / "keychain"))
    token = sealed.ok("token", "show", "-u", "7").stdout
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(sealed.folder / "another"))
    told = sealed.ok("store", "seal").stderr.splitlines()
    assert told[0] == (
        "warning: 1 secret not found in this keychain (file): type it also where they were made"
    )
    assert told[1].startswith("0 secrets copied")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(sealed.folder / "keychain"))
    assert sealed.ok("token", "show", "-u", "7").stdout == token


def test_a_new_passphrase_opens_it_and_the_one_before_no_longer(
    sealed: Notifycli, url: str, tmp_path: Path
) -> None:
    token = sealed.ok("token", "show", "-u", "7").stdout
    sealed.ok("config", "set", "smtp.password", stdin=CANARY.encode())
    assert sealed.ok("store", "reseal", stdin=b"newer\r\n").stderr == (
        f"2 secrets in the vault in {locate(url).name} sealed under the new passphrase; write it "
        "where each host has the one before, and restart what runs there\n"
    )
    for again in (("token", "show", "-u", "7"), ("store", "reseal")):
        refused = sealed(*again, stdin=b"newest")
        assert (refused.status, "doesn't open the vault" in refused.stderr) == (77, True)
    replace_private(tmp_path / "passphrase", b"newer")
    assert sealed.ok("token", "show", "-u", "7").stdout == token


HOW = "name what has one: NOTIFYCLI_KEYRING=store notifycli store reseal, or NOTIFYCLI_KEYRING=file"


@pytest.mark.parametrize(
    ("keyring", "stdin", "expected"),
    [
        ("store", b"", (65, "error: the keyring's passphrase is empty\n  Choose a long one.\n")),
        ("store", b"\xff", (65, "error: the passphrase in standard input isn't text in UTF-8\n")),
        (
            "system",
            b"newer",
            (2, f"error: the system's keyring has no passphrase of notifycli's\n  {HOW}\n"),
        ),
        ("file", b"newer", (66, "error: there is nothing in none.json\n")),
    ],
)
def test_what_is_no_new_passphrase_changes_nothing(
    sealed: Notifycli,
    monkeypatch: pytest.MonkeyPatch,
    keyring: str,
    stdin: bytes,
    expected: tuple[int, str],
) -> None:
    token = sealed.ok("token", "show", "-u", "7").stdout
    monkeypatch.setenv("NOTIFYCLI_KEYRING", keyring)
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", "none.json")
    refused = sealed("store", "reseal", stdin=stdin)
    assert (refused.status, refused.stderr) == expected
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "store")
    assert sealed.ok("token", "show", "-u", "7").stdout == token


def test_what_others_keep_while_it_is_sealed_anew_is_not_lost(url: str) -> None:
    keeper, sealer = (StoreVault(locate(url), knowing("right")) for _ in range(2))
    keeper.set("first", Secret("first"))

    def read() -> Secret:
        keeper.set("meanwhile", Secret(CANARY))
        return Secret("newer")

    assert sealer.reseal(read) == 2
    with pytest.raises(NotPermittedError):
        keeper.set("late", Secret("late"))
    newer = StoreVault(locate(url), knowing("newer"))
    found = [newer.get(name) for name in ("first", "meanwhile", "late")]
    assert found == [Secret("first"), Secret(CANARY), None]
    assert sealer.get("first") == Secret("first"), "it goes on with the new one"
