"""The replay: a fold over events that yields decisions, and keeps what later events need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import UNSET, Struct, field

from notifycli.rules.audience import Directory
from notifycli.rules.decision import Decision
from notifycli.rules.event import Event
from notifycli.rules.judging import decisions
from notifycli.rules.ladder import Case
from notifycli.rules.mentions import mentioned_users
from notifycli.rules.moment import SECOND, format_moment
from notifycli.rules.names import MESSAGE_CREATED, PRESENCE, SLA_EVENTS, STATUS_EVENTS
from notifycli.rules.notifications import NotificationType
from notifycli.rules.presence import Presence
from notifycli.rules.settings import Preferences, SettingsBook

Candidates = Iterable[int]
"""User ids in ascending order."""


class Conversation(Struct):
    """What is kept of a conversation; it grows with the people who take part, not with events."""

    inbox: int | None = None
    status: str | None = None
    assignee: int | None = None
    blocked: bool = False
    told: int | None = None
    """The user who was last told of an assignment, until another assignee is seen, or none."""
    joined: set[int] = field(default_factory=set)
    """Who was ever assigned or mentioned: they stay participants."""
    listed: tuple[int, ...] = ()
    """The participants that an event listed last."""

    def apply(self, event: Event) -> None:
        """Take over what the event carries; what it leaves out, the event gets from here."""
        self.inbox = event.inbox = self.inbox if event.inbox is None else event.inbox
        self.status = event.status = self.status if event.status is None else event.status
        if event.blocked is not None:
            self.blocked = event.blocked
        if event.participants is not None:
            self.listed = event.participants
        if event.assignee is not UNSET:
            self.assignee = event.assignee
            if self.assignee != self.told:
                self.told = None
        if self.assignee is not None:
            self.joined.add(self.assignee)

    def participants(self) -> list[int]:
        """Everybody who takes part."""
        return sorted(self.joined.union(self.listed))


class Assumptions(Struct):
    """What the events didn't say and a rule had to assume, counted for the report at the end."""

    assignments_by_unknown: int = 0
    messages_in_unknown_inboxes: int = 0
    unknown_agents: set[tuple[int, int]] = field(default_factory=set)
    """(account, user) of agents who are in events but not in the directory."""
    unknown_inboxes: set[int] = field(default_factory=set)
    """Inboxes of events that the directory has no members of."""
    times_back: int = 0
    """Events more than a second older than the one before: some kinds carry whole seconds alone."""
    unknown_events: Counter[str] = field(default_factory=Counter)


class Account:
    """One account in a replay: who there is, what they want, and what has happened so far.

    `proposed` are the preferences that a comparison tries; without them it tries the same ones.
    """

    def __init__(
        self, directory: Directory, preferences: Preferences, proposed: Preferences | None = None
    ) -> None:
        self.directory = directory
        self.settings = SettingsBook(preferences)
        self.proposed = self.settings if proposed is None else SettingsBook(proposed)
        self.presence = Presence()
        self.conversations: dict[int, Conversation] = {}

    def conversation(self, event: Event) -> Conversation:
        """Give the conversation's kept state; a passing one, if the event names none."""
        if event.conversation is None:
            return Conversation()
        return self.conversations.setdefault(event.conversation, Conversation())


