"""A store in PostgreSQL: who is let in, whom it trusts, and what happens when the server goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from notifycli.errors import TryAgainError
from notifycli.rules.directory import User
from notifycli.store.store import open_store
from tests.chatwoot.database import Postgres
from tests.conftest import Notifycli

from .conftest import NAME

PASSWORD = "hunter2"  # noqa: S105 - what must not be told
connection = pytest.importorskip("notifycli.store.postgres.connection", reason="needs psycopg2")
VERSION = pytest.importorskip("notifycli.store.postgres.schema", reason="needs psycopg2").VERSION


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_SECONDS", 1.0)
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def database(postgresql: Postgres) -> str:
    """A database that needs a password of whoever comes over TCP."""
    postgresql.psql("postgres", "CREATE DATABASE desk")
    postgresql.psql("postgres", f"CREATE ROLE jane SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    rules = postgresql.socket / "data/pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    postgresql.psql("postgres", "SELECT pg_reload_conf()")
    return f"127.0.0.1:{postgresql.port}/desk"


@pytest.fixture
def password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pgpass"
    path.write_text(f"*:*:*:jane:{PASSWORD}\n")
    path.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(path))
    return path


@pytest.fixture
def certificate(postgresql: Postgres) -> Path:
    return postgresql.socket.parent / "cert.pem"


def through_socket(server: Postgres, database: str) -> str:
    return f"postgresql://postgres@/{database}?host={server.socket}&port={server.port}"


@pytest.mark.usefixtures("password_file")
def test_a_password_file_lets_in(notifycli: Notifycli, database: str) -> None:
    url = f"postgresql://jane@{database}"
    notifycli.ok("user", "add", "zoe@example.com", "-a", "1", "--db", url)
    listed = notifycli.ok("user", "list", "-a", "1", environment={"NOTIFYCLI_DB": url}).records
    assert [user["email"] for user in listed] == ["zoe@example.com"]
    (store,) = [f for f in notifycli("doctor", "--db", url).records if f["check"] == "store"]
    assert (store["status"], store["found"].startswith(f"{url}, version {VERSION}, ")) == (
        "ok",
        True,
    )
    assert store["meaning"] == "it answers; who may read it is for the server to say"


@pytest.mark.parametrize("kept", ["", "*:*:*:jane:wrong\n"], ids=["no password", "a wrong one"])
def test_without_the_password_it_is_77_at_once(
    notifycli: Notifycli, database: str, password_file: Path, kept: str
) -> None:
    password_file.write_text(kept)
    result = notifycli("user", "list", "--db", f"postgresql://jane@{database}")
    assert (result.status, result.stdout) == (77, b"")
    assert "asks for a password" in result.stderr or "refuses: " in result.stderr
    assert "PGPASSFILE" in result.stderr
    assert "wrong" not in result.stderr


def test_the_keyring_lets_in_once_somebody_has_logged_in(
    notifycli: Notifycli, database: str, folder: Path
) -> None:
    url = f"postgresql://jane@{database}"
    passphrase = folder / "passphrase"
    passphrase.write_text("open sesame")
    passphrase.chmod(0o600)
    keyring = {
        "NOTIFYCLI_KEYRING": "file",
        "NOTIFYCLI_KEYRING_FILE": str(folder / "keychain.json"),
        "NOTIFYCLI_KEYRING_PASSPHRASE_FILE": str(passphrase),
    }
    wrong = notifycli("store", "login", url, stdin=b"wrong\n", environment=keyring)
    assert (wrong.status, wrong.stdout, "wrong" in wrong.stderr) == (77, b"", False)
    assert notifycli("prefs", "preset", "list", "--db", url, environment=keyring).status == 77
    done = notifycli.ok("store", "login", url, stdin=PASSWORD.encode(), environment=keyring)
    assert done.stderr == f"the password of {url} is kept, and lets in\n"
    notifycli.ok("prefs", "preset", "list", "--db", url, environment=keyring)
    assert PASSWORD not in (folder / "keychain.json").read_text()


def test_a_file_has_no_password(notifycli: Notifycli) -> None:
    result = notifycli("store", "login", "desk.db")
    assert (result.status, "it has no password" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://jane:{PASSWORD}@127.0.0.1/desk",
        f"postgres://127.0.0.1/desk?user=jane&password={PASSWORD}",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_told(notifycli: Notifycli, url: str) -> None:
    result = notifycli("user", "list", "--db", url)
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr.startswith("error: the store's address holds a password")
    assert PASSWORD not in result.stderr


@pytest.mark.usefixtures("password_file", "database")
def test_who_a_server_is_is_verified_unless_it_is_this_machine(
    postgresql: Postgres, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def url(name: str) -> str:
        return f"postgresql://jane@{name}:{postgresql.port}/desk?hostaddr=127.0.0.1"

    with pytest.raises(TryAgainError, match="certificate verify failed") as refused:
        open_store(url(NAME))
    assert "PGSSLROOTCERT=ca.pem" in refused.value.hint
    assert "?sslmode=" in refused.value.hint
    monkeypatch.setenv("PGSSLROOTCERT", str(certificate))
    monkeypatch.delenv("PGSSLMODE")
    with open_store(url(NAME)) as store:
        assert "encrypted" in store.inspect().found
        assert "not encrypted" not in store.inspect().found
    with pytest.raises(TryAgainError, match=r'does not match host name "other\.test"'):
        open_store(url("other.test"))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("account", "dies"), [(2, False), (3, True)], ids=["it alone", "with its server"]
)
def test_a_connection_that_is_lost_is_opened_anew_between_changes_alone(
    postgresql: Postgres, account: int, *, dies: bool
) -> None:
    def cut() -> User:
        if dies:
            postgresql.restart()
        else:
            postgresql.psql(
                "postgres",
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'notifycli'",
            )
        return User(8, "omar@example.com")

    with open_store(through_socket(postgresql, "desk")) as store:
        before = store.users(account)
        cut()
        assert store.users(account) == before == []
        cut()
        with store.change(account, "user add", "tester") as change:
            change.put_users([User(7, "jane@example.com")])
        with (
            pytest.raises(TryAgainError, match="nothing of this change was stored"),
            store.change(account, "user add", "tester") as change,
        ):
            change.put_users([cut()])
        assert [user.id for user in store.users(account)] == [7]


def test_a_server_that_is_not_there_is_75(notifycli: Notifycli) -> None:
    result = notifycli("user", "list", "--db", "postgresql://127.0.0.1:1/desk")
    assert (result.status, result.stdout) == (75, b"")
    assert result.stderr.startswith(
        "error: the store postgresql://127.0.0.1:1/desk can't be reached: connection to server"
    )


@pytest.mark.usefixtures("database")
def test_who_may_only_read_is_77_and_reads(postgresql: Postgres, notifycli: Notifycli) -> None:
    url = through_socket(postgresql, "desk")
    notifycli.ok("user", "add", "omar@example.com", "-a", "4", "--db", url)
    reading = {"PGOPTIONS": "-c default_transaction_read_only=on", "NOTIFYCLI_DB": url}
    assert len(notifycli.ok("user", "list", "-a", "4", environment=reading).records) == 1
    result = notifycli("user", "add", "new@example.com", "-a", "4", environment=reading)
    assert (result.status, result.stdout) == (77, b"")


def test_reading_makes_no_store(postgresql: Postgres, notifycli: Notifycli) -> None:
    postgresql.psql("postgres", "CREATE DATABASE untouched")
    url = through_socket(postgresql, "untouched")
    assert notifycli.ok("user", "list", "--db", url).stdout == b""
    schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'notifycli'"
    assert postgresql.psql("untouched", schemas) == "0\n"


def test_a_store_of_a_newer_version_is_78_and_untouched(
    postgresql: Postgres, notifycli: Notifycli
) -> None:
    postgresql.psql("postgres", "CREATE DATABASE newer")
    url = through_socket(postgresql, "newer")
    notifycli.ok("user", "add", "zoe@example.com", "--db", url)
    postgresql.psql("newer", "UPDATE notifycli.store_version SET version = 999")
    result = notifycli("user", "list", "--db", url)
    assert (result.status, result.stdout) == (78, b"")
    assert "version 999" in result.stderr
    assert "upgrade" in result.stderr


def test_a_store_of_version_6_gets_an_index_and_loses_nothing(
    postgresql: Postgres, notifycli: Notifycli
) -> None:
    postgresql.psql("postgres", "CREATE DATABASE earlier")
    url = through_socket(postgresql, "earlier")
    notifycli.ok("user", "add", "zoe@example.com", "--id", "7", "--db", url)
    notifycli.ok("prefs", "set", "audio=all", "-u", "7", "--db", url)
    told = notifycli.ok("prefs", "history", "--db", url).stdout
    postgresql.psql("earlier", "DROP TABLE notifycli.tone")
    postgresql.psql("earlier", "DROP INDEX notifycli.preference_change_user")
    postgresql.psql("earlier", "UPDATE notifycli.store_version SET version = 6")
    assert notifycli.ok("prefs", "history", "--db", url).stdout == told
    found = "SELECT tablename FROM pg_indexes WHERE indexname = 'preference_change_user'"
    assert postgresql.psql("earlier", found) == "preference_change\n"


@pytest.mark.usefixtures("database")
def test_who_holds_it_too_long_makes_it_75(postgresql: Postgres, notifycli: Notifycli) -> None:
    url = through_socket(postgresql, "desk")
    with open_store(url) as store, store.change(3, "user add", "tester"):
        result = notifycli("user", "add", "new@example.com", "-a", "3", "--db", url)
        assert (result.status, "in use by another process" in result.stderr) == (75, True)


TEARS = {
    "DROP TABLE notifycli.preset": "tables are missing: preset",
    "INSERT INTO notifycli.change VALUES (9, '', '', 1, '')": (
        "the numbers of change are given anew: 9 is taken, and 0 was the last that was given"
    ),
    "INSERT INTO notifycli.received (account_id, body, received_at) VALUES (1, '{}', '2026-01-01');"
    "INSERT INTO notifycli.account_lease (account_id, transaction) VALUES (1, '1')": (
        "1 received events of account 1 have waited for 5 minutes: nobody delivers them"
    ),
}


@pytest.mark.parametrize("tear", TEARS)
def test_the_doctor_finds_what_is_torn(
    postgresql: Postgres, notifycli: Notifycli, tear: str
) -> None:
    name = f"torn_{[*TEARS].index(tear)}"
    postgresql.psql("postgres", f"CREATE DATABASE {name}")
    url = through_socket(postgresql, name)
    open_store(url).__exit__()
    for sql in ("SELECT", tear):
        postgresql.psql(name, sql)
        (found,) = [f for f in notifycli("doctor", "--db", url).records if f["check"] == "store"]
    assert (found["status"], found["meaning"]) == ("fail", TEARS[tear])
    assert found["fix"]
