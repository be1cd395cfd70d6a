"""What several hosts receive, as one log in the store, and who reads which account of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """A place in the log: the transaction that wrote an event, and the event's number."""

    transaction: int = 0
    event: int = 0


class Arrival(NamedTuple):
    """An event as it comes: the body on one line, and the id under which it was delivered."""

    account: int
    body: str
    delivery: str | None


class ReceivedEvent(NamedTuple):
    """An event of the log."""

    place: Place
    body: str


class AccountPlace(NamedTuple):
    """How far an account's events have been delivered, by the one who has its lease."""

    account: int
    owner: str
    place: Place
    state: bytes | None = None
    """What its replay has kept up to there, for whoever takes over; not with every place."""


class KeptState(NamedTuple):
    """What a replay had kept up to a place."""

    place: Place
    state: bytes


class Received(Protocol):
    """The log, and the leases of those who deliver from it. Times are the database's own."""

    def write(self, arrivals: Sequence[Arrival]) -> int:
        """Write events, all or none, each delivery once; gives how many are new."""
        ...

    def lease(self, owner: str, only: int | None = None) -> dict[int, Place]:
        """Renew what the owner holds, and take one account more that nobody holds.

        Where `only` one is wanted, that one. Gives all that are held now, each with how far it was
        delivered.
        """
        ...

    def release(self, owner: str) -> None:
        """Let others take at once what the owner holds."""
        ...

    def read(self, account: int, after: Place, most: int) -> list[ReceivedEvent]:
        """Return the next events of an account: those before which none can come any more."""
        ...

    def state(self, account: int) -> KeptState | None:
        """Return what was kept of an account last; `None` if nothing was yet."""
        ...

    def advance(self, reached: AccountPlace) -> None:
        """Note how far an account was delivered, within a transaction that the caller began.

        A state goes with its place, or neither is there.
        Raises `TryAgainError` if the owner has lost it to another.
        """
        ...

    def tidy(self, days: int) -> None:
        """Forget events that are older than this and that a kept state has in it.

        A database that was brought back into another server counts transactions from another
        number: its events are put behind those that are there, so that they are read.
        """
        ...

    def body(self, account: int, event: int) -> str | None:
        """Return the body of an account's event by its number; `None` if it isn't there."""
        ...

    def count(self) -> int:
        """Count the events."""
        ...

    def bodies(self) -> Iterator[str]:
        """Return the bodies of all events, in the order in which they came."""
        ...

    def newest(self, account: int, most: int) -> list[str]:
        """Return the bodies of an account's newest events, in the order in which they came."""
        ...
