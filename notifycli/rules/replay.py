"""The replay: a fold over events that yields decisions, and keeps what later events need."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from notifycli.rules.audience import Directory
from notifycli.rules.decision import Decision, Facts
from notifycli.rules.event import UNSAID, Event
from notifycli.rules.judging import decisions
from notifycli.rules.kept import Account, Assumptions, Conversation
from notifycli.rules.ladder import Case
from notifycli.rules.moment import SECOND, format_moment
from notifycli.rules.names import MESSAGE_CREATED, PRESENCE
from notifycli.rules.naming import named
from notifycli.rules.notifications import NotificationType
from notifycli.rules.presence import Presence
from notifycli.rules.route import Named
from notifycli.rules.settings import Preferences


class Entered(Struct, gc=False):
    """An event that has met its conversation: each has taken over what the other knows."""

    event: Event
    account: Account
    conversation: Conversation
    opened: bool
    """Whether the conversation was with a bot before."""
    told: int | None
    """Who had been told before of the assignment."""

    def named(self) -> list[Named]:
        """Give the types that the event leads to; who is told of an assignment is kept."""
        found = list(
            named(self.event, self.conversation, self.account.directory, opened=self.opened)
        )
        for one in found:
            if one.type is NotificationType.ASSIGNMENT and one.users:
                self.conversation.told = self.conversation.assignee
        return found

    def case(self, type_: NotificationType, user: int = 0, at: str | None = None) -> Case:
        """Give what a decision looks at; `at` is the event's time as it is printed."""
        return Case(
            self.event,
            at,
            self.conversation.status,
            self.conversation.assignee,
            self.conversation.blocked,
            user,
            type_,
            self.told,
            self.account.directory,
            self.account.presence,
        )


class Replay:
    """Events in, decisions out.

    `accounts` by account id; an event of another account meets an empty directory, which is added
    to them. An event that doesn't name its account belongs to `fallback_account`.
    """

    def __init__(self, accounts: dict[int, Account], fallback_account: int = 1) -> None:
        self.assumptions = Assumptions()
        self.accounts = accounts
        self._fallback = fallback_account
        self._last: int | None = None

    def decide(self, event: Event) -> Iterator[Decision]:
        """Give the event's decisions, fired and suppressed, in their order.

        The event is completed from what is kept. What it changes is kept once the iterator is
        exhausted, so exhaust it before the next event; the same holds of the two methods below.
        """
        account, notified = self.meet(event), set[int]()
        for case in self._cases(event, account):
            yield from decisions(case, account.settings, notified)

    def compare(self, event: Event) -> Iterator[tuple[Decision, Decision]]:
        """Give each decision twice: with the preferences as they are, and as proposed.

        Who is a candidate, and all that is kept, depends on no preference: one pass serves both.
        """
        account, before, after = self.meet(event), set[int](), set[int]()
        for case in self._cases(event, account):
            as_it_is = list(decisions(case, account.settings, before))
            yield from zip(as_it_is, decisions(case, account.proposed, after), strict=True)

    def examine(self, event: Event) -> Iterator[tuple[Decision, Case]]:
        """Give each decision with what it looked at, which holds until the next is asked for."""
        account, notified = self.meet(event), set[int]()
        for case in self._cases(event, account):
            for decision in decisions(case, account.settings, notified):
                yield decision, case

    def _cases(self, event: Event, account: Account) -> Iterator[Case]:
        entered = self.enter(event, account)
        if entered is not None:
            at = _printed(event.at)
            for one in entered.named():
                for user in one.users:
                    yield entered.case(one.type, user, at)
        self.leave(event, account)

    def meet(self, event: Event) -> Account:
        """Give the event's account."""
        if event.account is None:
            event.account = self._fallback
        account = self.accounts.get(event.account)
        if account is None:
            account = self.accounts[event.account] = Account(Directory(), Preferences())
        return account

    def enter(self, event: Event, account: Account) -> Entered | None:
        """Complete the event from what is kept; `None` if it is of no conversation."""
        if not event.known:
            self.assumptions.unknown_events[event.name] += 1
            return None
        self._keep_time(event)
        if event.name == PRESENCE:
            return None
        conversation = account.conversation(event)
        opened = (event.previous_status or conversation.status) == "pending"
        conversation.apply(event)
        self._note_assumptions(event, account.directory)
        return Entered(event, account, conversation, opened, conversation.told)

    def leave(self, event: Event, account: Account) -> None:
        """Keep what the event tells of people: it counts from the next event on."""
        if event.known:
            self._note_agents(event, account)
            _keep_presence(event, account.presence)

    def _keep_time(self, event: Event) -> None:
        if event.at is None:
            event.at = self._last
        elif self._last is not None and event.at < self._last - SECOND:
            self.assumptions.times_back += 1
        self._last = event.at

    def _note_assumptions(self, event: Event, directory: Directory) -> None:
        noted = self.assumptions
        if not directory.knows_members(event.inbox):
            noted.messages_in_unknown_inboxes += event.message is not None
            if event.inbox is not None:
                noted.unknown_inboxes.add(event.inbox)
        if event.assignment and event.assignee not in (None, UNSAID) and event.performed_by is None:
            noted.assignments_by_unknown += 1

    def _note_agents(self, event: Event, account: Account) -> None:
        assert event.account is not None  # noqa: S101 - meet() has set it
        users = account.directory.users
        for user in (event.author, event.present, event.performed_by, event.assignee):
            if user is not None and user not in users and user is not UNSAID:
                self.assumptions.unknown_agents.add((event.account, user))
        for user in event.participants or ():
            if user not in users:
                self.assumptions.unknown_agents.add((event.account, user))


def facts(event: Event) -> Facts:
    """Give what all decisions of an event share, once it has been replayed."""
    assert event.account is not None  # noqa: S101 - the replay has set it
    return Facts(
        event.line,
        _printed(event.at),
        event.name,
        event.account,
        event.conversation,
        event.inbox,
        None if event.message is None else event.message.id,
    )


def _printed(at: int | None) -> str | None:
    return None if at is None else format_moment(at)


def _keep_presence(event: Event, presence: Presence) -> None:
    if event.author is not None and event.name == MESSAGE_CREATED:
        presence.see(event.author, event.at)
    if event.present is not None:
        if event.visible is not False:
            presence.see(event.present, event.at)
        if event.name == PRESENCE:
            presence.show(
                event.present, visible=event.visible, conversation=event.open_conversation
            )
