"""`notifycli why`: what a user got and did not get, event by event, and how to change it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer
from msgspec import Struct

from notifycli.cli.command import (
    USER,
    ChannelOption,
    ConversationOption,
    Strict,
    TypeOption,
    command_class,
    examples,
    session_of,
)
from notifycli.cli.inputs import find_inputs
from notifycli.cli.output import check_page, show
from notifycli.cli.profiles import Rules, profiles_of, tell_without_effect
from notifycli.cli.replay_run import (
    Run,
    accounts_of,
    read_selection,
    tell_assumptions,
    tell_unmet,
)
from notifycli.cli.session import READ_PREFERENCES, Session, display_name, plural
from notifycli.cli.terminal import pager, print_error
from notifycli.cli.times import Since, Until, now, read_time
from notifycli.cli.why.why_records import (
    Asker,
    Askers,
    EventAnswer,
    PastPreferences,
    Remedies,
    Sent,
    Sentences,
    WhyDigest,
    WhyRecord,
    answer,
    of_one,
    select,
)
from notifycli.errors import UsageError
from notifycli.events.event import Due, Event
from notifycli.replay.scan import processors, start_pass
from notifycli.replay.sources import BadLines
from notifycli.rules.decision import Outcome, Selection
from notifycli.rules.directory import User
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import Channel
from notifycli.rules.replay import Account, Replay
from notifycli.store.store import Store


def _moment(text: str) -> int:
    return now() if text.strip().lower() == "now" else read_time(text)


app = typer.Typer(rich_markup_mode=None, add_completion=False)


Events = Annotated[
    list[str] | None,
    typer.Argument(metavar="[EVENTS]...", help="As for simulate; - is standard input."),
]
AsOf = Annotated[
    int | None,
    typer.Option(
        "--as-of",
        parser=_moment,
        metavar="TIME|now",
        help="Go by the preferences of this time. [default: of each event's time]",
    ),
]
Page = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Write a page instead: events down, people across, and why for each mark. It is "
        "of one --conversation.",
    ),
]


@app.command(
    "why",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli why -u jane@example.com --since tuesday
notifycli why -u jane@example.com --conversation 42 events.jsonl
notifycli why --conversation 42 events.jsonl
notifycli why --conversation 42 events.jsonl --report timeline.html
zcat webhooks-*.gz | notifycli why -u 7 --conversation 42
notifycli why -u jane@example.com --conversation 42 events.jsonl -o json
"""
    ),
)
def why(
    ctx: typer.Context,
    events: Events = None,
    *,
    conversation: ConversationOption = None,
    channel: ChannelOption = None,
    type_: TypeOption = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    report: Page = None,
    rules: Rules = None,
    strict: Strict = False,
) -> None:
    """Tell, event by event, what a user would get and what not, and what to type to change it.

    Of one conversation, without a user named, it tells of everybody. It says which preference of
    which layer decides, as it was at the time, so far as the history of this store goes back.
    Nothing is sent or stored. Where deliver has sent it, that is told.
    """
    session = session_of(ctx)
    selection = read_selection(channel, type_, conversation, since, until)
    _check_report(report, selection)
    inputs = find_inputs(session, events, since=since, until=until, conversations=conversation)
    check_page(report, *inputs.files, session.location.name)
    with session.store() as store:
        account = session.resolve_account(store)
        mail_server = store.configuration.get("smtp.host")
        accounts = accounts_of(session, store, profiles_of(store, rules))
        askers, past = _askers(session, store, account, accounts, selection)
        replay = Replay(accounts, session.fallback_account(store))
    if as_of is not None:
        askers.account.take_over(askers.account.directory, past.at(as_of))
    tell_without_effect(session, accounts.values())
    run = Run(replay, selection, BadLines(print_error, strict=strict))
    history, told = past if as_of is None else None, _Tally()
    asking = _Asking(run, askers, account, history)
    start = start_pass(inputs, run.bad, asking, processors())
    _show(session, _watch(start(None), told), askers, selection, report)
    unsent = Channel.EMAIL in told.channels and not mail_server
    if run.events and not (told.answers if session.shows_table else told.records):
        session.info("nothing to tell: no event concerns what was selected")
    raise typer.Exit(_finish(session, run, history, unsent=unsent))


