"""The process behind `clipboard.copy`: puts the text there, waits, puts back what was there.

It reads one JSON object from its standard input, `{"way", "text", "clear_after", "look"}` (seconds,
0 for never; with `look` it only tries a read), answers one line, `{"error", "hint"}`, and closes
its standard output. Started by `clipboard` alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import platformdirs

from notifycli.clipboard import Way, way_named
from notifycli.errors import NotifycliError, UnavailableError
from notifycli.secrets.private_file import hold_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TICK = 0.1
"""Seconds between two looks whether a newer copy wants its turn."""

TRIES = 5
"""How often clearing is tried; each may take as long as the programs of `clipboard` get."""

OFFER_TICK = 2.0
"""Seconds between two looks whether another program has taken the clipboard."""

_TURN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """What the parent wants; see the module."""

    way: str
    text: str = field(repr=False)
    clear_after: float
    look: bool = False


def main() -> None:
    """Carry out the order on standard input."""
    signal.signal(signal.SIGTERM, _leave)
    order = Order(**json.load(sys.stdin.buffer))
    way = way_named(order.way)
    os.chdir(Path(sys.executable).anchor)  # so that the folder we were called in can be unmounted
    if order.look:
        _answer(way.read)
        return
    with _turn() as turn:
        before = _text_before(way)
        offered: str | None = order.text
        try:
            _answer(lambda: way.write(order.text))
            _wait(order.clear_after, turn)
        finally:
            if order.clear_after > 0:
                offered = _put_back(way, order.text, before)
    if way.needs_us and offered is not None:
        _offer(way, offered)


class _Turn:
    """Whose copy is on the clipboard: a file that holds the newest one's mark."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = os.urandom(8).hex()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(self._mark, encoding="ascii")

    def is_over(self) -> bool:
        with contextlib.suppress(OSError):
            return self._path.read_text(encoding="ascii") != self._mark
        return False


@contextlib.contextmanager
def _turn() -> Iterator[_Turn | None]:
    """Send an earlier copy's process home and hold the lock it held.

    It puts back its own `before` at once. Otherwise ours would be its secret, and we would put
    that back. Without a place for the files, or if the other doesn't go, we go on without a turn.
    """
    folder = platformdirs.user_state_path("notifycli", appauthor=False)
    with contextlib.ExitStack() as stack:
        turn = None
        with contextlib.suppress(NotifycliError, OSError):
            turn = _Turn(folder / "clipboard.turn")
            stack.enter_context(hold_lock(folder / "clipboard.lock", _TURN_SECONDS))
        yield turn


def _text_before(way: Way) -> str | None:
    """Return what the clipboard holds; None also if that can't be told: writing will tell why."""
    with contextlib.suppress(UnavailableError):
        return way.read()
    return None


def _answer(call: Callable[[], object]) -> None:
    """Make the call, tell the parent how it went and let go of the pipe to it."""
    answer = {"error": "", "hint": ""}
    try:
        call()
    except UnavailableError as error:
        answer = {"error": error.message, "hint": error.hint}
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    if answer["error"]:
        sys.exit(1)


def _wait(seconds: float, turn: _Turn | None) -> None:
    """Wait `seconds`, or until a newer copy wants the turn."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not (turn and turn.is_over()):
        time.sleep(min(left, TICK))


def _put_back(way: Way, text: str, before: str | None) -> str | None:
    """Put back what was there, if the clipboard still holds `text`; return what was put back."""
    for _ in range(TRIES):
        try:
            if way.read() != text:
                return None
            if before is not None and before != text:
                way.write(before)
                return before
            way.clear()
        except UnavailableError:  # whoever holds the text may be busy, or gone with the screen
            time.sleep(TICK)
        else:
            return None
    return None


def _offer(way: Way, text: str) -> None:
    """Stay for as long as `text` is what the clipboard holds: on X11 it lives in this process.

    `copykitten`'s own process for this outlives the X server and logs to a file in /tmp whose name
    anyone can guess.
    """
    with contextlib.suppress(UnavailableError):
        while way.read() == text:
            time.sleep(OFFER_TICK)


def _leave(*_: object) -> NoReturn:
    """End at once, by way of putting back what was there: the session is closing."""
    sys.exit(0)


if __name__ == "__main__":
    main()
