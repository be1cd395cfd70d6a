"""Where secrets are kept: one contract, the choice of who fulfils it, and settings kept there.

Each store has names of its own in the keychain, so that a store for a trial doesn't overwrite the
password of the one in production. Stores made before that shared a name; what is under it stays
with those that use it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.secrets import Health
from notifycli.secrets.token_format import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notifycli.store.store import Location, Store


WHICH = "NOTIFYCLI_KEYRING"
FILE = "NOTIFYCLI_KEYRING_FILE"
_NAME = "keychain.json"


class Keychain(Protocol):
    """Secrets by name, kept encrypted, under the service name `notifycli`.

    Names are any text that isn't empty; two names that differ in anything are two secrets. Every
    method raises `UnavailableError` if the keychain can't be reached in time, is locked or
    refuses, with the ways out as the hint. After a time-out of `set` or `delete` nobody knows
    whether it took effect; the caller must be able to repeat it.
    """

    @property
    def kind(self) -> str:
        """Which keychain this is: the value of `NOTIFYCLI_KEYRING` that chooses it."""

    @property
    def asks(self) -> bool:
        """Whether the next call may have a person type a passphrase on the terminal."""

    def unlock(self, *, to_write: bool = False) -> None:
        """Have its passphrase typed now, if it needs one; `to_write`, also where it is still empty.

        A keychain that is missing or locked says so here: before a token is typed, and before a
        progress bar draws over the question.
        """

    def get(self, name: str) -> Secret | None:
        """Return the secret kept under `name`, or None if there is none."""

    def set(self, name: str, secret: Secret) -> None:
        """Keep `secret` under `name`, in the place of any earlier one; it is kept on return."""

    def delete(self, name: str) -> bool:
        """Forget the secret under `name`; return whether there was one."""

    def describe(self) -> Health:
        """Tell what this keychain is and whether it works, trying a read; never raises."""


def open_keychain(
    environ: Mapping[str, str] | None = None, beside: Location | None = None
) -> Keychain:
    """Return the keychain that the environment chooses: the system's, or one under a passphrase.

    `file` lies beside the store, unless the environment says where; `store` is in it.

    They are never a silent way round a missing keyring: whoever set up the machine decides
    where its secrets lie. Nothing is opened or asked for until the first secret is.

    Raises `ConfigurationError` for another value of `NOTIFYCLI_KEYRING`, and `UnavailableError` for
    `store` where no store is meant.
    """
    environ = os.environ if environ is None else environ
    which = environ.get(WHICH, "")
    if which in {"", "system"}:
        from notifycli.secrets.system_keyring import SystemKeyring  # noqa: PLC0415

        return SystemKeyring(environ=environ)
    if which == "file":
        from notifycli.secrets.encrypted_file import EncryptedFile, Passphrase  # noqa: PLC0415

        folder = None if beside is None else beside.folder
        return EncryptedFile(file_path(environ, folder), Passphrase.from_environment(environ))
    if which == "store":
        from notifycli.secrets.encrypted_file import Passphrase, StoreVault  # noqa: PLC0415

        if beside is None or not (beside.file or beside.url):
            raise UnavailableError(
                "what opens a store can't be kept in its own vault",
                "a password belongs in ~/.pgpass or the file that PGPASSFILE names; or log in with "
                f"{WHICH}=system or {WHICH}=file",
            )
        return StoreVault(beside, Passphrase.from_environment(environ))
    raise ConfigurationError(
        f"{WHICH} is {which!r}, which is no keychain",
        f"Use {WHICH}=system (or unset it), {WHICH}=file or {WHICH}=store.",
    )


def file_path(environ: Mapping[str, str], beside: Path | None = None) -> Path:
    """Return where the encrypted file lies: `NOTIFYCLI_KEYRING_FILE`, else in the folder `beside`.

    One in the data folder goes on being used where there is none beside the store: until now it
    was made there, wherever the store was.
    """
    if named := environ.get(FILE):
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415 - 15 ms that the system's keyring doesn't need

    usual = platformdirs.user_data_path("notifycli", appauthor=False) / _NAME
    path = usual if beside is None else beside / _NAME
    return usual if os.path.exists(usual) and not os.path.exists(path) else path  # noqa: PTH110 - pathlib's raises where it may not look


def get_secret(store: Store, key: str, environ: Mapping[str, str] | None = None) -> Secret | None:
    """Return the value of a setting that is a secret: the environment's, else the keychain's.

    Raises `UnavailableError` if the keychain can't be read.
    """
    from notifycli.store.settings import SETTINGS  # noqa: PLC0415 - most want a keychain alone

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


def copy_to_vault(store: Store, source: Keychain, vault: Keychain) -> tuple[int, list[str]]:
    """Copy a store's secrets from this machine's keychain into its vault, where it looks from now.

    Gives how many, and the names of those that the source doesn't hold: they stay as they are. It
    can be broken off at any point, and done again.
    """
    copied: dict[str, str] = {}
    lost: list[str] = []
    for name in store.vault.names():
        kind, mark, rest = name.partition(":")
        if (kind if mark else source.kind) == vault.kind:
            continue
        secret = source.get(name) if not mark or kind == source.kind else None
        if secret is None:
            lost.append(name)
            continue
        copied[name] = f"{vault.kind}:{rest if mark else name}"
        vault.set(copied[name], secret)
    store.vault.rename(copied)
    return len(copied), lost


def _kind(name: str) -> str:
    """Return which keychain a name is of; "" for those of earlier versions, which didn't say."""
    kind, mark, _ = name.partition(":")
    return kind if mark else ""
