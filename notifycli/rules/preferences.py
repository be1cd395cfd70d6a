"""Preference keys, their values, and where a value comes from.

`KEYS` is the one table: parsing, defaults, help, completion and documentation derive from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache

from msgspec import Struct

from notifycli.events.timestamps import format_moment, parse_moment
from notifycli.rules.notifications import (
    SHIPPED_CHANNELS,
    SWITCHED_CHANNELS,
    TYPES,
    NotificationType,
    added_switch,
    plug_ins,
)
from notifycli.rules.quiet_hours import (
    Duration,
    QuietHours,
    UnknownZoneError,
    check_zone,
    nearest_zone,
)

TONES = ("ding", "bell", "chime", "magic", "ping")
OWN_TONE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}\.wav")
"""A tone of one's own: the name of its file. Whether there is such a one the store knows."""
AUDIO_SETS = ("assigned", "unassigned", "others")
AUDIO_EVENTS = {
    "message": NotificationType.NEW_MESSAGE,
    "created": NotificationType.CREATION,
    "assigned": NotificationType.ASSIGNMENT,
}
"""The types of which there are sounds, by what `audio.events` calls them."""
LOUDEST = 100
"""Per cent."""
_CHATWOOT_AUDIO = {"mine": "assigned", "notme": "others"}
_SWITCHED = ("on", "off")
_ALIKE = 0.7
"""How much of two names must be the same, of 1, for one to be a misspelling of the other."""
_BUT_FOR_A_LETTER = 0.9
_CHANNELS_ALIKE = 0.8
"""`slakc` is `slack`, and `slack-eu` and `pushover` are others' channels."""
_DIGITS = r"\d+"
_SWITCH = {
    **dict.fromkeys(("on", "true", "yes", "1"), "on"),
    **dict.fromkeys(("off", "false", "no", "0"), "off"),
}


class Layer(StrEnum):
    """Where a value was set. The first layer, in this order, that has the key wins."""

    LOCK = "lock"
    CONVERSATION = "conversation"
    INBOX = "inbox"
    USER = "user"
    DEFAULT = "default"
    BUILTIN = "builtin"


class InvalidPreferenceError(ValueError):
    """A key or a value that doesn't exist, with the valid one that is nearest to it, if any."""

    def __init__(self, message: str, *, nearest: str = "") -> None:
        super().__init__(message)
        self.nearest = nearest


class UnknownChannelError(InvalidPreferenceError):
    """A key of a channel for which there is no plug-in here; `keys` are its full names."""

    def __init__(self, message: str, keys: tuple[str, ...], *, nearest: str) -> None:
        super().__init__(message, nearest=nearest)
        self.keys = keys


class Key(Struct, frozen=True):
    """One preference key."""

    name: str
    builtin: str
    values: tuple[str, ...]
    """The values to offer: all of them where they are few, otherwise examples."""
    summary: str
    read: Callable[[str], str]
    """Gives the value as it is stored and printed. Raises `ValueError`."""
    beyond: bool = False
    """Whether Chatwoot has nothing like it: then it isn't listed until a layer sets it."""


def _read_switch(text: str) -> str:
    try:
        return _SWITCH[text.lower()]
    except KeyError:
        raise ValueError("the value is on or off") from None


def _read_audio(text: str) -> str:
    parts = [_CHATWOOT_AUDIO.get(part.strip(), part.strip()) for part in text.lower().split("+")]
    if parts in (["none"], ["all"]):
        return parts[0]
    if not set(parts) <= set(AUDIO_SETS):
        raise ValueError("the value is none, all, or assigned, unassigned, others joined with +")
    return "+".join(part for part in AUDIO_SETS if part in parts)


def _read_tone(text: str) -> str:
    name = text.lower()
    if name not in TONES and not OWN_TONE.fullmatch(name):
        raise ValueError(
            f"the value is one of {', '.join(TONES)}, or the name of a WAV file of "
            "your own: notifycli audio add FILE"
        )
    return name


def _read_audio_events(text: str) -> str:
    parts = [part.strip() for part in text.lower().split("+")]
    if parts == ["none"]:
        return "none"
    if not set(parts) <= AUDIO_EVENTS.keys():
        raise ValueError(f"the value is none, or {', '.join(AUDIO_EVENTS)} joined with +")
    return "+".join(part for part in AUDIO_EVENTS if part in parts)


