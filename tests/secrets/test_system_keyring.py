"""The system's keyring where it doesn't work: missing, locked, hanging, lying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.secrets.system_keyring import SystemKeyring, time_allowed
from notifycli.secrets.token_format import Secret

from . import services

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "nct_CanaryCanaryCanaryCanaryCanary123456"

TRY_EVERYTHING = """
import traceback
from notifycli.errors import NotifycliError
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.token_format import Secret
keychain = open_keychain()
# Put together, since a traceback may show these very lines.
canary = "nct_" + 5 * "Canary" + "123456"
calls = [lambda: keychain.get("a"), lambda: keychain.set("a", Secret(canary)),
         lambda: keychain.delete("a")]
for call in calls:
    try:
        print("done", call())
    except NotifycliError as error:
        print(error.status, error.message, "|", error.hint)
        assert canary not in "".join(traceback.format_exception(error, chain=True))
print(keychain.describe())
"""


def try_everything(**environ: str) -> list[str]:
    """Return what get, set, delete and describe say in a process of its own."""
    done = services.run_python(TRY_EVERYTHING, "", **environ)
    assert done.stderr == ""
    assert CANARY not in done.stdout
    return done.stdout.splitlines()


class TestMissing:
    @pytest.mark.parametrize(
        ("environ", "message"),
        [
            pytest.param(
                {"DBUS_SESSION_BUS_ADDRESS": ""}, "this machine has no keyring", id="no bus"
            ),
            pytest.param(
                {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"},
                "this machine has no keyring",
                id="a dead bus",
            ),
            pytest.param(
                {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
                "this machine has no keyring",
                id="keyring's own stand-in",
            ),
            pytest.param(
                {"PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"},
                "the keyring failed (FileNotFoundError: ",
                id="a backend forced upon a dead bus",
            ),
            pytest.param(
                {"PYTHON_KEYRING_BACKEND": "no_such_module.Keyring"},
                "the keyring failed (ModuleNotFoundError: ",
                id="a backend that doesn't exist",
            ),
            pytest.param(
                {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"},
                "the keyring is switched off (keyring's null backend)",
                id="a backend that forgets everything",
            ),
        ],
    )
    def test_every_call_says_so_and_names_the_ways_out(
        self, environ: dict[str, str], message: str
    ) -> None:
        # What a loaded machine takes to import is no part of what is missing.
        *calls, health = try_everything(NOTIFYCLI_KEYRING_TIMEOUT="60", **environ)
        assert len(calls) == 3
        for line in calls:
            assert line.startswith(f"69 {message}")
            assert "export NOTIFYCLI_KEYRING=file" in line
            assert "apt install gnome-keyring" in line
        assert "works=False" in health
        assert "NOTIFYCLI_KEYRING=file" in health


class TestReal:
    def test_an_unlocked_one_is_found_and_used(self, unlocked: None) -> None:  # noqa: ARG002
        lines = try_everything()
        assert lines[:3] == ["done None", "done None", "done True"]
        assert "keyring.backends.SecretService.Keyring" in lines[3]
        assert "works=True" in lines[3]

    @pytest.mark.parametrize("password", [None, "wrong"])
    def test_a_locked_one_says_so_at_once(self, bus: str, home: Path, password: str | None) -> None:
        with services.keyring_daemon(bus, home, "right"):
            try_everything()
        with services.keyring_daemon(bus, home, password):
            # Had it waited, for a dialog that nobody can see, it would say so instead.
            *calls, health = try_everything()
        for line in calls:
            assert line.startswith("69 the keyring is locked | Unlock it: ")
            assert "gnome-keyring-daemon --replace --unlock" in line
            assert "NOTIFYCLI_KEYRING=file" in line
        assert "works=False, meaning='the keyring is locked'" in health

    def test_what_was_kept_survives_the_daemon(self, bus: str, home: Path) -> None:
        from keyring.backends.SecretService import Keyring  # noqa: PLC0415

        with services.keyring_daemon(bus, home, "right"):
            SystemKeyring(find=Keyring).set("a", Secret(CANARY))
        with services.keyring_daemon(bus, home, "right"):
            assert SystemKeyring(find=Keyring).get("a") == Secret(CANARY)


class TestHanging:
    @pytest.mark.parametrize(
        "backend",
        [
            pytest.param("import time\ntime.sleep(60)", id="while it is imported"),
            pytest.param(
                "import time\nfrom keyring.backend import KeyringBackend\n"
                "class Keyring(KeyringBackend):\n"
                "    priority = 9\n"
                "    def get_password(self, *what): time.sleep(60)\n"
                "    set_password = delete_password = get_password\n",
                id="while it is asked",
            ),
        ],
    )
    def test_neither_the_call_nor_the_exit_waits_for_it(self, tmp_path: Path, backend: str) -> None:
        (tmp_path / "hanging.py").write_text(backend, encoding="ascii")
        # Had it waited, it would have taken longer than `run_python` lets it.
        *calls, health = try_everything(
            PYTHONPATH=str(tmp_path),
            PYTHON_KEYRING_BACKEND="hanging.Keyring",
            NOTIFYCLI_KEYRING_TIMEOUT="0.3",
        )
        for line in calls:
            assert line.startswith("69 the keyring didn't answer within 0.3 s | Unlock it: ")
            assert "NOTIFYCLI_KEYRING_TIMEOUT=SECONDS" in line
        assert "works=False" in health

    @pytest.mark.parametrize(
        ("environ", "seconds"),
        [
            pytest.param({}, 5, id="without a screen nobody can answer a dialog"),
            pytest.param({"DISPLAY": ":0"}, 30, id="with one there is time to type a password"),
            pytest.param({"WAYLAND_DISPLAY": "wayland-0"}, 30, id="the same on Wayland"),
            pytest.param({"NOTIFYCLI_KEYRING_TIMEOUT": "2.5"}, 2.5, id="the user knows better"),
        ],
    )
    def test_the_time_allowed(self, environ: dict[str, str], seconds: float) -> None:
        assert time_allowed(environ) == seconds

    @pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e9"])
    def test_what_is_no_time_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match="NOTIFYCLI_KEYRING_TIMEOUT"):
            SystemKeyring(environ={"NOTIFYCLI_KEYRING_TIMEOUT": text})


PLAIN = """
from keyring.backend import KeyringBackend
kept = {}
class PlaintextKeyring(KeyringBackend):
    priority = PRIORITY
    def get_password(self, service, name): return kept.get((service, name))
    def set_password(self, service, name, value): kept[service, name] = value
    def delete_password(self, service, name): del kept[service, name]
