"""`simulate --report`: one page that needs nothing else, neither a network nor a server.

The page gets numbers, not decisions: its size depends on how many agents there are and what they
get, not on how long the replay was.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from importlib import resources
from typing import Any, TypeVar

import msgspec

from notifycli.rules.counts import Agent, Insight, Kind, Place
from notifycli.rules.decision import Reason
from notifycli.rules.explain import in_general
from notifycli.rules.notifications import TYPES, Channel, NotificationType

T = TypeVar("T", bound=Hashable)
_SHORT = {row.type: row.short for row in TYPES}
_MOST_ROWS = 60_000
"""Of a table of the page: agents past it are summed up as others. Some 15 bytes each."""
_MOST_AGENTS = 500
_PLACES = 15
_UNKNOWN_HOUR = -1


def report(
    before: Insight,
    after: Insight,
    zone: str,
    *,
    compared: bool,
    source: Mapping[str, str] | None = None,
) -> str:
    """Give the page; without a comparison, `before` isn't looked at.

    `source` says in its head what it was made of.
    """
    if not compared:
        before = Insight(lambda _: 0)
    style, script = _part("page.css"), _part("page.js")
    page = _part("page.html")
    values = {
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "style": style,
        "script": script,
        "data": _embed(
            {
                "source": [*(source or {}).items()],
                **_data(before, after, zone, compared=compared),
            }
        ),
    }
    for name, value in values.items():
        head, _, tail = page.partition(f"{{{name}}}")
        page = f"{head}{value}{tail}"
    return page


def _data(before: Insight, after: Insight, zone: str, *, compared: bool) -> Mapping[str, object]:
    sides = {"before": before, "after": after}
    agents = _agents(before, after)
    everybody = {agent for side in sides.values() for agent, _, _ in side.reasons}
    several = len({agent.account for agent in everybody}) > 1
    others = len(everybody) - len(agents)
    kinds = sorted({k for side in sides.values() for _, k, _ in side.reasons}, key=_kind_order)
    reasons = list(Reason)
    return {
        "compared": compared,
        "zone": zone,
        "agents": [_agent(agent, several=several) for agent in agents]
        + ([f"{others:,} other agents"] if others else []),
        "kinds": [(kind.channel, _type(kind)) for kind in kinds],
        "names": [".".join(dict.fromkeys((kind.channel, _type(kind)))) for kind in kinds],
        "reasons": [("fires" if r is Reason.ENABLED else r, in_general(r)) for r in reasons],
        "places": [
            (_place(place, several=several), before.places[place], after.places[place])
            for place in _busiest(before.places, after.places)
        ],
        **{
            name: {
                "fired": _rows(
                    side.fired, agents, kinds, lambda hour: _UNKNOWN_HOUR if hour is None else hour
                ),
                "reasons": _rows(side.reasons, agents, kinds, reasons.index),
            }
            for name, side in sides.items()
        },
    }


def _agents(before: Insight, after: Insight) -> list[Agent]:
    """Give the agents who have rows of their own: the busiest, as many as the page can bear."""
    rows: Counter[Agent] = Counter()
    most: Counter[Agent] = Counter()
    for side in (before, after):
        of_side: Counter[Agent] = Counter()
        for (agent, _, _), count in side.fired.items():
            rows[agent] += 1
            of_side[agent] += count
        for agent, _, _ in side.reasons:
            rows[agent] += 1
        most |= of_side
    chosen: list[Agent] = []
    left = _MOST_ROWS
    for agent in sorted(rows, key=lambda a: (-most[a], a.account, a.user)):
        left -= rows[agent]
        if left < 0 or len(chosen) == _MOST_AGENTS:
            break
        chosen.append(agent)
    return chosen


def _rows(
    counts: Mapping[tuple[Agent, Kind, T], int],
    agents: Iterable[Agent],
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


def _busiest(before: Counter[Place], after: Counter[Place]) -> list[Place]:
    most = before | after
    return sorted(most, key=lambda p: (-most[p], p.account, p.conversation or 0))[:_PLACES]


def _agent(agent: Agent, *, several: bool) -> str:
    return f"{agent.account}/{agent.name}" if several else agent.name


def _place(place: Place, *, several: bool) -> str:
    named = "no conversation" if place.conversation is None else f"#{place.conversation}"
    return f"{place.account}/{named}" if several else named


def _type(kind: Kind) -> str:
    return _SHORT.get(kind.type, "audio")


def _kind_order(kind: Kind) -> tuple[int, int]:
    return list(Channel).index(kind.channel), list(NotificationType).index(kind.type)


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
