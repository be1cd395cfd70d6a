"""Processes that are killed, interrupted, and run at the same time."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Json, Notifycli, lines

from .desk import asked

ROOT = Path(__file__).parent.parent.parent
CONVERSATIONS = 6
MESSAGES = range(100, 160)
LONGEST_SECONDS = 60


class Works:
    """The program as processes of its own, whose channels take their time."""

    def __init__(self, told: Notifycli) -> None:
        self.desk = told
        self._post = told.folder / "post"
        self._processes: list[subprocess.Popen[str]] = []

    def start(
        self, *arguments: str, seconds: float, dies: tuple[int, float] = (0, 0)
    ) -> subprocess.Popen[str]:
        """Start one; it may kill itself so long after so many posts."""
        environment = {
            "NOTIFYCLI_DB": str(self.desk.store),
            "POST_FILE": str(self._post),
            "POST_SECONDS": str(seconds),
            "POST_DIES": f"{dies[0]} {dies[1]}",
            "PYTHONPATH": str(ROOT),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.outbox.worker", "deliver", *arguments],
            cwd=self.desk.folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def end(self) -> None:
        """End what a test that failed has left running: nobody else should fail for it."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
                process.communicate()

    def end_leases(self) -> None:
        """Let the leases of who was killed be over, as some time later."""
        with closing(sqlite3.connect(self.desk.store)) as store, store:
            store.execute("UPDATE notice SET due_at = 0 WHERE state = 'sending'")

    @property
    def posted(self) -> list[int]:
        """The messages that reached the other side, in that order, as often as they did."""
        lines = self._post.read_text().splitlines() if self._post.exists() else []
        return [int(line.split()[0]) for line in lines]

    def states(self) -> dict[str, int]:
        counts = self.desk.ok("deliver", "status").records
        return {count["state"]: count["count"] for count in counts}


