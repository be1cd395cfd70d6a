"""Who of an account has what switched on: found once, so that an event costs nothing elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import NamedTuple

from notifycli.rules.decision import Outcome, Reason, RecipientFields
from notifycli.rules.directory import Directory, User
from notifycli.rules.ladder import channels_of
from notifycli.rules.layers import Preferences, Settings, SettingsBook
from notifycli.rules.notifications import (
    NEW_MESSAGE_TYPES,
    SWITCHED_CHANNELS,
    TYPES,
    Channel,
    NotificationType,
)
from notifycli.rules.preferences import Layer
from notifycli.rules.profile import Profile

_MENTION = NotificationType.MENTION
_OFF = ("off", "none")
_KEYS = {
    "audio": NotificationType.NEW_MESSAGE,
    **{f"{channel}.{row.type}": row.type for channel in SWITCHED_CHANNELS for row in TYPES},
}


class Recipients:
    """What a decision says of a user, made once: there are as many as users, types and reasons."""

    def __init__(self, directory: Directory, profile: Profile) -> None:
        self._users = directory.users
        self._confirmed_gate = profile.confirmed_gate
        self._known: dict[tuple[object, ...], RecipientFields] = {}
        self._on_all: dict[tuple[int, NotificationType, Reason], tuple[RecipientFields, ...]] = {}
        self.held: set[RecipientFields] = set()
        """Those that are switched on, and don't fire."""

    def of(
        self,
        user: int,
        type_: NotificationType,
        channel: Channel,
        reason: Reason,
        origin: Layer | None,
        *,
        on: bool,
    ) -> RecipientFields:
        """Give what a decision says; `on` tells whether the type is switched on."""
        key = user, type_, channel, reason, origin, on
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._made(user, type_, channel, reason, origin)
            if on and reason is not Reason.ENABLED:
                self.held.add(found)
        return found

    def _made(
        self,
        user: int,
        type_: NotificationType,
        channel: Channel,
        reason: Reason,
        origin: Layer | None,
    ) -> RecipientFields:
        known, fires = self._users.get(user), reason is Reason.ENABLED
        return RecipientFields(
            user,
            None if known is None else known.email,
            type_,
            channel,
            Outcome.FIRE if fires else Outcome.SUPPRESS,
            reason,
            origin,
            self._deliverable(known, channel) if fires and known is not None else None,
        )

    def _deliverable(self, user: User, channel: Channel) -> bool:
        if channel is Channel.EMAIL and not self._confirmed_gate:
            return bool(user.email)
        return user.reachable(channel)


class Enabled(NamedTuple):
    """A user for whom a type is switched on, on one channel or on both."""

    user: int
    settings: Settings
    decided: tuple[RecipientFields, ...]
    """What is decided if nothing stands in the way: one a channel, in their order."""


