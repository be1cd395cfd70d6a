"""`notifycli deliver`: what fires is written to an outbox and sent, and what is in it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from msgspec import Struct, structs

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
from notifycli.cli.output import show
from notifycli.cli.profiles import Rules, profile_of, tell_without_effect
from notifycli.cli.replay_run import select_users, tell_assumptions
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import input_descriptor, is_terminal, print_error
from notifycli.cli.times import in_words, now, read_span, to_the_minute
from notifycli.errors import UsageError
from notifycli.events.timestamps import format_moment
from notifycli.replay.scan import take_record
from notifycli.replay.sources import STDIN, BadLines, Inputs, Record, read_records
from notifycli.rules.decision import Decision, Selection
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel, NotificationType
from notifycli.store.outbox import Noted, NoticeState, Scope, StateCount
from notifycli.store.store import Store
from notifycli.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from notifycli.cli.deliver.worker import DeliveryRun
    from notifycli.delivery.engine import Channels, Engine
    from notifycli.delivery.enqueue import Enqueuer
    from notifycli.server.metrics import Metrics

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
    bad = BadLines(print_error, strict=asked.strict, counted=log.count_bad_line if log else None)
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
    from notifycli.delivery.enqueue import (  # noqa: PLC0415 - not for the help
        Enqueuer,
        Terms,
        wall_clock,
    )

    selection = Selection(users=scope.users, channels=asked.channels, account=scope.account)
    terms = Terms(selection, asked.max_age, asked.limit)
    fallback, profile = session.fallback_account(store), partial(profile_of, store, asked.rules)
    clock = wall_clock if asked.follow else None
    enqueuer = Enqueuer(store, fallback, terms, channels, profile, clock=clock)
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
    from notifycli.delivery.channels import discard  # noqa: PLC0415 - not for the help
    from notifycli.delivery.engine import Channels  # noqa: PLC0415 - not for the help

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
    records = read_records(Inputs(tuple(files), input_descriptor, session.suggest), bad)
    digests = any(account.digests is not None for account in feeder.replay.accounts.values())
    sent = _would_be_sent(records, feeder, bad)
    show_decisions(session, sent, explain=False, digests=digests)
    tell_skipped(session, feeder.fed, feeder.channels)
    tell_broken(session, feeder.channels)
    tell_assumptions(session, feeder.replay)
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
            tell_assumptions(session, work.feeder.replay)
    return status or work.bad.finish()


Ids = Annotated[
    list[int] | None,
    typer.Argument(
        parser=a_number("notification's number"),
        metavar="[ID]...",
        help="Which ones, as status lists them.",
    ),
]


class NoticeRecord(Struct):
    """A notification in the outbox, as printed; times are ISO 8601 in UTC."""

    id: int
    at: str | None
    account_id: int
    user_id: int
    email: str | None
    type: NotificationType
    channel: Channel
    event: str
    conversation_id: int | None
    message_id: int | None
    state: NoticeState
    attempts: int
    changed_at: str
    next_at: str | None
    """When it is tried next, if it is pending."""
    why: str
    remedy: str


class CountRecord(Struct):
    """How many notifications of a channel are in a state, and since when the first of them is."""

    channel: Channel
    state: NoticeState
    count: int
    oldest: str
    why: str
    """Why what is pending waits, if that is known."""


@app.command(
    "status",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli deliver status
notifycli deliver status --state dead -o json | jq -r '.[] | "\\(.id) \\(.why)"'
notifycli deliver status --state pending --channel email
"""
    ),
)
def status(
    ctx: typer.Context,
    *,
    state: Annotated[
        NoticeState | None,
        typer.Option(
            help="List the notifications in this state, instead of counting.",
            metavar="|".join(NoticeState),
        ),
    ] = None,
    channel: ChannelOption = None,
) -> None:
    """Count what is in the outbox by channel and state.

    On a terminal what can't be sent is listed too. Nothing of what a message says is shown, and
    once it is sent or dropped nothing is kept of it.
    """
    session = session_of(ctx)
    with session.store() as store:
        scope = _scope(session, store, channel)
        if state is not None:
            _show_notices(session, [*store.outbox.in_state(state, scope)])
            return
        counts = store.outbox.counts(scope)
        dead = [*store.outbox.in_state(NoticeState.DEAD, scope)] if session.shows_table else []
    show(session, map(_count_record, counts), CountRecord, heads=_COUNT_HEADS, cells=_count_cells)
    for count in counts if session.shows_table else ():
        if count.why:
            session.info(f"{count.channel} waits: {count.why}")
    if dead:
        _show_notices(session, dead)
    if any(count.state is NoticeState.DEAD for count in counts):
        session.info(
            "what is dead waits again after notifycli deliver retry ID or --all, and then "
            "notifycli deliver --pending sends it; notifycli deliver drop gives it up"
        )
    if not counts:
        session.info("the outbox is empty: notifycli deliver EVENTS fills it")


