"""`notifycli prefs explain`: what each preference does, for whom, and what it is in Chatwoot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer
from msgspec import Struct

from notifycli.cli.command import command_class, examples, part, session_of
from notifycli.cli.output import console, print_rich, show
from notifycli.cli.prefs.arguments import keys_of
from notifycli.cli.session import Session
from notifycli.cli.terminal import pager
from notifycli.rules.notifications import TYPES, TypeRow
from notifycli.rules.preferences import KEYS, Key, short_key

app = part()
_PROFILE = "Profile settings"
_NONE = "none: it is this program's own, and has no effect with the rules of Chatwoot"


class _Other(NamedTuple):
    """What is told of a key that is no channel's type."""

    concerns: str
    chatwoot: str
    example: str


_HEARERS = "everybody who can see the conversation"
_OTHERS = {
    "audio": _Other(
        _HEARERS,
        f"{_PROFILE}, Audio alerts: enable_audio_alerts (assigned is mine, others is notme)",
        "audio=assigned",
    ),
    "audio.tone": _Other(
        _HEARERS,
        f"{_PROFILE}, Audio alerts: notification_tone (from 3.16 on ding is not heard)",
        "audio.tone=chime",
    ),
    "audio.when": _Other(
        _HEARERS, f"{_PROFILE}, Audio alerts: always_play_audio_alert", "audio.when=always"
    ),
    "audio.repeat": _Other(
        "the assignee",
        f"{_PROFILE}, Audio alerts: alert_if_unread_assigned_conversation_exist",
        "audio.repeat=on",
    ),
    "inactive_after": _Other(
        "whoever is told of new messages by e-mail or push",
        "none: its server has PRESENCE_DURATION, 20 s, for all",
        "inactive_after=5m",
    ),
    "quiet_hours": _Other(
        "whoever sets them", _NONE, "'quiet_hours=22:00-07:00 Europe/Berlin mon-fri'"
    ),
}


class ExplanationRecord(Struct):
    """What there is to know of a preference, as printed."""

    key: str
    short: str
    """The name that a hand types."""
    summary: str
    values: list[str]
    """All of them where they are few, otherwise examples."""
    builtin: str
    concerns: str
    """Whom it is about."""
    chatwoot: str
    """What it is there."""
    example: str


@app.command(
    "explain",
    cls=command_class(),
    epilog=examples(
        "notifycli prefs explain email.created\nnotifycli prefs explain 'audio*'\n"
        "notifycli prefs explain -o json"
    ),
)
def prefs_explain(
    ctx: typer.Context,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY]...", help="Only these keys or globs."),
    ] = None,
) -> None:
    """Tell what preferences do, for whom, and what they are in Chatwoot.

    Their values, what comes with the program, and an example each. Without KEY: all of them.
    """
    session = session_of(ctx)
    chosen = [key for given in keys or () for key in keys_of(given)] or list(KEYS)
    explained = [explain(key) for key in dict.fromkeys(chosen)]
    if session.shows_table:
        with pager():
            _tell(session, explained)
    else:
        show(session, explained, ExplanationRecord)


def explain(key: str) -> ExplanationRecord:
    """Return what there is to know of a preference, by its full name."""
    known = KEYS[key]
    channel, _, type_ = key.partition(".")
    row = next((row for row in TYPES if row.type == type_), None)
    concerns, chatwoot, example = _of_type(channel, row, known) if row else _OTHERS[key]
    return ExplanationRecord(
        key,
        short_key(key),
        known.summary,
        list(known.values),
        known.builtin,
        concerns,
        chatwoot,
        f"notifycli prefs set {example} -u jane@example.com",
    )


def _of_type(channel: str, row: TypeRow, key: Key) -> _Other:
    box = f'{_PROFILE}: "Send {channel} notifications when {row.box}" ({channel}_{row.type})'
    value = "off" if key.builtin == "on" else "on"
    return _Other(row.concerns, box if row.box else _NONE, f"{channel}.{row.short}={value}")


def _tell(session: Session, explained: list[ExplanationRecord]) -> None:
    from rich.table import Table  # noqa: PLC0415 - a pipe can spare rich
    from rich.text import Text  # noqa: PLC0415 - the same

    screen = console(session)
    for one in explained:
        short = f" ({one.short})" if one.short != one.key else ""
        rows = Table.grid(padding=(0, 2, 0, 0))
        for label, told in _rows(one):
            rows.add_row(Text(f"  {label}", style="dim"), told)
        print_rich(screen, Text(f"{one.key}{short}", style="bold"), rows, "")


def _rows(one: ExplanationRecord) -> Iterator[tuple[str, str]]:
    yield "Is", one.summary
    yield "Values", ", ".join(one.values)
    yield "Built in", one.builtin
    yield "Concerns", one.concerns
    yield "Chatwoot", one.chatwoot
    yield "Example", one.example
