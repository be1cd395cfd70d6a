"""`notifycli deliver [run]`: what fires is written to the outbox, and sent."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from notifycli.cli.command import (
    SOME_USERS,
    ChannelOption,
    Strict,
    a_number,
    command_class,
    examples,
    part,
    session_of,
)
from notifycli.cli.log_writer import LogFormat, LogFormatOption, LogWriter
from notifycli.cli.profiles import Rules, profile_of, tell_without_effect
from notifycli.cli.replay_run import select_users, tell_assumptions
from notifycli.cli.session import Session
from notifycli.cli.terminal import input_descriptor, is_terminal, print_error
from notifycli.cli.times import read_span
from notifycli.errors import UsageError
from notifycli.replay.scan import take_record
from notifycli.replay.sources import STDIN, BadLines, Inputs, Record, read_records
from notifycli.rules.decision import Decision, Selection
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel
from notifycli.store import Store

if TYPE_CHECKING:
    from notifycli.cli.deliver.worker import DeliveryRun
    from notifycli.delivery.channels import Channels
    from notifycli.delivery.engine import Engine
    from notifycli.delivery.enqueue import Enqueuer
    from notifycli.server.metrics import Metrics
    from notifycli.store.outbox import Scope

app = part()


class RunOptions(NamedTuple):
    """How a run is to go."""

    follow: bool
    from_store: bool
    pending: bool
    channels: frozenset[Channel]
    """Those that are named; if none is, those of every run."""
    limit: int | None
    max_age: int
    rules: str | None
    dry_run: bool
    log_format: LogFormat | None
    metrics: int | None
    """The port."""
    strict: bool
    progress: bool | None


Events = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[EVENTS]...",
        help="Files of events, as for simulate; - is stdin. None on a terminal: --pending.",
    ),
]
Follow = Annotated[
    bool,
    typer.Option(
        "--follow",
        "-f",
        help="Go on with what is written to the last file, also when it is rotated; begun "
        "again, it takes what has come meanwhile.",
    ),
]
FromStore = Annotated[
    bool,
    typer.Option(
        "--store",
        help="With --follow: what listen --store receives, on as many hosts as there are.",
    ),
]
Pending = Annotated[bool, typer.Option("--pending", help="Read no events: send what is left over.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", parser=a_number("limit"), metavar="N", help="Send at most so many."),
]
MaxAge = Annotated[
    int,
    typer.Option(
        "--max-age",
        parser=read_span,
        metavar="SPAN",
        help="How old an event may be; what is older is history, and is not sent.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be sent; write and send nothing.")
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics",
        parser=a_number("port", highest=65535),
        metavar="PORT",
        help="With --follow: what a monitor asks (Prometheus), at this port of this machine.",
    ),
]
ProgressLine = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="A line of progress on standard error; on by default on a terminal.",
    ),
]


@app.command(
    "run",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli deliver events.jsonl --dry-run        what would be sent
notifycli deliver events.jsonl --limit 3        a careful beginning
notifycli deliver --follow /var/log/chatwoot/webhooks.jsonl
notifycli deliver --follow --store              what listen --store receives, on several hosts
notifycli deliver --pending                     what is left over
notifycli deliver --follow events.jsonl -u jane@example.com --channel audio
notifycli deliver status                        what was sent, what can't be, and why
notifycli deliver retry --all                   see also: notifycli deliver drop
"""
    ),
)
def run(
    ctx: typer.Context,
    events: Events = None,
    *,
    follow: Follow = False,
    from_store: FromStore = False,
    pending: Pending = False,
    channel: ChannelOption = None,
    limit: Limit = None,
    max_age: MaxAge = "1h",  # type: ignore[assignment] # read by the parser
    rules: Rules = None,
    dry_run: DryRun = False,
    log_format: LogFormatOption = None,
    metrics: MetricsPort = None,
    strict: Strict = False,
    progress: ProgressLine = None,
) -> None:
    """Send what fires in events, by e-mail, push and sound.

    They are replayed as simulate does. Each notification is written to an outbox first: what can't
    be sent now is tried again, and what was sent is never sent again, however often its event is
    read. Sounds are played for one user, who is named with -u. Old events are history: they are
    replayed, and nobody is told of them.
    """
    session, named = session_of(ctx), frozenset(map(Channel, channel or ()))
    asked = RunOptions(
        *(follow, from_store, pending, named, limit, max_age, rules, dry_run),
        *(log_format, metrics, strict, progress),
    )
    files = _files(session, events, asked)
    with ExitStack() as stack, session.store() as store:
        status = _deliver(session, store, files, asked, stack)
    raise typer.Exit(status)


