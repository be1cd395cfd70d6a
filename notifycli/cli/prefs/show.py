"""`notifycli prefs list|get|explain`: what users have, all layers together, and what it means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from msgspec import Struct

from notifycli.cli.command import (
    USER,
    USERS,
    a_number,
    command_class,
    examples,
    keys_of,
    part,
    session_of,
)
from notifycli.cli.output import console, print_rich, show, table, text, write
from notifycli.cli.session import Reference, Session, find_inbox, quoted, read_reference
from notifycli.cli.terminal import pager
from notifycli.cli.times import now
from notifycli.errors import UsageError
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import SWITCHED_CHANNELS, TYPES, TypeRow
from notifycli.rules.preferences import BEYOND, KEYS, Key, Layer, short_key
from notifycli.store.store import Store

app = part()
_HEADS = ["Key", "Value", "Origin", "Locked"]
_ASIDE = frozenset({"audio.tone", "audio.when", "audio.repeat", "inactive_after", "quiet_hours"})
"""What the overview of many users leaves out: it is of no type."""
_BROKEN = {
    "created": "crea-\nted",
    "assigned": "assi-\ngned",
    "mention": "men-\ntion",
    "message": "mes-\nsage",
    "participating": "parti-\ncipa-\nting",
    "unassigned": "unas-\nsigned",
    "sla_first": "sla_\nfirst",
    "sla_next": "sla_\nnext",
    "sla_resolution": "sla_\nresolu-\ntion",
}
"""Heads that would be wide over `EP`."""

SOUND_KEYS = frozenset({"audio", "audio.tone"})
"""Of which there are values that some versions of Chatwoot make nothing of."""


def inbox_option(more: str = "") -> Any:
    """Make the option that names inboxes, to whose help there may be `more`."""
    help_ = f"Only for events of this inbox, by id or name{more}."
    return typer.Option("--inbox", parser=read_reference, metavar="INBOX", help=help_)


# Typer takes no union, though its parser gives ids and names.
InboxId = Annotated[list[Any] | None, inbox_option()]
ConversationId = Annotated[
    int | None,
    typer.Option(
        "--conversation",
        parser=a_number("conversation"),
        metavar="ID",
        help="Only for events of this conversation.",
    ),
]
Default = Annotated[bool, typer.Option("--default", help="The account's default for everybody.")]
Origin = Annotated[bool, typer.Option("--show-origin", help="Say which layer it comes from.")]


class PreferenceRecord(Struct):
    """An effective preference, as printed."""

    key: str
    value: str
    origin: Layer
    locked: bool


class UserPreferenceRecord(Struct):
    """An effective preference of one of several users, as printed."""

    user_id: int
    email: str | None
    key: str
    value: str
    origin: Layer
    locked: bool


Keys = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY]...", help="Only these keys or globs.")
]
Own = Annotated[
    bool,
    typer.Option(
        "--own",
        help="Only what they have set, even where a lock holds instead; with --default, what the "
        "account has.",
    ),
]


@app.command(
    "list",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs list -u jane@example.com
notifycli prefs list -u 7 'email.*' --inbox 3
notifycli prefs list --default -o json
notifycli prefs list email.message --team 2 --role administrator
"""
    ),
)
def prefs_list(
    ctx: typer.Context,
    keys: Keys = None,
    *,
    inbox: InboxId = None,
    conversation: ConversationId = None,
    default: Default = False,
    own: Own = False,
    show_origin: Origin = False,
) -> None:
    """List effective preferences and the layers they come from.

    Of several users, a terminal shows a line each: E is by e-mail, P by push. With KEY or
    --show-origin, and elsewhere, each preference has a line that says whose it is.
    """
    session = session_of(ctx)
    here = Situation(one_inbox(inbox), conversation)
    chosen = [key for given in keys or () for key in keys_of(given, session)]
    if session.selects_many and not default:
        as_matrix = session.shows_table and not (keys or show_origin or own)
        _show_many(session, chosen, here, own=own, as_matrix=as_matrix)
    else:
        records = _effective(session, chosen, here, default=default, own=own)
        records = [one for one in records if chosen or _is_listed(one)]
        show(session, records, PreferenceRecord, heads=_HEADS, cells=_cells)
    if not default and SOUND_KEYS.intersection(chosen or SOUND_KEYS):
        _tell_unheard(session)


