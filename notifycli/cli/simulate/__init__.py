"""`notifycli simulate`: which notifications would fire, and why the others would not."""

from __future__ import annotations

import shlex
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import typer
from msgspec import structs

from notifycli import __version__
from notifycli.cli.command import (
    SOME_USERS,
    ChannelOption,
    ConversationOption,
    InboxNames,
    ProgressBar,
    Strict,
    TypeOption,
    a_number,
    command_class,
    examples,
    session_of,
)
from notifycli.cli.decision_records import (
    JsonLines,
    show_changed_counts,
    show_changes,
    show_counts,
    show_decisions,
)
from notifycli.cli.inputs import find_inputs
from notifycli.cli.output import check_page, output_format, show, write, write_file
from notifycli.cli.profiles import Rules, profiles_of, tell_without_effect
from notifycli.cli.replay_run import (
    Proposal,
    Run,
    RunPass,
    Wishes,
    accounts_of,
    check_inboxes,
    offer_to_pack,
    progress_bar,
    read_selection,
    select_users,
    tell_assumptions,
    tell_unmet,
)
from notifycli.cli.session import Session, display_name, find_inboxes, plural
from notifycli.cli.terminal import encode, print_error
from notifycli.cli.times import Since, Until
from notifycli.errors import UsageError
from notifycli.events.event import Event
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.replay.scan import processors, start_pass
from notifycli.replay.sources import STDIN, BadLines, Inputs
from notifycli.rules.counts import Counts
from notifycli.rules.decision import Decision, Selection, join_fields
from notifycli.rules.notifications import SHORT_NAMES, Channel, NotificationType
from notifycli.rules.quiet_hours import nearest_zone, zone_info
from notifycli.rules.replay import Replay
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.report.findings import Observations, People
    from notifycli.rules.counts import Insight

T = TypeVar("T")
app = typer.Typer(rich_markup_mode=None, add_completion=False)
_DIFFERENT = 1
_NAMED = 5


class Asked(NamedTuple):
    """What is to be shown."""

    explain: bool
    summary: bool
    diff: bool
    exit_code: bool
    expect: str | None
    report: str | None
    zone: str | None
    jobs: int
    proposal: Proposal
    coverage: bool = False

    @property
    def compares(self) -> bool:
        """Whether the preferences as they are matter beside the proposed ones."""
        return self.diff or (self.exit_code and not self.coverage)

    @property
    def lists(self) -> bool:
        """Whether each record is shown, and not just what they come to."""
        return not (self.summary or self.coverage) and self.report is None

    def check(self) -> None:
        """Raise `UsageError` for what doesn't go together, or has no place."""
        if self.compares and not self.proposal.as_options:
            option = "--diff" if self.diff else "--exit-code"
            raise UsageError(
                f"{option} compares with other preferences or rules, and none are given",
                "propose some: --set [USER:]KEY=VALUE, --prefs FILE or --rules PROFILE",
            )
        others = {"--diff": self.diff, "--summary": self.summary, "--expect": self.expect}
        for option in [name for name, given in others.items() if given and self.coverage]:
            raise UsageError(f"--coverage and {option} show different things", "give one of them")
        if self.expect is not None and self.summary:
            raise UsageError("--expect and --summary show different things", "give one of them")
        check_page(self.report)

    def insight(self, session: Session) -> Insight | None:
        """Make what counts for the eye, where an eye will see it."""
        on_terminal = self.summary and session.shows_table
        if self.report is None and not (self.coverage or on_terminal):
            return None
        from notifycli.rules.counts import HourOfWeek, Insight  # noqa: PLC0415 - others take no more than its options

        return Insight(HourOfWeek(None if self.zone is None else zone_info(self.zone)))


def _zone(text: str) -> str:
    """Check the name of an IANA time zone."""
    try:
        zone_info(text)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        near = nearest_zone(text)
        meant = f"; did you mean {near}?" if near else " such as Europe/Berlin"
        raise typer.BadParameter(f"{text!r} is no IANA time zone{meant}") from None
    return text


