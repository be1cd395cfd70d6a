"""Which decisions are looked at: the whole input is replayed all the same."""

from __future__ import annotations

from msgspec import Struct

from notifycli.events.event import Event
from notifycli.rules.decision import Decision
from notifycli.rules.notifications import TYPES, Channel, NotificationType
from notifycli.rules.preferences import nearest

_NAMES = {row.short: row.type for row in TYPES} | {type_.value: type_ for type_ in NotificationType}


class Selection(Struct, frozen=True):
    """What to look at; an empty set stands for everything."""

    users: frozenset[tuple[int, int]] | None = None
    """(account, user); `None` for everybody."""
    channels: frozenset[Channel] = frozenset()
    types: frozenset[NotificationType] = frozenset()
    inboxes: frozenset[int] = frozenset()
    conversations: frozenset[int] = frozenset()
    account: int | None = None
    since: int | None = None
    """The first moment that is looked at, in microseconds since 1970 UTC."""
    until: int | None = None
    """The first moment that isn't any more."""

    def takes_event(self, event: Event) -> bool:
        """Whether decisions of the event are looked at. The event has been replayed."""
        if self.account is not None and event.account != self.account:
            return False
        if self.since is not None and (event.at is None or event.at < self.since):
            return False
        if self.until is not None and (event.at is None or event.at >= self.until):
            return False
        return (not self.inboxes or event.inbox in self.inboxes) and (
            not self.conversations or event.conversation in self.conversations
        )

    def takes_every_event(self) -> bool:
        """Whether decisions of all events are looked at."""
        somewhere = self.inboxes or self.conversations
        return self.account is self.since is self.until is None and not somewhere

    def takes(self, decision: Decision) -> bool:
        """Whether this decision of such an event is looked at."""
        return self.takes_kind(
            decision.account_id, decision.user_id, decision.channel, decision.type
        )

    def takes_kind(
        self, account: int, user: int, channel: Channel, type_: NotificationType
    ) -> bool:
        """Whether decisions of a user, on a channel, of a type are looked at."""
        return (
            (self.users is None or (account, user) in self.users)
            and (not self.channels or channel in self.channels)
            and (not self.types or type_ in self.types)
        )

    def takes_every_kind(self) -> bool:
        """Whether all decisions of such an event are looked at."""
        return self.users is None and not self.channels and not self.types


def read_type(name: str) -> NotificationType:
    """Give the type with this full or short name. Raises `ValueError`."""
    try:
        return _NAMES[name.lower()]
    except KeyError:
        near = nearest(name, _NAMES)
        hint = f"is no type; did you mean {near}?" if near else f"is none of {', '.join(_NAMES)}"
        raise ValueError(f"{name!r} {hint}") from None
