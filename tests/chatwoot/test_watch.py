"""The live socket, of Rails' own server: what comes is kept, and what was missed is fetched."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp import WSMsgType, web

from notifycli.chatwoot import stream
from notifycli.secrets.token_format import Secret
from tests.chatwoot.past import PastChatwoot, Talk
from tests.chatwoot.recorded import ROOT, Asked, Person, Reply, serving
from tests.conftest import Notifycli, needs_package

Json = dict[str, Any]
PUBSUB = "CanaryOfTheSocket"
_WAIT = 90.0


@pytest.fixture
def chatwoot() -> Iterator[PastChatwoot]:
    found = PastChatwoot()
    found.pubsub_token = PUBSUB
    with serving(found):
        yield found


class Cable:
    """Rails' Action Cable in front of the tests' own Chatwoot; it can be stopped and started."""

    def __init__(self, api: str, folder: Path, port: int) -> None:
        if shutil.which("puma") is None or not Path("/usr/share/rubygems-integration").exists():
            pytest.skip(needs_package("ruby-actioncable"))
        self._api = api.rpartition(":")[2]
        self._folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["puma", "-b", f"tcp://127.0.0.1:{self.port}"]
        with (self._folder / "puma.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(Path(__file__).with_name("cable.ru"))],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, "PUBSUB_TOKEN": PUBSUB, "API_PORT": self._api},
            )
        until(self._answers, "Action Cable to answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def publish(self, event: str, data: Json) -> None:
        body = json.dumps({"event": event, "data": data}).encode()
        requests.post(f"{self.url}/publish", body, timeout=_WAIT)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def cable(chatwoot: PastChatwoot, tmp_path: Path, port: int) -> Iterator[Cable]:
    found = Cable(chatwoot.url, tmp_path, port)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WAIT
    while not holds():
        assert time.monotonic() < deadline, f"waited {_WAIT:g} s for {what}"
        time.sleep(0.05)


class Watching:
    """`notifycli chatwoot watch` in a process of its own."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._process = process

    @property
    def told(self) -> str:
        return (self._folder / "stderr").read_text()

    @property
    def lines(self) -> list[Json]:
        path = self._folder / "events.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def until_told(self, text: str, times: int = 1) -> None:
        try:
            until(lambda: self.told.count(text) >= times, repr(text))
        except AssertionError as error:
            raise AssertionError(f"{error} in: {self.told}") from None

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        return self._process.wait(_WAIT)


