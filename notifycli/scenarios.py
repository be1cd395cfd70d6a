"""Scenarios: who there is, what they want, what happens, and who must be notified of it.

They are read from files and tried: what fired and shouldn't have, what should have and didn't.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from notifycli.documents.directory_document import directory_of, faults_of, read_directory
from notifycli.documents.preference_document import PLACES, PreferenceDocument
from notifycli.errors import DataError
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import (
    CONVERSATION_EVENTS,
    MESSAGE_EVENTS,
    SLA_EVENTS,
    Event,
    normal_name,
)
from notifycli.events.timestamps import EPOCH, SECOND, format_moment, parse_moment
from notifycli.replay.decompression import DamageError
from notifycli.replay.sources import PACKED
from notifycli.rules.decision import Decision, Outcome
from notifycli.rules.directory import Directory, is_id, references_of
from notifycli.rules.expectation import Record, compare, matches, read_expected
from notifycli.rules.layers import Preferences, Wish, overlaid
from notifycli.rules.notifications import SHORT_NAMES
from notifycli.rules.preferences import (
    InvalidPreferenceError,
    Layer,
    nearest,
    nearest_user,
    portable_keys,
    read_timed_value,
    read_value,
)
from notifycli.rules.profile import NOTIFYCLI, Profile
from notifycli.rules.replay import Account, Replay
from notifycli.store.transaction import Target

FIRST_DAY = "2026-03-02"
"""A Monday; the day on which a scenario begins unless it says otherwise."""
_MICROSECONDS = {"d": 86_400 * SECOND, "h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND}
_PAST_LAST = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
_STEP = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])", re.ASCII)
_STEPS = re.compile(rf"\+\s*(?:{_STEP.pattern}\s*)+", re.ASCII)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?", re.ASCII)


class ScenarioClock:
    """Turns written times into moments, microseconds since 1970 UTC.

    `09:00:30` is on the day of the time before, `+20s` (or `+1d`, `+1h30m`) after it; anything else
    is as an event writes it. All are UTC, unless they say otherwise.
    """

    def __init__(self, start: object = FIRST_DAY) -> None:
        self._now = 0
        self._now = self.read(start)

    def set(self, written: object) -> int:
        """Move the clock, and give the moment. Raises `ValueError`."""
        self._now = self.read(written)
        return self._now

    def _after(self, steps: list[tuple[str, str]]) -> int:
        moment = self._now + sum(Decimal(number) * _MICROSECONDS[unit] for number, unit in steps)
        if moment >= _PAST_LAST:
            raise ValueError("a time after the year 9998 is none")
        return round(moment)

    def read(self, written: object) -> int:
        """Give the moment without moving the clock. Raises `ValueError`."""
        if isinstance(written, (time, date)):  # a datetime is a date
            return self.read(written.isoformat())
        if isinstance(written, str):
            text = written.strip()
            if _STEPS.fullmatch(text):
                return self._after(_STEP.findall(text))
            if _TIME_OF_DAY.fullmatch(text):
                return self._at(text)
            try:
                return parse_moment(text)
            except ValueError:
                pass  # told below, with the clock's own forms
        elif isinstance(written, (int, float)) and not isinstance(written, bool):
            return parse_moment(written)
        raise ValueError(f"{written!r} is no time: 09:00:30, +20s or ISO 8601 is expected")

    def _at(self, text: str) -> int:
        try:
            of_day = time.fromisoformat(text.zfill(len(text) + (text.index(":") == 1)))
        except ValueError:
            raise ValueError(f"{text!r} is no time of day") from None
        day = self._now - self._now % _MICROSECONDS["d"]
        since_midnight = datetime.combine(EPOCH.date(), of_day, UTC) - EPOCH
        return day + round(since_midnight.total_seconds() * SECOND)


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
            wishes += _read(table, Target(Layer(name)), here, fault)
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
    values = {key: value for key, value in own.items() if key not in PLACES}
    yield from _read(values, Target(Layer.USER, user), place, fault)
    for name, layer in PLACES.items():
        places = own.get(name, {})
        if not isinstance(places, Mapping):
            fault(f"{place}.{name}: tables of preferences by the {name}'s id are expected")
            continue
        for id_, table in places.items():
            here = f"{place}.{name}.{id_}"
            if not (is_id(id_) and isinstance(table, Mapping)):
                fault(f"{here}: a table named by the {name}'s id is expected")
                continue
            target = Target(layer, user, **{name: int(id_)})
            yield from _read(table, target, here, fault)


def _read(
    table: Mapping[str, object],
    target: Target,
    place: str,
    fault: Fault,
) -> Iterator[Wish]:
    read = read_value if target.conversation is None else read_timed_value
    for key, value in _flat(table):
        try:
            if not isinstance(value, (str, bool)):
                raise ValueError("a text is expected")  # noqa: TRY004, TRY301 - told to a user
            text = value if isinstance(value, str) else ("off", "on")[value]
            for full in portable_keys(key):
                yield Wish(*target[:3], full, read(full, text), target.conversation)
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


SHARED = ("account", "directory", "preferences", "start")
OWN = ("name", *SHARED, "events", "expect", "expect_not")
_CONVERSATION = 1
_HEADER = re.compile(r"\s*\[\[\s*scenario\s*\]\]")
ReadFile = Callable[[str], bytes]
"""Reads a file that a scenario names, relative to the scenario's own; raises `NotifycliError`."""


