"""`notifycli chatwoot rotate`: no crash locks a user out, as far as that is in our hands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifycli.chatwoot.account import Desk
from notifycli.chatwoot.user_tokens import rotate
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import TokenWish, reconcile
from notifycli.store.store import Connection
from tests.chatwoot.recorded import JANE, ROOT, Asked, Chatwoot, Person, Reply
from tests.conftest import Notifycli
from tests.tokens.harness import JANE as HER
from tests.tokens.harness import (
    NOON,
    Died,
    DyingStore,
    Fuse,
    MemoryKeychain,
    life_of,
    store_with_users,
)

MORE_STEPS_THAN_IT_HAS = 60


def test_rotate_replaces_the_token_and_proves_it(everybody: Notifycli, chatwoot: Chatwoot) -> None:
    result = everybody.ok("chatwoot", "rotate", "-u", "7")
    new = chatwoot.token(7)
    assert new != JANE
    assert result.records == [
        {
            "kind": "token",
            "id": 7,
            "name": "jane@example.com",
            "result": "rotated",
            "detail": f"…{new[-4:]} works, …{JANE[-4:]} doesn't any more",
        }
    ]
    tried = [(a.method, a.headers["api_access_token"]) for a in chatwoot.asked[-4:]]
    assert tried == [("GET", JANE), ("POST", JANE), ("GET", new), ("GET", JANE)]
    assert new not in result.stdout.decode() + result.stderr
    assert [r["state"] for r in everybody.ok("chatwoot", "status").records] == ["works"] * 3


def test_rotate_with_dry_run_only_tries_the_tokens(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    records = everybody.ok("chatwoot", "rotate", "--dry-run").records
    assert [(r["id"], r["result"]) for r in records] == [(7, "works"), (8, "works"), (9, "works")]
    assert chatwoot.count("POST") == 0


def test_a_server_that_still_takes_the_old_one_is_told(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    def linger(asked: Asked, person: Person | None) -> None:
        if person is None and asked.headers["api_access_token"] == ROOT:
            raise Reply(200, {"id": 9, "email": "root@example.com"})

    chatwoot.before = linger
    result = member("chatwoot", "rotate")
    assert result.status == 69
    assert "still takes the old one" in result.records[0]["detail"]
    assert member.ok("chatwoot", "status").records[0]["state"] == "works"


def test_a_refusal_leaves_everything_as_it_was(member: Notifycli, chatwoot: Chatwoot) -> None:
    def refuse(asked: Asked, _person: Person | None) -> None:
        if asked.method == "POST":
            raise Reply(422, {"error": "not today"})

    chatwoot.before = refuse
    result = member("chatwoot", "rotate")
    assert (result.status, "with 422: not today" in result.records[0]["detail"]) == (69, True)
    assert member.ok("chatwoot", "status").records[0]["state"] == "works"


def test_a_keyring_that_keeps_nothing_is_found_out_before_anything_is_asked_for(
    chatwoot: Chatwoot, tmp_path: Path
) -> None:
    class Sieve(MemoryKeychain):
        def set(self, name: str, secret: Secret) -> None:
            if not self.secrets:
                super().set(name, secret)

    with store_with_users(tmp_path / "store.db") as store:
        desk = _logged_in(Desk(life_of(store, Sieve()), Connection(1, chatwoot.url, 1)))
        report = rotate(desk, [HER], lambda _done, _total: None, dry_run=False)
    assert report.steps[0].detail.startswith("the keyring doesn't keep what it is given")
    assert chatwoot.count("POST") == 0


def _logged_in(desk: Desk) -> Desk:
    with desk.life.store.change(1, "test", "test") as change:
        change.chatwoot.connect(desk.connection.url, 1)
    desk.life.keep(desk.owner(HER), Secret(JANE), TokenWish(desk.connection.url))
    return desk


@contextmanager
def _reopened(path: Path, secrets: dict[str, Secret], url: str) -> Iterator[Desk]:
    with store_with_users(path) as store:
        yield Desk(life_of(store, MemoryKeychain(secrets), NOON), Connection(1, url, 1))


def test_a_rotation_that_dies_at_any_step_is_finished_by_the_next(
    chatwoot: Chatwoot, tmp_path: Path
) -> None:
    outcomes = set()
    for at in range(1, MORE_STEPS_THAN_IT_HAS):
        path, secrets, fuse, died = tmp_path / f"{at}.db", dict[str, Secret](), Fuse(at), False
        chatwoot.people = {JANE: chatwoot.person(7)}
        with _reopened(path, secrets, chatwoot.url) as desk:
            _logged_in(desk)
        with DyingStore(path, fuse) as store:
            desk = Desk(
                life_of(store, MemoryKeychain(secrets, fuse)), Connection(1, chatwoot.url, 1)
            )
            try:
                rotate(desk, [HER], lambda _done, _total: None, dry_run=False)
            except Died:
                died = True
        answered = chatwoot.token(7) != JANE
        kept = Secret(chatwoot.token(7)) in secrets.values()
        with _reopened(path, secrets, chatwoot.url) as desk:
            (step,) = rotate(desk, [HER], lambda _done, _total: None, dry_run=False).steps
            outcomes.add((answered, kept, step.result))
            if kept or not answered:
                assert desk.life.reveal(desk.held(HER)).reveal() == chatwoot.token(7)
                with desk.open(HER) as api:
                    assert api.profile().id == 7
                reconcile(desk.life.store, desk.life)
                assert set(secrets) == {desk.held(HER).secret_name}
        if not died:
            break
    assert not died
    # Lost is what the server answered in the moment before the keychain had it, and nothing else.
    assert outcomes == {(False, True, "rotated"), (True, True, "rotated"), (True, False, "failed")}


def test_a_lost_answer_is_told_with_the_way_out_and_a_login_mends_it(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    def lose(asked: Asked, person: Person | None) -> None:
        if asked.method == "POST":
            assert person is not None
            chatwoot.people = {"newtokenofroot" * 2: person}
            raise Reply(200, raw=b'{"id": 9, "acc')

    chatwoot.before = lose
    assert member("chatwoot", "rotate").status == 69
    chatwoot.before = lambda _asked, _person: None
    for verb in ("rotate", "pull"):
        assert member("chatwoot", verb).status == 77
    result = member("chatwoot", "rotate")
    assert "copy the new one from the profile there" in result.records[0]["detail"]
    member.ok("chatwoot", "login", stdin=b"newtokenofroot" * 2)
    member.ok("chatwoot", "pull")


@pytest.mark.parametrize("answered", ["short", ROOT], ids=["no token", "the old one"])
def test_an_answer_that_is_no_new_token_is_not_taken(
    member: Notifycli, chatwoot: Chatwoot, answered: str
) -> None:
    def odd(asked: Asked, _person: Person | None) -> None:
        if asked.method == "POST":
            raise Reply(200, {"id": 9, "access_token": answered})

    chatwoot.before = odd
    result = member("chatwoot", "rotate")
    assert result.records[0]["result"] == "failed"
    assert [kept["token"] for kept in member.ok("token", "list").records] == ["…oroo"]
