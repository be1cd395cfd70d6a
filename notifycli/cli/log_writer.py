"""The log of a run that goes on: a line to standard error for each thing that happens."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import print_error

if TYPE_CHECKING:
    from notifycli.delivery.channels import LogEntry
    from notifycli.delivery.engine import Engine
    from notifycli.delivery.enqueue import Enqueuer
    from notifycli.server.metrics import Metrics

SUMMARY_SECONDS = 60.0


class LogFormat(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        metavar="text|json",
        help="How to write what happens to standard error: a line of text or JSON each.",
    ),
]


class LogWriter:
    """Writes entries as they come, and a summary now and then; with `-q`, troubles alone."""

    def __init__(self, session: Session, form: LogFormat, metrics: Metrics | None = None) -> None:
        self._metrics = metrics
        self._quiet = session.quiet
        self._typed = session.typed
        self._json = form is LogFormat.JSON
        self._bad_lines = 0
        self._before = (0, 0, 0, 0, 0)

    def write(self, entry: LogEntry) -> None:
        """Write one line about what has happened."""
        if self._metrics is not None:
            self._metrics.count_entry(entry)
        if entry.event in {"sent", "recovered"} and self._quiet:
            return
        fields = {"event": entry.event, "channel": entry.channel, **_fields(entry)}
        if entry.remedy:
            fields["remedy"] = self._typed(entry.remedy)
        self._put(_text(entry), fields)

    def note(self, text: str) -> None:
        """Write what else there is to say."""
        if not self._quiet:
            self._put(text, {"event": "note", "text": self._typed(text)})

    def count_bad_line(self) -> None:
        """Count what is no event."""
        self._bad_lines += 1
        if self._metrics is not None:
            self._metrics.count_bad_line()

    def begin(self) -> None:
        """Sum up a run that begins: its counts begin at 0, whatever an earlier run's came to."""
        self._before = (0, self._before[1], 0, 0, 0)

    def write_summary(self, enqueuer: Enqueuer | None, engine: Engine) -> None:
        """Write what was done since the last summary, and what waits."""
        report = engine.report
        events = 0 if enqueuer is None else enqueuer.fed.events
        done = (report.sent.total(), report.later.total(), report.dead.total())
        totals = (events, self._bad_lines, *done)
        counts = [now - before for now, before in zip(totals, self._before, strict=True)]
        waiting = engine.count_waiting()
        self._before = totals
        if self._quiet and not counts[1]:
            return
        names = ("events", "bad_lines", "sent", "failed", "dead")
        text = (
            f"in the last minute: {plural(counts[0], 'event')}, {plural(counts[1], 'bad line')}, "
            f"{counts[2]} sent, {counts[3]} failed, {counts[4]} given up; {waiting} waiting"
        )
        trouble = {str(channel): why for channel, why in engine.troubles().items()}
        text += "".join(f"; {channel}: {why}" for channel, why in trouble.items())
        fields = {**dict(zip(names, counts, strict=True)), "waiting": waiting, "why": trouble}
        self._put(text, {"event": "summary", **fields})

    def _put(self, text: str, fields: dict[str, Any]) -> None:
        at = _second(time.time_ns() // 1_000)
        if self._json:
            import json  # noqa: PLC0415 - only for whoever asks for it

            print_error(json.dumps({"at": at, **fields}, ensure_ascii=False))
        else:
            print_error(f"{at} {' '.join(self._typed(text).split())}")


def _fields(entry: LogEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if (notice := entry.notice) is not None:
        names = ("id", "account_id", "user_id", "email", "type", "conversation_id", "message_id")
        fields |= {name: getattr(notice, name) for name in names}
        fields["attempt"] = notice.attempts + 1
    more = {"why": entry.why, "remedy": entry.remedy}
    fields |= {name: value for name, value in more.items() if value}
    if entry.next_at is not None:
        fields["next_at"] = _second(entry.next_at)
    return fields


def _text(entry: LogEntry) -> str:
    why = "; ".join(filter(None, (entry.why, entry.remedy)))
    again = "" if entry.next_at is None else f"; tried again at {_second(entry.next_at)}"
    if (notice := entry.notice) is None:
        if entry.event == "recovered":
            return f"{entry.channel} works again"
        return f"nothing can be sent by {entry.channel}: {why}{again}"
    from notifycli.cli.decision_records import what  # noqa: PLC0415 - not for the help

    about = f", conversation {notice.conversation_id}" if notice.conversation_id else ""
    whom = notice.email or f"user {notice.user_id}"
    thing = f"{what(notice.channel, notice.type)} for {whom}{about}"
    attempt = f" (try {notice.attempts + 1})" if notice.attempts else ""
    if entry.event == "sent":
        return f"sent by {entry.channel}: {thing}{attempt}"
    verb = "given up" if entry.event == "dead" else "not sent"
    return f"{verb} by {entry.channel}: {thing}{attempt}: {why}{again}"


def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
