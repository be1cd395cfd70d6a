"""Stores on servers: `--db https://…` names a `serve`, and a token opens it.

What opens a server, the token of a `serve` or the password of a `postgresql://…`, is kept in the
keyring, or asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache

from notifycli.chatwoot.http import LIMITS, Transport, base_url
from notifycli.cli.terminal import is_terminal, read_secret
from notifycli.errors import NotPermittedError, UnavailableError, UsageError
from notifycli.secrets.keychain import Keychain, open_keychain
from notifycli.secrets.token_format import Secret, check, unwrap
from notifycli.store.store import Location, open_store

VARIABLE = "NOTIFYCLI_TOKEN"
"""Holds the token where there is no keyring: in CI, say."""
_NOUNS = frozenset({"directory", "inbox", "prefs", "simulate", "store", "team", "user", "why"})
"""What works through `serve`."""
_WHY_NOT = {
    "audio": "tones are for all accounts of a store, and a token opens one",
    "channel": "addresses are in the keyring of the machine that has the store",
}
"""Of what one might look for there."""
_LIMITS = LIMITS._replace(size=128 << 20, tries=2)


class ServerLink:
    """Requests to a `serve` with a token, which is looked for once it is needed."""

    def __init__(self, base: str, token: Callable[[], Secret], note: Callable[[str], None]) -> None:
        self._base = base
        self._token = cache(token)  # who types it does so once
        self._transport: Transport | None = None
        self.note = note

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request; raises the errors of `Transport.ask`."""
        if self._transport is None:
            self._transport = Transport(self._base, self._token(), _LIMITS)
        return self._transport.ask(method, path, body)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.__exit__()
            self._transport = None


def locate_server(url: str, command: str, note: Callable[[str], None]) -> Location:
    """Find the store behind a `serve`, for a command.

    Raises `UsageError` for what is no such address, and for a command that doesn't work there.
    """
    base = base_url(url)
    noun = command.partition(" ")[0]
    if noun and noun not in _NOUNS:
        why = _WHY_NOT.get(noun, f"{', '.join(sorted(_NOUNS - {'store'}))} do")
        raise UsageError(
            f"{command} doesn't work through the serve at {base}: {why}",
            "type it on the machine that has the store; or name another store: --db PATH",
        )
    return Location(None, base, link=ServerLink(base, lambda: _find_token(base), note))


def login_to_server(url: str, note: Callable[[str], None]) -> None:
    """Keep the token that opens a `serve`, once it has."""
    base = base_url(url)
    keychain = server_keychain()
    keychain.unlock(to_write=True)
    secret = _read_token(base)
    link = ServerLink(base, lambda: secret, note)
    open_store(Location(None, base, link=link)).__exit__()
    keychain.set(secret_name(base), secret)
    note(f"the token for {base} is kept, and lets in; use it: --db {base}, or NOTIFYCLI_DB")


def find_password(url: str) -> str | None:
    """Return a server's password: the keyring's, else one that is typed now on a terminal."""
    kept = find_kept(url)
    if kept is not None:
        return kept.reveal()
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return None
    return read_secret(f"Password of {url}: ", "password", "notifycli store login")


def server_keychain() -> Keychain:
    """Return the keychain that keeps what opens servers."""
    return open_keychain(beside=Location(None))


def secret_name(url: str) -> str:
    """Return the name under which it is kept."""
    return f"store/{url}"


def find_kept(url: str) -> Secret | None:
    """Return what the keychain has for a server; `None` where it can't be opened too."""
    try:
        return server_keychain().get(secret_name(url))
    except UnavailableError:
        return None


def _find_token(base: str) -> Secret:
    """Return the environment's token, else the keyring's, else one typed now on a terminal."""
    if text := os.environ.get(VARIABLE):
        return _checked(text)
    kept = find_kept(base)
    if kept is not None:
        return kept
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise NotPermittedError(
            f"no token for {base} is known",
            f"keep an administrator's: notifycli store login {base}; or set {VARIABLE}",
        )
    return _read_token(base)


def _read_token(base: str) -> Secret:
    return _checked(read_secret(f"Token for {base}: ", "token", f"notifycli store login {base} <"))


def _checked(text: str) -> Secret:
    token = unwrap(text)
    check(token)
    return Secret(token)