class Replay:
    """Events in, decisions out.

    `accounts` by account id; an event of another account meets an empty directory, which is added
    to them. An event that doesn't name its account belongs to `fallback_account`.
    """

    def __init__(self, accounts: dict[int, Account], fallback_account: int = 1) -> None:
        self.assumptions = Assumptions()
        self._accounts = accounts
        self._fallback = fallback_account
        self._last: int | None = None

    def decide(self, event: Event) -> Iterator[Decision]:
        """Give the event's decisions, fired and suppressed, in their order.

        The event is completed from what is kept. What it changes is kept once the iterator is
        exhausted, so exhaust it before the next event; the same holds of the two methods below.
        """
        account, notified = self._meet(event), set[int]()
        for case in self._cases(event, account):
            yield from decisions(case, account.settings, notified)

    def compare(self, event: Event) -> Iterator[tuple[Decision, Decision]]:
        """Give each decision twice: with the preferences as they are, and as proposed.

        Who is a candidate, and all that is kept, depends on no preference: one pass serves both.
        """
        account, before, after = self._meet(event), set[int](), set[int]()
        for case in self._cases(event, account):
            as_it_is = list(decisions(case, account.settings, before))
            yield from zip(as_it_is, decisions(case, account.proposed, after), strict=True)

    def examine(self, event: Event) -> Iterator[tuple[Decision, Case]]:
        """Give each decision with what it looked at, which holds until the next is asked for."""
        account, notified = self._meet(event), set[int]()
        for case in self._cases(event, account):
            for decision in decisions(case, account.settings, notified):
                yield decision, case

    def _meet(self, event: Event) -> Account:
        event.account = self._fallback if event.account is None else event.account
        account = self._accounts.get(event.account)
        if account is None:
            account = self._accounts[event.account] = Account(Directory(), Preferences())
        return account

    def _cases(self, event: Event, account: Account) -> Iterator[Case]:
        if not event.known:
            self.assumptions.unknown_events[event.name] += 1
            return
        self._keep_time(event)
        if event.name != PRESENCE:
            yield from self._named_cases(event, account)
        self._note_agents(event, account)
        _keep_presence(event, account.presence)

    def _keep_time(self, event: Event) -> None:
        if event.at is None:
            event.at = self._last
        elif self._last is not None and event.at < self._last - SECOND:
            self.assumptions.times_back += 1
        self._last = event.at

    def _named_cases(self, event: Event, account: Account) -> Iterator[Case]:
        conversation = account.conversation(event)
        was_pending = (event.previous_status or conversation.status) == "pending"
        conversation.apply(event)
        self._note_assumptions(event, account.directory)
        told, at = conversation.told, None if event.at is None else format_moment(event.at)
        for type_, users in _named(event, conversation, account.directory, opened=was_pending):
            for user in users:
                yield Case(
                    event,
                    at,
                    conversation.status,
                    conversation.assignee,
                    conversation.blocked,
                    user,
                    type_,
                    told == user,
                    account.directory,
                    account.presence,
                )
                if type_ is NotificationType.ASSIGNMENT:
                    conversation.told = user

    def _note_assumptions(self, event: Event, directory: Directory) -> None:
        noted = self.assumptions
        if not directory.knows_members(event.inbox):
            noted.messages_in_unknown_inboxes += event.message is not None
            if event.inbox is not None:
                noted.unknown_inboxes.add(event.inbox)
        if event.assignment and event.assignee not in (None, UNSET) and event.performed_by is None:
            noted.assignments_by_unknown += 1

    def _note_agents(self, event: Event, account: Account) -> None:
        assert event.account is not None  # noqa: S101 - decide() has set it
        for user in event.agents():
            if user not in account.directory.users:
                self.assumptions.unknown_agents.add((event.account, user))


def _named(
    event: Event, conversation: Conversation, directory: Directory, *, opened: bool
) -> Iterator[tuple[NotificationType, Candidates]]:
    """Give the types that the event leads to, in their order, each with its candidates."""
    assignee = () if conversation.assignee is None else (conversation.assignee,)
    if event.name == "conversation_created":
        yield NotificationType.CREATION, directory.recipients(event.inbox)
        yield NotificationType.ASSIGNMENT, assignee
    elif event.name == "conversation_bot_handoff" or (
        event.name in STATUS_EVENTS and opened and event.status == "open"
    ):
        yield NotificationType.CREATION, directory.recipients(event.inbox)
    elif event.assignment:
        yield NotificationType.ASSIGNMENT, assignee
    elif event.name in SLA_EVENTS:
        people = directory.administrators.union(conversation.participants(), assignee)
        yield NotificationType(event.name), sorted(people)
    elif event.name == MESSAGE_CREATED:
        yield from _named_by_message(event, conversation, directory)


def _named_by_message(
    event: Event, conversation: Conversation, directory: Directory
) -> Iterator[tuple[NotificationType, Candidates]]:
    message, assignee = event.message, conversation.assignee
    assert message is not None  # noqa: S101 - every message_created has one
    if message.type in ("incoming", "outgoing"):
        mentioned = mentioned_users(message.content, directory, private=message.is_private_note)
        conversation.joined.update(
            user for user in mentioned if directory.can_see(user, event.inbox, event.team)
        )
        yield NotificationType.MENTION, sorted(mentioned)
        if not message.is_private_note:
            if assignee is not None:
                yield NotificationType.ASSIGNED_MESSAGE, (assignee,)
            yield NotificationType.PARTICIPATING_MESSAGE, conversation.participants()
            if assignee is None and message.type == "incoming":
                yield NotificationType.UNASSIGNED_MESSAGE, directory.recipients(event.inbox)
    yield NotificationType.NEW_MESSAGE, directory.viewers(event.inbox, event.team)


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
