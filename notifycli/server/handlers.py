"""What the API answers, one function an operation: from the store, for one caller.

Each may be called with any store that is open in its thread; those that write run in the one
thread that writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from notifycli.chatwoot.preference_sync import (
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
from notifycli.rules.directory import Directory, Inbox, Team, User
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import NO_WISH, TokenOwner, TokenService
from notifycli.server import schemas
from notifycli.server.middleware import HTTPError
from notifycli.store import Store
from notifycli.store.subscriptions import Subscription
from notifycli.store.tokens import Token
from notifycli.store.transaction import Change, Entry, Target

NO_RIGHT = "You are not authorized to do this action"
_SUBSCRIPTIONS = "serve notification_subscriptions"
NOT_FOUND = "Resource could not be found"


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
