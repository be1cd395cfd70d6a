"""A planted token shows nowhere but where it was asked for: whatever is run, whatever fails."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import SKIPPED
from tests.secrets import services

from .aviary import CANARY, Aviary, Watch, hidden
from .harness import Done, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def aviary(
    program: Program,
    file_keyring: None,  # noqa: ARG001
    request: pytest.FixtureRequest,
) -> Iterator[Aviary]:
    aviary = Aviary(program)
    yield aviary
    aviary.check_files()
    # A test that was skipped, for lack of a service, has run nothing.
    assert aviary.runs >= 3 or request.node.stash.get(SKIPPED, False)


@pytest.fixture
def apart(aviary: Aviary) -> Aviary:
    """Run each command in a process of its own."""
    aviary.apart = True
    return aviary


@pytest.fixture
def watched(apart: Aviary) -> Iterator[Aviary]:
    """Look at the arguments and the environment of each process."""
    watch = Watch()
    with watch.looking():
        yield apart
    assert watch.seen == set()


def test_show_and_header_print_it_and_nothing_else_does(watched: Aviary) -> None:
    watched.plant()
    assert watched.shown() == CANARY
    header = watched.program("token", "header", "-u", "1", "--verbose")
    assert header == Done(0, f"api_access_token: {CANARY}\n", "")
    watched.everything()
    assert watched.shown() == CANARY
    assert watched.hers("revoke").status == 0
    assert watched.run("token", "verify", stdin=CANARY).status == 1
    watched.run("doctor", "--fix")


def test_a_clipboard_has_it_and_nobody_else(
    watched: Aviary,
    screen: str,  # noqa: ARG001
) -> None:
    watched.plant()
    assert watched.hers("copy", "--clear-after", "1").status == 0
    time.sleep(0.5)
    watched.check_files()
    watched.everything()


def test_a_real_keyring_keeps_it_from_everyone(
    watched: Aviary,
    unlocked: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOTIFYCLI_KEYRING")
    watched.plant()
    assert watched.shown() == CANARY
    watched.everything()
    watched.hers("revoke")


def test_a_locked_keyring_doesn_t_sing(
    watched: Aviary, bus: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFYCLI_KEYRING")
    with services.keyring_daemon(bus, home, "right"):
        watched.plant()
    with services.keyring_daemon(bus, home, None):
        assert watched.hers("show").status == 69
        assert watched.hers("header").status == 69
        watched.everything()
        ended = watched.hers("revoke")
    assert ended.status == 0
    assert "the keyring still holds it" in ended.err


EVIL = """
from keyring.backend import KeyringBackend
from keyring.errors import PasswordSetError

class Keyring(KeyringBackend):
    priority = 9

    def get_password(self, service, name):
        {get}

    def set_password(self, service, name, password):
        {set}

    def delete_password(self, service, name):
        raise RuntimeError("can't delete {canary}")
