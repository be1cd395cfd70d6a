"""The live socket of a Chatwoot: Action Cable, to which its dashboard listens too.

Frames are JSON: a welcome, pings, the answer to the subscription, and messages
`{"identifier": …, "message": {"event": …, "data": …}}`. The identifier holds the user's
`pubsub_token`, which is as good as a password and stays in this module.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Raw, Struct

from notifycli.errors import NotPermittedError
from notifycli.secrets.token_format import Secret

if TYPE_CHECKING:
    import aiohttp

PRESENCE_SECONDS = 20.0
"""How often a dashboard says that it is there; the server answers with who is."""
_SILENT_SECONDS = 15.0
"""The server pings every 3 s; who hears nothing for so long is not connected any more."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LARGEST_FRAME = 16 * 1024 * 1024


class Address(NamedTuple):
    """Whose stream of which Chatwoot: `base` is https://HOST, `token` the pubsub token."""

    base: str
    account: int
    """Its number there."""
    user: int
    token: Secret
    here: int
    """The account's number here."""

    @property
    def identifier(self) -> str:
        """The name of the subscription, as Action Cable wants it. It is secret."""
        of = {
            "channel": "RoomChannel",
            "pubsub_token": self.token.reveal(),
            "account_id": self.account,
            "user_id": self.user,
        }
        return json.dumps(of)


class State(Enum):
    """What the stream tells besides messages."""

    CONNECTED = "connected"
    """The subscription is confirmed: from here on everything comes."""


class Lost(NamedTuple):
    """The connection is gone, and is tried again after a pause."""

    why: str
    seconds: float


class _Frame(Struct):
    type: str | None = None
    message: Raw = Raw(b"null")


class _Named(Struct):
    event: str | None = None


class _Told(Struct):
    event: str
    data: dict[str, Raw]


async def messages(
    address: Address, stop: asyncio.Event, presence: float = PRESENCE_SECONDS
) -> AsyncIterator[bytes | State | Lost]:
    """Return messages (`{"event": …, "data": …}`, one line of JSON each) until it is stopped.

    Connects again, with growing pauses, whenever the connection is lost. Raises
    `NotPermittedError` if the server refuses the subscription.
    """
    import aiohttp  # noqa: PLC0415 - 170 ms that the help can spare

    pause = _FIRST_PAUSE
    async with aiohttp.ClientSession(trust_env=address.base.startswith("https:")) as session:
        while not stop.is_set():
            try:
                async with _connect(session, address) as socket:
                    async for item in _listen(socket, address, stop, presence):
                        if item is State.CONNECTED:
                            pause = _FIRST_PAUSE
                        yield item
                why = "the server closed the connection"
            except TimeoutError:
                why = f"no answer for {_SILENT_SECONDS:g} s"
            except (aiohttp.ClientError, OSError) as error:
                why = _in_words(error)
            if not stop.is_set():
                seconds = pause * random.uniform(0.75, 1.25)  # noqa: S311 - to spread, not to hide
                yield Lost(why, seconds)
                await _wait(stop, seconds)
                pause = min(2 * pause, _LONGEST_PAUSE)


@asynccontextmanager
async def _connect(
    session: aiohttp.ClientSession, address: Address
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with asyncio.timeout(_SILENT_SECONDS):
        socket = await session.ws_connect(
            f"{address.base}/cable",
            protocols=("actioncable-v1-json",),
            headers={"Origin": address.base},
            max_msg_size=_LARGEST_FRAME,
        )
    try:
        yield socket
    finally:
        await socket.close()


async def _listen(
    socket: aiohttp.ClientWebSocketResponse,
    address: Address,
    stop: asyncio.Event,
    presence: float,
) -> AsyncIterator[bytes | State]:
    """Return what one connection gives.

    Raises `TimeoutError` where it has fallen silent, or never says that it is subscribed.
    """
    await _send(socket, address, "subscribe")
    beat = asyncio.create_task(_say_present(socket, address, presence))
    ending = asyncio.create_task(stop.wait())
    until = time.monotonic() + _SILENT_SECONDS
    try:
        while time.monotonic() < until:
            coming = asyncio.ensure_future(socket.receive())
            done, _ = await asyncio.wait(
                {coming, ending}, timeout=_SILENT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if ending in done:
                # What has come already is told yet.
                done, _ = await asyncio.wait({coming}, timeout=0)
            if coming not in done:
                coming.cancel()
                if not stop.is_set():
                    raise TimeoutError
                return
            frame = coming.result()
            if not isinstance(frame.data, str):
                return
            item = _read(frame.data, address)
            if item is not None:
                until = math.inf
                yield item
        raise TimeoutError
    finally:
        for task in (beat, ending):
            task.cancel()


def _read(text: str, address: Address) -> bytes | State | None:
    """Read a frame; `None` for one that says nothing of the desk."""
    try:
        frame = msgspec.json.decode(text, type=_Frame)
        if frame.type == "confirm_subscription":
            return State.CONNECTED
        if frame.type == "reject_subscription":
            raise NotPermittedError(
                "Chatwoot refuses the subscription to its live socket",
                "log in again as an administrator: notifycli chatwoot login",
            )
        named = msgspec.json.decode(frame.message, type=_Named)
    except msgspec.MsgspecError:
        return None
    if named.event is None:
        return None
    message = msgspec.json.format(frame.message, indent=-1)
    return message if address.here == address.account else _renumbered(message, address.here)


def _renumbered(message: bytes, account: int) -> bytes:
    """Return a message under the number that the account has here.

    The directory here has that number, and so has what is fetched of the same Chatwoot.
    """
    try:
        told = msgspec.json.decode(message, type=_Told)
    except msgspec.MsgspecError:
        return message
    # All that the socket sends has it there (ActionCableListener#broadcast).
    told.data["account_id"] = Raw(str(account).encode())
    return msgspec.json.encode(told)


async def _say_present(
    socket: aiohttp.ClientWebSocketResponse, address: Address, seconds: float
) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _send(socket, address, "message", data=json.dumps({"action": "update_presence"}))


async def _send(
    socket: aiohttp.ClientWebSocketResponse, address: Address, command: str, **more: str
) -> None:
    await socket.send_json({"command": command, "identifier": address.identifier, **more})


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _in_words(error: Exception) -> str:
    """Say what went wrong without the address: it is the user's own, and known."""
    import aiohttp  # noqa: PLC0415 - see messages

    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"the server answers {error.status} where its live socket should be"
    return "the server can't be reached"
