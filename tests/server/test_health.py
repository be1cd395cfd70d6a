"""What a supervisor asks: whether the process lives, and whether it can do its work."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from starlette.testclient import TestClient

from .conftest import Serving
from .test_hooks import listening
from .webhooks import body


def _health(client: TestClient) -> dict[str, tuple[int, str]]:
    answers = {path: client.get(path) for path in ("/healthz", "/readyz")}
    return {path: (got.status_code, got.json()["status"]) for path, got in answers.items()}


WELL = {"/healthz": (200, "ok"), "/readyz": (200, "ok")}
NOT_READY = {"/healthz": (200, "ok"), "/readyz": (503, "not ready")}


def test_serve_is_ready_while_its_store_can_be_read(serving: Serving) -> None:
    assert _health(serving.client) == WELL
    with closing(sqlite3.connect(serving.desk.store)) as store:
        store.execute("ALTER TABLE account RENAME TO elsewhere")
        assert _health(serving.client) == NOT_READY
        store.execute("ALTER TABLE elsewhere RENAME TO account")
    assert _health(serving.client) == WELL
    assert serving.log == []


def test_listen_is_ready_while_events_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "desk" / "events.jsonl"
    with listening(path) as receiver:
        assert _health(receiver.client) == WELL
        assert receiver.post(body(1))[0] == 200
        path.rename(path.with_name("aside"))
        path.write_bytes(b"id,name\n")
        assert _health(receiver.client) == NOT_READY
        path.unlink()
        assert _health(receiver.client) == WELL
        # Any path is a webhook's when it is posted to.
        assert receiver.client.post("/healthz", content=body(1)).status_code == 401
