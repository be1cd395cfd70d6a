"""What an event leads to, found so that its cost follows who is told.

What depends on the inbox alone is a plan, found once: who of its members has a type switched on.
Of each event there is left what its moment decides for these, and the few who have a part in it:
its author, the assignee, who takes part, who is mentioned. They are judged one by one, as far as
they have it switched on. What is decided of all the others is known without judging them: it is
counted by subtraction, and found out if somebody asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from notifycli.events.event import Due, Event
from notifycli.rules.candidates import Candidates, Finder
from notifycli.rules.deadlines import Waits
from notifycli.rules.decision import DigestFields, LeftOut, Outcome, Reason, RecipientFields
from notifycli.rules.directory import Directory, User
from notifycli.rules.ladder import (
    Case,
    audio_set_of,
    first_that_holds,
    judge,
    ladders_of,
    not_audible,
)
from notifycli.rules.layers import Preferences, Settings, SettingsBook, as_read_by, switch_of
from notifycli.rules.notifications import (
    NEW_MESSAGE_TYPES,
    SWITCHED_CHANNELS,
    TYPES,
    WAITING_TYPES,
    Channel,
    NotificationType,
    added_switch,
)
from notifycli.rules.preferences import Layer
from notifycli.rules.profile import Profile
from notifycli.rules.quiet_hours import QuietHours
from notifycli.rules.state import Conversation, Opening, Presence

_AUDIO = NotificationType.NEW_MESSAGE
_MENTION = NotificationType.MENTION
_CREATION = NotificationType.CREATION
_FIRE = Outcome.FIRE
Everyone = tuple[RecipientFields, ...]
_OFF = ("off", "none")
_KEYS = (
    "audio",
    *(f"{channel}.{row.type}" for channel in SWITCHED_CHANNELS for row in TYPES),
)


class Recipients:
    """What a decision says of a user, made once: there are as many as users, types and reasons."""

    def __init__(self, directory: Directory, profile: Profile) -> None:
        self._users = directory.users
        self._confirmed_gate = profile.confirmed_gate
        self._known: dict[tuple[object, ...], RecipientFields] = {}
        self._on_all: dict[tuple[int, NotificationType, Reason], tuple[RecipientFields, ...]] = {}
        self.held: set[RecipientFields] = set()
        """Those that are switched on, and don't fire."""

    def of(
        self,
        user: int,
        type_: NotificationType,
        channel: Channel,
        reason: Reason,
        origin: Layer | None,
        *,
        on: bool,
        left_out: bool = False,
    ) -> RecipientFields:
        """Give what a decision says.

        `on` tells whether the type is switched on, `left_out` whether `audio.events` leaves a
        message out that sounds otherwise.
        """
        key = user, type_, channel, reason, origin, on, left_out
        found = self._known.get(key)
        if found is None:
            made = LeftOut if left_out else RecipientFields
            found = self._known[key] = made(*self._says(user, type_, channel, reason, origin))
            if on and reason is not Reason.ENABLED:
                self.held.add(found)
        return found

    def _says(
        self,
        user: int,
        type_: NotificationType,
        channel: Channel,
        reason: Reason,
        origin: Layer | None,
    ) -> tuple[Any, ...]:
        known, fires = self._users.get(user), reason is Reason.ENABLED
        return (
            user,
            None if known is None else known.email,
            type_,
            channel,
            Outcome.FIRE if fires else Outcome.SUPPRESS,
            reason,
            origin,
            self._deliverable(known, channel) if fires and known is not None else None,
        )

    def of_digest(
        self, user: int, channel: Channel, origin: Layer, conversations: tuple[int, ...]
    ) -> DigestFields:
        """Give what the decision says that sends a digest of conversations."""
        told = self._says(user, NotificationType.DIGEST, channel, Reason.ENABLED, origin)
        return DigestFields(*(*told, conversations))

    def _deliverable(self, user: User, channel: Channel) -> bool:
        if channel is Channel.EMAIL and not self._confirmed_gate:
            return bool(user.email)
        return user.reachable(channel)


