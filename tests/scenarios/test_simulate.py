"""`simulate` with other preferences, with expectations, and counted for the eye."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.scenarios.desk import ASSIGNED, MESSAGE, Desk, Json


def changes(desk: Desk, *options: str) -> list[tuple[str, int, str, str, str]]:
    ran = desk.run("simulate", desk.events(ASSIGNED, MESSAGE), "--diff", *options)
    return [
        (
            one["change"],
            one["line"],
            f"{one['channel']} to {one['user_id']}",
            one["outcome"],
            one["reason"],
        )
        for one in ran.records()
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(
            ["--set", "push.assigned=off"],
            [("removed", 1, "push to 7", "fire", "enabled")],
            id="what is removed is shown as it fired",
        ),
        pytest.param(
            ["--set", "push.assigned=off", "--explain"],
            [("removed", 1, "push to 7", "suppress", "disabled")],
            id="to explain it, as it is suppressed then",
        ),
        pytest.param(
            ["--set", "jane@example.com:email.message=on"],
            [("added", 2, "email to 7", "fire", "enabled")],
            id="a user is named by address",
        ),
        pytest.param(
            ["--set", "8:audio=all"],
            [("added", 2, "audio to 8", "fire", "enabled")],
            id="a user is named by id",
        ),
        pytest.param(
            ["--set", "8:email.message=on"], [], id="what concerns nobody makes no difference"
        ),
        pytest.param(
            ["--set", "email.assigned=off", "--set", "7:email.assigned=on"],
            [],
            id="later settings win",
        ),
        pytest.param(
            ["--set", "audio=all", "-u", "8"],
            [("added", 2, "audio to 8", "fire", "enabled")],
            id="only the selected user's differences are shown",
        ),
    ],
)
def test_a_difference(
    desk: Desk, options: list[str], expected: list[tuple[str, int, str, str, str]]
) -> None:
    assert changes(desk, *options) == expected


def test_a_setting_for_everybody_is_beaten_by_a_lock_and_beats_a_user_s_own(desk: Desk) -> None:
    desk.run("prefs", "set", "email.assigned=off", "--lock")
    desk.run("prefs", "set", "push.assigned=off", "-u", "7")
    options = ("--set", "email.assigned=on", "--set", "push.assigned=on")
    ran = desk.run("simulate", desk.events(ASSIGNED), "--diff", *options)
    (record,) = ran.records()
    assert (record["channel"], record["origin"], record["change"]) == ("push", "user", "added")
    told = "email.conversation_assignment is locked to off for account 1: it stays so\n"
    assert ran.err == told


def test_a_document_is_tried_under_the_settings(desk: Desk) -> None:
    document = desk.write(
        "policy.csv",
        "layer,user,inbox,key,value",
        "default,,,email.message,on",
        "inbox,7,3,push.message,on",
    )
    options = ("--prefs", str(document), "--set", "email.message=off")
    assert changes(desk, *options) == [("added", 2, "push to 7", "fire", "enabled")]


LACKING = (
    "as if {file} had been imported; apply would also take away {count}: "
    "notifycli prefs diff {file}\n"
)


@pytest.mark.parametrize(
    ("document", "taken"),
    [
        (["default,,audio,all"], "2 values"),
        (["default,,audio,all", "default,,email.created,on", "user,8,audio,all"], "1 value"),
        (["default,,audio,all", "default,,*.created,on"], ""),
        (["user,8,audio,all"], ""),
    ],
    ids=["two", "one, and a user who has nothing", "none", "another layer"],
)
def test_what_an_apply_would_take_away_besides_is_told(
    desk: Desk, document: list[str], taken: str
) -> None:
    for key in ("email.created", "push.created"):
        assert desk.run("prefs", "set", f"{key}=on", "--default").status == 0
    file = str(desk.write("policy.csv", "layer,user,key,value", *document))
    ran = desk.run("simulate", desk.events(ASSIGNED), "--prefs", file)
    assert ran.err == (LACKING.format(file=file, count=taken) if taken else "")


def test_without_diff_the_proposed_decisions_are_shown_and_nothing_is_stored(desk: Desk) -> None:
    events = desk.events(ASSIGNED)
    ran = desk.run("simulate", events, "--set", "push.assigned=off")
    assert [one["channel"] for one in ran.records()] == ["email"]
    assert [one["channel"] for one in desk.run("simulate", events).records()] == ["email", "push"]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--set", "push.assigned=off", "--exit-code"], 1),
        (["--set", "push.assigned=off", "--diff", "--exit-code"], 1),
        (["--set", "push.assigned=off", "--diff"], 0),
        (["--set", "push.assigned=on", "--diff", "--exit-code"], 0),
    ],
)
def test_exit_code_tells_of_a_difference(desk: Desk, options: list[str], status: int) -> None:
    assert desk.run("simulate", desk.events(ASSIGNED), *options).status == status


def test_bad_input_outweighs_a_difference(desk: Desk) -> None:
    events = str(desk.write("events.jsonl", ASSIGNED, "not json"))
    ran = desk.run("simulate", events, "--set", "push.assigned=off", "--diff", "--exit-code")
    assert ran.status == 65


NOTHING_PROPOSED = """\
error: --diff compares with other preferences or rules, and none are given
  propose some: --set [USER:]KEY=VALUE, --prefs FILE or --rules PROFILE
