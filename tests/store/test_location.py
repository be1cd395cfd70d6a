"""What `--db` and `NOTIFYCLI_DB` name: a file, by its path or by a URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifycli.store.store import locate
from tests.conftest import Notifycli

PASSWORD = "hunter2"  # noqa: S105 - what must not be told


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("desk.db", "desk.db"),
        ("sqlite:///desk.db", "desk.db"),
        ("sqlite:///a folder/desk.db", "a folder/desk.db"),
        ("sqlite:////srv/desk.db", "/srv/desk.db"),
        ("SQLite:///desk.db", "desk.db"),
        ("~/desk.db", "/home/jane/desk.db"),
        ("sqlite:///~/desk.db", "/home/jane/desk.db"),
        ("./a://b.db", "a:/b.db"),
    ],
)
def test_a_path_and_a_url_name_the_same_file(
    given: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    assert locate(given).file == Path(file)


def test_both_are_the_same_store_to_every_command(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--db", "desk.db")
    listed = notifycli.ok("user", "list", "--db", "desk.db").stdout
    by_url = notifycli.ok("user", "list", environment={"NOTIFYCLI_DB": "sqlite:///desk.db"})
    absolute = f"sqlite:///{notifycli.folder / 'desk.db'}"
    assert listed == by_url.stdout == notifycli.ok("user", "list", "--db", absolute).stdout
    assert b"jane@example.com" in listed


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://jane:{PASSWORD}@db/desk",
        f"redis+tls://:{PASSWORD}@db",
        "sqlite://desk.db",
        "sqlite:///",
    ],
)
def test_an_address_of_no_store_is_2_and_no_password_in_it_is_told(
    notifycli: Notifycli, url: str
) -> None:
    result = notifycli("user", "list", "--db", url)
    scheme = url.partition(":")[0]
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr == (
        f"error: no store can be opened at an address that begins with {scheme}://\n"
        "  name a file, sqlite:///desk.db, or a database, postgresql://HOST/DATABASE\n"
    )
    assert [*notifycli.folder.iterdir()] == []
