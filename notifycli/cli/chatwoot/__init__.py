"""`notifycli chatwoot`: directory and preferences, from and to a Chatwoot."""

from __future__ import annotations

from notifycli.cli.command import noun_of_parts

_HERE = "notifycli.cli.chatwoot"

app = noun_of_parts(
    "Directory and preferences, from and to your Chatwoot.",
    {
        **dict.fromkeys(("login", "status", "logout"), f"{_HERE}.access"),
        "pull": f"{_HERE}.pulling",
        **dict.fromkeys(("diff", "push"), f"{_HERE}.pushing"),
        "rotate": f"{_HERE}.rotating",
    },
)
