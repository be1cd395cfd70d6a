"""The log in the store, into which `listen` receives on any number of hosts."""

from __future__ import annotations

import threading
from contextlib import suppress

from notifycli.errors import NotifycliError
from notifycli.events.decode import EventError, decode_event
from notifycli.server.journal import Line
from notifycli.store.received import Arrival
from notifycli.store.store import Location, Store, open_store

_LOOK_SECONDS = 2.0


class StoredLog:
    """Keeps events as a journal does. `open` first; `write` from one thread at a time.

    An event that names no account is counted to the `fallback` account.
    """

    def __init__(self, location: Location, fallback: int) -> None:
        self.path = location.name
        self._location = location
        self._fallback = fallback
        self._store: Store | None = None
        self._trouble: NotifycliError | None = None
        self._closed = threading.Event()
        self._looking = threading.Thread(target=self._look, name="store", daemon=True)

    def open(self) -> None:
        """Connect. Raises the store's errors, and `UsageError` for a file's."""
        store = open_store(self._location)
        try:
            _ = store.received
        except NotifycliError:
            store.__exit__()
            raise
        self._store = store
        self._looking.start()

    def close(self) -> None:
        """Disconnect."""
        self._closed.set()
        if self._store is not None:
            self._store.__exit__()

    def check(self) -> None:
        """Raise what kept the store from being asked when it was last tried."""
        if self._trouble is not None:
            raise self._trouble

    def knows(self, _: str) -> bool:
        """Return False: the store finds out which deliveries it has, whichever host got them."""
        return False

    def write(self, lines: list[Line]) -> None:
        """Write events to the store, all or none; on return they are committed."""
        if self._store is not None:
            self._store.received.write([self._arrival(line) for line in lines])

    def _arrival(self, line: Line) -> Arrival:
        account = None
        with suppress(EventError):
            account = decode_event(line.body, 1).account
        return Arrival(account or self._fallback, line.body.decode(), line.delivery)

    def _look(self) -> None:
        """Ask the store now and then, apart: whoever asks for the state must not wait for it."""
        while not self._closed.wait(_LOOK_SECONDS):
            try:
                open_store(self._location, create=False).__exit__()
                self._trouble = None
            except NotifycliError as error:
                self._trouble = error
