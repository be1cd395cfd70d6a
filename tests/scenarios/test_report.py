"""`simulate --report`: the page in a real browser, and what it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notifycli import __version__
from notifycli.report import report
from notifycli.rules.counts import Insight
from notifycli.rules.decision import Decision, Outcome, Reason, RecipientFields
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.preferences import Layer
from tests.conftest import needs_package
from tests.scenarios.browser import CHROMIUM, Browser
from tests.scenarios.desk import ASSIGNED, MESSAGE, Desk

HOSTILE = '</script><img/src=x/onerror=alert(1)>"&amp;@example.com'
TUESDAY_NOON = 36
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason=needs_package("chromium"))


def decision(user: int, email: str | None, *, fires: bool = True) -> Decision:
    return Decision(
        1, None, "conversation_updated", 1, 42, 3, None, user, email,
        NotificationType.ASSIGNMENT, Channel.EMAIL,
        Outcome.FIRE if fires else Outcome.SUPPRESS,
        Reason.ENABLED if fires else Reason.DISABLED,
        Layer.BUILTIN, None,
    )  # fmt: skip


def counted(*decisions: Decision) -> Insight:
    insight = Insight(lambda _: TUESDAY_NOON)
    for one in decisions:
        recipient = RecipientFields(
            *(getattr(one, field) for field in RecipientFields.__struct_fields__)
        )
        insight.add_reason(one.account_id, recipient, 1)
        if one.outcome is Outcome.FIRE:
            insight.add_fired(one.account_id, recipient, one.conversation_id, 0)
    return insight


def data_of(page: str) -> Any:
    found = re.search(r'<script id="data" type="application/json">(.*)</script>\n<script>', page)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, desk: Desk, tmp_path: Path) -> Browser:
    """A comparison: an e-mail comes, a push goes, an e-mail stays."""
    path = tmp_path / "report.html"
    ran = desk.run(
        "simulate", desk.events(ASSIGNED, MESSAGE), "--report", str(path), "--diff",
        "--set", "push.assigned=off", "--set", "7:email.message=on", "--set", "8:audio=all",
    )  # fmt: skip
    assert (ran.status, ran.out, ran.err) == (0, "", f"wrote {path}\n")
    browser.said.clear()
    browser.asked_for.clear()
    browser.open(path.as_uri())
    return browser


def table(browser: Browser, title: str) -> list[str]:
    script = """(title) => {
      const sections = [...document.querySelectorAll("section")];
      const section = sections.find((one) => one.querySelector("h2").textContent === title);
      return [...section.querySelectorAll("tbody tr")].map((row) => row.innerText.trim());
    }"""
    rows: list[str] = browser.evaluate(f"({script})({json.dumps(title)})")
    return [" ".join(row.split()) for row in rows]


def choose(browser: Browser, control: str, text: str) -> None:
    browser.evaluate(f"""(() => {{
      const control = document.getElementById({json.dumps(control)});
      const option = [...control.options].find((one) => one.textContent === {json.dumps(text)});
      control.value = option.value;
      control.dispatchEvent(new Event("change"));
    }})()""")


@needs_chromium
def test_the_page_shows_before_and_after(page: Browser) -> None:
    about = page.evaluate("document.getElementById('about').textContent")
    assert about == "2 notifications before, 3 after."
    assert table(page, "By channel") == ["email 1 2 +1", "push 1 0 -1", "audio 0 1 +1"]
    assert table(page, "By agent") == ["jane@example.com 2 2", "omar@example.com 0 1 +1"]
    assert page.evaluate("document.querySelectorAll('svg.week rect').length") == 2 * 7 * 24


@needs_chromium
def test_the_filters_filter_and_are_cleared(page: Browser) -> None:
    choose(page, "channel", "push")
    assert table(page, "By type") == ["push.assigned 1 0 -1"]
    choose(page, "channel", "all")
    choose(page, "agent", "omar@example.com")
    assert table(page, "By type") == ["audio 0 1 +1"]
    choose(page, "type", "message")
    assert table(page, "By type") == []
    page.evaluate("document.getElementById('clear').click()")
    assert len(table(page, "By type")) == 4


@needs_chromium
def test_an_address_with_filters_shows_the_page_filtered(page: Browser) -> None:
    choose(page, "channel", "audio")
    address = page.evaluate("location.href")
    assert address.endswith("#channel=audio")
    page.open("about:blank")
    page.open(address)
    assert table(page, "By channel") == ["audio 0 1 +1"]


@needs_chromium
def test_the_page_says_nothing_on_the_console_and_asks_for_nothing(page: Browser) -> None:
    choose(page, "channel", "push")
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
    insight = counted(decision(7, HOSTILE))
    path = tmp_path / "hostile.html"
    path.write_text(report(insight, insight, HOSTILE, compared=False), encoding="utf-8")
    browser.said.clear()
    browser.open(path.as_uri())
    assert table(browser, "By agent") == [f"{HOSTILE} 1"]
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert browser.said == []


@needs_chromium
@pytest.mark.parametrize("width", [320, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_and_the_scheme_is_the_reader_s(
    page: Browser, width: int, scheme: str
) -> None:
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.call("Emulation.setEmulatedMedia", features=[feature])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 28)"}[scheme]


@needs_chromium
def test_bars_have_room_and_addresses_stay_whole(page: Browser) -> None:
    sized = {}
    for width in (1200, 480):
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        bars = page.evaluate("""Math.min(...[...document.querySelectorAll("svg.bar")].map(
          (bar) => bar.getBoundingClientRect().width))""")
        lines = page.evaluate("""[...document.querySelectorAll("section")].filter(
          (one) => one.querySelector("h2").textContent === "By agent").flatMap(
          (one) => [...one.querySelectorAll("tbody .label")]).map((label) => {
            const range = document.createRange();
            range.selectNodeContents(label);
            return new Set([...range.getClientRects()].map((box) => box.top)).size;
          })""")
        sized[width] = bars >= 120, lines
    assert sized == {1200: (True, [1, 1]), 480: (True, [1, 1])}


@needs_chromium
def test_the_page_names_its_source(page: Browser) -> None:
    shown = page.evaluate("document.getElementById('source').innerText").splitlines()
    assert shown[-2:] == ["Made by", f"notifycli {__version__}"]


def test_many_agents_are_summed_up_as_others() -> None:
    decisions = [decision(user, f"agent{user}@example.com") for user in range(5000)]
    page = report(Insight(lambda _: 0), counted(*decisions), "UTC", compared=False)
    data = data_of(page)
    assert len(page) < 100_000
    assert data["agents"][-1] == "4,500 other agents"
    assert sum(data["after"]["fired"][3::4]) == 5000
    assert data["after"]["fired"][-4:] == [500, 0, TUESDAY_NOON, 4500]


def test_without_a_comparison_there_is_nothing_before() -> None:
    insight = counted(decision(7, None), decision(8, None, fires=False))
    data = data_of(report(insight, insight, "UTC", compared=False))
    assert data["before"] == {"fired": [], "reasons": []}
    assert data["agents"] == ["7", "8"]
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
    assert data_of(path.read_text(encoding="utf-8"))["source"] == [
        ["Events", f"0 events of {', '.join([events] * 5)} and 2 more"],
        ["Made by", f"notifycli {__version__}"],
    ]


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
    assert (ran.status, ran.err) == (2, f"error: {tmp_path}: can't be written: Is a directory\n")
