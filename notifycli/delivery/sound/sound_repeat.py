"""Which conversations have sounded and wait to be read, for `audio.repeat`.

Events show that a user has read a conversation by what they do in it: they write, they type, or
their window is in front with the conversation open in it. One that is somebody else's now, or is no
longer open, waits for this user no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from notifycli.events.event import UNSAID, Event
from notifycli.events.event_names import MESSAGE_CREATED, PRESENCE
from notifycli.store.outbox_records import Notice


class _Place(NamedTuple):
    account: int
    user: int
    conversation: int


class Waiting:
    """What waits, told of every event that the replay has met."""

    def __init__(self) -> None:
        self._rung: dict[_Place, Notice] = {}
        self._assignees: dict[tuple[int, int], int | None] = {}
        self._read: dict[_Place, int] = {}
        self._open: dict[tuple[int, int], int | None] = {}

    def see(self, event: Event, assignee: int | None) -> None:
        """Take in an event as the replay completed it, and the conversation's assignee after it."""
        if event.account is None:
            return
        if event.name == PRESENCE:
            self._see_window(event)
        if event.conversation is None:
            return
        self._assignees[event.account, event.conversation] = assignee
        if event.name == MESSAGE_CREATED and event.author is not None:
            self._note_read(event, event.author, event.conversation)
        elif event.present is not None and event.name != PRESENCE:
            self._note_read(event, event.present, event.conversation)
        over = event.status in {"resolved", "snoozed", "pending"}
        for place in [*self._rung]:
            here = (place.account, place.conversation) == (event.account, event.conversation)
            if here and (over or place.user != assignee):
                del self._rung[place]

    def ring(self, notice: Notice) -> None:
        """Note that a notice has sounded; it waits if its conversation is its user's, unread."""
        if notice.conversation_id is None:
            return
        place = _Place(notice.account_id, notice.user_id, notice.conversation_id)
        assignee = self._assignees.get((notice.account_id, notice.conversation_id))
        read = self._read.get(place)
        if assignee == notice.user_id and (
            read is None or (notice.at is not None and read < notice.at)
        ):
            self._rung[place] = notice

    def __iter__(self) -> Iterator[Notice]:
        """Give the last notice of each conversation that waits."""
        return iter([*self._rung.values()])

    def _see_window(self, event: Event) -> None:
        user = event.present
        if event.account is None or user is None:
            return
        whose = (event.account, user)
        if event.open_conversation is not UNSAID:
            self._open[whose] = event.open_conversation
        shown = self._open.get(whose)
        if event.visible is not False and shown is not None:
            self._note_read(event, user, shown)

    def _note_read(self, event: Event, user: int, conversation: int) -> None:
        if event.account is None:
            return
        place = _Place(event.account, user, conversation)
        self._rung.pop(place, None)
        if event.at is not None:
            self._read[place] = event.at
