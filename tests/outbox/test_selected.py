"""Who a run of `deliver` is about: which account, whose speaker, and which events are new."""

from __future__ import annotations

import json

import pytest

from notifycli.delivery.channels import Refused
from notifycli.rules.notifications import Channel
from tests.conftest import DESK, Json, Notifycli

from .desk import Post, asked

NOTHING: Json = {"sent": 0, "dead": 0, "waiting": 0, "known": 0, "skipped": 0}
UNTIMED = (
    "1 notification of events without a time not sent: they may be old; --max-age 1y takes them\n"
)
WHOSE = (
    "error: sounds are played for one person: whose speaker is this?\n"
    "  name who sits here: -u EMAIL or -u ID\n"
)


@pytest.fixture
def two(told: Notifycli) -> Notifycli:
    """Two accounts, in each of which a user 7 is mailed of messages."""
    other = {**DESK, "account": {"id": 2, "name": "Beta"}}
    told.ok("directory", "import", "-", "-a", "2", stdin=json.dumps(other).encode())
    told.ok("prefs", "set", "email.message=on", "-u", "7", "-a", "2")
    return told


def of_account(number: int, message: int) -> Json:
    return {**asked(message), "account": {"id": number}}


def untimed(message: int) -> Json:
    return {name: value for name, value in asked(message).items() if name != "created_at"}


def test_only_the_account_that_is_named_is_delivered_to(two: Notifycli, post: Post) -> None:
    events = two.write_events("e.jsonl", [of_account(1, 100), of_account(2, 200)])

    dry = two.ok("deliver", events, "-a", "2", "--dry-run")
    assert [(r["account_id"], r["message_id"]) for r in dry.records] == [(2, 200)]
    simulated = two.ok("simulate", events, "-a", "2", "--channel", "email")
    assert [(r["account_id"], r["message_id"]) for r in simulated.records] == [(2, 200)]
    real = two.ok("deliver", events, environment={"NOTIFYCLI_ACCOUNT": "2"})
    assert real.records == [{"channel": "email", **NOTHING, "sent": 1}]
    assert [(n.account_id, n.message_id) for n in post.sent] == [(2, 200)]


def test_what_another_account_left_over_is_not_sent_shown_or_changed(
    two: Notifycli, post: Post
) -> None:
    post.answer = lambda _: Refused("no such mailbox")
    events = two.write_events("e.jsonl", [of_account(1, 100), of_account(2, 200)])
    two("deliver", events)

    dead = two.ok("deliver", "status", "--state", "dead", "-a", "2").records
    assert [(r["id"], r["account_id"]) for r in dead] == [(2, 2)]
    [count] = two.ok("deliver", "status", "-a", "2").records
    assert (count["state"], count["count"]) == ("dead", 1)
    for verb in ("retry", "drop"):
        foreign = two("deliver", verb, "1", "-a", "2")
        assert (foreign.status, foreign.stderr) == (
            2,
            "error: there is no notification 1 in account 2\n  notifycli -a 2 deliver status\n",
        )
    assert two.ok("deliver", "retry", "--all", "-a", "2").stderr.startswith("1 notification pend")
    two.ok("deliver", "retry", "1")
    two("deliver", "--pending", "-a", "2")
    assert [n.account_id for n in post.sent] == [1, 2, 2]


def test_an_event_without_a_time_of_its_own_is_never_new(told: Notifycli, post: Post) -> None:
    events = told.write_events("e.jsonl", [asked(100), untimed(101)])

    dry = told.ok("deliver", events, "--dry-run")
    assert ([r["message_id"] for r in dry.records], dry.stderr) == ([100], UNTIMED)
    real = told.ok("deliver", events)
    assert (real.records, real.stderr) == (
        [{"channel": "email", **NOTHING, "sent": 1, "skipped": 1}],
        UNTIMED,
    )
    assert (
        "1 notification of events without" in told.ok("deliver", events, "--max-age", "3d").stderr
    )

    asked_for = told.ok("deliver", events, "--max-age", "2y")
    assert asked_for.records == [{"channel": "email", **NOTHING, "sent": 1, "known": 1}]
    assert [notice.message_id for notice in post.sent] == [100, 101]


def test_what_comes_twice_is_told_once_by_simulate_dry_run_and_deliver(
    told: Notifycli, post: Post
) -> None:
    events = told.write_events("e.jsonl", [asked(100), asked(100), asked(101)])

    dry = told.ok("deliver", events, "--dry-run")
    assert [record["message_id"] for record in dry.records] == [100, 101]
    limited = told.ok("deliver", events, "--dry-run", "--limit", "2")
    assert [record["message_id"] for record in limited.records] == [100, 101]
    told.ok("deliver", events, "--limit", "2")
    assert [notice.message_id for notice in post.sent] == [100, 101]


@pytest.mark.parametrize("arguments", [["--channel", "audio"], ["--pending", "--channel", "audio"]])
def test_sounds_ask_whose_speaker_this_is(
    told: Notifycli, post: Post, arguments: list[str]
) -> None:
    told.ok("prefs", "set", "audio=all", "--default")
    told.write_events("e.jsonl", [asked(100)])
    events = [] if "--pending" in arguments else ["e.jsonl"]

    for users in ([], ["-u", "7", "-u", "8"]):
        result = told("deliver", *events, *arguments, *users)
        assert (result.status, result.stderr, post.sent) == (2, WHOSE, [])


def test_the_only_user_is_who_sits_here(told: Notifycli, post: Post) -> None:
    told.ok("user", "remove", "-u", "8")
    told.ok("user", "remove", "-u", "9")
    told.ok("prefs", "set", "audio=all", "--default")
    told.ok("deliver", told.write_events("e.jsonl", [asked(100)]), "--channel", "audio")
    assert [(n.user_id, n.channel) for n in post.sent] == [(7, Channel.AUDIO)]
