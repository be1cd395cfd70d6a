"""Users, inboxes, teams and preferences by what a person types for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Json, Notifycli

DESK: Json = {
    "users": [
        {"id": 7, "email": "jane@example.com", "name": "Jane Doe"},
        {"id": 8, "email": "janet@example.com", "name": "Janet"},
        {"id": 9, "email": "omar@example.org", "name": "Omar"},
        {"id": 10, "email": None, "name": "Nina"},
    ],
    "inboxes": [
        {"id": 3, "name": "Website", "members": [7]},
        {"id": 4, "name": "Web shop", "members": [9]},
        {"id": 5, "name": "Mail"},
    ],
    "teams": [{"id": 2, "name": "Support", "members": [8]}, {"id": 6, "name": "Sales"}],
}


@pytest.fixture
def named(notifycli: Notifycli) -> Notifycli:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    return notifycli


# What is typed, and the id of whom it means; or what is said where it means nobody or several.
USERS = [
    ("jane", 7),
    ("JANE DOE", 7),
    ("janet", 8),
    ("om", 9),
    ("omar@", 9),
    ("nina", 10),
    ("jan", "name one: jane@example.com, janet@example.com"),
    ("jane@example.co", "did you mean jane@example.com?"),
    ("jnae@example.com", "did you mean jane@example.com?"),
    ("jane@exmaple.com", "did you mean jane@example.com?"),
    ("omra", "did you mean omar@example.org?"),
    ("nobody@example.com", "see who there is: notifycli user list"),
    ("jane@example.net.invalid", "see who there is: notifycli user list"),
    ("77", "did you mean 7?"),
    ("", "see who there is: notifycli user list"),
    (" ", "see who there is: notifycli user list"),
]


@pytest.mark.parametrize(("typed", "meant"), USERS)
def test_a_user_is_named_by_what_is_theirs_alone(
    named: Notifycli, typed: str, meant: int | str
) -> None:
    result = named("user", "show", "-u", typed)
    if isinstance(meant, int):
        assert [user["id"] for user in result.records] == [meant]
    else:
        assert (result.status, result.stderr.splitlines()[-1].strip()) == (2, meant)


INBOXES = [
    ("3", 3),
    ("website", 3),
    ("WEBS", 3),
    ("mail", 5),
    ("web", "name one by id: 3 Website, 4 Web shop"),
    ("Chat", "there are: 3 Website, 4 Web shop, 5 Mail"),
]


@pytest.mark.parametrize(("typed", "meant"), INBOXES)
def test_an_inbox_is_named_by_id_or_name(named: Notifycli, typed: str, meant: int | str) -> None:
    for command in (["set", "audio=all"], ["get", "audio"], ["list", "audio"]):
        result = named("prefs", *command, "--inbox", typed, "-u", "7")
        told = result.stderr.splitlines()[-1:]
        assert result.status == (0 if isinstance(meant, int) else 2)
        if isinstance(meant, str):
            assert told == [f"  {meant}"]
    if isinstance(meant, int):
        changed = named.ok("prefs", "history").records
        assert {change["inbox_id"] for change in changed} == {meant}


SELECTED = [
    (["--team", "support"], [8]),
    (["--team", "Supp", "-u", "omar"], [8, 9]),
    (["--inbox-members", "Website"], [7]),
    (["--inbox-members", "4", "--team", "2"], [8, 9]),
]


@pytest.mark.parametrize(("options", "users"), SELECTED)
def test_teams_and_members_are_selected_by_name(
    named: Notifycli, options: list[str], users: list[int]
) -> None:
    named.ok("prefs", "set", "audio=all", *options)
    assert sorted(change["user_id"] for change in named.ok("prefs", "history").records) == users


def test_a_team_that_is_none_names_those_there_are(named: Notifycli) -> None:
    result = named("prefs", "set", "audio=all", "--team", "s")
    assert (result.status, result.stderr.splitlines()[-1]) == (
        2,
        "  name one by id: 2 Support, 6 Sales",
    )


GLOBS: list[tuple[str, list[str]]] = [
    ("audio.*", ["audio.tone", "audio.when", "audio.repeat"]),
    ("*.mention", ["email.conversation_mention", "push.conversation_mention"]),
    ("EMAIL.created", ["email.conversation_creation"]),
    (
        "email.sla_*",
        [
            "email.sla_missed_first_response",
            "email.sla_missed_next_response",
            "email.sla_missed_resolution",
        ],
    ),
    ("quiet*", ["quiet_hours"]),
]


@pytest.mark.parametrize(("glob", "keys"), GLOBS)
def test_a_glob_stands_for_all_that_it_matches(
    named: Notifycli, glob: str, keys: list[str]
) -> None:
    records = named.ok("prefs", "list", glob, "-u", "7").records
    assert [record["key"] for record in records] == keys


@pytest.mark.parametrize("glob", ["smoke.*", "*.no", "email.[cm]*", "a?dio*"])
def test_a_glob_that_matches_nothing_is_no_preference(named: Notifycli, glob: str) -> None:
    result = named("prefs", "list", glob, "-u", "7")
    assert (result.status, "there is no preference" in result.stderr) == (2, True)


def test_get_prints_several_values_in_their_order(named: Notifycli) -> None:
    named.ok("prefs", "set", "audio=all", "-u", "7")
    keys = ("audio.tone", "audio")
    assert named.ok("prefs", "get", *keys, "-u", "jane").stdout == b"ding\nall\n"
    assert named.ok("prefs", "get", *keys, "-u", "7", "--show-origin").stdout == (
        b"builtin\tding\nuser\tall\n"
    )


def test_get_prints_records_where_a_format_is_asked_for(named: Notifycli) -> None:
    record: Any = {"key": "audio", "value": "none", "origin": "builtin", "locked": False}
    assert json.loads(named.ok("prefs", "get", "audio", "-u", "7", "-o", "json").stdout) == [record]
    assert len(named.ok("prefs", "get", "audio*", "-u", "7", "-o", "jsonl").records) == 4


@pytest.mark.parametrize("command", [[], ["prefs"], ["prefs", "set"], ["simulate"]])
def test_h_is_help(named: Notifycli, command: list[str]) -> None:
    assert named.ok(*command, "-h").stdout == named.ok(*command, "--help").stdout != b""


@pytest.mark.parametrize(
    ("typed", "inboxes", "told"),
    [
        (["Website"], [3], ""),
        (["websi", "4"], [3, 4], ""),
        (["no such"], [], "error: --inbox: there is no inbox 'no such'"),
    ],
)
def test_events_are_selected_by_the_inboxs_name(
    named: Notifycli, typed: list[str], inboxes: list[int], told: str
) -> None:
    created = [
        {"event": "conversation_created", "id": inbox, "inbox_id": inbox} for inbox in (3, 4, 5)
    ]
    events = named.write_events("created.jsonl", created)
    options = [word for one in typed for word in ("--inbox", one)]
    done = named("simulate", events, "--explain", "--channel", "email", *options)
    assert sorted({one["inbox_id"] for one in done.records}) == inboxes
    assert done.stderr.startswith(told)
