"""The channel of sound: a notice is played here, on the machine of whom it is for.

`open_sender` gives what `deliver` uses. With `audio.repeat` a sound is played again until the
conversation is read; for that, whoever replays events tells the sender of each:

    sender.see(event, conversation.assignee)

after the replay has met the event and before what fires is sent. Without it nothing is repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from notifycli.delivery.channel import Delivered, Later, Outcome
from notifycli.delivery.sound.player import Player, Tone, has_bell, tone
from notifycli.delivery.sound.sound_repeat import Waiting
from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.events.event import Event
from notifycli.rules.settings import Preferences
from notifycli.store.outbox_records import Notice
from notifycli.store.store import Store

REPEAT_SECONDS = 30.0

WhatIsSet = Callable[[int, int], Preferences]
"""Gives what is set for a user of an account, as it is now."""


class SoundSender:
    """Plays notices; fulfils `Sender`. What comes while a tone is played is heard in it."""

    def __init__(self, preferences: WhatIsSet, player: Player, *, repeat_seconds: float) -> None:
        self._preferences = preferences
        self._player = player
        self._repeat_seconds = repeat_seconds
        self._waiting = Waiting()
        self._playing: asyncio.Task[str] | None = None
        self._repeating: asyncio.Task[None] | None = None
        self._sounded = 0.0

    async def __aenter__(self) -> Self:
        """Begin to repeat."""
        self._repeating = asyncio.create_task(self._repeat())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop repeating; what is being played is heard to its end."""
        if self._repeating is not None:
            self._repeating.cancel()
            with suppress(asyncio.CancelledError):
                await self._repeating
        if self._playing is not None:
            await asyncio.wait([self._playing])

    async def send(self, notice: Notice) -> Outcome:
        """Play the user's tone. Never raises for what a player does."""
        try:
            how = await self._sound(notice)
        except UnavailableError as error:
            return Later(error.message)
        if self._chosen("audio.repeat", notice) == "on":
            self._waiting.ring(notice)
        return Delivered(how)

    def see(self, event: Event, assignee: int | None) -> None:
        """Take in an event that the replay has met, and who has its conversation after it."""
        self._waiting.see(event, assignee)

    async def _sound(self, notice: Notice) -> str:
        if self._playing is None or self._playing.done():
            chosen = tone(self._chosen("audio.tone", notice))
            self._playing = asyncio.create_task(self._play(chosen))
        # Whoever stops waiting for it must not end it for the others.
        return await asyncio.shield(self._playing)

    async def _play(self, chosen: Tone) -> str:
        how = await self._player.play(chosen)
        self._sounded = time.monotonic()
        return f"{chosen.name} by {how}"

    def _chosen(self, key: str, notice: Notice) -> str:
        preferences = self._preferences(notice.account_id, notice.user_id)
        return preferences.resolve(key, notice.user_id, notice.inbox_id).value

    async def _repeat(self) -> None:
        while True:
            rest = self._sounded + self._repeat_seconds - time.monotonic()
            await asyncio.sleep(max(rest, min(1.0, self._repeat_seconds)))
            notice = next(iter(self._waiting), None)  # one sound for all that wait
            if notice is None or time.monotonic() - self._sounded < self._repeat_seconds:
                continue
            # A player that fails now may be well in half a minute.
            with suppress(UnavailableError):
                await self._sound(notice)


def open_sender(store: Store) -> SoundSender:
    """Make the sender; the store is asked for the tone at each sound.

    Raises `ConfigurationError` where there is neither a player nor a terminal.
    """
    player = Player()
    if not player.programs and not has_bell():
        raise ConfigurationError(
            "there is nothing to play sounds on",
            "install a player (on Linux: pipewire-bin, pulseaudio-utils or alsa-utils)",
        )
    return SoundSender(store.preferences_of, player, repeat_seconds=REPEAT_SECONDS)
