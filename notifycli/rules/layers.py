"""From layers to what one user wants: resolution, and its compact form for the rules.

Values that are not stored can be laid over those that are: what if others held?
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct, field

from notifycli.events.event import Event
from notifycli.events.timestamps import SECOND, parse_moment
from notifycli.rules.notifications import (
    BEYOND_CHATWOOT,
    SWITCHED_CHANNELS,
    TYPES,
    WAITING_TYPES,
    Channel,
    NotificationType,
    added_switch,
)
from notifycli.rules.preferences import AUDIO_EVENTS, BEYOND, KEYS, UNTIL, Layer
from notifycli.rules.profile import NOTIFYCLI, Profile
from notifycli.rules.quiet_hours import Duration, QuietHours

_SWITCHES = {
    f"{channel}.{row.type}": (channel, row.type) for channel in SWITCHED_CHANNELS for row in TYPES
}
_UNASSIGNED = NotificationType.UNASSIGNED_MESSAGE
_LEAVING = "participants_after_resolve"
_SOUNDING = "audio.events"
_LINKING = frozenset(f"{c}.{type_}" for c in SWITCHED_CHANNELS for type_ in WAITING_TYPES)
"""Keys with which an event of one conversation can decide about another, once anybody sets them."""
_AUDIO_ONLY = (Channel.AUDIO,)
T = TypeVar("T")
Values = Mapping[str, str]
"""Full key to value, as stored."""


class Resolved(NamedTuple, Generic[T]):
    """A value and the layer it comes from."""

    value: T
    origin: Layer


class Preferences(Struct):
    """All that is set in one account, layer by layer. Keys are full, values as stored."""

    lock: Values = field(default_factory=dict)
    inbox: Mapping[tuple[int, int], Values] = field(default_factory=dict)
    """By (user, inbox)."""
    user: Mapping[int, Values] = field(default_factory=dict)
    default: Values = field(default_factory=dict)
    builtin: Values = field(default_factory=dict)
    """What a server has built in otherwise than section 2 of the rules."""
    conversation: Mapping[tuple[int, int], Values] = field(default_factory=dict)
    """By (user, conversation); a value may end with the moment up to which it holds."""

    def resolve(
        self,
        key: str,
        user: int | None,
        inbox: int | None = None,
        conversation: int | None = None,
        at: int | None = None,
    ) -> Resolved[str]:
        """Give the effective value of a key; for user `None`, that of one with nothing set.

        `at` is the moment at which it is asked for in a conversation.
        """
        if (user, conversation) in self.conversation and key not in self.lock:
            here = self.in_conversation(user, conversation, at)
            if key in here:
                return Resolved(here[key], Layer.CONVERSATION)
        for layer, values in self._layers(user, inbox):
            if key in values:
                return Resolved(values[key], layer)
        return Resolved(self.builtin.get(key) or KEYS[key].builtin, Layer.BUILTIN)

    def own_keys(self, user: int | None, inbox: int | None) -> set[str]:
        """Return the keys that a user has set, everywhere or in an inbox."""
        if user is None:
            return set()
        here = {} if inbox is None else self.inbox.get((user, inbox), {})
        return {*self.user.get(user, {}), *here}

    def in_conversation(self, user: int | None, conversation: int | None, at: int | None) -> Values:
        """Return what a user has set for a conversation, as far as it holds at a moment.

        What holds up to a moment doesn't where no time is known.
        """
        found: dict[str, str] = {}
        if user is None or conversation is None:
            return found
        for key, value in self.conversation.get((user, conversation), {}).items():
            text, _, end = value.partition(UNTIL)
            if not end or (at is not None and at < parse_moment(end)):
                found[key] = text
        return found

    def ends(self, user: int, conversation: int, keys: Iterable[str]) -> list[int]:
        """Return the moments up to which values for a conversation hold, in their order."""
        here = self.conversation.get((user, conversation), {})
        found = (here.get(key, "").partition(UNTIL)[2] for key in keys)
        return sorted(parse_moment(end) for end in found if end)

    def layers(self) -> Iterator[Values]:
        """Return what is set in each layer, of all users and places."""
        yield from (self.lock, self.default)
        for of_layer in (self.user, self.inbox, self.conversation):
            yield from of_layer.values()

    def set_keys(self) -> frozenset[str]:
        """Return all keys that any layer sets."""
        return frozenset().union(*self.layers())

    def every_key(self) -> list[str]:
        """Return all keys that there are, those of added channels that any layer sets last."""
        return [*KEYS, *sorted(filter(added_switch, self.set_keys()))]

    def _layers(self, user: int | None, inbox: int | None) -> tuple[tuple[Layer, Values], ...]:
        own = {} if user is None else self.user.get(user, {})
        here = {} if user is None or inbox is None else self.inbox.get((user, inbox), {})
        return (
            (Layer.LOCK, self.lock),
            (Layer.INBOX, here),
            (Layer.USER, own),
            (Layer.DEFAULT, self.default),
        )


def switch_of(key: str) -> tuple[Channel, NotificationType] | None:
    """Return the channel and the type that a full key switches; `None` if it is no switch."""
    return _SWITCHES.get(key) or added_switch(key)


class Settings(Struct, frozen=True):
    """What one user wants (in one inbox), read once, each value with its origin."""

    enabled: Mapping[tuple[Channel, NotificationType], Resolved[bool]]
    switched_on: Mapping[NotificationType, tuple[tuple[Channel, Layer], ...]]
    """The channels on which a type is on, in their order, with the layer that says so."""
    added: Mapping[NotificationType, tuple[Channel, ...]]
    """The added channels on which a layer sets a type, in their order."""
    audio: Resolved[frozenset[str]]
    """The sets of conversations that sound: `assigned`, `unassigned`, `others`; none if empty.

    So it is, by their choice of events, where that leaves out messages.
    """
    leaves_out_messages: bool
    """Whether `audio.events` has emptied it."""
    audio_when: Resolved[str]
    mute: Resolved[bool]
    withholds: Resolved[bool]
    """Whether nothing is sent to one who is busy or offline."""
    quiet_held: Resolved[bool]
    """Whether what quiet hours withhold is held for a digest."""
    absence_held: bool
    """Whether what is withheld from one who is busy or offline is."""
    quiet_hours: Resolved[QuietHours | None]
    inactive_after: Resolved[int]
    """Microseconds."""
    connected_for: int
    """For how long it holds that a user is connected, in microseconds."""

    def channels(self, type_: NotificationType) -> tuple[Channel, ...]:
        """Return the channels on which a type is decided, in their order."""
        if type_ is NotificationType.NEW_MESSAGE:
            return _AUDIO_ONLY
        return (*SWITCHED_CHANNELS, *self.added.get(type_, ()))


_AUDIO_SETS = {"none": frozenset[str](), "all": frozenset({"assigned", "unassigned", "others"})}
_NOT_READ = frozenset({"not read"})
"""An audio value that a server doesn't know: it isn't none, and covers no conversation."""
_DING = "ding"
_CONNECTED_FOR = 40 * SECOND
_SERVERS_PRESENCE = "20s"


def as_read_by(profile: Profile, preferences: Preferences) -> Preferences:
    """Give the preferences as far as they have an effect in a profile."""
    if not profile.is_chatwoot:
        return preferences
    unassigned = (f"{channel}.{_UNASSIGNED}" for channel in SWITCHED_CHANNELS)
    gone = {"quiet_hours", *unassigned, *BEYOND, *filter(added_switch, preferences.set_keys())}
    return Preferences(
        _without(preferences.lock, gone),
        {},
        {user: _without(own, gone | {"inactive_after"}) for user, own in preferences.user.items()},
        _without(preferences.default, gone),
        {"inactive_after": _SERVERS_PRESENCE},
    )


def without_effect(profile: Profile, preferences: Preferences) -> list[str]:
    """Give the keys that are set, and that have no effect in a profile.

    Those of an inbox are named `inbox`, those of a conversation `conversation`.
    """
    if not profile.is_chatwoot:
        return []
    layers = (preferences.lock, preferences.default, *preferences.user.values())
    read = as_read_by(profile, preferences)
    kept = (read.lock, read.default, *read.user.values())
    gone = {key for own, left in zip(layers, kept, strict=True) for key in own.keys() - left.keys()}
    places = {"inbox": preferences.inbox, "conversation": preferences.conversation}
    return [*sorted(gone), *(name for name, of in places.items() if any(of.values()))]


def unheard(
    profile: Profile, preferences: Preferences, users: Iterable[int]
) -> Counter[tuple[str, str]]:
    """Count the users whose choice of sounds, or whose tone, a profile makes nothing of.

    By key and value: what is chosen is not what is heard. Who wants no sound misses none.
    """
    counted = Counter[tuple[str, str]]()
    for user in users:
        audio = preferences.resolve("audio", user).value
        if not _audio_sets(audio, profile):
            continue
        if _audio_sets(audio, profile) is _NOT_READ:
            counted["audio", audio] += 1
        tone = preferences.resolve("audio.tone", user).value
        if tone == _DING and not profile.audio_ding:
            counted["audio.tone", tone] += 1
    return counted


def _without(values: Values, keys: set[str]) -> Values:
    return {key: value for key, value in values.items() if key not in keys}


class SettingsBook:
    """The settings of an account's users, compiled when first asked for.

    Users who have set nothing themselves share one entry: everybody's.
    """

    def __init__(self, preferences: Preferences, profile: Profile = NOTIFYCLI) -> None:
        self._preferences = as_read_by(profile, preferences)
        self._profile = profile
        self._everybodys = read_settings(self._preferences, profile)
        self._compiled: dict[tuple[int | None, int | None], Settings] = {
            (None, None): self._everybodys
        }
        self._of_conversations: dict[tuple[object, ...], Settings] = {}
        self.beyond = _beyond_chatwoot(self._preferences)
        """The types which Chatwoot hasn't got that anybody has set."""
        self.sounds = any(_SOUNDING in values for values in self._preferences.layers())
        """Whether anybody has set what sounds."""
        self._leaving = any(_LEAVING in values for values in self._preferences.layers())
        self.apart: dict[int, set[int]] = {}
        """By conversation, the users who have set something for it."""
        for user, conversation in self._preferences.conversation:
            self.apart.setdefault(conversation, set()).add(user)
        self.holding = _holding(self._preferences)
        """Who may have something held for a digest; `None` for everybody."""

    def in_event(self, user: int, event: Event) -> Settings:
        """Give the settings of a user for an event: of its inbox, conversation and time."""
        return self.own(user, event) or self.of(user, event.inbox)

    def leave(self, users: Iterable[int], event: Event) -> set[int]:
        """Return who takes part no longer in the conversation, which an event shows resolved."""
        if not self._leaving:
            return set()
        place = event.inbox, event.conversation, event.at
        resolve = self._preferences.resolve
        return {user for user in users if resolve(_LEAVING, user, *place).value == "leave"}

    def has_set(
        self,
        type_: NotificationType,
        user: int,
        event: Event,
        channels: Collection[Channel] = (),
    ) -> bool:
        """Whether any layer sets a type for a user, on or off, where an event is: on any channel.

        Or on any of those that are named.
        """
        settings = self.in_event(user, event)
        enabled, channels = settings.enabled, channels or settings.channels(type_)
        return any(enabled[channel, type_].origin is not Layer.BUILTIN for channel in channels)

    def free_from(
        self, user: int, inbox: int | None, conversation: int, moment: int, *, away: bool
    ) -> int | None:
        """Return the first moment from this one on at which a user can be told of a conversation.

        Then neither their quiet hours hold there, nor are they away where that withholds it; `None`
        if there is no such moment.
        """
        place, preferences = (user, inbox, conversation), self._preferences
        ends = preferences.ends(user, conversation, ("quiet_hours", "when_unavailable"))
        for end in (*(end for end in ends if end > moment), None):
            if not (away and self.withheld(*place, moment)):
                hours = preferences.resolve("quiet_hours", *place, moment).value
                quiet = _quiet_hours(hours)
                free = moment if quiet is None else quiet.next_free(moment)
                if free is not None and (end is None or free < end):
                    return free
            moment = moment if end is None else end
        return None

    def withheld(self, user: int, inbox: int | None, conversation: int, at: int | None) -> bool:
        """Whether a user is told nothing of a conversation while they are busy or offline."""
        value = self._preferences.resolve("when_unavailable", user, inbox, conversation, at).value
        return value != "send"

    def muted(self, user: int, inbox: int | None, conversation: int, at: int | None) -> bool:
        """Whether a user has a conversation muted at a moment."""
        return self._preferences.resolve("mute", user, inbox, conversation, at).value == "on"

    def own(self, user: int, event: Event) -> Settings | None:
        """Give the settings of one who has set something for an event's conversation."""
        if event.conversation not in self.apart or user not in self.apart[event.conversation]:
            return None
        here = self._preferences.in_conversation(user, event.conversation, event.at)
        key = user, event.inbox, event.conversation, frozenset(here.items())
        found = self._of_conversations.get(key)
        if found is None:
            found = self._of_conversations[key] = read_settings(
                *(self._preferences, self._profile, user, event.inbox, self._everybodys), here=here
            )
        return found

    def of(self, user: int, inbox: int | None) -> Settings:
        """Give the settings of a user for events of an inbox (`None`: of no known inbox)."""
        here = inbox if inbox is not None and (user, inbox) in self._preferences.inbox else None
        owner = user if here is not None or user in self._preferences.user else None
        found = self._compiled.get((owner, here))
        if found is None:
            found = self._compiled[owner, here] = read_settings(
                self._preferences, self._profile, owner, here, self._everybodys
            )
        return found