@app.command(
    "retry",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli deliver retry 17 18
notifycli deliver retry --all --channel email && notifycli deliver --pending
"""
    ),
)
def retry(
    ctx: typer.Context,
    ids: Ids = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything that couldn't be sent.")
    ] = False,
    channel: ChannelOption = None,
) -> None:
    """Make what couldn't be sent pending again, as if it were new.

    What waits is due at once. Nothing is sent before the next deliver.
    """
    session = session_of(ctx)
    with session.store() as store:
        states = (NoticeState.DEAD,) if everything else (NoticeState.DEAD, NoticeState.PENDING)
        chosen = _select(session, store, ids, channel, states, everything=everything)
        count = store.outbox.retry(chosen, now())
    if count:
        told = plural(count, "notification")
        session.info(f"{told} pending: notifycli deliver --pending sends them")
    else:
        session.info("nothing to try again: see notifycli deliver status")


@app.command(
    "drop",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli deliver drop 17
notifycli deliver drop --all                    what couldn't be sent
notifycli deliver drop --all --state pending    what waits
"""
    ),
)
def drop(
    ctx: typer.Context,
    ids: Ids = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything that couldn't be sent, or with --state waits.")
    ] = False,
    state: Annotated[
        NoticeState, typer.Option(help="With --all: dead or pending.", metavar="dead|pending")
    ] = NoticeState.DEAD,
    channel: ChannelOption = None,
) -> None:
    """Give up what couldn't be sent, or hasn't been.

    That is for good, even if its event is read again.
    """
    session = session_of(ctx)
    if state not in (NoticeState.DEAD, NoticeState.PENDING):
        raise UsageError(f"what is {state} can't be dropped", "name dead or pending")
    with session.store() as store:
        states = (state,) if everything else (NoticeState.DEAD, NoticeState.PENDING)
        chosen = _select(session, store, ids, channel, states, everything=everything)
        count = store.outbox.drop(chosen, now())
    session.info(f"{plural(count, 'notification')} dropped")


def _select(
    session: Session,
    store: Store,
    ids: list[int] | None,
    channel: list[str] | None,
    states: Sequence[NoticeState],
    *,
    everything: bool,
) -> list[int]:
    """Give the notices that are meant. Raises `UsageError`, and then nothing is changed."""
    if bool(ids) == everything:
        raise UsageError(
            "name the notifications by their ids, or all of them by --all",
            "see them: notifycli deliver status --state dead",
        )
    scope = _scope(session, store, channel)
    if everything:
        return [notice.id for state in states for notice in store.outbox.in_state(state, scope)]
    found = store.outbox.states(ids or (), scope)
    where = "" if scope.account is None else f" in account {scope.account}"
    for id_ in ids or ():
        if id_ not in found:
            raise UsageError(f"there is no notification {id_}{where}", "notifycli deliver status")
        if found[id_] not in states:
            named = " or ".join(states)
            raise UsageError(f"notification {id_} is {found[id_]}, not {named}: nothing was done")
    return [*found]


def _scope(session: Session, store: Store, channel: list[str] | None) -> Scope:
    channels = frozenset(map(Channel, channel)) if channel else None
    return Scope(channels, select_users(session, store), session.given_account)


def _show_notices(session: Session, notices: list[Noted]) -> None:
    moment = now()
    ages = {n.id: in_words(min(n.changed_at, moment), moment) for n in notices}
    remedies = {""}

    def cells(record: NoticeRecord) -> Sequence[RenderableType]:
        remedy = "" if record.remedy in remedies else f"\n→ {printable(record.remedy)}"
        remedies.add(record.remedy)
        told = f"{_describe(record)}{remedy}"
        return [str(record.id), str(record.attempts), ages[record.id], told]

    heads = ["Id", "Tries", "Changed", "What"]
    records = [_notice_record(noted) for noted in notices]
    for record in records:
        record.remedy = session.typed(record.remedy)
    show(session, records, NoticeRecord, heads=heads, cells=cells)


def _describe(record: NoticeRecord) -> str:
    from notifycli.cli.decision_records import what  # noqa: PLC0415 - not for a run

    whom = printable(record.email or str(record.user_id))
    about = f", conversation {record.conversation_id}" if record.conversation_id else ""
    why = f"\n{printable(record.why)}" if record.why else ""
    return f"{what(record.channel, record.type)} for {whom}{about}{why}"


_COUNT_HEADS = ["Channel", "State", "Count", "Oldest (UTC)"]


def _count_cells(record: CountRecord) -> Sequence[RenderableType]:
    return [record.channel, record.state, f"{record.count:,}", to_the_minute(record.oldest)]


def _count_record(count: StateCount) -> CountRecord:
    oldest = format_moment(count.oldest // 1_000_000 * 1_000_000)
    return CountRecord(count.channel, count.state, count.count, oldest, count.why)


def _notice_record(noted: Noted) -> NoticeRecord:
    fields = structs.asdict(noted)
    due = fields.pop("due_at")
    return NoticeRecord(
        **{
            **fields,
            "at": None if noted.at is None else format_moment(noted.at),
            "changed_at": format_moment(noted.changed_at),
            "next_at": format_moment(due) if noted.state is NoticeState.PENDING else None,
        }
    )
