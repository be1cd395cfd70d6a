"""`--rules`: whose rules hold, in every command that replays."""

from __future__ import annotations

import json

import pytest

from tests.conftest import DESK, Json, Notifycli, lines

CONVERSATION: Json = {"id": 42, "inbox_id": 3, "meta": {"assignee": {"id": 7, "type": "user"}}}
NOTE: Json = {
    "event": "message_created",
    "id": 100,
    "conversation": CONVERSATION,
    "message_type": "outgoing",
    "private": True,
    "content": "do call them",
    "sender": {"id": 8, "type": "user"},
    "created_at": 1_772_543_220,
}
REPLY: Json = {**NOTE, "id": 101, "private": False}
MESSAGE = "assigned_conversation_new_message"


@pytest.fixture
def noted(desk: Notifycli) -> Notifycli:
    """A desk where 7 wants messages by e-mail, and a note and a reply in the file e.jsonl."""
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    desk.write_events("e.jsonl", [NOTE, REPLY])
    return desk


@pytest.mark.parametrize(
    ("rules", "fired"),
    [
        ("notifycli", [101]),
        ("chatwoot@4.16", [101]),
        ("chatwoot@4.11.1", [100, 101]),
        ("chatwoot@2.13", []),
    ],
)
def test_simulate_shows_what_fires_by_them(noted: Notifycli, rules: str, fired: list[int]) -> None:
    found = noted.ok("simulate", "e.jsonl", "--rules", rules).records
    assert [one["message_id"] for one in found] == fired
    summed = noted.ok("simulate", "e.jsonl", "--rules", rules, "--summary").records
    assert sum(one["fired"] for one in summed) == len(fired)


def test_diff_shows_what_they_change_beside_ours(noted: Notifycli) -> None:
    options = ("--rules", "chatwoot@4.11.1", "--diff")
    result = noted("simulate", "e.jsonl", *options, "--exit-code")
    changes = [(one["change"], one["message_id"], one["type"]) for one in result.records]
    assert (result.status, changes) == (1, [("added", 100, MESSAGE)])

    noted.ok("config", "set", "rules=chatwoot@4.11.1")
    assert noted.ok("simulate", "e.jsonl", *options).records == []
    removed = noted.ok("simulate", "e.jsonl", "--rules", "notifycli", "--diff").records
    assert [(one["change"], one["message_id"]) for one in removed] == [("removed", 100)]


def test_the_report_names_both_sides_and_draws_what_differs(noted: Notifycli) -> None:
    noted.ok("config", "set", "rules=chatwoot@4.11.1")
    options = ("--rules", "chatwoot@4.16", "--diff", "--report", "r.html")
    noted.ok("simulate", "e.jsonl", *options)
    page = (noted.folder / "r.html").read_text(encoding="utf-8")
    assert '["Rules","chatwoot@4.11.1, then chatwoot@4.16"]' in page
    assert '"compared":true' in page
    assert '"places":[[1,42,2,1]]' in page
    noted.ok("simulate", "e.jsonl", "--rules", "notifycli", "--report", "ours.html")
    assert '"Rules"' not in (noted.folder / "ours.html").read_text(encoding="utf-8")


def test_the_setting_holds_where_nothing_else_is_said(noted: Notifycli) -> None:
    noted.ok("config", "set", "rules=Chatwoot@4.11.1")
    found = noted.ok("simulate", "e.jsonl").records
    assert [one["message_id"] for one in found] == [100, 101]
    refused = noted("config", "set", "rules=chatwoot@9")
    assert (refused.status, refused.stderr) == (
        2,
        (
            "error: rules: 'chatwoot@9': '9' is no version of Chatwoot, like 4.16.2: "
            "known are 2.13 to 4.16\n"
        ),
    )


def test_a_wrong_name_is_refused_where_nobody_is_known_too(notifycli: Notifycli) -> None:
    notifycli.write("e.jsonl", b"")
    told = {
        name: notifycli("simulate", "e.jsonl", "--rules", name).stderr.split("\n")[0]
        for name in ("chatwoot@9", "chatwoot", "notifycli")
    }
    assert told == {
        "chatwoot@9": "error: '9' is no version of Chatwoot, like 4.16.2: known are 2.13 to 4.16",
        "chatwoot": "error: account 1 isn't connected to a Chatwoot, so its version isn't known",
        "notifycli": "nothing fired: there were no events",
    }


