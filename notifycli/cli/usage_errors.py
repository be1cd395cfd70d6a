"""What a wrong command line is answered, without what may be a secret in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from notifycli.secrets.token_format import PREFIX, mask

_NO_COMMAND = "No such command"
_TOO_MANY = "Got unexpected extra argument"
_KEEPERS = frozenset({"token", "chatwoot", "config"})
"""The nouns that are handed secrets: what is one word too many there may be one."""
_TOKEN = re.compile(
    rf"{PREFIX}\w*"
    r"|(?<![\w/\\.@-])(?=\w*[A-Z])(?=\w*[a-z])(?=\w*\d)[0-9A-Za-z]{24}(?![\w/\\.@-])",
    re.ASCII,
)
"""Our tokens, and Chatwoot's: 24 letters and digits, large and small, no part of a name."""
_VALUE = re.compile(r"=[^']*(?=')")


def explain_usage(error: Any) -> tuple[str, str]:
    """Give the message and the hint for a command line that Typer can't read."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "notifycli"
    message = error.format_message()
    if message.startswith(_NO_COMMAND):
        message = _VALUE.sub("=…", message)
        if context is not None and context.command.name in _KEEPERS:
            _, meant, near = message.partition(" Did you mean")
            message = f"{_NO_COMMAND} as was typed; it may be a secret.{meant}{near}"
    if message.startswith(_TOO_MANY) and _noun(context) in _KEEPERS:
        return (
            "an argument too many; it isn't repeated here, since it may be a secret",
            f"secrets are read from standard input: pipe them; see {path} --help",
        )
    # Typer names what is near itself; of what is near nothing, it helps to see what there is.
    known = getattr(context.command, "commands", {}) if context else {}
    listed = f"there are: {', '.join(known)}; " if message.startswith(_NO_COMMAND) else ""
    if message.endswith("?"):
        listed = ""
    return message, f"{listed}see {path} --help"


def without_tokens(text: str, arguments: Iterable[str]) -> str:
    """Mask whatever the text repeats of the arguments that looks like a token."""
    for token in {found for argument in arguments for found in _TOKEN.findall(argument)}:
        text = text.replace(token, mask(token))
    return text


def _noun(context: Any) -> str | None:
    return context.parent.command.name if context and context.parent else None