class Choice(Struct, frozen=True, gc=False):
    """What a user wants to know of a type."""

    user: int
    settings: Settings
    wants: bool
    """Whether the type is switched on, on any channel, or set on an added one, on or off."""
    decided: Everyone
    """What is decided if nothing stands in the way: one a channel, in their order."""


class Choices:
    """Who of an account's users wants which type; each is found once."""

    def __init__(
        self,
        preferences: Preferences,
        settings: SettingsBook,
        recipients: Recipients,
        profile: Profile,
    ) -> None:
        self._settings = settings
        self._recipients = recipients
        self._inboxes = preferences.inbox
        self._known: dict[tuple[NotificationType, int, int | None], Choice] = {}
        self._hindered: dict[tuple[NotificationType, int, int | None, Reason], Everyone] = {}
        self._wanting = _wanting(preferences)
        """Whoever has a type switched on somewhere; `None` for everybody."""
        if profile.one_row:  # What one of these comes to decides about the next.
            self._wanting.update(_together(self._wanting, (_MENTION, *NEW_MESSAGE_TYPES)))

    def wanting(self, type_: NotificationType, users: Collection[int]) -> Collection[int]:
        """Return those of the users who may have a type switched on, in their order.

        Of all the others it is sure that they have it switched off, in every inbox, and that no
        layer sets it on an added channel.
        """
        wanting = self._wanting[type_]
        return users if wanting is None else [user for user in users if user in wanting]

    def all_wanting(self, type_: NotificationType) -> frozenset[int] | None:
        """Return all who may have a type switched on; `None` for everybody."""
        return self._wanting[type_]

    def of(self, type_: NotificationType, user: int, inbox: int | None) -> Choice:
        """Return what a user wants to know of a type in an inbox."""
        key = type_, user, inbox if self._inboxes and (user, inbox) in self._inboxes else None
        found = self._known.get(key)
        if found is None:
            settings = self._settings.of(user, inbox)
            found = self._known[key] = self.own(type_, user, settings)
        return found

    def own(self, type_: NotificationType, user: int, settings: Settings) -> Choice:
        """Return the same by settings that are of a conversation."""
        wants = bool(settings.switched_on[type_]) or type_ in settings.added
        return Choice(user, settings, wants, self._unhindered(type_, user, settings))

    def _unhindered(self, type_: NotificationType, user: int, settings: Settings) -> Everyone:
        on, of = dict(settings.switched_on[type_]), self._recipients.of
        muted, muting = settings.mute
        return tuple(
            of(
                *(user, type_, channel),
                Reason.MUTED if muted else Reason.ENABLED,
                muting if muted else on[channel],
                on=True,
            )
            if channel in on
            else of(
                *(user, type_, channel, Reason.DISABLED, _origin(settings, channel, type_)),
                on=False,
                left_out=channel is Channel.AUDIO and settings.leaves_out_messages,
            )
            for channel in settings.channels(type_)
        )

    def hindered(
        self,
        type_: NotificationType,
        user: int,
        inbox: int | None,
        reason: Reason,
        own: Settings | None = None,
    ) -> Everyone:
        """Return what is decided of a user for a reason that no preference has a part in.

        `own` are their settings where these are of a conversation.
        """
        if own is not None:
            return self._hinder(type_, user, reason, own)
        here = inbox if self._inboxes and (user, inbox) in self._inboxes else None
        found = self._hindered.get((type_, user, here, reason))
        if found is None:
            settings = self._settings.of(user, inbox)
            found = self._hinder(type_, user, reason, settings)
            self._hindered[type_, user, here, reason] = found
        return found

    def _hinder(
        self, type_: NotificationType, user: int, reason: Reason, settings: Settings
    ) -> Everyone:
        of, on = self._recipients.of, dict(settings.switched_on[type_])
        return tuple(of(user, type_, c, reason, None, on=c in on) for c in settings.channels(type_))

    def not_covered(self, user: int, settings: Settings) -> Everyone:
        """Return what is decided of a user whose choice of sounds leaves the conversation out."""
        audio = settings.audio
        why = Reason.NOT_ASSIGNED if audio.value else Reason.DISABLED
        what = user, _AUDIO, Channel.AUDIO, why, audio.origin
        left_out = settings.leaves_out_messages
        return (self._recipients.of(*what, on=bool(audio.value), left_out=left_out),)