def test_why_and_deliver_and_test_follow_them(noted: Notifycli) -> None:
    rules = ("--rules", "chatwoot@4.11.1")
    why = noted.ok("why", "-u", "7", "e.jsonl", *rules).records
    fired = [(one["message_id"], one["channel"]) for one in why if one["outcome"] == "fire"]
    assert fired == [(100, "email"), (101, "email")]
    noted.ok("config", "set", "smtp.host=127.0.0.1", "smtp.security=plain")
    noted.ok("config", "set", "email.sender=desk@example.com")
    dry = noted.ok("deliver", "e.jsonl", "--dry-run", "--max-age", "9999d", *rules).records
    assert [one["message_id"] for one in dry] == [100, 101]
    scenario = b"""
[directory]
users = [{ id = 7, email = "jane@example.com" }]
inboxes = [{ id = 3, members = [7] }]
[[scenario]]
name = "A note is a message"
preferences.default = { "push.message" = "on" }
expect = ["push.message jane@example.com"]
[[scenario.events]]
at = "09:00"
event = "message_created"
conversation = { id = 42, inbox_id = 3, meta = { assignee = { id = 7, type = "user" } } }
message_type = "outgoing"
private = true
content = "hm"
"""
    assert noted("test", "-", stdin=scenario).status == 1
    assert noted("test", "-", *rules, stdin=scenario).status == 0


def test_what_has_no_effect_there_is_said_once_for_each(noted: Notifycli) -> None:
    noted.ok("prefs", "set", "quiet_hours=22:00-07:00", "push.unassigned=on", "-u", "7")
    noted.ok("prefs", "set", "inactive_after=5m", "-u", "8")
    noted.ok("prefs", "set", "audio=all", "-u", "7", "--inbox", "3")
    noted.ok("prefs", "mute", "42", "-u", "7")
    noted.ok("prefs", "set", "audio=all", "-u", "8")
    told = noted.ok("simulate", "--rules", "chatwoot@4.16", stdin=lines([])).stderr
    assert told.splitlines()[:6] == [
        "values for a conversation have no effect in chatwoot@4.16",
        "inactive_after of single users has no effect in chatwoot@4.16",
        "values for an inbox have no effect in chatwoot@4.16",
        "push.unassigned has no effect in chatwoot@4.16",
        "quiet_hours has no effect in chatwoot@4.16",
        "audio.tone=ding of 1 user is never played by chatwoot@4.16",
    ]
    assert "no effect" not in noted.ok("simulate", stdin=lines([])).stderr


def test_who_sees_an_inbox_without_members_on_record_is_said_as_it_is(noted: Notifycli) -> None:
    noted.write_events("x.jsonl", [{**REPLY, "conversation": {**CONVERSATION, "inbox_id": 4}}])
    ours = noted.ok("simulate", "x.jsonl").stderr
    theirs = noted.ok("simulate", "x.jsonl", "--rules", "chatwoot@4.16").stderr
    unknown = "1 message in inboxes whose members are not on record: "
    assert f"{unknown}every user is taken to see them; add members: " in ours
    assert f"{unknown}only administrators are taken to see them, as in Chatwoot; " in theirs
    assert "every user" not in theirs


def test_an_account_can_have_rules_of_its_own(noted: Notifycli) -> None:
    noted.ok("directory", "import", "-", stdin=json.dumps({**DESK, "account": {"id": 2}}).encode())
    noted.ok("prefs", "set", "email.message=on", "-u", "7", "-a", "2")
    noted.write_events("two.jsonl", [{**NOTE, "account": {"id": id_}} for id_ in (1, 2)])

    def accounts() -> list[int]:
        return [one["account_id"] for one in noted.ok("simulate", "two.jsonl").records]

    for rules, of in (
        ("chatwoot@4.11.1", [1, 2]),
        ("notifycli, 2:Chatwoot@4.11.1", [2]),
        ("1:chatwoot@4.11.1,chatwoot@4.16", [1]),
        ("1:chatwoot@4.11.1", [1]),
    ):
        noted.ok("config", "set", f"rules={rules}")
        assert accounts() == of
    assert noted.ok("config", "get", "rules").stdout == b"1:chatwoot@4.11.1\n"
    for wrong, told in (
        ("x:notifycli", "'x' is no account's number"),
        ("notifycli, chatwoot", "'chatwoot' is a second one for the same accounts"),
        ("2:notfycli", "did you mean notifycli?"),
    ):
        refused = noted("config", "set", f"rules={wrong}")
        assert (refused.status, told in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (
            "chatwoot",
            (
                "error: account 1 isn't connected to a Chatwoot, so its version isn't known\n"
                "  name the version: --rules chatwoot@4.16; "
                "or connect: notifycli chatwoot login https://chat.example.com\n"
            ),
        ),
        (
            "chatwot@4",
            (
                "error: 'chatwot@4' is no profile: notifycli or chatwoot@4.16; "
                "did you mean chatwoot?\n  name one, as in --rules chatwoot@4.16\n"
            ),
        ),
    ],
)
def test_what_names_no_rules_is_wrong_usage(noted: Notifycli, rules: str, told: str) -> None:
    for command in (("simulate",), ("why", "-u", "7"), ("deliver", "--dry-run")):
        result = noted(*command, "e.jsonl", "--rules", rules)
        assert (result.status, result.stdout, result.stderr) == (2, b"", told)
