"""Webhooks as Chatwoot sends them, and programs that receive them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECRET = "whsec-CanaryOfTheWebhook"  # noqa: S105 - the tests' own
_STOP_SECONDS = 60


def body(number: int, **more: Any) -> bytes:
    """Give a webhook's body: as much of one as tells it from the others."""
    event = {
        "event": "message_created",
        "id": number,
        "content": f"message {number}",
        "message_type": "incoming",
        "created_at": "2026-03-03T20:20:20.250Z",
        "account": {"id": 1, "name": "Acme"},
        "conversation": {"id": 42, "inbox_id": 3, "status": "open"},
        **more,
    }
    return json.dumps(event, separators=(",", ":")).encode()


def signed(
    data: bytes,
    secret: str = SECRET,
    at: float | None = None,
    delivery: str | None = None,
) -> dict[str, str]:
    """Give the headers that Chatwoot sends with a body."""
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + data, hashlib.sha256)
    return {
        "content-type": "application/json",
        "x-chatwoot-timestamp": timestamp,
        "x-chatwoot-signature": f"sha256={digest.hexdigest()}",
        "x-chatwoot-delivery": delivery or str(uuid.uuid4()),
    }


class Process:
    """A server of ours in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = ""
        self._lines: list[str] = []
        self._listens = threading.Event()
        # A server whose log nobody reads stands still once the pipe is full.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._listens.wait(_STOP_SECONDS)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def told(self) -> str:
        """What it has written to standard error so far; all of it, once it has ended."""
        return "".join(self._lines)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and give the exit status."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end, and give the exit status."""
        status = self.process.wait(_STOP_SECONDS)
        self._reader.join(_STOP_SECONDS)
        return status

    def kill(self) -> None:
        """End it, if it hasn't."""
        self.process.kill()
        self.ended()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as told:
            for line in told:
                self._lines.append(line)
                if not self.url and " at http" in line:
                    self.url = line.partition(" at ")[2].split()[0]
                    self._listens.set()
        self._listens.set()


@contextmanager
def running(
    *arguments: str, environment: Mapping[str, str] | None = None, before: str = ""
) -> Iterator[Process]:
    """Run `notifycli serve` or `listen` at a port that is free; `before` is run before it."""
    code = f"{before}\nfrom notifycli.cli.main import main\nmain()"
    server = Process(
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, *arguments, "--port", "0"],
            env={**os.environ, **(environment or {})},
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    try:
        assert server.url, f"it ended before it listened: {server.told}"
        yield server
    finally:
        server.kill()


def kept(path: Path) -> list[Any]:
    """Give all events that are kept, of files put aside too, in their order."""
    files = [*sorted(path.parent.glob(f"{path.stem}-*{path.suffix}")), path]
    return [
        json.loads(line) for file in files for line in file.read_bytes().splitlines(keepends=False)
    ]
