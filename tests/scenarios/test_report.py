"""`simulate --report`: what the page holds, and the page in real browsers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from notifycli import __version__
from notifycli.events.event import Event
from notifycli.report import About, report
from notifycli.report.findings import Highlight, Observations, People, changes, findings, headline
from notifycli.rules.counts import ConversationKey, Insight
from notifycli.rules.decision import Outcome, Reason, RecipientFields
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.preferences import Layer
from tests.conftest import needs_package
from tests.push.firefox import FIREFOX, firefox
from tests.scenarios.browser import Browser, needs_chromium
from tests.scenarios.desk import ASSIGNED, MESSAGE, Desk

EXAMPLES = Path(__file__).parents[2] / "examples"
HOSTILE = '</script><img/src=x/onerror=alert(1)>"&amp;@example.com'
TUESDAY_NOON, SUNDAY_NOON = 36, 156
PEOPLE = People({(1, 7): "Jane Miller", (1, 8): "Omar Haddad"}, several=False)
NOBODY = People({}, several=False)


def recipient(
    user: int,
    email: str | None = None,
    reason: Reason = Reason.ENABLED,
    layer: Layer = Layer.BUILTIN,
    channel: Channel = Channel.EMAIL,
) -> RecipientFields:
    fires = reason is Reason.ENABLED
    return RecipientFields(
        user, email, NotificationType.ASSIGNMENT, channel,
        Outcome.FIRE if fires else Outcome.SUPPRESS, reason, layer, None,
    )  # fmt: skip


def counted(*decided: RecipientFields, hour: int = TUESDAY_NOON, inbox: int = 3) -> Insight:
    insight = Insight(lambda _: hour)
    for one in decided:
        insight.add_reason(1, one, 1)
        if one.outcome is Outcome.FIRE:
            insight.add_fired(ConversationKey(1, 42), one, 0, inbox)
    return insight


def page_of(insight: Insight, before: Insight | None = None, zone: str = "UTC") -> str:
    about = About(NOBODY, zone, None, {}, "notifycli simulate EVENTS --explain", {})
    return report(before, insight, Observations(), about)


def data_of(page: str) -> Any:
    found = re.search(r'<script id="data" type="application/json">(.*)</script>\n<script>', page)
    assert found is not None
    return json.loads(found[1])


OFF = recipient(8, reason=Reason.DISABLED)
HEADLINES = {
    "of nothing there is nothing to say": (None, counted(), "No notifications."),
    "one is no plural, and who gets most is named": (
        None,
        counted(recipient(7)),
        "1 notification, 1 by mail; Jane Miller gets most (1).",
    ),
    "without mails none are told, and why most are withheld is": (
        None,
        counted(recipient(8, channel=Channel.PUSH), recipient(8, channel=Channel.PUSH), OFF),
        "2 notifications; Omar Haddad gets most (2); 1 withheld because switched off.",
    ),
    "that answers don't sound is nobody's choice": (
        None,
        counted(*[recipient(7, reason=Reason.NOT_AUDIBLE, channel=Channel.AUDIO)] * 2, OFF),
        "No notifications; 1 withheld because switched off.",
    ),
    "a comparison names whom it changes most for": (
        counted(recipient(7), recipient(8)),
        counted(recipient(7)),
        "2 notifications before, 1 after; it changes most for Omar Haddad (1 before, 0 after).",
    ),
    "a comparison without a difference names nobody": (
        counted(recipient(7)),
        counted(recipient(7)),
        "1 notification before, 1 after.",
    ),
}


@pytest.mark.parametrize("name", HEADLINES)
def test_the_finding_on_top(name: str) -> None:
    before, after, told = HEADLINES[name]
    assert headline(before, after, PEOPLE) == told


def at_work(*hours: int) -> Observations:
    """Omar writes in these hours."""
    material = Observations()
    for hour in hours:
        at = hour * 3_600_000_000
        material.note(Event(1, "message_created", known=True, at=at, account=1, author=8))
    return material


def test_what_stands_out() -> None:
    told = findings(counted(recipient(8), recipient(8), OFF), PEOPLE, at_work(5, 5, 6, 6), "UTC")
    assert told == [
        Highlight(
            "Omar Haddad: 1.0 an hour",
            "told most for each hour of work: 2 in 2 hours with something done or written",
        ),
        Highlight("1 of 2 get nothing", "Jane Miller"),
        Highlight("0% after hours", "0 of 2 outside Monday to Friday, 8:00 to 18:00 (UTC)"),
    ]


def test_nobody_is_left_out_and_sunday_is_after_hours() -> None:
    told = findings(
        counted(recipient(7), recipient(8), hour=SUNDAY_NOON), PEOPLE, Observations(), "UTC"
    )
    assert told == [
        Highlight("Nobody is left out", "each of 2 people gets something"),
        Highlight("100% after hours", "2 of 2 outside Monday to Friday, 8:00 to 18:00 (UTC)"),
    ]


@pytest.mark.parametrize(
    ("layer", "command"),
    [
        (Layer.BUILTIN, "notifycli prefs set --default email.assigned=off"),
        (Layer.DEFAULT, "notifycli prefs set --default email.assigned=off"),
        (Layer.LOCK, "notifycli prefs set --lock email.assigned=off"),
        (Layer.USER, "notifycli prefs set -u 7 email.assigned=off"),
        (Layer.INBOX, "notifycli prefs set -u 7 --inbox 3 email.assigned=off"),
    ],
)
def test_a_change_is_made_where_the_preference_is_set(layer: Layer, command: str) -> None:
    [change] = changes(counted(recipient(7, layer=layer)), PEOPLE)
    assert change.command == command


@pytest.fixture
def day(desk: Desk) -> Desk:
    """The desk of the examples."""
    desk.run("user", "remove", "root@example.com", "jane@example.com", "omar@example.com")
    desk.run("directory", "import", str(EXAMPLES / "directory.json"), "--replace")
    desk.run("prefs", "import", str(EXAMPLES / "preferences.csv"))
    return desk


def data_from(desk: Desk, *options: str) -> Any:
    path = desk.folder / "report.html"
    ran = desk.run("simulate", *options, "--report", str(path))
    assert ran.status == 0, ran.err
    return data_of(path.read_text(encoding="utf-8"))


def test_each_change_takes_away_what_it_says(day: Desk) -> None:
    log, store = str(EXAMPLES / "day.jsonl"), day.folder / "store.db"
    told = data_from(day, log)["changes"]
    assert len(told) == 5
    assert told == sorted(told, key=lambda one: -one[0])
    shutil.copy(store, day.folder / "kept.db")
    before = len(day.run("simulate", log, "-q").records())
    for fewer, _, command in told:
        assert day.run(*shlex.split(command)[1:]).status == 0
        assert before - len(day.run("simulate", log, "-q").records()) == fewer, command
        shutil.copy(day.folder / "kept.db", store)


def test_behind_every_bar_of_a_day_are_all_of_its_decisions(day: Desk) -> None:
    data = data_from(day, str(EXAMPLES / "day.jsonl"))
    held, fired, reasons = data["held"], Counter[object](), Counter[object]()
    for i in range(0, len(held["decided"]), 5):
        event, person, kind, before, after = held["decided"][i : i + 5]
        at = held["events"][event * 5]
        hour = ((at // 86_400 + 3) % 7) * 24 + at % 86_400 // 3600
        assert before == -1
        reasons[person, kind, after] += 1
        fired[person, kind, hour] += after == 0
    rows = {name: data["after"][name] for name in ("fired", "reasons")}
    of = {name: Counter[object]() for name in rows}
    for name, numbers in rows.items():
        for i in range(0, len(numbers), 4):
            of[name][tuple(numbers[i : i + 3])] = numbers[i + 3]
    assert (+fired, reasons) == (of["fired"], of["reasons"])
    assert held["one_in"] == [1, 1]


def test_people_have_names_and_conversations_links_and_the_clock_is_local(day: Desk) -> None:
    day.run("config", "set", "desk.url=https://desk.example.com/")
    log = str(EXAMPLES / "day.jsonl")
    data = data_from(day, log, "--zone", "Asia/Tokyo", "-u", "jane@example.com")
    assert data["people"] == [["Jane Miller", "jane@example.com", 7, 9]]
    assert data["links"] == {"1": "https://desk.example.com/app/accounts/1/conversations/"}
    assert data["zone"] == "Asia/Tokyo"
    assert data["findings"][1] == ["Nobody is left out", "each of 1 people gets something"]
    assert data["span"][0] % 86_400 == 15 * 3600
    assert data["command"] == f"notifycli simulate {shlex.quote(log)} --explain"


def test_namesakes_are_told_apart(desk: Desk) -> None:
    desk.run("user", "set", "7", "--name", "Sam")
    desk.run("user", "set", "8", "--name", "Sam")
    data = data_from(desk, desk.events(ASSIGNED, MESSAGE))
    names = sorted(person[0] for person in data["people"])
    assert names == ["Sam (jane@example.com)", "Sam (omar@example.com)", "root@example.com"]


def test_of_too_many_decisions_those_of_some_events_are_held() -> None:
    observations = Observations(100)
    decided = [recipient(7), OFF, recipient(9, reason=Reason.DISABLED)]

    def all_or_fired(everything: bool) -> tuple[list[RecipientFields], list[RecipientFields]]:
        return [], decided if everything else decided[:1]

    for line in range(1000):
        observations.hold(Event(line, "assignee_changed", known=True), all_or_fired)
    assert (observations.fired.one_in, observations.withheld.one_in) == (16, 32)
    lines = [held.event.line for held in observations.fired.events]
    assert 40 <= len(lines) <= 100
    # Not every 16th: what comes in turns is met in all its turns.
    assert {line % 16 for line in lines} > {0, 1, 2, 3}
    assert {len(held.decided) for held in observations.fired.events} == {1}
    assert {len(held.decided) for held in observations.withheld.events} == {2}


def test_many_agents_are_summed_up_as_others() -> None:
    page = page_of(counted(*(recipient(user, f"agent{user}@example.com") for user in range(5000))))
    data = data_of(page)
    assert len(page) < 100_000
    assert (len(data["people"]), data["others"]) == (500, 4500)
    assert sum(data["after"]["fired"][3::4]) == 5000
    assert data["after"]["fired"][-4:] == [500, 0, TUESDAY_NOON, 4500]


def test_without_a_comparison_there_is_nothing_before() -> None:
    data = data_of(page_of(counted(recipient(7), OFF)))
    assert data["before"] == {"fired": [], "reasons": []}
    assert [person[0] for person in data["people"]] == ["user 7", "user 8"]
    assert data["after"]["fired"] == [0, 0, TUESDAY_NOON, 1]


def test_a_page_says_what_it_was_made_of_and_not_when(desk: Desk, tmp_path: Path) -> None:
    path, policy = (
        tmp_path / "report.html",
        desk.write("my policy.csv", "layer,user,inbox,key,value"),
    )
    events = desk.events({"event": "presence_update", "user": {"id": 7}}, ASSIGNED, MESSAGE)
    proposed = ("--set", "8:audio=all", "--prefs", str(policy), "--diff")
    desk.run("simulate", events, *proposed, "--report", str(path))
    page = path.read_text(encoding="utf-8")
    assert data_of(page)["source"] == [
        ["Events", f"3 events of {events}"],
        ["Time", "2026-03-03T12:00:00Z to 2026-03-03T13:30:00Z"],
        ["Proposed", f"--set 8:audio=all --prefs '{policy}'"],
        ["Made by", f"notifycli {__version__}"],
    ]
    desk.run("simulate", events, *proposed, "--report", str(path))
    assert path.read_text(encoding="utf-8") == page


def test_a_page_of_many_files_names_some(desk: Desk, tmp_path: Path) -> None:
    path, events = tmp_path / "report.html", str(desk.write("empty.jsonl"))
    desk.run("simulate", *[events] * 7, "--report", str(path))
    data = data_of(path.read_text(encoding="utf-8"))
    assert data["source"] == [
        ["Events", f"0 events of {', '.join([events] * 5)} and 2 more"],
        ["Made by", f"notifycli {__version__}"],
    ]
    assert data["command"] == "notifycli simulate EVENTS --explain"


def test_a_page_without_a_folder_is_refused_before_the_replay(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "no where" / "report.html"
    ran = desk.run("simulate", "missing.jsonl", "--report", str(path))
    told = (
        f"error: --report {path}: there is no folder {path.parent}\n"
        f"  make it: mkdir -p '{path.parent}'\n"
    )
    assert (ran.status, ran.err) == (2, told)


def test_a_page_that_can_t_be_written_is_told(desk: Desk, tmp_path: Path) -> None:
    ran = desk.run("simulate", desk.events(ASSIGNED), "--report", str(tmp_path))
    assert (ran.status, ran.err) == (
        2,
        (
            f"error: {tmp_path}: can't be written: Is a directory\n"
            "  name another place, or make room or rights for it\n"
        ),
    )


COMPARED = (
    "--diff", "--set", "push.assigned=off", "--set", "7:email.message=on", "--set", "8:audio=all",
)  # fmt: skip


@pytest.fixture
def page(browser: Browser, desk: Desk, tmp_path: Path) -> Browser:
    """A comparison: an e-mail comes, a push goes, an e-mail stays."""
    path = tmp_path / "report.html"
    ran = desk.run(
        "simulate",
        desk.events(ASSIGNED, MESSAGE),
        "--report",
        str(path),
        "--zone",
        "UTC",
        *COMPARED,
    )
    assert (ran.status, ran.out, ran.err) == (0, "", f"wrote {path}\n")
    browser.said.clear()
    browser.asked_for.clear()
    browser.open(path.as_uri())
    return browser


TABLE = """(title) => {
  const sections = [...document.querySelectorAll("section")];
  const section = sections.find((one) => one.querySelector("h2").textContent === title);
  return [...section.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) =>
    cell.querySelector("button")?.getAttribute("aria-label") ?? cell.textContent).filter(Boolean));
}"""


def table(browser: Browser, title: str) -> list[list[str]]:
    rows: list[list[str]] = browser.evaluate(f"({TABLE})({json.dumps(title)})")
    return rows


def choose(browser: Browser, control: str, text: str) -> None:
    browser.evaluate(f"""(() => {{
      const control = document.getElementById({json.dumps(control)});
      const option = [...control.options].find((one) => one.textContent === {json.dumps(text)});
      control.value = option.value;
      control.dispatchEvent(new Event("change"));
    }})()""")


@needs_chromium
def test_the_page_shows_before_and_after(page: Browser) -> None:
    title = page.evaluate("document.querySelector('h1').textContent")
    assert title.startswith("2 notifications before, 3 after; it changes most for")
    jane, omar = "jane@example.com", "omar@example.com"
    assert table(page, "Who") == [
        [jane, f"{jane}, E-mail: 1 before, 2 after", f"{jane}, Push: 1 before, 0 after"],
        [omar, f"{omar}, Sound: 0 before, 1 after"],
    ]
    assert page.evaluate("document.querySelectorAll('table.hours').length") == 6
    # Of a day, not of a week.
    assert page.evaluate("document.querySelectorAll('table.hours tbody tr').length") == 6


@needs_chromium
def test_the_filters_reach_every_plot_and_are_cleared(page: Browser) -> None:
    choose(page, "channel", "Push")
    assert [row[0] for row in table(page, "What about")] == ["assignments push.assigned"]
    assert [row[1] for row in table(page, "Busiest conversations")] == ["#42: 1 before, 0 after"]
    assert page.evaluate("document.querySelectorAll('table.hours').length") == 2
    about = "document.getElementById('about').textContent"
    assert page.evaluate(about) == "Notifications: 1 before, 0 after; 2 withheld"
    choose(page, "channel", "all")
    choose(page, "person", "omar@example.com")
    assert table(page, "Busiest conversations") == [["#42", "#42: 0 before, 1 after"]]
    page.evaluate("document.getElementById('clear').click()")
    assert len(table(page, "What about")) == 4


@needs_chromium
def test_an_address_with_filters_shows_the_page_filtered(page: Browser) -> None:
    choose(page, "channel", "Sound")
    address = page.evaluate("location.href")
    assert address.endswith("#channel=Sound")
    page.open("about:blank")
    page.open(address)
    assert [row[0] for row in table(page, "Who")] == ["omar@example.com"]


BEHIND = """(() => {
  const bars = [...document.querySelectorAll("button.down")];
  const bar = bars.find((one) => one.ariaLabel.startsWith("jane@example.com, Push"));
  bar.focus();
  bar.click();
  const dialog = document.querySelector("dialog[open]");
  const told = [...dialog.querySelectorAll("h2, p, pre, tbody td")].map((one) => one.textContent);
  dialog.close();
  return [...told, document.activeElement === bar];
})()"""
TOLD_BEHIND = [
    "jane@example.com, Push",
    "1 decision, all of them. In a terminal:",
    "2026-03-03 12:00",
    "jane@example.com",
    "Push: assignments push.assigned",
    "#42 assignee_changed, line 1",
    "✓ it is switched on fires",
    "✗ it is switched off disabled",
    True,
]


def without_command(told: list[Any]) -> list[Any]:
    """Leave out the command: it names a file of the test's own."""
    [command] = [one for one in told if str(one).startswith("notifycli simulate ")]
    assert command.endswith("--set 8:audio=all -u jane@example.com --channel push")
    return [one for one in told if one != command]


