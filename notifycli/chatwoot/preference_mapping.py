"""Preferences as Chatwoot writes them and as we do; what differs, and who changed it.

Chatwoot keeps e-mail and push as two lists of the flags that are on, such as
`email_conversation_creation`, and sounds as four keys of the user's `ui_settings`, an object in
which its dashboard keeps much else. What isn't ours in either is the caller's to keep.

Pure. Three things are compared, key by key: what holds here (the effective value: locks and
defaults are included, since that is what decides), what holds there, and what was seen there when
the two were last made to agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from notifycli.rules.notifications import SWITCHED_CHANNELS, TYPES, Channel
from notifycli.rules.preferences import KEYS, TONES, read_value

FLAGS: Mapping[Channel, Mapping[str, str]] = {
    channel: {f"{channel}_{row.type}": f"{channel}.{row.type}" for row in TYPES if not row.beyond}
    for channel in SWITCHED_CHANNELS
}
"""For e-mail and for push: Chatwoot's flags, in its order, and the preferences they are."""


class NotificationSettings(Struct):
    """What `GET|PATCH /api/v1/accounts/{id}/notification_settings` answers."""

    id: int
    user_id: int
    account_id: int
    all_email_flags: list[str]
    selected_email_flags: list[str]
    all_push_flags: list[str]
    selected_push_flags: list[str]


def selected_flags(channel: Channel, on: Callable[[str], bool]) -> list[str]:
    """Give the flags of a channel that are on; `on` tells it of a preference."""
    return [flag for flag, key in FLAGS[channel].items() if on(key)]


def switches(channel: Channel, selected: Iterable[str]) -> dict[str, str]:
    """Give what a list of flags makes of the channel's preferences: each is on or off.

    Flags that we don't know are passed over: `unknown_flags` gives them.
    """
    chosen = {*selected}
    return {key: "on" if flag in chosen else "off" for flag, key in FLAGS[channel].items()}


def unknown_flags(channel: Channel, selected: Iterable[str]) -> list[str]:
    """Give the flags of a list that are none of the channel's preferences."""
    return [flag for flag in selected if flag not in FLAGS[channel]]


class UiSetting(NamedTuple):
    """One key of `ui_settings` that is a preference of ours."""

    key: str
    write: Callable[[str], bool | str]
    """Gives Chatwoot's value for ours."""
    read: Callable[[Any], str]
    """Gives our value for Chatwoot's. Raises `ValueError`."""


