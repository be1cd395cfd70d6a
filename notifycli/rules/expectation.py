"""Expected records against found ones: each expected one names any of the fields.

Which found record stands for which expected one is settled so that as many as possible match: an
expectation that names little never takes the record that one that names more would have needed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, get_type_hints

import msgspec

from notifycli.events.timestamps import format_moment, parse_moment
from notifycli.rules.decision import ChangedDecision, ChangedDigest, read_type
from notifycli.rules.preferences import nearest

Record = Mapping[str, object]
"""Fields and their values: strings, numbers, booleans, `None`."""
_Kind = frozenset[tuple[str, object]]


def matches(expected: Record, found: Record) -> bool:
    """Whether a record has all the values that are expected of it."""
    return all(
        field in found
        and _folded(field, found[field]) == _folded(field, value)
        and type(found[field]) is type(value)
        for field, value in expected.items()
    )


def _folded(field: str, value: object) -> object:
    """Return a value as it is compared: the case of an address is no difference."""
    return value.casefold() if field == "email" and isinstance(value, str) else value


def compare(expected: Sequence[Record], found: Sequence[Record]) -> tuple[list[int], list[int]]:
    """Give the places of the expected records that are missing and of the found unexpected ones.

    The order doesn't matter, counts do.
    """
    kinds: dict[_Kind, list[int]] = {}
    for place, record in enumerate(expected):
        kind = frozenset((field, _folded(field, value)) for field, value in record.items())
        kinds.setdefault(kind, []).append(place)
    groups = _group(list(kinds), found)
    edges: dict[_Kind, list[tuple[_Kind, ...]]] = {kind: [] for kind in kinds}
    for group in groups:
        for kind in group:
            edges[kind].append(group)
    flow = _Flow(edges, {group: len(places) for group, places in groups.items()})
    missing: list[int] = []
    for kind in sorted(kinds, key=len, reverse=True):
        settled = flow.settle(kind, len(kinds[kind]))
        missing += kinds[kind][settled:]
    unexpected = [p for group, places in groups.items() for p in places[flow.taken(group) :]]
    return sorted(missing), sorted(unexpected)


def _group(kinds: Sequence[_Kind], found: Sequence[Record]) -> dict[tuple[_Kind, ...], list[int]]:
    """Group the places of found records by the kinds of expectation that they satisfy."""
    by_fields: dict[tuple[str, ...], dict[tuple[object, ...], _Kind]] = {}
    for kind in kinds:
        fields = tuple(sorted(name for name, _ in kind))
        values = dict(kind)
        by_fields.setdefault(fields, {})[tuple(values[name] for name in fields)] = kind
    groups: dict[tuple[_Kind, ...], list[int]] = {}
    for place, record in enumerate(found):
        satisfied = (
            of_values.get(tuple(_folded(name, record.get(name, ...)) for name in fields))
            for fields, of_values in by_fields.items()
        )
        group = tuple(kind for kind in satisfied if kind is not None)
        groups.setdefault(group, []).append(place)
    return groups


class _Flow:
    """How many records of each group stand for each kind of expectation: a maximum flow."""

    def __init__(
        self,
        edges: Mapping[_Kind, Sequence[tuple[_Kind, ...]]],
        supply: Mapping[tuple[_Kind, ...], int],
    ) -> None:
        self._edges = edges
        self._spare = dict(supply)
        self._supply = supply
        self._flow: Counter[tuple[_Kind, tuple[_Kind, ...]]] = Counter()

    def taken(self, group: tuple[_Kind, ...]) -> int:
        """Give how many records of a group stand for some expectation."""
        return self._supply[group] - self._spare[group]

    def settle(self, kind: _Kind, wanted: int) -> int:
        """Find records for as many expectations of a kind as possible; gives how many."""
        settled = 0
        while settled < wanted and (path := self._path(kind)):
            amount = min(
                wanted - settled,
                self._spare[path[-1][1]],
                *(self._flow[nxt[0], one[1]] for one, nxt in pairwise(path)),
            )
            self._spare[path[-1][1]] -= amount
            for step, (giver, group) in enumerate(path):
                self._flow[giver, group] += amount
                if step + 1 < len(path):
                    self._flow[path[step + 1][0], group] -= amount
            settled += amount
        return settled

    def _path(self, kind: _Kind) -> list[tuple[_Kind, tuple[_Kind, ...]]]:
        """Find how a group with records to spare is reached: each step frees one for the last."""
        came: dict[_Kind, tuple[_Kind, tuple[_Kind, ...]] | None] = {kind: None}
        queue = deque([kind])
        while queue:
            here = queue.popleft()
            for group in self._edges[here]:
                if self._spare[group]:
                    path = [(here, group)]
                    while (step := came[path[0][0]]) is not None:
                        path.insert(0, step)
                    return path
                for other in group:
                    if other not in came and self._flow[other, group]:
                        came[other] = (here, group)
                        queue.append(other)
        return []


FIELDS: Mapping[str, Any] = get_type_hints(ChangedDecision)
EVERY_FIELD: Mapping[str, Any] = get_type_hints(ChangedDigest)
"""Those of a digest, too."""


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
    if field not in EVERY_FIELD:
        near = nearest(field, tuple(FIELDS))
        raise ValueError(
            f"{field!r} is no field; " + (f"did you mean {near}?" if near else ", ".join(FIELDS))
        )
    try:
        if field == "at" and isinstance(value, (str, int, float)):
            return format_moment(parse_moment(value))
        if field == "type" and isinstance(value, str):
            return str(read_type(value))
        if field == "conversations" and isinstance(value, str):
            value = value.split()
        return msgspec.to_builtins(msgspec.convert(value, EVERY_FIELD[field], strict=strict))
    except ValueError as error:
        raise ValueError(f"{field}: {_plain(str(error))}") from None


def _plain(text: str) -> str:
    return text.replace("`", "").replace("Expected", "expected").replace("Invalid", "invalid")
