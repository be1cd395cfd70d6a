"""The building blocks of commands: shared options, how their values are read, lazy groups."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, MutableMapping
from typing import Annotated, Any

import typer
from msgspec import Struct, structs
from typer.core import TyperCommand, TyperGroup, TyperOption

from notifycli.cli.session import Session, number_in, read_reference
from notifycli.cli.terminal import is_utf_8
from notifycli.errors import UsageError
from notifycli.events.event import LARGEST_ID
from notifycli.rules.directory import ROLES
from notifycli.rules.notifications import SHIPPED_CHANNELS, SHORT_NAMES, Channel, plug_ins
from notifycli.rules.preferences import (
    GLOBS,
    UNTIL,
    InvalidPreferenceError,
    UnknownChannelError,
    full_keys,
    nearest,
    read_value,
)
from notifycli.text import printable

_FILES = {"EVENTS", "FILE", "FILES", "FILE.html", "FOLDER", "PATH"}
"""How the help calls the names of files."""
_WIDEST_HELP = 120
"""Columns: longer lines are hard to read, however wide the terminal is."""
FORMATS = ("table", "json", "jsonl", "csv", "tsv")


AllowLoopback = Annotated[
    bool,
    typer.Option(
        "--allow-loopback",
        help="For tests: also a push service on this machine, even without TLS.",
    ),
]


def session_of(ctx: typer.Context) -> Session:
    """Give the session of this run."""
    return ctx.find_root().ensure_object(Session)


def a_number(
    what: str, see: str = "", *, lowest: int = 1, highest: int = LARGEST_ID
) -> Callable[[str], int]:
    """Make the parser of a number; of anything else it says that it is no `what`.

    `see` is the command that lists those there are.
    """
    span = "on" if highest == LARGEST_ID else f"to {highest}"
    hint = f"; see them: {see}" if see else ""

    def read(text: str) -> int:
        number = number_in(str(text))  # Typer has defaults read too, and they are numbers already
        if number is None or not lowest <= number <= highest:
            raise typer.BadParameter(
                f"{text!r} is no {what}: a number from {lowest} {span} is expected{hint}"
            )
        return number

    return read


def keys_of(text: str, session: Session | None = None) -> tuple[str, ...]:
    """Give the full keys that are meant by one or by a glob. Raises `UsageError`.

    With a session also those of a channel that nothing here adds, as far as they are set.
    """
    try:
        return full_keys(text)
    except InvalidPreferenceError as error:
        see_all = "see all: notifycli prefs list --default"
        if isinstance(error, UnknownChannelError):
            if session is not None and (kept := _keys_that_are_set(session, text, error.keys)):
                return kept
            see_all = "is its package not installed here? see the channels: notifycli channel list"
        raise UsageError(str(error), _did_you_mean(error) or see_all) from None


def _keys_that_are_set(session: Session, text: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Give those of a word's keys that are set; of a whole channel all, beyond Chatwoot or not."""
    with session.store() as store:
        stored = store.preferences(session.resolve_account(store)).set_keys()
    channel, _, rest = text.strip().lower().partition(".")
    if rest == "*":
        return tuple(sorted(key for key in stored if key.startswith(f"{channel}.")))
    return tuple(key for key in keys if key in stored)


def read_assignment(text: str) -> list[tuple[str, str]]:
    """Give the full keys and the value that `KEY=VALUE` means. Raises `UsageError`."""
    key, equals, value = text.partition("=")
    user, colon, of_user = key.rpartition(":")
    if not equals:
        remedy = f"name a user with -u {text}" if "@" in text else f"write it as {text}=VALUE"
        raise UsageError(f"{text!r} has no value", remedy)
    if colon and "@" in user:
        raise UsageError(
            f"{text!r} names a user", f"name a user apart: -u {user} {of_user}={value}"
        )
    try:
        return [(full, read_value(full, value)) for full in keys_of(key)]
    except InvalidPreferenceError as error:
        whole = f"{key}: " if "*" in key else ""
        _, until, end = value.partition(UNTIL)
        apart = f"name its end apart: --conversation ID --until {end}" if until else ""
        raise UsageError(f"{whole}{error}", _did_you_mean(error) or apart) from None


def _did_you_mean(error: InvalidPreferenceError) -> str:
    """Give the hint to the nearest valid word, as a shell takes it; nothing if there is none."""
    near = f"'{error.nearest}'" if error.nearest in GLOBS else error.nearest
    return f"did you mean {near}?" if near else ""


