"""A store at the other end of `notifycli serve`: one account of it, for an administrator.

What the server tells of the account is put into a database in memory, on which commands run as on
any store. What a change does goes back as one request, before the change ends here: the server does
all of it or nothing, and nothing if the account is another by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from notifycli.errors import (
    DataError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UnavailableError,
    UsageError,
)
from notifycli.rules.directory import Directory, Inbox, Team, User
from notifycli.rules.preferences import Layer
from notifycli.store import remote_format
from notifycli.store.history import History
from notifycli.store.outbox import EVERY_CHANNEL, SQLOutbox
from notifycli.store.sql_store import USER_COLUMNS, SQLStore, as_flag
from notifycli.store.sqlite.connection import SQLite
from notifycli.store.staged_values import scope_of
from notifycli.store.transaction import Change, Kind, Trace

if TYPE_CHECKING:
    from notifycli.store.outbox import Noted, NoticeState, Outbox, Scope
    from notifycli.store.settings import Vault
    from notifycli.store.staged_values import Locked, Staging
    from notifycli.store.store import Inspection, Link, Location, Store

T = TypeVar("T")
_DONE, _REFUSED, _FORBIDDEN, _MISSING, _CONFLICT, _TOO_LARGE, _WRONG, _BROKEN, _BUSY = (
    *(200, 401, 403, 404, 409, 413, 422, 500, 503),
)


class Mirror(SQLite):
    """The database in memory. What would be changed here alone would be lost: it is refused."""

    def __init__(self, name: str) -> None:
        super().__init__(Path(name), create=False)
        self._is_served = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Raise `UsageError`, but for what the server does as well."""
        if not self._is_served:
            raise _elsewhere("this can't be changed through serve")
        with super().transaction():
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Do all or nothing of what the server does as well."""
        self._is_served = True
        try:
            with self.transaction():
                yield
        finally:
            self._is_served = False


class RemoteChange(Change):
    """A change that notes the steps it was asked for, as far as they make a difference."""

    add_tone = "add it on the machine that has the store"

    def __init__(self, mirror: Mirror, account: int, trace: Trace) -> None:
        super().__init__(mirror, account, trace)
        self.steps: list[remote_format.Step] = []
        self._done: remote_format.Changed | None = None

    def end(self, done: remote_format.Changed) -> None:
        """Take over what it has become."""
        self._done = done

    @property
    def id(self) -> int:
        """Its number in the server's history, once the change has ended."""
        return 0 if self._done is None or self._done.change is None else self._done.change

    @property
    def ended_tokens(self) -> int:
        """How many tokens have ended, once the change has."""
        return 0 if self._done is None else self._done.tokens

    @property
    def ended_addresses(self) -> int:
        """How many addresses on added channels have gone, once the change has ended."""
        return 0 if self._done is None else self._done.addresses

    def check(self) -> None:
        """Raise `UsageError` for what isn't done through `serve`."""
        if any(map(len, self._parts)):
            raise _elsewhere("tokens and subscriptions can't be changed through serve")

    @contextmanager
    def _noted(self, step: remote_format.Step) -> Iterator[None]:
        """Note a step, in the place of those that it asks for itself."""
        before, differing = len(self.steps), len(self)
        yield
        del self.steps[before:]
        if len(self) != differing or isinstance(step, remote_format.RestoreRows):
            self.steps.append(step)

    def settle(
        self, staging: Staging, told: Callable[[Locked], str] | None = None, *, again: bool = True
    ) -> int:
        """Set what was staged."""
        values = [
            remote_format.Value(
                *(Layer(one.layer), one.key, one.new, one.user_id, one.inbox_id),
                getattr(one, "conversation_id", None),
            )
            for one in staging.differences()
            if one.account_id == self.account
        ]
        with self._noted(remote_format.SetValues(values)):
            return super().settle(staging, told, again=again)

    def name_account(self, name: str) -> None:
        """Name the account."""
        with self._noted(remote_format.NameAccount(name)):
            super().name_account(name)

    def put_users(self, users: Iterable[User]) -> None:
        """Add users, or make those with their ids like them."""
        given = list(users)
        with self._noted(remote_format.PutUsers(given)):
            super().put_users(given)

    def settle_ids(self, told: Iterable[tuple[int, str | None]], *, certain: bool = True) -> None:
        """Have made-up ids give way to those told."""
        given = list(told)
        with self._noted(remote_format.SettleIds(given, certain)):
            super().settle_ids(given, certain=certain)

    def give_id(self, user: User, id_: int) -> None:
        """Give a user an id."""
        with self._noted(remote_format.GiveId(user.id, id_)):
            super().give_id(user, id_)

    def put_inbox(self, inbox: Inbox) -> None:
        """Add an inbox, or make the one with this id like it."""
        with self._noted(remote_format.PutInbox(inbox)):
            super().put_inbox(inbox)

    def put_team(self, team: Team) -> None:
        """Add a team, or make the one with this id like it."""
        with self._noted(remote_format.PutTeam(team)):
            super().put_team(team)

    def remove(self, item: User | Inbox | Team) -> None:
        """Remove a user, an inbox or a team."""
        kinds: dict[type, Kind] = {User: "user", Inbox: "inbox", Team: "team"}
        with self._noted(remote_format.Remove(kinds[type(item)], item.id)):
            super().remove(item)

    def restore_rows(self, past: int) -> None:
        """Put back what only the server knows."""
        with self._noted(remote_format.RestoreRows(past)):
            super().restore_rows(past)


