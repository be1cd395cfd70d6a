"""What a run of the engine has done, told at its end."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from notifycli.rules.notifications import Channel
from notifycli.store.outbox_records import State


class Report(Struct):
    """What the engine has done, by channel."""

    sent: Counter[Channel] = field(default_factory=Counter)
    dead: Counter[Channel] = field(default_factory=Counter)
    dropped: Counter[Channel] = field(default_factory=Counter)
    later: Counter[Channel] = field(default_factory=Counter)
    """Attempts after which another is due."""
    last_trouble: dict[Channel, str] = field(default_factory=dict)
    """Why the last attempt failed after which none has succeeded."""

    def count(self, channel: Channel, state: State) -> None:
        """Count a notice that an attempt has brought to a state."""
        counters = {
            State.SENT: self.sent,
            State.DEAD: self.dead,
            State.DROPPED: self.dropped,
            State.PENDING: self.later,
        }
        counters[state][channel] += 1
