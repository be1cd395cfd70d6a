"""Clients that open connections and don't do their part: others are answered all the same."""

from __future__ import annotations

import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from notifycli.server.http_server import ConnectionLimits

from .certificates import Certificate
from .webhooks import SECRET, Process, body, running, signed

ENVIRONMENT = {"NOTIFYCLI_LISTEN_SECRET": SECRET}
LIMIT = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, ({0}, {0}))"
"""How many descriptors the server may open."""
SHORT = """
import notifycli.server.http_server as c, notifycli.server.http_server as h
c.HEAD_SECONDS = h.HEAD_SECONDS = h.REQUEST_SECONDS = 1
h.IDLE_SECONDS = 600
"""
PATIENT = """
import notifycli.server.http_server as h
h.HEAD_SECONDS = h.REQUEST_SECONDS = h.IDLE_SECONDS = h._LOG_SECONDS = 600
"""
"""As when nobody is ended for being slow, nor told of twice, however slow this machine is."""
NO_ROOM_KNOWN = f"""
{LIMIT.format(128)}
import notifycli.server.http_server as c
c.most_connections = lambda: 999
"""
"""As when something else has taken the descriptors."""
MOST_SOCKETS = 2000


@pytest.fixture(autouse=True)
def _room_for_sockets() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_SOCKETS if hard == resource.RLIM_INFINITY else min(hard, MOST_SOCKETS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _opened(server: Process, stack: ExitStack, first: bytes, then: bytes = b"") -> socket.socket:
    made = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
    # The server may have ended it already.
    with suppress(OSError):
        if first:
            made.sendall(first)
        if then:
            made.recv(65536)
            made.sendall(then)
    return made


@contextmanager
def _crowd(
    server: Process, count: int, first: bytes, then: bytes = b""
) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [_opened(server, stack, first, then) for _ in range(count)]


def _post(server: Process, number: int, **more: object) -> int:
    data = body(number)
    answer = httpx2.post(server.url, content=data, headers=signed(data), timeout=30, **more)  # type: ignore[arg-type]
    return answer.status_code


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = {
    "a silent one": (b"", b""),
    "half a head": (b"POST / HTTP/1.1\r\nHost: x\r\n", b""),
    "half a head after a whole request": (GET, b"POST / HTTP/1.1\r\nHost:"),
    "a body that doesn't come": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b""),
}


CROWDS = [
    pytest.param([*SLOW], 128, 200, id="all kinds"),
    *(pytest.param([how], 1024, 1150, marks=pytest.mark.slow, id=how) for how in SLOW),
]


@pytest.mark.parametrize(("kinds", "descriptors", "count"), CROWDS)
def test_more_slow_connections_than_there_is_room_for_stop_nobody(
    tmp_path: Path, kinds: list[str], descriptors: int, count: int
) -> None:
    path, before = str(tmp_path / "events.jsonl"), LIMIT.format(descriptors) + PATIENT
    with running("listen", "--path", path, environment=ENVIRONMENT, before=before) as server:
        with ExitStack() as stack:
            for how in kinds:
                stack.enter_context(_crowd(server, count // len(kinds), *SLOW[how]))
            # Long before any of those has had its time.
            assert [_post(server, number) for number in range(1, 6)] == [200] * 5
        assert server.stop() == 0
    assert "Traceback" not in server.told
    assert "stopped; 5 events received" in server.told
    # One line for all that were ended, and one for each request.
    ended = [line for line in server.told.splitlines() if " closed " in line]
    assert len(ended) == 1
    assert ended[0].endswith("from 127.0.0.1")


def test_without_a_descriptor_left_nothing_is_written_for_each_who_comes(tmp_path: Path) -> None:
    path = str(tmp_path / "events.jsonl")
    with running("listen", "--path", path, environment=ENVIRONMENT, before=NO_ROOM_KNOWN) as server:
        with _crowd(server, 200, b""):
            time.sleep(1)
        assert _post(server, 1) == 200
        assert server.stop() == 0
    assert "Traceback" not in server.told
    assert len(server.told.splitlines()) < 10


def _is_ended(one: socket.socket) -> bool:
    """Send a byte now and then, which gives no more time, until the other side has had enough."""
    one.settimeout(0.2)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if not one.recv(65536):
                return True
            one.sendall(b"x")
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_who_does_not_do_their_part_is_ended(tmp_path: Path) -> None:
    path = str(tmp_path / "events.jsonl")
    with (
        running("listen", "--path", path, environment=ENVIRONMENT, before=SHORT) as server,
        ExitStack() as stack,
    ):
        waiting = {how: _opened(server, stack, *SLOW[how]) for how in SLOW}
        ended = {how: _is_ended(one) for how, one in waiting.items()}
    assert ended == dict.fromkeys(SLOW, True)


def test_who_says_nothing_on_a_port_with_tls_is_ended_too(
    tmp_path: Path, certificate: Certificate
) -> None:
    path = str(tmp_path / "events.jsonl")
    options = ("--path", path, *certificate.options)
    with running("listen", *options, environment=ENVIRONMENT, before=LIMIT.format(128)) as server:
        with _crowd(server, 200, b""):
            context = ssl.create_default_context(cafile=certificate.cert)
            assert [_post(server, number, verify=context) for number in (1, 2)] == [200, 200]
        assert server.stop() == 0
    assert "Traceback" not in server.told


class _Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def _pair(stack: ExitStack) -> socket.socket:
    ours, theirs = socket.socketpair()
    stack.enter_context(theirs)
    return stack.enter_context(ours)


def test_one_address_has_a_quarter_and_a_newcomer_takes_the_place_of_the_most_numerous() -> None:
    clock = _Clock()
    limits = ConnectionLimits(lambda _: None, most=40, now=clock)
    ended: list[str] = []
    with ExitStack() as stack:

        def come(address: str) -> bool:
            clock.at += 0.001
            accepted = _pair(stack)
            let_in = limits.admit(accepted, address)
            held = limits.connection(accepted.fileno())
            if let_in and held is not None:

                def close() -> None:
                    ended.append(address)
                    accepted.close()

                held.close = close
            return let_in

        assert all(come("192.0.2.1") for _ in range(15))
        assert ended == ["192.0.2.1"] * 5
        for number in range(2, 5):
            assert all(come(f"192.0.2.{number}") for _ in range(10))
        assert len(ended) == 5
        assert come("192.0.2.5")
        assert len(ended) == 6


def test_who_is_being_answered_keeps_their_place() -> None:
    limits = ConnectionLimits(lambda _: None, most=8)
    with ExitStack() as stack:
        accepted = [_pair(stack) for _ in range(9)]
        for one in accepted[:8]:
            assert limits.admit(one, "192.0.2.1")
            held = limits.connection(one.fileno())
            assert held is not None
            held.waits = lambda: False
        assert not limits.admit(accepted[8], "192.0.2.1")
