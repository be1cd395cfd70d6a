"""What docs/architecture.md and CONTRIBUTING.md name is there."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import pairwise, product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
_FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|md|sh)|(?:[\w-]+/)+)`")
_NAMED = re.compile(r"`([\w/]+\.py)`:\s+`([\w.]+)`")


def names_in(path: Path) -> set[str]:
    """Return the functions and classes of a file, and methods as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = (ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, inside)}
    return found


def found_at(name: str) -> Path | None:
    places = (ROOT / "notifycli" / name, ROOT / name)
    return next((place for place in places if place.exists()), None)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    named = _FILE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if found_at(name) is None] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_function_that_is_named_is_in_its_file(page: str) -> None:
    named = _NAMED.findall((ROOT / page).read_text(encoding="utf-8"))
    assert named
    missing = [(p, name) for p, name in named if name not in names_in(ROOT / "notifycli" / p)]
    assert missing == []


def test_the_picture_is_what_the_import_contracts_say() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [one["layers"] for one in contracts["contracts"] if one["type"] == "layers"]
    floors = [[name.removeprefix("notifycli.") for name in row.split(" : ")] for row in layers]
    edges = [pair for above, below in pairwise(floors) for pair in product(above, below)]
    drawn = re.findall(r"^  (\w+) --> (\w+)$", (ROOT / PAGES[0]).read_text("utf-8"), re.MULTILINE)
    assert drawn == edges
