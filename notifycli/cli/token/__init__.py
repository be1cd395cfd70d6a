"""`notifycli token`: access tokens. Only `show` and `header` print one."""

from __future__ import annotations

from notifycli.cli.command import group_of_parts

_HERE = "notifycli.cli.token"

app = group_of_parts(
    "Access tokens: made, kept in the keyring, copied, checked.",
    {
        **dict.fromkeys(("show", "copy", "header"), f"{_HERE}.token_show"),
        **dict.fromkeys(("generate", "rotate", "revoke", "set"), f"{_HERE}.lifecycle"),
        "list": f"{_HERE}.lifecycle",
        "verify": f"{_HERE}.token_show",
    },
)
