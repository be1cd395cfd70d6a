"""`notifycli chatwoot compare`: what Chatwoot really did, beside what its rules say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.chatwoot.compare import Comparison, Evidence, Finding, Result, compare, guess
from notifycli.cli.command import SOME_USERS, command_class, examples, part, session_of
from notifycli.cli.inputs import find_inputs
from notifycli.cli.output import show
from notifycli.cli.profiles import Rules, profile_of
from notifycli.cli.replay_run import progress_bar, tell_assumptions
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import print_error
from notifycli.errors import ConfigurationError, UsageError
from notifycli.replay.scan import read_events
from notifycli.replay.sources import BadLines
from notifycli.rules.notifications import TYPES
from notifycli.rules.profile import Profile, every_chatwoot
from notifycli.rules.replay import Account, Replay
from notifycli.store.store import Store
from notifycli.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

app = part()
_DIFFERENT = 1
_MINUTE = slice(5, 16)
_SHORT = {str(row.type): row.short for row in TYPES}
_SIGNS = {
    Result.NOT_PREDICTED: ("+", "green"),
    Result.NOT_FOUND: ("-", "red"),
    Result.AGREED: ("=", "dim"),
    Result.NO_EVIDENCE: ("?", "dim"),
}
_HEADS = ("", "UTC", "Conv", "User", "Notification", "Why")


Events = Annotated[
    list[str] | None,
    typer.Argument(metavar="[EVENTS]...", help="As for simulate; - is standard input."),
]
Notifications = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Whom Chatwoot noted: import-export writes it."),
]
Log = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The worker's log, as docker logs gives it; - is stdin."),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show too what agrees, and what proves nothing.")
]


@app.command(
    "compare",
    cls=command_class(SOME_USERS),
    epilog=examples(
        """
notifycli chatwoot compare events.jsonl
cd chatwoot-export && notifycli chatwoot compare events.jsonl --notifications notifications.jsonl
docker logs -t chatwoot-sidekiq 2>&1 | notifycli chatwoot compare events.jsonl --log -
notifycli chatwoot compare events.jsonl --log worker.log --rules chatwoot@4.16 -o csv
"""
    ),
)
def chatwoot_compare(
    ctx: typer.Context,
    events: Events = None,
    *,
    notifications: Notifications = None,
    log: Log = None,
    rules: Rules = None,
    explain: Explain = False,
) -> None:
    """Compare what your Chatwoot did with what its rules say.

    What it did is in its notifications, in its worker's log, or both. Without either, its API is
    asked for the notifications of those whose tokens are held. Each difference is shown with its
    reason and a remedy. The version that explains most is found out; its rules hold, unless --rules
    or the setting `rules` names others. Exits with 1 if there is a difference.
    """
    session = session_of(ctx)
    inputs = find_inputs(session, events)
    if [*inputs.files, notifications, log].count("-") > 1:
        raise UsageError("standard input can be one thing only", "name files for the others")
    with session.store() as store:
        account = session.resolve_account(store)
        named = _chatwoot_profile(store, rules, account)
        evidence = _evidence(session, store, account, notifications, log)
        profiles = [*every_chatwoot(), *([named] if named else [])]
        directory, preferences = store.directory(account), store.preferences(account)
    replays = [Replay({account: Account(directory, preferences, one)}, account) for one in profiles]
    bad = BadLines(print_error)
    with progress_bar(session, inputs.files, wanted=None) as advance:
        comparisons = compare(read_events(inputs, bad, advance), account, replays, evidence)
    differences = _show(session, comparisons, evidence, named=named is not None, explain=explain)
    raise typer.Exit(bad.finish() or (_DIFFERENT if differences else 0))


def _chatwoot_profile(store: Store, rules: str | None, account: int) -> Profile | None:
    """Return the profile that was asked for; `None` if the account's own rules aren't Chatwoot's.

    Raises `UsageError` for one that isn't Chatwoot's, and as `profile_of` does.
    """
    profile = profile_of(store, rules, account)
    if profile.is_chatwoot:
        return profile
    if rules is not None:
        raise UsageError(
            f"{rules} is no version of Chatwoot, whose rules are compared here",
            "name one, as in --rules chatwoot@4.16, or leave --rules out",
        )
    return None


def _evidence(
    session: Session, store: Store, account: int, notifications: str | None, log: str | None
) -> Evidence:
    """Read what Chatwoot did. Raises `DataError`, and the API's errors."""
    from notifycli.cli.chatwoot.past_events import read_lines  # noqa: PLC0415 - not for the help

    some = session.resolve_users(store, account) if session.given_users else None
    evidence = Evidence(users=None if some is None else frozenset(user.id for user in some))
    if notifications is not None:
        session.awaits(notifications)
        evidence.take_rows(read_lines(notifications), account)
    if log is not None:
        session.awaits(log)
        addresses = {user.email.lower(): user.id for user in store.users(account) if user.email}
        evidence.take_log(read_lines(log), addresses)
    if notifications is None and log is None:
        if store.connection(account) is None:
            raise ConfigurationError(
                f"account {account} isn't connected to a Chatwoot that could say what it did",
                "name a file that does: --log FILE or --notifications FILE; "
                "or connect it: notifycli chatwoot login URL",
            )
        _ask(session, store, evidence)
    return evidence


