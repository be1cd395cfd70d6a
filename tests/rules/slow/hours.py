"""Spans and times of day: `rules.md`, sections 2 and 7."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from zoneinfo import ZoneInfo

from tests.rules.slow.bodies import EPOCH

SECOND = 1_000_000
MINUTE = 60 * SECOND


def duration(value: str) -> int:
    unit = {"s": 1, "m": 60, "h": 3600}[value[-1]]
    return int(value[:-1]) * unit * SECOND


# rules.md, sections 2 and 7: quiet hours


WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_days(word: str) -> set[int] | None:
    days: set[int] = set()
    for part in word.lower().split(","):
        begin, _, end = part.partition("-")
        end = end or begin
        if begin not in WEEK or end not in WEEK:
            return None
        day = WEEK.index(begin)
        days.add(day)
        while WEEK[day] != end:
            day = (day + 1) % 7
            days.add(day)
    return days


def minute_of_day(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def in_hours(value: str, now: int) -> bool:
    return in_hours_at(value, now // MINUTE)


@cache
def in_hours_at(value: str, minute_of_all: int) -> bool:
    hours, *rest = value.split()
    zone, days = ZoneInfo("UTC"), set(range(7))
    for word in rest:
        named_days = read_days(word)
        if named_days is None:
            zone = ZoneInfo(word)
        else:
            days = named_days
    local = (EPOCH + timedelta(minutes=minute_of_all)).astimezone(zone)
    minute, today = local.hour * 60 + local.minute, local.weekday()
    begin, end = (minute_of_day(clock) for clock in hours.split("-"))
    if begin < end:
        return begin <= minute < end and today in days
    if minute >= begin:
        return today in days
    return minute < end and (today - 1) % 7 in days


def written(moment: int | None) -> str | None:
    """As decisions say it: to the second, or to as many digits as it has."""
    if moment is None:
        return None
    text = (EPOCH + timedelta(microseconds=moment)).replace(tzinfo=None).isoformat()
    return text.removesuffix("000") + "Z" if "." in text else text + "Z"
