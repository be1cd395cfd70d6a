"""A store and its copy are equal, whichever engines keep the two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from notifycli.errors import TryAgainError
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer
from notifycli.store import copy_store as copying
from notifycli.store.copy_store import TABLES
from notifycli.store.store import Database, open_store
from notifycli.store.subscriptions import PushKey, Subscription
from notifycli.store.transaction import Entry, Target
from tests.conftest import Notifycli

from .engines import Engine
from .test_outbox import entry

EXPORTS = ["directory export", "prefs export --format toml", "prefs history -o csv", "user list"]


@pytest.fixture
def full(desk: Notifycli, url: str) -> Notifycli:
    """A desk with something in every part of its store."""
    desk.ok("prefs", "set", "audio=all", "-u", "7", "--inbox", "3")
    desk.ok("prefs", "set", "email.*=on", "--default")
    desk.ok("prefs", "set", "audio.tone=bell", "--lock")
    desk.ok("prefs", "preset", "save", "mine", "audio=all")
    desk.ok("config", "set", "desk.url=https://desk.example.com")
    desk.ok("user", "remove", "9")
    with open_store(url) as store:
        store.subscriptions.add_key(PushKey(0, "public", "secret", 1), None)
        with store.change(1, "push add", "tester") as change:
            change.subscriptions.put(
                Subscription(
                    account_id=1,
                    user_id=7,
                    key_id=1,
                    endpoint="https://push.example.com/1",
                    p256dh="p",
                    auth="a",
                    label="Zoë's \N{SNOWMAN}",
                    created_at=2**53 + 1,
                )
            )
            change.chatwoot.connect("https://chat.example.com", 5)
            change.chatwoot.saw(7, b"\x00\xff")
        store.outbox.write([entry(1, 7, Channel.EMAIL, 42)], 5)
    return desk


def test_a_copy_and_the_copy_of_it_say_the_same(full: Notifycli, engine: Engine, url: str) -> None:
    before = [full.ok(*command.split()).stdout for command in EXPORTS]
    there, back = "sqlite:///there.db", engine.new()
    told = full.ok("store", "copy", url, there).stderr
    rows = sum(engine.rows(url, f'SELECT count(*) FROM "{table}"')[0][0] for table in TABLES)
    assert told == (
        f"copied {rows} rows to there.db, and compared them; "
        "use it: --db there.db, or NOTIFYCLI_DB\n"
    )
    full.ok("store", "copy", there, back)
    for copy in (there, back):
        assert [full.ok(*command.split(), "--db", copy).stdout for command in EXPORTS] == before
    for table in TABLES:
        one, other = (engine.rows(store, f'SELECT * FROM "{table}"') for store in (url, back))
        assert sorted(one, key=repr) == sorted(other, key=repr)


def test_a_copy_goes_on_with_numbers_of_its_own(full: Notifycli, engine: Engine, url: str) -> None:
    back = engine.new()
    full.ok("store", "copy", url, back)
    with engine.open(back) as store:
        last = store.history.change(1, None).id
        with store.change(1, "prefs set", "tester") as change:
            change.set([Entry(Target(Layer.USER, 7), "audio", "assigned")])
            assert change.id > last
            change.put_users([User(10, "new@example.com")])
        store.outbox.write([entry(2, 7, Channel.EMAIL, 42)], 6)


def test_what_was_broken_off_goes_on(
    full: Notifycli, engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    back, copied = engine.new(), []
    copy_table = copying._copy_table  # noqa: SLF001 - where it is broken off

    def until_push(source: Database, target: Database, table: str) -> int:
        copied.append(table)
        if table == "push_key" and copied.count(table) == 1:
            raise TryAgainError("the connection was lost", "try again shortly")
        return copy_table(source, target, table)

    monkeypatch.setattr(copying, "_copy_table", until_push)
    assert full("store", "copy", url, back).status == 75
    assert engine.rows(back, 'SELECT count(*) FROM "user"') == [(2,)]
    assert engine.rows(back, "SELECT count(*) FROM push_subscription") == [(0,)]
    told = full.ok("store", "copy", url, back).stderr
    assert copied.count("account") == 1
    rows = sum(engine.rows(url, f'SELECT count(*) FROM "{table}"')[0][0] for table in TABLES)
    assert told.startswith(f"copied {rows} rows ")
    for table in TABLES:
        one, other = (engine.rows(store, f'SELECT * FROM "{table}"') for store in (url, back))
        assert sorted(one, key=repr) == sorted(other, key=repr)
    full.ok("user", "add", "late@example.com", "--db", url)
    changed = full("store", "copy", url, back)
    assert (changed.status, "user isn't as in the other" in changed.stderr) == (2, True)


def test_nothing_is_copied_over_what_is_there(full: Notifycli, engine: Engine, url: str) -> None:
    other = engine.new()
    full.ok("user", "add", "zoe@example.com", "--db", other)
    before = full.ok("directory", "export", "--db", other).stdout
    result = full("store", "copy", url, other)
    assert (result.status, result.stdout) == (2, b"")
    assert "holds something already" in result.stderr
    assert full.ok("directory", "export", "--db", other).stdout == before
    assert json.loads(before)["users"][0]["email"] == "zoe@example.com"


def test_a_store_is_not_copied_to_itself(full: Notifycli, url: str) -> None:
    result = full("store", "copy", url, url)
    name = url.removeprefix("sqlite:///")
    assert (result.status, result.stderr.splitlines()) == (
        2,
        [
            f"error: {name} can't be copied to itself",
            "  name another store, an empty one or one yet to be",
        ],
    )


@pytest.mark.parametrize("other", ["sqlite:///desk.db", "./desk.db", "linked.db"])
def test_nor_to_itself_by_another_name(notifycli: Notifycli, other: str) -> None:
    notifycli.ok("user", "add", "zoe@example.com", "--db", "desk.db")
    (notifycli.folder / "linked.db").symlink_to("desk.db")
    for pair in (("desk.db", other), (other, "desk.db")):
        result = notifycli("store", "copy", *pair)
        assert (result.status, "can't be copied to itself" in result.stderr) == (2, True)


def test_a_store_that_is_not_there_is_66_and_nothing_is_made(notifycli: Notifycli) -> None:
    result = notifycli("store", "copy", "missing.db", "new.db")
    assert (result.status, [*notifycli.folder.iterdir()]) == (66, [])
    assert "missing.db" in result.stderr


def test_a_backup_is_a_file_whatever_keeps_the_store(full: Notifycli, tmp_path: Path) -> None:
    before = [full.ok(*command.split()).stdout for command in EXPORTS]
    full.ok("backup", str(tmp_path / "desk.backup"))
    full.ok("restore", str(tmp_path / "desk.backup"), "--db", "restored.db")
    after = [full.ok(*command.split(), "--db", "restored.db").stdout for command in EXPORTS]
    assert after == before


def test_a_backup_is_brought_back_into_its_own_kind(full: Notifycli, url: str) -> None:
    before = [full.ok(*command.split()).stdout for command in EXPORTS]
    full.ok("backup", "desk.backup")
    full.ok("user", "add", "late@example.com", "--db", url)
    refused = full("restore", "desk.backup")
    assert (refused.status, "--replace" in refused.stderr) == (2, True)
    assert len(full.ok("user", "list").records) == 3
    full.ok("restore", "desk.backup", "--replace")
    assert [full.ok(*command.split()).stdout for command in EXPORTS] == before
    again = full("restore", "desk.backup", "--replace")
    assert (again.status, "not overwritten" in again.stderr) == (2, True)
    assert [full.ok(*command.split()).stdout for command in EXPORTS] == before