"""
RAISE = "raise PasswordSetError(f'backend says: {password!r} refused')"


@pytest.mark.parametrize(
    ("get", "put"),
    [
        pytest.param("return None", RAISE, id="says what it was given"),
        pytest.param("return None", "pass", id="takes and doesn't keep"),
        pytest.param(f"return {CANARY!r}", "pass", id="gives what nobody asked for"),
        pytest.param("import time; time.sleep(60)", "pass", id="hangs"),
        pytest.param("raise SystemExit(3)", "pass", id="ends the program"),
    ],
)
def test_a_keyring_that_misbehaves_doesn_t_give_it_away(
    apart: Aviary, tmp_path: Path, get: str, put: str
) -> None:
    modules = tmp_path / "modules"  # beside the home: a module that gives the canary holds it
    modules.mkdir()
    code = EVIL.format(get=get, set=put, canary="it")
    (modules / "evil.py").write_text(code, encoding="ascii")
    evil = {
        "NOTIFYCLI_KEYRING": "system",
        "NOTIFYCLI_KEYRING_TIMEOUT": "0.1" if "sleep" in get else "30",
        "PYTHONPATH": str(modules),
        "PYTHON_KEYRING_BACKEND": "evil.Keyring",
    }
    apart.run("user", "add", "jane@example.com")
    apart.run("user", "add", "omar@example.com")
    kept = apart.hers("set", stdin=CANARY, **evil)
    assert kept.status == (0 if CANARY in get else 69)
    for done in apart.everything(**evil):
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "what",
    [
        "notifycli.store.tokens.TokenChanges.add",
        "notifycli.store.tokens.TokenChanges.activate",
        "notifycli.store.tokens.TokenChanges.revoke",
        "notifycli.store.tokens.Tokens.note_use",
        "notifycli.secrets.encrypted_file.EncryptedFile.set",
        "notifycli.secrets.encrypted_file.seal",
        "notifycli.secrets.token_format.digest",
        "notifycli.clipboard.copy",
    ],
)
def test_an_unforeseen_error_and_its_traceback_don_t_hold_it(
    aviary: Aviary, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("unforeseen")

    aviary.plant()
    monkeypatch.setattr(what, fail)
    runs = aviary.everything()
    runs += [
        aviary.run("token", "set", "-u", "1", "--name", "x", stdin=CANARY[::-1]),
        aviary.hers("revoke"),
    ]
    assert any("ZeroDivisionError: unforeseen" in done.err for done in runs)


def test_a_store_that_can_t_be_written_tells_nothing(aviary: Aviary) -> None:
    services.need(setpriv="util-linux")
    aviary.plant()
    path = aviary.program.store_path
    path.chmod(0o400)
    path.parent.chmod(0o500)
    # A superuser without the right to pass over permissions is like anybody else.
    drop = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    prefix = drop if os.geteuid() == 0 else []
    try:
        for verb, text in (("verify", CANARY), ("set", CANARY), ("list", ""), ("revoke", "")):
            options = ["-u", "1"] if verb != "verify" else []
            command = aviary.program.command("token", verb, *options, "--verbose")
            done = subprocess.run(
                [*prefix, *command], input=text.encode(), capture_output=True, check=False
            )
            assert hidden(done.stdout + done.stderr)
            assert b"Traceback" not in done.stderr
            assert done.returncode in {0, 2, 77, 78}
    finally:
        path.parent.chmod(0o700)
        path.chmod(0o600)


def test_a_reader_that_has_gone_gets_nothing_and_no_error_tells_it(aviary: Aviary) -> None:
    aviary.plant()
    for verb in ("show", "header"):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            aviary.program.command("token", verb, "-u", "1", "--verbose"),
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writing)
        assert done.stderr == b""


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"NOTIFYCLI_KEYRING": "system"}, id="no keyring"),
        pytest.param({"NOTIFYCLI_KEYRING": "nowhere"}, id="an unknown keyring"),
        pytest.param({"NOTIFYCLI_KEYRING_PASSPHRASE_FILE": "/nonexistent"}, id="no passphrase"),
        pytest.param({"NOTIFYCLI_KEYRING_PASSPHRASE_FILE": "/etc/hostname"}, id="a wrong one"),
        pytest.param({"DISPLAY": ":7654"}, id="a dead clipboard"),
        pytest.param({"NOTIFYCLI_CLIPBOARD": "nowhere"}, id="an unknown clipboard"),
        pytest.param({"NOTIFYCLI_DB": "/proc/nothing/store.db"}, id="no place for the store"),
        pytest.param({"NOTIFYCLI_DB": "/etc/hostname"}, id="a store that is none"),
    ],
)
def test_what_is_set_up_wrongly_tells_nothing(aviary: Aviary, environ: dict[str, str]) -> None:
    aviary.plant()
    for done in aviary.everything(**environ):
        assert "Traceback" not in done.err
        assert done.status != 70