"""
NO_VALUE = """\
error: 'audio' sets nothing
  write it as KEY=VALUE or USER:KEY=VALUE
"""
NO_KEY = """\
error: there is no preference 'audoi'
  did you mean audio?
"""
NO_USER = """\
error: account 1 has no user 'jan@example.com'
  did you mean jane@example.com?
"""
BOTH = """\
error: --expect and --summary show different things
  give one of them
"""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--diff"], NOTHING_PROPOSED),
        (["--set", "audio"], NO_VALUE),
        (["--set", "audoi=all"], NO_KEY),
        (["--set", "jan@example.com:audio=all"], NO_USER),
        (["--summary", "--expect", "x"], BOTH),
    ],
)
def test_what_can_t_be_tried_is_refused(desk: Desk, options: list[str], told: str) -> None:
    ran = desk.run("simulate", desk.events(ASSIGNED), *options)
    assert (ran.status, ran.out, ran.err) == (2, "", told)


def test_counts_of_what_would_change(desk: Desk) -> None:
    options = ("--summary", "--diff", "--set", "push.assigned=off", "--set", "email.message=on")
    ran = desk.run("simulate", desk.events(ASSIGNED, MESSAGE), *options)
    assert ran.records() == [
        {
            "user_id": 7,
            "email": "jane@example.com",
            "channel": "email",
            "type": "assigned_conversation_new_message",
            "fired": 1,
            "suppressed": 0,
            "added": 1,
            "removed": 0,
        },
        {
            "user_id": 7,
            "email": "jane@example.com",
            "channel": "push",
            "type": "conversation_assignment",
            "fired": 0,
            "suppressed": 1,
            "added": 0,
            "removed": 1,
        },
    ]


# Expectations


def test_what_is_as_expected_is_told_in_a_line(desk: Desk) -> None:
    expected = desk.write("expected.jsonl", {"channel": "push"}, {"user_id": 7, "type": "assigned"})
    ran = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(expected))
    assert (ran.status, ran.out, ran.err) == (0, "", "2 records, all as expected\n")


@pytest.mark.parametrize(
    ("heads", "named"),
    [
        pytest.param("who,kind", "'who' is no column", id="none that is known"),
        pytest.param(
            "user_id,chanel", "'chanel' is no column; did you mean channel?", id="a misspelt one"
        ),
        pytest.param("hello", "'hello' is no column", id="no table at all"),
    ],
)
def test_columns_that_are_none_are_told_with_those_that_are_known(
    desk: Desk, heads: str, named: str
) -> None:
    expected = desk.write("expected.csv", heads, *["push,7"] * 30)
    ran = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(expected))
    told = f"""\
error: {expected}:1: {named}
  those that are known: line, file, at, event, account_id, conversation_id, inbox_id, message_id, \