class RemoteStore(SQLStore):
    """An account of a server's store; what each method does is told by `Store`.

    Raises `NotPermittedError`, `TryAgainError`, `UnavailableError` and `DataError` as the server
    answers, and `UsageError` for what can't be done there.
    """

    def __init__(self, location: Location, link: Link) -> None:
        self._mirror = Mirror(location.name)
        super().__init__(location, self._mirror)
        self._link = link
        self._state = self._get(remote_format.ACCOUNT, remote_format.AccountCopy)
        self._revision = self._state.revision
        with self._mirror.changing():
            _fill(self._mirror, self._state)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._link.close()

    @cached_property
    def history(self) -> History:
        past = self._get(remote_format.HISTORY, remote_format.Past)
        if not past.complete:
            self._link.note(
                f"{self.location.name} tells the newest changes alone, {len(past.changes):,} of "
                "them: what is older only the machine that has the store can tell"
            )
        with self._mirror.errors():
            _fill_history(self._mirror, self._state.id, past.changes)
        return History(self._mirror)

    @cached_property
    def outbox(self) -> Outbox:
        return _Notices(
            self._mirror, self._get(remote_format.NOTICES, remote_format.Notices).notices
        )

    @property
    def vault(self) -> Vault:
        raise _elsewhere("secrets that are in a store can't be had through serve")

    def directory(self, account: int) -> Directory:
        users = self.users(account)
        known = {user.id: user for user in self._state.users}
        told = (
            msgspec.structs.replace(
                one, subscribed=known[one.id].subscribed, added=known[one.id].added
            )
            if one.id in known
            else one
            for one in users
        )
        return Directory(told, self.inboxes(account), self.teams(account))

    def events(self, conversations: Iterable[int]) -> Iterator[remote_format.Events]:
        """Return what the server has received: of some conversations, or of all."""
        paths = [
            remote_format.EVENTS_OF_ONE.format(conversation_id=one) for one in sorted(conversations)
        ]
        for path in paths or [remote_format.EVENTS]:
            yield self._get(path, remote_format.Events)

    @contextmanager
    def changes(self, command: str, who: str) -> Iterator[Callable[[int], Change]]:
        made: list[RemoteChange] = []
        own = self._state.id

        def of(account: int) -> Change:
            if account != own:
                raise NotPermittedError(
                    f"the token opens account {own} of {self.location.name}, not {account}",
                    f"leave out -a, or name that one: -a {own}",
                )
            if not made:
                made.append(RemoteChange(self._mirror, own, Trace(command, who, "")))
            return made[0]

        with self._mirror.changing():
            yield of
            for change in made:
                change.check()
                if change:
                    change.end(self._send(command, change.steps))

    def damage(self) -> str:
        return ""

    def inspect(self) -> Inspection:
        raise _elsewhere("a store can't be looked over through serve")

    def copy_to(self, file: Path) -> None:
        raise _elsewhere(f"a store can't be copied through serve: no {file} is written")

    def copy_from(self, store: Store) -> int:
        raise _elsewhere(f"a store can't be filled through serve: {store.location.name} stays")

    def _send(self, command: str, steps: list[remote_format.Step]) -> remote_format.Changed:
        body = msgspec.json.encode(remote_format.ChangeSet(self._revision, command, steps))
        try:
            done = self._ask("POST", remote_format.CHANGES, remote_format.Changed, body)
        except UnavailableError as error:
            raise UnavailableError(
                f"{error.message}; nobody knows whether the change is stored",
                "once it answers: notifycli prefs history",
            ) from None
        self._revision = done.revision
        return done

    def _get(self, path: str, type_: type[T]) -> T:
        return self._ask("GET", path, type_)

    def _ask(self, method: str, path: str, type_: type[T], body: bytes | None = None) -> T:
        status, answered = self._link.ask(method, path, body)
        if status != _DONE:
            raise self._refusal(status, answered)
        try:
            return msgspec.json.decode(answered, type=type_)
        except msgspec.MsgspecError:
            raise self._no_server() from None

    def _refusal(self, status: int, answered: bytes) -> NotifycliError:
        name, said = self.location.name, _error_in(answered)
        by_proxy = said is None and (status == _TOO_LARGE or status >= _BROKEN)
        if status == _MISSING or (said is None and not by_proxy):
            return self._no_server()
        said = said or f"what is before it answers {status}"
        meant: dict[int, tuple[type[NotifycliError], str, str]] = {
            _REFUSED: (
                NotPermittedError,
                f"{name} doesn't accept the token",
                f"keep an administrator's: notifycli store login {name}; or NOTIFYCLI_TOKEN",
            ),
            _FORBIDDEN: (NotPermittedError, f"{name}: {said}", ""),
            _CONFLICT: (
                TryAgainError,
                f"{name}: somebody else has changed the account meanwhile: nothing was stored",
                "the same command again goes by what is there now",
            ),
            _TOO_LARGE: (
                DataError,
                f"{name}: {said}: nothing was stored",
                "do it in parts, or where the store is",
            ),
            _WRONG: (DataError, f"{name}: {said}\nnothing was stored", ""),
            _BUSY: (TryAgainError, f"{name}: {said}", "try again shortly"),
        }
        kind, message, hint = meant.get(
            status, (UnavailableError, f"{name} answers {status}: {said}", "its log says why")
        )
        return kind(message, hint)

    def _no_server(self) -> NotifycliError:
        return UnavailableError(
            f"what answers at {self.location.name} is no notifycli serve of this version",
            "check the address, and which version runs there",
        )


