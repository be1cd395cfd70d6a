"""What a log never reached: types that are on, preferences that are set, and people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec import Struct

from notifycli.rules.counts import Insight, Kind, PlacedKey
from notifycli.rules.directory import User
from notifycli.rules.ladder import channels_of
from notifycli.rules.layers import Preferences, Values, as_read_by
from notifycli.rules.notifications import Channel, NotificationType, added_switch
from notifycli.rules.preferences import AUDIO_EVENTS, UNTIL, Layer
from notifycli.rules.replay import Account

_OFF = ("off", "none")
_OF_NO_DECISION = {
    *("audio.tone", "audio.repeat", "audio.volume", "participants_after_resolve"),
    *("waiting_after", "escalate_after", "business_hours"),
}
"""What decides about no notification: how it sounds, who takes part, and when it is time."""


class Unreached(Struct, frozen=True):
    """Something that no event came to; the fields that don't fit it are `None`."""

    what: str
    """`type`, `preference` or `user`."""
    account_id: int | None = None
    user_id: int | None = None
    email: str | None = None
    layer: Layer | None = None
    inbox_id: int | None = None
    conversation_id: int | None = None
    key: str | None = None
    """Of a preference; of a type `email.conversation_mention`, `audio.new_message`."""
    value: str | None = None


def unreached(
    accounts: Mapping[int, Account], insight: Insight, users: Mapping[tuple[int, int], User]
) -> list[Unreached]:
    """Return what was never reached, of what these accounts have; `users` are those looked at.

    Types that somebody has switched on and of which nothing fired, then values that decided
    nothing, then users to whom nothing fired.
    """
    read = {id_: as_read_by(one.profile, one.preferences) for id_, one in sorted(accounts.items())}
    fired = {(agent.account, agent.user) for agent, _, _ in insight.fired}
    return [
        *_types(read.values(), insight.by_kind()),
        *(one for id_, own in read.items() for one in _preferences(id_, own, insight, users)),
        *(
            Unreached("user", account, user, one.email)
            for (account, user), one in sorted(users.items())
            if (account, user) not in fired
        ),
    ]


def _types(accounts: Collection[Preferences], fired: Mapping[Kind, int]) -> Iterator[Unreached]:
    names = (key for preferences in accounts for key in preferences.set_keys())
    added = {switch[0] for key in names if (switch := added_switch(key))}
    for channel in (*Channel, *sorted(added)):
        for type_ in NotificationType:
            if not fired.get(Kind(channel, type_)):
                key, is_on = _switch(channel, type_)
                if key and any(_is_on(key, is_on, preferences) for preferences in accounts):
                    yield Unreached("type", key=f"{channel}.{type_}")


def _switch(channel: Channel, type_: NotificationType) -> tuple[str, Callable[[str], bool]]:
    """Return the key of a type's switch ("" if it has none), and which of its values are on."""
    shipped = type_ is not NotificationType.DIGEST and channel in channels_of(type_)
    if shipped or added_switch(f"{channel}.{type_}"):
        key = "audio" if channel is Channel.AUDIO else f"{channel}.{type_}"
        return key, lambda value: value not in _OFF
    sounding = (name for name, of in AUDIO_EVENTS.items() if of is type_)
    name = next(sounding, None) if channel is Channel.AUDIO else None
    return "audio.events" if name else "", lambda value: name in value.split("+")


def _is_on(key: str, is_on: Callable[[str], bool], preferences: Preferences) -> bool:
    """Whether anybody has a switch on anywhere."""
    if is_on(preferences.resolve(key, None).value):
        return True
    own = (values[key].partition(UNTIL)[0] for values in preferences.layers() if key in values)
    return key not in preferences.lock and any(map(is_on, own))


def _preferences(
    account: int,
    preferences: Preferences,
    insight: Insight,
    users: Mapping[tuple[int, int], User],
) -> Iterator[Unreached]:
    for place, values in _placed(account, preferences):
        known = None if place.user is None else users.get((account, place.user))
        if place.user is not None and known is None:
            continue
        for key, value in sorted(values.items()):
            if key not in _OF_NO_DECISION and place._replace(key=key) not in insight.reached:
                yield Unreached(
                    "preference",
                    account,
                    place.user,
                    None if known is None else known.email,
                    place.layer,
                    place.place if place.layer is Layer.INBOX else None,
                    place.place if place.layer is Layer.CONVERSATION else None,
                    key,
                    value,
                )


def _placed(account: int, preferences: Preferences) -> Iterable[tuple[PlacedKey, Values]]:
    yield PlacedKey(account, Layer.LOCK), preferences.lock
    yield PlacedKey(account, Layer.DEFAULT), preferences.default
    found = [
        *((PlacedKey(account, Layer.USER, u), own) for u, own in preferences.user.items()),
        *((PlacedKey(account, Layer.INBOX, *p), own) for p, own in preferences.inbox.items()),
        *(
            (PlacedKey(account, Layer.CONVERSATION, *place), own)
            for place, own in preferences.conversation.items()
        ),
    ]
    order = [Layer.USER, Layer.INBOX, Layer.CONVERSATION]
    yield from sorted(
        found, key=lambda o: (o[0].user or 0, order.index(o[0].layer), o[0].place or 0)
    )
