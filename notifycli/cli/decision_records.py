"""How decisions and their counts look on a terminal; elsewhere they are plain records."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from notifycli.cli.output import show, text
from notifycli.cli.session import Session
from notifycli.events.event import Event
from notifycli.rules.counts import ChangedCount, Count
from notifycli.rules.decision import (
    ChangedDecision,
    ChangedDigest,
    ChangeKind,
    Decision,
    DigestDecision,
    EventFields,
    Outcome,
    RecipientFields,
)
from notifycli.rules.notifications import SHORT_NAMES, Channel, NotificationType
from notifycli.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_encode = msgspec.json.Encoder().encode
_MISSING = {Channel.PUSH: ", no subscription", Channel.AUDIO: ""}
_MINUTE = slice(5, 16)


def show_decisions(
    session: Session, decisions: Iterable[Decision], *, explain: bool, digests: bool = False
) -> None:
    """Print decisions; with `explain`, their reasons and what decided have a column.

    `digests` says whether there may be some, which have a field more.
    """

    def cells(decision: Decision) -> Sequence[RenderableType]:
        plain = _plain(session, decision)
        return [*plain, _why(decision)] if explain else plain

    heads = [*_heads(session), *(["Outcome"] if explain else [])]
    show(session, decisions, DigestDecision if digests else Decision, heads=heads, cells=cells)


class JsonLines:
    """Makes JSON Lines of an event's decisions: what `show_decisions` prints, only faster."""

    def __init__(
        self, decide: Callable[[Event], tuple[EventFields, Sequence[RecipientFields]] | None]
    ) -> None:
        self._decide = decide
        self._endings: dict[RecipientFields, bytes] = {}

    def __call__(self, event: Event) -> bytes | None:
        """Return the lines, if there are any."""
        found = self._decide(event)
        if found is None:
            return None
        fields, recipients = found
        beginning, endings = _encode(fields)[:-1] + b",", self._endings
        for recipient in recipients:
            if recipient not in endings:
                endings[recipient] = _encode(recipient)[1:] + b"\n"
        return beginning + beginning.join([endings[recipient] for recipient in recipients])


def show_changes(
    session: Session, changes: Iterable[Decision], *, explain: bool, digests: bool = False
) -> None:
    """Print what would change; with `explain`, why it would fire or no longer does."""

    def cells(changed: ChangedDecision) -> Sequence[RenderableType]:
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        added = changed.change is ChangeKind.ADDED
        sign = Text("+" if added else "-", style="green" if added else "red")
        plain = [sign, *_plain(session, changed)]
        return [*plain, _why(changed)] if explain else plain

    heads = ["", *_heads(session), *(["Then"] if explain else [])]
    record = ChangedDigest if digests else ChangedDecision
    show(session, changes, record, heads=heads, cells=cells)


def show_counts(session: Session, counts: Sequence[Count]) -> None:
    """Print counts as records."""
    show(session, counts, Count)


def show_changed_counts(session: Session, counts: Sequence[ChangedCount]) -> None:
    """Print the counts that would change as records."""
    show(session, counts, ChangedCount)


def _heads(session: Session) -> list[str]:
    return ["Line", "UTC", "Conv", *(["User"] if _many_users(session) else []), "Notification"]


def _plain(session: Session, decision: Decision) -> list[RenderableType]:
    user = printable(decision.email or str(decision.user_id))
    return [
        _place(decision),
        (decision.at or "-")[_MINUTE].replace("T", " "),
        text(getattr(decision, "conversations", decision.conversation_id)),
        *([user] if _many_users(session) else []),
        what(decision.channel, decision.type),
    ]


def _place(decision: Decision) -> str:
    if decision.file is UNSET:
        return str(decision.line)
    return f"{printable(os.path.basename(decision.file))}:{decision.line}"  # noqa: PTH119 - a URL too


def _many_users(session: Session) -> bool:
    """Whether a column is needed for the user: 80 columns have no room for what is known."""
    return len(session.given_users) != 1


def what(channel: Channel, type_: NotificationType) -> str:
    """Name channel and type as the preference's key does."""
    return f"{channel}.{SHORT_NAMES[type_]}" if type_ in SHORT_NAMES else str(channel)


def _why(decision: Decision) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    origin = f" ({decision.origin})" if decision.origin else ""
    if decision.outcome is Outcome.SUPPRESS:
        return Text(f"✗ {decision.reason}{origin}", style="red")
    undelivered = "" if decision.deliverable else _MISSING.get(decision.channel, ", no address")
    return Text(f"✓ fires{origin}{undelivered}", style="green")
