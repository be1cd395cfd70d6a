"""What a store is to those who use it, and how one is opened: by a path or a URL.

An engine is a package in this one, which gives a `Database`: it takes the SQL that all
engines share, and does in its own way what is no SQL.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from msgspec import Struct

from notifycli.errors import ConfigurationError, UnavailableError, UsageError

if TYPE_CHECKING:
    from notifycli.rules.directory import Directory, Inbox, Team, User
    from notifycli.rules.layers import Preferences
    from notifycli.rules.preferences import Layer
    from notifycli.store.chatwoot_accounts import LinkedUsers, UiSettings
    from notifycli.store.history import History
    from notifycli.store.outbox import Outbox
    from notifycli.store.presets_and_tones import Presets, Tones
    from notifycli.store.received_events import Received
    from notifycli.store.settings import Configuration, Vault
    from notifycli.store.staged_values import Staging, Written
    from notifycli.store.subscriptions import Subscriptions
    from notifycli.store.tokens import Tokens
    from notifycli.store.transaction import Change

EVERYWHERE = 0
"""The scope of a user's value that holds everywhere: a primary key can't hold NULL."""

Parameters = Sequence[Any] | Mapping[str, Any]


class AccountName(Struct, frozen=True):
    """An account on record."""

    id: int
    name: str


class Connection(Struct, frozen=True):
    """An account's Chatwoot. Times are microseconds since 1970 UTC."""

    account_id: int
    url: str
    """The base URL, without a slash at its end."""
    remote_account_id: int
    """The account's number there."""
    pulled_at: int | None = None


