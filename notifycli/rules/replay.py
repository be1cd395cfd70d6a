"""The replay: a fold over events that decides, counts, and keeps what later events need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, groupby
from typing import Self, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import replace

from notifycli.events.event import CREATED, PRESENCE, Due, Event
from notifycli.events.timestamps import format_moment
from notifycli.rules.counts import ConversationKey, Counts, Insight
from notifycli.rules.deadlines import Deadlines, due_event
from notifycli.rules.decision import (
    Decision,
    DigestFields,
    EventFields,
    RecipientFields,
    Selection,
    join_fields,
)
from notifycli.rules.digest import Digests
from notifycli.rules.directory import Directory
from notifycli.rules.evaluator import Evaluator, Judged
from notifycli.rules.ladder import Case
from notifycli.rules.layers import Preferences, links_conversations
from notifycli.rules.notifications import NotificationType
from notifycli.rules.profile import NOTIFYCLI, Profile, profile_named
from notifycli.rules.state import (
    HANDOFF,
    AccountState,
    Assumptions,
    Clock,
    Conversation,
    Opening,
    Presence,
    Sign,
    Withheld,
    sign_of,
)

T = TypeVar("T")


class Account:
    """One account in a replay: who there is, what they want, and what has happened so far."""

    def __init__(
        self, directory: Directory, preferences: Preferences, profile: Profile = NOTIFYCLI
    ) -> None:
        self.profile = profile
        self.presence = Presence()
        self.conversations = defaultdict[int, Conversation](Conversation)
        self.clock = Clock()
        self.deadlines = Deadlines()
        self.withheld = Withheld()
        self.take_over(directory, preferences)

    def take_over(self, directory: Directory, preferences: Preferences) -> None:
        """Let another directory, and other preferences, hold from now on."""
        profile = self.profile
        known = directory if profile.unknown_inbox_has_everybody else directory.without_guesses()
        self.directory = known
        self.preferences = preferences
        self.evaluator = Evaluator(known, preferences, profile, self.presence)
        waits, conversations = self.evaluator.waits, self.conversations
        if waits is not None and conversations:
            each = (waits.deadlines(id_, one) for id_, one in conversations.items())
            self.deadlines.add_missing(chain.from_iterable(each))
        self.digests = None
        if self.withheld.of_users or self.evaluator.settings.holding != frozenset():
            kept = self.presence, conversations, self.withheld, self.deadlines
            self.digests = Digests(self.evaluator, *kept)
            self.deadlines.add_missing(self.digests.deadlines(self.clock.last))
        self.has_deadlines = waits is not None or self.digests is not None
        """Whether anything is ever due between events."""

    def keep(self, sign: Sign) -> None:
        """Keep who is there."""
        digests, absent = self.digests, self.presence.unavailable
        if digests is not None:
            absent = absent.intersection(self.withheld.of_users)
        self.presence.keep(sign, hidden_counts=self.profile.live_presence)
        if digests is not None:
            self.deadlines.add(digests.keep(sign, absent))

    @property
    def state(self) -> AccountState:
        """All that was kept so far, which goes on changing with the account."""
        deadlines = self.deadlines
        return AccountState(
            *(self.clock.last, self.presence, self.conversations),
            *(sorted(deadlines.queue), deadlines.passed, self.withheld),
        )

    def resume(self, state: AccountState) -> None:
        """Go on from what another replay has kept of the account."""
        self.clock, self.presence = Clock(last=state.last), state.presence
        self.conversations = defaultdict(Conversation, state.conversations)
        self.deadlines = Deadlines(state.deadlines, state.passed)
        self.withheld = state.withheld
        self.take_over(self.directory, self.preferences)

    def pass_to(self, id_: int, moment: int) -> Iterator[Due]:
        """Return what is due before a moment, in its order; `id_` is the account's.

        Each is to be evaluated before the next is asked for.
        """
        for deadline in self.deadlines.pass_to(moment):
            if deadline.of_user:
                if self.digests is not None:
                    yield from self.digests.due(id_, deadline.id, deadline.kind, deadline.at)
                continue
            due = due_event(id_, deadline, self.conversations[deadline.id])
            if due is not None:
                yield due

    def overtake(
        self, event: Event, conversation: Conversation, before: str | None, *, resolved: bool
    ) -> None:
        """Keep who waits for a reply, and hold no longer what an event answers or resolves.

        `before` is the status that the conversation had before it.
        """
        waits, id_ = self.evaluator.waits, event.conversation
        if waits is not None and id_ is not None and conversation.wait_for_reply(event, before):
            self.deadlines.add(waits.deadlines(id_, conversation))
        if self.digests is not None:
            self.digests.overtake(event, resolved=resolved)


class Evaluation(Struct, gc=False):
    """What an event comes to."""

    event: Event
    account: Account
    judged: list[Judged]
    digest: DigestFields | None = None
    """What is decided, if it is a digest."""

    @property
    def fired(self) -> list[RecipientFields]:
        """What fires, in the order of decisions."""
        if self.digest is not None:
            return [self.digest]
        return [recipient for one in self.judged for recipient in one.fired]

    @property
    def everything(self) -> list[RecipientFields]:
        """What fires and what doesn't, in the order of decisions."""
        if self.digest is not None:
            return [self.digest]
        all_decided = self.account.evaluator.all_decided
        return [*chain.from_iterable(all_decided(one) for one in self.judged)]


