"""A token's life, in the store and in the keychain.

Either can fail at any moment, or come back from a backup. So the writes have an order:

- making: the store has it as `pending`, which opens nothing; the keychain gets its secret; the
  store makes it `active`, ending in the same transaction what it replaces;
- ending: the store ends it; then the keychain forgets its secret.

Thus no token is ever valid without its secret being kept, and none can be had after it ended. What
a crash leaves between two steps, or one of the two that was restored from a backup, is harmless:
such a token opens nothing it shouldn't, and is in the way or of no use. `reconcile` puts it right.
"""

from __future__ import annotations

import hmac
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from notifycli.errors import (
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UnavailableError,
    UsageError,
)
from notifycli.events.timestamps import format_moment
from notifycli.rules.directory import User
from notifycli.secrets import token_format as form
from notifycli.secrets.token_format import Secret
from notifycli.store.tokens import NOBODY, Token, TokenState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from notifycli.secrets.keychain import Keychain
    from notifycli.store.store import Store


DEFAULT_NAME = "default"


class TokenOwner(NamedTuple):
    """Whose token, and which of theirs."""

    account: int
    user: User
    name: str = DEFAULT_NAME

    def __str__(self) -> str:
        which = "" if self.name == DEFAULT_NAME else f" {self.name!r}"
        return f"{self.user.email or f'user {self.user.id}'}'s token{which}"

    @property
    def options(self) -> str:
        """How this token is named on the command line."""
        which = "" if self.name == DEFAULT_NAME else f" --name {self.name}"
        return f"{self.of_user}{which}"

    @property
    def of_user(self) -> str:
        """How the user alone is named there."""
        return f"-u {shlex.quote(self.user.email or str(self.user.id))}"


class TokenWish(NamedTuple):
    """What is asked of a new token; `expires_at` in microseconds since 1970, None for never."""

    label: str = ""
    expires_at: int | None = None


NO_WISH = TokenWish()


class Ended(NamedTuple):
    """The tokens that a change ended; `trouble` is why the keychain still holds their secrets."""

    tokens: list[Token]
    trouble: NotifycliError | None = None


class Made(NamedTuple):
    """The token that is the current one now, and what it ended."""

    token: Token
    ended: Ended


