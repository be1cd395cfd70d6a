"""Settings that are secrets: kept in the keychain, or handed over in the environment.

Each store has names of its own in the keychain, so that a store for a trial doesn't overwrite the
password of the one in production. Stores made before that shared a name; what is under it stays
with those that use it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from notifycli.secrets.keychain import open_keychain
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
    return None if name is None else open_keychain(environ, store.location.folder).get(name)


def keep_secret(store: Store, keychain: Keychain, key: str, secret: Secret) -> None:
    """Keep a secret setting's value under a name of the store's own."""
    import secrets  # noqa: PLC0415 - only what keeps one needs it

    name = store.configuration.secret_name(key)
    if name is None or _is_shared(key, name):
        name = f"config/{secrets.token_hex(8)}/{key}"
    # In this order a crash leaves a secret that nothing uses, not a name without its secret.
    keychain.set(name, secret)
    store.configuration.name_secret(key, name)


def forget_secret(store: Store, key: str) -> bool:
    """Forget a secret setting's value; return whether the keychain still holds it for others."""
    name = store.configuration.secret_name(key)
    if name is None:
        return False
    keychain = open_keychain(beside=store.location.folder)
    held = False
    if _is_shared(key, name):
        held = keychain.get(name) is not None
    else:
        keychain.delete(name)
    store.configuration.name_secret(key, None)
    return held


def _is_shared(key: str, name: str) -> bool:
    return name == f"config/{key}"
