"""Settings that are secrets: kept in the keychain, or handed over in the environment.

Each store has names of its own in the keychain, so that a store for a trial doesn't overwrite the
password of the one in production. Stores made before that shared a name; what is under it stays
with those that use it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from notifycli.errors import UnavailableError
from notifycli.secrets.keychain import WHICH, open_keychain
from notifycli.secrets.token_format import Secret
from notifycli.store.settings import SETTINGS

if TYPE_CHECKING:
    from notifycli.secrets.keychain import Keychain
    from notifycli.store.store import Store


def get_secret(store: Store, key: str, environ: Mapping[str, str] | None = None) -> Secret | None:
    """Return a secret setting's value: the environment's, else the keychain's, else None.

    Raises `UnavailableError` if the keychain can't be read.
    """
    environ = os.environ if environ is None else environ
    if text := environ.get(SETTINGS[key].variable):
        return Secret(text)
    name = store.configuration.secret_name(key)
    if name is None:
        return None
    keychain = open_keychain(environ, store.location)
    return read_kept(keychain, name, key, f"notifycli config set {key}")


def read_kept(keychain: Keychain, name: str, what: str, again: str) -> Secret | None:
    """Return what a keychain holds under a name, which says of which keychain it is.

    Raises `UnavailableError` if it is of another; `again` is the command that sets it anew.
    """
    if (kind := _kind(name)) not in {"", keychain.kind}:
        raise UnavailableError(
            f"{what} is in another keychain, {WHICH}={kind}",
            f"export {WHICH}={kind}, or set it anew: {again}",
        )
    return keychain.get(name)


def keep_secret(store: Store, keychain: Keychain, key: str, secret: Secret) -> None:
    """Keep a secret setting's value under a name of the store's own."""
    import secrets  # noqa: PLC0415 - only what keeps one needs it

    name = store.configuration.secret_name(key)
    if name is None or name == f"config/{key}" or _kind(name) not in {"", keychain.kind}:
        name = f"{keychain.kind}:config/{secrets.token_hex(8)}/{key}"
    # In this order a crash leaves a secret that nothing uses, not a name without its secret.
    keychain.set(name, secret)
    store.configuration.name_secret(key, name)


def forget_secret(store: Store, key: str) -> bool:
    """Forget a secret setting's value; return whether the keychain still holds it for others."""
    name = store.configuration.secret_name(key)
    if name is None:
        return False
    keychain = open_keychain(beside=store.location)
    held = False
    if name == f"config/{key}":
        held = keychain.get(name) is not None
    elif _kind(name) in {"", keychain.kind}:
        keychain.delete(name)
    store.configuration.name_secret(key, None)
    return held


def _kind(name: str) -> str:
    """Return which keychain a name is of; "" for those of earlier versions, which didn't say."""
    kind, mark, _ = name.partition(":")
    return kind if mark else ""
