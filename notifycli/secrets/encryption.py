"""The sealed form of the encrypted file: Scrypt turns the passphrase into a key, AES-GCM seals.

    {"format": "notifycli keychain", "version": 1,
     "kdf": {"n": 32768, "r": 8, "p": 3, "salt": …}, "nonce": …, "sealed": …, "sum": …}

Bytes are in base64. `sealed` holds the JSON object of names and secrets; format, version and kdf
are authenticated with it. `sum` is the SHA-256 of everything before it: a file damaged on disk is
told from a wrong passphrase, which AES-GCM alone can't do. It guards against nothing else.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field

import msgspec

from notifycli.errors import ConfigurationError, NotPermittedError

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
class Key:
    """A derived key of 256 bits, and what it was derived with."""

    derivation: Derivation
    key: bytes = field(repr=False)


def new_derivation() -> Derivation:
    """Return parameters for a new file, with a salt of their own."""
    return Derivation(salt=os.urandom(_SALT))


def derive(passphrase: str, derivation: Derivation) -> Key:
    """Return the key of `passphrase`; takes 0.2 s, by design."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415 - 40 ms

    scrypt = Scrypt(salt=derivation.salt, length=32, n=derivation.n, r=derivation.r, p=derivation.p)
    return Key(derivation, scrypt.derive(passphrase.encode()))


def seal(secrets: dict[str, str], key: Key) -> bytes:
    """Return the file that holds `secrets` under `key`, with a nonce never used before.

    Random nonces of 96 bits are safe for 2³² writes with one key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    nonce = os.urandom(_NONCE)
    plain = msgspec.json.encode(secrets)
    sealed = AESGCM(key.key).encrypt(nonce, plain, _authenticated(VERSION, key.derivation))
    envelope = Envelope(FORMAT, VERSION, key.derivation, nonce, sealed)
    return msgspec.json.encode(msgspec.structs.replace(envelope, sum=_sum(envelope))) + b"\n"


def opened(raw: bytes, where: str) -> Envelope:
    """Return the envelope of a file named `where` in errors, whole but still sealed.

    Raises `ConfigurationError` for a damaged file, one of a newer version, or no such file at all.
    """
    try:
        envelope = msgspec.json.decode(raw, type=Envelope)
    except _UNREADABLE:
        raise _damaged(where) from None
    if envelope.format != FORMAT or envelope.sum != _sum(envelope):
        raise _damaged(where)
    if envelope.version != VERSION:
        raise ConfigurationError(
            f"{where} was written by a newer notifycli", "Update this notifycli."
        )
    if not _bounded(envelope.kdf):
        raise _damaged(where)
    return envelope


def unseal(envelope: Envelope, key: Key, where: str) -> dict[str, str]:
    """Return the secrets by name; `NotPermittedError` if another key sealed them."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    authenticated = _authenticated(envelope.version, envelope.kdf)
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
        raise _damaged(where) from None


def _bounded(kdf: Derivation) -> bool:
    """Tell whether a derivation is possible, within what whoever may write the file may ask for."""
    power_of_two = kdf.n > 1 and kdf.n & (kdf.n - 1) == 0
    cheap = 128 * kdf.n * kdf.r <= _MOST_MEMORY and kdf.n * kdf.r * kdf.p <= _MOST_WORK
    return power_of_two and kdf.r > 0 and kdf.p > 0 and cheap


def _authenticated(version: int, derivation: Derivation) -> bytes:
    return msgspec.json.encode([FORMAT, version, derivation])


def _sum(envelope: Envelope) -> str:
    whole = msgspec.json.encode(msgspec.structs.replace(envelope, sum=""))
    return hashlib.sha256(whole).hexdigest()


def _damaged(where: str) -> ConfigurationError:
    return ConfigurationError(
        f"{where} is damaged or no keychain of notifycli",
        "Restore it from a backup, or move it away and generate the tokens anew.",
    )
