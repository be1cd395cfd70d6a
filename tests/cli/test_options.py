"""The options that every command takes, before and after it, and their environment."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from notifycli import __version__
from notifycli.cli import directory
from notifycli.cli.session import NO_USERS_YET
from tests.conftest import DESK, Notifycli, Program, Result

COMMANDS = [
    ["simulate"],
    ["user", "list"],
    ["user", "show", "7"],
    ["inbox", "list"],
    ["team", "list"],
    ["directory", "export"],
    ["prefs", "list", "-u", "7"],
    ["prefs", "get", "audio", "-u", "7"],
    ["prefs", "unset", "audio", "-u", "7"],
]
EVERYWHERE = [["-a", "1"], ["--account", "1"], ["-q"], ["--quiet"], ["-v"], ["--no-color"]]


@pytest.mark.parametrize("option", EVERYWHERE, ids=" ".join)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_common_option_is_the_same_before_and_after_the_command(
    desk: Notifycli, command: list[str], option: list[str]
) -> None:
    plain = desk.ok(*command).stdout
    assert desk.ok(*option, *command).stdout == plain
    assert desk.ok(*command, *option).stdout == plain


@pytest.mark.parametrize(
    "arguments", [["user", "list", "-o", "csv"], ["-o", "csv", "user", "list"]]
)
def test_output_before_and_after(desk: Notifycli, arguments: list[str]) -> None:
    assert desk.ok(*arguments).stdout.splitlines()[0] == b"id,email,name,role"


@pytest.mark.parametrize(
    "command", [["prefs", "get", "audio", "-u", "7"], ["prefs", "set", "audio=all", "-u", "7"]]
)
def test_output_is_a_common_option_after_every_command(desk: Notifycli, command: list[str]) -> None:
    assert desk(*command, "-o", "json").status == 0


@pytest.mark.parametrize("option", [["-u", "7"], ["-a", "1"], ["--db", "other.db"], ["-q"]])
def test_a_common_option_between_noun_and_verb(desk: Notifycli, option: list[str]) -> None:
    assert desk("prefs", *option, "list", "--default").status == 0


USERS = [
    pytest.param(["-u", "8"], {}, id="-u"),
    pytest.param(["--user", "omar@example.com"], {}, id="--user"),
    pytest.param([], {"NOTIFYCLI_USER": "8"}, id="an id in the environment"),
    pytest.param([], {"NOTIFYCLI_USER": "omar@example.com"}, id="an address in the environment"),
    pytest.param(["-u", "8"], {"NOTIFYCLI_USER": "7"}, id="the option beats the environment"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after it"])
@pytest.mark.parametrize(("options", "environment"), USERS)
def test_the_user(
    desk: Notifycli, options: list[str], environment: dict[str, str], before: bool
) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "8")
    command = ["prefs", "get", "audio"]
    given = [*options, *command] if before else [*command, *options]
    assert desk.ok(*given, environment=environment).stdout == b"all\n"


def test_the_option_after_the_command_beats_the_one_before(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "8")
    assert desk.ok("-u", "7", "prefs", "get", "audio", "-u", "8").stdout == b"all\n"
    desk.ok("user", "add", "far@example.com", "--id", "1", "-a", "2")
    assert [u["id"] for u in desk.ok("-a", "1", "user", "list", "-a", "2").records] == [1]


def test_an_unknown_user_of_the_environment_is_2(desk: Notifycli) -> None:
    result = desk("prefs", "list", environment={"NOTIFYCLI_USER": "jnae@example.com"})
    assert (result.status, result.stdout, result.stderr) == (
        2,
        b"",
        (
            "error: NOTIFYCLI_USER: account 1 has no user 'jnae@example.com'\n"
            "  did you mean jane@example.com?\n"
        ),
    )


def test_what_is_no_account_in_the_environment_is_told_with_the_way_out(desk: Notifycli) -> None:
    assert desk("user", "list", environment={"NOTIFYCLI_ACCOUNT": "x"}).stderr == (
        "error: NOTIFYCLI_ACCOUNT: 'x' is no account number\n"
        "  set it to a number from 1 on, or: unset NOTIFYCLI_ACCOUNT\n"
    )


ACCOUNTS = [
    pytest.param(["-a", "2"], {}, id="-a"),
    pytest.param(["--account", "2"], {}, id="--account"),
    pytest.param([], {"NOTIFYCLI_ACCOUNT": "2"}, id="the environment"),
    pytest.param(["-a", "2"], {"NOTIFYCLI_ACCOUNT": "1"}, id="the option beats the environment"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after it"])
@pytest.mark.parametrize(("options", "environment"), ACCOUNTS)
def test_the_account(
    desk: Notifycli, options: list[str], environment: dict[str, str], before: bool
) -> None:
    desk.ok("user", "add", "far@example.com", "--id", "70", "-a", "2")
    command = ["user", "list"]
    given = [*options, *command] if before else [*command, *options]
    assert [user["id"] for user in desk.ok(*given, environment=environment).records] == [70]


@pytest.mark.parametrize(
    "command",
    [
        ["user", "list"],
        ["inbox", "list"],
        ["directory", "export"],
        ["prefs", "get", "audio"],
        ["prefs", "set", "audio=all"],
        ["user", "add", "new@example.com"],
    ],
    ids=" ".join,
)
def test_with_several_accounts_and_none_named_the_error_lists_how_to_name_one(
    desk: Notifycli, command: list[str]
) -> None:
    desk.ok("user", "add", "far@example.com", "-a", "2")
    result = desk(*command)
    assert (result.status, result.stdout) == (2, b"")
    for told in ("1, 2", "-a", "NOTIFYCLI_ACCOUNT"):
        assert told in result.stderr


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        pytest.param(["-a", "77"], {}, id="an unknown account"),
        pytest.param([], {"NOTIFYCLI_ACCOUNT": "77"}, id="an unknown account in the environment"),
        pytest.param(["-a", "x"], {}, id="no number"),
        pytest.param([], {"NOTIFYCLI_ACCOUNT": "x"}, id="no number in the environment"),
        pytest.param([], {"NOTIFYCLI_ACCOUNT": "-1"}, id="a negative one in the environment"),
    ],
)
def test_a_wrong_account_is_2(
    desk: Notifycli, options: list[str], environment: dict[str, str]
) -> None:
    result = desk("user", "list", *options, environment=environment)
    assert (result.status, result.stdout) == (2, b"")
    assert "account" in result.stderr.lower()


@pytest.mark.parametrize("account", ["0", "-1"])
def test_an_account_below_1_is_wrong_usage(desk: Notifycli, account: str) -> None:
    assert desk("user", "add", "new@example.com", "-a", account).status == 2
    assert len(desk.ok("user", "list", "-a", "1").records) == 3


STORES = [
    pytest.param(["--db", "other.db"], {}, id="--db"),
    pytest.param([], {"NOTIFYCLI_DB": "other.db"}, id="the environment"),
    pytest.param(["--db", "other.db"], {"NOTIFYCLI_DB": "x.db"}, id="the option wins"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after it"])
@pytest.mark.parametrize(("options", "environment"), STORES)
def test_the_store(
    notifycli: Notifycli, options: list[str], environment: dict[str, str], before: bool
) -> None:
    command = ["user", "add", "far@example.com"]
    given = [*options, *command] if before else [*command, *options]
    notifycli.ok(*given, environment=environment)
    assert [path.name for path in notifycli.folder.iterdir()] == ["other.db"]
    assert not notifycli.store.exists()
    assert len(notifycli.ok("user", "list", *options, environment=environment).records) == 1


def test_a_tilde_in_the_environment_is_the_home_folder(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "far@example.com", environment={"NOTIFYCLI_DB": "~/mine.db"})
    assert (Path(os.environ["HOME"]) / "mine.db").is_file()


@pytest.mark.parametrize(
    "command",
    [
        ["user", "add", "new@example.com"],
        ["inbox", "add", "5"],
        ["prefs", "set", "audio=all"],
        ["prefs", "unset", "audio"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_silences_notes(notifycli: Notifycli, command: list[str], option: str) -> None:
    notifycli.ok("user", "add", "jane@example.com")
    assert notifycli.ok("inbox", "add", "3").stderr
    result = notifycli.ok(*command, option)
    assert (result.stdout, result.stderr) == (b"", "")


def test_quiet_does_not_silence_errors(desk: Notifycli) -> None:
    assert "audio" in desk("-q", "prefs", "set", "adio=all", "-u", "7").stderr


@pytest.mark.parametrize("option", [[], ["-v"], ["--verbose"]], ids=["plainly", "-v", "--verbose"])
def test_only_verbose_shows_a_traceback(
    desk: Notifycli, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("something nobody thought of")

    monkeypatch.setattr(directory, "show", broken)
    result = desk("user", "list", *option)
    assert (result.status, result.stdout) == (70, b"")
    assert ("Traceback" in result.stderr) == bool(option)
    assert option or "--verbose" in result.stderr


def test_version(notifycli: Notifycli) -> None:
    result = notifycli("--version")
    assert (result.status, result.stdout) == (0, f"notifycli {__version__}\n".encode())


def test_the_program_alone_shows_where_to_start(notifycli: Notifycli) -> None:
    result = notifycli()
    shown = result.stdout.decode() + result.stderr
    for command in ("notifycli directory learn", "notifycli simulate", "notifycli prefs set"):
        assert command in shown


HELP = [
    [],
    ["simulate"],
    *(["user", verb] for verb in ("add", "list", "show", "remove")),
    *([noun, verb] for noun in ("inbox", "team") for verb in ("add", "list", "remove")),
    *(["directory", verb] for verb in ("import", "export", "learn")),
    *(["prefs", verb] for verb in ("list", "get", "set", "unset", "import")),
]


@pytest.mark.parametrize("command", HELP, ids=lambda command: " ".join(command) or "the program")
def test_help_has_examples(notifycli: Notifycli, command: list[str]) -> None:
    result = notifycli(*command, "--help")
    assert (result.status, result.stderr) == (0, "")
    text = result.stdout.decode()
    assert re.findall(r"<\w+( \w+)?>|x[<>]=", text) == []
    _, examples = text.split("Examples:")
    assert " ".join(["notifycli", *command]) in examples
    assert max(map(len, text.splitlines())) <= 100
    assert not notifycli.store.exists()


@pytest.mark.parametrize("noun", ["user", "inbox", "team", "directory", "prefs"])
def test_a_noun_alone_lists_its_verbs(notifycli: Notifycli, noun: str) -> None:
    result = notifycli(noun)
    shown = result.stdout.decode() + result.stderr
    verbs = [command[1] for command in HELP if command[:1] == [noun]]
    assert [verb for verb in verbs if f"  {verb} " not in shown] == []


@pytest.mark.parametrize(
    "arguments", [["usr"], ["user", "lst"], ["user", "list", "--outptu", "csv"], ["--bd", "x"]]
)
def test_a_word_that_is_none_is_2_and_names_the_help(
    notifycli: Notifycli, arguments: list[str]
) -> None:
    result = notifycli(*arguments)
    assert (result.status, result.stdout) == (2, b"")
    assert "--help" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["usr", "list"], "Did you mean 'user'?\n  see notifycli --help"),
        (["user", "nope"], "there are: add, set, list, show, remove; see notifycli user --help"),
        (["user", "list", "-o", "tabel"], "did you mean table?"),
        (["simulate", "--channel", "emial"], "did you mean email?"),
        (["prefs", "list", "--role", "agents"], "did you mean agent?"),
        (["prefs", "export", "--format", "tmol"], "did you mean toml?"),
        (["prefs", "export", "--layer", "usr"], "did you mean user?"),
        (["completion", "show", "bsh"], "did you mean bash?"),
        (
            ["prefs", "list", "--inbox", "Chat", "-u", "7"],
            "--inbox: there is no inbox 'Chat'\n  none yet; add one: notifycli inbox add ID\n",
        ),
        (
            ["simulate", "--inbox", "Website"],
            "none yet; add one: notifycli inbox add ID\n",
        ),
        (
            ["prefs", "list", "--team", "Billing"],
            "none yet; add one: notifycli team add ID\n",
        ),
        (["simulate", "--report"], "requires an argument.\n  see notifycli simulate --help\n"),
        (["prefs", "set", "-u"], "requires an argument.\n  see notifycli prefs set --help\n"),
        (["simulate", "--conversation", "x"], "'x' is no conversation id: a number from 1 on"),
        (["prefs", "undo", "abc"], "'abc' is no id of a change: a number from 1 on is expected;"),
        (["inbox", "add", "0"], "'0' is no id: a number from 1 on is expected\n"),
        (["serve", "--port", "65536"], "is no port: a number from 0 to 65535 is expected\n"),
    ],
)
def test_a_word_that_is_none_names_the_nearest_or_what_there_is(
    notifycli: Notifycli, arguments: list[str], told: str
) -> None:
    result = notifycli(*arguments)
    assert (result.status, result.stdout) == (2, b"")
    assert told in result.stderr


def test_python_m_is_the_program(program: Program) -> None:
    done = program("user", "add", "jane@example.com")
    assert (done.status, done.stdout) == (0, b"")
    assert program("user", "list").stdout == (
        b'{"id":1,"email":"jane@example.com","name":"","role":"agent"}\n'
    )


@pytest.mark.parametrize(("command", "status"), [("user list", 0), ("prefs list -u 7", 2)])
def test_a_store_that_was_named_and_is_not_there_is_told_of_once(
    notifycli: Notifycli, command: str, status: int
) -> None:
    result = notifycli(*command.split(), "--db", "nowhere/x.db")
    told = result.stderr.splitlines()
    assert (result.status, told.count("there is no store at nowhere/x.db yet")) == (status, 1)
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("command", [["-u", "jane@example.com"], []])
def test_where_there_are_no_users_none_are_to_be_looked_up(
    notifycli: Notifycli, command: list[str]
) -> None:
    result = notifycli("prefs", "list", *command)
    assert (result.status, result.stderr.splitlines()) == (
        2,
        ["error: account 1 has no users yet", f"  {NO_USERS_YET}"],
    )


LONG = "x" * 300


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["user", "list", "--db", f"{LONG}/x.db"], 78),
        (["simulate", "/dev/null", "--report", f"{LONG}/page.html"], 2),
        (["config", "set", f"email.templates={LONG}"], 2),
        (["listen", "--unsigned", "--port", "0", "--path", f"{LONG}/e.jsonl"], 2),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_a_place_that_can_not_even_be_looked_at_is_told_of(
    notifycli: Notifycli, command: list[str], status: int
) -> None:
    result = notifycli(*command)
    assert (result.status, "unexpected" in result.stderr) == (status, False)


@pytest.mark.parametrize("digits", ["1" + "9" * 30, "0" * 19 + "1" + "9" * 20])
def test_a_number_that_is_too_large_is_none(desk: Notifycli, digits: str) -> None:
    told = f"{digits!r} is no id: a number from 1 on is expected"
    assert told in desk("inbox", "add", digits).stderr
    assert "has no user" in desk("user", "show", digits).stderr


def test_zeros_before_a_number_change_nothing(desk: Notifycli) -> None:
    assert desk.ok("user", "show", "0" * 30 + "7").records[0]["id"] == 7
    assert desk("user", "show", "0" * 19 + "70000").status == 2


NOT_UTF_8 = "caf\udce9"


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["user", "add", NOT_UTF_8], "EMAIL"),
        (["user", "add", "a@example.com", "--name", NOT_UTF_8], "--name"),
        (["prefs", "set", f"audio={NOT_UTF_8}"], "KEY=VALUE"),
        (["prefs", "list", "-u", NOT_UTF_8], "--user"),
        (["-u", NOT_UTF_8, "prefs", "list"], "--user"),
        (["config", "set", f"desk.url={NOT_UTF_8}"], "SETTING=VALUE"),
    ],
)
def test_an_argument_that_is_not_utf_8_is_2_and_named(
    desk: Notifycli, command: list[str], named: str
) -> None:
    result = desk(*command)
    assert result.status == 2
    assert named in result.stderr


def test_a_user_of_the_environment_that_is_not_utf_8_is_2(desk: Notifycli) -> None:
    result = desk("prefs", "list", environment={"NOTIFYCLI_USER": NOT_UTF_8})
    assert (result.status, result.stderr) == (2, "error: NOTIFYCLI_USER: 'caf�' isn't UTF-8\n")


def test_the_name_of_a_file_may_be_any_bytes(desk: Notifycli) -> None:
    desk.write(NOT_UTF_8, '{"event": "conversation_created", "account": {"id": 1}}\n')
    assert desk("simulate", NOT_UTF_8, "--db", NOT_UTF_8 + ".db").status in {0, 65}
    desk.ok("user", "add", "a@example.com", "--id", "3", "--db", NOT_UTF_8 + ".db")
    assert desk.ok("user", "list", "--db", NOT_UTF_8 + ".db").records[0]["id"] == 3


def test_the_home_of_nobody_is_the_name_of_a_file(desk: Notifycli) -> None:
    desk.ok("user", "add", "a@example.com", "--id", "3", "--db", "~nobody-here")
    assert (desk.folder / "~nobody-here").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["email", "templates", "--copy", "~nobody-here"],
        ["config", "set", "email.templates=~nobody-here"],
        ["listen", "--unsigned", "--path", "~nobody-here/events.jsonl"],
    ],
)
def test_the_home_of_nobody_is_no_fault_of_ours(desk: Notifycli, command: list[str]) -> None:
    assert desk(*command).status in {0, 2, 66, 77, 78}


@pytest.mark.parametrize(
    "command",
    [
        ["backup", "-"],
        ["prefs", "export", "--update", "-"],
        ["events", "pack", "day.jsonl", "-o", "-"],
        ["simulate", "day.jsonl", "--report", "-"],
        ["chatwoot", "history", "-O", "-"],
    ],
    ids=" ".join,
)
def test_what_writes_a_file_makes_none_that_is_called_like_standard_output(
    desk: Notifycli, command: list[str]
) -> None:
    desk.write_events("day.jsonl", [])
    assert desk(*command) == Result(
        2, b"", "error: -: a file is written here, not standard output\n  name a file\n"
    )
    assert [path.name for path in desk.folder.iterdir()] == ["day.jsonl"]


@pytest.fixture
def desks(desk: Notifycli) -> Notifycli:
    """The program with two accounts in its store, and one of them alone in another store."""
    desk.ok("directory", "import", "-", "--db", "Jane's.db", stdin=json.dumps(DESK).encode())
    desk.ok("user", "add", "nine@example.com", "--id", "9", "-a", "2")
    return desk


IN_OTHER = """notifycli --db 'Jane'"'"'s.db'"""

# A command, and which other one it says to type.
SUGGESTIONS = [
    pytest.param(
        ["user", "remove", "7", "--yes", "--db", "Jane's.db"],
        f"take it back: {IN_OTHER} directory undo 2",
        id="in a note, the store",
    ),
    pytest.param(
        ["user", "remove", "7", "--yes", "--db", "Jane's.db", "-a", "1"],
        f"take it back: {IN_OTHER} directory undo 2",
        id="in a note, the store alone where there is one account",
    ),
    pytest.param(
        ["user", "remove", "9", "-a", "2", "--yes"],
        "take it back: notifycli -a 2 directory undo 3",
        id="in a note, the account",
    ),
    pytest.param(
        ["prefs", "get", "email.*", "-u", "jane@example.com", "--inbox", "3", "-a", "1"],
        "notifycli -a 1 prefs list -u jane@example.com --inbox 3 'email.*'",
        id="below an error, the account, the user and the inbox",
    ),
    pytest.param(
        ["prefs", "get", "nosuchkey", "-u", "7", "--db", "Jane's.db"],
        f"see all: {IN_OTHER} prefs list --default",
        id="below an error, the store",
    ),
    pytest.param(
        ["prefs", "undo", "none", "--db", "Jane's.db"],
        f"see them: {IN_OTHER} prefs history",
        id="in what is said of an argument",
    ),
    pytest.param(
        ["token", "set", "-u", "7", "--name", "crm", "-a", "1"],
        "pipe it: notifycli -a 1 token set -u jane@example.com --name crm < token.txt",
        id="of a token, its user and its name",
    ),
    pytest.param(
        ["doctor", "-o", "csv", "--db", "Jane's.db"],
        f"{IN_OTHER} chatwoot login https://chat.example.com",
        id="in a finding of doctor",
    ),
]


@pytest.mark.usefixtures("vault")
@pytest.mark.parametrize(("command", "suggested"), SUGGESTIONS)
def test_a_command_that_is_suggested_is_about_the_same_store_and_account(
    desks: Notifycli, command: list[str], suggested: str
) -> None:
    result = desks(*command)
    told = result.stdout.decode() + result.stderr
    assert suggested in told.replace('""', '"')


@pytest.mark.parametrize(
    "address", ["postgresql://jane:canary@db.example.com/desk", "https://jane:canary@example.com"]
)
def test_a_password_in_the_address_of_a_store_is_not_repeated(
    desk: Notifycli, address: str
) -> None:
    for command in (["user", "list"], ["prefs", "get", "nosuchkey"], ["doctor"]):
        result = desk(*command, "--db", address)
        assert "canary" not in result.stdout.decode() + result.stderr


def test_what_takes_a_removal_back_does_so_as_it_is_typed(desks: Notifycli) -> None:
    before = desks.ok("directory", "export", "-a", "2").stdout
    said = desks.ok("user", "remove", "9", "-a", "2", "--yes").stderr
    _, typed = said.strip().split("take it back: notifycli ")
    desks.ok(*shlex.split(typed))
    assert desks.ok("directory", "export", "-a", "2").stdout == before
