"""All of a Chatwoot from a real PostgreSQL: what comes out, and what never does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chatwoot.database import SECRET, VERSIONS, Postgres, postgres
from tests.conftest import Notifycli, Program

Json = dict[str, Any]
ODD = 'O\'Neil "Q" \\ \N{GRINNING FACE}'
DAY = f"""
INSERT INTO accounts (name) VALUES ('Acme'), ('Other');
INSERT INTO users (name, display_name, email, confirmed_at, ui_settings) VALUES
  ('Jane', 'Janie', 'jane@example.com', '2026-01-01',
   '{{"enable_audio_alerts": "mine", "rtl_view": true}}'),
  ('Omar', NULL, 'omar@example.com', NULL, '{{}}'),
  ('{ODD.replace("'", "''")}', NULL, 'odd@example.com', '2026-01-01', NULL),
  ('Zoe', NULL, 'zoe@other.example', '2026-01-01', '{{}}');
INSERT INTO account_users (account_id, user_id, role) VALUES
  (1, 1, 0), (1, 2, 1), (1, 3, 0), (2, 4, 0);
INSERT INTO inboxes (account_id, name) VALUES (1, 'Website'), (1, 'Bot'), (2, 'Mail');
INSERT INTO inbox_members (user_id, inbox_id) VALUES (1, 1), (2, 1), (4, 3), (99, 1);
INSERT INTO agent_bot_inboxes (inbox_id, agent_bot_id) VALUES (2, 1);
INSERT INTO teams (account_id, name) VALUES (1, 'Support');
INSERT INTO team_members (user_id, team_id) VALUES (1, 1);
INSERT INTO notification_settings (account_id, user_id, email_flags, push_flags) VALUES
  (1, 1, 2 + 8, 0), (1, 2, 255, 4);
INSERT INTO contacts DEFAULT VALUES;
INSERT INTO conversations
  (display_id, account_id, inbox_id, status, assignee_id, contact_id, created_at, last_activity_at)
VALUES
  (41, 1, 1, 1, 1, 1, '2026-03-03 09:00:00.5', '2026-03-03 12:00'),
  (42, 1, 2, 0, NULL, 1, '2026-03-03 09:30', '2026-03-03 12:00'),
  (43, 1, 1, 0, 2, 1, '2026-03-03 10:30', '2026-03-03 12:00'),
  (1, 2, 3, 0, 4, 1, '2026-03-03 09:00', '2026-03-03 12:00');
INSERT INTO messages
  (conversation_id, message_type, private, sender_type, sender_id, content, content_attributes,
   created_at)
VALUES
  (1, 0, false, 'Contact', 1, '{SECRET}', '{{}}', '2026-03-03 09:00:01'),
  (1, 2, false, NULL, NULL, 'Assigned to Jane by Omar', '{{}}', '2026-03-03 09:05'),
  (1, 1, true, 'User', 2, '{SECRET} [@Jane](mention://user/1/Jane) {SECRET}', '{{}}',
   '2026-03-03 09:06'),
  (1, 2, false, NULL, NULL, '{SECRET.lower()} was resolved',
   '"{{\\"activity\\": {{\\"type\\": \\"status_changed\\", \\"status\\": \\"resolved\\"}}}}"',
   '2026-03-03 09:10'),
  (3, 2, false, NULL, NULL, 'Assigned to Nobody by Omar', '{{}}', '2026-03-03 10:31');
INSERT INTO conversation_participants (user_id, conversation_id, created_at) VALUES
  (1, 1, '2026-03-03 09:05'), (2, 3, '2026-03-03 10:40');
INSERT INTO reporting_events (name, conversation_id, event_end_time) VALUES
  ('conversation_bot_handoff', 2, '2026-03-03 09:45'),
  ('conversation_resolved', 1, '2026-03-03 09:10');
INSERT INTO notifications
  (account_id, user_id, notification_type, primary_actor_type, primary_actor_id,
   secondary_actor_type, secondary_actor_id, created_at)
VALUES (1, 1, 4, 'Conversation', 1, 'Message', 3, '2026-03-03 09:06:01');
"""
SLA = """
INSERT INTO sla_events (conversation_id, event_type, created_at)
VALUES (1, 1, '2026-03-03 09:20');
"""
ROLES = """
INSERT INTO custom_roles (account_id, name, permissions) VALUES (1, 'r', '{conversation_manage}');
UPDATE account_users SET custom_role_id = 1 WHERE user_id = 3;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    # Not pytest's own folder: a socket's path is short, and PostgreSQL's own user has to reach it.
    with tempfile.TemporaryDirectory(prefix="notifycli-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        with postgres(place / "pg") as running:
            yield running


def filled(server: Postgres, version: str, name: str) -> str:
    database = server.create(version, name)
    server.psql(database, DAY)
    if version != "2.14":
        server.psql(database, SLA)
    if version in {"4.8", "4.16"}:
        server.psql(database, ROLES)
    return database


def exported(notifycli: Notifycli, server: Postgres, database: str, *options: str) -> str:
    return server.psql(database, notifycli.ok("chatwoot", "export-sql", *options).stdout.decode())


def conversation(id_: int, inbox: int, at: str, **state: Any) -> Json:
    assignee, team = state.get("assignee"), state.get("team")
    return {
        "id": id_,
        "account": {"id": 1},
        "inbox_id": inbox,
        "status": state.get("status", "open"),
        "created_at": f"2026-03-03T{at}Z",
        "meta": {
            "assignee": assignee and {"id": assignee, "type": "user"},
            "team": team,
            "sender": {"blocked": False, "type": "contact"},
        },
    }


def in_message(body: Json) -> Json:
    return {key: value for key, value in body.items() if key != "account"}


FIRST, SECOND, THIRD = "09:00:00.500000", "09:30:00.000000", "10:30:00.000000"
EVENTS: list[Json] = [
    {**conversation(41, 1, FIRST), "event": "conversation_created"},
    {
        "event": "message_created",
        "id": 1,
        "content": None,
        "message_type": "incoming",
        "private": False,
        "created_at": "2026-03-03T09:00:01.000000Z",
        "account": {"id": 1},
        "inbox": {"id": 1},
        "conversation": in_message(conversation(41, 1, FIRST)),
        "sender": {"id": 1, "type": "contact"},
    },
    {
        **conversation(41, 1, FIRST, assignee=1),
        "event": "conversation_updated",
        "updated_at": "2026-03-03T09:05:00.000000Z",
        "changed_attributes": [{"assignee_id": {"previous_value": None, "current_value": 1}}],
        "performed_by": {"id": 2, "type": "user"},
    },
    {
        "event": "message_created",
        "id": 3,
        "content": "(mention://user/1/Jane)",
        "message_type": "outgoing",
        "private": True,
        "created_at": "2026-03-03T09:06:00.000000Z",
        "account": {"id": 1},
        "inbox": {"id": 1},
        "conversation": in_message(conversation(41, 1, FIRST, assignee=1)),
        "sender": {"id": 2, "type": "user"},
    },
    {
        **conversation(41, 1, FIRST, assignee=1, status="resolved"),
        "event": "conversation_status_changed",
        "updated_at": "2026-03-03T09:10:00.000000Z",
    },
    {
        **conversation(41, 1, FIRST, assignee=1, status="resolved"),
        "event": "sla_missed_next_response",
        "updated_at": "2026-03-03T09:20:00.000000Z",
    },
    {**conversation(42, 2, SECOND, status="pending"), "event": "conversation_created"},
    {
        **conversation(42, 2, SECOND),
        "event": "conversation_bot_handoff",
        "updated_at": "2026-03-03T09:45:00.000000Z",
    },
    {**conversation(43, 1, THIRD), "event": "conversation_created"},
    {
        **conversation(43, 1, THIRD, assignee=2),
        "event": "conversation_updated",
        "updated_at": "2026-03-03T10:40:00.000000Z",
        "changed_attributes": [{"assignee_id": {"previous_value": None, "current_value": 2}}],
        "approximate": ["assignee"],
    },
]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_any_version_gives_all_that_happened_and_no_secret(
    notifycli: Notifycli, server: Postgres, version: str
) -> None:
    text = exported(notifycli, server, filled(server, version, "whole"), "-a", "1")
    assert SECRET not in text
    done = notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    assert done.stderr.splitlines() == [
        "account 1: 3 users, 2 inboxes and 1 team, with everybody's preferences",
        "approximate: the assignee of 1 event",
        "warning: 1 assignment to names that are nobody's, or more than one's: Nobody",
        (
            f"{len(expected(version))} events in chatwoot-export/events.jsonl, 1 notification of "
            "Chatwoot's in chatwoot-export/notifications.jsonl; next: notifycli why -u EMAIL "
            "chatwoot-export/events.jsonl"
        ),
    ]
    folder = notifycli.folder / "chatwoot-export"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events == expected(version)
    noted = [json.loads(line) for line in (folder / "notifications.jsonl").read_text().splitlines()]
    assert noted == [
        {
            "at": "2026-03-03T09:06:01.000000Z",
            "account_id": 1,
            "user_id": 1,
            "type": "conversation_mention",
            "conversation_id": 41,
            "message_id": 3,
            "read": False,
        }
    ]


def expected(version: str) -> list[Json]:
    if version == "2.14":
        return [event for event in EVENTS if not event["event"].startswith("sla_")]
    return EVENTS


def test_whether_an_inbox_has_a_bot_is_told_of_every_kind_of_bot(
    notifycli: Notifycli, server: Postgres
) -> None:
    database = filled(server, "4.16", "bots")
    server.psql(
        database,
        """
        INSERT INTO inboxes (account_id, name) VALUES (1, 'Flow'), (1, 'Flow off'), (1, 'Captain');
        INSERT INTO integrations_hooks (inbox_id, app_id, status) VALUES
          (4, 'dialogflow', 1), (5, 'dialogflow', 0), (1, 'slack', 1);
        INSERT INTO captain_inboxes (captain_assistant_id, inbox_id) VALUES (1, 6);
        """,
    )
    text = exported(notifycli, server, database, "-a", "1")
    notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    assert {one["name"]: one["bot"] for one in notifycli.ok("inbox", "list").records} == {
        "Website": False,
        "Bot": True,
        "Flow": True,
        "Flow off": False,
        "Captain": True,
    }


def test_everybodys_preferences_are_taken_over(notifycli: Notifycli, server: Postgres) -> None:
    text = exported(notifycli, server, filled(server, "4.16", "preferences"), "-a", "1")
    notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    jane = {
        record["key"]: record["value"]
        for record in notifycli.ok("prefs", "list", "-u", "jane@example.com").records
        if record["origin"] == "user" and record["value"] != "off"
    }
    assert jane == {
        "audio": "assigned",
        "email.conversation_assignment": "on",
        "email.conversation_mention": "on",
    }
    assert [record["name"] for record in notifycli.ok("user", "list").records] == [
        "Jane",
        "Omar",
        ODD,
    ]


def test_what_is_locked_here_stays(notifycli: Notifycli, server: Postgres) -> None:
    text = exported(notifycli, server, filled(server, "4.16", "locked"), "-a", "1")
    notifycli.ok("prefs", "set", "email.mention=off", "--lock", "-a", "1")
    done = notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    assert "warning: what is locked here stays as it is" in done.stderr
    value = notifycli.ok("prefs", "get", "email.mention", "-u", "jane@example.com").stdout
    assert value == b"off\n"


def test_from_a_time_on_only_what_happened_then(notifycli: Notifycli, server: Postgres) -> None:
    database = filled(server, "4.16", "since")
    span = ("--since", "2026-03-03T09:06:00Z", "--until", "2026-03-03T09:20:00Z")
    text = exported(notifycli, server, database, "-a", "1", *span)
    notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    lines = (notifycli.folder / "chatwoot-export" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == EVENTS[3:5]


def test_without_an_account_all_are_taken_over(notifycli: Notifycli, server: Postgres) -> None:
    text = exported(notifycli, server, filled(server, "3.8", "accounts"))
    notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    found = {
        account: [r["email"] for r in notifycli.ok("user", "list", "-a", account).records]
        for account in ("1", "2")
    }
    assert found == {
        "1": ["jane@example.com", "omar@example.com", "odd@example.com"],
        "2": ["zoe@other.example"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "the export: it breaks off before its end", id="nothing"),
        pytest.param(
            '{"chatwoot_export": {"version": 1}}\n',
            "<stdin>:1: it breaks off before its end",
            id="a broken pipe",
        ),
        pytest.param(
            '{"chatwoot_export": {"version": 2}}\n',
            "<stdin>:1: an export of form 2; this program reads form 1",
            id="of a newer program",
        ),
        pytest.param(
            '{"preferences": {"account_id": 1, "user_id": 7}}\n',
            "<stdin>:1: preferences of user 7, whom account 1 hasn't got",
            id="somebody who isn't there",
        ),
        pytest.param("ERROR: relation\n", "<stdin>:1: JSON is malformed", id="psql's error"),
        pytest.param(
            '{"secrets": 1}\n', "<stdin>:1: 'secrets' is nothing that the script prints", id="else"
        ),
    ],
)
def test_what_is_no_whole_export_stores_nothing(
    notifycli: Notifycli, text: str, message: str
) -> None:
    done = notifycli("chatwoot", "import-export", "-", stdin=text.encode())
    assert done.status == 65
    assert message in done.stderr
    assert not notifycli.store.exists()
    assert not (notifycli.folder / "chatwoot-export").exists()


LOG = "try: notifycli simulate FILE, or notifycli directory learn FILE"
RESTORED = "notifycli chatwoot export-sql | psql -qAt restored | notifycli chatwoot import-export -"
PLAIN = f"try: createdb restored && zcat -f FILE | psql -qo /dev/null restored; {RESTORED}"
CUSTOM = f"try: createdb restored && pg_restore -xOd restored FILE; {RESTORED}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"event": "message_created", "id": 5}\n', f"a log of events, no export; {LOG}"),
        (b'{"body": {"event": "x"}}\n', f"a log of events, no export; {LOG}"),
        (
            b"--\n-- PostgreSQL database dump\n--\n",
            f"a PostgreSQL dump, to be restored first; {PLAIN}",
        ),
        (b"PGDMP\x01\x0e\0\x04\x08", f"a PostgreSQL dump, to be restored first; {CUSTOM}"),
    ],
    ids=["a log", "a log with envelopes", "a dump", "a custom dump"],
)
def test_what_is_something_else_than_an_export_is_named(
    notifycli: Notifycli, data: bytes, message: str
) -> None:
    notifycli.write("x", data)
    for command, name in (("import-export -", "<stdin>"), ("import-export x", "x")):
        done = notifycli("chatwoot", *command.split(), stdin=data)
        told = message if name == "<stdin>" else message.replace("FILE", name)
        assert (done.status, done.stderr) == (65, f"error: {name}: {told}\n")
    if "dump" in message:
        done = notifycli("simulate", "x")
        assert f"x: {message.replace('FILE', 'x')}\n" in done.stderr


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_the_command_for_a_dump_reads_what_is_in_it(
    program: Program, notifycli: Notifycli, server: Postgres, form: str
) -> None:
    source = filled(server, "4.16", f"dumped_{form}")
    reach = f"export PGHOST={server.socket} PGPORT={server.port} PGUSER=postgres"
    made = program.shell(f"{reach}; pg_dump -F{form} {source} > chatwoot.dump")
    told = notifycli("chatwoot", "import-export", "chatwoot.dump").stderr
    _, _, command = told.rstrip("\n").partition("; try: ")
    done = program.shell(f"{reach}; {command}")
    program.shell(f"{reach}; dropdb restored")
    assert (made.status, done.status, done.stdout) == (0, 0, b"")
    assert len(notifycli.ok("user", "list", "-a", "1").records) == 3


