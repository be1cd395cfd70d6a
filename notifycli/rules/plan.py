"""What an event leads to, found so that its cost follows who is told.

What depends on the inbox alone is a plan: who of its members has a type switched on is found once.
Of each event there is left what its moment decides for these, and the few who have a part in it:
its author, the assignee, who takes part, who is mentioned. They are judged one by one. Of all the
others a plan knows what is decided, and that is counted by subtraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct, field
from msgspec.structs import replace

from notifycli.events.event import Event
from notifycli.rules.candidates import Candidates
from notifycli.rules.decision import Outcome, Reason, RecipientFields
from notifycli.rules.directory import Directory
from notifycli.rules.enabled import Enabled, EnabledIndex, Recipients
from notifycli.rules.ladder import (
    Case,
    covered_as,
    first_that_holds,
    ladders_of,
)
from notifycli.rules.notifications import NEW_MESSAGE_TYPES, NotificationType
from notifycli.rules.presence import Presence
from notifycli.rules.profile import Profile
from notifycli.rules.settings import Preferences, SettingsBook, as_read_by
from notifycli.rules.state import Conversation, Opening

_AUDIO = NotificationType.NEW_MESSAGE
PLANS_KEPT = 4096
"""The plans of an account, before they are counted and found again."""

Everyone = tuple[RecipientFields, ...]


class Plan(Struct, eq=False):
    """What a type comes to in an inbox, and how often it did: what fired, and what didn't.

    Without `users` it is of those who are judged one by one, wherever they are.
    """

    type: NotificationType
    inbox: int | None = None
    reason: Reason | None = None
    """Why it is kept from everybody, if it is."""
    users: tuple[int, ...] = ()
    restricted: tuple[int, ...] = ()
    """The others of them, whose custom role asks for more than the inbox: judged one by one."""
    enabled: dict[int, Enabled] = field(default_factory=dict)
    """The users for whom it is switched on, in the order of their ids."""
    always: Everyone = ()
    """What is decided of these if nothing stands in the way."""
    fires_always: Everyone = ()
    has_quiet_hours: bool = False
    members: frozenset[int] = frozenset()
    """The users."""
    defaults: dict[int, Everyone] = field(default_factory=dict)
    """What is decided of whoever isn't judged, as far as that has been asked for."""

    times: int = 0
    always_times: int = 0
    """How often all of `always` came of it."""
    outcomes: Counter[RecipientFields] = field(default_factory=Counter)
    """What else was decided, one by one."""


class Judged(Struct, gc=False):
    """What an event comes to for one type."""

    plan: Plan
    decided: Sequence[RecipientFields]
    """What was decided one by one, of users in the order of their ids."""
    fired: Sequence[RecipientFields]