class Link(Protocol):
    """The way to a `notifycli serve`, for an administrator."""

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request; give the status and the body of the answer."""
        ...

    def note(self, text: str) -> None:
        """Say something to whoever uses it."""
        ...

    def close(self) -> None:
        """End the connection; `ask` makes another one."""
        ...


class Location(Struct, frozen=True):
    """Where a store is: in a file, in the database of a server, or behind a `notifycli serve`."""

    file: Path | None
    url: str = ""
    """Of a server's; there is no password in it."""
    password: Callable[[], str | None] = lambda: None
    """Gives the password once a server asks for one that no file of PostgreSQL's says."""
    link: Link | None = None
    """To a `notifycli serve`."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.url or str(self.file)

    @property
    def folder(self) -> Path:
        """Where what belongs to the store lies on this machine: the journal, a file of secrets."""
        return _user_folder() if self.file is None else self.file.parent

    @property
    def exists(self) -> bool:
        """Whether there is a store yet, as far as can be seen without opening it."""
        if self.file is None:
            return True
        try:
            self.file.stat()
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            return True  # as far as can be seen: opening tells why it can't
        return True


class Inspection(Struct, frozen=True):
    """What somebody sees who looks a store over."""

    found: str
    """Where it is, its version, and how large it is."""
    trouble: str = ""
    """What is wrong with it; "" if nothing is."""
    remedy: str = ""
    meaning: str = ""
    """What it means that nothing is."""


class Upgrade(NamedTuple):
    """That a store of an earlier version was brought up to date when it was opened."""

    before: int
    now: int
    copy: Path
    """The store as it was before."""


def damage_error(name: str) -> ConfigurationError:
    """Make the error of a store that is not as it was written."""
    return ConfigurationError(
        f"the store {name} is damaged",
        "bring a backup back: notifycli restore FILE; what is wrong: notifycli doctor",
    )


class Store(Protocol):
    """An open store. Use it as a context manager."""

    location: Location

    @property
    def upgrade(self) -> Upgrade | None:
        """What became of a store of an earlier version; `None` if it was up to date."""
        ...

    def __enter__(self) -> Self:
        """Return the store itself."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...

    @property
    def chatwoot(self) -> LinkedUsers:
        """What was last seen of users of Chatwoot."""
        ...

    @property
    def configuration(self) -> Configuration:
        """What the channels are told."""
        ...

    @property
    def history(self) -> History:
        """What was changed, when and by whom."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What is to be delivered, and what was."""
        ...

    @property
    def presets(self) -> Presets:
        """Named sets of preferences."""
        ...

    @property
    def received(self) -> Received:
        """What several hosts have received; raises `UsageError` where only one can."""
        ...

    @property
    def subscriptions(self) -> Subscriptions:
        """Where pushes go: the browsers that asked for them."""
        ...

    @property
    def tokens(self) -> Tokens:
        """Access tokens, without their secrets."""
        ...

    @property
    def tones(self) -> Tones:
        """Tones of one's own."""
        ...

    @property
    def ui_settings(self) -> UiSettings:
        """What users have set in Chatwoot's own interface."""
        ...

    @property
    def vault(self) -> Vault:
        """The secrets of all hosts that use it, sealed."""
        ...

    def changes(self, command: str, who: str) -> AbstractContextManager[Callable[[int], Change]]:
        """Change several accounts, all or nothing; the value gives the change of an account.

        Accounts are created if they aren't on record. Each change leaves its trace in the history;
        one that changes nothing leaves none.
        """
        ...

    def change(self, account: int, command: str, who: str) -> AbstractContextManager[Change]:
        """Change one account; otherwise as `changes`."""
        ...

    def rehearsal(self, account: int) -> AbstractContextManager[Change]:
        """Change one account as `change` would, and take all of it back at the end."""
        ...

    def accounts(self) -> list[AccountName]:
        """Return the accounts on record, by id."""
        ...

    def connection(self, account: int) -> Connection | None:
        """Return which Chatwoot an account is connected to, if it is."""
        ...

    def connections(self) -> list[Connection]:
        """Return every connection, by account."""
        ...

    def dashboard_urls(self) -> dict[int, str]:
        """Return where accounts' dashboards are, where that is known, without a slash at the end.

        A Chatwoot may know an account by another number than we do.
        """
        ...

    def users(self, account: int) -> list[User]:
        """Return the users of an account, by id."""
        ...

    def user(self, account: int, reference: int | str) -> User | None:
        """Return a user by id or, without regard to case, by e-mail address."""
        ...

    def user_references(self, account: int) -> dict[str, int]:
        """Return the ids of an account's users by everything that names them.

        That is the id, the address, and the address in lower case.
        """
        ...

    def only_user(self, account: int) -> User | None:
        """Return the account's one user; `None` if there are none or several."""
        ...

    def has_inbox(self, account: int, id_: int) -> bool:
        """Whether an inbox is on record."""
        ...

    def inboxes(self, account: int) -> list[Inbox]:
        """Return the inboxes of an account with their members, by id."""
        ...

    def teams(self, account: int) -> list[Team]:
        """Return the teams of an account with their members, by id."""
        ...

    def subscribers(self, account: int) -> set[int]:
        """Return the ids of the users who have a push subscription."""
        ...

    def directory(self, account: int) -> Directory:
        """Return the account's directory as the rules use it."""
        ...

    def staging(self) -> Staging:
        """Return an empty place for values that are to be set, or compared with those that are."""
        ...

    def comparing(self) -> AbstractContextManager[Staging]:
        """Compare values with those that are set, and change nothing."""
        ...

    def document_values(self, account: int, layers: Iterable[Layer]) -> Iterator[Written]:
        """Return what is set in these layers of an account, in the order of documents."""
        ...

    def preferences(self, account: int) -> Preferences:
        """Return all that is set in an account."""
        ...

    def preferences_of(self, account: int, user: int | None) -> Preferences:
        """Return what is set for one user, and for the account; for `None` the latter alone."""
        ...

    def damage(self) -> str:
        """Return the first thing that is wrong with what is stored; an empty string if none."""
        ...

    def inspect(self) -> Inspection:
        """Look the store over: whether it is whole, can be changed, and is its owner's alone."""
        ...

    def copy_to(self, file: Path) -> None:
        """Write the whole store, as it is at one moment, into a new file that is one too."""
        ...

    def copy_from(self, store: Store) -> int:
        """Fill this store, which must be empty, with all that is in another (`copy.copy_store`)."""
        ...


class Cursor(Protocol):
    """What a statement answers (PEP 249)."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns of the rows, each with its name first."""
        ...

    @property
    def rowcount(self) -> int:
        """How many rows it has changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row; `None` if there is no more."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Return the rows that are left."""
        ...


class Reader(Protocol):
    """What runs the SQL that engines share.

    It marks parameters by `?` or `:name`, and has 0 and 1 for what is true or not.
    """

    def execute(self, sql: str, parameters: Parameters = ..., /) -> Cursor:
        """Run a statement."""
        ...


