"""From a reader that blocks to a loop that must not: in batches, as soon as they are there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_WAITING = 4_000
_LARGEST_BATCH = 1_000
_LOOK_SECONDS = 0.2


class Pump(Generic[T]):
    """Reads in a thread of its own. `stop` ends it, whatever the reader is waiting for."""

    def __init__(self, source: Iterator[T], stopped: threading.Event) -> None:
        self._source = source
        self._stopped = stopped
        self._queue: Queue[T] = Queue(_MOST_WAITING)
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._idle = False
        self._ended = False
        self._error: BaseException | None = None
        # A daemon: a read from a terminal or a pipe can't be broken off.
        threading.Thread(target=self._read, daemon=True).start()

    async def batches(self) -> AsyncIterator[list[T]]:
        """Give what has been read, until there is no more. Raises what the reader raises."""
        while not self._stopped.is_set():
            ended = self._ended
            if batch := self._taken():
                yield batch
                await asyncio.sleep(0)
            elif ended:
                if self._error is not None:
                    raise self._error
                return
            else:
                await self._rest()

    async def _rest(self) -> None:
        self._arrived.clear()
        self._idle = True
        if self._queue.empty() and not self._ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._arrived.wait()
        self._idle = False

    def _taken(self) -> list[T]:
        batch: list[T] = []
        with suppress(Empty):
            while len(batch) < _LARGEST_BATCH:
                batch.append(self._queue.get_nowait())
        return batch

    def _read(self) -> None:
        try:
            for item in self._source:
                if not self._put(item):
                    return
                if self._idle:
                    self._tell()
        except BaseException as error:  # noqa: BLE001 - raised again where somebody listens
            self._error = error
        finally:
            self._ended = True
            self._tell()

    def _put(self, item: T) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_LOOK_SECONDS)
            except Full:
                continue
            return True
        return False

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is gone
            self._loop.call_soon_threadsafe(self._arrived.set)
