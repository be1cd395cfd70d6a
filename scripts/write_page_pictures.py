"""Write the pictures of the pages in the guide, from the program's own output: needs Chromium.

`docs/report.png` and `docs/timeline.png` are the example day's. Fonts differ from one computer to
the next, so no test compares them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PREPARED = (
    "directory import directory.json",
    "prefs import preferences.csv",
    "config set desk.url=https://desk.example.com",
)
_PAGES = {
    "report": ("simulate day.jsonl --zone Europe/Berlin", "1100,1180"),
    "timeline": ("why --conversation 615 day.jsonl", "1000,830"),
}
"""What writes each page, and the size of its picture."""


def main() -> None:
    """Write the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("there is no chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        for command in _PREPARED:
            _run(command, folder)
        for name, (command, size) in _PAGES.items():
            page, picture = Path(folder) / f"{name}.html", ROOT / "docs" / f"{name}.png"
            _run(f"{command} --report {page}", folder)
            flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
            drawn = (
                f"--window-size={size}",
                f"--screenshot={picture}",
                f"--user-data-dir={folder}/p",
            )
            subprocess.run(
                [chromium, *flags, *drawn, page.as_uri()], check=True, capture_output=True
            )


def _run(command: str, folder: str) -> None:
    environment = {
        "HOME": folder,
        "NOTIFYCLI_DB": str(Path(folder) / "desk.db"),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "TZ": "Europe/Berlin",
    }
    program = [sys.executable, "-m", "notifycli", *command.split(), "-q"]
    subprocess.run(program, cwd=ROOT / "examples", env=environment, check=True)


if __name__ == "__main__":
    main()
