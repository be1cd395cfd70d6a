"""What the API answers, one function an operation: from the store, for one caller.

Each may be called with any store that is open in its thread; those that write run in the one
thread that writes. First come Chatwoot's operations, then those for the remote end of the command
line: an account as a whole, for its administrators. What these are asked for may be large, so it is
read in a thread of its own, and cut where it is too much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from notifycli.chatwoot.preference_mapping import (
    FLAGS,
    UI_SETTINGS,
    NotificationSettings,
    selected_flags,
    sounds,
    switches,
    ui_settings,
    unknown_flags,
)
from notifycli.errors import DataError, NotPermittedError, UsageError
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import LARGEST_ID
from notifycli.replay.sources import BadLines, Inputs, read_records
from notifycli.rules.directory import Directory, Inbox, Team, User, address_fault
from notifycli.rules.notifications import Channel, added_switch
from notifycli.rules.preferences import (
    KEYS,
    InvalidPreferenceError,
    Layer,
    read_timed_value,
    read_value,
)
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import NO_WISH, TokenOwner, TokenService
from notifycli.server import schemas
from notifycli.server.journal import files_of
from notifycli.server.middleware import HTTPError
from notifycli.store import remote_format
from notifycli.store.outbox import NoticeState, Scope
from notifycli.store.settings import Origin
from notifycli.store.staged_values import conversation_of, inbox_of
from notifycli.store.store import Store
from notifycli.store.subscriptions import Subscription
from notifycli.store.tokens import Token
from notifycli.store.transaction import Change, Entry, Kind, Target
from notifycli.text import is_printable

NO_RIGHT = "You are not authorized to do this action"
_SUBSCRIPTIONS = "serve notification_subscriptions"
NOT_FOUND = "Resource could not be found"
Group = TypeVar("Group", Inbox, Team)
MOST_CHANGED_VALUES = 100_000
MOST_NOTICES = 20_000
MOST_EVENT_BYTES = 16 << 20
"""How much is answered."""
MOST_READ_BYTES = 256 << 20
"""How much of the journal is looked through for it: some seconds' work."""
MOST_READ_EVENTS = 200_000
_LAYERS = [layer for layer in Layer if layer is not Layer.BUILTIN]


class Call(Struct, frozen=True):
    """One request: who asks, for whom, with what."""

    token: Token
    secret: Secret
    caller: User
    path: dict[str, int]
    now: int
    body: Any = None
    """As the operation takes it."""
    user_id: int | None = None
    """Whose settings are meant, where that is said."""
    journal: Path | None = None
    """Where events are kept that `listen` receives."""

    @property
    def account(self) -> int:
        """The account of the token: a caller knows no other."""
        return self.token.account_id

    @property
    def who(self) -> str:
        """What the history says of who made a change."""
        return self.caller.email or f"user {self.caller.id}"

    def whose(self, store: Store) -> User:
        """Return whose settings are meant. Raises `HTTPError` unless the caller may see them."""
        if self.user_id is None or self.user_id == self.caller.id:
            return self.caller
        if self.caller.role != "administrator":
            raise HTTPError(401, NO_RIGHT)
        user = store.user(self.account, self.user_id)
        if user is None:
            raise HTTPError(404, NOT_FOUND)
        return user


def show_profile(store: Store, call: Call) -> schemas.UserProfile:
    """Answer a user with their dashboard's settings."""
    user = call.whose(store)
    own = user.id == call.caller.id
    return _profile(store, call.account, user, call.secret.reveal() if own else None)


def update_profile(store: Store, call: Call) -> schemas.UserProfile:
    """Put these `ui_settings` in the place of all that were there."""
    user = call.whose(store)
    wanted = call.body.profile.ui_settings
    if wanted is not msgspec.UNSET:
        try:
            sound = sounds(wanted)
        except ValueError as error:
            raise HTTPError(422, str(error)) from None
        others = {
            name: msgspec.json.encode(value).decode()
            for name, value in wanted.items()
            if name not in UI_SETTINGS
        }
        with store.change(call.account, "serve profile", call.who) as change:
            _set(store, change, call.account, user, _sound_values(store, call, user, sound))
            store.ui_settings.replace(call.account, user.id, others)
    return show_profile(store, call)