def _read_volume(text: str) -> str:
    digits = text.removesuffix("%").rstrip()
    if not re.fullmatch(r"[0-9]{1,3}", digits) or int(digits) > LOUDEST:
        raise ValueError(f"the value is a number from 0 to {LOUDEST}")
    return str(int(digits))


def _hours(what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if _SWITCH.get(text.lower()) == "off":
            return "off"
        hours = QuietHours.parse(text, what)
        check_zone(hours.zone)
        return hours.text

    return read


def _read_duration(text: str) -> str:
    return Duration.parse(text).text


def _one_of(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"the value is one of {', '.join(values)}")
        return text.lower()

    return read


def _switches() -> Iterator[Key]:
    for channel in SWITCHED_CHANNELS:
        for row in TYPES:
            yield Key(
                f"{channel}.{row.type}",
                "on" if row.builtin else "off",
                ("on", "off"),
                f"{'an' if channel == 'email' else 'a'} {channel} when {row.fires_when}",
                _read_switch,
                row.beyond,
            )


class _Keys(dict[str, Key]):
    """The keys that there always are; one of an added channel is found where it is asked for."""

    def __missing__(self, name: str) -> Key:
        if (switch := added_switch(name)) is None:
            raise KeyError(name)
        channel, type_ = switch
        row = next(row for row in TYPES if row.type is type_)
        how = f"a message by {channel} when {row.fires_when}"
        return Key(name, "off", _SWITCHED, how, _read_switch, beyond=True)


KEYS: Mapping[str, Key] = _Keys(
    (key.name, key)
    for key in (
        Key(
            "audio",
            "none",
            ("none", "assigned", "all", "unassigned", "others", "assigned+unassigned"),
            "the conversations whose new messages sound",
            _read_audio,
        ),
        Key("audio.tone", "ding", TONES, "the tone that is played", _read_tone),
        Key(
            "audio.when",
            "hidden",
            ("hidden", "always"),
            "sound only while the app's window is hidden or closed, or always",
            _one_of("hidden", "always"),
        ),
        Key(
            "audio.repeat",
            "off",
            ("on", "off"),
            "sound again every 30 s until assigned conversations are read",
            _read_switch,
        ),
        Key(
            "audio.events",
            "message",
            ("message", "message+assigned", "message+created+assigned", "none"),
            "what sounds: new messages (those of `audio`), conversations that are created, or "
            "assigned to you",
            _read_audio_events,
            beyond=True,
        ),
        Key(
            "audio.volume",
            "100",
            ("0", "25", "50", "75", "100"),
            "how loud the tone is played, in per cent",
            _read_volume,
            beyond=True,
        ),
        *_switches(),
        Key(
            "inactive_after",
            "60s",
            ("0s", "60s", "5m", "1h"),
            "how long after you were last seen you count as inactive",
            _read_duration,
        ),
        Key(
            "quiet_hours",
            "off",
            ("off", "22:00-07:00", "22:00-07:00 Europe/Berlin mon-fri"),
            "hours in which nothing but a mention notifies: HH:MM-HH:MM [ZONE] [DAYS]; in UTC "
            "without a zone; 22:00-22:00 is the whole day",
            _hours("quiet hours"),
        ),
        Key(
            "mute",
            "off",
            ("on", "off"),
            "nothing at all: no e-mail, push or sound",
            _read_switch,
            beyond=True,
        ),
        Key(
            "when_unavailable",
            "send",
            ("send", "withhold", "digest"),
            "whether anything but a mention notifies while you are busy or offline in Chatwoot, or "
            "comes as a digest once you are back",
            _one_of("send", "withhold", "digest"),
            beyond=True,
        ),
        Key(
            "quiet_hours_then",
            "drop",
            ("drop", "hold"),
            "whether what your quiet hours withhold is dropped, or held for a digest at their end",
            _one_of("drop", "hold"),
            beyond=True,
        ),
        Key(
            "participants_after_resolve",
            "stay",
            ("stay", "leave"),
            "whether you still take part in a conversation once it has been resolved",
            _one_of("stay", "leave"),
            beyond=True,
        ),
        Key(
            "waiting_after",
            "15m",
            ("5m", "15m", "1h"),
            "how long a customer waits for a reply before conversation_waiting notifies",
            _read_duration,
            beyond=True,
        ),
        Key(
            "escalate_after",
            "1h",
            ("30m", "1h", "4h"),
            "how long a customer waits for a reply before escalation notifies",
            _read_duration,
            beyond=True,
        ),
        Key(
            "business_hours",
            "off",
            ("off", "09:00-17:00", "09:00-17:00 Europe/Berlin mon-fri"),
            "hours that alone are counted while a customer waits for a reply: HH:MM-HH:MM [ZONE] "
            "[DAYS]; in UTC without a zone",
            _hours("business hours"),
            beyond=True,
        ),
    )
)

BEYOND = frozenset(name for name, key in KEYS.items() if key.beyond)
"""What is this program's own, and isn't listed until a layer sets it."""
GLOBS = tuple(f"{channel}.*" for channel in SWITCHED_CHANNELS)


@cache
def spellings() -> Mapping[str, tuple[str, ...]]:
    """Give every way to write a key or a glob, and the full names it stands for."""
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in KEYS}
    for channel in SWITCHED_CHANNELS:
        found[f"{channel}.*"] = tuple(f"{channel}.{row.type}" for row in TYPES if not row.beyond)
        for row in TYPES:
            full = (f"{channel}.{row.type}",)
            found[f"{channel}.{row.short}"] = full
            found[f"{channel}_{row.type}"] = full
    return found


