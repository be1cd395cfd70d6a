"""What is released: the versions that are installed, tried and promised are the same ones."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import notifycli

_ROOT = Path(__file__).parent.parent
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
_NAMED = [  # what the image installs
    *_PROJECT["dependencies"],
    *_PROJECT["optional-dependencies"]["postgres"],
]
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:\[\w+\])?>=(?P<floor>[\d.]+)(?:,<(?P<ceiling>[\d.]+))?"
)
_HOLES = {
    "aiohttp": "3.13.4",
    "cryptography": "46.0.7",
    "h11": "0.16",
    "requests": "2.32.4",
    "starlette": "0.49.1",
    "urllib3": "2.6.3",
}
"""The first releases without holes that were published."""


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def bounds(requirement: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    found = _REQUIREMENT.match(requirement)
    assert found, requirement
    return found["name"], as_numbers(found["floor"]), as_numbers(found["ceiling"] or "999999")


@pytest.mark.parametrize("requirement", _NAMED)
def test_the_lock_file_has_a_version_of_each_dependency_that_is_allowed(requirement: str) -> None:
    lock = (_ROOT / "packaging/requirements.lock").read_text()
    name, floor, ceiling = bounds(requirement)
    locked = re.search(
        rf"^{re.escape(name.replace('.', '-'))}(?:\[\w+\])?==(\S+)", lock, re.MULTILINE
    )
    assert locked, f"{name}: run scripts/write-lock"
    assert floor <= as_numbers(locked[1]) < ceiling


def test_no_version_with_a_published_hole_is_allowed() -> None:
    floors = {name: floor for name, floor, _ in map(bounds, _NAMED)}
    assert {
        name: floors[name] >= as_numbers(first) for name, first in _HOLES.items()
    } == dict.fromkeys(_HOLES, True)


def test_the_lock_file_names_no_place_and_every_digest() -> None:
    entries = re.split(r"\n(?=\S)", (_ROOT / "packaging/requirements.lock").read_text().strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry or "//" in entry] == []


def test_every_python_that_is_promised_is_tried() -> None:
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(_PROJECT["classifiers"]))
    workflow = (_ROOT / ".github/workflows/ci.yml").read_text()
    assert promised == re.findall(
        r'"(3\.\d+)"', workflow.partition("python: [")[2].partition("]")[0]
    )


def test_the_changelog_begins_with_what_is_next_and_the_version() -> None:
    heads = re.findall(r"^## \[(.+?)\]", (_ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[:2] == ["Unreleased", notifycli.__version__]