def test_names_that_cannot_be_shown_are_taken_over_with_spaces(notifycli: Notifycli) -> None:
    names = {"users": "Jane\tDoe", "inboxes": "Web\nsite", "teams": "Billing\u202e"}
    directory = {
        "account": {"id": 1},
        **{kind: [{"id": 7, "name": n}] for kind, n in names.items()},
    }
    lines: list[Json] = [{"chatwoot_export": {"version": 1}}, {"directory": directory}, {"end": {}}]
    text = "\n".join(map(json.dumps, lines))
    notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    document = json.loads(notifycli.ok("directory", "export").stdout)
    assert {kind: document[kind][0]["name"] for kind in names} == {
        "users": "Jane Doe",
        "inboxes": "Web site",
        "teams": "Billing",
    }


DESK = {
    "account": {"id": 1, "name": "Acme"},
    "users": [
        {"id": 7, "email": "jane@example.com", "name": "Jane"},
        {"id": 8, "email": "omar@example.com", "name": "Omar"},
    ],
    "inboxes": [{"id": 3, "name": "Website", "members": [7, 8], "bot": True}],
    "teams": [],
}


def printed(*rows: tuple[str, Json]) -> bytes:
    """Return what the script prints of a desk, whose inbox has a bot, with these rows."""
    lines: list[Json] = [{"chatwoot_export": {"version": 1}}, {"directory": DESK}]
    lines += [{kind: {"account": 1, **row}} for kind, row in rows]
    return b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, {"end": True}])


