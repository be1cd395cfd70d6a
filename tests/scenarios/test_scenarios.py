"""`notifycli test`: the shipped scenarios, what their files may hold, and what is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from notifycli.errors import DataError
from notifycli.events.timestamps import format_moment
from notifycli.rules.decision import Reason
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.replay import Account, Replay
from notifycli.scenarios import Scenario, ScenarioClock, read_scenarios, try_scenario
from tests.scenarios.desk import Desk

EXAMPLES = Path(__file__).parents[2] / "examples" / "scenarios"

DESK = """
[directory]
users = [{ id = 7, email = "jane@example.com" }, { id = 8, email = "omar@example.com" }]
inboxes = [{ id = 3, members = [7, 8] }]
"""
GIVEN = '{ at = "09:00", event = "assignee_changed", id = 42, inbox_id = 3, assignee_id = 7 }'
MIXED = f"""{DESK}
[[scenario]]
name = "holds"
events = [{GIVEN}]
expect = ["email.assigned jane@example.com", "push.assigned 7"]

[[scenario]]
name = "doesn't hold"
events = [{GIVEN}]
expect = ["email.assigned jane@example.com", "email.created omar@example.com"]
expect_not = [
  "audio jane@example.com viewing",
  {{ channel = "email", type = "assigned", user = 7, reason = "active" }},
  {{ channel = "email", line = 1 }},
]
"""
ASSIGNED = "email.assigned to jane@example.com"
FAILURES = [
    "- should fire: email.created to omar@example.com; there was no such decision",
    "+ fires unexpectedly: push.assigned to jane@example.com, event 1 (enabled, builtin)",
    "+ shouldn't fire: email.assigned to jane@example.com, event 1 (enabled, builtin)",
    "- should be suppressed: audio to jane@example.com (viewing); there was no such decision",
    f"- should be suppressed: {ASSIGNED} (active); event 1: fires (enabled, builtin)",
]


def shipped() -> list[Scenario]:
    def read_file(name: str) -> bytes:
        return (EXAMPLES / name).read_bytes()

    return [
        scenario
        for file in sorted(EXAMPLES.glob("*.toml"))
        for scenario in read_scenarios(file.read_bytes(), file.name, read_file)
    ]


@pytest.mark.parametrize("scenario", shipped(), ids=lambda one: f"{one.file}: {one.name}")
def test_a_shipped_scenario_holds(scenario: Scenario) -> None:
    assert try_scenario(scenario).failures == ()


def test_the_shipped_scenarios_show_every_reason_and_every_type() -> None:
    reasons: set[object] = set()
    types: set[NotificationType] = set()
    channels: set[Channel] = set()
    for scenario in shipped():
        reasons.update(record["reason"] for record in scenario.expect_not if "reason" in record)
        replay = Replay({1: Account(scenario.directory, scenario.preferences)})
        fired = [d for e in scenario.events for d in replay.decide(e) if d.reason == "enabled"]
        types.update(decision.type for decision in fired)
        channels.update(decision.channel for decision in fired)
    assert reasons == {str(reason) for reason in Reason} - {"enabled"}
    assert (types, channels) == (set(NotificationType), set(Channel))


@pytest.mark.parametrize(
    ("written", "moments"),
    [
        (["09:00", "+20s", "+1h30m"], ["09:00:00", "09:00:20", "10:30:20"]),
        (["9:05", "08:00:30.5"], ["09:05:00", "08:00:30.500"]),
        (["+1m", "+ 0.25s"], ["00:01:00", "00:01:00.250"]),
        (["2026-03-02T10:00:00+01:00"], ["09:00:00"]),
        ([1772442000], ["09:00:00"]),
    ],
)
def test_the_clock_reads_what_a_hand_writes(written: list[Any], moments: list[str]) -> None:
    clock = ScenarioClock("2026-03-02")
    read = [format_moment(clock.set(text)) for text in written]
    assert read == [f"2026-03-02T{moment}Z" for moment in moments]


def test_a_day_later_the_time_of_day_is_of_that_day() -> None:
    clock = ScenarioClock("2026-03-02")
    clock.set("+1d")
    assert format_moment(clock.set("09:00")) == "2026-03-03T09:00:00Z"


@pytest.mark.parametrize("written", ["+20x", "25:00", "soon", True, None, [], "+"])
def test_what_is_no_time_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match=r"is no time|are expected"):
        ScenarioClock().set(written)


DIGITS = "9" * 400
LARGE = 2**63
# What stands in a scenario, and what is said of a number that is too large for its place.
TOO_LARGE = [
    (f'events = [{{at = "+{DIGITS}d", event = "x"}}]', "a time after the year 9998 is none"),
    ('events = [{at = "+9999999d", event = "x"}]', "a time after the year 9998 is none"),
    ("events = [{at = inf, event = 'x'}]", "is no time in the years 2 to 9998"),
    ("events = [{at = nan, event = 'x'}]", "is no time in the years 2 to 9998"),
    (f"account = {LARGE}", "is no number from 1 on"),
    ("account = 0", "is no number from 1 on"),
    ("account = true", "is no number from 1 on"),
    (f"preferences.users.7.inbox.{LARGE} = {{audio = 'all'}}", "a table named by the inbox's id"),
    (f"preferences.users.7.inbox.{DIGITS} = {{audio = 'all'}}", "a table named by the inbox's id"),
    (f"preferences.users.{DIGITS} = {{audio = 'all'}}", "there is no user"),
    ("preferences.users.'²' = {audio = 'all'}", "there is no user '²'"),
    (f"expect = ['email.mention {LARGE}']", "there is no user"),
]


@pytest.mark.parametrize(("line", "told"), TOO_LARGE, ids=[told for _, told in TOO_LARGE])
def test_a_number_that_is_too_large_is_a_fault_with_its_place(line: str, told: str) -> None:
    expect = "" if line.startswith("expect") else "expect = []\n"
    with pytest.raises(DataError) as raised:
        read_scenarios(f"{DESK}\n[[scenario]]\n{expect}{line}\n".encode(), "a.toml", _no_file)
    assert (raised.value.message.startswith("a.toml:"), told in raised.value.message) == (
        True,
        True,
    )


def _no_file(name: str) -> bytes:
    raise DataError(f"{name}: there is none")


BROKEN = f"""teems = []
{DESK}
[preferences.default]
"email.menton" = "on"

