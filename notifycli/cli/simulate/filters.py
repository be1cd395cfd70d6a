"""Values of options, read and checked; what is wrong becomes a usage error."""

from __future__ import annotations

from typing import Annotated

import typer

from notifycli.cli.command import none_of
from notifycli.cli.types import CONVERSATION_ID
from notifycli.errors import UsageError
from notifycli.rules.notifications import Channel
from notifycli.rules.quiet_hours import zone_info
from notifycli.rules.selection import read_type


def a_channel(text: str) -> Channel:
    """Read the name of a channel."""
    try:
        return Channel(text.lower())
    except ValueError:
        raise none_of(text, tuple(Channel)) from None


def a_type(text: str) -> str:
    """Read the full or the short name of a type; gives the full one."""
    try:
        return read_type(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def check_order(since: int | None, until: int | None) -> None:
    """Raise `UsageError` where no time is both."""
    if since is not None and until is not None and since > until:
        raise UsageError("--since is later than --until", "give the earlier time to --since")


def a_zone(text: str) -> str:
    """Check the name of an IANA time zone."""
    try:
        zone_info(text)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise typer.BadParameter(f"{text!r} is no IANA time zone such as Europe/Berlin") from None
    return text


ChannelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--channel", parser=a_channel, metavar="|".join(Channel), help="Only this channel."
    ),
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", parser=a_type, metavar="TYPE", help="Only this type."),
]
ConversationOption = Annotated[
    list[int] | None,
    typer.Option(
        "--conversation", parser=CONVERSATION_ID, metavar="ID", help="Only this conversation."
    ),
]
