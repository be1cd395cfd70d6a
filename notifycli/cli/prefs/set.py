"""`notifycli prefs set|unset|preset|history|undo`: changes of preferences, and taking them back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar

import typer
from msgspec import Struct

from notifycli.cli.command import (
    SOME_USERS,
    USER,
    USERS,
    a_number,
    command_class,
    examples,
    group,
    keys_of,
    part,
    read_assignment,
    session_of,
)
from notifycli.cli.output import show, text
from notifycli.cli.prefs.show import SOUND_KEYS, ConversationId, Default, inbox_option, tell_unheard
from notifycli.cli.session import (
    Reference,
    Session,
    display_name,
    display_names,
    find_inbox,
    find_user,
    plural,
)
from notifycli.cli.times import expiry, now, read_time, to_the_minute
from notifycli.errors import UsageError
from notifycli.events.timestamps import format_moment, to_datetime
from notifycli.rules.preferences import UNTIL, Layer, short_key
from notifycli.rules.quiet_hours import QuietHours, describe_zone
from notifycli.store.history import ChangedInConversation, ChangedValue
from notifycli.store.presets_and_tones import Preset
from notifycli.store.staged_values import Difference, DifferenceInConversation, Staging
from notifycli.store.store import Store
from notifycli.store.transaction import Entry, Target

if TYPE_CHECKING:
    from rich.text import Text

app = part()
preset = group("Named sets of preferences, to be given to many users.")
app.add_typer(preset, name="preset")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The preset.")]
InboxIds = Annotated[list[Any] | None, inbox_option("; may be repeated")]
Lock = Annotated[
    bool, typer.Option("--lock", help="The account's lock: no user can set anything else.")
]
_UNTIL_HELP = "3d (from now), 2027-01-31, 2027-01-31T10:00Z."
Until = Annotated[
    str | None,
    typer.Option(metavar="TIME", help=f"Up to a time, with --conversation: {_UNTIL_HELP}"),
]
MutedUntil = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help=f"Up to a time: {_UNTIL_HELP}")
]
_SPACED = "quiet_hours="
"""The one preference whose value has spaces."""
T = TypeVar("T")
_HEADS = ("Id", "At (UTC)", "By", "What")
_DIFFERENCE_HEADS = ("Whose", "Layer", "Key", "Old", "New")


@app.command(
    "set",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs set email.mention=on push.message=on -u jane@example.com
notifycli prefs set audio=assigned+unassigned --inbox 3 -u 7
notifycli prefs set 'quiet_hours=22:00-07:00 Europe/Berlin mon-fri' --all-users
notifycli prefs set push.message=on --team 2 --inbox-members 3 -u 7
notifycli prefs set 'email.*=off' --lock
notifycli prefs set push.created=on --default
notifycli prefs set email.message=on --conversation 42 --until 3d -u jane@example.com
"""
    ),
)
def prefs_set(
    ctx: typer.Context,
    assignments: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...", help="Preferences and their values; later ones win."
        ),
    ],
    *,
    inboxes: InboxIds = None,
    conversation: ConversationId = None,
    until: Until = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Set preferences of users or of the whole account.

    Quiet hours are in UTC unless they name a zone; from 22:00 to 22:00 is the whole day.
    """
    session = session_of(ctx)
    values = read_assignments(assignments)
    given = values_until(values, conversation, until)
    change(session, given, Where(inboxes or (), conversation, default, lock))
    hours = dict(values).get("quiet_hours", "off")
    if hours != "off":
        _tell_zone(session, hours)


def _tell_zone(session: Session, hours: str) -> None:
    """Say which zone quiet hours are in, where that is easily taken for another."""
    zone = QuietHours.parse(hours).zone
    if told := describe_zone(zone):
        session.info(told)
    if zone not in hours:
        session.info(
            f"without a zone they are in UTC; name yours: 'quiet_hours={hours} Europe/Berlin'"
        )


@app.command(
    "unset",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs unset audio -u jane@example.com
notifycli prefs unset 'email.*' --lock
notifycli prefs unset quiet_hours --role agent
"""
    ),
)
def prefs_unset(
    ctx: typer.Context,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Preferences or globs.")],
    *,
    inboxes: InboxIds = None,
    conversation: ConversationId = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Take away what is set, so that the layers below show."""
    session = session_of(ctx)
    values = [(key, None) for given in keys for key in keys_of(given, session)]
    change(session, values, Where(inboxes or (), conversation, default, lock))


Conversation = Annotated[
    int, typer.Argument(parser=a_number("conversation"), metavar="ID", help="The conversation.")
]


@app.command(
    "mute",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs mute 42 -u jane@example.com
notifycli prefs mute 42 --until 3d
"""
    ),
)
def prefs_mute(ctx: typer.Context, conversation: Conversation, *, until: MutedUntil = None) -> None:
    """Tell users nothing more of one conversation, on no channel.

    Neither e-mail, push nor sound, not even of a mention.
    """
    values = values_until([("mute", "on")], conversation, until)
    change(session_of(ctx), values, Where(conversation=conversation))