@dataclass(frozen=True, slots=True)
class TokenService:
    """The changes of tokens. `command` and `who` go into the history, `now` gives the time."""

    store: Store
    keychain: Keychain
    command: str
    who: str
    now: Callable[[], int]

    def current(self, owner: TokenOwner) -> Token | None:
        """Return the current token of a user and name, expired or not; None if there is none."""
        return self._in_state(owner, TokenState.ACTIVE)

    def obtain(self, owner: TokenOwner, wish: TokenWish) -> tuple[Token, bool]:
        """Return the current token, making the first one; and whether it was made.

        Raises `NotPermittedError` where it has expired, or was revoked: whoever ended it doesn't
        expect that to look at it makes a new one.
        """
        if found := self.current(owner):
            return self._usable(found, owner), False
        if ended := self.store.tokens.find_revoked(owner.account, owner.user.id, owner.name):
            raise NotPermittedError(
                f"{owner} ({ended.masked}) was revoked",
                f"make a new one: notifycli token generate {owner.options}",
            )
        try:
            return self._make(owner, form.generate(), wish).token, True
        except TryAgainError:
            # Another process was faster: its token is as good.
            if found := self.current(owner):
                return self._usable(found, owner), False
            raise

    def previous(self, owner: TokenOwner) -> Token:
        """Return the one that was rotated and is still valid. Raises `UsageError`."""
        found = self._in_state(owner, TokenState.ROTATED)
        if found is None or found.has_expired(self.now()):
            raise UsageError(f"{owner} has no predecessor that is still valid")
        return found

    def generate(self, owner: TokenOwner, wish: TokenWish) -> Token:
        """Make a token where there is none. Raises `UsageError` where there is one."""
        if self.current(owner):
            raise UsageError(
                f"{owner} exists already",
                f"replace it: notifycli token rotate {owner.options}; "
                f"or make another: notifycli token generate {owner.of_user} --name NAME",
            )
        return self._make(owner, form.generate(), wish).token

    def rotate(self, owner: TokenOwner, grace: int, wish: TokenWish) -> Made:
        """Replace the current token; the old one stays valid for `grace` microseconds.

        What isn't wished for stays: the label, and for how long it is valid. Raises `UsageError`
        where there is no token, or one that only its maker can replace.
        """
        old = self.current(owner)
        if old is None:
            raise UsageError(f"{owner} doesn't exist", f"notifycli token generate {owner.options}")
        if old.made_elsewhere:
            raise UsageError(
                f"{owner} was made elsewhere and can only be replaced there",
                f"make a new one there, then: notifycli token set {owner.options}",
            )
        now = self.now()
        again = None if old.expires_at is None else now + old.expires_at - old.created_at
        wish = TokenWish(wish.label or old.label, wish.expires_at or again)
        return self._make(owner, form.generate(), wish, old, now + grace if grace else None)

    def keep(self, owner: TokenOwner, secret: Secret, wish: TokenWish) -> Made:
        """Make a token that was made elsewhere the current one, in the place of any other.

        Raises `DataError` for what can't be a token, `UsageError` for one that is on record.
        """
        form.check(secret.reveal())
        digest = form.digest(secret.reveal())
        known = self.store.tokens.with_digest(digest)
        if known is not None:
            raise UsageError(
                f"this token is on record already, as {known.masked}",
                "see whose it is: notifycli token list",
            )
        if self.store.tokens.was_revoked_here(digest):
            raise UsageError(
                "this token was revoked", f"a new one: notifycli token generate {owner.options}"
            )
        return self._make(owner, secret, wish, self.current(owner), made_elsewhere=True)

    def revoke(self, owner: TokenOwner) -> Ended:
        """End all tokens of a user and name. Raises `UsageError` where there is none."""
        found = self.store.tokens.of_name(owner.account, owner.user.id, owner.name)
        if all(token.state is TokenState.REVOKED for token in found):
            raise UsageError(f"{owner} doesn't exist", "see all: notifycli token list")
        return self.end(owner.account, found)

    def end(self, account: int, tokens: Iterable[Token]) -> Ended:
        """End tokens of one account, then forget their secrets."""
        with self.store.change(account, self.command, self.who) as change:
            ended = change.tokens.revoke(tokens)
        return Ended(ended, self.forget(token.secret_name for token in ended))

    def forget(self, secret_names: Iterable[str]) -> NotifycliError | None:
        """Delete secrets that open nothing any more; return why one is still there, or None."""
        trouble: NotifycliError | None = None
        for name in secret_names:
            if elsewhere := self._elsewhere(name):
                trouble = elsewhere
                continue
            try:
                self.keychain.delete(name)
                self.store.tokens.note_forgotten(name)
            except NotifycliError as error:
                # The next would fail as well, and one that hangs would hang again.
                return error
        return trouble

    def reveal(self, token: Token) -> Secret:
        """Return a token's secret. Raises `UnavailableError` if the keychain has lost it."""
        if elsewhere := self._elsewhere(token.secret_name):
            raise elsewhere
        secret = self.keychain.get(token.secret_name)
        if secret is None or form.digest(secret.reveal()) != token.digest:
            raise UnavailableError(
                f"the keyring doesn't hold the token {token.masked}",
                "Was it made on another machine, or with another NOTIFYCLI_KEYRING? "
                f"If it is lost: notifycli token rotate {self._owner(token).options}",
            )
        return secret

    def _owner(self, token: Token) -> TokenOwner:
        user = self.store.user(token.account_id, token.user_id)
        return TokenOwner(token.account_id, user or User(token.user_id, None), token.name)

    def _elsewhere(self, secret_name: str) -> UnavailableError | None:
        """Return why not to ask our keychain, which would say that there is no such secret."""
        kind = secret_name.partition(":")[0]
        if kind == self.keychain.kind:
            return None
        return UnavailableError(
            f"this token's secret is in another keychain, NOTIFYCLI_KEYRING={kind}",
            f"export NOTIFYCLI_KEYRING={kind}",
        )

    def _in_state(self, owner: TokenOwner, state: TokenState) -> Token | None:
        found = self.store.tokens.of_name(owner.account, owner.user.id, owner.name)
        return next((token for token in found if token.state is state), None)

    def _usable(self, token: Token, owner: TokenOwner) -> Token:
        if token.expires_at is not None and token.has_expired(self.now()):
            raise NotPermittedError(
                f"{owner} expired at {format_moment(token.expires_at)}",
                f"a new one: notifycli token rotate {owner.options}",
            )
        return token

    def _make(
        self,
        owner: TokenOwner,
        secret: Secret,
        wish: TokenWish,
        replaces: Token | None = None,
        valid_until: int | None = None,
        *,
        made_elsewhere: bool = False,
    ) -> Made:
        wanted = self._draft(owner, secret, wish, made_elsewhere=made_elsewhere)
        # A keychain that is missing or locked says so here, before anything is written.
        self.keychain.get(wanted.secret_name)
        with self.store.change(owner.account, self.command, self.who) as change:
            token = change.tokens.add(wanted)
        try:
            self.keychain.set(token.secret_name, secret)
            with self.store.change(owner.account, self.command, self.who) as change:
                old = None if replaces is None else replaces.id
                ended = change.tokens.activate(token, old, valid_until)
        except BaseException:
            self._drop(token)
            raise
        token = msgspec.structs.replace(token, state=TokenState.ACTIVE)
        return Made(token, Ended(ended, self.forget(gone.secret_name for gone in ended)))

    def _draft(
        self, owner: TokenOwner, secret: Secret, wish: TokenWish, *, made_elsewhere: bool
    ) -> Token:
        import secrets  # noqa: PLC0415 - only what makes a token needs it

        whose = f"{owner.account}/{owner.user.id}/{owner.name}"
        return Token(
            account_id=owner.account,
            user_id=owner.user.id,
            name=owner.name,
            # Random in part: two stores may share a keychain.
            secret_name=f"{self.keychain.kind}:{whose}/{secrets.token_hex(8)}",
            digest=form.digest(secret.reveal()),
            masked=form.mask(secret.reveal()),
            label=wish.label,
            made_elsewhere=made_elsewhere,
            created_at=self.now(),
            expires_at=wish.expires_at,
        )

    def _drop(self, token: Token) -> None:
        """Take back a token that never became valid; what fails is left for `reconcile`."""
        try:
            self.end(token.account_id, [token])
        except NotifycliError:
            return


