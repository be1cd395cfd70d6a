"""How decisions and their counts look on a terminal; elsewhere they are plain records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from notifycli.cli.output import printable, show, text
from notifycli.cli.session import Session
from notifycli.rules.decision import Decision, Outcome
from notifycli.rules.notifications import TYPES, Channel, NotificationType
from notifycli.rules.summary import Count

if TYPE_CHECKING:
    from rich.console import RenderableType

_SHORT = {row.type: row.short for row in TYPES}
_MISSING = {Channel.EMAIL: ", no address", Channel.PUSH: ", no subscription", Channel.AUDIO: ""}
_BAR_CELLS = 16
_MINUTE = slice(5, 16)


def show_decisions(this: Session, decisions: Iterable[Decision], *, explain: bool) -> None:
    """Print decisions; with `explain`, their reasons and what decided have a column."""

    def cells(decision: Decision) -> Sequence[RenderableType]:
        plain = [
            str(decision.line),
            (decision.at or "-")[_MINUTE].replace("T", " "),
            text(decision.conversation_id),
            printable(decision.email or str(decision.user_id)),
            _what(decision.channel, decision.type),
        ]
        return [*plain, _why(decision)] if explain else plain

    heads = ["Line", "UTC", "Conv", "User", "Notification", *(["Outcome"] if explain else [])]
    show(this, decisions, Decision, heads=heads, cells=cells)


def show_counts(this: Session, counts: Sequence[Count]) -> None:
    """Print counts, on a terminal with a bar for what fires."""
    most = max((count.fired for count in counts), default=0) or 1

    def cells(count: Count) -> Sequence[RenderableType]:
        from rich.bar import Bar  # noqa: PLC0415 - only a terminal needs it

        return [
            printable(count.email or str(count.user_id)),
            _what(count.channel, count.type),
            f"{count.fired:>5}",
            f"{count.suppressed:>10}",
            Bar(most, 0, count.fired, width=_BAR_CELLS, color="green"),
        ]

    heads = ["User", "Notification", "Fired", "Suppressed", ""]
    show(this, counts, Count, heads=heads, cells=cells)


def _what(channel: Channel, type_: NotificationType) -> str:
    """Name channel and type as the preference's key does."""
    return f"{channel}.{_SHORT[type_]}" if type_ in _SHORT else str(channel)


def _why(decision: Decision) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    origin = f" ({decision.origin})" if decision.origin else ""
    if decision.outcome is Outcome.SUPPRESS:
        return Text(f"✗ {decision.reason}{origin}", style="red")
    undelivered = (
        ""
        if decision.deliverable
        else ", no address"
        if decision.channel == "email"
        else ", no subscription"
    )
    return Text(f"✓ fires{origin}{undelivered}", style="green")
