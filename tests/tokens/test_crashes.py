"""A crash at each step of each change: the promise holds, and the doctor mends what is left."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from notifycli.errors import NotifycliError
from notifycli.secrets import token_format as form
from notifycli.secrets.token_service import (
    INCONSISTENT,
    Condition,
    TokenInspection,
    TokenService,
    TokenWish,
    inspect_tokens,
    reconcile,
    verify_token,
)
from notifycli.store.store import Store, open_store
from notifycli.store.tokens import TokenState

from .harness import (
    FOREIGN,
    HERS,
    JANE,
    NOON,
    Died,
    DyingStore,
    Fuse,
    MemoryKeychain,
    holders,
    life_of,
    store_with_users,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from notifycli.secrets.token_format import Secret

HOUR = 3_600_000_000
MORE_STEPS_THAN_ANY_CHANGE_HAS = 40


def _remove_user(life: TokenService) -> None:
    with life.store.change(1, "user remove", "test") as change:
        change.remove(JANE)
    life.forget(life.store.tokens.leftovers())


CHANGES: dict[str, Callable[[TokenService], object]] = {
    "obtaining": lambda life: life.obtain(HERS, TokenWish()),
    "rotating": lambda life: life.rotate(HERS, 0, TokenWish()),
    "rotating with grace": lambda life: life.rotate(HERS, HOUR, TokenWish()),
    "taking over": lambda life: life.keep(HERS, form.Secret(FOREIGN), TokenWish()),
    "revoking": lambda life: life.revoke(HERS),
    "removing the user": _remove_user,
}
STARTS: dict[str, Callable[[TokenService], object]] = {
    "nothing": lambda _: None,
    "a token": lambda life: life.generate(HERS, TokenWish()),
    "a token and its predecessor": lambda life: (
        life.generate(HERS, TokenWish()),
        life.rotate(HERS, HOUR, TokenWish()),
    ),
}


class Start:
    """A store and a keychain before a change, to be copied for each crash of it."""

    def __init__(self, folder: Path, start: str) -> None:
        self._folder = folder
        self._secrets: dict[str, Secret] = {}
        with store_with_users(folder / "start.db") as store:
            STARTS[start](life_of(store, MemoryKeychain(self._secrets)))

    def crash(self, change: str, at: int) -> tuple[Path, dict[str, Secret], bool]:
        """Carry out a change that dies at a step; give what is left, and whether it died."""
        path, secrets = self._folder / f"{at}.db", dict(self._secrets)
        shutil.copy(self._folder / "start.db", path)
        fuse = Fuse(at)
        with DyingStore(path, fuse) as store:
            try:
                CHANGES[change](life_of(store, MemoryKeychain(secrets, fuse)))
            except Died:
                return path, secrets, True
            except NotifycliError:
                return path, secrets, False
        return path, secrets, False


def check_promise(store: Store, secrets: dict[str, Secret]) -> None:
    life = life_of(store, MemoryKeychain(secrets))
    valid = [token for token in store.tokens.all() if token.valid(NOON)]
    shown = [life.reveal(token) for token in valid]
    for token, secret in zip(valid, shown, strict=True):
        assert form.digest(secret.reveal()) == token.digest
        assert verify_token(store, secret.reveal(), NOON) is not None
    current = life.current(HERS)
    assert current is None or current.id in {token.id for token in valid}
    for secret in set(secrets.values()) - set(shown):
        assert verify_token(store, secret.reveal(), NOON) is None


def seen(store: Store, secrets: dict[str, Secret]) -> TokenInspection:
    return inspect_tokens(
        store.tokens.all(), store.tokens.leftovers(), MemoryKeychain(secrets), NOON
    )


def check_mended(store: Store, secrets: dict[str, Secret]) -> None:
    reconcile(store, life_of(store, MemoryKeychain(secrets)))
    assert not {f.condition for f in seen(store, secrets).findings} & INCONSISTENT
    assert store.tokens.leftovers() == []
    valid = {token.digest for token in store.tokens.all() if token.valid(NOON)}
    assert holders(secrets) == valid


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("change", CHANGES)
def test_no_crash_leaves_a_token_valid_and_lost_or_ended_and_to_be_had(
    tmp_path: Path, change: str, start: str
) -> None:
    before = Start(tmp_path, start)
    for at in range(1, MORE_STEPS_THAN_ANY_CHANGE_HAS):
        path, secrets, died = before.crash(change, at)
        with open_store(path) as store:
            check_promise(store, secrets)
            check_mended(store, secrets)
            if store.user(1, 7) is not None:
                life = life_of(store, MemoryKeychain(secrets))
                token = life.current(HERS) or life.generate(HERS, TokenWish())
                assert token.valid(NOON)
        if not died:
            break
    assert not died


def test_every_step_of_making_is_told_apart(tmp_path: Path) -> None:
    met: list[tuple[Condition, ...]] = []
    before, died = Start(tmp_path, "a token"), True
    while died:
        path, secrets, died = before.crash("rotating", len(met) + 1)
        with open_store(path) as store:
            found = seen(store, secrets).findings
        met.append(tuple(finding.condition for finding in found))
    old, new = Condition.ACTIVE, Condition.UNFINISHED
    assert list(dict.fromkeys(met)) == [
        (old,),
        (old, new),
        (Condition.LEFTOVER, Condition.ACTIVE),
        (Condition.REVOKED, Condition.ACTIVE),
    ]


class TestBackups:
    """Store or keychain come back as they were before the last change."""

    def test_a_keychain_from_before_a_rotation(self, tmp_path: Path) -> None:
        with store_with_users(tmp_path / "store.db") as store:
            keychain = MemoryKeychain()
            life = life_of(store, keychain)
            life.generate(HERS, TokenWish())
            before = dict(keychain.secrets)
            life.rotate(HERS, 0, TokenWish())
            inspected = seen(store, before).findings
            assert [f.condition for f in inspected] == [Condition.LEFTOVER, Condition.LOST]
            check_mended(store, before)
            assert [t.state for t in store.tokens.all()] == [TokenState.REVOKED] * 2

    def test_a_store_from_before_a_revocation(self, tmp_path: Path) -> None:
        with store_with_users(tmp_path / "store.db") as store:
            keychain = MemoryKeychain()
            life_of(store, keychain).generate(HERS, TokenWish())
            keychain.secrets.clear()
            (found,) = seen(store, keychain.secrets).findings
            assert found.condition is Condition.LOST
            check_mended(store, keychain.secrets)

    def test_tokens_in_another_keychain_are_not_taken_for_lost(self, tmp_path: Path) -> None:
        class File(MemoryKeychain):
            kind = "file"

        with store_with_users(tmp_path / "store.db") as store:
            life_of(store, MemoryKeychain()).generate(HERS, TokenWish())
            found = reconcile(store, life_of(store, File()))
            assert (found.inconsistent, found.orphans, found.elsewhere) == ([], [], 1)
            assert [t.state for t in store.tokens.all()] == [TokenState.ACTIVE]
