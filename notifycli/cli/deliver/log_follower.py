"""The log in the store, followed by any number of hosts: each account by one of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from notifycli.errors import TryAgainError
from notifycli.store.received import AccountPlace, Place, Received, ReceivedEvent
from notifycli.store.store import Store

RENEW_SECONDS = 2.0
_POLL_SECONDS = 0.2
_KEPT_DAYS = 30
_MOST = 500


class Followed(NamedTuple):
    """An event, how far its account is read with it, and whether it is to be delivered.

    Else others have delivered it, and it counts as history.
    """

    event: ReceivedEvent
    reached: AccountPlace
    fresh: bool


class LogFollower:
    """Follows what `listen --store` has received on all hosts: those accounts that it can lease.

    An account that it takes is read from the beginning of the log. Reads in a thread with a
    connection of its own, which `connect` gives; `pause` waits and says whether to go on.
    """

    def __init__(self, connect: Callable[[], Store], pause: Callable[[float], bool]) -> None:
        self.owner = uuid.uuid4().hex
        self._connect = connect
        self._pause = pause
        self._read: dict[int, Place] = {}
        self._delivered: dict[int, Place] = {}

    def events(self) -> Iterator[Followed]:
        """Give the events there are, and each that comes, until `pause` says no.

        Raises `TryAgainError` if another host has taken an account over.
        """
        with self._connect() as store:
            store.received.tidy(_KEPT_DAYS)
            while True:
                self._lease(store.received)
                until = time.monotonic() + RENEW_SECONDS
                while time.monotonic() < until:
                    before = dict(self._read)
                    yield from self._arrived(store.received)
                    if self._read == before and not self._pause(_POLL_SECONDS):
                        return

    def _lease(self, received: Received) -> None:
        held = received.lease(self.owner)
        if lost := self._read.keys() - held.keys():
            listed = ", ".join(map(str, sorted(lost)))
            raise TryAgainError(f"another host delivers account {listed} by now", "start it again")
        for account in held.keys() - self._read.keys():
            self._read[account] = Place()
            self._delivered[account] = held[account]

    def _arrived(self, received: Received) -> Iterator[Followed]:
        for account, place in self._read.items():
            events = received.read(account, place, _MOST)
            for event in events:
                reached = AccountPlace(account, self.owner, event.place)
                yield Followed(event, reached, event.place > self._delivered[account])
            if events:
                self._read[account] = events[-1].place