class Database(Reader, Protocol):
    """An engine's open database; statements are run within `transaction` or within `errors`."""

    @property
    def upgrade(self) -> Upgrade | None:
        """As `Store.upgrade`."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> object:
        """Run a statement for each of several parameters."""
        ...

    def errors(self) -> AbstractContextManager[None]:
        """Raise the product's errors where the engine raises its own, or a value can't be ours."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing, while nobody else writes; within `errors`."""
        ...

    def rehearsal(self) -> AbstractContextManager[None]:
        """Take everything back at the end; otherwise as `transaction`."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Read what is there at one moment; within `errors`."""
        ...

    def stage(self) -> None:
        """Make the table `staged` anew, which is this connection's own (`staging`)."""
        ...

    passing_over: str
    """How a SELECT ends whose rows are to be taken, so that two who do so don't take the same."""

    def brief(self) -> AbstractContextManager[None]:
        """Do all or nothing, beside others who write if the engine can; within `errors`."""
        ...

    def now(self) -> int:
        """As `Outbox.now`."""
        ...

    def received(self) -> Received:
        """As `Store.received`."""
        ...

    def version(self) -> int:
        """As `Outbox.version`."""
        ...

    def damage(self) -> str:
        """As `Store.damage`."""
        ...

    def inspect(self) -> Inspection:
        """As `Store.inspect`."""
        ...

    def copy_to(self, file: Path) -> bool:
        """Write a file as `Store.copy_to` does, if the engine has a way; else give False."""
        ...

    def count_on(self) -> None:
        """Have numbers that the engine gives to new rows follow those that are there."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


def locate(url: str | Path | None, password: Callable[[str], str | None] | None = None) -> Location:
    """Find the store that a path or a URL names; `None` names the one in the user's data folder.

    `sqlite:///desk.db` is a file in this folder, and `sqlite:////srv/desk.db` one of that path, as
    SQLAlchemy has it. `password` gives that of a server's address.

    Raises `UsageError` for a URL of an engine that isn't ours.
    """
    if url is None:
        return Location(_user_folder() / "notifycli.db")
    text = str(url)
    scheme, mark, rest = text.partition("://")
    if isinstance(url, str) and mark and scheme.replace("+", "").isalnum():
        if scheme.lower() in {"postgresql", "postgres"}:
            _check_for_password(text)
            # Once, for all connections of a process.
            return Location(None, text, cache(lambda: password(text) if password else None))
        text = rest.removeprefix("/")
        if scheme.lower() != "sqlite" or text == rest or not text:
            # Not the whole of it: a URL may hold a password.
            raise UsageError(
                f"no store can be opened at an address that begins with {scheme}://",
                "name a file, sqlite:///desk.db, or a database, postgresql://HOST/DATABASE",
            )
    return Location(Path(os.path.expanduser(text)))


def open_store(url: str | Path | Location, *, create: bool = True) -> Store:
    """Open the store that a path or a URL names; without `create`, a missing one is empty.

    Raises `UsageError` as `locate` does, `ConfigurationError` for what is no store of ours or is
    damaged, `NotPermittedError` and `TryAgainError`.
    """
    from notifycli.store.sql_store import SQLStore

    location = url if isinstance(url, Location) else locate(url)
    if location.link is not None:
        from notifycli.store.remote_store import RemoteStore

        return RemoteStore(location, location.link)
    return SQLStore(location, _connect(location, create=create))


def _connect(location: Location, *, create: bool) -> Database:
    """Connect to the engine that keeps a store, which is imported with its driver by then alone."""
    if location.file is not None:
        return _in_file(location.file, create=create)
    try:
        from notifycli.store.postgres.connection import PostgreSQL
    except ImportError as error:
        raise UnavailableError(
            f"a store in PostgreSQL needs what isn't installed: {error}",
            "pip install 'notifycli[postgres]'",
        ) from None
    database = PostgreSQL(location, create=create)
    if database.is_made:
        return database
    database.close()
    return _in_file(Path(location.name), create=False)


def _in_file(file: Path, *, create: bool) -> Database:
    from notifycli.store.sqlite.connection import SQLite

    return SQLite(file, create=create)


def _user_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("notifycli", appauthor=False)


def _check_for_password(url: str) -> None:
    """Raise `UsageError` for a server's address that not everybody may read.

    What a process was called with can be read by everybody on its machine, and finds its way into
    logs and histories.
    """
    from urllib.parse import parse_qs, urlsplit

    try:
        parts = urlsplit(url)
    except ValueError as error:
        told = f"the store's address can't be read: {error}"
        raise UsageError(told, "write postgresql://HOST/DATABASE") from None
    if parts.password is not None or {"password", "sslpassword"} & {*parse_qs(parts.query)}:
        raise UsageError(
            "the store's address holds a password, which others on this machine could read",
            "leave it out, and: notifycli store login URL; or put it into a password file "
            "(~/.pgpass or PGPASSFILE), a service file, or PGPASSWORD",
        )


def set_aside(location: Location) -> AbstractContextManager[None]:
    """Move what a server's store holds to the schema `notifycli_before`, for what is done then.

    If that fails, it is moved back. Raises `UsageError` if something is there already.
    """
    from notifycli.store.postgres.connection import set_aside as aside

    return aside(location)


def check_unused(location: Location) -> None:
    """Raise `TryAgainError` while anybody has the store open; one that is damaged is let be."""
    if location.file is not None:
        from notifycli.store.sqlite.connection import check_unused as check

        check(location.file)
