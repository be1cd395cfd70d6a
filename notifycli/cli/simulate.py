"""`notifycli simulate`: which notifications would fire, and why the others would not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from notifycli.cli.command import USER, examples, session, takes
from notifycli.cli.decisions import show_counts, show_decisions
from notifycli.cli.lines import BadLines, read_lines, total_size
from notifycli.cli.output import console
from notifycli.cli.session import Session, find_user, plural
from notifycli.errors import UsageError
from notifycli.rules.decision import Decision, Outcome, Reason
from notifycli.rules.event import EventError, decode_event
from notifycli.rules.moment import parse_moment
from notifycli.rules.notifications import Channel
from notifycli.rules.replay import Account, Assumptions, Replay
from notifycli.rules.selection import Selection, read_type
from notifycli.rules.summary import Summary
from notifycli.store.store import Store

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_NAMED = 5


def _moment(text: str) -> int:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _channel(text: str) -> Channel:
    try:
        return Channel(text.lower())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(Channel)}") from None


def _type(text: str) -> str:
    try:
        return read_type(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command(
    "simulate",
    cls=takes(USER),
    epilog=examples(
        """
notifycli simulate events.jsonl
notifycli simulate events.jsonl --explain -u jane@example.com --conversation 42
zcat webhooks-*.gz | notifycli simulate --summary
notifycli simulate today.jsonl.gz -o csv > decisions.csv
notifycli simulate events.jsonl | jq -r 'select(.channel == "email") | .email' | sort | uniq -c
"""
    ),
)
def simulate(
    ctx: typer.Context,
    events: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EVENTS]...",
            help="Files of events, one JSON object a line, plain or gzip; - or none is stdin.",
        ),
    ] = None,
    *,
    channel: Annotated[
        list[str] | None,
        typer.Option(parser=_channel, metavar="|".join(Channel), help="Only this channel."),
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", parser=_type, metavar="TYPE", help="Only this type."),
    ] = None,
    inbox: Annotated[list[int] | None, typer.Option(metavar="ID", help="Only this inbox.")] = None,
    conversation: Annotated[
        list[int] | None, typer.Option(metavar="ID", help="Only this conversation.")
    ] = None,
    since: Annotated[
        int | None, typer.Option(parser=_moment, metavar="TIME", help="Only from this time on.")
    ] = None,
    until: Annotated[
        int | None, typer.Option(parser=_moment, metavar="TIME", help="Only before this time.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the suppressed ones too, with their reasons.")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Count by user, channel and type.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line.")] = False,
    progress: Annotated[
        bool | None,
        typer.Option(
            "--progress/--no-progress",
            help="A progress bar on standard error; on by default on a terminal.",
        ),
    ] = None,
) -> None:
    """Replay conversation events and show which notifications would fire, and why.

    The events are Chatwoot's webhooks as they are sent. Nothing is sent and nothing is stored.
    """
    this = session(ctx)
    files = this.input_files(events)
    with this.store() as store:
        selection = Selection(
            users=_selected_users(this, store),
            channels=frozenset(map(Channel, channel or ())),
            types=frozenset(map(read_type, type_ or ())),
            inboxes=frozenset(inbox or ()),
            conversations=frozenset(conversation or ()),
            since=since,
            until=until,
        )
        run = _Run(_replay(this, store), selection, BadLines(strict=strict))
    with _progress(this, files, wanted=progress) as advance:
        decisions = run.decisions(read_lines(files, advance))
        if summary:
            for _ in decisions:
                pass
        else:
            fired = (d for d in decisions if explain or d.outcome is Outcome.FIRE)
            show_decisions(this, fired, explain=explain)
    if summary:
        show_counts(this, run.summary.counts())
    _tell_assumptions(this, run.replay.assumptions)
    _tell_nothing_fired(this, run)
    raise typer.Exit(run.bad.finish())


class _Run:
    """One pass over the input."""

    def __init__(self, replay: Replay, selection: Selection, bad: BadLines) -> None:
        self.replay = replay
        self.summary = Summary()
        self.bad = bad
        self.events = 0
        self._selection = selection

    def decisions(self, lines: Iterable[tuple[str, int, bytes]]) -> Iterator[Decision]:
        """Give the selected decisions, and count them."""
        for file, number, line in lines:
            try:
                event = decode_event(line, number)
            except EventError as error:
                self.bad.add(f"{file}:{number}", str(error), line)
                continue
            self.events += 1
            decisions = list(self.replay.decide(event))
            if self._selection.takes_event(event):
                for decision in filter(self._selection.takes, decisions):
                    self.summary.add(decision)
                    yield decision


def _replay(this: Session, store: Store) -> Replay:
    accounts = {
        account.id: Account(store.directory(account.id), store.preferences(account.id))
        for account in store.accounts()
    }
    return Replay(accounts, this.fallback_account(store))


def _selected_users(this: Session, store: Store) -> frozenset[tuple[int, int]] | None:
    if not this.given_users:
        return None
    given = this.given_account
    accounts = [a.id for a in store.accounts()] if given is None else [given]
    found: set[tuple[int, int]] = set()
    for reference in this.given_users:
        missing = None
        matches = set()
        for account in accounts:
            try:
                matches.add((account, find_user(store, account, reference).id))
            except UsageError as error:
                missing = missing or error
        if not matches:
            raise missing or UsageError(
                f"there is no user {reference!r}", "nobody is on record: notifycli directory learn"
            )
        found |= matches
    return frozenset(found)


@contextmanager
def _progress(
    this: Session, files: list[str], *, wanted: bool | None
) -> Iterator[Callable[[int], None] | None]:
    if not (sys.stderr.isatty() and not this.quiet if wanted is None else wanted):
        yield None
        return
    from rich.progress import Progress  # noqa: PLC0415 - a pipe can spare it

    with Progress(console=console(this, stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=total_size(files))
        yield lambda size: bar.advance(task, size)


def _tell_assumptions(this: Session, assumed: Assumptions) -> None:
    if assumed.assignments_by_unknown:
        count = plural(assumed.assignments_by_unknown, "assignment")
        this.note(f"{count} without performed_by: taken as made by somebody else")
    if assumed.messages_in_unknown_inboxes:
        count = plural(assumed.messages_in_unknown_inboxes, "message")
        this.note(
            f"{count} in inboxes whose members are not on record: every user is taken to see "
            "them; add members: notifycli inbox add ID --member USER"
        )
    if assumed.unknown_agents:
        users = [str(user) for _, user in sorted(assumed.unknown_agents)]
        more = ", …" if len(users) > _NAMED else ""
        this.note(
            f"{plural(len(users), 'agent')} in the events but not in the directory "
            f"({', '.join(users[:_NAMED])}{more}): notifycli directory learn EVENTS would add them"
        )
    if assumed.times_back:
        this.note(f"{plural(assumed.times_back, 'event')} with a time older than the one before")
    if assumed.unknown_events:
        named = ", ".join(f"{name} ({n})" for name, n in assumed.unknown_events.most_common(_NAMED))
        count = plural(assumed.unknown_events.total(), "event")
        this.note(f"{count} with unknown names ignored: {named}")


def _tell_nothing_fired(this: Session, run: _Run) -> None:
    """Say in a line why nothing fired, and what to do about it."""
    reasons = run.summary.reasons
    if reasons[Reason.ENABLED]:
        return
    if not run.events:
        why = "there were no events"
    elif not reasons and not this.given_users:
        why = "no users are known, or no event concerns them; try notifycli directory learn EVENTS"
    elif not reasons:
        why = "no event concerns what was selected"
    elif set(reasons) <= {Reason.DISABLED, Reason.NOT_AUDIBLE}:
        why = (
            "everything is switched off; switch on: notifycli prefs set email.message=on --default"
        )
    else:
        counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        why = f"{counted}; --explain shows each"
    this.note(f"nothing fired: {why}")
