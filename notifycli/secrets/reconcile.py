"""Where store and keychain have come apart, and putting it right.

A crash between two steps of `tokens`, or one of the two restored from a backup, leaves a token
*torn*. Nothing that is torn opens anything it shouldn't: it is in the way, or it is of no use.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from notifycli.errors import NotifycliError
from notifycli.secrets import token_format as form
from notifycli.store.tokens import Token, TokenState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from notifycli.secrets.keychain import Keychain
    from notifycli.secrets.token_service import TokenService
    from notifycli.store.store import Store


class Condition(StrEnum):
    """How a token stands; the first four are as they should be."""

    ACTIVE = "active"
    ROTATED = "rotated"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNFINISHED = "unfinished"
    """Its making was broken off; it was never valid."""
    LOST = "lost"
    """It is valid, and the keychain doesn't hold its secret."""
    LEFTOVER = "leftover"
    """It has ended, and the keychain still holds its secret."""


INCONSISTENT = frozenset({Condition.UNFINISHED, Condition.LOST, Condition.LEFTOVER})
MEANING = {
    Condition.UNFINISHED: "its making was broken off; it was never valid",
    Condition.LOST: "valid, but the keyring doesn't hold it",
    Condition.LEFTOVER: "ended, but the keyring still holds it",
}


class Finding(NamedTuple):
    """A token and how it stands."""

    token: Token
    condition: Condition


class Inspector:
    """Tells how tokens stand, asking a keychain where the store alone can't tell.

    Without a keychain, or from its first failure on (`trouble` then says which), what the store
    says is taken for true. So it is for tokens in another keychain; `elsewhere` counts those.
    """

    def __init__(self, keychain: Keychain | None, now: int) -> None:
        self.trouble: NotifycliError | None = None
        self.elsewhere = 0
        self._keychain = keychain
        self._now = now

    def inspect(self, tokens: Iterable[Token], *, thorough: bool = False) -> list[Finding]:
        """Return each token's condition; `thorough` asks for the secrets of ended ones as well.

        Those the store knows to be forgotten; but a keychain may come back from a backup.
        """
        return [Finding(token, self._condition(token, thorough)) for token in tokens]

    def _condition(self, token: Token, thorough: bool) -> Condition:
        if token.state is TokenState.PENDING:
            return Condition.UNFINISHED
        if token.state is TokenState.REVOKED:
            kept = token.secret_kept or (thorough and bool(self._held(token, default=False)))
            return Condition.LEFTOVER if kept else Condition.REVOKED
        if token.expired(self._now):
            # A rotated one's secret goes with the next rotation: to have it is no harm till then.
            return Condition.EXPIRED
        if not self._held(token, default=True):
            return Condition.LOST
        return Condition(token.state.value)

    def _held(self, token: Token, *, default: bool) -> bool:
        """Tell whether the keychain holds a token's secret, or `default` if it can't be asked."""
        if self._keychain is None or self.trouble is not None:
            return default
        if token.secret_name.partition(":")[0] != self._keychain.kind:
            self.elsewhere += token.state is not TokenState.REVOKED
            return default
        try:
            secret = self._keychain.get(token.secret_name)
        except NotifycliError as error:
            self.trouble = error
            return default
        return secret is not None and form.digest(secret.reveal()) == token.digest


def reconcile(store: Store, life: TokenService) -> list[Finding]:
    """End what can't be had and delete what is left over, in all accounts; return what was mended.

    Raises the keychain's errors: with it out of reach nothing is known to be lost.
    """
    inspector = Inspector(life.keychain, life.now())
    found = inspector.inspect(store.tokens.all(), thorough=True)
    if inspector.trouble is not None:
        raise inspector.trouble
    torn = [finding for finding in found if finding.condition in INCONSISTENT or outlived(finding)]
    for account in sorted({finding.token.account_id for finding in torn}):
        tokens = [finding.token for finding in torn if finding.token.account_id == account]
        with store.change(account, life.command, life.who) as change:
            change.tokens.revoke(tokens)
    names = [*(finding.token.secret_name for finding in torn), *store.tokens.leftovers()]
    if trouble := life.forget(names):
        raise trouble
    return torn


def outlived(finding: Finding) -> bool:
    """Tell whether a token was replaced and its grace is over, so that only its secret is left."""
    return finding.condition is Condition.EXPIRED and finding.token.state is TokenState.ROTATED
