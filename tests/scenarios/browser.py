"""A headless Chromium, driven over its debugging pipe: no port, and nothing to install for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import needs_package

Json = dict[str, Any]
CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason=needs_package("chromium"))
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
# Where Chromium reads commands and writes answers.
_COMMANDS, _ANSWERS = 3, 4


class Browser:
    """One page in a browser, and all that it said and asked for."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # A shell puts the pipes where Chromium expects them, whatever their numbers are here.
        shell = f'exec "$@" {_COMMANDS}<&{to_browser} {_ANSWERS}>&{from_browser}'
        command = ["bash", "-c", shell, "-", CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [*command, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._pending = b""
        self._last = 0
        self._session: str | None = None
        self.said: list[Json] = []
        self.asked_for: list[str] = []

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        self._process.terminate()
        self._process.wait(20)
        os.close(self._read)

    def call(self, method: str, **parameters: object) -> Json:
        self._last += 1
        message: Json = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                result: Json = answer["result"]
                return result

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        while not self.evaluate("document.readyState === 'complete'"):
            pass

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def evaluate(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _next(self) -> Json:
        while b"\0" not in self._pending:
            block = os.read(self._read, 1 << 16)
            assert block, "the browser has gone"
            self._pending += block
        text, _, self._pending = self._pending.partition(b"\0")
        message: Json = json.loads(text)
        method = message.get("method", "")
        if method in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.said.append(message["params"])
        elif method == "Network.requestWillBeSent":
            self.asked_for.append(message["params"]["request"]["url"])
        return message
