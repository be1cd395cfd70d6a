"""Rotating: Chatwoot makes a new token and ends the old one in the same request.

From then on the new one is in that answer alone. So, before it is asked for, the keychain proves
that it keeps a secret, and the store notes under which name the new one will be kept; it goes there
before anything else is done with it. Whatever is broken off is finished by the next run: if the
keychain has the new token it becomes the current one, else the old one is tried.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from notifycli.chatwoot.account import (
    Desk,
    ProgressCallback,
    Report,
    SyncResult,
    check_owner,
    end_rotation,
)
from notifycli.chatwoot.client import ChatwootApi
from notifycli.errors import NotifycliError, NotPermittedError, UnavailableError
from notifycli.rules.directory import User
from notifycli.secrets import token_format
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import TokenWish

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
        raise UnavailableError(f"{desk.connection.url} answers with the old token")
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
