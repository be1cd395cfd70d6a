"""Formats for spreadsheets, and files that are written as a whole."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.conftest import Notifycli, Program

SCENARIOS = Path(__file__).parent.parent.parent / "examples" / "scenarios"
NAMES = [
    "=cmd|'/c calc'!A1",
    "+1 555",
    "-2+3",
    "@SUM(A1)",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "Jane = boss",
    "'quoted",
]


@pytest.fixture
def named(notifycli: Notifycli) -> Notifycli:
    for id_, name in enumerate(NAMES, 1):
        notifycli.ok("user", "add", f"u{id_}@example.com", "--id", str(id_), "--name", name)
    return notifycli


@pytest.mark.parametrize(("chosen", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_a_formula_is_text_to_a_spreadsheet_if_that_is_asked_for(
    named: Notifycli, chosen: str, delimiter: str
) -> None:
    def names(*options: str) -> list[str]:
        shown = named.ok("user", "list", "-o", chosen, *options).stdout.decode()
        rows = csv.DictReader(io.StringIO(shown), delimiter=delimiter)
        return [row["name"] for row in rows]

    assert names() == NAMES
    assert names("--csv-safe") == [*(f"'{name}" for name in NAMES[:5]), *NAMES[5:]]


def test_other_formats_need_no_protection(named: Notifycli) -> None:
    assert [row["name"] for row in named.ok("user", "list", "--csv-safe").records] == NAMES


@pytest.mark.parametrize(
    ("document", "command", "rows"),
    [
        (
            {"users": [{"id": 2, "confirmed": False}, {"id": 3, "permissions": ["a", "b"]}]},
            "user list",
            [
                "id,email,name,role,confirmed,permissions",
                "1,u1@example.com,,agent,,",
                "2,,,agent,false,",
                "3,,,agent,,a b",
            ],
        ),
        (
            {"users": [{"id": 2, "confirmed": False}]},
            "user list",
            ["id,email,name,role,confirmed", "1,u1@example.com,,agent,", "2,,,agent,false"],
        ),
        (
            {"inboxes": [{"id": 3, "name": "A"}, {"id": 4, "name": "B", "bot": True}]},
            "inbox list",
            ["id,name,members,bot", "3,A,,", "4,B,,true"],
        ),
    ],
)
@pytest.mark.parametrize("chosen", ["csv", "tsv"])
def test_a_list_has_each_column_that_any_of_its_rows_has(
    notifycli: Notifycli,
    document: dict[str, object],
    command: str,
    rows: list[str],
    chosen: str,
) -> None:
    delimiter = {"csv": ",", "tsv": "\t"}[chosen]
    notifycli.ok("user", "add", "u1@example.com", "--id", "1")
    notifycli.ok("directory", "import", "-", stdin=json.dumps(document).encode())
    shown = notifycli.ok(*command.split(), "-o", chosen).stdout.decode()
    assert shown.splitlines() == [row.replace(",", delimiter) for row in rows]


EVENT = '{"event": "conversation_created", "account": {"id": 1}, "id": 1, "inbox_id": 3}\n'


@pytest.mark.parametrize(
    ("files", "places", "heads"),
    [
        ("one.jsonl", [(1, None)], "line,at,"),
        ("one.jsonl two.jsonl", [(1, "one.jsonl"), (1, "two.jsonl")], "line,file,at,"),
        ("one.jsonl two.jsonl --jobs 2", [(1, "one.jsonl"), (1, "two.jsonl")], "line,file,at,"),
        ("one.jsonl two.jsonl --set audio=all --diff", [], "line,at,"),
    ],
)
def test_a_decision_names_its_file_where_several_were_named(
    notifycli: Notifycli, files: str, places: list[tuple[int, str | None]], heads: str
) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--id", "7")
    notifycli.ok("prefs", "set", "email.created=on")
    notifycli.write("one.jsonl", EVENT)
    notifycli.write("two.jsonl", EVENT.replace('"id": 1, "inbox', '"id": 2, "inbox'))

    found = notifycli.ok("simulate", *files.split()).records
    assert [(one["line"], one.get("file")) for one in found] == places
    assert all(list(one)[:2] == heads.split(",")[:2] for one in found)
    assert notifycli.ok("simulate", *files.split(), "-o", "csv").stdout.decode().startswith(heads)


def test_why_names_the_file_of_a_line(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--id", "7")
    notifycli.write("one.jsonl", EVENT)
    notifycli.write("two.jsonl", EVENT.replace('"id": 1, "inbox', '"id": 2, "inbox'))

    told = notifycli.ok("why", "one.jsonl", "two.jsonl", "-o", "table").stdout.decode()
    assert "line 1 of one.jsonl · conversation_created · conversation 1" in told
    assert "line 1 of two.jsonl · conversation_created · conversation 2" in told
    assert "email.created is off (builtin); see line 1 of one.jsonl." in told


@pytest.mark.parametrize("read", ["events.jsonl", "policy.toml", "expected.jsonl", "store.db"])
@pytest.mark.parametrize("alias", [False, True], ids=["itself", "by a link"])
def test_a_report_over_what_it_is_made_of_is_refused(
    desk: Notifycli, read: str, *, alias: bool
) -> None:
    desk.write("events.jsonl", EVENT)
    desk.write("policy.toml", "[default]\naudio = 'all'\n")
    desk.write("expected.jsonl", "")
    desk.ok("user", "add", "a@example.com", "--id", "1", "--db", "store.db")
    before = (desk.folder / read).read_bytes()
    (desk.folder / "link").symlink_to(read)
    report = "link" if alias else read

    result = desk(
        *("simulate", "events.jsonl", "--prefs", "policy.toml", "--expect", "expected.jsonl"),
        *("--db", "store.db", "--report", report),
    )

    told = f"error: --report {report} would be written over what is read\n"
    assert (result.status, result.stderr) == (2, f"{told}  give it another name\n")
    assert (desk.folder / read).read_bytes() == before


@pytest.mark.parametrize(
    ("command", "written"),
    [
        ("events pack log/day.jsonl -o log/day.jsonl", "log/day.jsonl"),
        ("events pack log -o log/day.jsonl", "log/day.jsonl"),
        ("events pack log -o store.db --db store.db", "store.db"),
        ("simulate log --report log/day.jsonl", "log/day.jsonl"),
        ("test one.toml --junit one.toml", "one.toml"),
    ],
)
def test_nothing_is_written_over_what_it_is_made_of(
    desk: Notifycli, command: str, written: str
) -> None:
    (desk.folder / "log").mkdir()
    desk.write("log/day.jsonl", EVENT)
    desk.write("one.toml", next(SCENARIOS.glob("*.toml")).read_text())
    desk.ok("user", "add", "a@example.com", "--id", "1", "--db", "store.db")
    before = (desk.folder / written).read_bytes()

    result = desk(*command.split())

    assert (result.status, f" {written} would be written over" in result.stderr) == (2, True)
    assert (desk.folder / written).read_bytes() == before


def test_a_report_for_which_there_is_no_room_leaves_the_old_one(
    desk: Notifycli, program: Program
) -> None:
    desk.write("events.jsonl", EVENT)
    command = ["simulate", "events.jsonl", "--report", "page.html", "--db", "none.db"]
    desk.ok(*command)
    page = desk.folder / "page.html"
    page.chmod(0o640)
    before = page.read_bytes()

    room = len(before) // 2048
    result = program.shell(f"ulimit -f {room}; notifycli {' '.join(command)}")

    assert (result.status, "page.html: can't be written" in result.stderr) == (75, True)
    assert page.read_bytes() == before
    assert [path.name for path in desk.folder.glob(".*")] == []

    desk.ok(*command)
    assert page.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("option", ["--report", "--junit"])
def test_what_is_no_plain_file_is_written_to(desk: Notifycli, option: str) -> None:
    desk.write("events.jsonl", EVENT)
    scenario = str(next(SCENARIOS.glob("*.toml")))
    command = ["simulate", "events.jsonl"] if option == "--report" else ["test", scenario]
    result = desk(*command, option, "/dev/full")
    assert result.status == 75
    assert "/dev/full: can't be written: No space left on device" in result.stderr
