"""What a browser and a push service do with a push, written from the RFCs alone.

RFC 8188 (aes128gcm), RFC 8291 (keys) and RFC 8292 (VAPID); none of the code is the sender's.
"""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Json = dict[str, Any]
_DAY = 86_400
_VAPID = re.compile(r"vapid t=([\w.-]+), ?k=([\w-]+)", re.ASCII)


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def private_key(number: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(number), ec.SECP256R1())


@dataclass(frozen=True)
class UserAgent:
    """A browser's side of one subscription."""

    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = b"sixteen bytes it"

    @property
    def p256dh(self) -> str:
        return b64(point(self.private.public_key()))

    def subscription(self, endpoint: str, **more: object) -> bytes:
        """Give it as `JSON.stringify(subscription)` does."""
        keys = {"p256dh": self.p256dh, "auth": b64(self.auth)}
        return json.dumps(
            {"endpoint": endpoint, "expirationTime": None, "keys": keys, **more}
        ).encode()

    def decrypt(self, body: bytes) -> bytes:
        """Decrypt a body of one record (RFC 8291, 4; RFC 8188, 2)."""
        salt, record_size, id_length = body[:16], int.from_bytes(body[16:20]), body[20]
        sender, sealed = body[21 : 21 + id_length], body[21 + id_length :]
        assert len(sealed) <= record_size, "it has several records"
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.private.exchange(ec.ECDH(), public)
        info = b"WebPush: info\0" + unb64(self.p256dh) + sender
        material = HKDF(SHA256(), 32, self.auth, info).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(material)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(material)
        padded = AESGCM(key).decrypt(nonce, sealed, None)
        text = padded.rstrip(b"\0")
        assert text.endswith(b"\x02"), "the last record ends with 2"
        return text[:-1]


@dataclass(frozen=True)
class Token:
    """A VAPID token whose signature was right."""

    header: Json
    claims: Json
    key: str

    def fault(self, audience: str) -> str:
        """Say what a push service would refuse it for; "" if nothing."""
        left = self.claims.get("exp", 0) - time.time()
        wrong = {
            "typ": self.header != {"typ": "JWT", "alg": "ES256"},
            "aud": self.claims.get("aud") != audience,
            "exp": not 0 < left <= _DAY,
            "sub": not str(self.claims.get("sub")).startswith(("mailto:", "https:")),
        }
        return " ".join(name for name, holds in wrong.items() if holds)


def read_token(authorization: str) -> Token:
    """Read an `Authorization` header; raises `InvalidSignature` (RFC 8292, 3; RFC 7515)."""
    match = _VAPID.fullmatch(authorization)
    assert match, "this is no VAPID header"
    signed, _, signature = match[1].rpartition(".")
    raw = unb64(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(match[2]))
    public.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    header, claims = (json.loads(unb64(part)) for part in signed.split("."))
    return Token(header, claims, match[2])
