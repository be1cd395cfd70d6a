"""`notifycli prefs`: preferences of users, defaults and locks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import ALL_USERS, USER, examples, noun, session, takes
from notifycli.cli.output import show, write
from notifycli.cli.session import Session, display_name, plural
from notifycli.errors import DataError, UsageError
from notifycli.rules.preferences import (
    KEYS,
    InvalidPreferenceError,
    Layer,
    full_keys,
    nearest,
    read_value,
)
from notifycli.store.change import Entry, Target
from notifycli.store.store import Store

app = noun("Preferences of users, defaults and locks.")
_NAMED = 3

InboxId = Annotated[
    int | None, typer.Option("--inbox", metavar="ID", min=1, help="Only for events of this inbox.")
]
Default = Annotated[bool, typer.Option("--default", help="The account's default for everybody.")]
Lock = Annotated[
    bool, typer.Option("--lock", help="The account's lock: no user can set anything else.")
]
Origin = Annotated[bool, typer.Option("--show-origin", help="Say which layer it comes from.")]


class PreferenceRecord(Struct):
    """An effective preference, as printed."""

    key: str
    value: str
    origin: Layer
    locked: bool


@app.command(
    "list",
    cls=takes(USER),
    epilog=examples(
        """
notifycli prefs list -u jane@example.com
notifycli prefs list -u 7 'email.*' --inbox 3
notifycli prefs list --default -o json
"""
    ),
)
def prefs_list(
    ctx: typer.Context,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Only these keys or globs.")
    ] = None,
    *,
    inbox: InboxId = None,
    default: Default = False,
    show_origin: Origin = False,  # noqa: ARG001 - the list always shows it
) -> None:
    """List effective preferences and the layers they come from."""
    this = session(ctx)
    chosen = [key for given in keys or () for key in _full_keys(given)] or list(KEYS)
    show(this, _effective(this, chosen, inbox, default=default), PreferenceRecord)


@app.command(
    "get",
    cls=takes(USER),
    epilog=examples(
        """
notifycli prefs get audio -u jane@example.com
notifycli prefs get email.mention -u 7 --inbox 3 --show-origin
notifycli prefs get quiet_hours --default
"""
    ),
)
def prefs_get(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The preference.")],
    *,
    inbox: InboxId = None,
    default: Default = False,
    show_origin: Origin = False,
) -> None:
    """Print the effective value of one preference."""
    this = session(ctx)
    full = _full_keys(key)
    if len(full) > 1:
        raise UsageError(f"{key} stands for {len(full)} preferences", f"notifycli prefs list {key}")
    (record,) = _effective(this, full, inbox, default=default)
    write([(f"{record.origin}\t" if show_origin else "").encode(), f"{record.value}\n".encode()])


@app.command(
    "set",
    cls=takes(USER, ALL_USERS),
    epilog=examples(
        """
notifycli prefs set email.mention=on push.message=on -u jane@example.com
notifycli prefs set audio=assigned+unassigned --inbox 3 -u 7
notifycli prefs set 'quiet_hours=22:00-07:00 Europe/Berlin mon-fri' --all-users
notifycli prefs set 'email.*=off' --lock
notifycli prefs set push.created=on --default
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
    inbox: InboxId = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Set preferences of users or of the whole account."""
    values = [pair for given in assignments for pair in _assigned(given)]
    _change(session(ctx), values, inbox, default=default, lock=lock)


@app.command(
    "unset",
    cls=takes(USER, ALL_USERS),
    epilog=examples(
        """
notifycli prefs unset audio -u jane@example.com
notifycli prefs unset 'email.*' --lock
"""
    ),
)
def prefs_unset(
    ctx: typer.Context,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Preferences or globs.")],
    *,
    inbox: InboxId = None,
    default: Default = False,
    lock: Lock = False,
) -> None:
    """Take away what is set, so that the layers below show."""
    values = [(key, None) for given in keys for key in _full_keys(given)]
    _change(session(ctx), values, inbox, default=default, lock=lock)


@app.command(
    "import",
    cls=takes(),
    epilog=examples(
        """
