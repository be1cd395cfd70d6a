"""What a notice waits for and costs, at 100 a second, with each engine and 1, 2 and 4 workers.

A worker is a process that does what `deliver --follow` does on a host: it writes its share of the
notices, and its engine sends what is due of all of them, by a channel that takes nothing. They come
at set times, whether the ones before are sent or not, so all ways take as long: what counts are the
figures. A notice's latency runs from when it was to come until it is sent. `cpu_ms` is what the
workers take for one, without what PostgreSQL's own processes do; `twice` is how many were sent
twice, which a worker that isn't killed never does.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Self

from benchmarks.frame import Done, Race, Way, WrongError
from benchmarks.stores import entry, start_server
from notifycli.delivery.channels import Delivered, Outcome
from notifycli.delivery.engine import MODULES, Channels, Engine, Limits
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import EVERY_CHANNEL, Notice, OutboxEntry
from notifycli.store.store import Store, open_store

_RATE = 100
_READY = b"ready\n"
_WORKER = (
    "import sys; from benchmarks.outbox import work; work(sys.argv[1], *map(int, sys.argv[2:]))"
)


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race engines and numbers of workers."""
    seconds = 1 if small else 20
    with ExitStack() as stack:
        urls = {"SQLite": f"sqlite:///{folder}/outbox.db"}
        if shutil.which("psql"):
            urls["PostgreSQL"] = start_server(stack)
        for url in urls.values():
            with open_store(url) as store, store.change(1, "benchmark", "benchmark") as change:
                change.put_users([User(7, "agent7@example.com")])
        ways = [
            Way(f"{engine}, {workers}", partial(_send, url, workers, seconds))
            for engine, url in urls.items()
            for workers in ((2,) if small else (1, 2, 4))
        ]
        yield Race(f"{_RATE} notices a second", ways, _RATE * seconds, "notices", rounds=1)


def _send(url: str, workers: int, seconds: int) -> Done:
    """Have workers write and send; gives how many notices were sent."""
    worker = (sys.executable, "-c", _WORKER, url)
    amount = _RATE * seconds
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [*worker, str(number), str(workers), str(amount)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for number in range(workers)
        ]
        for one in started:
            if one.stdout is None or one.stdout.readline() != _READY:
                raise WrongError("a worker didn't start")
        begin = f"{time.time() + 0.1}\n".encode()
        for one in started:
            _tell(one, begin)
        told = [json.loads(one.stdout.read()) for one in started if one.stdout]
    sent = [one for worker in told for one in worker["sent"]]
    latencies = sorted(latency for _, latency in sent)
    once = len({number for number, _ in sent})
    figures = {
        "p50_ms": 1_000 * latencies[len(latencies) // 2],
        "p99_ms": 1_000 * latencies[len(latencies) * 99 // 100],
        "cpu_ms": 1_000 * sum(one["cpu"] for one in told) / len(sent),
        "twice": len(sent) - once,
    }
    return Done(once, figures)


def _tell(worker: subprocess.Popen[bytes], begin: bytes) -> None:
    """Let all begin at the same time, before any of them is waited for."""
    if worker.stdin is None:
        raise WrongError("a worker has no standard input")
    worker.stdin.write(begin)
    worker.stdin.flush()


class _Taker:
    """Takes what is sent, and notes how long after its time that was."""

    begin = 0.0
    sent: ClassVar[list[tuple[int, float]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, notice: Notice) -> Outcome:
        """Send nothing anywhere."""
        number = notice.message_id or 0
        self.sent.append((number, time.time() - self.begin - number / _RATE))
        return Delivered()


def work(url: str, number: int, workers: int, amount: int) -> None:
    """Be one of the workers."""
    module = ModuleType("benchmark_taker")
    vars(module)["open_sender"] = lambda _: _Taker()
    sys.modules[module.__name__] = module
    MODULES[Channel.EMAIL] = module.__name__
    with open_store(url) as store:
        opened = Channels(store, frozenset({Channel.EMAIL}))
        opened.ready(Channel.EMAIL)
        sys.stdout.buffer.write(_READY)
        sys.stdout.flush()
        _Taker.begin = float(sys.stdin.readline())
        before = time.process_time()
        engine = Engine(store.outbox, opened, EVERY_CHANNEL, Limits())
        asyncio.run(_write_and_send(store, engine, range(number, amount, workers)))
        cpu = time.process_time() - before
    json.dump({"sent": _Taker.sent, "cpu": cpu}, sys.stdout)


async def _write_and_send(store: Store, engine: Engine, share: range) -> None:
    sending = asyncio.create_task(engine.run())
    coming = deque(share)
    while coming:
        await asyncio.sleep(_Taker.begin + coming[0] / _RATE - time.time())
        # What has come by now is written together, as what is read together is.
        due = [coming.popleft()]
        while coming and _Taker.begin + coming[0] / _RATE <= time.time():
            due.append(coming.popleft())
        store.outbox.write(map(_entry, due), store.outbox.now())
        engine.nudge()
    # The others' last ones may be still to come, and to be sent here.
    await asyncio.sleep(_Taker.begin + share.stop / _RATE - time.time())
    while store.outbox.open_count(EVERY_CHANNEL):  # noqa: ASYNC110 - other processes send
        await asyncio.sleep(0.1)
    engine.finish()
    await sending


def _entry(number: int) -> OutboxEntry:
    key = f"{_Taker.begin} {number}".encode()
    return entry(number)._replace(event_key=key, message_id=number)
