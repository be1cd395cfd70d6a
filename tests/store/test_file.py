"""The store's file: private, brought up to date, and never spoilt."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from notifycli.store.sqlite import connection as database
from tests.conftest import Notifycli, Program

WRITE = ("user", "add", "new@example.com")
READ = ("user", "list")
COMMANDS = pytest.mark.parametrize("command", [WRITE, READ], ids=["writing", "reading"])
VERSION_OF_THE_FUTURE = 999


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_the_file_is_for_its_owner_alone(program: Program, umask: int) -> None:
    done = program(*WRITE, "--db", "deep/down/store.db", umask=umask)
    assert (done.status, mode(program.folder / "deep/down/store.db")) == (0, 0o600)


def test_the_files_beside_it_are_private_too(desk: Notifycli) -> None:
    with closing(sqlite3.connect(desk.store)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE account SET name = 'Other'")
        other.commit()
        beside = [path.name for path in desk.store.parent.iterdir() if path != desk.store]
        assert beside
        assert {mode(desk.store.parent / name) for name in beside} == {0o600}


def test_the_file_is_in_the_data_folder_unless_named(notifycli: Notifycli) -> None:
    notifycli.ok(*WRITE)
    assert notifycli.store.is_file()


def test_a_refused_first_change_leaves_no_user_behind(notifycli: Notifycli) -> None:
    assert notifycli("prefs", "set", "audio=all", "-u", "7").status == 2
    assert notifycli.ok("user", "list").stdout == b""


def test_an_empty_file_becomes_a_store(notifycli: Notifycli) -> None:
    notifycli.write("store.db", b"")
    notifycli.ok(*WRITE, "--db", "store.db")
    assert len(notifycli.ok(*READ, "--db", "store.db").records) == 1


def test_a_migrated_store_keeps_what_a_change_needs(desk: Notifycli) -> None:
    with closing(sqlite3.connect(desk.store)) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.execute("PRAGMA user_version").fetchone()[0] >= 1
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_store_of_version_16_gets_an_index_and_loses_nothing(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    told = desk.ok("prefs", "history").stdout
    with closing(sqlite3.connect(desk.store)) as store:
        store.execute("DROP INDEX preference_change_user")
        store.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '%changes_of_users'")
        store.execute("PRAGMA user_version = 16")
        store.commit()
    desk.ok(*WRITE)
    with closing(sqlite3.connect(desk.store)) as store:
        found = "SELECT tbl_name FROM sqlite_master WHERE name = 'preference_change_user'"
        assert store.execute(found).fetchall() == [("preference_change",)]
    assert desk.ok("prefs", "history").stdout == told


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
        database.commit()


def other_program_with_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
        database.execute("PRAGMA user_version = 1")
        database.commit()


def other_program_with_id(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE user (id INTEGER)")
        database.execute("PRAGMA application_id = 252006674")
        database.commit()


def text(path: Path) -> None:
    path.write_text("Dear diary, today I did not back up.\n" * 40)


def short_text(path: Path) -> None:
    path.write_text("{}\n")


def one_byte(path: Path) -> None:
    path.write_bytes(b"x")


def zeros(path: Path) -> None:
    path.write_bytes(bytes(5000))


ALIEN = [
    pytest.param(other_program, id="a database of another program"),
    pytest.param(other_program_with_version, id="one with a version"),
    pytest.param(other_program_with_id, id="one with an application's id"),
    pytest.param(text, id="a text"),
    pytest.param(short_text, id="a short text"),
    pytest.param(zeros, id="nothing but zeros"),
    pytest.param(
        one_byte,
        id="a file of one byte",
    ),
]


@COMMANDS
@pytest.mark.parametrize("make", ALIEN)
def test_a_file_that_is_no_store_is_78_and_untouched(
    notifycli: Notifycli, command: tuple[str, ...], make: Callable[[Path], None]
) -> None:
    path = notifycli.folder / "alien.db"
    make(path)
    before = path.read_bytes()
    result = notifycli(*command, "--db", "alien.db")
    assert (result.status, result.stdout) == (78, b"")
    assert "alien.db" in result.stderr
    assert "--db" in result.stderr
    assert "Traceback" not in result.stderr
    assert path.read_bytes() == before
    assert [item.name for item in notifycli.folder.iterdir()] == ["alien.db"]


@COMMANDS
def test_a_store_of_a_newer_version_is_78_and_untouched(
    desk: Notifycli, command: tuple[str, ...]
) -> None:
    with closing(sqlite3.connect(desk.store)) as store:
        store.execute(f"PRAGMA user_version = {VERSION_OF_THE_FUTURE}")
        store.commit()
    before = desk.store.read_bytes()
    result = desk(*command)
    assert (result.status, result.stdout) == (78, b"")
    assert "newer" in result.stderr
    assert str(VERSION_OF_THE_FUTURE) in result.stderr
    assert "upgrade" in result.stderr
    assert desk.store.read_bytes() == before


@COMMANDS
def test_a_damaged_store_is_78_and_untouched(desk: Notifycli, command: tuple[str, ...]) -> None:
    whole = desk.store.read_bytes()
    damaged = whole[:4096] + b"\xa5" * (len(whole) - 4096)
    desk.store.write_bytes(damaged)
    result = desk(*command)
    assert (result.status, result.stdout) == (78, b"")
    assert str(desk.store) in result.stderr
    assert "Traceback" not in result.stderr
    assert desk.store.read_bytes() == damaged


@COMMANDS
def test_a_folder_for_a_store_is_78(notifycli: Notifycli, command: tuple[str, ...]) -> None:
    result = notifycli(*command, "--db", ".")
    assert (result.status, result.stdout) == (78, b"")
    assert "--db" in result.stderr


def test_a_store_in_a_folder_that_can_not_be_made_is_a_clear_error(notifycli: Notifycli) -> None:
    notifycli.write("plain", b"kept")
    result = notifycli(*WRITE, "--db", "plain/store.db")
    assert (result.status, result.stdout) == (78, b"")
    assert "plain/store.db" in result.stderr
    assert "--db" in result.stderr
    assert (notifycli.folder / "plain").read_bytes() == b"kept"


# The pragmas stand for what can't be had in every place where tests run: a full disk, and a file
# that root can't write.
Pragmas = Callable[[str], None]


@pytest.fixture
def pragmas(monkeypatch: pytest.MonkeyPatch) -> Pragmas:
    """Give every connection of the program a pragma."""
    connect = database.connect

    def patch(pragma: str) -> None:
        def connected(path: Path, *, create: bool) -> sqlite3.Connection:
            connection = connect(path, create=create)
            connection.execute(pragma)
            return connection

        monkeypatch.setattr("notifycli.store.sqlite.connection.connect", connected)

    return patch


def directory_of(count: int) -> bytes:
    users = ",".join(
        f'{{"id": {i}, "email": "user-{i}@example.com", "name": "{"x" * 200}"}}'
        for i in range(100, 100 + count)
    )
    return f'{{"users": [{users}]}}'.encode()


def test_a_full_disk_is_a_clear_error_and_nothing_is_stored(
    desk: Notifycli, pragmas: Pragmas
) -> None:
    before = desk.ok("directory", "export").stdout
    pragmas("PRAGMA max_page_count = 1")  # SQLite takes it for the pages that there are
    result = desk("directory", "import", "-", stdin=directory_of(500))
    assert (result.status, result.stdout) == (75, b"")
    assert "full" in result.stderr
    assert str(desk.store) in result.stderr
    assert desk.ok("directory", "export").stdout == before


def test_a_store_that_can_not_be_written_is_77_and_can_be_read(
    desk: Notifycli, pragmas: Pragmas
) -> None:
    pragmas("PRAGMA query_only = ON")
    result = desk(*WRITE)
    assert (result.status, result.stdout) == (77, b"")
    assert str(desk.store) in result.stderr
    assert "permissions" in result.stderr
    assert len(desk.ok(*READ).records) == 3
