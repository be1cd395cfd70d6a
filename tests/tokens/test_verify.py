"""Whose a token is: the answers, and that the work done tells nothing."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any

import pytest

from notifycli.secrets import token_format as form
from notifycli.secrets.token_service import TokenOwner, TokenWish, verify_token

from .harness import HERS, JANE, NOON, OMAR, MemoryKeychain, life_of, store_with_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from notifycli.store.store import Store

WHICH = ["valid", "rotated", "expired", "revoked", "removed", "never made", "not ours"]


class World:
    """A store with a token of every kind, by what it is."""

    def __init__(self, store: Store) -> None:
        self.store = store
        life = life_of(store, MemoryKeychain())
        self.rotated = life.reveal(life.generate(HERS, TokenWish())).reveal()
        self.valid = life.reveal(life.rotate(HERS, 1, TokenWish()).token).reveal()
        expired = life.generate(TokenOwner(1, JANE, "expired"), TokenWish("", NOON))
        revoked = life.generate(TokenOwner(1, JANE, "revoked"), TokenWish())
        removed = life.generate(TokenOwner(1, OMAR), TokenWish())
        self.texts = {
            "valid": self.valid,
            "rotated": self.rotated,
            "expired": life.reveal(expired).reveal(),
            "revoked": life.reveal(revoked).reveal(),
            "removed": life.reveal(removed).reveal(),
            "never made": form.generate().reveal(),
            "not ours": "x" * 40,
        }
        life.revoke(TokenOwner(1, JANE, "revoked"))
        with store.change(1, "user remove", "test") as change:
            change.remove(OMAR)

    def answer(self, which: str) -> tuple[int, str] | None:
        found = verify_token(self.store, self.texts[which], NOON)
        return None if found is None else (found.user_id, found.masked)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with store_with_users(tmp_path / "store.db") as store:
        yield World(store)


def test_only_what_is_valid_is_somebodys(world: World) -> None:
    yes = {which: (7, form.mask(world.texts[which])) for which in ("valid", "rotated")}
    assert {which: world.answer(which) for which in WHICH} == dict.fromkeys(WHICH) | yes


def test_in_another_account_it_is_nobodys(world: World) -> None:
    assert verify_token(world.store, world.valid, NOON, account=2) is None
    assert verify_token(world.store, world.valid, NOON, account=1) is not None


@pytest.mark.parametrize("place", [0, 3, 4, 20, 39])
def test_with_a_character_mistyped_it_is_nobodys(world: World, place: int) -> None:
    wrong = "y" if world.valid[place] == "x" else "x"
    assert (
        verify_token(world.store, world.valid[:place] + wrong + world.valid[place + 1 :], NOON)
        is None
    )


def test_a_use_is_recorded_and_a_refusal_too(world: World) -> None:
    verify_token(world.store, world.valid, NOON + 5)
    used = {token.masked: token.last_used_at for token in world.store.tokens.all()}
    assert used[form.mask(world.valid)] == NOON + 5
    assert [at for at in used.values() if at is not None] == [NOON + 5]


def test_yes_and_no_do_the_same_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection: Any = world.store
    connection = connection._database._connection  # noqa: SLF001 - what is asked of SQLite is the work
    compared: list[tuple[int, int]] = []

    def compare(a: str, b: str) -> bool:
        compared.append((len(a), len(b)))
        return a == b

    monkeypatch.setattr(hmac, "compare_digest", compare)

    def work(which: str) -> tuple[list[str], list[tuple[int, int]], int]:
        statements: list[str] = []
        compared.clear()
        before = connection.total_changes
        connection.set_trace_callback(statements.append)
        world.answer(which)
        connection.set_trace_callback(None)
        shapes = [re.sub(r"'[0-9a-f]{64}'|\b\d+\b", "?", statement) for statement in statements]
        return shapes, list(compared), connection.total_changes - before

    expected = work("valid")
    assert {which: work(which) for which in WHICH} == dict.fromkeys(WHICH, expected)
    shapes, comparisons, changes = expected
    assert [shape.split()[0] for shape in shapes] == ["SELECT", "BEGIN", "INSERT", "COMMIT"]
    assert (comparisons, changes) == ([(64, 64)], 1)


def test_the_look_up_is_by_an_index(world: World) -> None:
    connection: Any = world.store
    connection = connection._database._connection  # noqa: SLF001 - what is asked of SQLite is the work
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    world.answer("valid")
    connection.set_trace_callback(None)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}").fetchall()
    assert "USING INDEX token_live_digest (digest=?)" in plan[0][3]
