"""Whose rules a replay follows: `--rules`, or the setting `rules`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, NamedTuple

import typer

from notifycli.cli.session import Session, plural
from notifycli.errors import UsageError
from notifycli.rules.layers import Preferences, unheard, without_effect
from notifycli.rules.preferences import short_key
from notifycli.rules.profile import (
    CHATWOOT,
    OURS,
    Profile,
    UnknownProfileError,
    every_chatwoot,
    profile_named,
    rules_by_account,
)
from notifycli.rules.replay import Account
from notifycli.store.store import Store

Rules = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar="PROFILE",
        help="Whose rules hold: notifycli, chatwoot@4.16 (2.13 to 4.16), or chatwoot, the version "
        "of the connected server. By default the setting `rules`.",
    ),
]
_FIRST = 1
"""The account of a store that has none."""
Profiles = Mapping[int, Profile]
"""By account."""


def profiles_of(store: Store, given: str | None) -> Profiles:
    """Give each account's profile: the given one, else that of the setting.

    Raises `UsageError` for a name that is none, and for a server that isn't known: a given name is
    read where nobody is known too.
    """
    profiles = {one.id: profile_of(store, given, one.id) for one in store.accounts()}
    if given and not profiles:
        profile_of(store, given, _FIRST)
    return profiles


def profile_of(store: Store, given: str | None, account: int) -> Profile:
    """Give one account's profile. Raises as `profiles_of` does."""
    name = given or _setting(store, account)
    try:
        if name.strip().lower() == CHATWOOT:
            return profile_named(f"{CHATWOOT}@{_server_version(store, account)}")
        return profile_named(name)
    except UnknownProfileError as error:
        raise UsageError(str(error), "name one, as in --rules chatwoot@4.16") from None


def _setting(store: Store, account: int) -> str:
    named = rules_by_account(store.configuration.get("rules") or OURS)
    return named.get(account) or named.get(None) or OURS


def _server_version(store: Store, account: int) -> str:
    connection = store.connection(account)
    if connection is None:
        raise UsageError(
            f"account {account} isn't connected to a Chatwoot, so its version isn't known",
            "name the version: --rules chatwoot@4.16; "
            "or connect: notifycli chatwoot login https://chat.example.com",
        )
    from notifycli.chatwoot.client import server_version  # noqa: PLC0415 - a request is rare

    return server_version(connection.url).partition("-")[0]


def tell_without_effect(session: Session, accounts: Collection[Account]) -> None:
    """Say once of each preference that is set what a Chatwoot server makes of it: nothing."""
    gone = {
        (key, account.profile.name)
        for account in accounts
        for key in without_effect(account.profile, account.preferences)
    }
    for key, name in sorted(gone):
        session.info(f"{_name(key)} in {name}")
    for account in accounts:
        users, preferences = account.directory.users, account.preferences
        for what, _ in unheard_in_words(account.profile, preferences, users):
            session.info(what)


def server_profile(store: Store, account: int) -> Profile:
    """Return what is taken to be the version of an account's server, which nobody is asked for.

    It is that of the setting `rules` or, where that names none of Chatwoot's, the newest.
    """
    return profile_at(_setting(store, account))


def profile_at(name: str) -> Profile:
    """Return the Chatwoot profile of this name; the newest, if it is none."""
    try:
        profile = profile_named(name)
    except UnknownProfileError:
        return every_chatwoot()[-1]
    return profile if profile.is_chatwoot else every_chatwoot()[-1]


class Unheard(NamedTuple):
    """A choice of sounds that a server makes nothing of, in words."""

    what: str
    remedy: str


def unheard_in_words(
    profile: Profile, preferences: Preferences, users: Iterable[int]
) -> list[Unheard]:
    """Return what a Chatwoot makes nothing of, of the sounds that users chose."""
    return [
        Unheard(
            f"{key}={value} of {plural(count, 'user')} {_UNHEARD[key]} by {profile.name}",
            f"notifycli prefs set {_HEARD[key]} -u EMAIL, then notifycli chatwoot push",
        )
        for (key, value), count in sorted(unheard(profile, preferences, users).items())
    ]


_UNHEARD = {"audio": "is ignored", "audio.tone": "is never played"}
_HEARD = {"audio": "audio=all", "audio.tone": "audio.tone=bell"}
_PLACES = {"inbox": "an inbox", "conversation": "a conversation"}


def _name(key: str) -> str:
    if key in _PLACES:
        return f"values for {_PLACES[key]} have no effect"
    if key == "inactive_after":
        return "inactive_after of single users has no effect"
    return f"{short_key(key)} has no effect"