class Evaluator:
    """The evaluator of the rules, for one account with one set of preferences."""

    def __init__(
        self, directory: Directory, preferences: Preferences, profile: Profile, presence: Presence
    ) -> None:
        self.directory = directory
        self.profile = profile
        self.settings = SettingsBook(preferences, profile)
        self.recipients = Recipients(directory, profile)
        self._presence = presence
        self._ladders = ladders_of(profile)
        self._enabled = EnabledIndex(
            directory, as_read_by(profile, preferences), self.settings, self.recipients
        )
        self.plans: dict[tuple[object, ...], Plan] = {}
        self._one_by_one = {type_: Plan(type_) for type_ in NotificationType}

    def trying(self, preferences: Preferences) -> Evaluator:
        """Give the evaluator of the same account with other preferences."""
        return Evaluator(self.directory, preferences, self.profile, self._presence)

    def decide_anew(self, cases: Iterable[Case]) -> Iterator[RecipientFields]:
        """Decide on one user's cases of an event, in their order; they stay as they are."""
        notified: set[int] = set()
        for case in cases:
            yield from self.decide(replace(case, notified=notified), case.user)

    def every_plan(self) -> Iterator[Plan]:
        """Give all plans that events were counted in."""
        yield from self._one_by_one.values()
        yield from self.plans.values()

    def case(self, event: Event, conversation: Conversation, opening: Opening | None) -> Case:
        """Give what decisions on an event look at, before anybody is told of it."""
        handover_told = opening is not None and conversation.handover_told
        return Case(
            event,
            conversation,
            self.directory,
            self._presence,
            self.profile,
            conversation.notified_assignee,
            handover_told,
        )

    def evaluate(self, case: Case, found: Iterable[Candidates]) -> list[Judged]:
        """Decide for all candidates of an event, type by type."""
        judged = []
        for one in found:
            case.type = one.type
            if one.audience:
                judged.append(self._judge_audience(self._plan(case, one.users), case))
            else:
                judged.append(self._judge_people(case, one.users))
        return judged

    def concerns(self, case: Case, one: Candidates, user: int) -> bool:
        """Whether a type concerns one of its candidates, whose custom role may ask for more."""
        case.type = one.type
        restricted = one.audience and user in self.directory.restricted
        return not restricted or self._concerned(case, user)

    def concerns_others(self, case: Case, one: Candidates, user: int) -> bool:
        """Whether a type concerns anybody else than a user."""
        return any(other != user and self.concerns(case, one, other) for other in one.users)

    def _judge_people(self, case: Case, users: Collection[int]) -> Judged:
        decided: list[RecipientFields] = []
        for user in users:
            decided += self.decide(case, user)
        return Judged(self._one_by_one[case.type], decided, _fired(decided))

    def decide(self, case: Case, user: int) -> Sequence[RecipientFields]:
        """Decide for one user, on each channel of the case's type."""
        case.user = user
        case.settings = settings = self.settings.of(user, case.event.inbox)
        rule = first_that_holds(self._ladders.before_settings[case.type], case)
        if rule is not None:
            return self._enabled.hindered(case.type, user, case.event.inbox, rule.reason)
        if case.type is _AUDIO and covered_as(case.conversation, user) not in settings.audio.value:
            return self._enabled.not_covered(user, case.event.inbox)
        decided = self._at_moment(case, self._enabled.unhindered(case.type, user, settings))
        self._keep_notified(case, decided)
        return decided

    def _at_moment(self, case: Case, unhindered: Everyone) -> Sequence[RecipientFields]:
        """Decide what only the moment can keep from firing."""
        rules, decided = self._ladders.of_moment[case.type], []
        for recipient in unhindered:
            case.channel = recipient.channel
            rule = first_that_holds(rules, case) if recipient.outcome is Outcome.FIRE else None
            if rule is None:
                decided.append(recipient)
            else:
                origin = rule.origin(case) if rule.origin else None
                decided.append(
                    self.recipients.of(
                        case.user, case.type, case.channel, rule.reason, origin, on=True
                    )
                )
        return decided

    def _keep_notified(self, case: Case, decided: Sequence[RecipientFields]) -> None:
        """Keep whom the message has notified: they are told of one of its types only.

        A hand-over that it shows is none of them.
        """
        if case.type is not NotificationType.MENTION and case.type not in NEW_MESSAGE_TYPES:
            return
        profile = self.profile
        if profile.one_row:
            notified = True
        elif profile.participating_first:
            on = any(r.reason is not Reason.DISABLED for r in decided)
            notified = on and case.type is NotificationType.PARTICIPATING_MESSAGE
        else:
            notified = any(r.outcome is Outcome.FIRE for r in decided)
        if notified:
            case.notified.add(case.user)

    def _judge_audience(self, plan: Plan, case: Case) -> Judged:
        apart = self._apart(plan, case)
        if plan.reason is not None and not apart:
            return Judged(plan, (), ())
        if not apart and self._nothing_hinders(plan):
            return Judged(plan, plan.always, plan.fires_always)
        decided: list[RecipientFields] = []
        enabled = plan.enabled
        for user in sorted(apart.union(enabled)) if apart else enabled:
            if user in apart:
                decided += self.decide(case, user)
            else:
                case.user, case.settings, unhindered = enabled[user]
                decided += self._at_moment(case, unhindered)
        return Judged(plan, decided, _fired(decided))

    def _apart(self, plan: Plan, case: Case) -> set[int]:
        """Give who of an audience has a part in the event, so that more than the moment decides."""
        apart = {user for user in plan.restricted if self._concerned(case, user)}
        if plan.reason is not None:
            return apart
        people: tuple[int | None, ...] = ()
        if case.type is _AUDIO:
            people = case.event.author, case.event.sender, case.conversation.assignee
        elif case.type in NEW_MESSAGE_TYPES:
            people = case.event.author, *case.notified
        for user in people:
            if user is not None and user in plan.members:
                apart.add(user)
        return apart

    def _concerned(self, case: Case, user: int) -> bool:
        """Whether one with a custom role is among those whom a message's sound concerns."""
        if case.type is not _AUDIO:
            return True
        if not self.profile.is_chatwoot:
            return case.can_see(user)
        allowed = self.directory.restricted[user]
        return any(one.startswith("conversation_") for one in allowed)

    def _nothing_hinders(self, plan: Plan) -> bool:
        if plan.has_quiet_hours or plan.type in NEW_MESSAGE_TYPES:
            return not plan.enabled
        return plan.type is not _AUDIO or self._presence.visible.isdisjoint(plan.enabled)

    def _plan(self, case: Case, users: Collection[int]) -> Plan:
        rule = first_that_holds(self._ladders.of_conversation[case.type], case)
        reason = None if rule is None else rule.reason
        audio = case.type is _AUDIO and reason is None
        covered = covered_as(case.conversation, 0) if audio else ""
        place = self._enabled.place(case.event.inbox)
        team = case.conversation.team if case.type is _AUDIO else None
        if team is not None and users is self.directory.viewers(case.event.inbox):
            team = None
        key = case.type, place, team, reason, covered
        plan = self.plans.get(key)
        if plan is None:
            plan = self.plans[key] = self._found(case, users, reason, covered)
        return plan

    def _found(
        self, case: Case, users: Collection[int], reason: Reason | None, covered: str
    ) -> Plan:
        restricted = self.directory.restricted
        members = tuple(user for user in users if user not in restricted)
        plan = Plan(case.type, case.event.inbox, reason, members, members=frozenset(members))
        if restricted:
            plan.restricted = tuple(user for user in users if user in restricted)
        if reason is None:
            found = self._enabled.of(case.type, members, case.event.inbox, covered)
            plan.enabled = {one.user: one for one in found}
            plan.always = tuple(chain.from_iterable(one.decided for one in found))
            plan.fires_always = tuple(_fired(plan.always))
            plan.has_quiet_hours = case.type is not NotificationType.MENTION and any(
                one.settings.quiet_hours.value is not None for one in found
            )
        return plan

    def default(self, plan: Plan, user: int) -> Everyone:
        """Give what is decided of one of an audience who isn't judged."""
        known = plan.defaults.get(user)
        if known is None:
            known = plan.defaults[user] = self._default(plan, user)
        return known

    def _default(self, plan: Plan, user: int) -> Everyone:
        if plan.reason is not None:
            return self._enabled.hindered(plan.type, user, plan.inbox, plan.reason)
        if plan.type is _AUDIO:
            return self._enabled.not_covered(user, plan.inbox)
        return self._enabled.unhindered(plan.type, user, self.settings.of(user, plan.inbox))

    def all_decided(self, judged: Judged) -> Sequence[RecipientFields]:
        """Give everything that an event comes to for a type, by user and channel."""
        plan = judged.plan
        if not plan.users:
            return judged.decided
        own: dict[int, list[RecipientFields]] = {}
        for recipient in judged.decided:
            own.setdefault(recipient.user_id, []).append(recipient)
        users: Iterable[int] = plan.users
        if plan.restricted:
            users = sorted(own.keys() | plan.members)
        every: list[RecipientFields] = []
        for user in users:
            every += own.get(user) or self.default(plan, user)
        return every

    def switched_on(self, plan: Plan) -> Iterable[int]:
        """Give who of a plan's audience has its type switched on, for whatever conversations."""
        return (one.user for one in self._enabled.of(plan.type, plan.users, plan.inbox))


def count(judged: Judged) -> None:
    """Count an event for a plan."""
    plan = judged.plan
    plan.times += 1
    if judged.decided is plan.always:
        plan.always_times += 1
    else:
        plan.outcomes.update(judged.decided)


def _fired(decided: Sequence[RecipientFields]) -> Sequence[RecipientFields]:
    return [recipient for recipient in decided if recipient.outcome is Outcome.FIRE]
