"""Terminals and pipes: tables and colour on the one, plain records on the other."""

from __future__ import annotations

import fcntl
import gzip
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest
from rich.cells import cell_len

from notifycli.cli.session import CONNECT
from notifycli.delivery.email_message import BUILTIN
from notifycli.rules.notifications import TYPES
from tests.conftest import Notifycli, Program, lines

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")
LONGEST_SECONDS = 60
LONG = "a.rather.long.name.of.a.person@support.department.example.com"
DAY = [
    {
        "event": "conversation_created",
        "account": {"id": 1},
        "id": id_,
        "inbox_id": 3,
        "created_at": 1772541957 + 3600 * id_,
    }
    for id_ in range(1, 61)
]


@pytest.fixture
def day(desk: Notifycli) -> Notifycli:
    desk.ok(
        "directory", "import", "-", stdin=f'{{"users": [{{"id": 8, "email": "{LONG}"}}]}}'.encode()
    )
    desk.ok("prefs", "set", "email.created=on", "-u", "7")
    desk.write_events("day.jsonl", DAY)
    return desk


def shown_lines(shown: bytes) -> list[str]:
    """What was on the terminal, a line each; a bar that was drawn over counts each time."""
    return re.split("[\r\n]+", ESCAPE.sub("", shown.decode()))


COMMANDS = [
    pytest.param(["user", "list"], ["jane@example.com", "administrator"], id="user list"),
    pytest.param(["user", "show", "7"], ["jane@example.com", "agent"], id="user show"),
    pytest.param(["inbox", "list"], ["Website", "7 8"], id="inbox list"),
    pytest.param(["team", "list"], ["Support"], id="team list"),
    pytest.param(["prefs", "list", "-u", "7"], ["audio.tone", "ding", "builtin"], id="prefs list"),
    pytest.param(["simulate", "day.jsonl", "-q"], ["email.created"], id="simulate -q"),
    pytest.param(["simulate", "day.jsonl", "-q", "--explain"], ["disabled"], id="--explain"),
    pytest.param(["simulate", "day.jsonl", "--summary"], ["60", "█"], id="simulate --summary"),
]


@pytest.mark.parametrize(("command", "told"), COMMANDS)
def test_a_terminal_of_80_columns_gets_a_table_that_fits(
    day: Notifycli, program: Program, command: list[str], told: list[str]
) -> None:
    assert day.folder == program.folder
    result = program.on_terminal(*command)
    rows = shown_lines(result.stdout)
    assert result.status == 0
    assert max(map(cell_len, rows)) <= 80
    assert [text for text in told if text not in "\n".join(rows)] == []
    assert [row for row in rows if row.startswith("{")] == []


POLICY = """\
[default]
"email.assigned_conversation_new_message" = "on"
"push.participating_conversation_new_message" = "on"
[lock]
quiet_hours = "22:00-07:00 Europe/Berlin mon-fri"
"""
TABLES = {
    "prefs list email.message quiet_hours -u 7 -u 9": [
        "User Key Value Origin Locked",
        "jane@example.com email.message off builtin no",
        "jane@example.com quiet_hours off builtin no",
        "root@example.com email.message off builtin no",
        "root@example.com quiet_hours off builtin no",
    ],
    "prefs list push.participating --default": [
        "Key Value Origin Locked",
        "push.participating off builtin no",
    ],
    "prefs preset show mine": ["Key Value", "push.sla_resolution on"],
    "prefs drift policy.toml -u 7": [
        "Whose Layer Key Is Should be Origin",
        "jane@example.com default email.message off on builtin",
        "jane@example.com default push.participating off on builtin",
        "jane@example.com lock quiet_hours off 22:00-07:00 builtin",
        *("Europe/Berlin", "mon-fri"),
    ],
    "prefs diff policy.toml --no-progress": [
        "Whose Layer Key Old New",
        "account 1 default email.message - on",
        "account 1 default push.participating - on",
        "account 1 lock quiet_hours - 22:00-07:00 Europe/Berlin mon-fri",
    ],
    "prefs history --key email.created": [
        "Id At (UTC) By What",
        "3 TIME tester: prefs set jane@example.com, user",
        "email.created: - → on",
    ],
    "email templates -q": [
        "Template Origin",
        *(f"{row.type}.txt builtin" for row in TYPES),
        "digest.txt builtin",
        "layout.txt builtin",
        "layout.html builtin",
    ],
}


