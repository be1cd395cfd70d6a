"""The agents and inboxes that events tell of, for a directory that starts from nothing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from notifycli.events.decode import EventError, decode_event, told, unwrap
from notifycli.events.event_names import PRESENCE, READ_EVENTS
from notifycli.events.payload import Person
from notifycli.rules.directory import Inbox, User


class _Person(Person, gc=False):
    email: str | None = None
    name: str | None = None


class _Inbox(Struct, gc=False):
    name: str | None = None


class _Meta(Struct, gc=False):
    assignee: _Person | None = None


class _Conversation(Struct, gc=False):
    meta: _Meta | None = None


class _Body(Struct, gc=False):
    conversation: _Conversation | None = None
    meta: _Meta | None = None
    inbox: _Inbox | None = None
    performed_by: _Person | None = None
    user: _Person | None = None
    sender: _Person | None = None


_decode = msgspec.json.Decoder(_Body).decode


class Learnt:
    """What the events have told, by account. A later event only adds what was missing."""

    def __init__(self, fallback_account: int = 1) -> None:
        self.users: dict[int, dict[int, User]] = {}
        self.inboxes: dict[int, dict[int, Inbox]] = {}
        self._fallback = fallback_account

    def note(self, line: bytes, number: int) -> None:
        """Take in one line. Raises `EventError`."""
        event = decode_event(line, number)
        try:
            body = _decode(unwrap(line))
        except msgspec.MsgspecError as error:
            if event.name in READ_EVENTS:
                raise EventError(told(error)) from None
            return
        account = self._fallback if event.account is None else event.account
        users = self.users.setdefault(account, {})
        names = {person.id: person for person in _people(body, event.name)}
        for id_ in event.agents():
            person = names.get(id_) or names.get(str(id_)) or _Person()
            users[id_] = merged(users.get(id_), User(id_, *_printable(person.email, person.name)))
        if event.inbox is not None:
            inboxes = self.inboxes.setdefault(account, {})
            name = body.inbox.name if body.inbox else None
            known = inboxes.get(event.inbox, Inbox(event.inbox))
            inboxes[event.inbox] = Inbox(event.inbox, known.name or _printable(None, name)[1])


def merged(known: User | None, told: User) -> User:
    """Give the known user with what is missing taken from what was told."""
    if known is None:
        return told
    email, name = known.email or told.email, known.name or told.name
    return msgspec.structs.replace(known, email=email, name=name)


def _people(body: _Body, event: str) -> Iterator[_Person]:
    """Give the persons who are agents, those who tell least of themselves first.

    A sender or somebody typing who doesn't say that they are a user is a contact.
    """
    for meta in (None if body.conversation is None else body.conversation.meta, body.meta):
        if meta is not None and meta.assignee is not None:
            yield meta.assignee
    for person, may_be_silent in (
        (body.performed_by, False),
        (body.user, event == PRESENCE),
        (body.sender, False),
    ):
        if person is not None and (person.is_user() or (may_be_silent and person.type is None)):
            yield person


def _printable(email: str | None, name: str | None) -> tuple[str | None, str]:
    shown = "".join(char for char in name or "" if char.isprintable())
    return (email if email and email.isprintable() and "@" in email else None, shown)
