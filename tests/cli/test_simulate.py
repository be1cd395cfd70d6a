"""`notifycli simulate`: what goes in, what comes out. The rules have their own tests."""

from __future__ import annotations

import gzip
import json

import pytest

from notifycli.cli import times
from notifycli.events.timestamps import parse_moment
from tests.conftest import Json, Notifycli, Program, lines

CREATED: Json = {
    "event": "conversation_created",
    "account": {"id": 1},
    "id": 42,
    "inbox_id": 3,
    "status": "open",
    "created_at": "2026-03-03T13:05:57Z",
}
ASSIGNED: Json = {
    "event": "conversation_updated",
    "account": {"id": 1},
    "id": 42,
    "inbox_id": 3,
    "meta": {"assignee": {"id": 7, "type": "user"}},
    "changed_attributes": [{"assignee_id": {"previous_value": None, "current_value": 7}}],
    "performed_by": {"id": 9, "type": "user"},
    "updated_at": "2026-03-03T14:06:00+01:00",
}
ASKED: Json = {
    "event": "message_created",
    "account": {"id": 1},
    "id": 100,
    "content": "Where is my parcel?",
    "message_type": "incoming",
    "conversation": {"id": 42, "inbox_id": 3},
    "sender": {"id": 7, "type": "contact"},
    "created_at": 1772543220,
}
DAY = [CREATED, ASSIGNED, ASKED]
TIMES = {1: "2026-03-03T13:05:57Z", 2: "2026-03-03T13:06:00Z", 3: "2026-03-03T13:07:00Z"}
CREATION, ASSIGNMENT = "conversation_creation", "conversation_assignment"
OWN = "assigned_conversation_new_message"
EMAILS = {7: "jane@example.com", 8: "omar@example.com", 9: "root@example.com"}


@pytest.fixture
def day(desk: Notifycli) -> Notifycli:
    """A desk with a few preferences, and a day in the file day.jsonl."""
    desk.ok("prefs", "set", "email.created=on", "email.message=on", "audio=assigned", "-u", "7")
    desk.ok("prefs", "set", "push.created=on", "--default")
    desk.write_events("day.jsonl", DAY)
    return desk


def decision(  # noqa: PLR0917 - a row of a table
    line: int, user: int, type_: str, channel: str, reason: str, origin: str | None
) -> Json:
    fires = reason == "enabled"
    return {
        "line": line,
        "at": TIMES[line],
        "event": DAY[line - 1]["event"],
        "account_id": 1,
        "conversation_id": 42,
        "inbox_id": 3,
        "message_id": 100 if line == 3 else None,
        "user_id": user,
        "email": EMAILS[user],
        "type": type_,
        "channel": channel,
        "outcome": "fire" if fires else "suppress",
        "reason": reason,
        "origin": origin,
        "deliverable": channel != "push" if fires else None,
    }


EXPLAINED = [
    decision(1, 7, CREATION, "email", "enabled", "user"),
    decision(1, 7, CREATION, "push", "enabled", "default"),
    decision(1, 8, CREATION, "email", "disabled", "builtin"),
    decision(1, 8, CREATION, "push", "enabled", "default"),
    decision(2, 7, ASSIGNMENT, "email", "enabled", "builtin"),
    decision(2, 7, ASSIGNMENT, "push", "enabled", "builtin"),
    decision(3, 7, OWN, "email", "enabled", "user"),
    decision(3, 7, OWN, "push", "disabled", "builtin"),
    decision(3, 7, "new_message", "audio", "enabled", "user"),
    decision(3, 8, "new_message", "audio", "disabled", "builtin"),
    decision(3, 9, "new_message", "audio", "disabled", "builtin"),
]
FIRED = [one for one in EXPLAINED if one["outcome"] == "fire"]
NAMES = list(FIRED[0])


def test_the_fired_decisions_one_a_line_with_all_their_fields_in_order(day: Notifycli) -> None:
    result = day("simulate", "day.jsonl")
    assert (result.status, result.records) == (0, FIRED)
    assert result.stdout.splitlines()[0] == (
        b'{"line":1,"at":"2026-03-03T13:05:57Z","event":"conversation_created","account_id":1,'
        b'"conversation_id":42,"inbox_id":3,"message_id":null,"user_id":7,'
        b'"email":"jane@example.com","type":"conversation_creation","channel":"email",'
        b'"outcome":"fire","reason":"enabled","origin":"user","deliverable":true}'
    )
    assert [list(record) for record in result.records] == [NAMES] * len(FIRED)