user_id, email, type, channel, outcome, reason, origin, deliverable, change
"""
    assert (ran.status, ran.out, ran.err) == (65, "", told)


@pytest.mark.parametrize("count", [20, 21, 1000])
def test_at_most_20_faults_of_a_file_of_expectations_are_told(desk: Desk, count: int) -> None:
    expected = desk.write("expected.jsonl", "{\n" * count)
    ran = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(expected))
    assert ran.status == 65
    assert ran.err.count("expected.jsonl:") == min(count, 20)
    assert (f"… and {count - 20} more" in ran.err) == (count > 20)


def test_what_is_missing_and_unexpected_is_shown(desk: Desk) -> None:
    expected = desk.write(
        "expected.jsonl", {"user_id": 7, "channel": "email"}, {"user_id": 8, "at": 1772539200}
    )
    ran = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(expected))
    missing, unexpected = ran.records()
    assert missing == {"mismatch": "missing", "at": "2026-03-03T12:00:00Z", "user_id": 8}
    found = json.loads(desk.run("simulate", desk.events(ASSIGNED)).out.splitlines()[1])
    assert unexpected == {"mismatch": "unexpected", **found}
    assert (ran.status, ran.err) == (1, "1 as expected, 1 missing, 1 unexpected\n")


def test_expectations_hold_for_what_would_be_shown(desk: Desk) -> None:
    expected: list[Json] = [{"change": "removed", "channel": "push"}]
    path = str(desk.write("expected.jsonl", *expected))
    options = ("--set", "push.assigned=off", "--diff", "--expect", path)
    assert desk.run("simulate", desk.events(ASSIGNED), *options).status == 0


FORMATS = [["-o", name, *more] for name in ("json", "csv", "tsv") for more in ([], ["--explain"])]


@pytest.mark.parametrize("options", FORMATS, ids=" ".join)
@pytest.mark.parametrize("events", [[ASSIGNED, MESSAGE], []], ids=["some", "none"])
def test_what_simulate_prints_is_what_it_expects(
    desk: Desk, options: list[str], events: list[Json]
) -> None:
    log = desk.events(*events)
    path = desk.folder / "expected"
    path.write_text(desk.run("simulate", log, *options).out, encoding="utf-8")
    ran = desk.run("simulate", log, *options[2:], "--expect", str(path))
    assert (ran.status, ran.out) == (0, "")


def one_a_line(records: list[Json]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize("explain", [[], ["--explain"]], ids=["", "explained"])
@pytest.mark.parametrize(
    "laid_out",
    [
        pytest.param(one_a_line, id="one object a line"),
        pytest.param(json.dumps, id="an array in a line"),
        pytest.param(lambda records: json.dumps(records, indent=2), id="an array laid out"),
        pytest.param(
            lambda records: "\n".join(json.dumps(record, indent=2) for record in records),
            id="objects laid out one after the other",
        ),
    ],
)
def test_fired_decisions_are_expected_however_json_is_laid_out_and_no_suppressed_ones(
    desk: Desk, laid_out: Callable[[list[Json]], str], explain: list[str]
) -> None:
    log = desk.events(ASSIGNED, MESSAGE)
    fired = desk.run("simulate", log).records()
    path = desk.write("expected", laid_out(fired))
    ran = desk.run("simulate", log, "--expect", str(path), *explain)
    assert (ran.status, ran.out, ran.err) == (0, "", f"{len(fired)} records, all as expected\n")


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        pytest.param({"channel": "push", "outcome": "suppress"}, 0, id="by its outcome"),
        pytest.param({"channel": "push", "reason": "disabled"}, 0, id="by its reason"),
        pytest.param({"channel": "push"}, 1, id="never by less"),
    ],
)
def test_to_explain_them_suppressed_decisions_can_be_expected(
    desk: Desk, expected: Json, status: int
) -> None:
    desk.run("prefs", "set", "push.assigned=off", "-u", "7")
    path = desk.write("expected", {"channel": "email", "user_id": 7}, expected)
    ran = desk.run("simulate", desk.events(ASSIGNED), "--explain", "--expect", str(path))
    assert (ran.status, [one["channel"] for one in ran.records()]) == (status, ["push"] * status)


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_table_of_expectations_may_have_any_of_the_columns(desk: Desk, separator: str) -> None:
    rows = [separator.join(row) for row in (("channel", "user_id"), ("push", "7"), ("email", "8"))]
    expected = desk.write("expected.csv", *rows)
    ran = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(expected))
    missing, unexpected = ran.records()
    assert missing == {"mismatch": "missing", "user_id": 8, "channel": "email"}
    assert (ran.status, unexpected["channel"]) == (1, "email")


def test_each_fault_of_a_table_of_expectations_is_named_with_its_place(desk: Desk) -> None:
    path = desk.write("expected.csv", "channel,user_id", "push,x", "push,", "push", "push,7,8")
    wrong = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(path))
    assert wrong.status == 65
    assert wrong.err.splitlines()[:4] == [
        f"error: {path}:2: user_id: expected int, got str",
        f"{path}:3: user_id: expected int, got null",
        f"{path}:4: has 1 cell, and the first line 2",
        f"{path}:5: has 3 cells, and the first line 2",
    ]


def test_each_fault_of_a_file_of_expectations_is_named_with_its_place(desk: Desk) -> None:
    path = desk.write(
        "expected.jsonl", '["x"]', "{}", {"chanel": "push"}, {"user_id": "7"}, {"type": "x"}, "nope"
    )
    ran = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(path))
    told = [
        line.removeprefix(f"error: {path}:").removeprefix(f"{path}:")
        for line in ran.err.splitlines()
    ]
    assert ran.status == 65
    assert told[:4] == [
        "1: an object of fields and their expected values is expected",
        "2: names no field: it would match anything",
        "3: 'chanel' is no field; did you mean channel?",
        "4: user_id: expected int, got str",
    ]
    assert [line.split(":")[0] for line in told[4:6]] == ["5", "6"]


LAID_OUT = """[
  {
    "line": 1,
    "email" "x",
    "user_id": 3
  },
  {
    "user_id": "x"
  },
  {
    "email": "\\ud800"
  },
  {
    "user_id": "y"
  }
]
"""


def test_a_fault_in_laid_out_json_is_named_once_with_its_line(desk: Desk) -> None:
    path = desk.write("expected.json", LAID_OUT)
    ran = desk.run("simulate", desk.events(ASSIGNED), "--expect", str(path))
    assert (ran.status, ran.err.splitlines()[:4]) == (
        65,
        [
            f"error: {path}:4: no JSON: Expecting ':' delimiter",
            f"{path}:7: user_id: expected int, got str",
            f"{path}:10: half of a surrogate pair is no text",
            f"{path}:13: user_id: expected int, got str",
        ],
    )


# For the eye


def test_a_summary_fits_eighty_columns_and_shows_all_there_is(desk: Desk) -> None:
    options = ("--summary", "-o", "table", "--zone", "Europe/Berlin")
    ran = desk.run("simulate", desk.events(ASSIGNED, MESSAGE), *options)
    assert (
        ran.out
        == """\
