"""The preferences of many users as one document: nested tables in TOML or JSON, or CSV.

CSV is read and written as it comes, however long it is.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, BinaryIO, NamedTuple, Protocol

from notifycli.documents import (
    check_kind,
    check_unique,
    decode_document,
    encoding_of,
    format_of,
    twice,
)
from notifycli.documents.preference_entries import Checker, Pairs, References, StoredPlace
from notifycli.errors import DataError
from notifycli.replay.sources import DIRECTORY
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer, nearest
from notifycli.store.staged_values import (
    LAYERS_OF_USERS,
    Locked,
    Row,
    Spoken,
    Staging,
    Written,
    conversation_of,
    inbox_of,
    one_for_each_place,
)
from notifycli.store.transaction import Entry, Target

TOPS = ("default", "lock", "users")
_MORE = "there is more after the one object that a document is"
_SHAPE = "see the shape of one: notifycli prefs export --format json"
PLACES = {"inbox": Layer.INBOX, "conversation": Layer.CONVERSATION}
"""In a user's table, the names of the tables of their inboxes and conversations."""
_ALIKE = 0.8
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TWICE = ("Cannot declare", "Cannot overwrite", "Cannot mutate", "Duplicate inline")
"""How tomllib's messages of what stands twice begin."""
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")

Path = tuple[str, ...]
Layers = frozenset[Layer]


class TableDocument:
    """Tables as they were read; the number of a place is that of its path, in order, from 1.

    Where a glob stands, the number is made negative; of CSV too.
    """

    def __init__(self, tables: Mapping[str, Any], name: str) -> None:
        self._tables = tables
        self._name = name
        self._paths: list[Path] = []

    def place(self, number: int) -> str:
        """Name a place."""
        return self._place_of(self._paths[abs(number) - 1])

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
        misnamed = _misnamed(table)
        for name, near in misnamed.items():
            told = f"there is no such table; did you mean {near}?"
            checker.fault(self._place_of((*path, name)), told)
        tables = PLACES.keys() | misnamed.keys()
        own = {key: value for key, value in table.items() if key not in tables}
        if own or not tables & table.keys():
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
            number = _number(len(self._paths), pairs)
            for full, read in pairs:
                yield *target, full, read, number

    def _place_of(self, path: Path) -> str:
        return f"{self._name}: {path_text(path)}"


def _misnamed(table: Mapping[str, Any]) -> dict[str, str]:
    """Find the tables of a user that are those of their inboxes or conversations, but for the name.

    Each with the right one. A channel may have a table of its own.
    """
    near = {
        name: nearest(name, (*PLACES, *Channel), _ALIKE)
        for name, own in table.items()
        if isinstance(own, dict) and name not in PLACES
    }
    return {name: meant for name, meant in near.items() if meant in PLACES}


def read_toml(text: str, name: str) -> TableDocument:
    """Read TOML. Raises `DataError`."""
    return TableDocument(_toml(text, name), name)


def parse_toml(text: str, name: str) -> list[tuple[str, Any]]:
    """Read keys and values that stand in no table of a layer. Raises `DataError`."""
    return [(key, value) for key, value, _ in _flat(_toml(text, name))]


def _toml(text: str, name: str) -> dict[str, Any]:
    text = text.replace("\r\n", "\n")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        if str(error).startswith(_TWICE):
            raise _twice_in_toml(text.split("\n"), int(at[1]) if at else None, name) from None
        place = f"{name}:{at[1]}" if at else name
        raise DataError(
            f"{place}: {_AT_LINE.sub('', str(error))}",
            'keys and addresses stand in quotes: "email.conversation_mention" = "on"',
        ) from None


def _twice_in_toml(lines: list[str], line: int | None, name: str) -> DataError:
    """Make the error of a table or value that stands twice, the second time on this line.

    The last one is where tomllib names none. The first time is on the last line from which on the
    fault is still there.
    """
    second = line or len(lines)
    start = bisect_left(range(second), True, key=lambda at: not _is_twice(lines[at:second]))
    what = lines[second - 1].partition("=")[0].strip()
    return twice(what, name, start, second)