class _Shared(Struct, frozen=True):
    """An option that is kept in the session, wherever on the command line it is given."""

    names: tuple[str, ...]
    type: Any
    help: str
    metavar: str | None = None
    multiple: bool = False

    def option(self) -> TyperOption:
        """Make the option anew: each command has its own."""
        is_flag = self.type is bool
        return TyperOption(
            param_decls=list(self.names),
            type=None if is_flag else self.type,
            is_flag=is_flag or None,
            default=False if is_flag else None,
            multiple=self.multiple,
            metavar=self.metavar,
            help=self.help,
            expose_value=False,
            callback=_keep,
            show_default=False,
        )


def _keep(ctx: typer.Context, param: TyperOption, value: Any) -> None:
    _check_text(ctx, param, value)
    if value and param.name is not None:
        kept = list(value) if isinstance(value, tuple) else value
        setattr(session_of(ctx), param.name, kept)


def _check_text(ctx: typer.Context, param: Any, value: Any) -> None:
    """Refuse what isn't UTF-8 anywhere but in the name of a file, which may have any bytes."""
    for text in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(text, str) and not is_utf_8(text) and _metavar(param) not in _FILES:
            raise typer.BadParameter(f"{printable(text)!r} isn't UTF-8", ctx=ctx, param=param)


def _metavar(param: Any) -> str:
    return (param.metavar or "").removesuffix("...").removeprefix("[").removesuffix("]")


def none_of(text: str, words: tuple[str, ...]) -> typer.BadParameter:
    """Make the error of a value that isn't one of a few; it names the nearest, if one is near."""
    near = nearest(text, words)
    hint = f"; did you mean {near}?" if near else ""
    return typer.BadParameter(f"{text!r} is none of {', '.join(words)}{hint}")


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise none_of(text, words)
        return text

    return read


def _channel(text: str) -> Channel:
    """Read the name of a channel: one of ours, or one that a package here adds."""
    name = text.lower()
    if name in {*Channel, *SHIPPED_CHANNELS} or name in plug_ins():
        return Channel(name)
    raise none_of(text, (*Channel, *SHIPPED_CHANNELS, *plug_ins()))


def notification_type(text: str) -> str:
    """Read the full or the short name of a type; gives the full one."""
    from notifycli.rules.decision import read_type  # noqa: PLC0415 - few commands take it

    try:
        return read_type(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


SHORT_TYPES = ", ".join(SHORT_NAMES.values())
ChannelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--channel", parser=_channel, metavar="|".join(Channel), help="Only this channel."
    ),
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--type", parser=notification_type, metavar="TYPE", help=f"Only this type: {SHORT_TYPES}."
    ),
]
ConversationOption = Annotated[
    list[int] | None,
    typer.Option(
        "--conversation",
        parser=a_number("conversation id"),
        metavar="ID",
        help="Only this conversation.",
    ),
]


InboxNames = Annotated[
    list[str] | None,
    typer.Option("--inbox", metavar="INBOX", help="Only this inbox, by id or name."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first bad line.")]
ProgressBar = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="A progress bar on standard error; on by default on a terminal.",
    ),
]


def check_order(since: int | None, until: int | None) -> None:
    """Raise `UsageError` where no time is both."""
    if since is not None and until is not None and since > until:
        raise UsageError("--since is later than --until", "give the earlier time to --since")


