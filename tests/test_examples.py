"""The examples are what a newcomer tries first: they run, and they show every rule at work."""

import gzip
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from notifycli.cli.demo import FILES
from notifycli.cli.main import run
from notifycli.rules.decision import Reason
from notifycli.rules.notifications import NotificationType
from tests.conftest import Notifycli
from tests.rules.cases import BEYOND

Json = dict[str, Any]

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^notifycli (.+)$", README, re.MULTILINE)
PREPARING = [command for command in COMMANDS if " import " in command]
TO_TRY = [command for command in COMMANDS if " import " not in command]


@pytest.fixture
def desk_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NOTIFYCLI_DB", str(tmp_path / "acme.db"))
    assert [run(shlex.split(command)) for command in PREPARING] == [0, 0]


def answer(capfd: pytest.CaptureFixture[str], command: str) -> list[Json]:
    capfd.readouterr()
    assert run(shlex.split(command)) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_the_script_gives_the_committed_day(tmp_path: Path) -> None:
    made = tmp_path / "day.jsonl"
    subprocess.run([sys.executable, EXAMPLES / "make_day.py", made], check=True)
    assert made.read_bytes() == (EXAMPLES / "day.jsonl").read_bytes()


SCRIPTS = {
    "replay.py": "DIRECTORY PREFERENCES EVENTS",
    "dask_replay.py": "DIRECTORY PREFERENCES EVENTS...",
}


@pytest.mark.parametrize(
    ("script", "given"),
    [
        ("replay.py", []),
        ("replay.py", ["--help"]),
        ("replay.py", ["a", "b", "c", "d"]),
        pytest.param("dask_replay.py", ["a", "b"], marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_script_that_is_called_wrongly_says_its_usage(script: str, given: list[str]) -> None:
    called = [sys.executable, f"examples/{script}", *given]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, check=False)
    usage = f"usage: python examples/{script} {SCRIPTS[script]}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", usage)


def test_make_day_takes_one_file_and_no_option(tmp_path: Path) -> None:
    called = [sys.executable, str(EXAMPLES / "make_day.py"), "--help"]
    done = subprocess.run(called, cwd=tmp_path, capture_output=True, text=True, check=False)
    usage = "usage: python examples/make_day.py [FILE]\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", usage)
    assert not (tmp_path / "--help").exists()


@pytest.mark.usefixtures("desk_of_the_readme")
def test_every_notification_type_fires(capfd: pytest.CaptureFixture[str]) -> None:
    fired = answer(capfd, "simulate examples/day.jsonl")
    assert {one["type"] for one in fired} == set(NotificationType) - BEYOND


@pytest.mark.usefixtures("desk_of_the_readme")
def test_every_reason_occurs(capfd: pytest.CaptureFixture[str]) -> None:
    decisions = answer(capfd, "simulate examples/day.jsonl --strict --explain")
    assert {one["reason"] for one in decisions} == set(Reason) - BEYOND


def test_the_readme_has_three_commands_to_try() -> None:
    assert len(TO_TRY) == 3


@pytest.mark.usefixtures("desk_of_the_readme")
@pytest.mark.parametrize("command", TO_TRY)
def test_a_command_of_the_readme_answers(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert answer(capfd, command)


@pytest.mark.usefixtures("desk_of_the_readme")
def test_the_summary_shows_what_the_readme_says(capfd: pytest.CaptureFixture[str]) -> None:
    counts = answer(capfd, TO_TRY[0])
    fired = {one["user_id"]: 0 for one in counts}
    for one in counts:
        fired[one["user_id"]] += one["fired"]
    ruth, nils, paul = 3, 5, 12
    assert fired[nils] == 0
    assert fired[ruth] < 10
    assert max(fired, key=lambda user: fired[user]) == paul


@pytest.mark.usefixtures("desk_of_the_readme")
def test_the_night_is_as_the_readme_says(capfd: pytest.CaptureFixture[str]) -> None:
    night = [one for one in answer(capfd, TO_TRY[1]) if one["at"] >= "2026-03-03T21:00"]
    of_messages = [one for one in night if one["type"] == "assigned_conversation_new_message"]
    assert {one["reason"] for one in of_messages} == {"quiet_hours"}
    fired = [(one["type"], one["channel"]) for one in night if one["outcome"] == "fire"]
    assert fired == [("conversation_mention", "email"), ("conversation_mention", "push")]


@pytest.mark.usefixtures("desk_of_the_readme")
def test_all_five_layers_have_a_part_in_what_jane_gets(capfd: pytest.CaptureFixture[str]) -> None:
    origins = {one["origin"] for one in answer(capfd, TO_TRY[2])}
    assert origins == {"lock", "inbox", "user", "default", "builtin"}


@pytest.mark.slow
@pytest.mark.usefixtures("desk_of_the_readme")
def test_dask_comes_to_the_same_counts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = (EXAMPLES / "day.jsonl").read_bytes().splitlines(keepends=True)
    lines.insert(90, lines[40])
    logs = [tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl")]
    for log, part in zip(logs, (lines[:50], lines[50:80], lines[80:]), strict=True):
        text = b"".join(part)
        log.write_bytes(gzip.compress(text) if log.suffix == ".gz" else text)
    capfd.readouterr()
    assert run(["simulate", "--summary", "-o", "jsonl", *map(str, logs)]) == 0
    expected = capfd.readouterr().out
    files = [EXAMPLES / name for name in ("dask_replay.py", "directory.json", "preferences.csv")]
    done = subprocess.run([sys.executable, *files, *logs], stdout=subprocess.PIPE, check=True)
    assert (done.stdout.decode(), expected != "") == (expected, True)


def test_the_demo_needs_nothing_and_leaves_nothing(notifycli: Notifycli, folder: Path) -> None:
    mine = {
        "NOTIFYCLI_DB": str(folder / "mine.db"),
        "NOTIFYCLI_ACCOUNT": "5",
        "NOTIFYCLI_USER": "x",
    }
    before = set(folder.parent.rglob("*"))
    shown = notifycli.ok("demo", environment=mine)
    told = shown.stdout.decode()
    assert re.findall(r"^\$ notifycli (\w+)", told, re.MULTILINE) == [
        "directory",
        "prefs",
        "simulate",
        "simulate",
    ]
    assert ("paul@example.com" in told, "✗ quiet_hours (default)" in told) == (True, True)
    assert shown.stderr == (
        "account 1 has 8 users, 3 inboxes and 3 teams\n"
        f"{EXAMPLES / 'preferences.csv'}: 75 preferences read, 74 changed\n"
    )
    next_ = re.findall(r"^  notifycli (\w+)(?: (learn|login))?", told, re.MULTILINE)
    assert next_ == [
        ("chatwoot", "login"),
        ("why", ""),
        ("directory", "learn"),
        ("simulate", ""),
        ("why", ""),
    ]
    for words in next_:
        notifycli.ok(*filter(None, words), "--help")
    assert set(folder.parent.rglob("*")) - before <= {folder.parent / "stdin"}


def test_a_wheel_has_what_the_demo_replays() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["force-include"] == {
        f"examples/{name}": f"notifycli/examples/{name}" for name in FILES
    }
