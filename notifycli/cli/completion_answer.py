"""What TAB offers for a word: where it is on the command line, and what it may become there.

`reply` reads the line and writes the answer as each shell expects it: a first line that says what
is offered, then a line an offer. The shells' own sides of it are in `completion`: both have to
agree.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from typer.core import TyperArgument, TyperGroup, TyperOption

from notifycli.cli.session import Session
from notifycli.rules.notifications import (
    SHIPPED_CHANNELS,
    TYPES,
    Channel,
    NotificationType,
    plug_ins,
)
from notifycli.rules.preferences import (
    BUILTIN_PRESETS,
    GLOBS,
    KEYS,
    TONES,
    InvalidPreferenceError,
    full_keys,
    spellings,
)
from notifycli.rules.quiet_hours import zones
from notifycli.store.completion_queries import Completion, Glance, look
from notifycli.store.settings import CHOICES, SETTINGS
from notifycli.text import printable

WORDS = "_NOTIFYCLI_WORDS"
"""The words of PowerShell, a line each: some of its versions lose empty arguments and quotes."""
_UNSAFE = re.compile(r"[^\w@%+:,./=-]")
_IN_DOUBLE_QUOTES = re.compile(r'["$`\\]')


class CommandLine(NamedTuple):
    """A line up to the cursor."""

    words: tuple[str, ...]
    """The finished words, unquoted, without redirections."""
    current: str
    """The word at the cursor, unquoted; empty after a space."""
    quote: str
    """The quotation mark that is open there, if any."""
    redirected: bool
    """Whether the word at the cursor is the file of a redirection."""


def split(text: str, quote: str = "") -> CommandLine:
    """Read a line by the quoting rules of POSIX shells; nothing in it is expanded.

    `quote` is the quotation mark that is open before it.
    """
    reader = _LineReader(quote)
    rest = iter(text)
    for char in rest:
        reader.read(char, rest)
    return CommandLine(tuple(reader.words), reader.word or "", reader.quote, reader.redirected)


class _LineReader:
    def __init__(self, quote: str) -> None:
        self.words: list[str] = []
        self.word: str | None = None
        self.quote = quote
        self.redirected = False

    def read(self, char: str, rest: object) -> None:
        if char == self.quote:
            self.quote = ""
        elif self.quote == "'":
            self._add(char)
        elif char == "\\":
            self._escape(next(rest, ""))  # type: ignore[call-overload]
        elif self.quote:
            self._add(char)
        elif char in "'\"":
            self.quote = char
            self._add("")
        elif char in "<>":
            self._end(is_descriptor=True)
            self.redirected = True
        elif char.isspace():
            self._end()
        elif not (self.redirected and char in "&|" and self.word is None):
            self._add(char)

    def _escape(self, char: str) -> None:
        kept = "\\" if self.quote and char not in '"$`\\' else ""
        self._add(kept + char)

    def _add(self, text: str) -> None:
        self.word = (self.word or "") + text

    def _end(self, *, is_descriptor: bool = False) -> None:
        if self.word is None:
            return
        if not self.redirected and not (is_descriptor and (self.word + "0").isdigit()):
            self.words.append(self.word)
        self.redirected = False
        self.word = None


def quote_word(text: str, quote: str) -> str:
    """Write `text` so that bash reads it as it is, where the quotation mark `quote` is open."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote:
        # An exclamation mark between double quotes would bring back an old command.
        return _IN_DOUBLE_QUOTES.sub(r"\\\g<0>", text).replace("!", "\"'!'\"")
    return _UNSAFE.sub(r"\\\g<0>", text)


FILES, WORD, PART = "files", "word", "part"
"""The first line for bash: complete a file's name; a space follows a single word; none does."""
_USUAL_COLUMNS = 80
_LISTING = "63"
"""`COMP_TYPE` of bash where it shows a list and inserts nothing."""


def reply(program: Any, shell: str, arguments: list[str]) -> int:
    """Answer the shell that asks; gives the exit status. An error is told to nobody."""
    try:
        lines = list(SHELLS[shell](program, arguments))
        text = "".join(f"{line}\n" for line in lines)
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001 - it would be written across the prompt
        return 1
    return 0


