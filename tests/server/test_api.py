"""What the API answers: shapes, rights, locks, and what is wrong."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from notifycli.server.routes import document
from notifycli.store.sqlite import connection as database

from .conftest import JANE, OMAR, ROOT, Serving

TYPES = [
    "conversation_creation",
    "conversation_assignment",
    "conversation_mention",
    "assigned_conversation_new_message",
    "participating_conversation_new_message",
    "unassigned_conversation_new_message",
    "sla_missed_first_response",
    "sla_missed_next_response",
    "sla_missed_resolution",
]
SETTINGS = "accounts/1/notification_settings"
SOUND = {
    "enable_audio_alerts": "none",
    "always_play_audio_alert": False,
    "alert_if_unread_assigned_conversation_exist": False,
    "notification_tone": "ding",
}


def flags(channel: str, *types: str) -> list[str]:
    return [f"{channel}_{type_}" for type_ in types]


def update(email: list[str] | None = None, push: list[str] | None = None) -> dict[str, Any]:
    lists = {"selected_email_flags": email, "selected_push_flags": push}
    return {"json": {"notification_settings": {k: v for k, v in lists.items() if v is not None}}}


def agent(id_: int, name: str, role: str = "agent") -> dict[str, Any]:
    return {
        "id": id_,
        "account_id": 1,
        "name": name,
        "available_name": name,
        "email": f"{name.lower()}@example.com",
        "role": role,
        "availability_status": "offline",
        "auto_offline": True,
        "confirmed": True,
        "provider": "email",
        "thumbnail": "",
    }


PEOPLE = [agent(7, "Jane"), agent(8, "Omar"), agent(9, "Root", "administrator")]
WEBSITE = {"id": 3, "name": "Website", "channel_id": 3, "channel_type": "Channel::Api"}
SUPPORT = {"id": 2, "name": "Support", "account_id": 1, "description": None}
DIRECTORY = [
    (JANE, "agents", PEOPLE),
    (JANE, "inboxes", {"payload": [{**WEBSITE, "avatar_url": ""}]}),
    (JANE, "inboxes/3", {**WEBSITE, "avatar_url": ""}),
    (JANE, "inbox_members/3", {"payload": PEOPLE[:2]}),
    (JANE, "teams", [{**SUPPORT, "is_member": True, "allow_auto_assign": False}]),
    (OMAR, "teams", [{**SUPPORT, "is_member": False, "allow_auto_assign": False}]),
    (JANE, "teams/2", {**SUPPORT, "is_member": True, "allow_auto_assign": False}),
    (OMAR, "teams/2/team_members", PEOPLE[:1]),
]


@pytest.mark.parametrize(("user", "what", "answered"), DIRECTORY)
def test_the_directory_is_in_chatwoots_shapes(
    serving: Serving, user: int, what: str, answered: object
) -> None:
    assert serving.ask(user, "GET", f"accounts/1/{what}") == (200, answered)


def test_an_inbox_whose_members_are_not_on_record_has_everybody(serving: Serving) -> None:
    serving.desk.ok("inbox", "add", "5", "--name", "New")
    assert serving.ask(JANE, "GET", "accounts/1/inbox_members/5") == (200, {"payload": PEOPLE})


def test_an_agent_does_not_see_the_inboxes_of_others(serving: Serving) -> None:
    serving.desk.ok("inbox", "add", "4", "--name", "Sales", "--member", "8")
    assert serving.ask(JANE, "GET", "accounts/1/inbox_members/4")[0] == 401
    assert serving.ask(JANE, "GET", "accounts/1/inboxes/4")[0] == 401
    seen = {
        user: [item["id"] for item in serving.ask(user, "GET", "accounts/1/inboxes")[1]["payload"]]
        for user in (JANE, OMAR, ROOT)
    }
    assert seen == {JANE: [3], OMAR: [3, 4], ROOT: [3, 4]}


def test_a_profile_is_in_chatwoots_shape(serving: Serving) -> None:
    assert serving.ask(JANE, "GET", "profile") == (
        200,
        {
            "access_token": serving.tokens[JANE],
            "account_id": 1,
            "accounts": [
                {
                    "id": 1,
                    "name": "Acme",
                    "role": "agent",
                    "permissions": ["agent"],
                    "status": "active",
                    "active_at": None,
                    "availability": "offline",
                    "availability_status": "offline",
                    "auto_offline": True,
                }
            ],
            "available_name": "Jane",
            "display_name": "Jane",
            "email": "jane@example.com",
            "id": 7,
            "name": "Jane",
            "role": "agent",
            "ui_settings": SOUND,
            "uid": "jane@example.com",
            "avatar_url": "",
            "confirmed": True,
            "inviter_id": None,
            "message_signature": None,
            "provider": "email",
            "pubsub_token": None,
            "type": None,
        },
    )


def test_the_settings_are_in_chatwoots_shape(serving: Serving) -> None:
    assert serving.ask(JANE, "GET", SETTINGS) == (
        200,
        {
            "id": 7,
            "user_id": 7,
            "account_id": 1,
            "all_email_flags": flags("email", *TYPES),
            "selected_email_flags": flags("email", "conversation_assignment"),
            "all_push_flags": flags("push", *TYPES),
            "selected_push_flags": flags("push", "conversation_assignment"),
        },
    )


def test_an_update_replaces_both_lists(serving: Serving) -> None:
    email = flags("email", "conversation_creation", "conversation_mention")
    status, body = serving.ask(JANE, "PATCH", SETTINGS, **update(email=email))
    assert (status, body["selected_email_flags"], body["selected_push_flags"]) == (200, email, [])
    set_now = {
        record["key"]: (record["value"], record["origin"])
        for record in serving.desk.ok("prefs", "list", "email.*", "push.*", "-u", "7").records
        if record["origin"] != "builtin"
    }
    # What the user had already is not set again: it stays inherited.
    assert set_now == {
        "email.conversation_assignment": ("off", "user"),
        "email.conversation_creation": ("on", "user"),
        "email.conversation_mention": ("on", "user"),
        "push.conversation_assignment": ("off", "user"),
    }
    history = serving.desk.ok("prefs", "history").records
    told = {(row["id"], row["who"], row["command"]) for row in history}
    assert {row[1:] for row in told} == {("jane@example.com", "serve notification_settings")}
    assert len(told) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_is_the_same_by_either_method(serving: Serving, method: str) -> None:
    email = flags("email", "conversation_mention")
    status, answered = serving.ask(JANE, method, SETTINGS, **update(email=email))
    assert (status, answered["selected_email_flags"]) == (200, email)
    wanted = {"profile": {"ui_settings": {"rtl": True}}}
    status, answered = serving.ask(JANE, method, "profile", json=wanted)
    assert (status, answered["ui_settings"]) == (200, {**SOUND, "rtl": True})


WRONG_UPDATES: list[tuple[dict[str, Any], int, str]] = [
    (update(["email_new_one"]), 422, "there is no email flag 'email_new_one'"),
    (update(push=["email_conversation_mention"]), 422, "there is no push flag"),
    ({"json": {}}, 422, "Object missing required field `notification_s"),
    ({"json": {"notification_settings": {"selected_email_flags": "x"}}}, 422, "Expected `array"),
    ({"json": []}, 422, "Expected `object`"),
    ({"content": b"{"}, 400, "the body is no JSON"),
    ({"content": b""}, 400, "the body is no JSON"),
    ({"content": b'{"notification_settings": {"x": "\xff"}}'}, 400, "the body is no JSON"),
    ({"content": b" " * (256 * 1024 + 1)}, 413, "the body has more than 262,144 bytes"),
    ({"content": iter([b" " * 200_000] * 2)}, 413, "the body has more than 262,144 bytes"),
]


@pytest.mark.parametrize(("body", "status", "error"), WRONG_UPDATES)
def test_a_wrong_update_is_answered_and_changes_nothing(
    serving: Serving, body: dict[str, Any], status: int, error: str
) -> None:
    before = serving.settings(JANE)
    answered = serving.ask(JANE, "PATCH", SETTINGS, **body)
    assert (answered[0], answered[1]["error"][: len(error)]) == (status, error)
    assert serving.settings(JANE) == before


def test_a_locked_preference_is_403_and_nothing_is_stored(serving: Serving) -> None:
    serving.desk.ok("prefs", "set", "email.created=off", "--lock")
    before = serving.settings(JANE)
    wanted = update(flags("email", "conversation_creation", "conversation_mention"))
    assert serving.ask(JANE, "PATCH", SETTINGS, **wanted) == (
        403,
        {"error": "email.conversation_creation is locked to off for account 1"},
    )
    assert serving.settings(JANE) == before
    # What agrees with the lock is no offence.
    wanted = update(flags("email", "conversation_mention"))
    assert serving.ask(JANE, "PATCH", SETTINGS, **wanted)[0] == 200


def test_an_agent_may_change_their_own_settings_only_an_administrator_everybodys(
    serving: Serving,
) -> None:
    email = flags("email", "sla_missed_resolution")
    for path in (SETTINGS, "profile"):
        refused = serving.ask(JANE, "GET", f"{path}?user_id=8")
        assert refused == (401, {"error": "You are not authorized to do this action"})
    assert serving.ask(JANE, "PATCH", f"{SETTINGS}?user_id=8", **update(email))[0] == 401
    assert serving.ask(JANE, "PATCH", f"{SETTINGS}?user_id=7", **update(email))[0] == 200
    assert serving.ask(ROOT, "PATCH", f"{SETTINGS}?user_id=8", **update(email))[0] == 200
    assert serving.settings(OMAR)["selected_email_flags"] == email
    history = serving.desk.ok("prefs", "history", "-u", "8").records
    assert {row["who"] for row in history} == {"root@example.com"}
    in_body = {"json": {**update([])["json"], "user_id": 8}}
    assert serving.ask(JANE, "PATCH", SETTINGS, **in_body)[0] == 401
    assert serving.ask(ROOT, "PATCH", f"{SETTINGS}?user_id=7", **in_body)[1]["user_id"] == 8
    assert serving.settings(OMAR)["selected_email_flags"] == []
    # Their token is nobody else's to see.
    assert serving.ask(ROOT, "GET", "profile?user_id=8")[1]["access_token"] is None


def test_a_profile_update_replaces_all_of_ui_settings_and_keeps_what_is_not_ours(
    serving: Serving,
) -> None:
    first = {
        "is_ct_labels_open": True,
        "rtl": None,
        "widths": [1, 2.5],
        "notification_tone": "bell",
    }
    status, body = serving.ask(JANE, "PUT", "profile", json={"profile": {"ui_settings": first}})
    assert (status, body["ui_settings"]) == (200, {**SOUND, **first})
    assert serving.desk.ok("prefs", "get", "audio.tone", "-u", "7").stdout == b"bell\n"
    then = {"rtl": False, "enable_audio_alerts": "mine"}
    status, body = serving.ask(JANE, "PUT", "profile", json={"profile": {"ui_settings": then}})
    assert (status, body["ui_settings"]) == (200, {**SOUND, **then})
    assert serving.desk.ok("prefs", "get", "audio.tone", "-u", "7").stdout == b"ding\n"
    # What isn't sent isn't replaced, and what is another's is theirs.
    status, body = serving.ask(JANE, "PUT", "profile", json={"profile": {"name": "J."}})
    assert (status, body["ui_settings"], body["name"]) == (200, {**SOUND, **then}, "Jane")
    assert serving.ask(OMAR, "GET", "profile")[1]["ui_settings"] == SOUND


def test_a_locked_sound_is_403_and_leaving_it_out_is_not(serving: Serving) -> None:
    serving.desk.ok("prefs", "set", "audio=all", "-u", "7")
    serving.desk.ok("prefs", "set", "audio=none", "--lock")
    loud = {"profile": {"ui_settings": {"enable_audio_alerts": "all", "rtl": True}}}
    status, body = serving.ask(JANE, "PUT", "profile", json=loud)
    assert (status, body["error"]) == (403, "audio is locked to none for account 1")
    assert serving.ask(JANE, "GET", "profile")[1]["ui_settings"] == SOUND
    quiet = {"profile": {"ui_settings": {"rtl": True}}}
    status, body = serving.ask(JANE, "PUT", "profile", json=quiet)
    assert (status, body["ui_settings"]) == (200, {**SOUND, "rtl": True})


def test_what_no_dashboard_can_have_written_is_422(serving: Serving) -> None:
    wrong = {"profile": {"ui_settings": {"notification_tone": "gong"}}}
    status, body = serving.ask(JANE, "PUT", "profile", json=wrong)
    assert (status, body["error"][:24]) == (422, "audio.tone: 'gong': the ")
    deep = b'{"profile": {"ui_settings": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}}"
    assert serving.ask(JANE, "PUT", "profile", content=deep)[0] == 400
    assert serving.ask(JANE, "GET", "profile")[1]["ui_settings"] == SOUND


def test_a_reset_token_opens_and_the_old_one_does_not(serving: Serving) -> None:
    status, body = serving.ask(JANE, "POST", "profile/reset_access_token")
    assert status == 200
    new = body["access_token"]
    assert new != serving.tokens[JANE]
    assert serving.ask(JANE, "GET", "profile")[0] == 401
    serving.tokens[JANE] = new
    assert serving.ask(JANE, "GET", "profile") == (200, body)


NOT_THERE = [
    ("GET", "accounts/1/inbox_members/99", 404),
    ("GET", "accounts/1/inboxes/99", 404),
    ("GET", "accounts/1/teams/99", 404),
    ("GET", "accounts/1/teams/99/team_members", 404),
    ("GET", "accounts/1/teams/x/team_members", 404),
    ("GET", f"accounts/1/teams/{'9' * 5000}/team_members", 404),
    ("GET", f"{SETTINGS}?user_id=99", 404),
    ("GET", f"{SETTINGS}?user_id=x", 422),
    ("GET", "accounts/2/agents", 401),
    ("GET", "accounts/1/agents/", 404),
    ("GET", "nothing", 404),
    ("DELETE", "profile", 405),
    ("BREW", "profile", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), NOT_THERE)
def test_what_is_not_there_is_told(serving: Serving, method: str, path: str, status: int) -> None:
    answered = serving.ask(ROOT, method, path)
    assert answered[0] == status
    assert [*answered[1]] == ["error"]


def test_each_operation_of_the_document_has_an_id_of_its_own() -> None:
    """OpenAPI 3.1, section 4.8.10: generators of clients name their functions by it."""
    ids = [
        operation["operationId"]
        for path in document()["paths"].values()
        for operation in path.values()
    ]
    assert sorted(ids) == sorted(set(ids))


def test_every_answer_has_the_headers_of_one_that_no_browser_should_keep(
    serving: Serving,
) -> None:
    for path, status in (("/openapi.json", 200), ("/api/v1/profile", 401), ("/x", 404)):
        answered = serving.client.get(path)
        assert answered.status_code == status
        assert {
            name: answered.headers.get(name)
            for name in ("cache-control", "x-content-type-options", "content-security-policy")
        } == {
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        }


def test_a_store_that_is_being_written_is_503_for_those_who_write(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(serving.desk.store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        headers = {"api_access_token": serving.tokens[JANE]}
        answered = serving.client.patch(f"/api/v1/{SETTINGS}", headers=headers, **update())
        assert (answered.status_code, answered.json()) == (503, {"error": "busy: try again"})
        assert answered.headers["retry-after"] == "1"
        assert serving.ask(JANE, "GET", SETTINGS)[0] == 200
        other.execute("ROLLBACK")
    assert serving.ask(JANE, "PATCH", SETTINGS, **update())[0] == 200


def test_the_log_tells_who_asked_what_and_no_secret(serving: Serving) -> None:
    serving.client.get("/api/v1/profile?api_access_token=leaked", headers={"x": "leaked"})
    serving.ask(JANE, "GET", SETTINGS)
    text = json.dumps(serving.log)
    assert "testclient GET /api/v1/profile 401" in text
    assert f"testclient GET /api/v1/{SETTINGS} 200" in text
    assert "leaked" not in text
    assert serving.tokens[JANE] not in text