def full_keys(text: str) -> tuple[str, ...]:
    """Give the full names of the keys that `text` stands for: one, or several for a glob.

    Reads full names, short names (`email.created`), Chatwoot's flags
    (`email_conversation_creation`) and globs of full and short names: `email.*`, `*.mention`.
    Raises `InvalidPreferenceError`.
    """
    word = text.strip().lower()
    try:
        return spellings()[word]
    except KeyError:
        if "*" in word and (found := _matching(word)):
            return found
        if found := _keys_of_added(word):
            return found
        message = f"there is no preference {text!r}"
        raise InvalidPreferenceError(message, nearest=_nearest_keys(text.strip().lower())) from None


def portable_keys(text: str) -> tuple[str, ...]:
    """Give the full names of what a document sets, which may come from another machine.

    What `full_keys` gives, or keys of a channel that nothing here adds, unless it is misspelt.
    Raises `InvalidPreferenceError`.
    """
    try:
        return full_keys(text)
    except UnknownChannelError as error:
        if error.nearest:
            raise
        return error.keys


def _matching(glob: str) -> tuple[str, ...]:
    from fnmatch import fnmatchcase  # noqa: PLC0415 - few write any but the known ones

    # Only * is a sign: what a shell does with ? and [] is no help here.
    pattern = "".join(f"[{char}]" if char in "?[" else char for char in glob)
    return tuple(
        name
        for name, key in KEYS.items()
        if not key.beyond and any(fnmatchcase(k, pattern) for k in (name, short_key(name)))
    )


def _keys_of_added(word: str) -> tuple[str, ...]:
    """Give the keys of an added channel that a word stands for: none, one, or a glob's.

    Raises `UnknownChannelError` where nothing here adds the channel.
    """
    channel, _, rest = word.partition(".")
    named = [row.type for row in TYPES if rest in {row.short, row.type.value}]
    types = [row.type for row in TYPES if not row.beyond] if rest == "*" else named
    keys = tuple(f"{channel}.{type_}" for type_ in types if added_switch(f"{channel}.{type_}"))
    if keys and channel not in SHIPPED_CHANNELS and channel not in plug_ins():
        known = (*SWITCHED_CHANNELS, *SHIPPED_CHANNELS, *plug_ins())
        near = nearest(channel, known, _CHANNELS_ALIKE)
        if near in SWITCHED_CHANNELS:
            return ()
        message = f"there is no preference {word!r}: nothing here adds a channel {channel!r}"
        raise UnknownChannelError(message, keys, nearest=f"{near}.{rest}" if near else "")
    return keys


def _nearest_keys(word: str) -> str:
    """Give what a channel or a type stands for where it is named alone, else the nearest key."""
    channel, dot, rest = word.partition(".")
    if f"{word}.*" in GLOBS or word in SHIPPED_CHANNELS:
        return f"{word}.*"
    if dot and (channel in SHIPPED_CHANNELS or channel in plug_ins()):
        near = nearest(rest, tuple(row.short for row in TYPES))
        return f"{channel}.{near}" if near else f"{channel}.*"
    alone = [f"{channel}.{word}" for channel in SWITCHED_CHANNELS]
    if alone[0] in spellings():
        return " or ".join(alone)
    known = [text for text, names in spellings().items() if not BEYOND.intersection(names)]
    beyond = (*sorted(BEYOND), *map(short_key, sorted(BEYOND)))
    return (
        nearest(word, beyond, _BUT_FOR_A_LETTER)
        or nearest(word, (*(text for text in known if text not in GLOBS),))
        or nearest(word, beyond)
    )


