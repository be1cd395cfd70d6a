"""Counts of decisions instead of the decisions, and what there is to see in them.

Everything here can be merged: the counts of parts of a log, by account, are those of the whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import tzinfo
from typing import NamedTuple, TypeVar

from msgspec import Struct, field

from notifycli.events.event import Due
from notifycli.events.timestamps import SECOND, to_datetime
from notifycli.rules.decision import (
    ChangedDecision,
    ChangeKind,
    DigestFields,
    Reason,
    RecipientFields,
    key_of,
)
from notifycli.rules.evaluator import Evaluator, Everyone, Plan
from notifycli.rules.ladder import channels_of
from notifycli.rules.notifications import Channel, NotificationType, channel_order
from notifycli.rules.preferences import Layer
from notifycli.rules.state import Assumptions

K = TypeVar("K")
G = TypeVar("G")
HOURS_A_DAY = 24
_QUARTER = 15 * 60 * SECOND
"""Every zone's offset has been a multiple of it for half a century."""
_TYPES = list(NotificationType)
Takes = Callable[[int, int, Channel, NotificationType], bool]
"""Whether (account, user, channel, type) is to be counted."""


class Count(Struct, frozen=True):
    """How often one user would and would not be notified on a channel of a type."""

    user_id: int
    email: str | None
    channel: Channel
    type: NotificationType
    fired: int
    suppressed: int


class ChangedCount(Count, frozen=True):
    """The same as it would be with proposed preferences, and how many of them that changes."""

    added: int
    removed: int


class Recipient(NamedTuple):
    """Who: the account, the user, and the address, where it is known."""

    account: int
    user: int
    email: str | None

    @property
    def name(self) -> str:
        """The name to show."""
        return self.email or str(self.user)


class Kind(NamedTuple):
    """What: a channel and a type."""

    channel: Channel
    type: NotificationType


class ConversationKey(NamedTuple):
    """Where: a conversation of an account."""

    account: int
    conversation: int | None


class Switch(NamedTuple):
    """What let a notification through: a preference, and where it is set.

    Set for nobody in particular, it is a lock's or a default's; what is built in, a default can
    change.
    """

    account: int
    layer: Layer
    agent: Recipient | None
    inbox: int | None
    kind: Kind


class PlacedKey(NamedTuple):
    """A preference where it is set: by whom, if by a user, and in which inbox or conversation."""

    account: int
    layer: Layer
    user: int | None = None
    place: int | None = None
    key: str = ""


Why = tuple[Recipient, Kind, Reason]
"""For whom something was decided, what, and the reason."""
Key = tuple[int, str | None, Channel, NotificationType]
"""Under which decisions are counted: user, address, channel and type."""