class Scenario(NamedTuple):
    """One scenario, ready to be tried."""

    name: str
    file: str
    line: int
    account: int
    directory: Directory
    preferences: Preferences
    events: list[Event]
    expect: list[dict[str, object]] | None
    """Exactly what must fire; `None` if that isn't looked at."""
    expect_not: list[dict[str, object]]
    """What must not fire and, where it says why, must be suppressed for that reason."""


def read_scenarios(text: bytes, file: str, read_file: ReadFile) -> list[Scenario]:
    """Read a file of scenarios. Raises `DataError` that names each fault with its place."""
    try:
        document = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: byte {error.start}: no UTF-8", "save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{file}: {error}", "a scenario file is TOML") from None
    faults: list[str] = []
    given = document.get("scenario")
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        raise DataError(f"{file}: has no [[scenario]] tables", "see examples/scenarios")
    _check_names(document, ("scenario", *SHARED), file, faults.append)
    lines = [n for n, line in enumerate(text.decode().splitlines(), 1) if _HEADER.match(line)]
    found = []
    for number, table in enumerate(given):
        line = lines[number] if len(lines) == len(given) else 1
        shared = {key: document[key] for key in SHARED if key in document}
        found.append(
            _Reader(
                shared, table, file=file, line=line, read_file=read_file, faults=faults
            ).scenario()
        )
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)), "nothing of these files was tried")
    return found


def _check_names(
    table: Mapping[str, Any], known: tuple[str, ...], place: str, fault: Callable[[str], None]
) -> None:
    for name in table:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else f"there are: {', '.join(known)}"
            fault(f"{place}: {name!r} is unknown; {hint}")


