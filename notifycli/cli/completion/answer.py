"""From a command line to all that its last word may become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperGroup, TyperOption

from notifycli.cli.completion.place import HELP, Place, locate, parameters
from notifycli.cli.completion.sources import Answer, Candidate, values


def answer(program: Any, words: Sequence[str], current: str) -> Answer:
    """Say what the word `current` after `words` (without the program's name) may become.

    The candidates begin like the word, whatever the case of its letters. None of them has a
    character that doesn't print: a shell couldn't tell where it ends.
    """
    place = locate(program, words, current)
    if place is None:
        return Answer()
    found = _offered(place)
    start = current[len(found.lead) :].casefold()
    fitting = {
        offer.word: offer
        for offer in found.candidates
        if offer.word.casefold().startswith(start) and offer.word.isprintable()
    }
    return found._replace(candidates=[*fitting.values()])


def _offered(place: Place) -> Answer:
    if place.parameter is not None:
        return values(place)
    if isinstance(place.command, TyperGroup) and not place.start.startswith("-"):
        return Answer(_commands(place.command))
    return Answer(_options(place))


def _commands(group: Any) -> Iterator[Candidate]:
    summaries = getattr(group.commands, "summaries", None)
    if summaries is not None:
        yield from (Candidate(name, summary) for name, summary in summaries())
        return
    for name, command in group.commands.items():
        if not command.hidden:
            yield Candidate(name, command.get_short_help_str(_HELP_WIDTH))


def _options(place: Place) -> Iterator[Candidate]:
    for option in parameters(place.command, TyperOption):
        if option.multiple or option.name not in place.given:
            for name in (*option.opts, *option.secondary_opts):
                if name.startswith("--"):
                    yield Candidate(name, option.help or "")
    yield Candidate(HELP, "Show this message and exit.")


_HELP_WIDTH = 80
