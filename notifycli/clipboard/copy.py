"""Copy a secret to the clipboard, and clear it after a while as `pass -c` does.

The text is put there by a child process of its own session, which gets it through its standard
input, answers one line, and lives on until it has cleared the clipboard. So neither the terminal
nor a captured pipe waits for it, and the secret is in no argument list and no environment.

What a clipboard manager has recorded by then stays there: no system lets us take that back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifycli.clipboard.backends import Terminal, Way, clipboard_way
from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.secrets.keychain import Health
from notifycli.secrets.timeout import Returned, attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    command = [sys.executable, "-P", "-m", "notifycli.clipboard.child"]
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
