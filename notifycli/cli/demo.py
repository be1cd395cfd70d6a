"""`notifycli demo`: a day of a small desk, in a store that is thrown away."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from notifycli.cli.command import command_class, examples, part, session_of
from notifycli.cli.terminal import write_output

app = part()
FILES = ("directory.json", "preferences.csv", "day.jsonl")
_STEPS = (
    ("A desk: who works here, and in which inbox", "directory import directory.json"),
    ("What they want to hear of", "prefs import preferences.csv"),
    ("Its day, as Chatwoot's webhooks told it: what would fire", "simulate day.jsonl --summary"),
    (
        "Jane's night: what would reach her, and why the rest would not",
        "simulate day.jsonl --explain -u jane@example.com --since 2026-03-03T21:00:00Z",
    ),
)
_NEXT = """
That was made up, and is gone. With a Chatwoot of yours:
  notifycli chatwoot login https://chat.example.com
  notifycli why -u you@example.com --since yesterday
or with webhooks that you have received, one body a line:
  notifycli directory learn events.jsonl
  notifycli simulate events.jsonl --summary
  notifycli why -u you@example.com events.jsonl
"""


@app.command(
    "demo", cls=command_class(), epilog=examples("notifycli demo\nnotifycli demo | less -R")
)
def demo(ctx: typer.Context) -> None:
    """Replay a day of a small desk, in a store that is thrown away.

    Nothing of yours is read or changed.
    """
    import tempfile  # noqa: PLC0415 - not for the help

    from notifycli.cli.main import run  # noqa: PLC0415 - it is what runs this

    plain = ["--no-color"] if session_of(ctx).no_color else []
    with tempfile.TemporaryDirectory(prefix="notifycli-") as folder, _no_settings():
        files = {name: str(_example(name)) for name in FILES}
        store = str(Path(folder) / "demo.db")
        for title, command in _STEPS:
            write_output(f"\n# {title}\n$ notifycli {command}\n".encode())
            words = [files.get(word, word) for word in shlex.split(command)]
            quiet = ["-q"] if words[0] == "simulate" else []
            status = run([*words, "--db", store, "-a", "1", "-o", "table", *quiet, *plain])
            if status:
                raise typer.Exit(status)
    write_output(_NEXT.encode())


def _example(name: str) -> Path:
    """Find an example: beside the modules of a wheel, or in the checkout that they are in."""
    package = Path(__file__).parents[1]
    installed = package / "examples" / name
    return installed if installed.exists() else package.parent / "examples" / name


@contextmanager
def _no_settings() -> Iterator[None]:
    """Keep the user's own settings away from the demo, such as an account or a user."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("NOTIFYCLI_")}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)
