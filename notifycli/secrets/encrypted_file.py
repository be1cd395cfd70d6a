"""The keychains under a passphrase, in a file or in the store: chosen deliberately only.

The file is for machines without a keyring, the store's vault for several hosts.

Scrypt turns a passphrase into a key, AES-GCM seals:

    {"format": "notifycli keychain", "version": 1,
     "kdf": {"n": 32768, "r": 8, "p": 3, "salt": …}, "nonce": …, "sealed": …, "sum": …}

Bytes are in base64. `sealed` holds the JSON object of names and secrets; format, version and kdf
are authenticated with it. `sum` is the SHA-256 of everything before it: a file damaged on disk is
told from a wrong passphrase, which AES-GCM alone can't do. It guards against nothing else.

The passphrase comes from a file or an open descriptor, or is typed unseen.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import sys
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from notifycli.errors import (
    ConfigurationError,
    DataError,
    InputMissingError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UnavailableError,
)
from notifycli.secrets import Health
from notifycli.secrets.private_file import (
    LOCK_SECONDS,
    hold_lock,
    lock_path,
    read_given,
    read_private,
    replace_private,
)
from notifycli.secrets.token_format import Secret
from notifycli.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from notifycli.store.store import Location

FORMAT = "notifycli keychain"
VERSION = 1

# A ValueError is what msgspec raises for bytes that are no UTF-8.
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
_SALT = 16
_NONCE = 12
_MOST_MEMORY = 2**27
"""Bytes of memory for one derivation: four times what ours take."""
_MOST_WORK = 2**24
"""The product of Scrypt's parameters: twenty times ours, some four seconds."""


class Derivation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of Scrypt and its salt of 16 bytes.

    The defaults are OWASP's for 32 MiB of memory: 0.2 s on a small server, once a command.
    """

    salt: bytes
    n: int = 2**15
    r: int = 8
    p: int = 3


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it lies on disk."""

    format: str
    version: int
    kdf: Derivation
    nonce: bytes
    sealed: bytes
    sum: str = ""


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A derived key of 256 bits, and what it was derived with."""

    derivation: Derivation
    key: bytes = field(repr=False)


def new_derivation() -> Derivation:
    """Return parameters for a new file, with a salt of their own."""
    return Derivation(salt=os.urandom(_SALT))


def derive(passphrase: str, derivation: Derivation) -> DerivedKey:
    """Return the key of `passphrase`; takes 0.2 s, by design."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415 - 40 ms

    scrypt = Scrypt(salt=derivation.salt, length=32, n=derivation.n, r=derivation.r, p=derivation.p)
    return DerivedKey(derivation, scrypt.derive(passphrase.encode()))


def seal(secrets: dict[str, str], key: DerivedKey) -> bytes:
    """Return the file that holds `secrets` under `key`, with a nonce never used before.

    Random nonces of 96 bits are safe for 2³² writes with one key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    nonce = os.urandom(_NONCE)
    plain = msgspec.json.encode(secrets)
    sealed = AESGCM(key.key).encrypt(nonce, plain, _associated_data(VERSION, key.derivation))
    envelope = Envelope(FORMAT, VERSION, key.derivation, nonce, sealed)
    return msgspec.json.encode(msgspec.structs.replace(envelope, sum=_sum(envelope))) + b"\n"


def read_envelope(raw: bytes, where: str) -> Envelope:
    """Return the envelope of a file named `where` in errors, whole but still sealed.

    Raises `ConfigurationError` for a damaged file, one of a newer version, or no such file at all.
    """
    try:
        envelope = msgspec.json.decode(raw, type=Envelope)
    except _UNREADABLE:
        raise _damage(where) from None
    if envelope.format != FORMAT or envelope.sum != _sum(envelope):
        raise _damage(where)
    if envelope.version != VERSION:
        raise ConfigurationError(
            f"{where} was written by a newer notifycli", "Update this notifycli."
        )
    if not _is_affordable(envelope.kdf):
        raise _damage(where)
    return envelope


def unseal(envelope: Envelope, key: DerivedKey, where: str) -> dict[str, str]:
    """Return the secrets by name; `NotPermittedError` if another key sealed them."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    authenticated = _associated_data(envelope.version, envelope.kdf)
    try:
        plain = AESGCM(key.key).decrypt(envelope.nonce, envelope.sealed, authenticated)
    except (InvalidTag, ValueError):
        raise NotPermittedError(
            f"the passphrase doesn't open {where}",
            "Type the one that it was made with, or check NOTIFYCLI_KEYRING_PASSPHRASE_FILE.",
        ) from None
    try:
        return msgspec.json.decode(plain, type=dict[str, str])
    except _UNREADABLE:
        raise _damage(where) from None


