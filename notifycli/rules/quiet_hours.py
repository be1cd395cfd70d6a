"""Durations and quiet hours: the two preference values that are more than a word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta, tzinfo
from functools import cache, lru_cache
from itertools import takewhile

from msgspec import Struct

from notifycli.events.timestamps import SECOND, to_datetime

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST_DAY = 3
_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
# Patterns are compiled when they are needed: most short commands need none, and all would wait.
_DURATION = r"(?a)(\d{1,9})\s*([smh])"
_HOURS = r"(?a)(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})"
_OFFSET = r"(?a)(?:gmt|utc|z)?([+-])0?(\d{1,2})(?::?00)?"
_ANY_OFFSET = r"(?a)(?:gmt|utc|z)?[+-]\d[\d:]*"
_FURTHEST_EAST, _FURTHEST_WEST = 14, 12
"""The hours from UTC that have a zone of their own, `Etc/GMT-14` to `Etc/GMT+12`."""
_ANYWHERE = ("local", "localtime", "posixrules", "factory")
"""What stands for another zone on each machine, or for none."""
_COPIES = ("right/", "posix/")
_ABBREVIATION = r"[A-Za-z]{2,5}"
_LONGEST_ABBREVIATION = 4
_ALIKE = 0.75
_ETC = r"Etc/GMT([+-])(\d+)"
_WORDS_OF_DAYS = {
    **dict.fromkeys(("weekday", "weekdays", "workdays"), "mon-fri"),
    **dict.fromkeys(("weekend", "weekends"), "sat,sun"),
    **dict.fromkeys(("daily", "everyday", "always"), "no days at all"),
}
_NOTES = {
    **dict.fromkeys(("EST", "MST", "HST"), "is {offset} all year, without summer time"),
    "CET": "is Central European Time with its summer time",
    "MET": "is Central European Time with its summer time",
    "EET": "is Eastern European Time with its summer time",
    "WET": "is Western European Time with its summer time",
}
_FIXED = {"EST": "UTC-5", "MST": "UTC-7", "HST": "UTC-10"}
_MINUTES_OF_A_DAY = 24 * 60
_MINUTE = 60 * SECOND
_QUARTER = 15 * _MINUTE
"""Clocks have been put forward and back at such moments alone for half a century."""
_FIRST_WEEKDAY = 3
"""1970 began on a Thursday."""
LONGEST_WAIT = 366 * _MINUTES_OF_A_DAY * _MINUTE
"""What would be further ahead never comes."""


class Duration(Struct, frozen=True):
    """A length of time: how it is written, and its microseconds."""

    text: str
    microseconds: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `0s`, `60s`, `5m`, `1h`. Raises `ValueError`."""
        match = re.fullmatch(_DURATION, text.strip().lower())
        if match is None:
            raise ValueError("a duration is a number with a unit: 0s, 60s, 5m, 1h")
        number, unit = int(match[1]), match[2]
        return cls(f"{number}{unit}", number * _UNITS[unit])


class UnknownZoneError(ValueError):
    """The name of a time zone that there isn't."""

    def __init__(self, name: str) -> None:
        why = _no_zone(name) or f"{name!r} is no IANA time zone such as Europe/Berlin"
        super().__init__(why)
        self.name = name


