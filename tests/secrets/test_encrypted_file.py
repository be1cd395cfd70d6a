"""The encrypted file where something is wrong with it, its passphrase or its neighbours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.errors import (
    ConfigurationError,
    DataError,
    InputMissingError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UnavailableError,
)
from notifycli.secrets import encrypted_file as sealed
from notifycli.secrets.encrypted_file import EncryptedFile, Passphrase
from notifycli.secrets.private_file import hold_lock, read_private, replace_private
from notifycli.secrets.token_format import Secret

from . import services

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "nct_CanaryCanaryCanaryCanaryCanary123456"


def answering(*answers: str) -> Passphrase:
    """Return a source whose prompt is answered with each of `answers` in turn."""
    left = list(answers)
    return Passphrase(None, lambda _: left.pop(0))


@pytest.fixture(autouse=True)
def cheap_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """New files ask for little work; what they ask for is written in them."""
    derivation = sealed.Derivation(os.urandom(16), n=2, r=1, p=1)
    monkeypatch.setattr(sealed, "new_derivation", lambda: derivation)


@pytest.fixture
def file(home: Path) -> Path:
    """Return a keychain that holds the canary under `a`; its passphrase is `right`."""
    path = home / "folder" / "keychain.json"
    EncryptedFile(path, answering("right", "right")).set("a", Secret(CANARY))
    return path


class TestFile:
    def test_only_its_owner_may_read_it_and_its_folder(self, file: Path) -> None:
        modes = [path.stat().st_mode & 0o777 for path in (file, file.parent)]
        assert modes == [0o600, 0o700]

    def test_the_secret_and_its_name_are_in_no_file_of_the_home(self, file: Path) -> None:
        EncryptedFile(file, answering("right")).set("jane@example.com", Secret(CANARY))
        written = [path.read_bytes() for path in file.parent.iterdir()]
        assert len(written) == 2
        assert not any(word in raw for raw in written for word in (b"Canary", b"jane", b"right"))

    def test_a_changed_file_shares_nothing_but_its_parameters(self, file: Path) -> None:
        before = json.loads(file.read_bytes())
        EncryptedFile(file, answering("right")).set("a", Secret(CANARY))
        after = json.loads(file.read_bytes())
        same = {key for key in before if before[key] == after[key]}
        assert same == {"format", "version", "kdf"}

    def test_the_work_asked_of_a_guesser_is_what_owasp_asks_for(self) -> None:
        kdf = sealed.Derivation(salt=b"")
        assert (kdf.n, kdf.r, kdf.p) == (2**15, 8, 3)

    def test_a_symbolic_link_to_it_stays_one(self, file: Path, home: Path) -> None:
        link = home / "link"
        link.symlink_to(file)
        EncryptedFile(link, answering("right")).set("b", Secret("other"))
        assert link.is_symlink()
        assert EncryptedFile(file, answering("right")).get("b") == Secret("other")

    def test_deleting_from_a_missing_one_neither_asks_nor_makes_it(self, home: Path) -> None:
        assert EncryptedFile(home / "none", answering()).delete("a") is False
        assert EncryptedFile(home / "none", answering()).get("a") is None
        assert list(home.iterdir()) == []

    def test_the_passphrase_is_asked_for_once_a_command(self, file: Path) -> None:
        keychain = EncryptedFile(file, answering("right"))
        assert keychain.get("a") == Secret(CANARY)
        keychain.set("b", Secret("b"))
        assert keychain.delete("a")

    @given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text('é\0\n"')))
    def test_whatever_is_sealed_is_unsealed(self, secrets: dict[str, str]) -> None:
        key = sealed.derive("right", sealed.Derivation(b"salt", n=2, r=1, p=1))
        envelope = sealed.read_envelope(sealed.seal(secrets, key), "it")
        assert sealed.unseal(envelope, key, "it") == secrets

    def test_the_key_shows_in_no_traceback(self) -> None:
        key = sealed.derive("right", sealed.Derivation(b"salt", n=2, r=1, p=1))
        assert repr(key.key) not in repr(key)


def changed(**fields: object) -> Callable[[bytes], bytes]:
    """Return what puts `fields` into a file and its checksum right again, as an attacker would."""

    def change(raw: bytes) -> bytes:
        document: dict[str, Any] = json.loads(raw)
        for name, value in fields.items():
            if isinstance(value, dict):
                document[name] = {**document[name], **value}
            else:
                document[name] = value
        envelope = msgspec.convert(document, sealed.Envelope)
        right = msgspec.structs.replace(envelope, sum=sealed._sum(envelope))  # noqa: SLF001
        return bytes(msgspec.json.encode(right))

    return change


def one_character_changed(raw: bytes) -> bytes:
    other = b"B" if raw[150:151] == b"A" else b"A"
    return raw[:150] + other + raw[151:]


class TestDamage:
    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda _: b"", id="empty"),
            pytest.param(lambda raw: raw[:-20], id="cut short"),
            pytest.param(lambda raw: raw + raw, id="written twice"),
            pytest.param(lambda _: b"\x00" * 300, id="zeros, as after a power cut"),
            pytest.param(lambda _: b'{"a": 1}', id="some other document"),
            pytest.param(lambda raw: raw.replace(b'"n":2', b'"n":4'), id="one digit changed"),
            pytest.param(one_character_changed, id="one character changed"),
            pytest.param(changed(format="other"), id="another program's"),
            pytest.param(changed(kdf={"n": 2**30}), id="asks for all memory"),
            pytest.param(changed(kdf={"n": 1000}), id="asks for what Scrypt can't do"),
            pytest.param(changed(kdf={"n": -4}), id="asks for less than nothing"),
            pytest.param(changed(kdf={"r": 10**6}), id="asks for all memory in another way"),
            pytest.param(changed(kdf={"p": 0}), id="asks for no work"),
        ],
    )
    def test_a_damaged_file_is_called_so_before_anyone_types(
        self, file: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        raw = damage(file.read_bytes())
        file.write_bytes(raw)
        keychain = EncryptedFile(file, answering())
        for call in (
            lambda: keychain.get("a"),
            lambda: keychain.set("a", Secret(CANARY)),
            lambda: keychain.delete("a"),
        ):
            with pytest.raises(ConfigurationError, match="damaged"):
                call()
        assert file.read_bytes() == raw
        assert keychain.describe().works is False

    def test_a_newer_version_asks_for_an_update(self, file: Path) -> None:
        file.write_bytes(changed(version=2)(file.read_bytes()))
        with pytest.raises(ConfigurationError, match="newer") as raised:
            EncryptedFile(file, answering()).get("a")
        assert "Update" in raised.value.hint

    @pytest.mark.parametrize(
        "forge",
        [
            pytest.param(changed(kdf={"p": 2}), id="its parameters"),
            pytest.param(changed(nonce="AAAAAAAAAAAAAAAA"), id="its nonce"),
            pytest.param(changed(nonce="AA=="), id="its nonce's length"),
            pytest.param(changed(sealed=""), id="its contents"),
        ],
    )
    def test_a_forged_file_doesnt_open(self, file: Path, forge: Callable[[bytes], bytes]) -> None:
        file.write_bytes(forge(file.read_bytes()))
        with pytest.raises(NotPermittedError):
            EncryptedFile(file, answering("right")).get("a")

    def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = file.read_bytes()

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UnavailableError, match="No space left"):
            EncryptedFile(file, answering("right")).set("b", Secret(CANARY))
        assert file.read_bytes() == raw
        assert {path.name for path in file.parent.iterdir()} == {file.name, f"{file.name}.lock"}


class TestPassphrase:
    def test_a_wrong_one_is_refused_and_changes_nothing(self, file: Path) -> None:
        raw = file.read_bytes()
        with pytest.raises(NotPermittedError) as raised:
            EncryptedFile(file, answering("Tr0ub4dor")).set("a", Secret("other"))
        assert "passphrase" in raised.value.message
        assert str(file) in raised.value.message
        assert "Tr0ub4dor" not in raised.value.message + raised.value.hint
        assert file.read_bytes() == raw

    @pytest.mark.parametrize(
        ("answers", "message"),
        [
            pytest.param(("",), "is empty", id="nothing typed"),
            pytest.param(("one", "two"), "differ", id="a slip of the finger"),
        ],
    )
    def test_a_new_one_must_be_typed_twice_alike(
        self, home: Path, answers: tuple[str, ...], message: str
    ) -> None:
        with pytest.raises(DataError, match=message):
            EncryptedFile(home / "new", answering(*answers)).set("a", Secret(CANARY))
        assert list(home.iterdir()) == []

    @pytest.mark.parametrize(
        ("content", "mode", "error", "message"),
        [
            pytest.param(None, 0, InputMissingError, "is missing", id="missing"),
            pytest.param(b"", 0o600, DataError, "is empty", id="empty"),
            pytest.param(b"\n", 0o600, DataError, "is empty", id="an empty line"),
            pytest.param(b"\xff", 0o600, DataError, "UTF-8", id="not text"),
            pytest.param(b"right", 0o644, ConfigurationError, "mode 0644", id="open to all"),
            pytest.param(b"right", 0o620, ConfigurationError, "mode 0620", id="open to a group"),
        ],
    )
    def test_what_is_wrong_with_its_file(
        self,
        home: Path,
        content: bytes | None,
        mode: int,
        error: type[NotifycliError],
        message: str,
    ) -> None:
        path = home / "passphrase"
        if content is not None:
            path.write_bytes(content)
            path.chmod(mode)
        keychain = EncryptedFile(home / "new", Passphrase(path))
        with pytest.raises(error, match=message) as raised:
            keychain.set("a", Secret(CANARY))
        assert str(path) in raised.value.message or message == "is empty"
        assert raised.value.hint or content == b"\xff"
        assert (keychain.describe().works, keychain.describe().meaning) == (
            False,
            raised.value.message,
        )

    def test_the_doctor_asks_nobody(self, file: Path) -> None:
        health = EncryptedFile(file, answering()).describe()
        assert (health.works, health.where) == (True, str(file))
        assert "asks for its passphrase" in health.meaning

    def test_without_file_and_terminal_it_says_what_to_do(self) -> None:
        code = (
            "import os; os.setsid()\n"
            "from notifycli.errors import UnavailableError\n"
            "from notifycli.secrets.keychain import open_keychain\n"
            "from notifycli.secrets.token_format import generate\n"
            "try: open_keychain().set('a', generate())\n"
            "except UnavailableError as error: print(error.message, error.hint)"
        )
        done = services.run_python(code, stdin="typed\n", NOTIFYCLI_KEYRING="file")
        assert done.stderr == ""
        assert "no terminal" in done.stdout
        assert "export NOTIFYCLI_KEYRING_PASSPHRASE_FILE=PATH" in done.stdout

    def test_on_a_terminal_it_is_typed_unseen_and_standard_input_stays_free(
        self, home: Path
    ) -> None:
        pexpect = pytest.importorskip("pexpect")
        code = (
            "import sys; from notifycli.secrets.keychain import open_keychain as k\n"
            "from notifycli.secrets.token_format import Secret\n"
            "k().set('a', Secret(sys.stdin.read())); print('kept')"
        )
        (home / "program.py").write_text(code, encoding="utf-8")
        (home / "input").write_text(CANARY, encoding="utf-8")
        child = pexpect.spawn(
            "sh",
            ["-c", f"'{sys.executable}' '{home}/program.py' <'{home}/input'"],
            env={**os.environ, "NOTIFYCLI_KEYRING": "file"},
            encoding="utf-8",
            timeout=services.WAIT,
        )
        shown = ""
        for question in ("New passphrase: ", "The same again: "):
            child.expect_exact(question)
            shown += child.before
            child.sendline("unseen")
        child.expect_exact("kept")
        assert "unseen" not in shown + child.before
        child.expect(pexpect.EOF)
        child.close()
        path = home / ".local/share/notifycli/keychain.json"
        assert EncryptedFile(path, answering("unseen")).get("a") == Secret(CANARY)


class TestNeighbours:
    @pytest.mark.parametrize(("mode", "shown"), [(0o644, "0644"), (0o660, "0660"), (0o604, "0604")])
    def test_a_file_open_to_others_is_refused(self, file: Path, mode: int, shown: str) -> None:
        file.chmod(mode)
        with pytest.raises(ConfigurationError, match=f"mode {shown}") as raised:
            EncryptedFile(file, answering("right")).get("a")
        assert raised.value.hint == f"Type: chmod 600 {file}"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_only_roots_and_ones_own_files_are_trusted(self, home: Path) -> None:
        theirs = home / "theirs"
        theirs.touch(mode=0o600)
        os.chown(theirs, services.NOBODY, services.NOBODY)
        with pytest.raises(ConfigurationError, match="belongs to someone else"):
            read_private(theirs)

    def test_a_folder_is_no_file(self, home: Path) -> None:
        with pytest.raises(ConfigurationError, match="is a folder"):
            EncryptedFile(home, answering()).get("a")

    def test_a_file_in_the_way_of_its_folder_is_told(self, home: Path) -> None:
        (home / "file").touch()
        with pytest.raises((UnavailableError, InputMissingError)):
            EncryptedFile(home / "file" / "new", answering("a", "a")).set("a", Secret("b"))

    def test_two_writers_lose_nothing(self, file: Path, home: Path) -> None:
        passphrase = home / "passphrase"
        replace_private(passphrase, b"right\n")
        code = (
            "import sys; from notifycli.secrets.keychain import open_keychain\n"
            "from notifycli.secrets.token_format import Secret\n"
            "keychain = open_keychain()\n"
            "for i in range(20): keychain.set(f'{sys.argv[1]}{i}', Secret(f'{i}'))"
        )
        environ = {
            **os.environ,
            "NOTIFYCLI_KEYRING": "file",
            "NOTIFYCLI_KEYRING_FILE": str(file),
            "NOTIFYCLI_KEYRING_PASSPHRASE_FILE": str(passphrase),
        }
        writers = [
            subprocess.Popen([sys.executable, "-c", code, name], env=environ) for name in "xyz"
        ]
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
        keychain = EncryptedFile(file, answering("right"))
        names = [f"{writer}{i}" for writer in "xyz" for i in range(20)]
        assert [name for name in [*names, "a"] if keychain.get(name) is None] == []

    def test_a_lock_held_too_long_says_try_again(self, home: Path) -> None:
        with (
            hold_lock(home / "lock"),
            pytest.raises(TryAgainError, match="held"),
            hold_lock(home / "lock", 0.1),
        ):
            pytest.fail("two held one lock")

    def test_a_lock_is_free_when_its_holder_was_killed(self, home: Path) -> None:
        code = (
            "import os, sys; from pathlib import Path\n"
            "from notifycli.secrets.private_file import hold_lock\n"
            "with hold_lock(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
        )
        killed = subprocess.run([sys.executable, "-c", code, home / "lock"], check=False)
        assert killed.returncode == -9
        with hold_lock(home / "lock", 0):
            pass
