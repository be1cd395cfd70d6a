"""The remote end of the command line: an account as a whole, for its administrators.

What is asked for may be large, so it is read in a thread of its own, and cut where it is too much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

import msgspec

from notifycli.errors import DataError, UsageError
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import LARGEST_ID
from notifycli.replay.sources import BadLines, Inputs, read_records
from notifycli.rules.directory import Inbox, Team, User, address_fault
from notifycli.rules.notifications import added_switch
from notifycli.rules.preferences import (
    KEYS,
    InvalidPreferenceError,
    Layer,
    read_timed_value,
    read_value,
)
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.token_service import TokenService
from notifycli.server.handlers import Call
from notifycli.server.journal import files_of
from notifycli.server.middleware import HTTPError
from notifycli.store import Store, remote_format
from notifycli.store.outbox import NoticeState, Scope
from notifycli.store.settings import Origin
from notifycli.store.staged_values import conversation_of, inbox_of
from notifycli.store.transaction import Change, Entry, Kind, Target

Group = TypeVar("Group", Inbox, Team)
MOST_CHANGED_VALUES = 100_000
MOST_NOTICES = 20_000
MOST_EVENT_BYTES = 16 << 20
"""How much is answered."""
MOST_READ_BYTES = 256 << 20
"""How much of the journal is looked through for it: some seconds' work."""
MOST_READ_EVENTS = 200_000
_LAYERS = [layer for layer in Layer if layer is not Layer.BUILTIN]


def show_account(store: Store, call: Call) -> remote_format.AccountCopy:
    """Answer the account as it is."""
    with store.comparing():  # all of one moment
        name = next(one.name for one in store.accounts() if one.id == call.account)
        presets = [one.name for one in store.presets.all() if not one.builtin]
        settings = {
            key: store.configuration.value(key, {}) for key in remote_format.SHARED_SETTINGS
        }
        seen = store.chatwoot.sightings(call.account)
        return remote_format.AccountCopy(
            id=call.account,
            name=name,
            revision=store.history.revision(call.account),
            users=[*store.directory(call.account).users.values()],
            inboxes=store.inboxes(call.account),
            teams=store.teams(call.account),
            preferences=[*_values(store, call.account)],
            presets={name: dict(store.presets.values(name)) for name in presets},
            settings={
                key: one.value
                for key, one in settings.items()
                if one.value is not None and one.origin is Origin.STORE
            },
            chatwoot=store.chatwoot.of(call.account),
            seen={user: text.decode() for user, text in seen.items()},
            tones=store.tones.names(),
        )


def _values(store: Store, account: int) -> Iterator[remote_format.Value]:
    ids = store.user_references(account)
    for layer, user, scope, key, value in store.document_values(account, _LAYERS):
        whose = ids[user] if user else None
        place = inbox_of(scope), conversation_of(scope)
        yield remote_format.Value(layer, key, value, whose, *place)


def list_changes(store: Store, call: Call) -> remote_format.Past:
    """Answer what was changed in the account."""
    return store.history.past(call.account, MOST_CHANGED_VALUES)


def list_notices(store: Store, call: Call) -> remote_format.Notices:
    """Answer what the outbox has of the account."""
    scope = Scope(account=call.account)
    found = [one for state in NoticeState for one in store.outbox.in_state(state, scope)]
    found.sort(key=lambda one: one.id)
    return remote_format.Notices(found[-MOST_NOTICES:], complete=len(found) <= MOST_NOTICES)


def list_events(store: Store, call: Call) -> remote_format.Events:
    """Answer what was received of the account, or of one of its conversations."""
    kept: deque[bytes] = deque()
    size = 0
    bodies, complete = _list_received(store, call)
    for text in _select(bodies, store, call):
        kept.append(text)
        size += len(text)
        while size > MOST_EVENT_BYTES:
            size -= len(kept.popleft())
            complete = False
    return remote_format.Events([msgspec.Raw(text) for text in kept], complete)


def _list_received(store: Store, call: Call) -> tuple[Iterable[bytes], bool]:
    """Return the newest bodies of the store's own log and of the journal; and whether all."""
    logged: list[str] = []
    if store.location.file is None:
        logged = store.received.newest(call.account, MOST_READ_EVENTS)
    files: list[str] = []
    left = MOST_READ_BYTES
    there = [] if call.journal is None else files_of(call.journal)
    for path in reversed(there):
        left -= path.stat().st_size
        if left < 0:
            break
        files.insert(0, str(path))
    inputs = Inputs(tuple(files), lambda: -1)
    records = read_records(inputs, BadLines(lambda _: None)) if files else iter(())
    bodies = chain((body.encode() for body in logged), (text for _, _, text in records))
    return bodies, len(logged) < MOST_READ_EVENTS and len(files) == len(there)


