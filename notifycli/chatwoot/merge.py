"""What differs between the preferences here and there, and who changed it since both agreed.

Pure. Three things are compared, key by key: what holds here (the effective value: locks and
defaults are included, since that is what decides), what holds there, and what was seen there when
the two were last made to agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from notifycli.chatwoot.mapping import FLAGS, UI_SETTINGS, NotificationSettings
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel
from notifycli.rules.preferences import KEYS


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
            of[setting.key] = setting.read(what.ui_settings[name])
            chosen.add(setting.key)
        except ValueError as error:
            unreadable.append(str(error))
    return Values(of, frozenset(chosen), tuple(unreadable))


def divergences(
    here: Mapping[str, str], there: Mapping[str, str], agreed: Mapping[str, str] | None
) -> list[Divergence]:
    """Give what differs, in the order of the keys."""
    found = []
    for key in KEYS:
        if key in there and here[key] != there[key]:
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
        if setting.key in wanted:
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
