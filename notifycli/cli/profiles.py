"""Whose rules a replay follows: `--rules`, or the setting `rules`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from notifycli.cli.session import Session
from notifycli.errors import UsageError
from notifycli.rules.preferences import short_key
from notifycli.rules.profile import CHATWOOT, OURS, Profile, UnknownProfileError, profile_named
from notifycli.rules.replay import Account
from notifycli.rules.settings import without_effect
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
Profiles = Mapping[int, Profile]
"""By account."""


def profiles_of(store: Store, given: str | None) -> Profiles:
    """Give each account's profile: the given one, else that of the setting.

    Raises `UsageError` for a name that is none, and for a server that isn't known.
    """
    return {account.id: profile_of(store, given, account.id) for account in store.accounts()}


def profile_of(store: Store, given: str | None, account: int) -> Profile:
    """Give one account's profile. Raises as `profiles_of` does."""
    name = given or store.configuration.get("rules") or OURS
    try:
        if name.strip().lower() == CHATWOOT:
            return profile_named(f"{CHATWOOT}@{_server_version(store, account)}")
        return profile_named(name)
    except UnknownProfileError as error:
        raise UsageError(str(error), "name one, as in --rules chatwoot@4.16") from None


def _server_version(store: Store, account: int) -> str:
    connection = store.chatwoot.of(account)
    if connection is None:
        raise UsageError(
            f"account {account} isn't connected to a Chatwoot, so its version isn't known",
            "name the version: --rules chatwoot@4.16; "
            "or connect: notifycli chatwoot login https://chat.example.com",
        )
    from notifycli.chatwoot.client import server_version  # noqa: PLC0415 - a request is rare

    return server_version(connection.url).partition("-")[0]


def tell_without_effect(session: Session, accounts: Iterable[Account]) -> None:
    """Say once of each preference that is set what a Chatwoot server makes of it: nothing."""
    gone = {
        (key, account.profile.name)
        for account in accounts
        for key in without_effect(account.profile, account.preferences)
    }
    for key, name in sorted(gone):
        session.info(f"{_named(key)} in {name}")


def _named(key: str) -> str:
    if key == "inbox":
        return "values for an inbox have no effect"
    if key == "inactive_after":
        return "inactive_after of single users has no effect"
    return f"{short_key(key)} has no effect"
