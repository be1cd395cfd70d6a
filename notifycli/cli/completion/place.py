"""Where on the command line a word is: of which command, and the value of which parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from typer.core import TyperArgument, TyperGroup, TyperOption

HELP = "--help"


class Position(NamedTuple):
    """A word that is being typed."""

    command: Any
    """The Typer command whose part it is."""
    path: tuple[str, ...]
    """The names that lead to the command, without the program's own."""
    parameter: Any | None
    """The Typer parameter whose value it is; `None` for the name of an option or a command."""
    lead: str
    """What of the word stands before the value: `--db=`, `-u`."""
    start: str
    """What has been typed of the value or the name."""
    given: dict[str, list[str]]
    """What was given before: values by the parameter's name; of a flag, no more than its name."""


def locate(program: Any, words: Sequence[str], current: str) -> Position | None:
    """Find the place of the word `current` after `words`; `None` after a command that isn't one.

    `words` are without the program's name, and need not be a valid command line.
    """
    line = _Line(program)
    return line.place(current) if all(map(line.take, words)) else None


def parameters(command: Any, kind: type[Any]) -> Iterator[Any]:
    """Give a command's visible parameters of a kind."""
    return (p for p in command.params if isinstance(p, kind) and not getattr(p, "hidden", False))


def takes_value(option: Any) -> bool:
    """Whether a value follows the option."""
    return not (option.is_flag or option.count)


@dataclass
class _Line:
    """The words so far, read as Typer would read them but without complaint."""

    command: Any
    path: tuple[str, ...] = ()
    given: dict[str, list[str]] = field(default_factory=dict)
    waiting: Any | None = None
    """The option whose value comes next."""
    position: int = 0
    """The number of arguments so far."""
    only_arguments: bool = False
    """Whether `--` has been there."""

    def take(self, word: str) -> bool:
        """Read a word; `False` if it should be a command and isn't."""
        if self.waiting is not None:
            self._give(self.waiting, word)
            self.waiting = None
        elif word == "--" and not self.only_arguments:
            self.only_arguments = True
        elif self._is_option(word):
            self._mean_default()
            self._take_option(word)
        elif isinstance(self.command, TyperGroup):
            return self._descend(word)
        else:
            argument = self._argument()
            if argument is not None:
                self._give(argument, word)
            self.position += 1
        return True

    def place(self, current: str) -> Position:
        """Say what the next word is, of which `current` has been typed."""
        if self.waiting is not None:
            return self._at(self.waiting, "", current)
        is_option = self._is_option(current) or (current == "-" and not self.only_arguments)
        if is_option or not any(name.startswith(current) for name in self._verbs()):
            self._mean_default()
        if is_option:
            return self._in_option(current)
        if isinstance(self.command, TyperGroup):
            return self._at(None, "", current)
        return self._at(self._argument(), "", current)

    def _at(self, parameter: Any, lead: str, start: str) -> Position:
        return Position(self.command, self.path, parameter, lead, start, self.given)

    def _is_option(self, word: str) -> bool:
        return not self.only_arguments and len(word) > 1 and word.startswith("-")

    def _in_option(self, current: str) -> Position:
        name, equals, value = current.partition("=")
        if current.startswith("--"):
            option = self._option(name)
            if equals and option is not None and takes_value(option):
                return self._at(option, f"{name}=", value)
        elif (option := self._option(current[:2])) is not None and takes_value(option):
            return self._at(option, current[:2], current[2:])
        return self._at(None, "", current)

    def _take_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            option = self._option(name)
            if option is not None and equals:
                self._give(option, value)
            elif option is not None:
                self._expect(option)
            return
        for i, letter in enumerate(word[1:], 2):
            option = self._option(f"-{letter}")
            if option is not None and takes_value(option) and word[i:]:
                self._give(option, word[i:])
                return
            if option is not None:
                self._expect(option)

    def _expect(self, option: Any) -> None:
        self.given.setdefault(option.name, [])
        self.waiting = option if takes_value(option) else None

    def _give(self, parameter: Any, value: str) -> None:
        self.given.setdefault(parameter.name, []).append(value)

    def _verbs(self) -> Iterable[str]:
        return getattr(self.command, "commands", ())

    def _mean_default(self) -> None:
        """Go on to the verb that is meant where a noun is followed by none."""
        if (default := getattr(self.command, "default_verb", None)) is not None:
            self._descend(default)

    def _descend(self, word: str) -> bool:
        command = self.command.commands.get(word)
        if command is None:
            meant = self.command
            self._mean_default()
            return self.command is not meant and self.take(word)
        self.command = command
        self.path = (*self.path, command.name)
        return True

    def _option(self, name: str) -> Any | None:
        options = (p for p in self.command.params if isinstance(p, TyperOption))
        return next((o for o in options if name in (*o.opts, *o.secondary_opts)), None)

    def _argument(self) -> Any | None:
        behind = self.position
        for argument in parameters(self.command, TyperArgument):
            if argument.nargs < 0 or behind < argument.nargs:
                return argument
            behind -= argument.nargs
        return None
