"""Reading the past of a Chatwoot, beside loops that ask as fast as they can.

The server, in a process of its own, answers 3,000 requests a minute and refuses more with
`Retry-After`, as Chatwoot does by address. `chatwoot history` spreads its requests evenly below
that, for there are dashboards at that address too; so its seconds are those of its pace, and what
is measured is what it adds to them. The loops have as many threads and take in nothing of what they
get: they show what the server can, and leave nothing of the minute to anybody else. Nothing is
promised.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from shutil import rmtree
from typing import Any

from benchmarks.frame import Done, Race, Way, WrongError, process
from notifycli.chatwoot.api_history import AT_ONCE

_ROOT = Path(__file__).parent.parent
_TOKEN = "root" * 6  # the server takes any
_MESSAGES, _A_MINUTE = 20, 3_000
_A_PAGE = 25
_REFUSED = 429


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race over 1,000 conversations of 20 messages."""
    count = 50 if small else 1_000
    with _serving(count) as port:
        desk = _Desk(folder, port)
        ways = [
            Way("chatwoot history", desk.history, prepare=desk.forget),
            Way("a loop into the limit", partial(_loop, port, count)),
        ]
        yield Race(
            f"{count:,} conversations of {_MESSAGES} messages",
            ways,
            amount=count,
            unit="conversations",
            rounds=1,
            check=partial(_check, count),
        )


class _Desk:
    """A store that is logged in."""

    def __init__(self, folder: Path, port: int) -> None:
        self._cache, self._log = folder / "cache", folder / "log.jsonl"
        passphrase = folder / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text("of a benchmark\n")
        token = folder / "token"
        token.write_text(_TOKEN)
        self._environment = {
            "NOTIFYCLI_DB": str(folder / "store.db"),
            "XDG_CACHE_HOME": str(self._cache),
            "NOTIFYCLI_KEYRING": "file",
            "NOTIFYCLI_KEYRING_FILE": str(folder / "keys.json"),
            "NOTIFYCLI_KEYRING_PASSPHRASE_FILE": str(passphrase),
        }
        self._run("chatwoot", "login", f"http://127.0.0.1:{port}", stdin=token)

    def forget(self) -> None:
        """Have nothing read yet."""
        rmtree(self._cache, ignore_errors=True)
        self._log.unlink(missing_ok=True)

    def history(self) -> Done:
        """Write the log, and count its events."""
        done = self._run("chatwoot", "history", "-O", str(self._log))
        return Done(len(self._log.read_bytes().splitlines()), done.figures)

    def _run(self, *arguments: str, stdin: Path | None = None) -> Done:
        command = (sys.executable, "-m", "notifycli", *arguments)
        return process(*command, stdin=stdin, environment=self._environment)


def _loop(port: int, count: int) -> Done:
    pages = range(1, count // _A_PAGE + 1)
    paths = [f"?status=all&sort_by=last_activity_at_desc&page={page}" for page in pages]
    paths += [f"/{number}/messages?after=0&before=2147483647" for number in range(1, count + 1)]
    paths = [f"/api/v1/accounts/1/conversations{path}" for path in paths]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        parts = [paths[first::AT_ONCE] for first in range(AT_ONCE)]
        return Done(sum(threads.map(partial(_fetch, port), parts)))


def _fetch(port: int, paths: Sequence[str]) -> int:
    """Ask for paths one after the other; return how many answers came."""
    connection = HTTPConnection("127.0.0.1", port)
    waiting = list(paths)
    while waiting:
        connection.request("GET", waiting[-1], headers={"api_access_token": _TOKEN})
        answer = connection.getresponse()
        answer.read()
        if answer.status == _REFUSED:
            time.sleep(float(answer.headers["Retry-After"]))
        else:
            waiting.pop()
    connection.close()
    return len(paths)


def _check(count: int, answers: Sequence[Any]) -> None:
    """Look whether each conversation's creation, messages and assignment are in the log."""
    expected = [count * (1 + _MESSAGES), count // _A_PAGE + count]
    if [*answers] != expected:
        raise WrongError(f"{answers} events and answers, not {expected}")


@contextmanager
def _serving(conversations: int) -> Iterator[int]:
    numbers = map(str, (conversations, _MESSAGES, _A_MINUTE))
    command = [sys.executable, "-m", "benchmarks.chatwoot_server", *numbers]
    server = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None  # noqa: S101 - it is a pipe
        with server.stdout as output:
            yield json.loads(output.readline())
    finally:
        server.terminate()
        server.wait()
