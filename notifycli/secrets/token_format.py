"""The form of an access token, and the wrapper that keeps a secret out of every output.

A token is `nct_`, 30 characters of base62 from the system's random source and a checksum of six:

    nct_3kZ0qWvR1tYbN8sLxD5mJ7cHfG2pAe0Qm1Tz

Only the standard library is used, so that importing this costs next to nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import string
import zlib
from typing import NoReturn

from notifycli.errors import DataError

PREFIX = "nct_"
RANDOM_LENGTH = 30
"""Characters of base62: 178 random bits, of which a mask that shows four leaves 154 unknown."""

CHECKSUM_LENGTH = 6
"""Characters of base62: the fewest that hold every CRC-32 (62⁶ > 2³²)."""

LENGTH = len(PREFIX) + RANDOM_LENGTH + CHECKSUM_LENGTH

PATTERN = rf"\b{PREFIX}[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}\b"
"""The regular expression for secret scanners; `well_formed` tells chance matches from tokens."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FULL = re.compile(PATTERN, re.ASCII)
_SHORTEST = 20
_LONGEST = 4096
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
"""What a header can carry as a token (RFC 6750, section 2.1)."""
_AROUND = re.compile(
    r"(?:api_access_token|(?:proxy-)?authorization)\s*[:=]\s*(?:bearer\s+)?|bearer\s+",
    re.IGNORECASE,
)
_QUOTES = "\"'`"
_SHOWN_AT_MOST = 4
_SHOWN_PART = 6
_UNSHOWN = "…"


class Secret:
    """A text that is shown only to whoever asks for it by name with `reveal()`.

    `repr`, `str` and `format` hide it, so that no log line, traceback or f-string leaks it, and it
    refuses to be pickled. Equality takes the same time wherever two secrets differ.

    Raises `DataError` for a text that is empty or that UTF-8 can't carry: no keychain keeps those.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise DataError("a secret can't be empty")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise DataError("a secret must be text in UTF-8")
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself: the only way out, so that a search finds every use."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def generate() -> Secret:
    """Return a new token: 178 bits from the system's random source, and their checksum."""
    import secrets  # noqa: PLC0415 - half of this module's import time, needed here alone

    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_LENGTH))
    return Secret(body + _checksum(body))


def well_formed(text: str) -> bool:
    """Tell whether `text` is a token of ours as it was typed or pasted, without any look-up.

    The checksum finds every single wrong character and every swap of two neighbours; of texts
    that merely look like a token, one in four thousand million passes.
    """
    if not _FULL.fullmatch(text):
        return False
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    return _checksum(body) == checksum


def digest(text: str) -> str:
    """Return the SHA-256 of a token in hexadecimal, 64 characters: what may be stored of it.

    A password needs a salt and a slow hash because it can be guessed. A token of at least 128
    random bits can't: whoever holds the digest would have to try 2¹²⁷ tokens, at any speed. A plain
    digest also lets a token be looked up by an index. Chatwoot's tokens (24 characters of base58,
    140 bits) are random enough too; a text that a person thought up isn't, and is no token.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def mask(text: str) -> str:
    """Return a form of a token that may be listed: `nct_…Q1Tz`.

    It shows the end, by which a person tells two tokens apart, at most four characters and never
    more than a sixth of the text; and the prefix, if the token is ours. A text under six
    characters shows nothing. Characters that could steer a terminal are shown as `?`.
    """
    prefix = PREFIX if _FULL.fullmatch(text) else ""
    shown = min(_SHOWN_AT_MOST, len(text) // _SHOWN_PART)
    end = text[len(text) - shown :]
    printable = "".join(character if character.isprintable() else "?" for character in end)
    return f"{prefix}{_UNSHOWN}{printable}"


def unwrap(text: str) -> str:
    """Return a token without what it was copied with: white space, quotes, a header's name.

    What is left need be no token: see `check`.
    """
    text = text.strip()
    while text[:1] in _QUOTES and len(text) > 1 and text[0] == text[-1]:
        text = text[1:-1].strip()
    if (name := _AROUND.match(text)) is not None:
        return unwrap(text[name.end() :])
    return text


def check(text: str) -> None:
    """Refuse what can't be a token; it is also what makes a header safe to build from it.

    Raises `DataError`, which says what is wrong without repeating the text.
    """
    if text[:1] in {"{", "["}:
        raise DataError(
            "this is JSON, not a token",
            "Take the token out of it, for instance with: jq -r .access_token",
        )
    if set(text) <= set("*\u2022\u25cf\u2026._-xX"):
        raise DataError("this is what hides a token, not the token", "Copy the token itself.")
    if len(text.split()) > 1:
        raise DataError("this is no token: it has spaces or several lines", "Pass one token alone.")
    if not _B64TOKEN.fullmatch(text):
        raise DataError(
            "this is no token: it has characters that no token has",
            "A token has letters, digits and - . _ ~ + / only, with = at its end (RFC 6750).",
        )
    if not _SHORTEST <= len(text) <= _LONGEST:
        raise DataError(
            f"this is no token: it has {len(text)} characters, and a token has "
            f"{_SHORTEST} to {_LONGEST}"
        )
    if text.startswith(PREFIX) and not well_formed(text):
        raise DataError("this token is mistyped: its checksum doesn't fit", "Copy it again.")


def _checksum(body: str) -> str:
    """Return the CRC-32 of `body` in base62, most significant digit first, six characters."""
    remainder = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        remainder, digit = divmod(remainder, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def sign_webhook(secret: Secret, timestamp: str, body: bytes) -> str:
    """Sign a webhook as Chatwoot does: what `X-Chatwoot-Signature` says.

    `timestamp` is `X-Chatwoot-Timestamp`, in seconds since 1970.
    """
    message = timestamp.encode() + b"." + body
    return f"sha256={hmac.new(secret.reveal().encode(), message, hashlib.sha256).hexdigest()}"