def at(second: float) -> str:
    return f"2026-03-03T09:00:{second:09.6f}Z"


OPENED = ("report", {"at": at(5), "conversation": 1, "name": "conversation_opened", "user": 8})


@pytest.mark.parametrize(
    ("next_", "told"),
    [
        pytest.param(
            ("message", {"type": 2, "content": "Conversation was reopened by Omar"}),
            [("conversation_status_changed", at(5.25), {"id": 8, "type": "user"})],
            id="a person",
        ),
        pytest.param(
            ("report", {"name": "conversation_bot_handoff"}),
            [("conversation_bot_handoff", at(5.25), None)],
            id="a bot",
        ),
        pytest.param(
            ("message", {"type": 2, "content": "Omar avasi keskustelun"}),
            [("conversation_status_changed", at(5.25), None)],
            id="somebody, by a sentence in another language",
        ),
        pytest.param(
            None, [("conversation_status_changed", at(5), None)], id="nothing says who, to the end"
        ),
    ],
)
def test_what_follows_a_report_of_an_opening_says_who_did_it(
    notifycli: Notifycli, next_: tuple[str, Json] | None, told: list[tuple[str, str, Json | None]]
) -> None:
    rows = [("conversation", {"at": at(0), "id": 1, "inbox": 3, "status": 0}), OPENED]
    if next_ is not None:
        rows.append((next_[0], {"at": at(5.25), "conversation": 1, "id": 6, **next_[1]}))
    notifycli.ok("chatwoot", "import-export", "-", stdin=printed(*rows))
    lines = (notifycli.folder / "chatwoot-export" / "events.jsonl").read_text().splitlines()
    created, *events = map(json.loads, lines)
    assert created["status"] == "pending"
    assert [(e["event"], e["updated_at"], e.get("performed_by")) for e in events] == told
    assert {e["status"] for e in events} == {"open"}


