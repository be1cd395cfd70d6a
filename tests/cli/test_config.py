"""`notifycli config`: settings of the channels, and where each value comes from."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, strategies
from sqlite_utils import Database

from notifycli.secrets.keychain import get_secret
from notifycli.store.settings import SETTINGS
from notifycli.store.sqlite.connection import APPLICATION_ID
from notifycli.store.sqlite.schema import migrations
from notifycli.store.store import open_store
from tests.conftest import Json, Notifycli, Result, Vault

SECRET = "CanaryOfThePassword"  # noqa: S105 - that's what it is


@pytest.fixture(autouse=True)
def _keyring_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse")
    passphrase.chmod(0o600)
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(passphrase))


def listed(notifycli: Notifycli, key: str) -> Json:
    return next(item for item in notifycli.ok("config", "list").records if item["key"] == key)


KEPT = [
    pytest.param("smtp.host=mail.example.com", "mail.example.com", id="a host"),
    pytest.param("SMTP.Port= 0587 ", "587", id="a number, however it is written"),
    pytest.param("smtp.security=TLS", "tls", id="a word of a few, in small letters"),
    pytest.param(
        "email.sender=Support <desk@example.com>",
        "Support <desk@example.com>",
        id="a sender with a name",
    ),
    pytest.param("desk.url=https://desk.example.com/", "https://desk.example.com", id="an address"),
    pytest.param("push.subject=mailto:a@example.com", "mailto:a@example.com", id="a mail address"),
]


@pytest.mark.parametrize(("assignment", "value"), KEPT)
def test_set_keeps_a_value_and_get_prints_it(
    notifycli: Notifycli, assignment: str, value: str
) -> None:
    key = assignment.partition("=")[0].lower()
    notifycli.ok("config", "set", assignment)
    assert notifycli.ok("config", "get", key).stdout.decode() == f"{value}\n"
    assert (
        notifycli.ok("config", "get", key, "--show-origin").stdout.decode() == f"{value}\tstore\n"
    )


REFUSED = [
    pytest.param("smtp.hots=x", "did you mean smtp.host?", id="a key that is nearly one"),
    pytest.param("smtp.host=smtp://mail", "it is a name such as", id="an address for a host"),
    pytest.param("smtp.host=mail:587", "its port is smtp.port", id="a host with its port"),
    pytest.param("smtp.host=", "smtp.host: '': it is a word", id="nothing"),
    pytest.param("smtp.host", "write smtp.host=VALUE", id="a key alone"),
    pytest.param("smtp.port=70000", "a number from 1 to 65535", id="no port"),
    pytest.param("smtp.security=ssl", "one of starttls, tls, plain", id="no security"),
    pytest.param("email.sender=nobody", "Support <desk@example.com>", id="no address"),
    pytest.param("email.sender=a@b\r\nBcc: c@d", "one line", id="a header that is smuggled in"),
    pytest.param("email.sender=a..b@example.com", "Support <desk", id="two dots"),
    pytest.param("email.sender=a@b..c", "Support <desk", id="two dots in the domain"),
    pytest.param("email.sender=.a@example.com", "Support <desk", id="a dot at the beginning"),
    pytest.param("email.sender=<>", "Support <desk", id="an empty address"),
    pytest.param("desk.url=https://x\r\nBcc: a@b", "https://desk.e", id="a header in an address"),
    pytest.param("desk.url=https://x/a b", "https://desk.e", id="a space in an address"),
    pytest.param("desk.url=https://x:99999", "Port out of range", id="a port that is none"),
    pytest.param("desk.url=https://[::1", "Invalid IPv6", id="an address cut short"),
    pytest.param("desk.url=ftp://x", "https://desk.example.com", id="no web address"),
    pytest.param("desk.url=https://u:p@x", "user name", id="a password in an address"),
    pytest.param("push.subject=http://x", "mailto:", id="no subject"),
    pytest.param(f"smtp.password={SECRET}", "others could read it", id="a secret in the open"),
]


@pytest.mark.parametrize(("assignment", "told"), REFUSED)
def test_set_refuses_all_if_one_is_wrong(notifycli: Notifycli, assignment: str, told: str) -> None:
    result = notifycli("config", "set", "deliver.concurrency=3", assignment)
    assert (result.status, result.stdout) == (2, b"")
    assert told in result.stderr
    assert SECRET not in result.stderr
    assert notifycli.ok("config", "get", "deliver.concurrency").stdout == b"20\n"


def test_the_environment_wins_and_says_so(notifycli: Notifycli) -> None:
    environment = {"NOTIFYCLI_SMTP_HOST": "other.example.com"}
    warned = notifycli.ok("config", "set", "smtp.host=mail.example.com", environment=environment)
    assert warned.stderr == (
        "set: smtp.host\nwarning: NOTIFYCLI_SMTP_HOST is set, and wins over what is stored\n"
    )
    got = notifycli.ok("config", "get", "smtp.host", "--show-origin", environment=environment)
    assert got.stdout == b"other.example.com\tenvironment\n"


def test_a_bad_value_in_the_environment_is_bad_configuration(notifycli: Notifycli) -> None:
    result = notifycli("config", "get", "smtp.port", environment={"NOTIFYCLI_SMTP_PORT": "smtp"})
    assert (result.status, result.stdout) == (78, b"")
    assert result.stderr == (
        "error: NOTIFYCLI_SMTP_PORT is 'smtp': it is a number from 1 to 65535\n"
        "  set it anew, or: unset NOTIFYCLI_SMTP_PORT\n"
    )


def test_list_tells_of_every_bad_value_in_the_environment_beside_all_settings(
    notifycli: Notifycli,
) -> None:
    environment = {"NOTIFYCLI_SMTP_PORT": "smtp", "NOTIFYCLI_DESK_URL": "x"}
    result = notifycli("config", "list", environment=environment)
    assert (result.status, [item["key"] for item in result.records]) == (78, [*SETTINGS])
    bad = [item for item in result.records if item["origin"] == "environment"]
    assert [(item["key"], item["value"]) for item in bad] == [
        ("desk.url", None),
        ("smtp.port", None),
    ]
    assert result.stderr == (
        "error: NOTIFYCLI_DESK_URL is 'x': it is an address such as https://desk.example.com; "
        "NOTIFYCLI_SMTP_PORT is 'smtp': it is a number from 1 to 65535\n"
        "  set it anew, or: unset NOTIFYCLI_DESK_URL\n"
        "  set it anew, or: unset NOTIFYCLI_SMTP_PORT\n"
    )


def test_a_secret_is_kept_in_the_keyring_and_never_shown(notifycli: Notifycli) -> None:
    notifycli.ok("config", "set", "smtp.password", stdin=f"{SECRET}\n".encode())
    shown = {
        "key": "smtp.password",
        "value": "(hidden)",
        "origin": "keyring",
        "variable": "NOTIFYCLI_SMTP_PASSWORD",
        "summary": "kept in the keyring",
    }
    assert listed(notifycli, "smtp.password") == shown
    with sqlite3.connect(notifycli.store) as store:
        assert SECRET not in "".join(store.iterdump())
    store.close()
    notifycli.ok("config", "unset", "smtp.password")
    assert listed(notifycli, "smtp.password") == {**shown, "value": None, "origin": "default"}


def test_set_and_unset_confirm_what_they_did_without_a_value(notifycli: Notifycli) -> None:
    given = ("smtp.host=mail.example.com", "smtp.password", "smtp.port=25")
    told = notifycli.ok("config", "set", *given, stdin=SECRET.encode())
    assert (told.stdout, told.stderr) == (b"", "set: smtp.host, smtp.port, smtp.password\n")
    told = notifycli.ok("config", "unset", "smtp.password", "smtp.host")
    assert (told.stdout, told.stderr) == (b"", "unset: smtp.password, smtp.host\n")
    assert notifycli.ok("config", "set", "smtp.host=a", "-q").stderr == ""


@pytest.mark.parametrize("key", ["smtp.password", "listen.secret"])
def test_that_there_is_no_keyring_is_told_before_a_secret_is_asked_for(
    notifycli: Notifycli, key: str
) -> None:
    nowhere = {
        "NOTIFYCLI_KEYRING": "system",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    result = notifycli("config", "set", key, environment=nowhere)
    assert (result.status, result.stdout) == (69, b"")
    assert result.stderr.startswith("error: the keyring is switched off")


def test_unset_brings_back_what_is_built_in(notifycli: Notifycli) -> None:
    notifycli.ok("config", "set", "smtp.security=tls", "smtp.host=mail.example.com")
    notifycli.ok("config", "unset", "smtp.security", "smtp.host")
    assert notifycli.ok("config", "get", "smtp.security", "--show-origin").stdout == (
        b"starttls\tdefault\n"
    )
    missing = notifycli("config", "get", "smtp.host")
    assert missing == Result(1, b"", "smtp.host is not set\n")
    assert notifycli("config", "get", "smtp.host", "-q") == Result(1, b"", "")


def test_list_has_every_setting(notifycli: Notifycli) -> None:
    assert [item["key"] for item in notifycli.ok("config", "list").records] == [*SETTINGS]


@given(
    key=strategies.sampled_from([*SETTINGS, "no.such"]),
    value=strategies.text()
    | strategies.text("a.@<>:/[]\r\n\t \"'=%\udcff\u2028", max_size=12)
    | strategies.from_regex(r"(https?|mailto):[ -~]{0,12}"),
)
def test_whatever_is_set_is_kept_or_refused_in_words(
    notifycli: Notifycli, key: str, value: str
) -> None:
    result = notifycli("config", "set", f"{key}={value}")
    assert result.status in {0, 2}, result.stderr
    if result.status == 0:
        shown = notifycli.ok("config", "get", key).stdout.decode()
        assert shown.count("\n") == 1
        again = notifycli.ok("config", "set", f"{key}={shown.strip()}")
        assert again.stderr == f"set: {key}\n"


class TestSecretsOfStores:
    """A store for a trial and the one in production share a keyring, and nothing in it."""

    def test_a_secret_of_one_store_is_not_another_s(
        self, notifycli: Notifycli, vault: Vault
    ) -> None:
        notifycli.ok("config", "set", "smtp.password", "--db", "live.db", stdin=b"first")
        got = notifycli("config", "get", "smtp.password", "--db", "trial.db")
        assert (got.status, got.stdout) == (1, b"")
        notifycli.ok("config", "set", "smtp.password", "--db", "trial.db", stdin=b"second")
        assert sorted(vault.secrets().values()) == ["first", "second"]
        notifycli.ok("config", "set", "smtp.password", "--db", "trial.db", stdin=b"third")
        assert sorted(vault.secrets().values()) == ["first", "third"]
        notifycli.ok("config", "unset", "smtp.password", "--db", "trial.db")
        assert [*vault.secrets().values()] == ["first"]
        assert secret_of("live.db") == "first"

    def test_an_older_store_keeps_what_it_shared_and_a_new_one_doesn_t_find_it(
        self, notifycli: Notifycli, vault: Vault
    ) -> None:
        vault.write({"config/smtp.password": "live", "config/listen.secret": "signed"})
        for name in ("live.db", "trial.db"):
            write_store_of_version(8, Path(name))
        notifycli.ok("config", "set", "smtp.password", "--db", "new.db", stdin=b"new")
        assert [secret_of(name) for name in ("live.db", "trial.db")] == ["live", "live"]
        notifycli.ok("config", "set", "smtp.password", "--db", "trial.db", stdin=b"trial")
        assert [secret_of(f"{n}.db") for n in ("live", "trial", "new")] == ["live", "trial", "new"]
        told = notifycli.ok("config", "unset", "listen.secret", "--db", "trial.db")
        assert told.stderr == (
            "warning: this store doesn't use listen.secret any more, but the keyring still holds "
            "it: it was kept before each store had its own, and other stores may use it\n"
            "unset: listen.secret\n"
        )
        assert secret_of("trial.db", "listen.secret") is None
        assert secret_of("live.db", "listen.secret") == "signed"


def secret_of(name: str, key: str = "smtp.password") -> str | None:
    with open_store(Path(name)) as store:
        secret = get_secret(store, key)
    return None if secret is None else secret.reveal()


def write_store_of_version(version: int, path: Path) -> None:
    """Write an empty store as that version of it made one."""
    connection = sqlite3.connect(path)
    database = Database(connection)
    names = [migration.name for migration in migrations.pending(database)]
    migrations.apply(database, stop_before=names[version])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()
