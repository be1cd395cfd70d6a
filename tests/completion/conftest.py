"""A store full of names that a careless shell script would run, expand or split."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifycli.rules.directory import Inbox, Team, User
from notifycli.store.store import open_store

HOSTILE = (
    "do$(touch${IFS}ran1)@x.com",
    "ba`touch${IFS}ran2`@x.com",
    "q'uo\"te@x.com",
    "st*!r@x.com",
    "am&touch|ran3@x.com",
    "~back\\slash{a,b}@x.com",
)
"""Addresses that the store takes."""
NAMES = ("$(touch ran4) `touch ran5`; touch ran6", '%F{red} it\'s: "*" \\t', "Website")
FILES = ("ev ents.jsonl", "team.csv")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a home folder with two files in it."""
    return home_in(tmp_path / "shells")


def home_in(folder: Path) -> Path:
    folder.mkdir()
    for name in FILES:
        (folder / name).touch()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give a store of one account with hostile names in it."""
    return store_at(tmp_path / "store.db")


def store_at(path: Path) -> Path:
    with open_store(path) as opened, opened.change(1, "test", "test") as change:
        addresses = ("jane@example.com", "omar@example.com", *HOSTILE)
        people = [User(i, email, NAMES[i % 3]) for i, email in enumerate(addresses, 1)]
        change.put_users([*people, User(77, None, "Nobody")])
        for id_, name in zip((3, 31, 4), NAMES, strict=True):
            change.put_inbox(Inbox(id_, name))
        change.put_team(Team(2, "Support"))
    return path
