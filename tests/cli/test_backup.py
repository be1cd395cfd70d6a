"""`notifycli backup|restore`: all that is kept, there and back, and nothing overwritten."""

from __future__ import annotations

import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies

from notifycli.secrets.private_file import hold_lock
from tests.conftest import Notifycli, Result, Vault


@pytest.fixture
def token(desk: Notifycli, vault: Vault) -> bytes:
    """A token of Jane's, in a vault of the test's own."""
    assert vault.secrets() == {}
    desk.ok("config", "set", "smtp.host=mail.example.com")
    return desk.ok("token", "show", "-u", "7").stdout


def test_all_comes_back_on_another_machine(desk: Notifycli, vault: Vault, token: bytes) -> None:
    exported = desk.ok("directory", "export").stdout
    with closing(sqlite3.connect(desk.store)) as other:
        other.execute("BEGIN IMMEDIATE")  # somebody writes meanwhile
        other.execute("UPDATE account SET name = 'not yet'")
        desk.ok("backup", "all.backup")
    assert (desk.folder / "all.backup").stat().st_mode & 0o777 == 0o600
    desk.store.unlink()
    vault.path.unlink()
    told = desk.ok("restore", "all.backup")
    assert told == Result(
        0, b"", f"restored {desk.store}, {vault.path}; is all well? notifycli doctor\n"
    )
    assert desk.ok("directory", "export").stdout == exported
    assert desk.ok("config", "get", "smtp.host").stdout == b"mail.example.com\n"
    assert desk.ok("token", "show", "-u", "7").stdout == token


@pytest.mark.usefixtures("token")
def test_what_is_there_is_kept_until_it_is_to_be_moved_aside(desk: Notifycli, vault: Vault) -> None:
    desk.ok("backup", "all.backup")
    desk.ok("user", "add", "late@example.com")
    now, secrets = desk.store.read_bytes(), vault.path.read_bytes()
    refused = desk("restore", "all.backup")
    assert (refused.status, refused.stdout) == (2, b"")
    assert "add --replace" in refused.stderr
    assert (desk.store.read_bytes(), vault.path.read_bytes()) == (now, secrets)
    desk.ok("restore", "all.backup", "--replace")
    assert len(desk.ok("user", "list").records) == 3
    assert Path(f"{desk.store}.before").read_bytes() == now
    again = desk("restore", "all.backup", "--replace")
    assert (again.status, "not overwritten" in again.stderr) == (2, True)
    assert (desk("backup", "all.backup").status, Path(f"{desk.store}.before").read_bytes()) == (
        2,
        now,
    )


@pytest.mark.parametrize("query", ["SELECT 1 FROM account", "BEGIN IMMEDIATE"])
def test_a_store_in_use_is_not_moved_aside(desk: Notifycli, query: str) -> None:
    desk.ok("backup", "all.backup")
    with closing(sqlite3.connect(desk.store)) as other:
        other.execute(query).fetchall()
        refused = desk("restore", "all.backup", "--replace")
    assert refused == Result(
        75,
        b"",
        f"error: the store {desk.store} is in use\n  stop what uses it: serve, listen, deliver\n",
    )
    desk.ok("restore", "all.backup", "--replace")