@cache
def short_key(key: str) -> str:
    """Give the name that a hand types: `email.created` for `email.conversation_creation`."""
    if (switch := added_switch(key)) is not None:
        return next(f"{switch[0]}.{row.short}" for row in TYPES if row.type is switch[1])
    return next(
        (text for text, names in spellings().items() if names == (key,) and len(text) < len(key)),
        key,
    )


def read_value(key: str, text: str) -> str:
    """Give a value of the key (a full name) as it is stored. Raises `InvalidPreferenceError`."""
    try:
        return KEYS[key].read(text.strip())
    except UnknownZoneError as error:
        raise _invalid(key, text, error, nearest_zone(error.name)) from None
    except ValueError as error:
        # What a switch says is no misspelling: `on` is like `none` in its letters alone.
        is_switch = text.strip().lower() in _SWITCHED
        near = "" if is_switch else nearest(text, KEYS[key].values)
        # What differs in its numbers means something else.
        if re.findall(_DIGITS, near) != re.findall(_DIGITS, text) or " " in text.strip():
            near = ""
        raise _invalid(key, text, error, near) from None


UNTIL = " until "
"""What stands before the moment up to which a value of a conversation holds."""


def read_timed_value(key: str, text: str) -> str:
    """Give a value as it is stored for a conversation. Raises `InvalidPreferenceError`.

    It may end with ` until TIME`.
    """
    value, until, end = text.partition(UNTIL)
    try:
        moment = f"{UNTIL}{format_moment(parse_moment(end.strip()))}" if until else ""
    except ValueError as error:
        raise _invalid(key, text, error, "") from None
    return f"{read_value(key, value)}{moment}"


def _invalid(key: str, text: str, error: ValueError, near: str) -> InvalidPreferenceError:
    return InvalidPreferenceError(f"{key}: {text!r}: {error}", nearest=near)


def nearest(text: str, valid: Mapping[str, object] | tuple[str, ...], cutoff: float = 0.6) -> str:
    """Give the valid word that looks most like `text`; an empty string if none does."""
    from difflib import get_close_matches  # noqa: PLC0415 - costs more than reading a right word

    return next(iter(get_close_matches(text.strip().lower(), valid, 1, cutoff)), "")


def nearest_user(text: str, known: Iterable[str]) -> str:
    """Give the address or id that looks most like `text`; an empty string if none does.

    An address is like another where they differ on one side of the @ alone, and little there: most
    of a desk have the other side in common.
    """
    word = text.strip().lower()
    if word.isdigit():
        return nearest(word, tuple(name for name in known if name.isdigit()))
    local, at, domain = word.partition("@")
    same_domain: dict[str, str] = {}
    same_local: dict[str, str] = {}
    for name in known:
        its_local, its_at, its_domain = name.lower().partition("@")
        if its_at and (not at or its_domain == domain):
            same_domain[its_local] = name
        elif its_at and its_local == local:
            same_local[its_domain] = name
    near = same_domain.get(nearest(local, same_domain, _ALIKE), "")
    return near or same_local.get(nearest(domain, same_local, _ALIKE), "")


_NEVER_QUIET = {"push.conversation_mention", "push.conversation_assignment"}


def _all_switches(value: str) -> dict[str, str]:
    known = [row.type for row in TYPES if not row.beyond]
    return {f"{channel}.{type_}": value for channel in SWITCHED_CHANNELS for type_ in known}


BUILTIN_PRESETS: Mapping[str, Mapping[str, str]] = {
    "quiet": {
        "audio": "none",
        "audio.repeat": "off",
        **_all_switches("off"),
        **dict.fromkeys(sorted(_NEVER_QUIET), "on"),
    },
    "everything": {"audio": "all", **_all_switches("on"), "quiet_hours": "off"},
    "chatwoot-default": {key.name: key.builtin for key in KEYS.values() if not key.beyond},
}
"""`quiet` leaves what somebody asks of you in person; `chatwoot-default` is a new agent's."""
