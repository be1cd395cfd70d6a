"""The agents and inboxes that events tell of, for a directory that starts from nothing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from notifycli.events.decode import EventError, decode_body, decode_event, fault_text
from notifycli.events.event import PRESENCE, READ_EVENTS
from notifycli.events.payload import Person


class DiscoveredAgent(Struct, frozen=True):
    """A user of whom events tell, as far as they do."""

    id: int
    email: str | None = None
    name: str = ""


class _Person(Person, gc=False):
    email: str | None = None
    name: str | None = None


class _NamedInbox(Struct, gc=False):
    name: str | None = None


class _Meta(Struct, gc=False):
    assignee: _Person | None = None


class _Conversation(Struct, gc=False):
    meta: _Meta | None = None


class _Body(Struct, gc=False):
    conversation: _Conversation | None = None
    meta: _Meta | None = None
    inbox: _NamedInbox | None = None
    performed_by: _Person | None = None
    performer: _Person | None = None
    user: _Person | None = None
    sender: _Person | None = None


_decode = msgspec.json.Decoder(_Body).decode


class Learnt:
    """What the events have told, by account. A later event only adds what was missing."""

    def __init__(self, fallback_account: int = 1) -> None:
        self.agents: dict[int, dict[int, DiscoveredAgent]] = {}
        self.inboxes: dict[int, dict[int, str]] = {}
        """Their names, "" where none was told."""
        self._fallback = fallback_account

    def note(self, line: bytes, number: int) -> None:
        """Take in one line. Raises `EventError`."""
        event = decode_event(line, number)
        try:
            body = decode_body(line, _decode)
        except (msgspec.MsgspecError, ValueError) as error:
            if event.name in READ_EVENTS:
                raise EventError(fault_text(error)) from None
            return
        account = self._fallback if event.account is None else event.account
        agents = self.agents.setdefault(account, {})
        people = {person.id: person for person in _people(body, event.name, event.author)}
        for id_ in event.agents():
            person = people.get(id_) or people.get(str(id_)) or _Person()
            email, name = _printable(person.email, person.name)
            known = agents.get(id_, DiscoveredAgent(id_))
            agents[id_] = DiscoveredAgent(id_, known.email or email, known.name or name)
        if event.inbox is not None:
            inboxes = self.inboxes.setdefault(account, {})
            name = _printable(None, body.inbox.name if body.inbox else None)[1]
            inboxes[event.inbox] = inboxes.get(event.inbox) or name


def _people(body: _Body, event: str, author: int | None) -> Iterator[_Person]:
    """Return the persons who are agents, those who tell least of themselves first.

    A sender or somebody typing who doesn't say that they are a user is a contact, unless the
    message shows them to be its author.
    """
    for meta in (None if body.conversation is None else body.conversation.meta, body.meta):
        if meta is not None and meta.assignee is not None:
            yield meta.assignee
    for person, may_be_silent in (
        (body.performed_by, False),
        (body.performer, True),
        (body.user, event == PRESENCE),
        (body.sender, author is not None),
    ):
        if person is not None and (person.is_user() or (may_be_silent and person.type is None)):
            yield person


def _printable(email: str | None, name: str | None) -> tuple[str | None, str]:
    shown = "".join(char for char in name or "" if char.isprintable())
    return (email if email and email.isprintable() and "@" in email else None, shown)
