"""Copy a secret to the clipboard, and clear it after a while as `pass -c` does.

The text is put there by a child process of its own session, which gets it through its standard
input, answers one line, and lives on until it has cleared the clipboard. So neither the terminal
nor a captured pipe waits for it, and the secret is in no argument list and no environment.

The child is this module, run as a program. It reads one JSON object, `{"way", "text",
"clear_after", "look"}` (seconds, 0 for never; with `look` it only tries a read), answers one line,
`{"error", "hint"}`, and closes its standard output.

What a clipboard manager has recorded by then stays there: no system lets us take that back.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn, Protocol

from notifycli.daemon_threads import Returned, attempt
from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError
from notifycli.secrets import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from notifycli.secrets.token_format import Secret

CLEAR_AFTER = 45.0
"""Seconds after which a copied secret is cleared, as `pass` has it."""

WHICH = "NOTIFYCLI_CLIPBOARD"

_ANSWER_SECONDS = 15.0
"""A dead X server is given up after four; reading a hung owner's text may take as long again."""

_NO_CLIPBOARD = (
    "Without a screen, pipe the token instead: notifycli token show | … "
    f"In a terminal that takes OSC 52, type: export {WHICH}=terminal"
)

PIPE = "Pipe the token instead: notifycli token show | …"
TOOL_SECONDS = 5.0
SETTLE_SECONDS = 2.0

_EMPTY = (
    "not available in the requested format",  # copykitten
    "Nothing is copied",  # wl-paste
    "No selection",
    "No suitable type of content copied",
    "target STRING not available",  # xclip
)
"""What is said where there is no text to read, which is no failure."""

TICK = 0.1
"""Seconds between two looks whether a newer copy wants its turn."""

TRIES = 5
"""How often clearing is tried; each may take as long as the programs of `clipboard` get."""

OFFER_TICK = 2.0
"""Seconds between two looks whether another program has taken the clipboard."""

_TURN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of a copy.

    `told` is what may be said, since a terminal acknowledges nothing: `copied to the clipboard` or
    `sent to the terminal's clipboard`. `clears_after` is in seconds; None if it is never cleared.
    `note` is one more sentence for the user, "" if there is nothing to add.
    """

    told: str
    clears_after: float | None
    note: str = ""


def copy(secret: Secret, clear_after: float = CLEAR_AFTER) -> Copied:
    """Put `secret` on the clipboard; `clear_after` seconds later put back what was there before.

    With 0 it is left there. It is put back only if the clipboard still holds the secret; what
    isn't text can't be put back and leaves the clipboard empty. A second copy before then hands on
    the text from before the first. What is sent through the terminal is never cleared: nobody can
    ask whether it is still there.

    Raises `UnavailableError` without a clipboard, `ConfigurationError` for a wrong
    `NOTIFYCLI_CLIPBOARD`; neither holds the secret.
    """
    trouble: UnavailableError | None = None
    for way in ways(os.environ):
        try:
            if isinstance(way, Terminal):
                way.write(secret.reveal())
                return Copied("sent to the terminal's clipboard", None, way.note())
            _ask_child(way, text=secret.reveal(), clear_after=clear_after)
        except UnavailableError as error:
            trouble = error
        else:
            return Copied("copied to the clipboard", clear_after or None)
    raise trouble or UnavailableError("this machine has no clipboard", _NO_CLIPBOARD)


def describe() -> Health:
    """Tell by which way a secret would be copied and whether it works, reading but not showing."""
    finding = Health("none", "", False, "this machine has no clipboard", _NO_CLIPBOARD)
    try:
        for way in ways(os.environ):
            finding = way.describe() if isinstance(way, Terminal) else _attempt_all(way)
            if finding.works:
                break
    except ConfigurationError as error:
        return Health("none", WHICH, False, error.message, error.hint)
    return finding


def _attempt_all(way: Way) -> Health:
    """Return the finding of a read, whose text stays in the child."""
    screen = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY", sys.platform)
    try:
        _ask_child(way, text="", clear_after=0, look=True)
    except UnavailableError as error:
        return Health(way.name, screen, False, error.message, error.hint)
    return Health(way.name, screen, True, "it answers")


def ways(environ: Mapping[str, str]) -> list[Way | Terminal]:
    """Return the ways to try, best first; none if there is nothing to try.

    Over SSH the clipboard wanted is that of the machine the user sits at: a display forwarded from
    there (its name has a host) or else the terminal. The far machine's own screen is no use.
    """
    which = environ.get(WHICH, "")
    if which not in {"", "system", "terminal"}:
        raise ConfigurationError(
            f"{WHICH} is {which!r}, which is no clipboard",
            f"Use {WHICH}=system or {WHICH}=terminal, or unset it.",
        )
    here = clipboard_way(environ)
    system: list[Way | Terminal] = [] if here is None else [here]
    if which == "terminal":
        return [Terminal()]
    if which == "system" or not any(environ.get(name) for name in ("SSH_TTY", "SSH_CONNECTION")):
        return system
    forwarded = not environ.get("DISPLAY", ":").startswith(":") and sys.platform == "linux"
    return [*(system if forwarded else []), Terminal()]


def _ask_child(way: Way, **order: object) -> None:
    """Start the child, hand it an order and wait for its answer alone; raises its error.

    The doctor's look is a child's work too: `copykitten` may wait long for a dead screen, and
    stays with the first one it has met in a process.
    """
    # -P: a folder's own `notifycli` or `json` must not be what gets the secret.
    command = [sys.executable, "-P", "-m", "notifycli.clipboard"]
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=_windows_flags(),
    )
    stdin, stdout = child.stdin, child.stdout
    assert stdin is not None  # noqa: S101 - both are pipes, as asked for above
    assert stdout is not None  # noqa: S101

    def converse() -> bytes:
        with stdin:
            stdin.write(json.dumps({"way": way.name, **order}).encode())
        return stdout.readline()

    outcome = attempt(converse, _ANSWER_SECONDS)
    if not isinstance(outcome, Returned) or not outcome.value:
        child.kill()
        child.wait()
        stdout.close()
        raise UnavailableError("the clipboard doesn't answer", _NO_CLIPBOARD)
    stdout.close()
    # It may outlive us by design; Popen would warn of that when it is collected.
    child.returncode = 0
    answer = json.loads(outcome.value)
    if answer["error"]:
        raise UnavailableError(answer["error"], answer["hint"])


def _windows_flags() -> int:
    """Return what keeps the child out of the console there; 0 elsewhere."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


