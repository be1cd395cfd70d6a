"""What `deliver` says at its end: what was sent, what wasn't, why, and what to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from notifycli.cli.output import show
from notifycli.cli.session import Session, plural
from notifycli.errors import NotifycliError, TryAgainError, UnavailableError
from notifycli.rules.notifications import Channel

if TYPE_CHECKING:
    from notifycli.cli.deliver.worker import DeliveryRun
    from notifycli.delivery.channels import Channels
    from notifycli.delivery.enqueue import Fed
    from notifycli.store.outbox import Outbox, Scope
    from notifycli.store.store import Store

_REFUSED = 1
_INTERRUPTED = 130
_WHAT_IS_MISSING = {
    Channel.EMAIL: "their users have no address",
    Channel.PUSH: "their users have no subscription",
    Channel.AUDIO: "their users are unknown",
}


_PLURALS = {Channel.EMAIL: "e-mail", Channel.PUSH: "push", Channel.AUDIO: "sounds"}


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
    """Fired, but too old, undeliverable, beyond the limit, or the channel isn't set up."""


def tell_result(session: Session, outbox: Outbox, run: DeliveryRun, scope: Scope) -> int:
    """Print a record a channel and say what is left to do; gives the exit status."""
    report, channels = run.engine.report, run.engine.channels
    of_each = {c: scope._replace(channels=frozenset({c})) for c in Channel if c in scope.channels}
    waiting = {channel: outbox.open_count(of_it) for channel, of_it in of_each.items()}
    fed = None if run.feeder is None else run.feeder.fed
    records = [_record(channel, run, fed, count) for channel, count in waiting.items()]
    told = [record for record in records if any(_numbers(record))]
    if told or not session.shows_table:
        show(session, told, Delivery)
    else:
        session.info("nothing to send")
    if fed is not None:
        tell_skipped(session, fed, channels)
    tell_broken(session, channels)
    for channel, why in report.last_trouble.items():
        if waiting[channel]:
            session.info(f"{channel}: {why}")
    left = sum(waiting[c] for c in (*channels.ready_channels(), *channels.broken))
    if left:
        session.info(
            f"{plural(left, 'notification')} still to be sent: notifycli deliver --pending"
        )
    if report.dead.total():
        refused = plural(report.dead.total(), "notification")
        session.info(f"{refused} can't be sent: notifycli deliver status says why")
    return _status(run, left, waiting)


def _status(run: DeliveryRun, left: int, waiting: dict[Channel, int]) -> int:
    report = run.engine.report
    if run.interrupted is not None:
        # A service manager's SIGTERM is how a run is meant to end.
        return _INTERRUPTED if run.interrupted.name == "SIGINT" else 0
    for channel, error in run.engine.channels.broken.items():
        if waiting[channel]:
            return error.status
    if left and not run.engine.limit_reached:
        silent = any(waiting[c] and not report.sent[c] for c in report.last_trouble)
        return UnavailableError.status if silent else TryAgainError.status
    return _REFUSED if report.dead.total() else 0


def warn_of_doubles(session: Session, store: Store, scope: Scope) -> None:
    """Warn where an account's Chatwoot sends the same as this: its users get everything twice."""
    for connection in store.chatwoot.all():
        if scope.account not in {None, connection.account_id}:
            continue
        doubled = _doubled(store, connection.account_id, scope)
        for channel, count in _counted(doubled):
            session.warn(
                f"Chatwoot at {connection.url} sends {_PLURALS[channel]} too, to"
                f" {plural(count, 'user')} whom this sends {_PLURALS[channel]}: they may get the"
                " same notification twice\n  only one of both should send: switch these types off"
                f" in Chatwoot's profile settings, or don't deliver by {channel} here"
            )


def _doubled(store: Store, account: int, scope: Scope) -> Counter[Channel]:
    """Count the users for whom a type is on here and there, by channel."""
    from notifycli.chatwoot.merge import read_seen, values  # noqa: PLC0415 - if connected alone

    preferences, subscribed = store.preferences(account), store.subscriptions.subscribers(account)
    doubled: Counter[Channel] = Counter()
    for user, text in store.chatwoot.sightings(account).items():
        if scope.users is not None and (account, user) not in scope.users:
            continue
        there = {} if (seen := read_seen(text)) is None else values(seen).of
        both = {
            channel
            for key, value in there.items()
            if value == "on"
            and (channel := key.partition(".")[0]) in scope.channels
            and preferences.resolve(key, user).value == "on"
        }
        doubled.update(map(Channel, both - (set() if user in subscribed else {Channel.PUSH})))
    return doubled


def tell_skipped(session: Session, fed: Fed, channels: Channels) -> None:
    """Say of what fired and isn't sent, why."""
    if fed.old.total():
        session.info(
            f"{plural(fed.old.total(), 'notification')} of old events not sent: --max-age SPAN"
            " takes older ones"
        )
    if fed.untimed.total():
        session.info(
            f"{plural(fed.untimed.total(), 'notification')} of events without a time not sent:"
            " they may be old; --max-age 1y takes them"
        )
    for channel, count in _counted(fed.undeliverable):
        session.info(f"{_of(channel, count)} not sent: {_WHAT_IS_MISSING[channel]}")
    for channel, count in _counted(fed.closed):
        error = channels.closed.get(channel)
        why = "sounds are played for one person: -u USER" if error is None else _in_words(error)
        session.info(f"{_of(channel, count)} not sent: {why}")
    if fed.beyond.total():
        session.info(f"{plural(fed.beyond.total(), 'notification')} beyond the limit not sent")


def tell_broken(session: Session, channels: Channels) -> None:
    """Say of the channels that are set up and can't be opened, why."""
    for channel, error in channels.broken.items():
        session.info(f"nothing is sent by {channel}: {_in_words(error)}")


def _in_words(error: NotifycliError) -> str:
    return error.message + (f"\n  {error.hint}" if error.hint else "")


def _record(channel: Channel, run: DeliveryRun, fed: Fed | None, waiting: int) -> Delivery:
    report = run.engine.report
    skipped = (
        () if fed is None else (fed.old, fed.untimed, fed.undeliverable, fed.closed, fed.beyond)
    )
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


def _counted(counter: Counter[Channel]) -> list[tuple[Channel, int]]:
    return [(channel, counter[channel]) for channel in Channel if counter[channel]]


def _of(channel: Channel, count: int) -> str:
    return plural(count, {"email": "e-mail", "push": "push", "audio": "sound"}[channel])
