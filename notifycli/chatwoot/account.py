"""An account's Chatwoot: how it is connected, whose tokens we hold, and one pass over its users.

A user's token for Chatwoot is the one named `chatwoot` whose label is the address it was given
for. Only there is it ever sent; a token of that name and another label is somebody else's.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from notifycli.chatwoot.client import ChatwootApi
from notifycli.chatwoot.http import (
    LIMITS,
    OutOfReachError,
    RateLimits,
    TokenRefusedError,
    TooManyRequestsError,
    Transport,
)
from notifycli.errors import (
    ConfigurationError,
    DataError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
)
from notifycli.rules.directory import User
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import TokenOwner, TokenService
from notifycli.store.store import Connection
from notifycli.store.tokens import Token, TokenState

if TYPE_CHECKING:
    from notifycli.store.transaction import Change

TOKEN_NAME = "chatwoot"  # noqa: S105 - its name, which is no secret
ProgressCallback = Callable[[int, int], None]
"""Is told how many of how many users, inboxes and teams are done."""


class SyncResult(Struct):
    """What became of one user, inbox or team, or of a user's preferences, as printed."""

    kind: str
    """`user`, `inbox`, `team`, or `preferences` or `token` of a user."""
    id: int
    name: str
    result: str
    detail: str


class Report(NamedTuple):
    """What became of all, and the exit status of the first that failed; 0 if none did."""

    steps: list[SyncResult]
    status: int


@dataclass(frozen=True)
class Desk:
    """An account and its Chatwoot."""

    life: TokenService
    connection: Connection
    limits: RateLimits = LIMITS

    @property
    def account(self) -> int:
        """The account here."""
        return self.connection.account_id

    def owner(self, user: User) -> TokenOwner:
        """Give whose token a user's is."""
        return TokenOwner(self.account, user, TOKEN_NAME)

    def token(self, user: User) -> Token | None:
        """Give a user's token for this Chatwoot."""
        named = self.life.store.tokens.of_name(self.account, user.id, TOKEN_NAME)
        return next((t for t in named if is_for(t, self.connection.url)), None)

    def users(self) -> list[User]:
        """Give the users whose tokens we hold, by id."""
        found = self.life.store.tokens.of_account(self.account)
        held = {token.user_id for token in found if is_for(token, self.connection.url)}
        return [user for user in self.life.store.users(self.account) if user.id in held]

    def held(self, user: User) -> Token:
        """Give a user's token for this Chatwoot. Raises `NotPermittedError` if there is none."""
        token = self.token(user)
        if token is None:
            named = user.email or str(user.id)
            raise NotPermittedError(
                f"there is no token of {named} for {self.connection.url}",
                f"notifycli chatwoot login -u {shlex.quote(named)}",
            )
        return token

    def open(self, user: User) -> ChatwootApi:
        """Speak as this user. Raises `NotPermittedError` without a token that can be used."""
        return self.open_many(user, 1)[0]

    def open_many(self, user: User, count: int) -> list[ChatwootApi]:
        """Speak as this user in so many threads; raises as `open` does."""
        token, named = self.held(user), user.email or str(user.id)
        if self.life.store.chatwoot.record_of(self.account, user.id).rotating:
            raise NotPermittedError(
                f"a rotation of {named}'s token was broken off",
                f"finish it: notifycli chatwoot rotate -u {shlex.quote(named)}",
            )
        secret = self.life.reveal(token)
        return [self.speak(secret) for _ in range(count)]

    def speak(self, secret: Secret) -> ChatwootApi:
        """Speak with this token."""
        transport = Transport(self.connection.url, secret, self.limits)
        return ChatwootApi(transport, self.connection.remote_account_id)

    def change(self, *, dry_run: bool = False) -> AbstractContextManager[Change]:
        """Change what is known here of the account; nothing is stored of a dry run."""
        life = self.life
        if dry_run:
            return life.store.rehearsal(self.account)
        return life.store.change(self.account, life.command, life.who)

    def each(
        self,
        kind: str,
        users: Iterable[User],
        work: Callable[[User], SyncResult],
        told: ProgressCallback,
    ) -> Report:
        """Do the work for each user; what fails for one is told, and the others go on.

        Once Chatwoot can't be reached, takes no more requests, or refuses the token that asks for
        all, the rest is left.
        """
        steps: list[SyncResult] = []
        status, stopped = 0, ""
        everybody = list(users)
        for count, user in enumerate(everybody):
            told(count, len(everybody))
            result, detail = ("left", stopped)
            try:
                if not stopped:
                    steps.append(work(user))
                    continue
            except (OutOfReachError, TokenRefusedError, TooManyRequestsError) as error:
                result, detail, stopped = "failed", in_a_line(error), error.message
                status = status or error.status
            except NotifycliError as error:
                result = "refused" if isinstance(error, TryAgainError) else "failed"
                detail, status = in_a_line(error), status or error.status
            steps.append(SyncResult(kind, user.id, user.email or user.name, result, detail))
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


def the_desk(life: TokenService, account: int) -> Desk:
    """Give the account's connection. Raises `ConfigurationError` if there is none."""
    connection = life.store.connection(account)
    if connection is None:
        raise ConfigurationError(
            f"account {account} isn't connected to a Chatwoot",
            "connect it: notifycli chatwoot login https://chat.example.com",
        )
    return Desk(life, connection)


def end_rotation(desk: Desk, user: User) -> None:
    """Forget that a token was being replaced, and what the keychain held for it."""
    name = desk.life.store.chatwoot.record_of(desk.account, user.id).rotating
    if name is not None:
        desk.life.forget([name])
        with desk.change() as change:
            change.chatwoot.rotating(user.id, None)


def is_for(token: Token, url: str) -> bool:
    """Whether a token was given for the Chatwoot at this address."""
    ours = token.name == TOKEN_NAME and token.state is TokenState.ACTIVE
    return ours and token.made_elsewhere and token.label == url


def reading_order(users: Iterable[User]) -> Iterator[User]:
    """Give users with those first who see the whole directory."""
    return iter(sorted(users, key=lambda user: (user.role != "administrator", user.id)))
