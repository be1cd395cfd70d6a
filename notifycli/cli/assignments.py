"""How a person writes preferences on the command line: keys, globs, and `KEY=VALUE`."""

from __future__ import annotations

from notifycli.errors import UsageError
from notifycli.rules.preferences import InvalidPreferenceError, full_keys, read_value


def assigned(text: str) -> list[tuple[str, str]]:
    """Give the full keys and the value that `KEY=VALUE` means. Raises `UsageError`."""
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} has no value", f"write it as {text}=VALUE")
    try:
        return [(full, read_value(full, value)) for full in keys_of(key)]
    except InvalidPreferenceError as error:
        raise UsageError(str(error), did_you_mean(error)) from None


def keys_of(text: str) -> tuple[str, ...]:
    """Give the full keys that are meant by one or by a glob. Raises `UsageError`."""
    try:
        return full_keys(text)
    except InvalidPreferenceError as error:
        hint = did_you_mean(error) or "see all: notifycli prefs list --default"
        raise UsageError(str(error), hint) from None


def did_you_mean(error: InvalidPreferenceError) -> str:
    """Give the hint to the nearest valid word; nothing if there is none."""
    return f"did you mean {error.nearest}?" if error.nearest else ""
