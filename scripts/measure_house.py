"""Print how large and how clear the package is, beside eight command-line programs to learn from.

They are todoman, nox, doc2dash, sqlite-utils, keyring, pipx, httpx and posting. The numbers are
those of a reader: how many files there are, how many names mean two things, how many functions
aren't named for what they do, and how many files one command leads through.
"""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import socket
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

_ROOT = Path(__file__).parent.parent
_PACKAGE = _ROOT / "notifycli"
_LONGEST = 40
_IRREGULAR = {
    *(
        "begun",
        "bound",
        "built",
        "chosen",
        "done",
        "drawn",
        "felt",
        "found",
        "given",
        "gone",
        "got",
    ),
    *("grown", "heard", "held", "kept", "known", "laid", "led", "left", "lent", "lost", "made"),
    *("meant", "met", "paid", "said", "seen", "sent", "shown", "sold", "spelt", "spent", "taken"),
    *("thrown", "told", "torn", "understood", "worn", "written"),
}
_NO_PARTICIPLES = {"bed", "embed", "exceed", "feed", "need", "proceed", "seed", "shed", "speed"}
_GENERIC = frozenset({"__init__", "__main__"})


class _Function(NamedTuple):
    name: str
    lines: int
    where: str


def _trees() -> dict[Path, ast.Module]:
    files = sorted(_PACKAGE.rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}


def _functions(trees: Mapping[Path, ast.Module]) -> Iterator[_Function]:
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                # From the body on: a command's parameters are declarations of its options.
                lines = (node.end_lineno or 0) - node.body[0].lineno + 2
                yield _Function(node.name, lines, f"{path.relative_to(_ROOT)}:{node.lineno}")


def _is_participle(name: str) -> bool:
    first = name.strip("_").partition("_")[0]
    return first in _IRREGULAR or (
        first.endswith("ed") and len(first) > len("ed") + 1 and first not in _NO_PARTICIPLES
    )


def _used_twice(names: Iterator[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


_PROBE = """
import inspect, json, os, sys, threading
files, importing = set(), 0
def watch(frame, event, _):
    global importing
    code = frame.f_code
    if "/notifycli/" not in code.co_filename:
        return
    if code.co_name == "<module>":
        importing += (event == "call") - (event == "return")
    # Neither the body of a class, nor what a module calls when it is imported.
    elif event == "call" and not importing and code.co_flags & inspect.CO_NEWLOCALS:
        files.add(code.co_filename)
from notifycli.cli.main import run
threading.setprofile(watch)
sys.setprofile(watch)
status = run(json.loads(sys.argv[1]))
sys.setprofile(None)
with open(os.environ["MEASURED"], "w") as measured:
    json.dump([status, sorted(files)], measured)
"""


def _entered(environ: Mapping[str, str], *arguments: str) -> int:
    """Run a command on a terminal, and count our files whose functions it enters."""
    measured = Path(environ["MEASURED"])
    measured.unlink(missing_ok=True)
    child, terminal = pty.fork()
    if not child:
        os.chdir(_ROOT)
        os.execve(  # noqa: S606 - our own interpreter
            sys.executable, [sys.executable, "-c", _PROBE, json.dumps(arguments)], dict(environ)
        )
    shown = bytearray()
    try:
        while block := os.read(terminal, 1 << 16):
            shown += block
    except OSError:  # how Linux says that the program is gone
        pass
    os.waitpid(child, 0)
    if not measured.exists():
        raise SystemExit(f"{' '.join(arguments)}: {shown.decode(errors='replace')}")
    status, files = json.loads(measured.read_text(encoding="utf-8"))
    if status:
        raise SystemExit(f"{' '.join(arguments)}: {status}: {shown.decode(errors='replace')}")
    return len({re.sub(".*/notifycli/", "", file) for file in files})


def _entered_by_commands() -> dict[str, int]:
    event = {"account": {"id": 1}, "id": 5, "event": "message_created", "message_type": "incoming"}
    event |= {"conversation": {"id": 42, "inbox_id": 3, "meta": {"assignee": {"id": 7}}}}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "passphrase").write_text("measured\n", encoding="ascii")
        (home / "passphrase").chmod(0o600)
        (home / "event.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "TERM": "xterm",
            "MEASURED": str(home / "measured"),
            "NOTIFYCLI_KEYRING": "file",
            "NOTIFYCLI_KEYRING_PASSPHRASE_FILE": str(home / "passphrase"),
            "NOTIFYCLI_CLIPBOARD": "terminal",
        }
        port = _free_port()
        server = Controller(Sink(), hostname="127.0.0.1", port=port)
        server.start()
        try:
            run = partial(_entered, environ)
            run("user", "add", "jane@example.com", "--id", "7")
            run("inbox", "add", "3", "--member", "7")
            run(
                "config",
                "set",
                "smtp.host=127.0.0.1",
                f"smtp.port={port}",
                "smtp.security=plain",
                "email.sender=desk@example.com",
            )
            run("token", "generate")
            events = str(home / "event.jsonl")
            return {
                "prefs set": run("prefs", "set", "email.message=on"),
                "token show --copy": run("token", "show", "--copy"),
                "simulate of one event": run("simulate", events),
                "one mail of deliver": run("deliver", events, "--channel", "email"),
            }
        finally:
            server.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main() -> None:
    """Print the table; with `--names`, what the numbers are made of too."""
    trees = _trees()
    functions = list(_functions(trees))
    classes = _used_twice(
        node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef)
    )
    modules = _used_twice(path.stem for path in trees if path.stem not in _GENERIC)
    participles = [function for function in functions if _is_participle(function.name)]
    long = [function for function in functions if function.lines > _LONGEST]
    rows: list[tuple[str, object, str]] = [
        ("Python files", len(trees), "9 to 70"),
        ("class names for two or more things", len(classes), "0 to 2"),
        ("module names used twice or more", len(modules), "0 to 2"),
        ("functions", len(functions), ""),
        (
            "functions named by a participle",
            f"{100 * len(participles) / len(functions):.1f} %",
            "0 to 3.6 %",
        ),
        ("lines of the median function", statistics.median(f.lines for f in functions), ""),
        (f"functions over {_LONGEST} lines (options apart)", len(long), ""),
        *(
            (f"files entered by {command}", files, "4 to 14")
            for command, files in _entered_by_commands().items()
        ),
    ]
    print(f"{'':44}{'ours':>8}  others'")
    for name, ours, theirs in rows:
        print(f"{name:44}{ours!s:>8}  {theirs}")
    if "--names" in sys.argv:
        print("\nclasses:", " ".join(classes), "\nmodules:", " ".join(modules))
        for function in (*participles, *long):
            print(f"{function.where} {function.name} ({function.lines} lines)")


if __name__ == "__main__":
    main()
