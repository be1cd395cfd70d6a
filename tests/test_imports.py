"""What commands import: nothing heavy that they don't need, and no more of our own than a ceiling.

Start-up is most of what a short command costs, and imports are most of start-up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from notifycli.cli.main import VARIABLE, app
from notifycli.rules.directory import User
from notifycli.store.store import open_store

_ROOT = Path(__file__).parent.parent
_HEAVY = {
    *("aiohttp", "copykitten", "cryptography", "idna", "keyring", "pkg_resources", "platformdirs"),
    *("py_vapid", "pygments", "pywebpush", "requests", "rich", "shellingham", "sqlite_utils"),
    *("starlette", "tomlkit", "urllib3", "uvicorn"),
    *(
        "asyncio",
        "backports",
        "bz2",
        "compression",
        "concurrent",
        "csv",
        "ctypes",
        "dataclasses",
        "email",
        "gzip",
        "http",
    ),
    *("logging", "lzma", "multiprocessing", "smtplib", "socket", "ssl", "tempfile", "tomllib"),
    *("typing_extensions", "unittest", "xml", "zipfile"),
}
"""What takes a millisecond or more, and Typer itself doesn't import."""
_READS_FILES = {"csv", "tomllib"}
_NEEDED = {
    "TAB": {"dataclasses"},
    "chatwoot": {"dataclasses"},
    "doctor": {"dataclasses", "tempfile"},
    "email": {"asyncio", "concurrent", "logging", "socket", "ssl"},
    "prefs apply": _READS_FILES,
    "prefs diff": _READS_FILES,
    "prefs drift": _READS_FILES,
    "prefs edit": _READS_FILES | {"tempfile"},
    "prefs export": _READS_FILES,
    "prefs import": _READS_FILES,
    "push": {"dataclasses"},
    "test": _READS_FILES,
    "token": {"dataclasses"},
}
"""What of it a command, or all commands of a group, may import before they do anything."""
_CEILINGS = {
    "": 49,
    "--help": 17,
    "--version": 17,
    "TAB": 28,
    "prefs get": 26,
    "prefs list": 26,
    "prefs set": 31,
    "prefs unset": 31,
    "simulate": 48,
    "test": 48,
    "user": 27,
}
"""How many of our own modules may be imported: by a command, by all of a group, by any other."""

# Each command runs in a fork of a process that knows Typer, and what every command begins with.
_PROGRAM = """
import json, os, sys, typer
known = {*sys.modules}
from notifycli.cli.main import main, program
program()
answer = os.dup(1)
for command in json.load(sys.stdin):
    if not os.fork():
        for stream in 1, 2:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.argv[1:] = command["words"]
        os.environ.update(command["environment"])
        try:
            main()
        except SystemExit as end:
            imported = {*sys.modules} - known if not end.code else {f"ended-with-{end.code}"}
            os.write(answer, json.dumps(sorted(imported)).encode() + b"\\n")
        finally:
            os._exit(0)
    os.wait()
"""


def test_collects_no_garbage_until_all_is_imported() -> None:
    program = (
        "import gc; from notifycli.__main__ import main; before = gc.isenabled()\n"
        "try: main()\n"
        "except SystemExit: print(before, gc.isenabled())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1:] == ["False True"]


def test_the_installed_program_starts_where_the_module_does() -> None:
    scripts = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"notifycli": "notifycli.__main__:main"}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    folder = tmp_path_factory.mktemp("imports")
    store = folder / "store.db"
    with open_store(store) as opened, opened.change(1, "imports", "imports") as change:
        change.put_users([User(7, "jane@example.com")])
    commands = list(_commands())
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(commands),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "NOTIFYCLI_DB": str(store)},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = map(json.loads, done.stdout.splitlines())
    return {command["name"]: {*answer} for command, answer in zip(commands, answers, strict=True)}


def _commands() -> Iterator[dict[str, Any]]:
    """Give what is typed most, as it is typed, and the help of every command."""
    yield _command("TAB", "prefs", "get", "", environment={VARIABLE: "zsh"})
    yield _command("TAB on verbs", "token", "", environment={VARIABLE: "zsh"})
    yield _command("TAB on a user", "prefs", "get", "-u", "ja", environment={VARIABLE: "zsh"})
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


def _command(name: str, *words: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": name, "words": words, "environment": environment or {}}


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name in inner:
        yield from _leaves(inner[name], (*path, name))


def test_every_command_ends_well(imported: dict[str, set[str]]) -> None:
    assert not [name for name, modules in imported.items() if "notifycli" not in modules]


def test_no_command_imports_what_is_heavy_and_it_does_not_need(
    imported: dict[str, set[str]],
) -> None:
    needless = {}
    for name, modules in imported.items():
        tops = {module.partition(".")[0] for module in modules}
        needed = set[str]().union(*(_NEEDED.get(names, set()) for names in _beginnings(name)))
        if heavy := tops & _HEAVY - needed:
            needless[name] = sorted(heavy)

    assert not needless


def test_no_command_imports_more_of_our_modules_than_its_ceiling(
    imported: dict[str, set[str]],
) -> None:
    above = {}
    for name, modules in imported.items():
        own = sum(module.startswith("notifycli.") for module in modules)
        ceiling = next(_CEILINGS[names] for names in _beginnings(name) if names in _CEILINGS)
        if own > ceiling:
            above[name] = own, ceiling

    assert not above


def test_verbs_are_offered_before_their_noun_is_loaded(imported: dict[str, set[str]]) -> None:
    assert {"notifycli.cli.main", "notifycli.cli.token"} & imported["TAB on verbs"] == {
        "notifycli.cli.main"
    }


def _beginnings(name: str) -> Sequence[str]:
    words = name.split()
    return [" ".join(words[:count]) for count in range(len(words), -1, -1)]
