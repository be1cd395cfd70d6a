"""Packed events: replayed as the log is, and of what was said nothing but mentions."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifycli.cli import replay_run
from notifycli.errors import DataError
from notifycli.events.event import Event, Message
from notifycli.replay.decompression import DamageError
from notifycli.replay.packed_events import VERSION, read_facts, write_facts
from notifycli.replay.sources import PACKED
from notifycli.rules.candidates import mentions_in, users_by_address, users_in_markup
from notifycli.rules.directory import Directory, Team, User
from notifycli.rules.profile import NOTIFYCLI, profile_named
from tests.conftest import Json, Notifycli

ADDRESSES = ("jane@example.com", "jane@example.co", "o.mar+x@ex-ample.org", "é@例え.jp", "a@b")
DIRECTORY = Directory(
    [User(number, address) for number, address in enumerate(ADDRESSES, 7)],
    teams=[Team(2, members=(7, 9))],
)
TEXTS = st.lists(
    st.sampled_from(
        [
            *(f"@{address}" for address in ADDRESSES),
            *("(mention://user/7/Jane)", "(mention://team/2/All )", "(mention://user/08/", "[@x]"),
            *(
                "@",
                " ",
                ".",
                "-",
                "+",
                "%",
                "s",
                "É",
                "は",
                "\N{FULLWIDTH DIGIT ONE}",
                "\N{FULLWIDTH COMMERCIAL AT}",
                "(",
                ")",
                "\n",
                "the parcel",
            ),
        ]
    ),
    max_size=8,
).map("".join)


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.booleans())
def test_a_text_that_is_cut_down_to_its_mentions_mentions_the_same_users(
    text: str, private: bool
) -> None:
    kept = mentions_in(Message(1, "outgoing", private, text))
    assert users_by_address(kept, DIRECTORY) == users_by_address(text, DIRECTORY)
    for profile in (NOTIFYCLI, profile_named("chatwoot@4.16"), profile_named("chatwoot@3.9")):
        if private:
            found, expected = (users_in_markup(one, DIRECTORY, profile) for one in (kept, text))
            assert found == expected


def test_of_a_text_nothing_but_its_mentions_is_kept() -> None:
    text = "Hello [@Jane Doe](mention://user/7/Jane%20Doe), ask @omar@example.com: it is 12345"
    assert mentions_in(Message(1, "outgoing", True, text)) == (
        "(mention://user/7/_) @omar@example.com"
    )


def test_the_version_is_of_these_fields() -> None:
    # Whoever changes them, or what one means, gives facts another version.
    assert (VERSION, *Message.__struct_fields__) == (2, "id", "type", "private", "content")
    assert Event.__struct_fields__ == (
        *("line", "name", "known", "at", "account", "conversation", "inbox", "status"),
        *("previous_status", "assignee", "assignment", "team", "performed_by"),
        *("performed_by_other", "blocked", "participants", "author", "sender", "message"),
        *("present", "visible", "open_conversation", "connected", "automation", "assigned"),
        "digest",
        *("updated_message", "team_change", "away", "available", "file"),
    )


def packed(*events: Event) -> bytes:
    file = io.BytesIO()
    assert write_facts(events, file) == len(events)
    return file.getvalue()


@pytest.mark.parametrize("cut", [1, 4, 5, 20])
def test_facts_that_were_cut_are_damaged(cut: int) -> None:
    whole = packed(Event(1, "message_created", known=True))
    with pytest.raises(DamageError, match="they end before"):
        list(read_facts("week.facts", io.BytesIO(whole[:-cut])))


def test_facts_of_another_version_are_refused_with_what_to_type() -> None:
    with pytest.raises(DataError, match=r"week\.facts: facts of version 9, not 2") as caught:
        list(read_facts("week.facts", io.BytesIO(PACKED + b"9\n")))
    assert "notifycli events pack LOG -o FILE" in caught.value.hint


def test_facts_that_hold_something_else_are_damaged() -> None:
    with pytest.raises(DamageError, match="damaged facts"):
        list(read_facts("week.facts", io.BytesIO(PACKED + b"2\n\0\0\0\1\xc0\0\0\0\0")))


def lines() -> list[Json]:
    conversation: Json = {"id": 3, "inbox_id": 5, "meta": {"assignee": {"id": 7}}}
    head: Json = {"event": "message_created", "account": {"id": 1}, "conversation": conversation}
    note = {"private": True, "content": "secret words (mention://user/8/Omar)"}
    return [
        {**head, "id": 1, "message_type": "incoming", "content": "secret words", "created_at": 1e9},
        {**head, "id": 2, "message_type": "outgoing", **note},
        {**head, "event": "unheard.of"},
        {**head, "id": 3, "message_type": "outgoing", "content": "@jane@example.com secret words"},
    ]


DESK = {
    "users": [{"id": 7, "email": "jane@example.com"}, {"id": 8, "email": "omar@example.com"}],
    "inboxes": [{"id": 5, "members": [7, 8]}],
}
WAYS = (
    ("simulate",),
    ("simulate", "--explain"),
    ("simulate", "--summary"),
    ("simulate", "--set", "audio=all", "--diff"),
    ("simulate", "--rules", "chatwoot@4.16", "--explain"),
    ("why", "-u", "8"),
)


def test_what_is_packed_is_replayed_as_the_log_is(notifycli: Notifycli, tmp_path: Path) -> None:
    log, facts = tmp_path / "week.jsonl", tmp_path / "week.facts"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines()), encoding="utf-8")
    notifycli("directory", "import", "-", stdin=json.dumps(DESK).encode())
    notifycli("prefs", "set", "email.mention=on", "audio=assigned", "--default")

    done = notifycli("events", "pack", str(log), "-o", str(facts))

    assert (done.status, done.stdout, done.stderr) == (0, b"", f"packed 4 events into {facts}\n")
    assert b"secret" not in facts.read_bytes()
    for command, *options in WAYS:
        assert notifycli(command, str(facts), *options) == notifycli(command, str(log), *options)
    refused = notifycli("deliver", str(facts), "--dry-run")
    assert refused.status == 65
    assert "packed events, which simulate, why and test alone can read" in refused.stderr


def test_bad_lines_are_told_when_they_are_packed(notifycli: Notifycli, tmp_path: Path) -> None:
    log, facts = tmp_path / "week.jsonl", tmp_path / "week.facts"
    log.write_text('no JSON\n{"event":"presence_update","user":{"id":7}}\n', encoding="utf-8")

    done = notifycli("events", "pack", str(log), "-o", str(facts))

    assert done.status == 65
    assert done.stderr.startswith(f"{log}:1: no JSON object")
    assert notifycli("simulate", str(facts), "--summary").status == 0


def test_a_large_log_is_offered_to_be_packed_and_what_is_packed_is_not(
    notifycli: Notifycli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, facts = tmp_path / "week.jsonl", tmp_path / "week.facts"
    log.write_text('{"event":"presence_update","user":{"id":7}}\n', encoding="utf-8")
    notifycli.ok("events", "pack", str(log), "-o", str(facts))
    offer = "to replay it again faster: notifycli events pack EVENTS -o FILE"
    assert offer not in notifycli("simulate", str(log)).stderr

    monkeypatch.setattr(replay_run, "_WORTH_PACKING", 1)

    assert offer in notifycli("simulate", str(log)).stderr
    assert offer not in notifycli("simulate", str(facts)).stderr


SCENARIO = """
[[scenario]]
name = "A note tells whom it mentions"
directory.users = [{ id = 7, email = "jane@example.com" }, { id = 8 }]
preferences.default = { "email.mention" = "on" }
events = "week.facts"
expect = ["email.mention 7", "email.mention 8"]
"""


def test_a_scenario_names_packed_events(notifycli: Notifycli, tmp_path: Path) -> None:
    log, facts = tmp_path / "week.jsonl", tmp_path / "week.facts"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines()), encoding="utf-8")
    (tmp_path / "note.toml").write_text(SCENARIO, encoding="utf-8")
    notifycli.ok("events", "pack", str(log), "-o", str(facts))

    assert notifycli("test", str(tmp_path / "note.toml")).stderr == "1 scenario, all as expected\n"

    facts.write_bytes(facts.read_bytes()[:-1])
    damaged = notifycli("test", str(tmp_path / "note.toml"))
    assert damaged.status == 65
    assert "week.facts: damaged facts: they end before their end is marked" in damaged.stderr
