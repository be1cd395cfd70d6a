"""What stands out in a replay, in sentences: for who has no time to look at plots.

What the counts don't tell is observed event by event, while they are replayed.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from notifycli.events.event import Event
from notifycli.events.timestamps import SECOND
from notifycli.rules.counts import HOURS_A_DAY, Insight, Kind, Recipient, Switch
from notifycli.rules.coverage import Unreached
from notifycli.rules.decision import Reason, RecipientFields, in_general
from notifycli.rules.notifications import SHORT_NAMES, TYPES, Channel, NotificationType
from notifycli.rules.preferences import AUDIO_EVENTS, Layer, short_key

MOST_HELD = 10_000
"""The decisions that fire, and of the others as many, that a page holds. Some 20 bytes each."""
_HOUR = 3600 * SECOND
_SCATTER = 0x9E3779B1
"""Multiplies a number so that its higher bits look drawn by lot (Knuth, TAOCP 3, 6.4)."""
Sides = tuple[Sequence[RecipientFields], Sequence[RecipientFields]]
"""What is decided before and after; the first is empty without a comparison."""
Decided = dict[tuple[Recipient, Kind], tuple[Reason | None, Reason | None]]
"""For whom and what, and the reasons: before, after; `None` where nothing was decided."""


class HeldEvent(NamedTuple):
    """An event, and what was decided of it."""

    lot: int
    """What decides whether it is held: a number as if drawn, though the same each time."""
    event: Event
    decided: Decided


class Sample:
    """The decisions of all events or, once that is too many, of one event in two, four, eight."""

    def __init__(self, most: int) -> None:
        self.one_in = 1
        self._events: list[HeldEvent] = []
        self._most = most
        self._held = 0

    def wants(self, lot: int) -> bool:
        """Whether decisions of an event with this lot are to be held."""
        return lot % self.one_in == 0

    def hold(self, one: HeldEvent) -> None:
        """Hold decisions of an event; of fewer events, if that is too much by now."""
        if one.decided:
            self._events.append(one)
            self._held += len(one.decided)
            self._thin_out()

    def merge(self, other: Sample) -> None:
        """Hold what was held of other events."""
        self.one_in = max(self.one_in, other.one_in)
        self._keep_wanted([*self._events, *other._events])
        self._thin_out()

    @property
    def events(self) -> list[HeldEvent]:
        """What is held, as it came: by time and line."""
        return sorted(self._events, key=_by_time)

    def _thin_out(self) -> None:
        while self._held > self._most and len(self._events) > 1:
            self.one_in *= 2
            self._keep_wanted(self._events)

    def _keep_wanted(self, events: list[HeldEvent]) -> None:
        self._events = [held for held in events if self.wants(held.lot)]
        self._held = sum(len(held.decided) for held in self._events)


def _by_time(held: HeldEvent) -> tuple[int, ...]:
    event = held.event
    places = event.at, event.line, event.account, event.conversation
    return tuple([0 if place is None else place for place in places])


class Observations:
    """Holds what the counts don't tell: the time span, who worked when, and decisions."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.span: tuple[int, int] | None = None
        """The first and the last time of the events that were timed."""
        self.fired = Sample(most)
        self.withheld = Sample(most)
        self._worked: dict[tuple[int, int], dict[int, int]] = {}
        """By account and user: for each week, a bit for each of its hours that was worked in."""

    def note(self, event: Event) -> None:
        """Keep when an event that has been replayed is, and who was at work."""
        at = event.at
        if at is None:
            return
        first, last = self.span or (at, at)
        self.span = min(first, at), max(last, at)
        present = None if event.visible is False else event.present
        for user in {event.author, event.performed_by, present}:
            if user is not None:
                week, hour = divmod(at // _HOUR, 7 * HOURS_A_DAY)
                self._see((event.account or 0, user), week, 1 << hour)

    def _see(self, who: tuple[int, int], week: int, hours: int) -> None:
        weeks = self._worked.setdefault(who, {})
        weeks[week] = weeks.get(week, 0) | hours

    def hours_of(self, agent: Recipient) -> int:
        """Return in how many hours somebody wrote, typed, did something or was there."""
        weeks = self._worked.get((agent.account, agent.user), {})
        return sum(hours.bit_count() for hours in weeks.values())

    def merge(self, other: Observations) -> None:
        """Add what was gathered of other events."""
        spans = [span for span in (self.span, other.span) if span is not None]
        if spans:
            self.span = min(first for first, _ in spans), max(last for _, last in spans)
        for who, weeks in other._worked.items():
            for week, hours in weeks.items():
                self._see(who, week, hours)
        self.fired.merge(other.fired)
        self.withheld.merge(other.withheld)

    def hold(self, event: Event, decided: Callable[[bool], Sides]) -> None:
        """Hold decisions of an event; `decided` gives those that fire, or all if it is told to."""
        lot = (event.line * _SCATTER & 0xFFFFFFFF) >> 8
        whole = self.withheld.wants(lot)
        if not (whole or self.fired.wants(lot)):
            return
        reasons: Decided = {}
        account = event.account or 0
        before, after = decided(whole)
        for one in before:
            reasons[_key(account, one)] = one.reason, None
        for one in after:
            key = _key(account, one)
            reasons[key] = reasons.get(key, (None, None))[0], one.reason
        fired = {key: both for key, both in reasons.items() if Reason.ENABLED in both}
        if self.fired.wants(lot):
            self.fired.hold(HeldEvent(lot, event, fired))
        if whole:
            others = {key: both for key, both in reasons.items() if key not in fired}
            self.withheld.hold(HeldEvent(lot, event, others))


def _key(account: int, one: RecipientFields) -> tuple[Recipient, Kind]:
    return Recipient(account, one.user_id, one.email), Kind(one.channel, one.type)


SUBJECTS = {
    **{row.type: row.subject for row in TYPES},
    NotificationType.DIGEST: "what was withheld for a time",
}
_SENT = {Channel.EMAIL: "e-mails", Channel.PUSH: "pushes", Channel.AUDIO: "sounds"}
_CHANGES = 5
_TOGETHER = {f"{Channel.AUDIO}.{name}" for name in AUDIO_EVENTS}  # and not `audio`, of messages
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
        parts = [f"{_count_in_words(was)} before, {fired:,} after"]
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
    parts = [f"{_count_in_words(fired)}, {mails:,} by mail" if mails else _count_in_words(fired)]
    if by_agent:
        most = min(by_agent, key=lambda agent: (-by_agent[agent], agent[:2]))
        parts.append(f"{people.name(most)} gets most ({by_agent[most]:,})")
    withheld = after.by_reason()
    # That an answer doesn't sound is nobody's choice, and so no finding.
    del withheld[Reason.ENABLED], withheld[Reason.NOT_AUDIBLE]
    if withheld.total():
        reason, count = min(withheld.items(), key=lambda one: (-one[1], one[0]))
        parts.append(f"{count:,} withheld because {in_general(reason).removeprefix('it is ')}")
    return f"{'; '.join(parts)}."


def _count_in_words(count: int) -> str:
    number = f"{count:,}" if count else "No"
    return f"{number} notification{'' if count == 1 else 's'}"


def findings(
    insight: Insight, people: People, observations: Observations, zone: str
) -> list[Highlight]:
    """Say who is told most an hour of work, who gets nothing, and how much comes after hours."""
    found = [
        _most_for_work(insight, people, observations),
        _told_nothing(insight, people),
        _after_hours(insight, zone),
    ]
    return [one for one in found if one is not None]


def without_effect(unreached: Iterable[Unreached]) -> Iterator[Highlight]:
    """Say which preferences never decided anything, if there are such."""
    dead = [one for one in unreached if one.what == "preference"]
    if not dead:
        return
    named = [
        f"{short_key(one.key or '')}={one.value} ({one.email or one.user_id or one.layer})"
        for one in dead[:_NAMED]
    ]
    more = f" and {len(dead) - _NAMED:,} more" if len(dead) > _NAMED else ""
    yield Highlight(
        f"{len(dead):,} preference{'s' if len(dead) > 1 else ''} never decided anything",
        f"{', '.join(named)}{more}; all: simulate --coverage",
    )


def _most_for_work(
    insight: Insight, people: People, observations: Observations
) -> Highlight | None:
    told = insight.by_agent()
    enough = any(observations.hours_of(agent) >= _ENOUGH_HOURS for agent in told)
    least = _ENOUGH_HOURS if enough else 1
    rates = {
        agent: told[agent] / hours
        for agent in told
        if (hours := observations.hours_of(agent)) >= least
    }
    if not rates:
        return None
    most = min(rates, key=lambda agent: (-rates[agent], agent[:2]))
    hours = observations.hours_of(most)
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
    # Of sounds, audio.events holds several types: there is no change of one of them alone.
    alone = (one for one in insight.switches.items() if kind_name(one[0].kind) not in _TOGETHER)
    switches = sorted(alone, key=lambda one: (-one[1], _order(one[0])))
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
    channel = switch.kind.channel
    what = _SENT.get(channel, f"messages by {channel}") + (f" about {subject}" if subject else "")
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
    off = f"{kind_name(kind)}={'none' if kind.channel is Channel.AUDIO else 'off'}"
    return f"notifycli prefs set{whose}{account} {off}"


def kind_name(kind: Kind) -> str:
    """Name channel and type as the preference's key does."""
    short = SHORT_NAMES.get(kind.type)
    return f"{kind.channel}.{short}" if short else str(kind.channel)