@pytest.mark.parametrize(("command", "rows"), TABLES.items(), ids=TABLES)
def test_a_table_of_80_columns_has_short_names_and_breaks_none(
    day: Notifycli, program: Program, command: str, rows: list[str]
) -> None:
    day.write("policy.toml", POLICY)
    day.ok("prefs", "preset", "save", "mine", "push.sla_resolution=on")
    shown = shown_lines(program.on_terminal(*command.split()).stdout)
    told = [" ".join(row.split()) for row in shown if row.strip("─ ")]
    assert [re.sub("[0-9-]{10} [0-9:]{5}", "TIME", row) for row in told] == rows


def test_a_wider_terminal_breaks_no_value_either(day: Notifycli, program: Program) -> None:
    day.write("policy.toml", POLICY)
    shown = program.on_terminal("prefs", "drift", "policy.toml", "-u", "7", columns=120).stdout
    assert "22:00-07:00 Europe/Berlin mon-fri" in shown.decode()


def test_a_folder_of_templates_is_told_once_on_a_terminal(program: Program) -> None:
    shown = program.on_terminal("email", "templates").stdout.decode()
    assert re.findall(r"(?m)^\S.*\S", shown.replace("\r", "")) == [f"builtin: {BUILTIN}"]


NOTHING = [
    ("inbox list", f"no inboxes yet; {CONNECT}; or add one: notifycli inbox add ID"),
    ("team list", f"no teams yet; {CONNECT}; or add one: notifycli team add ID"),
    ("token list", "no tokens yet; make one: notifycli token generate"),
    ("push list", "no browser is subscribed yet; in the browser: notifycli push subscribe"),
    ("prefs history", "no such change of a preference is on record"),
    ("deliver status", "the outbox is empty: notifycli deliver EVENTS fills it"),
    ("deliver retry --all", "nothing to try again: see notifycli deliver status"),
    ("deliver --pending --no-progress", "nothing to send"),
    ("directory learn empty", "nothing learned: no event names an agent or an inbox"),
    ("simulate empty -q", ""),
    ("simulate empty --no-progress", "nothing fired: there were no events"),
    ("simulate empty --no-progress --set audio=all --diff", "no difference"),
]


@pytest.mark.parametrize(("command", "note"), NOTHING, ids=[command for command, _ in NOTHING])
def test_a_list_of_nothing_has_no_head_on_a_terminal_and_a_note_what_to_do(
    program: Program, command: str, note: str
) -> None:
    (program.folder / "empty").touch()
    result = program.on_terminal(*command.split())
    assert " ".join(filter(None, shown_lines(result.stdout))) == note


def test_a_list_of_no_users_names_the_ways_and_is_broken_between_words(
    program: Program,
) -> None:
    assert [line for line in shown_lines(program.on_terminal("user", "list").stdout) if line] == [
        "no users yet; connect your Chatwoot: notifycli chatwoot login URL; learn them:",
        "notifycli directory learn EVENTS; or add one with the id of Chatwoot:",
        "notifycli user add EMAIL --id N",
    ]


@pytest.mark.parametrize("options", [[], ["--explain"]], ids=["fired", "explained"])
def test_the_progress_bar_does_not_spoil_the_table(
    day: Notifycli, program: Program, options: list[str]
) -> None:
    assert day.store.exists()
    rows = shown_lines(program.on_terminal("simulate", "day.jsonl", *options).stdout)
    assert max(map(cell_len, rows)) <= 80


@pytest.mark.parametrize(("command", "told"), COMMANDS)
def test_a_pipe_gets_json_lines_without_colour(
    day: Notifycli, command: list[str], told: list[str]
) -> None:
    assert told
    result = day.ok(*command, environment={"FORCE_COLOR": "1"})
    assert result.records
    assert b"\x1b" not in result.stdout


def test_a_terminal_has_colour(day: Notifycli, program: Program) -> None:
    assert day.store.exists()
    result = program.on_terminal("simulate", "day.jsonl", "--explain")
    assert COLOUR.search(result.stdout.decode())


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        pytest.param(["--no-color"], {}, id="--no-color"),
        pytest.param([], {"NO_COLOR": "1"}, id="NO_COLOR"),
        pytest.param([], {"TERM": "dumb"}, id="a dumb terminal"),
        pytest.param(["--no-color"], {"FORCE_COLOR": "1"}, id="--no-color beats FORCE_COLOR"),
    ],
)
@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after it"])
def test_no_colour_where_none_is_wanted(
    day: Notifycli,
    program: Program,
    options: list[str],
    environment: dict[str, str],
    before: bool,
) -> None:
    assert day.store.exists()
    command = ["simulate", "day.jsonl", "--explain"]
    given = [*options, *command] if before else [*command, *options]
    result = program.on_terminal(*given, environment=environment)
    assert result.status == 0
    assert not COLOUR.search(result.stdout.decode())


