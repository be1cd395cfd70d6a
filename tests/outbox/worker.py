"""The program with channels that write what they send to a file, slowly: a process to kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Self

from notifycli.cli.deliver import source
from notifycli.cli.main import main
from notifycli.delivery import engine
from notifycli.delivery.channels import Delivered, Outcome
from notifycli.store.outbox import Notice

LEASE_SECONDS = 30.0
"""Longer than a busy machine stands still: what is in flight then would be sent again."""


class _Slow:
    """Takes its time, and has the notice when the file has it."""

    def __init__(self) -> None:
        self._path = Path(os.environ["POST_FILE"])
        self._seconds = float(os.environ["POST_SECONDS"])
        left, delay = os.environ.get("POST_DIES", "0 0").split()
        self._left, self._delay = int(left), float(delay)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, notice: Notice) -> Outcome:
        with self._path.open("a") as file:
            file.write(f"{notice.message_id} {notice.id} {os.getpid()} {time.time():.3f}\n")
        self._left -= 1
        if self._left == 0:
            # Whatever it does by then: it may post the next, or write to the store.
            threading.Timer(self._delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        await asyncio.sleep(self._seconds)
        return Delivered()


def _install() -> None:
    module = ModuleType("slow_post")
    vars(module)["open_sender"] = lambda _: _Slow()
    sys.modules[module.__name__] = module
    for channel in engine.MODULES:
        engine.MODULES[channel] = module.__name__
    lease = float(os.environ.get("LEASE_SECONDS", LEASE_SECONDS))
    engine.LEASE = int(lease * 1_000_000)
    source.RENEW_SECONDS = lease / 8
    if os.environ.get("NOTIFYCLI_DB", "").startswith("postgresql:"):
        from notifycli.store.postgres import received  # noqa: PLC0415 - an extra

        received.LEASE_SECONDS = lease


if __name__ == "__main__":
    _install()
    main()
