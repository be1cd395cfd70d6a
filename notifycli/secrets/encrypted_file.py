"""The keychain in a file, for machines without a keyring: chosen deliberately only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifycli.errors import NotifycliError
from notifycli.secrets import encryption as sealed
from notifycli.secrets.diagnostics import Health
from notifycli.secrets.private_file import locked, read_private, replace_private
from notifycli.secrets.token_format import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from notifycli.secrets.passphrase import Passphrase


class EncryptedFile:
    """Secrets in one file of mode 0600, sealed with a passphrase; fulfils `Keychain`.

    The passphrase is read when the first secret is, and its key is kept for later ones, so that
    many changes in one command pay for one derivation. Beside what `Keychain` promises, methods
    raise `NotPermittedError` for a wrong passphrase, `ConfigurationError` for a damaged file or one
    that others may read, `TryAgainError` if another process is writing for ten seconds, and what
    `Passphrase.read` raises.
    """

    kind = "file"

    def __init__(self, path: Path, passphrase: Passphrase) -> None:
        self._path = path
        self._passphrase = passphrase
        self._typed: Secret | None = None
        self._key: sealed.Key | None = None

    @property
    def asks(self) -> bool:
        """Whether a passphrase is still to be typed; without a file only a new token needs it."""
        return self._passphrase.asks and self._typed is None and self._path.exists()

    def unlock(self, *, to_write: bool = False) -> None:
        """Read the file, whose passphrase may have to be typed for that."""
        self._read()
        if to_write:
            self._ask(new=read_private(self._path) is None)

    def get(self, name: str) -> Secret | None:
        """Return the secret kept under `name`, or None, also if there is no file yet."""
        value = self._read().get(name)
        return None if value is None else Secret(value)

    def set(self, name: str, secret: Secret) -> None:
        """Keep `secret` under `name`; makes the file if there is none."""

        def put(secrets: dict[str, str]) -> bool:
            secrets[name] = secret.reveal()
            return True

        self._change(put)

    def delete(self, name: str) -> bool:
        """Forget the secret under `name`; return whether there was one."""
        if read_private(self._path) is None:
            return False
        return self._change(lambda secrets: secrets.pop(name, None) is not None)

    def describe(self) -> Health:
        """Tell whether the file opens; without a passphrase file, only whether it is whole."""
        name, where = "encrypted file", str(self._path)
        try:
            raw = read_private(self._path)
            if raw is not None:
                sealed.opened(raw, where)
            if self._passphrase.asks:
                meaning = "it asks for its passphrase on the terminal"
            else:
                self._read()
                self._passphrase.read(new=raw is None)
                meaning = "its passphrase file opens it"
        except NotifycliError as error:
            return Health(name, where, False, error.message, error.hint)
        if raw is None:
            meaning = "the first token makes it"
        return Health(name, where, True, meaning)

    def _change(self, change: Callable[[dict[str, str]], bool]) -> bool:
        """Apply `change` to the secrets and write them if it returns True; return what it did.

        Typing a passphrase may take minutes, so it is asked for before the lock is taken.
        """
        self.unlock(to_write=True)
        with locked(self._path.with_name(f"{self._path.name}.lock")):
            secrets = self._read()
            changed = change(secrets)
            if changed:
                # Another process may have made the file meanwhile: then the key is that file's.
                key = self._key or self._derived(sealed.new_derivation())
                replace_private(self._path, sealed.seal(secrets, key))
            return changed

    def _read(self) -> dict[str, str]:
        """Return all secrets by name; none if there is no file."""
        raw = read_private(self._path)
        if raw is None:
            self._key = None
            return {}
        where = str(self._path)
        envelope = sealed.opened(raw, where)
        return sealed.unseal(envelope, self._derived(envelope.kdf), where)

    def _derived(self, derivation: sealed.Derivation) -> sealed.Key:
        """Return the key for `derivation`: the last one if it fits, since a new one takes 0.2 s."""
        if self._key is None or self._key.derivation != derivation:
            self._key = sealed.derive(self._ask(new=False).reveal(), derivation)
        return self._key

    def _ask(self, *, new: bool) -> Secret:
        if self._typed is None:
            self._typed = self._passphrase.read(new=new)
        return self._typed
