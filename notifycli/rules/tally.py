"""Counts what fires, and how often each user was looked at: what didn't fire is the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct, field

from notifycli.rules.decision import Held, Verdict
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel, NotificationType
from notifycli.rules.route import Route
from notifycli.rules.state import Account
from notifycli.rules.summary import Summary

Taken = Callable[[int, int, Channel, NotificationType], bool]
"""Whether (account, user, channel, type) is to be counted."""


class _Counts(Struct):
    """The counts of one account. An audience is counted as one, however many it has."""

    fired: Counter[Verdict] = field(default_factory=Counter)
    audiences: Counter[tuple[NotificationType, int | None]] = field(default_factory=Counter)
    users: Counter[tuple[NotificationType, int]] = field(default_factory=Counter)
    held: Counter[Held] = field(default_factory=Counter)


class Tally:
    """The counts of one replay."""

    def __init__(self) -> None:
        self._counts: dict[Account, _Counts] = {}

    def add_judged(
        self, account: Account, verdicts: Iterable[Verdict], held: Iterable[Held]
    ) -> None:
        """Count what fires, and what is switched on and doesn't."""
        counts = self._of(account)
        counts.fired.update(verdicts)
        counts.held.update(held)

    def add(self, account: Account, place: int | None, route: Route) -> None:
        """Count whom a route concerns, as often as it was counted, and begin it anew.

        `place` is the inbox, if anything is on record of it.
        """
        counts = self._of(account)
        for named in route.named:
            if named.audience:
                counts.audiences[named.type, place] += route.times
            else:
                for user in named.users:
                    counts.users[named.type, user] += route.times
        for held in route.held:
            counts.held[held] += route.times
        route.times = 0

    def _of(self, account: Account) -> _Counts:
        counts = self._counts.get(account)
        if counts is None:
            counts = self._counts[account] = _Counts()
        return counts

    def settle(self, id_: int, account: Account, summary: Summary, taken: Taken) -> None:
        """Add all that was counted of an account to a summary, as far as it is taken."""
        counts, directory = self._of(account), account.directory
        decided = Counter(counts.users)
        for (type_, inbox), times in counts.audiences.items():
            of_message = type_ is NotificationType.NEW_MESSAGE
            for user in directory.viewers(inbox) if of_message else directory.recipients(inbox):
                decided[type_, user] += times
        fired: Counter[tuple[NotificationType, int, Channel]] = Counter()
        for verdict, times in counts.fired.items():
            # Several are one user's, where a layer decides in one inbox and not in another.
            fired[verdict.type, verdict.user_id, verdict.channel] += times
        for (type_, user), times in decided.items():
            known = directory.users.get(user)
            for channel in _channels(type_):
                if times and taken(id_, user, channel, type_):
                    key = user, None if known is None else known.email, channel, type_
                    summary.add_all(key, fired=fired[type_, user, channel], decided=times)
        for (verdict, reason), times in counts.held.items():
            if times and taken(id_, verdict.user_id, verdict.channel, verdict.type):
                summary.held[reason] += times


def _channels(type_: NotificationType) -> tuple[Channel, ...]:
    return (Channel.AUDIO,) if type_ is NotificationType.NEW_MESSAGE else SWITCHED_CHANNELS
