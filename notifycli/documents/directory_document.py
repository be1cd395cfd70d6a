"""The whole directory of an account as one JSON document, and what events tell of one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from notifycli.documents import check_format, check_kind, check_unique, decode_document
from notifycli.errors import DataError
from notifycli.events.decode import EventError, decode_body, decode_event, fault_text
from notifycli.events.event import LARGEST_ID, PRESENCE, READ_EVENTS
from notifycli.events.payload import Person
from notifycli.replay.sources import PREFERENCES
from notifycli.rules.directory import Directory, Inbox, Role, Team, User, address_fault
from notifycli.rules.preferences import nearest
from notifycli.store.store import Store
from notifycli.store.transaction import Change
from notifycli.text import is_printable, printable, shown_name

T = TypeVar("T")
_Id = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
_Permission = Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]+\Z")]


class _Account(Struct):
    id: _Id | None = None
    name: str = ""


class _User(Struct):
    id: _Id
    email: str | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    confirmed: bool | UnsetType | None = UNSET
    permissions: tuple[_Permission, ...] | UnsetType | None = UNSET


class _Team(Struct):
    id: _Id
    name: str | UnsetType = UNSET
    members: tuple[int, ...] | UnsetType | None = UNSET


class _Inbox(_Team):
    bot: bool | UnsetType | None = UNSET


ENTRIES: dict[str, type[Struct]] = {"users": _User, "inboxes": _Inbox, "teams": _Team}
_SNIFFED = 4096
_AT = re.compile(r" - at `\$\.?(.*)`$")


class DirectoryDocument(Struct, forbid_unknown_fields=True):
    """A document as it was read: what it leaves out stays as it is."""

    account: _Account = msgspec.field(default_factory=_Account)
    users: tuple[_User, ...] = ()
    inboxes: tuple[_Inbox, ...] = ()
    teams: tuple[_Team, ...] = ()


def read_directory(text: bytes, place: str) -> DirectoryDocument:
    """Read a document; `place` names it in errors. Raises `DataError`."""
    check_kind(place, text[:_SNIFFED], "a directory", PREFERENCES)
    check_format(place, text[:_SNIFFED])
    try:
        document = decode_document(text, place)
        read = msgspec.json.decode(document, type=DirectoryDocument)
    except (msgspec.MsgspecError, RecursionError) as error:
        fault = _AT.sub("", str(error))
        at = f"{found[1]}: " if (found := _AT.search(str(error))) else ""
        remedy = "see the shape of one: notifycli directory export"
        if b'"event"' in text[:_SNIFFED]:
            remedy = "a log of events is read by: notifycli directory learn EVENTS"
        raise DataError(f"{place}: {at}{fault}", remedy) from None
    check_unique(document, place)
    return read


def with_shown_names(document: DirectoryDocument) -> DirectoryDocument:
    """Return a Chatwoot's document: it is no file in which somebody could mend a name."""
    named: tuple[_Account | _User | _Team, ...] = document.users + document.inboxes + document.teams
    for item in (document.account, *named):
        if isinstance(item.name, str):
            item.name = shown_name(item.name)
    return document


def unknown_fields(text: bytes) -> Iterator[str]:
    """Tell of each field that the entries of a good document have and that means nothing, once."""
    document = msgspec.json.decode(decode_document(text, ""))
    entries: list[tuple[str, str, dict[str, object], type[Struct]]] = [
        ("account", "account", document.get("account", {}), _Account)
    ]
    for kind, type_ in ENTRIES.items():
        items = enumerate(document.get(kind, ()))
        entries += [(kind, f"{kind}[{i}]", item, type_) for i, item in items]
    told: set[tuple[str, str]] = set()
    for kind, place, item, type_ in entries:
        known = type_.__struct_fields__
        for name in item:
            if name not in known and (kind, name) not in told:
                told.add((kind, name))
                near = nearest(name, known)
                meant = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
                yield f"{place}.{name}: is no field, and means nothing; {meant}"


