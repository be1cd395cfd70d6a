"""Named sets of preferences that come with the product."""

from __future__ import annotations

from collections.abc import Mapping

from notifycli.rules.notifications import SWITCHED_CHANNELS, TYPES
from notifycli.rules.preferences import KEYS

_NEVER_QUIET = {"push.conversation_mention", "push.conversation_assignment"}


def _switched(value: str) -> dict[str, str]:
    return {f"{channel}.{row.type}": value for channel in SWITCHED_CHANNELS for row in TYPES}


BUILTIN_PRESETS: Mapping[str, Mapping[str, str]] = {
    "quiet": {
        "audio": "none",
        "audio.repeat": "off",
        **_switched("off"),
        **dict.fromkeys(sorted(_NEVER_QUIET), "on"),
    },
    "everything": {"audio": "all", **_switched("on"), "quiet_hours": "off"},
    "chatwoot-default": {key.name: key.builtin for key in KEYS.values()},
}
"""`quiet` leaves what somebody asks of you in person; `chatwoot-default` is a new agent's."""
