"""What stands out in a replay, in sentences: for who has no time to look at plots."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from notifycli.report.material import Material
from notifycli.rules.counts import HOURS_A_DAY, Insight, Kind, Recipient, Switch
from notifycli.rules.decision import Reason, in_general
from notifycli.rules.notifications import SWITCHED_CHANNELS, TYPES, Channel
from notifycli.rules.preferences import Layer

SUBJECTS = {row.type: row.subject for row in TYPES}
_SHORT = {row.type: row.short for row in TYPES}
_SENT = {Channel.EMAIL: "e-mails", Channel.PUSH: "pushes", Channel.AUDIO: "sounds"}
_CHANGES = 5
_ENOUGH_HOURS = 4
"""The hours that somebody has to be seen at work to be compared by them, if anybody is."""
_NAMED = 6
WORKING_DAYS = 5
WORKING_HOURS = 8, 18
"""From Monday on, and from when to when on each; all else is after hours."""


class People(NamedTuple):
    """The users of a replay, by account and id."""

    names: Mapping[tuple[int, int], str]
    """All of whom something could be told, and how people call them."""
    several: bool
    """Whether they are of several accounts."""

    def name(self, agent: Recipient) -> str:
        """Return how a person is called."""
        named = self.names.get((agent.account, agent.user)) or agent.email or f"user {agent.user}"
        return f"{agent.account}/{named}" if self.several else named


class Highlight(NamedTuple):
    """Something that stands out."""

    title: str
    text: str


class ProposedChange(NamedTuple):
    """A change that would take away notifications."""

    fewer: int
    text: str
    command: str


def headline(before: Insight | None, after: Insight, people: People) -> str:
    """Say in a sentence what all of it comes to; beside what was before, if that is given."""
    fired, by_agent = after.fired.total(), after.by_agent()
    if before is not None:
        was, agents = before.fired.total(), before.by_agent()
        parts = [f"{_told(was)} before, {fired:,} after"]
        if by_agent != agents:
            most = min(
                by_agent.keys() | agents.keys(), key=lambda a: (-abs(by_agent[a] - agents[a]), a)
            )
            parts.append(
                f"it changes most for {people.name(most)} "
                f"({agents[most]:,} before, {by_agent[most]:,} after)"
            )
        return f"{'; '.join(parts)}."
    mails = after.by_channel()[Channel.EMAIL]
    parts = [f"{_told(fired)}, {mails:,} by mail" if mails else _told(fired)]
    if by_agent:
        most = min(by_agent, key=lambda agent: (-by_agent[agent], agent[:2]))
        parts.append(f"{people.name(most)} gets most ({by_agent[most]:,})")
    withheld = after.by_reason()
    # That an answer doesn't sound is nobody's choice, and so no finding.
    del withheld[Reason.ENABLED], withheld[Reason.NOT_AUDIBLE]
    if withheld.total():
        reason, count = withheld.most_common(1)[0]
        parts.append(f"{count:,} withheld because {in_general(reason).removeprefix('it is ')}")
    return f"{'; '.join(parts)}."


def _told(count: int) -> str:
    number = f"{count:,}" if count else "No"
    return f"{number} notification{'' if count == 1 else 's'}"


def findings(insight: Insight, people: People, material: Material, zone: str) -> list[Highlight]:
    """Say who is told most an hour of work, who gets nothing, and how much comes after hours."""
    found = [
        _most_for_work(insight, people, material),
        _told_nothing(insight, people),
        _after_hours(insight, zone),
    ]
    return [one for one in found if one is not None]


def _most_for_work(insight: Insight, people: People, material: Material) -> Highlight | None:
    told = insight.by_agent()
    enough = any(material.hours_of(agent) >= _ENOUGH_HOURS for agent in told)
    least = _ENOUGH_HOURS if enough else 1
    rates = {
        agent: told[agent] / hours for agent in told if (hours := material.hours_of(agent)) >= least
    }
    if not rates:
        return None
    most = min(rates, key=lambda agent: (-rates[agent], agent[:2]))
    hours = material.hours_of(most)
    return Highlight(
        f"{people.name(most)}: {math.floor(rates[most] * 10 + 0.5) / 10:,} an hour",
        f"told most for each hour of work: {told[most]:,} in {hours:,} "
        f"hour{'s' if hours > 1 else ''} with something done or written",
    )


def _told_nothing(insight: Insight, people: People) -> Highlight | None:
    told = {(agent.account, agent.user) for agent, _, _ in insight.fired}
    silent = [Recipient(*key, None) for key in people.names if key not in told]
    if not people.names:
        return None
    if not silent:
        return Highlight(
            "Nobody is left out", f"each of {len(people.names):,} people gets something"
        )
    names = sorted(people.name(agent) for agent in silent)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return Highlight(
        f"{len(silent):,} of {len(people.names):,} get nothing", ", ".join(names[:_NAMED]) + more
    )


def is_after_hours(hour: int) -> bool:
    """Whether an hour of the week is none of work."""
    day, hour = divmod(hour, HOURS_A_DAY)
    begin, end = WORKING_HOURS
    return day >= WORKING_DAYS or not begin <= hour < end


def _after_hours(insight: Insight, zone: str) -> Highlight | None:
    hours = {hour: count for hour, count in insight.by_hour().items() if hour is not None}
    known = sum(hours.values())
    if not known:
        return None
    late = sum(count for hour, count in hours.items() if is_after_hours(hour))
    begin, end = WORKING_HOURS
    return Highlight(
        f"{late / known:.0%} after hours",
        f"{late:,} of {known:,} outside Monday to Friday, {begin}:00 to {end}:00 ({zone})",
    )


def changes(insight: Insight, people: People) -> list[ProposedChange]:
    """Return the changes of one preference each that would take away most, and their commands."""
    switches = sorted(insight.switches.items(), key=lambda one: (-one[1], _order(one[0])))
    return [
        ProposedChange(count, _text(switch, people), _command(switch, several=people.several))
        for switch, count in switches[:_CHANGES]
    ]


def _order(switch: Switch) -> tuple[object, ...]:
    agent = switch.agent
    user = 0 if agent is None else agent.user
    return switch.account, user, switch.inbox or 0, switch.kind


def _text(switch: Switch, people: People) -> str:
    subject = SUBJECTS.get(switch.kind.type)
    what = _SENT[switch.kind.channel] + (f" about {subject}" if subject else "")
    if switch.layer is Layer.LOCK:
        return f"no {what} for anybody: that is locked on"
    if switch.agent is None:
        return f"no {what} for those who haven't chosen"
    where = "" if switch.inbox is None else f" in inbox {switch.inbox}"
    return f"no {what} for {people.name(switch.agent)}{where}"


def _command(switch: Switch, *, several: bool) -> str:
    kind, agent = switch.kind, switch.agent
    account = f" -a {switch.account}" if several else ""
    if agent is None:
        whose = " --lock" if switch.layer is Layer.LOCK else " --default"
    else:
        inbox = "" if switch.inbox is None else f" --inbox {switch.inbox}"
        whose = f" -u {shlex.quote(agent.name)}{inbox}"
    off = f"{kind_name(kind)}={'off' if kind.channel in SWITCHED_CHANNELS else 'none'}"
    return f"notifycli prefs set{whose}{account} {off}"


def kind_name(kind: Kind) -> str:
    """Name channel and type as the preference's key does."""
    return f"{kind.channel}.{_SHORT[kind.type]}" if kind.type in _SHORT else str(kind.channel)
