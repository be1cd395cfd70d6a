"""`notifycli deliver status|retry|drop`: what stands in the outbox, and what to do with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct, structs

from notifycli.cli.command import (
    SOME_USERS,
    ChannelOption,
    a_number,
    command_class,
    examples,
    part,
    session_of,
)
from notifycli.cli.decision_records import what
from notifycli.cli.output import show
from notifycli.cli.replay_run import select_users
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import printable
from notifycli.cli.times import in_words, now, to_the_minute
from notifycli.errors import UsageError
from notifycli.events.timestamps import format_moment
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store import Store
from notifycli.store.outbox import Noted, NoticeState, Scope, StateCount

if TYPE_CHECKING:
    from rich.console import RenderableType

app = part()
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
        told = f"{_in_words(record)}{remedy}"
        return [str(record.id), str(record.attempts), ages[record.id], told]

    heads = ["Id", "Tries", "Changed", "What"]
    show(session, map(_notice_record, notices), NoticeRecord, heads=heads, cells=cells)


def _in_words(record: NoticeRecord) -> str:
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
