"""A planted token, the commands that may give it away, and where to look for it."""

from __future__ import annotations

import base64
import time
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

from notifycli.secrets import token_format as form
from tests.secrets import services

from .harness import PASSPHRASE, Done, Program

if TYPE_CHECKING:
    from collections.abc import Iterator

_BODY = "nct_" + "Finch" * 6  # a bird that no other test keeps
CANARY = _BODY + form._checksum(_BODY)  # noqa: SLF001 - a token that everybody recognises

_BYTES = _BODY.encode()  # without the checksum: a mistyped one may not show either
DISGUISES = (
    _BYTES,
    _BYTES[::-1],
    _BYTES.hex().encode(),
    _BODY.encode("utf-16-le"),
    # Whatever stands before it, its base64 holds one of these.
    *(base64.b64encode(b"x" * shift + _BYTES)[4:-4] for shift in range(3)),
)
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
        # What ran before the test can't know what it plants.
        self._foreign = services.process_ids()
        self._over = Event()
        self._thread = Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.is_set():
            since = services.process_ids() - self._foreign
            for canary in _BODY, PASSPHRASE:
                self.seen.update(services.leaks(canary, since))
            time.sleep(0.03)  # less than a command takes

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
        self.apart = False
        """Whether each command runs in a process of its own."""
        self.runs = 0

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> Done:
        """Run with `--verbose`; nothing it prints may hold the canary."""
        done = self._call(*arguments, "--verbose", stdin=stdin, **environ)
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
        done = self._call("token", "show", "-u", "1", "--verbose", **environ)
        assert hidden(done.err.encode())
        return done.out.strip()

    def everything(self, **environ: str) -> list[Done]:
        """Run every command that has to do with tokens, or may tell of them, and then some."""
        orders = [([*arguments, "--verbose"], text) for arguments, text in COMMANDS]
        done = [self._call(*order, stdin=text, **environ) for order, text in orders]
        for (arguments, _), (_, out, err) in zip(orders, done, strict=True):
            assert hidden(f"{out}{err}".encode()), arguments
            assert PASSPHRASE not in out + err
        return done

    def _call(self, *arguments: str, stdin: str = "", **environ: str) -> Done:
        call = self.program.apart if self.apart else self.program
        return call(*arguments, stdin=stdin, **environ)

    def check_files(self) -> None:
        """Assert that no file under the home holds the canary, the keyring's own included."""
        looked_at = 0
        for path in self.program.home.rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file():
                    looked_at += 1
                    assert hidden(path.read_bytes()), path
        assert looked_at > 1
