"""The reasons not to notify, in their order: section by section as the rules state them.

`SWITCHED` holds for e-mail and push, `AUDIO` for sound. The first reason of a ladder that holds
decides; if none does, the notification fires.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from notifycli.events.event import Event
from notifycli.rules.decision import Reason
from notifycli.rules.directory import Directory
from notifycli.rules.notifications import (
    EVERY_TYPE,
    NEW_MESSAGE_TYPES,
    Channel,
    NotificationType,
)
from notifycli.rules.preferences import Layer
from notifycli.rules.presence import Presence
from notifycli.rules.settings import BUILTIN_SETTINGS, Settings

_CREATION = {NotificationType.CREATION}
_ASSIGNMENT = {NotificationType.ASSIGNMENT}
_MENTION = {NotificationType.MENTION}


class Case(Struct):
    """All that one decision may look at.

    The last three change from decision to decision: on another channel, with other preferences.
    """

    event: Event
    at: str | None
    """The event's time as it is printed; what only fires or not needs none."""
    status: str | None
    assignee: int | None
    blocked: bool
    user: int
    type: NotificationType
    told: int | None
    """Who has been told of this assignment already."""
    directory: Directory
    presence: Presence
    notified: bool = False
    """Whether the user has been notified of this message already."""
    channel: Channel = Channel.EMAIL
    settings: Settings = BUILTIN_SETTINGS


class Look(Enum):
    """What a rule looks at, beside what those before it in the list look at."""

    CONVERSATION = 1
    """What is decided, and in which conversation."""
    USER = 2
    MOMENT = 3
    """The clock, who is active, and whom the same event has notified."""


class Rule(NamedTuple):
    """One row of a ladder."""

    reason: Reason
    holds: Callable[[Case], bool]
    types: frozenset[NotificationType] | set[NotificationType] = EVERY_TYPE
    origin: Callable[[Case], Layer] | None = None
    """Gives the layer of the preference that decided, where one does."""
    look: Look = Look.USER


def _pending(case: Case) -> bool:
    return case.status == "pending"


def _blocked(case: Case) -> bool:
    return case.blocked


def _no_access(case: Case) -> bool:
    return not case.directory.can_see(case.user, case.event.inbox, case.event.known_team)


def _self_authored(case: Case) -> bool:
    return case.user == case.event.author


def _self_assigned(case: Case) -> bool:
    return case.user == case.event.performed_by


def _already_told(case: Case) -> bool:
    return case.user == case.told


def _already_notified(case: Case) -> bool:
    return case.notified


def _switched_off(case: Case) -> bool:
    return not case.settings.enabled[case.channel, case.type].value


def _in_quiet_hours(case: Case) -> bool:
    hours, at = case.settings.quiet_hours.value, case.event.at
    return hours is not None and at is not None and hours.hold(at)


def _active(case: Case) -> bool:
    return case.presence.active(case.user, case.event.at, case.settings.inactive_after.value)


def _not_audible(case: Case) -> bool:
    message = case.event.message
    return message is None or not (message.type == "incoming" or message.is_private_note)


def _no_audio(case: Case) -> bool:
    return not case.settings.audio.value


def _not_covered(case: Case) -> bool:
    if case.assignee is None:
        kind = "unassigned"
    else:
        kind = "assigned" if case.assignee == case.user else "others"
    return kind not in case.settings.audio.value


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


def switch_origin(case: Case) -> Layer:
    """Give the layer that switched the type on or off."""
    return case.settings.enabled[case.channel, case.type].origin


def audio_origin(case: Case) -> Layer:
    """Give the layer of `audio`."""
    return case.settings.audio.origin


def _quiet_origin(case: Case) -> Layer:
    return case.settings.quiet_hours.origin


def _inactive_origin(case: Case) -> Layer:
    return case.settings.inactive_after.origin


def _when_origin(case: Case) -> Layer:
    return case.settings.audio_when.origin


