"""What the operations of a store take with each engine: SQLite in a file, PostgreSQL by a socket.

PostgreSQL runs on this machine, in a folder, without waiting for the disk (`fsync=off`); SQLite
waits as it always does. What a network adds is a round trip for each statement.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.frame import NOTIFYCLI, Done, Race, Way, WrongError, process
from benchmarks.import_preferences import KEYS_EACH, write_csv
from notifycli.events.event import LARGEST_ID
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.preferences import KEYS, Layer
from notifycli.store.outbox import EVERY_CHANNEL, NoticeState, OutboxEntry, Settled
from notifycli.store.store import Store, open_store
from notifycli.store.transaction import Entry as Value
from notifycli.store.transaction import Target

_NUMBERS = itertools.count(1)
_AT_ONCE = 20
_LEASE = 10**15

Operation = Callable[[Store, int], object]


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race each operation, and then the command that is waited for most."""
    users, amount = (50, 20) if small else (10_000, 300)
    with ExitStack() as stack:
        urls = {"SQLite": f"sqlite:///{folder}/store.db"}
        if shutil.which("psql"):
            urls["PostgreSQL"] = start_server(stack)
        stores = {name: stack.enter_context(open_store(url)) for name, url in urls.items()}
        for store in stores.values():
            _fill(store, users)
        for name, (operation, prepare) in _OPERATIONS.items():
            ways = [
                Way(
                    engine,
                    partial(_do, operation, store, amount),
                    partial(_do, prepare, store, amount),
                )
                for engine, store in stores.items()
            ]
            once = name.endswith(", once")
            called = name if once else f"{amount} times: {name}"
            yield Race(called, ways, amount=1 if once else amount)
        get = ("prefs", "get", "audio", "-u", "agent7@example.com")
        commands = [
            Way(engine, partial(process, *NOTIFYCLI, "--db", url, *get))
            for engine, url in urls.items()
        ]
        yield Race("prefs get", commands[::-1], rounds=21)
        yield _import(stack, folder, 50 if small else 50_000)


def _import(stack: ExitStack, folder: Path, users: int) -> Race:
    """Race the import of 20 preferences of each user, in a database that is empty before."""
    document = folder / "preferences.csv"
    write_csv(document, users)
    urls = {"SQLite": f"sqlite:///{folder}/imported.db"}
    if shutil.which("psql"):
        urls["PostgreSQL"] = start_server(stack)

    def fill(url: str) -> None:
        with open_store(url) as store, store.change(1, "benchmark", "benchmark") as change:
            change.put_users(User(i, f"agent{i}@example.com") for i in range(1, users + 1))

    def counted(_: object) -> None:
        for url in urls.values():
            with open_store(url) as store:
                found = sum(1 for _ in store.document_values(1, [Layer.USER]))
            if found != users * KEYS_EACH:
                raise WrongError(f"{url} has {found} preferences")

    ways = [
        Way(
            engine,
            partial(process, *NOTIFYCLI, "--db", url, "prefs", "import", document),
            partial(fill, url),
        )
        for engine, url in urls.items()
    ]
    return Race("prefs import", ways, users * KEYS_EACH, "rows", rounds=1, check=counted)


def start_server(stack: ExitStack) -> str:
    """Start PostgreSQL, until the stack ends; gives the address of a database."""
    from tests.chatwoot.database import postgres  # noqa: PLC0415 - the tests' tools are needed

    # A socket's path is short, and the server's own user has to reach it.
    place = Path(stack.enter_context(TemporaryDirectory(prefix="notifycli-")))
    place.chmod(0o755)
    server = stack.enter_context(postgres(place / "pg"))
    return f"postgresql://postgres@/postgres?host={server.socket}"


def _fill(store: Store, users: int) -> None:
    with store.change(1, "benchmark", "benchmark") as change:
        change.put_users(User(user, f"agent{user}@example.com") for user in range(1, users + 1))
        change.set(
            Value(Target(Layer.USER, user), key, KEYS[key].values[-1])
            for user in range(1, users + 1)
            for key in sorted(KEYS)[:5]
        )


