"""The public API: what its page shows is so, it is enough, and it costs the program nothing."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import notifycli
from examples.replay import count
from tests.conftest import Notifycli

_ROOT = Path(__file__).parent.parent
_EXAMPLES = _ROOT / "examples"


def test_the_page_shows_what_it_does() -> None:
    done = doctest.testfile(str(_ROOT / "docs/api.md"), module_relative=False, encoding="utf-8")
    assert (done.failed, done.attempted > 15) == (0, True)


@pytest.mark.parametrize("name", notifycli.__all__)
def test_each_name_is_there_and_on_the_page(name: str) -> None:
    assert getattr(notifycli, name).__name__ == name
    assert f"notifycli.{name}" in (_ROOT / "docs/api.md").read_text(encoding="utf-8")


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Outbox'"):
        notifycli.Outbox  # noqa: B018


def test_the_program_does_not_pay_for_it() -> None:
    asked = "import sys, notifycli; print([m for m in sys.modules if m.startswith('notifycli.')])"
    shown = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"


def test_it_is_enough_to_count_what_the_program_counts(desk: Notifycli) -> None:
    tree = ast.parse((_EXAMPLES / "replay.py").read_text(encoding="utf-8"))
    used = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not [module for module in used if module and module.startswith("notifycli")]
    files = [_EXAMPLES / name for name in ("directory.json", "preferences.csv", "day.jsonl")]
    desk.ok("directory", "import", str(files[0]), "--db", "day.db")
    desk.ok("prefs", "import", str(files[1]), "--db", "day.db")
    told = desk.ok("simulate", str(files[2]), "-q", "--db", "day.db").records
    assert count(*files) == Counter((one["email"], one["channel"]) for one in told)


def test_a_chatwoot_s_rules_can_be_asked_for() -> None:
    desk = notifycli.read_directory({"users": [{"id": 7}], "inboxes": [{"id": 3, "members": [7]}]})
    wanted = notifycli.read_preferences({"users": {"7": {"quiet_hours": "00:00-00:00"}}}, desk)
    event = {"event": "conversation_created", "id": 4, "inbox_id": 3, "created_at": 1772541957}
    reasons = {
        rules: {
            str(decision.reason)
            for decision in notifycli.Replay.of(desk, wanted, rules=rules).decide(
                notifycli.read_event({**event, "meta": {"assignee": {"id": 7}}})
            )
            if decision.type == "conversation_assignment"
        }
        for rules in ("notifycli", "chatwoot@4.16")
    }
    assert reasons == {"notifycli": {"quiet_hours"}, "chatwoot@4.16": {"enabled"}}


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: notifycli.read_event("{", line=9), "line 9: "),
        (lambda: notifycli.read_directory('{"users": [{"id": "x"}]}'), "directory: users"),
        (
            lambda: notifycli.read_directory({"teams": [{"id": 1, "members": [5]}]}),
            "teams[0].members: 5 is no user",
        ),
        (
            lambda: notifycli.read_preferences(
                {"users": {"x@y.z": {"audio": "all"}}}, notifycli.Directory()
            ),
            "has no user 'x@y.z'",
        ),
    ],
    ids=["event", "directory", "members", "preferences"],
)
def test_what_can_not_be_read_is_a_data_error_that_names_the_place(
    read: object, message: str
) -> None:
    assert callable(read)
    with pytest.raises(notifycli.DataError) as caught:
        read()
    assert message in str(caught.value)
