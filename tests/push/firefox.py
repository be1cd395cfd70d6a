"""A headless Firefox, driven by WebDriver BiDi, and the push service that it is connected to."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web
from websockets.sync.client import ClientConnection, connect

from tests.push.service import PushService

Json = dict[str, Any]
FIREFOX = shutil.which("firefox-esr")
SECONDS = 120
_LISTENS = "WebDriver BiDi listening on "
_LARGEST = 1 << 24


class BrowserPushService(PushService):
    """A push service with the other side too: the one that a Firefox keeps a socket open to."""

    def __init__(self) -> None:
        super().__init__()
        self.greeted = threading.Event()
        self.acknowledged: list[Json] = []
        self._socket: web.WebSocketResponse | None = None

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/", self._talk)
        super().routes(app)

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = self._socket = web.WebSocketResponse(protocols=["push-notification"])
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._answer(socket, json.loads(message.data))
        return socket

    async def _answer(self, socket: web.WebSocketResponse, said: Json) -> None:
        kind = said.get("messageType")
        if not said:
            await socket.send_str("{}")
        elif kind == "hello":
            hello = {"status": 200, "uaid": uuid4().hex, "use_webpush": True, "broadcasts": {}}
            await socket.send_json({"messageType": kind, **hello})
            self.greeted.set()
        elif kind in {"register", "unregister"}:
            channel = said["channelID"]
            self.application_key = said.get("key", "").rstrip("=")
            made = {"channelID": channel, "pushEndpoint": f"{self.origin}/{channel}"}
            await socket.send_json({"messageType": kind, "status": 200, **made})
        elif kind in {"ack", "nack"}:
            self.acknowledged.extend(said.get("updates") or [said])

    async def take(self, path: str, body: bytes) -> None:
        assert self._socket is not None
        await self._socket.send_json(
            {
                "messageType": "notification",
                "channelID": path.removeprefix("/"),
                "version": uuid4().hex,
                "data": urlsafe_b64encode(body).rstrip(b"=").decode(),
                "headers": {"encoding": "aes128gcm"},
            }
        )

    def wait_for_acknowledgement(self) -> Json:
        """Give what Firefox says of the first push: 100 is delivered, 101 can't be decrypted."""
        until = time.monotonic() + SECONDS
        while not self.acknowledged:
            assert time.monotonic() < until, "Firefox says nothing of the push"
            time.sleep(0.02)
        return self.acknowledged[0]


@contextmanager
def firefox(profile: Path, push: BrowserPushService | None = None) -> Iterator[Window]:
    """Start a browser that knows no other network than loopback; gives its window."""
    assert FIREFOX is not None
    profile.mkdir()
    prefs = {
        "dom.push.serverURL": f"ws://127.0.0.1:{push.port}/" if push else "",
        "dom.push.testing.allowInsecureServerURL": True,
        "dom.push.connection.enabled": True,
        "alerts.useSystemBackend": False,
        "permissions.default.desktop-notification": 1,
        "network.proxy.type": 1,
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": 9,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": 9,
        "network.proxy.no_proxies_on": "127.0.0.1, localhost",
        "network.proxy.allow_hijacking_localhost": False,
    }
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(prefs[name])});" for name in prefs)
    (profile / "user.js").write_text("\n".join(lines))
    command = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile)]
    with subprocess.Popen(
        [*command, "--remote-debugging-port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if line.startswith(_LISTENS))
            # What it goes on to say must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            address = f"{line.removeprefix(_LISTENS).strip()}/session"
            with connect(
                address, max_size=_LARGEST, proxy=None, open_timeout=SECONDS
            ) as connection:
                yield Window(connection)
        finally:
            process.terminate()
            process.wait(SECONDS)


class Window:
    """One window of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._socket = connection
        self._last = 0
        self.call("session.new", capabilities={})
        self._context = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **parameters: object) -> Json:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            answer: Json = json.loads(self._socket.recv(SECONDS))
            if answer.get("id") == self._last:
                assert answer["type"] == "success", answer
                result: Json = answer["result"]
                return result

    def open(self, address: str) -> None:
        self.call("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def evaluate(self, script: str) -> Any:
        """Give what a script gives, by way of JSON."""
        answer = self.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({script})))()",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a person does."""
        where = self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        x, y = map(int, where)
        steps: list[Json] = [{"type": "pointerMove", "x": x, "y": y}]
        steps += [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        actions = [{"type": "pointer", "id": "mouse", "actions": steps}]
        self.call("input.performActions", context=self._context, actions=actions)

    def wait_for(self, script: str) -> Any:
        """Evaluate a script until it gives something that is true."""
        until = time.monotonic() + SECONDS
        while not (found := self.evaluate(script)):
            assert time.monotonic() < until, script
            time.sleep(0.05)
        return found
