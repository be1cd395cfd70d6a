"""Where store and keychain have come apart, and putting it right.

A crash between two steps of `tokens`, or one of the two restored from a backup, leaves a token
*torn*. Nothing that is torn opens anything it shouldn't: it is in the way, or it is of no use.
"""

from __future__ import annotations

from dataclasses import dataclass
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


FIX = "notifycli doctor --fix"
"""The command that puts it right."""
INCONSISTENT = frozenset({Condition.UNFINISHED, Condition.LOST, Condition.LEFTOVER})
MEANING = {
    Condition.UNFINISHED: "its making was broken off; it was never valid",
    Condition.LOST: "valid, but the keyring doesn't hold it",
    Condition.LEFTOVER: "ended, but the keyring still holds it",
}


class TokenFinding(NamedTuple):
    """A token and how it stands."""

    token: Token
    condition: Condition

    @property
    def past_grace(self) -> bool:
        """Whether it was replaced and its grace is over, so that only its secret is left."""
        return self.condition is Condition.EXPIRED and self.token.state is TokenState.ROTATED


@dataclass(frozen=True, slots=True)
class TokenInspection:
    """How tokens stand: what the doctor, its `--fix` and the list of tokens all go by.

    `orphans` are the names of secrets whose tokens went with their users. `trouble` says why the
    keychain couldn't be asked: what the store says was then taken for true. So it was for the
    `elsewhere` ones whose secrets are in another keychain.
    """

    findings: list[TokenFinding]
    orphans: list[str]
    elsewhere: int
    trouble: NotifycliError | None

    @property
    def inconsistent(self) -> list[TokenFinding]:
        """Those that are in the way, or of no use."""
        return [found for found in self.findings if found.condition in INCONSISTENT]

    @property
    def past_grace(self) -> list[TokenFinding]:
        """Those whose grace is over."""
        return [found for found in self.findings if found.past_grace]


def inspect(
    tokens: Iterable[Token], orphans: Iterable[str], keychain: Keychain | None, now: int
) -> TokenInspection:
    """Return how tokens stand, asking a keychain for each secret; None if it may not be asked."""
    inspector = _Inspector(keychain, now)
    findings = [TokenFinding(token, inspector.condition(token)) for token in tokens]
    left = [name for name in orphans if inspector.holds(name, otherwise=True)]
    return TokenInspection(findings, left, inspector.elsewhere, inspector.trouble)


class _Inspector:
    """Asks a keychain where the store alone can't tell, until its first failure."""

    def __init__(self, keychain: Keychain | None, now: int) -> None:
        self.trouble: NotifycliError | None = None
        self.elsewhere = 0
        self._keychain = keychain
        self._now = now

    def condition(self, token: Token) -> Condition:
        """Return how a token stands.

        Of one that has ended the store knows whether its secret was forgotten; but a keychain may
        come back from a backup.
        """
        name, digest = token.secret_name, token.digest
        if token.state is TokenState.PENDING:
            return Condition.UNFINISHED
        if token.state is TokenState.REVOKED:
            kept = self.holds(name, digest, otherwise=token.secret_kept)
            return Condition.LEFTOVER if kept else Condition.REVOKED
        if token.has_expired(self._now):
            # A rotated one's secret goes with the next rotation: to have it is no harm till then.
            return Condition.EXPIRED
        if not self.holds(name, digest, otherwise=True, elsewhere=True):
            return Condition.LOST
        return Condition(token.state.value)

    def holds(
        self, name: str, digest: str | None = None, *, otherwise: bool, elsewhere: bool = False
    ) -> bool:
        """Tell whether the keychain holds a secret, of this digest if one is named.

        `otherwise` is the answer if it can't be asked, `elsewhere` if the secret is in another.
        """
        if self._keychain is None or self.trouble is not None:
            return otherwise
        if name.partition(":")[0] != self._keychain.kind:
            self.elsewhere += otherwise
            return elsewhere
        try:
            secret = self._keychain.get(name)
        except NotifycliError as error:
            self.trouble = error
            return otherwise
        return secret is not None and digest in (None, form.digest(secret.reveal()))


def reconcile(store: Store, life: TokenService) -> TokenInspection:
    """End what can't be had and delete what is left over, in all accounts; return what was found.

    What is in another keychain is left. Raises the keychain's errors: with it out of reach nothing
    is known to be lost.
    """
    found = inspect(store.tokens.all(), store.tokens.leftovers(), life.keychain, life.now())
    if found.trouble is not None:
        raise found.trouble
    mended = [*found.inconsistent, *found.past_grace]
    for account in sorted({finding.token.account_id for finding in mended}):
        tokens = [finding.token for finding in mended if finding.token.account_id == account]
        with store.change(account, life.command, life.who) as change:
            change.tokens.revoke(tokens)
    ours = f"{life.keychain.kind}:"
    names = [*(item.token.secret_name for item in mended), *store.tokens.leftovers()]
    if trouble := life.forget(name for name in names if name.startswith(ours)):
        raise trouble
    return found
