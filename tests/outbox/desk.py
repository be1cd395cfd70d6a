"""Channels that send nowhere, and events of a moment ago."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Self

import pytest

from notifycli.delivery import engine
from notifycli.delivery.channels import Delivered, Outcome
from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError
from notifycli.events.event import Event
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import Notice
from tests.conftest import Json

Answer = Callable[[Notice], Outcome]


@dataclass
class Post:
    """Every channel at once: keeps what it is given, and answers as it is told."""

    sent: list[Notice] = field(default_factory=list)
    seen: list[tuple[str, int | None, int | None]] = field(default_factory=list)
    answer: Answer = lambda _: Delivered()
    closed: set[Channel] = field(default_factory=set)
    broken: set[Channel] = field(default_factory=set)
    unable: dict[Channel, NotifycliError] = field(default_factory=dict)
    begins: dict[Channel, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """What a sender does before it can send."""
    seconds: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, notice: Notice) -> Outcome:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        self.sent.append(notice)
        return self.answer(notice)

    def see(self, event: Event, assignee: int | None) -> None:
        self.seen.append((event.name, event.conversation, assignee))

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put it in the place of the real channels."""
        for channel in Channel:
            module = ModuleType(f"post_of_{channel}")
            vars(module)["open_sender"] = lambda _, channel=channel: self._opened(channel)
            monkeypatch.setitem(sys.modules, module.__name__, module)
            monkeypatch.setitem(engine.MODULES, channel, module.__name__)

    def _opened(self, channel: Channel) -> Post | _Unable | _Beginner:
        if channel in self.closed:
            raise ConfigurationError(f"{channel} is not set up", "set it up")
        if channel in self.broken:
            raise UnavailableError(f"the key of {channel} is lost", "find it")
        if channel in self.begins:
            return _Beginner(self, self.begins[channel])
        return _Unable(self.unable[channel]) if channel in self.unable else self

    def of(self, channel: Channel) -> list[Notice]:
        return [notice for notice in self.sent if notice.channel is channel]


@dataclass
class _Unable:
    """A sender that can't begin."""

    error: NotifycliError

    async def __aenter__(self) -> Self:
        raise self.error

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass
class _Beginner:
    """A sender that has something to do before it can send."""

    post: Post
    begin: Callable[[], Awaitable[None]]

    async def __aenter__(self) -> Post:
        await self.begin()
        return self.post

    async def __aexit__(self, *_: object) -> None:
        pass


def asked(message: int, *, conversation: int = 42, ago: int = 60, text: str = "Hello") -> Json:
    """Give what a customer's message is logged as; `ago` in seconds."""
    return {
        "event": "message_created",
        "account": {"id": 1},
        "id": message,
        "content": text,
        "message_type": "incoming",
        "conversation": {
            "id": conversation,
            "inbox_id": 3,
            "meta": {
                "sender": {"id": 5, "type": "contact", "name": "Ada"},
                "assignee": {"id": 7, "type": "user"},
            },
        },
        "inbox": {"id": 3, "name": "Website"},
        "sender": {"id": 5, "type": "contact", "name": "Ada"},
        "created_at": int(time.time()) - ago,
    }