@pytest.mark.parametrize("columns", [60, 100])
def test_a_dumb_terminal_is_filled_as_wide_as_it_is(
    day: Notifycli, program: Program, columns: int
) -> None:
    assert day.store.exists()
    shown = program.on_terminal(
        *("simulate", "day.jsonl", "--summary"), columns=columns, environment={"TERM": "dumb"}
    )
    assert columns - 5 < max(map(cell_len, shown_lines(shown.stdout))) <= columns


def test_get_prints_just_the_value_on_a_terminal_too(day: Notifycli, program: Program) -> None:
    assert day.store.exists()
    assert program.on_terminal("prefs", "get", "audio", "-u", "7").stdout == b"none\r\n"


def test_a_format_that_was_asked_for_is_given_to_a_terminal(
    day: Notifycli, program: Program
) -> None:
    assert day.store.exists()
    shown = program.on_terminal("user", "list", "-o", "csv").stdout
    assert shown.splitlines()[:2] == [b"id,email,name,role", b"7,jane@example.com,Jane,agent"]


def test_a_table_that_was_asked_for_is_given_to_a_pipe_without_colour(day: Notifycli) -> None:
    shown = day.ok("simulate", "day.jsonl", "--explain", "-o", "table").stdout
    assert b"jane@example.com" in shown or b"jane@example.co" in shown
    assert b"\x1b" not in shown


def test_summary_has_a_map_of_hours_by_weekday(day: Notifycli, program: Program) -> None:
    assert day.store.exists()
    shown = "\n".join(shown_lines(program.on_terminal("simulate", "day.jsonl", "--summary").stdout))
    days = ("mo", "tu", "we", "th", "fr", "sa", "su")
    assert [day_ for day_ in days if not re.search(rf"\b{day_}", shown, re.IGNORECASE)] == []


def test_a_progress_bar_goes_to_standard_error_and_leaves_the_records_alone(
    day: Notifycli,
) -> None:
    plain = day.ok("simulate", "day.jsonl", "--no-progress")
    with_bar = day.ok("simulate", "day.jsonl", "--progress")
    assert with_bar.stdout == plain.stdout
    assert len(with_bar.stderr) > len(plain.stderr)


CONTROLS = "\x1b[2J\x1b]0;owned\x07\x9b2J\x7f\u202e"


@pytest.mark.parametrize("command", [["user", "list"], ["simulate", "day.jsonl", "--explain"]])
def test_names_learnt_from_events_can_not_command_the_terminal(
    desk: Notifycli, program: Program, command: list[str]
) -> None:
    event = {
        "event": "message_created",
        "account": {"id": 1},
        "id": 5,
        "inbox": {"id": 3, "name": f"In{CONTROLS}"},
        "conversation": {"id": 1, "inbox_id": 3},
        "content": f"Hi {CONTROLS}",
        "message_type": "outgoing",
        "sender": {"id": 77, "type": "user", "name": f"Eve{CONTROLS}", "email": f"{CONTROLS}@e.e"},
    }
    desk.write_events("day.jsonl", [event])
    desk.ok("directory", "learn", "day.jsonl")
    shown = program.on_terminal(*command).stdout.decode()
    assert "77" in shown or "root@example" in shown
    assert [c for c in ESCAPE.sub("", shown) if not c.isprintable() and c not in "\r\n"] == []
    assert "\x1b[2J" not in shown


@pytest.fixture
def long_day(day: Notifycli) -> Notifycli:
    """A day that fills more than a pipe holds."""
    day.write("day.jsonl", lines({**DAY[0], "id": number} for number in range(1, 4001)))
    return day


PIPES = [
    pytest.param("simulate day.jsonl | head -n 1", id="simulate, after a line"),
    pytest.param("simulate day.jsonl -o json | head -n 1", id="as JSON"),
    pytest.param("simulate day.jsonl -o csv | head -n 1", id="as CSV"),
    pytest.param("simulate day.jsonl | true", id="simulate, at once"),
    pytest.param("simulate day.jsonl --summary | true", id="summary"),
    pytest.param("user list | true", id="user list"),
    pytest.param("prefs get audio -u 7 | true", id="prefs get"),
    pytest.param("directory export | true", id="directory export"),
    pytest.param("user list -o table | true", id="a table"),
    pytest.param("--help | true", id="help"),
]


