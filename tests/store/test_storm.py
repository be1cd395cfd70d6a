"""Two hosts that receive and four that send, while any of them and the database are killed."""

from __future__ import annotations

import itertools
import os
import random
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
from tests.server.webhooks import Process, running

from .test_several_hosts import Hosts, eventually, message

SECONDS = float(os.environ.get("STORM_SECONDS", "600"))
SENDERS = 4
IN_FLIGHT = 4
POSTERS = 4
CONVERSATIONS = 5 * POSTERS
ORDERED = {
    "received": "SELECT substr(delivery, 10) FROM notifycli.received ORDER BY transaction, id",
    "enqueued": "SELECT message_id FROM notifycli.notice ORDER BY id",
}
"""Where the order of events is told, each step before the next."""


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
                self._server.restart()
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


def _numbers(server: Postgres, query: str) -> list[int]:
    return [int(number) for number in server.psql("storm", query).split()]


def _late(numbers: list[int]) -> list[int]:
    """Give what comes after a later one of its conversation, and that one."""
    return [
        number
        for each in range(CONVERSATIONS)
        for pair in itertools.pairwise(n for n in numbers if n % CONVERSATIONS == each)
        if pair[1] < pair[0]
        for number in pair
    ]


@pytest.mark.slow
def test_nothing_is_lost_and_each_conversation_keeps_its_order(notifycli: Notifycli) -> None:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="notifycli-")))
        place.chmod(0o755)
        server = stack.enter_context(postgres(place / "pg"))
        server.psql("postgres", "CREATE DATABASE storm")
        # The numbers of transactions soon have a digit more, and come in their order all the same.
        server.psql("storm", "SELECT pg_current_xact_id() \\g /dev/null\n" * 9_000)
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
        orders = {step: _numbers(server, query) for step, query in ORDERED.items()}
    orders["posted"] = list(dict.fromkeys(hosts.posted))
    times = Counter(hosts.posted)
    doubled = times.total() - len(times)
    print(  # noqa: T201 - the figures of docs/servers.md
        f"{number} events, {dict(storm.kills)} killed, 0 lost, {doubled} doubled, longest answer "
        f"{max(storm.answered):.1f} s, all sent {calm:.1f} s after the storm"
    )
    kills = storm.kills["sender"] + SENDERS * storm.kills["database"]
    assert doubled <= kills * IN_FLIGHT, "only what was in flight may be sent again"
    late = {step: found for step, numbers in orders.items() if (found := _late(numbers))}
    concerned = {*itertools.chain(*late.values())}
    assert not late, [post for post in hosts.posts if int(post.split()[0]) in concerned]
    assert "Traceback" not in hosts.told