@app.command(
    "unmute",
    cls=command_class(*USERS),
    epilog=examples("notifycli prefs unmute 42 -u jane@example.com"),
)
def prefs_unmute(ctx: typer.Context, conversation: Conversation) -> None:
    """Take back `prefs mute`: the conversation notifies as all others do."""
    where = Where(conversation=conversation)
    change(session_of(ctx), [("mute", None)], where, unchanged="nothing is muted")


class Where(NamedTuple):
    """The layer that options name; a user's own, if they name none."""

    inboxes: Sequence[Reference] = ()
    conversation: int | None = None
    default: bool = False
    lock: bool = False


def change(
    session: Session,
    values: Sequence[tuple[str, str | None]],
    where: Where,
    *,
    unchanged: str = "",
) -> None:
    """Set or take away these values, wherever the options say.

    `unchanged` is what is said where none of them differs.
    """
    with session.store(create=True) as store:
        with store.changes(session.command, session.who) as changes:
            account = session.resolve_account(store, may_be_new=not store.accounts())
            targets, whose = targets_of(session, store, account, where)
            changed = changes(account).set(
                Entry(target, key, value) for target in targets for key, value in values
            )
        told = (
            unchanged if unchanged and not changed else plural(changed, "preference") + " changed"
        )
        session.info(f"{told} for {whose} account {account}")
        if any(value is not None and key in SOUND_KEYS for key, value in values):
            tell_unheard(session, store, account, {target.user for target in targets})
        if where.default:
            tell_overridden(session, store, account, values)
        if changed:
            tell_unpushed(session, store, account, {target.user for target in targets})


def targets_of(
    session: Session,
    store: Store,
    account: int,
    where: Where,
) -> tuple[list[Target], str]:
    """Give the places that the options name, and what a message calls them, up to `account N`."""
    in_conversation = where.conversation is not None
    if where.default + where.lock + bool(where.inboxes) + in_conversation > 1:
        options = (
            "--default, --lock, --inbox and --conversation name four"
            if in_conversation
            else "--default, --lock and --inbox name three"
        )
        raise UsageError(f"{options} layers", "give one of them")
    if where.default or where.lock:
        if session.user or session.selects_many:
            option = "--lock" if where.lock else "--default"
            raise UsageError(f"{option} is of the whole account", "leave out who is selected")
        whose = "the lock of" if where.lock else "the default of"
        return [Target(Layer.LOCK if where.lock else Layer.DEFAULT)], whose
    ids = [*dict.fromkeys(find_inbox(store, account, inbox) for inbox in where.inboxes)]
    users = session.resolve_users(store, account)
    named = display_names(users)
    if in_conversation:
        of = Layer.CONVERSATION
        targets = [Target(of, user.id, None, where.conversation) for user in users]
        return targets, f"{named} in conversation {where.conversation} of"
    if not ids:
        return [Target(Layer.USER, user.id) for user in users], f"{named} in"
    kind = "inbox" if len(ids) == 1 else "inboxes"
    place = f"{kind} {' and '.join(map(str, ids))} of"
    targets = [Target(Layer.INBOX, user.id, inbox) for user in users for inbox in ids]
    return targets, f"{named} in {place}"


def read_assignments(words: Sequence[str]) -> list[tuple[str, str]]:
    """Give the full keys and the values that several `KEY=VALUE` mean. Raises `UsageError`."""
    for place, word in enumerate(words):
        loose = list(takewhile(lambda after: not {"=", "@"} & {*after}, words[place + 1 :]))
        if loose and word.lower().startswith(_SPACED) and ":" in word:
            raise UsageError(
                f"{' '.join(loose)!r} stands apart from {word}",
                f"quote a value that has spaces: '{' '.join((word, *loose))}'",
            )
    return [pair for word in words for pair in read_assignment(word)]


def values_until(
    values: Sequence[tuple[str, str]], conversation: int | None, until: str | None
) -> list[tuple[str, str]]:
    """Give values with the moment up to which they hold. Raises `UsageError`."""
    if until is None:
        return [*values]
    if conversation is None:
        raise UsageError("--until is for one conversation", "name it: --conversation ID")
    end = f"{UNTIL}{format_moment(expiry(until, now(), '--until'))}"
    return [(key, f"{value}{end}") for key, value in values]