"""


class TestPlainText:
    """`keyrings.alt` registers such backends and `keyring` takes them silently."""

    @pytest.fixture
    def installed(self, tmp_path: Path) -> Callable[[str], dict[str, str]]:
        def install(priority: str) -> dict[str, str]:
            (tmp_path / "plain.py").write_text(PLAIN.replace("PRIORITY", priority), "ascii")
            info = tmp_path / "plain-1.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Name: plain\nVersion: 1\n", "ascii")
            (info / "entry_points.txt").write_text("[keyring.backends]\nplain = plain\n", "ascii")
            return {"PYTHONPATH": str(tmp_path)}

        return install

    @pytest.mark.parametrize("priority", ["0.5", "9"])
    def test_an_installed_one_isnt_taken(
        self, installed: Callable[[str], dict[str, str]], priority: str
    ) -> None:
        *calls, health = try_everything(**installed(priority))
        for line in calls:
            assert line.startswith("69 the only keyring found, plain.PlaintextKeyring, doesn't")
            assert line.endswith("export PYTHON_KEYRING_BACKEND=plain.PlaintextKeyring")
        assert "works=False" in health

    def test_nor_one_from_keyrings_configuration_file(
        self, installed: Callable[[str], dict[str, str]], home: Path
    ) -> None:
        folder = home / ".config" / "python_keyring"
        folder.mkdir(parents=True)
        configuration = "[backend]\ndefault-keyring=plain.PlaintextKeyring\n"
        (folder / "keyringrc.cfg").write_text(configuration, "ascii")
        assert all(line.startswith("69 ") for line in try_everything(**installed("9"))[:3])

    def test_one_that_the_user_names_is_taken_and_told_of(
        self, installed: Callable[[str], dict[str, str]]
    ) -> None:
        environ = {**installed("9"), "PYTHON_KEYRING_BACKEND": "plain.PlaintextKeyring"}
        # What a loaded machine takes to import is no part of what is missing.
        *calls, health = try_everything(NOTIFYCLI_KEYRING_TIMEOUT="60", **environ)
        assert calls == ["done None", "done None", "done True"]
        assert "unencrypted" in health

    def test_a_real_one_beside_it_is_preferred(
        self,
        installed: Callable[[str], dict[str, str]],
        unlocked: None,  # noqa: ARG002
    ) -> None:
        *calls, health = try_everything(**installed("9"))
        assert calls == ["done None", "done None", "done True"]
        assert "SecretService" in health


class TestLying:
    """Backends that fail in ways a library shouldn't.

    None is a `KeyringBackend`: keyring would offer each from then on, to every other test.
    """

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            pytest.param("return", "took the secret but doesn't hold it", id="keeps nothing"),
            pytest.param("raise ValueError(value)", "(ValueError: …)", id="tells the secret"),
            pytest.param("raise SystemExit(3)", "(SystemExit: 3)", id="ends the program"),
            pytest.param("raise RuntimeError('a\\n b')", "(RuntimeError: a b)", id="speaks lines"),
        ],
    )
    def test_it_is_one_error_without_the_secret(self, body: str, message: str) -> None:
        spoilt = (
            "class Spoilt:\n"
            "    def get_password(self, service, name): return None\n"
            f"    def set_password(self, service, name, value): {body}\n"
        )
        scope: dict[str, Any] = {}
        exec(spoilt, scope)  # noqa: S102 - four methods that differ in one line
        with pytest.raises(UnavailableError) as raised:
            SystemKeyring(find=scope["Spoilt"]).set("a", Secret(CANARY))
        assert message in raised.value.message
        assert CANARY not in raised.value.message
        assert raised.value.__context__ is None

    def test_a_secret_that_may_not_be_deleted_isnt_said_to_be_gone(self) -> None:
        from keyring.errors import PasswordDeleteError  # noqa: PLC0415

        class Stubborn:
            def get_password(self, service: str, username: str) -> str:
                return service + username

            def delete_password(self, service: str, username: str) -> None:
                raise PasswordDeleteError(service + username)

        with pytest.raises(UnavailableError, match="PasswordDeleteError"):
            SystemKeyring(find=cast("Any", Stubborn)).delete("a")
