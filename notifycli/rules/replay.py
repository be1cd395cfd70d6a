"""The replay: a fold over events that yields decisions, and keeps what later events need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from notifycli.events.event import UNSAID, Event
from notifycli.events.event_names import MESSAGE_CREATED, PRESENCE
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.rules.candidates import named
from notifycli.rules.decision import Decision, Facts
from notifycli.rules.directory import Directory
from notifycli.rules.evaluate import decisions
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import NotificationType
from notifycli.rules.presence import Presence
from notifycli.rules.route import Named
from notifycli.rules.settings import Preferences
from notifycli.rules.state import Account, Assumptions, Conversation

T = TypeVar("T")


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
        exhausted, so exhaust it before the next event.
        """
        account, notified = self.meet(event), set[int]()
        conversation = self.enter(event, account)
        if conversation is not None:
            found = list(named(event, conversation, account.directory))
            for case in cases(event, account, conversation, found):
                yield from decisions(case, account.stored.settings, notified)
            conversation.tell(found)
        self.leave(event, account)

    def examine(
        self, event: Event, user: int, look: Callable[[Decision, Case], T]
    ) -> tuple[list[T], bool]:
        """Give what `look` makes of each decision about one user, and whether others are concerned.

        It gets with the decision what that looked at, which holds until the next one. Whoever else
        is concerned is not judged: whom the event has notified matters only to themselves.
        """
        account, notified = self.meet(event), set[int]()
        conversation = self.enter(event, account)
        looks, others = list[T](), False
        if conversation is not None:
            found = list(named(event, conversation, account.directory))
            own = [Named(one.type, (user,)) for one in found if user in one.users]
            for case in cases(event, account, conversation, own):
                for decision in decisions(case, account.stored.settings, notified):
                    looks.append(look(decision, case))
            others = sum(len(one.users) for one in found) > len(own)
            conversation.tell(found)
        self.leave(event, account)
        return looks, others

    def meet(self, event: Event) -> Account:
        """Give the event's account."""
        if event.account is None:
            event.account = self._fallback
        account = self.accounts.get(event.account)
        if account is None:
            account = self.accounts[event.account] = Account(Directory(), Preferences())
        return account

    def enter(self, event: Event, account: Account) -> Conversation | None:
        """Complete the event from what is kept, and that from the event.

        Gives the event's conversation; `None` if it is of none.
        """
        if not event.known:
            self.assumptions.unknown_events[event.name] += 1
            return None
        last = self._last
        if event.at is None:
            event.at = last
        else:
            if last is not None and event.at < last - SECOND:
                self.assumptions.times_back += 1
            self._last = event.at
        if event.name == PRESENCE:
            self._note_agents(event, account)
            return None
        conversation = account.conversation(event)
        conversation.apply(event)
        if event.inbox not in account.directory.known_inboxes or event.assignment:
            self._note_assumptions(event, account.directory)
        if conversation.stale or event.performed_by is not None:
            self._note_agents(event, account)
        return conversation

    def leave(self, event: Event, account: Account) -> None:
        """Keep what the event tells of who is active: it counts from the next event on."""
        if not event.known:
            return
        author, present = event.author, event.present
        if author is not None:
            if event.name == MESSAGE_CREATED:
                account.presence.see(author, event.at)
            if author not in account.directory.users:
                self._note_agents(event, account)
        if present is not None:
            _keep_presence(event, present, account.presence)
            if present not in account.directory.users:
                self._note_agents(event, account)

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
        strangers = (user for user in event.agents() if user not in account.directory.users)
        self.assumptions.unknown_agents.update((event.account, user) for user in strangers)


def cases(
    event: Event, account: Account, conversation: Conversation, found: Iterable[Named]
) -> Iterator[Case]:
    """Give what is to be decided for each of those whom an event has named."""
    at = _printed(event.at)
    for one in found:
        for user in one.users:
            yield case_of(event, account, conversation, one.type, user, at=at)


def case_of(
    event: Event,
    account: Account,
    conversation: Conversation,
    type_: NotificationType = NotificationType.NEW_MESSAGE,
    user: int = 0,
    *,
    at: str | None = None,
) -> Case:
    """Give what a decision looks at; `at` is the event's time as it is printed."""
    return Case(
        event,
        at,
        conversation.status,
        conversation.assignee,
        conversation.blocked,
        user,
        type_,
        conversation.told,
        account.directory,
        account.presence,
    )


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


def _keep_presence(event: Event, user: int, presence: Presence) -> None:
    if event.visible is not False:
        presence.see(user, event.at)
    if event.name == PRESENCE:
        presence.show(user, visible=event.visible, conversation=event.open_conversation)
