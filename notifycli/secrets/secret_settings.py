"""Settings that are secrets: kept in the keychain, or handed over in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.token_format import Secret
from notifycli.store.settings import SETTINGS


def secret_name(key: str) -> str:
    """Give the name under which a keychain keeps the setting."""
    return f"config/{key}"


def secret(key: str, environ: Mapping[str, str] | None = None) -> Secret | None:
    """Give a secret setting's value: the environment's, else the keychain's, else `None`.

    Raises `UnavailableError` if the keychain can't be read.
    """
    environ = os.environ if environ is None else environ
    if text := environ.get(SETTINGS[key].variable):
        return Secret(text)
    return open_keychain(environ).get(secret_name(key))
