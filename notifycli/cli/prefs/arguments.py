"""What commands on preferences share: how keys, `KEY=VALUE` and a layer are written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Annotated, Any

import typer

from notifycli.cli.command import a_number
from notifycli.cli.session import (
    Reference,
    Session,
    display_name,
    find_group,
    plural,
    read_reference,
)
from notifycli.cli.times import expiry, now
from notifycli.errors import UsageError
from notifycli.events.timestamps import format_moment
from notifycli.rules.preferences import (
    GLOBS,
    UNTIL,
    InvalidPreferenceError,
    full_keys,
    nearest,
    read_value,
    short_key,
)
from notifycli.store.store import Store

SOUND_KEYS = frozenset({"audio", "audio.tone"})
"""Of which there are values that some versions of Chatwoot make nothing of."""
InboxIds = Annotated[
    list[Any] | None,  # Typer takes no union, though its parser gives ids and names
    typer.Option(
        "--inbox",
        parser=read_reference,
        metavar="INBOX",
        help="Only for events of this inbox, by id or name; may be repeated.",
    ),
]
InboxId = Annotated[
    list[Any] | None,
    typer.Option(
        "--inbox",
        parser=read_reference,
        metavar="INBOX",
        help="Only for events of this inbox, by id or name.",
    ),
]
ConversationId = Annotated[
    int | None,
    typer.Option(
        "--conversation",
        parser=a_number("conversation"),
        metavar="ID",
        help="Only for events of this conversation.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Up to a time, with --conversation: 3d (from now), 2027-01-31, 2027-01-31T10:00Z.",
    ),
]
Default = Annotated[bool, typer.Option("--default", help="The account's default for everybody.")]
Lock = Annotated[
    bool, typer.Option("--lock", help="The account's lock: no user can set anything else.")
]


def one_inbox(given: list[Reference] | None) -> Reference | None:
    """Give the inbox that is named, if one is. Raises `UsageError` for several."""
    if given and len(given) > 1:
        named = " ".join(f"--inbox {inbox}" for inbox in given)
        raise UsageError(f"this command takes one inbox, not {named}", "name just one: --inbox ID")
    return given[0] if given else None


def find_inbox(store: Store, account: int, inbox: Reference) -> int:
    """Give the id of the inbox that is meant. Raises `UsageError` if the account has none such."""
    if isinstance(inbox, str):
        return find_group(store.inboxes(account), inbox, "inbox", "--inbox").id
    if not store.has_inbox(account, inbox):
        known = {str(item.id): item.name for item in store.inboxes(account)}
        near = nearest(str(inbox), known) or ", ".join(known) or "none yet"
        raise UsageError(
            f"account {account} has no inbox {inbox}",
            f"nearest: {near}; add it: notifycli inbox add {inbox}",
        )
    return inbox


_SPACED = "quiet_hours="
"""The one preference whose value has spaces."""


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
        raise UsageError(f"{whole}{error}", did_you_mean(error)) from None


def timed(
    values: Sequence[tuple[str, str]], conversation: int | None, until: str | None
) -> list[tuple[str, str]]:
    """Give values with the moment up to which they hold. Raises `UsageError`."""
    if until is None:
        return [*values]
    if conversation is None:
        raise UsageError("--until is for one conversation", "name it: --conversation ID")
    end = f"{UNTIL}{format_moment(expiry(until, now(), '--until'))}"
    return [(key, f"{value}{end}") for key, value in values]


def keys_of(text: str) -> tuple[str, ...]:
    """Give the full keys that are meant by one or by a glob. Raises `UsageError`."""
    try:
        return full_keys(text)
    except InvalidPreferenceError as error:
        hint = did_you_mean(error) or "see all: notifycli prefs list --default"
        raise UsageError(str(error), hint) from None


def did_you_mean(error: InvalidPreferenceError) -> str:
    """Give the hint to the nearest valid word, as a shell takes it; nothing if there is none."""
    near = f"'{error.nearest}'" if error.nearest in GLOBS else error.nearest
    return f"did you mean {near}?" if near else ""


def tell_unheard(
    session: Session, store: Store, account: int, users: Collection[int | None]
) -> None:
    """Say which sounds of these users the account's Chatwoot makes nothing of, if it has one.

    `None` among the users is everybody.
    """
    if store.chatwoot.of(account) is None:
        return
    from notifycli.cli.profiles import server_profile, unheard_in_words  # noqa: PLC0415 - few are connected

    everybody = (user.id for user in store.users(account))
    named = everybody if None in users else (user for user in users if user is not None)
    profile = server_profile(store, account)
    for what, remedy in unheard_in_words(profile, store.preferences(account), named):
        session.info(f"{what}; {remedy}")


def tell_unpushed(
    session: Session, store: Store, account: int, users: Collection[int | None]
) -> None:
    """Say what of these users' preferences the account's Chatwoot hasn't got yet, if it has one.

    That is by what was last seen there; `None` among the users is everybody.
    """
    connection = store.chatwoot.of(account)
    if connection is None:
        return
    from notifycli.chatwoot.preference_sync import read_seen, values  # noqa: PLC0415 - few are connected

    preferences, behind = store.preferences(account), {}
    for user, text in store.chatwoot.sightings(account).items():
        seen = read_seen(text) if None in users or user in users else None
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