def links_conversations(preferences: Preferences) -> bool:
    """Whether what is set lets one conversation matter to another, but for who is there.

    The conversations of such an account can't be replayed apart from each other.
    """
    # Also on a channel that another package adds.
    if not _beyond_chatwoot(preferences).isdisjoint(WAITING_TYPES):
        return True
    each = preferences.layers()
    return any(not _LINKING.isdisjoint(values) or _holds(values) for values in each)


def _beyond_chatwoot(preferences: Preferences) -> frozenset[NotificationType]:
    types = {switch[1] for key in preferences.set_keys() if (switch := switch_of(key))}
    return BEYOND_CHATWOOT.intersection(types)


_HELD = {"quiet_hours_then": "hold", "when_unavailable": "digest"}


def _holds(values: Values) -> bool:
    """Whether values may have something held for a digest."""
    return any(values.get(key, "").partition(UNTIL)[0] == held for key, held in _HELD.items())


def _holding(preferences: Preferences) -> frozenset[int] | None:
    """Return who may have something held for a digest; `None` for everybody."""
    if _holds(preferences.lock) or _holds(preferences.default):
        return None
    places = chain(preferences.inbox.items(), preferences.conversation.items())
    return frozenset(
        chain(
            (user for user, values in preferences.user.items() if _holds(values)),
            (user for (user, _), values in places if _holds(values)),
        )
    )


