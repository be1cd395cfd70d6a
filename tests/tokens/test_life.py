"""A token's life, step by step, on a real store and a keychain in memory."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from notifycli.errors import (
    NotPermittedError,
    TryAgainError,
    UnavailableError,
    UsageError,
)
from notifycli.secrets import token_format as form
from notifycli.secrets.token_service import TokenOwner, TokenService, TokenWish
from notifycli.store.tokens import Token, TokenState

from .harness import HERS, JANE, NOON, OMAR, Died, Fuse, MemoryKeychain, life_of, opens, states

if TYPE_CHECKING:
    from collections.abc import Callable

    from notifycli.secrets.token_format import Secret
    from notifycli.store.store import Store

DAY = 86_400_000_000
ACTIVE, ROTATED, REVOKED = TokenState.ACTIVE, TokenState.ROTATED, TokenState.REVOKED


class TestMaking:
    def test_the_store_has_digest_mask_and_dates_and_the_keychain_the_secret(
        self, life: TokenService, keychain: MemoryKeychain
    ) -> None:
        token = life.generate(HERS, TokenWish("nightly export", NOON + DAY))
        secret = life.reveal(token)
        assert token == Token(
            id=1,
            account_id=1,
            user_id=7,
            name="default",
            secret_name=token.secret_name,
            digest=form.digest(secret.reveal()),
            masked=form.mask(secret.reveal()),
            label="nightly export",
            created_at=NOON,
            expires_at=NOON + DAY,
            state=ACTIVE,
        )
        assert life.current(HERS) == token
        assert token.secret_name.startswith("system:1/7/default/")
        assert keychain.secrets == {token.secret_name: secret}
        assert form.well_formed(secret.reveal())

    def test_a_second_one_of_a_name_is_refused_and_the_ways_out_named(
        self, life: TokenService
    ) -> None:
        life.generate(HERS, TokenWish())
        with pytest.raises(UsageError) as raised:
            life.generate(HERS, TokenWish())
        assert raised.value.message == "jane@example.com's token exists already"
        assert "token rotate -u jane@example.com" in raised.value.hint

    def test_a_user_can_have_several_names_and_a_name_several_users(
        self, life: TokenService
    ) -> None:
        owners = [HERS, TokenOwner(1, JANE, "backup"), TokenOwner(1, OMAR)]
        made = [life.generate(owner, TokenWish()) for owner in owners]
        assert [life.current(owner) for owner in owners] == made

    def test_obtaining_makes_one_once(self, life: TokenService) -> None:
        token, made = life.obtain(HERS, TokenWish())
        assert (life.obtain(HERS, TokenWish()), made) == ((token, False), True)

    def test_one_whose_making_failed_is_no_revoked_one(self, life: TokenService) -> None:
        with pytest.raises(Died):
            life_of(life.store, MemoryKeychain(fuse=Fuse(3))).generate(HERS, TokenWish())
        assert life.obtain(HERS, TokenWish())[1]

    def test_obtaining_takes_what_another_process_made_meanwhile(
        self, life: TokenService, store: Store, keychain: MemoryKeychain
    ) -> None:
        made: list[Token] = []

        class Slow(MemoryKeychain):
            def set(self, name: str, secret: Secret) -> None:
                super().set(name, secret)
                if not made:
                    made.append(life.generate(HERS, TokenWish()))

        slow = life_of(store, Slow(keychain.secrets))
        assert slow.obtain(HERS, TokenWish()) == (made[0], False)
        assert states(store) == [REVOKED, ACTIVE]
        assert list(keychain.secrets) == [made[0].secret_name]

    def test_a_keychain_that_is_out_of_reach_leaves_no_trace(self, store: Store) -> None:
        class Missing(MemoryKeychain):
            def get(self, name: str) -> Secret | None:
                raise UnavailableError(f"this machine has no keyring for {name}")

        with pytest.raises(UnavailableError):
            life_of(store, Missing()).generate(HERS, TokenWish())
        assert store.tokens.all() == []

    def test_a_keychain_that_fails_to_keep_leaves_nothing_valid_and_nothing_kept(
        self, store: Store
    ) -> None:
        class Refusing(MemoryKeychain):
            def set(self, name: str, secret: Secret) -> None:
                super().set(name, secret)
                raise UnavailableError("the keyring didn't answer within 5 s")

        keychain = Refusing()
        with pytest.raises(UnavailableError):
            life_of(store, keychain).generate(HERS, TokenWish())
        assert (states(store), keychain.secrets) == ([REVOKED], {})


class TestRotating:
    @pytest.mark.parametrize(
        ("grace", "state", "old_opens"),
        [
            pytest.param(0, REVOKED, [False, False, False], id="at once"),
            pytest.param(DAY, ROTATED, [True, True, False], id="with a day's grace"),
        ],
    )
    def test_the_old_one_ends_when_it_is_told_to(
        self,
        life: TokenService,
        grace: int,
        state: TokenState,
        old_opens: list[bool],
    ) -> None:
        store = life.store
        old = life.reveal(life.generate(HERS, TokenWish()))
        made = life.rotate(HERS, grace, TokenWish())
        new = life.reveal(made.token)
        assert states(store) == [state, ACTIVE]
        times = [NOON, NOON + DAY - 1, NOON + DAY]
        assert [opens(store, old, at) for at in times] == old_opens
        assert all(opens(store, new, at) for at in times)
        assert [token.secret_kept for token in store.tokens.all()] == [bool(grace), True]

    def test_the_old_one_can_be_had_while_it_is_valid(
        self, life: TokenService, store: Store
    ) -> None:
        old = life.reveal(life.generate(HERS, TokenWish()))
        life.rotate(HERS, DAY, TokenWish())
        assert life.reveal(life.previous(HERS)) == old
        later = life_of(store, life.keychain, NOON + DAY)
        with pytest.raises(UsageError, match="no predecessor"):
            later.previous(HERS)

    def test_a_grace_doesn_t_prolong(self, life: TokenService, store: Store) -> None:
        life.generate(HERS, TokenWish("", NOON + 1))
        life.rotate(HERS, DAY, TokenWish())
        assert [t.expires_at for t in store.tokens.all()] == [NOON + 1, NOON + 1]

    def test_two_are_valid_at_most(self, life: TokenService, store: Store) -> None:
        life.generate(HERS, TokenWish())
        life.rotate(HERS, DAY, TokenWish())
        life.rotate(HERS, DAY, TokenWish())
        assert states(store) == [REVOKED, ROTATED, ACTIVE]

    @pytest.mark.parametrize(
        ("wish", "label", "valid_for"),
        [
            pytest.param(TokenWish(), "export", DAY, id="nothing is wished for"),
            pytest.param(TokenWish("import"), "import", DAY, id="a label"),
            pytest.param(TokenWish("", NOON + 9 * DAY), "export", 8 * DAY, id="an expiry"),
        ],
    )
    def test_label_and_length_of_life_stay_unless_others_are_wished_for(
        self, life: TokenService, store: Store, wish: TokenWish, label: str, valid_for: int
    ) -> None:
        life.generate(HERS, TokenWish("export", NOON + DAY))
        later = life_of(store, life.keychain, NOON + DAY)
        token = later.rotate(HERS, 0, wish).token
        assert token.expires_at is not None
        assert (token.label, token.expires_at - token.created_at) == (label, valid_for)

    def test_of_two_at_once_one_wins_and_the_other_is_told(
        self, life: TokenService, store: Store, keychain: MemoryKeychain
    ) -> None:
        life.generate(HERS, TokenWish())

        class Slow(MemoryKeychain):
            def set(self, name: str, secret: Secret) -> None:
                super().set(name, secret)
                life.rotate(HERS, 0, TokenWish())

        with pytest.raises(TryAgainError, match="another process"):
            life_of(store, Slow(keychain.secrets)).rotate(HERS, 0, TokenWish())
        assert states(store) == [REVOKED, REVOKED, ACTIVE]
        assert len(keychain.secrets) == 1


class TestEnding:
    def test_a_revoked_one_opens_nothing_and_is_nowhere(
        self, life: TokenService, store: Store, keychain: MemoryKeychain
    ) -> None:
        first = life.reveal(life.generate(HERS, TokenWish()))
        second = life.reveal(life.rotate(HERS, DAY, TokenWish()).token)
        ended = life.revoke(HERS)
        assert ([t.state for t in ended.tokens], ended.trouble) == ([REVOKED, REVOKED], None)
        assert [opens(store, first), opens(store, second)] == [False, False]
        assert keychain.secrets == {}
        assert [token.secret_kept for token in store.tokens.all()] == [False, False]

    def test_it_ends_even_if_the_keychain_can_t_forget_it(
        self, life: TokenService, store: Store
    ) -> None:
        secret = life.reveal(life.generate(HERS, TokenWish()))

        class Locked(MemoryKeychain):
            def delete(self, name: str) -> bool:
                raise UnavailableError(f"the keyring is locked: {name}")

        ended = life_of(store, Locked()).revoke(HERS)
        assert isinstance(ended.trouble, UnavailableError)
        assert not opens(store, secret)
        assert [token.secret_kept for token in store.tokens.all()] == [True]

    def test_another_keychain_isn_t_asked_to_forget(self, life: TokenService, store: Store) -> None:
        life.generate(HERS, TokenWish())

        class File(MemoryKeychain):
            kind = "file"

        ended = life_of(store, File()).revoke(HERS)
        assert ended.trouble is not None
        assert "NOTIFYCLI_KEYRING=system" in ended.trouble.message
        assert [token.secret_kept for token in store.tokens.all()] == [True]

    def test_an_expired_one_is_refused_and_the_way_out_named(
        self, life: TokenService, store: Store
    ) -> None:
        life.generate(HERS, TokenWish("", NOON + DAY))
        with pytest.raises(NotPermittedError) as raised:
            life_of(store, life.keychain, NOON + DAY).obtain(HERS, TokenWish())
        assert raised.value.message == "jane@example.com's token expired at 2026-03-02T12:00:00Z"
        assert raised.value.hint == "a new one: notifycli token rotate -u jane@example.com"

    def test_a_removed_user_s_tokens_end_and_their_secrets_are_named(
        self, life: TokenService, store: Store
    ) -> None:
        secret = life.reveal(life.generate(HERS, TokenWish()))
        with store.change(1, "user remove", "test") as change:
            change.remove(JANE)
        assert not opens(store, secret)
        (left,) = store.tokens.leftovers()
        assert life.forget([left]) is None
        assert (store.tokens.leftovers(), life.keychain.get(left)) == ([], None)


MISSING: list[Callable[[TokenService], object]] = [
    lambda life: life.rotate(HERS, 0, TokenWish()),
    lambda life: life.revoke(HERS),
]


@pytest.mark.parametrize("change", MISSING)
def test_what_doesn_t_exist_can_t_be_changed(
    life: TokenService, change: Callable[[TokenService], object]
) -> None:
    with pytest.raises(UsageError, match="'s token doesn't exist"):
        change(life)


def test_a_secret_that_is_another_s_is_not_shown(
    life: TokenService, keychain: MemoryKeychain
) -> None:
    token = life.generate(HERS, TokenWish())
    keychain.secrets[token.secret_name] = form.generate()
    with pytest.raises(UnavailableError, match="doesn't hold the token nct_"):
        life.reveal(token)


def test_every_change_of_state_is_in_the_history(life: TokenService, store: Store) -> None:
    life.generate(HERS, TokenWish())
    life.rotate(HERS, DAY, TokenWish())
    life.revoke(HERS)
    with sqlite3.connect(store.location.name) as connection:
        rows = connection.execute(
            "SELECT change_id, who, command, token_id, old, new FROM token_change"
            " JOIN change ON change.id = change_id ORDER BY token_change.rowid"
        ).fetchall()
    connection.close()
    assert rows == [
        (2, "test", "token test", 1, None, "pending"),
        (3, "test", "token test", 1, "pending", "active"),
        (4, "test", "token test", 2, None, "pending"),
        (5, "test", "token test", 1, "active", "rotated"),
        (5, "test", "token test", 2, "pending", "active"),
        (6, "test", "token test", 1, "rotated", "revoked"),
        (6, "test", "token test", 2, "active", "revoked"),
    ]
