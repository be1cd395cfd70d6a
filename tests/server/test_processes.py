"""`listen` and `serve` as programs: killed, stopped, short of disk, and where they may listen."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Notifycli

from .certificates import Certificate
from .webhooks import SECRET, Process, body, kept, running, signed

CLIENTS = 24
ENVIRONMENT = {"NOTIFYCLI_LISTEN_SECRET": SECRET}


class Load:
    """Clients that send events at once, and what they were answered."""

    def __init__(self) -> None:
        self.sent = 0
        self.confirmed: list[int] = []
        self.refused = 0

    async def send(self, url: str, until: asyncio.Event) -> None:
        """Send until the server has gone."""
        limits = httpx2.Limits(max_connections=CLIENTS)
        async with httpx2.AsyncClient(limits=limits, timeout=30, trust_env=False) as client:
            await asyncio.gather(*(self._client(client, url, until) for _ in range(CLIENTS)))

    async def _client(self, client: httpx2.AsyncClient, url: str, until: asyncio.Event) -> None:
        while not until.is_set():
            self.sent += 1
            number = self.sent
            data = body(number)
            try:
                answer = await client.post(
                    url, content=data, headers=signed(data, delivery=f"delivery-{number}")
                )
            except httpx2.TransportError:
                return
            if answer.status_code == 200:
                self.confirmed.append(number)
            else:
                self.refused += 1


async def _killed_under_load(load: Load, server: Process, confirmed: int) -> None:
    until = asyncio.Event()
    clients = asyncio.create_task(load.send(server.url, until))
    wanted = len(load.confirmed) + confirmed
    while len(load.confirmed) < wanted:
        await asyncio.sleep(0.005)
        assert not clients.done()
    server.process.kill()
    until.set()
    await clients


async def _sent_again(url: str, count: int) -> set[int]:
    limits = httpx2.Limits(max_connections=CLIENTS)
    async with httpx2.AsyncClient(limits=limits, timeout=30, trust_env=False) as client:
        answers = [
            client.post(url, content=data, headers=signed(data, delivery=f"delivery-{number}"))
            for number in range(1, count + 1)
            for data in (body(number),)
        ]
        return {answer.status_code for answer in await asyncio.gather(*answers)}


@pytest.mark.parametrize("kills", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_a_kill_at_any_moment_loses_nothing_that_was_confirmed(tmp_path: Path, kills: int) -> None:
    path, load = tmp_path / "events.jsonl", Load()
    for round_ in range(kills):
        with running("listen", "--path", str(path), environment=ENVIRONMENT) as server:
            asyncio.run(_killed_under_load(load, server, 40 + 37 * round_))
    with running("listen", "--path", str(path), environment=ENVIRONMENT) as server:
        # Whoever heard nothing sends it again; whoever was confirmed may too.
        assert asyncio.run(_sent_again(server.url, load.sent)) == {200}
        assert server.stop() == 0
    assert len(load.confirmed) > 40 * kills
    assert Counter(event["id"] for event in kept(path)) == Counter(range(1, load.sent + 1))


FULL = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (1150, r.RLIM_INFINITY))"


def test_a_full_disk_is_503_and_told_until_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    # Else it would write the bytecode that is missing too, cut off where the disk is full, and no
    # other test could import those modules any more.
    environment = {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"}
    with running("listen", "--path", str(path), environment=environment, before=FULL) as server:
        url, pid = server.url, server.process.pid

        def post(number: int) -> int:
            data = body(number)
            return httpx2.post(url, content=data, headers=signed(data)).status_code

        answered = [post(number) for number in range(1, 8)]
        assert answered == [200] * 4 + [503] * 3
        subprocess.run(["prlimit", f"--pid={pid}", "--fsize=unlimited"], check=True)
        assert post(8) == 200
        assert server.stop() == 0
    assert [event["id"] for event in kept(path)] == [1, 2, 3, 4, 8]
    assert server.told.count("error: events can't be kept in") == 1
    assert server.told.count("events are kept in") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_server_after_what_it_was_answering(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "events.jsonl"
    data = body(1)
    with running("listen", "--path", str(path), environment=ENVIRONMENT) as server:
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as client:
            head = {**signed(data), "content-length": str(len(data)), "expect": "100-continue"}
            client.request("POST", "/", headers=head)
            # Until the server reads, which it says, the connection is idle, and may be closed.
            assert client.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sock.sendall(data[:20])
            server.process.send_signal(number)
            client.sock.sendall(data[20:])
            # The event was on its way when the signal came.
            assert client.getresponse().status == 200
        assert server.ended() == 0
    assert server.told.splitlines()[-1] == "stopped; 1 event received"
    assert "Traceback" not in server.told
    assert [event["id"] for event in kept(path)] == [1]


def test_events_are_kept_in_no_folder_that_is_not_there(notifycli: Notifycli) -> None:
    result = notifycli(
        "listen", "--path", "nowhere/events.jsonl", environment={"NOTIFYCLI_LISTEN_SECRET": SECRET}
    )
    told = "error: there is no folder for nowhere/events.jsonl\n  mkdir -p nowhere\n"
    assert (result.status, result.stderr) == (2, told)


def test_listen_asks_for_a_secret_unless_unsigned_is_said(notifycli: Notifycli) -> None:
    result = notifycli("listen", environment={"NOTIFYCLI_KEYRING": "file"})
    assert (result.status, result.stderr) == (
        78,
        """error: no secret is set to check the signatures of webhooks with
  notifycli config set listen.secret; or, if your server signs nothing: --unsigned