class _Reader:
    """Reads one scenario, and collects what is wrong with it."""

    def __init__(
        self,
        shared: Mapping[str, Any],
        own: Mapping[str, Any],
        *,
        file: str,
        line: int,
        read_file: ReadFile,
        faults: list[str],
    ) -> None:
        self._shared = shared
        self._own = own
        self._given = {**shared, **own}
        self._file, self._line = file, line
        self._place = f"{file}:{line}"
        self._read_file = read_file
        self._faults = faults
        self._directory = Directory()

    def scenario(self) -> Scenario:
        """Give the scenario; it can be used if there were no faults."""
        _check_names(self._own, OWN, self._place, self._faults.append)
        if "expect" not in self._own and "expect_not" not in self._own:
            self._fault("expects nothing: add expect or expect_not")
        account = self._given.get("account", 1)
        if not is_id(str(account)) or not isinstance(account, int):
            self._fault(f"account: {account!r} is no number from 1 on")
            account = 1
        self._directory = self._read_directory()
        expect = self._own.get("expect")
        clock = self._clock()
        return Scenario(
            name=str(self._given.get("name") or f"scenario at line {self._line}"),
            file=self._file,
            line=self._line,
            account=account,
            directory=self._directory,
            preferences=self._preferences(account),
            events=list(self._events(clock)),
            expect=None if expect is None else list(self._read_expected("expect", clock)),
            expect_not=list(self._read_expected("expect_not", clock)),
        )

    def _fault(self, text: str) -> None:
        self._faults.append(f"{self._place}: {text}")

    def _add_shared_fault(self, text: str) -> None:
        self._faults.append(f"{self._file}: {text}")

    def _clock(self) -> ScenarioClock:
        try:
            return ScenarioClock(self._given.get("start", FIRST_DAY))
        except ValueError as error:
            self._fault(f"start: {error}")
            return ScenarioClock()

    def _file_or(self, name: str, given: object) -> bytes | None:
        """Give the contents of the file that is named instead of a table."""
        if not isinstance(given, str):
            return None
        try:
            return self._read_file(given)
        except DataError as error:
            self._fault(f"{name}: {error.message}")
            return b""

    def _read_directory(self) -> Directory:
        given = self._given.get("directory", {})
        text = self._file_or("directory", given)
        here = self._place if "directory" in self._own else self._file
        place = f"{here}: directory" if text is None else str(given)
        try:
            document = read_directory(msgspec.json.encode(given) if text is None else text, place)
        except DataError as error:
            self._faults.append(error.message)
            return Directory()
        for fault in faults_of(document, {user.id for user in document.users}):
            self._faults.append(f"{place}: {fault}")
        return directory_of(document)

    def _preferences(self, account: int) -> Preferences:
        wishes: list[Wish] = []
        for source, fault in ((self._shared, self._add_shared_fault), (self._own, self._fault)):
            given = source.get("preferences", {})
            text = self._file_or("preferences", given)
            if text is None:
                wishes += read_tables(given, self._user, "preferences", fault)
                continue
            try:
                users = _Users(self._directory)
                placed = PreferenceDocument(users, BytesIO(text), str(given), account).entries()
            except DataError as error:
                fault(str(error))
                continue
            wishes += (
                Wish(*to[:3], key, value or "", to.conversation)
                for to, key, value in (one.entry for one in placed)
            )
        return overlaid(Preferences(), wishes)

    def _user(self, reference: object) -> int:
        users = self._directory.users
        by_id = is_id(str(reference))
        user = int(str(reference)) if by_id else self._directory.user_with_email(str(reference))
        if user is None or (user not in users and not by_id):
            near = nearest_user(str(reference), [u.email for u in users.values() if u.email])
            raise ValueError(
                f"there is no user {reference!r}" + (f"; did you mean {near}?" if near else "")
            )
        return user

    def _events(self, clock: ScenarioClock) -> Iterator[Event]:
        given = self._own.get("events", [])
        text = self._file_or("events", given)
        if text is not None and text.startswith(PACKED):
            yield from self._events_of_pack(str(given), text)
            return
        items = [] if text is None and not isinstance(given, list) else given
        lines = enumerate(items if text is None else text.splitlines(), 1)
        for number, item in lines:
            place = f"events[{number}]" if text is None else f"{given}:{number}"
            try:
                if not isinstance(item, bytes):
                    yield self._event(item, number, clock)
                elif item.strip():
                    yield decode_event(item, number)
            except ValueError as error:  # an EventError is one
                self._fault(f"{place}: {error}")

    def _events_of_pack(self, file: str, data: bytes) -> Iterator[Event]:
        from notifycli.replay.packed_events import read_facts  # noqa: PLC0415 - few scenarios name them

        try:
            for events, _ in read_facts(file, BytesIO(data)):
                yield from events
        except DataError as error:
            self._fault(f"{error.message}; {error.hint}")
        except DamageError as error:
            self._fault(f"{file}: {error}")

    def _event(self, item: object, number: int, clock: ScenarioClock) -> Event:
        if not isinstance(item, dict):
            raise EventError("a table with the fields of an event is expected")
        at = item.get("at")
        moment = None if at is None else clock.set(at)
        fields = {key: value for key, value in item.items() if key != "at"}
        event = decode_event(msgspec.json.encode(_with_conversation(fields)), number)
        if moment is not None:
            event.at = moment
        elif event.at is not None:
            clock.set(format_moment(event.at))
        return event

    def _read_expected(self, name: str, clock: ScenarioClock) -> Iterator[dict[str, object]]:
        given = self._own.get(name, [])
        if not isinstance(given, list):
            self._fault(f"{name}: a list is expected")
            return
        for number, item in enumerate(given, 1):
            try:
                record = _record(item)
                if "user" in record:
                    record["user_id"] = self._user(record.pop("user"))
                if "at" in record:
                    record["at"] = format_moment(clock.read(record["at"]))
                yield read_expected(record)
            except ValueError as error:
                self._fault(f"{name}[{number}]: {error}")


class _Users:
    """The users of a directory, for a reader that otherwise asks a store."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def user_references(self, account: int) -> Mapping[str, int]:  # noqa: ARG002 - a scenario has one account
        """Give their ids by all that names them."""
        return references_of((user.id, user.email) for user in self._directory.users.values())


def _with_conversation(fields: dict[str, object]) -> dict[str, object]:
    """Return the fields of an event, which needn't name a conversation in a scenario of one."""
    name = normal_name(str(fields.get("event", "")))
    of_message = name in MESSAGE_EVENTS
    own = "conversation_id" if of_message else "id"
    if not of_message and name not in CONVERSATION_EVENTS.union(SLA_EVENTS):
        return fields
    named = not fields.keys().isdisjoint((own, "conversation", "conversation_id"))
    return fields if named else {**fields, own: _CONVERSATION}