def _is_twice(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return str(error).startswith(_TWICE)
    return False


def read_json(text: str, name: str) -> TableDocument:
    """Read JSON. Raises `DataError`."""
    try:
        tables = json.loads(text)
    except json.JSONDecodeError as error:
        fault = _MORE if error.msg == "Extra data" else error.msg
        raise DataError(f"{name}:{error.lineno}: {fault}", _SHAPE) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: {error}", _SHAPE) from None
    if not isinstance(tables, dict):
        raise DataError(f"{name}:1: is no object", _SHAPE)
    check_unique(text, name)
    return TableDocument(tables, name)


def path_text(path: Path) -> str:
    """Write a path as TOML does: `users."jane@example.com"."email.created"`."""
    return ".".join(part if _BARE.fullmatch(part) else quote_toml(part) for part in path)


def quote_toml(text: str) -> str:
    """Write a string as TOML and JSON both read it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


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
    raise ValueError(f"{'null' if value is None else repr(value)} is no text")


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


COLUMNS = ("account", "layer", "user", "inbox", "key", "value")
CONVERSATION = "conversation"
"""The column that a document has where it speaks of conversations."""
_NEEDED = ("key", "value")
_PLACES = (*COLUMNS[: -len(_NEEDED)], CONVERSATION)
_KNOWN = (*COLUMNS, CONVERSATION)
_DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r'"?sep=([,;\t])"?[,;]*\s*$', re.IGNORECASE)
"""The line by which Excel is told, and tells, what stands between fields."""


class _CsvReader(Protocol):
    """What `csv.reader` makes; the module doesn't name its type before Python 3.13."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


class CsvDocument:
    """Rows of CSV; the number of a place is that of the line on which the row ends.

    Spreadsheet programs write it with `,`, `;` or TAB, and say so on a first line of their own or
    not at all; they pad rows with empty fields.
    """

    def __init__(self, file: BinaryIO, name: str, encoding: str) -> None:
        self._file = file
        self._name = name
        self._encoding = encoding
        self._skipped = 0
        self._padded = 0
        """Fields of a row, with the empty ones that pad it."""

    def place(self, number: int) -> str:
        """Name a place."""
        return f"{self._name}:{abs(number)}"

    def rows(self, checker: Checker) -> Iterator[Row]:
        """Return what is right; what is wrong goes to the checker. Raises `DataError`."""
        text = io.TextIOWrapper(self._file, self._encoding, newline="")
        reader: _CsvReader = csv.reader(())
        try:
            delimiter, columns = self._head(text)
            reader = csv.reader(text, strict=True, delimiter=delimiter)
            yield from self._check_rows(reader, columns, checker)
        except csv.Error as error:
            raise DataError(
                f"{self._name}:{self._skipped + reader.line_num}: {error}",
                "mend this row and try again",
            ) from None
        except UnicodeDecodeError:
            wrong = "UTF-8" if self._encoding == "utf-8-sig" else "UTF-16"
            read = max(self._skipped + reader.line_num, 1)
            place = self._undecodable() if wrong == "UTF-8" else read
            raise DataError(f"{self._name}:{place}: no {wrong}", "save it as UTF-8") from None
        finally:
            # Else the file would be closed with the text that is read from it.
            text.detach()

    def _head(self, text: io.TextIOWrapper) -> tuple[str, list[str]]:
        """Read up to the names of the columns; gives what stands between fields, and the names."""
        first = text.readline()
        self._skipped = 1
        between = _SEPARATOR.match(first)
        if between is not None:
            first = text.readline()
            self._skipped = 2
        found = max(
            ((sign, _names(first, sign)) for sign in ([between[1]] if between else _DELIMITERS)),
            key=lambda one: len(set(one[1]) & set(_KNOWN)),
        )
        columns = found[1]
        self._padded = len(columns)
        while columns and not columns[-1]:
            del columns[-1]
        self._check_columns(columns, first)
        return found

    def _check_rows(
        self, reader: _CsvReader, columns: Sequence[str], checker: Checker
    ) -> Iterator[Row]:
        # A column that is left out is empty: it is read from behind the last one.
        names = (*_PLACES, *_NEEDED) if CONVERSATION in columns else COLUMNS
        pick = itemgetter(*(columns.index(c) if c in columns else len(columns) for c in names))
        width, in_order = len(columns), tuple(columns) == COLUMNS
        padded = self._padded if self._padded > width else None
        no_layer = "layer" not in columns
        of: Sequence[str] = ()
        target: StoredPlace | None = None
        known = checker.known_pairs
        for fields in reader:
            row = _strip_padding(fields, width) if len(fields) == padded else fields
            number = self._skipped + reader.line_num
            if len(row) != width:
                if any(row):
                    fault = f"has {len(row)} fields, and the first line has {width} columns"
                    checker.fault(self.place(number), fault)
                continue
            *place, key, value = row if in_order else pick([*row, ""])
            try:
                if checker.only is not None and checker.account_of(place[0]) != checker.only:
                    checker.foreign_count += any(row)
                    continue
                if target is None or place != of:
                    of, target = place, None
                    account, layer, *rest = place
                    target = checker.target(account, _layer_of(rest) if no_layer else layer, *rest)
                pairs = known.get((key, value)) or checker.pairs(key, value, target[1])
            except ValueError as error:
                if any(row):
                    checker.fault(self.place(number), error)
                continue
            if len(pairs) > 1:
                number = _number(number, pairs)
            for full, read in pairs:
                yield *target, full, read, number

    def _check_columns(self, columns: Sequence[str], line: str) -> None:
        unknown = [column for column in columns if column not in _KNOWN]
        missing = [column for column in _NEEDED if column not in columns]
        if unknown or missing or len(set(columns)) < len(columns):
            raise DataError(
                f"{self._name}:{self._skipped}: the columns are {','.join(COLUMNS)}; "
                f"found {line.strip() or 'nothing'}",
                "give the first line these names, in any order",
            )

    def _undecodable(self) -> int:
        self._file.seek(0)
        for number, line in enumerate(self._file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
        return 1


def _layer_of(given: Sequence[str]) -> Layer:
    """Return the layer of a row that doesn't name it, by its user, inbox and conversation."""
    _, inbox, *conversation = given
    if any(field.strip() for field in conversation):
        return Layer.CONVERSATION
    return Layer.INBOX if inbox.strip() else Layer.USER


def _names(line: str, delimiter: str) -> list[str]:
    """Return the names of columns, in small letters."""
    try:
        row = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [name.strip().lower() for name in row]


def _strip_padding(row: list[str], width: int) -> list[str]:
    """Return a row without the empty fields that pad it."""
    return row if any(row[width:]) else row[:width]


def as_csv(values: Iterable[Written], layers: Layers, account: int) -> Iterator[str]:
    """Write CSV with the columns `COLUMNS`, a row a value; with one more for conversations."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    of_conversations = Layer.CONVERSATION in layers
    writer.writerow((*COLUMNS, CONVERSATION) if of_conversations else COLUMNS)
    for layer, user, scope, key, value in values:
        row = (account, layer.value, user, inbox_of(scope) or "", key, value)
        writer.writerow((*row, conversation_of(scope) or "") if of_conversations else row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _number(number: int, pairs: Pairs) -> int:
    """Give the number of a place; below 0 where a glob stands there."""
    return number if len(pairs) == 1 else -number


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
        check_kind(name, start, "preferences", DIRECTORY)
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

    @property
    def missing_channels(self) -> list[Channel]:
        """The channels, of what has been read, that nothing here adds."""
        return self._checker.missing_channels

    def rows(self) -> Iterable[Row]:
        """Return the entries. Raises `DataError` if any is wrong: it names all of these."""
        rows = one_for_each_place(self._source.rows(self._checker), self._choose)
        self._checker.finish()
        return rows.values()

    def stage(self, staging: Staging, progress: Callable[[], None] | None = None) -> None:
        """Read all entries into the staging; `progress` is called now and then.

        Raises as `rows` does.
        """
        rows = self._source.rows(self._checker)
        while batch := list(islice(rows, _BATCH)):
            staging.put(batch, self._choose)
            self.read += len(batch)
            if progress is not None:
                progress()
        self._checker.finish()

    def _choose(self, before: Row, later: Row) -> Row:
        """Return which of two entries for one place in the store holds.

        What is said of one key after a glob is its exception. Otherwise two values contradict each
        other, and which of them was meant nobody knows.
        """
        if before[-1] < 0 < later[-1]:
            return later
        if before[-2] != later[-2]:
            place, other = self._source.place(later[-1]), self._source.place(before[-1])
            self._checker.fault(
                place, f"{later[-3]} is {later[-2]} here, and {before[-2]} at {other}"
            )
        return before

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
        return self.placed(self.rows())

    def placed(self, rows: Iterable[Row]) -> list[Placed]:
        """Return entries with where they stand."""
        return [
            Placed(
                self._source.place(place),
                account,
                Entry(_target(layer, user, scope), key, value),
            )
            for account, layer, user, scope, key, value, place in rows
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
