"""Preferences as the tables of a document: `default`, `lock`, and `users` with their inboxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from notifycli.rules.directory import is_id
from notifycli.rules.overlay import Wish
from notifycli.rules.preferences import InvalidPreferenceError, Layer, full_keys, read_value

_TABLES = ("default", "lock", "users")
Fault = Callable[[str], None]


def read_tables(
    document: object, find_user: Callable[[str], int], place: str, fault: Fault
) -> list[Wish]:
    """Read preference tables; each entry that is wrong is told to `fault`, with its place.

    `find_user` gives the id of the user whom a reference names, or raises `ValueError`.
    """
    if not isinstance(document, Mapping):
        fault(f"{place}: a table of {', '.join(_TABLES)} is expected")
        return []
    wishes: list[Wish] = []
    for name, table in document.items():
        here = f"{place}.{name}"
        if name not in _TABLES or not isinstance(table, Mapping):
            fault(f"{here}: a table {', '.join(_TABLES)} is expected")
        elif name == "users":
            for reference, own in table.items():
                wishes += _of_user(own, reference, find_user, f"{here}.{reference}", fault)
        else:
            wishes += _read(table, (Layer(name), None, None), here, fault)
    return wishes


def _of_user(
    own: object, reference: str, find_user: Callable[[str], int], place: str, fault: Fault
) -> Iterator[Wish]:
    try:
        user = find_user(reference)
        if not isinstance(own, Mapping):
            raise ValueError("a table of preferences is expected")  # noqa: TRY004, TRY301 - told to a user
    except ValueError as error:
        fault(f"{place}: {error}")
        return
    inboxes = own.get("inbox", {})
    values = {key: value for key, value in own.items() if key != "inbox"}
    yield from _read(values, (Layer.USER, user, None), place, fault)
    if not isinstance(inboxes, Mapping):
        fault(f"{place}.inbox: tables of preferences by the inbox's id are expected")
        return
    for inbox, table in inboxes.items():
        here = f"{place}.inbox.{inbox}"
        if not (is_id(inbox) and isinstance(table, Mapping)):
            fault(f"{here}: a table named by the inbox's id is expected")
            continue
        yield from _read(table, (Layer.INBOX, user, int(inbox)), here, fault)


def _read(
    table: Mapping[str, object],
    target: tuple[Layer, int | None, int | None],
    place: str,
    fault: Fault,
) -> Iterator[Wish]:
    for key, value in _flat(table):
        try:
            if not isinstance(value, (str, bool)):
                raise ValueError("a text is expected")  # noqa: TRY004, TRY301 - told to a user
            text = value if isinstance(value, str) else ("off", "on")[value]
            for full in full_keys(key):
                yield Wish(*target, full, read_value(full, text))
        except InvalidPreferenceError as error:
            near = f"; did you mean {error.nearest}?" if error.nearest else ""
            fault(f"{place}: {error}{near}")
        except ValueError as error:
            fault(f"{place}.{key}: {error}")


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Give the entries; `email.created = "on"` without quotation marks is a table in a table."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
