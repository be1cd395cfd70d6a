"""What other preferences would change, found the short way: nearly no event comes out differently.

Both sides find what fires as `Firing` does. Only where that differs, every decision is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from notifycli.events.event import Event
from notifycli.rules.candidates import named
from notifycli.rules.decision import Decision, Verdict
from notifycli.rules.evaluate import decisions
from notifycli.rules.firing import Firing
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.replay import Replay, cases
from notifycli.rules.selection import Selection
from notifycli.rules.state import Account, Conversation
from notifycli.rules.summary import Summary

if TYPE_CHECKING:
    from notifycli.rules.looking import Looking

Pair = tuple[Decision, Decision]
"""A decision with the preferences as they are, and as proposed."""


class Comparing:
    """A replay of both sides, of the selected events."""

    def __init__(
        self,
        replay: Replay,
        selection: Selection,
        looking: tuple[Looking | None, Looking | None] = (None, None),
        *,
        whole: bool = False,
    ) -> None:
        self._replay = replay
        self._selection = selection
        self._sides = (
            Firing(replay, selection, looking[0]),
            Firing(replay, selection, looking[1], proposed=True),
        )
        self._whole = whole

    def of(self, event: Event) -> Sequence[Pair]:
        """Give all pairs of decisions of an event, if in any of them only one side fires.

        With `whole`, of every event.
        """
        account = self._replay.meet(event)
        conversation = self._replay.enter(event, account)
        pairs: Sequence[Pair] = ()
        if conversation is not None:
            pairs = self._within(event, account, conversation)
        self._replay.leave(event, account)
        return pairs

    def _within(self, event: Event, account: Account, conversation: Conversation) -> Sequence[Pair]:
        told = conversation.told
        fired = []
        for side in self._sides:
            # Each finds the conversation as the event has, and tells of an assignment itself.
            conversation.told = told
            fired.append(_which(side.within(event, account, conversation)))
        if fired[0] == fired[1] and not (self._whole and self._selection.takes_event(event)):
            return ()
        conversation.told = told
        found = list(named(event, conversation, account.directory))
        pairs = list(_in_pairs(cases(event, account, conversation, found), account))
        conversation.tell(found)
        return pairs

    def settle(self, summary: Summary) -> None:
        """Add what was counted of the proposed preferences to a summary."""
        before, after = self._sides
        before.settle(Summary())
        after.settle(summary)


def _which(verdicts: Sequence[Verdict]) -> list[tuple[int, NotificationType, Channel]]:
    return [(verdict.user_id, verdict.type, verdict.channel) for verdict in verdicts]


def _in_pairs(cases: Iterable[Case], account: Account) -> Iterator[Pair]:
    """Judge cases of one event on both sides.

    Who is a candidate, and all that is kept, depends on no preference: one pass serves both.
    """
    before, after = set[int](), set[int]()
    for case in cases:
        as_it_is = list(decisions(case, account.stored.settings, before))
        yield from zip(as_it_is, decisions(case, account.proposed.settings, after), strict=True)
