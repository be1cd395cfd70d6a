"""Write man/notifycli.1 from the program itself: one page, as `man notifycli` shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperOption
from typer.main import get_command

from notifycli import __version__, errors
from notifycli.cli.main import VARIABLE, app
from notifycli.rules.notifications import TYPES
from notifycli.rules.preferences import KEYS, Layer

TARGET = Path(__file__).parent.parent / "man" / "notifycli.1"
_VARIABLE = re.compile(r"\[env: (\w+)\]")
_NO_BRACES = str.maketrans("", "", "{}")
"""What Typer puts around an argument that has to be there."""
_NO_BREAK = "\b\n"
"""With which Typer keeps the lines of a paragraph as they are."""


def manual() -> str:
    """Give the whole page."""
    program = get_command(app)
    context = program.context_class(program, info_name="notifycli")
    commands = list(_commands(program, context))
    common = set.intersection(*({*map(_names, c.get_params(own))} for c, own in commands))
    summary, _, more = (program.help or "").partition("\n\n")
    lines = [
        '.\\" Written by scripts/write_manual.py from the program; do not edit it by hand.',
        f'.TH NOTIFYCLI 1 "" "notifycli {__version__}" "User Commands"',
        ".SH NAME",
        f"notifycli \\- {_text(summary[0].lower() + summary[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        ".B notifycli",
        ".I COMMAND",
        ".RI [ OPTIONS ]",
        ".RI [ ARGUMENTS ]",
        ".SH DESCRIPTION",
        *_prose(more),
        ".SH EXAMPLES",
        *_examples(program),
        ".SH COMMON OPTIONS",
        "Every command takes them; all but the last may stand before it too.",
        *_listed(_option(p, context) for p in program.get_params(context) if _names(p) in common),
        ".SH COMMANDS",
        *(line for command, own in commands for line in _command(command, own, common)),
        *_reference(),
        ".SH ENVIRONMENT",
        "An option on the command line wins over its variable.",
        *_listed(_variables(program, context)),
        ".SH FILES",
        *_listed([("$XDG_DATA_HOME/notifycli/notifycli.db", _STORE)]),
    ]
    return "\n".join(lines) + "\n"


_STORE = (
    "The store, where XDG_DATA_HOME is ~/.local/share unless it is set; on other systems than "
    "Linux it is in the folder for a user's application data."
)


def _commands(command: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    """Give the commands that do something, each with its context, group by group."""
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child.hidden:
            continue
        own = child.context_class(child, info_name=name, parent=context)
        if hasattr(child, "commands"):
            yield from _commands(child, own)
        else:
            yield child, own


def _command(command: Any, own: Any, common: set[tuple[str, ...]]) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(own)).translate(_NO_BRACES)
    yield f".SS {_text(own.command_path)} {_text(usage)}"
    yield from _prose(command.help or "")
    params = [p for p in command.params if not p.hidden and _names(p) not in common]
    params.sort(key=lambda param: isinstance(param, TyperOption))
    yield from _listed(_option(param, own) for param in params)
    if command.epilog:
        yield from (".P", "Examples:", *_examples(command))


def _names(param: Any) -> tuple[str, ...]:
    return tuple(param.opts)


def _option(param: Any, context: Any) -> tuple[str, str]:
    names, help_ = param.get_help_record(context)
    return names, _VARIABLE.sub("", help_).replace("[required]", "").strip()


def _variables(program: Any, context: Any) -> Iterator[tuple[str, str]]:
    for param in program.get_params(context):
        names, help_ = param.get_help_record(context)
        for variable in _VARIABLE.findall(help_):
            yield variable, f"As {names}."
    yield VARIABLE, "Set by the shells' completion scripts alone."


def _reference() -> Iterator[str]:
    yield ".SH PREFERENCES"
    layers = ", ".join(Layer)
    yield from _prose(f"The first layer that has a key wins: {layers}. Values that are built in:")
    yield from _listed(
        (f"{key.name}={key.builtin}", f"{_sentence(key.summary)} Values: {', '.join(key.values)}.")
        for key in KEYS.values()
    )
    yield ".SH NOTIFICATION TYPES"
    yield from _listed((f"{t.type} ({t.short})", _sentence(t.fires_when)) for t in TYPES)
    yield ".SH EXIT STATUS"
    yield from _listed([("0", "Done."), ("1", "The answer is no.")])
    yield from _listed(
        (str(error.status), (error.__doc__ or "").splitlines()[0])
        for error in errors.NotifycliError.__subclasses__()
    )


def _listed(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, meaning in items:
        yield from (".TP", f".B {_text(term)}", _text(meaning) or "\\&")


def _prose(text: str) -> Iterator[str]:
    for paragraph in text.replace(_NO_BREAK, "").strip().split("\n\n"):
        yield from (".P", *map(_text, paragraph.splitlines()))


def _examples(command: Any) -> Iterator[str]:
    lines = (command.epilog or "").replace(_NO_BREAK, "").removeprefix("Examples:\n").splitlines()
    yield ".EX"
    yield from (f"  {_text(line.strip())}" if line.strip() else "" for line in lines)
    yield ".EE"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _text(text: str) -> str:
    """Escape what roff would read as its own; ASCII hyphens and quotes stay what they are."""
    escapes = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
    text = "".join(escapes.get(char, char) for char in text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(manual(), encoding="utf-8")
