"""`notifycli chatwoot`: directory and preferences, from and to a Chatwoot."""

from __future__ import annotations

from notifycli.cli.command import group_of_parts

_HERE = "notifycli.cli.chatwoot"

app = group_of_parts(
    "Directory and preferences, from and to your Chatwoot.",
    {
        **dict.fromkeys(
            ("login", "status", "logout", "pull", "diff", "push", "tokens", "rotate"),
            f"{_HERE}.connection",
        ),
        "history": f"{_HERE}.past_events",
        "watch": f"{_HERE}.watch",
        "compare": f"{_HERE}.compare_command",
        **dict.fromkeys(("export-sql", "import-export"), f"{_HERE}.past_events"),
    },
)
