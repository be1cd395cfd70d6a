"""Calls that may never return, given a time after which nobody waits for them any more."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Returned(Generic[T]):
    """The call came back with `value`."""

    value: T


@dataclass(frozen=True, slots=True)
class Failed:
    """The call raised `error`.

    It is handed over, not raised, so that whoever reports it can leave it out of the new error's
    context: a foreign library's exception may hold the secret it was given.
    """

    error: BaseException


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The call had not come back after `seconds`; it may still take effect while we live."""

    seconds: float


def attempt(call: Callable[[], T], seconds: float) -> Returned[T] | Failed | TimedOut:
    """Run `call` in a thread of its own and wait for it at most `seconds`.

    The thread is a daemon: the interpreter doesn't wait for it when it exits, which it would for
    a pool of `concurrent.futures`. A child process would bound the call as well, at 150 ms and
    with the secret crossing a pipe.
    """
    outcomes: list[Returned[T] | Failed] = []

    def run() -> None:
        try:
            outcomes.append(Returned(call()))
        except BaseException as error:  # noqa: BLE001 - a library may even raise SystemExit
            outcomes.append(Failed(error))

    thread = threading.Thread(target=run, name="notifycli-bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    return outcomes[0] if outcomes else TimedOut(seconds)
