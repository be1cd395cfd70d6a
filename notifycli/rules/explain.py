"""Reasons in sentences, the preference behind each, and the value that would turn it round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from notifycli.rules.decision import Decision, Reason
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel
from notifycli.rules.preferences import Layer, short_key
from notifycli.rules.settings import Preferences


class Explanation(NamedTuple):
    """How a reason reads, and what it hangs on.

    In `sentence`, `{name}` is the user; in those of a preference `{key}`, `{value}` and `{layer}`.
    """

    sentence: str
    key: str = ""
    """The key of the preference that decided; `{switch}` is the channel's: `audio`, or the type's.
    Empty, where none did."""
    instead: str = ""
    """The value with which it would have come out differently; `{off}` is the channel's own."""


_SWITCH = "{switch}"
EXPLANATIONS: Mapping[Reason, Explanation] = {
    Reason.ENABLED: Explanation("{key} is {value} ({layer})", _SWITCH, "{off}"),
    Reason.NOT_AUDIBLE: Explanation("only customers' messages and private notes sound"),
    Reason.PENDING_CONVERSATION: Explanation("a bot still has the conversation (it is pending)"),
    Reason.BLOCKED_CONTACT: Explanation("the contact is blocked"),
    Reason.NO_ACCESS: Explanation("{name} can't see the conversation, or has left the account"),
    Reason.SELF_AUTHORED: Explanation("{name} wrote the message"),
    Reason.SELF_ASSIGNED: Explanation("{name} took the conversation without being given it"),
    Reason.ALREADY_NOTIFIED: Explanation("{name} had been told of it already"),
    Reason.DISABLED: Explanation("{key} is {value} ({layer})", _SWITCH, "{on}"),
    Reason.NOT_ASSIGNED: Explanation(
        "{key} is {value} ({layer}), which leaves this conversation out", "audio", "all"
    ),
    Reason.QUIET_HOURS: Explanation(
        "it was in the quiet hours: {key} is {value} ({layer})", "quiet_hours", "off"
    ),
    Reason.ACTIVE: Explanation(
        "{name} had been active just before: {key} is {value} ({layer})", "inactive_after", "0s"
    ),
    Reason.VIEWING: Explanation("{name} had the conversation open, in front"),
    Reason.WINDOW_VISIBLE: Explanation(
        "the app's window was in front: {key} is {value} ({layer})", "audio.when", "always"
    ),
}
_ON = {Channel.AUDIO: "all", Channel.EMAIL: "on", Channel.PUSH: "on"}
_OFF = {Channel.AUDIO: "none", Channel.EMAIL: "off", Channel.PUSH: "off"}


class Setting(NamedTuple):
    """A preference as it decided, and what it would take to turn the decision round."""

    key: str
    value: str
    layer: Layer
    instead: str


def deciding(decision: Decision, reason: Reason, preferences: Preferences) -> Setting | None:
    """Give the preference behind a reason that held for a decision; `None` if none is."""
    explanation = EXPLANATIONS[reason]
    if not explanation.key:
        return None
    channel = decision.channel
    switch = f"{channel}.{decision.type}" if channel in SWITCHED_CHANNELS else str(channel)
    key = explanation.key.format(switch=switch)
    value, layer = preferences.resolve(key, decision.user_id, decision.inbox_id)
    instead = explanation.instead.format(on=_ON[channel], off=_OFF[channel])
    return Setting(key, value, layer, instead)


def sentence(decision: Decision, reason: Reason, setting: Setting | None, name: str) -> str:
    """Say why; `name` is how the user is called."""
    key, value, layer = ("", "", "") if setting is None else setting[:3]
    key = short_key(key)
    told = EXPLANATIONS[reason].sentence.format(name=name, key=key, value=value, layer=layer)
    if reason is Reason.ENABLED and decision.deliverable is False:
        lacking = "address" if decision.channel is Channel.EMAIL else "subscription"
        return f"{told}, but there is no {lacking} to send it to"
    return told