Notifications by channel
email                                     1  █████████████████████████████████
push                                      1  █████████████████████████████████
audio                                     0

By type
email.assigned                            1  █████████████████████████████████
push.assigned                             1  █████████████████████████████████

By agent
jane@example.com                          2  █████████████████████████████████

By hour (Europe/Berlin)
     0           6           12          18
Mon  ················································
Tue  ··························██····················
Wed  ················································
Thu  ················································
Fri  ················································
Sat  ················································
Sun  ················································
     █ is up to 2 an hour of the week

Busiest conversations
#42                                       2  █████████████████████████████████

Decisions by reason
disabled                                  5  █████████████████████████████████
fires                                     2  █████████████

"""
    )


def test_before_and_after_stand_beside_each_other_in_eighty_columns(desk: Desk) -> None:
    options = ("--summary", "-o", "table", "--diff", "--zone", "UTC", "--set", "push.assigned=off")
    ran = desk.run("simulate", desk.events(ASSIGNED, MESSAGE), *options, "--set", "7:audio=all")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:4] == [
        "Notifications by channel     before    after   change",
        "email                             1        1           ███████████████████████",
        "push                              1        0       -1  ░░░░░░░░░░░░░░░░░░░░░░░",
        "audio                             0        1       +1  ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓",
    ]
    assert lines[14:16] == [
        "     0     6     12    18       │ 0     6     12    18",
        "Mon  ························   │ ························",
    ]


NARROW = """\
By hour (UTC)
     0     6     12    18
Mon  ························
Tue  ············█···········
Wed  ························
Thu  ························
Fri  ························
Sat  ························
Sun  ························
"""


def test_a_narrow_terminal_has_all_hours_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    options = ("--summary", "-o", "table", "--zone", "UTC")
    out = desk.run("simulate", desk.events(ASSIGNED, MESSAGE), *options).out
    assert f"{NARROW}     █ is up to 2 an hour of the week\n" in out
    assert max(map(len, out.splitlines())) <= 40
    monkeypatch.setenv("COLUMNS", "57")
    changed = (*options, "--diff", "--set", "email.message=on")
    out = desk.run("simulate", desk.events(ASSIGNED, MESSAGE), *changed).out
    assert f"{NARROW}     before\n     0     6" in out
    assert out.count("\n     0     6     12    18\n") == 2
    assert "\nSun  ························\n     after\n\n" in out
    assert max(map(len, out.splitlines())) <= 57


def test_a_zone_that_there_is_not_is_refused(desk: Desk) -> None:
    ran = desk.run("simulate", desk.events(ASSIGNED), "--summary", "--zone", "Europe/Berlyn")
    assert ran.status == 2
    assert "'Europe/Berlyn' is no IANA time zone; did you mean Europe/Berlin?" in ran.err