[[scenario]]
nam = "misspelt"
preferences.users."jan@example.com" = {{ audio = "all" }}
preferences.users.7.inbox.x = {{ audio = "all" }}
preferences.lock = {{ audio = 3, quiet_hours = "soon" }}
events = [
  {{ at = "+20x", event = "message_created" }},
  {{ event = "message_created", message_type = "loud" }},
]
expect = ["email.assigned", "email.assigned jan@example.com", {{ chanel = "push" }}, 3]

[[scenario]]
name = "empty"
events = "nowhere.jsonl"
"""


FAULTS = """\
a.toml: 'teems' is unknown; there are: scenario, account, directory, preferences, start
a.toml:10: 'nam' is unknown; did you mean name?
a.toml: preferences.default: there is no preference 'email.menton'; did you mean email.mention?
a.toml:10: preferences.users.jan@example.com: there is no user 'jan@example.com'; did you mean jane@example.com?
a.toml:10: preferences.users.7.inbox.x: a table named by the inbox's id is expected
a.toml:10: preferences.lock.audio: a text is expected
a.toml:10: preferences.lock: quiet_hours: 'soon': quiet hours are off or HH:MM-HH:MM [ZONE] [DAYS]
a.toml:10: events[1]: '+20x' is no time: 09:00:30, +20s or ISO 8601 is expected
a.toml:10: events[2]: message_type: 'loud' is none of incoming, outgoing, activity, template, nor 0 to 3
a.toml:10: expect[1]: 'email.assigned': what, whom, perhaps why: email.mention jane@example.com
a.toml:10: expect[2]: there is no user 'jan@example.com'; did you mean jane@example.com?
a.toml:10: expect[3]: 'chanel' is no field; did you mean channel?
a.toml:10: expect[4]: 3: what, whom, perhaps why: email.mention jane@example.com
a.toml:21: expects nothing: add expect or expect_not
a.toml:21: events: nowhere.jsonl: damaged gzip data
"""  # noqa: E501 - as it is told


def test_each_fault_of_a_scenario_file_is_named_with_its_place() -> None:
    def read_file(name: str) -> bytes:
        raise DataError(f"{name}: damaged gzip data")

    with pytest.raises(DataError) as raised:
        read_scenarios(BROKEN.encode(), "a.toml", read_file)
    assert f"{raised.value.message}\n" == FAULTS


def test_results_as_records_and_the_failures_for_people(desk: Desk) -> None:
    path = str(desk.write("mixed.toml", MIXED))
    ran = desk.run("test", path)
    assert [tuple(one.values()) for one in ran.records()] == [
        (path, 6, "holds", True, []),
        (path, 11, "doesn't hold", False, FAILURES),
    ]
    told = [f"FAIL  {path}:11  doesn't hold", *(f"        {text}" for text in FAILURES)]
    assert ran.err.splitlines() == [*told, "2 scenarios, 1 failed"]
    assert ran.status == 1


def test_results_as_tap(desk: Desk) -> None:
    path = str(desk.write("mixed.toml", MIXED))
    ran = desk.run("test", path, "--tap")
    assert ran.out.splitlines() == [
        "TAP version 13",
        "1..2",
        "ok 1 - holds",
        "not ok 2 - doesn't hold",
        f"# {path}:11",
        *(f"# {text}" for text in FAILURES),
    ]


def test_results_as_junit(desk: Desk, tmp_path: Path) -> None:
    path = str(desk.write("mixed.toml", MIXED.replace("doesn't hold", "<&\\u0007")))
    ran = desk.run("test", path, "--junit", str(tmp_path / "junit.xml"), "-q")
    suite = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - written a line above
    assert suite.attrib == {
        "name": "notifycli test",
        "errors": "0",
        "tests": "2",
        "failures": "1",
    }
    good, bad = suite
    assert (good.get("name"), list(good)) == ("holds", [])
    assert bad.get("name") == "<&\N{REPLACEMENT CHARACTER}"
    assert bad[0].text == "\n".join(FAILURES)
    assert ran.status == 1


def test_statuses_of_files_that_can_t_be_tried(desk: Desk) -> None:
    assert desk.run("test", str(desk.write("broken.toml", "[[scenario"))).status == 65
    assert desk.run("test", str(desk.write("other.toml", "a = 1"))).status == 65
    assert desk.run("test", "nowhere.toml").status == 66


def test_all_shipped_files_are_tried_by_one_command(desk: Desk) -> None:
    ran = desk.run("test", *map(str, sorted(EXAMPLES.glob("*.toml"))))
    assert (ran.status, ran.err) == (0, f"{len(shipped())} scenarios, all as expected\n")


def test_what_a_scenario_reads_may_be_named_beside_it(desk: Desk) -> None:
    ran = desk.run("test", *map(str, sorted(EXAMPLES.iterdir())))
    assert (ran.status, ran.err) == (0, f"{len(shipped())} scenarios, all as expected\n")


def test_the_file_that_the_help_shows_holds(desk: Desk) -> None:
    shown = desk.run("test", "--help").out
    example = shown[shown.index("[[scenario]]") :]
    ran = desk.run("test", str(desk.write("example.toml", example)))
    assert (ran.status, ran.err) == (0, "1 scenario, all as expected\n")


def test_a_folder_stands_for_the_scenario_files_in_it_and_below(desk: Desk, tmp_path: Path) -> None:
    files = sorted(map(str, EXAMPLES.glob("*.toml")))
    assert desk.run("test", str(EXAMPLES)).out == desk.run("test", *files).out
    folder = tmp_path / "policies"
    (folder / "sales").mkdir(parents=True)
    (folder / ".drafts").mkdir()
    nothing = desk.run("test", str(folder))
    assert (nothing.status, nothing.out) == (66, "")
    assert nothing.err == (
        f"error: {folder}: a folder without a file of scenarios (*.toml)\n"
        "  name the folder in which they are, or the files\n"
    )
    # Notes beside them and hidden drafts are no scenarios.
    (folder / "sales" / "mixed.toml").write_text(MIXED, encoding="utf-8")
    (folder / "README.md").write_text("# Policies", encoding="utf-8")
    (folder / ".drafts" / "broken.toml").write_text("[[scenario", encoding="utf-8")
    ran = desk.run("test", str(folder))
    assert ran.status == 1
    assert [(one["file"], one["scenario"], one["passed"]) for one in ran.records()] == [
        (str(folder / "sales" / "mixed.toml"), "holds", True),
        (str(folder / "sales" / "mixed.toml"), "doesn't hold", False),
    ]
