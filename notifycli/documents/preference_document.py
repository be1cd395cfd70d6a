"""The preferences of many users as one document: TOML, JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple, Protocol

from notifycli.documents.document_format import decode_document, encoding_of, format_of
from notifycli.documents.entries import Checker, References
from notifycli.documents.preference_csv import CsvDocument, as_csv
from notifycli.documents.preference_tables import (
    Layers,
    as_json,
    as_toml,
    path_text,
    read_json,
    read_toml,
)
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import Layer
from notifycli.store.staged_values import (
    Locked,
    Row,
    Spoken,
    Staging,
    Written,
    conversation_of,
    inbox_of,
)
from notifycli.store.transaction import Entry, Target

_BATCH = 5_000
_SNIFFED = 4096
FORMATS: dict[str, Callable[[Iterable[Written], Layers, int], Iterator[str]]] = {
    "toml": as_toml,
    "json": as_json,
    "csv": as_csv,
}
"""How an account's values are written: the same give the same bytes."""


class _Format(Protocol):
    """What reads one way of writing a document."""

    def place(self, number: int) -> str: ...

    def rows(self, checker: Checker) -> Iterator[Row]: ...


class Placed(NamedTuple):
    """An entry of a document, of which account, and where it stands."""

    place: str
    account: int
    entry: Entry


class PreferenceDocument:
    """A document that is being read; CSV may name an account in each row.

    `account` is that of what names none, and `only` the one whose entries are taken. `file` can be
    read again from its start; `name` is what errors call it. `format_` is one of `toml`, `json`
    and `csv`; it is told from the name's ending or from the content, if it is left out.
    """

    def __init__(
        self,
        store: References,
        file: BinaryIO,
        name: str,
        account: int | Callable[[], int],
        format_: str | None = None,
        *,
        only: int | None = None,
    ) -> None:
        self.read = 0
        """How many entries there were."""
        self._name = name
        fallback = account if callable(account) else lambda: account
        self._checker = Checker(store, fallback, only)
        start = file.read(_SNIFFED)
        file.seek(0)
        if format_ is None:
            format_ = format_of(name, start)
        self._source: _Format
        if format_ == "csv":
            self._source = CsvDocument(file, name, encoding_of(start))
        else:
            read = read_json if format_ == "json" else read_toml
            self._source = read(decode_document(file.read(), name), name)

    @property
    def spoken(self) -> Spoken:
        """What the document speaks of, as far as it has been read."""
        return self._checker.spoken

    @property
    def foreign_count(self) -> int:
        """How many entries of other accounts were left out."""
        return self._checker.foreign_count

    def rows(self) -> Iterator[Row]:
        """Return the entries. Raises `DataError` at their end, if any was wrong: it names all."""
        yield from self._source.rows(self._checker)
        self._checker.finish()

    def stage(self, staging: Staging, progress: Callable[[], None] | None = None) -> None:
        """Read all entries into the staging; `progress` is called now and then."""
        rows = self.rows()
        while batch := list(islice(rows, _BATCH)):
            staging.put(batch)
            self.read += len(batch)
            if progress is not None:
                progress()

    def policy(self) -> Preferences:
        """Read all entries as if they were all that is set in the account."""
        layers: dict[str, dict[str, str]] = {Layer.LOCK: {}, Layer.DEFAULT: {}}
        users: dict[int, dict[str, str]] = {}
        inboxes: dict[tuple[int, int], dict[str, str]] = {}
        conversations: dict[tuple[int, int], dict[str, str]] = {}
        for account, layer, user, scope, key, value, _ in self.rows():
            if account != self._checker.account:
                continue
            if scope > 0:
                values = inboxes.setdefault((user, scope), {})
            elif scope:
                values = conversations.setdefault((user, -scope), {})
            else:
                values = users.setdefault(user, {}) if user else layers[layer]
            if value is not None:
                values[key] = value
        return Preferences(
            layers[Layer.LOCK], inboxes, users, layers[Layer.DEFAULT], conversation=conversations
        )

    def entries(self) -> list[Placed]:
        """Read all entries, of all accounts. Raises `DataError` as `rows` does."""
        return [
            Placed(
                self._source.place(place),
                account,
                Entry(_target(layer, user, scope), key, value),
            )
            for account, layer, user, scope, key, value, place in self.rows()
        ]

    def place_of(self, locked: Locked) -> str:
        """Name the place of a value that is locked."""
        if locked.place:
            return self._source.place(locked.place)
        path = (locked.layer,) if locked.user is None else ("users", str(locked.user))
        where = (locked.layer, str(abs(locked.scope))) if locked.scope else ()
        return f"{self._name}: lacks {path_text((*path, *where, locked.key))}"


def _target(layer: str, user: int, scope: int) -> Target:
    return Target(Layer(layer), user or None, inbox_of(scope), conversation_of(scope))
