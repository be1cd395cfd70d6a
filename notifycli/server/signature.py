"""Whether a webhook is Chatwoot's own: its signature and its age."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from msgspec import Struct

from notifycli.secrets.token_format import Secret
from notifycli.server.middleware import HTTPError

OLDEST = 300
"""Seconds that a webhook may be old, or ahead of our clock."""
_PREFIX = "sha256="
_LONGEST_TIME = 12


class Seal(Struct, frozen=True):
    """What a webhook's headers say: `X-Chatwoot-Timestamp`, `X-Chatwoot-Signature`."""

    timestamp: str | None
    signature: str | None


def check(
    seal: Seal, body: bytes, secrets: Sequence[Secret], now: float, *, unsigned: bool
) -> None:
    """Raise `HTTPError` 401 unless the body was signed with one of the secrets, a moment ago.

    With `unsigned`, one that has no signature at all passes: older servers sign nothing.
    """
    if seal.signature is None and unsigned:
        return
    if seal.signature is None or seal.timestamp is None:
        raise HTTPError(401, "this webhook isn't signed")
    if not secrets:
        raise HTTPError(401, "this webhook is signed, and no secret is set to check it with")
    message = seal.timestamp.encode() + b"." + body
    given = seal.signature.encode()
    # All of them, so that the time doesn't tell which one it was.
    right = [hmac.compare_digest(given, _signature(secret, message)) for secret in secrets]
    if not any(right):
        raise HTTPError(401, "the signature of this webhook is wrong")
    # Only now: whoever can't sign learns nothing of our clock.
    if not _is_recent(seal.timestamp, now):
        raise HTTPError(401, f"this webhook is more than {OLDEST} s old, or the clocks differ")


def _signature(secret: Secret, message: bytes) -> bytes:
    digest = hmac.new(secret.reveal().encode(), message, hashlib.sha256).hexdigest()
    return f"{_PREFIX}{digest}".encode()


def _is_recent(timestamp: str, now: float) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIME):
        return False
    return abs(now - int(timestamp)) <= OLDEST
