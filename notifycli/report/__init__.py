"""Pages that need nothing else, neither a network nor a server: `simulate --report`.

The page gets numbers, and decisions up to a size: how large it is depends on how many people there
are and what they get, not on how long the replay was.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import tzinfo
from importlib import resources
from typing import Any, NamedTuple, TypeVar

import msgspec

from notifycli.events.timestamps import EPOCH, to_datetime
from notifycli.report.findings import (
    MOST_HELD,
    SUBJECTS,
    WORKING_DAYS,
    WORKING_HOURS,
    Observations,
    People,
    changes,
    findings,
    headline,
    kind_name,
    without_effect,
)
from notifycli.rules.counts import ConversationKey, Insight, Kind, Recipient
from notifycli.rules.coverage import Unreached
from notifycli.rules.decision import Reason, in_general
from notifycli.rules.notifications import NotificationType, channel_order

T = TypeVar("T", bound=Hashable)
_MOST_ROWS = 60_000
"""Of a table of the page: people past it are summed up as others. Some 15 bytes each."""
_MOST_AGENTS = 500
_PLACES = 15
_UNKNOWN = -1
"""An hour, a time, a conversation or a reason that there is none of."""


class About(NamedTuple):
    """What a page is about, beside what was counted."""

    people: People
    zone: str
    """How its time zone is called."""
    tz: tzinfo | None
    """The same to reckon with; `None` is the computer's."""
    links: Mapping[int, str]
    """Where each account's conversations are seen, up to their number, where that is known."""
    command: str
    """What shows decisions in a terminal, but for the options that select them."""
    source: Mapping[str, str]
    """What it was made of, for its foot."""
    unreached: Sequence[Unreached] = ()
    """What the events never reached."""


def report(before: Insight | None, after: Insight, observations: Observations, about: About) -> str:
    """Return the page of a replay, or of a comparison with what was `before`."""
    return page("report", _data(before, after, observations, about))


def page(name: str, data: Mapping[str, object]) -> str:
    """Return a page: its markup, the style of all pages, and its script with the data."""
    style, script = _part("page.css"), _part("common.js") + _part(f"{name}.js")
    text = _part(f"{name}.html")
    values = {
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "style": style,
        "script": script,
        "data": _embed(data),
    }
    for key, value in values.items():
        head, _, tail = text.partition(f"{{{key}}}")
        text = f"{head}{value}{tail}"
    return text


def _data(
    before: Insight | None, after: Insight, observations: Observations, about: About
) -> Mapping[str, object]:
    sides = {"before": before or Insight(lambda _: 0), "after": after}
    agents = _agents(*sides.values())
    everybody = {agent for side in sides.values() for agent, _, _ in side.reasons}
    kinds = sorted({k for side in sides.values() for _, k, _ in side.reasons}, key=_kind_order)
    return {
        "compared": before is not None,
        "zone": about.zone,
        "working": [WORKING_DAYS, *WORKING_HOURS],
        "headline": headline(before, after, about.people),
        "findings": [
            *findings(after, about.people, observations, about.zone),
            *without_effect(about.unreached),
        ],
        "changes": changes(after, about.people),
        "people": [_person(agent, about.people, observations) for agent in agents],
        "others": len(everybody) - len(agents),
        "kinds": [(k.channel, SUBJECTS.get(k.type, ""), kind_name(k)) for k in kinds],
        "reasons": [("fires" if r is Reason.ENABLED else r, in_general(r)) for r in Reason],
        "links": {str(account): link for account, link in about.links.items()},
        "several": about.people.several,
        "span": [_local(at, about.tz) for at in observations.span or ()],
        "places": [
            (place.account, _number(place.conversation), *(s.places[place] for s in sides.values()))
            for place in _busiest(*(side.places for side in sides.values()))
        ],
        **{name: _tables(side, agents, kinds) for name, side in sides.items()},
        "held": _list_held(observations, agents, kinds, about.tz),
        "command": about.command,
        "source": [*about.source.items()],
    }


def _tables(side: Insight, agents: list[Recipient], kinds: list[Kind]) -> Mapping[str, list[int]]:
    return {
        "fired": _rows(side.fired, agents, kinds, _number),
        "reasons": _rows(side.reasons, agents, kinds, list(Reason).index),
    }