notifycli prefs import team.csv
printf 'layer,user,key,value\\nuser,jane@example.com,audio,all\\n' | notifycli prefs import -
"""
    ),
)
def prefs_import(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="CSV with account,layer,user,inbox,key,value; - is stdin."
        ),
    ],
) -> None:
    """Set what a document says: all of it, or nothing."""
    from notifycli.cli.lines import STDIN, read_whole  # noqa: PLC0415 - `prefs get` can spare them
    from notifycli.store.preference_document import read_csv  # noqa: PLC0415

    this = session(ctx)
    name = "<stdin>" if file == STDIN else file
    try:
        text = read_whole(file).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: byte {error.start}: no UTF-8", "save it as UTF-8") from None
    with this.store(create=True) as store, store.changes(this.command, this.who) as changes:
        account = this.the_account(store, may_be_new=True)
        placed = read_csv(store, text, name, account)
        changed = 0
        for of in sorted({item.account for item in placed}):
            changed += changes(of).set(
                (item.entry for item in placed if item.account == of), again=True
            )
        inboxes = {of: {i.id for i in store.inboxes(of)} for of in {p.account for p in placed}}
    unknown = {
        p.entry.target.inbox for p in placed if p.entry.target.inbox not in inboxes[p.account]
    } - {None}
    if unknown:
        listed = ", ".join(map(str, sorted(filter(None, unknown))))
        this.note(f"inboxes that are not in the directory yet: {listed}")
    this.note(f"{name}: {len(placed)} preferences read, {changed} changed")


def _effective(
    this: Session, keys: Iterable[str], inbox: int | None, *, default: bool
) -> list[PreferenceRecord]:
    with this.store() as store:
        account = this.the_account(store)
        if inbox is not None:
            _check_inbox(store, account, inbox)
        user = None if default else this.the_user(store, account).id
        preferences = store.preferences_of(account, user)
    effective = ((key, *preferences.resolve(key, user, inbox)) for key in keys)
    return [
        PreferenceRecord(key, value, origin, origin is Layer.LOCK)
        for key, value, origin in effective
    ]


def _change(
    this: Session,
    values: Sequence[tuple[str, str | None]],
    inbox: int | None,
    *,
    default: bool,
    lock: bool,
) -> None:
    if default + lock + (inbox is not None) > 1:
        raise UsageError("--default, --lock and --inbox name three layers", "give one of them")
    if (default or lock) and (this.user or this.all_users):
        raise UsageError(
            f"{'--lock' if lock else '--default'} is for the whole account, not for a user",
            "leave out -u, or the layer",
        )
    with this.store(create=True) as store, store.changes(this.command, this.who) as changes:
        account = this.the_account(store, may_be_new=not store.accounts())
        if default or lock:
            whose = "the lock of" if lock else "the default of"
            targets = [Target(Layer.LOCK if lock else Layer.DEFAULT)]
        else:
            if inbox is not None:
                _check_inbox(store, account, inbox)
            users = this.the_users(store, account)
            named = ", ".join(map(display_name, users[:_NAMED]))
            whose = f"{named}{', …' if len(users) > _NAMED else ''} in"
            layer = Layer.USER if inbox is None else Layer.INBOX
            targets = [Target(layer, user.id, inbox) for user in users]
        changed = changes(account).set(
            Entry(target, key, value) for target in targets for key, value in values
        )
    this.note(f"{plural(changed, 'preference')} changed for {whose} account {account}")


def _check_inbox(store: Store, account: int, inbox: int) -> None:
    known = {str(item.id): item.name for item in store.inboxes(account)}
    if str(inbox) not in known:
        near = nearest(str(inbox), known) or ", ".join(known) or "none yet"
        raise UsageError(
            f"account {account} has no inbox {inbox}",
            f"nearest: {near}; add it: notifycli inbox add {inbox}",
        )


def _assigned(text: str) -> list[tuple[str, str | None]]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} has no value", f"write it as {text}=VALUE")
    try:
        return [(full, read_value(full, value)) for full in _full_keys(key)]
    except InvalidPreferenceError as error:
        raise UsageError(str(error), _did_you_mean(error)) from None


def _full_keys(text: str) -> tuple[str, ...]:
    try:
        return full_keys(text)
    except InvalidPreferenceError as error:
        hint = _did_you_mean(error) or "see all: notifycli prefs list --default"
        raise UsageError(str(error), hint) from None


def _did_you_mean(error: InvalidPreferenceError) -> str:
    return f"did you mean {error.nearest}?" if error.nearest else ""
