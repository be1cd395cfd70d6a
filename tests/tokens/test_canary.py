"""A planted token shows nowhere but where it was asked for: whatever is run, whatever fails."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from notifycli.vault import token as form
from tests.vault import services

from .harness import PASSPHRASE, Done, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BODY = "nct_" + "Canary" * 5
CANARY = _BODY + form._checksum(_BODY)  # noqa: SLF001 - a token that everybody recognises

_BYTES = CANARY.encode()
DISGUISES = (
    _BYTES,
    _BYTES[::-1],
    _BYTES.hex().encode(),
    CANARY.encode("utf-16-le"),
    # Whatever stands before it, its base64 holds one of these.
    *(base64.b64encode(b"x" * shift + _BYTES)[4:-4] for shift in range(3)),
)
FORKING = """
import json, os, sys
import notifycli.cli.doctor, notifycli.cli.token
from notifycli.cli.main import run
answers = []
for arguments, text in json.load(sys.stdin):
    pipes = [os.pipe() for _ in range(3)]
    child = os.fork()
    if not child:
        for number, ends in enumerate(pipes):
            os.dup2(ends[number > 0], number)
        for ends in pipes:
            os.close(ends[0]), os.close(ends[1])
        status = run(arguments)
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    (stdin, feed), (out, w_out), (err, w_err) = pipes
    for end in (stdin, w_out, w_err):
        os.close(end)
    with open(feed, "wb") as file:
        file.write(text.encode())
    printed = [open(end, encoding="utf-8").read() for end in (out, err)]
    answers.append([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *printed])