class EnabledIndex:
    """Who of an account's users has which type switched on."""

    def __init__(
        self,
        directory: Directory,
        preferences: Preferences,
        settings: SettingsBook,
        recipients: Recipients,
        profile: Profile,
    ) -> None:
        self._settings = settings
        self._recipients = recipients
        self._found: dict[tuple[object, ...], tuple[RecipientFields, ...]] = {}
        """What is decided of a user on all channels: for each place on record and reason."""
        self._wanting = _wanting(preferences)
        """Whoever has a type switched on somewhere; `None` for everybody."""
        if profile.one_row:  # What one of these comes to decides about the next.
            self._wanting.update(_together(self._wanting, (_MENTION, *NEW_MESSAGE_TYPES)))
        self._places = directory.known_inboxes.union(inbox for _, inbox in preferences.inbox)

    def place(self, inbox: int | None) -> int | None:
        """Give the inbox; `None` for one of which nothing is on record: they are all alike."""
        return inbox if inbox in self._places else None

    def wanting(self, type_: NotificationType, users: Collection[int]) -> Collection[int]:
        """Return those of the users who may have a type switched on, in their order.

        Of all the others it is sure that they have it switched off, in every inbox.
        """
        wanting = self._wanting[type_]
        if wanting is None:
            return users
        return () if wanting.isdisjoint(users) else [user for user in users if user in wanting]

    def of(
        self, type_: NotificationType, users: Collection[int], inbox: int | None
    ) -> list[Enabled]:
        """Return the users who have a type switched on in an inbox."""
        each = ((user, self._settings.of(user, inbox)) for user in self.wanting(type_, users))
        return [
            Enabled(user, settings, self.unhindered(type_, user, inbox))
            for user, settings in each
            if settings.switched_on[type_]
        ]

    def unhindered(
        self, type_: NotificationType, user: int, inbox: int | None
    ) -> tuple[RecipientFields, ...]:
        """Give what is decided of a user where only the preferences speak, one a channel."""
        key = type_, user, inbox if inbox in self._places else None, None
        found = self._found.get(key)
        if found is None:
            settings = self._settings.of(user, inbox)
            found = self._found[key] = self._unhindered(type_, user, settings)
        return found

    def _unhindered(
        self, type_: NotificationType, user: int, settings: Settings
    ) -> tuple[RecipientFields, ...]:
        on, of = dict(settings.switched_on[type_]), self._recipients.of
        return tuple(
            of(user, type_, channel, Reason.ENABLED, on[channel], on=True)
            if channel in on
            else of(
                user, type_, channel, Reason.DISABLED, _origin(settings, channel, type_), on=False
            )
            for channel in channels_of(type_)
        )

    def hindered(
        self, type_: NotificationType, user: int, inbox: int | None, reason: Reason
    ) -> tuple[RecipientFields, ...]:
        """Give what is decided of a user for a reason that no preference has a part in."""
        key = type_, user, inbox if inbox in self._places else None, reason
        found = self._found.get(key)
        if found is None:
            of, on = self._recipients.of, dict(self._settings.of(user, inbox).switched_on[type_])
            found = self._found[key] = tuple(
                of(user, type_, c, reason, None, on=c in on) for c in channels_of(type_)
            )
        return found

    def not_covered(self, user: int, inbox: int | None) -> tuple[RecipientFields, ...]:
        """Give what is decided of a user whose choice of sounds leaves the conversation out."""
        type_, audio = NotificationType.NEW_MESSAGE, self._settings.of(user, inbox).audio
        why = Reason.NOT_ASSIGNED if audio.value else Reason.DISABLED
        of = self._recipients.of
        return (of(user, type_, Channel.AUDIO, why, audio.origin, on=bool(audio.value)),)


def _origin(settings: Settings, channel: Channel, type_: NotificationType) -> Layer:
    if channel is Channel.AUDIO:
        return settings.audio.origin
    return settings.enabled[channel, type_].origin


def _wanting(preferences: Preferences) -> dict[NotificationType, frozenset[int] | None]:
    """Return who may have each type switched on somewhere; `None` for everybody."""
    found: dict[NotificationType, set[int]] = {type_: set() for type_ in _KEYS.values()}
    inboxes = ((user, values) for (user, _), values in preferences.inbox.items())
    for user, values in chain(preferences.user.items(), inboxes):
        for key, value in values.items():
            if value not in _OFF and key in _KEYS and key not in preferences.lock:
                found[_KEYS[key]].add(user)
    for_all = {
        type_ for key, type_ in _KEYS.items() if preferences.resolve(key, None).value not in _OFF
    }
    return {type_: None if type_ in for_all else frozenset(found[type_]) for type_ in found}


def _together(
    wanting: Mapping[NotificationType, frozenset[int] | None], types: Iterable[NotificationType]
) -> dict[NotificationType, frozenset[int] | None]:
    """Return the same for whoever has any of the types switched on."""
    each = [wanting[type_] for type_ in types]
    some = [users for users in each if users is not None]
    return dict.fromkeys(types, frozenset().union(*some) if len(some) == len(each) else None)
