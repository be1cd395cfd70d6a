"""What a replay keeps of a conversation and of who is there, and what it had to assume."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Self, TypeAlias

import msgspec
from msgspec import Struct, field

from notifycli.events.event import STATUS_EVENTS, UNSAID, Event, Unsaid
from notifycli.events.timestamps import SECOND
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer

if TYPE_CHECKING:
    Ids: TypeAlias = array[int]
else:
    Ids = array  # until Python 3.12 it takes no argument, and msgspec reads what stands there

HANDOFF = "conversation_bot_handoff"
_AT_REST = ("resolved", "snoozed")
MESSAGES_KEPT = 100
"""The last messages of a conversation that are known again, should they come twice."""


def _array_of(ids: Collection[int]) -> Ids:
    """Return ids in four bytes each, and in eight only if one of them takes these."""
    try:
        return array("I", ids)
    except OverflowError:
        return array("q", ids)


class Opening(Enum):
    """Who opened a conversation that was pending, as an event shows it."""

    BY_BOT = 1
    """A bot hands over."""
    BY_BOT_PERHAPS = 2
    """The same, but nothing says that it wasn't a person."""
    BY_PERSON = 3


class Deadline(NamedTuple):
    """A moment between events at which something may be due; they come in this order."""

    at: int
    of_user: bool
    """Whether it is a user's; else a conversation's."""
    id: int
    kind: int = 0
    """Which of those that one may have at the same moment."""


class Wait(Struct, array_like=True, gc=False):
    """A customer's first message without a reply, and since when they have waited for one."""

    line: int
    file: str | None
    message: int | None
    since: int | None = None
    """`None` while a bot has the conversation."""
    inbox: int | None = None
    """The one that it was in at that time."""


class Held(Struct, array_like=True, gc=False):
    """The first event of a conversation that waits for a digest."""

    line: int
    file: str | None
    since: int | None
    """From when on a moment is looked for at which its user can be told."""
    key: str
    """The preference that holds it."""
    origin: Layer


