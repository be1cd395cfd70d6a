"""How a person writes preferences on the command line: keys, globs, and `KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from notifycli.errors import UsageError
from notifycli.rules.preferences import GLOBS, InvalidPreferenceError, full_keys, read_value

_SPACED = "quiet_hours="
"""The one preference whose value has spaces."""


def all_assigned(words: Sequence[str]) -> list[tuple[str, str]]:
    """Give the full keys and the values that several `KEY=VALUE` mean. Raises `UsageError`."""
    for place, word in enumerate(words):
        loose = list(takewhile(lambda after: not {"=", "@"} & {*after}, words[place + 1 :]))
        if loose and word.lower().startswith(_SPACED) and ":" in word:
            raise UsageError(
                f"{' '.join(loose)!r} stands apart from {word}",
                f"quote a value that has spaces: '{' '.join((word, *loose))}'",
            )
    return [pair for word in words for pair in assigned(word)]


def assigned(text: str) -> list[tuple[str, str]]:
    """Give the full keys and the value that `KEY=VALUE` means. Raises `UsageError`."""
    key, equals, value = text.partition("=")
    user, colon, of_user = key.rpartition(":")
    if not equals:
        remedy = f"name a user with -u {text}" if "@" in text else f"write it as {text}=VALUE"
        raise UsageError(f"{text!r} has no value", remedy)
    if colon and "@" in user:
        raise UsageError(
            f"{text!r} names a user", f"name a user apart: -u {user} {of_user}={value}"
        )
    try:
        return [(full, read_value(full, value)) for full in keys_of(key)]
    except InvalidPreferenceError as error:
        whole = f"{key}: " if "*" in key else ""
        raise UsageError(f"{whole}{error}", did_you_mean(error)) from None


def keys_of(text: str) -> tuple[str, ...]:
    """Give the full keys that are meant by one or by a glob. Raises `UsageError`."""
    try:
        return full_keys(text)
    except InvalidPreferenceError as error:
        hint = did_you_mean(error) or "see all: notifycli prefs list --default"
        raise UsageError(str(error), hint) from None


def did_you_mean(error: InvalidPreferenceError) -> str:
    """Give the hint to the nearest valid word, as a shell takes it; nothing if there is none."""
    near = f"'{error.nearest}'" if error.nearest in GLOBS else error.nearest
    return f"did you mean {near}?" if near else ""
