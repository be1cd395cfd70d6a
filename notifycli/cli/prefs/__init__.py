"""`notifycli prefs`: preferences of users, defaults and locks."""

from __future__ import annotations

from notifycli.cli.command import group_of_parts

_HERE = "notifycli.cli.prefs"

app = group_of_parts(
    "Preferences of users, defaults and locks.",
    {
        **dict.fromkeys(("list", "get", "explain"), f"{_HERE}.show"),
        **dict.fromkeys(("set", "unset", "mute", "unmute"), f"{_HERE}.set"),
        **dict.fromkeys(("export", "import", "diff", "apply", "drift"), f"{_HERE}.documents"),
        "edit": f"{_HERE}.edit",
        **dict.fromkeys(("preset", "history", "undo"), f"{_HERE}.set"),
    },
)