USER = _Shared(
    ("--user", "-u"),
    str,
    "The user, by e-mail or id. [env: NOTIFYCLI_USER]",
    "REF",
    multiple=True,
)
SOME_USERS = structs.replace(
    USER,
    help="A user, by e-mail or id; may be repeated. [env: NOTIFYCLI_USER]",
)
ALL_USERS = _Shared(("--all-users",), bool, "Every user of the account.")
_ADDS = "may be repeated, and adds to those selected otherwise."
ROLE = _Shared(
    ("--role",), _one_of(ROLES), f"All who have this role; {_ADDS}", "|".join(ROLES), multiple=True
)
TEAM = _Shared(
    ("--team",), read_reference, f"The members of this team; {_ADDS}", "TEAM", multiple=True
)
INBOX_MEMBERS = _Shared(
    ("--inbox-members",),
    read_reference,
    f"The members of this inbox; {_ADDS}",
    "INBOX",
    multiple=True,
)
USERS = (
    structs.replace(USER, help=f"A user, by e-mail or id; {_ADDS} [env: NOTIFYCLI_USER]"),
    ALL_USERS,
    ROLE,
    TEAM,
    INBOX_MEMBERS,
)
"""The options that together select users: all whom any of them names."""
_EVERYWHERE = (
    _Shared(
        ("--output", "-o"),
        _one_of(FORMATS),
        "How to print: table (on a terminal), json, jsonl (elsewhere), csv or tsv.",
        "|".join(FORMATS),
    ),
    _Shared(
        ("--account", "-a"),
        a_number("account number"),
        "The account; not needed while there is only one. [env: NOTIFYCLI_ACCOUNT]",
        "N",
    ),
    _Shared(
        ("--db",),
        str,
        "The store: a file, postgresql://HOST/DATABASE, or the https://HOST of a serve. "
        "[env: NOTIFYCLI_DB]",
        "PATH",
    ),
    _Shared(("--quiet", "-q"), bool, "No notes on standard error; errors still."),
    _Shared(("--verbose", "-v"), bool, "Tracebacks of unexpected errors."),
    _Shared(
        ("--csv-safe",),
        bool,
        "With csv and tsv: put ' before what a spreadsheet would take for a formula.",
    ),
    _Shared(("--no-color",), bool, "No colours. [env: NO_COLOR]"),
)

COMMON = "Options of every command"
"""How the help calls these; the reference has them once."""
_LEADING = {name for option in (USER, *_EVERYWHERE) for name in option.names}
_VALUED = {n for option in (USER, *_EVERYWHERE) if option.type is not bool for n in option.names}


def command_class(*shared: _Shared) -> type[TyperCommand]:
    """Make a kind of command that takes these shared options besides those that all take."""

    class Command(TyperCommand):
        def __init__(self, *args: Any, params: list[Any], **kwargs: Any) -> None:
            own = {name for param in params for name in param.opts}
            added, self._everywhere = (
                [option.option() for option in options if own.isdisjoint(option.names)]
                for options in (shared, _EVERYWHERE)
            )
            super().__init__(*args, params=[*params, *added, *self._everywhere], **kwargs)

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            try:
                rest = super().parse_args(ctx, args)
            except Exception as error:
                # Of an option without its argument Typer doesn't say of which command it is.
                if getattr(error, "ctx", ctx) is None:
                    vars(error)["ctx"] = ctx
                raise
            for param in self.params:
                _check_text(ctx, param, ctx.params.get(param.name))
            return rest

        def format_options(self, ctx: Any, formatter: Any) -> None:
            _write_options(self, ctx, formatter, [*self._everywhere, self.get_help_option(ctx)])

        def invoke(self, ctx: Any) -> Any:
            session_of(ctx).command = ctx.command_path.split(" ", 1)[-1]
            return super().invoke(ctx)

    return Command


def _write_options(command: TyperCommand, ctx: Any, formatter: Any, everywhere: list[Any]) -> None:
    """Write a command's arguments and options into its help, those of every command apart."""
    arguments, own, common = "Arguments", "Options", COMMON
    sections: dict[str, list[tuple[str, str]]] = {arguments: [], own: [], common: []}
    for param in command.get_params(ctx):
        if record := param.get_help_record(ctx):
            title = common if param in everywhere else own
            is_argument = param.param_type_name == "argument"
            sections[arguments if is_argument else title].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class _NounGroup(TyperGroup):
    """A group that takes the shared options too, before its verb; their help is the verbs'."""

    def __init__(self, *args: Any, params: list[Any], **kwargs: Any) -> None:
        added = [option.option() for option in (USER, *_EVERYWHERE)]
        for option in added:
            option.hidden = True
        super().__init__(*args, params=[*params, *added], **kwargs)


def examples(text: str) -> str:
    """Lay out a command's examples for the end of its help."""
    lines = "\n".join(f"  {line}" for line in text.strip().splitlines())
    return f"\b\nExamples:\n{lines}"


def group(summary: str) -> typer.Typer:
    """Make the group of commands of one noun."""
    group = typer.Typer(help=summary, rich_markup_mode=None, add_completion=False, cls=_NounGroup)
    group.callback(invoke_without_command=True)(help_if_alone)
    return group


