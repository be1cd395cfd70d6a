"""`notifycli deliver`: what fires is sent, and what was sent and what wasn't is told."""

from __future__ import annotations

from notifycli.cli.command import group_of_parts

_HERE = "notifycli.cli.deliver"

app = group_of_parts(
    "Send what fires, and see what was sent. Without a verb it is `deliver run`.",
    {
        "run": f"{_HERE}.run",
        **dict.fromkeys(("status", "retry", "drop"), f"{_HERE}.status"),
    },
    default="run",
)