@contextmanager
def watching(folder: Path) -> Iterator[Watching]:
    command = [sys.executable, "-m", "notifycli", "chatwoot", "watch", "-O", "events.jsonl"]
    with (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, stderr=err)
    try:
        yield Watching(folder, process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def desk(notifycli: Notifycli, cable: Cable) -> Notifycli:
    notifycli.ok("chatwoot", "login", cable.url, stdin=ROOT.encode())
    notifycli.ok("chatwoot", "pull")
    return notifycli


MESSAGE: Json = {
    "id": 5,
    "content": "hello",
    "message_type": 0,
    "created_at": 1_772_539_201,
    "conversation_id": 615,
    "account_id": 1,
    "sender": {"id": 900, "type": "contact"},
    "conversation": {"id": 615, "assignee_id": None, "inbox_id": 3},
}


def test_what_comes_is_kept_what_was_missed_is_fetched_and_no_secret_is_written(
    desk: Notifycli, cable: Cable, chatwoot: PastChatwoot
) -> None:
    with watching(desk.folder) as watch:
        watch.until_told("connected; events are kept in events.jsonl")
        cable.publish("message.created", MESSAGE)
        until(lambda: len(watch.lines) == 1, "the first line")
        assert {key: watch.lines[0][key] for key in ("event", "data")} == {
            "event": "message.created",
            "data": MESSAGE,
        }
        assert watch.lines[0]["received_at"].endswith("Z")
        cable.stop()
        watch.until_told("connection lost: ")
        now = int(time.time())
        chatwoot.say(Talk(615, 3, now - 5, assignee=7), now, id=6)
        cable.start()
        watch.until_told("2 events since ")
        assert [(line["event"], line["id"]) for line in watch.lines[1:]] == [
            ("conversation_created", 615),
            ("message_created", 6),
        ]
        assert watch.stop() == 0
        assert watch.told.splitlines()[-1] == "stopped; 3 events received"
        written = watch.told + (desk.folder / "events.jsonl").read_text()
    assert PUBSUB not in written
    assert f"connecting to {cable.url} as root@example.com, who counts as online" in written


def a_log_with_a_gap(folder: Path) -> Path:
    path = folder / "events.jsonl"
    before = {"event": "message_created", **MESSAGE, "id": 4, "created_at": int(time.time()) - 30}
    path.write_text(json.dumps(before) + "\n")
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_a_server_hangs_what_comes_is_kept_and_a_stop_is_obeyed(
    desk: Notifycli, cable: Cable, chatwoot: PastChatwoot, number: signal.Signals
) -> None:
    hanging, go_on = threading.Event(), threading.Event()

    def hang(asked: Asked, _person: Person | None) -> None:
        if "/conversations" in asked.path:
            hanging.set()
            go_on.wait()

    chatwoot.before = hang
    a_log_with_a_gap(desk.folder)
    try:
        with watching(desk.folder) as watch:
            until(hanging.is_set, "the history to be asked for")
            for id_ in range(5, 15):
                cable.publish("message.created", {**MESSAGE, "id": id_})
            until(lambda: len(watch.lines) == 11, "what came")
            assert watch.stop(number) == 0
            # Action Cable's threads may take turns in another order than they were called in.
            assert sorted(line["data"]["id"] for line in watch.lines[1:]) == list(range(5, 15))
            assert "isn't all there: notifycli chatwoot history --since " in watch.told
            assert watch.told.splitlines()[-1] == "stopped; 10 events received"
    finally:
        go_on.set()


def test_a_gap_that_cannot_be_fetched_is_tried_again_with_growing_pauses(
    desk: Notifycli, cable: Cable, chatwoot: PastChatwoot
) -> None:
    refused: list[str] = []

    def refuse(asked: Asked, _person: Person | None) -> None:
        if "/conversations" in asked.path and len(refused) < 2:
            refused.append(asked.path)
            raise Reply(500, {"error": "out of order"})

    chatwoot.before = refuse
    a_log_with_a_gap(desk.folder)
    now = int(time.time())
    chatwoot.say(Talk(615, 3, now - 10, assignee=7), now - 5, id=6)
    with watching(desk.folder) as watch:
        watch.until_told("couldn't be fetched")
        for id_ in range(20, 25):
            cable.publish("message.created", {**MESSAGE, "id": id_})
        watch.until_told("2 events since ")
        assert re.findall(r"couldn't be fetched: .* again in (\d+) s", watch.told) == ["1", "2"]
        assert "read so far" not in watch.told
        assert watch.stop() == 0
        assert watch.told.splitlines()[-1] == "stopped; 7 events received"
        assert "isn't all there" not in watch.told
        assert sorted((line.get("data") or line)["id"] for line in watch.lines) == [
            *(4, 6, 20, 21, 22, 23, 24, 615)
        ]


def test_what_comes_and_what_was_missed_have_the_account_s_number_here(
    notifycli: Notifycli, cable: Cable, chatwoot: PastChatwoot
) -> None:
    chatwoot.accounts = [(3, "Acme")]
    login = ("chatwoot", "login", cable.url, "-a", "1", "--remote", "3")
    notifycli.ok(*login, stdin=ROOT.encode())
    notifycli.ok("chatwoot", "pull")
    now = int(time.time())
    live = {**MESSAGE, "created_at": now, "account_id": 3}
    with watching(notifycli.folder) as watch:
        watch.until_told("connected; ")
        cable.publish("message.created", live)
        until(lambda: len(watch.lines) == 1, "the first line")
        assert watch.lines[0]["data"] == {**live, "account_id": 1}
        cable.stop()
        watch.until_told("connection lost: ")
        chatwoot.say(Talk(615, 3, now - 5, assignee=7), now, id=5)
        cable.start()
        watch.until_told("1 event since ")
        assert watch.stop() == 0
        assert [(line["event"], line["account"]) for line in watch.lines[1:]] == [
            ("conversation_created", {"id": 1})
        ]


def test_who_is_in_an_inbox_is_warned_before_connecting(desk: Notifycli) -> None:
    desk.ok("inbox", "add", "4", "--name", "Shop", "--member", "root@example.com")
    with watching(desk.folder) as watch:
        watch.until_told("connected; ")
        before = watch.told.partition("connected; ")[0]
        assert (
            "warning: root@example.com is in Shop: their own e-mails wait, and new conversations "
            "may be given to them; better log in as an administrator who is in no inbox"
        ) in before
        assert watch.stop() == 0


def test_a_refused_subscription_ends_it(desk: Notifycli, chatwoot: PastChatwoot) -> None:
    chatwoot.pubsub_token = "another"  # noqa: S105 - one that isn't the server's
    with watching(desk.folder) as watch:
        watch.until_told("error: Chatwoot refuses the subscription to its live socket")
        assert watch.wait() == 77


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _only_ping(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse(protocols=("actioncable-v1-json",))
    await response.prepare(request)
    while True:
        await response.send_str('{"type":"ping","message":1}')
        with suppress(TimeoutError):
            if (await response.receive(timeout=0.02)).type is not WSMsgType.TEXT:
                return response


@asynccontextmanager
async def _silent(stack: AsyncExitStack, *, pings: bool) -> AsyncIterator[int]:
    """No Action Cable does so: a server that takes connections, and answers no subscription."""
    if pings:
        application = web.Application()
        application.router.add_get("/cable", _only_ping)
        runner = web.AppRunner(application, shutdown_timeout=0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield int(runner.addresses[0][1])
    else:
        server = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
        stack.callback(server.close)
        yield int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("pings", [False, True], ids=["nothing", "but pings"])
def test_a_server_that_answers_no_subscription_is_said_to(
    monkeypatch: pytest.MonkeyPatch, pings: bool
) -> None:
    monkeypatch.setattr(stream, "_SILENT_SECONDS", 0.2)

    async def lost() -> list[object]:
        async with AsyncExitStack() as stack, _silent(stack, pings=pings) as port:
            stop = asyncio.Event()
            address = stream.Address(f"http://127.0.0.1:{port}", 1, 1, Secret(PUBSUB), 1)
            told: list[object] = []
            async for one in stream.messages(address, stop):
                told.append(one.why if isinstance(one, stream.Lost) else one)
                stop.set()
            return told

    assert asyncio.run(asyncio.wait_for(lost(), _WAIT)) == ["no answer for 0.2 s"]
