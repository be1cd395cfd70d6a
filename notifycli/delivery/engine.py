"""The engine: empties the outbox through its channels, many notices at a time.

The channels are opened when something fires on them.

A notice is sent at least once. It is sent twice in one case only, which nothing can rule out: it
was handed over, and the process was killed before it could write so (or slept so long that its
lease ended). That can befall the notices in flight, `concurrency` of them at most.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from importlib import import_module
from typing import NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from notifycli.delivery.channels import (
    Breaker,
    Delivered,
    DeliveryReport,
    Later,
    Log,
    LogEntry,
    LogEvent,
    Outcome,
    Sender,
    check_age,
    discard,
    settle,
)
from notifycli.errors import ConfigurationError, NotifycliError, TryAgainError
from notifycli.events.event import Event
from notifycli.events.timestamps import SECOND
from notifycli.rules.notifications import WAITING_TYPES, Channel
from notifycli.store.outbox import Leased, Notice, NoticeState, Outbox, Scope, Settled
from notifycli.store.store import Store

LEASE = 15 * SECOND
"""How long a killed process keeps others from what it had in flight."""
REMEMBERED = 90 * 24 * 3_600 * SECOND
"""How long it is remembered that something was sent."""
_LONGEST_WAIT = 1.0
"""How long until the store is looked at again: another process may have written to it."""
_LONGEST_SEND = 120.0
"""A channel has time-outs of its own; this is for one that hangs all the same."""
_BUSY_TURNS = 12
_LOGGED = {
    NoticeState.SENT: LogEvent.SENT,
    NoticeState.PENDING: LogEvent.FAILED,
    NoticeState.DEAD: LogEvent.DEAD,
    NoticeState.DROPPED: LogEvent.DEAD,
}
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


class Limits(Struct, frozen=True):
    """How fast, how much and how long."""

    concurrency: int = 20
    limit: int | None = None
    """How many notices may be taken to be sent."""
    patience: int = 30 * SECOND
    """How long to wait for the next attempt once nothing more will be written."""


class Engine:
    """Sends what is in the outbox, as long as there is something or more may come."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Channels,
        scope: Scope,
        limits: Limits,
        log: Log = discard,
    ) -> None:
        self.report = DeliveryReport()
        self._outbox = outbox
        self.channels = channels
        self._scope = scope
        self._limits = limits
        self._log = log
        self._explained: dict[Channel, NotifycliError] = {}
        """Why what waits on a channel does, as the outbox has been told."""
        self._owner = uuid.uuid4().hex
        self._ready: deque[Leased] = deque()
        self._running: dict[asyncio.Task[Outcome | None], Leased] = {}
        self._settled: list[Settled] = []
        self._held_until = 0
        self._budget = limits.limit
        # Push and added channels have many services, and their senders a breaker for each.
        one_service = (c for c in Channel if c is not Channel.PUSH)
        self._breakers: dict[Channel, Breaker] = {channel: Breaker() for channel in one_service}
        self._senders: dict[Channel, asyncio.Task[Sender | None]] = {}
        self._wake = asyncio.Event()
        self._more = True
        self.behind = False
        """Whether there is more to read than what has been written of it: what a customer's wait
        led to waits for that, since the reply may be in it."""
        self._stopping = False
        self._busy = 0

    @property
    def limit_reached(self) -> bool:
        """Whether it ended since it may take no more."""
        return self._budget == 0

    @property
    def in_flight(self) -> int:
        """How many are being sent at this moment."""
        return len(self._running)

    def count_waiting(self) -> int:
        """Count what is still to be sent. Raises the store's errors."""
        return self._outbox.open_count(self._scope)

    def troubles(self) -> dict[Channel, str]:
        """Return why nothing gets through, by channel."""
        broken = {channel: error.message for channel, error in self.channels.broken.items()}
        return {**self.report.last_trouble, **broken}

    def nudge(self) -> None:
        """Say that there is something new in the outbox."""
        self._wake.set()

    def catch_up(self) -> None:
        """Say that all that there was to read has been written."""
        if self.behind:
            self.behind = False
            self._wake.set()

    def finish(self) -> None:
        """Say that nothing more will be written: the engine ends when it has sent all it can."""
        self._more = self.behind = False
        self._wake.set()

    def stop(self) -> None:
        """Take up nothing more; end when what is in flight has come down."""
        self._stopping = True
        self.channels.hurry()
        self._wake.set()

    async def run(self) -> None:
        """Send until `finish` or `stop` lets it end. Raises the store's errors."""
        self._outbox.forget(self._outbox.now() - REMEMBERED)
        async with AsyncExitStack() as stack:
            try:
                while True:
                    next_due = self._turn(stack)
                    if self._is_over(next_due):
                        return
                    await self._wait(next_due)
            finally:
                await self._give_back()

    def _turn(self, stack: AsyncExitStack) -> int | None:
        """Record, lease and start what can be; give when there is something to do next."""
        now = self._outbox.now()
        room = 2 * self._limits.concurrency - len(self._ready) - len(self._running)
        if self._budget is not None:
            room = min(room, self._budget)
        if self._stopping:
            self._put_back_untried(self._ready)
            self._ready.clear()
            room = 0
        leased = self._record_and_lease(room, now)
        if self._budget is not None:
            self._budget -= len(leased)
        self._ready.extend(leased)
        self._start(stack)
        self._explain(now)
        if leased or self._running or self._ready or self._stopping:
            return None
        return self._next_due()

    def _record_and_lease(self, room: int, now: int) -> list[Leased]:
        until = now + LEASE
        holds = bool(self._ready or self._running)
        if holds and self._held_until <= now:
            # The machine slept: what was leased may be another process's by now. Under another
            # name nothing of it is renewed; that something was sent is recorded all the same.
            self._owner = uuid.uuid4().hex
            self._ready.clear()
        # What it doesn't know to have is never renewed: the transaction that gave it seemed lost.
        renew = []
        if holds and self._held_until - now < LEASE * 3 // 4:
            renew = [notice.id for notice in (*self._ready, *self._running.values())]
        scope = self._open_scope(now)
        try:
            leased = self._outbox.turn(self._owner, self._settled, room, scope, now, until, renew)
        except TryAgainError:
            # What was sent must get on record: whoever is writing will be done some time.
            self._busy += 1
            if self._busy >= _BUSY_TURNS:
                raise
            return []
        self._busy = 0
        self._settled = []
        if renew or not holds:
            self._held_until = until
        return leased

    def _explain(self, now: int) -> None:
        """Write down why what waits does, for whoever asks `deliver status` meanwhile."""
        for channel, error in self.channels.broken.items():
            if self._explained.get(channel) is not error:
                scope = self._scope._replace(channels=frozenset({channel}))
                with suppress(TryAgainError):
                    self._outbox.explain(scope, self._why(channel), now)
                    self._explained[channel] = error

    def _why(self, channel: Channel) -> str:
        """Return why a channel can't be opened; "" if it can."""
        error = self.channels.broken.get(channel)
        return "" if error is None else "; ".join(filter(None, (error.message, error.hint)))

    def _start(self, stack: AsyncExitStack) -> None:
        while self._ready and not self._stopping and len(self._running) < self._limits.concurrency:
            notice = self._ready.popleft()
            if end := check_age(notice, self._outbox.now()):
                self._settle(notice, end)
                self._wake.set()
                continue
            task = asyncio.create_task(_send(self._begin_opening(notice.channel, stack), notice))
            self._running[task] = notice
            task.add_done_callback(self._finish)

    def _begin_opening(
        self, channel: Channel, stack: AsyncExitStack
    ) -> asyncio.Task[Sender | None]:
        """Begin to open a channel, once: what is leased must be renewed while that takes."""
        if channel not in self._senders:
            self._senders[channel] = asyncio.create_task(self._open(channel, stack))
        return self._senders[channel]

    async def _open(self, channel: Channel, stack: AsyncExitStack) -> Sender | None:
        try:
            sender = await stack.enter_async_context(self.channels.sender(channel))
        except NotifycliError as error:
            del self._senders[channel]
            self.channels.give_up(channel, error)
            self._put_back(channel)
            return None
        except Exception:
            del self._senders[channel]  # the next notice tries it again
            raise
        self.channels.begin(channel)
        return sender

    def _put_back(self, channel: Channel) -> None:
        back = [notice for notice in self._ready if notice.channel is channel]
        self._ready = deque(notice for notice in self._ready if notice.channel is not channel)
        self._put_back_untried(back)
        self._wake.set()

    def _put_back_untried(self, back: Sequence[Leased]) -> None:
        """Give notices back as they are, and why, if their channel can't be opened."""
        now = self._outbox.now()
        self._settled += [
            Settled(n.id, NoticeState.PENDING, now, self._why(n.channel), tried=False) for n in back
        ]
        if self._budget is not None:
            self._budget += len(back)

    def _finish(self, task: asyncio.Task[Outcome | None]) -> None:
        notice = self._running.pop(task)
        self._wake.set()
        if task.cancelled() or (outcome := task.result()) is None:
            self._put_back_untried([notice])
            return
        breaker, now = self._breakers.get(notice.channel, Breaker()), self._outbox.now()
        trouble = self.report.last_trouble
        if isinstance(outcome, Later):
            if outcome.tried:
                breaker.fail(now)
            trouble[notice.channel] = outcome.why
        else:
            breaker.reset()
        if isinstance(outcome, Delivered) and notice.channel in trouble:
            del trouble[notice.channel]
            self._log(LogEntry(LogEvent.RECOVERED, notice.channel))
        self._settle(notice, settle(notice, outcome, now, random.uniform))

    def _settle(self, notice: Leased, end: Settled) -> None:
        self._settled.append(end)
        if end.state is NoticeState.PENDING and not end.tried:
            return
        self.report.count(notice.channel, end.state)
        due = end.due_at if end.state is NoticeState.PENDING else None
        self._log(LogEntry(_LOGGED[end.state], notice.channel, notice, end.why, end.remedy, due))

    def _open_scope(self, now: int) -> Scope:
        ready = (c for c in self.channels.ready_channels() if self._rest_until(c) <= now)
        return self._scope_of(ready)

    def _scope_of(self, channels: Iterable[Channel]) -> Scope:
        """Return what can be leased of some channels."""
        without = frozenset(WAITING_TYPES if self.behind else ())
        return self._scope._replace(channels=frozenset(channels), without=without)

    def _rest_until(self, channel: Channel) -> int:
        breaker = self._breakers.get(channel)
        return 0 if breaker is None else breaker.closed_until

    def _next_due(self) -> int | None:
        """Give the first moment at which something can be leased; `None` if nothing is open."""
        # Another process may have written for a channel that hasn't been needed here before.
        ready = filter(self.channels.ready, self._outbox.open_channels())
        moments = [
            max(due, self._rest_until(channel))
            for channel in ready
            if (due := self._outbox.next_due(self._scope_of([channel]))) is not None
        ]
        return min(moments, default=None)

    def _is_over(self, next_due: int | None) -> bool:
        if self._running or self._ready or self._settled:
            return False
        if self._stopping or self.limit_reached:
            return True
        if self._more:
            return False
        return next_due is None or next_due > self._outbox.now() + self._limits.patience

    async def _wait(self, next_due: int | None) -> None:
        seconds = _LONGEST_WAIT
        if next_due is not None:
            seconds = min(seconds, max(0.0, (next_due - self._outbox.now()) / SECOND))
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _give_back(self) -> None:
        """Leave nothing leased: not even where something unexpected ends the run."""
        tasks = [*self._running, *self._senders.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)  # the callbacks of the tasks come after the tasks
        self._put_back_untried(self._ready)
        self._ready.clear()
        if self._settled:
            self._record_and_lease(0, self._outbox.now())


async def _send(opening: asyncio.Task[Sender | None], notice: Notice) -> Outcome | None:
    """Send a notice, once its channel is open; gives nothing if that can't be opened."""
    try:
        if (sender := await asyncio.shield(opening)) is None:
            return None
        async with asyncio.timeout(_LONGEST_SEND):
            return await sender.send(notice)
    except TimeoutError:
        return Later(f"no answer within {_LONGEST_SEND:.0f} s")
    except NotifycliError as error:
        return Later(error.message)
    except Exception as error:  # noqa: BLE001 - a fault of one channel must not lose the others'
        return Later(f"unexpected {type(error).__name__}")