def test_explain_gives_the_suppressed_ones_too(day: Notifycli) -> None:
    assert day.ok("simulate", "day.jsonl", "--explain").records == EXPLAINED


def test_a_replay_stores_nothing(day: Notifycli) -> None:
    before = day.store.read_bytes()
    day.ok("simulate", "day.jsonl", "--explain")
    assert day.store.read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["-"]], ids=["no file", "a dash"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_standard_input(day: Notifycli, arguments: list[str], packed: bool) -> None:
    data = gzip.compress(lines(DAY)) if packed else lines(DAY)
    assert day.ok("simulate", *arguments, stdin=data).records == FIRED


FILES = [
    pytest.param({"day.gz": gzip.compress(lines(DAY))}, id="a gzip file"),
    pytest.param({"day": gzip.compress(lines(DAY))}, id="a gzip file by another name"),
    pytest.param(
        {"day.gz": b"".join(gzip.compress(lines([event])) for event in DAY)},
        id="a gzip file of several parts",
    ),
    pytest.param({"day": lines(DAY).replace(b"\n", b"\r\n")}, id="line ends of Windows"),
    pytest.param({"day": lines(DAY).rstrip(b"\n")}, id="no last line end"),
    pytest.param({"day": b"\xef\xbb\xbf" + lines(DAY)}, id="a byte order mark"),
]


@pytest.mark.parametrize("files", FILES)
def test_a_file_in_other_dress_is_the_same_day(day: Notifycli, files: dict[str, bytes]) -> None:
    names = [day.write(name, data) for name, data in files.items()]
    assert day.ok("simulate", *names, "--explain").records == EXPLAINED


def test_blank_lines_are_passed_over_and_counted(day: Notifycli) -> None:
    blank = b"\n" + lines([CREATED]) + b"  \t\n\r\n" + lines([ASSIGNED])
    found = [record["line"] for record in day.ok("simulate", stdin=blank).records]
    assert found == [2, 2, 2, 5, 5]


def test_several_files_are_one_replay_and_lines_count_in_each(day: Notifycli) -> None:
    first = day.write_events("first.jsonl", [CREATED, ASSIGNED])
    second = day.write("second.gz", gzip.compress(lines([ASKED])))
    found = day.ok("simulate", first, second, "--explain").records
    renumbered = [
        {**one, "line": 1, "file": second} if one["line"] == 3 else {**one, "file": first}
        for one in EXPLAINED
    ]
    assert found == renumbered


FILTERS = [
    pytest.param(["-u", "8"], lambda one: one["user_id"] == 8, id="a user by id"),
    pytest.param(
        ["-u", "Omar@example.com"], lambda one: one["user_id"] == 8, id="a user by address"
    ),
    pytest.param(["-u", "8", "-u", "9"], lambda one: one["user_id"] != 7, id="two users"),
    pytest.param(["--channel", "push"], lambda one: one["channel"] == "push", id="a channel"),
    pytest.param(
        ["--channel", "email", "--channel", "audio"],
        lambda one: one["channel"] != "push",
        id="two channels",
    ),
    pytest.param(["--type", CREATION], lambda one: one["type"] == CREATION, id="a type"),
    pytest.param(["--type", "created"], lambda one: one["type"] == CREATION, id="its short name"),
    pytest.param(
        ["--type", "created", "--type", "message"],
        lambda one: one["type"] in (CREATION, OWN),
        id="two types",
    ),
    pytest.param(
        ["--type", "new_message"], lambda one: one["channel"] == "audio", id="the type of audio"
    ),
    pytest.param(["--inbox", "3"], lambda _: True, id="the inbox"),
    pytest.param(["--conversation", "42"], lambda _: True, id="the conversation"),
    pytest.param(["--conversation", "43"], lambda _: False, id="another conversation"),
    pytest.param(
        ["--since", "2026-03-03T13:06:00Z"], lambda one: one["line"] > 1, id="since, itself in"
    ),
    pytest.param(
        ["--until", "2026-03-03T13:06:00Z"], lambda one: one["line"] < 2, id="until, itself out"
    ),
    pytest.param(
        ["--since", "2026-03-03T14:06:00+01:00", "--until", "1772543220"],
        lambda one: one["line"] == 2,
        id="between, in other forms of time",
    ),
    pytest.param(
        ["-u", "7", "--channel", "email", "--type", "message"],
        lambda one: (one["user_id"], one["channel"], one["type"]) == (7, "email", OWN),
        id="all of several filters",
    ),
]


@pytest.mark.parametrize(("options", "taken"), FILTERS)
def test_filters_choose_decisions_and_the_whole_input_is_still_replayed(
    day: Notifycli, options: list[str], taken: object
) -> None:
    assert callable(taken)
    expected = [one for one in EXPLAINED if taken(one)]
    assert day.ok("simulate", "day.jsonl", "--explain", *options).records == expected


AGO = [
    pytest.param("1h", {1, 2, 3}, id="to the second, itself in"),
    pytest.param("3599s", {2, 3}, id="a second less"),
    pytest.param(" 50M ", set(), id="in capitals, after it all"),
    pytest.param("today", {1, 2, 3}, id="today"),
    pytest.param("Yesterday", {1, 2, 3}, id="yesterday"),
]


@pytest.mark.parametrize(("since", "lines_"), AGO)
def test_a_time_may_be_so_long_ago(
    day: Notifycli, monkeypatch: pytest.MonkeyPatch, since: str, lines_: set[int]
) -> None:
    monkeypatch.setattr(times, "now", lambda: parse_moment("2026-03-03T14:05:57Z"))
    found = day.ok("simulate", "day.jsonl", "--explain", "--since", since).records
    assert {one["line"] for one in found} == lines_


@pytest.mark.parametrize(("until", "count"), [("today", 0), ("yesterday", 0), ("55m", 11)])
def test_the_day_begins_at_midnight_in_utc(
    day: Notifycli, monkeypatch: pytest.MonkeyPatch, until: str, count: int
) -> None:
    monkeypatch.setattr(times, "now", lambda: parse_moment("2026-03-03T14:05:57Z"))
    found = day.ok("simulate", "day.jsonl", "--explain", "--until", until).records
    assert len(found) == count


@pytest.mark.parametrize("inbox", ["4", "5"])
def test_an_inbox_may_be_known_to_the_directory_or_to_the_events_alone(
    day: Notifycli, inbox: str
) -> None:
    day.ok("inbox", "add", "4")
    events = lines([*DAY, {"event": "conversation_created", "id": 50, "inbox_id": 5}])
    found = day.ok("simulate", "--inbox", inbox, "--channel", "push", stdin=events).records
    assert [one["inbox_id"] for one in found] == ([5, 5, 5] if inbox == "5" else [])


def test_a_bad_line_may_be_of_the_inbox_that_nobody_else_knows(day: Notifycli) -> None:
    assert day("simulate", "--inbox", "99", stdin=b"{\n").status == 65


def test_the_user_of_the_environment_is_a_filter_like_u(day: Notifycli) -> None:
    found = day.ok(
        "simulate", "day.jsonl", "--explain", environment={"NOTIFYCLI_USER": "8"}
    ).records
    assert found == [one for one in EXPLAINED if one["user_id"] == 8]


WRONG = [
    pytest.param(["-u", "jnae@example.com"], "jane@example.com", id="an unknown user"),
    pytest.param(
        ["--channel", "fax"], "none of email, push, audio, webhook, slack", id="no channel"
    ),
    pytest.param(["--channel", "slcak"], "did you mean slack?", id="a channel that is misspelt"),
    pytest.param(["--type", "creatd"], "created", id="a type that is none"),
    pytest.param(["--since", "soon"], "12h (ago)", id="a time that is none"),
    pytest.param(
        ["--since", "1d", "--until", "2d"], "--since is later than --until", id="no time at all"
    ),
    pytest.param(["--inbox", "x"], "--inbox", id="an inbox that is no number"),
    pytest.param(["--inbox", "99"], "there are: 3", id="an inbox that nobody knows"),
    pytest.param(["--conversation", "x"], "--conversation", id="no conversation"),
    pytest.param(["--explian"], "--explain", id="an option that is none"),
    pytest.param(["-o", "xml"], "jsonl", id="a format that is none"),
]


def test_of_an_inbox_that_nobody_knows_nothing_else_is_told(day: Notifycli) -> None:
    asked = lines([{**ASKED, "conversation": {"id": 42, "inbox_id": 77}}])
    assert day("simulate", "--inbox", "99", stdin=asked).stderr == (
        "error: there is no inbox 99 in the directory or the events\n  there are: 3, 77\n"
    )


@pytest.mark.parametrize(("options", "told"), WRONG)
def test_wrong_usage(day: Notifycli, options: list[str], told: str) -> None:
    result = day("simulate", "day.jsonl", *options)
    assert (result.status, result.stdout) == (2, b"")
    assert told in result.stderr


COUNTS: list[Json] = [
    {"user_id": user, "email": EMAILS[user], "channel": channel, "type": type_}
    | {"fired": fired, "suppressed": suppressed}
    for user, channel, type_, fired, suppressed in (
        (7, "email", CREATION, 1, 0),
        (7, "email", ASSIGNMENT, 1, 0),
        (7, "email", OWN, 1, 0),
        (7, "push", CREATION, 1, 0),
        (7, "push", ASSIGNMENT, 1, 0),
        (7, "push", OWN, 0, 1),
        (7, "audio", "new_message", 1, 0),
        (8, "email", CREATION, 0, 1),
        (8, "push", CREATION, 1, 0),
        (8, "audio", "new_message", 0, 1),
        (9, "audio", "new_message", 0, 1),
    )
]


def test_summary_counts_by_user_channel_and_type(day: Notifycli) -> None:
    assert day.ok("simulate", "day.jsonl", "--summary").records == COUNTS


def test_summary_adds_up_over_lines_and_obeys_the_filters(day: Notifycli) -> None:
    twice = [CREATED, {**CREATED, "id": 43}, {**CREATED, "id": 44}]
    found = day.ok("simulate", "--summary", "-u", "8", stdin=lines(twice)).records
    assert [(one["channel"], one["fired"], one["suppressed"]) for one in found] == [
        ("email", 0, 3),
        ("push", 3, 0),
    ]


def test_summary_in_csv(day: Notifycli) -> None:
    shown = day.ok("simulate", "day.jsonl", "--summary", "-u", "8", "-o", "csv").stdout
    assert shown == (
        b"user_id,email,channel,type,fired,suppressed\n"
        b"8,omar@example.com,email,conversation_creation,0,1\n"
        b"8,omar@example.com,push,conversation_creation,1,0\n"
        b"8,omar@example.com,audio,new_message,0,1\n"
    )


def test_formats(day: Notifycli) -> None:
    asked = ("simulate", "day.jsonl", "--explain")
    assert json.loads(day.ok(*asked, "-o", "json").stdout) == EXPLAINED
    rows = [
        ["" if value is None else json.dumps(value).strip('"') for value in one.values()]
        for one in EXPLAINED
    ]
    for name, separator in (("csv", ","), ("tsv", "\t")):
        text = day.ok(*asked, "-o", name).stdout.decode()
        assert text.splitlines() == [separator.join(row) for row in [NAMES, *rows]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("json", b"[]\n"), ("jsonl", b""), ("csv", ",".join(NAMES).encode() + b"\n")],
)
def test_nothing_fired_is_an_empty_answer_with_the_reason_on_standard_error(
    desk: Notifycli, name: str, expected: bytes
) -> None:
    result = desk("simulate", "-o", name, stdin=lines([CREATED]))
    assert (result.status, result.stdout) == (0, expected)
    assert "notifycli prefs set" in result.stderr


