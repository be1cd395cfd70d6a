"""Users' tokens of a Chatwoot: kept at a login, fetched by its platform API, and rotated.

At a login a token says whose it is, and which account is meant.

A server of one's own has the platform API, which a platform app's token opens. It sees the users
that the app made, and those whom the server's owner lets it see; of any other it is told 401, as a
token that is none is.

Rotating one, Chatwoot makes a new token and ends the old one in the same request. From then on the
new one is in that answer alone. So, before it is asked for, the keychain proves that it keeps a
secret, and the store notes under which name the new one will be kept; it goes there before anything
else is done with it. Whatever is broken off is finished by the next run: if the keychain has the
new token it becomes the current one, else the old one is tried.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import NamedTuple, NoReturn

from msgspec import Struct, structs

from notifycli.chatwoot.account import (
    Desk,
    ProgressCallback,
    Report,
    SyncResult,
    check_owner,
    end_rotation,
    is_for,
    reading_order,
)
from notifycli.chatwoot.client import ChatwootApi, RemoteAccount, RemoteProfile, role_of
from notifycli.chatwoot.http import Answer, TokenRefusedError, Transport, base_url
from notifycli.errors import NotifycliError, NotPermittedError, UnavailableError, UsageError
from notifycli.rules.directory import User
from notifycli.secrets import token_format
from notifycli.secrets.token_format import Secret, digest
from notifycli.secrets.token_service import Ended, TokenService, TokenWish
from notifycli.store.store import Connection
from notifycli.store.tokens import Token
from notifycli.text import shown_name


class Login(NamedTuple):
    """What a token let us see: the connection that it is for, and whose it is."""

    connection: Connection
    name: str
    """The account's name there."""
    user: User


def look(
    life: TokenService, url: str | None, secret: Secret, account: int | None, remote: int | None
) -> Login:
    """Ask whose a token is, and find the account that is meant; nothing is stored.

    Raises `DataError` for what can't be a token, `UsageError` where the account or the address
    isn't clear, and the API's errors.
    """
    token_format.check(secret.reveal())
    known, base = find_connection(life, url, account)
    refuse_kept(life.store.tokens.with_digest(digest(secret.reveal())), base)
    with ChatwootApi(Transport(base, secret), 0) as api:
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
        connection,
        shown_name(there.name),
        User(profile.id, profile.email, shown_name(profile.name), role),
    )


def refuse_kept(token: Token | None, url: str) -> None:
    """Refuse a token that has another place here: it would be in two, and end in both."""
    if token is None or is_for(token, url):
        return
    if not token.made_elsewhere:
        raise UsageError(
            "this token was made by this very store, which can't be its own Chatwoot",
            "keep what comes from elsewhere in another store: --db PATH",
        )
    where = f"-a {token.account_id} -u {token.user_id} --name {token.name}"
    raise UsageError(
        f"this token is kept already, as user {token.user_id}'s {token.name!r}",
        f"let go of it there, then log in: notifycli token revoke {where}",
    )


def keep(life: TokenService, login: Login, secret: Secret) -> Ended | None:
    """Keep a connection and the token of its user; `None` if it is kept already."""
    connection, user = login.connection, login.user
    with life.store.change(connection.account_id, life.command, life.who) as change:
        change.chatwoot.connect(connection.url, connection.remote_account_id)
        if login.name:
            change.name_account(login.name)
        change.settle_ids([(user.id, user.email)])
        known = life.store.user(connection.account_id, user.id) or user
        told = {"email": user.email, "name": user.name, "role": user.role}
        change.put_users([structs.replace(known, **told)])
    return keep_token(Desk(life, connection), user, secret)


def keep_token(desk: Desk, user: User, secret: Secret) -> Ended | None:
    """Keep a user's token in the place of any other; `None` if it is kept already."""
    current = desk.token(user)
    if current is not None and current.digest == digest(secret.reveal()):
        return None
    ended = desk.life.keep(desk.owner(user), secret, TokenWish(desk.connection.url)).ended
    end_rotation(desk, user)
    return ended


def logout(desk: Desk, users: Iterable[User], *, disconnect: bool) -> Ended:
    """Forget tokens and, with `disconnect`, the connection and what was seen there."""
    chosen = list(users)
    tokens = [token for user in chosen if (token := desk.token(user)) is not None]
    for user in chosen:
        end_rotation(desk, user)
    ended = desk.life.end(desk.account, tokens)
    if disconnect:
        with desk.change() as change:
            change.chatwoot.disconnect()
    return ended


def find_connection(
    life: TokenService, url: str | None, account: int | None
) -> tuple[Connection | None, str]:
    """Give the connection that is meant, if there is one already, and the address.

    Raises `UsageError` where the address isn't clear.
    """
    known = _find_known(life, url, account)
    return known, known.url if known else base_url(url or "")


def _find_known(life: TokenService, url: str | None, account: int | None) -> Connection | None:
    base = None if url is None else base_url(url)
    if account is not None:
        found = life.store.connection(account)
        if found is not None and base not in (None, found.url):
            raise UsageError(
                f"account {account} is connected to {found.url}",
                "disconnect it first: notifycli chatwoot logout",
            )
    else:
        fitting = [c for c in life.store.connections() if base in (None, c.url)]
        found = fitting[0] if len(fitting) == 1 else None
    if found is None and base is None:
        raise UsageError(
            "which Chatwoot?", "name its address: notifycli chatwoot login https://chat.example.com"
        )
    return found


