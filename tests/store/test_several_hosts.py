"""Several hosts, one store: what they receive, and which of them delivers it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifycli.cli.deliver.source import Followed, LogFollower
from notifycli.delivery import enqueue
from notifycli.delivery.channels import discard
from notifycli.delivery.engine import Channels
from notifycli.delivery.enqueue import Enqueuer, Terms, pack_state, unpack_state
from notifycli.errors import TryAgainError, UsageError
from notifycli.rules.notifications import Channel
from notifycli.rules.state import AccountState
from notifycli.secrets.token_format import Secret
from notifycli.server.journal import StoredLog
from notifycli.server.webhooks import WebhookReceiver
from notifycli.store.outbox import EVERY_CHANNEL
from notifycli.store.received_events import AccountPlace, Arrival, KeptState, Place
from notifycli.store.store import Store, locate, open_store
from tests.chatwoot.database import Postgres
from tests.conftest import DESK, Notifycli
from tests.outbox.desk import Post
from tests.server.webhooks import SECRET, body, signed

from .contract.test_outbox import entry

psycopg2: Any = pytest.importorskip("psycopg2", reason="needs psycopg2")
received = pytest.importorskip("notifycli.store.postgres.received")

_NAMES = itertools.count()
_ROOT = Path(__file__).parent.parent.parent
_LONGEST_SECONDS = 60


@pytest.fixture
def url(postgresql: Postgres) -> str:
    """A store of its own."""
    name = f"hosts_{next(_NAMES)}"
    postgresql.psql("postgres", f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={postgresql.socket}&port={postgresql.port}"


@pytest.fixture
def hosts(url: str) -> Iterator[list[Store]]:
    """The store, as two hosts have it open."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_store(url)) for _ in range(2)]


def arrival(number: int, account: int = 1) -> Arrival:
    return Arrival(account, f'{{"n":{number}}}', f"delivery-{number}")


def numbers(store: Store, account: int, after: Place = Place()) -> list[str]:  # noqa: B008 - immutable
    return [event.body for event in store.received.read(account, after, 100)]


def test_the_newest_events_of_an_account_are_told_in_their_order(hosts: list[Store]) -> None:
    hosts[0].received.write([arrival(1), arrival(2, account=2), arrival(3)])
    hosts[1].received.write([arrival(4)])
    told = hosts[0].received.newest(1, 2)
    assert told == [arrival(3).body, arrival(4).body]


def test_a_delivery_is_kept_once_whichever_host_it_reaches(url: str) -> None:
    with ExitStack() as stack:
        told: list[str] = []
        logs = [StoredLog(locate(url), 5) for _ in range(2)]
        clients = []
        for log in logs:
            log.open()
            stack.callback(log.close)
            hooks = WebhookReceiver(log, [Secret(SECRET)], told.append)
            clients.append(stack.enter_context(TestClient(hooks.application())))
        for number, client in itertools.product(range(3), clients):
            data = body(number) if number else b'{"event":"presence_update"}'
            headers = signed(data, delivery=f"d-{number}")
            assert client.post("/", content=data, headers=headers).status_code == 200
        assert not [line for line in told if "error" in line]
        assert [client.get("/readyz").status_code for client in clients] == [200, 200]
    with open_store(url) as store:
        assert [len(numbers(store, account)) for account in (1, 5)] == [2, 1]
        assert '"received_at"' in numbers(store, 1)[0]
        assert store.received.count() == 3


def test_a_store_in_a_file_says_that_it_is_one_machines(notifycli: Notifycli) -> None:
    with open_store("desk.db") as store, pytest.raises(UsageError, match="one machine's"):
        _ = store.received
    for command in ("listen --store --unsigned", "deliver --follow --store"):
        result = notifycli(*command.split(), "--db", "desk.db")
        assert (result.status, "postgresql://" in result.stderr) == (2, True)


