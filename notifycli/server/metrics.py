"""What a monitor asks, in Prometheus' text format: what came, what was sent, and what waits.

Counters are of this process, since it was started; the queue is the store's, as it is when asked.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from notifycli.delivery.channels import LogEntry, LogEvent
from notifycli.errors import NotifycliError, UnavailableError
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import NoticeState, StateCount
from notifycli.store.store import Location, open_store

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_LOOPBACK = "127.0.0.1"
_UNSENT = {NoticeState.PENDING, NoticeState.SENDING}
_MICROSECONDS = 1_000_000


class Metrics:
    """The metrics of one process, about one store."""

    def __init__(self, location: Location) -> None:
        self._registry = CollectorRegistry()
        by_channel = ("channel",)
        self._received = self._counter("requests", "Requests that came in.", ("method",))
        self._refused = self._counter("requests_refused", "Requests that failed.", ("status",))
        self._kept = self._counter("events_kept", "Events that were put on the disk.")
        self._bad_lines = self._counter("bad_lines", "Lines that are no events.")
        self._sent = self._counter("sent", "Notifications that were sent.", by_channel)
        self._failed = self._counter("failed", "Attempts that failed.", by_channel)
        self._retried = self._counter("retried", "Attempts after the first.", by_channel)
        self._dead = self._counter("given_up", "Notifications that were given up.", by_channel)
        self._registry.register(_Queue(location))
        for channel in Channel:
            for counter in (self._sent, self._failed, self._retried, self._dead):
                counter.labels(channel)

    def count_request(self, method: str, status: int) -> None:
        """Count a request that was answered."""
        # A client may make methods up, and each label stays.
        self._received.labels(method if method in _METHODS else "other").inc()
        if status >= 400:  # noqa: PLR2004 - RFC 9110, 15.5
            self._refused.labels(str(status)).inc()

    def count_kept(self, events: int) -> None:
        """Count events that were kept."""
        self._kept.inc(events)

    def count_bad_line(self) -> None:
        """Count a line that is to be delivered and is no event."""
        self._bad_lines.inc()

    def count_entry(self, entry: LogEntry) -> None:
        """Count what the log of deliveries is told."""
        if entry.notice is None:
            return
        counters = {
            LogEvent.SENT: self._sent,
            LogEvent.FAILED: self._failed,
            LogEvent.DEAD: self._dead,
        }
        if (counter := counters.get(LogEvent(entry.event))) is not None:
            counter.labels(entry.channel).inc()
            if entry.notice.attempts:
                self._retried.labels(entry.channel).inc()

    def text(self) -> bytes:
        """Return all of it, as it is now."""
        found: bytes = generate_latest(self._registry)
        return found

    def serve(self, port: int) -> Callable[[], None]:
        """Serve it on a port of loopback; the answer ends that. Raises `UnavailableError`."""
        try:
            server, thread = start_http_server(port, _LOOPBACK, self._registry)
        except OSError as error:
            raise UnavailableError(
                f"{_LOOPBACK} port {port} can't be listened at: {error.strerror or error}",
                "another program may have it: name another with --metrics",
            ) from None

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def _counter(self, name: str, help_: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"notifycli_{name}", help_, labels, registry=self._registry)


class _Queue(Collector):
    """What waits in the store, by channel, added ones too; "not a number" if nobody can tell."""

    def __init__(self, location: Location) -> None:
        self._location = location

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read it as it is now."""
        length = _gauge("queue_length", "Notifications that are still to be sent.")
        oldest = _gauge("oldest_pending_seconds", "How long the oldest of them has waited.")
        counts = self._counts()
        for channel in dict.fromkeys([*Channel, *(each.channel for each in counts or ())]):
            found = [c for c in counts or () if c.channel == channel and c.state in _UNSENT]
            length.add_metric([channel], math.nan if counts is None else _length(found))
            oldest.add_metric([channel], math.nan if counts is None else _age(found))
        yield from (length, oldest)

    def _counts(self) -> list[StateCount] | None:
        try:
            with open_store(self._location, create=False) as store:
                return store.outbox.counts()
        except NotifycliError:
            return None


def _gauge(name: str, help_: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"notifycli_{name}", help_, labels=("channel",))


def _length(found: list[StateCount]) -> float:
    return sum(each.count for each in found)


def _age(found: list[StateCount]) -> float:
    now = time.time()
    return max([0.0, *(now - each.oldest / _MICROSECONDS for each in found)])