Events = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[EVENTS]...",
        help="Files or folders of events, in whatever form, or their s3:, gs:, az: and https: "
        "addresses; - is standard input. None: what listen or watch has kept, else your "
        "Chatwoot's past since yesterday.",
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show the suppressed ones too, with their reasons.")
]
Coverage = Annotated[
    bool,
    typer.Option(
        "--coverage",
        help="What the events never reached instead: types that are on, preferences, people.",
    ),
]
Summary = Annotated[bool, typer.Option("--summary", help="Count by user, channel and type.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="[USER:]KEY=VALUE",
        help="What if: replay as if this were set in the layer `user`, of everybody if USER is "
        "left out. Locks and values for an inbox or a conversation still win. Stores nothing.",
    ),
]
PrefsFile = Annotated[
    str | None,
    typer.Option(
        "--prefs",
        metavar="FILE",
        help="What if: replay as if this document had been imported. Stores nothing.",
    ),
]
Diff = Annotated[
    bool,
    typer.Option(
        "--diff",
        help="Only what --set, --prefs and --rules would add or remove; with --explain, what "
        "is removed is shown with the reason why.",
    ),
]
ExitCode = Annotated[
    bool,
    typer.Option("--exit-code", help="Exit 1 if --set, --prefs or --rules make a difference."),
]
Expect = Annotated[
    str | None,
    typer.Option(
        "--expect",
        metavar="FILE",
        help="Compare what fires with expected records, JSON objects or CSV rows of any of the "
        "fields; show what is missing or unexpected, and exit 1 if anything is.",
    ),
]
Page = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Write a page with plots and filters instead of the list.",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--zone",
        parser=_zone,
        metavar="ZONE",
        help="The time zone of the map of hours; by default, this computer's.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        parser=a_number("number of processors"),
        metavar="N",
        help="The processors to use for large files on disk; what is printed never depends "
        "on it. By default all of them.",
    ),
]


