"""Whom an event concerns, and who of them wants to know."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from notifycli.rules.notifications import NotificationType
from notifycli.rules.wanting import Wanting, Wishes


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
    """The types that somebody has switched on, and who."""
    times: int = 0
    """How many events it was counted for."""
    kept: bool = False
    """Whether it serves further events."""


def route(named: list[Named], inbox: int | None, wanting: Wanting) -> Route:
    """Find who of those an event names wants to know."""
    found = []
    for one in named:
        if one.type in wanting.types:
            wishes = wanting.of(one.type, one.users, inbox, audience=one.audience)
            if wishes.all:
                found.append((one.type, wishes))
    return Route(named, inbox, found)
