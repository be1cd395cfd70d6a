"""What a store and its remote end say to one another: an account as it is, its past, its changes.

A change travels as the steps that `transaction.Change` was asked for, so that both ends do the very
same, and the revision that they were asked for on: they hold for no other.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from notifycli.events.event import LARGEST_ID
from notifycli.rules.directory import Inbox, Team, User
from notifycli.rules.preferences import Layer
from notifycli.store.outbox import Noted
from notifycli.store.store import Connection
from notifycli.store.transaction import Kind

ACCOUNT = "/notifycli/v1/account"
HISTORY = "/notifycli/v1/history"
NOTICES = "/notifycli/v1/notices"
EVENTS = "/notifycli/v1/events"
EVENTS_OF_ONE = "/notifycli/v1/conversations/{conversation_id}/events"
CHANGES = "/notifycli/v1/changes"

SHARED_SETTINGS = ("desk.url", "rules", "smtp.host")
"""What `why` and `simulate` go by; no other setting concerns an account."""
Id = Annotated[int, Meta(ge=1, le=LARGEST_ID)]
_Line = Annotated[str, Meta(max_length=1000)]


class Value(Struct, frozen=True):
    """A preference at its place; a `value` of null takes it away."""

    layer: Layer
    key: str
    value: str | None
    user_id: Id | None = None
    inbox_id: Id | None = None
    conversation_id: Id | None = None


class AccountCopy(Struct):
    """An account as it is: the account of the token that asks."""

    id: int
    name: str
    revision: int
    """The number of its last change; 0 before the first."""
    users: list[User]
    inboxes: list[Inbox]
    teams: list[Team]
    preferences: list[Value]
    presets: dict[str, dict[str, str]]
    """By name, those that don't come with the program."""
    settings: dict[str, str]
    """Of `SHARED_SETTINGS` those that are set."""
    chatwoot: Connection | None
    seen: dict[int, str]
    """By user, what was last read of their preferences there, in JSON."""
    tones: list[str] = field(default_factory=list)
    """The names of tones of one's own."""


class PastValue(Struct, frozen=True):
    """What a change did to a preference; null is "not set"."""

    layer: str
    user_id: int | None
    scope: int | None
    """An inbox's id, or a conversation's below 0."""
    key: str
    old: str | None
    new: str | None


class PastItem(Struct, frozen=True):
    """What a change did to a thing of the directory, in JSON; null is "not there"."""

    kind: Kind
    id: int
    old: str | None
    new: str | None


class PastRecord(Struct):
    """A change on record. `at` is ISO 8601 in UTC."""

    id: int
    at: str
    who: str
    command: str
    values: list[PastValue] = field(default_factory=list)
    directory: list[PastItem] = field(default_factory=list)


class Past(Struct):
    """The history of an account, the newest change first."""

    changes: list[PastRecord]
    complete: bool
    """Whether there is nothing older."""


class Notices(Struct):
    """The newest notices of the outbox, without what messages say."""

    notices: list[Noted]
    complete: bool


class Events(Struct):
    """Events that were received, as they came, the oldest first."""

    events: list[msgspec.Raw]
    complete: bool
    """Whether there is nothing older."""


class SetValues(Struct, tag="set_values", tag_field="do"):
    """Set preferences, or take them away."""

    values: list[Value]


class NameAccount(Struct, tag="name_account", tag_field="do"):
    """Name the account."""

    name: _Line


class PutUsers(Struct, tag="put_users", tag_field="do"):
    """Add users, or make those with their ids like them."""

    users: list[User]


class SettleIds(Struct, tag="settle_ids", tag_field="do"):
    """Have made-up ids give way to those told, each with the address of whose it is, if known."""

    ids: list[tuple[Id, str | None]]
    certain: bool


class GiveId(Struct, tag="give_id", tag_field="do"):
    """Give a user an id, with all that is theirs."""

    user_id: Id
    id: Id


class PutInbox(Struct, tag="put_inbox", tag_field="do"):
    """Add an inbox, or make the one with this id like it."""

    inbox: Inbox


class PutTeam(Struct, tag="put_team", tag_field="do"):
    """Add a team, or make the one with this id like it."""

    team: Team


class Remove(Struct, tag="remove", tag_field="do"):
    """Remove a user with all that is theirs, an inbox or a team."""

    kind: Kind
    id: Id


class RestoreRows(Struct, tag="restore_rows", tag_field="do"):
    """Put back what the users had whom a past change removed, where they have nothing now."""

    change: Id


Step = (
    SetValues
    | NameAccount
    | PutUsers
    | SettleIds
    | GiveId
    | PutInbox
    | PutTeam
    | Remove
    | RestoreRows
)


class ChangeSet(Struct):
    """A change of the account, all or nothing."""

    revision: int
    """Of the account that the steps are for; where it is another by now, nothing is done."""
    command: Annotated[str, Meta(min_length=1, max_length=100)]
    """What the history tells of it."""
    steps: list[Step]


class Changed(Struct):
    """What a change has become."""

    revision: int
    change: int | None
    """Its number in the history; null if nothing differs."""
    tokens: int
    """How many tokens ended with their users."""
    addresses: int = 0
    """How many addresses on added channels went with them."""