def _sound_values(
    store: Store, call: Call, user: User, sound: dict[str, str]
) -> dict[str, str | None]:
    """Return the values to set: what is left out is unset, unless a lock hides it anyway."""
    locked = store.preferences_of(call.account, None).lock
    own = store.preferences_of(call.account, user.id).user.get(user.id, {})
    keys = [setting.key for setting in UI_SETTINGS.values()]
    left_out = [key for key in keys if key not in sound and key in own and key not in locked]
    return {**sound, **dict.fromkeys(left_out)}


def show_settings(store: Store, call: Call) -> NotificationSettings:
    """Answer which e-mails and pushes a user gets."""
    user = call.whose(store)
    preferences = store.preferences_of(call.account, user.id)

    def is_on(key: str) -> bool:
        return preferences.resolve(key, user.id).value == "on"

    return NotificationSettings(
        id=user.id,
        user_id=user.id,
        account_id=call.account,
        all_email_flags=[*FLAGS[Channel.EMAIL]],
        selected_email_flags=selected_flags(Channel.EMAIL, is_on),
        all_push_flags=[*FLAGS[Channel.PUSH]],
        selected_push_flags=selected_flags(Channel.PUSH, is_on),
    )


def update_settings(store: Store, call: Call) -> NotificationSettings:
    """Put these flags in the place of all that were there; a list left out is empty."""
    user = call.whose(store)
    wish: schemas.FlagsWish = call.body.notification_settings
    values: dict[str, str | None] = {}
    for channel, selected in (
        (Channel.EMAIL, wish.selected_email_flags or []),
        (Channel.PUSH, wish.selected_push_flags or []),
    ):
        if unknown := unknown_flags(channel, selected):
            raise HTTPError(422, f"there is no {channel} flag {unknown[0]!r}")
        values.update(switches(channel, selected))
    with store.change(call.account, "serve notification_settings", call.who) as change:
        _set(store, change, call.account, user, values)
    return show_settings(store, call)


def _set(
    store: Store, change: Change, account: int, user: User, values: dict[str, str | None]
) -> None:
    """Set what differs from what the user gets already, so that what is inherited stays so."""
    preferences = store.preferences_of(account, user.id)
    target = Target(Layer.USER, user.id)
    try:
        change.set(
            Entry(target, key, value)
            for key, value in values.items()
            if preferences.resolve(key, user.id).value != value
        )
    except NotPermittedError as error:
        raise HTTPError(403, error.message) from None


def reset_token(store: Store, call: Call) -> schemas.UserProfile:
    """Replace the token with which was asked; the answer has the new one."""
    keychain = open_keychain(beside=store.location)
    if keychain.asks:
        raise HTTPError(503, "the keyring asks for a passphrase, and nobody is here to type it")
    life = TokenService(store, keychain, "serve reset_access_token", call.who, lambda: call.now)
    owner = TokenOwner(call.account, call.caller, call.token.name)
    try:
        made = life.rotate(owner, 0, NO_WISH)
    except UsageError as error:
        raise HTTPError(422, error.message) from None
    return _profile(store, call.account, call.caller, life.reveal(made.token).reveal())


def list_agents(store: Store, call: Call) -> list[schemas.Agent]:
    """Answer the account's users."""
    return [schemas.agent(call.account, user) for user in store.users(call.account)]


def list_inboxes(store: Store, call: Call) -> schemas.Inboxes:
    """Answer the inboxes that the caller can see."""
    directory = store.directory(call.account)
    return schemas.Inboxes(
        [
            schemas.inbox(item)
            for item in store.inboxes(call.account)
            if directory.can_see(call.caller.id, item.id, None)
        ]
    )


def show_inbox(store: Store, call: Call) -> schemas.InboxShape:
    """Answer one inbox."""
    return schemas.inbox(_inbox(store, call))


def list_inbox_members(store: Store, call: Call) -> schemas.Members:
    """Answer an inbox's members: everybody, as the rules have it, while they aren't on record."""
    directory = store.directory(call.account)
    members = directory.recipients(_inbox(store, call).id)
    return schemas.Members(_agents(call.account, directory, members))


def _inbox(store: Store, call: Call) -> Inbox:
    """Return the inbox of the path. Raises `HTTPError` unless it is there for the caller."""
    number = call.path["inbox_id"]
    for item in store.inboxes(call.account):
        if item.id == number:
            if not store.directory(call.account).can_see(call.caller.id, number, None):
                raise HTTPError(401, NO_RIGHT)
            return item
    raise HTTPError(404, NOT_FOUND)