def eventually(done: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while not done():
        assert time.monotonic() < until, "it never came to pass"
        time.sleep(0.01)


@pytest.fixture
def works(told: Notifycli) -> Iterator[Works]:
    told.ok("config", "set", "deliver.concurrency=4")
    found = Works(told)
    yield found
    found.end()


def conversation(message: int) -> int:
    return message % CONVERSATIONS


def write_day(works: Works) -> str:
    events = [asked(message, conversation=conversation(message)) for message in MESSAGES]
    return works.desk.write_events("e.jsonl", events)


def test_killed_again_and_again_it_loses_nothing_and_keeps_the_order(works: Works) -> None:
    events = write_day(works)
    kills, chance = 0, random.Random(6)  # noqa: S311 - a test's own dice
    while True:
        # It does so itself: who watches it may stand still until there is nothing left to post.
        dies = chance.randint(1, 15), chance.uniform(0, 0.03)
        process = works.start(events, seconds=0.05, dies=dies)
        told = process.communicate(timeout=LONGEST_SECONDS)[1]
        if process.returncode != -signal.SIGKILL:
            break
        kills += 1
        works.end_leases()

    times = Counter(works.posted)
    firsts = list(dict.fromkeys(works.posted))
    assert process.returncode == 0, told
    assert kills > 2
    assert sorted(times) == [*MESSAGES]
    assert times.total() - len(times) <= kills * 4, "only what was in flight may be sent again"
    for each in range(CONVERSATIONS):
        of_conversation = [m for m in firsts if conversation(m) == each]
        assert of_conversation == sorted(of_conversation)
    assert works.states() == {"sent": len(MESSAGES)}


def test_two_at_once_send_everything_once(works: Works) -> None:
    events = write_day(works)
    both = [works.start(events, seconds=0.02) for _ in range(2)]
    told = [process.communicate(timeout=LONGEST_SECONDS)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], told
    assert sorted(works.posted) == [*MESSAGES]
    assert works.states() == {"sent": len(MESSAGES)}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_interrupted_it_finishes_what_is_in_flight_and_says_what_is_left(
    works: Works, number: signal.Signals, status: int
) -> None:
    events = write_day(works)
    process = works.start(events, seconds=0.5)
    eventually(lambda: len(works.posted) >= 4)
    process.send_signal(number)
    told = process.communicate(timeout=LONGEST_SECONDS)[1]

    states = works.states()
    assert process.returncode == status
    assert states == {"sent": len(works.posted), "pending": len(MESSAGES) - len(works.posted)}
    left = f"{states['pending']} notifications still to be sent: notifycli deliver --pending"
    assert left in told


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_interrupted_before_all_was_read_it_says_what_to_type(
    works: Works, number: signal.Signals, status: int
) -> None:
    os.mkfifo(works.desk.folder / "events")
    process = works.start("events", seconds=0)
    with (works.desk.folder / "events").open("w") as pipe:
        pipe.write(json.dumps(asked(1)) + "\n")
        pipe.flush()
        eventually(lambda: works.posted == [1])
        process.send_signal(number)
        told = process.communicate(timeout=LONGEST_SECONDS)[1]

    assert process.returncode == status
    assert "not all events were read: type the same command again" in told


def test_what_is_written_to_a_followed_file_is_sent_with_the_preferences_of_that_moment(
    works: Works,
) -> None:
    works.desk.write_events("e.jsonl", [asked(100)])
    process = works.start("--follow", "e.jsonl", seconds=0)
    eventually(lambda: works.posted == [100])
    append(works, 101)
    eventually(lambda: works.posted == [100, 101])
    set_and_noticed(works, "email.message=off")
    append(works, 102)
    size = (works.desk.folder / "e.jsonl").stat().st_size
    eventually(lambda: offset(works) == size)
    set_and_noticed(works, "email.message=on")
    append(works, 103)
    eventually(lambda: works.posted == [100, 101, 103])

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0


def test_a_file_is_followed_from_where_an_earlier_run_was_with_all_it_knew(works: Works) -> None:
    works.desk.ok("prefs", "set", "email.message=off", "-u", "7")
    works.desk.write_events("e.jsonl", [asked(100)])
    follow(works, until=lambda: works.desk.ok("deliver", "status").records == [])
    works.desk.ok("prefs", "set", "email.message=on", "-u", "7")
    # It says no assignee: that is known of what the earlier run has read.
    event = asked(101)
    del event["conversation"]["meta"]
    append(works, event)
    follow(works, until=lambda: works.posted == [101])


def test_what_is_written_to_a_rotated_file_before_its_writer_opens_the_new_one_is_sent(
    works: Works,
) -> None:
    log = works.desk.folder / "e.jsonl"
    log.touch()
    process = works.start("--follow", "e.jsonl", seconds=0)
    with log.open("ab", buffering=0) as writer:
        writer.write(lines([asked(100)]))
        eventually(lambda: works.posted == [100])
        log.rename(log.with_suffix(".1"))
        log.touch()
        append(works, 101)
        eventually(lambda: works.posted == [100, 101])
        writer.write(lines([asked(102)]))
        # What the other side has, but the store doesn't know of, is sent again after a kill.
        eventually(lambda: works.states() == {"sent": 3})
    process.kill()
    process.communicate()
    again = works.start("--follow", "e.jsonl", seconds=0)
    append(works, 103)
    eventually(lambda: works.posted == [100, 101, 102, 103])
    again.send_signal(signal.SIGTERM)
    told = again.communicate(timeout=LONGEST_SECONDS)[1]
    assert "e.jsonl is another file than the one followed before: what was written to" in told
    assert (again.returncode, works.states()) == (0, {"sent": 4})


def follow(works: Works, until: Callable[[], bool]) -> None:
    """Follow the file until something holds and all of it has been read."""
    process = works.start("--follow", "e.jsonl", seconds=0)
    size = (works.desk.folder / "e.jsonl").stat().st_size
    eventually(lambda: until() and offset(works) == size)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0


def offset(works: Works) -> int:
    with closing(sqlite3.connect(works.desk.store)) as store:
        return sum(row[0] for row in store.execute("SELECT offset FROM followed"))


def append(works: Works, event: int | Json) -> None:
    with (works.desk.folder / "e.jsonl").open("ab") as file:
        file.write(lines([asked(event) if isinstance(event, int) else event]))


def set_and_noticed(works: Works, setting: str) -> None:
    works.desk.ok("prefs", "set", setting, "-u", "7")
    time.sleep(1.1)  # a run looks once a second
