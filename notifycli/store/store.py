"""An open store: what the commands read from it, and the changes they make.

Most commands read a little and are waited for: what the others need is imported when they ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from notifycli.errors import ConfigurationError
from notifycli.rules.directory import Directory, Inbox, Team, User
from notifycli.rules.preferences import Layer
from notifycli.rules.settings import Preferences
from notifycli.store.parts import Parts
from notifycli.store.sqlite.connection import EVERY_INBOX, transaction, translate_errors

if TYPE_CHECKING:
    from notifycli.store.staging import Staging, Written
    from notifycli.store.transaction import Change


USER_COLUMNS = "id, email, name, role, confirmed, permissions, made_up"


def user_of(row: Sequence[Any]) -> User:
    """Give the user whom a row of `USER_COLUMNS` tells of."""
    id_, email, name, role, confirmed, permissions, made_up = row
    allowed = None if permissions is None else tuple(permissions.split())
    return User(id_, email, name, role, False, known(confirmed), allowed, bool(made_up))


def known(flag: int | None) -> bool | None:
    """Give what a column says that may not know."""
    return None if flag is None else bool(flag)


class AccountName(NamedTuple):
    """An account on record."""

    id: int
    name: str


class Store(Parts):
    """The store of one file. Use it as a context manager."""

    @contextmanager
    def changes(self, command: str, who: str) -> Iterator[Callable[[int], Change]]:
        """Change several accounts, all or nothing; the value gives the change of an account.

        Accounts are created if they aren't on record. Each change leaves its trace in the history;
        one that changes nothing leaves none.
        """
        from datetime import UTC, datetime

        from notifycli.store.transaction import Change, Trace

        made: dict[int, Change] = {}

        def of(account: int) -> Change:
            if account not in made:
                made[account] = Change(self._connection, account, trace)
            return made[account]

        with translate_errors(self.path), transaction(self._connection):
            trace = Trace(command, who, datetime.now(UTC).isoformat(timespec="seconds"))
            yield of
            for change in made.values():
                change.record()

    @contextmanager
    def change(self, account: int, command: str, who: str) -> Iterator[Change]:
        """Change one account; otherwise as `changes`."""
        with self.changes(command, who) as changes:
            yield changes(account)

    @contextmanager
    def rehearsal(self, account: int) -> Iterator[Change]:
        """Change one account as `change` would, and take all of it back at the end."""
        from notifycli.store.transaction import Change, Trace

        with translate_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Change(self._connection, account, Trace("", "", ""))
            finally:
                self._connection.execute("ROLLBACK")

    def accounts(self) -> list[AccountName]:
        """Give the accounts on record, by id."""
        return [AccountName(*row) for row in self._rows("SELECT id, name FROM account ORDER BY id")]

    def users(self, account: int) -> list[User]:
        """Give the users of an account, by id."""
        rows = self._rows(
            f"SELECT {USER_COLUMNS} FROM user WHERE account_id = ? ORDER BY id",  # noqa: S608 - a constant
            account,
        )
        return list(map(user_of, rows))

    def user(self, account: int, reference: int | str) -> User | None:
        """Give a user by id or, without regard to case, by e-mail address."""
        column = "id" if isinstance(reference, int) else "email"
        rows = self._rows(
            f"SELECT {USER_COLUMNS} FROM user WHERE account_id = ? AND {column} = ?",  # noqa: S608 - constants
            account,
            reference,
        )
        return next(map(user_of, rows), None)

    def user_references(self, account: int) -> dict[str, int]:
        """Give the ids of an account's users by everything that names them.

        That is the id, the address, and the address in lower case.
        """
        from notifycli.documents.entries import references_of

        rows = self._rows("SELECT id, email FROM user WHERE account_id = ?", account)
        return references_of((id_, email) for id_, email in rows)

    def only_user(self, account: int) -> User | None:
        """Give the account's one user; `None` if there are none or several."""
        rows = list(
            self._rows(f"SELECT {USER_COLUMNS} FROM user WHERE account_id = ? LIMIT 2", account)  # noqa: S608 - a constant
        )
        return user_of(rows[0]) if len(rows) == 1 else None

    def has_inbox(self, account: int, id_: int) -> bool:
        """Whether an inbox is on record."""
        rows = self._rows("SELECT 1 FROM inbox WHERE account_id = ? AND id = ?", account, id_)
        return next(rows, None) is not None

    def inboxes(self, account: int) -> list[Inbox]:
        """Give the inboxes of an account with their members, by id."""
        members = self._members("inbox", account)
        rows = self._rows(
            "SELECT id, name, members_known, bot FROM inbox WHERE account_id = ? ORDER BY id",
            account,
        )
        return [
            Inbox(id_, name, tuple(members.get(id_, ())) if members_known else None, known(bot))
            for id_, name, members_known, bot in rows
        ]

    def teams(self, account: int) -> list[Team]:
        """Give the teams of an account with their members, by id."""
        members = self._members("team", account)
        rows = self._rows("SELECT id, name FROM team WHERE account_id = ? ORDER BY id", account)
        return [Team(id_, name, tuple(members.get(id_, ()))) for id_, name in rows]

    def directory(self, account: int) -> Directory:
        """Give the account's directory as the rules use it."""
        reached = self.subscriptions.subscribed(account)
        users = (
            msgspec.structs.replace(user, subscribed=True) if user.id in reached else user
            for user in self.users(account)
        )
        return Directory(users, self.inboxes(account), self.teams(account))

    def staging(self) -> Staging:
        """Give an empty place for values that are to be set, or compared with those that are."""
        from notifycli.store.staging import Staging

        return Staging(self._connection)

    @contextmanager
    def comparing(self) -> Iterator[Staging]:
        """Compare values with those that are set, and change nothing."""
        with translate_errors(self.path):
            self._connection.execute("BEGIN")
            try:
                yield self.staging()
            finally:
                self._connection.execute("ROLLBACK")

    def written(self, account: int, layers: Iterable[Layer]) -> Iterator[Written]:
        """Give what is set in these layers of an account, in the order of documents."""
        from notifycli.store.staging import Written

        chosen = [layer.value for layer in layers]
        for layer, key, value in self._rows(
            "SELECT layer, key, value FROM account_preference WHERE account_id = ?"
            " ORDER BY layer, key",
            account,
        ):
            if layer in chosen:
                yield Written(Layer(layer), "", EVERY_INBOX, key, value)
        for email, user, inbox, key, value in self._rows(
            "SELECT email, id, inbox_id, key, value FROM user u"
            " JOIN user_preference p ON p.account_id = u.account_id AND p.user_id = u.id"
            " WHERE u.account_id = ? AND (inbox_id <> 0 OR ?) AND (inbox_id = 0 OR ?)"
            " ORDER BY email IS NULL, email, id, inbox_id, key",
            *(account, Layer.USER in chosen, Layer.INBOX in chosen),
        ):
            layer = Layer.INBOX if inbox else Layer.USER
            yield Written(layer, email or str(user), inbox, key, value)

    def preferences(self, account: int) -> Preferences:
        """Give all that is set in an account."""
        return self._preferences(
            account,
            self._rows(
                "SELECT user_id, inbox_id, key, value FROM user_preference WHERE account_id = ?",
                account,
            ),
        )

    def preferences_of(self, account: int, user: int | None) -> Preferences:
        """Give what is set for one user, and for the account; for `None` the latter alone."""
        rows = self._rows(
            "SELECT user_id, inbox_id, key, value FROM user_preference"
            " WHERE account_id = ? AND user_id = ?",
            account,
            user,
        )
        return self._preferences(account, rows)

    def damage(self) -> str:
        """Give the first thing that SQLite finds wrong with the file; an empty string if none."""
        try:
            found = str(next(self._rows("PRAGMA quick_check(1)"))[0])
        except ConfigurationError as error:
            return str(error.__cause__ or error)
        return "" if found == "ok" else found

    def _preferences(self, account: int, user_rows: Iterator[tuple[Any, ...]]) -> Preferences:
        of_layer: dict[str, dict[str, str]] = {Layer.LOCK: {}, Layer.DEFAULT: {}}
        for layer, key, value in self._rows(
            "SELECT layer, key, value FROM account_preference WHERE account_id = ?", account
        ):
            of_layer[layer][key] = value
        of_user: dict[int, dict[str, str]] = {}
        of_inbox: dict[tuple[int, int], dict[str, str]] = {}
        for user, inbox, key, value in user_rows:
            if inbox == EVERY_INBOX:
                of_user.setdefault(user, {})[key] = value
            else:
                of_inbox.setdefault((user, inbox), {})[key] = value
        return Preferences(of_layer[Layer.LOCK], of_inbox, of_user, of_layer[Layer.DEFAULT])

    def _members(self, kind: str, account: int) -> Mapping[int, list[int]]:
        members: dict[int, list[int]] = {}
        for id_, user in self._rows(
            f"SELECT {kind}_id, user_id FROM {kind}_member WHERE account_id = ?"  # noqa: S608 - one of two literals
            f" ORDER BY {kind}_id, user_id",
            account,
        ):
            members.setdefault(id_, []).append(user)
        return members

    def _rows(self, sql: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        with translate_errors(self.path):
            yield from self._connection.execute(sql, parameters)
