"""What is due between events: the queue of deadlines, and the waits of customers that lead to some.

Sections 5 and 6 of `docs/beyond.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import NamedTuple

from notifycli.events.event import Due
from notifycli.rules.layers import Preferences, switch_of
from notifycli.rules.notifications import WAITING_TYPES, NotificationType
from notifycli.rules.quiet_hours import LONGEST_WAIT, Duration, QuietHours
from notifycli.rules.state import Conversation, Deadline, Wait

PATIENCE_KEYS = dict(zip(WAITING_TYPES, ("waiting_after", "escalate_after"), strict=True))
"""The preference that says how long a customer may wait, by what comes of it."""
_HOURS = "business_hours"


class Deadlines:
    """The deadlines of an account that haven't come yet.

    One that has been overtaken stays in the queue until its turn; whoever takes it finds that out.
    """

    def __init__(self, queue: Iterable[Deadline] = (), passed: int | None = None) -> None:
        self.queue = [*queue]
        heapify(self.queue)
        self.passed = passed
        """The moment before which all have come that were in the queue then."""
        self.now: int | None = None
        """The clock on the wall, where that goes on beside the events."""

    def go_on(self, moment: int) -> None:
        """Let the clock on the wall go on to a moment: what comes late comes after it."""
        self.now = max(moment, self.now or moment, self.passed or moment)

    def add(self, deadlines: Iterable[Deadline]) -> None:
        """Put some into the queue."""
        for deadline in deadlines:
            heappush(self.queue, deadline)

    def add_missing(self, deadlines: Iterable[Deadline]) -> None:
        """Put those in that aren't there and lie ahead: what is past has come already."""
        passed = self.passed
        ahead = {one for one in deadlines if passed is None or one.at >= passed}
        self.queue = [*ahead.union(self.queue)]
        heapify(self.queue)

    def pass_to(self, moment: int) -> Iterator[Deadline]:
        """Return those before a moment, in their order, each once."""
        self.passed = moment if self.passed is None else max(moment, self.passed)
        last = None
        while self.queue and self.queue[0].at < moment:
            deadline = heappop(self.queue)
            if deadline != last:
                yield deadline
            last = deadline


class Patience(NamedTuple):
    """For how long a customer may wait before somebody wants to know."""

    length: int
    """Microseconds."""
    hours: QuietHours | None = None
    """Those that alone are counted, if not all are."""

    def end_of(self, begin: int) -> int | None:
        """Return the deadline of a wait; `None` if it never comes."""
        if self.hours is not None:
            return self.hours.end_of(begin, self.length)
        return begin + self.length if self.length <= LONGEST_WAIT else None


class Waits:
    """When customers have waited for too long, and for whom, by an account's preferences."""

    def __init__(self, preferences: Preferences, types: Collection[NotificationType]) -> None:
        """`types` are those that anybody has set; the preferences are as a profile reads them."""
        self._preferences = preferences
        self._setters = {t: _setters(preferences, t) for t in WAITING_TYPES if t in types}
        self._known: dict[tuple[NotificationType, int | None], frozenset[Patience]] = {}
        """By type and inbox; `None` for all inboxes that nobody has set anything for."""
        self._inboxes = frozenset(inbox for _, inbox in preferences.inbox)
        self._apart: dict[int, list[int]] = {}
        for user, conversation in preferences.conversation:
            self._apart.setdefault(conversation, []).append(user)

    def deadlines(self, id_: int, conversation: Conversation) -> Iterator[Deadline]:
        """Return the deadlines of a conversation's wait, of all users; of no wait, none."""
        wait = conversation.wait
        if wait is None or wait.since is None:
            return
        for kind, type_ in enumerate(WAITING_TYPES):
            if type_ in self._setters:
                moments = {one.end_of(wait.since) for one in self._patience(type_, id_, wait)}
                yield from (Deadline(at, False, id_, kind) for at in moments if at is not None)

    def setters(self, type_: NotificationType, users: Collection[int]) -> Collection[int]:
        """Return those of the users for whom some layer sets a type, in their order."""
        setters = self._setters[type_]
        return users if setters is None else [user for user in users if user in setters]

    def is_due(self, due: Due, type_: NotificationType, user: int, wait: Wait | None) -> bool:
        """Whether what is due in a wait is so for a user."""
        if wait is None or wait.since is None:
            return False
        own = self._patience_of(type_, user, wait.inbox, due.conversation, wait.since)
        return own.end_of(wait.since) == due.at

    def _patience(self, type_: NotificationType, id_: int, wait: Wait) -> Iterable[Patience]:
        """Return how much anybody has, with a customer in a conversation."""
        inbox = wait.inbox if wait.inbox in self._inboxes else None
        found = self._known.get((type_, inbox))
        if found is None:
            users: Collection[int | None] | None = self._setters[type_]
            if users is None:
                places = (user for user, place in self._preferences.inbox if place == inbox)
                users = {None, *self._preferences.user, *places}
            each = (self._patience_of(type_, user, inbox) for user in users)
            found = self._known[type_, inbox] = frozenset(each)
        own = (
            self._patience_of(type_, user, wait.inbox, id_, wait.since)
            for user in self._apart.get(id_, ())
        )
        return found.union(own)

    def _patience_of(
        self,
        type_: NotificationType,
        user: int | None,
        inbox: int | None,
        conversation: int | None = None,
        at: int | None = None,
    ) -> Patience:
        where = user, inbox, conversation, at
        resolve = self._preferences.resolve
        return _patience(resolve(PATIENCE_KEYS[type_], *where).value, resolve(_HOURS, *where).value)


def _setters(preferences: Preferences, type_: NotificationType) -> frozenset[int] | None:
    """Return the users for whom any layer sets a type; `None` for everybody."""

    def sets(keys: Iterable[str]) -> bool:
        return any((switch := switch_of(key)) and switch[1] is type_ for key in keys)

    if sets((*preferences.lock, *preferences.default)):
        return None
    places = chain(preferences.inbox.items(), preferences.conversation.items())
    own = chain(preferences.user.items(), ((user, values) for (user, _), values in places))
    return frozenset(user for user, values in own if sets(values))


@lru_cache(256)
def _patience(length: str, hours: str) -> Patience:
    """Read it: many users have the same."""
    counted = None if hours == "off" else QuietHours.parse(hours)
    return Patience(Duration.parse(length).microseconds, counted)


def due_event(account: int, deadline: Deadline, conversation: Conversation) -> Due | None:
    """Return what comes of a conversation's deadline; `None` if nobody waits there any more."""
    wait = conversation.wait
    if wait is None or wait.since is None:
        return None
    return Due(
        wait.line,
        WAITING_TYPES[deadline.kind],
        known=True,
        at=deadline.at,
        account=account,
        conversation=deadline.id,
        updated_message=wait.message,
        file=wait.file,
        since=wait.since,
    )
