"""Threads for calls that may take long to return, or never do: the program's end doesn't wait.

It would for those of `concurrent.futures`.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class Returned(NamedTuple, Generic[T]):
    """The call came back with `value`."""

    value: T


class Failed(NamedTuple):
    """The call raised `error`.

    It is handed over, not raised, so that whoever reports it can leave it out of the new error's
    context: a foreign library's exception may hold the secret it was given.
    """

    error: BaseException


class TimedOut(NamedTuple):
    """The call had not come back after `seconds`; it may still take effect while we live."""

    seconds: float


def attempt(call: Callable[[], T], seconds: float) -> Returned[T] | Failed | TimedOut:
    """Run `call` in a thread of its own and wait for it at most `seconds`.

    A child process would bound the call as well, at 150 ms and with the secret crossing a pipe.
    """
    outcomes: list[Returned[T] | Failed] = []

    def run() -> None:
        try:
            outcomes.append(Returned(call()))
        except BaseException as error:  # noqa: BLE001 - a library may even raise SystemExit
            outcomes.append(Failed(error))

    thread = Thread(target=run, name="notifycli-bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    return outcomes[0] if outcomes else TimedOut(seconds)


class Daemons:
    """So many threads, each of which does one call after the other."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        for _ in range(count):
            Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have it called; what comes of it is the future's."""
        from concurrent.futures import Future  # noqa: PLC0415 - takes a millisecond

        future: Future[T] = Future()

        def job() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                    future.set_exception(error)

        self._jobs.put(job)
        return future

    def end(self) -> None:
        """Let each end when it has done what it does."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
