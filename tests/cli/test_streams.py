"""Standard input, output and error: closed, or in an encoding that hasn't our signs."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.conftest import Notifycli, Program

EVENT = {
    "event": "conversation_created",
    "account": {"id": 1},
    "id": 1,
    "inbox_id": 3,
    "created_at": 1772541957,
}


@pytest.fixture
def day(desk: Notifycli) -> Notifycli:
    desk.ok("prefs", "set", "email.created=on", "-u", "7")
    desk.write_events("day.jsonl", [EVENT])
    return desk


SILENT = "prefs set audio=all -u 8"
PRINTS = ["user list", "user list -o table", "prefs list -u 7", "prefs get audio -u 7"]
PRINTS += ["simulate day.jsonl", "simulate day.jsonl --explain -o table", "directory export"]
PRINTS += ["simulate day.jsonl --summary -o table", "why day.jsonl -u 7 -o table"]
READS = ["simulate", "why -u 7", "directory import -", "prefs import - --format toml", "test -"]
READS += ["push add -u 7", "deliver --dry-run -"]


@pytest.mark.parametrize("command", [SILENT, *PRINTS])
def test_a_closed_standard_error_or_input_takes_nothing_from_an_answer(
    day: Notifycli, command: str
) -> None:
    expected = day(*command.split())
    assert expected.status == 0

    for closed in (["stdin"], ["stderr"], ["stdin", "stderr"]):
        answer = day(*command.split(), closed=closed)
        assert (answer.status, answer.stdout) == (0, expected.stdout)


@pytest.mark.parametrize("command", ["user show 99", "nonsense", "simulate missing.jsonl"])
def test_an_error_keeps_its_status_where_standard_error_is_closed(
    day: Notifycli, command: str
) -> None:
    status = day(*command.split()).status
    assert status in {2, 66}
    assert day(*command.split(), closed=["stdin", "stdout", "stderr"]).status == status


def test_a_reader_of_standard_error_that_has_gone_away_changes_no_status(
    day: Notifycli, program: Program
) -> None:
    day.write("bad.jsonl", b"{\n{\n")
    receiver, sender = os.pipe()
    os.close(receiver)
    environment = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    done = subprocess.run(
        program.command("simulate", "bad.jsonl"),
        cwd=day.folder,
        check=False,
        env=environment,
        stderr=sender,
    )
    os.close(sender)
    assert done.returncode == 65


@pytest.mark.parametrize("command", PRINTS)
def test_an_answer_that_has_nowhere_to_go_is_75(day: Notifycli, command: str) -> None:
    answer = day(*command.split(), closed=["stdout"])
    assert (answer.status, answer.stderr) == (75, "error: standard output is closed\n")


@pytest.mark.parametrize("command", READS)
def test_input_that_is_closed_is_66(day: Notifycli, command: str) -> None:
    answer = day(*command.split(), closed=["stdin"])
    assert answer.status == 66
    assert answer.stderr.startswith("error: standard input is closed\n")


@pytest.mark.parametrize("redirection", ["2>&-", "<&-", ">&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_a_change_is_stored_whatever_is_closed(
    desk: Notifycli, program: Program, redirection: str
) -> None:
    result = program.shell(f"notifycli prefs set audio=all -u 7 {redirection}; echo $?")
    assert result.stdout == b"0\n"
    assert desk.ok("prefs", "get", "audio", "-u", "7").stdout == b"all\n"
    # Nothing was written into what might have been opened in the place of the closed stream.
    with closing(sqlite3.connect(desk.store)) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_no_file_takes_the_place_of_a_closed_stream(program: Program) -> None:
    listing = "import os; from notifycli.cli.terminal import prepare_streams; prepare_streams(); "
    listing += "os.open('/dev/zero', os.O_RDONLY); print(os.readlink('/proc/self/fd/2'))"
    result = program.shell(f'"{sys.executable}" -c "{listing}" <&- 2>&-')
    assert (result.status, result.stdout) == (0, b"/dev/null\n")


ENCODINGS = ["ascii", "latin-1", "cp1252", "cp437"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", PRINTS)
def test_every_table_can_be_written_in_every_encoding(
    day: Notifycli, command: str, encoding: str
) -> None:
    answer = day(*command.split(), encoding=encoding)
    assert (answer.status, answer.stdout.decode(encoding).count("?")) == (0, 0)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_fires_and_what_does_not_differ_without_the_signs_for_it(
    day: Notifycli, encoding: str
) -> None:
    wide = {"COLUMNS": "120"}
    explained = ["simulate", "day.jsonl", "--explain", "-o", "table"]
    shown = day.ok(*explained, encoding=encoding, environment=wide).stdout
    told = [" ".join(row.split()[-4:]) for row in shown.decode(encoding).splitlines()]
    assert [row for row in told if "fires" in row or "builtin" in row] == [
        "email.created yes fires (user)",
        "push.created no disabled (builtin)",
        "email.created no disabled (builtin)",
        "push.created no disabled (builtin)",
    ]


def test_columns_stay_straight_where_a_sign_is_spelt_out(desk: Notifycli) -> None:
    desk.ok("user", "add", "zoe@example.com", "--id", "10", "--name", "Zoë → 日本 ✓")
    shown = desk.ok("user", "list", "-o", "table", encoding="ascii").stdout.decode("ascii")
    roles = [re.search("agent|administrator", row) for row in shown.splitlines()]
    assert len({role.start() for role in roles if role}) == 1
    assert "Zoe -> ?? yes" in shown


def test_bars_and_the_map_are_drawn_in_ascii(day: Notifycli) -> None:
    shown = day.ok("simulate", "day.jsonl", "--summary", "-o", "table", encoding="ascii").stdout
    rows = shown.decode("ascii").splitlines()
    assert [row for row in rows if row.startswith("email ") and row.endswith("#")]
    assert [row for row in rows if row.startswith("Tue") and "##" in row and ".." in row]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_error_is_told_in_every_encoding(desk: Notifycli, encoding: str) -> None:
    told = desk("prefs", "list", "-u", "Zoë → ✓", encoding=encoding)
    assert told.status == 2
    assert told.stderr.startswith("error: account 1 has no user 'Zo")
    assert "\\u" not in told.stderr


def test_records_are_utf_8_whatever_the_encoding_of_the_terminal(desk: Notifycli) -> None:
    desk.ok("user", "add", "zoe@example.com", "--id", "10", "--name", "Zoë ✓")
    shown = desk.ok("user", "show", "10", "-o", "json", encoding="ascii").stdout
    assert json.loads(shown)[0]["name"] == "Zoë ✓"