def help_if_alone(ctx: typer.Context) -> None:
    """Show where to start, to somebody who typed no more than a name."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def part() -> typer.Typer:
    """Make a part of `group_of_parts`: it holds several of its verbs."""
    return typer.Typer(rich_markup_mode=None, add_completion=False)


def group_of_parts(summary: str, parts: dict[str, str], default: str | None = None) -> typer.Typer:
    """Make the group of commands of a noun that has many: each verb is in the module named.

    A module's `app` holds several verbs, or is itself a group of that name. `default` is the verb
    that is meant where the noun is followed by none.
    """

    class GroupOfParts(_NounGroup):
        default_verb = default

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            meant = [] if default is None or _first_word(args) in parts else [default]
            return super().parse_args(ctx, [*meant, *args])

        def __init__(self, *args: Any, params: list[Any], **kwargs: Any) -> None:
            super().__init__(*args, params=params, **kwargs)
            # Their summaries are their own: the help of the noun is the one thing that loads all.
            self.commands = LazyCommands({verb: Noun(at, "") for verb, at in parts.items()}, {})

    group = typer.Typer(help=summary, rich_markup_mode=None, add_completion=False, cls=GroupOfParts)
    group.callback(invoke_without_command=True)(help_if_alone)
    return group


def _first_word(args: list[str]) -> str:
    """Give the word after the shared options that a noun takes before its verb."""
    words = iter(args)
    for word in words:
        if not word.startswith("-") or word == "-":
            return word
        option, given, _ = word.partition("=")
        if option in _VALUED and not given:
            next(words, "")
        elif option not in _LEADING and word[:2] not in _VALUED:
            return ""
    return ""


class Noun(Struct, frozen=True):
    """Where a noun's commands are, and what the help says of it without loading them."""

    module: str
    summary: str
    help: str = ""
    verbs: tuple[str, ...] = ()
    """Its verbs, in the order of their help, where even they are known without loading them."""
    default: str | None = None
    """The one of these that is meant where none is named."""
    app: str = "app"
    """What the module calls them: where it has several nouns' commands, no others are made."""


class LazyCommands(MutableMapping[str, Any]):
    """Commands that are imported when they are asked for."""

    def __init__(self, nouns: dict[str, Noun], aliases: dict[str, str]) -> None:
        self._nouns = nouns
        self._aliases = aliases
        self._loaded: dict[str, Any] = {}
        self._made: dict[tuple[str, str], Any] = {}
        """What Typer makes of a module's app, which may hold several of them."""

    def __getitem__(self, name: str) -> Any:
        name = self._aliases.get(name, name)
        if name not in self._loaded:
            command = self._load(name, self._nouns[name])
            command.name = name
            self._loaded[name] = command
        return self._loaded[name]

    def _load(self, name: str, noun: Noun) -> Any:
        if noun.verbs:
            parts = dict.fromkeys(noun.verbs, noun.module)
            return typer.main.get_command(group_of_parts(noun.help, parts, noun.default))
        place = noun.module, noun.app
        if place not in self._made:
            module = importlib.import_module(noun.module)
            self._made[place] = typer.main.get_command(getattr(module, noun.app))
        command = self._made[place]
        return getattr(command, "commands", {}).get(name, command)

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nouns)

    def __len__(self) -> int:
        return len(self._nouns)

    def summaries(self) -> list[tuple[str, str]]:
        """Give the names, and what the help says of each, without loading them."""
        return [(name, group.summary) for name, group in self._nouns.items()]


def lazy_group(sections: dict[str, dict[str, Noun]], aliases: dict[str, str]) -> type[TyperGroup]:
    """Make a kind of group whose commands are loaded only when they are run."""
    nouns = {name: noun for section in sections.values() for name, noun in section.items()}

    class LazyGroup(TyperGroup):
        def __init__(self, *args: Any, params: list[Any], **kwargs: Any) -> None:
            added = [option.option() for option in (SOME_USERS, *_EVERYWHERE)]
            kwargs["context_settings"] = {
                "help_option_names": ["-h", "--help"],
                "max_content_width": _WIDEST_HELP,
            }
            super().__init__(*args, params=[*params, *added], **kwargs)
            self.commands = LazyCommands(nouns, aliases)

        def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's own signature
            widest = max(map(len, nouns))
            for title, section in sections.items():
                with formatter.section(title):
                    formatter.write_dl(
                        [(name.ljust(widest), noun.summary) for name, noun in section.items()]
                    )

    return LazyGroup
