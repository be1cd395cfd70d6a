"""`why --conversation` of everybody: a line an event, a column a person, and the page of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from notifycli.cli.why.conversation import event_words
from notifycli.events.event import Event, Message
from tests.scenarios.browser import Browser, needs_chromium
from tests.scenarios.desk import ASSIGNED, MESSAGE, Desk, Json

LOG = str(Path(__file__).parents[2] / "examples" / "day.jsonl")
NOTE: Json = {
    **MESSAGE,
    "id": 6,
    "message_type": "outgoing",
    "private": True,
    "sender": {"id": 8, "type": "user"},
    "created_at": "2026-03-03T14:00:00Z",
}
RESOLVED: Json = {
    "event": "conversation_status_changed",
    "id": 42,
    "status": "resolved",
    "updated_at": "2026-03-03T15:00:00Z",
}
ELSEWHERE: Json = {**ASSIGNED, "id": 43, "updated_at": "2026-03-03T16:00:00Z"}
EVENTS = (ASSIGNED, MESSAGE, NOTE, ELSEWHERE, RESOLVED)
WHICH = ("--conversation", "42")


@pytest.fixture
def named(desk: Desk) -> Desk:
    """People have names; Jane is told of messages, Omar hears everything."""
    for user, name in (("7", "Jane Miller"), ("8", "Omar Haddad"), ("9", "Jane Root")):
        desk.run("user", "set", user, "--name", name)
    desk.run("prefs", "set", "-u", "7", "email.message=on")
    desk.run("prefs", "set", "-u", "8", "audio=all")
    return desk


def test_on_a_terminal_there_are_events_down_and_people_across(named: Desk) -> None:
    ran = named.run("why", *WHICH, named.events(*EVENTS), "-o", "table", "-q")
    assert (
        ran.out
        == """\
Conversation 42, Tuesday 3 March 2026: 2 of 3 users would get 3 notifications; \
1 that can't be delivered; 6 withheld: 5 switched off, 1 their own messages.

                                        Jane Miller  Omar         Jane Root
12:00:00 Assigned to Jane Miller        E!
13:30:00 Message from the customer      E··            S            ·
14:00:00 Private note by Omar Haddad      ·            ·            ·
15:00:00 Now resolved

E an e-mail, P a push, S a sound; ! fires and can't be delivered; · is withheld; \
blank: it isn't about them.

