"""One pass over events: what `simulate` and `why` share."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from notifycli.cli.input.lines import BadLines, total_size
from notifycli.cli.output import console
from notifycli.cli.session import Session, plural
from notifycli.cli.simulate.proposal import Wishes, find_users, proposed
from notifycli.cli.terminal import is_terminal
from notifycli.errors import UsageError
from notifycli.events.event import Event
from notifycli.rules.decision import Decision, Facts, Verdict, joined
from notifycli.rules.firing import Firing
from notifycli.rules.overlay import ChangedDecision, difference
from notifycli.rules.replay import Replay, facts
from notifycli.rules.selection import Selection
from notifycli.rules.state import Account, Assumptions
from notifycli.rules.summary import ChangeSummary, Summary
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.rules.insight import Insight
    from notifycli.rules.looking import Looking

T = TypeVar("T")
_NAMED = 5


class Run:
    """One pass over the input, and what it counts of the selected decisions.

    `insights` are what is counted for the eye, of the preferences as they are and as proposed; of
    the latter alone, where there is no comparison.
    """

    def __init__(
        self,
        replay: Replay,
        selection: Selection,
        bad: BadLines,
        insights: tuple[Insight, Insight] | None = None,
    ) -> None:
        self.replay = replay
        self.summary = Summary()
        self.changes = ChangeSummary()
        self.bad = bad
        self.events = 0
        self.span: tuple[int, int] | None = None
        """The first and the last time of the events that were timed."""
        self._selection = selection
        self.insights = insights

    def decisions(self, events: Iterable[Event], *, explain: bool) -> Iterator[Decision]:
        """Give the selected decisions that fire, and to `explain` them the others too."""
        if not explain:
            for facts_, verdicts in self.fired(events):
                yield from (joined(facts_, verdict) for verdict in verdicts)
            return
        for event, decisions in self.judged(events, self.replay.decide):
            for decision in filter(self._selection.takes, decisions):
                self.summary.add(decision)
                if self.insights:
                    self.insights[1].add(decision, event.at)
                yield decision

    def fired(self, events: Iterable[Event]) -> Iterator[tuple[Facts, Sequence[Verdict]]]:
        """Give what fires, event by event; all is counted once the last has been asked for."""
        every_kind, takes = self._selection.takes_every_kind(), self._selection.takes_kind
        for event, verdicts in self._tallied(events):
            known = facts(event)
            if not every_kind:
                account = known.account_id
                verdicts = [v for v in verdicts if takes(account, v.user_id, v.channel, v.type)]  # noqa: PLW2901
            if verdicts:
                yield known, verdicts

    def count(self, events: Iterable[Event]) -> None:
        """Count what fires and what doesn't, and give nothing."""
        deque(self._tallied(events), maxlen=0)

    def _tallied(self, events: Iterable[Event]) -> Iterator[tuple[Event, Sequence[Verdict]]]:
        firing = Firing(self.replay, self._selection, self._looking(1))
        fired_by = firing.of
        for event in events:
            self.events += 1
            if verdicts := fired_by(event):
                yield event, verdicts
        firing.settle(self.summary)

    def _looking(self, side: int) -> Looking | None:
        if self.insights is None:
            return None
        from notifycli.rules.looking import Looking  # noqa: PLC0415 - only for an eye

        return Looking(self.insights[side], self._selection.takes_kind)

    def compared(
        self, events: Iterable[Event], *, explain: bool, whole: bool
    ) -> Iterator[tuple[Decision, ChangedDecision | None]]:
        """Give selected decisions as proposed, each with what would become of it.

        They are those of events that come out differently; if it is to be `whole`, of all events.
        """
        from notifycli.rules.comparing import Comparing  # noqa: PLC0415 - only with a proposal

        both = self._looking(0), self._looking(1)
        comparing = Comparing(self.replay, self._selection, both, whole=whole)
        for event in events:
            self.events += 1
            for before, after in comparing.of(event):
                if self._selection.takes(after):
                    changed = difference(before, after, explain=explain)
                    if changed:
                        self.changes.add(changed)
                    yield after, changed
        comparing.settle(self.summary)

    def judged(
        self, events: Iterable[Event], judge: Callable[[Event], Iterable[T]]
    ) -> Iterator[tuple[Event, list[T]]]:
        """Replay every event, and give the selected ones with what the judge says of them."""
        for event in events:
            self.events += 1
            judgements = list(judge(event))
            if self._selection.takes_event(event):
                yield event, judgements

    def timed(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass events on, and keep from when to when they are."""
        for event in events:
            if event.at is not None:
                first, last = self.span or (event.at, event.at)
                self.span = min(first, event.at), max(last, event.at)
            yield event

    def unmet(self) -> list[int]:
        """Give the selected conversations that no event was of."""
        met = (account.conversations.keys() for account in self.replay.accounts.values())
        return sorted(self._selection.conversations.difference(*met))


def replay_of(
    session: Session, store: Store, wishes: Wishes | None = None, *, compare: bool = False
) -> Replay:
    """Make the replay of what is stored; with wishes, of what is proposed, or of both."""
    accounts = {}
    for account in store.accounts():
        directory, stored = store.directory(account.id), store.preferences(account.id)
        tried = stored if wishes is None else proposed(session, account.id, stored, wishes)
        accounts[account.id] = (
            Account(directory, stored, tried) if compare else Account(directory, tried)
        )
    return Replay(accounts, session.fallback_account(store))


def selected_users(session: Session, store: Store) -> frozenset[tuple[int, int]] | None:
    """Give the users that `-u` names, by account; `None` where it names nobody."""
    if not session.given_users:
        return None
    found = find_users(session, store, session.given_users)
    return frozenset((account, user.id) for account, users in found.items() for user in users)


@contextmanager
def progress_bar(
    session: Session, files: list[str], *, wanted: bool | None
) -> Iterator[Callable[[int], None] | None]:
    """Show a progress bar if it is wanted; by default, where standard error is a terminal."""
    by_default = not session.quiet and is_terminal(sys.stderr)
    if not (by_default if wanted is None else wanted):
        yield None
        return
    from rich.progress import Progress  # noqa: PLC0415 - a pipe can spare it

    with Progress(console=console(session, stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=total_size(files))
        yield lambda size: bar.advance(task, size)


def check_inboxes(asked: Iterable[int], known: Iterable[int], assumed: Assumptions) -> None:
    """Raise `UsageError` for an inbox that neither the directory nor an event of the replay has."""
    there = sorted(assumed.unknown_inboxes.union(known))
    for inbox in asked:
        if inbox not in there:
            listed = ", ".join(map(str, there)) or "none"
            raise UsageError(
                f"there is no inbox {inbox} in the directory or the events", f"there are: {listed}"
            )


def tell_unmet(session: Session, run: Run) -> None:
    """Say which of the selected conversations no event was of, unless there were no events."""
    unmet = run.unmet()
    if unmet and run.events:
        session.info(f"no event is of conversation {', '.join(map(str, unmet))}")


def tell_assumptions(session: Session, assumed: Assumptions) -> None:
    """Say once what the events didn't say and the rules had to assume."""
    if assumed.assignments_by_unknown:
        count = plural(assumed.assignments_by_unknown, "assignment")
        session.info(f"{count} without performed_by: taken as made by somebody else")
    if assumed.messages_in_unknown_inboxes:
        count = plural(assumed.messages_in_unknown_inboxes, "message")
        session.info(
            f"{count} in inboxes whose members are not on record: every user is taken to see "
            "them; add members: notifycli inbox add ID --member USER"
        )
    if assumed.unknown_agents:
        users = [str(user) for _, user in sorted(assumed.unknown_agents)]
        more = ", …" if len(users) > _NAMED else ""
        session.info(
            f"{plural(len(users), 'agent')} in the events but not in the directory "
            f"({', '.join(users[:_NAMED])}{more}): notifycli directory learn EVENTS would add them"
        )
    if assumed.times_back:
        count = plural(assumed.times_back, "event")
        session.info(f"{count} more than a second older than the one before")
    if assumed.unknown_events:
        named = ", ".join(f"{name} ({n})" for name, n in assumed.unknown_events.most_common(_NAMED))
        count = plural(assumed.unknown_events.total(), "event")
        session.info(f"{count} with unknown names ignored: {named}")
