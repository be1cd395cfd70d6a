"""An account's Chatwoot: how it is connected, whose tokens we hold, and one pass over its users.

A user's token for Chatwoot is the one named `chatwoot` whose label is the address it was given
for. Only there is it ever sent; a token of that name and another label is somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct

from notifycli.chatwoot.api import Api, Profile, ProfileAccount, role_of
from notifycli.chatwoot.transport import (
    LIMITS,
    Limits,
    OutOfReachError,
    TooManyRequestsError,
    Transport,
    base_url,
)
from notifycli.errors import (
    ConfigurationError,
    DataError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UsageError,
)
from notifycli.rules.audience import User
from notifycli.store.connections import Connection
from notifycli.store.tokens import Token, TokenState
from notifycli.vault.token import Secret, digest
from notifycli.vault.tokens import Ended, Life, Owner, Wish, check_foreign

TOKEN_NAME = "chatwoot"  # noqa: S105 - its name, which is no secret
Told = Callable[[int, int], None]
"""Is told how many of how many users, inboxes and teams are done."""


class Step(Struct):
    """What became of one user, inbox or team, or of a user's preferences, as printed."""

    kind: str
    """`user`, `inbox`, `team`, or `preferences` or `token` of a user."""
    id: int
    name: str
    result: str
    detail: str


class Report(NamedTuple):
    """What became of all, and the exit status of the first that failed; 0 if none did."""

    steps: list[Step]
    status: int


@dataclass(frozen=True)
class Desk:
    """An account and its Chatwoot."""

    life: Life
    connection: Connection
    limits: Limits = LIMITS

    @property
    def account(self) -> int:
        """The account here."""
        return self.connection.account_id

    def owner(self, user: User) -> Owner:
        """Give whose token a user's is."""
        return Owner(self.account, user, TOKEN_NAME)

    def token(self, user: User) -> Token | None:
        """Give a user's token for this Chatwoot."""
        named = self.life.store.tokens.named(self.account, user.id, TOKEN_NAME)
        return next((t for t in named if _is_for(t, self.connection.url)), None)

    def users(self) -> list[User]:
        """Give the users whose tokens we hold, by id."""
        found = self.life.store.tokens.of_account(self.account)
        held = {token.user_id for token in found if _is_for(token, self.connection.url)}
        return [user for user in self.life.store.users(self.account) if user.id in held]

    def held(self, user: User) -> Token:
        """Give a user's token for this Chatwoot. Raises `NotPermittedError` if there is none."""
        token = self.token(user)
        if token is None:
            named = user.email or str(user.id)
            raise NotPermittedError(
                f"there is no token of {named} for {self.connection.url}",
                f"notifycli chatwoot login -u {named}",
            )
        return token

    def open(self, user: User) -> Api:
        """Speak as this user. Raises `NotPermittedError` without a token that can be used."""
        token, named = self.held(user), user.email or str(user.id)
        if self.life.store.chatwoot.known(self.account, user.id).rotating:
            raise NotPermittedError(
                f"a rotation of {named}'s token was broken off",
                f"finish it: notifycli chatwoot rotate -u {named}",
            )
        return self.speak(self.life.reveal(token))

    def speak(self, secret: Secret) -> Api:
        """Speak with this token."""
        transport = Transport(self.connection.url, secret, self.limits)
        return Api(transport, self.connection.remote_account_id)

    def each(
        self, kind: str, users: Iterable[User], work: Callable[[User], Step], told: Told
    ) -> Report:
        """Do the work for each user; what fails for one is told, and the others go on.

        Once Chatwoot can't be reached, or takes no more requests, the rest is left.
        """
        steps: list[Step] = []
        status, stopped = 0, ""
        everybody = list(users)
        for count, user in enumerate(everybody):
            told(count, len(everybody))
            result, detail = ("left", stopped)
            try:
                if not stopped:
                    steps.append(work(user))
                    continue
            except (OutOfReachError, TooManyRequestsError) as error:
                result, detail, stopped = "failed", in_a_line(error), error.message
                status = status or error.status
            except NotifycliError as error:
                result = "refused" if isinstance(error, TryAgainError) else "failed"
                detail, status = in_a_line(error), status or error.status
            steps.append(Step(kind, user.id, user.email or user.name, result, detail))
        told(len(everybody), len(everybody))
        return Report(steps, status)


def check_owner(user: User, owner: int) -> None:
    """Raise `DataError` if a token that we hold as a user's is somebody else's there."""
    if owner != user.id:
        raise DataError(
            f"the token of {user.email or user.id} is user {owner}'s there",
            "log out, and log in with the right one",
        )


def in_a_line(error: NotifycliError) -> str:
    """Give an error and its way out as one line."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def the_desk(life: Life, account: int) -> Desk:
    """Give the account's connection. Raises `ConfigurationError` if there is none."""
    connection = life.store.chatwoot.of(account)
    if connection is None:
        raise ConfigurationError(
            f"account {account} isn't connected to a Chatwoot",
            "connect it: notifycli chatwoot login https://chat.example.com",
        )
    return Desk(life, connection)


