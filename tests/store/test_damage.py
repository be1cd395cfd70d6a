"""A store that isn't as it was written, or lies where little can be: never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies

from tests.conftest import Notifycli, Result, Vault

COMMANDS = [
    *(["user", "list"], ["prefs", "list", "-u", "7"], ["prefs", "history"], ["token", "list"]),
    *(["directory", "export"], ["config", "list"], ["prefs", "set", "audio=all", "-u", "7"]),
    *(["token", "show", "-u", "7"], ["user", "add", "new@example.com"], ["deliver", "status"]),
]


@pytest.fixture
def full(desk: Notifycli, vault: Vault) -> Notifycli:
    """A desk with something in each of its tables."""
    assert vault.secrets() == {}
    desk.ok("prefs", "set", "email.*=on", "-u", "7")
    desk.ok("prefs", "set", "push.*=off", "--default")
    desk.ok("token", "generate", "-u", "7")
    desk.ok("config", "set", "smtp.host=mail.example.com")
    with closing(sqlite3.connect(desk.store)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return desk


@given(data=strategies.data())
def test_whatever_byte_is_damaged_no_command_ends_unexpectedly(
    full: Notifycli, data: strategies.DataObject
) -> None:
    whole = full.store.read_bytes()
    at = data.draw(strategies.integers(0, len(whole) - 1))
    how = data.draw(strategies.sampled_from(["flip", "cut", "zeros"]))
    if how == "flip":
        ends = strategies.lists(strategies.integers(0, len(whole) - 1), min_size=1, max_size=20)
        spoilt = bytearray(whole)
        for place in data.draw(ends):
            spoilt[place] ^= data.draw(strategies.integers(1, 255))
    else:
        spoilt = bytearray(whole[:at] + (bytes(len(whole) - at) if how == "zeros" else b""))
    command = data.draw(strategies.sampled_from(COMMANDS))
    for old in full.store.parent.iterdir():
        if old.name.startswith(full.store.name):
            old.unlink()
    full.store.write_bytes(spoilt)
    try:
        result = full(*command)
        assert result.status != 70, result.stderr
        assert full("doctor").status in {0, 1}
    finally:
        for old in full.store.parent.iterdir():
            if old.name.startswith(full.store.name):
                old.unlink()
        full.store.write_bytes(whole)


DAMAGED = [
    pytest.param(lambda raw: raw[:5000], id="truncated"),
    pytest.param(lambda raw: raw[:300], id="truncated to less than a page"),
    pytest.param(lambda raw: raw[:50], id="truncated to a part of its header"),
    pytest.param(lambda raw: b"\0" * 16 + raw[16:], id="its first bytes"),
    pytest.param(lambda raw: raw[:4096] + b"\xa5" * (len(raw) - 4096), id="all but a page"),
    pytest.param(lambda raw: raw[:68] + b"\0\0\0\1" + raw[72:], id="its mark"),
    pytest.param(
        lambda raw: raw.replace(b"CREATE TABLE user", b"CREATE TABLE \xff\xff\xffr"),
        id="a text of its schema",
    ),
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_store_is_called_so_with_the_way_back(
    full: Notifycli, damage: Callable[[bytes], bytes]
) -> None:
    full.store.write_bytes(damage(full.store.read_bytes()))
    assert full("user", "list") == Result(
        78,
        b"",
        f"error: the store {full.store} is damaged\n"
        "  bring a backup back: notifycli restore FILE; what is wrong: notifycli doctor\n",
    )
    told = full("doctor")
    store = told.records[0]
    assert (told.status, store["check"], store["status"]) == (1, "store", "fail")
    assert "notifycli restore FILE" in store["fix"]


@pytest.mark.parametrize("damage", DAMAGED)
def test_settings_in_a_damaged_store_are_not_listed_as_if_there_were_none(
    full: Notifycli, damage: Callable[[bytes], bytes]
) -> None:
    full.store.write_bytes(damage(full.store.read_bytes()))
    for environment in ({}, {"NOTIFYCLI_SMTP_PORT": "no number"}):
        assert full("config", "list", environment=environment) == full("user", "list")


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="needs setpriv, to be no root"
)
class TestUnreadable:
    """A store that is somebody else's."""

    def ask(self, *command: str) -> Result:
        as_others = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        done = subprocess.run(
            [
                *(as_others if os.geteuid() == 0 else []),
                *(sys.executable, "-m", "notifycli", *command),
            ],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def refused(self, store: Path) -> Result:
        return Result(
            77,
            b"",
            f"error: the store {store} can't be read: Permission denied\n"
            "  check the permissions of the file and its folder\n",
        )

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_a_file_that_may_not_be_read_is_named(
        self, full: Notifycli, command: list[str]
    ) -> None:
        full.store.chmod(0)
        assert self.ask(*command) == self.refused(full.store)

    def test_a_log_beside_it_that_may_not_be_read_is_named(self, full: Notifycli) -> None:
        log = Path(f"{full.store}-wal")
        with closing(sqlite3.connect(full.store)) as other:
            other.execute("UPDATE account SET name = 'written since'")
            other.commit()
            log.chmod(0)
            assert self.ask("user", "list") == self.refused(log)

    @pytest.mark.parametrize("named", [True, False], ids=["named", "the usual one"])
    @pytest.mark.parametrize(
        "command", [["user", "list"], ["backup", "b"], ["user", "add", "a@b.de"]]
    )
    def test_a_folder_that_may_not_be_looked_into_is_not_an_empty_one(
        self, full: Notifycli, command: list[str], named: bool
    ) -> None:
        full.store.parent.chmod(0)
        try:
            result = self.ask(*command, *(["--db", str(full.store)] if named else []))
            found = self.ask("doctor")
        finally:
            full.store.parent.chmod(0o700)
        assert result == self.refused(full.store)
        assert found.records[0] == {
            "check": "store",
            "status": "fail",
            "found": str(full.store),
            "meaning": f"the store {full.store} can't be read: Permission denied",
            "fix": "check the permissions of the file and its folder",
        }


class TestReadOnly:
    """A snapshot, an image: there nobody can write, and SQLite can't put files beside the store."""

    pytestmark = pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, to mount"
    )

    def ask(self, full: Notifycli, *command: str) -> Result:
        mounted = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        done = subprocess.run(
            [
                *("unshare", "--mount", "sh", "-c", mounted, str(full.store.parent)),
                *(sys.executable, "-m", "notifycli", *command),
            ],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def test_all_is_read_and_nothing_written(self, full: Notifycli) -> None:
        listed = full.ok("user", "list")
        assert self.ask(full, "user", "list") == listed
        assert self.ask(full, "user", "add", "new@example.com") == Result(
            77,
            b"",
            f"error: the store {full.store} can't be written\n"
            "  check the permissions of the file and its folder\n",
        )
        store = json.loads(self.ask(full, "doctor").stdout.splitlines()[0])
        assert (store["status"], store["meaning"]) == ("fail", "it can be read but not changed")

    def test_one_of_an_earlier_version_is_read_as_what_it_would_become(
        self, full: Notifycli
    ) -> None:
        listed = full.ok("user", "list")
        with closing(sqlite3.connect(full.store)) as store:
            store.execute("DROP TABLE setting_secret")
            store.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '%secrets_of_settings'")
            store.execute("PRAGMA user_version = 11")
            store.commit()
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = full.store.read_bytes()
        assert self.ask(full, "user", "list") == listed
        assert self.ask(full, "prefs", "set", "audio=all", "-u", "7").status == 77
        assert full.store.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, to mount")
@pytest.mark.parametrize("left", [0, 8, 32])
def test_a_disk_that_is_nearly_full_is_named(full: Notifycli, tmp_path: Path, left: int) -> None:
    place = tmp_path / "small"
    place.mkdir()
    filled = (
        f'mount -t tmpfs -o size=4m none "{place}" && cp "{full.store}" "{place}/store.db" && '
        f'head -c $(( ($(df --output=avail -k "{place}" | tail -1) - {left}) * 1024 )) /dev/zero '
        f'> "{place}/fill" && exec "$0" -m notifycli user add new@example.com --db "$1"'
    )
    for name in ("store.db", "new.db"):
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", filled, sys.executable, f"{place}/{name}"],
            capture_output=True,
            check=False,
            timeout=60,
        )
        told = (
            f"error: the disk is full: nothing was stored in {place}/{name}\n"
            "  free some space and try again\n"
        )
        assert (done.returncode, done.stderr.decode()) == (75, told)


def test_a_pipe_for_a_store_is_not_waited_for(notifycli: Notifycli) -> None:
    os.mkfifo(notifycli.folder / "pipe")
    result = notifycli("user", "list", "--db", "pipe")
    assert (result.status, "it is no file" in result.stderr) == (78, True)
