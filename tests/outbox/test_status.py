"""`notifycli deliver status`: how it is asked, and in what form it answers."""

from __future__ import annotations

import re

import pytest

from notifycli.delivery.channels import Delivered, Refused
from tests.conftest import Notifycli, Program

from .desk import Post, asked


def test_the_status_on_a_terminal_says_why_and_what_to_do(
    told: Notifycli, post: Post, program: Program
) -> None:
    post.answer = lambda notice: (
        Delivered() if notice.message_id == 100 else Refused("no such mailbox", "correct it")
    )
    told("deliver", told.write_events("e.jsonl", [asked(n) for n in (100, 101, 102)]))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", program.on_terminal("deliver", "status").stdout.decode())

    rows = [" ".join(row.split()) for row in shown.splitlines() if row.strip("─ ")]
    minute = rows[1].removeprefix("email sent 1 ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", minute)
    assert rows == [
        "Channel State Count Oldest (UTC)",
        f"email sent 1 {minute}",
        f"email dead 2 {minute}",
        "Id Tries Changed What",
        "2 1 just now email.message for jane@example.com, conversation 42",
        "no such mailbox",
        "→ correct it",
        "3 1 just now email.message for jane@example.com, conversation 42",
        "no such mailbox",
        "what is dead waits again after notifycli deliver retry ID or --all, and then",
        "notifycli deliver --pending sends it; notifycli deliver drop gives it up",
    ]


def test_a_remedy_is_about_the_store_that_was_named(told: Notifycli, post: Post) -> None:
    post.answer = lambda _: Refused("no such mailbox", "notifycli deliver retry 1")
    told("deliver", told.write_events("e.jsonl", [asked(100)]))
    listed = ("deliver", "status", "--state", "dead")
    assert [one["remedy"] for one in told.ok(*listed, "--db", str(told.store)).records] == [
        f"notifycli --db {told.store} deliver retry 1"
    ]
    assert [one["remedy"] for one in told.ok(*listed).records] == ["notifycli deliver retry 1"]


@pytest.mark.parametrize("output", ["json", "jsonl", "csv", "tsv", "table"])
def test_the_status_comes_in_every_format(told: Notifycli, post: Post, output: str) -> None:
    told.ok("deliver", told.write_events("e.jsonl", [asked(100)]))

    assert b"sent" in told.ok("deliver", "status", "-o", output).stdout
    listed = told.ok("deliver", "status", "--state", "sent", "-o", output).stdout
    assert b"jane@example.com" in listed
    assert len(post.sent) == 1


@pytest.mark.parametrize(
    "before",
    [["-u", "7"], ["--user=7"], ["-q", "-o", "jsonl", "-u", "7"], ["-u7"]],
    ids=" ".join,
)
def test_a_verb_is_one_after_options_too(told: Notifycli, post: Post, before: list[str]) -> None:
    told.ok("deliver", told.write_events("e.jsonl", [asked(100)]))
    [counted] = told.ok("deliver", *before, "status").records
    assert (counted["state"], counted["count"], len(post.sent)) == ("sent", 1, 1)


def test_why_says_what_has_become_of_a_notification(told: Notifycli, post: Post) -> None:
    events = told.write_events("e.jsonl", [asked(100), asked(101)])
    post.answer = lambda notice: (
        Refused("no such mailbox") if notice.message_id == 101 else Delivered("sent")
    )
    told("deliver", events)
    asked_for = ("why", "-u", "7", "--channel", "email", events)
    fired = [one for one in told.ok(*asked_for).records if one["outcome"] == "fire"]
    assert [(one["message_id"], one["delivery"]) for one in fired] == [(100, "sent"), (101, "dead")]
    shown = told.ok(*asked_for, "-o", "table").stdout.decode()
    dead = "✓ should have got an e-mail, which couldn't be sent: notifycli deliver status: it is"
    assert [shown.count(told) for told in ("✓ got an e-mail: it is", dead)] == [1, 1]
