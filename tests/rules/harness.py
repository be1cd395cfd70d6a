"""Runs events through the product's rules, from the documents that tests are written in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from notifycli.events.decode import EventError, decode_event
from notifycli.rules.decision import Decision, Outcome
from notifycli.rules.directory import Directory, Inbox, Team, User
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer
from notifycli.rules.profile import NOTIFYCLI, Profile
from notifycli.rules.replay import Account, Replay

Json = dict[str, Any]


def directory_of(document: Json) -> Directory:
    return Directory(
        [_user(user) for user in document["users"]],
        [Inbox(i["id"], i.get("name", ""), _members(i), i.get("bot")) for i in document["inboxes"]],
        [Team(t["id"], t.get("name", ""), _members(t) or ()) for t in document["teams"]],
    )


def preferences_of(rows: Iterable[Json], account: int) -> Preferences:
    lock: dict[str, str] = {}
    default: dict[str, str] = {}
    user: dict[int, dict[str, str]] = {}
    inbox: dict[tuple[int, int], dict[str, str]] = {}
    conversation: dict[tuple[int, int], dict[str, str]] = {}
    for row in rows:
        if row["account"] not in (None, account):
            continue
        values = {
            Layer.LOCK: lock,
            Layer.DEFAULT: default,
            Layer.USER: user.setdefault(row["user"], {}),
            Layer.INBOX: inbox.setdefault((row["user"], row["inbox"]), {}),
            Layer.CONVERSATION: conversation.setdefault(
                (row["user"], row.get("conversation") or 0), {}
            ),
        }[Layer(row["layer"])]
        values[row["key"]] = row["value"]
    return Preferences(lock, inbox, user, default, conversation=conversation)


def replay_of(
    directory: Json, rows: Iterable[Json], fallback_account: int = 1, profile: Profile = NOTIFYCLI
) -> Replay:
    account = directory["account"]["id"]
    preferences = preferences_of(rows, account)
    accounts = {account: Account(directory_of(directory), preferences, profile)}
    return Replay(accounts, fallback_account)


def decisions_of(replay: Replay, lines: Iterable[str], first: int = 1) -> list[Decision]:
    decisions: list[Decision] = []
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            event = decode_event(line.encode(), number)
        except EventError:
            continue
        decisions += replay.decide(event)
    return decisions


def is_sent(decision: Decision) -> bool:
    """Whether a Chatwoot sends it: subscriptions are not played, and addresses are."""
    sound_or_push = decision.channel is not Channel.EMAIL
    return decision.outcome is Outcome.FIRE and (sound_or_push or bool(decision.deliverable))


def _user(user: Json) -> User:
    permissions = user.get("permissions")
    return User(
        user["id"],
        user["email"],
        user.get("name", ""),
        user["role"],
        confirmed=user.get("confirmed"),
        permissions=None if permissions is None else tuple(permissions),
    )


def _members(group: Json) -> tuple[int, ...] | None:
    members = group.get("members")
    return None if members is None else tuple(members)
