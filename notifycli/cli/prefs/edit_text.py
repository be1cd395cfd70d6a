"""Effective preferences as TOML for an editor, and what was changed in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from notifycli.documents.preference_tables import parse_toml, quote_toml, value_text
from notifycli.errors import DataError
from notifycli.rules.preferences import KEYS, InvalidPreferenceError, Layer, full_keys, read_value
from notifycli.rules.settings import Resolved

Shown = Mapping[str, Resolved[str]]
"""Full keys and their effective values, as the editor showed them."""

_FAULT = "#!! "


class EditError(ValueError):
    """The text can't be taken as it is, for these reasons."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def edit_text(shown: Shown, title: str) -> str:
    """Write preferences with what they mean, what they can be, and where they come from."""
    return "\n".join((*(f"# {line}" for line in title.splitlines()), *_entries(shown), ""))


def _entries(shown: Shown) -> Iterator[str]:
    for name, (value, origin) in shown.items():
        key = KEYS[name]
        yield f"\n# {key.summary}"
        yield f"# {', '.join(key.values)}; now from {origin}"
        # What a lock decides stays a comment: nothing that is written there would hold.
        yield f"{'# ' if origin is Layer.LOCK else ''}{quote_toml(name)} = {quote_toml(value)}"


def with_faults(text: str, faults: Iterable[str]) -> str:
    """Put faults on top of the text, in place of those that stood there before."""
    lines = [f"{_FAULT}{line}" for fault in faults for line in fault.splitlines()]
    return "\n".join((*lines, *written(text), ""))


def written(text: str) -> list[str]:
    """Give the lines of the text without the faults on top of it."""
    return [line for line in text.splitlines() if not line.startswith(_FAULT.strip())]


def edited(text: str, shown: Shown, own: Iterable[str]) -> dict[str, str | None]:
    """Give what was changed: new values, and `None` for those of one's `own` that are gone.

    Raises `EditError`.
    """
    try:
        table = parse_toml(text, "the file")
    except DataError as error:
        raise EditError([error.message, error.hint]) from None
    values: dict[str, str] = {}
    faults = []
    for name, value in table:
        try:
            read = {full: read_value(full, value_text(value)) for full in full_keys(name)}
        except InvalidPreferenceError as error:
            near = f"; did you mean {error.nearest}?" if error.nearest else ""
            faults.append(f"{error}{near}")
            continue
        except ValueError as error:
            faults.append(f"{name}: {error}")
            continue
        values |= read
    for key, value in values.items():
        if shown[key].origin is Layer.LOCK and value != shown[key].value:
            faults.append(f"{key}: is locked to {shown[key].value}")
    if faults:
        raise EditError(faults)
    changed = {key: value for key, value in values.items() if value != shown[key].value}
    return changed | {key: None for key in own if key not in values}
