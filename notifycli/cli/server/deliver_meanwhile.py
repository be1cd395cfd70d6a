"""What fires is sent while events are received: by `listen --deliver`, and `chatwoot watch`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from notifycli.cli.log_writer import LogWriter
from notifycli.cli.session import Session
from notifycli.errors import NotifycliError
from notifycli.rules.notifications import SWITCHED_CHANNELS

if TYPE_CHECKING:
    from notifycli.cli.deliver.worker import DeliveryRun
    from notifycli.store.store import Store

_AGAIN_SECONDS = 10.0


@contextmanager
def deliver_meanwhile(session: Session, path: Path, writer: LogWriter) -> Iterator[None]:
    """Follow the file of received events in a thread, as `deliver --follow` does.

    That is why nothing is lost between the two: what was received and not delivered when the
    process ended is taken up where it was left, and nobody who waits for an answer waits for it.
    """
    delivery = _Delivery(session, path, writer)
    thread = threading.Thread(target=delivery.go_on, name="delivery")
    thread.start()
    try:
        yield
    finally:
        delivery.stop()
        thread.join()


class _Delivery:
    def __init__(self, session: Session, path: Path, writer: LogWriter) -> None:
        self._session = session
        self._path = path
        self._writer = writer
        self._stopped = threading.Event()
        self._run: DeliveryRun | None = None

    def stop(self) -> None:
        self._stopped.set()
        if self._run is not None:
            self._run.stop()

    def go_on(self) -> None:
        """Deliver until it is stopped; after a trouble, such as a busy store, once more."""
        while not self._stopped.is_set():
            try:
                with self._session.store(create=True) as store:
                    self._deliver(store)
            except NotifycliError as error:
                self._writer.note(
                    f"error: delivery stopped: {error.message}; again in {_AGAIN_SECONDS:g} s"
                )
                self._stopped.wait(_AGAIN_SECONDS)

    def _deliver(self, store: Store) -> None:
        from notifycli.cli.deliver.summary import warn_of_doubles  # noqa: PLC0415 - if asked for
        from notifycli.cli.deliver.worker import DeliveryRun, Source, carry_out  # noqa: PLC0415
        from notifycli.cli.terminal import print_error  # noqa: PLC0415
        from notifycli.delivery.channels import Channels  # noqa: PLC0415
        from notifycli.delivery.engine import Engine, Limits  # noqa: PLC0415
        from notifycli.delivery.enqueue import Enqueuer, Terms  # noqa: PLC0415
        from notifycli.replay.faults import BadLines  # noqa: PLC0415
        from notifycli.rules.selection import Selection  # noqa: PLC0415
        from notifycli.store.outbox import Scope  # noqa: PLC0415

        channels = Channels(store, frozenset(SWITCHED_CHANNELS), self._writer.write)
        for channel in SWITCHED_CHANNELS:
            channels.ready(channel)  # or the log says at once why it isn't
        account = self._session.given_account
        terms = Terms(Selection(account=account))
        scope = Scope(frozenset(SWITCHED_CHANNELS), account=account)
        warn_of_doubles(self._session, store, scope)
        feeder = Enqueuer(store, self._session.fallback_account(store), terms, channels)
        limits = Limits(int(store.configuration.get("deliver.concurrency") or 1))
        engine = Engine(store.outbox, channels, scope, limits, self._writer.write)
        source = Source(self._session, store, [str(self._path)], BadLines(print_error), follow=True)
        self._run = DeliveryRun(feeder, engine, source, self._writer)
        if self._stopped.is_set():
            self._run.stop()
        carry_out(self._session, self._run, progress=False)
