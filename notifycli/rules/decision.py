"""What is decided for one (event, user, type, channel), and why, in a word and in a sentence.

Beside them: which decisions are looked at, and how two of the same thing differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct, UnsetType
from msgspec.structs import astuple

from notifycli.events.event import Due, Event
from notifycli.events.timestamps import parse_moment
from notifycli.rules.layers import Preferences, Resolved
from notifycli.rules.notifications import (
    TYPES,
    Channel,
    NotificationType,
)
from notifycli.rules.preferences import AUDIO_EVENTS, Layer, nearest, short_key


class Outcome(StrEnum):
    """Whether the notification goes out."""

    FIRE = "fire"
    SUPPRESS = "suppress"


class Reason(StrEnum):
    """Why: one for a decision that fires, the first that held for one that doesn't."""

    ENABLED = "enabled"
    NOT_AUDIBLE = "not_audible"
    PENDING_CONVERSATION = "pending_conversation"
    BLOCKED_CONTACT = "blocked_contact"
    NO_ACCESS = "no_access"
    SELF_AUTHORED = "self_authored"
    SELF_ASSIGNED = "self_assigned"
    ALREADY_NOTIFIED = "already_notified"
    DISABLED = "disabled"
    NOT_ASSIGNED = "not_assigned"
    MUTED = "muted"
    QUIET_HOURS = "quiet_hours"
    UNAVAILABLE = "unavailable"
    ACTIVE = "active"
    VIEWING = "viewing"
    WINDOW_VISIBLE = "window_visible"


class Decision(Struct, frozen=True, gc=False):
    """One decision; its fields are those of `simulate`'s output, in that order."""

    line: int
    file: str | UnsetType
    """As it was named, where several were."""
    at: str | None
    """ISO 8601 in UTC; `None` where no time is known."""
    event: str
    account_id: int
    conversation_id: int | None
    inbox_id: int | None
    message_id: int | None
    user_id: int
    email: str | None
    type: NotificationType
    channel: Channel
    outcome: Outcome
    reason: Reason
    origin: Layer | None
    """The layer of the preference that decided; `None` where none did."""
    deliverable: bool | None
    """Whether it can be delivered, if it fires; `None` if it doesn't."""


class EventFields(Struct, frozen=True, gc=False):
    """The first fields of a decision: what the event says, the same for everybody."""

    line: int
    file: str | UnsetType
    at: str | None
    event: str
    account_id: int
    conversation_id: int | None
    inbox_id: int | None
    message_id: int | None


class RecipientFields(Struct, frozen=True, gc=False, eq=False):
    """The other fields of a decision: made once for a user, whatever the event."""

    user_id: int
    email: str | None
    type: NotificationType
    channel: Channel
    outcome: Outcome
    reason: Reason
    origin: Layer | None
    deliverable: bool | None


class LeftOut(RecipientFields, frozen=True, gc=False, eq=False):
    """The same of a message's sound that `audio.events` leaves out, and not `audio`."""


class DigestFields(RecipientFields, frozen=True, gc=False, eq=False):
    """The same of a digest."""

    conversations: tuple[int, ...]


class DigestDecision(Decision, frozen=True, gc=False):
    """The decision to send a digest."""

    conversations: tuple[int, ...]
    """Those it names, in their order."""


def join_fields(event: EventFields, recipient: RecipientFields) -> Decision:
    """Give the decision that both make together."""
    kind = DigestDecision if isinstance(recipient, DigestFields) else Decision
    return kind(*astuple(event), *astuple(recipient))


class ChangeKind(StrEnum):
    """What becomes of a notification with the proposed preferences."""

    ADDED = "added"
    REMOVED = "removed"


class ChangedDecision(Decision, frozen=True, gc=False):
    """A decision that would come out differently."""

    change: ChangeKind


class ChangedDigest(ChangedDecision, frozen=True, gc=False):
    """A digest that would be added or removed."""

    conversations: tuple[int, ...]


