"""`notifycli user`: add, list, show, remove."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Json, Notifycli, Result

WIDE_SPACE, NON_JOINER = "\N{IDEOGRAPHIC SPACE}", "\N{ZERO WIDTH NON-JOINER}"
JANE: Json = {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"}
OMAR: Json = {"id": 8, "email": "omar@example.com", "name": "Omar", "role": "agent"}
ROOT: Json = {"id": 9, "email": "root@example.com", "name": "Root", "role": "administrator"}


def users(notifycli: Notifycli) -> list[Json]:
    return notifycli.ok("user", "list").records


ADDED = [
    pytest.param(
        ["new@example.com"],
        {"id": 10, "email": "new@example.com", "name": "", "role": "agent"},
        id="an address alone gets the next id and is an agent",
    ),
    pytest.param(
        ["new@example.com", "--id", "4", "--name", "Nina Ñ", "--role", "administrator"],
        {"id": 4, "email": "new@example.com", "name": "Nina Ñ", "role": "administrator"},
        id="id, name and role as given",
    ),
    pytest.param(
        ["New.Person+tag@Example.COM"],
        {"id": 10, "email": "New.Person+tag@Example.COM", "name": "", "role": "agent"},
        id="an address is kept as it was written",
    ),
    pytest.param(
        ["new@example.com", "--name", f"田中{WIDE_SPACE}愛子 علی{NON_JOINER}رضا"],
        {
            "id": 10,
            "email": "new@example.com",
            "name": f"田中{WIDE_SPACE}愛子 علی{NON_JOINER}رضا",
            "role": "agent",
        },
        id="a name with the spaces and joiners of its script",
    ),
]


@pytest.mark.parametrize(("arguments", "expected"), ADDED)
def test_add_stores_the_user(desk: Notifycli, arguments: list[str], expected: Json) -> None:
    result = desk("user", "add", *arguments)
    assert (result.status, result.stdout) == (0, b"")
    assert users(desk) == sorted([JANE, OMAR, ROOT, expected], key=lambda user: int(user["id"]))


def test_the_first_user_of_an_empty_store_makes_account_1(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--id", "7", "--name", "Jane")
    assert users(notifycli) == [JANE]
    assert notifycli.ok("user", "list", "-a", "1").records == [JANE]


REFUSED = [
    pytest.param(["jane@example.com"], ["jane@example.com"], id="an address that is taken"),
    pytest.param(["JANE@EXAMPLE.COM"], ["already"], id="a taken address in another case"),
    pytest.param(["new@example.com", "--id", "8"], ["8", "already"], id="an id that is taken"),
    pytest.param(["new@example.com", "--id", "0"], ["--id"], id="id 0"),
    pytest.param(["new@example.com", "--id", "x"], ["--id"], id="an id that is no number"),
    pytest.param(["jane"], ["'jane'", "jane@example.com"], id="no address"),
    pytest.param(["@example.com"], ["'@example.com'"], id="an address without a local part"),
    pytest.param(["jane@"], ["'jane@'"], id="an address without a domain"),
    pytest.param(["a b@example.com"], ["a b@example.com"], id="an address with a space"),
    pytest.param(["a\x1b[2J@example.com"], ["address"], id="an address with an escape"),
    pytest.param(["new@example.com", "--name", "a\x1b[2J"], ["name"], id="a name with an escape"),
    pytest.param(
        ["new@example.com", "--name", "a\N{RIGHT-TO-LEFT OVERRIDE}b"],
        ["name"],
        id="a name that would be shown the other way round",
    ),
    pytest.param(
        ["new@example.com", "--role", "boss"],
        ["boss", "agent", "administrator"],
        id="a role that is none",
    ),
    pytest.param([], ["EMAIL"], id="no argument"),
    pytest.param(
        ["new@example.com", "--id", str(2**63)],
        ["--id"],
        id="an id that no store can hold",
    ),
]


@pytest.mark.parametrize(("arguments", "told"), REFUSED)
def test_add_refuses(desk: Notifycli, arguments: list[str], told: list[str]) -> None:
    result = desk("user", "add", *arguments)
    assert (result.status, result.stdout) == (2, b"")
    assert [text for text in told if text not in result.stderr] == []
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    assert users(desk) == [JANE, OMAR, ROOT]


FORMATS = [
    pytest.param(
        "jsonl",
        b'{"id":7,"email":"jane@example.com","name":"Jane","role":"agent"}\n'
        b'{"id":8,"email":"omar@example.com","name":"Omar","role":"agent"}\n'
        b'{"id":9,"email":"root@example.com","name":"Root","role":"administrator"}\n',
        id="JSON Lines",
    ),
    pytest.param(
        "csv",
        b"id,email,name,role\n"
        b"7,jane@example.com,Jane,agent\n"
        b"8,omar@example.com,Omar,agent\n"
        b"9,root@example.com,Root,administrator\n",
        id="CSV",
    ),
    pytest.param(
        "tsv",
        b"id\temail\tname\trole\n"
        b"7\tjane@example.com\tJane\tagent\n"
        b"8\tomar@example.com\tOmar\tagent\n"
        b"9\troot@example.com\tRoot\tadministrator\n",
        id="TSV",
    ),
]


@pytest.mark.parametrize(("name", "expected"), FORMATS)
def test_list_prints_the_format_that_was_asked_for(
    desk: Notifycli, name: str, expected: bytes
) -> None:
    assert desk.ok("user", "list", "-o", name).stdout == expected


def test_list_as_json_is_one_array(desk: Notifycli) -> None:
    assert json.loads(desk.ok("user", "list", "-o", "json").stdout) == [JANE, OMAR, ROOT]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("json", b"[]\n"), ("jsonl", b""), ("csv", b"id,email,name,role\n")],
)
def test_list_of_an_empty_store_is_empty_and_makes_no_file(
    notifycli: Notifycli, name: str, expected: bytes
) -> None:
    result = notifycli.ok("user", "list", "-o", name)
    assert result.stdout == expected
    assert "notifycli user add" in result.stderr
    assert not notifycli.store.exists()


def test_csv_quotes_what_needs_it(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--name", 'Jane, "JJ" Doe')
    assert notifycli.ok("user", "list", "-o", "csv").stdout == (
        b'id,email,name,role\n1,jane@example.com,"Jane, ""JJ"" Doe",agent\n'
    )


def test_a_user_without_an_address_is_null_in_json_and_empty_in_csv(notifycli: Notifycli) -> None:
    notifycli.ok("directory", "import", "-", stdin=b'{"users": [{"id": 5}]}')
    assert notifycli.ok("user", "list").stdout == (
        b'{"id":5,"email":null,"name":"","role":"agent"}\n'
    )
    assert notifycli.ok("user", "list", "-o", "csv").stdout == b"id,email,name,role\n5,,,agent\n"


NAMED = [
    pytest.param(["jane@example.com"], id="by address"),
    pytest.param(["Jane@EXAMPLE.com"], id="by address in another case"),
    pytest.param(["7"], id="by id"),
    pytest.param(["-u", "7"], id="by -u"),
    pytest.param(["--user", "jane@example.com"], id="by --user"),
]


@pytest.mark.parametrize("reference", NAMED)
def test_show_gives_the_one_user(desk: Notifycli, reference: list[str]) -> None:
    assert desk.ok("user", "show", *reference).records == [JANE]


@pytest.mark.parametrize("reference", NAMED)
def test_remove_takes_the_one_user_and_their_memberships(
    desk: Notifycli, reference: list[str]
) -> None:
    result = desk("user", "remove", *reference)
    assert (result.status, result.stdout) == (0, b"")
    document = json.loads(desk.ok("directory", "export").stdout)
    assert document == {
        "account": {"id": 1, "name": "Acme"},
        "users": [OMAR, ROOT],
        "inboxes": [{"id": 3, "name": "Website", "members": [8]}],
        "teams": [{"id": 2, "name": "Support", "members": []}],
    }


def test_what_a_removed_user_had_set_does_not_come_back_with_the_id(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    desk.ok("user", "remove", "7")
    desk.ok("user", "add", "heir@example.com", "--id", "7")
    assert desk.ok("prefs", "get", "audio", "-u", "7", "--show-origin").stdout.split() == [
        b"builtin",
        b"none",
    ]


@pytest.mark.parametrize("verb", ["show", "remove"])
@pytest.mark.parametrize(
    ("reference", "told"),
    [
        pytest.param("jnae@example.com", "jane@example.com", id="the nearest address is named"),
        pytest.param("77", "7", id="the nearest id is named"),
        pytest.param("nobody", "notifycli user list", id="where nothing is near the list is named"),
    ],
)
def test_an_unknown_user_is_wrong_usage(
    desk: Notifycli, verb: str, reference: str, told: str
) -> None:
    result = desk("user", verb, reference)
    assert (result.status, result.stdout) == (2, b"")
    hint = result.stderr.splitlines()[-1]
    assert repr(reference) in result.stderr
    assert told in hint
    assert users(desk) == [JANE, OMAR, ROOT]


def test_an_id_that_no_store_can_hold_is_an_unknown_user(desk: Notifycli) -> None:
    assert desk("user", "show", str(2**64)).status == 2


def test_remove_without_a_name_removes_nobody_even_if_there_is_only_one(
    notifycli: Notifycli,
) -> None:
    notifycli.ok("user", "add", "jane@example.com")
    result = notifycli("user", "remove")
    assert result.status == 2
    assert "notifycli user remove" in result.stderr
    assert len(users(notifycli)) == 1


def test_remove_without_a_name_does_not_remove_the_user_of_the_environment(
    desk: Notifycli,
) -> None:
    result = desk("user", "remove", environment={"NOTIFYCLI_USER": "omar@example.com"})
    assert (result.status, result.stderr) == (
        2,
        "error: no user named\n  name one here: notifycli user remove EMAIL\n",
    )
    assert users(desk) == [JANE, OMAR, ROOT]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            [],
            (
                "added new@example.com as user 10 of account 1\n"
                "the id 10 is made up; events know the user by the one of Chatwoot:"
                " notifycli user set new@example.com --id N\n"
            ),
        ),
        (["--id", "12"], "added new@example.com as user 12 of account 1\n"),
    ],
    ids=["without an id", "with one"],
)
def test_add_notes_that_an_id_is_made_up(desk: Notifycli, options: list[str], told: str) -> None:
    assert desk.ok("user", "add", "new@example.com", *options).stderr == told


@pytest.mark.parametrize("command", [["user", "list"], ["prefs", "list"]], ids=" ".join)
def test_where_nobody_is_on_record_learning_from_events_comes_first(
    notifycli: Notifycli, command: list[str]
) -> None:
    told = notifycli(*command).stderr
    assert "learn them: notifycli directory learn EVENTS; or add one with the id" in told


def test_show_takes_one_user(desk: Notifycli) -> None:
    result = desk("user", "show", "-u", "7", "-u", "8")
    assert (result.status, result.stdout) == (2, b"")
    assert "-u" in result.stderr


@pytest.mark.parametrize(
    "command", [["show"], ["remove", "--yes"], ["set", "--name", "Q"]], ids=lambda words: words[0]
)
def test_an_argument_and_an_option_that_name_two_users_are_too_many(
    desk: Notifycli, command: list[str]
) -> None:
    assert desk("user", *command, "8", "-u", "7") == Result(
        2, b"", "error: this command takes one user\n  name just one: -u REF\n"
    )
    assert users(desk) == [JANE, OMAR, ROOT]


def test_an_argument_goes_before_the_user_of_the_environment(desk: Notifycli) -> None:
    shown = desk.ok("user", "show", "8", environment={"NOTIFYCLI_USER": "7"})
    assert shown.records == [OMAR]
    assert desk.ok("user", "show", "8", "-u", "omar@example.com").records == [OMAR]


def test_remove_of_an_empty_name_removes_nobody_even_if_there_is_only_one(
    notifycli: Notifycli,
) -> None:
    notifycli.ok("user", "add", "jane@example.com")
    assert notifycli("user", "remove", "").status == 2
    assert len(users(notifycli)) == 1


def test_an_address_that_another_user_has_is_wrong_usage(desk: Notifycli) -> None:
    assert desk("user", "set", "7", "--email", "Omar@example.com") == Result(
        2,
        b"",
        "error: account 1 has a user Omar@example.com already: user 8\n"
        "  give that one another address first, or remove it\n",
    )
    desk.ok("user", "set", "7", "--email", "Jane@example.com")
