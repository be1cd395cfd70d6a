"""How Chatwoot writes the preferences of a user, and how we do: flags and `ui_settings`.

Chatwoot keeps e-mail and push as two lists of the flags that are on, such as
`email_conversation_creation`, and sounds as four keys of the user's `ui_settings`, an object in
which its dashboard keeps much else. What isn't ours in either is the caller's to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from notifycli.rules.notifications import SWITCHED_CHANNELS, TYPES, Channel
from notifycli.rules.preferences import read_value

FLAGS: Mapping[Channel, Mapping[str, str]] = {
    channel: {f"{channel}_{row.type}": f"{channel}.{row.type}" for row in TYPES}
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
    return "none" if value in (None, False, "") else _text("audio")(value)


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
