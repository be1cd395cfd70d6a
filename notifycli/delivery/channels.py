"""The channels that notices can leave by, each opened when something fires on it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from importlib import import_module
from typing import NamedTuple, Protocol, Self, runtime_checkable

from msgspec import Struct, field

from notifycli.errors import ConfigurationError, NotifycliError
from notifycli.events import Event
from notifycli.events.timestamps import SECOND
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store import Store
from notifycli.store.outbox import Leased, Notice, NoticeState


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


MODULES = {
    Channel.EMAIL: "notifycli.delivery.email_channel",
    Channel.PUSH: "notifycli.delivery.push_channel",
    Channel.AUDIO: "notifycli.delivery.sound",
}
"""Where each channel's `open_sender` is: imported only if something fires on it."""


@runtime_checkable
class Watcher(Protocol):
    """A sender that has to know what goes on besides what it sends."""

    def see(self, event: Event, assignee: int | None) -> None:
        """Take in an event that was replayed, and who has its conversation after it."""


@runtime_checkable
class Hurrying(Protocol):
    """A sender that can tell what it has begun to send from what it only waits to send."""

    def hurry(self) -> None:
        """Cancel the sends of which nobody has heard yet, and the wait for a service to open."""


class _Pause(NamedTuple):
    """How long a channel that can't be opened is left alone."""

    rounds: int
    until: int


class Channels:
    """The channels of one run.

    One that isn't set up stays closed: nothing is written for it. One that is set up and can't be
    opened is broken: what fires on it is written, and waits until it is mended. Both are tried
    again after pauses that grow.
    """

    FIRST_PAUSE = 2 * SECOND
    LONGEST_PAUSE = 300 * SECOND

    def __init__(
        self,
        store: Store,
        wanted: frozenset[Channel],
        log: Log = discard,
        *,
        added: bool = False,
    ) -> None:
        """Open none yet. `added`: the added channels are wanted too, whichever there are."""
        self._store = store
        self._added = added
        self._wanted = wanted
        self._log = log
        self._senders: dict[Channel, Sender] = {}
        self._watchers: list[Watcher] = []
        self._pauses: dict[Channel, _Pause] = {}
        self.closed: dict[Channel, ConfigurationError] = {}
        self.broken: dict[Channel, NotifycliError] = {}

    def ready(self, channel: Channel) -> bool:
        """Whether the channel is wanted and has a sender."""
        if channel in self._senders:
            return True
        pause = self._pauses.get(channel)
        wanted = channel in self._wanted or (self._added and channel.is_added)
        if not wanted or (pause and _now() < pause.until):
            return False
        self.closed.pop(channel, None)
        self.broken.pop(channel, None)
        try:
            self._senders[channel] = _opener(channel)(self._store)
        except ConfigurationError as error:
            self.closed[channel] = error
            self._rest(channel, error)
            return False
        except NotifycliError as error:
            self.broken[channel] = error
            self._rest(channel, error)
            return False
        self._find_watchers()
        return True

    def takes(self, channel: Channel) -> bool:
        """Whether what fires on the channel is to be written."""
        return self.ready(channel) or channel in self.broken

    def trouble(self, channel: Channel) -> NotifycliError | None:
        """Give why a channel isn't ready; `None` if it isn't wanted."""
        return self.closed.get(channel) or self.broken.get(channel)

    def give_up(self, channel: Channel, error: NotifycliError) -> None:
        """Leave a channel alone for a while: its sender can't begin."""
        self._senders.pop(channel)
        self._find_watchers()
        self.broken[channel] = error
        self._rest(channel, error)

    def begin(self, channel: Channel) -> None:
        """Note that a channel's sender has begun."""
        if self._pauses.pop(channel, None):
            self._log(LogEntry(LogEvent.RECOVERED, channel))

    def _rest(self, channel: Channel, error: NotifycliError) -> None:
        rounds = self._pauses[channel].rounds + 1 if channel in self._pauses else 0
        until = _now() + min(self.LONGEST_PAUSE, self.FIRST_PAUSE * 2 ** min(rounds, 16))
        self._pauses[channel] = _Pause(rounds, until)
        unavailable = LogEvent.UNAVAILABLE
        self._log(LogEntry(unavailable, channel, None, error.message, error.hint, until))

    def _find_watchers(self) -> None:
        self._watchers = [s for s in self._senders.values() if isinstance(s, Watcher)]

    def ready_channels(self) -> frozenset[Channel]:
        """Give the channels that are ready."""
        return frozenset(self._senders)

    def sender(self, channel: Channel) -> Sender:
        """Give the sender of a channel that is ready."""
        return self._senders[channel]

    def hurry(self) -> None:
        """Keep nobody waiting for what hasn't been begun."""
        for sender in self._senders.values():
            if isinstance(sender, Hurrying):
                sender.hurry()

    def see(self, event: Event, assignee: int | None) -> None:
        """Tell the channels of an event, before what it leads to is sent."""
        for watcher in self._watchers:
            watcher.see(event, assignee)


def _opener(channel: Channel) -> Callable[[Store], Sender]:
    if channel.is_added:
        from notifycli.delivery.added_channel import AddedSender  # noqa: PLC0415 - if one is there

        return partial(AddedSender, channel)
    opener: Callable[[Store], Sender] = import_module(MODULES[channel]).open_sender
    return opener


def _now() -> int:
    return time.time_ns() // 1_000
