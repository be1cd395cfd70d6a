"""`notifycli push`: keys, subscriptions and tests of Web Push."""

from __future__ import annotations

from notifycli.cli.command import group_of_parts

_HERE = "notifycli.cli.push"

app = group_of_parts(
    "Web Push: the key, the browsers that are subscribed, a test.",
    {
        "keys": f"{_HERE}.keys",
        **dict.fromkeys(
            ("subscribe", "invite", "add", "list", "remove", "test"), f"{_HERE}.browsers"
        ),
    },
)
