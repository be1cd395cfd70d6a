"""`notifycli directory`: import, export, learn."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.conftest import DESK, Json, Notifycli, Result, lines


def exported(notifycli: Notifycli, *options: str) -> Json:
    document: Json = json.loads(notifycli.ok("directory", "export", *options).stdout)
    return document


def imported(notifycli: Notifycli, document: Json, *options: str) -> Result:
    return notifycli.ok("directory", "import", "-", *options, stdin=json.dumps(document).encode())


JANE, OMAR, ROOT = DESK["users"]
NOBODY: Json = {"users": [], "inboxes": [], "teams": []}

# What is imported over DESK, with which options, and what is there afterwards.
IMPORTS = [
    pytest.param({}, [], DESK, id="an empty document changes nothing"),
    pytest.param(
        {}, ["--replace"], {**DESK, **NOBODY}, id="an empty document with --replace removes all"
    ),
    pytest.param(DESK, [], DESK, id="the same document changes nothing"),
    pytest.param(DESK, ["--replace"], DESK, id="the same document with --replace too"),
    pytest.param(
        {"users": [{"id": 7, "name": "Jane D."}]},
        [],
        {**DESK, "users": [{**JANE, "name": "Jane D."}, OMAR, ROOT]},
        id="what an entry leaves out stays as it is",
    ),
    pytest.param(
        {"users": [{"id": 10, "email": "new@example.com", "role": "administrator"}]},
        [],
        {
            **DESK,
            "users": [
                *DESK["users"],
                {"id": 10, "email": "new@example.com", "name": "", "role": "administrator"},
            ],
        },
        id="a user who was not there is added",
    ),
    pytest.param(
        {
            "users": [
                {"id": 7, "email": "omar@example.com"},
                {"id": 8, "email": "jane@example.com"},
            ]
        },
        [],
        {
            **DESK,
            "users": [
                {**JANE, "email": "omar@example.com"},
                {**OMAR, "email": "jane@example.com"},
                ROOT,
            ],
        },
        id="two users can swap their addresses",
    ),
    pytest.param(
        {"users": [{"id": 7, "email": None}]},
        [],
        {**DESK, "users": [{**JANE, "email": None}, OMAR, ROOT]},
        id="null takes an address away",
    ),
    pytest.param(
        {"inboxes": [{"id": 3, "members": [9]}], "teams": [{"id": 2, "members": []}]},
        [],
        {
            **DESK,
            "inboxes": [{"id": 3, "name": "Website", "members": [9]}],
            "teams": [{"id": 2, "name": "Support", "members": []}],
        },
        id="members are those the document says",
    ),
    pytest.param(
        {"inboxes": [{"id": 4, "name": "Mail"}]},
        [],
        {
            **DESK,
            "inboxes": [*DESK["inboxes"], {"id": 4, "name": "Mail", "members": None}],
        },
        id="an inbox whose members are not said has none on record",
    ),
    pytest.param(
        {**DESK, "users": [JANE, OMAR], "teams": []},
        ["--replace"],
        {**DESK, "users": [JANE, OMAR], "teams": []},
        id="--replace removes what the document lacks",
    ),
    pytest.param(
        {"users": [JANE, ROOT], "inboxes": [{"id": 3}], "teams": [{"id": 2}]},
        ["--replace"],
        {
            **DESK,
            "users": [JANE, ROOT],
            "inboxes": [{"id": 3, "name": "Website", "members": [7]}],
        },
        id="--replace of a member whose inbox does not say its members",
    ),
    pytest.param(
        {
            "users": [{"id": 7, "confirmed": False, "permissions": ["conversation_manage"]}],
            "inboxes": [{"id": 3, "bot": True}],
        },
        [],
        {
            **DESK,
            "users": [
                {**JANE, "confirmed": False, "permissions": ["conversation_manage"]},
                OMAR,
                ROOT,
            ],
            "inboxes": [{**DESK["inboxes"][0], "bot": True}],
        },
        id="what only Chatwoot knows of users and inboxes",
    ),
    pytest.param(
        {
            "users": [
                {"id": 7, "confirmed": None, "permissions": []},
                {"id": 8, "confirmed": True},
            ],
            "inboxes": [{"id": 3, "bot": False}],
        },
        [],
        {
            **DESK,
            "users": [{**JANE, "permissions": []}, {**OMAR, "confirmed": True}, ROOT],
            "inboxes": [{**DESK["inboxes"][0], "bot": False}],
        },
        id="null is not known, and an empty list is nothing at all",
    ),
    pytest.param(
        {"account": {"id": 1, "name": "Renamed"}},
        [],
        {**DESK, "account": {"id": 1, "name": "Renamed"}},
        id="the account gets the document's name",
    ),
]


@pytest.mark.parametrize(("document", "options", "expected"), IMPORTS)
def test_import(desk: Notifycli, document: Json, options: list[str], expected: Json) -> None:
    result = desk("directory", "import", "-", *options, stdin=json.dumps(document).encode())
    assert (result.status, result.stdout) == (0, b"")
    assert exported(desk) == expected


def test_import_reads_a_file(notifycli: Notifycli) -> None:
    notifycli.ok("directory", "import", notifycli.write("directory.json", json.dumps(DESK)))
    assert exported(notifycli) == DESK


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("p.csv", "layer,user,inbox,key,value\nuser,7,,audio,all\n"),
        ("p.toml", '# of 2026\n[users."jane@example.com"]\naudio = "all"\n'),
        ("p.json", '\ufeff{"default": {"audio": "all"}, "users": {}}'),
    ],
)
def test_preferences_are_named_with_the_command_that_takes_them(
    desk: Notifycli, name: str, document: str
) -> None:
    done = desk("directory", "import", desk.write(name, document))
    told = f"error: {name}: preferences, not a directory\n  try: notifycli prefs import {name}\n"
    assert (done.status, done.stderr) == (65, told)
    desk.ok("prefs", "import", name)


def test_an_export_imported_elsewhere_exports_the_same_bytes(desk: Notifycli) -> None:
    first = desk.ok("directory", "export").stdout
    desk.ok("directory", "import", "-", "--db", "other.db", stdin=first)
    assert desk.ok("directory", "export", "--db", "other.db").stdout == first


def test_import_goes_to_the_account_of_the_document(desk: Notifycli) -> None:
    imported(desk, {"account": {"id": 2, "name": "Beta"}, "users": [{"id": 1, "email": "b@b.b"}]})
    assert exported(desk, "-a", "1") == DESK
    assert exported(desk, "-a", "2") == {
        **NOBODY,
        "account": {"id": 2, "name": "Beta"},
        "users": [{"id": 1, "email": "b@b.b", "name": "", "role": "agent"}],
    }


def test_the_account_on_the_command_line_beats_that_of_the_document(desk: Notifycli) -> None:
    told = imported(desk, DESK, "-a", "2").stderr
    assert "<stdin> is of account 1: imported into account 2" in told
    assert exported(desk, "-a", "2") == {**DESK, "account": {"id": 2, "name": "Acme"}}


USER_FIELDS = "id, email, name, role, confirmed, permissions"
UNKNOWN = [
    pytest.param(
        {"users": [{"id": 77, "emial": "x@y.de"}, {"id": 78, "emial": "z@y.de", "age": 3}]},
        [
            "users[0].emial: is no field, and means nothing; did you mean email?",
            f"users[1].age: is no field, and means nothing; there are {USER_FIELDS}",
        ],
        id="of users, each once",
    ),
    pytest.param(
        {"inboxes": [{"id": 5, "nmae": "x", "member": [7]}], "teams": [{"id": 5, "nmae": "x"}]},
        [
            "inboxes[0].nmae: is no field, and means nothing; did you mean name?",
            "inboxes[0].member: is no field, and means nothing; did you mean members?",
            "teams[0].nmae: is no field, and means nothing; did you mean name?",
        ],
        id="of inboxes and teams",
    ),
    pytest.param(
        {"account": {"id": 1, "nmae": "x"}},
        ["account.nmae: is no field, and means nothing; did you mean name?"],
        id="of the account",
    ),
    pytest.param(DESK, [], id="none"),
]


@pytest.mark.parametrize(("document", "told"), UNKNOWN)
def test_fields_of_entries_that_mean_nothing_are_told(
    desk: Notifycli, document: Json, told: list[str]
) -> None:
    said = imported(desk, document).stderr.splitlines()
    assert said[:-1] == [f"warning: <stdin>: {line}" for line in told]


def test_replace_tells_what_it_removes(desk: Notifycli) -> None:
    told = imported(desk, {"users": [JANE], "inboxes": [{"id": 3, "members": []}]}, "--replace")
    assert told.stderr == (
        "removed: user 8 omar@example.com, user 9 root@example.com, team 2 Support; "
        "take it back: notifycli directory undo 2\n"
        "account 1 has 1 user, 1 inbox and 0 teams\n"
    )
    imported(desk, {"users": [{"id": id_} for id_ in range(20, 27)]})
    assert imported(desk, {}, "--replace").stderr == (
        "removed: user 7 jane@example.com, user 20, user 21, user 22, user 23 and 4 more; "
        "take it back: notifycli directory undo 4\n"
        "account 1 has 0 users, 0 inboxes and 0 teams\n"
    )


FAULTY = [
    pytest.param(b"", ["<stdin>"], id="nothing at all"),
    pytest.param(b"{", ["<stdin>"], id="JSON that ends too early"),
    pytest.param(b"[]", ["object"], id="an array"),
    pytest.param(b"null", ["object"], id="null"),
    pytest.param(b'{"user": []}', ["user"], id="an unknown name"),
    pytest.param(
        b'{"event": "x"}\n{"event": "y"}\n', ["notifycli directory learn EVENTS"], id="events"
    ),
    pytest.param(b'{"users": [{"email": "a@b.c"}]}', ["users[0]", "id"], id="a user without id"),
    pytest.param(
        b'{"users": [{"id": "7"}]}',
        ["<stdin>: users[0].id: Expected `int`"],
        id="an id that is text",
    ),
    pytest.param(b'{"users": [{"id": 1, "email": "x"}]}', ["users[0].email", "'x'"], id="email"),
    pytest.param(
        b'{"users": [{"id": 1, "email": "a@@x.io"}]}',
        ["users[0].email: 'a@@x.io' has more than one @"],
        id="an address with two @",
    ),
    pytest.param(b'{"users": [{"id": 1, "email": ""}]}', ["users[0].email"], id="an empty address"),
    pytest.param(
        b'{"users": [{"id": 1, "name": "a\\u001b[2J"}]}',
        ["users[0].name"],
        id="an escape in a name",
    ),
    pytest.param(b'{"users": [{"id": 1, "role": "boss"}]}', ["users[0].role", "boss"], id="role"),
    pytest.param(b'{"users": [{"id": 1}, {"id": 1}]}', ["users[1].id"], id="a user twice"),
    pytest.param(
        b'{"users": [{"id": 1, "email": "a@b.c"}, {"id": 2, "email": "A@B.C"}]}',
        ["users[1].email"],
        id="an address twice",
    ),
    pytest.param(
        b'{"inboxes": [{"id": 4, "members": [77]}]}', ["inboxes[0].members", "77"], id="m"
    ),
    pytest.param(b'{"teams": [{"id": 4, "members": [7, 77]}]}', ["teams[0].members"], id="team"),
    pytest.param(
        b'{"inboxes": [{"id": 4, "members": [77]}], "teams": [{"id": 4, "members": [78]}]}',
        ["inboxes[0].members", "teams[0].members"],
        id="two faults are both told",
    ),
    pytest.param(
        b'{"users": [{"id": 20, "email": "new@example.com"}, {"id": 21, "email": "nope"}]}',
        ["users[1].email"],
        id="one good entry and one bad",
    ),
    pytest.param(
        b'{"users": [{"id": 20}, {"id": 21, "email": "jane@example.com"}]}',
        ["jane@example.com"],
        id="an address that another user has",
    ),
    pytest.param(
        b'{"users": [{"id": 21, "email": "jane@example.com"}]}',
        ["<stdin>", "users[0].email"],
        id="an address that another user has with its place",
    ),
    pytest.param(
        b'{"users": [{"id": 1, "name": "\xff"}]}',
        ["<stdin>"],
        id="bytes that are no UTF-8",
    ),
    pytest.param(
        b'{"users": [{"id": 99999999999999999999}]}',
        ["users[0].id"],
        id="an id that no store can hold",
    ),
    pytest.param(
        b'{"users": [{"id": 0}]}',
        ["users[0].id"],
        id="user 0",
    ),
    pytest.param(
        b'{"users": [{"id": -4}]}',
        ["users[0].id"],
        id="a user with a negative id",
    ),
    pytest.param(
        b'{"inboxes": [{"id": 0}]}',
        ["inboxes[0].id"],
        id="inbox 0",
    ),
    pytest.param(
        b'{"account": {"id": 0}, "users": [{"id": 30}]}',
        ["account.id"],
        id="account 0",
    ),
]


@pytest.mark.parametrize(("document", "told"), FAULTY)
def test_a_faulty_document_is_refused_whole(
    desk: Notifycli, document: bytes, told: list[str]
) -> None:
    result = desk("directory", "import", "-", stdin=document)
    assert (result.status, result.stdout) == (65, b"")
    assert [text for text in told if text not in result.stderr] == []
    assert "Traceback" not in result.stderr
    assert exported(desk) == DESK


def test_a_faulty_document_removes_nothing(desk: Notifycli) -> None:
    document = b'{"users": [{"id": 7}], "teams": [{"id": 2, "members": [8]}]}'
    result = desk("directory", "import", "-", "--replace", stdin=document)
    assert (result.status, result.stdout) == (65, b"")
    assert "<stdin>: teams[0].members: 8" in result.stderr
    assert exported(desk) == DESK


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_can_not_be_read_is_66(desk: Notifycli, name: str) -> None:
    result = desk("directory", "import", name)
    assert (result.status, result.stdout) == (66, b"")
    assert f"{name}: " in result.stderr
    assert exported(desk) == DESK


def test_removing_users_by_import_takes_what_they_had_set(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "8")
    imported(desk, {**DESK, "users": [JANE, ROOT], "inboxes": [], "teams": []}, "--replace")
    imported(desk, DESK)
    assert desk.ok("prefs", "get", "audio", "-u", "8").stdout == b"none\n"


MESSAGE: Json = {
    "event": "message_created",
    "id": 1,
    "account": {"id": 1, "name": "Acme"},
    "inbox": {"id": 3, "name": "Website"},
    "conversation": {
        "id": 42,
        "inbox_id": 3,
        "meta": {"assignee": {"id": 8, "name": "Omar", "type": "user"}},
    },
    "message_type": "outgoing",
    "content": "Hello",
    "created_at": "2026-03-03T13:05:57Z",
    "sender": {"id": 7, "type": "user", "name": "Jane", "email": "jane@example.com"},
}


def test_learn_adds_the_agents_and_inboxes_that_appear(notifycli: Notifycli) -> None:
    result = notifycli("directory", "learn", notifycli.write_events("events.jsonl", [MESSAGE]))
    assert (result.status, result.stdout) == (0, b"")
    assert exported(notifycli) == {
        "account": {"id": 1, "name": ""},
        "users": [
            {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"},
            {"id": 8, "email": None, "name": "Omar", "role": "agent"},
        ],
        "inboxes": [{"id": 3, "name": "Website", "members": None}],
        "teams": [],
    }


def test_a_user_learnt_without_an_address_is_named_by_id(notifycli: Notifycli) -> None:
    notifycli.ok("directory", "learn", "-", stdin=lines([MESSAGE]))
    notifycli.ok("prefs", "set", "audio=all", "-u", "8")
    assert notifycli.ok("prefs", "get", "audio", "-u", "8").stdout == b"all\n"
    several = notifycli("prefs", "get", "audio")
    assert several.status == 2
    assert "jane@example.com, 8" in several.stderr


def test_learning_twice_is_learning_once(notifycli: Notifycli) -> None:
    notifycli.ok("directory", "learn", stdin=lines([MESSAGE, MESSAGE]))
    first = exported(notifycli)
    notifycli.ok("directory", "learn", stdin=lines([MESSAGE]))
    assert exported(notifycli) == first


def test_learn_completes_what_is_on_record_and_never_changes_it(notifycli: Notifycli) -> None:
    imported(
        notifycli,
        {
            "account": {"id": 1},
            "users": [
                {"id": 7, "email": "j@example.com", "role": "administrator"},
                {"id": 9, "email": "root@example.com"},
            ],
            "inboxes": [{"id": 3, "members": [9]}],
        },
    )
    notifycli.ok("directory", "learn", stdin=lines([MESSAGE]))
    assert exported(notifycli) == {
        "account": {"id": 1, "name": ""},
        "users": [
            {"id": 7, "email": "j@example.com", "name": "Jane", "role": "administrator"},
            {"id": 8, "email": None, "name": "Omar", "role": "agent"},
            {"id": 9, "email": "root@example.com", "name": "", "role": "agent"},
        ],
        "inboxes": [{"id": 3, "name": "Website", "members": [9]}],
        "teams": [],
    }


def test_an_address_that_somebody_has_is_not_learnt_for_another(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "JANE@example.com", "--id", "1")
    notifycli.ok("directory", "learn", stdin=lines([MESSAGE]))
    assert [(u["id"], u["email"]) for u in exported(notifycli)["users"]] == [
        (1, "JANE@example.com"),
        (7, None),
        (8, None),
    ]


def test_contacts_and_bots_are_not_learnt(notifycli: Notifycli) -> None:
    meta = {"assignee": {"id": 6, "name": "Bot"}, "assignee_type": "AgentBot"}
    bots: Json = {**MESSAGE["conversation"], "meta": meta}
    senders: list[tuple[str, Json]] = [
        ("incoming", {"id": 1, "name": "Customer", "email": "c@example.com"}),
        ("outgoing", {"id": 2, "name": "Customer", "type": "contact"}),
        ("outgoing", {"id": 3, "name": "Bot", "type": "agent_bot"}),
    ]
    events = [
        {**MESSAGE, "conversation": bots, "message_type": type_, "sender": sender}
        for type_, sender in senders
    ]
    notifycli.ok("directory", "learn", stdin=lines(events))
    assert exported(notifycli)["users"] == []


def test_who_writes_to_customers_is_an_agent_and_need_not_say_so(notifycli: Notifycli) -> None:
    jane = {"id": 5, "name": "Jane", "email": "jane@example.org"}
    sent = {**MESSAGE, "conversation": {"id": 42}, "message_type": 1, "sender": jane}
    notifycli.ok("directory", "learn", stdin=lines([sent]))
    assert exported(notifycli)["users"] == [{**jane, "role": "agent"}]


def test_learn_reads_every_account_of_one_input(notifycli: Notifycli) -> None:
    other = {**MESSAGE, "account": {"id": 2}}
    notifycli.ok("directory", "learn", stdin=lines([MESSAGE, other]))
    for account in ("1", "2"):
        assert [u["id"] for u in exported(notifycli, "-a", account)["users"]] == [7, 8]


def test_events_that_name_no_account_are_of_the_one_on_the_command_line(
    notifycli: Notifycli,
) -> None:
    nameless = {key: value for key, value in MESSAGE.items() if key != "account"}
    notifycli.ok("directory", "learn", "-a", "5", stdin=lines([nameless]))
    assert [u["id"] for u in exported(notifycli, "-a", "5")["users"]] == [7, 8]


def test_learn_reads_several_files_plain_and_gzip(notifycli: Notifycli) -> None:
    second = {**MESSAGE, "sender": {"id": 5, "type": "user", "name": "Fay"}}
    plain = notifycli.write_events("one.jsonl", [MESSAGE])
    packed = notifycli.write("two.jsonl.gz", gzip.compress(lines([second])))
    notifycli.ok("directory", "learn", plain, packed)
    assert [u["id"] for u in exported(notifycli)["users"]] == [5, 7, 8]


def test_learn_passes_over_bad_lines_names_them_and_ends_with_65(notifycli: Notifycli) -> None:
    bad = notifycli.write("events.jsonl", b"{\n" + lines([MESSAGE]) + b"[]\n")
    result = notifycli("directory", "learn", bad)
    assert (result.status, result.stdout) == (65, b"")
    assert "events.jsonl:1: " in result.stderr
    assert "events.jsonl:3: " in result.stderr
    assert [u["id"] for u in exported(notifycli)["users"]] == [7, 8]


def test_control_characters_in_names_are_not_learnt(notifycli: Notifycli) -> None:
    sender = {"id": 7, "type": "user", "name": "Ja\x1b[2Jne\x9b", "email": "j\x1b@example.com"}
    notifycli.ok("directory", "learn", stdin=lines([{**MESSAGE, "sender": sender}]))
    learnt = exported(notifycli)["users"][0]
    assert learnt["email"] is None
    assert learnt["name"].isprintable()


def test_a_name_or_an_address_that_is_none_is_a_bad_line(notifycli: Notifycli) -> None:
    """Nothing of such a person is learnt, so it is said."""
    sender = {"id": 5, "type": "user", "name": ["Jane"]}
    contact = {"id": 7, "name": 5, "event": "contact_updated"}
    result = notifycli("directory", "learn", stdin=lines([{**MESSAGE, "sender": sender}, contact]))
    assert result.status == 65
    assert "<stdin>:1: sender.name: expected str | null, got array" in result.stderr
    assert "<stdin>:2: " not in result.stderr


def test_an_id_that_no_store_can_hold_is_a_bad_line(notifycli: Notifycli) -> None:
    huge = {**MESSAGE, "sender": {"id": "9" * 30, "type": "user"}}
    result = notifycli("directory", "learn", stdin=lines([huge, MESSAGE]))
    assert result.status == 65
    assert "<stdin>:1: " in result.stderr
    assert [u["id"] for u in exported(notifycli)["users"]] == [7, 8]


def test_a_missing_events_file_is_66_and_nothing_is_learnt(notifycli: Notifycli) -> None:
    good = notifycli.write_events("one.jsonl", [MESSAGE])
    result = notifycli("directory", "learn", good, "missing.jsonl")
    assert (result.status, result.stdout) == (66, b"")
    assert "missing.jsonl: " in result.stderr
    assert exported(notifycli)["users"] == []


def test_a_name_that_stands_twice_in_one_object_is_refused_with_both_places(
    notifycli: Notifycli,
) -> None:
    notifycli.write("d.json", b'{"users": [{"id": 7}],\n "users": [{"id": 8}]}')
    done = notifycli("directory", "import", "d.json", "--replace")
    assert done.status == 65
    assert done.stderr == (
        'error: d.json:2: "users" stands twice, first at d.json:1\n'
        "  leave one of the two, with all that belongs there\n"
    )
