"""Times: microseconds since 1970-01-01 UTC as an integer, so that comparisons are exact."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
"""To write times, which is faster without a zone."""
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = 1_000
_SECONDS_A_DAY = 86_400
# A year short of what datetime holds on either side, so that every zone's local time exists.
_FIRST = (datetime(2, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND
_PAST_LAST = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND
_MILLISECONDS_FROM = 1e11
"""As seconds this would be in the year 5138, as milliseconds in 1973."""
_MICROSECONDS_FROM = 1e14
_FAR = 1e18
"""Microseconds beyond what any of these years has."""
_iso = datetime.fromisoformat
_ZONE_APART = re.compile(r" (?:UTC|GMT)(?: \+00:00)?\Z| (?=[+-]\d)")
_WITH_DAY = re.compile(r"[A-Z]{3}, (\d\d) ([A-Z]{3}) (\d{4}) (.+)")
"""HTTP's, and what Rails logs."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NUMBER = r"(?a)-?\d+(\.\d+)?"


def parse_moment(value: float | str) -> int:
    """Read ISO 8601 with any offset, `2026-03-03 13:05:57 UTC`, Unix time, or HTTP's dates.

    Unix time is an integer or a fraction, as a number or as a string, of seconds, milliseconds or
    microseconds, told apart by size; a time without an offset is UTC. Raises `ValueError` for
    anything else and for years that are not 2 to 9998.
    """
    if not isinstance(value, str):
        moment = _from_unix(value)
    elif value[4:5] == "-":
        # What servers send; a number has no hyphen there.
        try:
            passed = _iso(value) - EPOCH
        except (ValueError, TypeError):  # another notation, or no offset
            passed = _from_iso(value) - EPOCH
        moment = (passed.days * _SECONDS_A_DAY + passed.seconds) * SECOND + passed.microseconds
    elif re.fullmatch(_NUMBER, text := value.strip()):
        moment = _from_unix(float(text) if "." in text else int(text))
    else:
        moment = (_from_iso(text) - EPOCH) // _MICROSECOND
    if _FIRST <= moment < _PAST_LAST:
        return moment
    raise ValueError(f"{value} is no time in the years 2 to 9998")


def _from_unix(value: float) -> int:
    size = abs(value)
    if size < _MILLISECONDS_FROM:
        return round(value * SECOND)
    if size < _MICROSECONDS_FROM:
        return round(value * _MILLISECOND)
    return round(value if size < _FAR else _FAR)


def _from_iso(value: str) -> datetime:
    text = value.strip()
    iso = _ZONE_APART.sub("", text.upper())
    try:
        if dated := _WITH_DAY.fullmatch(iso):
            day, month, year, time = dated.groups()
            iso = f"{year}-{_MONTHS.index(month) + 1:02}-{day} {time}"
        when = _iso(iso)
    except ValueError:
        told = f"{text!r} is no time: ISO 8601 or Unix time is expected"
        raise ValueError(told) from None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def to_datetime(moment: int) -> datetime:
    """Give the moment as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=moment)


def format_moment(moment: int) -> str:
    """Write ISO 8601 in UTC, with as many digits of the second as it needs (0, 3 or 6)."""
    seconds, rest = divmod(moment, SECOND)
    text = (_NAIVE_EPOCH + timedelta(0, seconds)).isoformat()
    if rest == 0:
        return f"{text}Z"
    if rest % _MILLISECOND:
        return f"{text}.{rest:06}Z"
    return f"{text}.{rest // _MILLISECOND:03}Z"