_NO_DIGEST = "0" * 64


def verify_token(store: Store, text: str, now: int, account: int | None = None) -> Token | None:
    """Return the valid token that `text` is, of `account` if one is named; None for no.

    Records the use, or that a token was refused. Either way it does what `find_valid` does, and one
    write of the same size: the time tells nothing of what is on record.
    """
    if _is_mistyped(text):
        return None
    found = find_valid(store, text, now, account)
    store.tokens.note_use(NOBODY if found is None else found.id, now)
    return found


def find_valid(store: Store, text: str, now: int, account: int | None = None) -> Token | None:
    """Return what `verify_token` does, and record nothing: the caller notes the use.

    Either way there is one look-up of the digest and one comparison. (A look-up by the digest of a
    guess tells nothing either: whoever could steer the digest towards a stored one would have
    broken SHA-256.)

    What has our prefix and a checksum that doesn't fit is refused before all that: everybody can
    work that out without asking, and no such text can be on record.
    """
    if _is_mistyped(text):
        return None
    digest = form.digest(text)
    found = store.tokens.with_digest(digest)
    same = hmac.compare_digest(digest, _NO_DIGEST if found is None else found.digest)
    good = same and found is not None and found.valid(now) and account in (None, found.account_id)
    return found if good else None


def _is_mistyped(text: str) -> bool:
    return text.startswith(form.PREFIX) and not form.well_formed(text)


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


def inspect_tokens(
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
    found = inspect_tokens(store.tokens.all(), store.tokens.leftovers(), life.keychain, life.now())
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
