"""What other nouns do with tokens too: change them, forget them, have one typed."""

from __future__ import annotations

from notifycli.cli.session import Session
from notifycli.cli.times import now
from notifycli.cli.typed_secret import read_secret
from notifycli.store.store import Store
from notifycli.vault.keychain import open_keychain
from notifycli.vault.tokens import Ended, Life


def life(this: Session, store: Store) -> Life:
    """Give the changes of tokens as this run makes them."""
    return Life(store, open_keychain(), this.command, this.who, now)


def tell_ended(this: Session, ended: Ended) -> None:
    """Say so if the secret of a token that has ended couldn't be deleted."""
    if ended.trouble is not None:
        this.warn(
            "what has ended is not valid any more, but the keyring still holds it "
            f"({ended.trouble.message}); delete it later: notifycli doctor --fix"
        )


def forget_leftovers(this: Session, store: Store) -> None:
    """Delete the secrets of tokens that went with their users."""
    if names := store.tokens.leftovers():
        tell_ended(this, Ended([], life(this, store).forget(names)))


def read_token(prompt: str, example: str) -> str:
    """Read a token from standard input, or typed unseen."""
    return read_secret(prompt, "token", example)
