"""`notifycli deliver [run]`: what fires is written to the outbox, and sent."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.command import (
    SOME_USERS,
    ChannelOption,
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
from notifycli.replay.sources import BadLines, Inputs, Record, read_records
from notifycli.rules.decision import Decision, Selection
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.cli.deliver.worker import DeliveryRun
    from notifycli.delivery.channels import Channels
    from notifycli.delivery.engine import Engine
    from notifycli.delivery.enqueue import Enqueuer, Terms
    from notifycli.server.metrics import Metrics
    from notifycli.store.outbox import Scope

app = part()


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
    events: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EVENTS]...",
            help="Files of events, as for simulate; - is stdin. None on a terminal: --pending.",
        ),
    ] = None,
    *,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            "-f",
            help="Go on with what is written to the last file, also when it is rotated; begun "
            "again, it takes what has come meanwhile.",
        ),
    ] = False,
    from_store: Annotated[
        bool,
        typer.Option(
            "--store",
            help="With --follow: what listen --store receives, on as many hosts as there are.",
        ),
    ] = False,
    pending: Annotated[
        bool, typer.Option("--pending", help="Read no events: send what is left over.")
    ] = False,
    channel: ChannelOption = None,
    limit: Annotated[
        int | None,
        typer.Option(parser=a_number("limit"), metavar="N", help="Send at most so many."),
    ] = None,
    max_age: Annotated[
        int,
        typer.Option(
            parser=read_span,
            metavar="SPAN",
            help="How old an event may be; what is older is history, and is not sent.",
        ),
    ] = "1h",  # type: ignore[assignment] # read by the parser
    rules: Rules = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; write and send nothing.")
    ] = False,
    log_format: LogFormatOption = None,
    metrics: Annotated[
        int | None,
        typer.Option(
            "--metrics",
            parser=a_number("port", highest=65535),
            metavar="PORT",
            help="With --follow: what a monitor asks (Prometheus), at this port of this machine.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line.")] = False,
    progress: Annotated[
        bool | None,
        typer.Option(
            "--progress/--no-progress",
            help="A line of progress on standard error; on by default on a terminal.",
        ),
    ] = None,
) -> None:
    """Send what fires in events, by e-mail, push and sound.

    They are replayed as simulate does. Each notification is written to an outbox first: what can't
    be sent now is tried again, and what was sent is never sent again, however often its event is
    read. Sounds are played for one user, who is named with -u. Old events are history: they are
    replayed, and nobody is told of them.
    """
    session = session_of(ctx)
    _check(follow=follow, dry_run=dry_run, metrics=metrics)
    files = _files(session, events, follow=follow, pending=pending, from_store=from_store)
    with ExitStack() as stack, session.store() as store:
        if from_store:
            _ = store.received  # or it says why there is none
        from notifycli.cli.deliver.source import Source  # noqa: PLC0415 - not for the help
        from notifycli.cli.deliver.worker import DeliveryRun, warn_of_doubles  # noqa: PLC0415
        from notifycli.delivery.enqueue import Terms  # noqa: PLC0415
        from notifycli.store.outbox import Scope  # noqa: PLC0415

        named = frozenset(map(Channel, channel or ()))
        follows = follow or log_format is not None
        counted = None if metrics is None else _serve_metrics(session, metrics, stack)
        log = LogWriter(session, log_format or LogFormat.TEXT, counted) if follows else None
        channels = _channels(session, store, named, log, needed=not dry_run)
        users = select_users(session, store)
        feeder, account = None, session.given_account
        if files or from_store:
            terms = Terms(Selection(users=users, channels=named, account=account), max_age, limit)
            feeder = _enqueuer(session, store, terms, channels, rules)
        scope = Scope(named or frozenset(Channel), users, account)
        warn_of_doubles(session, store, scope)
        if dry_run:
            status = _show(session, files, feeder, strict=strict)
        else:
            bad = BadLines(print_error, strict=strict)
            source = Source(session, store, files, bad, follow=follow, from_store=from_store)
            engine = _engine(store, channels, scope, limit, log)
            work = DeliveryRun(feeder, engine, source, log)
            status = _send(session, store, work, scope, progress=progress)
    raise typer.Exit(status)


def _check(*, follow: bool, dry_run: bool, metrics: int | None) -> None:
    """Raise `UsageError` for what doesn't go together."""
    if dry_run and follow:
        raise UsageError("--dry-run reads what is there, and can't follow", "leave out one of both")
    if metrics is not None and not follow:
        raise UsageError("--metrics is for a run that goes on", "add --follow")


def _enqueuer(
    session: Session, store: Store, terms: Terms, channels: Channels, rules: str | None
) -> Enqueuer:
    """Make what replays the events, and say which settings have no effect by its rules."""
    from notifycli.delivery.enqueue import Enqueuer  # noqa: PLC0415 - not for the help

    fallback, profile = session.fallback_account(store), partial(profile_of, store, rules)
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


def _files(
    session: Session, events: list[str] | None, *, follow: bool, pending: bool, from_store: bool
) -> list[str]:
    """Give the files to read; none, where all that is sent is left over, or is in the store."""
    if from_store and (events or pending or not follow):
        raise UsageError("--store follows what is received", "deliver --follow --store, alone")
    if from_store:
        return []
    if pending and (events or follow):
        raise UsageError("--pending reads no events", "leave it out: what is left over is sent too")
    alone = not events and is_terminal(sys.stdin)
    if alone and follow:
        raise UsageError("--follow needs a file to follow", "name one, or give - for a pipe")
    if alone and not pending:
        session.info("no events are named: sending what is left over (--pending)")
    return [] if pending or alone else session.input_files(events)


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
    channels = Channels(store, named or frozenset(usual), write)
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
    show_decisions(session, _would_be_sent(records, feeder, bad), explain=False)
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