class Withheld(Struct, array_like=True):
    """What waits for digests, in the order of first events."""

    of_users: dict[int, dict[Channel, dict[int, Held]]] = field(default_factory=dict)
    """By user, channel and conversation; nobody and nothing that is empty."""
    said: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Of a conversation that is held, whom it is with and what was said last: for who sends."""

    _users: dict[int, set[int]] = field(default_factory=dict)
    """For whom each conversation is held: else everybody would be asked."""

    def __post_init__(self) -> None:
        for user, channels in self.of_users.items():
            for held in channels.values():
                for conversation in held:
                    self._users.setdefault(conversation, set()).add(user)

    def holds(self, conversation: int) -> bool:
        """Whether a conversation is held for anybody."""
        return conversation in self._users

    def add(self, user: int, channel: Channel, conversation: int, held: Held) -> bool:
        """Hold an event, if none of the conversation is held yet; tells whether that is so."""
        self._users.setdefault(conversation, set()).add(user)
        here = self.of_users.setdefault(user, {}).setdefault(channel, {})
        return here.setdefault(conversation, held) is held

    def drop(
        self, conversation: int, user: int | None = None, channel: Channel | None = None
    ) -> None:
        """Hold a conversation no longer, for a user or for anybody, on a channel or on any."""
        users = self._users.get(conversation, set())
        for one in users.copy() if user is None else users.intersection((user,)):
            channels = self.of_users[one]
            for each in [*channels] if channel is None else [channel]:
                channels.get(each, {}).pop(conversation, None)
                if not channels.get(each, True):
                    del channels[each]
            if not channels:
                del self.of_users[one]
            if not any(conversation in held for held in channels.values()):
                users.remove(one)
        if not users:
            self._users.pop(conversation, None)
            self.said.pop(conversation, None)


class Conversation(Struct, array_like=True, gc=False):
    """What is kept of a conversation; it grows with the people who take part, not with events."""

    inbox: int | None = None
    team: int | None = None
    status: str | None = None
    assignee: int | None = None
    blocked: bool = False
    participants: tuple[int, ...] = ()
    """Who takes part, by id: whom an event listed last, and who came since."""
    companions: tuple[int, ...] = ()
    """The same without the assignee."""
    listed: tuple[int, ...] | None = None
    """The same as an event listed it, if nobody has come since."""
    notified_assignee: int | None = None
    """The user who was last told of an assignment, until another assignee is seen, or none."""
    opened: Opening | None = None
    """Who has opened it since it was last pending, if anybody has."""
    changed: bytes | None = None
    """The digest of the last event of the conversation itself."""
    _messages: Ids | None = None
    _newest: int = 0
    notified_team: int | None = None
    """The team that was last told of being given it, until another one is seen, or none."""
    wait: Wait | None = None
    """Kept only where somebody wants to know of it."""

    def has_seen(self, event: Event) -> bool:
        """Whether the event has come before; it is kept, to know it again."""
        message = event.message
        if message is None:
            digest = event.digest
            if digest is None:
                return False
            same, self.changed = digest == self.changed, digest
            return same
        id_, kept = message.id, self._messages
        if id_ is None:
            return False
        if kept is None:
            self._messages, self._newest = _array_of((id_,)), id_
            return False
        # Ids rise, so that nearly always one look is enough.
        if id_ > self._newest:
            self._newest = id_
        elif id_ in kept:
            return True
        if len(kept) == MESSAGES_KEPT:
            del kept[0]
        try:
            kept.append(id_)
        except OverflowError:
            self._messages = _array_of((*kept, id_))
        return False

    def opening(self, event: Event, *, bot: bool | None) -> Opening | None:
        """Give who opens it, if the event shows that it was pending; not taken over yet.

        `bot` says whether its inbox has one, if that is known.
        """
        if event.name == "conversation_created":
            return None
        if event.name == HANDOFF:
            return Opening.BY_BOT
        if event.status != "open" or (event.previous_status or self.status) != "pending":
            return None
        by_user = event.performed_by is not None or event.author is not None
        if by_user or bot is False or self._takes(event) or self.opened is Opening.BY_PERSON:
            return Opening.BY_PERSON
        return Opening.BY_BOT if bot else Opening.BY_BOT_PERHAPS

    def _takes(self, event: Event) -> bool:
        """Whether a person takes it by opening it: an assignee appears with the status."""
        appears = event.assignee not in (UNSAID, None, self.assignee)
        return event.name in STATUS_EVENTS and appears

    def apply(self, event: Event) -> bool:
        """Take over what the event carries; what it leaves out, the event gets from here.

        Tells whether other people have the conversation, or take part in it, than before.
        """
        if event.inbox is None:
            event.inbox = self.inbox
        else:
            self.inbox = event.inbox
        if event.status is None:
            event.status = self.status
        else:
            self.status = event.status
        if event.blocked is not None:
            self.blocked = event.blocked
        if event.team != self.team and event.team is not UNSAID:
            self.team, self.notified_team = event.team, None
        listed, assignee, others = event.participants, event.assignee, False
        if listed is not None and listed != self.listed:
            others = self._list(listed)
        if assignee != self.assignee and assignee is not UNSAID:
            self._assign(assignee)
            others = True
        return others

    def _list(self, listed: tuple[int, ...]) -> bool:
        """Take over who takes part; whether that is anybody else."""
        self.listed = listed
        participants = tuple(sorted(set(listed)))
        others = participants != self.participants
        if others:
            self.participants = participants
            self._part()
        return others

    def _assign(self, user: int | None) -> None:
        """Let a user, or nobody, have it from now on: who has it takes part."""
        self.assignee, self.notified_assignee = user, None
        if user is None or user in self.participants:
            self._part()
        else:
            self.join((user,))

    def join(self, users: Iterable[int]) -> None:
        """Let users take part, from now on."""
        new = set(users).difference(self.participants)
        if new:
            self.participants = tuple(sorted(new.union(self.participants)))
            self.listed = None
            self._part()

    def _part(self) -> None:
        """Keep who takes part beside the assignee."""
        assignee, everybody = self.assignee, self.participants
        if assignee in everybody:
            everybody = tuple([user for user in everybody if user != assignee])
        self.companions = everybody

    def part_from(self, users: Collection[int]) -> None:
        """Let users take part no longer."""
        if users:
            self.participants = tuple(user for user in self.participants if user not in users)
            self.listed = None
            self._part()

    def settle(self, opening: Opening | None) -> None:
        """Keep who opened it: it is told of once for each time that it was pending."""
        if self.status == "pending":
            self.opened = None
        elif opening is not None and not self.handover_told:
            self.opened = opening

    def wait_for_reply(self, event: Event, status: str | None) -> bool:
        """Keep whether a customer waits; `status` is what was kept before the event.

        Tells whether a wait begins with the event.
        """
        if event.is_reply or (self.status in _AT_REST and self.status != status):
            self.wait = None
        wait = self.wait
        if wait is None:
            if not event.is_from_customer:
                return False
            wait = self.wait = Wait(event.line, event.file, event.message_id)
        if self.status == "pending":
            wait.since = None
        elif wait.since is None:
            wait.since, wait.inbox = event.at, self.inbox
            return True
        return False

    @property
    def handover_told(self) -> bool:
        """Whether its hand-over has been told of."""
        return self.opened in (Opening.BY_BOT, Opening.BY_BOT_PERHAPS)


class Clock(Struct, gc=False):
    """The time in one account, which an event that has none gets from those before it.

    Parts of a log have clocks of their own, which `follow` each other.
    """

    first: int | None = None
    """The first time that an event had."""
    last: int | None = None
    steps_back: int = 0
    """Events more than a second older than the one before."""

    def go_on(self, at: int) -> None:
        """Go on to an event's time."""
        last = self.last
        if last is None:
            self.first = at
        elif at < last - SECOND:
            self.steps_back += 1
        self.last = at

    def follow(self, part: Clock) -> None:
        """Go on to the end of the next part."""
        if part.first is not None and part.last is not None:
            self.go_on(part.first)
            self.last = part.last
        self.steps_back += part.steps_back