class Replay:
    """Events in, decisions and counts out.

    `accounts` by account id; an event of another account meets an empty directory, which is added
    to them. An event that doesn't name its account belongs to `fallback_account`.
    """

    def __init__(
        self,
        accounts: dict[int, Account],
        fallback_account: int = 1,
        selection: Selection | None = None,
        insight: Insight | None = None,
    ) -> None:
        self.accounts = accounts
        self._assumed = Assumptions()
        self.fallback = fallback_account
        self.clock: Callable[[], int] | None = None
        """The clock on the wall, where that goes on beside the events: an event may be ahead."""
        self._selection = selection or Selection()
        self._all = self._selection.takes_every_event()
        self._counts = Counts(assumptions=self._assumed, insight=insight)

    @classmethod
    def of(
        cls,
        directory: Directory,
        preferences: Preferences,
        account: int = 1,
        rules: str = NOTIFYCLI.name,
    ) -> Self:
        """Make one of a single account, by a profile's name. Raises `UnknownProfileError`."""
        return cls({account: Account(directory, preferences, profile_named(rules))}, account)

    @property
    def has_deadlines(self) -> bool:
        """Whether anything is ever due between events."""
        return any(account.has_deadlines for account in self.accounts.values())

    def account_of(self, event: Event) -> int:
        """Return the account that an event belongs to."""
        return self.fallback if event.account is None else event.account

    def due_before(self, event: Event) -> Iterator[Due]:
        """Return what is due before an event's time, to be evaluated one by one, before the event.

        Nothing is, where nobody has set such a type.
        """
        id_ = self.account_of(event)
        account = self.accounts.get(id_)
        # By the time that it gets from the one before, all has come already.
        if event.at is not None and event.known and account is not None and account.has_deadlines:
            moment = event.at
            if self.clock is not None:
                moment = min(moment, self.clock())
                account.deadlines.go_on(moment)
            yield from account.pass_to(id_, moment)

    def due_after(self, id_: int) -> Iterator[Due]:
        """Return what is due directly after an account's event, once all of that is kept."""
        account = self.accounts.get(id_)
        if account is not None and account.digests is not None:
            yield from account.digests.due_now(id_)

    def due_at(self, moment: int) -> Iterator[Due]:
        """Return the same of all accounts, when the clock on the wall has come to a moment."""
        for id_, account in self.accounts.items():
            account.deadlines.go_on(moment)
            if account.has_deadlines:
                yield from account.pass_to(id_, moment)

    def evaluate(self, event: Event) -> Evaluation | None:
        """Decide on an event, and count it; `None` if it concerns nobody or isn't selected.

        The event is completed from what is kept, and what it changes is kept.
        """
        if not self.admit(event):
            return None
        evaluation = self.fold(event)
        self.leave(event)
        return evaluation

    def admit(self, event: Event) -> bool:
        """Give an event the account and the time that it lacks.

        Whether it is to be folded: one of an unknown name, or that came before, is only counted.
        """
        if type(event) is Due:  # `isinstance` asks msgspec's own metaclass: ten times as long
            return True
        account = self.meet(event)
        if account is None:
            return False
        if event.at is None:
            event.at = account.clock.last
        else:
            account.clock.go_on(event.at)
        return True

    def meet(self, event: Event) -> Account | None:
        """Give an event the account that it lacks; return that, if it tells it anything new.

        For that it is enough to see the events of its conversation.
        """
        if event.account is None:
            event.account = self.fallback
        account = self.accounts.get(event.account) or self.account(event.account)
        if not event.known:
            self._assumed.unknown_events[event.name] += 1
            return None
        id_ = event.conversation
        if id_ is None or event.name == PRESENCE or not account.conversations[id_].has_seen(event):
            return account
        self._assumed.came_twice += 1
        return None

    def fold(self, event: Event) -> Evaluation | None:
        """Decide on an event that was admitted.

        It depends on those before of its conversation, and on signs of who is there, alone.
        """
        account = self.accounts[event.account or 0]
        if event.name == PRESENCE:
            self._meet_agents(event, account)
            return None
        if type(event) is Due and event.name == NotificationType.DIGEST:
            return self._tell(event, account)
        conversation, opening = self._enter(event, account)
        evaluation, evaluator = None, account.evaluator
        if self._all or self._selection.takes_event(event):
            judged = evaluator.evaluate(event, conversation, opening)
            if judged:
                evaluation = Evaluation(event, account, judged)
                if self._counts.insight is not None:
                    self._look(evaluation, evaluator, self._counts.insight)
                if evaluator.full:
                    self._settle(event.account or 0)
        else:
            evaluator.candidates(event, conversation, opening)
        self._settle_conversation(event, account, conversation, opening)
        return evaluation

    def _tell(self, due: Due, account: Account) -> Evaluation | None:
        """Take a digest from what is held, and count it."""
        if account.digests is None:
            return None
        digest = account.digests.take(due)
        if digest is None or not (self._all or self._selection.takes_event(due)):
            return None
        id_ = due.account or 0
        if self._selection.takes_kind(id_, digest.user_id, digest.channel, digest.type):
            self._counts.add_digest(digest, due)
        return Evaluation(due, account, [], digest)

    def _meet_agents(self, event: Event, account: Account) -> None:
        self._note_agents(event, account)
        if account.digests is not None:
            account.digests.overtake(event, resolved=False)

    def leave(self, event: Event) -> None:
        """Keep whom an event shows to be there: it counts from the next event on."""
        sign = sign_of(event)
        if sign is not None:
            self.accounts[sign.account].keep(sign)

    def decide(self, event: Event) -> list[Decision]:
        """Give the event's decisions, fired and suppressed, in their order.

        Those come first of what was due before it.
        """
        decisions: list[Decision] = []
        for each in in_time((event,), (self,)):
            evaluation = self.evaluate(each)
            if evaluation is not None:
                fields = event_fields(each)
                decisions += [join_fields(fields, one) for one in evaluation.everything]
        return decisions

    def examine(
        self, event: Event, user: int | None, look: Callable[[Decision, Case], T]
    ) -> tuple[list[T], bool]:
        """Give what `look` makes of each decision about a user, and whether others are concerned.

        It is another `fold`, of an event that was admitted.
        For `None` it is of each user on record. It gets with the decision what that looked at,
        which holds until the next one. Whoever else is concerned is not judged: whom the event has
        notified matters only to themselves.
        """
        account = self.accounts[event.account or 0]
        if event.name == PRESENCE:
            self._meet_agents(event, account)
            return [], False
        if type(event) is Due and event.name == NotificationType.DIGEST:
            return self._examine_digest(event, account, user, look)
        conversation, opening = self._enter(event, account)
        looks, others, evaluator, fields = list[T](), False, account.evaluator, None
        case = evaluator.case(event, conversation, opening)
        for one in evaluator.candidates(event, conversation, opening):
            if user is None:
                users = evaluator.concerned(case, one)
            else:
                own, other = evaluator.concerns(case, one, user)
                users, others = [user] * own, others or other
            case.type, case.sound = one.type, one.sound
            for each in users:
                asked, fields = replace(case), fields or event_fields(event)
                decided = evaluator.decide(case, each)
                asked.user, asked.settings = each, evaluator.settings.in_event(each, event)
                for recipient in decided:
                    asked.channel = recipient.channel
                    looks.append(look(join_fields(fields, recipient), asked))
        if evaluator.full:
            self._settle(event.account or 0)
        self._settle_conversation(event, account, conversation, opening)
        return looks, others

    def _examine_digest(
        self, due: Due, account: Account, user: int | None, look: Callable[[Decision, Case], T]
    ) -> tuple[list[T], bool]:
        evaluation = self._tell(due, account)
        if evaluation is None or evaluation.digest is None:
            return [], False
        told = evaluation.digest
        if user not in (None, told.user_id):
            return [], True
        case = account.evaluator.case(due, Conversation(), None)
        case.type, case.user, case.channel = told.type, told.user_id, told.channel
        case.settings = account.evaluator.settings.in_event(told.user_id, due)
        return [look(join_fields(event_fields(due), told), case)], False

    def undivided(self) -> set[int]:
        """Return the accounts whose conversations can't be folded apart from each other."""
        accounts = self.accounts.items()
        return {id_ for id_, account in accounts if links_conversations(account.preferences)}

    def merge(self, counts: Counts) -> None:
        """Add what others have counted of other events, as `counts` gives it."""
        self._counts.merge(counts)

    @property
    def assumptions(self) -> Assumptions:
        """What the events so far didn't say."""
        for account in self.accounts.values():
            self._assumed.times_back += account.clock.steps_back
            account.clock.steps_back = 0
        return self._assumed

    def counts(self) -> Counts:
        """Give what all events so far come to, as far as it is selected."""
        for id_ in self.accounts:
            self._settle(id_)
        self._counts.assumptions = self.assumptions
        return self._counts

    def _settle(self, account: int) -> None:
        evaluator = self.accounts[account].evaluator
        every, takes = self._selection.takes_every_kind(), self._selection.takes_kind
        self._counts.add(account, evaluator, None if every else takes)
        evaluator.forget()

    def _look(self, evaluation: Evaluation, evaluator: Evaluator, insight: Insight) -> None:
        """Count what fires, and why all the rest doesn't, for the eye."""
        event, takes = evaluation.event, self._selection.takes_kind
        account = event.account or 0
        place = ConversationKey(account, event.conversation)
        for fired in evaluation.fired:
            if takes(account, fired.user_id, fired.channel, fired.type):
                insight.add_fired(place, fired, event.at, event.inbox)
        for one in evaluation.judged:
            rest = evaluator.rest(one).values()
            for decided in rest:
                one.plan.apart[decided] += 1
            for recipient in chain.from_iterable((*one.apart.values(), *rest)):
                if takes(account, recipient.user_id, recipient.channel, recipient.type):
                    insight.reach(account, recipient, event.inbox, event.conversation)

    def account(self, id_: int) -> Account:
        """Return an account; one that isn't on record is added, with nobody in it."""
        account = self.accounts.get(id_)
        if account is None:
            account = self.accounts[id_] = Account(Directory(), Preferences())
        return account

    def _enter(self, event: Event, account: Account) -> tuple[Conversation, Opening | None]:
        """Complete the event from what is kept, and that from the event.

        Returns the event's conversation, which is a passing one if it names none, and who opened
        it.
        """
        id_, opening = event.conversation, None
        if id_ is None:
            conversation = Conversation()
            self._assumed.automation_events += event.automation
        else:
            conversation = account.conversations[id_]
        before = conversation.status
        if before == "pending" or event.previous_status == "pending" or event.name == HANDOFF:
            opening = self._open(event, account, conversation)
        directory, author = account.directory, event.author
        if (
            conversation.apply(event)
            or event.performed_by is not None
            or not (author is None or author in directory.users)
        ):
            self._note_agents(event, account)
        resolved = conversation.status != before and conversation.status == "resolved"
        if account.has_deadlines:
            account.overtake(event, conversation, before, resolved=resolved)
        if resolved:
            leaving = account.evaluator.settings.leave(conversation.participants, event)
            conversation.part_from(leaving)
        if event.inbox not in directory.known_inboxes:
            self._note_unknown_inbox(event, account.profile)
        return conversation, opening

    def _open(self, event: Event, account: Account, conversation: Conversation) -> Opening | None:
        """Return who opens a conversation that was pending, if the event does."""
        inbox = conversation.inbox if event.inbox is None else event.inbox
        opening = conversation.opening(event, bot=account.directory.has_bot(inbox))
        if opening is Opening.BY_BOT_PERHAPS and not conversation.handover_told:
            self._assumed.handovers_perhaps += 1
        return opening

    def _settle_conversation(
        self, event: Event, account: Account, conversation: Conversation, opening: Opening | None
    ) -> None:
        """Keep whom the event has told, and what it withholds."""
        if account.digests is not None:
            account.deadlines.add(account.digests.hold(event, conversation, opening))
        if opening is not None or conversation.status == "pending":
            conversation.settle(opening)
        if event.message is not None:
            return  # it changes no assignee and no team
        if event.assignment or event.name == CREATED:
            conversation.notified_assignee = conversation.assignee
            self._note_unknown_doer(event, conversation)
        if event.team_change or event.name == CREATED:
            conversation.notified_team = conversation.team
        if event.present is not None:
            self._note_agents(event, account)

    def _note_unknown_inbox(self, event: Event, profile: Profile) -> None:
        if profile.unknown_inbox_has_everybody:
            self._assumed.messages_in_unknown_inboxes += event.message is not None
        else:
            self._assumed.messages_in_inboxes_of_nobody += event.message is not None
        if event.inbox is not None:
            self._assumed.unknown_inboxes.add(event.inbox)

    def _note_unknown_doer(self, event: Event, kept: Conversation) -> None:
        if kept.assignee is None or event.performed_by is not None or event.performed_by_other:
            return
        if event.name == CREATED:
            self._assumed.creations_by_unknown += 1
        else:
            self._assumed.assignments_by_unknown += 1

    def _note_agents(self, event: Event, account: Account) -> None:
        known, id_ = account.directory.users, event.account or 0
        for user in event.agents():
            if user not in known:
                self._assumed.unknown_agents.add((id_, user))


