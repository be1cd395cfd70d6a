"""What a push service's answer means (RFC 8030, 5 and 7; RFC 8292, 4.2).

Windows' service also answers in headers of its own (X-WNS-…), as its documentation of "push
notification service request and response headers" has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from notifycli.delivery.channel import Delivered, Later, Outcome, Refused
from notifycli.delivery.push.endpoint import SUBSCRIBE_AGAIN

_GONE = frozenset({404, 410})
_TAKEN = frozenset({200, 201, 202, 204})
_LATER = frozenset({406, 408, 425, 429})
"""406 is how Windows' service throttles."""
_SERVER_ERRORS = range(500, 600)
_CLIENT_ERRORS = range(400, 500)
_REDIRECTS = range(300, 400)
_ENDED = 410
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_SHOWN = 200
_KEY = (
    "it doesn't accept the push key: see whether this machine's clock is right and push.subject is "
    "an address; else "
)
_SUBJECT = (
    "is push.subject an address under a public domain, not localhost? notifycli config set "
    "push.subject=mailto:you@your-domain; then see whether this machine's clock is right; else "
)
_ALLOWED = "are notifications allowed for this browser in its and the system's settings?"
_BAD_TOKEN = "BadJwtToken"  # noqa: S105 - the reason that Apple's service gives
_REFUSALS = {
    400: ("it doesn't understand the push", SUBSCRIBE_AGAIN),
    401: ("it wants another signature", _KEY + SUBSCRIBE_AGAIN),
    403: ("the subscription is bound to another push key", _KEY + SUBSCRIBE_AGAIN),
    404: ("the subscription has ended and was removed", SUBSCRIBE_AGAIN),
    410: ("the subscription has ended and was removed", SUBSCRIBE_AGAIN),
    413: (
        "the push is too long for it",
        "a service may take less than 4,096 bytes only where it breaks RFC 8030, 7.2: report it",
    ),
}


def outcome_of(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
    """Return what becomes of a push that was answered so; `now` in seconds since 1970.

    `headers` takes names in any case.
    """
    answered = f"the service answered {status}"
    after = seconds_of(headers.get("Retry-After"), now)
    if status in _TAKEN:
        windows = headers.get("X-WNS-NotificationStatus", "").lower()
        if windows == "dropped":
            reason = _reason(headers, body)
            return Refused(f"{answered}, but dropped the push{reason}", _ALLOWED)
        if windows == "channelthrottled":
            return Later(f"{answered}, but takes no more pushes for now", after)
        return Delivered(f"answered {status}")
    waits = status in _CLIENT_ERRORS and status != _ENDED and after is not None
    if waits or status in _LATER or status in _SERVER_ERRORS:
        return Later(answered, after)
    if status in _REDIRECTS:
        return Refused(f"{answered}: it leads elsewhere, and that is not followed", SUBSCRIBE_AGAIN)
    why, remedy = _REFUSALS.get(status, ("it refuses the push", SUBSCRIBE_AGAIN))
    reason = _reason(headers, body)
    if _BAD_TOKEN in reason:
        why, remedy = "it doesn't accept the signature", _SUBJECT + SUBSCRIBE_AGAIN
    return Refused(f"{answered}: {why}{reason}", remedy)


def has_ended(status: int, outcome: Outcome) -> bool:
    """Whether the subscription is no more: nothing can be sent to it again (RFC 8030, 7.3)."""
    return status in _GONE and isinstance(outcome, Refused)


def _reason(headers: Mapping[str, str], body: bytes) -> str:
    """Return what the service says of a refusal, in brackets; "" if nothing."""
    said = headers.get("X-WNS-Error-Description") or body.decode(errors="replace")
    text = " ".join(said.split())[:_SHOWN]
    shown = "".join(char for char in text if char.isprintable())
    return f" (it says: {shown})" if shown else ""


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
