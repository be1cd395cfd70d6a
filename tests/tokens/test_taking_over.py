"""Tokens that were made elsewhere, and texts that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notifycli.errors import DataError, NotifycliError, UsageError
from notifycli.secrets import token_format as form
from notifycli.secrets.token_service import TokenOwner, TokenService, TokenWish
from notifycli.store.tokens import TokenState

from .harness import FOREIGN, HERS, OMAR, opens, states

if TYPE_CHECKING:
    from notifycli.store.store import Store

ACTIVE, REVOKED = TokenState.ACTIVE, TokenState.REVOKED


class TestTakingOver:
    def test_a_token_of_another_system_replaces_what_was_there(
        self, life: TokenService, store: Store
    ) -> None:
        life.generate(HERS, TokenWish())
        made = life.keep(HERS, form.Secret(FOREIGN), TokenWish("from the profile page"))
        assert life.reveal(made.token) == form.Secret(FOREIGN)
        assert (made.token.masked, made.token.made_elsewhere) == ("…2dLu", True)
        assert states(store) == [REVOKED, ACTIVE]
        assert opens(store, form.Secret(FOREIGN))

    def test_it_can_come_back_after_it_was_revoked_but_one_of_ours_can_t(
        self, life: TokenService, store: Store
    ) -> None:
        life.keep(HERS, form.Secret(FOREIGN), TokenWish())
        life.revoke(HERS)
        life.keep(HERS, form.Secret(FOREIGN), TokenWish())
        assert opens(store, form.Secret(FOREIGN))
        of_another_store = form.generate()
        for _ in range(2):
            life.keep(HERS, of_another_store, TokenWish())
            life.revoke(HERS)
        ours = life.reveal(life.generate(TokenOwner(1, OMAR), TokenWish()))
        life.revoke(TokenOwner(1, OMAR))
        with pytest.raises(UsageError, match="was revoked"):
            life.keep(HERS, ours, TokenWish())

    @pytest.mark.parametrize(
        ("text", "error", "message"),
        [
            ("short", DataError, "it has 5 characters"),
            ("z9" * 2500, DataError, "it has 5000 characters"),
            ("two words of a passphrase", DataError, "has spaces"),
            ("line\r\nHost: evil.example.com", DataError, "has spaces"),
            ("zażółćgęśląjaźńzażółć", DataError, "characters that no token has"),
            ("QyTzvXkPW4mJc****RbE2dLu", DataError, "characters that no token has"),
            ("QyTzvXkP=W4mJcHn8sRbE2dLu", DataError, "characters that no token has"),
            ('{"access_token":"QyTzvXkPW4mJcHn8sRbE2dLu"}', DataError, "this is JSON"),
            ("*" * 24, DataError, "what hides a token"),
            ("\u2022" * 24, DataError, "what hides a token"),
            ("x" * 24, DataError, "what hides a token"),
            ("nct_" + "x" * 35 + "y", DataError, "mistyped"),
            (FOREIGN, UsageError, "on record already, as …2dLu"),
        ],
    )
    def test_what_is_no_token_is_refused_without_repeating_it(
        self, life: TokenService, text: str, error: type[NotifycliError], message: str
    ) -> None:
        life.keep(TokenOwner(1, OMAR), form.Secret(FOREIGN), TokenWish())
        with pytest.raises(error, match=message) as raised:
            life.keep(HERS, form.Secret(text), TokenWish())
        assert text not in str(raised.value)

    def test_it_is_never_rotated_here(self, life: TokenService) -> None:
        life.keep(HERS, form.Secret(FOREIGN), TokenWish())
        with pytest.raises(UsageError, match="made elsewhere"):
            life.rotate(HERS, 0, TokenWish())