def _bash(program: Any, arguments: Sequence[str]) -> Iterator[str]:
    """Answer with what bash is to put in the place of `fragment`, quoted for that place."""
    text, fragment, kind = arguments
    line = split(text)
    if line.redirected:
        yield FILES
        return
    found = answer(program, line.words[1:], line.current)
    offers = list(found.candidates)
    if found.files:
        yield FILES
    elif kind == _LISTING and len(offers) > 1:
        yield WORD
        width = max(len(offer.word) for offer in offers)
        for offer in offers:
            yield _row(f"{offer.word:{width}}  ", _help(offer.help), _columns())
    else:
        kept = len(line.current) - len(split(fragment, line.quote).current)
        yield WORD if all(offer.ends for offer in offers) else PART
        for offer in offers:
            text = quote_word((found.lead + offer.word)[kept:], line.quote)
            # Readline takes a mark at the start for the one that is open, and writes it once.
            doubled = line.quote if line.quote and text.startswith(line.quote) else ""
            yield doubled + text


def _zsh(program: Any, arguments: Sequence[str]) -> Iterator[str]:
    *words, current = arguments
    found = answer(program, words, current)
    yield _head(found)
    for offer in found.candidates:
        yield "\t".join((WORD if offer.ends else PART, offer.word, _help(offer.help)))


def _fish(program: Any, arguments: Sequence[str]) -> Iterator[str]:
    """Answer with whole words; fish itself adds no space to what ends in `=` or `:`."""
    *words, current = arguments
    line = split(current)
    found = answer(program, words, line.current)
    yield _head(found)
    for offer in found.candidates:
        yield f"{found.lead}{offer.word}\t{_help(offer.help)}"


def _powershell(program: Any, _: Sequence[str]) -> Iterator[str]:
    """Answer with the text to insert, the text to show, and its help."""
    *words, current = os.environ.get(WORDS, "").split("\n")
    found = answer(program, words, current.lstrip("'\""))
    if found.files:
        return
    for offer in found.candidates:
        text = found.lead + offer.word
        inserted = text if _is_plain(text) else "'" + text.replace("'", "''") + "'"
        yield "\t".join((inserted, offer.word, _help(offer.help) or offer.word))


def _head(found: Offers) -> str:
    return f"{FILES if found.files else WORD}\t{found.lead}"


def _help(text: str) -> str:
    return printable(text, by=" ")


def _columns() -> int:
    """Give how many cells wide the terminal is, as bash tells; 80 where it doesn't."""
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() and int(told) else _USUAL_COLUMNS


def _row(word: str, help_: str, columns: int) -> str:
    """Give a row of a list, whose help is cut at the end of a word to what there is room for.

    What is wider than the terminal would be broken in the middle of a word.
    """
    if len(word + help_) >= columns:
        kept = help_[: max(columns - len(word) - 2, 0)].rpartition(" ")[0].rstrip()
        help_ = f"{kept} …" if kept else ""
    return f"{word}{help_}".rstrip()


def _is_plain(text: str) -> bool:
    return all(char.isalnum() or char in "._-=:/+" for char in text)