def _origin(settings: Settings, channel: Channel, type_: NotificationType) -> Layer:
    if channel is Channel.AUDIO:
        return settings.audio.origin
    return settings.enabled[channel, type_].origin


def _wanting(preferences: Preferences) -> dict[NotificationType, frozenset[int] | None]:
    """Return who may have each type switched on somewhere; `None` for everybody."""
    found: defaultdict[NotificationType, set[int]] = defaultdict(set)
    places = chain(preferences.inbox.items(), preferences.conversation.items())
    of_places = ((user, values) for (user, _), values in places)
    for user, values in chain(preferences.user.items(), of_places):
        for key, value in values.items():
            type_ = _type_of(key)
            if type_ is not None and _counts(key, value) and key not in preferences.lock:
                found[type_].add(user)
    for_all = {
        _type_of(key)
        for key in (*_KEYS, *preferences.lock, *preferences.default)
        if _counts(key, preferences.resolve(key, None).value)
    }
    return {
        type_: None if type_ in for_all else frozenset(found[type_]) for type_ in NotificationType
    }


def _counts(key: str, value: str) -> bool:
    """Whether a value of a switch makes decisions that are not known without it."""
    return value not in _OFF or added_switch(key) is not None


def _type_of(key: str) -> NotificationType | None:
    """Return which type a key switches; `None` for other keys."""
    switch = switch_of(key)
    return switch[1] if switch else _AUDIO if key == "audio" else None


def _together(
    wanting: Mapping[NotificationType, frozenset[int] | None], types: Iterable[NotificationType]
) -> dict[NotificationType, frozenset[int] | None]:
    """Return the same for whoever has any of the types switched on."""
    each = [wanting[type_] for type_ in types]
    some = [users for users in each if users is not None]
    return dict.fromkeys(types, frozenset().union(*some) if len(some) == len(each) else None)


PLANS_KEPT = 4096
"""The plans of an account, before they are counted and found again; as many states of inboxes and
teams that are known to have one of them."""


class Audience(Struct, frozen=True, eq=False):
    """Who is told of a type in an inbox, and in one with a team that sees more: all its members."""

    users: tuple[int, ...] = ()
    members: frozenset[int] = frozenset()
    """The users."""
    restricted: tuple[int, ...] = ()
    """The others of them, whose custom role asks for more than the inbox: judged one by one."""
    choices: Sequence[Choice] = ()
    """Of the users for whom it is switched on, for whatever conversations."""
    wanting: frozenset[int] = frozenset()
    """These users."""


_NO_AUDIENCE = Audience()


class Plan(Struct, eq=False):
    """What a type comes to in conversations of an inbox in the same state, and how often it did.

    Without an audience it is of those who are judged one by one, wherever they are.
    """

    type: NotificationType
    inbox: int | None = None
    audience: Audience = _NO_AUDIENCE
    sound: bool = False
    """Whether it is of the sound of a type that has other channels as well."""
    wanting: frozenset[int] | None = None
    """Who may want it, of those who have a part in an event; `None` for everybody."""
    reason: Reason | None = None
    """Why it is kept from everybody, if it is."""
    told: dict[int, Choice] = field(default_factory=dict)
    """Who is told of it if nothing stands in the way: whoever wants it in such conversations."""
    decided: Everyone = ()
    """What is decided of these then."""
    fired: Everyone = ()
    quiet: Sequence[tuple[QuietHours, Collection[int]]] = ()
    """Those of them who have quiet hours, by these."""
    withheld: frozenset[int] = frozenset()
    """To whom nothing is sent while they are busy or offline."""
    defaults: dict[int, Everyone] = field(default_factory=dict)
    """What is decided of whoever isn't judged, as far as that has been asked for."""

    times: int = 0
    """How often it concerned the audience."""
    named: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """How often it concerned one of those who are judged one by one."""
    apart: defaultdict[Everyone, int] = field(default_factory=lambda: defaultdict(int))
    """What was decided of a user who was judged one by one, and how often."""

    def begin_anew(self) -> None:
        """Begin to count anew."""
        self.times = 0
        self.named.clear()
        self.apart.clear()