def _is_affordable(kdf: Derivation) -> bool:
    """Tell whether a derivation is possible, within what whoever may write the file may ask for."""
    power_of_two = kdf.n > 1 and kdf.n & (kdf.n - 1) == 0
    cheap = 128 * kdf.n * kdf.r <= _MOST_MEMORY and kdf.n * kdf.r * kdf.p <= _MOST_WORK
    return power_of_two and kdf.r > 0 and kdf.p > 0 and cheap


def _associated_data(version: int, derivation: Derivation) -> bytes:
    return msgspec.json.encode([FORMAT, version, derivation])


def _sum(envelope: Envelope) -> str:
    whole = msgspec.json.encode(msgspec.structs.replace(envelope, sum=""))
    return hashlib.sha256(whole).hexdigest()


def _damage(where: str) -> ConfigurationError:
    return ConfigurationError(
        f"{where} is damaged or no keychain of notifycli",
        "Restore it from a backup, or move it away and generate the tokens anew.",
    )


PASSPHRASE_FILE = "NOTIFYCLI_KEYRING_PASSPHRASE_FILE"  # noqa: S105 - a variable's name
PASSPHRASE_FD = "NOTIFYCLI_KEYRING_PASSPHRASE_FD"  # noqa: S105 - as above
_LONGEST = 1 << 16
_DIGITS = 6


def ask_on_terminal(prompt: str) -> str:
    """Return what is typed on the terminal, unseen; standard input stays free for data.

    Raises `UnavailableError` without a terminal: `getpass` would then echo what is typed.
    """
    if sys.platform != "win32":
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError:
            raise UnavailableError(
                "there is no terminal to type the keyring's passphrase on",
                f"Write it to a file of mode 600 and type: export {PASSPHRASE_FILE}=PATH",
            ) from None
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise DataError("no passphrase was typed") from None


