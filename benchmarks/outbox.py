"""What a notice waits for and costs, at 100 a second, with each engine and 1, 2 and 4 workers.

A worker is a process that does what `deliver --follow` does on a host: it writes its share of the
notices, and its engine sends what is due of all of them, by a channel that takes nothing. They come
at set times, whether the ones before are sent or not, so all ways take as long: what counts are the
figures. A notice's latency runs from when it was to come until it is sent. `cpu_ms` is what the
workers take for one, without what PostgreSQL's own processes do.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Self

from benchmarks.frame import Done, Race, Way, WrongError
from benchmarks.stores import entry, start_server
from notifycli.delivery import channels
from notifycli.delivery.channels import Channels, Delivered, Outcome
from notifycli.delivery.engine import Engine, Limits
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import EVERY_CHANNEL, Notice
from notifycli.store.store import Store, open_store

_RATE = 100
_READY = b"ready\n"
_WORKER = (
    "import sys; from benchmarks.outbox import work; work(sys.argv[1], *map(int, sys.argv[2:]))"
)


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race engines and numbers of workers."""
    seconds = 1 if small else 30
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
        begin = time.time() + 0.1
        told = [json.loads(_finish(one, f"{begin}\n".encode())) for one in started]
    latencies = sorted(latency for one in told for latency in one["latencies"])
    figures = {
        "p50_ms": 1_000 * latencies[len(latencies) // 2],
        "p99_ms": 1_000 * latencies[len(latencies) * 99 // 100],
        "cpu_ms": 1_000 * sum(one["cpu"] for one in told) / len(latencies),
    }
    return Done(len(latencies), figures)


def _finish(worker: subprocess.Popen[bytes], given: bytes) -> bytes:
    if worker.stdin is None or worker.stdout is None:
        raise WrongError("a worker has no streams")
    worker.stdin.write(given)
    worker.stdin.flush()
    return worker.stdout.read()


class _Taker:
    """Takes what is sent, and notes how long after its time that was."""

    begin = 0.0
    latencies: list[float]

    def __init__(self) -> None:
        _Taker.latencies = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, notice: Notice) -> Outcome:
        """Send nothing anywhere."""
        due = _Taker.begin + (notice.message_id or 0) / _RATE
        self.latencies.append(time.time() - due)
        return Delivered()


def work(url: str, number: int, workers: int, amount: int) -> None:
    """Be one of the workers."""
    module = ModuleType("benchmark_taker")
    vars(module)["open_sender"] = lambda _: _Taker()
    sys.modules[module.__name__] = module
    channels.MODULES[Channel.EMAIL] = module.__name__
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
    json.dump({"latencies": _Taker.latencies, "cpu": cpu}, sys.stdout)


async def _write_and_send(store: Store, engine: Engine, share: range) -> None:
    sending = asyncio.create_task(engine.run())
    for number in share:
        await asyncio.sleep(_Taker.begin + number / _RATE - time.time())
        key = f"{_Taker.begin} {number}".encode()
        store.outbox.write(
            [entry(number)._replace(event_key=key, message_id=number)], store.outbox.now()
        )
        engine.nudge()
    # The others' last ones may be still to come, and to be sent here.
    await asyncio.sleep(_Taker.begin + share.stop / _RATE - time.time())
    while store.outbox.open_count(EVERY_CHANNEL):  # noqa: ASYNC110 - other processes send
        await asyncio.sleep(0.1)
    engine.finish()
    await sending
