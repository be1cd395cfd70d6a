"""What other nouns do with tokens too: change them, forget them, have one typed."""

from __future__ import annotations

from notifycli.cli.prompt import read_secret
from notifycli.cli.session import Session
from notifycli.cli.times import now
from notifycli.secrets.keychain import Keychain, open_keychain
from notifycli.secrets.token_format import Secret, check, unwrap
from notifycli.secrets.token_service import Ended, TokenService
from notifycli.store.store import Store


def life(session: Session, store: Store, keychain: Keychain | None = None) -> TokenService:
    """Give the changes of tokens as this run makes them, in `keychain` if it is open already."""
    return TokenService(
        store,
        keychain or open_keychain(beside=store.location.folder),
        session.command,
        session.who,
        now,
    )


def tell_ended(session: Session, ended: Ended) -> None:
    """Say so if the secret of a token that has ended couldn't be deleted."""
    if ended.trouble is not None:
        session.warn(
            "what has ended is not valid any more, but the keyring still holds it "
            f"({ended.trouble.message}); delete it later: notifycli doctor --fix"
        )


def forget_leftovers(session: Session, store: Store) -> None:
    """Delete the secrets of tokens that went with their users."""
    if names := store.tokens.leftovers():
        tell_ended(session, Ended([], life(session, store).forget(names)))


def read_token(keychain: Keychain, prompt: str, example: str) -> Secret:
    """Read a token that a keychain is to keep from standard input, or typed unseen.

    Raises `DataError` for what is no token; a keychain that can't keep it says so first.
    """
    keychain.unlock(to_write=True)
    text = unwrap(read_secret(prompt, "token", example))
    check(text)
    return Secret(text)
