"""What an event leads to, found so that its cost follows who is told.

What depends on the inbox alone is a plan: who of its members has a type switched on is found once.
Of each event there is left what its moment decides for these, and the few who have a part in it:
its author, the assignee, who takes part, who is mentioned. They are judged one by one. Of all the
others a plan knows what is decided, and that is counted by subtraction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct, field
from msgspec.structs import replace

from notifycli.events.event import Event
from notifycli.rules.candidates import Candidates, Finder
from notifycli.rules.decision import Outcome, Reason, RecipientFields
from notifycli.rules.directory import Directory
from notifycli.rules.enabled import Enabled, EnabledIndex, Recipients
from notifycli.rules.ladder import (
    Case,
    Rule,
    covered_as,
    first_that_holds,
    ladders_of,
)
from notifycli.rules.notifications import NEW_MESSAGE_TYPES, NotificationType
from notifycli.rules.presence import Presence
from notifycli.rules.profile import Profile
from notifycli.rules.quiet_hours import QuietHours
from notifycli.rules.settings import Preferences, SettingsBook, as_read_by
from notifycli.rules.state import Conversation, Opening

_AUDIO = NotificationType.NEW_MESSAGE
_OF_MOMENT = {Reason.QUIET_HOURS, Reason.ACTIVE, Reason.VIEWING, Reason.WINDOW_VISIBLE}
_OF_TIME = {*_OF_MOMENT, Reason.ENABLED}
PLANS_KEPT = 4096
"""The plans of an account, before they are counted and found again."""
DECISIONS_KEPT = 1 << 16
"""The decisions on messages of an account that are kept for others that meet the same."""

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
    hearers: frozenset[int] = frozenset()
    """Whose window could hinder it."""
    quiet_hours: frozenset[QuietHours] = frozenset()
    """All that any of them has."""
    switched_on: tuple[int, ...] = ()
    """The users for whom it is switched on, for whatever conversations."""
    members: frozenset[int] = frozenset()
    """The users."""
    defaults: dict[int, Everyone] = field(default_factory=dict)
    """What is decided of whoever isn't judged, as far as that has been asked for."""

    times: int = 0
    always_times: int = 0
    """How often all of `always` came of it."""
    outcomes: defaultdict[RecipientFields, int] = field(default_factory=lambda: defaultdict(int))
    """What else was decided, one by one."""

    def count(self, decided: Sequence[RecipientFields], times: int) -> None:
        """Count events, and what was decided of them one by one."""
        self.times += times
        if decided is self.always:
            self.always_times += times
            return
        outcomes = self.outcomes
        for recipient in decided:
            outcomes[recipient] += times


class Judged(Struct, gc=False):
    """What an event comes to for one type."""

    candidates: Candidates
    plan: Plan
    decided: Sequence[RecipientFields]
    """What was decided one by one, of users in the order of their ids."""
    fired: Sequence[RecipientFields]


