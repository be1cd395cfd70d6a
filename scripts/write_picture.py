"""Write the picture of a terminal in the README: what the program prints there, as an SVG.

`docs/terminal.svg` is drawn by rich out of the program's own output, with colours.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "terminal.svg"
_COLUMNS = 92
_PREPARED = ("directory import directory.json", "prefs import preferences.csv")
_SHOWN = (
    "prefs list quiet_hours email.mention email.created -u jane@example.com",
    "simulate day.jsonl -u jane@example.com --since 2026-03-03T21:30:00Z --explain",
)
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rich takes its font from the network, which a picture in a README may not."""


def draw() -> str:
    """Return the picture."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        for command in _PREPARED:
            _run(command, folder)
        for command in _SHOWN:
            console.print(Text.assemble(("$ ", "green"), ("notifycli " + command, "bold")))
            console.print(Text.from_ansi(_run(command, folder)))
    return _FONT.sub("", console.export_svg(title="notifycli", unique_id="notifycli"))


def _run(command: str, folder: str) -> str:
    """Return what a command prints on a terminal, with its colours."""
    ours, theirs = pty.openpty()
    environment = {
        "HOME": folder,
        "NOTIFYCLI_DB": str(Path(folder) / "desk.db"),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "TZ": "UTC",
        "COLUMNS": str(_COLUMNS),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "notifycli", *command.split(), "-q"],
        cwd=ROOT / "examples",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    if process.returncode:
        raise SystemExit(f"{command}: {process.returncode}")
    return shown.decode().replace("\r\n", "\n").rstrip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # how Linux says that nobody writes to it any more
        return b""


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