def _deliver(
    session: Session, store: Store, files: list[str], asked: RunOptions, stack: ExitStack
) -> int:
    """Send, or show what would be sent; give the exit status."""
    if asked.from_store:
        _ = store.received  # or it says why there is none
    from notifycli.cli.deliver.source import Source  # noqa: PLC0415 - not for the help
    from notifycli.cli.deliver.worker import DeliveryRun, warn_of_doubles  # noqa: PLC0415
    from notifycli.store.outbox import Scope  # noqa: PLC0415

    log = _log_writer(session, asked, stack)
    channels = _channels(session, store, asked.channels, log, needed=not asked.dry_run)
    scope = Scope(asked.channels or None, select_users(session, store), session.given_account)
    reads = files or asked.from_store
    feeder = _enqueuer(session, store, scope, channels, asked) if reads else None
    warn_of_doubles(session, store, scope)
    if asked.dry_run:
        return _show(session, files, feeder, strict=asked.strict)
    if feeder is not None and asked.follow and files[-1:] == [STDIN]:
        _tell_untimed(session, feeder)
    bad = BadLines(print_error, strict=asked.strict)
    source = Source(session, store, files, bad, follow=asked.follow, from_store=asked.from_store)
    engine = _engine(store, channels, scope, asked.limit, log)
    work = DeliveryRun(feeder, engine, source, log)
    return _send(session, store, work, scope, progress=asked.progress)


def _tell_untimed(session: Session, feeder: Enqueuer) -> None:
    """Say of a pipe, of which nobody knows whether anything is in it, when deadlines come."""
    if feeder.replay.has_deadlines:
        session.warn(
            "in a pipe, waits and digests come with the next event, not when they are due"
            "\n  write the events to a file, and follow that: deliver --follow FILE"
        )


def _log_writer(session: Session, asked: RunOptions, stack: ExitStack) -> LogWriter | None:
    """Make the log of a run that goes on, and serve what is counted from it where that is asked."""
    counted = None if asked.metrics is None else _serve_metrics(session, asked.metrics, stack)
    if not asked.follow and asked.log_format is None:
        return None
    return LogWriter(session, asked.log_format or LogFormat.TEXT, counted)


def _enqueuer(
    session: Session, store: Store, scope: Scope, channels: Channels, asked: RunOptions
) -> Enqueuer:
    """Make what replays the events, and say which settings have no effect by its rules."""
    from notifycli.delivery.enqueue import Enqueuer, Terms  # noqa: PLC0415 - not for the help

    selection = Selection(users=scope.users, channels=asked.channels, account=scope.account)
    terms = Terms(selection, asked.max_age, asked.limit)
    fallback, profile = session.fallback_account(store), partial(profile_of, store, asked.rules)
    enqueuer = Enqueuer(store, fallback, terms, channels, profile)
    tell_without_effect(session, enqueuer.replay.accounts.values())
    return enqueuer


def _engine(
    store: Store, channels: Channels, scope: Scope, limit: int | None, log: LogWriter | None
) -> Engine:
    from notifycli.delivery.channels import discard  # noqa: PLC0415 - not for the help
    from notifycli.delivery.engine import Engine, Limits  # noqa: PLC0415

    limits = Limits(int(store.configuration.get("deliver.concurrency") or 1), limit)
    return Engine(store.outbox, channels, scope, limits, log.write if log else discard)


def _files(session: Session, events: list[str] | None, asked: RunOptions) -> list[str]:
    """Give the files to read; none, where all that is sent is left over, or is in the store.

    Raises `UsageError` for options that don't go together.
    """
    if asked.dry_run and asked.follow:
        raise UsageError("--dry-run reads what is there, and can't follow", "leave out one of both")
    if asked.metrics is not None and not asked.follow:
        raise UsageError("--metrics is for a run that goes on", "add --follow")
    if asked.from_store and (events or asked.pending or not asked.follow):
        raise UsageError("--store follows what is received", "deliver --follow --store, alone")
    if asked.from_store:
        return _all_of_store(session, asked)
    if asked.pending and (events or asked.follow):
        raise UsageError("--pending reads no events", "leave it out: what is left over is sent too")
    alone = not events and is_terminal(sys.stdin)
    if alone and asked.follow:
        raise UsageError("--follow needs a file to follow", "name one, or give - for a pipe")
    if alone and not asked.pending:
        session.info("no events are named: sending what is left over (--pending)")
    return [] if asked.pending or alone else session.input_files(events)