@cache
def _read_once(descriptor: int) -> bytes:
    """Read what a descriptor was opened on, which can be read once only."""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LONGEST)


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Where the passphrase comes from: a descriptor or file, if one is named, else `ask`."""

    file: Path | None
    ask: Callable[[str], str] = ask_on_terminal
    descriptor: int | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Passphrase:
        """Return the source that the environment names; the passphrase itself is never in it.

        Raises `ConfigurationError` for a descriptor that is no number.
        """
        named, number = environ.get(PASSPHRASE_FILE), environ.get(PASSPHRASE_FD)
        if number and not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
            raise ConfigurationError(
                f"{PASSPHRASE_FD} is {number!r}, which is no number of an open descriptor",
                f"Use {PASSPHRASE_FD}=3, and 3< FILE.",
            )
        return cls(
            Path(named).expanduser() if named else None,
            descriptor=int(number) if number else None,
        )

    @property
    def asks(self) -> bool:
        """Whether a person has to type it."""
        return self.file is None and self.descriptor is None

    def read(self, *, new: bool) -> Secret:
        """Return the passphrase; a `new` one is asked for twice.

        Raises `DataError` for an empty one or two that differ, `InputMissingError`,
        `NotPermittedError`, `ConfigurationError` for a file that is missing, unreadable or open to
        others, `UnavailableError` without file and terminal.
        """
        if self.descriptor is not None:
            raw = self._read_descriptor(self.descriptor)
            return decode_passphrase(raw, f"descriptor {self.descriptor}")
        if self.file is not None:
            return decode_passphrase(self._read_file(self.file), str(self.file))
        return _not_empty(self._prompt(new))

    def _prompt(self, new: bool) -> str:
        text = self.ask("Passphrase of the keyring: " if not new else "New passphrase: ")
        if new and text and self.ask("The same again: ") != text:
            raise DataError("the two passphrases differ", "Nothing was stored. Try again.")
        return text

    def _read_descriptor(self, descriptor: int) -> bytes:
        try:
            return _read_once(descriptor)
        except OSError as error:
            raise InputMissingError(
                f"the passphrase can't be read from descriptor {descriptor}: {error.strerror}",
                f"Open it for the command: notifycli … {descriptor}< FILE",
            ) from None

    def _read_file(self, file: Path) -> bytes:
        raw = read_given(file, os.environ)
        if raw is None:
            raise InputMissingError(
                f"the passphrase file {file} is missing",
                f"Make it with mode 600, or name another in {PASSPHRASE_FILE}.",
            )
        return raw


def decode_passphrase(raw: bytes, where: str) -> Secret:
    """Return the passphrase in a file or a pipe. Raises `DataError`."""
    try:
        return _not_empty(raw.decode("utf-8-sig").rstrip("\r\n"))
    except UnicodeDecodeError:
        raise DataError(f"the passphrase in {where} isn't text in UTF-8") from None


def _not_empty(text: str) -> Secret:
    if not text:
        raise DataError("the keyring's passphrase is empty", "Choose a long one.")
    return Secret(text)


class Sealed:
    """Secrets that are sealed with a passphrase; where, is for those who inherit to say.

    The passphrase is read when the first secret is, and its key is kept for later ones, so that
    many changes in one command pay for one derivation. Beside what `Keychain` promises, methods
    raise `NotPermittedError` for a wrong passphrase, `ConfigurationError` for what is damaged,
    `TryAgainError` if other processes are writing for ten seconds, and what `Passphrase.read`
    raises.
    """

    kind: str
    name: str
    """What the doctor calls it."""
    where: str

    def __init__(self, passphrase: Passphrase) -> None:
        self._passphrase = passphrase
        self._typed: Secret | None = None
        self._key: DerivedKey | None = None

    def _load(self) -> bytes | None:
        """Return what is sealed; `None` if there is nothing yet."""
        raise NotImplementedError

    def _exists(self) -> bool:
        return self._load() is not None

    def _replace(self, change: Callable[[bytes | None], bytes | None]) -> None:
        """Put what `change` makes of what is there in its place, unless that is None.

        Nobody else writes meanwhile, or it is done again.
        """
        raise NotImplementedError

    @property
    def asks(self) -> bool:
        """Whether a passphrase is still to be typed; without one only a new token needs it."""
        return self._passphrase.asks and self._typed is None and self._exists()

    def unlock(self, *, to_write: bool = False) -> None:
        """Read it, for which the passphrase may have to be typed."""
        raw = self._load()
        self._open(raw)
        if to_write:
            self._ask(new=raw is None)

    def get(self, name: str) -> Secret | None:
        """Return the secret kept under `name`, or None, also if there is nothing yet."""
        value = self._open(self._load()).get(name)
        return None if value is None else Secret(value)

    def set(self, name: str, secret: Secret) -> None:
        """Keep `secret` under `name`."""

        def put(secrets: dict[str, str]) -> bool:
            secrets[name] = secret.reveal()
            return True

        self._change(put)

    def delete(self, name: str) -> bool:
        """Forget the secret under `name`; return whether there was one."""
        if self._load() is None:
            return False
        return self._change(lambda secrets: secrets.pop(name, None) is not None)

    def reseal(self, read: Callable[[], Secret]) -> int:
        """Seal all secrets under the passphrase that is read; return how many there are.

        What others keep meanwhile, under the one before, is among them.
        """
        if self._load() is None:
            raise InputMissingError(f"there is nothing in {self.where}")
        self.unlock()
        passphrase = read()
        key, count = derive(passphrase.reveal(), new_derivation()), 0

        def sealed_anew(raw: bytes | None) -> bytes:
            nonlocal count
            secrets = self._open(raw)
            count = len(secrets)
            return seal(secrets, key)

        self._replace(sealed_anew)
        self._typed, self._key = passphrase, key
        return count

    def describe(self) -> Health:
        """Tell whether it opens; without a passphrase file, only whether it is whole."""
        try:
            raw = self._load()
            if raw is not None:
                read_envelope(raw, self.where)
            if self._passphrase.asks:
                meaning = "it asks for its passphrase on the terminal"
            else:
                self._open(raw)
                self._passphrase.read(new=raw is None)
                meaning = "its passphrase file opens it"
        except NotifycliError as error:
            return Health(self.name, self.where, False, error.message, error.hint)
        if raw is None:
            meaning = "the first token makes it"
        return Health(self.name, self.where, True, meaning)

    def _change(self, change: Callable[[dict[str, str]], bool]) -> bool:
        """Apply `change` to the secrets and write them if it returns True; return what it did.

        Typing a passphrase may take minutes, so it is asked for before others are kept waiting.
        """
        self.unlock(to_write=True)
        changed = False

        def sealed_anew(raw: bytes | None) -> bytes | None:
            nonlocal changed
            secrets = self._open(raw)
            changed = change(secrets)
            if not changed:
                return None
            # Another process may have made it meanwhile: then the key is that one's.
            return seal(secrets, self._key or self._key_for(new_derivation()))

        self._replace(sealed_anew)
        return changed

    def _open(self, raw: bytes | None) -> dict[str, str]:
        """Return all secrets by name; none if there is nothing yet."""
        if raw is None:
            self._key = None
            return {}
        envelope = read_envelope(raw, self.where)
        return unseal(envelope, self._key_for(envelope.kdf), self.where)

    def _key_for(self, derivation: Derivation) -> DerivedKey:
        """Return the key for `derivation`: the last one if it fits, since a new one takes 0.2 s."""
        if self._key is None or self._key.derivation != derivation:
            self._key = derive(self._ask(new=False).reveal(), derivation)
        return self._key

    def _ask(self, *, new: bool) -> Secret:
        if self._typed is None:
            self._typed = self._passphrase.read(new=new)
        return self._typed


class EncryptedFile(Sealed):
    """Secrets in one file of mode 0600; fulfils `Keychain`.

    Beside what `Sealed` raises: `ConfigurationError` for a file that others may read.
    """

    kind = "file"
    name = "encrypted file"

    def __init__(self, path: Path, passphrase: Passphrase) -> None:
        super().__init__(passphrase)
        self._path = path
        self.where = str(path)

    def _load(self) -> bytes | None:
        return read_private(self._path)

    def _exists(self) -> bool:
        return os.path.exists(self._path)  # noqa: PTH110 - pathlib's raises where it may not look

    def _replace(self, change: Callable[[bytes | None], bytes | None]) -> None:
        with hold_lock(lock_path(self._path)):
            new = change(self._load())
            if new is not None:
                replace_private(self._path, new)


class StoreVault(Sealed):
    """Secrets in the store, for all hosts that use it and have the passphrase; fulfils `Keychain`.

    The store sees the sealed bytes alone. Each call opens it apart: what is kept is kept, whatever
    becomes of a change that the caller is in.
    """

    kind = "store"
    name = "sealed"

    def __init__(self, location: Location, passphrase: Passphrase) -> None:
        super().__init__(passphrase)
        self._location = location
        self.where = f"the vault in {location.name}"

    def _load(self) -> bytes | None:
        if not self._location.exists:
            return None
        with open_store(self._location, create=False) as store:
            return store.vault.read().sealed

    def _replace(self, change: Callable[[bytes | None], bytes | None]) -> None:
        deadline = time.monotonic() + LOCK_SECONDS
        with open_store(self._location) as store:
            while True:
                seen = store.vault.read()
                new = change(seen.sealed)
                if new is None or store.vault.replace(seen, new):
                    return
                if time.monotonic() > deadline:
                    raise TryAgainError(f"others are writing to {self.where}", "Try again.")
