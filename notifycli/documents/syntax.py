"""The preferences of an account, written as a document: the same values give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from notifycli.documents.preference_csv import COLUMNS
from notifycli.documents.preference_tables import INBOXES, path_text, quote_toml
from notifycli.rules.preferences import Layer
from notifycli.store.staged_values import Written

Layers = frozenset[Layer]


def as_toml(values: Iterable[Written], layers: Layers, account: int) -> Iterator[str]:  # noqa: ARG001 - as `as_csv`
    """Write TOML: a table of each layer of the account, then of each user, and of each inbox."""
    empty = [layer for layer in (Layer.DEFAULT, Layer.LOCK) if layer in layers]
    gap = ""
    for place, table in groupby(values, _place):
        while empty and empty[0] != place[0]:
            # Without its table a document wouldn't say that nothing is set there.
            yield f"{gap}[{empty.pop(0)}]\n"
            gap = "\n"
        del empty[:1]
        lines = "".join(f"{quote_toml(item.key)} = {quote_toml(item.value)}\n" for item in table)
        yield f"{gap}[{path_text(_path(*place))}]\n{lines}"
        gap = "\n"
    for layer in empty:
        yield f"{gap}[{layer}]\n"
        gap = "\n"


def as_json(values: Iterable[Written], layers: Layers, account: int) -> Iterator[str]:  # noqa: ARG001 - as `as_csv`
    """Write JSON in the same shape as TOML, indented by two spaces."""
    of_account: dict[str, dict[str, str]] = {
        layer: {} for layer in (Layer.DEFAULT, Layer.LOCK) if layer in layers
    }
    users: dict[str, dict[str, object]] = {}
    for (layer, user, inbox), table in groupby(values, _place):
        found = {value.key: value.value for value in table}
        if not user:
            of_account[layer] = found
        elif not inbox:
            users[user] = {**found}
        else:
            inboxes = users.setdefault(user, {}).setdefault(INBOXES, {})
            if isinstance(inboxes, dict):
                inboxes[str(inbox)] = found
    tables: dict[str, object] = {**of_account}
    if layers & {Layer.USER, Layer.INBOX}:
        tables["users"] = users
    yield json.dumps(tables, indent=2, ensure_ascii=False)
    yield "\n"


def as_csv(values: Iterable[Written], layers: Layers, account: int) -> Iterator[str]:  # noqa: ARG001 - as `as_toml`
    """Write CSV with the columns `COLUMNS`, a row a value."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for layer, user, inbox, key, value in values:
        writer.writerow((account, layer.value, user, inbox or "", key, value))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


FORMATS: dict[str, Callable[[Iterable[Written], Layers, int], Iterator[str]]] = {
    "toml": as_toml,
    "json": as_json,
    "csv": as_csv,
}


def _place(value: Written) -> tuple[Layer, str, int]:
    return value.layer, value.user, value.inbox


def _path(layer: Layer, user: str, inbox: int) -> tuple[str, ...]:
    if not user:
        return (layer.value,)
    return ("users", user, *((INBOXES, str(inbox)) if inbox else ()))
