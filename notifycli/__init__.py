"""Notification preferences, access tokens and what-if replays for a support desk.

As a library: `docs/api.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifycli.api import (
        DataError,
        Decision,
        Directory,
        Event,
        Preferences,
        Replay,
        read_directory,
        read_event,
        read_preferences,
    )

__version__ = "0.2.0"
__all__ = [
    "DataError",
    "Decision",
    "Directory",
    "Event",
    "Preferences",
    "Replay",
    "read_directory",
    "read_event",
    "read_preferences",
]


def __getattr__(name: str) -> Any:
    # The program starts through this module too, and needs none of it to start (PEP 562).
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from notifycli import api  # noqa: PLC0415 - see above

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