def _do(operation: Operation, store: Store, amount: int) -> Done:
    return Done(operation(store, amount))


def _read_one(store: Store, amount: int) -> object:
    return [store.preferences_of(1, 1 + number % 50) for number in range(amount)] and amount


def _change_one(store: Store, amount: int) -> object:
    values = KEYS["audio"].values
    for number in range(amount):
        with store.change(1, "prefs set", "benchmark") as change:
            change.set([Value(Target(Layer.USER, 1), "audio", values[number % len(values)])])
    return store.preferences_of(1, 1).user


def _find_one(store: Store, amount: int) -> object:
    return [store.user(1, f"agent{1 + number % 50}@example.com") for number in range(amount)]


def _find_token(store: Store, amount: int) -> object:
    return [store.tokens.with_digest(f"{number}") for number in range(amount)]


def _tell_history(store: Store, amount: int) -> object:
    return [len([*store.history.values(1, users=[1], limit=10)]) for _ in range(amount)]


def _read_all(store: Store, _: int) -> object:
    directory, preferences = store.directory(1), store.preferences(1)
    return len(directory.users), len(preferences.user)


def _export(store: Store, _: int) -> object:
    return sum(1 for _ in store.document_values(1, [Layer.USER]))


def _add_and_remove(store: Store, amount: int) -> object:
    for _ in range(amount):
        with store.change(1, "user add", "benchmark") as change:
            change.put_users([User(LARGEST_ID, "new@example.com")])
        with store.change(1, "user remove", "benchmark") as change:
            change.remove(User(LARGEST_ID, "new@example.com"))
    return store.user(1, LARGEST_ID)


def _undo(store: Store, _: int) -> object:
    with store.changes("prefs undo", "benchmark") as changes:
        staging = store.staging()
        store.history.stage_undoing(staging, 1, store.history.change(1, None).id, force=True)
        return changes(1).settle(staging)


def _write_notices(store: Store, amount: int) -> object:
    return len(store.outbox.write([entry(number) for number in range(amount)], 1).new)


def _send_notices(store: Store, amount: int) -> object:
    """Lease and settle as the engine does, until nothing is open; gives how many."""
    settled: list[Settled] = []
    sent = -amount
    while True:
        leased = store.outbox.turn("benchmark", settled, _AT_ONCE, EVERY_CHANNEL, 2, _LEASE, ())
        if not leased:
            return sent
        settled = [Settled(notice.id, NoticeState.SENT, 2) for notice in leased]
        sent += len(leased)


def entry(conversation: int) -> OutboxEntry:
    """Return a notice of a new message in a conversation."""
    number = next(_NUMBERS)
    return OutboxEntry(
        event_key=number.to_bytes(8, "big"),
        account_id=1,
        user_id=7,
        type=NotificationType.ASSIGNED_MESSAGE,
        channel=Channel.EMAIL,
        event="message_created",
        conversation_id=conversation,
        inbox_id=3,
        inbox_name="",
        message_id=number,
        at=1,
        contact="Ada",
        author="Ada",
        text="Where is my order?",
    )


def _fill_outbox(store: Store, amount: int) -> object:
    _send_notices(store, amount)
    return _write_notices(store, amount)


def _nothing(_: Store, __: int) -> None:
    pass


_OPERATIONS: dict[str, tuple[Operation, Operation]] = {
    "read one user's preferences": (_read_one, _nothing),
    "find a user": (_find_one, _nothing),
    "find a token": (_find_token, _nothing),
    "change one preference": (_change_one, _nothing),
    "tell ten changes of a user": (_tell_history, _nothing),
    "read the whole account, once": (_read_all, _nothing),
    "export the account, once": (_export, _nothing),
    "add a user, and remove them": (_add_and_remove, _nothing),
    "take a change back, once": (_undo, _nothing),
    "write to the outbox": (_write_notices, _send_notices),
    "lease and settle": (_send_notices, _fill_outbox),
}
