"""`simulate` over bodies of 3 KB, beside jq and beside the least that it takes: decoding them.

jq does less than half of the work: it selects what customers write, as somebody would who asks a
log a question without this program. The loop that decodes reads each line and the fields that are
ever looked at, and does nothing with them: what one core can do at most.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.desk import Size, fill, write_creations, write_events
from benchmarks.frame import NOTIFYCLI, Done, Race, Way, WrongError, process

DECODE = """
import sys
from notifycli.events.payload import decode_payload
count = 0
with open(sys.argv[1], "rb", 1 << 18) as file:
    for line in file:
        decode_payload(line)
        count += 1
print(count)
"""
CUSTOMERS = 'select(.event == "message_created" and .message_type == "incoming") | .id'
_DESK = Size(agents=50, inboxes=10, teams=5, members=15)


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race replays of one log, of logs that grow, and of desks that grow."""
    yield from _rates(folder, 2_000 if small else 400_000)
    yield from _fan_out(folder, 200 if small else 40_000)
    yield from _memory(folder, small=small)
    yield from _growth(folder, small=small)


def _rates(folder: Path, count: int) -> Iterator[Race]:
    store = fill(folder / "store.db", _DESK)
    _wish(store, "email.message=on", "audio=assigned", "-u", "3", "-u", "17", "-u", "31")
    log = write_events(folder / "events.jsonl", count, _DESK)
    process("gzip", "-1", "-k", str(log))
    counts = partial(_counted, store, log)
    one, several = partial(counts, "--jobs", "1"), partial(counts, "--jobs", "2")
    jq = Way("jq", partial(process, "jq", "-c", CUSTOMERS, log), most=0.1, needs="jq")
    decode = Way(
        "decoding alone", partial(process, sys.executable, "-c", DECODE, log), most=1 / 0.6
    )
    yield Race(
        "counts, two processes",
        [Way("simulate --summary", several), jq, Way("--jobs 1", one, most=1 / 1.7)],
        count,
        "events",
        check=lambda answers: _same(answers[0], answers[-1]),
    )
    yield Race(
        "counts, one process",
        [Way("simulate --summary --jobs 1", one), decode],
        count,
        "events",
        check=lambda answers: _whole(answers, count),
    )
    packed = f"{log}.gz"
    piped = f'zcat {packed} | "{NOTIFYCLI[0]}" "{NOTIFYCLI[1]}" --db {store} simulate --summary'
    yield Race(
        "counts of a gzip file",
        [
            Way("simulate FILE.gz", partial(_counted, store, Path(packed))),
            Way("zcat FILE.gz | simulate", partial(_said, "sh", "-c", piped), most=1.15),
        ],
        count,
        "events",
    )


def _fan_out(folder: Path, count: int) -> Iterator[Race]:
    store = fill(folder / "wide.db", Size(50, 1))
    _wish(store, "email.created=on", "push.created=on", "--default")
    log = write_creations(folder / "created.jsonl", count)
    run = partial(
        process, *NOTIFYCLI, "--db", store, "simulate", log, stdout=folder / "fired.jsonl"
    )
    yield Race(
        "decisions, each creation told to 50 agents twice",
        [Way("simulate", run)],
        count * 100,
        "decisions",
        check=lambda answers: _lines(answers[0], count * 100),
    )


def _memory(folder: Path, *, small: bool) -> Iterator[Race]:
    """Replay a log and one ten times as long of as many conversations: `peak_mib` tells."""
    size, conversations = Size(200, 50, 20, 20), 500 if small else 50_000
    store = fill(folder / "many.db", size)
    _wish(store, "email.message=on", "--default")
    for count in (1_000, 2_000) if small else (60_000, 600_000):
        log = write_events(folder / "long.jsonl", count, size, conversations)
        yield Race(
            f"memory, {count:,} events of {conversations:,} conversations",
            [Way("simulate --summary --jobs 1", partial(_counted, store, log, "--jobs", "1"))],
            count,
            "events",
            rounds=1,
            check=lambda answers: _some(answers[0]),
        )
        log.unlink()


def _growth(folder: Path, *, small: bool) -> Iterator[Race]:
    """Replay the same traffic at desks of any size, whose inboxes have as many members."""
    count = 1_000 if small else 50_000
    sizes = [Size(50, 5, 10, 20), Size(500, 50, 1_000, 20), Size(5_000, 500, 10_000, 20)]
    sizes = sizes[:2] if small else sizes
    ways = []
    for size in reversed(sizes):
        store = fill(folder / f"desk-{size.agents}.db", size)
        _wish(store, "email.message=on", "--default")
        log = write_events(folder / f"traffic-{size.agents}.jsonl", count, size)
        name = f"{size.agents:,} agents, {size.inboxes} inboxes, {size.teams:,} teams"
        ways.append(Way(name, partial(_counted, store, log, "--jobs", "1")))
    yield Race(
        "growth, 20 members to an inbox",
        ways,
        count,
        "events",
        check=_all_some,
    )


def _wish(store: Path, *arguments: str) -> None:
    process(*NOTIFYCLI, "--db", store, "prefs", "set", *arguments)


def _counted(store: Path, log: Path, *options: str) -> Done:
    return _said(*NOTIFYCLI, "--db", store, "simulate", log, "--summary", *options)


def _said(*command: str | Path) -> Done:
    done = process(*command)
    return Done([json.loads(line) for line in done.answer.splitlines()], done.figures)


def _some(counts: Any) -> None:
    if not sum(count["fired"] for count in counts):
        raise WrongError("nothing fired")


def _all_some(answers: Sequence[Any]) -> None:
    for answer in answers:
        _some(answer)


def _same(one: Any, other: Any) -> None:
    _some(one)
    if one != other:
        raise WrongError("the number of processes changes the counts")


def _whole(answers: Sequence[Any], count: int) -> None:
    _some(answers[0])
    if int(answers[1]) != count:
        raise WrongError(f"{answers[1]!r} lines were decoded, not {count}")


def _lines(printed: Path, expected: int) -> None:
    with printed.open("rb") as file:
        found = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    if found != expected:
        raise WrongError(f"{found} decisions, not {expected}")
