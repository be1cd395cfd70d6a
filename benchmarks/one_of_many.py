"""How long `prefs list` takes for one of very many users, beside the same of the only one.

The many have ten values each, and so has the one: what is read and printed is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.frame import NOTIFYCLI, Race, Way, process
from notifycli.rules.directory import User
from notifycli.rules.preferences import KEYS, Layer
from notifycli.store.store import open_store
from notifycli.store.transaction import Entry, Target

_KEYS = 10
_MANY = 100_000
_SMALL = 1_000


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race the one in the middle of many."""
    count = _SMALL if small else _MANY
    one = count // 2
    _fill(folder / "many.db", range(1, count + 1))
    _fill(folder / "one.db", [one])
    list_one = ("prefs", "list", "-u", f"agent{one}@example.com")
    yield Race(
        f"prefs list of one of {count:,} users",
        [
            Way("one of many", partial(process, *NOTIFYCLI, "--db", folder / "many.db", *list_one)),
            Way(
                "one of one",
                partial(process, *NOTIFYCLI, "--db", folder / "one.db", *list_one),
                most=1.1,
            ),
        ],
        rounds=41,
    )


def _fill(path: Path, users: range | list[int]) -> None:
    with open_store(path) as store, store.change(1, "benchmark", "benchmark") as change:
        change.put_users(User(user, f"agent{user}@example.com") for user in users)
        change.set(
            Entry(Target(Layer.USER, user), key, KEYS[key].values[-1])
            for user in users
            for key in sorted(KEYS)[:_KEYS]
        )
