"""Durations and quiet hours: the two preference values that are more than a word."""

from __future__ import annotations

import re
from datetime import timedelta, tzinfo
from functools import cache

from msgspec import Struct

from notifycli.events.timestamps import SECOND, to_datetime

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST_DAY = 3
_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_DURATION = re.compile(r"(\d{1,9})\s*([smh])", re.ASCII)
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", re.ASCII)
_MINUTES_OF_A_DAY = 24 * 60
_YESTERDAY = timedelta(days=-1)


class Duration(Struct, frozen=True):
    """A length of time: how it is written, and its microseconds."""

    text: str
    microseconds: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `0s`, `60s`, `5m`, `1h`. Raises `ValueError`."""
        match = _DURATION.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError("a duration is a number with a unit: 0s, 60s, 5m, 1h")
        number, unit = int(match[1]), match[2]
        return cls(f"{number}{unit}", number * _UNITS[unit])


class UnknownZoneError(ValueError):
    """The name of a time zone that there isn't."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is no IANA time zone such as Europe/Berlin")
        self.name = name


class QuietHours(Struct, frozen=True):
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
    def parse(cls, text: str) -> QuietHours:
        """Read `HH:MM-HH:MM [ZONE] [DAYS]`, as in `22:00-07:00 Europe/Berlin mon-fri`.

        The zone is an IANA name, UTC if it is left out; the days are names, lists and ranges
        (`mon,wed`, `fri-mon`), every day if left out. `22:00-22:00` is a whole day. Raises
        `ValueError`, for a zone `UnknownZoneError`.
        """
        hours, *rest = text.split() or [""]
        match = _HOURS.fullmatch(hours)
        if match is None:
            raise ValueError("quiet hours are off or HH:MM-HH:MM [ZONE] [DAYS]")
        start, end = _minute(match[1], match[2]), _minute(match[3], match[4])
        zone = days = ""
        for word in rest:
            if _day(word.split(",")[0].split("-")[0]) is not None and not days:
                days = word.lower()
            elif not zone:
                zone = _zone(word)
            else:
                raise ValueError(f"{word!r} is neither a zone nor days such as mon-fri")
        written = " ".join(filter(None, (_clock(start, end), zone, days)))
        return cls(written, start, end % _MINUTES_OF_A_DAY, zone or "UTC", _days(days))

    def hold(self, moment: int) -> bool:
        """Whether the moment (microseconds since 1970 UTC) lies inside the quiet hours."""
        local = to_datetime(moment).astimezone(zone_info(self.zone))
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end and local.weekday() in self.days
        if minute >= self.start:
            return local.weekday() in self.days
        return minute < self.end and (local + _YESTERDAY).weekday() in self.days


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


def _zone(name: str) -> str:
    try:
        zone_info(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise UnknownZoneError(name) from None
    return name


def zones() -> dict[str, str]:
    """Give the names of all IANA time zones by names and cities in small letters."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads a file for each zone

    names = sorted(available_timezones(), reverse=True)
    cities = {name.lower().split("/")[-1]: name for name in names}
    return {**cities, **{name.lower(): name for name in names}}
