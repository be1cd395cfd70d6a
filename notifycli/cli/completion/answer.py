"""From a command line to all that its last word may become. `SOURCES` is the one table of values.

It goes by what the help calls a value, so that a new command completes as soon as its help says
`KEY`, `USER` or `FILE`; values that the help spells out (`table|json`) need no row at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from typer.core import TyperGroup, TyperOption

from notifycli.cli.completion.place import HELP, Position, locate, parameters
from notifycli.cli.session import Session
from notifycli.rules.notifications import TYPES
from notifycli.rules.preferences import (
    BUILTIN_PRESETS,
    GLOBS,
    KEYS,
    InvalidPreferenceError,
    full_keys,
    spellings,
)
from notifycli.rules.quiet_hours import zones
from notifycli.store.completion_queries import Found, Glance, look
from notifycli.store.settings import CHOICES, SETTINGS


class Candidate(NamedTuple):
    """What a word may become."""

    word: str
    help: str = ""
    ends: bool = True
    """Whether the word ends here, and the next one may begin."""


class Offers(NamedTuple):
    """All that a word may become."""

    candidates: Iterable[Candidate] = ()
    """Without `lead`; those that don't begin with what was typed may be among them."""
    lead: str = ""
    """What of the word stays as it was typed."""
    files: bool = False
    """Whether it is the name of a file, which the shell completes best."""


Source = Callable[[Position], Offers]


def values(place: Position) -> Offers:
    """Give what the value at a place may become."""
    parameter = place.parameter
    metavar = (parameter.metavar or "").removesuffix("...") if parameter else ""
    if metavar.startswith("[") and metavar.endswith("]"):
        metavar = metavar[1:-1]
    choices = getattr(parameter.type, "choices", ()) if parameter else ()
    if choices or ("|" in metavar and metavar == metavar.lower()):
        words = [str(getattr(choice, "value", choice)) for choice in choices]
        return Offers(map(Candidate, words or metavar.split("|")), place.lead)
    whose = (" ".join((*path, metavar)) for path in (place.path, place.path[:1], ()))
    for name in (*getattr(parameter, "opts", ()), *whose):
        if name in SOURCES:
            answer = SOURCES[name](place)
            return answer._replace(lead=place.lead + answer.lead)
    return Offers()


def _files(_: Position) -> Offers:
    return Offers(files=True)


def _of_store(ask: Callable[[Glance, str], list[Found]]) -> Source:
    def source(place: Position) -> Offers:
        return Offers(Candidate(*found) for found in _look(place, ask, place.start))

    return source


def _look(place: Position, ask: Callable[[Glance, str], list[Found]], start: str) -> list[Found]:
    files, accounts = place.given.get("db"), place.given.get("account")
    session = Session(
        db=files[-1] if files else None, account=int(accounts[-1]) if accounts else None
    )
    return look(session.location, session.given_account, lambda store: ask(store, start))


def _keys(place: Position) -> Offers:
    return Offers(Candidate(*found) for found in _spell(place.start))


def _one_key(place: Position) -> Offers:
    return Offers(Candidate(*found) for found in _spell(place.start) if found.word not in GLOBS)


def _spell(start: str) -> Iterator[Found]:
    """Give the full keys and the globs or, only where none begins like it, other spellings."""
    full = [*(Found(key.name, key.summary) for key in KEYS.values()), *_GLOBS]
    if any(found.word.startswith(start.lower()) for found in full):
        yield from full
        return
    for word, names in spellings().items():
        yield Found(word, KEYS[names[0]].summary)


def _assignment(place: Position) -> Offers:
    key, equals, _ = place.start.partition("=")
    if not equals:
        return Offers(Candidate(f"{word}=", help_, ends=False) for word, help_ in _spell(key))
    try:
        known = KEYS[full_keys(key)[0]]
    except InvalidPreferenceError:
        return Offers()
    several = key.strip().lower() in GLOBS
    offered = (
        Candidate(value, "built-in" if value == known.builtin and not several else "")
        for value in known.values
    )
    return Offers(offered, f"{key}=")


def _somebodys_assignment(place: Position) -> Offers:
    """Complete `[USER:]KEY=VALUE`."""
    user, colon, rest = place.start.partition(":")
    if colon and "=" not in user:
        answer = _assignment(place._replace(start=rest))
        return answer._replace(lead=f"{user}:{answer.lead}")
    answer = _assignment(place)
    if "=" in place.start:
        return answer
    users = _look(place, Glance.users, place.start) if place.start else []
    somebody = (Candidate(f"{word}:", help_, ends=False) for word, help_ in users)
    return answer._replace(candidates=[*answer.candidates, *somebody])


