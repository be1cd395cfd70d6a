"""Whom an event concerns, and who of them wants to know."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from notifycli.rules.decision import Held
from notifycli.rules.enabled import Wanting, Wishes
from notifycli.rules.evaluate import sifted
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import NotificationType

if TYPE_CHECKING:
    from notifycli.rules.insight import Why


class Named(Struct, gc=False):
    """A type that an event leads to."""

    type: NotificationType
    users: Collection[int]
    """In ascending order."""
    audience: bool = False
    """Whether they are all whom the type concerns in the event's inbox, whatever the event."""


class Route(Struct, gc=False):
    """Whom an event concerns: of one event, or of all that are alike in their conversation."""

    named: list[Named]
    """In the order of decisions."""
    inbox: int | None
    wanted: list[tuple[NotificationType, Wishes]]
    """Who wants to know, and may: each event's moment decides."""
    held: list[Held]
    """Why others who want to know don't, whatever the moment."""
    settled: Sequence[Why] = ()
    """What is decided for every event that takes it, where somebody counts that for the eye."""
    times: int = 0
    """How many events it was counted for."""
    kept: bool = False
    """Whether it serves further events."""

    def size(self) -> int:
        """How much it holds: of a large desk, far more than of a small one."""
        wishes = sum(len(wishes.all) for _, wishes in self.wanted)
        return wishes + len(self.held) + len(self.settled)


def route(named: list[Named], case: Case, wanting: Wanting) -> Route:
    """Find who of those an event names wants to know; `case` is of any of them."""
    found = Route(named, case.event.inbox, [], [])
    for one in named:
        if one.type in wanting.types:
            wishes = wanting.of(one.type, one.users, found.inbox, audience=one.audience)
            if wishes.all:
                case.type = one.type
                left = sifted(case, wishes, found.held)
                if left.all:
                    found.wanted.append((one.type, left))
    return found