def _text(key: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{key}: {value!r} is no text")  # noqa: TRY004 - data, not a call
        return read_value(key, value)

    return read


def _read_audio(value: Any) -> str:
    # Nothing chosen is no sound, however a client writes that.
    return "none" if value in (None, False, "", "false") else _text("audio")(value)


def _write_audio(value: str) -> str:
    if value == "assigned":
        return "mine"
    return "+".join("notme" if part == "others" else part for part in value.split("+"))


def _switch(key: str, on: str, off: str) -> UiSetting:
    def read(value: Any) -> str:
        if value is not None and not isinstance(value, bool):
            raise ValueError(f"{key}: {value!r} is neither true nor false")
        return on if value else off

    return UiSetting(key, lambda ours: ours == on, read)


UI_SETTINGS: Mapping[str, UiSetting] = {
    "enable_audio_alerts": UiSetting("audio", _write_audio, _read_audio),
    "always_play_audio_alert": _switch("audio.when", "always", "hidden"),
    "alert_if_unread_assigned_conversation_exist": _switch("audio.repeat", "on", "off"),
    "notification_tone": UiSetting("audio.tone", str, _text("audio.tone")),
}
"""The keys of `ui_settings` that are preferences of ours, by Chatwoot's name."""


def sounds(ui_settings: Mapping[str, Any]) -> dict[str, str]:
    """Give our values of the sound preferences that `ui_settings` has; the rest isn't ours.

    Raises `ValueError` for a value that Chatwoot can't have written.
    """
    return {
        setting.key: setting.read(ui_settings[name])
        for name, setting in UI_SETTINGS.items()
        if name in ui_settings
    }


def ui_settings(value_of: Callable[[str], str]) -> dict[str, bool | str]:
    """Give the keys of `ui_settings` that are ours; `value_of` gives a preference's value."""
    return {name: setting.write(value_of(setting.key)) for name, setting in UI_SETTINGS.items()}


class Flags(Struct, frozen=True):
    """One channel: the flags that are on, and all that the server knows."""

    selected: tuple[str, ...] = ()
    all: tuple[str, ...] = ()


class Seen(Struct, frozen=True):
    """A user's preferences as Chatwoot has them, with all that isn't ours."""

    email: Flags
    push: Flags
    ui_settings: dict[str, Any]

    def flags(self, channel: Channel) -> Flags:
        """Give the flags of a channel."""
        return self.email if channel is Channel.EMAIL else self.push


class Values(NamedTuple):
    """Chatwoot's preferences as ours, by full key."""

    of: Mapping[str, str]
    chosen: frozenset[str]
    """The keys that are set there; the others hold because nothing else was chosen."""
    unreadable: tuple[str, ...]
    """What is left as it is there, and why."""


class ChangedBy(StrEnum):
    """Where a value was changed since both sides agreed."""

    HERE = "here"
    THERE = "there"
    BOTH = "both"
    UNKNOWN = "unknown"
    """It was never pulled."""


class Divergence(NamedTuple):
    """A preference that isn't the same here and there."""

    key: str
    here: str
    there: str
    changed: ChangedBy


def seen(settings: NotificationSettings, ui_settings: Mapping[str, Any] | None) -> Seen:
    """Join the two answers that hold a user's preferences."""
    return Seen(
        Flags(tuple(settings.selected_email_flags), tuple(settings.all_email_flags)),
        Flags(tuple(settings.selected_push_flags), tuple(settings.all_push_flags)),
        dict(ui_settings or {}),
    )


def read_seen(text: bytes | None) -> Seen | None:
    """Read what `write_seen` wrote."""
    return None if text is None else msgspec.json.decode(text, type=Seen)


def write_seen(what: Seen) -> bytes:
    """Write for the store."""
    return msgspec.json.encode(what)


def values(what: Seen) -> Values:
    """Give our preferences in what was seen; those that the server hasn't are left out."""
    of: dict[str, str] = {}
    unreadable = []
    for channel in SWITCHED_CHANNELS:
        flags = what.flags(channel)
        for flag, key in FLAGS[channel].items():
            if flag in flags.all or flag in flags.selected:
                of[key] = "on" if flag in flags.selected else "off"
    chosen = {*of}
    for name, setting in UI_SETTINGS.items():
        if name not in what.ui_settings:
            of[setting.key] = KEYS[setting.key].builtin
            continue
        try:
            value = setting.read(what.ui_settings[name])
        except ValueError as error:
            unreadable.append(str(error))
            continue
        if _is_own_tone(setting.key, value):
            unreadable.append(f"{setting.key}: {value!r} is no tone of Chatwoot")
            continue
        of[setting.key] = value
        chosen.add(setting.key)
    return Values(of, frozenset(chosen), tuple(unreadable))


def _is_own_tone(key: str, value: str) -> bool:
    return key == "audio.tone" and value not in TONES


def divergences(
    here: Mapping[str, str], there: Mapping[str, str], agreed: Mapping[str, str] | None
) -> list[Divergence]:
    """Give what differs, in the order of the keys."""
    found = []
    for key in KEYS:
        # Of a tone of one's own Chatwoot knows nothing: it is left with what it has.
        if key in there and here[key] != there[key] and not _is_own_tone(key, here[key]):
            changed = _changed_by(here[key], there[key], agreed, key)
            found.append(Divergence(key, here[key], there[key], changed))
    return found


def _changed_by(here: str, there: str, agreed: Mapping[str, str] | None, key: str) -> ChangedBy:
    if agreed is None:
        return ChangedBy.UNKNOWN
    if agreed.get(key) == there:
        return ChangedBy.HERE
    return ChangedBy.THERE if agreed.get(key) == here else ChangedBy.BOTH


def with_values(what: Seen, wanted: Mapping[str, str]) -> Seen:
    """Give what was seen with these preferences as wanted, and all else as it came."""
    ui = dict(what.ui_settings)
    for name, setting in UI_SETTINGS.items():
        if setting.key in wanted and not _is_own_tone(setting.key, wanted[setting.key]):
            ui[name] = setting.write(wanted[setting.key])
    email, push = (_with(channel, what.flags(channel), wanted) for channel in SWITCHED_CHANNELS)
    return Seen(email, push, ui)


def _with(channel: Channel, flags: Flags, wanted: Mapping[str, str]) -> Flags:
    ours = FLAGS[channel]
    kept = [flag for flag in flags.selected if wanted.get(ours.get(flag, "")) != "off"]
    added = [flag for flag, key in ours.items() if wanted.get(key) == "on" and flag not in kept]
    return Flags((*kept, *added), flags.all)


def lost(sent: Seen, kept: Seen) -> list[str]:
    """Name what was written and isn't there afterwards: flags, and keys of `ui_settings`."""
    missing = []
    for channel in SWITCHED_CHANNELS:
        was, now = {*sent.flags(channel).selected}, {*kept.flags(channel).selected}
        ours = FLAGS[channel]
        missing += sorted(flag for flag in was - now)
        missing += sorted(flag for flag in now - was if flag in ours)
    for name, value in sent.ui_settings.items():
        gone = name not in kept.ui_settings
        if gone or (name in UI_SETTINGS and kept.ui_settings[name] != value):
            missing.append(name)
    return missing