class _Notices(SQLOutbox):
    """As much of the server's outbox as `why` asks for."""

    def __init__(self, mirror: Mirror, notices: list[Noted]) -> None:
        super().__init__(mirror)
        self._notices = notices

    def in_state(self, state: NoticeState, scope: Scope = EVERY_CHANNEL) -> Iterator[Noted]:
        for one in self._notices:
            in_scope = scope.users is None or (one.account_id, one.user_id) in scope.users
            if one.state == state and in_scope and scope.takes(one.channel):
                yield one


def _elsewhere(what: str) -> UsageError:
    return UsageError(what, "type it on the machine that has the store")


def _error_in(answered: bytes) -> str | None:
    """Return what an answer of ours says that is no success; `None` for another's."""
    try:
        said = msgspec.json.decode(answered, type=dict[str, Any]).get("error")
    except msgspec.MsgspecError:
        return None
    if not isinstance(said, str):
        return None
    return "".join(char if char.isprintable() or char == "\n" else " " for char in said)


def _user_row(user: User) -> tuple[object, ...]:
    allowed = None if user.permissions is None else " ".join(user.permissions)
    known = as_flag(user.confirmed)
    return user.id, user.email, user.name, user.role, known, allowed, int(user.made_up)


def _fill(mirror: Mirror, state: remote_format.AccountCopy) -> None:
    """Put an account into the empty database."""
    id_ = state.id
    mirror.execute("INSERT INTO account (id, name) VALUES (?, ?)", (id_, state.name))
    mirror.executemany(
        f'INSERT INTO "user" (account_id, {USER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        ((id_, *_user_row(one)) for one in state.users),
    )
    mirror.executemany(
        "INSERT INTO inbox (account_id, id, name, members_known, bot) VALUES (?, ?, ?, ?, ?)",
        (
            (id_, one.id, one.name, int(one.members is not None), as_flag(one.bot))
            for one in state.inboxes
        ),
    )
    mirror.executemany(
        "INSERT INTO team (account_id, id, name) VALUES (?, ?, ?)",
        ((id_, one.id, one.name) for one in state.teams),
    )
    for kind, groups in (("inbox", state.inboxes), ("team", state.teams)):
        mirror.executemany(
            f"INSERT INTO {kind}_member (account_id, {kind}_id, user_id) VALUES (?, ?, ?)",
            ((id_, group.id, user) for group in groups for user in group.members or ()),
        )
    _fill_values(mirror, state)


