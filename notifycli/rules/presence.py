"""Who is active, and what their window shows, as far as events have told."""

from __future__ import annotations

from collections.abc import Iterable

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
        self.visible: set[int] = set()
        """Whose window is in front."""
        self._seen: dict[int, int] = {}
        self._windows: dict[int, Window] = {}
        self._connected: frozenset[int] = frozenset()
        self._connected_at: int | None = None

    def see(self, user: int, at: int | None) -> None:
        """Note a sign of activity at a moment (`None`: at a time that isn't known)."""
        if at is not None:
            self._seen[user] = at

    def connect(self, users: Iterable[int], at: int | None) -> None:
        """Note who is connected, which nobody else is."""
        self._connected, self._connected_at = frozenset(users), at

    def show(
        self, user: int, *, visible: bool | None, conversation: int | Unsaid | None = UNSAID
    ) -> None:
        """Note what a presence event says of the window; what it leaves out stays as it was."""
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
        said, seen = self._connected_at, self._seen.get(user)
        if user in self._connected and said is not None and abs(at - said) < connected_for:
            return True
        return seen is not None and abs(at - seen) < inactive_after

    def window(self, user: int) -> Window:
        """Give what is known of the user's window."""
        return self._windows.get(user, _HIDDEN)