class Assumptions(Struct):
    """What the events didn't say and a rule had to assume, counted for the report at the end."""

    assignments_by_unknown: int = 0
    creations_by_unknown: int = 0
    """Conversations created with an assignee, by nobody knows whom."""
    handovers_perhaps: int = 0
    """Hand-overs that may have been a person."""
    messages_in_unknown_inboxes: int = 0
    """Of which every user is taken to be a member."""
    messages_in_inboxes_of_nobody: int = 0
    """The same in a profile that takes nobody to be one."""
    came_twice: int = 0
    times_back: int = 0
    """Events more than a second older than the one before: some kinds carry whole seconds alone."""
    automation_events: int = 0
    unknown_agents: set[tuple[int, int]] = field(default_factory=set)
    """(account, user) of agents who are in events but not in the directory."""
    unknown_inboxes: set[int] = field(default_factory=set)
    """Inboxes of events that the directory has no members of."""
    unknown_events: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Assumptions) -> None:
        """Add what another part of the same events had to assume."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, mine + theirs if isinstance(mine, int) else _union(mine, theirs))


def _union(mine: object, theirs: object) -> object:
    if isinstance(mine, Counter) and isinstance(theirs, Counter):
        return mine + theirs
    assert isinstance(mine, set)  # noqa: S101 - all that there is beside numbers and counters
    assert isinstance(theirs, set)  # noqa: S101
    return mine | theirs


class Sign(Struct, array_like=True, gc=False):
    """What an event says of who is there. It counts from the next event on."""

    account: int
    at: int | None
    user: int | None = None
    """Whom it is of."""
    visible: bool | None = None
    conversation: int | Unsaid | None = UNSAID
    """The one that is open in the app."""
    connected: tuple[int, ...] | None = None
    """All who are, where it tells that."""
    place: int = 0
    """The number of its event among those of its part of a log, if that has been divided."""
    away: tuple[int, ...] | None = None
    """All who are busy or offline, beside those who are gone, where it tells that."""
    available: bool | None = None
    """Whether the user is, and neither busy nor offline."""


def sign_of(event: Event) -> Sign | None:
    """Give what an event of a name that is known says of who is there; it has its account."""
    user = event.present if event.message is None else event.author
    if user is None and event.connected is None:
        return None
    return Sign(
        event.account or 0,
        event.at,
        user,
        event.visible,
        event.open_conversation,
        event.connected,
        away=event.away,
        available=event.available,
    )


class Window(Struct, array_like=True):
    """The app's window: whether it is in front, and the conversation that is open in it."""

    visible: bool = False
    conversation: int | None = None