Jane Miller would get 2 notifications; 1 that can't be delivered; 3 withheld: 3 switched off.
Omar Haddad would get 1 notification; 1 withheld: 1 their own messages.
Nothing for Jane Root.
"""
    )


def test_of_several_days_each_line_has_its_date(named: Desk) -> None:
    later = {**RESOLVED, "updated_at": "2026-03-12T09:00:00Z"}
    ran = named.run("why", *WHICH, named.events(ASSIGNED, later), "-o", "table", "-q")
    assert ran.out.splitlines()[2:5] == [
        " " * 40 + "Jane",
        "03-03 12:00 Assigned to Jane Miller     E!",
        "03-12 09:00 Now resolved",
    ]


def test_records_are_those_that_each_of_them_gets_alone(named: Desk) -> None:
    events = named.events(*EVENTS)
    alone = [
        record
        for user in ("7", "8", "9")
        for record in named.run("why", "-u", user, *WHICH, events).records()
    ]
    together = named.run("why", *WHICH, events).records()
    assert len(together) > 8

    def key(record: Json) -> tuple[Any, ...]:
        return record["line"], record["user_id"], record["type"], record["channel"]

    assert sorted(together, key=key) == sorted(alone, key=key)
    assert [record["line"] for record in together] == sorted(r["line"] for r in together)


def page_of(desk: Desk, *options: str) -> Any:
    path = desk.folder / "timeline.html"
    ran = desk.run("why", *options, "--report", str(path))
    assert (ran.status, ran.out) == (0, ""), ran.err
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script id="data" type="application/json">(.*)</script>\n<script>', text)
    assert found is not None
    return json.loads(found[1])


def test_the_page_has_a_mark_for_each_record(named: Desk) -> None:
    named.run("config", "set", "desk.url=https://desk.example.com")
    events = named.events(*EVENTS)
    records = named.run("why", *WHICH, events).records()
    data = page_of(named, *WHICH, events)
    lines = [line for _, _, _, line in data["events"]]
    marks = [
        (lines[event], data["people"][person], channel, code, data["texts"][sentence])
        for event, person, channel, _, code, _, _, sentence, _ in data["marks"]
    ]
    names = {7: "Jane Miller", 8: "Omar Haddad", 9: "Jane Root"}
    assert [(*mark[:3], mark[4]) for mark in marks] == [
        (one["line"], names[one["user_id"]], one["channel"], one["sentence"]) for one in records
    ]
    assert data["link"] == "https://desk.example.com/app/accounts/1/conversations/42"
    assert [words for _, words, _, _ in data["events"]] == [
        "Assigned to Jane Miller",
        "Message from the customer",
        "Private note by Omar Haddad",
        "Now resolved",
    ]


def test_of_one_user_the_page_has_one_column(named: Desk) -> None:
    data = page_of(named, *WHICH, "-u", "7", named.events(*EVENTS))
    assert data["people"] == ["Jane Miller"]


def test_the_preferences_are_those_of_the_time(named: Desk) -> None:
    """What is set today is no older than the events, of which the history knows nothing."""
    later: Json = {**ASSIGNED, "updated_at": "2126-03-03T12:00:00Z"}
    events = named.events(later)
    before = named.run("why", *WHICH, events).records()
    named.run("prefs", "set", "-u", "7", "email.assigned=off")
    [old] = [r for r in before if (r["user_id"], r["channel"]) == (7, "email")]
    new = named.run("why", *WHICH, events).records()
    [now] = [r for r in new if (r["user_id"], r["channel"]) == (7, "email")]
    assert (old["outcome"], now["outcome"]) == ("fire", "suppress")
    as_of = named.run("why", *WHICH, "--as-of", "2020-01-01", events).records()
    assert [r["value"] for r in as_of if (r["user_id"], r["channel"]) == (7, "email")] == ["off"]


WORDS: dict[str, tuple[Message | None, Json, str]] = {
    "a message of the customer": (
        Message(1, "incoming", False, ""),
        {},
        "Message from the customer",
    ),
    "an answer": (Message(1, "outgoing", False, ""), {"author": 7}, "Message by Jane"),
    "a campaign": (Message(1, "template", False, ""), {}, "Message"),
    "a note by somebody not on record": (
        Message(1, "outgoing", True, ""),
        {"author": 5},
        "Private note by user 5",
    ),
    "what Chatwoot notes": (Message(1, "activity", False, ""), {}, "Activity message"),
    "an assignment": (None, {"assignment": True, "assignee": 7}, "Assigned to Jane"),
    "taken from everybody": (None, {"assignment": True, "assignee": None}, "Assigned to nobody"),
    "anything else": (None, {}, "Team changed"),
}


@pytest.mark.parametrize("name", WORDS)
def test_events_in_words(name: str) -> None:
    message, fields, words = WORDS[name]
    event = structs.replace(Event(1, "team_changed", known=True, message=message), **fields)
    assert event_words(event, {7: "Jane"}) == words


def test_a_conversation_of_no_event_is_told_and_nothing_is_drawn(
    named: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "timeline.html"
    ran = named.run("why", "--conversation", "44", named.events(*EVENTS), "--report", str(path))
    assert ran.err == (
        f"there is nothing to draw: no {path} is written\n"
        "nothing to tell: no event concerns what was selected\n"
        "no event is of conversation 44; there are: 42, 43\n"
    )
    assert not path.exists()


@pytest.mark.parametrize("options", [(), (*WHICH, "--conversation", "43")])
def test_a_page_is_of_one_conversation(named: Desk, options: tuple[str, ...]) -> None:
    ran = named.run("why", *options, named.events(*EVENTS), "--report", "timeline.html")
    told = "error: --report draws one conversation\n  name it: --conversation ID\n"
    assert (ran.status, ran.err) == (2, told)


def test_a_page_is_not_written_over_what_it_is_made_of(named: Desk) -> None:
    events = named.events(*EVENTS)
    ran = named.run("why", *WHICH, events, "--report", events)
    told = f"error: --report {events} would be written over what is read\n  give it another name\n"
    assert (ran.status, ran.err) == (2, told)


LOOKED = """(() => {
  const tip = document.getElementById("tip");
  const [first] = document.querySelectorAll("#timeline button");
  const key = (name) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const seen = [];
  const look = () =>
    seen.push([document.activeElement.textContent, tip.hidden ? "" : tip.innerText]);
  first.focus();
  look();
  for (const name of ["ArrowRight", "ArrowDown", "Escape"]) {
    key(name);
    look();
  }
  first.dispatchEvent(new PointerEvent("pointerenter"));
  seen.push(tip.innerText.split("\\n")[0]);
  return seen;
})()"""


@needs_chromium
@pytest.mark.parametrize("width", [400, 1600])
def test_each_mark_says_its_reason_to_pointer_and_keyboard(
    named: Desk, browser: Browser, width: int
) -> None:
    path = named.folder / "timeline.html"
    named.run("why", *WHICH, named.events(*EVENTS), "--report", str(path))
    browser.said.clear()
    browser.asked_for.clear()
    browser.resize(width)
    browser.open(path.as_uri())
    mail, push, message, gone, pointed = browser.evaluate(LOOKED)
    on = "E-mail about assignments fires: it is switched on: email.assigned is on (builtin)."
    assert mail[0] == "E"
    assert on in mail[1]
    assert "notifycli prefs set -u jane@example.com email.assigned=off" in mail[1]
    assert push[0] == "!"
    assert "Push about assignments fires, but can't be delivered" in push[1]
    assert message[0] == "·"
    assert "it is switched off: push.message is off (builtin)" in message[1]
    assert gone == ["·", ""]
    assert on in pointed
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    label = "document.querySelector('#timeline button').ariaLabel"
    assert browser.evaluate(label) == f"Jane Miller: {on[:-1]}"
    assert browser.evaluate("document.querySelectorAll('#told tbody tr').length") == 10
    assert (browser.said, len(browser.asked_for)) == ([], 1)