@app.command(
    "simulate",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli simulate events.jsonl
notifycli simulate events.jsonl --explain -u jane@example.com --conversation 42
zcat webhooks-*.gz | notifycli simulate --summary
notifycli simulate today.jsonl.gz -o csv > decisions.csv
notifycli simulate events.jsonl | jq -r 'select(.channel == "email") | .email' | sort | uniq -c
notifycli simulate events.jsonl --set email.message=on --set jane@example.com:audio=all --diff
notifycli simulate week.jsonl.gz --prefs policy.csv --diff --report before-and-after.html
notifycli simulate events.jsonl --expect expected.jsonl
notifycli simulate events.jsonl --coverage --exit-code
"""
    ),
)
def simulate(
    ctx: typer.Context,
    events: Events = None,
    *,
    channel: ChannelOption = None,
    type_: TypeOption = None,
    inbox: InboxNames = None,
    conversation: ConversationOption = None,
    since: Since = None,
    until: Until = None,
    explain: Explain = False,
    summary: Summary = False,
    coverage: Coverage = False,
    settings: Settings = None,
    prefs: PrefsFile = None,
    rules: Rules = None,
    diff: Diff = False,
    exit_code: ExitCode = False,
    expect: Expect = None,
    report: Page = None,
    zone: Zone = None,
    strict: Strict = False,
    jobs: Jobs = None,
    progress: ProgressBar = None,
) -> None:
    """Replay conversation events and show which notifications would fire, and why.

    The events are Chatwoot's webhooks as they are sent. Nothing is sent and nothing is stored.
    """
    session, proposal = session_of(ctx), Proposal(tuple(settings or ()), prefs, rules)
    jobs = jobs or processors()
    asked = Asked(explain, summary, diff, exit_code, expect, report, zone, jobs, proposal, coverage)
    asked.check()
    selection = read_selection(channel, type_, conversation, since, until)
    inputs = find_inputs(session, events, since=since, until=until, conversations=conversation)
    check_page(report, *inputs.files, prefs, expect, session.location.name)
    run, inboxes = prepare(session, selection, asked, inbox, strict=strict)
    status = _show(session, run, inputs, asked, progress=progress)
    raise typer.Exit(finish(session, run, inputs, asked, inboxes) or status)


def prepare(
    session: Session, selection: Selection, asked: Asked, inbox: list[str] | None, *, strict: bool
) -> tuple[Run, set[int]]:
    """Make the replay of what is selected, and return with it the ids of the inboxes there are."""
    with session.store() as store:
        wishes = asked.proposal.wishes(session, store)
        selection = structs.replace(
            selection,
            users=select_users(session, store),
            account=session.given_account,
            inboxes=find_inboxes(store, session.given_account, inbox),
        )
        replay, before = _replays(session, store, selection, asked, wishes)
        # With their members they are many, and only a named one has to be among them.
        named = store.accounts() if inbox else ()
        inboxes = {one.id for account in named for one in store.inboxes(account.id)}
    return Run(replay, selection, BadLines(print_error, strict=strict), before), inboxes


def _replays(
    session: Session, store: Store, selection: Selection, asked: Asked, wishes: Wishes | None
) -> tuple[Replay, Replay | None]:
    """Make the replay of what is proposed, rules and preferences, and of what is stored.

    The latter only where the two are compared.
    """
    rules = asked.proposal.rules
    own, fallback = profiles_of(store, None), session.fallback_account(store)
    profiles = own if rules is None else profiles_of(store, rules)
    stored = accounts_of(session, store, own) if asked.compares else None
    accounts = accounts_of(session, store, profiles, wishes)
    tell_without_effect(session, accounts.values())
    replay = Replay(accounts, fallback, selection, asked.insight(session))
    before = None if stored is None else Replay(stored, fallback, selection, asked.insight(session))
    return replay, before


def finish(session: Session, run: Run, inputs: Inputs, asked: Asked, inboxes: Iterable[int]) -> int:
    """Say what came of nothing, what was assumed and wasn't met; give the status of bad lines.

    Raises `UsageError` for an inbox that neither the directory nor an event has.
    """
    if not run.bad.count:
        check_inboxes(run.selection.inboxes, inboxes, run.replay.assumptions)
    if asked.diff and not any(run.changes.total()):
        session.info("no difference")
    if not tell_unmet(session, run):
        tell_assumptions(session, run.replay)
    offer_to_pack(session, inputs.files)
    status = run.bad.finish()
    if not asked.diff:
        _tell_nothing_fired(session, run, explained=asked.explain)
    return status


def _show(
    session: Session, run: Run, inputs: Inputs, asked: Asked, *, progress: bool | None
) -> int:
    """Show what is asked for, which replays, and give the exit status."""
    if asked.report is not None:
        from notifycli.report.findings import Observations  # noqa: PLC0415 - only with --report

        run.observations = Observations()
    records = _records(session, run, inputs, asked, wanted=progress)
    status = 0
    if asked.expect is not None:
        from notifycli.cli.simulate.expectations import show_mismatches  # noqa: PLC0415 - only with --expect

        status = show_mismatches(session, records, asked.expect, changes=asked.diff)
    elif asked.compares:
        show = show_changes if asked.diff else show_decisions
        if asked.lists:
            show(session, records, explain=asked.explain, digests=run.has_digests)
        else:
            deque(records, maxlen=0)
    elif not asked.lists:
        deque(_made(session, run, inputs, asked, run.count, wanted=progress), maxlen=0)
    elif output_format(session) == "jsonl":
        make = JsonLines(partial(run.recipients, explain=asked.explain))
        write(_made(session, run, inputs, asked, make, wanted=progress))
    else:
        show_decisions(session, records, explain=asked.explain, digests=run.has_digests)
    if asked.coverage:
        missed = _show_unreached(session, run)
        status = _DIFFERENT if asked.exit_code and missed else status
    _show_counted(session, run, inputs, asked)
    return _DIFFERENT if asked.exit_code and any(run.changes.total()) else status


def _records(
    session: Session, run: Run, inputs: Inputs, asked: Asked, *, wanted: bool | None
) -> Iterator[Decision]:
    """Replay, and return the decisions that are to be shown."""
    if asked.compares:
        compare = partial(run.compare, explain=asked.explain, changes=asked.diff)
        for decisions in _made(session, run, inputs, asked, compare, wanted=wanted):
            yield from decisions
        return
    decide = partial(run.recipients, explain=asked.explain)
    for fields, recipients in _made(session, run, inputs, asked, decide, wanted=wanted):
        for recipient in recipients:
            yield join_fields(fields, recipient)


def _made(
    session: Session,
    run: Run,
    inputs: Inputs,
    asked: Asked,
    make: Callable[[Event], T | None],
    *,
    wanted: bool | None,
) -> Iterator[T]:
    """Replay under a progress bar, and return what is made of each event.

    The bar is gone with the last of it: before a table comes.
    """
    start = start_pass(inputs, run.bad, RunPass(run, make), asked.jobs)
    with progress_bar(session, inputs.files, wanted=wanted) as advance:
        yield from start(advance)


def _show_counted(session: Session, run: Run, inputs: Inputs, asked: Asked) -> None:
    if asked.report is not None:
        _write_report(session, run, inputs.files, asked)
    if asked.summary and session.shows_table:
        from notifycli.cli.simulate.charts import show_insights  # noqa: PLC0415 - only on a terminal

        show_insights(session, run, asked.zone, compared=asked.diff)
    elif asked.summary and asked.diff:
        show_changed_counts(session, run.replay.counts().changed(run.changes))
    elif asked.summary:
        show_counts(session, run.replay.counts().by_user())


def _show_unreached(session: Session, run: Run) -> int:
    """Show what the events never reached; gives how much that is."""
    from notifycli.rules.coverage import Unreached, unreached  # noqa: PLC0415 - only with --coverage

    found = unreached(run.replay.accounts, run.insights()[1], run.users())
    show(session, found, Unreached)
    counted = Counter(one.what for one in found)
    told = ", ".join(plural(count, what) for what, count in counted.items())
    session.info(f"never reached: {told}" if told else "everything was reached")
    return len(found)


def _tell_nothing_fired(session: Session, run: Run, *, explained: bool) -> None:
    """Say in a line why nothing fired, and what to do about it."""
    counts = run.replay.counts()
    if counts.fired.total():
        return
    if not run.events:
        why = "there were no events"
    elif counts.is_empty and run.selection == Selection():
        why = "no users are known, or no event concerns them; try notifycli directory learn EVENTS"
    elif counts.is_empty:
        why = "no event concerns what was selected"
    elif not counts.held:
        why = f"everything is switched off; {_switch_on(run, counts)}"
    else:
        most = sorted(counts.held.items(), key=lambda one: (-one[1], one[0]))
        counted = ", ".join(f"{count} {reason}" for reason, count in most)
        more = "" if explained else "; --explain shows each"
        why = f"of what is switched on, {counted}{more}"
    session.info(f"nothing fired: {why}")


def _switch_on(run: Run, counts: Counts) -> str:
    """Say how to switch on what these events would tell most often."""
    often = Counter[tuple[Channel, NotificationType]]()
    for (_, _, channel, type_), times in counts.decided.items():
        often[channel, type_] += times
    (channel, type_), _ = min(often.items(), key=lambda one: (one[0][0] is Channel.AUDIO, -one[1]))
    sound = channel is Channel.AUDIO
    key, value = ("audio", "all") if sound else (f"{channel}.{type_}", "on")
    if any(key in one.preferences.lock for one in run.replay.accounts.values()):
        return "some of it is locked: notifycli prefs export --layer lock"
    short = key if sound else f"{channel}.{SHORT_NAMES[type_]}"
    return f"switch on: notifycli prefs set {short}={value} --default"


def _write_report(session: Session, run: Run, files: Sequence[str], asked: Asked) -> None:
    """Write the page and say where it is. Raises as `write_file` does."""
    from notifycli.report import About, report  # noqa: PLC0415 - only with --report
    from notifycli.rules.coverage import unreached  # noqa: PLC0415 - the same

    assert asked.report is not None  # noqa: S101 - or there is none
    assert run.observations is not None  # noqa: S101
    before, after = run.insights()
    with session.store() as store:
        links = {id_: f"{url}/conversations/" for id_, url in store.dashboard_urls().items()}
    about = About(
        people=_people(run),
        zone=asked.zone or _local_zone(run.observations),
        tz=None if asked.zone is None else zone_info(asked.zone),
        links=links,
        command=session.typed(_command(files, asked.proposal.as_options)),
        source=_source(run, files, asked.proposal.as_options),
        unreached=unreached(run.replay.accounts, after, run.users()),
    )
    page = report(before if asked.diff else None, after, run.observations, about)
    write_file(asked.report, encode(page, "utf-8"))
    session.info(f"wrote {asked.report}")


def _local_zone(observations: Observations) -> str:
    """Name this computer's time zone, as it was called when the events begin."""
    if observations.span is None:
        return "local time"
    return f"local time, {time.strftime('%Z', time.localtime(observations.span[0] // SECOND))}"


def _people(run: Run) -> People:
    """Name the selected users of the accounts that the events are of."""
    from notifycli.report.findings import People  # noqa: PLC0415 - only with --report

    _, after = run.insights()
    met = {agent.account for agent, _, _ in after.reasons} or {*run.replay.accounts}
    users = {key: user for key, user in run.users().items() if key[0] in met}
    namesakes = Counter((account, user.name) for (account, _), user in users.items())
    names = {
        key: f"{user.name} ({display_name(user)})"
        if namesakes[key[0], user.name] > 1 and user.name
        else user.name or user.email or f"user {user.id}"
        for key, user in users.items()
    }
    return People(names, several=len(met) > 1)


def _command(files: Sequence[str], proposal: str) -> str:
    named = [file for file in files if file != STDIN]
    given = shlex.join(named) if named and len(named) <= _NAMED else "EVENTS"
    return " ".join(filter(None, ("notifycli simulate", given, proposal, "--explain")))


def _source(run: Run, files: Sequence[str], proposal: str) -> dict[str, str]:
    """Say what the page was made of: the same for the same input, whenever that is."""
    named = ["standard input" if file == STDIN else file for file in files[:_NAMED]]
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    source = {"Events": f"{plural(run.events, 'event')} of {', '.join(named)}{more}"}
    if run.observations is not None and run.observations.span is not None:
        source["Time"] = " to ".join(map(format_moment, run.observations.span))
    if proposal:
        source["Proposed"] = proposal
    if rules := ", then ".join(run.rules()):
        source["Rules"] = rules
    return source | {"Made by": f"notifycli {__version__}"}