def _show_many(
    session: Session,
    keys: Sequence[str],
    here: Situation,
    *,
    own: bool,
    as_matrix: bool,
) -> None:
    """Print what several users have, with a line for each user or for each of their values."""
    if as_matrix:
        shown = [key for key in KEYS if key not in _ASIDE and key not in BEYOND]
        _show_matrix(session, [*_of_many(session, shown, here, own=False)])
        return
    show(
        session,
        (one for one in _of_many(session, keys, here, own=own) if keys or _is_listed(one)),
        UserPreferenceRecord,
        heads=["User", *_HEADS],
        cells=lambda item: [text(item.email or item.user_id), *_cells(item)],
    )


def _is_listed(record: PreferenceRecord | UserPreferenceRecord) -> bool:
    """Whether it is one that Chatwoot has too, or that somebody has set."""
    return record.origin is not Layer.BUILTIN or not KEYS[record.key].beyond


def _tell_unheard(session: Session) -> None:
    with session.store() as store:
        account = session.resolve_account(store)
        many = session.selects_many
        users = session.resolve_users(store, account) if many else []
        listed = users or [session.resolve_user(store, account)]
        tell_unheard(session, store, account, {user.id for user in listed})


def _cells(item: PreferenceRecord | UserPreferenceRecord) -> list[str]:
    return [short_key(item.key), text(item.value), item.origin, text(item.locked)]


