"""`python -m benchmarks [--small] [--rounds N] [NAME…]`: runs all benchmarks, or those named.

A table is written to standard error while they run and, unless that is a terminal, the same as JSON
Lines to standard output. Exits with 1 if a result is wrong; being slow is no fault.
"""

from __future__ import annotations

import argparse
import os
import sys

import msgspec

from benchmarks import BENCHMARKS
from benchmarks.frame import Result, WrongError, run

_HEAD = ("", "seconds", "rate/s", "ratio", "at most", "")


def main() -> int:
    """Run what the command line asks for; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--small", action="store_true", help="as the tests do: quick, no measure")
    parser.add_argument("--rounds", type=int, default=0, help="instead of what each race takes")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}")
    # Nobody's program compiles its sources each time: that took longer than all else a start does.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    try:
        for name in given.names or BENCHMARKS:
            for results in run(name, BENCHMARKS[name], small=given.small, rounds=given.rounds):
                _print(results)
    except WrongError as error:
        print(f"wrong: {error}", file=sys.stderr)
        return 1
    return 0


def _print(results: list[Result]) -> None:
    if not sys.stdout.isatty():
        for result in results:
            print(msgspec.json.encode(result).decode(), flush=True)
    head, *_ = results
    print(f"\n{head.benchmark}: {head.race} ({head.unit})", file=sys.stderr)
    width = max(len(result.way) for result in results)
    _print_row(width, *_HEAD)
    for result in results:
        promised = "" if result.most is None else f"{result.most:g}"
        verdict = {None: "", True: "kept", False: "MISSED"}[result.kept]
        figures = (f"{name} {value:,}" for name, value in result.figures.items())
        _print_row(
            width,
            result.way,
            f"{result.seconds:,.4f}",
            f"{result.rate:,.1f}",
            f"{result.ratio:.3g}",
            promised,
            "  ".join([verdict, *figures]).strip(),
        )


def _print_row(width: int, *cells: str) -> None:
    name, seconds, rate, ratio, most, rest = cells
    row = f"  {name:{width}} {seconds:>10} {rate:>14} {ratio:>7} {most:>8}  {rest}"
    print(row.rstrip(), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
