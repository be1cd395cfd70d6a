"""Times as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import typer

from notifycli.cli import times
from notifycli.events.timestamps import SECOND, format_moment

NOW = 1_772_668_800
"""2026-03-05 00:00:00 UTC, a Thursday."""


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setattr(times, "now", lambda: NOW * SECOND)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("today", "2026-03-04T23:00:00Z"),
        ("yesterday", "2026-03-03T23:00:00Z"),
        ("Tuesday", "2026-03-02T23:00:00Z"),
        ("friday", "2026-02-26T23:00:00Z"),
        pytest.param("thursday", "2026-02-25T23:00:00Z", id="today's name is a week ago"),
        ("12h", "2026-03-04T12:00:00Z"),
        ("2026-03-03", "2026-03-03T00:00:00Z"),
        ("2026-03-03T13:05+01:00", "2026-03-03T12:05:00Z"),
    ],
)
def test_a_day_begins_at_midnight_of_local_time(text: str, moment: str) -> None:
    assert format_moment(times.read_time(text)) == moment


def test_what_is_nearly_a_day_is_refused_with_the_day() -> None:
    with pytest.raises(typer.BadParameter, match=r"today; did you mean yesterday\?$"):
        times.read_time("yesterdya")


@pytest.mark.parametrize(
    "text",
    [
        "last week",
        pytest.param("2026", id="a year, and no second of 1970"),
        pytest.param("20260303", id="a date without hyphens"),
    ],
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter) as raised:
        times.read_time(text)
    assert str(raised.value) == (
        f"{text!r} is no time such as 2026-03-03, 2026-03-03T13:05+01:00, 12h (ago), tuesday "
        "or today"
    )
