"""Into a Chatwoot and out of it: whose a token is, and which account is meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import structs

from notifycli.chatwoot.account import Desk, end_rotation, is_for
from notifycli.chatwoot.client import ChatwootApi, RemoteAccount, RemoteProfile, role_of
from notifycli.chatwoot.http import Transport, base_url
from notifycli.errors import UsageError
from notifycli.rules.directory import User
from notifycli.secrets import token_format
from notifycli.secrets.token_format import Secret, digest
from notifycli.secrets.token_service import Ended, TokenService, TokenWish
from notifycli.store.chatwoot_accounts import Connection
from notifycli.store.tokens import Token


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
        connection, there.name or "", User(profile.id, profile.email, profile.name or "", role)
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
