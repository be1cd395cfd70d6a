"""Assignments of one conversation within a second, on a server that tells no parts of seconds."""

from __future__ import annotations

import json
import time

import pytest

from notifycli.delivery import enqueue
from tests.conftest import Json, Notifycli

from .desk import Post


def assigned(before: int | None, user: int, at: int) -> Json:
    return {
        "event": "conversation_updated",
        "account": {"id": 1},
        "id": 42,
        "inbox_id": 3,
        "status": "open",
        "meta": {"assignee": {"id": user, "type": "user"}},
        "changed_attributes": [{"assignee_id": {"previous_value": before, "current_value": user}}],
        "timestamp": at,
        "last_activity_at": at,
    }


def test_who_is_given_it_again_within_a_second_is_told_again(told: Notifycli, post: Post) -> None:
    told.ok("prefs", "set", "email.assigned=on", "-u", "7")
    at = int(time.time()) - 60
    changes = [assigned(None, 7, at), assigned(7, 8, at), assigned(8, 7, at)]
    events = told.write_events("e.jsonl", changes)

    rehearsed = told.ok("deliver", events, "-u", "7", "--dry-run").records
    told.ok("deliver", events, "-u", "7")
    again = told.ok("deliver", events, "-u", "7").records

    assert len(rehearsed) == 2
    assert [notice.user_id for notice in post.sent] == [7, 7]
    assert [one["known"] for one in again if one["channel"] == "email"] == [2]


def test_an_assignment_in_another_envelope_is_known(told: Notifycli, post: Post) -> None:
    told.ok("prefs", "set", "email.assigned=on", "-u", "7")
    event = assigned(8, 7, int(time.time()) - 60)
    told.ok("deliver", told.write_events("e.jsonl", [event]))
    rebuilt = {**event, "updated_at": event.pop("timestamp")}
    pair = {**event, "changed_attributes": {"assignee_id": ["8", "7"]}}
    others = [{"body": json.dumps(event)}, rebuilt, pair]

    for other in others:
        told.ok("deliver", told.write_events("other.jsonl", [other]))

    assert [notice.user_id for notice in post.sent] == [7]


def test_what_an_earlier_version_sent_of_a_second_stays_sent(
    told: Notifycli, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.ok("prefs", "set", "email.assigned=on", "-u", "7")
    events = told.write_events("e.jsonl", [assigned(8, 7, int(time.time()) - 60)])
    with monkeypatch.context() as earlier:
        earlier.setattr(enqueue, "_CHANGES", {})
        told.ok("deliver", events)

    told.ok("deliver", events)

    assert [notice.user_id for notice in post.sent] == [7]
