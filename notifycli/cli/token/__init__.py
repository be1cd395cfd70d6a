"""`notifycli token`: access tokens. Only `show` and `header` print one."""

from __future__ import annotations

from notifycli.cli.command import noun_of_parts

_HERE = "notifycli.cli.token"

app = noun_of_parts(
    "Access tokens: made, kept in the keyring, copied, checked.",
    {
        **dict.fromkeys(("show", "copy", "header"), f"{_HERE}.showing"),
        **dict.fromkeys(("generate", "rotate", "revoke", "set"), f"{_HERE}.changing"),
        "list": f"{_HERE}.listing",
        "verify": f"{_HERE}.showing",
    },
)