def _record(item: object) -> dict[str, object]:
    """Read a table, or `email.mention jane@example.com`, with a reason where one is told."""
    if isinstance(item, dict):
        return dict(item)
    text = item if isinstance(item, str) else ""
    words = text.split()
    if not 1 < len(words) <= 3:  # noqa: PLR2004 - what, whom, why
        raise ValueError(f"{item!r}: what, whom, perhaps why: email.mention jane@example.com")
    channel, _, type_ = words[0].partition(".")
    record: dict[str, object] = {"channel": channel, "user": words[1]}
    if type_:
        record["type"] = type_
    return record | ({"reason": words[2]} if words[2:] else {})


_VERDICT = ("outcome", "reason", "origin", "deliverable")


class TrialResult(Struct, frozen=True):
    """How a scenario went."""

    file: str
    line: int
    scenario: str
    passed: bool
    failures: tuple[str, ...]
    """A sentence for each difference; `-` begins what was expected, `+` what wasn't."""


def try_scenario(scenario: Scenario, profile: Profile = NOTIFYCLI) -> TrialResult:
    """Replay a scenario's events, and compare what fires with what is expected."""
    account = Account(scenario.directory, scenario.preferences, profile)
    replay = Replay({scenario.account: account}, scenario.account)
    decisions = [decision for event in scenario.events for decision in replay.decide(event)]
    failures = tuple(_failures(scenario, [_as_record(decision) for decision in decisions]))
    return TrialResult(scenario.file, scenario.line, scenario.name, not failures, failures)


def _failures(scenario: Scenario, found: list[Record]) -> Iterator[str]:
    fired = [record for record in found if record["outcome"] == Outcome.FIRE]
    others = [record for record in found if record["outcome"] == Outcome.SUPPRESS]
    if scenario.expect is not None:
        missing, unexpected = compare(scenario.expect, fired)
        for place in missing:
            expected = scenario.expect[place]
            yield f"- should fire: {_tell(expected, scenario)}; {_instead(expected, others)}"
        for place in unexpected:
            yield f"+ fires unexpectedly: {_tell(fired[place], scenario)} {_basis(fired[place])}"
    silent = [record for record in scenario.expect_not if "reason" not in record]
    for expected in silent:
        for record in fired:
            if matches(expected, record):
                yield f"+ shouldn't fire: {_tell(record, scenario)} {_basis(record)}"
    reasoned = [record for record in scenario.expect_not if "reason" in record]
    for place in compare(reasoned, others)[0]:
        expected = reasoned[place]
        told = f"{_tell(expected, scenario)} ({expected['reason']})"
        yield f"- should be suppressed: {told}; {_instead(expected, found)}"


def _as_record(decision: Decision) -> Record:
    record: Record = msgspec.to_builtins(decision)
    return record


def _instead(expected: Record, found: list[Record]) -> str:
    """Say what was decided of that which was expected otherwise."""
    what = {field: value for field, value in expected.items() if field not in _VERDICT}
    near = [record for record in found if matches(what, record)]
    if not near:
        return "there was no such decision"
    verdicts = dict.fromkeys(f"event {record['line']}: {_why(record)}" for record in near)
    return "; ".join(verdicts)


def _why(record: Record) -> str:
    verdict = "fires" if record["outcome"] == Outcome.FIRE else "suppressed"
    return f"{verdict} {_basis(record)}"


def _basis(record: Record) -> str:
    origin = f", {record['origin']}" if record.get("origin") else ""
    return f"({record['reason']}{origin})"


def _tell(record: Record, scenario: Scenario) -> str:
    """Name what, whom, and of which event, as far as the record says."""
    channel, type_ = record.get("channel"), record.get("type")
    short = SHORT_NAMES.get(str(type_), "")
    what = ".".join(filter(None, (str(channel or "*"), short)))
    id_ = record.get("user_id")
    user = scenario.directory.users.get(id_) if isinstance(id_, int) else None
    name = record.get("email") or (user and user.email) or id_
    shown = f"{what} to {name}" if name is not None else what
    extra = [f"event {record['line']}"] if "line" in record else []
    extra += [
        f"{field} {record[field]}"
        for field in ("conversation_id", "inbox_id", "message_id")
        if field in record and "outcome" not in record
    ]
    return f"{shown}, {', '.join(extra)}" if extra else shown
