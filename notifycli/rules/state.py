"""What a replay keeps of the past: conversations, accounts, and what it had to assume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from functools import cached_property

from msgspec import Struct, field

from notifycli.events.event import UNSAID, Event
from notifycli.rules.directory import Directory
from notifycli.rules.enabled import Wanting
from notifycli.rules.notifications import NotificationType
from notifycli.rules.presence import Presence
from notifycli.rules.route import Named, Route
from notifycli.rules.settings import Preferences, SettingsBook


class Conversation(Struct):
    """What is kept of a conversation; it grows with the people who take part, not with events."""

    inbox: int | None = None
    status: str | None = None
    assignee: int | None = None
    blocked: bool = False
    told: int | None = None
    """The user who was last told of an assignment, until another assignee is seen, or none."""
    joined: tuple[int, ...] = ()
    """Who was ever assigned or mentioned: they stay participants."""
    listed: tuple[int, ...] = ()
    """The participants that an event listed last."""
    routes: dict[Hashable, Route] = {}
    """Whom each kind of message concerns: those of its account that hold here."""
    stale: bool = False
    """Whether that has to be found again: something else than a message's own has changed."""

    def apply(self, event: Event) -> None:
        """Take over what the event carries; what it leaves out, the event gets from here."""
        if event.inbox is None:
            event.inbox = self.inbox
        elif event.inbox != self.inbox:
            self.inbox, self.stale = event.inbox, True
        if not event.previous_status:
            event.previous_status = self.status
        if event.status is None:
            event.status = self.status
        elif event.status != self.status:
            self.status, self.stale = event.status, True
        if event.blocked is not None and event.blocked != self.blocked:
            self.blocked, self.stale = event.blocked, True
        self._apply_people(event)

    def _apply_people(self, event: Event) -> None:
        if event.participants is not None and event.participants != self.listed:
            self.listed, self.stale = event.participants, True
        assignee = event.assignee
        if assignee is not UNSAID and assignee != self.assignee:
            self.assignee, self.stale = assignee, True
            if assignee is not None:
                self.join((assignee,))
        if self.told is not None and self.told != self.assignee:
            self.told = None

    def as_message_finds_it(self) -> Hashable:
        """Give all that it depends on here whom a message concerns, and who of them may hear."""
        return self.inbox, self.status, self.blocked, self.assignee, self.participants()

    def tell(self, named: Iterable[Named]) -> None:
        """Keep who has been told of an assignment by what an event has named."""
        if any(one.type is NotificationType.ASSIGNMENT and one.users for one in named):
            self.told = self.assignee

    def join(self, users: Iterable[int]) -> None:
        """Let users take part, from now on."""
        new = set(users).difference(self.joined)
        if new:
            self.joined, self.stale = (*self.joined, *new), True

    def participants(self) -> tuple[int, ...]:
        """Everybody who takes part, by id."""
        return tuple(sorted({*self.joined, *self.listed}))


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


class Side:
    """What the users of an account want: as it is, or as it is proposed."""

    def __init__(self, directory: Directory, preferences: Preferences) -> None:
        self.settings = SettingsBook(preferences)
        self.wanting = Wanting(directory, preferences, self.settings)
        self.routes: dict[Hashable, Route] = {}
        """Whom messages concern: one for all that are alike, in conversations that are alike."""


class Account:
    """One account in a replay: who there is, what they want, and what has happened so far.

    `proposed` are the preferences that a comparison tries; without them it tries the same ones.
    """

    def __init__(
        self, directory: Directory, preferences: Preferences, proposed: Preferences | None = None
    ) -> None:
        self.directory = directory
        self.stored = Side(directory, preferences)
        self._tried = preferences if proposed is None else proposed
        self.presence = Presence()
        self.conversations: dict[int, Conversation] = {}

    @cached_property
    def proposed(self) -> Side:
        """The other side of a comparison."""
        return Side(self.directory, self._tried)

    def conversation(self, event: Event) -> Conversation:
        """Give the conversation's kept state; a passing one, if the event names none."""
        if event.conversation is None:
            return Conversation()
        known = self.conversations.get(event.conversation)
        if known is None:
            known = self.conversations[event.conversation] = Conversation()
        return known
