"""Write docs/reference.md from the program itself: commands, preferences, reasons, statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from notifycli import errors
from notifycli.cli.command import COMMON
from notifycli.cli.main import app
from notifycli.rules.decision import Reason
from notifycli.rules.ladder import AUDIO, SWITCHED
from notifycli.rules.notifications import TYPES
from notifycli.rules.preferences import KEYS, Layer

TARGET = Path(__file__).parent.parent / "docs" / "reference.md"
WIDTH = 80


def reference() -> str:
    """Give the whole page."""
    return "\n".join(
        [
            "# Reference",
            "",
            "Written by `scripts/write_reference.py` from the program; don't edit it by hand.",
            "",
            *_preferences(),
            *_types(),
            *_reasons(),
            *_statuses(),
            "## Commands",
            "",
            f"{COMMON} are those of `notifycli` itself, but for `--version` and `--user`.",
            "",
            *_commands(get_command(app), "notifycli", None),
        ]
    )


def _preferences() -> Iterator[str]:
    yield "## Preferences"
    yield ""
    yield "| key | values | built-in | what it decides |"
    yield "|---|---|---|---|"
    for key in KEYS.values():
        values = ", ".join(f"`{value}`" for value in key.values)
        yield f"| `{key.name}` | {values} | `{key.builtin}` | {key.summary} |"
    yield ""
    layers = ", ".join(f"`{layer}`" for layer in Layer)
    yield f"The first layer that has the key wins: {layers}."
    yield ""


def _types() -> Iterator[str]:
    yield "## Notification types"
    yield ""
    yield "| type | short name | fires when |"
    yield "|---|---|---|"
    for row in TYPES:
        yield f"| `{row.type}` | `{row.short}` | {row.fires_when} |"
    yield ""


def _reasons() -> Iterator[str]:
    yield "## Reasons"
    yield ""
    yield f"What fires has the reason `{Reason.ENABLED}`, anything else the first that holds."
    yield ""
    for name, ladder in (("E-mail and push", SWITCHED), ("Audio", AUDIO)):
        reasons = dict.fromkeys(f"`{rule.reason}`" for rule in ladder)
        yield f"{name}: {', '.join(reasons)}."
        yield ""


def _statuses() -> Iterator[str]:
    yield "## Exit statuses"
    yield ""
    yield "| status | |"
    yield "|---|---|"
    yield "| 0 | done |"
    yield "| 1 | the answer is no |"
    for error in errors.NotifycliError.__subclasses__():
        meaning = (error.__doc__ or "").splitlines()[0].rstrip(".")
        yield f"| {error.status} | {meaning[0].lower()}{meaning[1:]} |"
    yield ""


def _commands(command: Any, path: str, parent: Any) -> Iterator[str]:
    context = command.context_class(
        command, info_name=path.rsplit(" ", 1)[-1], parent=parent, terminal_width=WIDTH
    )
    yield f"### {path}"
    yield ""
    yield "```text"
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield re.sub(rf"{COMMON}:\n(.+\n)+\n?", "", text)
    yield "```"
    yield ""
    for name in getattr(command, "commands", {}):
        yield from _commands(command.get_command(context, name), f"{path} {name}", context)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
