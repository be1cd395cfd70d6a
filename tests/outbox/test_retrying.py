"""When a notice is tried again, and when it is given up."""

from __future__ import annotations

import pytest

from notifycli.delivery.channels import (
    MOST_ATTEMPTS,
    Delivered,
    Later,
    Outcome,
    Refused,
    check_age,
    delay,
    is_passing,
    settle,
)
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import Leased, NoticeState, Settled
from tests.delivery.notices import leased

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = 100 * HOUR
AGAIN = "notifycli deliver retry 5"


def longest(_: float, most: float) -> float:
    return most


def shortest(least: float, _: float) -> float:
    return least


@pytest.mark.parametrize(
    ("failures", "after", "least", "most"),
    [
        (0, None, 0, 1),
        (1, None, 0, 2),
        (5, None, 0, 32),
        (11, None, 0, 2048),
        (12, None, 0, 3600),
        (10_000, None, 0, 3600),
        (0, 30.0, 30, 31),
        (3, 0.5, 0.5, 8.5),
    ],
)
def test_the_wait_doubles_up_to_an_hour_on_top_of_what_the_service_asked_for(
    failures: int, after: float | None, least: float, most: float
) -> None:
    assert delay(failures, after, shortest) == least * SECOND
    assert delay(failures, after, longest) == most * SECOND


@pytest.mark.parametrize(
    ("attempts", "age", "outcome", "expected"),
    [
        pytest.param(0, 0, Delivered(), Settled(5, NoticeState.SENT, NOW), id="delivered"),
        pytest.param(
            0,
            0,
            Refused("no mailbox", "correct it"),
            Settled(5, NoticeState.DEAD, NOW, "no mailbox", "correct it"),
            id="refused",
        ),
        pytest.param(
            0,
            0,
            Refused("no mailbox"),
            Settled(5, NoticeState.DEAD, NOW, "no mailbox", f"{AGAIN}, once it is mended"),
            id="refused without a remedy",
        ),
        pytest.param(
            2,
            0,
            Later("busy"),
            Settled(5, NoticeState.PENDING, NOW + 4 * SECOND, "busy"),
            id="later",
        ),
        pytest.param(
            2,
            0,
            Later("busy", after=60.0),
            Settled(5, NoticeState.PENDING, NOW + 64 * SECOND, "busy"),
            id="later, as the service asks",
        ),
        pytest.param(
            MOST_ATTEMPTS - 1,
            0,
            Later("busy"),
            Settled(5, NoticeState.DEAD, NOW, "given up after 20 attempts: busy", AGAIN),
            id="too many attempts",
        ),
        pytest.param(
            0,
            24 * HOUR - SECOND // 2,
            Later("busy"),
            Settled(
                5,
                NoticeState.DEAD,
                NOW,
                "given up, since the next attempt would come too late: busy",
                AGAIN,
            ),
            id="too late",
        ),
    ],
)
def test_what_becomes_of_a_notice(
    attempts: int, age: int, outcome: Outcome, expected: Settled
) -> None:
    notice = leased(attempts=attempts, since=NOW - age)
    assert settle(notice, outcome, NOW, longest) == expected


@pytest.mark.parametrize(
    ("notice", "expected"),
    [
        pytest.param(leased(since=NOW), None, id="a new one is sent"),
        pytest.param(leased(since=NOW - 24 * HOUR), None, id="one of a day too"),
        pytest.param(
            leased(since=NOW - 24 * HOUR - 1),
            Settled(
                5, NoticeState.DEAD, NOW, "it was not sent within 24 hours", AGAIN, tried=False
            ),
            id="an older one is a dead letter",
        ),
        pytest.param(
            leased(channel=Channel.AUDIO, since=NOW - 61 * SECOND),
            Settled(
                5, NoticeState.DROPPED, NOW, "it was not sent within a minute", AGAIN, tried=False
            ),
            id="a sound that comes too late is none",
        ),
        pytest.param(
            leased(since=NOW, member=None),
            Settled(
                5,
                NoticeState.DEAD,
                NOW,
                "user 7 has left account 1",
                "notifycli deliver drop 5",
                tried=False,
            ),
            id="nobody is there to be told",
        ),
    ],
)
def test_what_nobody_has_a_use_for_is_not_sent(notice: Leased, expected: Settled | None) -> None:
    assert check_age(notice, NOW) == expected


def test_these_statuses_of_http_and_no_others_are_tried_again() -> None:
    """RFC 9110, 15.5.9 and 15.6; RFC 8470, 5.2; RFC 6585, 4."""
    assert [s for s in range(100, 600) if is_passing(s)] == [408, 425, 429, *range(500, 600)]
