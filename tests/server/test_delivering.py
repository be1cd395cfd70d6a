"""`listen --deliver`: what fires is mailed while events are received, and after a kill too."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from notifycli.store.store import open_store
from tests.conftest import Notifycli
from tests.delivery.mail_server import Post, serving

from .webhooks import SECRET, Process, body, running, signed

_SECONDS = 60


def _post(server: Process, number: int) -> int:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assigned = {"id": 42, "inbox_id": 3, "status": "open", "meta": {"assignee": {"id": 7}}}
    data = body(number, created_at=now, conversation=assigned)
    return httpx2.post(server.url, content=data, headers=signed(data)).status_code


def _presence(server: Process, state: str) -> int:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    event = {"event": "presence.update", "account_id": 1, "users": {"7": state}, "created_at": now}
    data = json.dumps(event).encode()
    return httpx2.post(server.url, content=data, headers=signed(data)).status_code


def _wait_for(post: Post, mails: int) -> None:
    _wait_until(lambda: len(post.received) >= mails)


def _wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _read_to_its_end(desk: Notifycli, path: Path) -> bool:
    with open_store(desk.store) as store:
        place = store.outbox.place(str(path.resolve()))
    return place is not None and place.offset == path.stat().st_size


def test_what_fires_is_mailed_once_and_a_kill_loses_nothing(
    desk: Notifycli, tmp_path: Path, port: int
) -> None:
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    desk.ok("config", "set", "smtp.host=127.0.0.1", "smtp.security=plain")
    desk.ok("config", "set", "email.sender=desk@example.com", f"smtp.port={port}")
    path = str(tmp_path / "events.jsonl")
    options = ("listen", "--deliver", "--path", path, "--db", str(desk.store))
    environment = {"NOTIFYCLI_LISTEN_SECRET": SECRET}
    with running(*options, environment=environment) as server:
        # Nobody takes mails yet: what was confirmed waits.
        assert [_post(server, number) for number in (1, 2)] == [200, 200]
        server.process.kill()
    with serving(Post()) as post:
        desk.ok("config", "set", f"smtp.port={post.port}")
        with running(*options, environment=environment) as server:
            assert _post(server, 3) == 200
            _wait_for(post, 3)
            assert server.stop() == 0
    texts = [mail.message.as_string() for mail in post.received]
    said = [n for n in (1, 2, 3) for text in texts if f"message {n}" in text]
    assert said == [1, 2, 3]
    assert "Traceback" not in server.told


def test_what_was_put_aside_while_nobody_delivered_is_gone_on_from(
    desk: Notifycli, tmp_path: Path
) -> None:
    desk.ok("prefs", "set", "email.message=on", "when_unavailable=digest", "-u", "7")
    path = tmp_path / "events.jsonl"
    options = ("listen", "--path", str(path), "--db", str(desk.store))
    environment = {"NOTIFYCLI_LISTEN_SECRET": SECRET}
    with serving(Post()) as post:
        desk.ok("config", "set", "smtp.host=127.0.0.1", "smtp.security=plain")
        desk.ok("config", "set", "email.sender=desk@example.com", f"smtp.port={post.port}")
        with running(*options, "--deliver", environment=environment) as server:
            assert [_presence(server, "busy"), _post(server, 1)] == [200, 200]
            _wait_until(lambda: _read_to_its_end(desk, path))
            assert server.stop() == 0
        yesterday = time.time() - 86_400
        os.utime(path, (yesterday, yesterday))
        with running(*options, environment=environment) as server:
            assert _post(server, 2) == 200
            assert server.stop() == 0
        with running(*options, "--deliver", environment=environment) as server:
            assert _presence(server, "online") == 200
            _wait_for(post, 1)
            assert server.stop() == 0
    assert len([*tmp_path.glob("events-*.jsonl")]) == 1
    [mail] = post.received
    assert mail.message["Subject"] == "What came in the meantime: #42"
    assert "message 2" in mail.message.as_string()
    assert "reading 1 file put aside before, from " in server.told
    assert "another file" not in server.told
