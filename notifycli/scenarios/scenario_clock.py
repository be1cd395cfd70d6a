"""The clock of a scenario: times as a hand writes them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from notifycli.events.timestamps import EPOCH, SECOND, parse_moment

FIRST_DAY = "2026-03-02"
"""A Monday; the day on which a scenario begins unless it says otherwise."""
_MICROSECONDS = {"d": 86_400 * SECOND, "h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND}
_PAST_LAST = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
_STEP = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])", re.ASCII)
_STEPS = re.compile(rf"\+\s*(?:{_STEP.pattern}\s*)+", re.ASCII)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?", re.ASCII)


class Clock:
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
