"""`notifycli test`: scenario files, which pin what must fire and what must not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from notifycli.cli.command import command_class, examples, session_of
from notifycli.cli.output import check_apart, show, write, write_file
from notifycli.cli.profiles import Rules
from notifycli.cli.session import plural
from notifycli.cli.terminal import print_error
from notifycli.errors import DataError, InputMissingError, UsageError
from notifycli.rules.profile import NOTIFYCLI, Profile, UnknownProfileError, profile_named
from notifycli.scenarios import Scenario, TrialResult, read_scenarios, try_scenario
from notifycli.text import printable

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_FAILED = 1


Files = Annotated[
    list[str],
    typer.Argument(metavar="FILES...", help="Files or folders of scenarios, TOML; - is stdin."),
]
Tap = Annotated[bool, typer.Option("--tap", help="Print the results as TAP, for a harness.")]
Junit = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Write the results as JUnit's XML too, for CI."),
]


@app.command(
    "test",
    cls=command_class(),
    epilog=examples(
        """
notifycli test examples/scenarios
notifycli test policy.toml --tap
notifycli test policy.toml --junit results.xml

A file of scenarios:

[[scenario]]
name = "A mention reaches who asked for it, by e-mail alone"
directory.users = [{ id = 7, email = "jane@example.com" }]
preferences.users."jane@example.com" = { "email.mention" = "on" }
expect = ["email.mention jane@example.com"]
expect_not = ["push.mention jane@example.com disabled"]

[[scenario.events]]
at = "09:00"
event = "message_created"
message_type = "outgoing"
content = "@jane@example.com knows more"
"""
    ),
)
def scenario_test(
    ctx: typer.Context,
    files: Files,
    *,
    rules: Rules = None,
    tap: Tap = False,
    junit: Junit = None,
) -> None:
    """Try scenarios: a directory, preferences and events, and who must be notified of them.

    The store isn't looked at. `expect` lists exactly what must fire, in any order; `expect_not`
    what must not, with the reason, if one is given. Each is a text (what, whom, why) or a table of
    any fields of `simulate`. `at` is a time of the day, +20s after the one before, or ISO 8601.
    """
    session = session_of(ctx)
    session.awaits(*files)
    if junit is not None:
        check_apart("--junit", junit, *files)
    profile = NOTIFYCLI if rules is None else _profile(rules)
    results = [try_scenario(scenario, profile) for scenario in _read(files)]
    failed = sum(not result.passed for result in results)
    if junit is not None:
        _write_junit(results, junit)
    if tap:
        write(line.encode() for line in _tap(results))
    elif session.shows_table:
        write(line.encode() for result in results for line in _result_lines(result))
    else:
        show(session, results, TrialResult)
        for result in results:
            if not result.passed:
                print_error("".join(_result_lines(result)).rstrip("\n"))
    session.info(
        f"{plural(len(results), 'scenario')}, {failed} failed" if failed else _all(results)
    )
    raise typer.Exit(_FAILED if failed else 0)


def _profile(name: str) -> Profile:
    """Give the profile with a name; no store is looked at, so no server can be asked."""
    try:
        return profile_named(name)
    except UnknownProfileError as error:
        raise UsageError(str(error), "name one, as in --rules chatwoot@4.16") from None


def _read(files: Sequence[str]) -> list[Scenario]:
    """Read all files, and name the faults of all, before anything is tried.

    A file that a scenario of another one reads needn't be one of scenarios: a shell's `*` names
    both.
    """
    from notifycli.cli.inputs import read_document  # noqa: PLC0415 - not for the help
    from notifycli.replay.sources import STDIN, place_of  # noqa: PLC0415

    scenarios: list[Scenario] = []
    wrong: dict[str, DataError] = {}
    read = set[str]()
    for name in chain.from_iterable(map(_files_named, files)):
        folder = Path() if name == STDIN else Path(name).parent

        def read_file(reference: str, folder: Path = folder) -> bytes:
            read.add(os.path.realpath(folder / reference))
            return read_document(str(folder / reference))

        try:
            scenarios += read_scenarios(read_document(name), place_of(name), read_file)
        except DataError as error:
            wrong[os.path.realpath(name)] = error
    faults = [error for path, error in wrong.items() if path not in read]
    if faults:
        raise DataError("\n".join(fault.message for fault in faults), faults[0].hint)
    return scenarios


def _files_named(name: str) -> list[str]:
    """Give a file, or those of scenarios in a folder. Raises `InputMissingError` for none there."""
    from notifycli.replay.sources import files_of  # noqa: PLC0415 - see _read

    if not os.path.isdir(name):  # noqa: PTH112 - it takes any name
        return [name]
    found = [str(path) for path in files_of(name) if path.suffix == ".toml"]
    if not found:
        raise InputMissingError(
            f"{name}: a folder without a file of scenarios (*.toml)",
            "name the folder in which they are, or the files",
        )
    return found


def _all(results: Sequence[TrialResult]) -> str:
    return f"{plural(len(results), 'scenario')}, all as expected"


def _result_lines(result: TrialResult) -> Iterator[str]:
    verdict = "ok  " if result.passed else "FAIL"
    yield f"{verdict}  {printable(f'{result.file}:{result.line}')}  {printable(result.scenario)}\n"
    for failure in result.failures:
        yield f"        {printable(failure)}\n"


def _tap(results: Sequence[TrialResult]) -> Iterator[str]:
    yield f"TAP version 13\n1..{len(results)}\n"
    for number, result in enumerate(results, 1):
        name = printable(result.scenario).replace("#", "\\#")
        yield f"{'ok' if result.passed else 'not ok'} {number} - {name}\n"
        if not result.passed:
            yield f"# {printable(f'{result.file}:{result.line}')}\n"
        for failure in result.failures:
            yield f"# {printable(failure)}\n"


def _write_junit(results: Sequence[TrialResult], file: str) -> None:
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - only with --junit

    failed = sum(not result.passed for result in results)
    suite = ET.Element("testsuite", name="notifycli test", errors="0")
    suite.set("tests", str(len(results)))
    suite.set("failures", str(failed))
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=printable(result.file),
            name=printable(result.scenario),
            file=printable(result.file),
            line=str(result.line),
        )
        if not result.passed:
            told = [printable(failure) for failure in result.failures]
            ET.SubElement(case, "failure", message=told[0]).text = "\n".join(told)
    write_file(file, ET.tostring(suite, encoding="utf-8", xml_declaration=True))