@pytest.mark.parametrize("pipeline", PIPES)
def test_a_reader_that_goes_away_ends_the_program_quietly(
    long_day: Notifycli, program: Program, pipeline: str
) -> None:
    assert long_day.store.exists()
    result = program.shell(f"notifycli {pipeline} > /dev/null; echo ${{PIPESTATUS[0]}}")
    assert (result.stdout, result.stderr) in ((b"0\n", ""), (b"141\n", ""))


def test_a_reader_of_the_errors_that_goes_away_never_makes_half_an_answer_a_whole_one(
    day: Notifycli, program: Program
) -> None:
    day.write("bad.jsonl", b"{\n" + lines(DAY))
    theirs, ours = os.pipe()
    os.close(theirs)
    done = subprocess.run(
        program.command("simulate", "bad.jsonl"),
        stdout=subprocess.PIPE,
        stderr=ours,
        check=False,
        cwd=program.folder,
        timeout=LONGEST_SECONDS,
    )
    os.close(ours)
    assert (done.returncode != 0, len(done.stdout.splitlines())) == (True, len(DAY))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize(
    "command",
    [
        *("simulate day.jsonl", "simulate day.jsonl --summary -o table", "user list -o table"),
        *("--help", "user --help", "--version"),
    ],
)
def test_output_to_a_full_disk_is_an_error_that_says_so(
    long_day: Notifycli, program: Program, command: str
) -> None:
    assert long_day.store.exists()
    result = program.shell(f"notifycli {command} > /dev/full")
    assert result.status == 75
    assert "output can't be written: No space left on device" in result.stderr


@pytest.mark.parametrize(
    ("command", "span"),
    [
        ("simulate", ""),
        ("why -u 7 --since tuesday", " --since tuesday"),
        ("simulate --until=2026-03-03 --explain", " --until=2026-03-03"),
    ],
)
def test_where_nobody_can_pipe_events_it_says_where_they_are(
    long_day: Notifycli, program: Program, command: str, span: str
) -> None:
    assert long_day.store.exists()
    result = program.shell(f"notifycli {command} < /dev/null")
    told = f"ask your Chatwoot: notifycli chatwoot history{span} | notifycli {command}\n"
    assert (result.status, told in result.stderr) == (0, True)


def test_a_closed_standard_input_is_input_that_can_not_be_read(program: Program) -> None:
    result = program.shell("notifycli simulate <&-")
    assert result.status == 66
    assert "unexpected" not in result.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_still_gets_a_table(
    day: Notifycli, program: Program, encoding: str
) -> None:
    assert day.store.exists()
    result = program(
        *("simulate", "day.jsonl", "--explain", "-o", "table"),
        environment={"PYTHONIOENCODING": encoding},
    )
    assert result.status == 0


def test_an_interrupt_ends_the_program_without_a_traceback(program: Program) -> None:
    with started(program, "simulate") as process:
        feed(process, b"\n")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode in {130, -signal.SIGINT}
    assert b"Traceback" not in told


def test_an_interrupt_leaves_the_line_that_it_was_typed_on(program: Program) -> None:
    terminal, theirs = pty.openpty()
    with started(program, "simulate", "-q", stderr=theirs) as process:
        os.close(theirs)
        feed(process, b"\n")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONGEST_SECONDS)
    assert os.read(terminal, 100) == b"\r\n"
    os.close(terminal)


def test_gzip_is_known_when_its_first_byte_comes_alone(day: Notifycli, program: Program) -> None:
    assert day.store.exists()
    packed = gzip.compress(lines(DAY))
    with started(program, "simulate") as process:
        feed(process, packed[:1])
        shown, _ = process.communicate(packed[1:], timeout=LONGEST_SECONDS)
    assert (process.returncode, len(shown.splitlines())) == (0, len(DAY))


def started(
    program: Program, *arguments: str, stderr: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program.command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=program.folder,
        env=dict(os.environ),
    )


def feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write to the program's standard input, and wait until it was read."""
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()
    deadline = time.monotonic() + LONGEST_SECONDS
    while struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)))[0]:
        assert time.monotonic() < deadline, "the program does not read its input"
        time.sleep(0.01)


def test_a_command_that_is_suggested_is_never_broken(day: Notifycli, program: Program) -> None:
    day.ok("prefs", "unset", "email.created", "-u", "7")
    told = program.on_terminal("simulate", "day.jsonl", "--no-progress").stdout
    suggested = "notifycli prefs set email.created=on --default"
    assert shown_lines(told)[-3:] == [
        "nothing fired: everything is switched off; switch on:",
        suggested,
        "",
    ]
    day.ok(*suggested.split()[1:])