class Alike(Struct):
    """What messages come to that meet the same, unless their moment hinders it."""

    judged: list[Judged]
    again: list[int]
    """The places of what each message's moment decides: that is judged again."""
    hearers: frozenset[int] = frozenset()
    """Whose window could hinder the rest."""
    quiet_hours: frozenset[QuietHours] = frozenset()
    times: int = 0
    """How many messages came to the rest."""

    def settle(self) -> None:
        """Hand over what was counted."""
        if self.times:
            for place, one in enumerate(self.judged):
                if place not in self.again:
                    one.plan.count(one.decided, self.times)
            self.times = 0


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
        self._finder = Finder(directory, profile)
        self.plans: dict[tuple[object, ...], Plan] = {}
        """As many as there are inboxes on record, and teams that see more, and states."""
        self._alike: dict[tuple[object, ...], Alike] = {}
        self._kept = 0
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
        """Give all plans, with all that was counted in them."""
        for alike in self._alike.values():
            alike.settle()
        yield from self._one_by_one.values()
        yield from self.plans.values()

    def forget(self) -> None:
        """Forget what was found, once it has been counted."""
        self._alike.clear()
        self._kept, self.full = 0, False
        self.plans.clear()

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

    def candidates(
        self, event: Event, conversation: Conversation, opening: Opening | None
    ) -> Iterator[Candidates]:
        """Give whom an event concerns, type by type."""
        return self._finder.candidates(event, conversation, opening)

    def evaluate(
        self, event: Event, conversation: Conversation, opening: Opening | None
    ) -> list[Judged]:
        """Decide for all candidates of an event, type by type, and count that."""
        meets = None if opening is not None else self._meets(event, conversation)
        known = None if meets is None else self._alike.get(meets)
        if known is not None and not self._hindered(known, event.at):
            known.times += 1
            return self._judge_again(known, event, conversation) if known.again else known.judged
        case = self.case(event, conversation, opening)
        judged = [self._judge(case, one) for one in self.candidates(event, conversation, opening)]
        for one in judged:
            one.plan.count(one.decided, 1)
        if meets is not None and known is None:
            self._alike[meets] = self._alike_of(judged)
        self.full = len(self.plans) > PLANS_KEPT or self._kept > DECISIONS_KEPT
        return judged

    def _judge_again(self, known: Alike, event: Event, conversation: Conversation) -> list[Judged]:
        judged, case = known.judged.copy(), self.case(event, conversation, None)
        for place in known.again:
            one = judged[place] = self._judge(case, judged[place].candidates)
            one.plan.count(one.decided, 1)
        return judged

    def _meets(self, event: Event, kept: Conversation) -> tuple[object, ...] | None:
        """Give all that it depends on what a message comes to, but the moment.

        `None` if that depends on what it says, or on a custom role.
        """
        message = event.message
        if message is None or message.private or message.content or self.directory.restricted:
            return None
        return (
            message.type,
            kept.inbox,
            kept.team,
            kept.status == "pending",
            kept.blocked,
            kept.assignee,
            kept.participants,
            event.author,
            event.sender if self.profile.audio_by_number else None,
        )

    def _hindered(self, known: Alike | Plan, at: int | None) -> bool:
        """Whether a window is in front, or it is in somebody's quiet hours."""
        if known.hearers and not self._presence.visible.isdisjoint(known.hearers):
            return True
        quiet = known.quiet_hours
        return bool(quiet) and at is not None and any(hours.hold(at) for hours in quiet)

    def _alike_of(self, judged: list[Judged]) -> Alike:
        """Give what others come to that meet the same as what was judged."""
        alike = Alike(judged, [])
        for place, one in enumerate(judged):
            self._kept += 1 if one.decided is one.plan.always else len(one.decided) + 1
            if one.plan.type is _AUDIO:
                alike.hearers = frozenset(recipient.user_id for recipient in one.fired)
                alike.quiet_hours = self._quiet_hours(alike.hearers, one.plan.inbox)
                again = any(recipient.reason in _OF_MOMENT for recipient in one.decided)
            else:
                # Whom an earlier type has notified, that one's moment decides as well.
                again = bool(alike.again) or any(r.reason in _OF_TIME for r in one.decided)
            if again:
                alike.again.append(place)
        return alike

    def _quiet_hours(self, users: Iterable[int], inbox: int | None) -> frozenset[QuietHours]:
        found = (self.settings.of(user, inbox).quiet_hours.value for user in users)
        return frozenset(hours for hours in found if hours is not None)

    def _judge(self, case: Case, one: Candidates) -> Judged:
        case.type = one.type
        if one.audience:
            return self._judge_audience(one, self._plan(case, one.users), case)
        decided: list[RecipientFields] = []
        rule = first_that_holds(self._ladders.of_conversation[one.type], case)
        if rule is not None:
            for user in one.users:
                decided += self._enabled.hindered(one.type, user, case.event.inbox, rule.reason)
            return Judged(one, self._one_by_one[one.type], decided, ())
        rules = self._ladders.of_person[one.type]
        for user in one.users:
            decided += self._decide(case, user, rules)
        return Judged(one, self._one_by_one[one.type], decided, _fired(decided))

    def concerns(self, case: Case, one: Candidates, user: int) -> bool:
        """Whether a type concerns one of its candidates, whose custom role may ask for more."""
        case.type = one.type
        restricted = one.audience and user in self.directory.restricted
        return not restricted or self._concerned(case, user)

    def concerns_others(self, case: Case, one: Candidates, user: int) -> bool:
        """Whether a type concerns anybody else than a user."""
        return any(other != user and self.concerns(case, one, other) for other in one.users)

    def decide(self, case: Case, user: int) -> Sequence[RecipientFields]:
        """Decide for one user, on each channel of the case's type."""
        return self._decide(case, user, self._ladders.before_settings[case.type])

    def _decide(self, case: Case, user: int, before: tuple[Rule, ...]) -> Sequence[RecipientFields]:
        case.user = user
        for rule in before:
            if rule.holds(case):
                return self._enabled.hindered(case.type, user, case.event.inbox, rule.reason)
        case.settings = settings = self.settings.of(user, case.event.inbox)
        if case.type is _AUDIO and covered_as(case.conversation, user) not in settings.audio.value:
            return self._enabled.not_covered(user, case.event.inbox)
        decided: Sequence[RecipientFields]
        decided = self._enabled.unhindered(case.type, user, case.event.inbox)
        if settings.switched_on[case.type]:
            decided = self._at_moment(case, decided)
            self._keep_notified(case, decided)
        elif self.profile.one_row:
            case.notified.add(user)
        return decided

    def _at_moment(
        self, case: Case, unhindered: Sequence[RecipientFields]
    ) -> Sequence[RecipientFields]:
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
            notified = case.type is NotificationType.PARTICIPATING_MESSAGE
        else:
            notified = any(recipient.reason is Reason.ENABLED for recipient in decided)
        if notified:
            case.notified.add(case.user)

    def _judge_audience(self, one: Candidates, plan: Plan, case: Case) -> Judged:
        apart = self._apart(plan, case)
        if not apart and self._comes_to_all(plan, case.event.at):
            return Judged(one, plan, plan.always, plan.fires_always)
        decided: list[RecipientFields] = []
        enabled = plan.enabled
        for user in sorted(apart.union(enabled)) if apart else enabled:
            if user in apart:
                decided += self.decide(case, user)
            else:
                case.user, case.settings, unhindered = enabled[user]
                decided += self._at_moment(case, unhindered)
        return Judged(one, plan, decided, _fired(decided))

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

    def _comes_to_all(self, plan: Plan, at: int | None) -> bool:
        """Whether nothing of an event's moment hinders a type for anybody in an audience."""
        if not plan.enabled:
            return True
        if plan.type in NEW_MESSAGE_TYPES:
            return False
        return not self._hindered(plan, at)

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
        found = self._enabled.of(case.type, members, case.event.inbox)
        plan.switched_on = tuple(one.user for one in found)
        if reason is None:
            fits = [one for one in found if not covered or covered in one.settings.audio.value]
            plan.enabled = {one.user: one for one in fits}
            plan.always = tuple(chain.from_iterable(one.decided for one in fits))
            plan.fires_always = tuple(_fired(plan.always))
            plan.hearers = frozenset(plan.enabled if case.type is _AUDIO else ())
            plan.quiet_hours = self._quiet_hours(plan.enabled, plan.inbox)
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
        return self._enabled.unhindered(plan.type, user, plan.inbox)

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


def _fired(decided: Sequence[RecipientFields]) -> Sequence[RecipientFields]:
    return [recipient for recipient in decided if recipient.outcome is Outcome.FIRE]