def tell_overridden(
    session: Session, store: Store, account: int, values: Iterable[tuple[str, str | None]]
) -> None:
    """Say how many users have something else of their own, which goes before a default.

    After a pull from Chatwoot that is everybody: it can't tell what was chosen there.
    """
    given = {key: value for key, value in values if value is not None}
    own = store.preferences(account).user.values()
    count = sum(any(given.get(key, value) != value for key, value in of.items()) for of in own)
    if count:
        session.info(
            f"own values of {plural(count, 'user')} go before this default; to reach them, type "
            "--all-users or --lock in the place of --default"
        )


def tell_unpushed(
    session: Session, store: Store, account: int, users: Collection[int | None]
) -> None:
    """Say what of these users' preferences the account's Chatwoot hasn't got yet, if it has one.

    That is by what was last seen there; `None` among the users is everybody.
    """
    connection = store.connection(account)
    if connection is None:
        return
    from notifycli.chatwoot.preference_mapping import read_seen, values  # noqa: PLC0415 - few are connected

    preferences, behind = store.preferences(account), {}
    for user, sighting in store.chatwoot.sightings(account).items():
        seen = read_seen(sighting) if None in users or user in users else None
        there = {} if seen is None else values(seen).of
        keys = [key for key, value in there.items() if preferences.resolve(key, user)[0] != value]
        if keys:
            behind[user] = keys
    if not behind:
        return
    what, whom = f"preferences of {plural(len(behind), 'user')}", ""
    if len(behind) == 1:
        import shlex  # noqa: PLC0415 - this case alone needs it

        [(id_, keys)] = behind.items()
        known = store.user(account, id_)
        name = str(id_) if known is None else display_name(known)
        what, whom = f"{', '.join(map(short_key, keys))} of {name}", f" -u {shlex.quote(name)}"
    session.info(f"not yet at {connection.url}: {what}; write there: notifycli chatwoot push{whom}")


class PresetValue(Struct):
    """A value of a preset, as printed."""

    key: str
    value: str


