"""The key pair by which push services know the sender (VAPID, RFC 8292).

A browser binds a subscription to the public key that it was given, so replacing the key must not
cut off those who subscribed with the old one: an old key stays, and signs for its subscriptions,
until the last of them has gone.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError, UsageError
from notifycli.secrets.token_format import Secret
from notifycli.store.subscriptions import NEW, PushKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from notifycli.secrets.keychain import Keychain
    from notifycli.store.store import Store

GENERATE = "notifycli push keys generate"


@dataclass(frozen=True, slots=True)
class PushKeys:
    """The store's VAPID keys; `now` gives the time in microseconds since 1970 UTC."""

    store: Store
    keychain: Keychain
    now: Callable[[], int]

    def current(self) -> PushKey:
        """Give the key that new subscriptions are bound to. Raises `ConfigurationError`."""
        keys = self.store.subscriptions.push_keys()
        if not keys:
            raise ConfigurationError("there is no push key yet", f"make one: {GENERATE}")
        return keys[0]

    def generate(self) -> PushKey:
        """Make the first key. Raises `UsageError` where there is one."""
        if self.store.subscriptions.push_keys():
            raise UsageError(
                "there is a push key already",
                "see it: notifycli push keys show; replace it: notifycli push keys rotate",
            )
        return self._make(None)

    def rotate(self) -> PushKey:
        """Make a new key the current one; old ones stay while subscriptions are bound to them."""
        made = self._make(self.current().id)
        self.forget_unused()
        return made

    def private(self, key: PushKey) -> Secret:
        """Give a private key: 32 bytes in base64url. Raises `UnavailableError` if it is lost."""
        kind = key.secret_name.partition(":")[0]
        if kind != self.keychain.kind:
            raise UnavailableError(
                f"the push key's secret is in another keychain, NOTIFYCLI_KEYRING={kind}",
                f"export NOTIFYCLI_KEYRING={kind}",
            )
        secret = self.keychain.get(key.secret_name)
        if secret is None or public_of(secret) != key.public_key:
            raise UnavailableError(
                "the keyring doesn't hold the push key",
                "Was it made on another machine, or with another NOTIFYCLI_KEYRING? If it is "
                "lost, every browser must subscribe again: notifycli push keys rotate --revoke",
            )
        return secret

    def forget_unused(self) -> NotifycliError | None:
        """Drop old keys that no subscription is bound to; gives why a secret is still kept."""
        trouble: NotifycliError | None = None
        for key in self.store.subscriptions.push_keys()[1:]:
            if not key.bound and self.store.subscriptions.forget_key(key):
                try:
                    self.keychain.delete(key.secret_name)
                except NotifycliError as error:
                    trouble = error
        return trouble

    def _make(self, replaces: int | None) -> PushKey:
        import secrets  # noqa: PLC0415 - only what makes a key needs it

        secret = _new_private()
        # Random in part: two stores may share a keychain.
        name = f"{self.keychain.kind}:vapid/{secrets.token_hex(8)}"
        key = PushKey(NEW, public_of(secret), name, self.now())
        # In this order a crash leaves a secret that opens nothing, not a key without its secret.
        self.keychain.set(name, secret)
        try:
            self.store.subscriptions.add_key(key, replaces)
        except NotifycliError:
            self.keychain.delete(name)
            raise
        return self.current()


def fingerprint(public_key: str) -> str:
    """Give the SHA-256 of a public key in hexadecimal, by which two people compare it."""
    return hashlib.sha256(decode_base64url(public_key)).hexdigest()


def public_of(private: Secret) -> str:
    """Give the public key of a private one: the `applicationServerKey` of the Push API."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - 40 ms
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    number = int.from_bytes(decode_base64url(private.reveal()))
    point = ec.derive_private_key(number, ec.SECP256R1()).public_key()
    form = serialization.PublicFormat.UncompressedPoint
    return encode_base64url(point.public_bytes(serialization.Encoding.X962, form))


def _new_private() -> Secret:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - see public_of

    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return Secret(encode_base64url(number.to_bytes(32)))


def encode_base64url(data: bytes) -> str:
    """Write bytes in base64url without padding, as JWT and the Push API do (RFC 7515, 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """Read base64url, padded or not. Raises `ValueError` for anything else."""
    bare = text.rstrip("=")
    data = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if encode_base64url(data) != bare:  # the standard library passes over what it doesn't know
        raise ValueError("this is no base64url")
    return data