def read_settings(
    preferences: Preferences,
    profile: Profile,
    user: int | None = None,
    inbox: int | None = None,
    everybodys: Settings | None = None,
    *,
    here: Values | None = None,
) -> Settings:
    """Read what a user has set; the switches that they haven't touched are `everybodys`.

    `here` is what they have set for a conversation.
    """
    apart = {k: v for k, v in (here or {}).items() if k not in preferences.lock}
    resolved = _resolver(preferences, user, inbox, apart)
    audio, sounding, leaves_out_messages = _audio(resolved, profile)
    quiet, then, mute = map(resolved, ("quiet_hours", "quiet_hours_then", "mute"))
    inactive, unavailable = resolved("inactive_after"), resolved("when_unavailable")
    seconds = Duration.parse(inactive.value).microseconds
    own = preferences.own_keys(user, inbox).union(apart)
    if everybodys is None:
        own = {*own, *filter(added_switch, (*preferences.lock, *preferences.default))}
    enabled, switched_on, added = _switches(own, resolved, everybodys)
    for name, type_ in AUDIO_EVENTS.items():
        enabled[Channel.AUDIO, type_] = Resolved(name in sounding.value, sounding.origin)
    heard = ((Channel.AUDIO, audio.origin),) if audio.value else ()
    return Settings(
        enabled=enabled,
        switched_on={**switched_on, NotificationType.NEW_MESSAGE: heard},
        added=added,
        audio=audio,
        leaves_out_messages=leaves_out_messages,
        audio_when=resolved("audio.when"),
        mute=Resolved(mute.value == "on", mute.origin),
        withholds=Resolved(unavailable.value != "send", unavailable.origin),
        quiet_held=Resolved(then.value == "hold", then.origin),
        absence_held=unavailable.value == "digest",
        quiet_hours=Resolved(_quiet_hours(quiet.value), quiet.origin),
        inactive_after=Resolved(seconds, inactive.origin),
        connected_for=seconds if profile.live_presence else _CONNECTED_FOR,
    )