def in_time(events: Iterable[Event], replays: Sequence[Replay]) -> Iterator[Event]:
    """Return events, and before and after each what is due in any of the replays.

    Each is to be evaluated, in all replays, before the next is asked for.
    """
    for event in events:
        yield from due_before(event, replays)
        yield event
        yield from due_after(event.account or 0, replays)


def due_before(event: Event, replays: Sequence[Replay]) -> Iterator[Due]:
    """Return what is due in any of the replays before an event's time, once and in its order."""
    return _together(one.due_before(event) for one in replays)


def due_after(account: int, replays: Sequence[Replay]) -> Iterator[Due]:
    """Return the same directly after an account's event, once all of that is kept."""
    return _together(one.due_after(account) for one in replays)


def _together(due: Iterable[Iterator[Due]]) -> Iterator[Due]:
    return (next(alike) for _, alike in groupby(merge(*due, key=_due_order), _due_order))


def _due_order(due: Due) -> tuple[object, ...]:
    return due.at, due.user, due.conversation or 0, due.name, due.kind


def event_fields(event: Event) -> EventFields:
    """Give what all decisions of an event share, once it has been replayed."""
    assert event.account is not None  # noqa: S101 - the replay has set it
    return EventFields(
        event.line,
        UNSET if event.file is None else event.file,
        None if event.at is None else format_moment(event.at),
        event.name,
        event.account,
        event.conversation,
        event.inbox,
        event.message_id,
    )
