"""Who is active, and what their window shows, as far as events have told."""

from __future__ import annotations

from msgspec import Struct

from notifycli.events.event import UNSAID, Unsaid


class Window(Struct):
    """The app's window: whether it is in front, and the conversation that is open in it."""

    visible: bool = False
    conversation: int | None = None


_HIDDEN = Window()


class Presence:
    """The presence of one account's users. With nothing known: inactive, window hidden."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._windows: dict[int, Window] = {}

    def see(self, user: int, at: int | None) -> None:
        """Note a sign of activity at a moment (`None`: at a time that isn't known)."""
        if at is not None:
            self._seen[user] = at

    def show(
        self, user: int, *, visible: bool | None, conversation: int | Unsaid | None = UNSAID
    ) -> None:
        """Note what a presence event says of the window; what it leaves out stays as it was."""
        window = self._windows.setdefault(user, Window())
        if visible is not None:
            window.visible = visible
        if conversation is not UNSAID:
            window.conversation = conversation

    def active(self, user: int, at: int | None, inactive_after: int) -> bool:
        """Whether the user was last seen less than `inactive_after` microseconds before, or after.

        The latter is possible since times may jump back.
        """
        seen = self._seen.get(user)
        return seen is not None and at is not None and at - seen < inactive_after

    def window(self, user: int) -> Window:
        """Give what is known of the user's window."""
        return self._windows.get(user, _HIDDEN)
