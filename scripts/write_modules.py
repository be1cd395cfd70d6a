"""Write tests/modules.txt: what each command imports, so that nothing heavy can creep in unseen.

Left out is what Typer itself imports and, of the standard library, what costs little: that differs
between versions of Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from notifycli.cli.completion import VARIABLE
from notifycli.cli.main import app
from notifycli.rules.directory import User
from notifycli.store.store import Store

_HERE = Path(__file__).parent
TARGET = _HERE.parent / "tests" / "modules.txt"
_OWN = "notifycli."
_HEAVY = {
    *("asyncio", "concurrent", "csv", "ctypes", "dataclasses", "difflib", "email", "getpass"),
    *("gzip", "http", "json", "logging", "multiprocessing", "smtplib", "socket", "sqlite3", "ssl"),
    *("tempfile", "tomllib", "traceback", "unittest", "xml", "zoneinfo"),
}
"""Of the standard library."""
_LIGHT = {"typer", "typing_extensions"}
"""Of other projects: what is there anyway, or comes and goes with the version of Python."""

# Each command runs in a fork of a process that knows Typer: 20 ms instead of 80.
_PROGRAM = """
import json, os, sys, typer
known = {*sys.modules}
answer = os.dup(1)
for command in json.load(sys.stdin):
    if not os.fork():
        for stream in 1, 2:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.argv[1:] = command["words"]
        os.environ.update(command["environment"])
        from notifycli.cli.main import main
        try:
            main()
        except SystemExit as end:
            found = {*sys.modules} - known if not end.code else {f"ended-with-{end.code}"}
            os.write(answer, json.dumps(sorted(found)).encode() + b"\\n")
        finally:
            os._exit(0)
    os.wait()
"""


def modules() -> str:
    """Give the whole file."""
    imported = dict(_imported())
    common = frozenset.intersection(*imported.values())
    lines = [
        "Written by scripts/write_modules.py (make format): what commands import, and how many.",
        "",
        _line("every command", common),
    ]
    names: dict[frozenset[str], list[str]] = {}
    for name, found in imported.items():
        names.setdefault(found - common, []).append(name)
    lines += (_line(", ".join(group), found) for found, group in names.items())
    return "\n".join(lines) + "\n"


def _line(name: str, found: frozenset[str]) -> str:
    return f"{name}\n  {len(found)}: {' '.join(sorted(found))}"


def _imported() -> Iterator[tuple[str, frozenset[str]]]:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.db"
        with Store(store) as opened, opened.change(1, "modules", "modules") as change:
            change.put_users([User(7, "jane@example.com")])
        commands = list(_commands())
        answered = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=json.dumps(commands),
            env={**os.environ, "HOME": folder, "NOTIFYCLI_DB": str(store)},
            cwd=_HERE.parent,
            capture_output=True,
            text=True,
            check=True,
        )
    for command, answer in zip(commands, answered.stdout.splitlines(), strict=True):
        found = (name for module in json.loads(answer) for name in _shown(module))
        yield command["name"], frozenset(found)


def _shown(module: str) -> Iterator[str]:
    top = module.partition(".")[0]
    if module.startswith(_OWN):
        yield module.removeprefix(_OWN)
    elif top in _HEAVY or (
        top not in sys.stdlib_module_names and not top.startswith("_") and top not in _LIGHT
    ):
        yield f"[{top}]"


def _commands() -> Iterator[dict[str, Any]]:
    """Give what is typed most, as it is typed, and the help of every command."""
    tab = {VARIABLE: "zsh"}
    yield _command("TAB", "prefs", "get", "", **tab)
    yield _command("TAB on a user", "prefs", "get", "-u", "ja", **tab)
    for line in (
        "--version",
        "--help",
        "prefs get audio",
        "prefs list",
        "prefs set audio=all",
        "prefs unset audio",
        "user list",
        "simulate examples/day.jsonl",
    ):
        yield _command(line, *line.split())
    for path in _leaves(get_command(app), ()):
        yield _command(f"{' '.join(path)} --help", *path, "--help")


def _command(name: str, *words: str, **environment: str) -> dict[str, Any]:
    return {"name": name, "words": words, "environment": environment}


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name in inner:
        yield from _leaves(inner[name], (*path, name))


if __name__ == "__main__":
    TARGET.write_text(modules(), encoding="utf-8")
    print(f"wrote {TARGET}")