class Way(Protocol):
    """One way to a clipboard; every method raises `UnavailableError`."""

    @property
    def name(self) -> str:
        """Return the name by which `way_named` finds it in the child."""

    @property
    def needs_us(self) -> bool:
        """Whether the text is gone from the clipboard when this process ends."""

    def write(self, text: str) -> None:
        """Put `text` there."""

    def read(self) -> str | None:
        """Return the text there, None if there is none; what isn't text counts as none."""

    def clear(self) -> None:
        """Leave the clipboard empty."""


class Library:
    """X11, macOS and Windows through `copykitten`."""

    name = "copykitten"
    needs_us = sys.platform not in {"win32", "darwin"}

    def write(self, text: str) -> None:
        """Put `text` there."""
        with _library_errors(text):
            import copykitten  # noqa: PLC0415 - has no wheels for some systems

            copykitten.copy(text)

    def read(self) -> str | None:
        """Return the text there, or None."""
        try:
            with _library_errors(""):
                import copykitten  # noqa: PLC0415

                return copykitten.paste() or None
        except UnavailableError as error:
            if any(sign in error.message for sign in _EMPTY):
                return None
            raise

    def clear(self) -> None:
        """Leave the clipboard empty."""
        with _library_errors(""):
            import copykitten  # noqa: PLC0415

            copykitten.clear()


