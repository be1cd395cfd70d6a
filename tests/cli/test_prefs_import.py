"""`notifycli prefs import`: CSV, all or nothing."""

from __future__ import annotations

import pytest

from tests.conftest import Json, Notifycli

HEAD = "account,layer,user,inbox,key,value\n"
MENTION = "email.conversation_mention"


def found(notifycli: Notifycli, key: str, *options: str) -> tuple[str, str]:
    (one,) = notifycli.ok("prefs", "list", key, *options).records
    return one["value"], one["origin"]


def everything(notifycli: Notifycli) -> list[Json]:
    askers = (["-u", "7"], ["-u", "8"], ["-u", "9"], ["-u", "7", "--inbox", "3"], ["--default"])
    listed = (notifycli.ok("prefs", "list", "-a", "1", *asker).records for asker in askers)
    return [one for records in listed for one in records]


ROWS = [
    pytest.param("1,lock,,,audio,all\n", ["-u", "8"], ("all", "lock"), id="a lock"),
    pytest.param("1,default,,,audio,all\n", ["-u", "8"], ("all", "default"), id="a default"),
    pytest.param("1,user,7,,audio,all\n", ["-u", "7"], ("all", "user"), id="a user by id"),
    pytest.param(
        "1,user,jane@example.com,,audio,all\n", ["-u", "7"], ("all", "user"), id="by address"
    ),
    pytest.param(
        "1,user,Jane@EXAMPLE.com,,audio,all\n", ["-u", "7"], ("all", "user"), id="in another case"
    ),
    pytest.param("1,user,7,,audio,all\n", ["-u", "8"], ("none", "builtin"), id="not another user"),
    pytest.param(
        "1,inbox,7,3,audio,all\n", ["-u", "7", "--inbox", "3"], ("all", "inbox"), id="an inbox"
    ),
    pytest.param("1,inbox,7,3,audio,all\n", ["-u", "7"], ("none", "builtin"), id="not elsewhere"),
    pytest.param(",user,7,,audio,all\n", ["-u", "7"], ("all", "user"), id="the only account"),
    pytest.param(
        "1,user,7,,audio,all\n1,user,jane@example.com,,audio,all\n",
        ["-u", "7"],
        ("all", "user"),
        id="said twice",
    ),
    pytest.param("\n1,user,7,,audio,mine\n\n", ["-u", "7"], ("assigned", "user"), id="blank lines"),
    pytest.param('"1","user","7","","audio","all"\n', ["-u", "7"], ("all", "user"), id="quotes"),
    pytest.param("1,user,7,,audio,all", ["-u", "7"], ("all", "user"), id="no last line end"),
    pytest.param(
        "1,user,7,,audio,all\r\n", ["-u", "7"], ("all", "user"), id="line ends of Windows"
    ),
    pytest.param("", ["-u", "7"], ("none", "builtin"), id="nothing but the columns"),
]


@pytest.mark.parametrize(("rows", "asker", "expected"), ROWS)
def test_import(desk: Notifycli, rows: str, asker: list[str], expected: tuple[str, str]) -> None:
    result = desk("prefs", "import", desk.write("team.csv", HEAD + rows))
    assert (result.status, result.stdout) == (0, b"")
    assert found(desk, "audio", *asker) == expected


def test_import_reads_standard_input(desk: Notifycli) -> None:
    desk.ok("prefs", "import", "-", stdin=f"{HEAD}1,user,7,,audio,all\n".encode())
    assert found(desk, "audio", "-u", "7") == ("all", "user")


def test_short_names_flags_and_globs_are_keys_here_too(desk: Notifycli) -> None:
    rows = (
        "1,user,7,,push.*,no\n"
        "1,user,7,,email.mention,yes\n"
        "1,user,7,,email_conversation_creation,1\n"
    )
    desk.ok("prefs", "import", "-", stdin=(HEAD + rows).encode())
    values = {
        one["key"]: one["value"]
        for one in desk.ok("prefs", "list", "-u", "7").records
        if one["origin"] == "user"
    }
    pushes = {key for key in values if key.startswith("push.")}
    assert len(pushes) == 9
    assert values == {
        **dict.fromkeys(pushes, "off"),
        MENTION: "on",
        "email.conversation_creation": "on",
    }


def test_a_byte_order_mark_is_no_part_of_the_first_column(desk: Notifycli) -> None:
    text = b"\xef\xbb\xbf" + f"{HEAD}1,user,7,,audio,all\n".encode()
    desk.ok("prefs", "import", "-", stdin=text)
    assert found(desk, "audio", "-u", "7") == ("all", "user")