def test_what_is_committed_late_is_read_all_the_same(url: str, hosts: list[Store]) -> None:
    one, other = hosts
    one.received.write([arrival(1)])
    with closing(psycopg2.connect(url)) as slow:
        slow.cursor().execute(
            "INSERT INTO notifycli.received (account_id, body) VALUES (1, 'late')"
        )
        other.received.write([arrival(2)])
        (first,) = one.received.read(1, Place(), 100)
        assert first.body == '{"n":1}', "what is behind an open transaction waits for it"
        slow.commit()
    assert numbers(one, 1, first.place) == ["late", '{"n":2}']


def test_the_tenth_transaction_comes_after_the_ninth(url: str, hosts: list[Store]) -> None:
    log = hosts[0].received
    log.write([arrival(number) for number in range(4)])
    with closing(psycopg2.connect(url)) as connection, connection:
        connection.cursor().execute(
            "UPDATE notifycli.received SET transaction = (7 + id)::text::xid8"
        )
    written = [Place(8, 1), Place(9, 2), Place(10, 3), Place(11, 4)]
    assert [event.place for event in log.read(1, Place(), 100)] == written
    assert [page.place for last in [Place(), *written] for page in log.read(1, last, 1)] == written


def test_each_account_has_one_host_until_its_lease_is_over(
    hosts: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = hosts
    one.received.write([arrival(number, account) for number, account in enumerate((1, 2))])
    assert one.received.lease("one") == {1: Place()}
    assert other.received.lease("other") == {2: Place()}
    assert one.received.lease("one") == {1: Place()}
    (event,) = one.received.read(1, Place(), 100)
    reached = AccountPlace(1, "one", event.place)
    one.outbox.write([entry(1, 7, Channel.EMAIL, 42)], 5, reached=[reached])
    one.received.release("one")
    assert other.received.lease("other") == {1: event.place, 2: Place()}
    with pytest.raises(TryAgainError, match="another host delivers account 1 by now"):
        one.outbox.write([entry(2, 7, Channel.EMAIL, 42)], 5, reached=[reached])
    assert [count.count for count in one.outbox.counts()] == [1], "nothing of it was written"
    monkeypatch.setattr(received, "LEASE_SECONDS", 0)
    other.received.lease("other")
    assert one.received.lease("one").keys() == {1}


def test_what_was_delivered_is_forgotten_in_time(hosts: list[Store]) -> None:
    log = hosts[0].received
    log.write([arrival(1)])
    log.write([arrival(2)])
    first, second = log.read(1, Place(), 100)
    log.lease("one")
    hosts[0].outbox.write([], 5, reached=[AccountPlace(1, "one", first.place, b"kept")])
    hosts[0].outbox.write([], 5, reached=[AccountPlace(1, "one", second.place)])
    log.tidy(1)
    assert log.count() == 2, "it is young"
    log.tidy(0)
    assert [*log.bodies()] == [second.body], "no state that is kept has it in it"


def test_a_state_is_kept_with_its_place_or_not_at_all(hosts: list[Store]) -> None:
    one, other = hosts
    one.received.write([arrival(1), arrival(2)])
    first, second = one.received.read(1, Place(), 100)
    one.received.lease("one")
    one.outbox.write([], 5, reached=[AccountPlace(1, "one", first.place, b"kept")])
    one.outbox.write([], 5, reached=[AccountPlace(1, "one", second.place)])
    assert other.received.state(1) == KeptState(first.place, b"kept")
    one.received.release("one")
    assert other.received.lease("other") == {1: second.place}
    with pytest.raises(TryAgainError):
        one.outbox.write([], 5, reached=[AccountPlace(1, "one", second.place, b"late")])
    assert other.received.state(1) == KeptState(first.place, b"kept")


def followed(
    url: str, told: list[str] | None = None, only: int | None = None
) -> list[tuple[str, bool, AccountState | None]]:
    """What a host that takes over is to replay: bodies, what is to be delivered, and from where."""
    tell = list[str]() if told is None else told
    follower = LogFollower(lambda: open_store(url), lambda _: False, tell.append, only)
    seen = [
        (item.event.body, item.fresh, item.state)
        for item in follower.events()
        if isinstance(item, Followed)
    ]
    with open_store(url) as store:
        store.received.release(follower.owner)
    return seen


def test_who_takes_over_goes_on_from_what_was_kept(url: str, hosts: list[Store]) -> None:
    store, state = hosts[0], AccountState(last=5)
    store.received.write([arrival(number) for number in range(4)])
    places = [event.place for event in store.received.read(1, Place(), 100)]
    store.received.lease("one")
    kept = AccountPlace(1, "one", places[1], pack_state(state))
    store.outbox.write([], 5, reached=[kept])
    store.outbox.write([], 5, reached=[AccountPlace(1, "one", places[2])])
    store.received.release("one")
    assert followed(url) == [('{"n":2}', False, state), ('{"n":3}', True, None)]


def test_what_another_version_has_kept_is_not_used_and_that_is_told(
    url: str, hosts: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, told = hosts[0], list[str]()
    store.received.write([arrival(1), arrival(2)])
    first, _ = store.received.read(1, Place(), 100)
    for version, why in (("0.0.1", "it was written by notifycli 0.0.1"), ("", "it is damaged")):
        monkeypatch.setattr(enqueue, "__version__", version)
        data = pack_state(AccountState()) if version else b"?"
        monkeypatch.undo()
        store.received.lease("one")
        store.outbox.write([], 5, reached=[AccountPlace(1, "one", first.place, data)])
        store.received.release("one")
        assert followed(url, told) == [('{"n":1}', False, None), ('{"n":2}', True, None)]
        assert told.pop() == (
            f"account 1: what was kept of it isn't used, {why}; "
            "its events are read again from the beginning of the log, as history"
        )


def test_one_account_alone_is_taken_where_one_is_named(url: str, hosts: list[Store]) -> None:
    hosts[0].received.write([arrival(number, account) for number, account in enumerate((1, 2))])
    assert [body for body, *_ in followed(url, only=2)] == ['{"n":1}']


@pytest.mark.parametrize(
    ("forgotten", "text"),
    [
        pytest.param(False, "message 100", id="what the customer wrote, which the log has"),
        pytest.param(True, "[not kept here any more]", id="that the log has it no longer"),
    ],
)
def test_who_takes_over_tells_of_a_wait(
    url: str,
    notifycli: Notifycli,
    monkeypatch: pytest.MonkeyPatch,
    *,
    forgotten: bool,
    text: str,
) -> None:
    Post().install(monkeypatch)
    notifycli.ok("directory", "import", "-", "--db", url, stdin=json.dumps(DESK).encode())
    notifycli.ok("prefs", "set", "email.waiting=on", "waiting_after=5m", "-u", "7", "--db", url)
    with open_store(url) as store:
        hosts = [
            Enqueuer(store, 1, Terms(), Channels(store, frozenset({Channel.EMAIL}), discard))
            for _ in range(2)
        ]
        store.received.write([message(100, 42, ago=400)])
        (event,) = store.received.read(1, Place(), 100)
        hosts[0].take(event.body.encode(), event.place.event, 1)
        state = pack_state(hosts[0].replay.account(1).state)
        store.received.lease("one")
        store.outbox.write([], 5, reached=[AccountPlace(1, "one", event.place, state)])
        if forgotten:
            store.received.tidy(0)
        hosts[1].resume(1, unpack_state(state))
        hosts[1].pass_to(time.time_ns() // 1_000)
        hosts[1].write()
        (told,) = store.outbox.turn("a", [], 9, EVERY_CHANNEL, store.outbox.now(), 9, ())
    assert (told.type, told.message_id, told.text) == ("conversation_waiting", 100, text)


class Hosts:
    """Processes that deliver from one store, and post what they send to one file."""

    def __init__(self, program: Notifycli, url: str) -> None:
        self._program = program
        self._url = url
        self._post = program.folder / "post"
        self.processes: list[subprocess.Popen[bytes]] = []
        program.ok("directory", "import", "-", "--db", url, stdin=json.dumps(DESK).encode())
        program.ok("prefs", "set", "email.message=on", "-u", "7", "--db", url)
        program.ok("config", "set", "deliver.concurrency=4", "--db", url)

    def start(self, seconds: float) -> subprocess.Popen[bytes]:
        more = {
            # Longer than a machine that is busy stands still.
            "LEASE_SECONDS": "3",
            "NOTIFYCLI_DB": self._url,
            "POST_FILE": str(self._post),
            "POST_SECONDS": str(seconds),
            "PYTHONPATH": str(_ROOT),
        }
        follow = ("deliver", "--follow", "--store", "--channel", "email", "-a", "1")
        with (self._program.folder / "told").open("ab") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.outbox.worker", *follow],
                env={**os.environ, **more},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=told,
            )
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """End all that hasn't ended."""
        for process in self.processes:
            process.kill()
            process.wait()

    @property
    def posts(self) -> list[str]:
        """What was posted: message, notice, process and time."""
        return self._post.read_text().splitlines() if self._post.exists() else []

    @property
    def posted(self) -> list[int]:
        return [int(line.split()[0]) for line in self.posts]

    @property
    def told(self) -> str:
        return (self._program.folder / "told").read_text()


def message(number: int, conversation: int, *, assigned: bool = True, ago: int = 0) -> Arrival:
    now = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    carried: dict[str, object] = {"id": conversation, "inbox_id": 3, "status": "open"}
    if assigned:
        carried["meta"] = {"assignee": {"id": 7}}
    text = body(number, created_at=now, conversation=carried).decode()
    return Arrival(1, text, f"delivery-{number}")


def eventually(done: Callable[[], bool], told: Callable[[], str]) -> None:
    until = time.monotonic() + _LONGEST_SECONDS
    while not done():
        assert time.monotonic() < until, told()
        time.sleep(0.02)


def test_one_that_is_killed_is_followed_by_another(notifycli: Notifycli, url: str) -> None:
    hosts = Hosts(notifycli, url)
    try:
        with open_store(url) as store:
            workers = [hosts.start(0.03) for _ in range(2)]
            for number in range(40):
                store.received.write([message(number, number % 4, assigned=number < 4)])
            eventually(lambda: len(hosts.posted) >= 10, lambda: hosts.told)
            rows = store.received
            workers[0].kill()
            for number in range(40, 60):
                rows.write([message(number, number % 4, assigned=False)])
            eventually(lambda: len({*hosts.posted}) == 60, lambda: hosts.told)
            # What the log doesn't say any more, the next one knows from what was kept.
            workers[1].kill()
            rows.tidy(0)
            workers.append(hosts.start(0.03))
            rows.write([message(60, 0, assigned=False)])
            eventually(lambda: 60 in hosts.posted, lambda: hosts.told)
            # What the killed one had posted and not noted is sent again after its lease.
            eventually(lambda: [c.state for c in store.outbox.counts()] == ["sent"], str)
            workers[2].send_signal(signal.SIGTERM)
            assert workers[2].wait(_LONGEST_SECONDS) == 0
    finally:
        hosts.kill()
    times = Counter(hosts.posted)
    assert sorted(times) == [*range(61)]
    # Four were in flight at each kill, and four more if the machine stood still for a lease.
    assert times.total() - len(times) <= 12, "only what was in flight may be sent again"
    firsts = list(dict.fromkeys(hosts.posted))
    for each in range(4):
        of_conversation = [number for number in firsts if number % 4 == each]
        assert of_conversation == sorted(of_conversation)
    assert "Traceback" not in hosts.told


def test_what_another_server_has_numbered_is_read_all_the_same(
    url: str, hosts: list[Store], notifycli: Notifycli
) -> None:
    log = hosts[0].received
    log.write([arrival(1), arrival(2)])
    with closing(psycopg2.connect(url)) as connection, connection:
        connection.cursor().execute(
            "UPDATE notifycli.received SET transaction = '999999999999';"
            "UPDATE notifycli.account_lease SET transaction = '999999999999', event_id = 1"
        )
    assert numbers(hosts[1], 1) == []
    log.tidy(30)
    assert log.lease("one") == {1: Place()}
    assert numbers(hosts[1], 1) == ['{"n":1}', '{"n":2}']
    written = notifycli.ok("events", "received", "--db", url)
    assert written.stdout == b'{"n":1}\n{"n":2}\n'
