"""From a case to its decisions, one a channel, with one set of preferences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy

from notifycli.rules.decision import Decision, Held, Outcome, Reason, Verdict
from notifycli.rules.enabled import Wishes
from notifycli.rules.ladder import OF_CONVERSATION, OF_MOMENT, OF_USER, Case, judge
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel, NotificationType
from notifycli.rules.settings import SettingsBook

_AUDIO_ONLY = (Channel.AUDIO,)


def decisions(case: Case, settings: SettingsBook, notified: set[int]) -> Iterator[Decision]:
    """Judge a case on each of its channels, with one set of preferences.

    `notified` are the users whom the same event has notified with these preferences.
    """
    audio_only = case.type is NotificationType.NEW_MESSAGE
    case.settings = settings.of(case.user, case.event.inbox)
    case.notified = case.user in notified
    for case.channel in _AUDIO_ONLY if audio_only else SWITCHED_CHANNELS:
        decision = _decision(case)
        if decision.outcome is Outcome.FIRE:
            notified.add(case.user)
        yield decision


def _decision(case: Case) -> Decision:
    reason, origin = judge(case)
    fires = reason is Reason.ENABLED
    event, user = case.event, case.directory.users.get(case.user)
    assert event.account is not None  # noqa: S101 - Replay.decide() has set it
    deliverable = user.reachable(case.channel) if fires and user is not None else None
    return Decision(
        event.line,
        case.at,
        event.name,
        event.account,
        event.conversation,
        event.inbox,
        None if event.message is None else event.message.id,
        case.user,
        None if user is None else user.email,
        case.type,
        case.channel,
        Outcome.FIRE if fires else Outcome.SUPPRESS,
        reason,
        origin,
        deliverable,
    )


def sifted(case: Case, wishes: Wishes, held: list[Held]) -> Wishes:
    """Give the wishes for the case's type in whose way only the moment can stand.

    Adds the others to `held`, each with its reason.
    """
    for rule in OF_CONVERSATION[case.type]:
        if rule.holds(case):
            held.extend((verdict, rule.reason) for wish in wishes.all for verdict in wish.verdicts)
            return Wishes()
    if wishes.certain is not None:
        return wishes
    left = []
    for wish in wishes.all:
        case.user, case.settings, on = wish
        for rule in OF_USER[case.type]:
            if rule.holds(case):
                held.extend((verdict, rule.reason) for verdict in on)
                break
        else:
            left.append(wish)
    return wishes if len(left) == len(wishes.all) else Wishes(tuple(left))


def judge_wishes(
    case: Case,
    wishes: Wishes,
    notified: set[int],
    verdicts: list[Verdict],
    held: list[Held],
) -> None:
    """Judge what is left of the wishes for the case's type, at the case's moment.

    Adds what fires to `verdicts`, as `decisions` would, and to `held` what doesn't, and why.
    """
    if wishes.certain is not None:
        verdicts.extend(wishes.certain)
        return
    rules = OF_MOMENT[case.type]
    for case.user, case.settings, on in wishes.all:
        case.notified = case.user in notified
        for verdict in on:
            case.channel = verdict.channel
            for rule in rules:
                if rule.holds(case):
                    held.append((verdict, rule.reason))
                    break
            else:
                notified.add(case.user)
                verdicts.append(verdict)


def judged_anew(cases: Iterable[Case], settings: SettingsBook) -> Iterator[Decision]:
    """Judge cases of one event, in their order, with other preferences; they stay as they are."""
    notified: set[int] = set()
    for case in cases:
        yield from decisions(copy(case), settings, notified)
