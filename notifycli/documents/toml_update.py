"""A TOML document brought up to date where it stands: its comments and its order remain."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import tomlkit
from tomlkit.items import Table, Whitespace

from notifycli.documents.preference_document import PLACES, Layers, as_toml, value_text
from notifycli.errors import DataError
from notifycli.rules.preferences import (
    InvalidPreferenceError,
    Layer,
    portable_keys,
    read_timed_value,
)
from notifycli.store.staged_values import LAYERS_OF_USERS, Written

Reference = Callable[[str], str | None]
"""Gives how an export names the user whom a document names; `None` if there is no such user."""

Place = tuple[Layer, str, int]


def update_toml(text: str, values: Iterable[Written], layers: Layers, named: Reference) -> str:
    """Make the document say what an export of these layers would; other layers stay as they are.

    Raises `DataError` if the document is laid out in a way that can't be kept.
    """
    wanted: dict[Place, dict[str, str]] = {
        (layer, "", 0): {} for layer in (Layer.DEFAULT, Layer.LOCK) if layer in layers
    }
    for layer, user, scope, key, value in values:
        wanted.setdefault((layer, user, scope), {})[key] = value
    document = tomlkit.parse(text)
    gone = [user for user in document.get("users", {}) if named(user) is None]
    for reference in gone if layers.intersection(LAYERS_OF_USERS) else ():
        del document["users"][reference]
    missing = dict(wanted)
    for place, table in _tables(document, named):
        if place[0] in layers:
            _sync(table, missing.pop(place, {}))
    kept = tomlkit.dumps(document)
    written = (
        Written(*at, key, value) for at, own in missing.items() for key, value in own.items()
    )
    added = "".join(as_toml(written, frozenset(), 0))
    updated = f"{kept.rstrip()}\n\n{added}".lstrip() if added else kept
    _check(updated, wanted, layers, named)
    return updated


def _tables(
    document: Mapping[str, Any], named: Reference
) -> Iterator[tuple[Place, MutableMapping[str, Any]]]:
    for layer in (Layer.DEFAULT, Layer.LOCK):
        if isinstance(document.get(layer), MutableMapping):
            yield (layer, "", 0), document[layer]
    for reference, table in document.get("users", {}).items():
        user = named(reference)
        if user is not None and isinstance(table, MutableMapping):
            yield (Layer.USER, user, 0), table
            for name, layer in PLACES.items():
                for id_, here in table.get(name, {}).items():
                    if id_.isdigit() and isinstance(here, MutableMapping):
                        scope = int(id_) if layer is Layer.INBOX else -int(id_)
                        yield (layer, user, scope), here


def _sync(table: MutableMapping[str, Any], wanted: Mapping[str, str]) -> None:
    """Make a table have these values: changed in their place, new ones behind the last."""
    missing = dict(wanted)
    for name in [name for name in table if name not in PLACES]:
        value = table[name]
        full = _full_keys(name)
        if isinstance(value, MutableMapping):
            # `email.mention` without quotes: a table of its own, given up for its full names.
            del table[name]
        elif full and all(missing.get(key) == _read(key, value) for key in full):
            for key in full:
                del missing[key]
        elif len(full) == 1 and full[0] in missing:
            table[name] = missing.pop(full[0])
        else:
            del table[name]
    _append(table, missing)


def _append(table: MutableMapping[str, Any], values: Mapping[str, str]) -> None:
    """Add values behind the last one, before what stands after a blank line."""
    body = table.value.body if isinstance(table, Table) else []
    keyed = [i for i, (key, item) in enumerate(body) if key is not None]
    start = keyed[-1] + 1 if keyed else 0
    blank = (i for i in range(start, len(body)) if isinstance(body[i][1], Whitespace))
    after = body[next(blank, len(body)) :] if values else []
    del body[len(body) - len(after) :]
    for name, value in values.items():
        table[name] = value
    body.extend(after)


def _check(
    text: str, wanted: Mapping[Place, Mapping[str, str]], layers: Layers, named: Reference
) -> None:
    found: dict[Place, dict[str, str]] = {}
    try:
        for place, table in _tables(tomllib.loads(text), named):
            for name, value in table.items():
                if place[0] in layers and name not in PLACES:
                    values = {key: _read(key, value) for key in _full_keys(name)}
                    found.setdefault(place, {}).update(values)
        if found == {place: values for place, values in wanted.items() if values}:
            return
    except (tomllib.TOMLDecodeError, AttributeError):
        pass
    raise DataError(
        "its tables are laid out in a way that can't be kept",
        "give each layer, user and inbox a table of its own, or write the file anew",
    )


def _full_keys(name: str) -> tuple[str, ...]:
    try:
        return portable_keys(name)
    except InvalidPreferenceError:
        return ()


def _read(key: str, value: Any) -> str:
    try:
        return read_timed_value(key, value_text(value))
    except ValueError:
        return ""
