"""Write completions/: the scripts that make TAB complete, as the program prints them."""

from __future__ import annotations

from pathlib import Path

from notifycli.cli.completion import SCRIPTS

TARGET = Path(__file__).parent.parent / "completions"


def completions() -> dict[Path, str]:
    """Give every file and what is to be in it."""
    return {TARGET / script.file: script.text for script in SCRIPTS.values()}


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    for path, text in completions().items():
        path.write_text(text, encoding="utf-8")