SWITCHED = (
    Rule(Reason.PENDING_CONVERSATION, _pending, _CREATION | _ASSIGNMENT, look=Look.CONVERSATION),
    Rule(Reason.BLOCKED_CONTACT, _blocked, EVERY_TYPE - _MENTION, look=Look.CONVERSATION),
    Rule(Reason.NO_ACCESS, _no_access),
    Rule(Reason.SELF_AUTHORED, _self_authored, _MENTION | NEW_MESSAGE_TYPES),
    Rule(Reason.SELF_ASSIGNED, _self_assigned, _ASSIGNMENT),
    Rule(Reason.ALREADY_NOTIFIED, _already_told, _ASSIGNMENT),
    Rule(Reason.ALREADY_NOTIFIED, _already_notified, NEW_MESSAGE_TYPES, look=Look.MOMENT),
    Rule(Reason.DISABLED, _switched_off, origin=switch_origin),
    Rule(
        Reason.QUIET_HOURS,
        _in_quiet_hours,
        EVERY_TYPE - _MENTION,
        origin=_quiet_origin,
        look=Look.MOMENT,
    ),
    Rule(Reason.ACTIVE, _active, NEW_MESSAGE_TYPES, origin=_inactive_origin, look=Look.MOMENT),
)

AUDIO = (
    Rule(Reason.NOT_AUDIBLE, _not_audible, look=Look.CONVERSATION),
    Rule(Reason.PENDING_CONVERSATION, _pending, look=Look.CONVERSATION),
    Rule(Reason.BLOCKED_CONTACT, _blocked, look=Look.CONVERSATION),
    Rule(Reason.SELF_AUTHORED, _self_authored),
    Rule(Reason.DISABLED, _no_audio, origin=audio_origin),
    Rule(Reason.NOT_ASSIGNED, _not_covered, origin=audio_origin),
    Rule(Reason.QUIET_HOURS, _in_quiet_hours, origin=_quiet_origin, look=Look.MOMENT),
    Rule(Reason.VIEWING, _viewing, look=Look.MOMENT),
    Rule(Reason.WINDOW_VISIBLE, _window_visible, origin=_when_origin, look=Look.MOMENT),
)

LADDERS: Mapping[NotificationType, tuple[Rule, ...]] = {
    **{type_: tuple(rule for rule in SWITCHED if type_ in rule.types) for type_ in EVERY_TYPE},
    NotificationType.NEW_MESSAGE: AUDIO,
}


def _rungs(look: Look) -> Mapping[NotificationType, tuple[Rule, ...]]:
    return {
        type_: tuple(
            rule for rule in ladder if rule.look is look and rule.reason is not Reason.DISABLED
        )
        for type_, ladder in LADDERS.items()
    }


OF_CONVERSATION = _rungs(Look.CONVERSATION)
"""The first rungs."""
OF_USER = _rungs(Look.USER)
"""The next ones, but for one that holds for nobody who has the type switched on."""
OF_MOMENT = _rungs(Look.MOMENT)
"""The last ones."""


def judge(case: Case) -> tuple[Reason, Layer | None]:
    """Climb the ladder of the case's type: the first reason that holds, or `enabled`."""
    for rule in LADDERS[case.type]:
        if rule.holds(case):
            return rule.reason, rule.origin(case) if rule.origin else None
    audio = case.type is NotificationType.NEW_MESSAGE
    return Reason.ENABLED, audio_origin(case) if audio else switch_origin(case)


def certain(type_: NotificationType, settings: Settings) -> bool:
    """Whether nothing but the event can keep a type, switched on, from one who sees the inbox."""
    reasons = {rule.reason for rule in OF_USER[type_] + OF_MOMENT[type_]} - {Reason.NO_ACCESS}
    return not reasons or (reasons == {Reason.QUIET_HOURS} and settings.quiet_hours.value is None)


def obstacles(case: Case) -> list[tuple[Reason, Layer | None]]:
    """Give every reason that holds, not just the first: what else would have to change."""
    return [
        (rule.reason, rule.origin(case) if rule.origin else None)
        for rule in LADDERS[case.type]
        if rule.holds(case)
    ]