class Login(NamedTuple):
    """What a token let us see: the connection that it is for, and whose it is."""

    connection: Connection
    name: str
    """The account's name there."""
    user: User


def look(
    life: Life, url: str | None, secret: Secret, account: int | None, remote: int | None
) -> Login:
    """Ask whose a token is, and find the account that is meant; nothing is stored.

    Raises `DataError` for what can't be a token, `UsageError` where the account or the address
    isn't clear, and the API's errors.
    """
    check_foreign(secret.reveal())
    known = _known(life, url, account)
    base = known.url if known else base_url(url or "")
    with Api(Transport(base, secret), 0) as api:
        profile = api.profile()
    there = _account_there(profile, known.remote_account_id if known else remote, account)
    connection = known or Connection(account or there.id, base, there.id)
    if remote not in (None, connection.remote_account_id):
        raise UsageError(
            f"account {connection.account_id} is connected to {connection.remote_account_id} there",
            "disconnect it first: notifycli chatwoot logout",
        )
    role = role_of(there.role or profile.role)
    return Login(
        connection, there.name or "", User(profile.id, profile.email, profile.name or "", role)
    )


def keep(life: Life, login: Login, secret: Secret) -> Ended | None:
    """Keep a connection and the token of its user; `None` if it is kept already."""
    connection, user = login.connection, login.user
    with life.store.change(connection.account_id, life.command, life.who) as change:
        change.chatwoot.connect(connection.url, connection.remote_account_id)
        if login.name:
            change.name_account(login.name)
        change.put_users([user])
    desk = Desk(life, connection)
    current = desk.token(user)
    if current is not None and current.digest == digest(secret.reveal()):
        return None
    ended = life.keep(desk.owner(user), secret, Wish(connection.url)).ended
    end_rotation(desk, user)
    return ended


def end_rotation(desk: Desk, user: User) -> None:
    """Forget that a token was being replaced, and what the keychain held for it."""
    name = desk.life.store.chatwoot.known(desk.account, user.id).rotating
    if name is not None:
        desk.life.forget([name])
        with desk.life.store.change(desk.account, desk.life.command, desk.life.who) as change:
            change.chatwoot.rotating(user.id, None)


def logout(desk: Desk, users: Iterable[User], *, disconnect: bool) -> Ended:
    """Forget tokens and, with `disconnect`, the connection and what was seen there."""
    chosen = list(users)
    tokens = [token for user in chosen if (token := desk.token(user)) is not None]
    for user in chosen:
        end_rotation(desk, user)
    ended = desk.life.end(desk.account, tokens)
    if disconnect:
        with desk.life.store.change(desk.account, desk.life.command, desk.life.who) as change:
            change.chatwoot.disconnect()
    return ended


def _is_for(token: Token, url: str) -> bool:
    ours = token.name == TOKEN_NAME and token.state is TokenState.ACTIVE
    return ours and token.made_elsewhere and token.label == url


def _known(life: Life, url: str | None, account: int | None) -> Connection | None:
    """Give the connection that is meant, if there is one already."""
    base = None if url is None else base_url(url)
    if account is not None:
        found = life.store.chatwoot.of(account)
        if found is not None and base not in (None, found.url):
            raise UsageError(
                f"account {account} is connected to {found.url}",
                "disconnect it first: notifycli chatwoot logout",
            )
    else:
        fitting = [c for c in life.store.chatwoot.all() if base in (None, c.url)]
        found = fitting[0] if len(fitting) == 1 else None
    if found is None and base is None:
        raise UsageError(
            "which Chatwoot?", "name its address: notifycli chatwoot login https://chat.example.com"
        )
    return found


def _account_there(profile: Profile, named: int | None, likely: int | None) -> ProfileAccount:
    accounts = {account.id: account for account in profile.accounts}
    if named is None:
        named = likely if likely in accounts else next(iter(accounts), None)
        if likely not in accounts and len(accounts) > 1:
            raise UsageError(
                f"{profile.email} has several accounts there: {_listed(accounts)}",
                "name one: --remote N",
            )
    if named is None or named not in accounts:
        which = "no account" if named is None else f"no account {named}"
        raise UsageError(
            f"{profile.email} has {which} there", f"there are: {_listed(accounts) or 'none'}"
        )
    return accounts[named]


def _listed(accounts: dict[int, ProfileAccount]) -> str:
    return ", ".join(f"{id_} {account.name or ''}".strip() for id_, account in accounts.items())


def reading_order(users: Iterable[User]) -> Iterator[User]:
    """Give users with those first who see the whole directory."""
    return iter(sorted(users, key=lambda user: (user.role != "administrator", user.id)))
