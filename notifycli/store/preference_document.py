"""The preferences of many users as one document."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from notifycli.errors import DataError
from notifycli.rules.event import LARGEST_ID
from notifycli.rules.preferences import (
    InvalidPreferenceError,
    Layer,
    full_keys,
    nearest,
    read_value,
)
from notifycli.store.change import Entry, Target
from notifycli.store.store import Store

COLUMNS = ("account", "layer", "user", "inbox", "key", "value")
_LAYERS = {layer.value: layer for layer in Layer if layer is not Layer.BUILTIN}


class Placed(NamedTuple):
    """An entry of a document, of which account, and where it stands."""

    place: str
    account: int
    entry: Entry


def read_csv(store: Store, text: str, name: str, account: int) -> list[Placed]:
    """Read CSV with the columns `COLUMNS`; where `account` is empty, the given one is meant.

    Later entries win. Raises `DataError` that names each wrong entry with its place.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    reader = _Reader(store, account)
    try:
        unknown = [column for column in rows.fieldnames or ("nothing",) if column not in COLUMNS]
        missing = [c for c in ("layer", "key", "value") if c not in (rows.fieldnames or ())]
        if unknown or missing:
            raise DataError(
                f"{name}:1: the columns are {','.join(COLUMNS)}; "
                f"found {','.join(rows.fieldnames or ('nothing',))}",
                "give the first line these names, in any order",
            )
        placed = [item for row in rows for item in reader.entries(row, f"{name}:{rows.line_num}")]
    except csv.Error as error:
        raise DataError(f"{name}:{rows.line_num}: {error}", "nothing was stored") from None
    if reader.faults:
        listed = "\n".join(reader.faults)
        raise DataError(f"{listed}\nnothing was stored", "mend these entries and import again")
    return placed


class _Reader:
    """Turns rows into entries, and collects what is wrong with them."""

    def __init__(self, store: Store, account: int) -> None:
        self.faults: list[str] = []
        self._store = store
        self._account = account
        self._users: dict[int, dict[str, int]] = {}

    def entries(self, row: dict[str, str | None], place: str) -> Iterator[Placed]:
        """Give the entries of a row: several, where its key is a glob; none, if it is wrong."""
        given = {column: (row.get(column) or "").strip() for column in COLUMNS}
        try:
            if None in row:
                raise ValueError("has more fields than the first line has columns")  # noqa: TRY301 - collected below
            account = _number("account", given["account"]) or self._account
            target = self._target(account, given)
            yield from (
                Placed(place, account, Entry(target, key, read_value(key, given["value"])))
                for key in full_keys(given["key"])
            )
        except InvalidPreferenceError as error:
            near = f"; did you mean {error.nearest}?" if error.nearest else ""
            self.faults.append(f"{place}: {error}{near}")
        except ValueError as error:
            self.faults.append(f"{place}: {error}")

    def _target(self, account: int, given: dict[str, str]) -> Target:
        layer = _LAYERS.get(given["layer"].lower())
        if layer is None:
            near = nearest(given["layer"], tuple(_LAYERS)) or ", ".join(_LAYERS)
            raise ValueError(f"layer: {given['layer']!r} is none; did you mean {near}?")
        wants_user, wants_inbox = layer in (Layer.USER, Layer.INBOX), layer is Layer.INBOX
        for column, wanted in (("user", wants_user), ("inbox", wants_inbox)):
            if wanted and not given[column]:
                raise ValueError(f"{column}: is missing, and layer {layer} needs one")
            if given[column] and not wanted:
                raise ValueError(f"{column}: layer {layer} has none")
        user = self._user(account, given["user"]) if wants_user else None
        return Target(layer, user, _number("inbox", given["inbox"]) if wants_inbox else None)

    def _user(self, account: int, reference: str) -> int:
        if account not in self._users:
            users = self._store.users(account)
            self._users[account] = {str(user.id): user.id for user in users}
            self._users[account].update((u.email.casefold(), u.id) for u in users if u.email)
        known = self._users[account]
        user = known.get(reference.casefold())
        if user is None:
            near = nearest(reference, known)
            hint = f"; did you mean {near}?" if near else ""
            raise ValueError(f"user: account {account} has no user {reference!r}{hint}")
        return user


def _number(column: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= LARGEST_ID):
        raise ValueError(f"{column}: {text!r} is no number from 1 to {LARGEST_ID}")
    return int(text)