def _list_held(
    observations: Observations, agents: list[Recipient], kinds: list[Kind], tz: tzinfo | None
) -> Mapping[str, object]:
    """Return held decisions of those on the page, with their events: each as rows of numbers."""
    people = {agent: i for i, agent in enumerate(agents)}
    of_kind = {kind: i for i, kind in enumerate(kinds)}
    of_reason: dict[Reason | None, int] = {r: i for i, r in enumerate(Reason)} | {None: _UNKNOWN}
    names: dict[str, int] = {}
    events: list[int] = []
    decided: list[int] = []
    held = [*observations.fired.events, *observations.withheld.events]
    for number, one in enumerate(sorted(held, key=lambda one: one.event.at or 0)):
        event = one.event
        name = names.setdefault(event.name, len(names))
        at = _UNKNOWN if event.at is None else _local(event.at, tz)
        events += at, event.account or 0, _number(event.conversation), name, event.line
        for (agent, kind), (before, after) in one.decided.items():
            if agent in people:
                reasons = of_reason[before], of_reason[after]
                decided += number, people[agent], of_kind[kind], *reasons
    return {
        "one_in": [observations.fired.one_in, observations.withheld.one_in],
        "most": MOST_HELD,
        "names": [*names],
        "events": events,
        "decided": decided[: 2 * MOST_HELD * 5],
    }


def _number(value: int | None) -> int:
    return _UNKNOWN if value is None else value


def _local(at: int, tz: tzinfo | None) -> int:
    """Return the seconds since 1970 of a clock that shows local time."""
    clock = to_datetime(at).astimezone(tz).replace(tzinfo=EPOCH.tzinfo)
    return int((clock - EPOCH).total_seconds())


def _person(
    agent: Recipient, people: People, observations: Observations
) -> tuple[str, str, int, int]:
    return people.name(agent), agent.email or "", agent.user, observations.hours_of(agent)


def _agents(before: Insight, after: Insight) -> list[Recipient]:
    """Give the agents who have rows of their own: the busiest, as many as the page can bear."""
    rows: Counter[Recipient] = Counter()
    most: Counter[Recipient] = Counter()
    for side in (before, after):
        of_side: Counter[Recipient] = Counter()
        for (agent, _, _), count in side.fired.items():
            rows[agent] += 1
            of_side[agent] += count
        for agent, _, _ in side.reasons:
            rows[agent] += 1
        most |= of_side
    chosen: list[Recipient] = []
    left = _MOST_ROWS
    for agent in sorted(rows, key=lambda a: (-most[a], a.account, a.user)):
        left -= rows[agent]
        if left < 0 or len(chosen) == _MOST_AGENTS:
            break
        chosen.append(agent)
    return chosen


def _rows(
    counts: Mapping[tuple[Recipient, Kind, T], int],
    agents: Iterable[Recipient],
    kinds: Iterable[Kind],
    place: Callable[[T], int],
) -> list[int]:
    """Give the counts as rows of four numbers, one after the other."""
    known = {agent: i for i, agent in enumerate(agents)}
    of_kind = {kind: i for i, kind in enumerate(kinds)}
    summed: Counter[tuple[int, int, int]] = Counter()
    places: dict[T, int] = {}
    for (agent, kind, thing), count in counts.items():
        if thing not in places:
            places[thing] = place(thing)
        summed[known.get(agent, len(known)), of_kind[kind], places[thing]] += count
    return [number for key in sorted(summed) for number in (*key, summed[key])]


def _busiest(
    before: Counter[ConversationKey], after: Counter[ConversationKey]
) -> list[ConversationKey]:
    most = before | after
    return sorted(most, key=lambda p: (-most[p], p.account, p.conversation or 0))[:_PLACES]


def _kind_order(kind: Kind) -> tuple[object, ...]:
    return channel_order(kind.channel), list(NotificationType).index(kind.type)


def _embed(data: Any) -> str:
    """Encode data so that no text in it can end the element that holds it."""
    text = msgspec.json.encode(data).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _part(name: str) -> str:
    return (resources.files("notifycli.report") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