def _resolver(
    preferences: Preferences, user: int | None, inbox: int | None, apart: Values
) -> Callable[[str], Resolved[str]]:
    """Return what resolves a key, of which `apart` has a conversation's values."""

    def resolved(key: str) -> Resolved[str]:
        if key in apart:
            return Resolved(apart[key], Layer.CONVERSATION)
        return preferences.resolve(key, user, inbox)

    return resolved


def _audio(
    resolved: Callable[[str], Resolved[str]], profile: Profile
) -> tuple[Resolved[frozenset[str]], Resolved[list[str]], bool]:
    """Return whose messages sound, what else does, and whether messages are left out of that."""
    chosen, events = resolved("audio"), resolved(_SOUNDING)
    sets, sounding = _audio_sets(chosen.value, profile), events.value.split("+")
    left_out = bool(sets) and "message" not in sounding
    nothing: frozenset[str] = frozenset()
    audio = Resolved(nothing, events.origin) if left_out else Resolved(sets, chosen.origin)
    return audio, Resolved(sounding, events.origin), left_out


def _switches(
    own: Collection[str], resolved: Callable[[str], Resolved[str]], everybodys: Settings | None
) -> tuple[
    dict[tuple[Channel, NotificationType], Resolved[bool]],
    dict[NotificationType, tuple[tuple[Channel, Layer], ...]],
    dict[NotificationType, tuple[Channel, ...]],
]:
    """Return each switch, by type the channels on which it is on, and the added ones that are set.

    Those of their `own` are read; the others are everybody's, if there is such a thing yet.
    """
    keys = {key: switch for key in own if (switch := switch_of(key))}
    if everybodys is None:
        keys |= _SWITCHES
    enabled = {} if everybodys is None else dict(everybodys.enabled)
    switched_on = {} if everybodys is None else dict(everybodys.switched_on)
    added = {} if everybodys is None else dict(everybodys.added)
    for key, (channel, type_) in keys.items():
        value, origin = resolved(key)
        enabled[channel, type_] = Resolved(value == "on", origin)
        if channel.is_added:
            added[type_] = tuple(sorted({*added.get(type_, ()), channel}))
    for type_ in {type_ for _, type_ in keys.values()}:
        switched_on[type_] = tuple(
            (channel, enabled[channel, type_].origin)
            for channel in (*SWITCHED_CHANNELS, *added.get(type_, ()))
            if enabled[channel, type_].value
        )
    return enabled, switched_on, added