class QuietHours(Struct, frozen=True, cache_hash=True):
    """Hours of the day in which nothing but a mention notifies.

    `start` and `end` are minutes after midnight in `zone`: the first is inside, the last is not;
    an `end` that isn't after `start` lies on the next day. `days` are the days (0 is Monday) on
    which the hours begin.
    """

    text: str
    start: int
    end: int
    zone: str
    days: frozenset[int]

    @classmethod
    def parse(cls, text: str, what: str = "quiet hours") -> QuietHours:
        """Read `HH:MM-HH:MM [ZONE] [DAYS]`, as in `22:00-07:00 Europe/Berlin mon-fri`.

        The zone is an IANA name, UTC if it is left out; the days are names, lists and ranges
        (`mon,wed`, `fri-mon`), every day if left out. `22:00-22:00` is a whole day. Raises
        `ValueError`, for a zone `UnknownZoneError`; `what` is how that calls them.
        """
        hours, *rest = text.split() or [""]
        match = re.fullmatch(_HOURS, hours)
        if match is None or any(re.search(_HOURS, word) for word in rest):
            if len(re.findall(_HOURS, text)) > 1:
                raise ValueError("there can be one span of hours only: HH:MM-HH:MM [ZONE] [DAYS]")
            raise ValueError(f"{what} are off or HH:MM-HH:MM [ZONE] [DAYS]")
        start, end = _minute(match[1], match[2]), _minute(match[3], match[4])
        zone = days = ""
        for word in rest:
            if _day(word.split(",")[0].split("-")[0]) is not None and not days:
                days = word.lower()
            elif word.lower() in _WORDS_OF_DAYS:
                raise ValueError(f"for {word!r}, write {_WORDS_OF_DAYS[word.lower()]}")
            elif not zone:
                zone = _zone(word, rest)
            else:
                raise ValueError(f"{word!r} is neither a zone nor days such as mon-fri")
        written = " ".join(filter(None, (_clock(start, end), zone, days)))
        return cls(written, start, end % _MINUTES_OF_A_DAY, zone or "UTC", _days(days))

    def hold(self, moment: int) -> bool:
        """Whether the moment (microseconds since 1970 UTC) lies inside the quiet hours."""
        return self.span(moment)[0]

    def span(self, moment: int) -> tuple[bool, int, int]:
        """Return the same, and between which moments it is so: the first is one, the last isn't."""
        found = _found_last_of(self)
        _, since, until = found.span
        if not since <= moment < until:
            found.span = self._span(moment)
        return found.span

    def _span(self, moment: int) -> tuple[bool, int, int]:
        quarter = moment // _QUARTER
        hold, since, until = self._turns(moment, quarter)
        return hold, max(since, quarter * _QUARTER), min(until, (quarter + 1) * _QUARTER)

    def _turns(self, moment: int, quarter: int) -> tuple[bool, int, int]:
        """Return the same as if no clock were put forward or back on that day."""
        ahead = _offset(self.zone, quarter)
        minutes = (moment + ahead) // _MINUTE
        day, minute = divmod(minutes, _MINUTES_OF_A_DAY)
        today = (day + _FIRST_WEEKDAY) % 7
        if self.start < self.end:
            hold = self.start <= minute < self.end and today in self.days
        elif minute >= self.start:
            hold = today in self.days
        else:
            hold = minute < self.end and (today - 1) % 7 in self.days
        turns = (0, self.start, self.end, _MINUTES_OF_A_DAY)
        midnight = day * _MINUTES_OF_A_DAY * _MINUTE - ahead
        since = midnight + max(turn for turn in turns if turn <= minute) * _MINUTE
        until = midnight + min(turn for turn in turns if turn > minute) * _MINUTE
        return hold, since, until

    def end_of(self, begin: int, length: int) -> int | None:
        """Return the first moment by which so many microseconds inside the hours have passed.

        It isn't before `begin`; `None` if it is more than `LONGEST_WAIT` after it.
        """
        at, left = begin, length
        while left and at - begin <= LONGEST_WAIT:
            quarter = at // _QUARTER
            hold, _, until = self._turns(at, quarter)
            if _offset(self.zone, quarter) != _offset(self.zone, (until - 1) // _QUARTER):
                until = min(until, (quarter + 1) * _QUARTER)
            if hold and left <= until - at:
                at, left = at + left, 0
            else:
                at, left = until, left - (until - at) * hold
        return None if left or at - begin > LONGEST_WAIT else at

    def next_free(self, moment: int) -> int | None:
        """Return the first moment, from this one on, at which they don't hold.

        `None` if they always do.
        """
        if self.start == self.end and len(self.days) == len(DAYS):
            return None
        found = _found_last_of(self)
        since, free = found.held
        if since <= moment < free:
            return free
        since, (hold, _, until) = moment, self.span(moment)
        while hold:
            moment = until
            hold, _, until = self._span(moment)
        found.held = since, moment
        return moment


class _FoundLast:
    """What was found last of quiet hours: most moments lie close to the one before."""

    def __init__(self) -> None:
        self.span = False, 0, 0
        self.held = 0, 0
        """From when on they hold without a gap, and up to when."""


@lru_cache(1024)
def _found_last_of(_: QuietHours) -> _FoundLast:
    return _FoundLast()


@lru_cache(1024)
def _offset(zone: str, quarter: int) -> int:
    """Give how far a zone's clocks are ahead in a quarter of an hour, in microseconds."""
    ahead = to_datetime(quarter * _QUARTER).astimezone(zone_info(zone)).utcoffset()
    assert ahead is not None  # noqa: S101 - it has a zone
    return ahead // timedelta(microseconds=1)


def _minute(hour: str, minute: str) -> int:
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > _MINUTES_OF_A_DAY:  # noqa: PLR2004
        raise ValueError(f"{hour}:{minute} is no time of day")
    return value


def _clock(start: int, end: int) -> str:
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def _day(name: str) -> int | None:
    if len(name) < _SHORTEST_DAY:
        return None
    return next((i for i, day in enumerate(DAYS) if day.startswith(name.lower())), None)


def _days(text: str) -> frozenset[int]:
    if not text:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = _day(first), _day(last or first)
        if begin is None or end is None:
            raise ValueError(f"{part!r} is no day: mon, tue … or a range such as mon-fri")
        found.update((begin + i) % 7 for i in range((end - begin) % 7 + 1))
    return frozenset(found)


@cache
def zone_info(name: str) -> tzinfo:
    """Give an IANA time zone. Raises `OSError`, `ValueError` or `KeyError`."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - most commands never ask for a zone

    return ZoneInfo(name)


def _zone(name: str, words: list[str]) -> str:
    try:
        zone_info(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        # Who writes a name with spaces means all of it.
        beside = words[words.index(name) :]
        whole = takewhile(lambda word: _day(word.split(",")[0].split("-")[0]) is None, beside)
        raise UnknownZoneError(" ".join(whole)) from None
    return name


def check_zone(name: str) -> None:
    """Refuse a zone that means something else elsewhere. Raises `UnknownZoneError`.

    Apart from `QuietHours.parse`: what was stored before is still read.
    """
    if name.lower() in _ANYWHERE or name.lower().startswith(_COPIES):
        raise UnknownZoneError(name)


def describe_zone(name: str) -> str:
    """Say what a zone is whose name can be taken for another; an empty string for any other."""
    if found := re.fullmatch(_ETC, name):
        sign = "-" if found[1] == "+" else "+"
        return f"{name} is UTC{sign}{found[2]} all year: its sign is the other way round"
    if name in _NOTES:
        return f"{name} {_NOTES[name].format(offset=_FIXED.get(name))}; a city is clearer"
    return ""


def _no_zone(name: str) -> str:
    """Say why a name is no zone, where there is more to say than that."""
    word = name.strip().lower()
    if word in _ANYWHERE:
        return f"{name!r} is another zone on each machine: name a city, e.g. Europe/Berlin"
    if word.startswith(_COPIES):
        return f"{name!r} is no zone: leave out {word.split('/')[0]}/"
    if re.fullmatch(_ANY_OFFSET, word):
        return f"{name!r}: an offset is no zone: name a city, e.g. Europe/Berlin{_etc_of(word)}"
    if re.fullmatch(_ABBREVIATION, name) and name.isupper():
        return f"{name!r} is no IANA time zone, and abbreviations are not unique: name a city"
    return ""


def _etc_of(offset: str) -> str:
    """Name the zone that is so many hours from UTC all year, if there is one."""
    found = re.fullmatch(_OFFSET, offset)
    if found is None:
        return ""
    east, hours = found[1] == "+", int(found[2])
    if not 0 < hours <= (_FURTHEST_EAST if east else _FURTHEST_WEST):
        return ""
    zone = f"Etc/GMT{'-' if east else '+'}{hours}"
    return f", or {zone}, which is UTC{found[1]}{hours}: its sign is the other way round"


def nearest_zone(name: str) -> str:
    """Give the zone that a misspelt name means; an empty string unless that is all but certain."""
    word = name.strip().lower().replace(" ", "_")
    if word.startswith(_COPIES):
        word = word.split("/", 1)[1]
    elif _no_zone(name):
        return ""
    known = zones()
    near = known.get(word) or _alike(word, known)
    return "" if near.startswith("Etc/GMT") else near


def _alike(word: str, known: Mapping[str, str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

    area, slash, city = word.rpartition("/")
    cities = {place: zone for place, zone in known.items() if "/" not in place and "/" in zone}
    places = cities
    if slash:
        start = f"{area}/"
        places = {
            place[len(start) :]: zone for place, zone in known.items() if place.startswith(start)
        }
        if not places:
            return cities.get(city, "")
    elif len(word) <= _LONGEST_ABBREVIATION:
        return ""
    return places.get(next(iter(get_close_matches(city, places, 1, _ALIKE)), ""), "")


def zones() -> dict[str, str]:
    """Give the names of all IANA time zones by names and cities in small letters."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads a file for each zone

    found = (name for name in available_timezones() if name.lower() not in _ANYWHERE)
    names = sorted(found, reverse=True)
    cities = {name.lower().split("/")[-1]: name for name in names}
    return {**cities, **{name.lower(): name for name in names}}