@preset.command(
    "save",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli prefs preset save night 'quiet_hours=20:00-08:00 Europe/Berlin' 'push.*=off'
notifycli prefs preset save like-jane -u jane@example.com
"""
    ),
)
def preset_save(
    ctx: typer.Context,
    name: Name,
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Its values; if none, the user's own ones."),
    ] = None,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Even if there is one of this name.")
    ] = False,
) -> None:
    """Save a preset.

    It has the values named or, if none are, what a user has set for themselves.
    """
    session = session_of(ctx)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't be a name", "letters, digits and . _ - make one")
    values = dict(read_assignments(assignments or ()))
    with session.store(create=True) as store:
        if not values:
            account = session.resolve_account(store)
            user = session.resolve_user(store, account)
            values = dict(store.preferences_of(account, user.id).user.get(user.id, {}))
            if not values:
                raise UsageError(
                    f"{display_name(user)} has set nothing that could be saved",
                    f"name the values: notifycli prefs preset save {name} KEY=VALUE...",
                )
        store.presets.save(name, values, replace=replace)
    session.info(f"preset {name} has {plural(len(values), 'preference')}")


@preset.command(
    "apply",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs preset apply quiet -u jane@example.com
notifycli prefs preset apply everything --team 2
notifycli prefs preset apply chatwoot-default --default
"""
    ),
)
def preset_apply(
    ctx: typer.Context,
    name: Name,
    *,
    inboxes: InboxIds = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Set what a preset has; what it doesn't have stays as it is."""
    session = session_of(ctx)
    session.command = f"{session.command} {name}"
    with session.store(create=True) as store:
        values = store.presets.values(name)
    change(session, [*values.items()], Where(inboxes or (), None, default, lock))


@preset.command("list", cls=command_class(), epilog=examples("notifycli prefs preset list"))
def preset_list(ctx: typer.Context) -> None:
    """List the built-in presets, then your own."""
    session = session_of(ctx)
    with session.store() as store:
        presets = store.presets.all()
    show(session, presets, Preset)


@preset.command("show", cls=command_class(), epilog=examples("notifycli prefs preset show quiet"))
def preset_show(ctx: typer.Context, name: Name) -> None:
    """Show what a preset sets."""
    session = session_of(ctx)
    with session.store() as store:
        values = store.presets.values(name)
    records = (PresetValue(*pair) for pair in values.items())
    show(session, records, PresetValue, cells=lambda item: [short_key(item.key), text(item.value)])


@preset.command(
    "remove", cls=command_class(), epilog=examples("notifycli prefs preset remove night")
)
def preset_remove(ctx: typer.Context, name: Name) -> None:
    """Remove a preset of your own; what it has set stays as it is."""
    session = session_of(ctx)
    with session.store(create=True) as store:
        store.presets.remove(name)
    session.info(f"removed the preset {name}")


def _since(given: str) -> str:
    return to_datetime(read_time(given)).isoformat(timespec="seconds")


@app.command(
    "history",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli prefs history --limit 20
notifycli prefs history -u jane@example.com --key 'email.*' --since 2026-03-01
notifycli prefs history -o jsonl | jq -r 'select(.layer == "lock") | .who' | sort -u
"""
    ),
)
def prefs_history(
    ctx: typer.Context,
    *,
    key: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Only this key or glob.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            parser=_since,
            metavar="TIME",
            help="Only from this time on: 2026-03-03, 2026-03-03T13:05Z, 12h (ago), today.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(parser=a_number("limit"), metavar="N", help="No more than so many values."),
    ] = None,
) -> None:
    """List who changed what, and when; the newest first."""
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        values = store.history.values(
            account,
            users=[_id_of(store, account, reference) for reference in session.given_users],
            keys=[full for given in key or () for full in keys_of(given, session)],
            since=since,
            limit=limit,
        )
        newest = [*islice(values, 1)]
        many = store.history.speaks_of_conversations(account)
        record = ChangedInConversation if many else ChangedValue
        show(session, chain(newest, values), record, heads=_HEADS, cells=_cells)
    if not newest:
        session.info("no such change of a preference is on record")


def _id_of(store: Store, account: int, reference: str) -> int:
    try:
        return find_user(store, account, reference).id
    except UsageError:
        removed = store.history.removed_user(account, reference)
        if removed is None:
            raise
        return removed


@app.command(
    "undo",
    cls=command_class(),
    epilog=examples(
        """
notifycli prefs undo
notifycli prefs undo 12
notifycli prefs undo 12 --force
"""
    ),
)
def prefs_undo(
    ctx: typer.Context,
    id_: Annotated[
        int | None,
        typer.Argument(
            parser=a_number("id of a change", "notifycli prefs history"),
            metavar="[ID]",
            help="The change's number; the last if left out.",
        ),
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even where a value has been changed since.")
    ] = False,
) -> None:
    """Take back a change of preferences: all of it, or nothing.

    That is a change too: undo it, and what was taken back is there again.
    """
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        past = store.history.change(account, id_)
    # The history tells with it which change was taken back.
    session.command = f"{session.command} {past.id}"
    with (
        session.store(create=True) as store,
        store.changes(session.command, session.who) as changes,
    ):
        staging = store.staging()
        store.history.stage_undoing(staging, account, past.id, force=force)
        changed = changes(account).settle(staging)
    session.info(
        f"{plural(changed, 'preference')} of account {account} changed back: change {past.id},"
        f" {past.command}, by {past.who} at {past.at}"
    )


def _cells(item: ChangedValue) -> list[str | Text]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal sees it

    place = f"{whose(item.account_id, item.user_id, item.email)}, {_layer_of(item)}"
    old, new = change_cells(item.old, item.new)
    return [
        text(item.id),
        to_the_minute(item.at),
        text(f"{item.who}: {item.command}"),
        Text.assemble(f"{place}\n{short_key(item.key)}: ", old, " \N{RIGHTWARDS ARROW} ", new),
    ]


class Counted(Generic[T]):
    """Counts what passes."""

    def __init__(self, items: Iterable[T]) -> None:
        self.count = 0
        self._items = items

    def __iter__(self) -> Iterator[T]:
        for item in self._items:
            self.count += 1
            yield item


def show_differences(session: Session, staging: Staging) -> int:
    """Show what would change; gives how much that is."""
    counted = Counted(staging.differences())
    many = staging.speaks_of_conversations()
    record = DifferenceInConversation if many else Difference
    show(session, counted, record, heads=_DIFFERENCE_HEADS, cells=difference_cells)
    if not counted.count:
        session.info("no differences")
    return counted.count


def difference_cells(item: Difference) -> list[str | Text]:
    """Give the cells of a difference, for a terminal."""
    return [
        whose(item.account_id, item.user_id, item.email),
        _layer_of(item),
        short_key(item.key),
        *change_cells(item.old, item.new),
    ]


def _layer_of(item: Difference | ChangedValue) -> str:
    """Name the layer, with the inbox or conversation that it is of."""
    place = item.inbox_id or getattr(item, "conversation_id", None)
    return f"{item.layer} {place}" if place else item.layer


def change_cells(old: str | None, new: str | None) -> tuple[Text, Text]:
    """Give the cells of what was and what is: red and green."""
    from rich.text import Text  # noqa: PLC0415 - only a terminal sees it

    return (
        Text(text(old), style="dim" if old is None else "red"),
        Text(text(new), style="dim" if new is None else "green"),
    )


def whose(account: int, user: int | None, email: str | None) -> str:
    """Name the user whose value it is or, where it is nobody's own, the account."""
    return f"account {account}" if user is None else text(email or user)
