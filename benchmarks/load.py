"""`listen` and `serve` under 200 clients at once, beside a bare server of the same framework.

The bare server is Starlette on uvicorn with the same HTTP parser: it reads a request's body and
answers a text as long as ours. Ours also checks a signature and puts each event on the disk before
it answers; or checks a token, reads the store, and writes to it for each twentieth request. Each
client sends its next request when the last was answered, all together 120,000 (`LOAD_REQUESTS`), a
minute's work; what counts is that each answer is the right one, and how long half and all but one
in a hundred took.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.frame import NOTIFYCLI, Done, Race, Way, WrongError
from benchmarks.load_clients import SECRET, WRITES, Agent, Chatwoot, Client, ask
from notifycli.rules.directory import User
from notifycli.secrets import Health
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import NO_WISH, TokenOwner, TokenService
from notifycli.store.store import open_store

_CLIENTS = 200
_REQUESTS = int(os.environ.get("LOAD_REQUESTS", "120000"))
_SMALL_REQUESTS = WRITES * _CLIENTS
_START_SECONDS = 60
_BARE = """
import sys
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

answer = sys.argv[2].encode()


async def app(scope, receive, send):
    await Request(scope, receive).body()
    await Response(answer, media_type="application/json")(scope, receive, send)


uvicorn.run(Router(default=app), port=int(sys.argv[1]), http="h11", ws="none", log_config=None)
"""


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race both servers against a bare one."""
    each = (_SMALL_REQUESTS if small else _REQUESTS) // _CLIENTS
    yield _race("listen, webhooks of 3 KB", _listen(folder, each), "{}", each, _chatwoots)
    tokens = _desk(folder / "desk.db")
    serving = (*NOTIFYCLI, "serve", "-q", "--db", str(folder / "desk.db"))
    yield _race(
        "serve, profile and settings",
        partial(_loaded, serving, partial(_agents, tokens, real=True), each),
        "x" * 800,
        each,
        partial(_agents, tokens, real=False),
    )


def _race(
    name: str,
    run: Callable[[], Done],
    answer: str,
    each: int,
    clients: Callable[[], Sequence[Client]],
) -> Race:
    bare = partial(_loaded, (sys.executable, "-c", _BARE), clients, each, answer)
    ways = [Way(name.partition(",")[0], run), Way("bare Starlette", bare)]
    return Race(name, ways, amount=each * _CLIENTS, unit="requests", rounds=1, check=_compare)


def _compare(answers: Sequence[dict[str, float]]) -> None:
    """Add to the product's figures how they compare with the bare server's of the same round."""
    ours, bare = answers
    for figure in ("p50", "p99"):
        ours[f"{figure}_ratio"] = ours[f"{figure}_ms"] / bare[f"{figure}_ms"]


def _chatwoots() -> list[Client]:
    return [Chatwoot(number) for number in range(_CLIENTS)]


def _agents(tokens: Mapping[int, str], *, real: bool) -> list[Client]:
    return [Agent(number, token, real=real) for number, token in tokens.items()]


def _listen(folder: Path, each: int) -> Callable[[], Done]:
    def run() -> Done:
        path = folder / f"{time.monotonic_ns()}" / "events.jsonl"
        path.parent.mkdir()
        os.environ["NOTIFYCLI_LISTEN_SECRET"] = SECRET
        done = _loaded((*NOTIFYCLI, "listen", "-q", "--path", str(path)), _chatwoots, each)
        names = [
            msgspec.json.decode(line)["name"]
            for file in path.parent.glob("*.jsonl")
            for line in file.read_bytes().splitlines()
        ]
        if len(names) != len(set(names)) or len(names) != each * _CLIENTS:
            raise WrongError(f"of {each * _CLIENTS} events {len(names)} are in the files")
        return done

    return run


class _Keychain:
    """Keeps secrets while the benchmark runs."""

    kind = "system"
    asks = False

    def __init__(self) -> None:
        self._kept: dict[str, Secret] = {}

    def unlock(self, *, to_write: bool = False) -> None:
        """Never locked."""

    def get(self, name: str) -> Secret | None:
        return self._kept.get(name)

    def set(self, name: str, secret: Secret) -> None:
        self._kept[name] = secret

    def delete(self, name: str) -> bool:
        return self._kept.pop(name, None) is not None

    def describe(self) -> Health:
        return Health("memory", "here", works=True, meaning="it answers")


def _desk(path: Path) -> dict[int, str]:
    """Make a desk with a user and a token for each client."""
    users = [User(number, f"agent{number}@example.com") for number in range(1, _CLIENTS + 1)]
    with open_store(path) as store:
        with store.change(1, "benchmark", "benchmark") as change:
            change.put_users(users)
        now = int(time.time()) * 1_000_000
        life = TokenService(store, _Keychain(), "benchmark", "benchmark", lambda: now)
        return {
            user.id: life.reveal(life.generate(TokenOwner(1, user), NO_WISH)).reveal()
            for user in users
        }


def _loaded(
    command: Sequence[str],
    clients: Callable[[], Sequence[Client]],
    each: int,
    *arguments: str,
) -> Done:
    """Start a server, and let each client ask it so often."""
    with _running(command, arguments) as port:
        took = asyncio.run(_all_ask(clients(), port, each))
    cuts = statistics.quantiles(took, n=100)
    figures = {"p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}
    return Done(figures, figures)


@contextmanager
def _running(command: Sequence[str], arguments: Sequence[str]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    options = (str(port), *arguments) if arguments else ("--port", str(port))
    server = subprocess.Popen([*command, *options])
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise WrongError("the server doesn't answer") from None
            time.sleep(0.05)
        else:
            return


async def _all_ask(clients: Sequence[Client], port: int, each: int) -> list[float]:
    took = await asyncio.gather(*(ask(client, port, each) for client in clients))
    return [seconds for one in took for seconds in one]
