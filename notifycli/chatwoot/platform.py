"""Users' tokens by the platform API, which a server of one's own has.

A platform app's token opens it. It sees the users that the app made, and those whom the server's
owner lets it see; of any other it is told 401, as a token that is none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from msgspec import Struct

from notifycli.chatwoot.account import (
    Desk,
    ProgressCallback,
    Report,
    SyncResult,
    check_owner,
    reading_order,
)
from notifycli.chatwoot.client import ChatwootApi, role_of
from notifycli.chatwoot.http import Answer, TokenRefusedError, Transport
from notifycli.chatwoot.login import keep_token, refuse_kept
from notifycli.errors import NotPermittedError, UnavailableError, UsageError
from notifycli.rules.directory import User
from notifycli.secrets import token_format
from notifycli.secrets.token_format import Secret, digest

_UNAUTHORIZED, _FORBIDDEN, _MISSING = 401, 403, 404
_NOT_ITS_USER = "Non permissible resource"


class _Whose(Struct, frozen=True):
    id: int


class _UserToken(Struct, frozen=True):
    access_token: str
    user: _Whose


class PlatformApi(ChatwootApi):
    """The platform API, as an app whose token this is."""

    def __init__(self, desk: Desk, secret: Secret) -> None:
        transport = Transport(desk.connection.url, secret, desk.limits)
        super().__init__(transport, desk.connection.remote_account_id)

    def token(self, user: User) -> Secret:
        """Return a user's access token; raises as the other methods do."""
        path = f"/platform/api/v1/users/{user.id}/token"
        found = self._read(self._transport.ask("POST", path), "POST", path, _UserToken)
        check_owner(user, found.user.id)
        token_format.check(found.access_token)
        return Secret(found.access_token)

    def _refused(self, answer: Answer, method: str, path: str) -> NoReturn:
        base, said = self._transport.base, self._said(answer)
        user = path.split("/")[-2]
        if answer.status == _UNAUTHORIZED and _NOT_ITS_USER in said:
            raise NotPermittedError(
                "the platform app may not see this user",
                "let it, in the Rails console there: PlatformAppPermissible.create!(platform_app: "
                f"PlatformApp.find(N), permissible: User.find({user}))",
            )
        if answer.status == _UNAUTHORIZED:
            raise TokenRefusedError(
                f"{base} refuses the platform token{said}",
                "copy it from its super admin page (Platform Apps); a user's own token isn't one",
            )
        if answer.status == _FORBIDDEN:
            raise NotPermittedError(f"{base} doesn't permit {method} {path}{said}")
        if answer.status == _MISSING:
            raise UnavailableError(
                f"{base} has no user {user}, or is too old to give users' tokens{said}",
                "log in with the user's own: notifycli chatwoot login",
            )
        raise UnavailableError(f"{base} answers {method} {path} with {answer.status}{said}")


def learn_agents(desk: Desk, *, dry_run: bool) -> list[User]:
    """Return all agents of the account there; those who aren't known here yet are from now on."""
    reader = next(reading_order(desk.users()), None)
    if reader is None:
        raise UsageError(
            f"no token for {desk.connection.url} is held",
            "log in first, as anybody: notifycli chatwoot login",
        )
    with desk.open(reader) as api:
        agents = [User(a.id, a.email, a.name or "", role_of(a.role)) for a in api.agents()]
    known = {user.id for user in desk.life.store.users(desk.account)}
    if new := [user for user in agents if user.id not in known]:
        with desk.change(dry_run=dry_run) as change:
            change.settle_ids((user.id, user.email) for user in new)
            change.put_users(new)
    return agents


def fetch_tokens(
    desk: Desk, api: PlatformApi, users: Sequence[User], told: ProgressCallback, *, dry_run: bool
) -> Report:
    """Keep the users' tokens; what fails for one is told, and the others go on."""

    def fetch(user: User) -> SyncResult:
        secret = api.token(user)
        refuse_kept(
            desk.life.store.tokens.with_digest(digest(secret.reveal())), desk.connection.url
        )
        held = desk.token(user)
        result = "added" if held is None else "changed"
        if held is not None and held.digest == digest(secret.reveal()):
            result = "same"
        ended = None if dry_run else keep_token(desk, user, secret)
        left = ended is not None and ended.trouble is not None
        detail = "the keyring still holds the old one: notifycli doctor --fix" if left else ""
        return SyncResult("token", user.id, user.email or user.name, result, detail)

    return desk.each("token", users, fetch, told)
