"""One run of `deliver`: events are read, written to the outbox and sent, all at the same time.

At its end it says what was sent, what wasn't, why, and what to type.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from notifycli.cli.deliver.source import AsyncReader, Item, Source
from notifycli.cli.log_writer import SUMMARY_SECONDS, LogWriter
from notifycli.cli.output import console, show
from notifycli.cli.session import Session, plural
from notifycli.delivery.engine import Engine
from notifycli.delivery.enqueue import Enqueuer, Fed
from notifycli.errors import ConfigurationError, NotifycliError, TryAgainError, UnavailableError
from notifycli.replay.scan import take_record
from notifycli.rules.notifications import Channel, channel_order
from notifycli.store.outbox import FilePosition, Outbox, Scope
from notifycli.store.received_events import AccountPlace
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.delivery.channels import DeliveryReport
    from notifycli.delivery.engine import Channels

_PROGRESS_SECONDS = 0.2
_REFUSED = 1
_INTERRUPTED = 130
_WHAT_IS_MISSING = {
    Channel.EMAIL: "their users have no address",
    Channel.PUSH: "their users have no subscription",
    Channel.AUDIO: "their users are unknown",
}
_PLURALS = {Channel.EMAIL: "e-mail", Channel.PUSH: "push", Channel.AUDIO: "sounds"}


class DeliveryRun:
    """What goes on at the same time."""

    def __init__(
        self,
        feeder: Enqueuer | None,
        engine: Engine,
        source: Source,
        log: LogWriter | None = None,
    ) -> None:
        self.engine = engine
        engine.behind = feeder is not None and source.has_end
        self.interrupted: signal.Signals | None = None
        self.is_whole = feeder is None
        """Whether all that was to be read has been."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.feeder = feeder
        self._source = source
        self.bad = source.bad
        self._log = log
        self._skipped: list[str] = []
        """What the log has told of what isn't sent."""
        self._error: NotifycliError | None = None

    async def everything(self, show: Callable[[], None]) -> None:
        """Read, write and send. Raises what ended it early, once all that was written is sent."""
        self._loop = asyncio.get_running_loop()
        with self._signals():
            showing = [asyncio.create_task(_again_and_again(show, _PROGRESS_SECONDS))]
            if self._log is not None:
                self._log.begin()
                summarize = _again_and_again(self._summarize, SUMMARY_SECONDS)
                showing.append(asyncio.create_task(summarize))
            feeding = asyncio.create_task(self._feed())
            try:
                await self.engine.run()
            finally:
                self._source.stopped.set()
                for task in showing:
                    task.cancel()
                await asyncio.wait([feeding])
                self._source.release()
        feeding.result()
        if self._error is not None:
            raise self._error

    @property
    def breaks_off(self) -> bool:
        """Whether it was interrupted before files were read to their end."""
        source = self._source
        early = self.interrupted is not None and not self.is_whole
        return early and source.has_end and not source.follows

    @property
    def logs(self) -> bool:
        """Whether what happens is told as it happens."""
        return self._log is not None

    def _summarize(self) -> None:
        if self._log is None:
            return
        with suppress(TryAgainError):  # the next minute will do
            self._log.write_summary(self.feeder, self.engine)
        if self.feeder is not None:
            skipped = [*_explain_skipped(self.feeder.fed, self.engine.channels)]
            for text in skipped:
                if text not in self._skipped:
                    self._log.note(text)
            self._skipped = skipped

    def stop(self) -> None:
        """End it, from whatever thread, when what is in flight has come down."""
        self._source.stopped.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self.engine.stop)

    async def _feed(self) -> None:
        try:
            if self.feeder is not None:
                pump = AsyncReader(self._source.items(), self._source.stopped)
                async for batch in pump.batches():
                    self._write(self.feeder, batch)
                self.is_whole = not self._source.stopped.is_set()
        except NotifycliError as error:
            # What came before the fault is on its way, and is waited for.
            self._error = error
            self._source.stopped.set()
        finally:
            self.engine.finish()

    def _write(self, feeder: Enqueuer, batch: list[Item]) -> None:
        self._write_notices(feeder, batch)
        if any(item.moment is not None for item in batch):
            self.engine.catch_up()

    def _write_notices(self, feeder: Enqueuer, batch: list[Item]) -> None:
        news = any(item.moment is None or item.place for item in batch)
        if not news and not feeder.replay.has_deadlines:
            return
        feeder.keep_up()
        place: FilePosition | None = None
        reached: dict[int, AccountPlace] = {}
        whole = False
        try:
            for item in batch:
                if item.moment is not None:
                    feeder.pass_to(item.moment)
                    place = item.place or place
                    continue
                account = item.reached.account if item.reached else None
                if account is not None and item.state is not None:
                    feeder.resume(account, item.state)
                take = partial(feeder.take if item.fresh else feeder.fold, account=account)
                for fault in take_record(item.line, item.number, take)[1]:
                    if item.fresh:
                        self.bad.add(f"{item.file}:{item.number}", fault)
                place = item.place if item.fresh else None
                if item.fresh and item.reached:
                    reached[item.reached.account] = item.reached
            whole = True
        finally:
            followed = self._source.followed
            position = (followed.path, place) if place and followed else None
            if feeder.write(position, reached.values(), whole=whole):
                self.engine.nudge()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM)
        try:
            for number in caught:
                # Windows has no such handlers: there Ctrl-C ends it as it ends any program.
                with suppress(NotImplementedError, ValueError, RuntimeError):
                    loop.add_signal_handler(number, self._interrupt, number)
            yield
        finally:
            for number in caught:
                with suppress(NotImplementedError, ValueError, RuntimeError):
                    loop.remove_signal_handler(number)

    def _interrupt(self, number: signal.Signals) -> None:
        """End gracefully; at the second time, at once."""
        if self.interrupted:
            for task in asyncio.all_tasks():
                task.cancel()
        self.interrupted = signal.Signals(number)
        self._source.stopped.set()
        self.engine.stop()


