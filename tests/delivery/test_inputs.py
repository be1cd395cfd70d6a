"""Whatever is typed or piped into the commands of deliveries, it is no fault of the program's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import Notifycli
from tests.outbox.desk import Post, asked

_STATUSES = {0, 1, 2, 65, 66, 69, 75, 77, 78}
_WORDS = [
    "",
    "-",
    "--",
    "0",
    "1",
    "7",
    "-1",
    "9" * 30,
    "jane@example.com",
    "e.jsonl",
    "..",
    "\udc80",
]
_WORDS += ["email", "audio", "dead", "sent", "1h", "9999999999y", "text", "json", "mention", "ding"]
_WORD = st.one_of(
    st.sampled_from(_WORDS),
    st.text(st.characters(exclude_characters="\0"), max_size=12),
)
_COMMANDS = [
    *("deliver", "deliver status", "deliver retry", "deliver drop", "deliver --pending"),
    *("push list", "push remove", "push add", "push test", "push keys show"),
    *("email preview", "email templates", "audio list"),
]
_OPTIONS = ["-u", "-a", "-o", "--channel", "--max-age", "--limit", "--state", "--all", "--dry-run"]
_OPTIONS += ["--strict", "--type", "--html", "--label", "--log-format", "-q"]


@pytest.fixture
def filled(desk: Notifycli, monkeypatch: pytest.MonkeyPatch) -> Notifycli:
    Post().install(monkeypatch)
    desk.write_events("e.jsonl", [asked(100)])
    return desk


@given(
    command=st.sampled_from(_COMMANDS),
    words=st.lists(st.one_of(st.sampled_from(_OPTIONS), _WORD), max_size=4),
    stdin=st.binary(max_size=40),
)
@example(command="deliver retry", words=["9" * 30], stdin=b"")
@example(command="push remove", words=["9" * 30], stdin=b"")
@example(command="deliver", words=["--max-age", "9999999999y", "e.jsonl"], stdin=b"")
@example(command="deliver", words=["--limit", "9" * 30, "e.jsonl"], stdin=b"")
def test_no_words_are_a_fault_of_the_program(
    filled: Notifycli, command: str, words: list[str], stdin: bytes
) -> None:
    result = filled(*command.split(), *words, stdin=stdin)
    assert result.status in _STATUSES, result.stderr


_VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@given(
    st.sampled_from(
        ["id", "content", "conversation", "inbox", "sender", "created_at", "attachments", "account"]
    ),
    _VALUE,
)
def test_no_event_is_a_fault_of_the_program(filled: Notifycli, field: str, value: Any) -> None:
    event = json.dumps({**asked(100), field: value}).encode()
    result = filled("deliver", "--channel", "email", "--max-age", "99y", stdin=event)
    assert result.status in _STATUSES, result.stderr
