"""What all channels share: what sends, what an attempt comes to, and when it is tried again.

A service by which nothing gets through is left alone for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, Self

from msgspec import Struct, field

from notifycli.events.timestamps import SECOND
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import Leased, Notice, NoticeState, Settled

HOUR = 3_600 * SECOND
MOST_ATTEMPTS = 20
FIRST_DELAY = 1 * SECOND
LONGEST_DELAY = HOUR
_A_DAY = 24 * HOUR
USEFUL = {Channel.AUDIO: 60 * SECOND}
"""How long after it was written a notice is worth sending, where that isn't a day: who hears a
sound looks up now."""
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
_WORDS = {_A_DAY: "24 hours", 60 * SECOND: "a minute"}

Jitter = Callable[[float, float], float]
"""`random.uniform`, or what a test puts in its place."""


class Delivered(Struct, frozen=True):
    """The service took it."""

    detail: str = ""


class Later(Struct, frozen=True):
    """It may work another time."""

    why: str
    after: float | None = None
    """The seconds that the service asked to wait (RFC 9110, 10.2.3), if it did."""
    tried: bool = True
    """Whether the service was asked; one that is left alone for a while isn't."""


class Refused(Struct, frozen=True):
    """It will never work as it is: a dead letter."""

    why: str
    remedy: str = ""


Outcome = Delivered | Later | Refused


class Sender(Protocol):
    """One channel, opened once for many notices; sends of several may run at the same time."""

    async def __aenter__(self) -> Self:
        """Get ready to send."""

    async def __aexit__(self, *_: object) -> None:
        """Close what was opened."""

    async def send(self, notice: Notice) -> Outcome:
        """Send one notice. What the service does is told in the outcome, never raised."""


def sample_notice(
    account: int, user: User, channel: Channel, type_: NotificationType, at: int
) -> Notice:
    """Make one for a user; `at` in microseconds since 1970 UTC."""
    text = "This is a test. If you can read it, notifications reach you this way."
    digest = type_ is NotificationType.DIGEST
    return Notice(
        id=0,
        account_id=account,
        user_id=user.id,
        email=user.email,
        user_name=user.name,
        channel=channel,
        type=type_,
        event="test",
        conversation_id=None if digest else 1,
        inbox_id=None,
        inbox_name="Website",
        message_id=None,
        at=at,
        contact="Alex Rivera",
        author="notifycli",
        text=f"#1 Alex Rivera: {text}\n#2 Sam Okafor: Hello?" if digest else text,
    )


class LogEvent(StrEnum):
    """What has happened."""

    SENT = "sent"
    FAILED = "failed"
    """An attempt, after which another is due."""
    DEAD = "dead"
    """Refused for good, or given up."""
    UNAVAILABLE = "unavailable"
    """A channel can't be opened."""
    RECOVERED = "recovered"
    """A channel works again on which the last attempt failed."""


class LogEntry(Struct, frozen=True):
    """One thing that has happened; `next_at` in microseconds since 1970 UTC."""

    event: LogEvent
    channel: Channel
    notice: Leased | None = None
    why: str = ""
    remedy: str = ""
    next_at: int | None = None


Log = Callable[[LogEntry], None]


def discard(_: LogEntry) -> None:
    """Tell nobody."""


class DeliveryReport(Struct):
    """What the engine has done, by channel."""

    sent: Counter[Channel] = field(default_factory=Counter)
    dead: Counter[Channel] = field(default_factory=Counter)
    dropped: Counter[Channel] = field(default_factory=Counter)
    later: Counter[Channel] = field(default_factory=Counter)
    """Attempts after which another is due."""
    last_trouble: dict[Channel, str] = field(default_factory=dict)
    """Why the last attempt failed after which none has succeeded."""

    def count(self, channel: Channel, state: NoticeState) -> None:
        """Count a notice that an attempt has brought to a state."""
        counters = {
            NoticeState.SENT: self.sent,
            NoticeState.DEAD: self.dead,
            NoticeState.DROPPED: self.dropped,
            NoticeState.PENDING: self.later,
        }
        counters[state][channel] += 1


class Breaker:
    """Leaves a service alone for a while by which nothing gets through, for anybody."""

    FAILURES = 8
    LONGEST = 60 * SECOND

    def __init__(self) -> None:
        self.closed_until = 0
        self._failures = 0
        self._rounds = 0

    def fail(self, now: int) -> None:
        """Count a failure; those of one round count once."""
        self._failures += 1
        if self._failures >= self.FAILURES and self.closed_until <= now:
            self._rounds += 1
            self.closed_until = now + min(self.LONGEST, SECOND * 2**self._rounds)

    def reset(self) -> None:
        """Take the service up again."""
        self.closed_until = self._failures = self._rounds = 0


def is_passing(status: int) -> bool:
    """Whether what was answered by an HTTP status may be taken if it is sent again.

    Of those that refuse, these blame the moment: 408 (RFC 9110, 15.5.9), 425 (RFC 8470, 5.2), 429
    (RFC 6585, 4), and the server's own faults (RFC 9110, 15.6).
    """
    return status in _PASSING


def delay(failures: int, after: float | None, jitter: Jitter) -> int:
    """Give how long to wait after so many failures, in microseconds.

    Exponential backoff with full jitter: anything from nothing to 1 s, 2 s, 4 s … an hour, so that
    what failed together isn't tried again together. What the service asked for (`Retry-After`, RFC
    9110 section 10.2.3), in seconds, comes on top.
    """
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures, 32))
    return int((after or 0) * SECOND + jitter(0, longest))


def check_age(notice: Leased, now: int) -> Settled | None:
    """Give the end of a notice that nobody has a use for any more; `None` if it is to be sent."""
    useful = USEFUL.get(notice.channel, _A_DAY)
    if notice.member is None:
        why = f"user {notice.user_id} has left account {notice.account_id}"
        remedy = f"notifycli deliver drop {notice.id}"
    elif now - notice.since > useful:
        why = f"it was not sent within {_WORDS[useful]}"
        remedy = f"notifycli deliver retry {notice.id}"
    else:
        return None
    state = NoticeState.DROPPED if notice.channel is Channel.AUDIO else NoticeState.DEAD
    return Settled(notice.id, state, now, why, remedy, tried=False)


def settle(notice: Leased, outcome: Outcome, now: int, jitter: Jitter) -> Settled:
    """Give what becomes of a notice after an attempt."""
    match outcome:
        case Delivered():
            return Settled(notice.id, NoticeState.SENT, now)
        case Refused():
            remedy = outcome.remedy or f"notifycli deliver retry {notice.id}, once it is mended"
            return _dead(notice, now, outcome.why, remedy)
        case Later():
            due = now + delay(notice.attempts if outcome.tried else 0, outcome.after, jitter)
            if outcome.tried and notice.attempts + 1 >= MOST_ATTEMPTS:
                why = f"given up after {MOST_ATTEMPTS} attempts: {outcome.why}"
            elif due - notice.since > USEFUL.get(notice.channel, _A_DAY):
                why = f"given up, since the next attempt would come too late: {outcome.why}"
            else:
                return Settled(
                    notice.id, NoticeState.PENDING, due, outcome.why, tried=outcome.tried
                )
            return _dead(notice, now, why, f"notifycli deliver retry {notice.id}")


def _dead(notice: Leased, now: int, why: str, remedy: str) -> Settled:
    return Settled(notice.id, NoticeState.DEAD, now, why, remedy)
