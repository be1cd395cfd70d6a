"""What all benchmarks share: races between ways of doing the same work, in one run.

Each round lets every way do the work once, in turn, so that whatever else the machine does slows
all of them down; ratios are taken within a round, and the median of the rounds counts.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

_MIB = 1024 if sys.platform == "linux" else 1 << 20
"""In the unit in which the system tells how much memory a process took."""


class WrongError(Exception):
    """A way did its work wrongly: how fast it was means nothing."""


class Done(NamedTuple):
    """What doing the work once gave."""

    answer: Any = None
    """What the race checks; by default it is equal for all ways."""
    figures: Mapping[str, float] = {}
    """What else was measured: `{"peak_mib": 31.5}`."""


@dataclass(frozen=True)
class Way:
    """One way of doing the work of a race."""

    name: str
    run: Callable[[], Done]
    """Does the work once; all of it is timed."""
    prepare: Callable[[], object] = lambda: None
    """What has to be done before each run; not timed."""
    most: float | None = None
    """What share of this way's time the race's first way may take: 1.2, or 0.1 for ten times as
    fast. `None` where nothing is promised."""
    needs: str = ""
    """The program that it runs, if not everybody has it: without it the way is left out."""


def all_equal(answers: Sequence[Any]) -> None:
    """Check the answers of a round: the same for all ways."""
    for other in answers[1:]:
        if other != answers[0]:
            raise WrongError(f"{answers[0]!r:.200} is not {other!r:.200}")


@dataclass(frozen=True)
class Race:
    """The same work, done in several ways. The first is the product's."""

    name: str
    ways: Sequence[Way]
    amount: int = 1
    unit: str = "runs"
    """What a rate counts: 2,000,000 "rows"."""
    rounds: int = 5
    check: Callable[[Sequence[Any]], None] = field(default=all_equal)
    """Looks at the answers of a round, in the order of the ways. Raises `WrongError`."""


Benchmark = Callable[[Path, bool], Iterator[Race]]
"""Gives races one after the other: from a folder of its own, and whether they are to be small.

A small race takes a second or two and has to come out right; how fast it was matters to nobody.
"""


class Result(Struct):
    """How one way came out."""

    benchmark: str
    race: str
    way: str
    seconds: float
    """The median of the rounds."""
    rate: float
    """So many of `unit` in a second."""
    unit: str
    ratio: float
    """The time of the race's first way divided by that of this one: the median of the rounds."""
    most: float | None
    """What the ratio may be; `None` where nothing is promised."""
    kept: bool | None
    """Whether it is that, if something is promised."""
    figures: dict[str, float]
    """The median of whatever else was measured."""


def run(name: str, benchmark: Benchmark, *, small: bool, rounds: int = 0) -> Iterator[list[Result]]:
    """Run the races of a benchmark; gives the results of each. Raises `WrongError`.

    `rounds` are those that each race wants if it is 0; small races have one.
    """
    with tempfile.TemporaryDirectory(prefix="notifycli-benchmark-") as folder:
        for race in benchmark(Path(folder), small):
            here = [way for way in race.ways if not way.needs or shutil.which(way.needs)]
            able = replace(race, ways=here)
            yield _results(name, able, _rounds(able, 1 if small else rounds or race.rounds))


class _Run(NamedTuple):
    seconds: float
    done: Done


def _rounds(race: Race, rounds: int) -> list[list[_Run]]:
    """Let the ways take turns; gives the runs of each round, in the order of the ways."""
    found = []
    for number in range(rounds):
        # What a way leaves behind (a warm cache, a busy disk) is each other's in turn.
        order = race.ways if number % 2 == 0 else race.ways[::-1]
        runs = [_timed(race, way) for way in order]
        if number % 2:
            runs.reverse()
        race.check([run.done.answer for run in runs])
        found.append(runs)
    return found


def _timed(race: Race, way: Way) -> _Run:
    way.prepare()
    start = time.perf_counter()
    try:
        done = way.run()
    except WrongError as error:
        raise WrongError(f"{race.name}, {way.name}: {error}") from error
    return _Run(time.perf_counter() - start, done)


def _results(benchmark: str, race: Race, rounds: list[list[_Run]]) -> list[Result]:
    results = []
    for way, runs in zip(race.ways, zip(*rounds, strict=True), strict=True):
        seconds = statistics.median(run.seconds for run in runs)
        ratio = statistics.median(
            first.seconds / run.seconds for (first, *_), run in zip(rounds, runs, strict=True)
        )
        results.append(
            Result(
                benchmark,
                race.name,
                way.name,
                round(seconds, 6),
                round(race.amount / seconds, 1),
                race.unit,
                round(ratio, 4),
                way.most,
                None if way.most is None else ratio <= way.most,
                {
                    figure: round(statistics.median(run.done.figures[figure] for run in runs), 3)
                    for figure in runs[0].done.figures
                },
            )
        )
    return results


def process(
    *command: str | Path,
    stdin: Path | None = None,
    stdout: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Done:
    """Run a program; gives what it printed, as bytes, and `peak_mib`.

    Linux tells no less than what the benchmarks themselves take when they start it, some 30 MiB.
    With `stdout`, what it prints is in that file and the answer is the file's path. Raises
    `WrongError`, with what it told, if it fails.
    """
    with (
        tempfile.TemporaryFile() as told,
        tempfile.TemporaryFile() if stdout is None else stdout.open("w+b") as printed,
        Path(os.devnull if stdin is None else stdin).open("rb") as given,
    ):
        started = subprocess.Popen(
            command,
            stdin=given,
            stdout=printed,
            stderr=told,
            env=None if environment is None else {**os.environ, **environment},
        )
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            told.seek(0)
            text = told.read().decode(errors="replace").strip()
            raise WrongError(f"{command[0]} ended with {started.returncode}: {text[-500:]}")
        printed.seek(0)
        answer = printed.read() if stdout is None else stdout
    return Done(answer, {"peak_mib": usage.ru_maxrss / _MIB})


NOTIFYCLI = (sys.executable, str(Path(sys.executable).with_name("notifycli")))
"""The program as it is installed, for `process`."""