def list_teams(store: Store, call: Call) -> list[schemas.TeamShape]:
    """Answer the teams."""
    teams = store.teams(call.account)
    return [schemas.team(call.account, item, call.caller) for item in teams]


def show_team(store: Store, call: Call) -> schemas.TeamShape:
    """Answer one team."""
    return schemas.team(call.account, _team(store, call), call.caller)


def list_team_members(store: Store, call: Call) -> list[schemas.Agent]:
    """Answer a team's members."""
    return _agents(call.account, store.directory(call.account), _team(store, call).members)


def _team(store: Store, call: Call) -> Team:
    for item in store.teams(call.account):
        if item.id == call.path["team_id"]:
            return item
    raise HTTPError(404, NOT_FOUND)


def _agents(account: int, directory: Directory, ids: tuple[int, ...]) -> list[schemas.Agent]:
    return [schemas.agent(account, directory.users[id_]) for id_ in ids if id_ in directory.users]


def _profile(store: Store, account: int, user: User, token: str | None) -> schemas.UserProfile:
    preferences = store.preferences_of(account, user.id)
    others = store.ui_settings.of(account, user.id)
    ours = ui_settings(lambda key: preferences.resolve(key, user.id).value)
    name = next((item.name for item in store.accounts() if item.id == account), "")
    return schemas.UserProfile(
        access_token=token,
        account_id=account,
        accounts=[schemas.ProfileAccount(account, name, user.role, [user.role])],
        available_name=user.name,
        display_name=user.name,
        email=user.email,
        id=user.id,
        name=user.name,
        role=user.role,
        ui_settings={**{name: msgspec.Raw(value) for name, value in others.items()}, **ours},
        uid=user.email,
    )


def subscribe(store: Store, call: Call) -> schemas.KeptSubscription:
    """Subscribe a browser of the caller's, or renew its subscription."""
    from notifycli.delivery.push_endpoint import read_subscription  # noqa: PLC0415 - this alone

    wanted: schemas.PushSubscription = call.body.notification_subscription
    given = wanted.subscription_attributes
    keys = {"p256dh": given.p256dh, "auth": given.auth}
    data = msgspec.json.encode({"endpoint": given.endpoint, "keys": keys})
    try:
        offer = read_subscription(data, "subscription_attributes")
    except DataError as error:
        raise HTTPError(422, error.message) from None
    pairs = store.subscriptions.push_keys()
    if not pairs:
        raise HTTPError(422, "there is no VAPID key yet that a browser could have subscribed with")
    subscription = Subscription(
        account_id=call.account,
        user_id=call.caller.id,
        key_id=pairs[0].id,
        endpoint=offer.endpoint,
        p256dh=offer.p256dh,
        auth=offer.auth,
        created_at=call.now,
        expires_at=offer.expires_at,
    )
    try:
        with store.change(call.account, _SUBSCRIPTIONS, call.who) as change:
            kept = change.subscriptions.put(subscription)
    except UsageError as error:  # there are too many
        raise HTTPError(422, error.message) from None
    return schemas.KeptSubscription(kept.id, call.caller.id, "browser_push", kept.endpoint, given)


def unsubscribe(store: Store, call: Call) -> schemas.Nothing:
    """End the caller's subscription with this endpoint; one that isn't there is no fault."""
    own = store.subscriptions.of_user(call.account, call.caller.id)
    gone = [item for item in own if item.endpoint == call.body.push_token]
    with store.change(call.account, _SUBSCRIPTIONS, call.who) as change:
        change.subscriptions.remove(gone)
    return schemas.Nothing()


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
            chatwoot=store.connection(call.account),
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
    """Answer what was received of the account."""
    return _list_events(store, call, None)


def list_conversation_events(store: Store, call: Call) -> remote_format.Events:
    """Answer what was received of one of its conversations."""
    return _list_events(store, call, call.path["conversation_id"])


def _list_events(store: Store, call: Call, conversation: int | None) -> remote_format.Events:
    kept: deque[bytes] = deque()
    size = 0
    bodies, complete = _list_received(store, call)
    for text in _select(bodies, store, call, conversation):
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


def _select(
    bodies: Iterable[bytes], store: Store, call: Call, conversation: int | None
) -> Iterator[bytes]:
    """Return those that are of the account and, where one is asked for, of the conversation.

    Who is there belongs to no conversation, and is told with each.
    """
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
        addresses=change.ended_addresses,
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
    if not is_printable(name):
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
