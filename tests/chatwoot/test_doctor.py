"""What the doctor says of the connection."""

from __future__ import annotations

import pytest

from tests.chatwoot.recorded import JANE, Chatwoot, serving
from tests.conftest import Notifycli


def found(notifycli: Notifycli) -> tuple[str, str, str, str]:
    records = notifycli("doctor").records
    (record,) = [record for record in records if record["check"] == "chatwoot"]
    return record["status"], record["found"], record["meaning"], record["fix"]


def test_without_a_connection_there_is_nothing_to_check(notifycli: Notifycli) -> None:
    fix = "notifycli chatwoot login https://chat.example.com"
    assert found(notifycli) == ("note", "not connected", "the directory is kept by hand", fix)
    begin = next(record["fix"] for record in notifycli("doctor").records if record["fix"])
    assert begin == fix


def test_every_token_is_tried(everybody: Notifycli, chatwoot: Chatwoot) -> None:
    where = f"account 1 at {chatwoot.url}"
    assert found(everybody) == ("ok", f"{where}, never pulled", "3 tokens work", "")
    everybody.ok("chatwoot", "pull")
    assert found(everybody) == ("ok", f"{where}, pulled just now", "3 tokens work", "")


def test_a_token_that_is_refused_is_told_with_the_way_out(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    del chatwoot.people[JANE]
    status, _, meaning, fix = found(everybody)
    assert (status, meaning) == (
        "fail",
        f"{chatwoot.url} refuses the token: Invalid Access Token",
    )
    assert fix == "copy it from your profile there, then: notifycli chatwoot login"


def test_a_server_that_is_gone_is_told(notifycli: Notifycli) -> None:
    gone = Chatwoot()
    with serving(gone):
        notifycli.ok("chatwoot", "login", gone.url, stdin=JANE.encode())
    status, _, meaning, _ = found(notifycli)
    assert (status, meaning) == ("fail", f"{gone.url} can't be reached")


def test_a_connection_without_a_token_is_told(member: Notifycli) -> None:
    member.ok("token", "revoke", "-u", "9", "--name", "chatwoot")
    status, _, meaning, fix = found(member)
    assert (status, meaning) == ("fail", "no token is held for it")
    assert fix == "notifycli chatwoot login -a 1"


def test_a_keyring_that_cannot_be_used_is_told(
    member: Notifycli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", "/nonexistent")
    status, _, meaning, _ = found(member)
    assert (status, meaning) == ("fail", "the keyring that holds the tokens doesn't work")


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("3.15.0", ""),
        ("3.16.0-fork", "; audio=assigned of 1 user is ignored by chatwoot@3.16.0"),
        ("4.0.1", "; audio=assigned of 1 user is ignored by chatwoot@4.0.1"),
        ("4.16.2", "; audio.tone=ding of 1 user is never played by chatwoot@4.16.2"),
        ("5.0.0", "; audio.tone=ding of 1 user is never played by chatwoot@4.16"),
    ],
)
def test_sounds_that_the_server_makes_nothing_of_are_told(
    pulled: Notifycli, chatwoot: Chatwoot, version: str, told: str
) -> None:
    pulled.ok("prefs", "set", "audio=none", "--default")
    pulled.ok("prefs", "set", "audio=assigned", "-u", "7")
    chatwoot.version = version

    status, _, meaning, fix = found(pulled)

    assert (status, meaning) == ("note" if told else "ok", f"3 tokens work{told}")
    assert fix.endswith("-u EMAIL, then notifycli chatwoot push" if told else "")


def test_setting_and_listing_them_tells_it_too(pulled: Notifycli) -> None:
    told = (
        "audio.tone=ding of 1 user is never played by chatwoot@4.16; "
        "notifycli prefs set audio.tone=bell -u EMAIL, then notifycli chatwoot push\n"
    )
    assert told in pulled.ok("prefs", "set", "audio=all", "-u", "7").stderr
    assert pulled.ok("prefs", "list", "audio*", "-u", "7").stderr == told
    assert pulled.ok("prefs", "list", "email.*", "-u", "7").stderr == ""
    assert "never" not in pulled.ok("prefs", "set", "audio.tone=bell", "-u", "7").stderr
    pulled.ok("config", "set", "rules=chatwoot@3.16.0")
    ignored = pulled.ok("prefs", "set", "audio=assigned", "--default").stderr
    assert "audio=assigned of 2 users is ignored by chatwoot@3.16.0; " in ignored


def test_without_a_connection_nothing_is_told(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "jane@example.com")
    assert "played" not in notifycli.ok("prefs", "set", "audio=all").stderr
