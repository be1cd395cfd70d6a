"""The way to a clipboard over SSH: the terminal that the user sits at."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

from notifycli.errors import UnavailableError
from notifycli.secrets.keychain import Health

PIPE = "Pipe the token instead: notifycli token show | …"


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
