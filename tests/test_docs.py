"""What is generated is what the program would generate now."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from scripts.write_completions import completions
from scripts.write_manual import TARGET as MANUAL
from scripts.write_manual import manual
from scripts.write_reference import TARGET, reference
from scripts.write_schemas import schemas
from scripts.write_site import BLOB, ROOT, pages, pictures, settings
from tests.conftest import Notifycli, needs_package

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_reference_is_what_the_program_says_of_itself() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "run: make format"


def test_the_manual_page_is_what_the_program_says_of_itself() -> None:
    assert MANUAL.read_text(encoding="utf-8") == manual(), "run: make format"


def test_the_completion_scripts_are_the_ones_that_the_program_prints() -> None:
    committed = {path: path.read_text(encoding="utf-8") for path in completions()}

    assert committed == completions(), "run: make format"


@pytest.mark.parametrize(
    ("command", "package"),
    [
        (["groff", "-ww", "-man", "-Tutf8"], "groff-base"),
        (["man", "--warnings", "--local-file"], "man-db"),
    ],
)
def test_the_manual_page_renders_without_a_warning(command: list[str], package: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(needs_package(package))

    shown = subprocess.run(
        [*command, MANUAL],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert not shown.stderr
    assert "notifycli prefs set" in shown.stdout


def test_the_schemas_are_those_of_the_programs_types() -> None:
    assert {path: path.read_text(encoding="utf-8") for path in schemas()} == schemas(), (
        "run: make format"
    )


@pytest.fixture(scope="module")
def faults() -> Callable[[str, object], list[str]]:
    """What a schema, by its name, says against a document."""
    validators = {
        path.name.partition(".")[0]: jsonschema_rs.validator_for(json.loads(text))
        for path, text in schemas().items()
    }
    return lambda name, document: [
        fault.message for fault in validators[name].iter_errors(document)
    ]


Faults = Callable[[str, Any], list[str]]


def test_the_examples_are_what_the_schemas_say(faults: Faults) -> None:
    day = (EXAMPLES / "day.jsonl").read_text(encoding="utf-8").splitlines()
    found = {
        "directory.json": faults(
            "directory", json.loads((EXAMPLES / "directory.json").read_text())
        ),
        "day.jsonl": [fault for line in day for fault in faults("event", json.loads(line))],
    }
    for path in (EXAMPLES / "scenarios").glob("*.toml"):
        found[path.name] = faults("scenarios", tomllib.loads(path.read_text(encoding="utf-8")))
    assert found == {key: [] for key in found}


def test_what_is_exported_is_what_the_schemas_say(desk: Notifycli, faults: Faults) -> None:
    desk.ok("prefs", "set", "email.*=on", "audio=assigned", "--default")
    desk.ok("prefs", "set", "quiet_hours=22:00-07:00 UTC", "-u", "7")
    desk.ok("prefs", "set", "push.mention=off", "-u", "7", "--inbox", "3")
    desk.ok("prefs", "mute", "42", "-u", "7", "--until", "3d")
    timed = ("quiet_hours=off", "email.mention=on", "--until", "3d")
    desk.ok("prefs", "set", *timed, "-u", "7", "--conversation", "43")
    policy = desk.ok("prefs", "export").stdout.decode()
    directory = desk.ok("directory", "export").stdout
    assert faults("preferences", tomllib.loads(policy)) == []
    assert faults("directory", json.loads(directory)) == []


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("preferences", {"defaults": {}}),
        ("preferences", {"default": {"email.mentoin": "on"}}),
        ("preferences", {"default": {"email": {"mention": "yes"}}}),
        ("preferences", {"users": {"jane@example.com": {"inbox": {"3": {"audio_tone": "ding"}}}}}),
        ("preferences", {"users": {"7": {"conversation": {"42": {"mutes": "on"}}}}}),
        ("preferences", {"users": {"7": {"conversation": {"42": {"mute": "on till noon"}}}}}),
        ("preferences", {"users": {"7": {"mute": "on until 2027-01-31T10:00:00Z"}}}),
        ("directory", {"users": [{"id": 7, "e-mail": "jane@example.com"}]}),
        ("directory", {"users": [{"id": 7, "role": "owner"}]}),
        ("scenarios", {"scenario": [{"name": "It expects nothing"}]}),
        ("scenarios", {"scenario": [{"expect": [], "event": []}]}),
        ("event", {"event": "message_created", "private": "no"}),
    ],
    ids=str,
)
def test_what_is_misspelt_is_underlined(faults: Faults, name: str, document: object) -> None:
    assert faults(name, document)


HEADS = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINKS = re.compile(r"\]\(([^()\s#]+)(#[^()\s]*)?\)")


def test_every_link_of_the_site_leads_to_a_page_of_it_or_a_file_of_ours() -> None:
    found = pages()
    there = {*found, *pictures(), *(f"schemas/{path.name}" for path in schemas())}
    lost = []
    for place, text in found.items():
        for to, at in LINKS.findall(text):
            ours = to.removeprefix(BLOB)
            local = os.path.normpath(os.path.join(os.path.dirname(place), to))  # noqa: PTH118, PTH120 - no file
            if ours != to:
                good = (ROOT / ours).exists()
            elif "://" in to:
                good = True
            else:
                anchors = {
                    re.sub(r"[^\w -]", "", head).replace(" ", "-")
                    for head in HEADS.findall(found.get(local, "").lower())
                }
                good = local in there and (not at or at[1:] in anchors)
            if not good:
                lost.append((place, to + at))
    assert lost == []


def test_every_page_is_reached_by_the_sites_contents() -> None:
    named: set[str] = set()

    def walk(entry: Any) -> None:
        for one in (
            entry if isinstance(entry, list) else entry.values() if isinstance(entry, dict) else ()
        ):
            walk(one)
        if isinstance(entry, str):
            named.add(entry)

    walk(settings()["nav"])
    assert named == {*pages()}