_HIDDEN = Window()


class Presence(Struct, array_like=True):
    """The presence of one account's users. With nothing known: inactive, window hidden."""

    visible: set[int] = field(default_factory=set)
    """Whose window is in front."""
    _seen: dict[int, int] = field(default_factory=dict)
    _windows: dict[int, Window] = field(default_factory=dict)
    _connected: frozenset[int] = frozenset()
    _connected_at: int | None = None
    unavailable: set[int] = field(default_factory=set)
    """Who is busy or offline, as far as that was said."""
    _named: set[int] = field(default_factory=set)
    """Whom an event that tells of everybody has ever named."""

    def keep(self, sign: Sign, *, hidden_counts: bool) -> None:
        """Keep what an event says; whether whoever has hidden the app is active is the rules'."""
        if sign.connected is not None:
            self._connected, self._connected_at = frozenset(sign.connected), sign.at
            away = sign.away or ()
            self._named.update(sign.connected, away)
            # Busy is connected, too. What an event of one user said of others holds on.
            known = self.unavailable.union(self._named)
            self.unavailable = known.difference(sign.connected).union(away)
        user, visible = sign.user, sign.visible
        if user is None:
            return
        if sign.available is not None:
            (self.unavailable.discard if sign.available else self.unavailable.add)(user)
        if sign.at is not None and (visible is not False or hidden_counts):
            self._seen[user] = sign.at
        if visible is not None or sign.conversation is not UNSAID:
            self._show(user, visible, sign.conversation)

    def _show(self, user: int, visible: bool | None, conversation: int | Unsaid | None) -> None:
        """Keep what is said of the window; what is left out stays as it was."""
        window = self._windows.setdefault(user, Window())
        if visible is not None:
            window.visible = visible
            (self.visible.add if visible else self.visible.discard)(user)
        if conversation is not UNSAID:
            window.conversation = conversation

    def active(self, user: int, at: int | None, inactive_after: int, connected_for: int) -> bool:
        """Whether the user was seen less than `inactive_after` microseconds away from a moment.

        Before it or, where times jump back, after it. Whoever is connected is seen all the time,
        for `connected_for` from when that was said.
        """
        if at is None:
            return False
        seen, said = self._seen.get(user), self._connected_at
        if seen is not None and abs(at - seen) < inactive_after:
            return True
        return said is not None and user in self._connected and abs(at - said) < connected_for

    def window(self, user: int) -> Window:
        """Give what is known of the user's window."""
        return self._windows.get(user, _HIDDEN)


class AccountState(Struct, array_like=True):
    """All that a replay keeps of an account: with it, another goes on as if it had been the one."""

    last: int | None = None
    """The time of its last event that had one."""
    presence: Presence = field(default_factory=Presence)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    deadlines: list[Deadline] = field(default_factory=list)
    """Those that haven't come yet."""
    passed: int | None = None
    """The moment before which all have come of which it was known then."""
    withheld: Withheld = field(default_factory=Withheld)

    def encode(self) -> bytes:
        """Write it as MessagePack."""
        return msgspec.msgpack.encode(self, enc_hook=list)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote. Raises `msgspec.DecodeError`."""
        return msgspec.msgpack.decode(data, type=cls, dec_hook=lambda _, ids: _array_of(ids))
