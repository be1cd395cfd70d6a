"""How long `prefs import` takes for many users, beside bare `sqlite3.executemany` of the rows.

Both write the same rows into a table of the same schema, in one transaction, on the same disk; the
import reads them as CSV, checks each, and leaves the history that lets `prefs undo` take it back.
Prints JSON on standard output and a table on standard error.

    python benchmarks/import_preferences.py [--users 100000] [--keys 20] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from notifycli.rules.audience import User
from notifycli.rules.preferences import KEYS
from notifycli.store.store import Store

ACCOUNT = 1
MIB = 1024


def rows(users: int, keys: int) -> Iterator[tuple[int, int, int, str, str]]:
    """Give account, user, inbox, key and value, in the order of the table."""
    names = sorted(KEYS)[:keys]
    for user in range(1, users + 1):
        for name in names:
            values = KEYS[name].values
            yield ACCOUNT, user, 0, name, values[user % len(values)]


def write_csv(path: Path, users: int, keys: int) -> None:
    """Write what is imported."""
    with path.open("w", encoding="utf-8") as file:
        file.write("account,layer,user,inbox,key,value\n")
        file.writelines(
            f"{account},user,agent{user}@example.com,,{key},{value}\n"
            for account, user, _, key, value in rows(users, keys)
        )


def make_store(path: Path, users: int) -> None:
    """Make a store with the users and no preferences."""
    with Store(path) as store, store.change(ACCOUNT, "benchmark", "benchmark") as change:
        change.put_users(User(i, f"agent{i}@example.com") for i in range(1, users + 1))


def bare(path: Path, users: int, keys: int) -> float:
    """Write the rows with nothing but `executemany`; gives seconds."""
    start = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO user_preference VALUES (?, ?, ?, ?, ?)", rows(users, keys)
        )
        connection.execute("COMMIT")
    return time.perf_counter() - start


def imported(path: Path, document: Path) -> tuple[float, float]:
    """Import the document in a process of its own; gives seconds and its largest size in MiB."""
    command = [sys.executable, "-m", "notifycli", "--db", str(path), "prefs", "import"]
    start = time.perf_counter()
    process = subprocess.Popen([*command, str(document)], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import failed with {process.returncode}")
    return seconds, usage.ru_maxrss / MIB


def count(path: Path) -> int:
    """Give how many preferences are in a store."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT count(*) FROM user_preference").fetchone()
    return int(found[0])


def measure(users: int, keys: int, rounds: int, folder: Path) -> dict[str, float]:
    """Do both in turn, each into a fresh store; gives the medians."""
    document, fresh = folder / "preferences.csv", folder / "fresh.db"
    write_csv(document, users, keys)
    make_store(fresh, users)
    content = fresh.read_bytes()
    of_import, of_bare, sizes = [], [], []
    for number in range(rounds):
        for name in ("bare", "imported"):
            (folder / f"{name}{number}.db").write_bytes(content)
        of_bare.append(bare(folder / f"bare{number}.db", users, keys))
        seconds, size = imported(folder / f"imported{number}.db", document)
        of_import.append(seconds)
        sizes.append(size)
        if not count(folder / f"bare{number}.db") == count(folder / f"imported{number}.db"):
            raise SystemExit("not everything was imported")
        for path in (*folder.glob("bare*"), *folder.glob("imported*")):
            path.unlink()
    seconds, baseline = statistics.median(of_import), statistics.median(of_bare)
    return {
        "rows": users * keys,
        "import_seconds": round(seconds, 2),
        "executemany_seconds": round(baseline, 2),
        "ratio": round(seconds / baseline, 2),
        "peak_mib": round(max(sizes), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time the import of many preferences.")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(given.users, given.keys, given.rounds, Path(folder))
    print(json.dumps(measured))
    for name, value in measured.items():
        print(f"{name.replace('_', ' '):20} {value:>12,}", file=sys.stderr)


if __name__ == "__main__":
    main()
