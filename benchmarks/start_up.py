"""How long a short command and a TAB take, beside a program of two commands that do nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.frame import NOTIFYCLI, Done, Race, Way, WrongError, process
from notifycli.cli.main import VARIABLE
from notifycli.rules.directory import User
from notifycli.store.store import open_store

_TWO_COMMANDS = """
import typer

app = typer.Typer()


@app.command()
def get(key: str) -> None:
    print("none")


@app.command()
def put(key: str, value: str) -> None:
    print(value)


app()
"""
_BARE = "print('none')"


def races(folder: Path, small: bool) -> Iterator[Race]:  # noqa: ARG001 - as small as it can be
    """Race what is typed most often."""
    store = folder / "store.db"
    agents = [User(number, f"agent{number}@example.com") for number in range(100, 149)]
    with open_store(store) as opened, opened.change(1, "benchmark", "benchmark") as change:
        change.put_users([User(7, "jane@example.com"), *agents])
    (folder / "two_commands.py").write_text(_TWO_COMMANDS)
    own = {"NOTIFYCLI_DB": str(store)}
    yield _race(
        "prefs get KEY",
        folder,
        1.2,
        partial(_said, b"none\n", *NOTIFYCLI, "prefs", "get", "audio", "-u", "7", environment=own),
    )
    yield _race(
        "--help", folder, 1.5, partial(_said, b"Examples:", *NOTIFYCLI, "--help", environment=own)
    )
    tab = {**own, VARIABLE: "zsh"}
    yield _race(
        "TAB",
        folder,
        1.5,
        partial(_said, b"quiet_hours", *NOTIFYCLI, "prefs", "get", "", environment=tab),
    )
    yield _race(
        "TAB on a user",
        folder,
        1.5,
        partial(_said, b"jane@", *NOTIFYCLI, "prefs", "get", "-u", "ja", environment=tab),
    )


def _race(name: str, folder: Path, most: float, run: partial[Done]) -> Race:
    two_commands = partial(_said, b"none", sys.executable, folder / "two_commands.py", "get", "x")
    bare = partial(_said, b"none", sys.executable, "-c", _BARE)
    ways = [
        Way(name, run),
        Way("two commands of Typer", two_commands, most=most),
        Way("bare Python", bare),
    ]
    # Each has looked itself whether its answer is right.
    return Race(name, ways, rounds=41, check=lambda _: None)


def _said(
    expected: bytes, *command: str | Path, environment: Mapping[str, str] | None = None
) -> Done:
    done = process(*command, environment=environment)
    if expected not in done.answer:
        raise WrongError(f"{expected!r} is not in {done.answer!r:.200}")
    return Done(done.answer)