json.dump(answers, sys.stdout)
"""
"""Runs many commands, each in a process of its own, for the start of one."""

EVENTS = '{"event":"message_created","account":{"id":1},"content":"hello"}\n'


_HERS = ("-u", "jane@example.com")
COMMANDS: list[tuple[list[str], str]] = [
    (["doctor"], ""),
    (["token", "list", "--revoked"], ""),
    (["token", "list", "-o", "csv", "--older-than", "0s"], ""),
    (["token", "verify"], CANARY),
    (["token", "verify"], CANARY[:-1] + "x"),
    (["token", "verify", "-o", "json"], form.generate().reveal()),
    (["token", "generate", *_HERS], ""),
    (["token", "rotate", *_HERS], ""),
    (["token", "rotate", "--all-users", "--older-than", "0s"], ""),
    (["token", "show", "--copy", *_HERS], ""),
    (["token", "copy", "--clear-after", "1", *_HERS], ""),
    (["token", "show", "--previous", *_HERS], ""),
    (["token", "set", "-u", "2"], CANARY),
    (["token", "set", "-u", "2"], CANARY[:-1] + "x"),
    (["token", "set", "-u", "2"], f"{CANARY}\r\nHost: x"),
    (["token", "header", "-u", "2", "--previous"], ""),
    (["token", "revoke", *_HERS, "--name", "none"], ""),
    (["user", "list"], ""),
    (["directory", "export"], ""),
    (["prefs", "list", *_HERS], ""),
    (["prefs", "history"], ""),
    (["simulate", "--explain"], EVENTS),
]


def hidden(text: bytes) -> bool:
    return not any(disguise in text for disguise in DISGUISES)


class Watch:
    """Looks at every process's arguments and environment for as long as the test runs."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = Event()
        self._thread = Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.is_set():
            self.seen.update(services.leaks(CANARY))
            self.seen.update(services.leaks(PASSPHRASE))
            time.sleep(0.03)

    @contextmanager
    def looking(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()


class Aviary:
    """Runs commands where the canary is planted, and asserts that it stayed hidden."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.runs = 0

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> Done:
        """Run with `--verbose`; nothing it prints may hold the canary."""
        done = self.program(*arguments, "--verbose", stdin=stdin, **environ)
        assert hidden(done.out.encode()), arguments
        assert hidden(done.err.encode()), arguments
        assert PASSPHRASE not in done.out + done.err
        self.runs += 1
        return done

    def hers(self, verb: str, *options: str, stdin: str = "", **environ: str) -> Done:
        return self.run("token", verb, "-u", "jane@example.com", *options, stdin=stdin, **environ)

    def plant(self) -> None:
        assert self.run("user", "add", "jane@example.com").status == 0
        assert self.run("user", "add", "omar@example.com").status == 0
        assert self.hers("set", stdin=f"{CANARY}\n").status == 0

    def shown(self, **environ: str) -> str:
        """Return what `show` prints: the one way out, with `header`."""
        done = self.program("token", "show", "-u", "1", "--verbose", **environ)
        assert hidden(done.err.encode())
        return done.out.strip()

    def everything(self, **environ: str) -> list[Done]:
        """Run every command that has to do with tokens, or may tell of them, and then some."""
        orders = [([*arguments, "--verbose"], text) for arguments, text in COMMANDS]
        process = subprocess.run(
            [*self.program.command()[:-2], "-c", FORKING],
            input=json.dumps(orders).encode(),
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            check=True,
        )
        done = [Done(*answer) for answer in json.loads(process.stdout)]
        for (arguments, _), (_, out, err) in zip(orders, done, strict=True):
            assert hidden(f"{out}{err}".encode()), arguments
            assert PASSPHRASE not in out + err
        return done

    def check_files(self) -> None:
        """Assert that no file under the home holds the canary, the keyring's own included."""
        looked_at = 0
        for path in self.program.home.rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file():
                    looked_at += 1
                    assert hidden(path.read_bytes()), path
        assert looked_at > 1


@pytest.fixture
def aviary(program: Program, file_keyring: None) -> Iterator[Aviary]:  # noqa: ARG001
    watch, aviary = Watch(), Aviary(program)
    with watch.looking():
        yield aviary
        aviary.check_files()
    assert watch.seen == set()
    assert aviary.runs >= 3


def test_show_and_header_print_it_and_nothing_else_does(aviary: Aviary) -> None:
    aviary.plant()
    assert aviary.shown() == CANARY
    header = aviary.program("token", "header", "-u", "1", "--verbose")
    assert header == Done(0, f"api_access_token: {CANARY}\n", "")
    aviary.everything()
    for arguments, text in COMMANDS:  # once more as processes with their own arguments
        aviary.run(*arguments, stdin=text)
    assert aviary.shown() == CANARY
    assert aviary.hers("revoke").status == 0
    assert aviary.run("token", "verify", stdin=CANARY).status == 1
    aviary.run("doctor", "--fix")


def test_a_clipboard_has_it_and_nobody_else(
    aviary: Aviary,
    screen: str,  # noqa: ARG001
) -> None:
    aviary.plant()
    assert aviary.hers("copy", "--clear-after", "1").status == 0
    time.sleep(0.5)
    aviary.check_files()
    aviary.everything()


def test_a_real_keyring_keeps_it_from_everyone(
    aviary: Aviary,
    unlocked: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOTIFYCLI_KEYRING")
    aviary.plant()
    assert aviary.shown() == CANARY
    aviary.everything()
    aviary.hers("revoke")


def test_a_locked_keyring_doesn_t_sing(
    aviary: Aviary, bus: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFYCLI_KEYRING")
    with services.keyring_daemon(bus, home, "right"):
        aviary.plant()
    with services.keyring_daemon(bus, home, None):
        assert aviary.hers("show").status == 69
        assert aviary.hers("header").status == 69
        aviary.everything()
        ended = aviary.hers("revoke")
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
    aviary: Aviary, tmp_path: Path, get: str, put: str
) -> None:
    modules = tmp_path / "modules"  # beside the home: a module that gives the canary holds it
    modules.mkdir()
    code = EVIL.format(get=get, set=put, canary="it")
    (modules / "evil.py").write_text(code, encoding="ascii")
    evil = {
        "NOTIFYCLI_KEYRING": "system",
        "NOTIFYCLI_KEYRING_TIMEOUT": "0.3",
        "PYTHONPATH": str(modules),
        "PYTHON_KEYRING_BACKEND": "evil.Keyring",
    }
    aviary.run("user", "add", "jane@example.com")
    aviary.run("user", "add", "omar@example.com")
    kept = aviary.hers("set", stdin=CANARY, **evil)
    assert kept.status == (0 if CANARY in get else 69)
    for done in aviary.everything(**evil):
        assert "Traceback" not in done.err


def _broken(what: str) -> Callable[[Path], dict[str, str]]:
    """Make a program in which one part fails in a way that nobody foresaw."""

    def arrange(folder: Path) -> dict[str, str]:
        code = f"def fail(*a, **k): raise ZeroDivisionError('unforeseen')\n{what} = fail\n"
        module = what.rpartition(".")[0].removesuffix(".TokenChanges").removesuffix(".Tokens")
        text = f"import {module.removesuffix('.EncryptedFile')}\n{code}"
        (folder / "sitecustomize.py").write_text(text, encoding="ascii")
        return {"PYTHONPATH": str(folder)}

    return arrange


@pytest.mark.parametrize(
    "what",
    [
        "notifycli.store.tokens.TokenChanges.add",
        "notifycli.store.tokens.TokenChanges.activate",
        "notifycli.store.tokens.TokenChanges.revoke",
        "notifycli.store.tokens.Tokens.note_use",
        "notifycli.vault.encrypted_file.EncryptedFile.set",
        "notifycli.vault.sealed.seal",
        "notifycli.vault.token.digest",
        "notifycli.vault.clipboard.copy",
    ],
)
def test_an_unforeseen_error_and_its_traceback_don_t_hold_it(
    aviary: Aviary, tmp_path: Path, what: str
) -> None:
    aviary.plant()
    folder = tmp_path / "modules"
    folder.mkdir()
    environ = _broken(what)(folder)
    runs = aviary.everything(**environ)
    runs += [
        aviary.run("token", "set", "-u", "1", "--name", "x", stdin=CANARY[::-1], **environ),
        aviary.hers("revoke", **environ),
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
