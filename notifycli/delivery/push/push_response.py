"""What a push service's answer means (RFC 8030, 5 and 7; RFC 8292, 4.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from notifycli.delivery.channel import Delivered, Later, Outcome, Refused

GONE = frozenset({404, 410})
"""The subscription has ended: nothing can be sent to it any more (RFC 8030, 7.3)."""
_TAKEN = frozenset({200, 201, 202, 204})
_LATER = frozenset({408, 425, 429})
_SERVER_ERRORS = range(500, 600)
_REDIRECTS = range(300, 400)
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_AGAIN = "subscribe the browser again: notifycli push subscribe"
_KEY = (
    "it doesn't accept the push key: see whether this machine's clock is right and push.subject is "
    "an address; else "
)
_REFUSALS = {
    400: ("it doesn't understand the push", _AGAIN),
    401: ("it wants another signature", _KEY + _AGAIN),
    403: ("the subscription is bound to another push key", _KEY + _AGAIN),
    404: ("the subscription has ended and was removed", _AGAIN),
    410: ("the subscription has ended and was removed", _AGAIN),
    413: (
        "the push is too long for it",
        "a service may take less than 4,096 bytes only where it breaks RFC 8030, 7.2: report it",
    ),
}


def outcome_of(status: int, retry_after: str | None, now: float) -> Outcome:
    """Give what becomes of a push that was answered so; `now` in seconds since 1970."""
    if status in _TAKEN:
        return Delivered(f"answered {status}")
    if status in _LATER or status in _SERVER_ERRORS:
        return Later(f"the service answered {status}", seconds_of(retry_after, now))
    if status in _REDIRECTS:
        return Refused(
            f"the service answered {status}: it leads elsewhere, and that is not followed", _AGAIN
        )
    why, remedy = _REFUSALS.get(status, ("it refuses the push", _AGAIN))
    return Refused(f"the service answered {status}: {why}", remedy)


def seconds_of(retry_after: str | None, now: float) -> float | None:
    """Read `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); None if it says nothing."""
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # how it gives "-0000"
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