@needs_chromium
def test_a_bar_leads_down_to_its_decisions_and_back(page: Browser) -> None:
    assert without_command(page.evaluate(BEHIND)) == TOLD_BEHIND


@pytest.mark.skipif(FIREFOX is None, reason=needs_package("firefox-esr"))
def test_firefox_shows_the_same(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    desk.run(
        "simulate",
        desk.events(ASSIGNED, MESSAGE),
        "--report",
        str(path),
        "--zone",
        "UTC",
        *COMPARED,
    )
    with firefox(tmp_path / "profile") as window:
        window.open(path.as_uri())
        assert without_command(window.evaluate(BEHIND)) == TOLD_BEHIND
        assert len(window.evaluate(f"({TABLE})('Who')")) == 2
        desk.run("why", "--conversation", "42", desk.events(ASSIGNED), "--report", str(path))
        window.open(path.as_uri())
        window.click("#timeline button")
        told = window.evaluate("document.getElementById('tip').innerText")
        assert told.startswith("E-mail about assignments fires: it is switched on")


@needs_chromium
def test_the_arrows_walk_in_the_map_which_is_one_stop_of_tab(page: Browser) -> None:
    stops = page.evaluate("""[...document.querySelectorAll("table.hours")].map(
      (map) => [...map.querySelectorAll("button")].filter((one) => one.tabIndex === 0).length)""")
    assert stops == [1, 1, 1, 0, 0, 1]
    walked = page.evaluate("""(() => {
      const map = [...document.querySelectorAll("table.hours")][1];
      map.querySelector("button").focus();
      const key = (name) => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
      const seen = [document.activeElement.ariaLabel];
      for (const name of ["ArrowRight", "ArrowRight", "ArrowLeft"]) {
        key(name);
        seen.push(document.activeElement.ariaLabel);
      }
      return seen;
    })()""")
    noon, one = "Tue 12:00, E-mail: 1", "Tue 13:00, E-mail: 1"
    assert walked == [noon, one, one, noon]


@needs_chromium
def test_the_page_says_nothing_on_the_console_and_asks_for_nothing(page: Browser) -> None:
    choose(page, "channel", "Push")
    page.evaluate("document.querySelector('.cell button').click()")
    assert page.said == []
    assert [url for url in page.asked_for if not url.startswith("file:")] == []
    assert len(page.asked_for) == 1


@needs_chromium
def test_its_policy_stops_what_the_page_does_not_hold(page: Browser) -> None:
    page.evaluate("""(() => {
      const script = document.createElement("script");
      script.textContent = "window.broken = true";
      document.body.append(script);
      new Image().src = "https://example.com/x.png";
    })()""")
    assert page.evaluate("window.broken") is None
    assert any("Content Security Policy" in str(one) for one in page.said)


@needs_chromium
def test_hostile_text_stays_text(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(page_of(counted(recipient(7, HOSTILE)), zone=HOSTILE), encoding="utf-8")
    browser.said.clear()
    browser.open(path.as_uri())
    assert table(browser, "Who") == [[HOSTILE, f"{HOSTILE}, E-mail: 1"]]
    assert browser.evaluate("document.querySelector('tbody th').title") == HOSTILE
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert browser.said == []


@needs_chromium
def test_of_many_people_the_first_are_shown_and_anybody_is_found(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "many.html"
    people = [recipient(user, f"agent{user}@example.com") for user in range(600)]
    path.write_text(page_of(counted(*people, people[3])), encoding="utf-8")
    browser.open(path.as_uri())
    assert [row[0] for row in table(browser, "Who")][:2] == [
        "agent3@example.com",
        "agent0@example.com",
    ]
    assert len(table(browser, "Who")) == 15
    assert "100 other people get 100 together." in browser.evaluate("document.body.innerText")
    browser.evaluate("""(() => {
      const search = document.getElementById("search");
      search.value = "agent499@";
      search.dispatchEvent(new Event("input"));
    })()""")
    assert [row[0] for row in table(browser, "Who")] == ["agent499@example.com"]


@needs_chromium
@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_and_the_scheme_is_the_reader_s(
    page: Browser, width: int, scheme: str
) -> None:
    page.resize(width)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.call("Emulation.setEmulatedMedia", features=[feature])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 28)"}[scheme]
    bars = (
        "[...document.querySelectorAll('svg.bar')].map((bar) => bar.getBoundingClientRect().width)"
    )
    assert page.evaluate(f"Math.min(...{bars})") >= 80
