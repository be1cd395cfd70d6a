"""Whose a token is, answered in the same time for yes and no."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from notifycli.secrets import token_format as form
from notifycli.store.tokens import NOBODY, Token

if TYPE_CHECKING:
    from notifycli.store.store import Store

_NO_DIGEST = "0" * 64


def verified(store: Store, text: str, now: int, account: int | None = None) -> Token | None:
    """Return the valid token that `text` is, of `account` if one is named; None for no.

    Records the use, or that a token was refused. Either way there is what `matched` does, and one
    write of the same size: the time tells nothing of what is on record.
    """
    if _mistyped(text):
        return None
    found = matched(store, text, now, account)
    store.tokens.note_use(NOBODY if found is None else found.id, now)
    return found


def matched(store: Store, text: str, now: int, account: int | None = None) -> Token | None:
    """Return what `verified` does, and record nothing: the caller notes the use.

    Either way there is one look-up of the digest and one comparison. (A look-up by the digest of a
    guess tells nothing either: whoever could steer the digest towards a stored one would have
    broken SHA-256.)

    What has our prefix and a checksum that doesn't fit is refused before all that: everybody can
    work that out without asking, and no such text can be on record.
    """
    if _mistyped(text):
        return None
    digest = form.digest(text)
    found = store.tokens.with_digest(digest)
    same = hmac.compare_digest(digest, _NO_DIGEST if found is None else found.digest)
    good = same and found is not None and found.valid(now) and account in (None, found.account_id)
    return found if good else None


def _mistyped(text: str) -> bool:
    return text.startswith(form.PREFIX) and not form.well_formed(text)
