"""`notifycli why`: what a user got and did not get, event by event, and how to change it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple

import typer
from msgspec import structs

from notifycli.cli.command import USER, examples, session, takes
from notifycli.cli.input.events import read_events
from notifycli.cli.input.lines import BadLines
from notifycli.cli.output import console, printable, show
from notifycli.cli.replay.decisions import what
from notifycli.cli.replay.remedy import remedy
from notifycli.cli.replay.run import Run, replay_of, tell_assumptions
from notifycli.cli.session import Session, display_name, plural
from notifycli.rules.audience import Directory, User
from notifycli.rules.decision import Decision, Outcome
from notifycli.rules.event import Event
from notifycli.rules.explain import deciding, sentence
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import Channel
from notifycli.rules.replay import Replay
from notifycli.rules.selection import Selection
from notifycli.rules.settings import Preferences

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_CHANNELS = {Channel.EMAIL: "an e-mail", Channel.PUSH: "a push", Channel.AUDIO: "a sound"}


class WhyRecord(Decision, frozen=True):
    """A decision, and what there is to say of it."""

    key: str | None
    """The preference that decided; `None` where none did."""
    value: str | None
    sentence: str
    command: str | None
    """What to type to change it; `None` where no preference would."""


class _Asker(NamedTuple):
    """Whom it is about."""

    user: User
    account: int
    directory: Directory
    preferences: Preferences
    option: str
    """The option that names the account in a command, where there are several."""

    @property
    def name(self) -> str:
        return display_name(self.user)


class _Answer(NamedTuple):
    """What there is to say of an event."""

    event: Event
    records: list[WhyRecord]
    others: int
    """How many decisions it led to that are about others."""


@app.command(
    "why",
    cls=takes(USER),
    epilog=examples(
        """
notifycli why -u jane@example.com --conversation 42 events.jsonl
zcat webhooks-*.gz | notifycli why -u 7 --conversation 42
notifycli why -u jane@example.com --conversation 42 events.jsonl -o json
"""
    ),
)
def why(
    ctx: typer.Context,
    events: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVENTS]...", help="As for simulate; - or none is stdin."),
    ] = None,
    *,
    conversation: Annotated[
        list[int] | None, typer.Option(metavar="ID", help="Only this conversation.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line.")] = False,
) -> None:
    """Tell, event by event, what a user got and did not get, and what to type to change it.

    It says which preference of which layer decided. Nothing is sent and nothing is stored.
    """
    this = session(ctx)
    files = this.input_files(events)
    with this.store() as store:
        account = this.the_account(store)
        asker = _Asker(
            this.the_user(store, account),
            account,
            store.directory(account),
            store.preferences(account),
            f" -a {account}" if len(store.accounts()) > 1 else "",
        )
        replay = replay_of(this, store)
    selection = Selection(conversations=frozenset(conversation or ()))
    bad = BadLines(strict=strict)
    run = Run(replay, selection, bad)
    told = run.judged(read_events(files, bad), lambda event: [_examined(replay, event, asker)])
    answers = (_Answer(event, *found[0]) for event, found in told if event.account == account)
    if this.shows_table:
        _tell(this, answers, asker)
    else:
        show(this, (record for answer in answers for record in answer.records), WhyRecord)
    tell_assumptions(this, replay.assumptions)
    raise typer.Exit(run.bad.finish())


def _examined(replay: Replay, event: Event, asker: _Asker) -> tuple[list[WhyRecord], int]:
    records: list[WhyRecord] = []
    cases: list[Case] = []
    others = 0
    for decision, case in replay.examine(event):
        if (decision.account_id, decision.user_id) == (asker.account, asker.user.id):
            if not cases or cases[-1] is not case:
                cases.append(case)
            records.append(_record(decision, cases, asker))
        else:
            others += 1
    return records, others


def _record(decision: Decision, cases: list[Case], asker: _Asker) -> WhyRecord:
    setting = deciding(decision, decision.reason, asker.preferences)
    return WhyRecord(
        **structs.asdict(decision),
        key=None if setting is None else setting.key,
        value=None if setting is None else setting.value,
        sentence=sentence(decision, decision.reason, setting, asker.name),
        command=remedy(cases, decision, asker.preferences, asker.option),
    )


def _tell(this: Session, answers: Iterable[_Answer], asker: _Asker) -> None:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    out = console(this)
    fired = suppressed = 0
    for answer in answers:
        out.print(Text(_headline(answer), style="bold"))
        if not answer.records:
            out.print(f"  {_absence(answer, asker)}")
        for record in answer.records:
            fires = record.outcome is Outcome.FIRE
            fired, suppressed = fired + fires, suppressed + (not fires)
            out.print(_verdict(record), f"{printable(record.sentence)}.", sep=": ")
            if record.command:
                out.print(f"    {record.command}", style="cyan", soft_wrap=True)
    if fired or suppressed:
        this.note(f"{asker.name}: {plural(fired, 'notification')}, {suppressed} suppressed")
    else:
        this.note(f"nothing in these events is about {asker.name}")


def _headline(answer: _Answer) -> str:
    event = answer.event
    at = next((record.at for record in answer.records if record.at), None)
    parts = [f"line {event.line}", at, event.name]
    if event.conversation is not None:
        parts.append(f"conversation {event.conversation}")
    if event.message is not None and event.message.id is not None:
        parts.append(f"message {event.message.id}")
    return " · ".join(printable(part) for part in parts if part)


def _verdict(record: WhyRecord) -> str:
    sign, verb = ("✓", "got") if record.outcome is Outcome.FIRE else ("✗", "no")
    thing, audio = _CHANNELS[record.channel], record.channel is Channel.AUDIO
    article = thing if verb == "got" else thing.split(" ", 1)[1]
    told_by_key = record.key == f"{record.channel}.{record.type}"
    named = "" if told_by_key or audio else f" ({what(record.channel, record.type)})"
    return f"  {sign} {verb} {article}{named}"


def _absence(answer: _Answer, asker: _Asker) -> str:
    """Say why nothing was decided about the user."""
    event = answer.event
    if not asker.directory.can_see(asker.user.id, event.inbox, event.team):
        return f"Nothing: {asker.name} can't see the conversation (inbox {event.inbox})."
    if answer.others:
        return f"Nothing: this concerns others, not {asker.name}."
    return "Nothing: this notifies nobody."