WHY = [
    pytest.param(b"", True, "no events", id="no events"),
    pytest.param(lines([CREATED]), True, "switched off", id="all switched off"),
    pytest.param(lines([CREATED]), False, "notifycli directory learn", id="no users"),
]


@pytest.mark.parametrize(("events", "known", "told"), WHY)
def test_where_nothing_fires_it_says_why(
    notifycli: Notifycli, events: bytes, known: bool, told: str
) -> None:
    if known:
        notifycli.ok("user", "add", "jane@example.com")
    result = notifycli("simulate", stdin=events)
    assert (result.status, result.stdout) == (0, b"")
    assert told in result.stderr
    assert notifycli("simulate", "-q", stdin=events).stderr == ""


OF_NONE = "nothing fired: no event concerns what was selected\n"


@pytest.mark.parametrize(
    ("asked", "conversations", "told"),
    [
        pytest.param(["43"], [42], "43; there are: 42", id="one there is"),
        pytest.param(["99"], [41, 42, 43, 90, 1001, 1002], "99; there are 6, the nearest: 90"),
        pytest.param(
            ["8", "99"], range(10, 2010, 2), "8, 99; there are 1,000, the nearest: 10, 98"
        ),
        pytest.param(["8"], [], "8; there are: none", id="of none at all"),
    ],
)
def test_a_conversation_that_no_event_is_of_is_told_and_nothing_else(
    desk: Notifycli, asked: list[str], conversations: list[int], told: str
) -> None:
    events = [{**CREATED, "id": id_, "meta": {"assignee": {"id": 7}}} for id_ in conversations] or [
        {"event": "contact_created", "id": 1, "account": {"id": 1}}
    ]
    options = [f"--conversation={id_}" for id_ in asked]
    result = desk("simulate", *options, stdin=lines(events))
    assert (result.status, result.stdout) == (0, b"")
    assert result.stderr == f"no event is of conversation {told}\n{OF_NONE}"