def test_one_file_may_hold_several_accounts(desk: Notifycli) -> None:
    desk.ok("user", "add", "far@example.com", "--id", "7", "-a", "2")
    rows = "1,user,7,,audio,all\n2,user,far@example.com,,audio,assigned\n2,default,,,audio,none\n"
    desk.ok("prefs", "import", "-", stdin=(HEAD + rows).encode())
    assert found(desk, "audio", "-a", "1", "-u", "7") == ("all", "user")
    assert found(desk, "audio", "-a", "2", "-u", "7") == ("assigned", "user")
    assert found(desk, "audio", "-a", "2", "--default") == ("none", "default")


@pytest.mark.parametrize("verb", ["import", "apply"])
def test_a_named_account_is_the_only_one_that_changes(desk: Notifycli, verb: str) -> None:
    desk.ok("user", "add", "far@example.com", "--id", "7", "-a", "2")
    desk.ok("prefs", "set", "audio.tone=bell", "-u", "7", "-a", "1")
    rows = (
        "1,user,7,,audio,all\n2,user,far@example.com,,audio,assigned\n,default,,,audio,none\n"
        "3,user,nobody@example.com,,audio,all\n"
    )
    result = desk.ok("prefs", verb, "-", "-a", "2", stdin=(HEAD + rows).encode())
    assert result.stderr == (
        "left out 2 rows of other accounts than 2\n<stdin>: 2 preferences read, 2 changed\n"
    )
    assert found(desk, "audio", "-a", "1", "-u", "7") == ("none", "builtin")
    assert found(desk, "audio.tone", "-a", "1", "-u", "7") == ("bell", "user")
    assert found(desk, "audio", "-a", "2", "-u", "7") == ("assigned", "user")
    assert found(desk, "audio", "-a", "2", "--default") == ("none", "default")


@pytest.mark.parametrize("verb", ["import", "apply", "diff"])
def test_a_row_that_names_no_account_needs_one_where_there_are_several(
    desk: Notifycli, verb: str
) -> None:
    desk.ok("user", "add", "far@example.com", "--id", "7", "-a", "2")
    for text in (f"{HEAD}1,user,7,,audio,all\n,default,,,audio,all\n", '[default]\naudio = "all"'):
        result = desk("prefs", verb, "-", stdin=text.encode())
        assert (result.status, result.stdout) == (2, b"")
        assert "name one: -a N" in result.stderr
    assert found(desk, "audio", "-a", "1", "-u", "7") == ("none", "builtin")
    assert desk("prefs", verb, "-", "-a", "1", stdin=text.encode()).status == 0


# What a spreadsheet program makes of it: all of it is the same document.
SPREADSHEETS = [
    pytest.param("user;key;value\r\n7;audio;all\r\n", "utf-8", id="semicolons, no layer"),
    pytest.param("user\tkey\tvalue\n7\taudio\tall\n", "utf-8", id="TAB"),
    pytest.param("sep=;\r\nuser;key;value\r\n7;audio;all\r\n", "utf-8", id="sep=;"),
    pytest.param('"sep=;"\nuser;key;value\n7;audio;all\n', "utf-8", id="sep=; in quotes"),
    pytest.param("SEP=\t\nuser\tkey\tvalue\n7\taudio\tall\n", "utf-8", id="sep=TAB"),
    pytest.param("user\tkey\tvalue\r\n7\taudio\tall\r\n", "utf-16", id="UTF-16"),
    pytest.param("user\tkey\tvalue\r\n7\taudio\tall\r\n", "utf-16-be", id="UTF-16 unmarked"),
    pytest.param("user\tkey\tvalue\r\n7\taudio\tall\r\n", "utf-16-le", id="and the other way"),
    pytest.param("sep=;\nuser;key;value\n7;audio;all\n", "utf-8-sig", id="a mark before sep=;"),
    pytest.param(" Value ;KEY;User\nall;audio;7\n", "utf-8", id="any order, any case"),
    pytest.param("user;key;value;;\n7;audio;all;;\n;;;;\n", "utf-8", id="padded with nothing"),
    pytest.param('user;key;value\n"7";"audio";"all"\n', "utf-8", id="in quotes"),
    pytest.param(
        "Account,Layer,User,Inbox,Key,Value\n1,user,jane@example.com,,audio,all\n",
        "utf-8",
        id="all columns with capitals",
    ),
    pytest.param(
        "user;inbox;key;value\n7;;audio;all\n8;3;audio;all\n", "utf-8", id="an inbox in a row"
    ),
]


