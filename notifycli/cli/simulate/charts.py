"""What `simulate --summary` draws on a terminal: bars, a map of the week, and what is busiest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from rich.text import Text

from notifycli.cli.decision_records import what
from notifycli.cli.output import console, print_rich
from notifycli.cli.replay_run import Run
from notifycli.cli.session import Session
from notifycli.rules.counts import HOURS_A_DAY, ConversationKey, Insight, Kind, Recipient
from notifycli.rules.decision import Reason
from notifycli.rules.notifications import Channel, NotificationType, channel_order
from notifycli.text import printable

K = TypeVar("K")
_WIDEST = 100
_AGENTS = 15
_PLACES = 8
_LABEL = 34
_NUMBER = 9
_WIDE_WEEK = 58
"""Columns that two maps of the week take beside each other; one of two cells an hour takes 53."""
_SHADES = " ░▒▓█"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NOTHING_KNOWN = "no time known"


class _Row(NamedTuple):
    label: str
    before: int
    after: int


def show_insights(session: Session, run: Run, zone: str | None, *, compared: bool) -> None:
    """Print everything, in no more columns than the terminal has."""
    before, after = run.insights()
    out = console(session)
    canvas = _Canvas(min(out.width, _WIDEST), compared=compared)
    for line in _lines(canvas, before, after, zone or "local time"):
        line.rstrip()
        print_rich(out, line, no_wrap=True, overflow="ellipsis", crop=False)


def _lines(canvas: _Canvas, before: Insight, after: Insight, zone: str) -> Iterator[Text]:
    ways = before.by_channel(), after.by_channel()
    listed = sorted({*Channel, *ways[0], *ways[1]}, key=channel_order)
    channels = [_Row(c, b, a) for c, b, a in _join(*ways, listed)]
    yield from canvas.bars("Notifications by channel", channels)
    kinds = _join(before.by_kind(), after.by_kind(), key=_kind_order)
    yield from canvas.bars("By type", [_Row(what(*kind), b, a) for kind, b, a in kinds])
    agents = [
        _Row(_agent(a, after), b, n) for a, b, n in _join(before.by_agent(), after.by_agent())
    ]
    yield from canvas.bars("By agent", agents, most=_AGENTS)
    yield from canvas.weeks(f"By hour ({zone})", before.by_hour(), after.by_hour())
    places = [_Row(_place(p, after), b, n) for p, b, n in _join(before.places, after.places)]
    yield from canvas.bars("Busiest conversations", places, most=_PLACES)
    reasons = _join(before.by_reason(), after.by_reason())
    rows = [_Row(_reason(reason), b, a) for reason, b, a in reasons]
    yield from canvas.bars("Decisions by reason", rows)


def _join(
    before: Counter[K],
    after: Counter[K],
    keys: Sequence[K] | None = None,
    key: Callable[[K], object] | None = None,
) -> list[tuple[K, int, int]]:
    """Give each key with both counts: in the order given, or the largest first."""
    found = list(keys or before.keys() | after.keys())
    if key is not None:
        found.sort(key=key)  # type: ignore[arg-type]  # an order of tuples of numbers
    elif keys is None:
        found.sort(key=lambda k: (-max(before[k], after[k]), str(k)))
    return [(k, before[k], after[k]) for k in found]


def _kind_order(kind: Kind) -> tuple[object, ...]:
    return channel_order(kind.channel), list(NotificationType).index(kind.type)


def _several(insight: Insight) -> bool:
    return len({agent.account for agent, _, _ in insight.reasons}) > 1


def _agent(agent: Recipient, insight: Insight) -> str:
    return f"{agent.account}/{agent.name}" if _several(insight) else agent.name


def _place(place: ConversationKey, insight: Insight) -> str:
    named = "no conversation" if place.conversation is None else f"#{place.conversation}"
    return f"{place.account}/{named}" if _several(insight) else named


def _reason(reason: Reason) -> str:
    return "fires" if reason is Reason.ENABLED else str(reason)


class _Canvas:
    """Draws within a width; a comparison shows the numbers before beside those after."""

    def __init__(self, width: int, *, compared: bool) -> None:
        self._compared = compared
        self._width = width
        self._label = min(_LABEL if not compared else _LABEL - 8, width // 2)
        numbers = _NUMBER * (3 if compared else 1)
        self._bar = max(width - self._label - numbers - 4, 4)

    def bars(self, title: str, rows: Sequence[_Row], most: int | None = None) -> Iterator[Text]:
        """Draw a bar a row; `most` rows, then how many are left out and what they sum up to."""
        if not rows:
            return
        largest = max(max(row.before, row.after) for row in rows) or 1
        yield self._title(title)
        for row in rows[:most]:
            line = self._numbers(row)
            line.append_text(self._draw_bar(row, largest))
            yield line
        rest = rows[most:] if most is not None else ()
        if rest:
            summed = _Row(
                f"… and {len(rest):,} more", sum(r.before for r in rest), sum(r.after for r in rest)
            )
            yield self._numbers(summed)
        yield Text()

    def weeks(
        self, title: str, before: Counter[int | None], after: Counter[int | None]
    ) -> Iterator[Text]:
        """Draw a map of the week, hour by weekday; two for a comparison.

        These stand beside each other where there is room.
        """
        maps = [("before", before), ("after", after)] if self._compared else [("", after)]
        largest = max(
            (n for _, counts in maps for h, n in counts.items() if h is not None), default=0
        )
        if not largest:
            return
        yield self._title(title)
        is_wide = self._width >= _WIDE_WEEK
        for drawn in [maps] if is_wide else [[one] for one in maps]:
            yield from self._week(drawn, largest, 2 if is_wide and not self._compared else 1)
        if not self._compared:
            yield self._row("", [f"{_SHADES[-1]} is up to {largest:,} an hour of the week"])
        unknown = [counts[None] for _, counts in maps]
        if any(unknown):
            yield Text(f"{_NOTHING_KNOWN}: {' → '.join(f'{n:,}' for n in unknown)}")
        yield Text()

    def _week(
        self, maps: Sequence[tuple[str, Counter[int | None]]], largest: int, cell: int
    ) -> Iterator[Text]:
        yield self._row("", ["".join(f"{h:<{6 * cell}}" for h in range(0, 24, 6)) for _ in maps])
        for day, name in enumerate(_DAYS):
            hours = range(day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY)
            yield self._row(
                name,
                ["".join(_shade(counts[h], largest) * cell for h in hours) for _, counts in maps],
            )
        if self._compared:
            yield self._row("", [name.ljust(HOURS_A_DAY) for name, _ in maps])

    def _title(self, text: str) -> Text:
        heads = f"{'before':>{_NUMBER}}{'after':>{_NUMBER}}{'change':>{_NUMBER}}"
        shown = text.ljust(self._label) + (heads if self._compared and "hour" not in text else "")
        return Text(shown, style="bold")

    def _row(self, label: str, cells: Sequence[str]) -> Text:
        line = Text(f"{label:<4} ")
        for place, cell in enumerate(cells):
            line.append("   │ " if place else "")
            line.append(cell, style="green" if label else "dim")
        return line

    def _numbers(self, row: _Row) -> Text:
        label = printable(row.label)
        if len(label) > self._label:
            label = f"{label[: self._label - 1]}…"
        line = Text(label.ljust(self._label))
        if self._compared:
            change = row.after - row.before
            line.append(f"{row.before:>{_NUMBER},}{row.after:>{_NUMBER},}")
            shown = f"{change:>+{_NUMBER},}" if change else " " * _NUMBER
            line.append(shown, style="green" if change > 0 else "red")
        else:
            line.append(f"{row.after:>{_NUMBER},}")
        return line.append("  ")

    def _draw_bar(self, row: _Row, largest: int) -> Text:
        before, after = (_cells(n, largest, self._bar) for n in (row.before, row.after))
        bar = Text("█" * min(before, after), style="cyan")
        bar.append("▓" * (after - before), style="green")
        return bar.append("░" * (before - after), style="red")


def _cells(count: int, largest: int, width: int) -> int:
    """Give the cells of a bar: at least one for what is there at all."""
    return max(round(count / largest * width), 1) if count else 0


def _shade(count: int, largest: int) -> str:
    steps = len(_SHADES) - 1
    return _SHADES[-(-count * steps // largest)] if count else "·"
