"""Where the passphrase of the encrypted file comes from, and where that file lies."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, strategies

from notifycli.errors import ConfigurationError, NotifycliError
from notifycli.secrets import encrypted_file
from notifycli.secrets.encrypted_file import EncryptedFile, Passphrase
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.private_file import read_private, replace_private
from notifycli.secrets.token_format import Secret
from notifycli.store.store import Location
from tests.conftest import Notifycli, Program, Vault
from tests.secrets.services import NOBODY

FD = "NOTIFYCLI_KEYRING_PASSPHRASE_FD"
FILE = "NOTIFYCLI_KEYRING_PASSPHRASE_FILE"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def read(environ: dict[str, str]) -> str:
    return Passphrase.from_environment(environ).read(new=False).reveal()


class TestGiven:
    """As Docker, Kubernetes and systemd give secrets: mode and owner are theirs to choose."""

    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "credentials"
        folder.mkdir()
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
        return folder

    @pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o600, 0o644])
    def test_others_may_read_it_there(self, place: Path, mode: int) -> None:
        file = place / "passphrase"
        file.write_text("right\n", encoding="ascii")
        file.chmod(mode)
        assert read({FILE: str(file)}) == "right"

    @needs_root
    def test_it_may_be_anybody_s_there(self, place: Path) -> None:
        file = place / "passphrase"
        file.write_text("right\n", encoding="ascii")
        file.chmod(0o440)
        os.chown(file, NOBODY, NOBODY)
        assert read({FILE: str(file)}) == "right"

    def test_a_link_into_the_place_counts_and_so_does_one_out_of_it(
        self, place: Path, tmp_path: Path
    ) -> None:
        """Kubernetes links each file to one in a folder beside it, which it replaces as a whole."""
        (place / "..data").mkdir()
        file = place / "..data" / "passphrase"
        file.write_text("right", encoding="ascii")
        file.chmod(0o444)
        (place / "passphrase").symlink_to("..data/passphrase")
        (tmp_path / "link").symlink_to(file)
        assert [read({FILE: str(p)}) for p in (place / "passphrase", tmp_path / "link")] == [
            "right",
            "right",
        ]

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_one_that_others_may_write_is_refused(self, place: Path, mode: int) -> None:
        file = place / "passphrase"
        file.write_text("right", encoding="ascii")
        file.chmod(mode)
        with pytest.raises(ConfigurationError, match="can be written by others"):
            read({FILE: str(file)})

    @pytest.mark.usefixtures("place")
    @pytest.mark.parametrize("mode", [0o440, 0o444])
    def test_elsewhere_it_must_be_private(self, tmp_path: Path, mode: int) -> None:
        file = tmp_path / "passphrase"
        file.write_text("right", encoding="ascii")
        file.chmod(mode)
        with pytest.raises(ConfigurationError, match="can be read by others"):
            read({FILE: str(file)})


class TestDescriptor:
    def test_it_is_read_once_and_serves_the_whole_command(
        self, desk: Notifycli, program: Program, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk.ok("config", "set", "smtp.password", stdin=b"secret")
        monkeypatch.delenv(FILE)
        done = program.shell(
            f"NOTIFYCLI_DB={desk.store} {FD}=9 notifycli config list -o json 9<{vault.passphrase}"
        )
        assert (done.status, done.stderr) == (0, "")
        listed = {item["key"]: item["origin"] for item in json.loads(done.stdout)}
        assert listed["smtp.password"] == "keyring"

    @pytest.mark.parametrize(
        ("number", "status", "message"),
        [
            ("77", 66, "the passphrase can't be read from descriptor 77: Bad file descriptor"),
            ("three", 78, f"{FD} is 'three', which is no number of an open descriptor"),
            ("-1", 78, f"{FD} is '-1', which is no number of an open descriptor"),
        ],
    )
    def test_what_is_none_is_told(
        self, desk: Notifycli, vault: Vault, number: str, status: int, message: str
    ) -> None:
        assert vault.secrets() == {}
        done = desk("token", "generate", "-u", "7", environment={FD: number})
        assert (done.status, message in done.stderr) == (status, True)

    def test_a_pipe_and_a_byte_order_mark_are_fine(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"\xef\xbb\xbfright\r\n")
        os.close(writing)
        encrypted_file._read_once.cache_clear()  # noqa: SLF001 - another test may have had this number
        assert read({FD: str(reading)}) == "right"


class TestPlace:
    """The file is beside the store, as the documentation says."""

    @pytest.fixture
    def asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "passphrase").write_text("right", encoding="ascii")
        (tmp_path / "passphrase").chmod(0o600)
        monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
        monkeypatch.setenv(FILE, str(tmp_path / "passphrase"))

    @pytest.mark.usefixtures("asked")
    def test_a_store_elsewhere_has_it_beside_it(self, desk: Notifycli, tmp_path: Path) -> None:
        place = tmp_path / "volume"
        place.mkdir()
        (place / "notifycli.db").write_bytes(desk.store.read_bytes())
        desk.ok("token", "generate", "-u", "7", "--db", str(place / "notifycli.db"))
        assert sorted(p.name for p in place.iterdir() if "lock" not in p.name) == [
            "keychain.json",
            "notifycli.db",
        ]
        assert not desk.store.with_name("keychain.json").exists()

    @pytest.mark.usefixtures("asked")
    def test_one_in_the_data_folder_goes_on_being_used(self, desk: Notifycli) -> None:
        token = desk.ok("token", "show", "-u", "7").stdout
        elsewhere = desk.folder / "copy.db"
        elsewhere.write_bytes(desk.store.read_bytes())
        assert desk.ok("token", "show", "-u", "7", "--db", str(elsewhere)).stdout == token

    @pytest.mark.usefixtures("asked")
    def test_one_beside_the_store_comes_first(self, desk: Notifycli) -> None:
        open_keychain(beside=Location(desk.store)).set("a", Secret("usual"))
        other = desk.folder / "keychain.json"
        EncryptedFile(other, Passphrase(None, lambda _: "right")).set("a", Secret("beside"))
        assert open_keychain(beside=Location(desk.folder / "desk.db")).get("a") == Secret("beside")


class TestDamage:
    """Whatever happened to the file, and whoever wrote it: a clear error, in little time."""

    @given(data=strategies.data())
    def test_a_flipped_byte_or_an_early_end_is_told(
        self, desk: Notifycli, vault: Vault, data: strategies.DataObject
    ) -> None:
        token = desk.ok("token", "show", "-u", "7").stdout
        whole = vault.path.read_bytes()
        at = data.draw(strategies.integers(0, len(whole) - 1))
        byte = data.draw(strategies.integers(0, 255))
        damaged = data.draw(
            strategies.sampled_from(
                [whole[:at], whole[:at] + bytes([byte]) + whole[at + 1 :], bytes([byte]) * at]
            )
        )
        vault.path.write_bytes(damaged)
        try:
            shown, listed = desk("token", "show", "-u", "7"), desk("token", "list")
            # A bit that base64 leaves unused, or white space, damages nothing.
            assert (shown.status, shown.stdout) in {(78, b""), (0, token)}
            assert (listed.status, "not compared" in listed.stderr) == (0, shown.status == 78)
        finally:
            vault.path.write_bytes(whole)

    @given(strategies.binary(max_size=300))
    @example(b"[" * 100_000)
    @example(b'{"format": "\xff"}')
    @example(b"\xef\xbb\xbf{}")
    def test_no_bytes_are_more_than_damaged(self, raw: bytes) -> None:
        with pytest.raises(ConfigurationError, match="is damaged or no keychain"):
            encrypted_file.read_envelope(raw, "it")

    @pytest.mark.parametrize(
        ("n", "r", "p"),
        [
            *((2**21, 16, 16), (2**19, 8, 1), (2**15, 8, 1000), (2**40, 8, 1), (2**15, 2**20, 1)),
            *((0, 8, 1), (1, 8, 1), (3, 8, 1), (2**15, 0, 1), (2**15, 8, 0), (-2, 8, 1)),
        ],
    )
    def test_a_derivation_that_would_take_all_memory_or_time_is_refused(
        self, n: int, r: int, p: int
    ) -> None:
        key = encrypted_file.DerivedKey(encrypted_file.Derivation(b"0" * 16, n, r, p), b"0" * 32)
        raw = encrypted_file.seal({"a": "b"}, key)
        with pytest.raises(ConfigurationError, match="is damaged or no keychain"):
            encrypted_file.read_envelope(raw, "it")

    @pytest.mark.parametrize("n", [2**14, 2**15, 2**17])
    def test_stronger_ones_than_ours_are_taken(self, n: int) -> None:
        key = encrypted_file.DerivedKey(encrypted_file.Derivation(b"0" * 16, n, 8, 1), b"0" * 32)
        assert encrypted_file.read_envelope(encrypted_file.seal({}, key), "it").kdf.n == n

    @pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
    def test_what_is_no_plain_file_is_refused_and_not_waited_for(
        self, tmp_path: Path, make: Callable[[Path], None]
    ) -> None:
        make(tmp_path / "vault")
        with at_most(5), pytest.raises(ConfigurationError, match="is no plain file"):
            read_private(tmp_path / "vault")

    def test_a_path_that_can_be_none_is_told(self) -> None:
        with pytest.raises(NotifycliError):
            read_private(Path("a\0b"))


def test_what_a_killed_writer_left_is_swept_and_nothing_else(folder: Path) -> None:
    names = [".vault.k3jx92_a", ".vault.young123", ".vault.lock", ".other.k3jx92_a", "vault.before"]
    for name in names:
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    os.utime(folder / ".vault.young123")
    replace_private(folder / "vault", b"new")
    assert {path.name for path in folder.iterdir()} == {"vault", *names[1:]}


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    signal.alarm(seconds)  # what waits in a system call ends only so
    try:
        yield
    finally:
        signal.alarm(0)