def _ask(session: Session, store: Store, evidence: Evidence) -> None:
    """Ask the API of those whose tokens are held. Raises its errors."""
    from notifycli.cli.chatwoot.connection import desk_of, desk_users, progress  # noqa: PLC0415 - files can spare it

    desk = desk_of(session, store)
    users = desk_users(session, desk)
    evidence.users = frozenset(user.id for user in users)
    with progress(session, "reading notifications") as told:
        for count, user in enumerate(users):
            told(count, len(users))
            with desk.open(user) as api:
                evidence.ask(api, user.id)
    session.info(f"of {plural(len(users), 'user')}, whose tokens are held")


def _show(
    session: Session,
    comparisons: Sequence[Comparison],
    evidence: Evidence,
    *,
    named: bool,
    explain: bool,
) -> int:
    """Show what the comparison comes to; gives the number of differences."""
    found = guess(comparisons[:-1] if named else comparisons)
    used = comparisons[-1] if named else found.best
    differences = len(used.differences())
    better = found.best if found.differences < differences else None
    show(
        session,
        used.findings(better, everything=explain),
        Finding,
        heads=_HEADS,
        cells=_cells,
    )
    tell_assumptions(session, used.replay)
    if evidence.strangers:
        listed = ", ".join(map(printable, sorted(evidence.strangers)[:3]))
        session.warn(
            f"the log has {plural(len(evidence.strangers), 'address')} that nobody here has, and "
            f"they are left out ({listed}): notifycli chatwoot pull"
        )
    if session.shows_table and differences:
        session.info("+ is what Chatwoot did and its rules don't say, - what it should have done")
    session.info(
        f"{used.profile.name}: {len(used.agreed):,} as predicted, {differences:,} different, of "
        f"{plural(len(evidence.observations), 'notification')} found"
    )
    if evidence.observations:
        session.info(
            f"what was found is explained best by Chatwoot {found.versions}, with "
            f"{plural(found.differences, 'difference')} left"
        )
    return differences


def _cells(item: Finding) -> Sequence[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    sign, style = _SIGNS[item.result]
    types = "/".join(_SHORT.get(one, one) for one in item.type.split())
    return [
        Text(sign, style=style),
        (item.at or "-")[_MINUTE].replace("T", " "),
        str(item.conversation_id),
        printable(item.email or str(item.user_id)),
        f"{item.channel}.{types}",
        f"{item.reason}; {item.remedy}" if item.remedy else item.reason,
    ]