def _account_there(profile: RemoteProfile, named: int | None, likely: int | None) -> RemoteAccount:
    accounts = {account.id: account for account in profile.accounts}
    if named is None:
        named = likely if likely in accounts else next(iter(accounts), None)
        if likely not in accounts and len(accounts) > 1:
            raise UsageError(
                f"{profile.email} has several accounts there: {_list_accounts(accounts)}",
                "name one: --remote N",
            )
    if named is None or named not in accounts:
        which = "no account" if named is None else f"no account {named}"
        raise UsageError(
            f"{profile.email} has {which} there", f"there are: {_list_accounts(accounts) or 'none'}"
        )
    return accounts[named]


def _list_accounts(accounts: dict[int, RemoteAccount]) -> str:
    return ", ".join(f"{id_} {account.name or ''}".strip() for id_, account in accounts.items())


_UNAUTHORIZED, _MISSING = 401, 404
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

    def _refuse(self, answer: Answer, method: str, path: str) -> NoReturn:
        base, said = self._transport.base, self._refusal_text(answer)
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
        if answer.status == _MISSING:
            raise UnavailableError(
                f"{base} has no user {user}, or is too old to give users' tokens{said}",
                "log in with the user's own: notifycli chatwoot login",
            )
        super()._refuse(answer, method, path)


def learn_agents(desk: Desk, *, dry_run: bool) -> list[User]:
    """Return all agents of the account there; those who aren't known here yet are from now on."""
    reader = next(reading_order(desk.users()), None)
    if reader is None:
        raise UsageError(
            f"no token for {desk.connection.url} is held",
            "log in first, as anybody: notifycli chatwoot login",
        )
    with desk.open(reader) as api:
        agents = [User(a.id, a.email, shown_name(a.name), role_of(a.role)) for a in api.agents()]
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


_TRIAL = Secret("no token yet")


def rotate(desk: Desk, users: Sequence[User], told: ProgressCallback, *, dry_run: bool) -> Report:
    """Replace the users' tokens there and here, and prove that the old ones are dead."""
    return desk.each("token", users, lambda user: _rotate(desk, user, dry_run=dry_run), told)


def _rotate(desk: Desk, user: User, *, dry_run: bool) -> SyncResult:
    broken_off = desk.life.store.chatwoot.record_of(desk.account, user.id).rotating
    if dry_run:
        return _rehearse(desk, user, broken_off)
    if broken_off is not None and (finished := _finish(desk, user, broken_off)):
        return finished
    with desk.open(user) as api:
        check_owner(user, api.profile().id)
        old = desk.life.reveal(desk.held(user))
        name = _prepare(desk, user)
        new = _reset(desk, user, api)
    desk.life.keychain.set(name, new)
    return _take(desk, user, old, new)


def _reset(desk: Desk, user: User, api: ChatwootApi) -> Secret:
    """Have the token replaced; where that was refused, and the old one is still good, say so."""
    try:
        return api.reset_token()
    except NotifycliError:
        if api.accepted():
            end_rotation(desk, user)
        raise


def _rehearse(desk: Desk, user: User, broken_off: str | None) -> SyncResult:
    if broken_off is not None:
        return _step(user, "unfinished", "a rotation was broken off: it would be finished")
    with desk.open(user) as api:
        check_owner(user, api.profile().id)
    return _step(user, "works", "the token would be replaced")


def _prepare(desk: Desk, user: User) -> str:
    """Note where the new token will be, and prove that the keychain keeps what is put there."""
    chain = desk.life.keychain
    name = f"{chain.kind}:chatwoot/{desk.account}/{user.id}/{secrets.token_hex(8)}"
    with desk.change() as change:
        change.chatwoot.rotating(user.id, name)
    chain.set(name, _TRIAL)
    if chain.get(name) != _TRIAL:
        end_rotation(desk, user)
        raise UnavailableError("the keyring doesn't keep what it is given", "notifycli doctor")
    return name


def _finish(desk: Desk, user: User, name: str) -> SyncResult | None:
    """Finish what was broken off; `None` if it never began there, and can begin anew.

    Raises `NotPermittedError` if the new token is lost.
    """
    old = desk.life.reveal(desk.held(user))
    new = desk.life.keychain.get(name)
    if new is not None and new != _TRIAL:
        # It may have been taken already, and only the note be left.
        if new == old:
            end_rotation(desk, user)
            return _step(user, "rotated", "a rotation that was broken off is finished")
        return _take(desk, user, old, new)
    with desk.speak(old) as api:
        if api.accepted():
            end_rotation(desk, user)
            return None
    raise NotPermittedError(
        f"a rotation was broken off before the new token came, and {desk.connection.url} "
        "refuses the old one",
        "copy the new one from the profile there, then: notifycli chatwoot login",
    )


def _take(desk: Desk, user: User, old: Secret, new: Secret) -> SyncResult:
    """Make the new token the current one, and prove that it works and the old one doesn't."""
    token_format.check(new.reveal())
    if new == old:
        end_rotation(desk, user)
        raise UnavailableError(
            f"{desk.connection.url} answers with the old token",
            "reset it on the profile page there, then: notifycli chatwoot login",
        )
    made = desk.life.keep(desk.owner(user), new, TokenWish(desk.connection.url))
    end_rotation(desk, user)
    with desk.speak(new) as api:
        check_owner(user, api.profile().id)
    with desk.speak(old) as api:
        if api.accepted():
            raise UnavailableError(
                f"the new token {made.token.masked} is kept and works, but {desk.connection.url} "
                "still takes the old one",
                "reset it on the profile page there",
            )
    ended = ", ".join(token.masked for token in made.ended.tokens)
    detail = f"{made.token.masked} works, {ended} doesn't any more"
    if made.ended.trouble is not None:
        detail += "; the keyring still holds the old one: notifycli doctor --fix"
    return _step(user, "rotated", detail)


def _step(user: User, result: str, detail: str) -> SyncResult:
    return SyncResult("token", user.id, user.email or str(user.id), result, detail)