class Judged(Struct, gc=False):
    """What an event comes to for one type."""

    case: Case
    candidates: Candidates
    plan: Plan
    notified: frozenset[int]
    """Whom the message has notified before."""
    apart: Mapping[int, Everyone]
    """What was decided of whoever wants it and was judged one by one."""

    @property
    def decided(self) -> Sequence[RecipientFields]:
        """What is decided of those who want it, in the order of their ids."""
        apart, told = self.apart, self.plan.told
        if not apart:
            return self.plan.decided
        users = sorted(apart.keys() | told.keys())
        return [one for user in users for one in apart.get(user) or told[user].decided]

    @property
    def fired(self) -> Sequence[RecipientFields]:
        """What fires."""
        return _fired(self.decided) if self.apart else self.plan.fired


_NOBODY = frozenset[int]()
_NONE: Mapping[int, Everyone] = {}


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
        read = as_read_by(profile, preferences)
        self._choices = Choices(read, self.settings, self.recipients, profile)
        self._places = directory.known_inboxes.union(inbox for _, inbox in read.inbox)
        """The inboxes of which anything is on record: all others are alike."""
        beyond = self.settings.beyond
        self._finder = Finder(directory, profile, beyond)
        more = beyond or self.settings.sounds
        self.candidates = self._candidates_that_set if more else self._finder.candidates
        """Returns whom an event concerns, type by type."""
        self.waits = None if beyond.isdisjoint(WAITING_TYPES) else Waits(read, beyond)
        """Of customers; kept only where anybody wants to know of them."""
        self.plans: dict[tuple[object, ...], Plan] = {}
        """As many as there are inboxes on record, and teams that see more, and states."""
        self.plan_by_state: dict[tuple[object, ...], Plan] = {}
        """The same by inboxes and teams of any kind, which one plan may be of; no more than
        `PLANS_KEPT`."""
        self.audiences: dict[tuple[NotificationType, int | None, int | None], Audience] = {}
        """By type, inbox and team; no more than plans."""
        self.full = False
        """Whether more plans are kept than are to be."""
        self._one_by_one = {
            type_: Plan(type_, wanting=self._choices.all_wanting(type_))
            for type_ in NotificationType
        }
        self._sounding = {type_: Plan(type_, sound=True) for type_ in self._ladders.sounds}

    def trying(self, preferences: Preferences) -> Evaluator:
        """Return the evaluator of the same account with other preferences."""
        return Evaluator(self.directory, preferences, self.profile, self._presence)

    def decide_anew(self, cases: Iterable[Case]) -> Iterator[RecipientFields]:
        """Decide on one user's cases of an event, in their order; they stay as they are."""
        notified = _NOBODY
        for case in cases:
            anew = replace(case, notified=notified)
            yield from self.decide(anew, case.user)
            notified = anew.notified

    def every_plan(self) -> Iterator[Plan]:
        """Return all plans, with all that was counted in them."""
        yield from self._one_by_one.values()
        yield from self._sounding.values()
        yield from self.plans.values()

    def forget(self) -> None:
        """Forget the plans, once they have been counted."""
        self.plans.clear()
        self.plan_by_state.clear()
        self.audiences.clear()
        self.full = False

    def case(self, event: Event, conversation: Conversation, opening: Opening | None) -> Case:
        """Return what decisions on an event look at, before anybody is told of it."""
        return Case(
            event,
            conversation,
            self.directory,
            self._presence,
            self.profile,
            conversation.notified_assignee,
            opening is not None and conversation.handover_told,
            conversation.notified_team,
        )

    def _candidates_that_set(
        self, event: Event, conversation: Conversation, opening: Opening | None
    ) -> list[Candidates]:
        """Return the same where anybody has set what Chatwoot hasn't got: it is for these alone."""
        if type(event) is Due:
            return self._due(event, conversation)
        found = self._finder.candidates(event, conversation, opening)
        if self.settings.beyond:
            found = [self._who_has_set(one, event) for one in found]
        return [*found, *self._sounds(found, event)] if self.settings.sounds else found

    def _sounds(self, found: Iterable[Candidates], event: Event) -> Iterator[Candidates]:
        """Return the sounds of what was found, for the users for whom a layer sets what sounds."""
        for one in found:
            if one.type in self._ladders.sounds:
                users = one.users
                if users is None:
                    users = self._finder.audience(one.type, event.inbox, None)
                has_set = self.settings.has_set
                sounding = [u for u in users if has_set(one.type, u, event, (Channel.AUDIO,))]
                yield Candidates(one.type, sounding, sound=True)

    def _due(self, due: Due, conversation: Conversation) -> list[Candidates]:
        """Return those whose deadline it is; none of what nobody is told of."""
        if self.waits is None or due.name not in WAITING_TYPES:
            return []
        one = self._finder.waited_for(due, conversation)
        users = self.waits.setters(one.type, one.users or ())
        told = [u for u in users if self.waits.is_due(due, one.type, u, conversation.wait)]
        found = self._who_has_set(Candidates(one.type, told), due)
        return [found] if found.users else []

    def _who_has_set(self, one: Candidates, event: Event) -> Candidates:
        """Return of a type that Chatwoot hasn't got the users alone for whom a layer sets it."""
        if one.users is None or one.type not in self.settings.beyond:
            return one
        has_set = self.settings.has_set
        return Candidates(one.type, [u for u in one.users if has_set(one.type, u, event)])

    def evaluate(
        self, event: Event, conversation: Conversation, opening: Opening | None
    ) -> list[Judged]:
        """Decide for the candidates of an event who want it, type by type, and count that."""
        found = self.candidates(event, conversation, opening)
        if not found:
            return []
        case = self.case(event, conversation, opening)
        judged: list[Judged] = []
        for one in found:
            users, notified = one.users, case.notified
            if users is None:
                plan = self._plan(case, one.type)
                apart = self._judge_audience(plan, case)
            else:
                plan = (self._sounding if one.sound else self._one_by_one)[one.type]
                apart = self._judge_each(plan, case, users)
            judged.append(Judged(case, one, plan, notified, apart))
        return judged

    def _judge_each(self, plan: Plan, case: Case, users: Collection[int]) -> Mapping[int, Everyone]:
        """Decide for those of the users who may want it, who have a part in the event."""
        named, wanting = plan.named, plan.wanting
        for user in users:
            named[user] += 1
        some = users if wanting is None else wanting.intersection(users)
        return self._judge(plan, case, some) if some else _NONE

    def _judge(self, plan: Plan, case: Case, users: Iterable[int]) -> dict[int, Everyone]:
        """Decide for users one by one, and count it."""
        case.type, case.sound = plan.type, plan.sound
        apart = {}
        for user in users:
            apart[user] = decided = self.decide(case, user)
            plan.apart[decided] += 1
        return apart

    def _judge_audience(self, plan: Plan, case: Case) -> Mapping[int, Everyone]:
        """Decide for those who can see the conversation and want it for whom it isn't as planned.

        They have a part in the event, or its moment keeps it from them.
        """
        plan.times += 1
        apart: Mapping[int, Everyone] = _NONE
        if case.event.conversation in self.settings.apart:
            own = plan.audience.members.intersection(self.settings.apart[case.event.conversation])
            apart = self._judge(plan, case, own)
        if plan.wanting:
            some = plan.wanting.intersection(self._people_apart(case, plan.type))
            if some:
                apart = {**apart, **self._judge(plan, case, some.difference(apart))}
            hindered = self._hindered(plan, case.event.at) if plan.told else ()
            if hindered:
                alone = [user for user in hindered if user not in apart]
                apart = {**apart, **self._judge_moment(plan, case, alone)}
        if plan.audience.restricted:
            concerned = self._concerned_roles(plan, case)
            for user in concerned:
                plan.named[user] += 1
            apart = {**apart, **self._judge(plan, case, concerned)}
        return apart

    def _judge_moment(self, plan: Plan, case: Case, users: Iterable[int]) -> dict[int, Everyone]:
        """Decide for users whom nothing but the moment of an event keeps it from, and count it."""
        case.type, found = plan.type, {}
        for user in users:
            choice = plan.told[user]
            case.user, case.settings = user, choice.settings
            found[user] = decided = self._at_moment(case, choice.decided)
            plan.apart[decided] += 1
        return found

    def _people_apart(self, case: Case, type_: NotificationType) -> Collection[int | None]:
        """Return who has a part in an event that an audience is told of: more decides on them."""
        event = case.event
        if type_ is _AUDIO:
            by = event.sender if self.profile.audio_by_number else None
            return event.author, by, case.conversation.assignee
        return () if type_ is _CREATION else (event.author, *case.notified)

    def _hindered(self, plan: Plan, at: int | None) -> Collection[int]:
        """Return who would be told, if an event's moment did not keep it from them."""
        presence = self._presence
        there: Collection[int] = ()
        if plan.type is _AUDIO:
            there = plan.told.keys() & presence.visible
        elif plan.type in NEW_MESSAGE_TYPES and at is not None:
            there = [
                user
                for user, choice in plan.told.items()
                if presence.active(
                    user, at, choice.settings.inactive_after.value, choice.settings.connected_for
                )
            ]
        if not plan.quiet and not plan.withheld:
            return there
        asleep = [users for clock, users in plan.quiet if at is not None and clock.hold(at)]
        return {*there, *chain(*asleep), *plan.withheld.intersection(presence.unavailable)}

    def _concerned_roles(self, plan: Plan, case: Case) -> list[int]:
        """Return those with a custom role whom the plan's type concerns here."""
        roles = plan.audience.restricted
        if plan.type is not _AUDIO:
            return [*roles]
        if not self.profile.is_chatwoot:
            return [user for user in roles if case.can_see(user)]
        allowed = self.directory.restricted
        return [u for u in roles if any(one.startswith("conversation_") for one in allowed[u])]

    def concerns(self, case: Case, one: Candidates, user: int) -> tuple[bool, bool]:
        """Return whether a type concerns a user, and whether it concerns anybody else.

        Of an audience, a custom role may ask for more.
        """
        users = one.users
        if users is None:
            plan = self._plan(case, one.type)
            members, concerned = plan.audience.members, self._concerned_roles(plan, case)
            own = user in members or user in concerned
            return own, len(members) + len(concerned) > own
        own = user in users
        return own, len(users) > own

    def hindered(self, case: Case, one: Candidates) -> Collection[int]:
        """Return those who want it whom an event's moment may keep a type from."""
        if one.users is not None:
            return self._choices.wanting(one.type, one.users)
        plan = self._plan(case, one.type)
        apart = self.settings.apart.get(case.event.conversation or 0, ())
        return {
            *self._hindered(plan, case.event.at),
            *plan.audience.members.intersection(apart),
            *self._concerned_roles(plan, case),
        }

    def concerned(self, case: Case, one: Candidates) -> list[int]:
        """Return the users on record whom a type concerns, in their order."""
        if one.users is not None:
            return [user for user in one.users if user in self.directory.users]
        plan = self._plan(case, one.type)
        return sorted({*plan.audience.users, *self._concerned_roles(plan, case)})

    def decide(self, case: Case, user: int) -> Everyone:
        """Decide for one user, on each channel of the case's type."""
        if case.sound:
            return self._decide_sound(case, user)
        case.user, type_, inbox = user, case.type, case.event.inbox
        choices, own = self._choices, self.settings.own(user, case.event)
        rule = first_that_holds(self._ladders.before_settings[type_], case)
        if rule is not None:
            return choices.hindered(type_, user, inbox, rule.reason, own)
        choice = choices.of(type_, user, inbox) if own is None else choices.own(type_, user, own)
        case.settings = settings = choice.settings
        if type_ is _AUDIO and audio_set_of(case.conversation, user) not in settings.audio.value:
            return choices.not_covered(user, settings)
        decided = choice.decided
        if choice.wants:
            decided = self._at_moment(case, decided)
        if choice.wants or self.profile.one_row:
            self._keep_notified(case, decided)
        return decided

    def _decide_sound(self, case: Case, user: int) -> Everyone:
        """Decide for one user on the sound of a type that has other channels as well."""
        case.user, case.channel = user, Channel.AUDIO
        case.settings = self.settings.in_event(user, case.event)
        what = user, case.type, Channel.AUDIO, *judge(case)
        return (self.recipients.of(*what, on=case.settings.enabled[what[2], what[1]].value),)

    def _at_moment(self, case: Case, unhindered: Everyone) -> Everyone:
        """Decide what only the moment can keep from firing."""
        rules = self._ladders.of_moment[case.type]
        held: dict[Channel, RecipientFields] = {}
        for recipient in unhindered:
            if recipient.outcome is _FIRE:
                case.channel = channel = recipient.channel
                rule = first_that_holds(rules, case)
                if rule is not None:
                    origin = rule.origin(case) if rule.origin else None
                    held[channel] = self.recipients.of(
                        case.user, case.type, channel, rule.reason, origin, on=True
                    )
        if not held:
            return unhindered
        return tuple([held.get(recipient.channel, recipient) for recipient in unhindered])

    def _keep_notified(self, case: Case, decided: Sequence[RecipientFields]) -> None:
        """Keep whom the message has notified: they are told of one of its types only.

        A hand-over that it shows is none of them.
        """
        if case.type is not _MENTION and case.type not in NEW_MESSAGE_TYPES:
            return
        profile = self.profile
        if profile.one_row:
            notified = True
        elif profile.participating_first:
            notified = case.type is NotificationType.PARTICIPATING_MESSAGE
        else:
            notified = any(recipient.reason is Reason.ENABLED for recipient in decided)
        if notified:
            case.notified = case.notified.union((case.user,))

    def _plan(self, case: Case, type_: NotificationType) -> Plan:
        """Return the plan of an audience: for everybody the same is decided by the conversation."""
        kept, inbox = case.conversation, case.event.inbox
        team = nobodys = None
        if type_ is _AUDIO:
            team, nobodys = kept.team, None if not_audible(case) else kept.assignee is None
        pending = kept.status == "pending"
        state = type_, inbox, team, nobodys, pending, kept.blocked, case.handover_told
        plan = self.plan_by_state.get(state)
        if plan is None:
            if len(self.plan_by_state) >= PLANS_KEPT:
                self.plan_by_state.clear()
            plan = self.plan_by_state[state] = self._plan_of_place(case, type_, team)
        return plan

    def _plan_of_place(self, case: Case, type_: NotificationType, team: int | None) -> Plan:
        """Return the same: inboxes without anything on record share one, as do teams of no more."""
        inbox = case.event.inbox
        users = self._finder.audience(type_, inbox, team)
        if team is not None and users is self.directory.viewers(inbox):
            team = None
        place = inbox if inbox in self._places else None
        rule = first_that_holds(self._ladders.of_conversation[type_], case)
        reason = None if rule is None else rule.reason
        sounds = audio_set_of(case.conversation, 0) if type_ is _AUDIO and rule is None else ""
        key = type_, place, team, reason, sounds
        plan = self.plans.get(key)
        if plan is None:
            audience = self._audience(type_, place, team, users)
            plan = self.plans[key] = self._make(type_, inbox, audience, reason, sounds)
            self.full = len(self.plans) > PLANS_KEPT
        return plan

    def _audience(
        self, type_: NotificationType, place: int | None, team: int | None, users: Collection[int]
    ) -> Audience:
        """Return the audience of a type in an inbox; it is found once."""
        known = self.audiences.get((type_, place, team))
        if known is None:
            restricted, of = self.directory.restricted, self._choices.of
            members = tuple(user for user in users if user not in restricted)
            each = (of(type_, user, place) for user in self._choices.wanting(type_, members))
            choices = [choice for choice in each if choice.wants]
            known = self.audiences[type_, place, team] = Audience(
                members,
                frozenset(members),
                tuple(user for user in users if user in restricted),
                choices,
                frozenset(choice.user for choice in choices),
            )
        return known

    def _make(
        self,
        type_: NotificationType,
        inbox: int | None,
        audience: Audience,
        reason: Reason | None,
        sounds: str,
    ) -> Plan:
        """Make a plan; `sounds` is the set of conversations that sound which these are of."""
        plan = Plan(type_, inbox, audience, reason=reason)
        if reason is None:
            plan.wanting = audience.wanting
            told = [c for c in audience.choices if not sounds or sounds in c.settings.audio.value]
            plan.told = {choice.user: choice for choice in told}
            plan.decided = tuple(chain.from_iterable(choice.decided for choice in told))
            plan.fired = tuple(_fired(plan.decided))
            plan.withheld = frozenset(c.user for c in told if c.settings.withholds.value)
            plan.quiet = _quiet_of(told)
        return plan

    def default(self, plan: Plan, user: int) -> Everyone:
        """Return what is decided of one of an audience who isn't judged."""
        if user in plan.told:
            return plan.told[user].decided
        known = plan.defaults.get(user)
        if known is None:
            known = plan.defaults[user] = self._default(plan, user)
        return known

    def _default(self, plan: Plan, user: int) -> Everyone:
        if plan.reason is not None:
            return self._choices.hindered(plan.type, user, plan.inbox, plan.reason)
        if plan.type is _AUDIO:
            return self._choices.not_covered(user, self.settings.of(user, plan.inbox))
        return self._choices.of(plan.type, user, plan.inbox).decided

    def rest(self, judged: Judged) -> dict[int, Everyone]:
        """Decide for who has a part in the event and doesn't want it, by users in their order.

        It holds until the next event.
        """
        one, plan = judged.candidates, judged.plan
        case = replace(judged.case, type=one.type, sound=one.sound, notified=judged.notified)
        if one.users is None:
            apart = self._people_apart(case, one.type) if plan.reason is None else ()
            members = plan.audience.members.intersection(apart)
            users: Iterable[int] = sorted(members.difference(plan.audience.wanting, judged.apart))
        else:
            wanting = one.users if one.sound else self._choices.wanting(one.type, one.users)
            users = [] if wanting is one.users else [u for u in one.users if u not in wanting]
        return {user: self.decide(case, user) for user in users}

    def all_decided(self, judged: Judged) -> Sequence[RecipientFields]:
        """Return everything that an event comes to for a type, by user and channel."""
        plan = judged.plan
        own = {**judged.apart, **self.rest(judged)}
        users: Iterable[int] = sorted(own)
        if judged.candidates.users is None:
            users = (
                sorted(own.keys() | plan.audience.members)
                if plan.audience.restricted
                else plan.audience.users
            )
        every: list[RecipientFields] = []
        for user in users:
            every += own.get(user) or self.default(plan, user)
        return every


def _fired(decided: Sequence[RecipientFields]) -> Sequence[RecipientFields]:
    return [recipient for recipient in decided if recipient.outcome is Outcome.FIRE]


def _quiet_of(told: Iterable[Choice]) -> list[tuple[QuietHours, Collection[int]]]:
    """Return the users who have quiet hours, by these."""
    found: defaultdict[QuietHours, list[int]] = defaultdict(list)
    for choice in told:
        hours = choice.settings.quiet_hours.value
        if hours is not None:
            found[hours].append(choice.user)
    return [*found.items()]
