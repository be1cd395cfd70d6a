"""Counts for the eye what `Firing` finds: every decision's reason, without making every decision.

What a route settles is decided once for all events that take it; of each event there is left what
its moment decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from notifycli.events.event import Event
from notifycli.rules.decision import Decision, Held, Reason, Verdict
from notifycli.rules.evaluate import decisions
from notifycli.rules.insight import Insight, Why, why
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import NEW_MESSAGE_TYPES
from notifycli.rules.route import Named, Route
from notifycli.rules.settings import SettingsBook
from notifycli.rules.tally import Taken


class Looking:
    """Adds to an insight what is found of one event after the other."""

    def __init__(self, insight: Insight, taken: Taken) -> None:
        self._insight = insight
        self._taken = taken
        self._known: dict[Why, Why] = {}

    def settled(self, case: Case, route: Route, settings: SettingsBook) -> Sequence[Why]:
        """Give what is decided for every event that takes the route; `case` is of any of them.

        Of a route that serves one event that is all. Otherwise, those whose wishes the moment
        decides are left out.
        """
        left = {
            (wish.user, type_, verdict.channel)
            for type_, wishes in route.wanted
            for wish in wishes.all
            for verdict in wish.verdicts
        }
        every = _decisions(case, route.named, settings, whole=not route.kept)
        if route.kept:
            every = (d for d in every if (d.user_id, d.type, d.channel) not in left)
        taken = (d for d in every if self._taken(d.account_id, d.user_id, d.channel, d.type))
        # Routes are many, and of a large desk each settles much: they share what is the same.
        found = (why(decision.account_id, decision, decision.reason) for decision in taken)
        return [self._known.setdefault(one, one) for one in found]

    def count(self, settled: Iterable[Why], times: int) -> None:
        """Count what was settled for as many events."""
        for one in settled:
            self._insight.reasons[one] += times

    def see(
        self,
        event: Event,
        route: Route,
        verdicts: Sequence[Verdict],
        held: Iterable[Held],
    ) -> None:
        """Count what the moment of an event has decided."""
        assert event.account is not None  # noqa: S101 - the replay has set it
        fired = [verdict for verdict in verdicts if self._takes(event.account, verdict)]
        for verdict in fired:
            self._insight.add_fired(event.account, verdict, event.conversation, event.at)
        if not route.kept:
            return
        for verdict in fired:
            self._insight.add_reason(event.account, verdict, Reason.ENABLED)
        for verdict, reason in held:
            if self._takes(event.account, verdict):
                self._insight.add_reason(event.account, verdict, reason)
        for one in _silenced(route, verdicts):
            agent, kind, _ = one
            self._insight.reasons[one] -= 1
            self._insight.reasons[agent, kind, Reason.ALREADY_NOTIFIED] += 1

    def finish(self) -> None:
        """Drop the reasons that no decision has in the end."""
        self._insight.reasons = +self._insight.reasons

    def _takes(self, account: int, verdict: Verdict) -> bool:
        return self._taken(account, verdict.user_id, verdict.channel, verdict.type)


def _decisions(
    case: Case, named: Iterable[Named], settings: SettingsBook, *, whole: bool
) -> Iterator[Decision]:
    notified: set[int] = set()
    for one in named:
        case.type = one.type
        for case.user in one.users:
            yield from decisions(case, settings, notified if whole else set())


def _silenced(route: Route, verdicts: Sequence[Verdict]) -> Iterator[Why]:
    """Give what is switched off, and was settled so, for users who have been notified before it."""
    order = [one.type for one in route.named]
    first: dict[int, int] = {}
    for verdict in verdicts:
        first.setdefault(verdict.user_id, order.index(verdict.type))
    for one in route.settled if first else ():
        agent, kind, reason = one
        before = first.get(agent.user)
        if (
            before is not None
            and reason is Reason.DISABLED
            and kind.type in NEW_MESSAGE_TYPES
            and order.index(kind.type) > before
        ):
            yield one
