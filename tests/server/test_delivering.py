"""`listen --deliver`: what fires is mailed while events are received, and after a kill too."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2

from tests.conftest import Notifycli
from tests.delivery.mail_server import Post, free_port, serving

from .webhooks import SECRET, Process, body, running, signed

_SECONDS = 60


def _post(server: Process, number: int) -> int:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assigned = {"id": 42, "inbox_id": 3, "status": "open", "meta": {"assignee": {"id": 7}}}
    data = body(number, created_at=now, conversation=assigned)
    return httpx2.post(server.url, content=data, headers=signed(data)).status_code


def _wait_for(post: Post, mails: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while len(post.received) < mails:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_fires_is_mailed_once_and_a_kill_loses_nothing(
    desk: Notifycli, tmp_path: Path
) -> None:
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    desk.ok("config", "set", "smtp.host=127.0.0.1", "smtp.security=plain")
    desk.ok("config", "set", "email.sender=desk@example.com", f"smtp.port={free_port()}")
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
