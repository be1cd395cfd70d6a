"""The channels that notices can leave by, each opened when something fires on it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, runtime_checkable

from notifycli.delivery.channel import Sender
from notifycli.errors import ConfigurationError
from notifycli.rules.event import Event
from notifycli.rules.notifications import Channel
from notifycli.store.store import Store

MODULES = {
    Channel.EMAIL: "notifycli.delivery.email",
    Channel.PUSH: "notifycli.delivery.push",
    Channel.AUDIO: "notifycli.delivery.sound",
}
"""Where each channel's `open_sender` is: imported only if something fires on it."""


@runtime_checkable
class Watcher(Protocol):
    """A sender that has to know what goes on besides what it sends."""

    def see(self, event: Event, assignee: int | None) -> None:
        """Take in an event that was replayed, and who has its conversation after it."""


class Channels:
    """The channels of one run. One that isn't set up stays closed, and keeps why."""

    def __init__(self, store: Store, wanted: frozenset[Channel]) -> None:
        self._store = store
        self._wanted = wanted
        self._senders: dict[Channel, Sender] = {}
        self._watchers: list[Watcher] = []
        self.closed: dict[Channel, ConfigurationError] = {}

    def ready(self, channel: Channel) -> bool:
        """Whether the channel is wanted and set up."""
        if channel not in self._wanted or channel in self.closed:
            return False
        if channel not in self._senders:
            try:
                sender = _opener(channel)(self._store)
            except ConfigurationError as error:
                self.closed[channel] = error
                return False
            self._senders[channel] = sender
            if isinstance(sender, Watcher):
                self._watchers.append(sender)
        return True

    def opened(self) -> frozenset[Channel]:
        """Give the channels that are ready."""
        return frozenset(self._senders)

    def sender(self, channel: Channel) -> Sender:
        """Give the sender of a channel that is ready."""
        return self._senders[channel]

    def see(self, event: Event, assignee: int | None) -> None:
        """Tell the channels of an event, before what it leads to is sent."""
        for watcher in self._watchers:
            watcher.see(event, assignee)


def _opener(channel: Channel) -> Callable[[Store], Sender]:
    opener: Callable[[Store], Sender] = import_module(MODULES[channel]).open_sender
    return opener
