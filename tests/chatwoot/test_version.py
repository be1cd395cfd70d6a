"""`--rules chatwoot`: the connected server is asked for its version."""

from __future__ import annotations

import pytest

from tests.chatwoot.recorded import Asked, Chatwoot, Reply
from tests.conftest import Json, Notifycli, lines

NOTE: Json = {
    "event": "message_created",
    "id": 100,
    "conversation": {"id": 42, "inbox_id": 3, "meta": {"assignee": {"id": 7, "type": "user"}}},
    "message_type": "outgoing",
    "private": True,
    "content": "do call them",
    "sender": {"id": 8, "type": "user"},
}


def told(program: Notifycli, *options: str) -> list[tuple[int, str, str]]:
    program.ok("prefs", "set", "email.message=on", "-u", "7")
    found = program.ok("simulate", *options, stdin=lines([NOTE])).records
    return [(one["user_id"], one["type"], one["channel"]) for one in found]


MESSAGE = (7, "assigned_conversation_new_message", "email")


@pytest.mark.parametrize(
    ("version", "expected"),
    [("4.11.1", [MESSAGE]), ("4.11.2", []), ("4.16.2-ce", [])],
)
def test_a_private_note_is_told_of_by_servers_up_to_4_11_1(
    pulled: Notifycli, chatwoot: Chatwoot, version: str, expected: object
) -> None:
    chatwoot.version = version
    chatwoot.asked.clear()
    assert told(pulled, "--rules", "chatwoot") == expected
    assert [(one.method, one.path) for one in chatwoot.asked] == [("GET", "/api")]
    assert "api_access_token" not in {name.lower() for name in chatwoot.asked[0].headers}


def test_the_setting_rules_asks_it_too(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    chatwoot.version = "4.11.1"
    pulled.ok("config", "set", "rules=chatwoot")
    assert told(pulled) == [MESSAGE]
    assert told(pulled, "--rules", "notifycli") == []


def test_a_server_that_does_not_tell_is_named_with_the_way_out(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    def refuse(asked: Asked, _person: object) -> None:
        if asked.path == "/api":
            raise Reply(404, {"error": "Resource could not be found"})

    chatwoot.before = refuse
    result = pulled("simulate", "--rules", "chatwoot", stdin=b"")
    assert result.status == 69
    assert result.stderr == (
        f"error: {chatwoot.url} doesn't tell its version\n"
        "  name it yourself, as in --rules chatwoot@4.16\n"
    )


def test_rules_that_are_not_known_are_refused(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    chatwoot.version = "5.1.0"
    result = pulled("simulate", "--rules", "chatwoot", stdin=b"")
    assert (result.status, result.stderr) == (
        2,
        (
            "error: the rules of Chatwoot 5.1.0 aren't known: known are 2.13 to 4.16\n"
            "  name one, as in --rules chatwoot@4.16\n"
        ),
    )