""",
    )


PLACES = [
    (["--host", "0.0.0.0"], 2, "at 0.0.0.0 others could read the secrets of every request"),  # noqa: S104 - refused
    (["--host", "::"], 2, "at :: others could read the secrets of every request"),
    (["--host", "desk.example"], 2, "at desk.example others could read the secrets"),
    (["--tls-cert", "cert.pem"], 2, "--tls-cert and --tls-key belong together"),
    (["--tls-cert", "a.pem", "--tls-key", "b.pem"], 78, "the certificate a.pem and key b.pem"),
    (["--behind-proxy", "proxy"], 2, "--behind-proxy proxy: this is no address and no network"),
]


@pytest.mark.parametrize(("options", "status", "error"), PLACES)
def test_a_place_where_secrets_would_travel_in_the_clear_is_refused(
    notifycli: Notifycli, options: list[str], status: int, error: str
) -> None:
    result = notifycli("serve", "--port", "0", *options)
    assert (result.status, result.stderr.removeprefix("error: ")[: len(error)]) == (status, error)


def test_a_port_that_is_taken_is_told(notifycli: Notifycli, tmp_path: Path) -> None:
    path = str(tmp_path / "events.jsonl")
    with running("listen", "--unsigned", "--path", path) as server:
        result = notifycli("serve", "--port", str(server.port))
    assert result.status == 69
    assert f"127.0.0.1 port {server.port} can't be listened at" in result.stderr


def test_with_a_certificate_it_speaks_tls(certificate: Certificate) -> None:
    with running("serve", *certificate.options) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=certificate.cert)
        answer = httpx2.get(f"{server.url}/openapi.json", verify=context)
        assert answer.status_code == 200
        assert server.stop() == 0


def test_a_proxy_says_who_is_asking_and_nobody_else(desk: Notifycli) -> None:
    def refused(url: str, clients: list[str]) -> list[int]:
        with httpx2.Client(headers={"api_access_token": "x" * 24}) as asked:
            return [
                asked.get(f"{url}/api/v1/profile", headers={"x-forwarded-for": client}).status_code
                for client in clients
            ]

    asking = [f"192.0.2.{number % 2}" for number in range(22)]
    with running("serve", "--db", str(desk.store), "--behind-proxy", "127.0.0.1") as server:
        # Ten failures each, then both have to wait, and a third hasn't.
        assert refused(server.url, [*asking, "192.0.2.9"]) == [401] * 20 + [429] * 2 + [401]
        server.stop()
    with running("serve", "--db", str(desk.store)) as server:
        assert refused(server.url, asking) == [401] * 10 + [429] * 12
        server.stop()


NO_STORES = [
    ("a file that is no store", b"no store" * 100, 78, "error: "),
    ("a file of a byte", b"x", 78, "error: "),
]


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [row[1:] for row in NO_STORES],
    ids=[row[0] for row in NO_STORES],
)
def test_a_store_that_cannot_be_opened_is_not_served(
    notifycli: Notifycli, tmp_path: Path, content: bytes, status: int, error: str
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    result = notifycli("serve", "--port", "0", "--db", str(path))
    assert (result.status, result.stderr[: len(error)]) == (status, error)
    assert str(path) in result.stderr
    assert " at http" not in result.stderr
    assert path.read_bytes() == content
