"""The page that subscribes a browser: what it lets in, and what it says."""

from __future__ import annotations

import http.client
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from notifycli.delivery.subscribe_page import browser_name
from tests.conftest import Notifycli, Program
from tests.push.receiver import UserAgent

AGENT = UserAgent()
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOD = AGENT.subscription("https://push.example.com/x")


class Visit(NamedTuple):
    """A way to ask the page for something."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@contextmanager
def subscribing(program: Program) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = program.command("push", "subscribe", "-u", "7")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


def visit(address: str, asked: Visit) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        path = asked.path if asked.path.startswith("/") else parts.path + asked.path
        headers = {
            name: value.format(origin=f"http://{parts.netloc}")
            for name, value in asked.headers.items()
        }
        connection.request(asked.method, path, asked.body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode()
    finally:
        connection.close()


OURS = {"Origin": "{origin}", "User-Agent": FIREFOX}
REFUSED = [
    (Visit("GET", "/", {}), 404),
    (Visit("GET", "/guess/", {}), 404),
    (Visit("GET", "", {"Host": "evil.example.com"}), 404),
    (Visit("GET", "nothing.js", {}), 404),
    (Visit("GET", "../../__init__.py", {}), 404),
    (Visit("GET", "%2e%2e/push.py", {}), 404),
    (Visit("GET", "subscription", {}), 404),
    (Visit("POST", "subscription", {}, GOOD), 403),
    (Visit("POST", "subscription", {"Origin": "https://evil.example.com"}, GOOD), 403),
    (Visit("POST", "subscription", {"Origin": "null"}, GOOD), 403),
    (Visit("POST", "subscription", {**OURS, "Host": "evil.example.com"}, GOOD), 404),
    (Visit("POST", "subscription", OURS, b"{}"), 422),
    (Visit("POST", "subscription", OURS, AGENT.subscription("http://127.0.0.1/x")), 422),
    (Visit("POST", "subscription", OURS, b"x" * 100_000), 413),
]


def test_it_gives_its_files_and_takes_one_subscription_from_its_own_page_alone(
    ready: Notifycli, program: Program
) -> None:
    with subscribing(program) as (process, address):
        for asked, status in REFUSED:
            assert (asked, visit(address, asked)[0]) == (asked, status)
        for name in ("", "subscribe.js", "subscribe.css", "worker.js"):
            status, headers, text = visit(address, Visit("GET", name, {}))
            assert (status, headers["Cache-Control"]) == (200, "no-store")
            assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
            assert name or "{key}" not in text
        assert ready.ok("push", "list").records == []
        assert visit(address, Visit("POST", "subscription", OURS, GOOD))[0] == 201
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == (
            "press the button there, as jane@example.com; Ctrl-C ends it\n"
            "jane@example.com is subscribed as 1 (Firefox on Linux); "
            "try it: notifycli push test -u jane@example.com\n"
        )
    [kept] = ready.ok("push", "list").records
    assert (kept["service"], kept["label"]) == ("push.example.com", "Firefox on Linux")


def test_what_is_no_http_writes_nothing_to_the_terminal(ready: Notifycli, program: Program) -> None:
    assert ready.ok("push", "list").records == []
    with subscribing(program) as (process, address):
        parts = urlsplit(address)
        for data in (b"\x16\x03\x01\x00" * 20, b"GET / HTTP/9\r\n\r\n", b"\x00" * 40_000):
            with socket.create_connection(("127.0.0.1", parts.port or 0), timeout=60) as one:
                one.sendall(data)
                one.shutdown(socket.SHUT_WR)
                while one.recv(65536):
                    pass
        assert visit(address, Visit("GET", "", {}))[0] == 200
        process.terminate()
        assert process.stderr is not None
        assert process.stderr.read() == (
            "press the button there, as jane@example.com; Ctrl-C ends it\n"
        )


def test_a_name_is_shown_as_it_is_and_does_nothing(ready: Notifycli, program: Program) -> None:
    ready.ok("user", "add", "eve@example.com", "--id", "10", "--name", "<script>alert(1)</script>")
    command = program.command("push", "subscribe", "-u", "10")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            text = visit(process.stdout.readline().strip(), Visit("GET", "", {}))[2]
        finally:
            process.terminate()
    assert "<h1>Pushes for &lt;script&gt;alert(1)&lt;/script&gt;</h1>" in text


NAMES = [
    (FIREFOX, "Firefox on Linux"),
    ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
    ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15) Version/18 Safari/605", "Safari on Mac"),
    ("curl/8", ""),
]


@pytest.mark.parametrize(("agent", "name"), NAMES, ids=[name or "none" for _, name in NAMES])
def test_a_browser_is_named_by_what_it_says_of_itself(agent: str, name: str) -> None:
    assert browser_name(agent) == name