class HourOfWeek:
    """Tells the hour of its week that a moment is in, in a zone: 0 is Monday, 00:00.

    `None` is the zone of the computer.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._known: dict[int, int] = {}

    def __call__(self, moment: int) -> int:
        """Return the hour."""
        quarter = moment // _QUARTER
        if quarter not in self._known:
            local = to_datetime(quarter * _QUARTER).astimezone(self._zone)
            self._known[quarter] = local.weekday() * HOURS_A_DAY + local.hour
        return self._known[quarter]


class Insight:
    """What is counted for the eye: who, on which channel, when in the week, where, and why not."""

    def __init__(self, hour: Callable[[int], int]) -> None:
        self.fired: Counter[tuple[Recipient, Kind, int | None]] = Counter()
        """By the hour of the week too; `None` where no time is known."""
        self.reasons: Counter[Why] = Counter()
        self.places: Counter[ConversationKey] = Counter()
        """What fired, by conversation."""
        self.switches: Counter[Switch] = Counter()
        """What fired, by the preference that let it through."""
        self.reached: set[PlacedKey] = set()
        """The preferences that have decided anything."""
        self._hour = hour

    def add_fired(
        self, place: ConversationKey, fired: RecipientFields, at: int | None, inbox: int | None
    ) -> None:
        """Count where and when a decision fires, and what lets it."""
        agent = Recipient(place.account, fired.user_id, fired.email)
        hour = None if at is None else self._hour(at)
        kind = Kind(fired.channel, fired.type)
        self.fired[agent, kind, hour] += 1
        self.places[place] += 1
        self.switches[_switch(agent, kind, fired.origin, inbox)] += 1

    def reach(
        self, account: int, decided: RecipientFields, inbox: int | None, conversation: int | None
    ) -> None:
        """Note the preference that has decided, where one has and it is known where that is set."""
        self._reach(account, decided, key_of(decided), inbox, conversation)

    def _reach(
        self,
        account: int,
        decided: RecipientFields,
        key: str,
        inbox: int | None,
        conversation: int | None,
    ) -> None:
        layer = decided.origin
        if layer is None or layer is Layer.BUILTIN or not key:
            return
        places = {Layer.INBOX: inbox, Layer.CONVERSATION: conversation}
        place = places.get(layer)
        if layer in places and place is None:
            return
        user = None if layer in (Layer.LOCK, Layer.DEFAULT) else decided.user_id
        self.reached.add(PlacedKey(account, layer, user, place, key))

    def reach_in_inbox(
        self, account: int, plan: Plan, evaluator: Evaluator, takes: Takes | None
    ) -> None:
        """Note what values of a plan's inbox decided of whoever wasn't judged one by one."""
        for recipient in _decided_in_inbox(plan, evaluator):
            kind = recipient.user_id, recipient.channel, recipient.type
            if takes is None or takes(account, *kind):
                self.reach(account, recipient, plan.inbox, None)

    def add_reason(self, account: int, decided: RecipientFields, times: int) -> None:
        """Count why a decision came out as it did."""
        self.reach(account, decided, None, None)
        agent = Recipient(account, decided.user_id, decided.email)
        self.reasons[agent, Kind(decided.channel, decided.type), decided.reason] += times

    def add_digest(self, account: int, digest: DigestFields, due: Due) -> None:
        """Count a digest, which no switch lets through, and what held it."""
        conversation, inbox = due.told[0]
        agent, kind = (
            Recipient(account, digest.user_id, digest.email),
            Kind(digest.channel, digest.type),
        )
        self.fired[agent, kind, None if due.at is None else self._hour(due.at)] += 1
        self.reasons[agent, kind, digest.reason] += 1
        self._reach(account, digest, due.key, inbox, conversation)

    def merge(self, other: Insight) -> None:
        """Add what was counted of another part."""
        self.fired.update(other.fired)
        self.reasons.update(other.reasons)
        self.places.update(other.places)
        self.switches.update(other.switches)
        self.reached |= other.reached

    def by_channel(self) -> Counter[Channel]:
        """Give how many fired on each channel."""
        return _sum_by(self.fired, lambda key: key[1].channel)

    def by_kind(self) -> Counter[Kind]:
        """Give how many fired of each channel and type."""
        return _sum_by(self.fired, lambda key: key[1])

    def by_agent(self) -> Counter[Recipient]:
        """Give how many fired for each agent."""
        return _sum_by(self.fired, lambda key: key[0])

    def by_hour(self) -> Counter[int | None]:
        """Give how many fired in each hour of the week."""
        return _sum_by(self.fired, lambda key: key[2])

    def by_reason(self) -> Counter[Reason]:
        """Give how often each reason decided."""
        return _sum_by(self.reasons, lambda key: key[2])


def _switch(agent: Recipient, kind: Kind, origin: Layer | None, inbox: int | None) -> Switch:
    if origin is Layer.INBOX:
        return Switch(agent.account, origin, agent, inbox, kind)
    if origin is Layer.USER:
        return Switch(agent.account, origin, agent, None, kind)
    layer = Layer.LOCK if origin is Layer.LOCK else Layer.DEFAULT
    return Switch(agent.account, layer, None, None, kind)


class Changes:
    """How many decisions are added and removed by other preferences, or another profile."""

    def __init__(self) -> None:
        self.counts: dict[Key, list[int]] = {}
        """How many are added and removed."""

    def add(self, changed: ChangedDecision) -> None:
        """Count one change."""
        key = changed.user_id, changed.email, changed.channel, changed.type
        self.counts.setdefault(key, [0, 0])[changed.change is ChangeKind.REMOVED] += 1

    def total(self) -> tuple[int, int]:
        """Give how many are added and removed in all."""
        added = sum(counts[0] for counts in self.counts.values())
        return added, sum(counts[1] for counts in self.counts.values())

    def merge(self, other: Changes) -> None:
        """Add what was counted of another part."""
        for key, (added, removed) in other.counts.items():
            counts = self.counts.setdefault(key, [0, 0])
            counts[0] += added
            counts[1] += removed


class Counts(Struct):
    """What a replay comes to."""

    decided: Counter[Key] = field(default_factory=Counter)
    fired: Counter[Key] = field(default_factory=Counter)
    held: Counter[Reason] = field(default_factory=Counter)
    """Why what is switched on did not fire."""
    assumptions: Assumptions = field(default_factory=Assumptions)
    insight: Insight | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no decision was counted at all."""
        return not self.decided

    def merge(self, other: Counts) -> None:
        """Add what another part of the same log comes to."""
        self.decided.update(other.decided)
        self.fired.update(other.fired)
        self.held.update(other.held)
        self.assumptions.merge(other.assumptions)
        if self.insight is not None and other.insight is not None:
            self.insight.merge(other.insight)

    def by_user(self) -> list[Count]:
        """Give the counts by user, channel and type."""
        return [self._count(key) for key in sorted(self.decided, key=_order)]

    def changed(self, changes: Changes) -> list[ChangedCount]:
        """Give the counts that changes concern, with the number of each."""
        return [
            ChangedCount(
                *key, self.fired[key], self.decided[key] - self.fired[key], *changes.counts[key]
            )
            for key in sorted(changes.counts, key=_order)
        ]

    def _count(self, key: Key) -> Count:
        fired = self.fired[key]
        return Count(*key, fired, self.decided[key] - fired)

    def add(self, account: int, evaluator: Evaluator, takes: Takes | None) -> None:
        """Add what an account's evaluator has counted, which begins anew.

        Only of what it `takes`, if that is given.
        """
        concerned: dict[tuple[NotificationType, bool], defaultdict[int, int]]
        concerned = defaultdict(lambda: defaultdict(int))
        often: defaultdict[Everyone, int] = defaultdict(int)
        for plan in evaluator.every_plan():
            _add_concerned(concerned[plan.type, plan.sound], plan)
            self._add_plan(often, plan, evaluator)
            if self.insight is not None and plan.times:
                self.insight.reach_in_inbox(account, plan, evaluator, takes)
            plan.begin_anew()
        for decided, times in often.items():
            self._add_decided(account, evaluator, decided, times, takes)
        users = evaluator.directory.users
        for (type_, sound), of_type in concerned.items():
            channels = channels_of(type_, sound=sound)
            for user, times in of_type.items():
                known = users.get(user)
                email = None if known is None else known.email
                for channel in channels:
                    if takes is None or takes(account, user, channel, type_):
                        key = user, email, channel, type_
                        self.decided[key] = self.decided.get(key, 0) + times

    def add_digest(self, digest: DigestFields, due: Due) -> None:
        """Add a digest, which is decided on one channel alone."""
        key = digest.user_id, digest.email, digest.channel, digest.type
        self.decided[key] += 1
        self.fired[key] += 1
        if self.insight is not None:
            self.insight.add_digest(due.account or 0, digest, due)

    def _add_plan(self, often: dict[Everyone, int], plan: Plan, evaluator: Evaluator) -> None:
        """Add how often what was decided: one by one, and of the others who want it."""
        apart: defaultdict[int, int] = defaultdict(int)
        for decided, times in plan.apart.items():
            apart[decided[0].user_id] += times
            often[decided] += times
        if plan.times:
            everybody = self.insight is not None
            for user in plan.audience.users if everybody else plan.audience.wanting:
                often[evaluator.default(plan, user)] += plan.times - apart.get(user, 0)

    def _add_decided(
        self,
        account: int,
        evaluator: Evaluator,
        decided: Everyone,
        times: int,
        takes: Takes | None,
    ) -> None:
        """Add what was decided of a user so often."""
        for recipient in decided if times else ():
            key = recipient.user_id, recipient.email, recipient.channel, recipient.type
            if takes is None or takes(account, key[0], key[2], key[3]):
                if recipient.channel.is_added:
                    self.decided[key] = self.decided.get(key, 0) + times
                if recipient.reason is Reason.ENABLED:
                    self.fired[key] += times
                if recipient in evaluator.recipients.held:
                    self.held[recipient.reason] += times
                if self.insight is not None:
                    self.insight.add_reason(account, recipient, times)


def _add_concerned(of_type: dict[int, int], plan: Plan) -> None:
    """Add how often a plan's type concerned each user."""
    for user, times in plan.named.items():
        of_type[user] += times
    for user in plan.audience.users if plan.times else ():
        of_type[user] += plan.times


def _decided_in_inbox(plan: Plan, evaluator: Evaluator) -> Iterator[RecipientFields]:
    """Return what values of a plan's inbox decided of whoever wasn't always judged one by one."""
    apart = Counter[int]()
    for decided, times in plan.apart.items():
        apart[decided[0].user_id] += times
    for user in plan.audience.users:
        if apart[user] < plan.times:
            found = evaluator.default(plan, user)
            yield from (recipient for recipient in found if recipient.origin is Layer.INBOX)


def _order(key: Key) -> tuple[object, ...]:
    return key[0], key[1] or "", channel_order(key[2]), _TYPES.index(key[3])


def _sum_by(counts: Counter[K], group: Callable[[K], G]) -> Counter[G]:
    sums: Counter[G] = Counter()
    for key, count in counts.items():
        sums[group(key)] += count
    return sums