def _all_of_store(session: Session, asked: RunOptions) -> list[str]:
    """Give no file; refuse what would be read here once for all hosts, and sent to nobody."""
    if session.given_users or Channel.AUDIO in asked.channels:
        what = "-u" if session.given_users else "--channel audio"
        alone = "-u USER" if session.given_users else what
        raise UsageError(
            f"{what} with --store: what this reads no other sender reads again, so everybody else"
            " would be told of nothing",
            f"leave {what} out; for one user, follow a file: deliver --follow FILE {alone}",
        )
    for missing in sorted({Channel.EMAIL, Channel.PUSH} - asked.channels if asked.channels else ()):
        session.warn(
            f"nobody sends {missing} of what this reads, on no other host either; leave --channel"
            " out to send both"
        )
    return []


def _channels(
    session: Session,
    store: Store,
    named: frozenset[Channel],
    log: LogWriter | None,
    *,
    needed: bool,
) -> Channels:
    """Give the named channels, else those of every run: a sound is for whoever sits at this desk.

    Raises what keeps a named one from being used, where that is needed.
    """
    from notifycli.delivery.channels import Channels, discard  # noqa: PLC0415 - not for the help

    one_person = len(session.given_users) == 1
    if Channel.AUDIO in named and not one_person and not _is_alone(session, store):
        raise UsageError(
            "sounds are played for one person: whose speaker is this?",
            "name who sits here: -u EMAIL or -u ID",
        )
    usual = Channel if one_person else SWITCHED_CHANNELS
    write = log.write if log else discard
    channels = Channels(store, named or frozenset(usual), write, added=not named)
    for each in named if needed else ():
        if not channels.ready(each) and (trouble := channels.trouble(each)):
            raise trouble
    return channels


def _serve_metrics(session: Session, port: int, stack: ExitStack) -> Metrics:
    from notifycli.server.metrics import Metrics  # noqa: PLC0415 - only with --metrics

    made = Metrics(session.location)
    stack.callback(made.serve(port))
    session.info(f"metrics at http://127.0.0.1:{port}/metrics")
    return made


def _is_alone(session: Session, store: Store) -> bool:
    """Whether one user in one account is all that a run could be about."""
    accounts = store.accounts()
    only = session.given_account or (accounts[0].id if len(accounts) == 1 else None)
    return not session.given_users and only is not None and store.only_user(only) is not None


def _show(session: Session, files: list[str], feeder: Enqueuer | None, *, strict: bool) -> int:
    """Show what would be sent, and give the exit status."""
    from notifycli.cli.decision_records import show_decisions  # noqa: PLC0415 - for a dry run alone
    from notifycli.cli.deliver.worker import tell_broken, tell_skipped  # noqa: PLC0415

    if feeder is None:
        raise UsageError(
            "--dry-run needs events",
            "see what is left over: notifycli deliver status --state pending",
        )
    bad = BadLines(print_error, strict=strict)
    records = read_records(Inputs(tuple(files), input_descriptor, session.command), bad)
    digests = any(account.digests is not None for account in feeder.replay.accounts.values())
    sent = _would_be_sent(records, feeder, bad)
    show_decisions(session, sent, explain=False, digests=digests)
    tell_skipped(session, feeder.fed, feeder.channels)
    tell_broken(session, feeder.channels)
    tell_assumptions(session, feeder.replay.assumptions)
    return bad.finish()


def _would_be_sent(
    records: Iterable[Record], feeder: Enqueuer, bad: BadLines
) -> Iterator[Decision]:
    for file, number, text in records:
        for fault in take_record(text, number, feeder.take)[1]:
            bad.add(f"{file}:{number}", fault)
        yield from feeder.pending()


def _send(
    session: Session, store: Store, work: DeliveryRun, scope: Scope, *, progress: bool | None
) -> int:
    """Send it all, and give the exit status."""
    from notifycli.cli.deliver.worker import carry_out, tell_result  # noqa: PLC0415 - not for the help

    # A log takes the place of the bar.
    on_terminal = not (session.quiet or work.logs) and is_terminal(sys.stderr)
    try:
        carry_out(session, work, progress=on_terminal if progress is None else progress)
    finally:
        status = tell_result(session, store.outbox, work, scope)
        if work.feeder is not None:
            tell_assumptions(session, work.feeder.replay.assumptions)
    return status or work.bad.finish()
