"""Who of an account wants what: found once, so that an event costs nothing where nobody does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from notifycli.rules.decision import Outcome, Reason, Verdict
from notifycli.rules.directory import Directory
from notifycli.rules.ladder import certain
from notifycli.rules.notifications import SWITCHED_CHANNELS, TYPES, Channel, NotificationType
from notifycli.rules.preferences import Layer
from notifycli.rules.settings import Preferences, Settings, SettingsBook

_OFF = ("off", "none")
_KEYS = {
    "audio": NotificationType.NEW_MESSAGE,
    **{f"{channel}.{row.type}": row.type for channel in SWITCHED_CHANNELS for row in TYPES},
}


class Wish(NamedTuple):
    """A user for whom a type is switched on, on one channel or on both."""

    user: int
    settings: Settings
    verdicts: tuple[Verdict, ...]
    """What is decided if nothing stands in the way: one a channel, in their order."""


class Wishes(NamedTuple):
    """The wishes for one type of those whom an event may concern."""

    all: tuple[Wish, ...] = ()
    certain: tuple[Verdict, ...] | None = None
    """The verdicts of all, if nothing but the event itself can stand in their way."""


class Wanting:
    """The wishes of an account's users."""

    def __init__(
        self, directory: Directory, preferences: Preferences, settings: SettingsBook
    ) -> None:
        self._directory = directory
        self._settings = settings
        self.types = frozenset(_switched_on_somewhere(preferences))
        """Those that anybody has switched on, in any inbox."""
        self._places = directory.known_inboxes.union(inbox for _, inbox in preferences.inbox)
        self._audiences: dict[tuple[NotificationType, int | None], Wishes] = {}
        self._verdicts: dict[tuple[int, NotificationType, Channel, Layer], Verdict] = {}

    def place(self, inbox: int | None) -> int | None:
        """Give the inbox; `None` for one of which nothing is on record: they are all alike."""
        return inbox if inbox in self._places else None

    def of(
        self, type_: NotificationType, users: Iterable[int], inbox: int | None, *, audience: bool
    ) -> Wishes:
        """Give the wishes of users for a type in an inbox.

        `audience` says that they are all whom the type concerns there. Their wishes are found
        once: what is kept grows with the inboxes on record.
        """
        if not audience:
            return Wishes(tuple(self._wishes(type_, users, inbox)))
        key = type_, self.place(inbox)
        if key not in self._audiences:
            wishes = tuple(self._wishes(type_, users, inbox))
            sure = all(certain(type_, wish.settings) for wish in wishes)
            verdicts = tuple(verdict for wish in wishes for verdict in wish.verdicts)
            self._audiences[key] = Wishes(wishes, verdicts if sure else None)
        return self._audiences[key]

    def _wishes(
        self, type_: NotificationType, users: Iterable[int], inbox: int | None
    ) -> Iterator[Wish]:
        for user in users:
            settings = self._settings.of(user, inbox)
            if on := settings.switched_on[type_]:
                verdicts = (self._verdict(user, type_, channel, origin) for channel, origin in on)
                yield Wish(user, settings, tuple(verdicts))

    def _verdict(
        self, user: int, type_: NotificationType, channel: Channel, origin: Layer
    ) -> Verdict:
        key = user, type_, channel, origin
        if key not in self._verdicts:
            known = self._directory.users.get(user)
            self._verdicts[key] = Verdict(
                user,
                None if known is None else known.email,
                type_,
                channel,
                Outcome.FIRE,
                Reason.ENABLED,
                origin,
                None if known is None else known.reachable(channel),
            )
        return self._verdicts[key]


def _switched_on_somewhere(preferences: Preferences) -> Iterator[NotificationType]:
    own = {
        key
        for values in (*preferences.user.values(), *preferences.inbox.values())
        for key, value in values.items()
        if value not in _OFF
    }
    for key, type_ in _KEYS.items():
        value, origin = preferences.resolve(key, None)
        if value not in _OFF or (key in own and origin is not Layer.LOCK):
            yield type_