def import_directory(
    change: Change,
    store: Store,
    account: int,
    document: DirectoryDocument,
    place: str,
    *,
    replace: bool,
    certain: bool = True,
) -> None:
    """Make the account's directory have what the document says, and with `replace` nothing else.

    Made-up ids give way to the document's; where they come from Chatwoot it is `certain` that none
    of those is made up itself. Raises `DataError` that names each fault with its place; the
    transaction of `change` is then undone.
    """
    change.settle_ids(((u.id, u.email or None) for u in document.users), certain=certain)
    users = {user.id: user for user in store.users(account)}
    inboxes = {inbox.id: inbox for inbox in store.inboxes(account)}
    teams = {team.id: team for team in store.teams(account)}
    known = {user.id for user in document.users}.union(() if replace else users)
    _check(document, known, () if replace else users.values(), place)
    if document.account.name:
        change.name_account(document.account.name)
    if replace:
        _remove_missing(change, users.values(), document.users)
        _remove_missing(change, inboxes.values(), document.inboxes)
        _remove_missing(change, teams.values(), document.teams)
    change.put_users(_user(users.get(item.id), item) for item in document.users)
    for item in document.inboxes:
        inbox = inboxes.get(item.id, Inbox(item.id))
        name, bot = _or(item.name, inbox.name), _or(item.bot, inbox.bot)
        change.put_inbox(Inbox(item.id, name, _new_members(item, inbox.members, known), bot))
    for given in document.teams:
        team = teams.get(given.id, Team(given.id))
        members = _new_members(given, team.members, known) or ()
        change.put_team(Team(given.id, _or(given.name, team.name), members))


def _check(document: DirectoryDocument, known: set[int], users: Iterable[User], place: str) -> None:
    """Raise `DataError` for what a document has wrong, by itself or beside users who stay."""
    there = {user.id: user for user in users}
    faults = [*faults_of(document, known), *_address_conflicts(document, there)]
    if faults:
        listed = "\n".join(f"{place}: {fault}" for fault in faults)
        raise DataError(f"{listed}\nnothing was stored", "mend these entries and import again")


def export_directory(store: Store, account: int) -> dict[str, object]:
    """Return the account's directory as a document, in the order of ids."""
    names = {item.id: item.name for item in store.accounts()}
    return {
        "account": {"id": account, "name": names.get(account, "")},
        "users": [
            {"id": u.id, "email": u.email, "name": u.name, "role": u.role}
            | _values_given(confirmed=u.confirmed, permissions=u.permissions)
            for u in store.users(account)
        ],
        "inboxes": [
            {"id": i.id, "name": i.name, "members": i.members} | _values_given(bot=i.bot)
            for i in store.inboxes(account)
        ],
        "teams": store.teams(account),
    }


def _values_given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def add_learnt(change: Change, store: Store, account: int, learnt: Learnt) -> None:
    """Add what events told of an account; what is on record already is only completed."""
    agents = learnt.agents.get(account, {}).values()
    change.settle_ids((agent.id, agent.email) for agent in agents)
    known = {user.id: user for user in store.users(account)}
    taken = {user.email.casefold(): user.id for user in known.values() if user.email}
    users = []
    for agent in agents:
        email = agent.email
        if email and taken.setdefault(email.casefold(), agent.id) != agent.id:
            email = None  # the address is somebody else's
        user = known.get(agent.id, User(agent.id))
        users.append(
            msgspec.structs.replace(user, email=user.email or email, name=user.name or agent.name)
        )
    change.put_users(users)
    inboxes = {inbox.id: inbox for inbox in store.inboxes(account)}
    for id_, name in learnt.inboxes.get(account, {}).items():
        inbox = inboxes.get(id_, Inbox(id_))
        change.put_inbox(msgspec.structs.replace(inbox, name=inbox.name or name))


