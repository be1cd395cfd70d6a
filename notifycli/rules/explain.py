"""Reasons in sentences, the preference behind each, and the value that would turn it round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from notifycli.rules.decision import Decision, Reason
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel
from notifycli.rules.preferences import Layer, short_key


class Explanation(NamedTuple):
    """How a reason reads, and the preference that it hangs on, if it does on one."""

    sentence: str
    """`{name}` is the user."""
    key: str = ""
    """The preference's key; `{switch}` is that of the channel and type."""
    instead: str = ""
    """The value with which it would come out differently; `{on}` and `{off}` are the channel's."""


_SWITCH = "{switch}"
EXPLANATIONS: Mapping[Reason, Explanation] = {
    Reason.ENABLED: Explanation("it is switched on", _SWITCH, "{off}"),
    Reason.NOT_AUDIBLE: Explanation("only customers' messages and private notes sound"),
    Reason.PENDING_CONVERSATION: Explanation("a bot still has the conversation: it is pending"),
    Reason.BLOCKED_CONTACT: Explanation("the contact is blocked"),
    Reason.NO_ACCESS: Explanation("{name} can't see the conversation, or has left the account"),
    Reason.SELF_AUTHORED: Explanation("{name} wrote the message"),
    Reason.SELF_ASSIGNED: Explanation("{name} took the conversation without being given it"),
    Reason.ALREADY_NOTIFIED: Explanation("{name} had been told of it already"),
    Reason.DISABLED: Explanation("it is switched off", _SWITCH, "{on}"),
    Reason.NOT_ASSIGNED: Explanation(
        "the choice of sounds leaves this conversation out", "audio", "all"
    ),
    Reason.QUIET_HOURS: Explanation("it was in {name}'s quiet hours", "quiet_hours", "off"),
    Reason.ACTIVE: Explanation("{name} had been active just before", "inactive_after", "0s"),
    Reason.VIEWING: Explanation("{name} had the conversation open, in front"),
    Reason.WINDOW_VISIBLE: Explanation("the app's window was in front", "audio.when", "always"),
}
_ON = {Channel.AUDIO: "all", Channel.EMAIL: "on", Channel.PUSH: "on"}
_OFF = {Channel.AUDIO: "none", Channel.EMAIL: "off", Channel.PUSH: "off"}


class DecidingPreference(NamedTuple):
    """A preference as it decided, and what it would take to turn the decision round."""

    key: str
    value: str
    layer: Layer
    instead: str


def deciding(
    decision: Decision, reason: Reason, preferences: Preferences
) -> DecidingPreference | None:
    """Give the preference behind a reason that held for a decision; `None` if none is."""
    explanation = EXPLANATIONS[reason]
    if not explanation.key:
        return None
    channel = decision.channel
    switch = f"{channel}.{decision.type}" if channel in SWITCHED_CHANNELS else str(channel)
    key = explanation.key.format(switch=switch)
    value, layer = preferences.resolve(key, decision.user_id, decision.inbox_id)
    instead = explanation.instead.format(on=_ON[channel], off=_OFF[channel])
    return DecidingPreference(key, value, layer, instead)


def in_general(reason: Reason) -> str:
    """Say what a reason means, of nobody in particular."""
    return EXPLANATIONS[reason].sentence.format(name="the user")


_SHORT = {
    Reason.NOT_AUDIBLE: "without a sound of their own",
    Reason.PENDING_CONVERSATION: "still with a bot",
    Reason.BLOCKED_CONTACT: "from blocked contacts",
    Reason.NO_ACCESS: "out of their sight",
    Reason.SELF_AUTHORED: "their own messages",
    Reason.SELF_ASSIGNED: "taken by themselves",
    Reason.ALREADY_NOTIFIED: "told already",
    Reason.DISABLED: "switched off",
    Reason.NOT_ASSIGNED: "left out by the choice of sounds",
    Reason.QUIET_HOURS: "in quiet hours",
    Reason.ACTIVE: "while active",
    Reason.VIEWING: "while open in front",
    Reason.WINDOW_VISIBLE: "with the app in front",
}


def in_short(reason: Reason) -> str:
    """Say why so many were withheld, after their number: `switched off`."""
    return _SHORT[reason]


def sentence(
    decision: Decision, reason: Reason, setting: DecidingPreference | None, name: str
) -> str:
    """Say why; `name` is how the user is called, `setting` what `deciding` gives."""
    told = EXPLANATIONS[reason].sentence.format(name=name)
    if setting is not None:
        told = f"{told}: {short_key(setting.key)} is {setting.value} ({setting.layer})"
    if reason is Reason.ENABLED and decision.deliverable is False:
        if decision.channel is Channel.PUSH:
            return f"{told}, but there is no subscription to send it to"
        return f"{told}, but there is no {'confirmed ' * bool(decision.email)}address to send it to"
    return told