SHELLS: Mapping[str, Callable[[Any, Sequence[str]], Iterator[str]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
    "powershell": _powershell,
}


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
    whose = (" ".join((*path, metavar)) for path in (place.path, place.path[:1], ()))
    for name in (*getattr(parameter, "opts", ()), *whose):
        if name in SOURCES:
            answer = SOURCES[name](place)
            return answer._replace(lead=place.lead + answer.lead)
    choices = getattr(parameter.type, "choices", ()) if parameter else ()
    if choices or ("|" in metavar and metavar == metavar.lower()):
        words = [str(getattr(choice, "value", choice)) for choice in choices]
        return Offers(map(Candidate, words or metavar.split("|")), place.lead)
    return Offers()


def _files(_: Position) -> Offers:
    return Offers(files=True)


def _of_store(ask: Callable[[Glance, str], list[Completion]]) -> Source:
    def source(place: Position) -> Offers:
        return Offers(Candidate(*found) for found in _look(place, ask, place.start))

    return source


def _look(
    place: Position, ask: Callable[[Glance, str], list[Completion]], start: str
) -> list[Completion]:
    files, accounts = place.given.get("db"), place.given.get("account")
    session = Session(
        db=files[-1] if files else None, account=int(accounts[-1]) if accounts else None
    )
    return look(session.location, session.given_account, lambda store: ask(store, start))


def _keys(place: Position) -> Offers:
    return Offers(Candidate(*found) for found in _spell(place))


def _one_key(place: Position) -> Offers:
    return Offers(Candidate(*found) for found in _spell(place) if not found.word.endswith(".*"))


def _spell(place: Position) -> Iterator[Completion]:
    """Give the full keys and the globs or, only where none begins like it, other spellings."""
    added = [(channel, row) for channel in _added_channels(place) for row in TYPES]
    keys = [*KEYS, *(f"{channel}.{row.type}" for channel, row in added)]
    globs = dict.fromkeys([*GLOBS, *(f"{channel}.*" for channel, _ in added)])
    full = [
        *(Completion(key, KEYS[key].summary) for key in keys),
        *(Completion(glob, f"all of them: {glob}") for glob in globs),
    ]
    if any(found.word.startswith(place.start.lower()) for found in full):
        yield from full
        return
    for word, names in spellings().items():
        yield Completion(word, KEYS[names[0]].summary)
    for channel, row in added:
        yield Completion(f"{channel}.{row.short}", KEYS[f"{channel}.{row.type}"].summary)


def _added_channels(place: Position) -> Iterable[str]:
    """Give the added channels of the store, and one that is known and was written out."""
    found = [word for word, _ in _look(place, lambda store, _: store.channels(), place.start)]
    written, dot, _ = place.start.lower().partition(".")
    return dict.fromkeys([*found, written] if dot and written in SHIPPED_CHANNELS else found)


def _assignment(place: Position) -> Offers:
    key, equals, _ = place.start.partition("=")
    if not equals:
        return Offers(Candidate(f"{word}=", help_, ends=False) for word, help_ in _spell(place))
    try:
        known = KEYS[full_keys(key)[0]]
    except InvalidPreferenceError:
        return Offers()
    several = key.strip().endswith(".*")
    offered = (
        Candidate(value, "built-in" if value == known.builtin and not several else "")
        for value in known.values
    )
    own = _own_tones(place) if known.name == "audio.tone" else Offers()
    return Offers([*offered, *own.candidates], f"{key}=")


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
    digest = Candidate(NotificationType.DIGEST, "what was withheld for a time")
    return Offers([*short, *(Candidate(row.type, row.fires_when) for row in TYPES), digest])


def _channels(place: Position) -> Offers:
    added = [word for word, _ in _look(place, lambda store, _: store.channels(), place.start)]
    if place.path[:1] == ("channel",):
        return Offers(map(Candidate, [*SHIPPED_CHANNELS, *added]))
    known = (word for word in added if word in SHIPPED_CHANNELS or word in plug_ins())
    return Offers(map(Candidate, [*Channel, *known]))


def _zones(_: Position) -> Offers:
    return Offers(Candidate(name) for name in sorted({*zones().values()}))


def _presets(place: Position) -> Offers:
    saved = _look(place, lambda store, _: store.presets(), place.start)
    return Offers([*(Candidate(name) for name in BUILTIN_PRESETS), *(Candidate(*f) for f in saved)])


def _tones(place: Position) -> Offers:
    return Offers([*map(Candidate, TONES), *_own_tones(place).candidates])


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


_accounts = _of_store(lambda store, _: store.accounts())
_inboxes = _of_store(lambda store, _: store.inboxes())
_teams = _of_store(lambda store, _: store.teams())
_tokens = _of_store(lambda store, _: store.tokens())
_subscriptions = _of_store(lambda store, _: store.subscriptions())
_changes = _of_store(lambda store, _: store.changes())
_users = _of_store(Glance.users)
_own_tones = _of_store(lambda store, _: store.tones())

SOURCES: Mapping[str, Source] = {
    "--account": _accounts,
    "--channel": _channels,
    "CHANNEL": _channels,
    "--inbox": _inboxes,
    "--inbox-members": _inboxes,
    "--team": _teams,
    "inbox ID": _inboxes,
    "team ID": _teams,
    "push ID": _subscriptions,
    "token NAME": _tokens,
    "prefs NAME": _presets,
    "TONE": _tones,
    "audio remove TONE": _own_tones,
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