def test_rows_of_kinds_that_came_later_are_left_out_and_counted(notifycli: Notifycli) -> None:
    later: list[tuple[str, Json]] = [
        ("sla", {"type": 3}),
        ("sla", {"type": -1}),
        ("message", {"id": 5, "type": 4}),
        ("message", {"id": 6, "type": -1}),
    ]
    rows = [(kind, {"at": at(5), "conversation": 1, **row}) for kind, row in later]
    created = ("conversation", {"at": at(0), "id": 1, "inbox": 3, "status": 0})
    done = notifycli.ok("chatwoot", "import-export", "-", stdin=printed(created, *rows))
    assert done.stderr.splitlines()[1:3] == [
        "approximate: the status of 1 event",
        (
            "warning: left out: 4 rows of types that this program doesn't know: "
            "message -1, message 4, sla -1, sla 3"
        ),
    ]
    events = (notifycli.folder / "chatwoot-export" / "events.jsonl").read_text().splitlines()
    assert [json.loads(event)["event"] for event in events] == ["conversation_created"]


@pytest.mark.slow
def test_a_hundred_thousand_messages_come_out_whole(notifycli: Notifycli, server: Postgres) -> None:
    database = filled(server, "4.16", "large")
    server.psql(
        database,
        f"""
        INSERT INTO messages
          (conversation_id, message_type, sender_type, sender_id, content, created_at)
        SELECT 1, i % 2, CASE i % 2 WHEN 0 THEN 'Contact' ELSE 'User' END, 1, '{SECRET}',
          '2026-03-04'::timestamp + i * interval '1 s'
        FROM generate_series(1, 100000) i
        """,
    )
    text = exported(notifycli, server, database, "-a", "1")
    assert SECRET not in text
    notifycli.ok("chatwoot", "import-export", "-", stdin=text.encode())
    lines = (notifycli.folder / "chatwoot-export" / "events.jsonl").read_text().splitlines()
    assert len(lines) == 100_000 + len(EVENTS)
