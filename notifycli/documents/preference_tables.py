"""A document of preferences as nested tables: TOML or JSON, in one shape, read and written."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from notifycli.documents.entries import Checker
from notifycli.errors import DataError
from notifycli.rules.preferences import Layer, nearest
from notifycli.store.staged_values import LAYERS_OF_USERS, Row, Written

TOPS = ("default", "lock", "users")
_MORE = "there is more after the one object that a document is"
_SHAPE = "nothing was stored; see the shape of one: notifycli prefs export --format json"
PLACES = {"inbox": Layer.INBOX, "conversation": Layer.CONVERSATION}
"""In a user's table, the names of the tables of their inboxes and conversations."""
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")

Path = tuple[str, ...]
Layers = frozenset[Layer]


class TableDocument:
    """Tables as they were read; the number of a place is that of its path, in order, from 1."""

    def __init__(self, tables: Mapping[str, Any], name: str) -> None:
        self._tables = tables
        self._name = name
        self._paths: list[Path] = []

    def place(self, number: int) -> str:
        """Name a place."""
        return self._place_of(self._paths[number - 1])

    def rows(self, checker: Checker) -> Iterator[Row]:
        """Return what is right; what is wrong goes to the checker."""
        for top, table in self._tables.items():
            if top not in TOPS:
                near = nearest(top, TOPS) or ", ".join(TOPS)
                checker.fault(
                    self._place_of((top,)), f"there is no such table; did you mean {near}?"
                )
            elif not isinstance(table, dict):
                checker.fault(self._place_of((top,)), "is no table")
            elif top != "users":
                yield from self._layer(checker, (top,), table, (top, "", ""))
            else:
                for user, own in table.items():
                    yield from self._user(checker, (top, user), own)

    def _user(self, checker: Checker, path: Path, table: Any) -> Iterator[Row]:
        try:
            if not isinstance(table, dict):
                raise ValueError("is no table")  # noqa: TRY004, TRY301 - collected below
            user = checker.user(checker.account, path[-1])
        except ValueError as error:
            checker.fault(self._place_of(path), error)
            return
        own = {key: value for key, value in table.items() if key not in PLACES}
        if own or not PLACES.keys() & table.keys():
            yield from self._layer(checker, path, own, (Layer.USER, path[-1], ""))
        for name, layer in PLACES.items():
            if name in table:
                checker_user = checker, user
                yield from self._places(checker_user, (*path, name), table[name], layer)

    def _places(
        self, of: tuple[Checker, int], path: Path, places: Any, layer: Layer
    ) -> Iterator[Row]:
        """Read a user's tables of a layer that has a table for each inbox or conversation."""
        checker, user = of
        if not isinstance(places, dict):
            checker.fault(self._place_of(path), "is no table")
            return
        checker.speak_of(layer, checker.account, user)
        for id_, here in places.items():
            if isinstance(here, dict):
                inbox, conversation = (id_, "") if layer is Layer.INBOX else ("", id_)
                where = (layer, path[1], inbox, conversation)
                yield from self._layer(checker, (*path, id_), here, where)
            else:
                checker.fault(self._place_of((*path, id_)), "is no table")

    def _layer(
        self, checker: Checker, path: Path, table: Mapping[str, Any], where: tuple[str, ...]
    ) -> Iterator[Row]:
        try:
            target = checker.target("", *where)
        except ValueError as error:
            checker.fault(self._place_of(path), error)
            return
        for key, value, written in _flat(table):
            at = (*path, *written)
            try:
                pairs = checker.pairs(key, value_text(value), where[0])
            except ValueError as error:
                checker.fault(self._place_of(at), error)
                continue
            self._paths.append(at)
            for full, read in pairs:
                yield *target, full, read, len(self._paths)

    def _place_of(self, path: Path) -> str:
        return f"{self._name}: {path_text(path)}"


def read_toml(text: str, name: str) -> TableDocument:
    """Read TOML. Raises `DataError`."""
    return TableDocument(_toml(text, name), name)


def parse_toml(text: str, name: str) -> list[tuple[str, Any]]:
    """Read keys and values that stand in no table of a layer. Raises `DataError`."""
    return [(key, value) for key, value, _ in _flat(_toml(text, name))]


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        place = f"{name}:{at[1]}" if at else name
        raise DataError(
            f"{place}: {_AT_LINE.sub('', str(error))}",
            'keys and addresses stand in quotes: "email.conversation_mention" = "on"',
        ) from None


def read_json(text: str, name: str) -> TableDocument:
    """Read JSON. Raises `DataError`."""
    try:
        tables = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        fault = _MORE if error.msg == "Extra data" else error.msg
        raise DataError(f"{name}:{error.lineno}: {fault}", _SHAPE) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: {error}", "nothing was stored") from None
    if not isinstance(tables, dict):
        raise DataError(f"{name}:1: is no object", _SHAPE)
    return TableDocument(tables, name)


def path_text(path: Path) -> str:
    """Write a path as TOML does: `users."jane@example.com"."email.created"`."""
    return ".".join(part if _BARE.fullmatch(part) else quote_toml(part) for part in path)


def quote_toml(text: str) -> str:
    """Write a string as TOML and JSON both read it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return found


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any, Path]]:
    """Give keys, values and how each key is written: `email.mention` may be a table."""
    for name, value in table.items():
        if isinstance(value, dict):
            for key, inner, written in _flat(value):
                yield f"{name}.{key}", inner, (name, *written)
        else:
            yield name, value, (name,)


def value_text(value: Any) -> str:
    """Return the text that stands for a value: `true` is "on". Raises `ValueError`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (str, int)):
        return str(value)
    raise ValueError(f"{value!r} is no text")


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
    for (layer, user, scope), table in groupby(values, _place):
        found = {value.key: value.value for value in table}
        if not user:
            of_account[layer] = found
        elif not scope:
            users[user] = {**found}
        else:
            places = users.setdefault(user, {}).setdefault(layer.value, {})
            if isinstance(places, dict):
                places[str(abs(scope))] = found
    tables: dict[str, object] = {**of_account}
    if layers.intersection(LAYERS_OF_USERS):
        tables["users"] = users
    yield json.dumps(tables, indent=2, ensure_ascii=False)
    yield "\n"


def _place(value: Written) -> tuple[Layer, str, int]:
    return value.layer, value.user, value.scope


def _path(layer: Layer, user: str, scope: int) -> tuple[str, ...]:
    if not user:
        return (layer.value,)
    return ("users", user, *((layer.value, str(abs(scope))) if scope else ()))