@pytest.mark.parametrize("named", [True, False], ids=["named", "piped"])
@pytest.mark.parametrize(("text", "encoding"), SPREADSHEETS)
def test_a_spreadsheet_is_read_as_it_was_saved(
    desk: Notifycli, text: str, encoding: str, *, named: bool
) -> None:
    data = text.encode(encoding)
    file = desk.write("team.csv", data) if named else "-"
    desk.ok("prefs", "import", file, stdin=b"" if named else data)
    assert found(desk, "audio", "-u", "7") == ("all", "user")
    in_inbox = ("all", "inbox") if "inbox;" in text else ("none", "builtin")
    assert found(desk, "audio", "-u", "8", "--inbox", "3") == in_inbox


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("p.toml", '[users."7"]\naudio = "all"\n'), ("p.json", '{"users": {"7": {"audio": "all"}}}')],
)
def test_what_powershell_has_written_is_read(
    desk: Notifycli, name: str, text: str, encoding: str
) -> None:
    desk.ok("prefs", "import", desk.write(name, text.encode(encoding)))
    assert found(desk, "audio", "-u", "7") == ("all", "user")


# What is no document: what it is called, and what converts it.
OTHERS = [
    pytest.param(
        "p.yaml", b"users:\n  7:\n    audio: all\n", ("is YAML", "yq -o json p.yaml > p.json")
    ),
    pytest.param("p", b"---\ndefault:\n  audio: all\n", ("is YAML", "yq -o json p > p.json")),
    pytest.param("p", b"# ours\n'a@b.de': {audio: all}\n", ("is YAML", "yq -o json p > p.json")),
    pytest.param("p.csv", b"PK\x03\x04\x14\0\x06", ("is a workbook", "--convert-to csv p.csv")),
    pytest.param("p.xlsx", b"PK\x03\x04\x14\0\x06", ("is a workbook", "--convert-to csv p.xlsx")),
    pytest.param("p", b"<?xml version='1.0'?><a/>", ("is XML", "yq -p xml -o json p > p.json")),
]


@pytest.mark.parametrize("command", [["prefs", "import"], ["directory", "import"]], ids=" ".join)
@pytest.mark.parametrize(("name", "data", "said"), OTHERS)
def test_what_is_no_document_is_named_for_what_it_is(
    desk: Notifycli, command: list[str], name: str, data: bytes, said: tuple[str, str]
) -> None:
    told, how = said
    result = desk(*command, desk.write(name, data))
    error, hint = result.stderr.splitlines()
    assert (result.status, error.startswith(f"error: {name}: {told}")) == (65, True)
    assert how in hint


@pytest.mark.parametrize(
    "rows",
    [
        "1,lock,,,email.*,off\n1,user,7,,email.created,on\n",
        "1,user,7,,email.created,on\n1,lock,,,email.*,off\n",
    ],
    ids=["the lock first", "the lock last"],
)
def test_a_document_may_hold_a_lock_and_what_was_set_before_it(desk: Notifycli, rows: str) -> None:
    desk.ok("prefs", "import", "-", stdin=(HEAD + rows).encode())
    assert found(desk, "email.created", "-u", "7") == ("off", "lock")
    desk.ok("prefs", "unset", "email.*", "--lock")
    assert found(desk, "email.created", "-u", "7") == ("on", "user")