async def _again_and_again(show: Callable[[], None], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        show()


def carry_out(session: Session, run: DeliveryRun, *, progress: bool) -> None:
    """Run it all, with a line of progress where one is wanted."""
    if not progress:
        _run(run, lambda: None)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn  # noqa: PLC0415 - only for an eye

    begun = time.monotonic()
    columns = SpinnerColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=console(session, stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def show() -> None:
            bar.update(task, description=_progress(run, time.monotonic() - begun))

        _run(run, show)


def _run(run: DeliveryRun, show: Callable[[], None]) -> None:
    # At the second Ctrl-C everything is cancelled; what isn't on record stays leased for a moment.
    with suppress(asyncio.CancelledError):
        asyncio.run(run.everything(show))


def _progress(run: DeliveryRun, seconds: float) -> str:
    report = run.engine.report
    sent, later = report.sent.total(), report.later.total()
    parts = [f"{run.feeder.fed.events:,} events"] if run.feeder else []
    parts += [f"{sent:,} sent", f"{run.engine.in_flight} in flight"]
    parts += [f"{later:,} to try again"] if later else []
    parts += [f"{sent / seconds:,.0f}/s"] if seconds >= 1 else []
    ending = "ending: what is in flight is waited for · " if run.interrupted else ""
    return ending + " · ".join(parts)


class Delivery(Struct):
    """What a run has done on a channel."""

    channel: Channel
    sent: int
    dead: int
    """Refused for good, or given up."""
    waiting: int
    """Still to be sent."""
    known: int
    """Fired, but written by an earlier run: they aren't sent again."""
    skipped: int
    """Fired, but too old, undeliverable, beyond the limit or overtaken, or the channel isn't set
    up."""


def tell_result(session: Session, outbox: Outbox, run: DeliveryRun, scope: Scope) -> int:
    """Print a record a channel and say what is left to do; gives the exit status."""
    report, channels = run.engine.report, run.engine.channels
    fed = None if run.feeder is None else run.feeder.fed
    every = sorted({*Channel, *outbox.open_channels(), *_met(report, fed)}, key=channel_order)
    of_each = {c: scope._replace(channels=frozenset({c})) for c in every if scope.takes(c)}
    waiting = {channel: outbox.open_count(of_it) for channel, of_it in of_each.items()}
    records = [_record(channel, run, fed, count) for channel, count in waiting.items()]
    told = [record for record in records if any(_numbers(record))]
    if told or not session.shows_table:
        show(session, told, Delivery)
    if not told:
        session.info("nothing to send" if run.is_whole else "nothing was sent")
    if fed is not None:
        tell_skipped(session, fed, channels)
    tell_broken(session, channels)
    for channel, why in report.last_trouble.items():
        if waiting[channel]:
            session.info(f"{channel}: {why}")
    if run.breaks_off:
        session.info("not all events were read: type the same command again; nothing is sent twice")
    left = sum(waiting[c] for c in (*channels.ready_channels(), *channels.broken))
    if left:
        session.info(
            f"{plural(left, 'notification')} still to be sent: notifycli deliver --pending"
        )
    if report.dead.total():
        refused = plural(report.dead.total(), "notification")
        session.info(f"{refused} can't be sent: notifycli deliver status says why")
    return _status(run, left, waiting)


def _met(report: DeliveryReport, fed: Fed | None) -> set[Channel]:
    """Return the channels on which there was anything."""
    counters = [report.sent, report.dead, report.dropped, report.later]
    counters += [] if fed is None else [*_skipped(fed), fed.known]
    return {channel for counter in counters for channel in counter}


def _skipped(fed: Fed) -> tuple[Counter[Channel], ...]:
    return fed.old, fed.untimed, fed.undeliverable, fed.closed, fed.beyond, fed.overtaken


def _status(run: DeliveryRun, left: int, waiting: dict[Channel, int]) -> int:
    report = run.engine.report
    if run.interrupted is not None:
        # A service manager's SIGTERM is how a run is meant to end that has no end of its own.
        ended = TryAgainError.status if run.breaks_off else 0
        return _INTERRUPTED if run.interrupted.name == "SIGINT" else ended
    for channel, error in run.engine.channels.broken.items():
        if waiting[channel]:
            return error.status
    if left and not run.engine.limit_reached:
        silent = any(waiting[c] and not report.sent[c] for c in report.last_trouble)
        return UnavailableError.status if silent else TryAgainError.status
    if run.feeder is not None:
        # A sound is for whoever sits here: that nobody has asked for one is no trouble.
        unset = run.engine.channels.closed.keys() & (+run.feeder.fed.closed).keys()
        if unset - {Channel.AUDIO}:
            return ConfigurationError.status
    return _REFUSED if report.dead.total() else 0


def warn_of_doubles(session: Session, store: Store, scope: Scope) -> None:
    """Warn where an account's Chatwoot sends the same as this: its users get everything twice."""
    for connection in store.connections():
        if scope.account not in {None, connection.account_id}:
            continue
        doubled = _count_doubles(store, connection.account_id, scope)
        for channel, count in _by_channel(doubled):
            session.warn(
                f"Chatwoot at {connection.url} sends {_PLURALS[channel]} too, to"
                f" {plural(count, 'user')} whom this sends {_PLURALS[channel]}: they may get the"
                " same notification twice\n  only one of both should send: switch these types off"
                f" in Chatwoot's profile settings, or don't deliver by {channel} here"
            )


def _count_doubles(store: Store, account: int, scope: Scope) -> Counter[Channel]:
    """Count the users for whom a type is on here and there, by channel."""
    from notifycli.chatwoot.preference_mapping import read_seen, values  # noqa: PLC0415 - if connected alone

    preferences, subscribed = store.preferences(account), store.subscribers(account)
    doubled: Counter[Channel] = Counter()
    for user, text in store.chatwoot.sightings(account).items():
        if scope.users is not None and (account, user) not in scope.users:
            continue
        there = {} if (seen := read_seen(text)) is None else values(seen).of
        both = {
            channel
            for key, value in there.items()
            if value == "on"
            and scope.takes(channel := Channel(key.partition(".")[0]))
            and preferences.resolve(key, user).value == "on"
        }
        doubled.update(both - (set() if user in subscribed else {Channel.PUSH}))
    return doubled


def tell_skipped(session: Session, fed: Fed, channels: Channels) -> None:
    """Say of what fired and isn't sent, why."""
    for text in _explain_skipped(fed, channels):
        session.info(text)


def _explain_skipped(fed: Fed, channels: Channels) -> Iterator[str]:
    if fed.old.total():
        yield (
            f"{plural(fed.old.total(), 'notification')} of old events not sent: --max-age SPAN"
            " takes older ones"
        )
    if fed.untimed.total():
        yield (
            f"{plural(fed.untimed.total(), 'notification')} of events without a time not sent:"
            " they may be old; --max-age 1y takes them"
        )
    for channel, count in _by_channel(fed.undeliverable):
        yield f"{_of(channel, count)} not sent: {_what_is_missing(channel)}"
    for channel, count in _by_channel(fed.closed):
        error = channels.closed.get(channel)
        why = "sounds are played for one person: -u USER" if error is None else _in_words(error)
        yield f"{_of(channel, count)} not sent: {why}"
    if fed.beyond.total():
        yield f"{plural(fed.beyond.total(), 'notification')} beyond the limit not sent"
    for channel, count in _by_channel(fed.overtaken):
        yield f"{_of(channel, count)} not sent: overtaken, the customer waits no longer"


def _what_is_missing(channel: Channel) -> str:
    otherwise = f"their users have no address there: notifycli channel add {channel} -u USER"
    return _WHAT_IS_MISSING.get(channel, otherwise)


def tell_broken(session: Session, channels: Channels) -> None:
    """Say of the channels that are set up and can't be opened, why."""
    for channel, error in channels.broken.items():
        session.info(f"nothing is sent by {channel}: {_in_words(error)}")


def _in_words(error: NotifycliError) -> str:
    return error.message + (f"\n  {error.hint}" if error.hint else "")


def _record(channel: Channel, run: DeliveryRun, fed: Fed | None, waiting: int) -> Delivery:
    report = run.engine.report
    skipped = () if fed is None else _skipped(fed)
    return Delivery(
        channel,
        sent=report.sent[channel],
        dead=report.dead[channel],
        waiting=waiting,
        known=0 if fed is None else fed.known[channel],
        skipped=sum(counter[channel] for counter in skipped),
    )


def _numbers(record: Delivery) -> Iterable[int]:
    return (record.sent, record.dead, record.waiting, record.known, record.skipped)


def _by_channel(counter: Counter[Channel]) -> list[tuple[Channel, int]]:
    return [(one, counter[one]) for one in sorted(counter, key=channel_order) if counter[one]]


def _of(channel: Channel, count: int) -> str:
    words = {Channel.EMAIL: "e-mail", Channel.PUSH: "push", Channel.AUDIO: "sound"}
    return plural(count, words.get(channel, f"{channel} message"))