class _Asking:
    """A run as a pass that answers for the events of an account.

    It goes by the preferences of each event's time, if those of the past are given. Of several
    people, only what is of the selected conversations is answered for.
    """

    def __init__(
        self, run: Run, askers: Askers, account: int, past: PastPreferences | None
    ) -> None:
        self.replay = run.replay
        self._linked = past is not None and past.links_conversations()
        self.timed = [run.replay] if self._linked else run.timed()
        self.keep = run.keep
        self._run = run
        self._askers = askers
        self._account = account
        self._past = past

    def fold(self, event: Event, *, news: bool) -> EventAnswer | None:
        """Return what there is to say of an event, if that is asked."""
        run, selection = self._run, self._run.selection
        run.events += not isinstance(event, Due)
        ours = event.account == self._account
        asked = ours and selection.takes_event(event)
        found = EventAnswer(event, [], others=False)
        # What is due later may hang on what held at an event that isn't asked for.
        if news and self._past is not None and ours and (asked or self.timed):
            self._past.enter(self._askers.account, event)
        if news and not asked:
            self.replay.fold(event)
        elif news:
            found = select(answer(self.replay, event, self._askers), selection)
        # Between events there are others' deadlines, which say nothing to this one.
        return found if asked and (found.records or not isinstance(event, Due)) else None

    def undivided(self) -> set[int]:
        """Return the accounts whose conversations can't be folded apart from each other."""
        return self._run.undivided() | ({self._account} if self._linked else set())

    def counted(self) -> tuple[Any, bool]:
        """Return what was counted, and whether an event was older than the past that is known."""
        return self._run.counted(), self._past is not None and self._past.unknown

    def merge(self, counted: tuple[Any, bool]) -> None:
        """Add what was counted of other events."""
        self._run.merge(counted[0])
        if self._past is not None:
            self._past.unknown |= counted[1]


def _finish(session: Session, run: Run, past: PastPreferences | None, *, unsent: bool) -> int:
    """Say what isn't sent, wasn't met or known, and was assumed; give the status of bad lines."""
    if unsent:
        session.info(
            "no mail server is set, so no e-mail is sent yet: notifycli config set smtp.host=…"
        )
    if not run.events:
        session.info("there were no events")
    if past is not None:
        past.tell_unknown(session)
    if not tell_unmet(session, run):
        tell_assumptions(session, run.replay)
    return run.bad.finish()


def _check_report(report: str | None, selection: Selection) -> None:
    if report is not None and len(selection.conversations) != 1:
        raise UsageError("--report draws one conversation", "name it: --conversation ID")


def _askers(
    session: Session,
    store: Store,
    id_: int,
    accounts: Mapping[int, Account],
    selection: Selection,
) -> tuple[Askers, PastPreferences]:
    if id_ not in accounts:
        session.resolve_user(store, id_)  # tells that nobody is on record
    account = accounts[id_]
    option = session.db_option + (f" -a {id_}" if len(store.accounts()) > 1 else "")
    several = len(account.directory.users) > 1
    everybody = several and len(selection.conversations) == 1 and not session.given_users
    user = None if everybody else session.resolve_user(store, id_)
    past = PastPreferences(store, id_, None if user is None else user.id)
    conversations = selection.conversations if everybody else ()
    sent = Sent(store, id_, None if user is None else user.id, conversations)
    dashboard = store.dashboard_urls().get(id_)
    link = f"{dashboard}/conversations/" if dashboard else ""
    _tell_unread(session, store, id_, past.today, store.users(id_) if user is None else [user])

    def make(user: User) -> Asker:
        today = of_one(past.today, user.id)
        sentences, remedies = (
            Sentences(user, account, today),
            Remedies(user, account, today, option),
        )
        return Asker(user, account, today, option, sentences, remedies, sent, link)

    return Askers(user, make, account), past


def _tell_unread(
    session: Session, store: Store, account: int, preferences: Preferences, users: Iterable[User]
) -> None:
    """Say whose preferences at the connected Chatwoot nobody has read: ours stand in."""
    connection = store.connection(account)
    if connection is None:
        return
    seen = store.chatwoot.sightings(account)
    unread = [u for u in users if u.id not in seen and not preferences.own_keys(u.id, None)]
    if unread:
        whose = display_name(unread[0]) if len(unread) == 1 else plural(len(unread), "user")
        session.warn(
            f"what {whose} set at {connection.url} was never read: this goes by what is set here; "
            f"{READ_PREFERENCES}"
        )


class _Tally(Struct):
    """How much was told."""

    answers: int = 0
    records: int = 0
    channels: set[Channel] = set()
    """On which something would be delivered."""


def _watch(answers: Iterable[EventAnswer], told: _Tally) -> Iterator[EventAnswer]:
    """Pass answers on, and note how much is told."""
    for one in answers:
        told.answers += 1
        told.records += len(one.records)
        fires = (record for record in one.records if record.outcome is Outcome.FIRE)
        told.channels.update(record.channel for record in fires if record.deliverable)
        yield one


def _show(
    session: Session,
    answers: Iterable[EventAnswer],
    askers: Askers,
    selection: Selection,
    report: str | None,
) -> None:
    [conversation] = selection.conversations if len(selection.conversations) == 1 else [0]
    if report is not None:
        from notifycli.cli.why.conversation import write_timeline  # noqa: PLC0415 - only with --report

        write_timeline(session, [*answers], askers, conversation, report)
    elif not session.shows_table:
        records = (record for one in answers for record in one.records)
        show(session, records, WhyRecord if askers.account.digests is None else WhyDigest)
    elif askers.only is not None:
        from notifycli.cli.why.why_text import tell  # noqa: PLC0415 - a pipe can spare rich

        with pager():
            tell(session, answers, askers.only)
    else:
        from notifycli.cli.why.conversation import tell_conversation  # noqa: PLC0415 - as above

        with pager():
            tell_conversation(session, [*answers], askers, conversation)
