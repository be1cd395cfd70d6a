"""What the help says of itself: every option once, every summary to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command

from notifycli.cli.main import app
from tests.conftest import Notifycli

SEVERAL = {
    *("simulate", "deliver run", "deliver status", "deliver retry", "deliver drop"),
    *("prefs list", "prefs history", "prefs set", "prefs unset", "prefs drift"),
    *("prefs mute", "prefs unmute"),
    *("prefs preset apply", "push list", "push invite", "token list", "token rotate"),
    *("chatwoot pull", "chatwoot diff", "chatwoot push", "chatwoot rotate"),
    *("chatwoot status", "chatwoot logout", "chatwoot compare", "chatwoot tokens"),
}
"""The commands that take several users."""


def commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give every command of the program, groups too, and how it is named."""
    yield path, command
    for name in getattr(command, "commands", {}):
        yield from commands(command.commands[name], *path, name)


COMMANDS = {" ".join(path): command for path, command in commands(get_command(app))}


@pytest.mark.parametrize("path", COMMANDS)
def test_no_option_of_a_command_is_listed_twice(path: str) -> None:
    names = Counter(name for option in COMMANDS[path].params for name in option.opts)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", [path for path in COMMANDS if hasattr(COMMANDS[path], "commands")])
def test_the_help_of_a_noun_says_each_summary_to_its_end(path: str) -> None:
    context = typer.Context(COMMANDS[path], terminal_width=80)
    shown = COMMANDS[path].get_help(context)
    _, listed = shown.split("Commands:\n" if path else "\nLook:\n")
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


@pytest.mark.parametrize("path", [path for path in COMMANDS if path])
def test_a_user_may_be_repeated_where_several_are_taken_and_is_said_to(path: str) -> None:
    users = [o for o in COMMANDS[path].params if "-u" in o.opts and not o.hidden]
    assert {"may be repeated" in o.help for o in users} <= {path in SEVERAL}


@pytest.mark.parametrize("command", [[], ["prefs"], ["prefs", "set"], ["simulate"], ["deliver"]])
def test_h_is_help(notifycli: Notifycli, command: list[str]) -> None:
    assert notifycli.ok(*command, "-h").stdout == notifycli.ok(*command, "--help").stdout


def test_the_program_by_itself_says_where_to_begin_while_nothing_is_set_up(
    notifycli: Notifycli,
) -> None:
    bare = notifycli.ok()
    assert bare.stderr == (
        "nothing is set up yet; connect your Chatwoot: notifycli chatwoot login URL, or look "
        "first: notifycli demo\n"
    )
    examples = bare.stdout.decode().partition("Start here")[2]
    first, _, rest = examples.partition("notifycli chatwoot login")
    assert ("notifycli " not in first, "notifycli directory learn" in rest) == (True, True)
    notifycli.ok("user", "add", "jane@example.com", "--id", "7")
    again = notifycli.ok()
    assert (again.stderr, again.stdout) == ("", bare.stdout)