def test_two_do_not_restore_at_the_same_time(
    desk: Notifycli, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifycli.cli.store_command.LOCK_SECONDS", 0.0)
    desk.ok("backup", "all.backup")
    with hold_lock(vault.path.with_name(f"{vault.path.name}.lock")):
        refused = desk("restore", "all.backup", "--replace")
    assert (refused.status, "another process has held" in refused.stderr) == (75, True)


def test_a_backup_is_not_kept_in_memory(desk: Notifycli) -> None:
    with closing(sqlite3.connect(desk.store)) as store:
        store.execute("CREATE TABLE ballast AS SELECT randomblob(20000000) AS it")
        store.commit()
    tracemalloc.start()
    desk.ok("backup", "all.backup")
    desk.ok("restore", "all.backup", "--replace")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_what_a_system_keyring_holds_is_named(desk: Notifycli) -> None:
    with closing(sqlite3.connect(desk.store)) as store:
        store.execute(
            "INSERT INTO token VALUES (1, 1, 7, 'default', 'system:1/7/default/00', 'd', 'm', '',"
            " 0, 0, NULL, 'active', 1)"
        )
        store.execute("INSERT INTO setting_secret VALUES ('smtp.password', 'config/0/x')")
        store.commit()
    told = desk.ok("backup", "all.backup").stderr
    assert told.startswith(
        "warning: the backup doesn't have what the system's keyring holds: 1 token, smtp.password;"
    )


@given(data=strategies.data())
def test_a_damaged_backup_brings_nothing_back(desk: Notifycli, data: strategies.DataObject) -> None:
    whole = desk.folder / "whole.backup"
    if not whole.exists():
        desk.ok("backup", "whole.backup")
    raw = whole.read_bytes()
    at = data.draw(strategies.integers(0, len(raw) - 1))
    desk.write("cut.backup", raw[:at])
    result = desk("restore", "cut.backup", "--db", "new.db")
    assert (result.status, (desk.folder / "new.db").exists()) == (65, False)


def test_what_is_no_backup_is_told(desk: Notifycli) -> None:
    assert desk("restore", "none.backup").status == 66
    assert desk("backup", "x.backup", "--db", "none.db").status == 66
    assert desk("restore", desk.write("x", b"text")) == Result(
        65,
        b"",
        "error: x is damaged or no backup of notifycli\n  name one that notifycli backup wrote\n",
    )


def test_a_backup_that_cannot_be_written_is_77(desk: Notifycli) -> None:
    refused = desk("backup", "/proc/all.backup")
    assert (refused.status, refused.stdout) == (77, b"")
    assert refused.stderr.startswith("error: /proc/all.backup can't be written: ")
    assert refused.stderr.endswith("\n  name another place\n")


LONG = "a" * 300
TOO_LONG, TOO_MANY = "File name too long", "Too many levels of symbolic links"
NO_STORE = "error: the store {name} can't be opened: {why}\n  check the path given by --db"
NO_FILE = "error: {name}: {why}\n  check the name; - reads standard input\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [(LONG, TOO_LONG), (f"{LONG}/x", TOO_LONG), ("loop", TOO_MANY)],
    ids=["too long", "in a folder of too long a name", "a link to itself"],
)
@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        (["store", "copy", "STORE", "NAME"], 78, NO_STORE),
        (["store", "copy", "NAME", "other.db"], 78, NO_STORE),
        (["deliver", "--follow", "NAME"], 66, NO_FILE),
        (["test", "NAME"], 66, NO_FILE),
    ],
    ids=["copy to", "copy from", "follow", "test"],
)
def test_a_name_that_cannot_be_looked_at_is_told(
    desk: Notifycli, command: list[str], status: int, told: str, *, name: str, why: str
) -> None:
    (desk.folder / "loop").symlink_to("loop")
    given = [{"NAME": name, "STORE": str(desk.store)}.get(word, word) for word in command]
    result = desk(*given)
    assert (result.status, result.stdout) == (status, b"")
    assert told.format(name=name, why=why) in result.stderr


@pytest.mark.parametrize("name", [LONG, f"{LONG}/x"], ids=["itself", "of a folder"])
def test_a_name_too_long_to_be_restored_to_is_told(
    desk: Notifycli, vault: Vault, name: str
) -> None:
    desk.ok("backup", "all.backup")
    vault.path.unlink()
    result = desk("restore", "all.backup", "--db", name)
    told = (
        f"error: {desk.folder / name} can't be written: {TOO_LONG}\n  Make room or rights for it.\n"
    )
    assert result == Result(69, b"", told)


@pytest.mark.parametrize("name", [LONG, "loop"])
@pytest.mark.parametrize("variable", ["NOTIFYCLI_KEYRING_FILE", "HOME"])
def test_the_doctor_looks_at_names_that_cannot_be_looked_at(
    desk: Notifycli, variable: str, name: str
) -> None:
    (desk.folder / "loop").symlink_to("loop")
    environment = {"NOTIFYCLI_KEYRING": "file", "SHELL": "/bin/bash"}
    checks = desk("doctor", environment={**environment, variable: str(desk.folder / name)}).records
    assert {"keyring", "completion"} <= {check["check"] for check in checks}
