"""The reasons not to notify, in their order: section by section as the rules state them.

`SWITCHED` holds for e-mail and push, `AUDIO` for sound. The first reason of a ladder that holds
decides; if none does, the notification fires. A row that only some profiles have names the switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import NamedTuple

from msgspec import Struct

from notifycli.events.event import Event
from notifycli.rules.decision import Reason
from notifycli.rules.directory import Directory
from notifycli.rules.layers import Preferences, Settings, read_settings
from notifycli.rules.notifications import (
    EVERY_TYPE,
    NEW_MESSAGE_TYPES,
    SWITCHED_CHANNELS,
    Channel,
    NotificationType,
)
from notifycli.rules.preferences import Layer
from notifycli.rules.profile import NOTIFYCLI, Profile
from notifycli.rules.state import Conversation, Presence

_CREATION = {NotificationType.CREATION}
_ASSIGNMENT = {NotificationType.ASSIGNMENT}
_TEAM = {NotificationType.TEAM_ASSIGNMENT}
_MENTION = {NotificationType.MENTION}
_UNASSIGNED = {NotificationType.UNASSIGNED_MESSAGE}
_AUDIO_ONLY = (Channel.AUDIO,)
_BUILTIN = read_settings(Preferences(), NOTIFYCLI)
"""The settings of a user for whom nothing is set."""


class Case(Struct, gc=False):
    """All that one decision may look at.

    The last five change from decision to decision: of another type or its sound, about another
    user, on another channel, with other preferences.
    """

    event: Event
    conversation: Conversation
    directory: Directory
    presence: Presence
    profile: Profile
    notified_assignee: int | None
    """Who had been told of this assignment before the event."""
    handover_told: bool
    """Whether the hand-over that the event shows had been told before it."""
    notified_team: int | None
    """Which team had been told before the event of being given it."""
    notified: frozenset[int] = frozenset()
    """Who has been notified of this message already."""
    type: NotificationType = NotificationType.NEW_MESSAGE
    sound: bool = False
    """Whether it is on the sound of a type that has other channels as well."""
    user: int = 0
    channel: Channel = Channel.EMAIL
    settings: Settings = _BUILTIN

    def holds(self, reason: Reason, channel: Channel) -> bool:
        """Whether what is withheld for a reason waits for a digest."""
        sounds = channel not in SWITCHED_CHANNELS
        if sounds or self.event.conversation is None or self.event.is_reply:
            return False
        quiet = reason is Reason.QUIET_HOURS and self.settings.quiet_held.value
        return quiet or (reason is Reason.UNAVAILABLE and self.settings.absence_held)

    def can_see(self, user: int) -> bool:
        """Whether a user can see the conversation."""
        kept = self.conversation
        return self.directory.can_see(
            user, self.event.inbox, kept.team, kept.assignee, kept.participants
        )


class DependsOn(Enum):
    """What a rule looks at, beside what those before it in the list look at."""

    CONVERSATION = 1
    """What is decided, and in which conversation: for everybody the same.

    A plan is found for all that such a rule looks at: its key in `evaluator.py` names it.
    """
    PERSON = 2
    """Who somebody is in the event; for most people it never holds."""
    SETTINGS = 3
    MOMENT = 4
    """The clock, and who is active."""


class Rule(Struct, frozen=True):
    """One row of a ladder."""

    reason: Reason
    holds: Callable[[Case], bool]
    depends_on: DependsOn
    types: frozenset[NotificationType] | set[NotificationType] = EVERY_TYPE
    origin: Callable[[Case], Layer] | None = None
    """Gives the layer of the preference that decided, where one does."""
    switch: str = ""
    """The switch of a profile without which there is no such rule."""


def _pending(case: Case) -> bool:
    return case.conversation.status == "pending"


def _blocked(case: Case) -> bool:
    return case.conversation.blocked


def _no_access(case: Case) -> bool:
    if not case.profile.access_gate:
        return case.user not in case.directory.users
    return not case.can_see(case.user)


def _self_authored(case: Case) -> bool:
    return case.user == case.event.author


def _own_number(case: Case) -> bool:
    return case.user == case.event.sender


def _self_assigned(case: Case) -> bool:
    by, named = case.event.performed_by, case.event.assigned
    return by is not None and by == (case.user if named is None else named)


def _gave_to_team(case: Case) -> bool:
    return case.user == case.event.performed_by


def _team_told(case: Case) -> bool:
    return case.notified_team is not None and case.notified_team == case.conversation.team


def _handover_told(case: Case) -> bool:
    return case.handover_told


def _assignment_told(case: Case) -> bool:
    return case.user == case.notified_assignee


def _message_told(case: Case) -> bool:
    return case.user in case.notified


def _switched_off(case: Case) -> bool:
    return not case.settings.enabled[case.channel, case.type].value


def _muted(case: Case) -> bool:
    return case.settings.mute.value


def _in_quiet_hours(case: Case) -> bool:
    hours, at = case.settings.quiet_hours.value, case.event.at
    return hours is not None and at is not None and hours.hold(at)


def _unavailable(case: Case) -> bool:
    return case.settings.withholds.value and case.user in case.presence.unavailable


def _active(case: Case) -> bool:
    if case.channel is Channel.PUSH and not case.profile.push_presence:
        return False
    settings = case.settings
    return case.presence.active(
        case.user, case.event.at, settings.inactive_after.value, settings.connected_for
    )


def not_audible(case: Case) -> bool:
    """Whether a message is none that sounds."""
    message = case.event.message
    return message is None or not (message.type == "incoming" or message.private)


def _no_audio(case: Case) -> bool:
    return not case.settings.audio.value


def _not_covered(case: Case) -> bool:
    return audio_set_of(case.conversation, case.user) not in case.settings.audio.value


def audio_set_of(conversation: Conversation, user: int) -> str:
    """Give which of the sets of conversations that sound it is in, for a user."""
    if conversation.assignee is None:
        return "unassigned"
    return "assigned" if conversation.assignee == user else "others"


def _viewing(case: Case) -> bool:
    window = case.presence.window(case.user)
    return (
        window.visible
        and window.conversation is not None
        and window.conversation == case.event.conversation
    )


def _window_visible(case: Case) -> bool:
    visible = case.presence.window(case.user).visible
    return visible and case.settings.audio_when.value == "hidden"


def _switch_origin(case: Case) -> Layer:
    return case.settings.enabled[case.channel, case.type].origin


def _audio_origin(case: Case) -> Layer:
    return case.settings.audio.origin


def _mute_origin(case: Case) -> Layer:
    return case.settings.mute.origin


def _quiet_origin(case: Case) -> Layer:
    return case.settings.quiet_hours.origin


def _withholding_origin(case: Case) -> Layer:
    return case.settings.withholds.origin


def _inactive_origin(case: Case) -> Layer:
    return case.settings.inactive_after.origin


def _when_origin(case: Case) -> Layer:
    return case.settings.audio_when.origin


_CONVERSATION, _PERSON, _SETTINGS, _MOMENT = DependsOn
_UNHELD = EVERY_TYPE - _MENTION
SWITCHED = (
    Rule(
        Reason.PENDING_CONVERSATION,
        _pending,
        _CONVERSATION,
        _CREATION | _ASSIGNMENT | _TEAM | _UNASSIGNED,
    ),
    Rule(Reason.BLOCKED_CONTACT, _blocked, _CONVERSATION, _UNHELD, switch="blocked_gate"),
    Rule(Reason.NO_ACCESS, _no_access, _PERSON),
    Rule(Reason.SELF_AUTHORED, _self_authored, _PERSON, _MENTION, switch="self_mention_skip"),
    Rule(Reason.SELF_AUTHORED, _self_authored, _PERSON, NEW_MESSAGE_TYPES),
    Rule(Reason.SELF_ASSIGNED, _self_assigned, _PERSON, _ASSIGNMENT),
    Rule(Reason.SELF_ASSIGNED, _gave_to_team, _PERSON, _TEAM),
    Rule(Reason.ALREADY_NOTIFIED, _handover_told, _CONVERSATION, _CREATION),
    Rule(
        Reason.ALREADY_NOTIFIED,
        _assignment_told,
        _PERSON,
        _ASSIGNMENT,
        switch="remembers_assignment",
    ),
    Rule(Reason.ALREADY_NOTIFIED, _team_told, _PERSON, _TEAM),
    Rule(Reason.ALREADY_NOTIFIED, _message_told, _PERSON, NEW_MESSAGE_TYPES),
    Rule(Reason.DISABLED, _switched_off, _SETTINGS, origin=_switch_origin),
    Rule(Reason.MUTED, _muted, _SETTINGS, origin=_mute_origin),
    Rule(
        Reason.QUIET_HOURS, _in_quiet_hours, _MOMENT, _UNHELD, _quiet_origin, switch="quiet_hours"
    ),
    Rule(Reason.UNAVAILABLE, _unavailable, _MOMENT, _UNHELD, _withholding_origin),
    Rule(Reason.ACTIVE, _active, _MOMENT, NEW_MESSAGE_TYPES, _inactive_origin),
)

_IN_FRONT = (
    Rule(Reason.VIEWING, _viewing, _MOMENT),
    Rule(Reason.WINDOW_VISIBLE, _window_visible, _MOMENT, origin=_when_origin),
)
AUDIO = (
    Rule(Reason.NOT_AUDIBLE, not_audible, _CONVERSATION),
    Rule(Reason.PENDING_CONVERSATION, _pending, _CONVERSATION, switch="audio_pending_gate"),
    Rule(Reason.BLOCKED_CONTACT, _blocked, _CONVERSATION, switch="audio_blocked_gate"),
    Rule(Reason.SELF_AUTHORED, _self_authored, _PERSON),
    Rule(Reason.SELF_AUTHORED, _own_number, _PERSON, switch="audio_by_number"),
    Rule(Reason.DISABLED, _no_audio, _SETTINGS, origin=_audio_origin),
    Rule(Reason.NOT_ASSIGNED, _not_covered, _SETTINGS, origin=_audio_origin),
    Rule(Reason.MUTED, _muted, _SETTINGS, origin=_mute_origin),
    Rule(Reason.QUIET_HOURS, _in_quiet_hours, _MOMENT, origin=_quiet_origin, switch="quiet_hours"),
    Rule(Reason.UNAVAILABLE, _unavailable, _MOMENT, origin=_withholding_origin),
    *_IN_FRONT,
)

Rungs = Mapping[NotificationType, tuple[Rule, ...]]


class Ladders(NamedTuple):
    """The ladders of a profile by type, and parts of them, each in its order."""

    whole: Rungs
    of_conversation: Rungs
    """What holds for everybody or for nobody."""
    of_person: Rungs
    before_settings: Rungs
    """Both: what stands before the preference, and is the same on each channel."""
    of_moment: Rungs
    """What is left, once the preference is on."""
    sounds: Rungs
    """Whole, of the sounds of types that have other channels as well."""


@cache
def ladders_of(profile: Profile) -> Ladders:
    """Give the ladders of a profile."""
    whole = {type_: tuple(_of_type(SWITCHED, type_, profile)) for type_ in EVERY_TYPE}
    audio = NotificationType.NEW_MESSAGE
    whole[audio] = tuple(rule for rule in AUDIO if _has(profile, rule))

    def part(*depends_on: DependsOn) -> Rungs:
        return {
            t: tuple(r for r in rules if r.depends_on in depends_on) for t, rules in whole.items()
        }

    return Ladders(
        whole,
        part(_CONVERSATION),
        part(_PERSON),
        part(_CONVERSATION, _PERSON),
        part(_MOMENT),
        {type_: (*whole[type_], *_IN_FRONT) for type_ in _CREATION | _ASSIGNMENT},
    )


def _rungs(case: Case) -> tuple[Rule, ...]:
    """Return the whole ladder of a case."""
    ladders = ladders_of(case.profile)
    return (ladders.sounds if case.sound else ladders.whole)[case.type]


def _of_type(rules: tuple[Rule, ...], type_: NotificationType, profile: Profile) -> Iterator[Rule]:
    return (rule for rule in rules if type_ in rule.types and _has(profile, rule))


def _has(profile: Profile, rule: Rule) -> bool:
    return not rule.switch or bool(getattr(profile, rule.switch))


def channels_of(type_: NotificationType, *, sound: bool = False) -> tuple[Channel, ...]:
    """Give the channels on which a type, or its sound, is decided, in their order."""
    return _AUDIO_ONLY if sound or type_ is NotificationType.NEW_MESSAGE else SWITCHED_CHANNELS


def first_that_holds(rules: tuple[Rule, ...], case: Case) -> Rule | None:
    """Give the first of the rules that holds."""
    for rule in rules:
        if rule.holds(case):
            return rule
    return None


def judge(case: Case) -> tuple[Reason, Layer | None]:
    """Climb the ladder of the case's type: the first reason that holds, or `enabled`."""
    rule = first_that_holds(_rungs(case), case)
    if rule is not None:
        return rule.reason, rule.origin(case) if rule.origin else None
    return Reason.ENABLED, origin_of_enabled(case)


def origin_of_enabled(case: Case) -> Layer:
    """Give the layer that switched the case's type on."""
    audio = case.type is NotificationType.NEW_MESSAGE
    return _audio_origin(case) if audio else _switch_origin(case)


def obstacles(case: Case) -> tuple[Reason, ...]:
    """Give every reason that holds, not just the first: what else would have to change."""
    return tuple([rule.reason for rule in _rungs(case) if rule.holds(case)])
