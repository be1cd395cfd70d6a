"""What a monitor asks: what came, what was sent, what waits; and who may ask."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from notifycli.cli.times import now
from notifycli.rules.notifications import Channel
from notifycli.server.app import Api
from notifycli.server.middleware import is_near
from notifycli.store.store import locate
from tests.conftest import Notifycli

from .webhooks import SECRET, Process, body, running, signed

metrics = pytest.importorskip("notifycli.server.metrics", reason="needs prometheus-client")


def numbers(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = (line.rpartition(" ") for line in lines)
    return {name.removeprefix("notifycli_"): float(value) for name, _, value in rows}


def _asked(server: Process) -> dict[str, float]:
    answered = httpx2.get(f"{server.url}/metrics", timeout=30)
    assert answered.headers["content-type"].startswith("text/plain; version=")
    return numbers(answered.text)


def test_listen_tells_what_came_what_it_kept_and_what_waits(
    desk: Notifycli, tmp_path: Path, port: int
) -> None:
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    desk.ok("config", "set", "smtp.host=127.0.0.1", "smtp.security=plain")
    desk.ok("config", "set", "email.sender=desk@example.com", f"smtp.port={port}")
    path = str(tmp_path / "events.jsonl")
    options = ("listen", "--deliver", "--path", path, "--db", str(desk.store))
    with running(*options, environment={"NOTIFYCLI_LISTEN_SECRET": SECRET}) as server:
        assigned = {"id": 42, "inbox_id": 3, "status": "open", "meta": {"assignee": {"id": 7}}}
        data = body(1, created_at=now() / 1e6, conversation=assigned)
        assert httpx2.post(server.url, content=data, headers=signed(data)).status_code == 200
        assert httpx2.post(server.url, content=data).status_code == 401
        with Path(path).open("a", encoding="utf-8") as file:
            file.write("no event\n")
        found = _asked(server)
        # Nobody takes mails.
        while not (found['failed_total{channel="email"}'] and found["bad_lines_total"]):
            found = _asked(server)
        server.stop()
    assert (found['requests_total{method="POST"}'], found["events_kept_total"]) == (2, 1)
    assert (found['requests_refused_total{status="401"}'], found["bad_lines_total"]) == (1, 1)
    assert found['queue_length{channel="email"}'] == 1
    assert 0 <= found['oldest_pending_seconds{channel="email"}'] < 60
    assert found['sent_total{channel="email"}'] == found['queue_length{channel="push"}'] == 0
    assert "/metrics" not in server.told
    # What is on its way isn't sent yet.
    with closing(sqlite3.connect(desk.store)) as store, store:
        store.execute("UPDATE notice SET state = 'sending'")
    found = numbers(metrics.Metrics(locate(desk.store)).text().decode())
    assert found['queue_length{channel="email"}'] == 1
    assert found['oldest_pending_seconds{channel="email"}'] > 0
    with closing(sqlite3.connect(desk.store)) as store, store:
        store.execute("UPDATE notice SET channel = 'webhook'")
    found = numbers(metrics.Metrics(locate(desk.store)).text().decode())
    waiting = [found[f'queue_length{{channel="{channel}"}}'] for channel in ("email", "webhook")]
    assert waiting == [0, 1]


def test_serve_counts_what_it_answers(desk: Notifycli) -> None:
    def served() -> Any:
        made = metrics.Metrics(locate(desk.store))
        return Api(locate(desk.store), now, lambda _: None, metrics=made).application()

    with TestClient(served(), client=("127.0.0.1", 1)) as client:
        assert client.get("/api/v1/profile").status_code == 401
        client.request("BREW", "/x")
        found = numbers(client.get("/metrics").text)
    requests = {name: value for name, value in found.items() if name.startswith("requests_total")}
    assert requests == {'requests_total{method="GET"}': 1, 'requests_total{method="other"}': 1}
    with TestClient(served(), client=("203.0.114.9", 1)) as client:
        assert client.get("/metrics").status_code == 403


ADDRESSES = [("127.0.0.1", True), ("10.0.0.7", True), ("::1", True), ("fd00::1", True)]
ADDRESSES += [("203.0.114.9", False), ("2606:4700::1", False), ("", False), ("x", False)]


@pytest.mark.parametrize(("address", "near"), ADDRESSES)
def test_metrics_are_not_for_the_world(address: str, near: bool) -> None:
    assert is_near(address) is near


def test_a_store_that_cannot_be_read_has_a_queue_of_no_known_length(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"x" * 4096)
    found = numbers(metrics.Metrics(locate(path)).text().decode())
    assert found['queue_length{channel="email"}'] != found['queue_length{channel="email"}']


def test_deliver_serves_them_at_a_port_of_its_own(tmp_path: Path, port: int) -> None:
    made = metrics.Metrics(locate(tmp_path / "store.db"))
    stop = made.serve(port)
    try:
        found = numbers(httpx2.get(f"http://127.0.0.1:{port}/metrics").text)
    finally:
        stop()
    assert {name for name in found if name.startswith("sent_total")} == {
        f'sent_total{{channel="{channel}"}}' for channel in Channel
    }


def test_deliver_says_what_metrics_need(desk: Notifycli) -> None:
    result = desk("deliver", "--metrics", "9100", "--pending")
    assert (result.status, result.stderr) == (
        2,
        "error: --metrics is for a run that goes on\n  add --follow\n",
    )