@dataclass(frozen=True, slots=True)
class Programs:
    """A pair of programs that take and give the text by pipes; see `PROGRAMS`."""

    name: str
    put: tuple[str, ...]
    give: tuple[str, ...]
    empty: tuple[str, ...]
    package: str
    needs_us: ClassVar[bool] = False  # those that must stay to offer the text do

    def write(self, text: str) -> None:
        """Put `text` there through the program's standard input."""
        self._run(self.put, text)
        self._settle(text)

    def read(self) -> str | None:
        """Return the text there, or None."""
        try:
            return self._run(self.give, None) or None
        except UnavailableError as error:
            if any(sign in error.message for sign in _EMPTY):
                return None
            raise

    def clear(self) -> None:
        """Leave the clipboard empty."""
        self._run(self.empty, "")
        self._settle(None)

    def _settle(self, text: str | None) -> None:
        """Wait until `text` is what is read.

        These programs return before the screen has heard of it, so that what we put there next
        could be overtaken.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.read() != text:
            if time.monotonic() > deadline:
                raise UnavailableError(f"{self.put[0]} didn't put the text there", _SCREEN)
            time.sleep(0.01)

    def _run(self, command: tuple[str, ...], text: str | None) -> str:
        """Run a program with files, not pipes, for its output.

        They stay behind to offer the text and would keep a pipe open for as long.
        """
        program = shutil.which(command[0])
        if program is None:
            raise UnavailableError(
                f"{command[0]} is missing, which the clipboard needs here",
                f"Install it (on Debian: apt install {self.package}).",
            )
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                status = subprocess.run(  # noqa: S603 - a fixed command, text through its input
                    [program, *command[1:]],
                    input=(text or "").encode(),
                    stdout=out if text is None else subprocess.DEVNULL,
                    stderr=err,
                    timeout=TOOL_SECONDS,
                    check=False,
                ).returncode
            except (OSError, subprocess.SubprocessError):
                raise UnavailableError(f"{command[0]} doesn't answer", _SCREEN) from None
            out.seek(0)
            err.seek(0)
            if status:
                said = " ".join(err.read().decode(errors="replace").split())
                raise UnavailableError(f"{command[0]} failed ({_scrub(said, text)})", _SCREEN)
            return out.read().decode(errors="replace")


_SCREEN = (
    f"Check that DISPLAY or WAYLAND_DISPLAY names a screen of yours. {PIPE}, or in a terminal "
    "that takes OSC 52 type: export NOTIFYCLI_CLIPBOARD=terminal"
)

WAYLAND = Programs(
    "wl-clipboard",
    # Without a type wl-copy has xdg-mime guess one. Until 2.1 it keeps the text in a file of mode
    # 0600 under /tmp while it offers it; newer ones unlink that file at once.
    ("wl-copy", "--type", "text/plain;charset=utf-8"),
    ("wl-paste", "--no-newline", "--type", "text"),
    ("wl-copy", "--clear"),
    "wl-clipboard",
)
MACOS = Programs("pbcopy", ("pbcopy",), ("pbpaste",), ("pbcopy",), "pbcopy")
X11 = Programs(
    "xclip",
    ("xclip", "-selection", "clipboard", "-in"),
    ("xclip", "-selection", "clipboard", "-out"),
    ("xclip", "-selection", "clipboard", "-in"),
    "xclip",
)
PROGRAMS = {programs.name: programs for programs in (WAYLAND, MACOS, X11)}


def way_named(name: str) -> Way:
    """Return the way whose `name` it is; KeyError for none."""
    return Library() if name == Library.name else PROGRAMS[name]


def clipboard_way(environ: Mapping[str, str]) -> Way | None:
    """Return the way to this machine's own clipboard, or None if it has no screen.

    A Wayland session has an X11 display as well, but what is put there need not reach the programs
    of Wayland; `copykitten` is built without Wayland, so `wl-copy` serves there.
    """
    if sys.platform == "win32":
        return Library()
    if sys.platform == "darwin":
        return Library() if _has_library() else MACOS
    if environ.get("WAYLAND_DISPLAY"):
        return WAYLAND
    if environ.get("DISPLAY"):
        return Library() if _has_library() or not shutil.which("xclip") else X11
    return None


def _has_library() -> bool:
    import importlib.util  # noqa: PLC0415

    return importlib.util.find_spec("copykitten") is not None


@contextlib.contextmanager
def _library_errors(text: str) -> Iterator[None]:
    """Turn a missing library and its errors into ours, without `text`."""
    try:
        yield
    except ImportError:
        raise UnavailableError(
            "the library copykitten is missing, which the clipboard needs here",
            "Install it: pipx inject notifycli copykitten (or, on X11, apt install xclip).",
        ) from None
    except Exception as error:  # noqa: BLE001 - its error class can't be named before the import
        said = _scrub(" ".join(str(error).split()), text)
        if "never initialized" in said:
            said = f"no screen answers at DISPLAY={os.environ.get('DISPLAY', '')}"
        raise UnavailableError(f"the clipboard failed ({said})", _SCREEN) from None


def _scrub(said: str, text: str | None) -> str:
    """Return what a program said, without the text it was given."""
    return said.replace(text, "…") if text else said


class Terminal:
    """The clipboard of the machine the terminal is on, by the sequence OSC 52.

    It can only be written to: terminals don't tell what it holds, or ask the user first.
    """

    def write(self, text: str) -> None:
        """Send `text` to the terminal; there is no acknowledgement."""
        self._send(base64.b64encode(text.encode()))

    def describe(self) -> Health:
        """Tell whether there is a terminal and what may keep the text from getting through."""
        try:
            self._send(None)
        except UnavailableError as error:
            return Health("OSC 52", "/dev/tty", False, error.message, error.hint)
        meaning = "the terminal is sent the text and doesn't say whether it took it"
        return Health("OSC 52", "/dev/tty", True, meaning, self.note())

    def note(self) -> str:
        """Return what to type so that the text gets through a multiplexer, "" if nothing."""
        if os.environ.get("TMUX"):
            return "tmux passes it on after: tmux set -s set-clipboard on"
        return ""

    def _send(self, payload: bytes | None) -> None:
        """Write the sequence to the terminal itself: standard output is for data."""
        if os.environ.get("TERM", "") in {"dumb", "linux"} or sys.platform == "win32":
            raise UnavailableError("this terminal has no clipboard", PIPE)
        try:
            with Path("/dev/tty").open("wb", buffering=0) as terminal:
                if payload is not None:
                    terminal.write(b"\x1b]52;c;" + payload + b"\x07")
        except OSError:
            raise UnavailableError(
                "there is no clipboard, and no terminal to send the text to", PIPE
            ) from None


@dataclass(frozen=True, slots=True)
class Order:
    """What the child is to do; see the module."""

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
    from platformdirs import user_state_path  # noqa: PLC0415 - for the child alone, as the next

    from notifycli.secrets.private_file import hold_lock  # noqa: PLC0415

    folder = user_state_path("notifycli", appauthor=False)
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
