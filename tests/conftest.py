"""What every test of the program needs: a home of its own, and ways to run the program.

Nothing outside the test's own folder is read or written, and nothing but loopback is reached.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest
from hypothesis import HealthCheck, settings

from notifycli.cli.main import run
from notifycli.cli.session import plural
from notifycli.secrets import encrypted_file
from notifycli.secrets.private_file import replace_private
from notifycli.store.sqlite import connection as sqlite
from notifycli.store.store import open_store
from tests.forked import Forker

Json = dict[str, Any]

# Hundreds of tests start Python: without bytecode it would compile the program for each anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A law is tried on a few drawn examples here, the same each time, so that a change is judged by
# what it changes; `make slow` draws many, and others each time.
_FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
for _name, _examples in (("few", 10), ("many", 500)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        derandomize=_name == "few",
        suppress_health_check=_FIXTURES,
    )
settings.load_profile("few")

_LOOPBACK = ("127.", "::1", "localhost")
_SWITCHES = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES")
_LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Result:
    """What one run of the program gave."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def records(self) -> list[Json]:
        """The objects on standard output, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


@pytest.fixture(autouse=True)
def _isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / f"xdg-{name.lower()}"))
    monkeypatch.setenv("LOGNAME", "tester")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name in [*_SWITCHES, "PAGER", *(n for n in os.environ if n.startswith("NOTIFYCLI_"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket.socket, "connect", _connect_to_loopback)


_EMPTY: list[bytes] = []
"""A store as its migrations leave it, once it was made."""


@pytest.fixture(autouse=True)
def _quick_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a new store of this process be a copy of one, and wait for no disk: most of its time.

    What a killed process wrote is there all the same; only a machine without power would lose it.
    """
    create, prepare = sqlite._create_private, sqlite._prepare  # noqa: SLF001 - no door leads there

    def copy_empty(path: Path) -> None:
        create(path)
        if not _EMPTY:
            with monkeypatch.context() as patch, tempfile.TemporaryDirectory() as place:
                patch.setattr(sqlite, "_create_private", create)
                made = Path(place) / "empty.db"
                open_store(made).__exit__()
                _EMPTY.append(made.read_bytes())
        if not path.stat().st_size:
            path.write_bytes(_EMPTY[0])

    def hurry(connection: sqlite.SQLiteConnection, path: Path) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        prepare(connection, path)

    monkeypatch.setattr(sqlite, "_create_private", copy_empty)
    monkeypatch.setattr(sqlite, "_prepare", hurry)


def _connect_to_loopback(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else ""
    if host and not host.startswith(_LOOPBACK):
        raise AssertionError(f"a test may not reach {host}")
    _connect(self, address)


_connect = socket.socket.connect


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the program runs."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


class Notifycli:
    """The program, run in this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch

    @property
    def store(self) -> Path:
        """Where the store is unless a test says otherwise."""
        return Path(os.environ["XDG_DATA_HOME"]) / "notifycli" / "notifycli.db"

    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        closed: Collection[str] = (),
        encoding: str = "utf-8",
        at_terminal: bool = False,
    ) -> Result:
        """Run it; streams may be `closed`, and those that it writes to have an encoding.

        Standard input may be a terminal, at which nobody types.
        """
        given = self.folder.parent / "stdin"
        given.write_bytes(stdin)
        out = io.TextIOWrapper(io.BytesIO(), encoding, newline="")
        err = io.TextIOWrapper(io.BytesIO(), encoding, newline="")
        keyboard = _silent_terminal if at_terminal else lambda: given.open(encoding="utf-8")
        with keyboard() as typed, self._monkeypatch.context() as patch:
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            for name, stream in (("stdin", typed), ("stdout", out), ("stderr", err)):
                patch.setattr(sys, name, None if name in closed else stream)
            status = run(list(arguments))
        out.flush()
        err.flush()
        return Result(status, _bytes(out), _bytes(err).decode(encoding))

    def ok(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        encoding: str = "utf-8",
        at_terminal: bool = False,
    ) -> Result:
        """Run it where nothing may go wrong."""
        result = self(
            *arguments,
            stdin=stdin,
            environment=environment,
            encoding=encoding,
            at_terminal=at_terminal,
        )
        assert result.status == 0, result.stderr
        return result

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file to the folder in which the program runs; gives its name."""
        data = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(data)
        return name

    def write_events(self, name: str, events: Iterable[Json]) -> str:
        """Write events, one a line."""
        return self.write(name, lines(events))


@contextmanager
def _silent_terminal() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, encoding="utf-8") as typed:
            yield typed
    finally:
        os.close(ours)


def _bytes(stream: io.TextIOWrapper) -> bytes:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