@app.command(
    "get",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli prefs get audio -u jane@example.com
notifycli prefs get email.mention -u 7 --inbox 3 --show-origin
notifycli prefs get quiet_hours --default
notifycli prefs get audio audio.tone -u jane -o json
"""
    ),
)
def prefs_get(
    ctx: typer.Context,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Preferences.")],
    *,
    inbox: InboxId = None,
    conversation: ConversationId = None,
    default: Default = False,
    show_origin: Origin = False,
) -> None:
    """Print effective values alone, a line each, in the order asked for."""
    session = session_of(ctx)
    here = Situation(one_inbox(inbox), conversation)
    chosen: list[str] = []
    for key in keys:
        full = keys_of(key, session)
        if len(full) > 1 and session.output is None:
            options = f"{session.user_options}{here.options}{' --default' * default}"
            hint = f"notifycli prefs list{options} {quoted(key)}"
            raise UsageError(f"{key} stands for {len(full)} preferences", hint)
        chosen += full
    records = _effective(session, chosen, here, default=default)
    if session.output is not None:
        show(session, records, PreferenceRecord, heads=_HEADS, cells=_cells)
        return
    write(
        f"{record.origin}\t{record.value}\n".encode()
        if show_origin
        else f"{record.value}\n".encode()
        for record in records
    )


class Situation(NamedTuple):
    """Where values are asked for: in an inbox, in a conversation, or anywhere."""

    inbox: Reference | None
    conversation: int | None

    @property
    def options(self) -> str:
        """How a suggested command names it."""
        inbox = "" if self.inbox is None else f" --inbox {quoted(str(self.inbox))}"
        return inbox + ("" if self.conversation is None else f" --conversation {self.conversation}")

    def id_of_inbox(self, store: Store, account: int) -> int | None:
        """Return the inbox's id. Raises `UsageError` if the account has none such."""
        return None if self.inbox is None else find_inbox(store, account, self.inbox)


def _effective(
    session: Session, keys: Collection[str], place: Situation, *, default: bool, own: bool = False
) -> list[PreferenceRecord]:
    with session.store() as store:
        account = session.resolve_account(store)
        inbox = place.id_of_inbox(store, account)
        user = None if default else session.resolve_user(store, account).id
        preferences = store.preferences_of(account, user)
    where = user, inbox, place.conversation
    return [PreferenceRecord(*row) for row in _resolve(preferences, keys, where, own=own)]


def _of_many(
    session: Session, keys: Sequence[str], place: Situation, *, own: bool
) -> Iterator[UserPreferenceRecord]:
    with session.store() as store:
        account = session.resolve_account(store)
        inbox = place.id_of_inbox(store, account)
        users = session.resolve_users(store, account)
        preferences = store.preferences(account)
    return (
        UserPreferenceRecord(user.id, user.email, *row)
        for user in users
        for row in _resolve(preferences, keys, (user.id, inbox, place.conversation), own=own)
    )


def _show_matrix(session: Session, records: Sequence[UserPreferenceRecord]) -> None:
    """Print a line a user and a column a type, and beneath what there is no room for."""
    lines: dict[str, dict[str, str]] = {}
    for record in records:
        _fill(lines.setdefault(text(record.email or record.user_id), {}), record)
    screen = console(session)
    heads = [*next(iter(lines.values()))]
    notes = []
    if _width(lines, heads) > screen.width:
        common = [head for head in heads if len({line[head] for line in lines.values()}) == 1]
        heads = [head for head in heads if head not in common]
        same = ", ".join(f"{head} {next(iter(lines.values()))[head] or '-'}" for head in common)
        notes = [f"The same for all: {same}"] * bool(common)
    if _width(lines, heads) > screen.width and "audio" in heads:
        heads.remove("audio")
        notes.append("Sounds: notifycli prefs list --all-users audio")
    rows = ([user, *(line[head] or "-" for head in heads)] for user, line in lines.items())
    shown = ["User", *(_BROKEN.get(head, head) for head in heads)]
    with pager():
        print_rich(screen, table(shown, rows, screen.width, screen.encoding) or "")
        for note in notes:
            print_rich(screen, note)


def _width(lines: Mapping[str, Mapping[str, str]], heads: Sequence[str]) -> int:
    """Return how wide a matrix is that breaks no word."""
    cells = [
        [*_BROKEN.get(head, head).split("\n"), *(c[head] for c in lines.values())] for head in heads
    ]
    return sum(2 + max(map(len, column)) for column in ([*lines], *cells))


def _fill(line: dict[str, str], record: UserPreferenceRecord) -> None:
    """Put a preference into its column: the channels of a type share one."""
    channel = record.key.partition(".")[0]
    if channel in SWITCHED_CHANNELS:
        head = short_key(record.key).partition(".")[2]
        line[head] = line.get(head, "") + channel[0].upper() * (record.value == "on")
    else:
        line[record.key] = text(record.value)


def _resolve(
    preferences: Preferences,
    keys: Collection[str],
    where: tuple[int | None, int | None, int | None],
    *,
    own: bool,
) -> Iterator[tuple[str, str, Layer, bool]]:
    """Give what holds; with `own` only of keys that are set, though a lock may hold instead."""
    at = now()
    user, inbox, conversation = where
    if user is None:
        theirs = {*preferences.lock, *preferences.default}
    else:
        here = preferences.in_conversation(user, conversation, at)
        theirs = preferences.own_keys(user, inbox).union(here)
    for key in keys or preferences.every_key():
        if own and key not in theirs:
            continue
        value, origin = preferences.resolve(key, *where, at)
        yield key, value, origin, origin is Layer.LOCK


_PROFILE = "Profile settings"
_NONE = "none: it is this program's own, and has no effect with the rules of Chatwoot"


class _Other(NamedTuple):
    """What is told of a key that is no channel's type."""

    concerns: str
    chatwoot: str
    example: str


_HEARERS = "everybody who can see the conversation"
_OTHERS = {
    "audio": _Other(
        _HEARERS,
        f"{_PROFILE}, Audio alerts: enable_audio_alerts (assigned is mine, others is notme)",
        "audio=assigned",
    ),
    "audio.tone": _Other(
        _HEARERS,
        f"{_PROFILE}, Audio alerts: notification_tone (from 3.16 on ding is not heard)",
        "audio.tone=chime",
    ),
    "audio.when": _Other(
        _HEARERS, f"{_PROFILE}, Audio alerts: always_play_audio_alert", "audio.when=always"
    ),
    "audio.repeat": _Other(
        "the assignee",
        f"{_PROFILE}, Audio alerts: alert_if_unread_assigned_conversation_exist",
        "audio.repeat=on",
    ),
    "audio.events": _Other(
        "as the types do by e-mail: members of the inbox, the assignee",
        _NONE,
        "audio.events=message+assigned",
    ),
    "audio.volume": _Other("whoever hears anything", _NONE, "audio.volume=50"),
    "inactive_after": _Other(
        "whoever is told of new messages by e-mail or push",
        "none: its server has PRESENCE_DURATION, 20 s, for all",
        "inactive_after=5m",
    ),
    "quiet_hours": _Other(
        "whoever sets them", _NONE, "'quiet_hours=22:00-07:00 Europe/Berlin mon-fri'"
    ),
    "participants_after_resolve": _Other(
        "who takes part: was assigned, mentioned or added",
        _NONE,
        "participants_after_resolve=leave",
    ),
    "when_unavailable": _Other("whoever sets it", _NONE, "when_unavailable=withhold"),
    "waiting_after": _Other("whoever is told of customers who wait", _NONE, "waiting_after=10m"),
    "escalate_after": _Other("whoever is told of escalations", _NONE, "escalate_after=2h"),
    "business_hours": _Other(
        "whoever is told of customers who wait, and of escalations",
        _NONE,
        "'business_hours=09:00-17:00 Europe/Berlin mon-fri'",
    ),
    "quiet_hours_then": _Other("whoever has quiet hours", _NONE, "quiet_hours_then=hold"),
    "mute": _Other("whoever sets it; for one conversation: prefs mute ID", _NONE, "mute=on"),
}


class ExplanationRecord(Struct):
    """What there is to know of a preference, as printed."""

    key: str
    short: str
    """The name that a hand types."""
    summary: str
    values: list[str]
    """All of them where they are few, otherwise examples."""
    builtin: str
    concerns: str
    """Whom it is about."""
    chatwoot: str
    """What it is there."""
    example: str


@app.command(
    "explain",
    cls=command_class(),
    epilog=examples(
        "notifycli prefs explain email.created\nnotifycli prefs explain 'audio*'\n"
        "notifycli prefs explain -o json"
    ),
)
def prefs_explain(ctx: typer.Context, keys: Keys = None) -> None:
    """Tell what preferences do, for whom, and what they are in Chatwoot.

    Their values, what comes with the program, and an example each. Without KEY: all of them.
    """
    session = session_of(ctx)
    chosen = [key for given in keys or () for key in keys_of(given, session)] or [
        key for key in KEYS if key not in BEYOND
    ]
    explained = [explain(key) for key in dict.fromkeys(chosen)]
    if session.shows_table:
        with pager():
            _tell(session, explained)
    else:
        show(session, explained, ExplanationRecord)


def explain(key: str) -> ExplanationRecord:
    """Return what there is to know of a preference, by its full name."""
    known = KEYS[key]
    channel, _, type_ = key.partition(".")
    row = next((row for row in TYPES if row.type == type_), None)
    concerns, chatwoot, example = _of_type(channel, row, known) if row else _OTHERS[key]
    return ExplanationRecord(
        key,
        short_key(key),
        known.summary,
        list(known.values),
        known.builtin,
        concerns,
        chatwoot,
        f"notifycli prefs set {example} -u jane@example.com",
    )


def _of_type(channel: str, row: TypeRow, key: Key) -> _Other:
    box = f'{_PROFILE}: "Send {channel} notifications when {row.box}" ({channel}_{row.type})'
    value = "off" if key.builtin == "on" else "on"
    return _Other(row.concerns, box if row.box else _NONE, f"{channel}.{row.short}={value}")


def _tell(session: Session, explained: list[ExplanationRecord]) -> None:
    from rich.table import Table  # noqa: PLC0415 - a pipe can spare rich
    from rich.text import Text  # noqa: PLC0415 - the same

    screen = console(session)
    for one in explained:
        short = f" ({one.short})" if one.short != one.key else ""
        rows = Table.grid(padding=(0, 2, 0, 0))
        for label, told in _rows(one):
            rows.add_row(Text(f"  {label}", style="dim"), told)
        print_rich(screen, Text(f"{one.key}{short}", style="bold"), rows, "")


def _rows(one: ExplanationRecord) -> Iterator[tuple[str, str]]:
    yield "Is", one.summary
    yield "Values", ", ".join(one.values)
    yield "Built in", one.builtin
    yield "Concerns", one.concerns
    yield "Chatwoot", one.chatwoot
    yield "Example", one.example


def one_inbox(given: list[Reference] | None) -> Reference | None:
    """Give the inbox that is named, if one is. Raises `UsageError` for several."""
    if given and len(given) > 1:
        named = " ".join(f"--inbox {inbox}" for inbox in given)
        raise UsageError(f"this command takes one inbox, not {named}", "name just one: --inbox ID")
    return given[0] if given else None


def tell_unheard(
    session: Session, store: Store, account: int, users: Collection[int | None]
) -> None:
    """Say which sounds of these users the account's Chatwoot makes nothing of, if it has one.

    `None` among the users is everybody.
    """
    if store.connection(account) is None:
        return
    from notifycli.cli.profiles import server_profile, unheard_in_words  # noqa: PLC0415 - few are connected

    everybody = (user.id for user in store.users(account))
    named = everybody if None in users else (user for user in users if user is not None)
    profile = server_profile(store, account)
    for what, remedy in unheard_in_words(profile, store.preferences(account), named):
        session.info(f"{what}; {remedy}")
