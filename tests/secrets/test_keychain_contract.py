"""What every keychain must do, asked of each real one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.secrets.encrypted_file import EncryptedFile
from notifycli.secrets.keychain import Keychain, open_keychain
from notifycli.secrets.system_keyring import SystemKeyring
from notifycli.secrets.token_format import Secret, generate
from notifycli.store.store import Location

if TYPE_CHECKING:
    from pathlib import Path


class Contract:
    """Subclasses give `keychain` and `reopened`: the same secrets, as another process sees them."""

    @pytest.fixture
    def keychain(self) -> Keychain:
        raise NotImplementedError

    @pytest.fixture
    def reopened(self) -> Keychain:
        raise NotImplementedError

    def test_what_was_never_kept_is_none(self, keychain: Keychain) -> None:
        assert keychain.get("nobody") is None

    def test_what_is_kept_comes_back_in_another_process(
        self, keychain: Keychain, reopened: Keychain
    ) -> None:
        secret = generate()
        keychain.set("1/jane@example.com/default", secret)
        assert keychain.get("1/jane@example.com/default") == secret
        assert reopened.get("1/jane@example.com/default") == secret

    def test_keeping_again_replaces(self, keychain: Keychain, reopened: Keychain) -> None:
        keychain.set("name", Secret("old"))
        keychain.set("name", Secret("new"))
        assert reopened.get("name") == Secret("new")

    def test_deleting_tells_whether_there_was_one(self, keychain: Keychain) -> None:
        keychain.set("name", Secret("value"))
        assert [keychain.delete("name"), keychain.delete("name")] == [True, False]
        assert keychain.get("name") is None

    def test_deleting_from_an_empty_keychain_is_no_error(self, keychain: Keychain) -> None:
        assert keychain.delete("nobody") is False

    def test_names_that_differ_in_anything_are_two_secrets(self, keychain: Keychain) -> None:
        names = ["a", "A", "a ", "a/b", "a/B", "ä", "a\u0308", "日本", "a'b\"c", "a=b;c", "%s", "*"]
        for name in names:
            keychain.set(name, Secret(f"secret of {name}"))
        assert {name: keychain.get(name) for name in names} == {
            name: Secret(f"secret of {name}") for name in names
        }

    def test_deleting_one_leaves_the_others(self, keychain: Keychain) -> None:
        for name in "abc":
            keychain.set(name, Secret(name * 3))
        keychain.delete("b")
        assert [keychain.get(name) for name in "abc"] == [Secret("aaa"), None, Secret("ccc")]

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("x" * 2000, id="a long one"),
            pytest.param(" a\tb\r\nc\n ", id="white space at its ends"),
            pytest.param("zażółć 日本 🔑", id="UTF-8"),
            pytest.param("\\ ' \" $(id) {} \x7f", id="characters with a meaning elsewhere"),
        ],
    )
    def test_any_text_comes_back_as_it_was(
        self, keychain: Keychain, reopened: Keychain, value: str
    ) -> None:
        keychain.set("name", Secret(value))
        kept = reopened.get("name")
        assert kept is not None
        assert kept.reveal() == value

    def test_it_says_that_it_works(self, keychain: Keychain) -> None:
        keychain.set("name", Secret("canary"))
        health = keychain.describe()
        assert (health.works, health.hint) == (True, "")
        assert health.name
        assert health.where
        assert "canary" not in repr(health)


class TestSecretService(Contract):
    @pytest.fixture
    def keychain(self, unlocked: None) -> Keychain:  # noqa: ARG002
        return self._open()

    @pytest.fixture
    def reopened(self, keychain: Keychain) -> Keychain:  # noqa: ARG002
        return self._open()

    def _open(self) -> Keychain:
        from keyring.backends.SecretService import Keyring  # noqa: PLC0415

        return SystemKeyring(find=Keyring)


class TestEncryptedFile(Contract):
    @pytest.fixture
    def keychain(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Keychain:
        passphrase = home / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text("correct horse\n", encoding="ascii")
        monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
        monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(passphrase))
        return open_keychain()

    @pytest.fixture
    def reopened(self, keychain: Keychain) -> Keychain:
        assert isinstance(keychain, EncryptedFile)
        return open_keychain()


class TestChoice:
    @pytest.mark.parametrize("value", ["", "system"])
    def test_the_systems_keyring_is_the_first_choice(self, value: str) -> None:
        assert isinstance(open_keychain({"NOTIFYCLI_KEYRING": value}), SystemKeyring)

    def test_the_file_must_be_chosen(self) -> None:
        assert isinstance(open_keychain({}), SystemKeyring)
        assert isinstance(open_keychain({"NOTIFYCLI_KEYRING": "file"}), EncryptedFile)

    @pytest.mark.parametrize("value", ["system", "file"])
    def test_each_says_which_it_is(self, value: str) -> None:
        assert open_keychain({"NOTIFYCLI_KEYRING": value}).kind == value
        assert open_keychain({"NOTIFYCLI_KEYRING": value}).asks is False

    def test_the_file_says_that_it_would_ask_for_its_passphrase(self, home: Path) -> None:
        environ = {"NOTIFYCLI_KEYRING": "file", "NOTIFYCLI_KEYRING_FILE": str(home / "k")}
        (home / "k").touch()
        written = {"NOTIFYCLI_KEYRING_PASSPHRASE_FILE": str(home / "passphrase")}
        assert open_keychain(environ).asks is True
        assert open_keychain({**environ, **written}).asks is False

    def test_the_file_lies_in_the_users_data_folder_or_where_it_is_told(self, home: Path) -> None:
        usual = open_keychain({"NOTIFYCLI_KEYRING": "file"})
        told = open_keychain({"NOTIFYCLI_KEYRING": "file", "NOTIFYCLI_KEYRING_FILE": "~/k"})
        assert usual.describe().where == str(home / ".local/share/notifycli/keychain.json")
        assert told.describe().where == str(home / "k")

    def test_another_word_is_refused_and_the_right_ones_named(self) -> None:
        with pytest.raises(ConfigurationError) as raised:
            open_keychain({"NOTIFYCLI_KEYRING": "flie"})
        assert "flie" in raised.value.message
        assert "NOTIFYCLI_KEYRING=file" in raised.value.hint
        assert "NOTIFYCLI_KEYRING=store" in raised.value.hint

    @pytest.mark.parametrize("beside", [None, Location(None)])
    def test_what_opens_a_store_is_not_looked_for_in_it(self, beside: Location | None) -> None:
        with pytest.raises(UnavailableError, match="can't be kept in its own vault"):
            open_keychain({"NOTIFYCLI_KEYRING": "store"}, beside)

    def test_nothing_is_opened_before_it_is_used(self, home: Path) -> None:
        open_keychain(os.environ)
        open_keychain({"NOTIFYCLI_KEYRING": "file"})
        assert list(home.iterdir()) == []
