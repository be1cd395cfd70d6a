"""`notifycli why`: what a user got and did not get, event by event, and how to change it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from notifycli.cli.command import USER, command_class, examples, session_of
from notifycli.cli.output import show
from notifycli.cli.profiles import Rules, profiles_of, tell_without_effect
from notifycli.cli.session import Session
from notifycli.cli.simulate.run import Run, accounts_of, tell_assumptions, tell_unmet
from notifycli.cli.terminal import print_error
from notifycli.cli.types import CONVERSATION_ID
from notifycli.cli.why.suggestions import Remedies
from notifycli.cli.why.why_records import Answer, Asker, WhyRecord, answer
from notifycli.replay.faults import BadLines
from notifycli.replay.scan import processors, read_events
from notifycli.rules.decision import Outcome
from notifycli.rules.notifications import Channel
from notifycli.rules.replay import Account, Replay
from notifycli.rules.selection import Selection
from notifycli.rules.settings import as_read_by
from notifycli.store.store import Store

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(
    "why",
    cls=command_class(USER),
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
        list[int] | None,
        typer.Option(parser=CONVERSATION_ID, metavar="ID", help="Only this conversation."),
    ] = None,
    rules: Rules = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line.")] = False,
) -> None:
    """Tell, event by event, what a user would get and what not, and what to type to change it.

    It says which preference of which layer decides, as they are now. Nothing is sent or stored;
    what was really sent is in: notifycli deliver status.
    """
    session = session_of(ctx)
    inputs = session.inputs(events)
    with session.store() as store:
        account = session.resolve_account(store)
        mail_server = store.configuration.get("smtp.host")
        accounts = accounts_of(session, store, profiles_of(store, rules))
        asker = _asker(session, store, account, accounts[account])
        replay = Replay(accounts, session.fallback_account(store))
    tell_without_effect(session, accounts.values())
    run = Run(
        replay,
        Selection(conversations=frozenset(conversation or ())),
        BadLines(print_error, strict=strict),
    )
    told = run.judged(
        read_events(inputs, run.bad, jobs=processors()),
        lambda event: [answer(replay, event, asker)],
    )
    answers = (one for event, (one,) in told if event.account == account)
    fired: set[Channel] = set()
    _show(session, _watch(answers, fired), asker)
    if Channel.EMAIL in fired and not mail_server:
        session.info(
            "no mail server is set, so no e-mail is sent yet: notifycli config set smtp.host=…"
        )
    if not run.events:
        session.info("there were no events")
    tell_unmet(session, run)
    tell_assumptions(session, replay.assumptions)
    raise typer.Exit(run.bad.finish())


def _asker(session: Session, store: Store, id_: int, account: Account) -> Asker:
    option = f" -a {id_}" if len(store.accounts()) > 1 else ""
    preferences = as_read_by(account.profile, account.preferences)
    user, remedies = session.resolve_user(store, id_), Remedies(account, option)
    return Asker(user, account.directory, preferences, option, remedies)


def _watch(answers: Iterable[Answer], fired: set[Channel]) -> Iterator[Answer]:
    """Pass answers on, and note the channels on which something would be delivered."""
    for one in answers:
        fires = (record for record in one.records if record.outcome is Outcome.FIRE)
        fired.update(record.channel for record in fires if record.deliverable)
        yield one


def _show(session: Session, answers: Iterable[Answer], asker: Asker) -> None:
    if session.shows_table:
        from notifycli.cli.why.why_text import tell  # noqa: PLC0415 - a pipe can spare rich

        tell(session, answers, asker)
    else:
        show(session, (record for one in answers for record in one.records), WhyRecord)
