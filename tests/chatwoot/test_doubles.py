"""`deliver` for a desk whose Chatwoot sends too: everybody would get everything twice."""

from __future__ import annotations

import pytest

from tests.conftest import Notifycli
from tests.outbox.desk import Post, asked

from .recorded import Chatwoot


@pytest.fixture(autouse=True)
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    channels = Post()
    channels.install(monkeypatch)
    return channels


def test_deliver_warns_of_what_chatwoot_sends_too(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    events = pulled.write_events("e.jsonl", [asked(100)])
    warning = (
        f"warning: Chatwoot at {chatwoot.url} sends e-mail too, to 3 users whom this sends e-mail: "
        "they may get the same notification twice\n"
        "  only one of both should send: switch these types off in Chatwoot's profile settings, "
        "or don't deliver by email here\n"
    )
    assert warning in pulled.ok("deliver", events).stderr
    assert warning in pulled.ok("deliver", events, "--dry-run").stderr
    one = pulled.ok("deliver", events, "-u", "7", "--channel", "email").stderr
    assert "to 1 user whom" in one
    assert "Chatwoot at" not in pulled.ok("deliver", events, "--channel", "push").stderr


def test_what_only_one_of_both_sends_is_no_double(pulled: Notifycli) -> None:
    pulled.ok("prefs", "set", "email.assigned=off", "email.mention=on", "--all-users")
    events = pulled.write_events("e.jsonl", [asked(100)])
    assert "Chatwoot at" not in pulled.ok("deliver", events).stderr


def test_a_desk_without_chatwoot_is_not_warned(desk: Notifycli) -> None:
    events = desk.write_events("e.jsonl", [asked(100)])
    assert desk.ok("deliver", events).stderr == "nothing to send\n"