def _select(bodies: Iterable[bytes], store: Store, call: Call) -> Iterator[bytes]:
    """Return those that are of the account and, where one is asked for, of the conversation.

    Who is there belongs to no conversation, and is told with each.
    """
    conversation = call.path.get("conversation_id")
    only = len(store.accounts()) == 1
    for body in bodies:
        try:
            event = decode_event(body, 0)
        except EventError:
            continue
        of_account = only if event.account is None else event.account == call.account
        if of_account and (conversation is None or event.conversation in (None, conversation)):
            yield body


def change_account(store: Store, call: Call) -> remote_format.Changed:
    """Change the account as a command did elsewhere, if it is still the same."""
    wanted: remote_format.ChangeSet = call.body
    if not wanted.command.isprintable():
        raise HTTPError(422, "the command has control characters")
    try:
        with store.change(call.account, wanted.command, call.who) as change:
            if store.history.revision(call.account) != wanted.revision:
                raise HTTPError(409, "the account was changed since that revision")
            for step in wanted.steps:
                _take(store, change, step)
    except UsageError as error:
        raise HTTPError(422, error.message) from None
    _forget_leftovers(store, call)
    return remote_format.Changed(
        revision=store.history.revision(call.account),
        change=change.id if change else None,
        tokens=change.ended_tokens,
    )


def _take(store: Store, change: Change, step: remote_format.Step) -> None:
    """Do one step. Raises `DataError` for what can't be, and the errors of `Change`."""
    match step:
        case remote_format.SetValues(values):
            change.set([_entry(change, value) for value in values], again=True)
        case remote_format.NameAccount(name):
            change.name_account(_name(name))
        case remote_format.PutUsers(users):
            change.put_users([_check_user(user) for user in users])
        case remote_format.SettleIds(ids, certain):
            change.settle_ids(ids, certain=certain)
        case remote_format.GiveId(user_id, id_):
            change.give_id(_user(change, user_id), id_)
        case remote_format.PutInbox(inbox):
            change.put_inbox(_check_group(change, inbox))
        case remote_format.PutTeam(team):
            change.put_team(_check_group(change, team))
        case remote_format.Remove(kind, id_):
            _remove(change, kind, id_)
        case remote_format.RestoreRows(past):
            change.restore_rows(store.history.directory_change(change.account, past).id)


def _entry(change: Change, value: remote_format.Value) -> Entry:
    layer, named = value.layer, (value.user_id, value.inbox_id, value.conversation_id)
    if (layer, *(one is not None for one in named)) not in _PLACES:
        raise DataError(f"{value.key}: there is no such place in layer {layer}")
    if value.key not in KEYS and added_switch(value.key) is None:
        raise DataError(f"there is no preference {value.key!r}")
    if value.value is not None:
        if value.user_id is not None:
            _user(change, value.user_id)
        read_any = read_value if value.conversation_id is None else read_timed_value
        try:
            read = read_any(value.key, value.value)
        except InvalidPreferenceError as error:
            raise DataError(str(error)) from None
        if read != value.value:
            raise DataError(f"{value.key}: {value.value!r} is written {read!r}")
    return Entry(Target(layer, *named), value.key, value.value)


_PLACES = {
    (Layer.LOCK, False, False, False),
    (Layer.DEFAULT, False, False, False),
    (Layer.USER, True, False, False),
    (Layer.INBOX, True, True, False),
    (Layer.CONVERSATION, True, False, True),
}


def _user(change: Change, id_: int) -> User:
    found = change.item("user", id_)
    if not isinstance(found, User):
        raise DataError(f"account {change.account} has no user {id_}")
    return found


def _check_user(user: User) -> User:
    fault = "" if user.email is None else address_fault(user.email)
    if fault:
        raise DataError(f"user {user.id}: {fault}")
    _check_id(user.id)
    _name(user.name)
    if any(not word.isidentifier() for word in user.permissions or ()):
        raise DataError(f"user {user.id}: a permission is a word")
    return user


def _check_group(change: Change, group: Group) -> Group:
    _check_id(group.id)
    _name(group.name)
    for member in group.members or ():
        _user(change, member)
    return group


def _check_id(id_: int) -> None:
    if not 1 <= id_ <= LARGEST_ID:
        raise DataError(f"{id_} is no id")


def _name(name: str) -> str:
    if not name.isprintable():
        raise DataError("a name has control characters")
    return name


def _remove(change: Change, kind: Kind, id_: int) -> None:
    found = None if kind == "account" else change.item(kind, id_)
    if found is None:
        raise DataError(f"account {change.account} has no {kind} {id_}")
    change.remove(found)


def _forget_leftovers(store: Store, call: Call) -> None:
    """Delete the secrets of tokens that went with their users, or leave them to `doctor`."""
    names = store.tokens.leftovers()
    keychain = open_keychain(beside=store.location) if names else None
    if keychain is not None and not keychain.asks:
        service = TokenService(store, keychain, call.body.command, call.who, lambda: call.now)
        service.forget(names)
