"""What the doctor says of receiving webhooks."""

from __future__ import annotations

import os

import pytest

from tests.conftest import Notifycli


def found(notifycli: Notifycli) -> tuple[str, str, str, str]:
    records = notifycli("doctor").records
    (record,) = [record for record in records if record["check"] == "listen"]
    return record["status"], record["found"], record["meaning"], record["fix"]


def test_without_a_secret_it_says_how_to_set_one(notifycli: Notifycli) -> None:
    fix = "notifycli config set listen.secret"
    assert found(notifycli) == ("note", "no events", "no secret to check webhooks with", fix)


def test_with_a_secret_it_says_when_the_last_event_came(notifycli: Notifycli) -> None:
    notifycli.ok("config", "set", "listen.secret", stdin=b"canary-of-the-secret")
    assert found(notifycli) == ("note", "no events", "a secret is set", "notifycli listen")
    path = notifycli.store.parent / "events.jsonl"
    path.touch()
    well = "signatures can be checked, events can be kept"
    assert found(notifycli) == ("ok", f"{path}, empty", well, "")
    path.write_bytes(b'{"event":"message_created"}\n')
    assert found(notifycli) == ("ok", f"{path}, last event just now", well, "")
    os.utime(path, (1, 1))
    assert "ago" in found(notifycli)[1]


def test_a_file_that_cannot_be_written_is_a_failure(
    notifycli: Notifycli, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notifycli.store.parent / "events.jsonl"
    monkeypatch.setattr("notifycli.cli.doctor.os.access", lambda *_: False)
    fix = "notifycli listen --path FILE"
    assert found(notifycli) == ("fail", "no events", f"{path} can't be written", fix)
