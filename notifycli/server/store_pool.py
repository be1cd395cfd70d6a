"""The store, as a server uses it: reads at once, writes one after the other in one thread.

Reads never wait for another process, since the file is in WAL mode, and take a tenth of a
millisecond: less than handing them to a thread would. A write may have to wait for another process
for as long as `database.BUSY_SECONDS`, so all of them happen in a thread of their own, with a
connection of its own, and nobody who reads waits with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from notifycli.store.store import Store

Result = TypeVar("Result")


class Stores:
    """The two connections of a server. `open` and `close` belong to the loop's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "store-writer")
        self._writer: Store | None = None

    def open(self) -> None:
        """Open the store for reading, bringing it up to date first."""
        self.reader = Store(self._path)

    async def write(self, change: Callable[[Store], Result]) -> Result:
        """Run a function in the thread that writes; raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, change)

    def _run(self, change: Callable[[Store], Result]) -> Result:
        if self._writer is None:
            self._writer = Store(self._path)
        return change(self._writer)

    async def close(self) -> None:
        """Close both, once what is being written is written."""
        await self.write(lambda store: store.__exit__())
        self._thread.shutdown()
        self.reader.__exit__()
