"""Two hosts that receive and four that send, while any of them and the database are killed."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from notifycli.errors import NotifycliError
from notifycli.store.store import open_store
from tests.chatwoot.database import Postgres, postgres
from tests.conftest import Notifycli
from tests.delivery.mail_server import free_port
from tests.server.webhooks import Process, running

from .test_several_hosts import Hosts, eventually, message

SECONDS = float(os.environ.get("STORM_SECONDS", "600"))
SENDERS = 4
IN_FLIGHT = 4
POSTERS = 4
CONVERSATIONS = 5 * POSTERS


class Storm:
    """What is running, and what was done to it."""

    def __init__(self, hosts: Hosts, server: Postgres, url: str, stack: ExitStack) -> None:
        self._hosts = hosts
        self._server = server
        self._url = url
        self._stack = stack
        self._chance = random.Random(18)  # noqa: S311 - a test's own dice
        self._over = threading.Event()
        self.kills = Counter[str]()
        self.workers = [hosts.start(0.02) for _ in range(SENDERS)]
        self.listening = [self._listen() for _ in range(2)]
        self.answered: list[float] = []

    def _listen(self) -> Process:
        options = ("listen", "--store", "--unsigned", "--db", self._url)
        return self._stack.enter_context(running(*options))

    def rage(self) -> None:
        """Kill something every few seconds, and start again what has ended, as systemd does."""
        while not self._over.wait(self._chance.uniform(0.5, 3)):
            which = self._chance.choices(("sender", "receiver", "database"), (10, 4, 1))[0]
            self.kills[which] += 1
            if which == "sender":
                self._chance.choice(self.workers).kill()
            elif which == "receiver":
                place = self._chance.randrange(2)
                self.listening[place].kill()
                self.listening[place] = self._listen()
            else:
                _restart(self._server)
            self.mend()

    def mend(self) -> None:
        for place, process in enumerate(self.workers):
            if process.poll() is not None:
                self.workers[place] = self._hosts.start(0.02)

    def post_all(self, poster: int) -> int:
        """Post one event after the other, of conversations of one's own; gives how many."""
        until = time.monotonic() + SECONDS
        numbers = itertools.count(poster, POSTERS)
        for count, number in enumerate(numbers):
            if time.monotonic() > until:
                return count
            self.post(number)
        raise AssertionError

    def post(self, number: int) -> None:
        """Post an event until it is answered 200, to whichever host takes it."""
        data = message(number, number % CONVERSATIONS)
        headers = {"x-chatwoot-delivery": str(data.delivery), "host": "127.0.0.1"}
        begun = time.monotonic()
        for place in itertools.count(self._chance.randrange(2)):
            with suppress(httpx2.HTTPError):
                url = self.listening[place % 2].url
                answer = httpx2.post(url, content=data.body, headers=headers, timeout=6)
                if answer.status_code == 200:
                    break
            time.sleep(0.05)
        self.answered.append(time.monotonic() - begun)

    @contextmanager
    def raging(self) -> Iterator[None]:
        thread = threading.Thread(target=self.rage)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            self.mend()


def _restart(server: Postgres) -> None:
    """Kill the database, and start it again."""
    program = max(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    as_server = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    control = [*as_server, str(program), "-D", str(server.socket / "data"), "-w"]
    control += ["-m", "immediate", "-l", str(server.socket / "log"), "restart"]
    subprocess.run(control, check=True, stdout=subprocess.DEVNULL, cwd=server.socket)


@pytest.mark.slow
def test_nothing_is_lost_and_each_conversation_keeps_its_order(notifycli: Notifycli) -> None:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="notifycli-")))
        place.chmod(0o755)
        server = stack.enter_context(postgres(place / "pg", free_port()))
        server.psql("postgres", "CREATE DATABASE storm")
        url = f"postgresql://postgres@/storm?host={server.socket}&port={server.port}"
        hosts = Hosts(notifycli, url)
        stack.callback(hosts.kill)
        storm = Storm(hosts, server, url, stack)
        with storm.raging(), ThreadPoolExecutor(POSTERS) as pool:
            number = sum(pool.map(storm.post_all, range(POSTERS)))
        begun = time.monotonic()

        def settled() -> bool:
            storm.mend()
            with suppress(NotifycliError), open_store(url) as store:
                return [count.state for count in store.outbox.counts()] == ["sent"] and len(
                    {*hosts.posted}
                ) == number
            return False

        eventually(settled, lambda: hosts.told)
        calm = time.monotonic() - begun
        with open_store(url) as store:
            assert store.received.count() == number
        hosts.kill()
    times, firsts = Counter(hosts.posted), list(dict.fromkeys(hosts.posted))
    doubled = times.total() - len(times)
    print(  # noqa: T201 - the figures of docs/servers.md
        f"{number} events, {dict(storm.kills)} killed, 0 lost, {doubled} doubled, longest answer "
        f"{max(storm.answered):.1f} s, all sent {calm:.1f} s after the storm"
    )
    kills = storm.kills["sender"] + SENDERS * storm.kills["database"]
    assert doubled <= kills * IN_FLIGHT, "only what was in flight may be sent again"
    late = [
        (after, before)
        for each in range(CONVERSATIONS)
        for before, after in itertools.pairwise(n for n in firsts if n % CONVERSATIONS == each)
        if after < before
    ]
    assert not late, "each comes after those before it of its conversation"
    assert "Traceback" not in hosts.told
