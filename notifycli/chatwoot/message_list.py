"""Messages as the API lists them become events: `chatwoot conv 123 messages -o json`, or its array.

The list has messages and sentences about changes, with whole seconds, of a part of a conversation.
Who was assigned before the first sentence that tells isn't in it: where none does, today's assignee
stands in. Chatwoot's own command line leaves out of which conversation and inbox they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from notifycli.chatwoot.activity import Act, Names
from notifycli.chatwoot.api_history import iso_time, message_row
from notifycli.chatwoot.client import PersonThere, RemoteMessage
from notifycli.chatwoot.rebuild import (
    AnyRow,
    ConversationRow,
    Inexact,
    Json,
    Rebuilder,
)
from notifycli.errors import UsageError
from notifycli.rules.directory import Team, User

Record = tuple[str, int, bytes]
_ACTIVITY = 2
_TELL_WHO_IS_ASSIGNED = frozenset(
    {
        Act.SELF_ASSIGNED,
        Act.ASSIGNED,
        Act.ASSIGNED_VIA_TEAM,
        Act.UNASSIGNED,
    }
)


class Listing(NamedTuple):
    """The events of a file, by time, and what they don't know; other records come first."""

    records: list[Record]
    messages: int
    inexact: Inexact


class _Sender(PersonThere, frozen=True):
    name: str | None = None
    email: str | None = None


class _Listed(RemoteMessage, frozen=True, kw_only=True):
    sender: _Sender | None = None
    conversation_id: int | None = None
    inbox_id: int | None = None
    account_id: int | None = None


class _ListingMeta(Struct, frozen=True):
    assignee: PersonThere | None = None


class _Page(Struct, frozen=True):
    payload: list[_Listed] | None
    meta: _ListingMeta = _ListingMeta()


class _Placed(NamedTuple):
    """A message, where it stands, and who is assigned today, if that is told."""

    file: str
    line: int
    message: _Listed
    assignee: int | None


_Key = tuple[int, int]
_decode_page = msgspec.json.Decoder(_Page).decode
_decode_message = msgspec.json.Decoder(_Listed).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def events_of_listing(
    records: Iterable[Record],
    account: int,
    conversation: int | None,
    users: Iterable[User],
    teams: Iterable[Team],
) -> Listing:
    """Return the events of listed messages; a record that lists none stays as it is.

    What names no account or conversation is of those given. Raises `UsageError` where none is.
    """
    others: list[Record] = []
    # By id: a page may be read twice, or end with what the next one begins with.
    conversations: dict[_Key, dict[int, _Placed]] = defaultdict(dict)
    for record in records:
        placed = _messages_of(record)
        if placed is None:
            others.append(record)
            continue
        for one in placed:
            number = one.message.conversation_id or conversation
            if number is None:
                raise UsageError(
                    f"{one.file}:{one.line}: these messages don't say of which conversation they "
                    "are",
                    "name it: --conversation 123",
                )
            conversations[one.message.account_id or account, number][one.message.id] = one
    everything = [one for messages in conversations.values() for one in messages.values()]
    people = {(user.id, user.name): user for user in (*_writers(everything), *users)}
    names = Names(people.values(), teams)
    rebuilder = Rebuilder({key[0]: names for key in conversations}, {})
    found = [*others, *_rebuilt(rebuilder, conversations, names)]
    return Listing(found, len(everything), rebuilder.inexact)


def _messages_of(record: Record) -> list[_Placed] | None:
    file, line, text = record
    try:
        fields = _decode_fields(text)
        if "event" in fields:
            return None
        if "payload" in fields:
            page = _decode_page(text)
            today = page.meta.assignee or PersonThere()
            who = None if today.type == "agent_bot" else today.id
            return [_Placed(file, line, one, who) for one in page.payload or ()]
        return [_Placed(file, line, _decode_message(text), None)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _writers(messages: Iterable[_Placed]) -> Iterator[User]:
    """Return the users who wrote, whom the directory here may not know."""
    for sender in (one.message.sender for one in messages):
        if sender is not None and sender.type == "user" and sender.id and sender.name:
            yield User(sender.id, sender.email, sender.name)


def _rebuilt(
    rebuilder: Rebuilder, conversations: dict[_Key, dict[int, _Placed]], names: Names
) -> Iterator[Record]:
    rows = [row for key, messages in conversations.items() for row in _rows(key, messages, names)]
    rows.sort(key=lambda placed: placed[1].at)
    read: list[_Placed] = []

    def feed() -> Iterator[AnyRow]:
        for placed, row in rows:
            read.append(placed)
            yield row

    for event in rebuilder.events(feed()):
        here = read[-1]
        if event["event"] == "message_created" and here.message.sender is not None:
            event["sender"] = _complete(here.message.sender, event.get("sender", {}))
        yield here.file, here.line, msgspec.json.encode(event)


def _complete(sender: _Sender, known: Json) -> Json:
    told = {"name": sender.name, "email": sender.email}
    return known | {key: value for key, value in told.items() if value}


def _rows(
    key: _Key, messages: dict[int, _Placed], names: Names
) -> Iterator[tuple[_Placed, AnyRow]]:
    account, conversation = key
    ordered = [messages[id_] for id_ in sorted(messages)]
    first = ordered[0]
    said = (
        names.read(one.message.content or "")
        for one in ordered
        if one.message.message_type == _ACTIVITY
    )
    told = any(one is not None and one.change in _TELL_WHO_IS_ASSIGNED for one in said)
    yield (
        first,
        ConversationRow(
            at=iso_time(first.message.created_at),
            account=account,
            id=conversation,
            inbox=next((one.message.inbox_id for one in ordered if one.message.inbox_id), None),
            status=0,
            assignee=None
            if told
            else next((one.assignee for one in ordered if one.assignee), None),
            partial=True,
        ),
    )
    for one in ordered:
        yield one, message_row(account, conversation, one.message)