def _fill_values(mirror: Mirror, state: remote_format.AccountCopy) -> None:
    mirror.executemany(
        "INSERT INTO user_preference (account_id, user_id, scope, key, value)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            (
                *(state.id, one.user_id, scope_of(one.inbox_id, one.conversation_id)),
                *(one.key, one.value),
            )
            for one in state.preferences
            if one.user_id is not None
        ),
    )
    mirror.executemany(
        "INSERT INTO account_preference (account_id, layer, key, value) VALUES (?, ?, ?, ?)",
        (
            (state.id, one.layer, one.key, one.value)
            for one in state.preferences
            if one.user_id is None
        ),
    )
    mirror.executemany(
        "INSERT INTO preset VALUES (?, ?, ?)",
        ((name, *pair) for name, values in state.presets.items() for pair in values.items()),
    )
    mirror.executemany("INSERT INTO tone VALUES (?, '')", ((name,) for name in state.tones))
    mirror.executemany("INSERT INTO setting VALUES (?, ?)", state.settings.items())
    if state.chatwoot is not None:
        mirror.execute(
            "INSERT INTO chatwoot (account_id, url, remote_account_id, pulled_at)"
            " VALUES (?, ?, ?, ?)",
            (state.id, *msgspec.structs.astuple(state.chatwoot)[1:]),
        )
    mirror.executemany(
        "INSERT INTO chatwoot_user (account_id, user_id, seen) VALUES (?, ?, ?)",
        ((state.id, user, text.encode()) for user, text in state.seen.items()),
    )


def _fill_history(mirror: Mirror, account: int, changes: list[remote_format.PastRecord]) -> None:
    for one in reversed(changes):
        mirror.execute(
            "INSERT INTO change (id, at, who, account_id, command) VALUES (?, ?, ?, ?, ?)",
            (one.id, one.at, one.who, account, one.command),
        )
        mirror.executemany(
            "INSERT INTO preference_change (change_id, layer, user_id, scope, key, old, new)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((one.id, *msgspec.structs.astuple(value)) for value in one.values),
        )
        mirror.executemany(
            "INSERT INTO directory_change (change_id, kind, item_id, old, new)"
            " VALUES (?, ?, ?, ?, ?)",
            ((one.id, *msgspec.structs.astuple(item)) for item in one.directory),
        )
