"""The benchmarks, small: each way of each race does its work rightly, however long it takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from benchmarks import BENCHMARKS
from benchmarks.frame import Done, Race, Result, Way, WrongError, run


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_race_comes_out_right(name: str, tmp_path: Path) -> None:
    for race in BENCHMARKS[name](tmp_path, True):
        for way in race.ways:
            if way.needs and not shutil.which(way.needs):
                pytest.skip(f"{way.name} needs {way.needs}")
        answers = []
        for way in race.ways:
            way.prepare()
            answers.append(way.run().answer)
        race.check(answers)


def of(*ways: Way) -> Iterator[list[Result]]:
    def races(folder: Path, small: bool) -> Iterator[Race]:
        assert folder.is_dir()
        yield Race("a race", ways, amount=10, unit="things", rounds=1 if small else 2)

    return run("a benchmark", races, small=False)


def test_a_race_gives_a_result_for_each_way_whose_program_is_here() -> None:
    ways = [
        Way("ours", lambda: Done(1, {"peak_mib": 2.0})),
        Way("theirs", lambda: Done(1), most=1e9),
        Way("nobody's", lambda: Done(1), needs="no-program-of-this-name"),
    ]
    ((ours, theirs),) = of(*ways)

    assert msgspec.structs.replace(ours, seconds=1.0, rate=10.0) == Result(
        "a benchmark", "a race", "ours", 1.0, 10.0, "things", 1.0, None, None, {"peak_mib": 2.0}
    )
    assert (theirs.way, theirs.most, theirs.kept) == ("theirs", 1e9, True)


def test_a_wrong_answer_ends_a_race() -> None:
    with pytest.raises(WrongError, match="1 is not 2"):
        list(of(Way("ours", lambda: Done(1)), Way("theirs", lambda: Done(2))))
