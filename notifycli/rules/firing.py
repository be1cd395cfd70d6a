"""What fires, found the short way: whoever has a type switched off isn't looked at.

That is nearly everybody nearly always, so nearly every event costs no more than being kept. Whom
a message concerns is found once for all conversations that are alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from notifycli.events.event import Event
from notifycli.rules.candidates import kind_of_message, named
from notifycli.rules.decision import Held, Verdict
from notifycli.rules.evaluate import judge_wishes
from notifycli.rules.replay import Replay, case_of
from notifycli.rules.route import Route, route
from notifycli.rules.selection import Selection
from notifycli.rules.state import Account, Conversation, Side
from notifycli.rules.summary import Summary
from notifycli.rules.tally import Tally

if TYPE_CHECKING:
    from notifycli.rules.looking import Looking

_KINDS_KEPT = 8
"""The kinds of messages of a conversation whose routes are at hand."""
_ROUTES_KEPT = 4096
"""The routes of an account that are kept, for all its conversations."""
_SIZE_KEPT = 1 << 21
"""How much the routes of all accounts hold, before they are found again."""

_NOBODY = Route([], None, [], [])


class Firing:
    """What fires in a replay, and how often, of the selected events."""

    def __init__(
        self,
        replay: Replay,
        selection: Selection,
        looking: Looking | None = None,
        *,
        proposed: bool = False,
    ) -> None:
        self._replay = replay
        self._selection = selection
        self._all = selection.takes_every_event()
        self._looking = looking
        self._proposed = proposed
        self._tally = Tally()
        self._size = 0

    def of(self, event: Event) -> Sequence[Verdict]:
        """Give what fires: the decisions of `Replay.decide` with that outcome, in their order.

        It is counted, and whom the event concerns. An event that isn't selected gives nothing.
        """
        replay = self._replay
        account = replay.meet(event)
        conversation = replay.enter(event, account)
        verdicts = () if conversation is None else self.within(event, account, conversation)
        if event.author is not None or event.present is not None:
            replay.leave(event, account)
        return verdicts

    def within(
        self, event: Event, account: Account, conversation: Conversation
    ) -> Sequence[Verdict]:
        """Give what fires by an event that its conversation has taken over, and count it."""
        known = self._route(event, account, conversation)
        verdicts: Sequence[Verdict] = ()
        if self._all or self._selection.takes_event(event):
            known.times += 1
            if known.wanted:
                verdicts = self._judge(event, account, conversation, known)
            if not known.kept:
                self._settle(account, known)
        return verdicts

    def _side(self, account: Account) -> Side:
        return account.proposed if self._proposed else account.stored

    def _route(self, event: Event, account: Account, conversation: Conversation) -> Route:
        kind = kind_of_message(event)
        if kind is None:
            return self._found(event, account, conversation, kept=False)
        if self._proposed:
            kind = "proposed", kind
        if conversation.stale:
            conversation.routes.clear()
            conversation.stale = False
        known = conversation.routes.get(kind)
        if known is None:
            if len(conversation.routes) == _KINDS_KEPT:
                conversation.routes.clear()
            known = self._shared(kind, event, account, conversation)
            conversation.routes[kind] = known
        return known

    def _shared(
        self, kind: Hashable, event: Event, account: Account, conversation: Conversation
    ) -> Route:
        alike, routes = (kind, conversation.as_message_finds_it()), self._side(account).routes
        known = routes.get(alike)
        if known is None:
            if self._size >= _SIZE_KEPT:
                self._settle_all()
            elif len(routes) == _ROUTES_KEPT:
                self._settle_routes(account)
            known = routes[alike] = self._found(event, account, conversation, kept=True)
            self._size += known.size()
        return known

    def _judge(
        self, event: Event, account: Account, conversation: Conversation, known: Route
    ) -> Sequence[Verdict]:
        case = case_of(event, account, conversation)
        verdicts: list[Verdict] = []
        held: list[Held] = []
        notified: set[int] = set()
        for case.type, wishes in known.wanted:
            judge_wishes(case, wishes, notified, verdicts, held)
        self._tally.add_judged(account, verdicts, held)
        if self._looking is not None:
            self._looking.see(event, known, verdicts, held)
        return verdicts

    def settle(self, summary: Summary) -> None:
        """Add all that was counted to a summary, as far as it is selected."""
        self._settle_all()
        for id_, account in self._replay.accounts.items():
            self._tally.settle(id_, account, summary, self._selection.takes_kind)
        if self._looking is not None:
            self._looking.finish()

    def _settle_all(self) -> None:
        for account in self._replay.accounts.values():
            self._settle_routes(account)

    def _settle_routes(self, account: Account) -> None:
        routes = self._side(account).routes
        for known in routes.values():
            self._settle(account, known)
            self._size -= known.size()
        routes.clear()
        for conversation in account.conversations.values():
            conversation.routes.clear()

    def _settle(self, account: Account, known: Route) -> None:
        if self._looking is not None:
            self._looking.count(known.settled, known.times)
        self._tally.add(account, self._side(account).wanting.place(known.inbox), known)

    def _found(
        self, event: Event, account: Account, conversation: Conversation, *, kept: bool
    ) -> Route:
        found = list(named(event, conversation, account.directory))
        if not found:
            return _NOBODY
        case = case_of(event, account, conversation)
        side = self._side(account)
        known = route(found, case, side.wanting)
        known.kept = kept
        if self._looking is not None:
            known.settled = self._looking.settled(case, known, side.settings)
        conversation.tell(found)
        return known
