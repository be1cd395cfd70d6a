"""What fires, found the short way: whoever has a type switched off isn't looked at.

That is nearly everybody nearly always, so nearly every event costs no more than being kept. Whom
a message concerns is found again only when the people of its conversation have changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from notifycli.rules.decision import Reason, Verdict
from notifycli.rules.event import Event
from notifycli.rules.judging import judge_wishes
from notifycli.rules.kept import Account, Conversation
from notifycli.rules.naming import kind_of_message
from notifycli.rules.replay import Entered, Replay
from notifycli.rules.route import Route, route
from notifycli.rules.summary import Summary
from notifycli.rules.tally import Taken, Tally

_KINDS_KEPT = 8
"""The kinds of messages of a conversation whose routes are kept."""
_NOWHERE = Route([], None, [])


class Fired(Struct, gc=False):
    """What fires by one event, and whom the event concerned."""

    route: Route
    verdicts: Sequence[Verdict] = ()
    """What fires, in the order of decisions."""
    held: Sequence[Reason] = ()
    """Why the others of those for whom it is switched on aren't notified."""


class Firing:
    """What fires in a replay, and how often."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._tally = Tally()

    def of(self, event: Event) -> Fired:
        """Give what fires: the decisions of `Replay.decide` with that outcome."""
        account = self._replay.meet(event)
        entered = self._replay.enter(event, account)
        if entered is None:
            result = Fired(_NOWHERE)
        else:
            known = self._route(entered)
            result = _judge(entered, known) if known.wanted else Fired(known)
        self._replay.leave(event, account)
        return result

    def _route(self, entered: Entered) -> Route:
        event, account, conversation = entered.event, entered.account, entered.conversation
        kind = None if event.conversation is None else kind_of_message(event)
        if kind is None:
            return route(entered.named(), event.inbox, account.wanting)
        if conversation.stale:
            self._settle_routes(account, conversation)
        known = conversation.routes.get(kind)
        if known is None:
            if len(conversation.routes) == _KINDS_KEPT:
                self._settle_routes(account, conversation)
            known = route(entered.named(), event.inbox, account.wanting)
            known.kept = True
            conversation.routes[kind] = known
        return known

    def count(self, event: Event, result: Fired) -> None:
        """Count what fired by the event, and whom it concerned."""
        result.route.times += 1
        if result.verdicts:
            self._tally.add_fired(self._replay.meet(event), result.verdicts)
        if not result.route.kept:
            self._tally.add(self._replay.meet(event), result.route)

    def settle(self, summary: Summary, taken: Taken) -> None:
        """Add all that was counted to a summary, as far as it is taken."""
        for account in self._replay.accounts.values():
            for conversation in account.conversations.values():
                self._settle_routes(account, conversation)
        for id_, account in self._replay.accounts.items():
            self._tally.settle(id_, account, summary, taken)

    def _settle_routes(self, account: Account, conversation: Conversation) -> None:
        for known in conversation.routes.values():
            self._tally.add(account, known)
        conversation.routes.clear()
        conversation.stale = False


def _judge(entered: Entered, known: Route) -> Fired:
    verdicts: list[Verdict] = []
    held: list[Reason] = []
    notified: set[int] = set()
    for type_, wishes in known.wanted:
        judge_wishes(entered.case(type_), wishes, notified, verdicts, held)
    return Fired(known, verdicts, held)