def lines(events: Iterable[Json]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


@pytest.fixture
def notifycli(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Notifycli:
    """The program, run in this process."""
    return Notifycli(folder, monkeypatch)


@dataclass(frozen=True)
class Program:
    """The program as a process of its own."""

    folder: Path
    forker: Forker

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "notifycli", *arguments]

    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        umask: int = -1,
    ) -> Result:
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            timeout=_LONGEST_SECONDS,
            umask=umask,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def shell(self, pipeline: str) -> Result:
        """Run a pipeline of bash, in which `notifycli` is the program."""
        function = f'notifycli() {{ "{sys.executable}" -m notifycli "$@"; }}\n'
        done = subprocess.run(
            ["bash", "-c", function + pipeline],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=self.folder,
            timeout=_LONGEST_SECONDS,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def on_terminal(
        self,
        *arguments: str,
        typed: bytes = b"",
        columns: int = 80,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Run it on a terminal; what reaches the terminal is the result's standard output."""
        ours, theirs = pty.openpty()
        os.write(ours, typed)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        known = {"TERM": "xterm-256color", **(environment or {})}
        process = self.forker.start(arguments, [theirs] * 3, known)
        os.close(theirs)
        # It may wait for what nobody types, and draw meanwhile.
        patience = threading.Timer(_LONGEST_SECONDS, os.kill, (process, signal.SIGKILL))
        patience.start()
        shown = bytearray()
        try:
            while block := _read(ours):
                shown += block
        finally:
            os.close(ours)
            patience.cancel()
        return Result(self.forker.wait(), bytes(shown), "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that the program is gone
        return b""


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    """A process that has imported the program, and waits to be forked."""
    found = Forker()
    yield found
    found.close()


@pytest.fixture
def program(folder: Path, forker: Forker) -> Program:
    """The program as a process of its own: for pipes, terminals and two at once."""
    return Program(folder, forker)


@contextmanager
def kept_port() -> Iterator[int]:
    """Keep a port of loopback from everybody but a server that the test starts there.

    One that was found and let go may be another process's a moment later.
    """
    with socket.socket() as kept:
        # Nothing listens there; who asks for this very port by this option gets it, as servers do.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield int(kept.getsockname()[1])


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which nothing listens but what the test starts there."""
    with kept_port() as found:
        yield found


DESK: Json = {
    "account": {"id": 1, "name": "Acme"},
    "users": [
        {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"},
        {"id": 8, "email": "omar@example.com", "name": "Omar", "role": "agent"},
        {"id": 9, "email": "root@example.com", "name": "Root", "role": "administrator"},
    ],
    "inboxes": [{"id": 3, "name": "Website", "members": [7, 8]}],
    "teams": [{"id": 2, "name": "Support", "members": [7]}],
}


_MADE: list[bytes] = []
"""The store with the small desk, once one was made: to make it takes longer than most tests."""


@pytest.fixture
def desk(notifycli: Notifycli) -> Notifycli:
    """The program with a small desk in its store."""
    if "NOTIFYCLI_DB" in os.environ:  # of another engine
        notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    elif _MADE:
        notifycli.store.parent.mkdir(mode=0o700, parents=True)
        replace_private(notifycli.store, _MADE[0])
    else:
        notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
        _MADE.append(notifycli.store.read_bytes())
    return notifycli


@dataclass(frozen=True)
class Vault:
    """An encrypted file of secrets whose passphrase costs next to nothing to try."""

    path: Path
    passphrase: Path

    def secrets(self) -> dict[str, str]:
        """Give what it holds, by name."""
        raw = self.path.read_bytes()
        envelope = encrypted_file.read_envelope(raw, str(self.path))
        text = self.passphrase.read_text(encoding="ascii").strip()
        key = encrypted_file.derive(text, envelope.kdf)
        return encrypted_file.unseal(envelope, key, str(self.path))

    def write(self, secrets: dict[str, str]) -> None:
        """Make it hold just this."""
        cheap = encrypted_file.Derivation(salt=b"0" * 16, n=2, r=1, p=1)
        text = self.passphrase.read_text(encoding="ascii").strip()
        replace_private(self.path, encrypted_file.seal(secrets, encrypted_file.derive(text, cheap)))


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """The program's secrets, in an encrypted file of the test's own."""
    made = Vault(tmp_path / "keychain.json", tmp_path / "passphrase")
    replace_private(made.passphrase, b"CanaryOfThePassphrase\n")
    made.write({})
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(made.path))
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(made.passphrase))
    return made


SKIPPED = pytest.StashKey[bool]()
"""On a test's item: whether it, or what it needs, was skipped."""
_PACKAGE = re.compile(r"needs Debian's ([\w.-]+)")


def needs_package(package: str) -> str:
    """Return why a test is skipped where a Debian package isn't installed."""
    return f"needs Debian's {package}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let transcripts be written anew (tests/golden)."""
    parser.addoption("--regenerate", action="store_true", help="write the golden files anew")


def pytest_configure() -> None:
    """Let Ctrl-C interrupt what tests start, also where a script runs them in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note on the test itself that it was skipped, for what is torn down after it."""
    report = yield
    if report.skipped:
        item.stash[SKIPPED] = True
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what wasn't tried, and how to get what that needs."""
    missing: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        missing.update(_PACKAGE.findall(str(report.longrepr)))
    if missing:
        terminalreporter.section("not tried on this machine")
        for package, count in sorted(missing.items()):
            terminalreporter.line(f"{package}: {plural(count, 'test')}")
        terminalreporter.line("get all of them with: scripts/debian-packages (uses apt-get)")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be left out."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
