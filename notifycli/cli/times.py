"""Times as people write and read them: `90d`, a date, `today`, `3 days ago`. All else is in UTC."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Annotated

import typer

from notifycli.errors import UsageError
from notifycli.events.timestamps import SECOND, format_moment, parse_moment
from notifycli.rules.preferences import nearest

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY, "y": YEAR}
_SPAN = re.compile(r"(\d{1,6})\s*([smhdwy])", re.ASCII)
_DAYS_AGO = {"today": 0, "yesterday": 1}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MINUTES = len("2026-03-03T13:05")
_SHORTEST_UNIX_TIME = 9
"""In digits: a shorter one, before 1973, is a year or a date without hyphens."""
_LAST_MOMENT = parse_moment("9998-12-31")
_NEARLY = 0.95
"""From which part of a unit on it is one: a second short of 90 days is 3 months."""
_WORDS = (
    (YEAR, "year"),
    (30 * DAY, "month"),
    (DAY, "day"),
    (HOUR, "hour"),
    (MINUTE, "minute"),
)


def now() -> int:
    """Give the present moment, to the second, in microseconds since 1970 UTC."""
    return int(time.time()) * SECOND


def read_span(text: str) -> int:
    """Read `45s`, `10m`, `24h`, `90d`, `2w`, `1y` as microseconds, for an option of that type."""
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration such as 90d (units: s m h d w y)")
    return int(match[1]) * _UNITS[match[2]]


def read_seconds(text: str) -> float:
    """Read a number of seconds, or a duration, as seconds, for an option of that type."""
    plain = text.strip().isdecimal() and text.isascii()
    return read_span(f"{text}s" if plain else text) / SECOND


def read_time(text: str) -> int:
    """Read a time for an option of that type, in microseconds since 1970 UTC.

    It is written as an event writes it, or as a duration (`12h`: so long ago), or as `today`,
    `yesterday`, or a weekday, the last one before today. Days begin at midnight of local time.
    """
    given = text.strip().lower()
    if given in _DAYS_AGO:
        return _midnight(_DAYS_AGO[given])
    if given in _WEEKDAYS:
        return _midnight(
            (time.localtime(now() // SECOND).tm_wday - _WEEKDAYS.index(given)) % 7 or 7
        )
    if _SPAN.fullmatch(given):
        return max(0, now() - read_span(given))
    with suppress(ValueError):
        if not given.isdecimal() or len(given) >= _SHORTEST_UNIX_TIME:
            return parse_moment(text)
    near = nearest(given, (*_DAYS_AGO, *_WEEKDAYS))
    meant = f"; did you mean {near}?" if near else ""
    raise typer.BadParameter(
        f"{text!r} is no time such as 2026-03-03, 2026-03-03T13:05+01:00, 12h (ago), tuesday or "
        f"today{meant}"
    )


Since = Annotated[
    int | None,
    typer.Option(
        "--since",
        parser=read_time,
        metavar="TIME",
        help="Only from this time on: 2026-03-03, 2026-03-03T13:05Z, 12h (ago), tuesday, today.",
    ),
]
Until = Annotated[
    int | None,
    typer.Option("--until", parser=read_time, metavar="TIME", help="Only before this time."),
]


def _midnight(days_ago: int) -> int:
    """Return when a day began, in local time."""
    year, month, day, *_ = time.localtime(now() // SECOND)
    return int(time.mktime((year, month, day - days_ago, 0, 0, 0, 0, 0, -1))) * SECOND


def expiry(text: str, at: int, option: str = "--expires") -> int:
    """Give the moment that `90d` from `at`, or an ISO date or time, means; a date in UTC.

    Raises `UsageError` for what is neither, and for what is over already.
    """
    if _SPAN.fullmatch(text.strip().lower()):
        moment = at + read_span(text)
        if moment > _LAST_MOMENT:
            raise UsageError(f"{option}: {text} is too far away", "name an earlier one")
    else:
        try:
            moment = parse_moment(text) if "-" in text else 0
        except ValueError:
            moment = 0
        if not moment:
            raise UsageError(
                f"{option}: {text!r} is neither a duration nor a date",
                "write it as 90d or 2027-01-31",
            )
    if moment <= at:
        raise UsageError(f"{option}: {text} is over already", "name a later one")
    return moment


def in_words(moment: int | None, at: int) -> str:
    """Say how far from `at` a moment is: `3 days ago`, `in 2 hours`, `just now`, `-` for None."""
    if moment is None:
        return "-"
    away = abs(moment - at)
    for unit, name in _WORDS:
        count = round(away / unit)
        if away >= unit * _NEARLY:
            words = f"{count} {name}{'s' if count > 1 else ''}"
            return f"in {words}" if moment > at else f"{words} ago"
    return "in seconds" if moment > at else "just now"


def to_the_minute(record: str) -> str:
    """Write a moment of a record for a table: `2026-03-03 13:05`, in UTC."""
    return record[:_MINUTES].replace("T", " ")


def in_local_time(moment: int) -> str:
    """Write a moment in local time, with the name of its zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(moment // SECOND))


def day_of(moment: int) -> str:
    """Name the day of a moment in local time: `Tuesday 3 March 2026`."""
    return time.strftime("%A %-d %B %Y", time.localtime(moment // SECOND))


def to_record(moment: int | None) -> str | None:
    """Write a moment, or its absence, as records have it."""
    return None if moment is None else format_moment(moment)