def _types(_: Position) -> Offers:
    short = [Candidate(row.short, row.fires_when) for row in TYPES]
    return Offers([*short, *(Candidate(row.type, row.fires_when) for row in TYPES)])


def _zones(_: Position) -> Offers:
    return Offers(Candidate(name) for name in sorted({*zones().values()}))


def _presets(place: Position) -> Offers:
    saved = _look(place, lambda store, _: store.presets(), place.start)
    return Offers([*(Candidate(name) for name in BUILTIN_PRESETS), *(Candidate(*f) for f in saved)])


def _settings(_: Position) -> Offers:
    return Offers(Candidate(setting.key, setting.summary) for setting in SETTINGS.values())


def _setting_value(place: Position) -> Offers:
    key, equals, _ = place.start.partition("=")
    if equals:
        values_ = CHOICES.get(key.strip().lower(), ())
        return Offers(map(Candidate, values_), f"{key}=")
    return Offers(
        # A secret's value is never on the command line.
        Candidate(f"{row.key}{'' if row.secret else '='}", row.summary, ends=row.secret)
        for row in SETTINGS.values()
    )


_GLOBS = tuple(Found(glob, f"all of them: {glob}") for glob in GLOBS)
_accounts = _of_store(lambda store, _: store.accounts())
_inboxes = _of_store(lambda store, _: store.inboxes())
_teams = _of_store(lambda store, _: store.teams())
_tokens = _of_store(lambda store, _: store.tokens())
_subscriptions = _of_store(lambda store, _: store.subscriptions())
_changes = _of_store(lambda store, _: store.changes())
_users = _of_store(Glance.users)

SOURCES: Mapping[str, Source] = {
    "--account": _accounts,
    "--inbox": _inboxes,
    "--inbox-members": _inboxes,
    "--team": _teams,
    "inbox ID": _inboxes,
    "team ID": _teams,
    "push ID": _subscriptions,
    "token NAME": _tokens,
    "prefs NAME": _presets,
    "prefs undo ID": _changes,
    "USER": _users,
    "REF": _users,
    "KEY": _keys,
    "prefs get KEY": _one_key,
    "KEY=VALUE": _assignment,
    "[USER:]KEY=VALUE": _somebodys_assignment,
    "SETTING": _settings,
    "SETTING=VALUE": _setting_value,
    "TYPE": _types,
    "ZONE": _zones,
    "FILE": _files,
    "FILES": _files,
    "FILE.html": _files,
    "EVENTS": _files,
    "PATH": _files,
}
"""By an option's name, or by what the help calls the value, with or without its command or noun."""


def answer(program: Any, words: Sequence[str], current: str) -> Offers:
    """Say what the word `current` after `words` (without the program's name) may become.

    The candidates begin like the word, whatever the case of its letters. None of them has a
    character that doesn't print: a shell couldn't tell where it ends.
    """
    place = locate(program, words, current)
    if place is None:
        return Offers()
    found = _offers(place)
    start = current[len(found.lead) :].casefold()
    fitting = {
        offer.word: offer
        for offer in found.candidates
        if offer.word.casefold().startswith(start) and offer.word.isprintable()
    }
    return found._replace(candidates=[*fitting.values()])


def _offers(place: Position) -> Offers:
    if place.parameter is not None:
        return values(place)
    if isinstance(place.command, TyperGroup) and not place.start.startswith("-"):
        return Offers(_commands(place.command))
    return Offers(_options(place))


def _commands(group: Any) -> Iterator[Candidate]:
    summaries = getattr(group.commands, "summaries", None)
    if summaries is not None:
        yield from (Candidate(name, summary) for name, summary in summaries())
        return
    for name, command in group.commands.items():
        if not command.hidden:
            yield Candidate(name, command.get_short_help_str(_HELP_WIDTH))


def _options(place: Position) -> Iterator[Candidate]:
    for option in parameters(place.command, TyperOption):
        if option.multiple or option.name not in place.given:
            for name in (*option.opts, *option.secondary_opts):
                if name.startswith("--"):
                    yield Candidate(name, option.help or "")
    yield Candidate(HELP, "Show this message and exit.")


_HELP_WIDTH = 80