def difference(
    before: Decision | None, after: Decision | None, *, explain: bool
) -> ChangedDecision | None:
    """Tell what becomes of a notification; `None`, if it fires on both sides or on neither.

    A side that knows of no such decision has `None`. What is added is told as it fires then; what
    is removed as it fired before or, to `explain` it, as it is suppressed then.
    """
    fired = before is not None and before.outcome is Outcome.FIRE
    fires = after is not None and after.outcome is Outcome.FIRE
    if fired is fires:
        return None
    shown = after if fires or (explain and after is not None) else before
    assert shown is not None  # noqa: S101 - it fires on one side
    kind = ChangeKind.ADDED if fires else ChangeKind.REMOVED
    if isinstance(shown, DigestDecision):
        return ChangedDigest(*(*astuple(shown)[:-1], kind, shown.conversations))
    return ChangedDecision(*(*astuple(shown), kind))


_NAMES = {row.short: row.type for row in TYPES} | {type_.value: type_ for type_ in NotificationType}


class Selection(Struct, frozen=True):
    """What to look at; an empty set stands for everything."""

    users: frozenset[tuple[int, int]] | None = None
    """(account, user); `None` for everybody."""
    channels: frozenset[Channel] = frozenset()
    types: frozenset[NotificationType] = frozenset()
    inboxes: frozenset[int] = frozenset()
    conversations: frozenset[int] = frozenset()
    account: int | None = None
    since: int | None = None
    """The first moment that is looked at, in microseconds since 1970 UTC."""
    until: int | None = None
    """The first moment that isn't any more."""

    def takes_event(self, event: Event) -> bool:
        """Whether decisions of the event are looked at. The event has been replayed."""
        if self.account is not None and event.account != self.account:
            return False
        if self.since is not None and (event.at is None or event.at < self.since):
            return False
        if self.until is not None and (event.at is None or event.at >= self.until):
            return False
        return self.takes_place(event)

    def takes_place(self, event: Event) -> bool:
        """Whether the event is of a place that is looked at; a digest, if it names one."""
        places = [(event.conversation, event.inbox)]
        if isinstance(event, Due) and event.told:
            places = [*event.told]
        return any(
            (not self.inboxes or inbox in self.inboxes)
            and (not self.conversations or conversation in self.conversations)
            for conversation, inbox in places
        )

    def takes_every_event(self) -> bool:
        """Whether decisions of all events are looked at."""
        somewhere = self.inboxes or self.conversations
        return self.account is self.since is self.until is None and not somewhere

    def takes(self, decision: Decision) -> bool:
        """Whether this decision of such an event is looked at."""
        return self.takes_kind(
            decision.account_id, decision.user_id, decision.channel, decision.type
        )

    def takes_kind(
        self, account: int, user: int, channel: Channel, type_: NotificationType
    ) -> bool:
        """Whether decisions of a user, on a channel, of a type are looked at."""
        return (
            (self.users is None or (account, user) in self.users)
            and (not self.channels or channel in self.channels)
            and (not self.types or type_ in self.types)
        )

    def takes_every_kind(self) -> bool:
        """Whether all decisions of such an event are looked at."""
        return self.users is None and not self.channels and not self.types


def read_type(name: str) -> NotificationType:
    """Give the type with this full or short name. Raises `ValueError`."""
    try:
        return _NAMES[name.lower()]
    except KeyError:
        near = nearest(name, _NAMES)
        hint = f"is no type; did you mean {near}?" if near else f"is none of {', '.join(_NAMES)}"
        raise ValueError(f"{name!r} {hint}") from None


class Explanation(NamedTuple):
    """How a reason reads, and the preference that it hangs on, if it does on one."""

    sentence: str
    """`{name}` is the user."""
    key: str = ""
    """The preference's key; `{switch}` is that of the channel and type."""
    instead: str = ""
    """The value with which it would come out differently; `{on}` and `{off}` are the channel's."""