@lru_cache(256)
def _quiet_hours(text: str) -> QuietHours | None:
    """Read quiet hours: many users have the same."""
    return None if text == "off" else QuietHours.parse(text)


def _audio_sets(value: str, profile: Profile) -> frozenset[str]:
    known = _AUDIO_SETS.get(value)
    if known is not None:
        return known
    read = profile.audio_mine if value == "assigned" else profile.audio_sets
    return frozenset(value.split("+")) if read else _NOT_READ


class Drift(NamedTuple):
    """An effective value that isn't the policy's."""

    user: int
    inbox: int | None
    conversation: int | None
    key: str
    expected: Resolved[str]
    """What the policy says, and in which of its layers."""
    actual: Resolved[str]


def drifts(
    policy: Preferences, actual: Preferences, users: Iterable[int], at: int
) -> Iterator[Drift]:
    """Compare each user with the policy as it is at a moment, everywhere.

    That is in every inbox and conversation, too, where either has a value of its own. A policy's
    default is for all, its table of a user for that user: only of the keys that it has does it
    say anything.
    """
    inboxes = _places({*policy.inbox, *actual.inbox})
    conversations = _places({*policy.conversation, *actual.conversation})
    everybody = {*policy.lock, *policy.default}
    for user in users:
        keys = everybody.union(policy.user.get(user, ()))
        yield from _drifts(policy, actual, keys, (user, None, None, at))
        # What neither sets for a place differs there only if it differs everywhere.
        for inbox in inboxes.get(user, ()):
            own = policy.inbox.get((user, inbox), {})
            here = keys.intersection(actual.inbox.get((user, inbox), ())).union(own)
            yield from _drifts(policy, actual, here, (user, inbox, None, at))
        for conversation in conversations.get(user, ()):
            own = policy.in_conversation(user, conversation, at)
            here = keys.intersection(actual.in_conversation(user, conversation, at)).union(own)
            yield from _drifts(policy, actual, here, (user, None, conversation, at))


