"""Times as people write and read them."""

from __future__ import annotations

import pytest
import typer

from notifycli.cli.times import DAY, HOUR, MINUTE, expiry, in_words, read_seconds, read_span
from notifycli.errors import UsageError
from notifycli.events.timestamps import SECOND, parse_moment

from .harness import NOON


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("45s", 45 * SECOND),
        ("10m", 10 * MINUTE),
        ("24h", DAY),
        (" 90 D ", 90 * DAY),
        ("2w", 14 * DAY),
        ("1y", 365 * DAY),
        ("0s", 0),
    ],
)
def test_a_span_is_a_number_and_a_unit(text: str, span: int) -> None:
    assert read_span(text) == span


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "90 days", "٣d", "9999999d"])
def test_anything_else_is_no_span(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_span(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45", 45.0), ("45s", 45.0), ("2m", 120.0), ("0", 0)]
)
def test_seconds_need_no_unit(text: str, seconds: float) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90d", NOON + 90 * DAY),
        ("2026-03-02", NOON + DAY // 2),
        ("2026-03-02T12:00:00+02:00", NOON + DAY - 2 * HOUR),
    ],
)
def test_an_expiry_is_a_span_from_now_or_a_date(text: str, moment: int) -> None:
    assert expiry(text, NOON) == moment


@pytest.mark.parametrize("text", ["", "soon", "0s", "2026-03-01", "12345", "2026-13-01", "99999y"])
def test_what_is_over_or_no_time_is_no_expiry(text: str) -> None:
    with pytest.raises(UsageError, match="--expires: "):
        expiry(text, NOON)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (None, "-"),
        ("2026-03-01T12:00:00Z", "just now"),
        ("2026-03-01T11:59:30Z", "just now"),
        ("2026-03-01T12:00:30Z", "in seconds"),
        ("2026-03-01T11:59:00Z", "1 minute ago"),
        ("2026-03-01T14:00:00Z", "in 2 hours"),
        ("2026-02-26T12:00:00Z", "3 days ago"),
        ("2026-05-30T11:59:59Z", "in 3 months"),
        ("2024-03-01T12:00:00Z", "2 years ago"),
    ],
)
def test_words_say_how_far_away_it_is(at: str | None, words: str) -> None:
    assert in_words(None if at is None else parse_moment(at), NOON) == words