_SWITCH = "{switch}"
_SOUNDING = "audio.events"
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
    Reason.MUTED: Explanation("{name} has it muted", "mute", "off"),
    Reason.QUIET_HOURS: Explanation("it was in {name}'s quiet hours", "quiet_hours", "off"),
    Reason.UNAVAILABLE: Explanation("{name} was busy or offline", "when_unavailable", "send"),
    Reason.ACTIVE: Explanation("{name} had been active just before", "inactive_after", "0s"),
    Reason.VIEWING: Explanation("{name} had the conversation open, in front"),
    Reason.WINDOW_VISIBLE: Explanation("the app's window was in front", "audio.when", "always"),
}


_INSTEAD_OF_DIGEST = {"quiet_hours_then": "drop", "when_unavailable": "withhold"}


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
    explanation, channel, type_ = EXPLANATIONS[reason], decision.channel, decision.type
    left_out = resolve_for(decision, "audio", preferences).value != "none"
    key = _key_behind(reason, channel, type_, left_out=left_out and reason is Reason.DISABLED)
    if not key:
        return None
    value, layer = resolve_for(decision, key, preferences)
    if key == _SOUNDING:
        return DecidingPreference(key, value, layer, _with_or_without(type_, value))
    on, off = ("all", "none") if channel is Channel.AUDIO else ("on", "off")
    instead = explanation.instead.format(on=on, off=off)
    return DecidingPreference(key, value, layer, instead)


def _with_or_without(type_: NotificationType, value: str) -> str:
    """Return a value of `audio.events` that names a type where it didn't, or the other way."""
    named = {AUDIO_EVENTS[name] for name in value.split("+") if name in AUDIO_EVENTS} ^ {type_}
    return "+".join(name for name, of in AUDIO_EVENTS.items() if of in named) or "none"


def holding(due: Due, preferences: Preferences) -> DecidingPreference:
    """Give the preference behind a digest, as it is for what was held first."""
    conversation, inbox = due.told[0]
    value, layer = preferences.resolve(due.key, due.user, inbox, conversation, due.at)
    return DecidingPreference(due.key, value, layer, _INSTEAD_OF_DIGEST[due.key])


def key_of(decided: RecipientFields) -> str:
    """Return the key of the preference that has decided; an empty string where none has."""
    left_out = isinstance(decided, LeftOut)
    return _key_behind(decided.reason, decided.channel, decided.type, left_out=left_out)


def _key_behind(
    reason: Reason, channel: Channel, type_: NotificationType, *, left_out: bool
) -> str:
    if channel is not Channel.AUDIO:
        switch = f"{channel}.{type_}"
    else:
        switch = _SOUNDING if left_out or type_ is not NotificationType.NEW_MESSAGE else "audio"
    return EXPLANATIONS[reason].key.format(switch=switch)


def resolve_for(decision: Decision, key: str, preferences: Preferences) -> Resolved[str]:
    """Return a key's value for whom and where a decision was on, at its time."""
    return preferences.resolve(
        key,
        decision.user_id,
        decision.inbox_id,
        decision.conversation_id,
        None if decision.at is None else parse_moment(decision.at),
    )


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
    Reason.MUTED: "muted",
    Reason.QUIET_HOURS: "in quiet hours",
    Reason.UNAVAILABLE: "while unavailable",
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
    if (decision.type, reason) == (NotificationType.TEAM_ASSIGNMENT, Reason.SELF_ASSIGNED):
        told = f"{name} gave it to the team"
    if decision.type is NotificationType.DIGEST:
        told = f"it was held until {name} could be told"
    if setting is not None:
        told = f"{told}: {short_key(setting.key)} is {setting.value} ({setting.layer})"
    if reason is Reason.ENABLED and decision.deliverable is False:
        if decision.channel is Channel.PUSH:
            return f"{told}, but there is no subscription to send it to"
        if decision.channel.is_added:
            return f"{told}, but there is no address on {decision.channel} to send it to"
        return f"{told}, but there is no {'confirmed ' * bool(decision.email)}address to send it to"
    return told
