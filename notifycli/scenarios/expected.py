"""Expected decisions, as they are written by hand: any subset of the fields of `simulate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from notifycli.events.timestamps import format_moment, parse_moment
from notifycli.rules.overlay import ChangedDecision
from notifycli.rules.preferences import nearest
from notifycli.rules.selection import read_type

FIELDS: Mapping[str, Any] = get_type_hints(ChangedDecision)


def read_expected(given: object, *, strict: bool = True) -> dict[str, object]:
    """Check an expected decision and give its values as `simulate` would print them.

    A type may be written by its short name, a time in every way that an event may write it; unless
    it is `strict`, a number as text. Raises `ValueError` that names the field.
    """
    if not isinstance(given, Mapping):
        raise ValueError("an object of fields and their expected values is expected")  # noqa: TRY004 - told to a user
    if not given:
        raise ValueError("names no field: it would match anything")
    return {field: _read(field, value, strict=strict) for field, value in given.items()}


def _read(field: str, value: object, *, strict: bool) -> object:
    if field not in FIELDS:
        near = nearest(field, tuple(FIELDS))
        raise ValueError(
            f"{field!r} is no field; " + (f"did you mean {near}?" if near else ", ".join(FIELDS))
        )
    try:
        if field == "at" and isinstance(value, (str, int, float)):
            return format_moment(parse_moment(value))
        if field == "type" and isinstance(value, str):
            return str(read_type(value))
        return msgspec.to_builtins(msgspec.convert(value, FIELDS[field], strict=strict))
    except ValueError as error:
        raise ValueError(f"{field}: {_plain(str(error))}") from None


def _plain(text: str) -> str:
    return text.replace("`", "").replace("Expected", "expected").replace("Invalid", "invalid")
