"""What the doctor looks at for Chatwoot: that it answers, and takes every token that is held."""

from __future__ import annotations

from notifycli.cli.doctor.checks import Facts, Finding, Status
from notifycli.cli.session import plural
from notifycli.cli.times import in_words, now
from notifycli.errors import NotifycliError
from notifycli.secrets.keychain import Keychain
from notifycli.store.chatwoot_accounts import Connection
from notifycli.store.store import Store

_NAME = "chatwoot"
_SECONDS = 5.0
"""Somebody waits; a server that is well answers in less."""


def check_chatwoot(facts: Facts) -> Finding:
    """Try every token that is held, at every Chatwoot that is connected; nothing is written."""
    store = facts.store
    if store is None:
        return Finding(_NAME, Status.NOTE, "-", "can't be told without the store")
    connections = store.chatwoot.all()
    if not connections:
        fix = "notifycli chatwoot login https://chat.example.com"
        return Finding(_NAME, Status.NOTE, "not connected", "the directory is kept by hand", fix)
    found = "; ".join(map(_found, connections))
    try:
        status, meaning, fix = _answers(facts, store, connections)
    except NotifycliError as error:
        status, meaning, fix = Status.FAIL, error.message, error.hint
    return Finding(_NAME, status, found, meaning, fix)


def _answers(facts: Facts, store: Store, connections: list[Connection]) -> tuple[Status, str, str]:
    if facts.keychain is None or not facts.keyring.works:
        return Status.FAIL, "the keyring that holds the tokens doesn't work", ""
    if facts.keychain.asks:
        meaning = "not tried: the keyring would ask for a passphrase"
        return Status.NOTE, meaning, "notifycli chatwoot status"
    tried = 0
    for connection in connections:
        users = _tried(store, facts.keychain, connection)
        if not users:
            fix = f"notifycli chatwoot login -a {connection.account_id}"
            return Status.FAIL, "no token is held for it", fix
        tried += users
    works = "works" if tried == 1 else "work"
    return Status.OK, f"{plural(tried, 'token')} {works}", ""


def _found(connection: Connection) -> str:
    pulled = connection.pulled_at
    last = "never pulled" if pulled is None else f"pulled {in_words(pulled, now())}"
    return f"account {connection.account_id} at {connection.url}, {last}"


def _tried(store: Store, keychain: Keychain, connection: Connection) -> int:
    """Try the tokens of a connection; give how many there are. Raises what is wrong with one."""
    from notifycli.chatwoot.account import Desk, check_owner  # noqa: PLC0415 - only for a connection
    from notifycli.chatwoot.http import LIMITS  # noqa: PLC0415
    from notifycli.secrets.token_service import TokenService  # noqa: PLC0415

    limits = LIMITS._replace(connect=_SECONDS, read=_SECONDS, whole=2 * _SECONDS, tries=1)
    desk = Desk(TokenService(store, keychain, "doctor", "", now), connection, limits)
    users = desk.users()
    for user in users:
        with desk.open(user) as api:
            check_owner(user, api.profile().id)
    return len(users)