def test_a_note_is_broken_between_words(day: Notifycli, program: Program) -> None:
    assert day.store.exists()
    told = program.on_terminal("prefs", "set", "audio=all", "-u", "7", columns=40).stdout
    assert told == b"1 preference changed for\r\njane@example.com in account 1\r\n"


AWAITED = "reading standard input; end it with Ctrl-D"
WAITING = [
    pytest.param("simulate -", b"", "nothing fired: there were no events", id="nothing"),
    pytest.param("simulate -", lines(DAY[:1]), "email.created", id="simulate -"),
    pytest.param("simulate day.jsonl --expect -", b"", "0 as expected", id="--expect -"),
    pytest.param("simulate day.jsonl --prefs -", b"", "email.created", id="--prefs -"),
    pytest.param("why -u 7 -", lines(DAY[:1]), "1 notification", id="why -"),
    pytest.param("deliver --dry-run -", b"", "", id="deliver -"),
    pytest.param(
        "prefs import - --format toml", b"[default]\n", "0 preferences", id="prefs import -"
    ),
    pytest.param("prefs diff - --format toml", b"", "", id="prefs diff -"),
    pytest.param("prefs drift -", b"", "nobody differs", id="prefs drift -"),
    pytest.param("directory import -", b"{}\n", "1 inbox", id="directory import -"),
    pytest.param("directory learn -", b"", "", id="directory learn -"),
    pytest.param("test -", b"", "scenario", id="test -"),
]


@pytest.mark.parametrize(("command", "typed", "told"), WAITING)
def test_one_ctrl_d_ends_what_is_typed_and_the_wait_is_told_first(
    day: Notifycli, program: Program, command: str, typed: bytes, told: str
) -> None:
    assert day.store.exists()
    result = program.on_terminal(*command.split(), typed=typed + b"\x04")
    shown = shown_lines(result.stdout)
    assert result.status != -signal.SIGKILL
    assert shown.count(AWAITED) == 1
    assert told in "\n".join(shown[shown.index(AWAITED) :])


class TestPager:
    """What is longer than the terminal is shown by a pager, where one is named."""

    PAGER = "sed s/^/paged:/"

    @pytest.mark.parametrize(
        ("command", "environment", "paged"),
        [
            pytest.param(["prefs", "explain"], {"PAGER": PAGER}, True, id="what is long is paged"),
            pytest.param(["user", "list"], {"PAGER": PAGER}, False, id="what fits is not"),
            pytest.param(
                ["prefs", "explain"],
                {"PAGER": "false", "NOTIFYCLI_PAGER": PAGER},
                True,
                id="NOTIFYCLI_PAGER is asked before PAGER",
            ),
            pytest.param(
                ["prefs", "explain"],
                {"PAGER": PAGER, "NOTIFYCLI_PAGER": "cat"},
                False,
                id="cat is no pager",
            ),
            pytest.param(
                ["prefs", "explain"],
                {"PAGER": "no-such-pager -x"},
                False,
                id="a missing one is done without",
            ),
        ],
    )
    def test_on_a_terminal(
        self,
        desk: Notifycli,
        program: Program,
        command: list[str],
        environment: dict[str, str],
        paged: bool,
    ) -> None:
        assert desk.folder == program.folder
        result = program.on_terminal(*command, environment=environment)
        rows = [row for row in shown_lines(result.stdout) if row]
        assert (result.status, len(rows) > 1) == (0, True)
        assert {row.startswith("paged:") for row in rows} == {paged}

    def test_never_in_a_pipe(self, desk: Notifycli) -> None:
        result = desk.ok("prefs", "explain", "-o", "table", environment={"PAGER": self.PAGER})
        assert b"paged:" not in result.stdout
        assert result.stdout.count(b"\n") > 50


def test_an_error_is_folded_between_words_on_a_terminal(desk: Notifycli, program: Program) -> None:
    assert desk.folder == program.folder
    result = program.on_terminal("prefs", "set", "email.mention=maybe", columns=44)
    rows = shown_lines(result.stdout)
    assert max(map(len, rows)) < 44
    piped = desk("prefs", "set", "email.mention=maybe").stderr
    assert " ".join(" ".join(rows).split()) == " ".join(piped.split())


@pytest.mark.parametrize(("columns", "widest"), [(60, 60), (110, 110), (300, 120)])
def test_help_is_as_wide_as_the_terminal_up_to_what_can_be_read(
    notifycli: Notifycli, columns: int, widest: int
) -> None:
    shown = notifycli.ok("simulate", "--help", environment={"COLUMNS": str(columns)}).stdout
    told = shown.decode().partition("Examples:")[0]
    assert widest - 15 < max(map(len, told.splitlines())) <= widest
