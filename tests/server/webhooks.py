"""Webhooks as Chatwoot sends them, and programs that receive them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
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

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.told = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and give the exit status."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end, and give the exit status."""
        self.told += self.process.communicate(timeout=_STOP_SECONDS)[1]
        return self.process.returncode


@contextmanager
def running(
    *arguments: str, environment: Mapping[str, str] | None = None, before: str = ""
) -> Iterator[Process]:
    """Run `notifycli serve` or `listen` at a port that is free; `before` is run before it."""
    code = f"{before}\nfrom notifycli.cli.main import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments, "--port", "0"],
        env={**os.environ, **(environment or {})},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = ""
        while " at http" not in told:
            told = process.stderr.readline()
            assert told, "it ended before it listened"
        url = told.partition(" at ")[2].split()[0]
        yield Process(process, url)
    finally:
        if process.poll() is None:
            process.kill()
        process.stderr.close()
        process.wait()


def kept(path: Path) -> list[Any]:
    """Give all events that are kept, of files put aside too, in their order."""
    files = [*sorted(path.parent.glob(f"{path.stem}-*{path.suffix}")), path]
    return [
        json.loads(line) for file in files for line in file.read_bytes().splitlines(keepends=False)
    ]