def _new_members(
    given: _Team, stored: Iterable[int] | None, known: set[int]
) -> tuple[int, ...] | None:
    """Give who is a member from now on: those who are given, else of those stored who stays."""
    if given.members is not UNSET:
        return _in_order(given.members)
    return None if stored is None else _in_order(known.intersection(stored))


def _address_conflicts(document: DirectoryDocument, users: Mapping[int, User]) -> Iterator[str]:
    """Tell of addresses that would belong to a user of the store as well; `users` are by id."""
    told = {user.id for user in document.users if user.email is not UNSET}
    owners = {u.email.casefold(): u.id for u in users.values() if u.email and u.id not in told}
    for i, user in enumerate(document.users):
        owner = owners.get(user.email.casefold()) if isinstance(user.email, str) else None
        if owner is None:
            continue
        belongs = f"users[{i}].email: {user.email!r} belongs to user {owner} already"
        there = users.get(user.id)
        if there is None or there.email is None:
            yield (
                f"{belongs}; if that is the same person: notifycli user set {owner} --id {user.id}"
            )
        else:
            yield (
                f"{belongs}, and user {user.id} is {there.email}; if user {user.id} has this"
                f" address by now: notifycli user remove {owner}"
            )


def directory_of(document: DirectoryDocument) -> Directory:
    """Return the directory that a document describes by itself, as the rules use it."""
    return Directory(
        [_user(None, item) for item in document.users],
        [Inbox(i.id, _or(i.name, ""), _members(i), _or(i.bot, None)) for i in document.inboxes],
        [Team(t.id, _or(t.name, ""), _members(t) or ()) for t in document.teams],
    )


def faults_of(document: DirectoryDocument, known: set[int]) -> Iterator[str]:
    """Name each fault of a document, of whose members `known` are users."""
    yield from _address_faults(document.users)
    for kind in ENTRIES:
        items: tuple[_User | _Team, ...] = getattr(document, kind)
        ids = Counter(item.id for item in items)
        for i, item in enumerate(items):
            if ids[item.id] > 1:
                yield f"{kind}[{i}].id: {item.id} is there twice"
            if isinstance(item.name, str) and not is_printable(item.name):
                yield f"{kind}[{i}].name: has control characters"
            for member in getattr(item, "members", ()) or ():
                if member not in known:
                    yield f"{kind}[{i}].members: {member} is no user of the account"


def _address_faults(users: tuple[_User, ...]) -> Iterator[str]:
    emails = Counter(user.email.casefold() for user in users if isinstance(user.email, str))
    for i, user in enumerate(users):
        if isinstance(user.email, str):
            if fault := address_fault(user.email):
                yield f"users[{i}].email: {fault}"
            if emails[user.email.casefold()] > 1:
                yield f"users[{i}].email: {user.email!r} is given to several users"


def _remove_missing(
    change: Change, known: Iterable[User | Inbox | Team], given: tuple[_User | _Team, ...]
) -> None:
    kept = {item.id for item in given}
    for item in list(known):
        if item.id not in kept:
            change.remove(item)


def _user(known: User | None, item: _User) -> User:
    known = known or User(item.id)
    return msgspec.structs.replace(
        known,
        email=_or(item.email, known.email),
        name=_or(item.name, known.name),
        role=_or(item.role, known.role),
        confirmed=_or(item.confirmed, known.confirmed),
        permissions=_or(item.permissions, known.permissions),
    )


def _or(given: T | UnsetType, known: T) -> T:
    return known if isinstance(given, UnsetType) else given


def _members(item: _Team) -> tuple[int, ...] | None:
    return None if isinstance(item.members, UnsetType) else _in_order(item.members)


def _in_order(members: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if members is None else tuple(sorted(set(members)))


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


_decode = msgspec.json.Decoder(_Body, strict=False).decode


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
    shown = printable(name or "", by="")
    return (email if email and email.isprintable() and "@" in email else None, shown)