def test_the_conversations_that_there_are_are_those_of_the_account(day: Notifycli) -> None:
    result = day("simulate", "day.jsonl", "--conversation", "42", "-a", "1")
    assert "no event is of" not in result.stderr
    result = day("simulate", "day.jsonl", "--conversation", "42", "-a", "5")
    assert "no event is of conversation 42; there are: none" in result.stderr


BAD_LINES = [
    pytest.param(b"{", id="JSON that ends too early"),
    pytest.param(b"hello", id="no JSON"),
    pytest.param(b"[]", id="an array"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"message_created"', id="a string"),
    pytest.param(b"{}", id="no event"),
    pytest.param(b'{"event": null}', id="an event that is null"),
    pytest.param(b'{"event": 7}', id="an event that is a number"),
    pytest.param(b'{"event": "conversation_created", "id": "x"}', id="an id that is no number"),
    pytest.param(b'{"event": "conversation_created", "id": [1]}', id="an id that is a list"),
    pytest.param(b'{"event": "conversation_created", "created_at": "soon"}', id="a time"),
    pytest.param(b'{"event": "message_created", "content": {}}', id="a content that is an object"),
    pytest.param(b'{"event": "conversation_created"} x', id="something after the object"),
    pytest.param(b'{"event": "\xff"}', id="bytes that are no UTF-8"),
    pytest.param(b"\x00", id="a zero byte"),
    pytest.param(b'{"event": ' + b"[" * 100_000, id="brackets without end"),
    pytest.param(b'{"event": "conversation_created", "id": ' + b"9" * 5000 + b"}", id="huge"),
]


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_line_is_named_the_rest_replayed_and_the_status_is_65(
    day: Notifycli, bad: bytes
) -> None:
    name = day.write("bad.jsonl", lines(DAY) + bad + b"\n" + lines([{**CREATED, "id": 43}]))
    result = day("simulate", name)
    assert result.status == 65
    assert [line for line in result.stderr.splitlines() if line.startswith("bad.jsonl:4: ")]
    assert "Traceback" not in result.stderr
    later = [{**one, "line": 5, "conversation_id": 43} for one in FIRED if one["line"] == 1]
    assert result.records == [*FIRED, *later]


def test_strict_stops_at_the_first_bad_line(day: Notifycli) -> None:
    name = day.write("bad.jsonl", lines([CREATED]) + b"{\n[]\n" + lines([ASSIGNED]))
    result = day("simulate", name, "--strict")
    assert result.status == 65
    assert "bad.jsonl:2: " in result.stderr
    assert "bad.jsonl:3: " not in result.stderr
    assert [one for one in result.records if one["line"] > 1] == []


@pytest.mark.parametrize("count", [20, 21, 1000])
def test_at_most_20_bad_lines_are_told_in_full_then_a_count(day: Notifycli, count: int) -> None:
    result = day("simulate", stdin=b"{\n" * count)
    assert result.status == 65
    told = [line for line in result.stderr.splitlines() if line.startswith("<stdin>:")]
    assert [line.split(" ")[0] for line in told] == [
        f"<stdin>:{i}:" for i in range(1, min(count, 20) + 1)
    ]
    assert (f"{count - 20} more" in result.stderr) == (count > 20)
    assert f"{count} bad lines" in result.stderr


def test_quiet_still_tells_of_bad_lines(day: Notifycli) -> None:
    result = day("simulate", "-q", stdin=b"{\n")
    assert result.status == 65
    assert "<stdin>:1: " in result.stderr


def test_control_characters_of_a_line_never_reach_standard_error(day: Notifycli) -> None:
    bad = [
        b'{"event": "conversation_created", "id": "\\u001b[2J"}',
        '{"event": "conversation_created", "created_at": "\x9b2J"}'.encode(),
        b'{"event": "\\u001b[31mnew_event"}',
        b"\x1b[2J{",
    ]
    result = day("simulate", stdin=b"\n".join(bad))
    assert result.status == 65
    assert "new_event" in result.stderr
    assert [char for char in result.stderr if not char.isprintable() and char != "\n"] == []


@pytest.mark.parametrize("name", ["missing.jsonl", ""])
def test_a_file_that_can_not_be_read_is_66(day: Notifycli, name: str) -> None:
    result = day("simulate", name)
    assert (result.status, result.stdout) == (66, b"")
    assert f"{name}: " in result.stderr


def test_damaged_gzip_data_are_65_and_named(day: Notifycli) -> None:
    packed = gzip.compress(lines(DAY)) + gzip.compress(lines(DAY))[:-12]
    result = day("simulate", day.write("cut.gz", packed))
    assert result.status == 65
    assert "cut.gz:6: damaged gzip data: it ends before its end is marked; " in result.stderr
    assert "Traceback" not in result.stderr


# What is decided before such an end, up to 64 KiB of it, is not printed; of more, the rest is.


def test_what_came_before_damaged_gzip_data_is_shown(day: Notifycli) -> None:
    packed = gzip.compress(lines(DAY)) + gzip.compress(lines(DAY))[:-12]
    result = day("simulate", day.write("cut.gz", packed))
    assert result.records[: len(FIRED)] == FIRED


@pytest.mark.parametrize(
    "command",
    [
        *("simulate --jobs 1", "simulate --jobs 3", "why -u 7", "directory learn"),
        *("deliver --dry-run --max-age 90000d", "events pack -o day.facts"),
    ],
)
def test_what_is_sound_beside_damaged_files_is_answered_by_every_command(
    day: Notifycli, command: str
) -> None:
    facts = day.folder / "day.facts"
    facts.touch()
    for folder, first in (("sound", lines(DAY[:2])), ("cut", gzip.compress(lines(DAY[:2]))[:-8])):
        (day.folder / folder).mkdir()
        day.write(f"{folder}/a", first)
        day.write(f"{folder}/b.jsonl", lines(DAY[2:]))
    sound = day.ok(*command.split(), "sound"), facts.read_bytes()
    cut = day(*command.split(), "cut"), facts.read_bytes()
    assert (cut[0].status, cut[0].stdout, cut[1]) == (65, sound[0].stdout, sound[1])
    assert "cut/a:3: damaged gzip data: it ends before its end is marked" in cut[0].stderr
    assert "1 damaged place passed over; everything else was read\n" in cut[0].stderr


def test_what_came_before_the_line_at_which_strict_stops_is_shown(day: Notifycli) -> None:
    result = day("simulate", "--strict", stdin=lines(DAY) + b"{\n")
    assert (result.status, result.records) == (65, FIRED)


def test_what_came_before_a_missing_file_is_shown(day: Notifycli) -> None:
    result = day("simulate", "day.jsonl", "missing.jsonl")
    fired = [{**one, "file": "day.jsonl"} for one in FIRED]
    assert (result.status, result.records) == (66, fired)


ENVELOPES = [
    pytest.param(lambda event: {"body": event}, id="body"),
    pytest.param(lambda event: {"payload": event}, id="payload"),
    pytest.param(
        lambda event: {
            "event": event["event"],
            "data": {key: value for key, value in event.items() if key != "event"},
        },
        id="data with the event outside",
    ),
    pytest.param(lambda event: {"headers": {"id": 9}, "body": event, "id": "x-1"}, id="more"),
    pytest.param(lambda event: {**event, "event": event["event"].replace("_", ".", 1)}, id="dots"),
]


@pytest.mark.parametrize("wrap", ENVELOPES)
def test_envelopes_and_dotted_names_are_the_same_day(day: Notifycli, wrap: object) -> None:
    assert callable(wrap)
    data = lines([wrap(event) for event in DAY])
    assert day.ok("simulate", "--explain", stdin=data).records == EXPLAINED


AT = [
    pytest.param("2026-03-03T13:05:57Z", "2026-03-03T13:05:57Z", id="Z"),
    pytest.param("2026-03-03T13:05:57.000Z", "2026-03-03T13:05:57Z", id="a fraction of nothing"),
    pytest.param("2026-03-03T14:05:57+01:00", "2026-03-03T13:05:57Z", id="an offset"),
    pytest.param("2026-03-03 13:05:57 UTC", "2026-03-03T13:05:57Z", id="Ruby's"),
    pytest.param(1772543157, "2026-03-03T13:05:57Z", id="Unix seconds"),
    pytest.param("1772543157", "2026-03-03T13:05:57Z", id="Unix seconds as text"),
    pytest.param(1772543157.0, "2026-03-03T13:05:57Z", id="Unix seconds with a fraction"),
    pytest.param(None, None, id="null"),
]


@pytest.mark.parametrize(("given", "expected"), AT)
def test_at_is_iso_8601_in_utc_or_null(day: Notifycli, given: object, expected: str | None) -> None:
    found = day.ok("simulate", stdin=lines([{**CREATED, "created_at": given}])).records
    assert {one["at"] for one in found} == {expected}


def test_a_missing_time_is_the_previous_events(day: Notifycli) -> None:
    timeless = {key: value for key, value in CREATED.items() if key != "created_at"}
    found = day.ok("simulate", stdin=lines([timeless, CREATED, {**timeless, "id": 43}])).records
    assert {(one["line"], one["at"]) for one in found} == {(1, None), (2, TIMES[1]), (3, TIMES[1])}


ACCOUNTS = [
    pytest.param(CREATED, [], 1, id="the event's own"),
    pytest.param({"account": None}, [], 1, id="the only one known"),
    pytest.param({"account": None}, ["-a", "1"], 1, id="that of the command line"),
    pytest.param({"account": None, "account_id": "1"}, ["-a", "1"], 1, id="account_id"),
]


@pytest.mark.parametrize(("fields", "options", "account"), ACCOUNTS)
def test_the_account_of_an_event(
    day: Notifycli, fields: Json, options: list[str], account: int
) -> None:
    found = day.ok("simulate", *options, stdin=lines([{**CREATED, **fields}])).records
    assert [one["account_id"] for one in found] == [account] * 3


def test_another_accounts_event_is_not_decided(day: Notifycli) -> None:
    assert day.ok("simulate", "-a", "2", stdin=lines([CREATED])).records == []


def test_one_input_may_hold_many_accounts(day: Notifycli) -> None:
    day.ok("user", "add", "far@example.com", "--id", "7", "-a", "2")
    day.ok("prefs", "set", "email.created=on", "-a", "2")
    day.ok("prefs", "unset", "email.created", "push.created", "-a", "1", "-u", "7")
    day.ok("prefs", "unset", "push.created", "-a", "1", "--default")
    both = lines([CREATED, {**CREATED, "account": {"id": 2}}])
    found = day.ok("simulate", stdin=both).records
    assert [(one["line"], one["account_id"], one["email"]) for one in found] == [
        (2, 2, "far@example.com")
    ]


ASSUMED = [
    pytest.param([{**ASSIGNED, "performed_by": None}], "1 assign", id="who assigned"),
    pytest.param(
        [{**ASKED, "conversation": {"id": 42, "inbox_id": 77}}], "1 message", id="an unknown inbox"
    ),
    pytest.param(
        [{**ASSIGNED, "meta": {"assignee": {"id": 70, "type": "user"}}}],
        "notifycli directory learn",
        id="an unknown agent",
    ),
    pytest.param(
        [ASKED, {**CREATED, "created_at": "2026-03-03T13:06:58.999Z"}],
        "1 event",
        id="a time more than a second before the one before",
    ),
    pytest.param([{"event": "cake_baked"}] * 3, "3 event", id="an unknown event"),
]


@pytest.mark.parametrize(("events", "told"), ASSUMED)
def test_what_a_replay_had_to_assume_is_told_once_on_standard_error(
    day: Notifycli, events: list[Json], told: str
) -> None:
    result = day("simulate", stdin=lines(events))
    assert result.status == 0
    assert len([line for line in result.stderr.splitlines() if told in line]) == 1
    assert day("simulate", "-q", stdin=lines(events)).stderr == ""


def test_steps_back_within_a_second_are_no_matter(day: Notifycli) -> None:
    back = [ASKED, {**CREATED, "created_at": "2026-03-03T13:06:59.000Z"}]
    assert "older" not in day.ok("simulate", stdin=lines(back)).stderr


def test_a_known_event_that_notifies_nobody_is_no_matter(day: Notifycli) -> None:
    result = day("simulate", stdin=lines([{"event": "contact_created"}, *DAY]))
    assert result.status == 0
    assert [one["line"] - 1 for one in result.records] == [one["line"] for one in FIRED]
    assert "contact_created" not in result.stderr


def test_an_inbox_value_counts_in_that_inbox(day: Notifycli) -> None:
    day.ok("prefs", "set", "email.created=off", "--inbox", "3", "-u", "7")
    found = day.ok("simulate", "--explain", "-u", "7", stdin=lines([CREATED])).records
    assert [(one["channel"], one["reason"], one["origin"]) for one in found] == [
        ("email", "disabled", "inbox"),
        ("push", "enabled", "default"),
    ]


def test_an_email_to_a_user_without_an_address_can_not_be_delivered(day: Notifycli) -> None:
    day.ok("directory", "import", "-", stdin=b'{"users": [{"id": 7, "email": null}]}')
    found = day.ok("simulate", "-u", "7", stdin=lines([CREATED])).records
    assert [(one["channel"], one["email"], one["deliverable"]) for one in found] == [
        ("email", None, False),
        ("push", None, False),
    ]


def test_a_pipe_by_name_whose_first_line_breaks_off_is_read_on(
    day: Notifycli, program: Program
) -> None:
    day.write("bad.jsonl", b"{\n" + lines(DAY))
    result = program.shell("notifycli simulate <(cat bad.jsonl)")
    assert [one["line"] - 1 for one in result.records] == [one["line"] for one in FIRED]


def test_a_wrong_setting_is_refused_also_where_nobody_is_on_record(notifycli: Notifycli) -> None:
    result = notifycli("simulate", "--set", "audoi=all", stdin=b"")
    assert result.status == 2
    assert result.stderr == "error: there is no preference 'audoi'\n  did you mean audio?\n"


def test_what_is_switched_off_is_never_told_of_as_on(desk: Notifycli) -> None:
    def why(event: Json, *options: str) -> str:
        desk.write_events("one.jsonl", [event])
        return desk.ok("simulate", "one.jsonl", *options).stderr.rpartition("nothing fired: ")[2]

    off = "everything is switched off; switch on: notifycli prefs set email.created=on --default\n"
    assert [why(CREATED), why(CREATED, "--explain")] == [off, off]
    assert why(CREATED, "--channel", "push") == off.replace("email", "push")
    desk.ok("prefs", "set", "email.created=off", "--lock")
    export = "prefs export --layer lock"
    assert why(CREATED) == (
        f"everything is switched off; some of it is locked: notifycli {export}\n"
    )
    assert desk.ok(*export.split()).stdout == b'[lock]\n"email.conversation_creation" = "off"\n'
    desk.ok("prefs", "unset", "email.created", "--lock")

    pending = {**CREATED, "status": "pending"}
    assert why(pending, "--explain") == off
    desk.ok("prefs", "set", "email.created=on", "-u", "7")
    told = "of what is switched on, 1 pending_conversation; --explain shows each\n"
    assert why(pending) == told

    assert why(ASKED) == off.replace("created", "unassigned")
    assert why(ASKED, "--channel", "audio") == off.replace("email.created=on", "audio=all")