def _places(found: set[tuple[int, int]]) -> dict[int, list[int]]:
    """Return the ids of inboxes, or of conversations, by user."""
    places: dict[int, list[int]] = {}
    for user, place in sorted(found):
        places.setdefault(user, []).append(place)
    return places


def _drifts(
    policy: Preferences,
    actual: Preferences,
    keys: set[str],
    where: tuple[int, int | None, int | None, int],
) -> Iterator[Drift]:
    for key in sorted(keys):
        expected = policy.resolve(key, *where)
        found = actual.resolve(key, *where)
        if found.value != expected.value:
            user, inbox, conversation, _ = where
            yield Drift(user, inbox, conversation, key, expected, found)


class Wish(NamedTuple):
    """One value as it would be set. The key is full, the value as it would be stored."""

    layer: Layer
    user: int | None
    inbox: int | None
    key: str
    value: str
    conversation: int | None = None


def overlaid(preferences: Preferences, wishes: Iterable[Wish]) -> Preferences:
    """Give the preferences as they would be if the wishes were set; later ones win."""
    lock, default = dict(preferences.lock), dict(preferences.default)
    user = dict(preferences.user)
    own: dict[int, dict[str, str]] = {}
    inboxes = {place: dict(values) for place, values in preferences.inbox.items()}
    conversations = {place: dict(values) for place, values in preferences.conversation.items()}
    for wish in wishes:
        if wish.layer is Layer.LOCK:
            lock[wish.key] = wish.value
        elif wish.user is None:
            default[wish.key] = wish.value
        elif wish.inbox is not None:
            inboxes.setdefault((wish.user, wish.inbox), {})[wish.key] = wish.value
        elif wish.conversation is not None:
            conversations.setdefault((wish.user, wish.conversation), {})[wish.key] = wish.value
        else:
            values = own.get(wish.user)
            if values is None:
                values = own[wish.user] = dict(user.get(wish.user, {}))
            values[wish.key] = wish.value
    return Preferences(lock, inboxes, {**user, **own}, default, preferences.builtin, conversations)


def keys_locked_away(preferences: Preferences, wishes: Iterable[Wish]) -> list[str]:
    """Give the keys that the wishes set in vain, since a lock of the overlaid ones beats them."""
    return sorted({w.key for w in wishes if w.layer is not Layer.LOCK} & preferences.lock.keys())