BAD = [
    pytest.param(
        "1,usr,7,,audio,all\n", ["team.csv:2: ", "usr", "user"], id="a layer that is none"
    ),
    pytest.param("1,,7,,audio,all\n", ["team.csv:2: ", "layer"], id="no layer"),
    pytest.param("1,builtin,,,audio,all\n", ["team.csv:2: ", "builtin"], id="the builtin layer"),
    pytest.param(
        "1,user,,,audio,all\n", ["team.csv:2: ", "user"], id="a user layer without a user"
    ),
    pytest.param(
        "1,inbox,,3,audio,all\n", ["team.csv:2: ", "user"], id="an inbox layer without a user"
    ),
    pytest.param(
        "1,inbox,7,,audio,all\n", ["team.csv:2: ", "inbox"], id="an inbox layer without an inbox"
    ),
    pytest.param(
        "1,inbox,7,x,audio,all\n", ["team.csv:2: ", "'x'"], id="an inbox that is no number"
    ),
    pytest.param("1,lock,7,,audio,all\n", ["team.csv:2: ", "user"], id="a lock of one user"),
    pytest.param(
        "1,default,,3,audio,all\n", ["team.csv:2: ", "inbox"], id="a default of one inbox"
    ),
    pytest.param(
        "1,user,7,3,audio,all\n", ["team.csv:2: ", "inbox"], id="a user layer with an inbox"
    ),
    pytest.param(
        "x,user,7,,audio,all\n", ["team.csv:2: ", "'x'"], id="an account that is no number"
    ),
    pytest.param(
        "5,user,7,,audio,all\n", ["team.csv:2: ", "account 5"], id="a user of an unknown account"
    ),
    pytest.param(
        "1,user,jnae@example.com,,audio,all\n",
        ["team.csv:2: ", "jane@example.com"],
        id="an unknown user",
    ),
    pytest.param(
        "1,user,7,,adio,all\n", ["team.csv:2: ", "did you mean audio"], id="an unknown key"
    ),
    pytest.param("1,user,7,,,all\n", ["team.csv:2: "], id="no key"),
    pytest.param(
        "1,user,7,,audio,assignd\n", ["team.csv:2: ", "did you mean assigned"], id="a bad value"
    ),
    pytest.param("1,user,7,,audio,\n", ["team.csv:2: "], id="no value"),
    pytest.param("1,user,7\n", ["team.csv:2: "], id="too few fields"),
    pytest.param("1,user,7,,audio,all,\n", ["team.csv:2: "], id="too many fields"),
    pytest.param(
        "1,user,7,,audio,all\n1,user,7,,adio,x\n", ["team.csv:3: ", "adio"], id="the second row"
    ),
    pytest.param(
        "1,user,7,,audio,loud\n1,user,8,,audio,all\n1,usr,8,,audio,all\n\n5,user,9,,audio,all\n",
        ["team.csv:2: ", "team.csv:4: ", "team.csv:6: "],
        id="each bad row is told with its own line",
    ),
    pytest.param(
        '1,user,7,,audio,all\n1,default,,,"audio,all\n',
        ["team.csv:3: "],
        id="a quote that is not closed",
    ),
    pytest.param(
        "1,inbox,7,0,audio,all\n",
        ["team.csv:2: ", "inbox"],
        id="inbox 0",
    ),
    pytest.param(
        "0,default,,,audio,all\n",
        ["team.csv:2: ", "account"],
        id="account 0",
    ),
    pytest.param(
        "1,inbox,7,99999999999999999999,audio,all\n",
        ["team.csv:2: ", "inbox"],
        id="an inbox that no store can hold",
    ),
]


@pytest.mark.parametrize(("rows", "told"), BAD)
def test_a_bad_row_is_named_and_nothing_is_stored(
    desk: Notifycli, rows: str, told: list[str]
) -> None:
    before = everything(desk)
    result = desk("prefs", "import", desk.write("team.csv", HEAD + rows))
    assert (result.status, result.stdout) == (65, b"")
    assert [text for text in told if text not in result.stderr] == []
    assert "Traceback" not in result.stderr
    assert everything(desk) == before


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(b"layer,key\nuser,audio\n", id="columns missing"),
        pytest.param(b"account,layer,user,inbox,key,value,more\n", id="a column too many"),
        pytest.param(b"1,user,7,,audio,all\n", id="no columns named"),
        pytest.param(HEAD.encode() + b"1,user,7,,audio,\xff\n", id="bytes that are no UTF-8"),
    ],
)
def test_what_is_no_such_csv_is_65(desk: Notifycli, text: bytes) -> None:
    before = everything(desk)
    result = desk("prefs", "import", desk.write("team.csv", text))
    assert (result.status, result.stdout) == (65, b"")
    assert "team.csv:" in result.stderr
    assert "Traceback" not in result.stderr
    assert everything(desk) == before


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_can_not_be_read_is_66(desk: Notifycli, name: str) -> None:
    result = desk("prefs", "import", name)
    assert (result.status, result.stdout) == (66, b"")
    assert f"{name}: " in result.stderr


def test_a_row_that_a_lock_forbids_is_77_and_nothing_is_stored(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "email.mention=off", "--lock")
    before = everything(desk)
    rows = "1,user,8,,audio,all\n1,user,8,,email.mention,on\n"
    result = desk("prefs", "import", "-", stdin=(HEAD + rows).encode())
    assert (result.status, result.stdout) == (77, b"")
    assert MENTION in result.stderr
    assert everything(desk) == before


def test_each_row_that_a_lock_forbids_is_named_with_its_place(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "email.*=off", "--lock")
    rows = "1,user,8,,email.mention,on\n1,user,8,,audio,all\n1,user,9,,email.created,on\n"
    result = desk("prefs", "import", "-", stdin=(HEAD + rows).encode())
    assert result.status == 77
    assert "<stdin>:2: " in result.stderr
    assert "<stdin>:4: " in result.stderr


def test_control_characters_of_a_bad_row_never_reach_standard_error(desk: Notifycli) -> None:
    rows = "1,user,a\x1b[2J,,audio,all\n1,user,7,,a\x1bb,all\n1,user,7,,audio,a\x9bb\n"
    result = desk("prefs", "import", "-", stdin=(HEAD + rows).encode())
    assert result.status == 65
    assert [char for char in result.stderr if not char.isprintable() and char != "\n"] == []
