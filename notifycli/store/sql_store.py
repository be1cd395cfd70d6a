"""A store in a database, by the SQL that all engines share.

Most commands read a little and are waited for: what the others need is imported when they ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import msgspec

from notifycli.rules.directory import Directory, Inbox, Team, User, references_of
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import Layer
from notifycli.store.store import EVERYWHERE, AccountName, Connection, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from notifycli.store.chatwoot_accounts import LinkedUsers, UiSettings
    from notifycli.store.history import History
    from notifycli.store.outbox import Outbox
    from notifycli.store.presets_and_tones import Presets, Tones
    from notifycli.store.received_events import Received
    from notifycli.store.settings import Configuration, Vault
    from notifycli.store.staged_values import Staging, Written
    from notifycli.store.store import Database, Inspection, Location, Store
    from notifycli.store.subscriptions import Subscriptions
    from notifycli.store.tokens import Tokens
    from notifycli.store.transaction import Change


USER_COLUMNS = "id, email, name, role, confirmed, permissions, made_up"


def user_of(row: Sequence[Any]) -> User:
    """Return the user whom a row of `USER_COLUMNS` tells of."""
    id_, email, name, role, confirmed, permissions, made_up = row
    allowed = None if permissions is None else tuple(permissions.split())
    return User(id_, email, name, role, False, as_bool(confirmed), allowed, bool(made_up))


def as_bool(cell: int | None) -> bool | None:
    """Return what a column says that may not know."""
    return None if cell is None else bool(cell)


def as_flag(value: bool | None) -> int | None:
    """Return what a column is told that may not know."""
    return None if value is None else int(value)


class SQLStore:
    """A store in a database; what each method does is told by `Store`."""

    def __init__(self, location: Location, database: Database) -> None:
        self.location = location
        self._database = database
        self.upgrade = database.upgrade

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @cached_property
    def chatwoot(self) -> LinkedUsers:
        from notifycli.store.chatwoot_accounts import LinkedUsers

        return LinkedUsers(self._database)

    @cached_property
    def configuration(self) -> Configuration:
        from notifycli.store.settings import Configuration

        return Configuration(self._database)

    @cached_property
    def history(self) -> History:
        from notifycli.store.history import History

        return History(self._database)

    @cached_property
    def outbox(self) -> Outbox:
        from notifycli.store.outbox import SQLOutbox

        return SQLOutbox(self._database)

    @cached_property
    def presets(self) -> Presets:
        from notifycli.store.presets_and_tones import Presets

        return Presets(self._database)

    @property
    def received(self) -> Received:
        return self._database.received()

    @cached_property
    def subscriptions(self) -> Subscriptions:
        from notifycli.store.subscriptions import Subscriptions

        return Subscriptions(self._database)

    @cached_property
    def tokens(self) -> Tokens:
        from notifycli.store.tokens import Tokens

        return Tokens(self._database)

    @cached_property
    def tones(self) -> Tones:
        from notifycli.store.presets_and_tones import Tones

        return Tones(self._database)

    @cached_property
    def ui_settings(self) -> UiSettings:
        from notifycli.store.chatwoot_accounts import UiSettings

        return UiSettings(self._database)

    @property
    def vault(self) -> Vault:
        from notifycli.store.settings import Vault

        return Vault(self._database)

    @contextmanager
    def changes(self, command: str, who: str) -> Iterator[Callable[[int], Change]]:
        from datetime import UTC, datetime

        from notifycli.store.transaction import Change, Trace

        made: dict[int, Change] = {}

        def of(account: int) -> Change:
            if account not in made:
                made[account] = Change(self._database, account, trace)
            return made[account]

        with self._database.transaction():
            trace = Trace(command, who, datetime.now(UTC).isoformat(timespec="seconds"))
            yield of
            for change in made.values():
                change.record()

    @contextmanager
    def change(self, account: int, command: str, who: str) -> Iterator[Change]:
        with self.changes(command, who) as changes:
            yield changes(account)

    @contextmanager
    def rehearsal(self, account: int) -> Iterator[Change]:
        from notifycli.store.transaction import Change, Trace

        with self._database.rehearsal():
            yield Change(self._database, account, Trace("", "", ""))

    def accounts(self) -> list[AccountName]:
        return [AccountName(*row) for row in self._rows("SELECT id, name FROM account ORDER BY id")]

    def connection(self, account: int) -> Connection | None:
        return next(iter(self._connections("WHERE account_id = ?", account)), None)

    def connections(self) -> list[Connection]:
        return self._connections("ORDER BY account_id")

    def dashboard_urls(self) -> dict[int, str]:
        desk = self.configuration.get("desk.url")
        connections = {one.account_id: one for one in self.connections()}
        found = {}
        for account in self.accounts():
            connection = connections.get(account.id)
            number = connection.remote_account_id if connection else account.id
            if url := desk or (connection.url if connection else None):
                found[account.id] = f"{url.rstrip('/')}/app/accounts/{number}"
        return found

    def users(self, account: int) -> list[User]:
        rows = self._rows(
            f'SELECT {USER_COLUMNS} FROM "user" WHERE account_id = ? ORDER BY id',
            account,
        )
        return list(map(user_of, rows))

    def user(self, account: int, reference: int | str) -> User | None:
        column = "id" if isinstance(reference, int) else "email"
        rows = self._rows(
            f'SELECT {USER_COLUMNS} FROM "user" WHERE account_id = ? AND {column} = ?',
            account,
            reference,
        )
        return next(map(user_of, rows), None)

    def user_references(self, account: int) -> dict[str, int]:
        rows = self._rows('SELECT id, email FROM "user" WHERE account_id = ?', account)
        return references_of((id_, email) for id_, email in rows)

    def only_user(self, account: int) -> User | None:
        rows = list(
            self._rows(f'SELECT {USER_COLUMNS} FROM "user" WHERE account_id = ? LIMIT 2', account)
        )
        return user_of(rows[0]) if len(rows) == 1 else None

    def has_inbox(self, account: int, id_: int) -> bool:
        rows = self._rows("SELECT 1 FROM inbox WHERE account_id = ? AND id = ?", account, id_)
        return next(rows, None) is not None

    def inboxes(self, account: int) -> list[Inbox]:
        members = self._members("inbox", account)
        rows = self._rows(
            "SELECT id, name, members_known, bot FROM inbox WHERE account_id = ? ORDER BY id",
            account,
        )
        return [
            Inbox(id_, name, tuple(members.get(id_, ())) if members_known else None, as_bool(bot))
            for id_, name, members_known, bot in rows
        ]

    def teams(self, account: int) -> list[Team]:
        members = self._members("team", account)
        rows = self._rows("SELECT id, name FROM team WHERE account_id = ? ORDER BY id", account)
        return [Team(id_, name, tuple(members.get(id_, ()))) for id_, name in rows]

    def subscribers(self, account: int) -> set[int]:
        sql = "SELECT DISTINCT user_id FROM push_subscription WHERE account_id = ?"
        return {user for (user,) in self._rows(sql, account)}

    def directory(self, account: int) -> Directory:
        reached = self.subscribers(account)
        added = self.configuration.addresses(account)
        everybodys = added.get(0, frozenset())
        users = (
            msgspec.structs.replace(
                user,
                subscribed=user.id in reached,
                added=everybodys | added.get(user.id, frozenset()),
            )
            if added or user.id in reached
            else user
            for user in self.users(account)
        )
        return Directory(users, self.inboxes(account), self.teams(account))

    def staging(self) -> Staging:
        from notifycli.store.staged_values import Staging

        return Staging(self._database)

    @contextmanager
    def comparing(self) -> Iterator[Staging]:
        with self._database.snapshot():
            yield self.staging()

    def document_values(self, account: int, layers: Iterable[Layer]) -> Iterator[Written]:
        from notifycli.store.staged_values import LAYERS_OF_USERS, Written, layer_of

        chosen = [layer.value for layer in layers]
        for layer, key, value in self._rows(
            "SELECT layer, key, value FROM account_preference WHERE account_id = ?"
            " ORDER BY layer, key",
            account,
        ):
            if layer in chosen:
                yield Written(Layer(layer), "", EVERYWHERE, key, value)
        scopes = [scope for layer, scope in LAYERS_OF_USERS.items() if layer in chosen]
        chosen_scopes = " OR ".join(scopes) or "1 = 0"
        for email, user, scope, key, value in self._rows(
            'SELECT email, id, scope, key, value FROM "user" u'
            " JOIN user_preference p ON p.account_id = u.account_id AND p.user_id = u.id"
            f" WHERE u.account_id = ? AND ({chosen_scopes})"
            " ORDER BY email IS NULL, email, id, scope < 0, abs(scope), key",
            account,
        ):
            yield Written(layer_of(scope), email or str(user), scope, key, value)

    def preferences(self, account: int) -> Preferences:
        return self._preferences(
            account,
            self._rows(
                "SELECT user_id, scope, key, value FROM user_preference WHERE account_id = ?",
                account,
            ),
        )

    def preferences_of(self, account: int, user: int | None) -> Preferences:
        rows = self._rows(
            "SELECT user_id, scope, key, value FROM user_preference"
            " WHERE account_id = ? AND user_id = ?",
            account,
            user,
        )
        return self._preferences(account, rows)

    def damage(self) -> str:
        return self._database.damage()

    def inspect(self) -> Inspection:
        return self._database.inspect()

    def copy_to(self, file: Path) -> None:
        if not self._database.copy_to(file):
            with open_store(file) as copy:
                copy.copy_from(self)

    def copy_from(self, store: Store) -> int:
        from notifycli.store.copy_store import copy_store

        if not isinstance(store, SQLStore):
            raise TypeError("a store that is no database can't be copied yet")
        source = store._database  # noqa: SLF001 - of its own kind
        return copy_store(source, self._database, self.location.name)

    def _preferences(self, account: int, user_rows: Iterator[tuple[Any, ...]]) -> Preferences:
        of_layer: dict[str, dict[str, str]] = {Layer.LOCK: {}, Layer.DEFAULT: {}}
        for layer, key, value in self._rows(
            "SELECT layer, key, value FROM account_preference WHERE account_id = ?", account
        ):
            of_layer[layer][key] = value
        of_user: dict[int, dict[str, str]] = {}
        of_inbox: dict[tuple[int, int], dict[str, str]] = {}
        of_conversation: dict[tuple[int, int], dict[str, str]] = {}
        for user, scope, key, value in user_rows:
            if scope == EVERYWHERE:
                of_user.setdefault(user, {})[key] = value
            elif scope > 0:
                of_inbox.setdefault((user, scope), {})[key] = value
            else:
                of_conversation.setdefault((user, -scope), {})[key] = value
        return Preferences(
            of_layer[Layer.LOCK],
            of_inbox,
            of_user,
            of_layer[Layer.DEFAULT],
            conversation=of_conversation,
        )

    def _connections(self, where: str, *parameters: int) -> list[Connection]:
        rows = self._rows(
            f"SELECT account_id, url, remote_account_id, pulled_at FROM chatwoot {where}",
            *parameters,
        )
        return [Connection(*row) for row in rows]

    def _members(self, kind: str, account: int) -> Mapping[int, list[int]]:
        members: dict[int, list[int]] = {}
        for id_, user in self._rows(
            f"SELECT {kind}_id, user_id FROM {kind}_member WHERE account_id = ?"
            f" ORDER BY {kind}_id, user_id",
            account,
        ):
            members.setdefault(id_, []).append(user)
        return members

    def _rows(self, sql: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        with self._database.errors():
            yield from self._database.execute(sql, parameters)
