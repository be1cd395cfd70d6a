"""`notifycli chatwoot login|status|logout`, `pull|diff|push` and `tokens|rotate`.

None of them prints a token. The other commands on a Chatwoot reach it, and show what became of
what, as these do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from notifycli.chatwoot.account import (
    Desk,
    ProgressCallback,
    Report,
    SyncResult,
    in_a_line,
    reading_order,
    the_desk,
)
from notifycli.chatwoot.client import role_of
from notifycli.chatwoot.http import split_dashboard
from notifycli.chatwoot.user_tokens import (
    PlatformApi,
    fetch_tokens,
    find_connection,
    keep,
    learn_agents,
    logout,
    look,
    rotate,
)
from notifycli.cli.command import (
    SOME_USERS,
    USER,
    USERS,
    a_number,
    command_class,
    examples,
    part,
    session_of,
)
from notifycli.cli.output import console, show
from notifycli.cli.session import READ_PREFERENCES, Session, display_name, display_names, plural
from notifycli.cli.terminal import ask, is_terminal
from notifycli.cli.times import in_words, now, to_record
from notifycli.cli.token import forget_leftovers, read_token, tell_ended, token_service
from notifycli.errors import NotifycliError, NotPermittedError, UsageError
from notifycli.events.timestamps import parse_moment
from notifycli.rules.directory import User
from notifycli.rules.preferences import short_key
from notifycli.secrets.keychain import get_secret, keep_secret, open_keychain
from notifycli.secrets.token_format import Secret
from notifycli.store.store import Store
from notifycli.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

app = part()
Remote = Annotated[
    int | None,
    typer.Option(
        "--remote",
        parser=a_number("account number"),
        metavar="N",
        help="The account's number there.",
    ),
]
_NEXT = """\
next: notifycli chatwoot pull
then, for what happened: notifycli why -u EMAIL --since yesterday
and for what happens: notifycli chatwoot watch, or a webhook to notifycli listen"""
_NO = 1
_DIFFERENT = 1
_HEADS = ("User", "Role", "Token", "State", "Pulled")
_DIFFERENCES = ("User", "Key", "Here", "There", "Changed")
UNDONE = frozenset({"failed", "refused", "left"})
"""Results that are not what was asked for."""
_DONE = frozenset({"added", "changed", "removed", "pushed"})
"""Results that a dry run only tells of."""
_COLOURS = {"failed": "red", "conflict": "red", "refused": "red", "left": "yellow", "same": "dim"}

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done; change nothing anywhere.")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Remove users, inboxes and teams that aren't there.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Take what is there also where it was changed here.")
]


def desk_of(session: Session, store: Store) -> Desk:
    """Give the account's connection; its tokens can be had from then on without a question."""
    desk = the_desk(token_service(session, store), session.resolve_account(store))
    desk.life.keychain.unlock()
    return desk


def desk_users(session: Session, desk: Desk) -> list[User]:
    """Give the users who are meant: those named, else all whose tokens are held.

    Raises `UsageError` where that is nobody.
    """
    if session.given_users or session.selects_many:
        return session.resolve_users(desk.life.store, desk.account)
    held = desk.users()
    if not held:
        raise UsageError(
            f"no token for {desk.connection.url} is held", "add one: notifycli chatwoot login"
        )
    return held


def _tell_left_out(session: Session, desk: Desk, tell: Callable[[str], None]) -> bool:
    """Say whom `desk_users` passes over; gives whether it does."""
    if session.given_users or session.selects_many:
        return False
    held = {user.id for user in desk.users()}
    users = [user for user in desk.life.store.users(desk.account) if user.id not in held]
    if users:
        tell(
            f"left out {plural(len(users), 'user')} whose tokens aren't held "
            f"({display_names(users)}): notifycli chatwoot login adds a token; of all, from your "
            "own server: notifycli chatwoot tokens --platform; or name who is meant: -u"
        )
    return bool(users)


@contextmanager
def progress(session: Session, label: str) -> Iterator[ProgressCallback]:
    """Show how far it is, on a terminal."""
    if not is_terminal(sys.stderr) or session.quiet:
        yield lambda _done, _total: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - a pipe can spare it

    with Progress(console=console(session, stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def finish(session: Session, report: Report, *, dry_run: bool) -> None:
    """Show what became of everything; what failed ends the command with its exit status."""

    def cells(item: SyncResult) -> Sequence[RenderableType]:
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        would = "would be " if dry_run and item.result in _DONE else ""
        result = Text(f"{would}{item.result}", style=_COLOURS.get(item.result, "green"))
        return [item.kind, str(item.id), printable(item.name), result, printable(item.detail)]

    heads = ("What", "Id", "Name", "Result", "Detail")
    show(session, report.steps, SyncResult, heads=heads, cells=cells)
    if dry_run:
        session.info("nothing was changed: this was a dry run")
    undone = sum(step.result in {"failed", "left"} for step in report.steps)
    if undone:
        session.info(f"{undone} not done; mend what is told, and run it again for the rest")
    if report.status:
        raise typer.Exit(report.status)


class StatusRecord(Struct):
    """A user's access to Chatwoot, as printed. `state` is `works`, or why it doesn't."""

    account_id: int
    url: str
    remote_account_id: int
    user_id: int
    email: str | None
    role: str
    """The role there where the token works, else the one on record."""
    token: str
    state: str
    pulled_at: str | None


Url = Annotated[
    str | None,
    typer.Argument(metavar="[URL]", help="Its address; not needed for a further user."),
]


@app.command(
    "login",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli chatwoot login https://chat.example.com
pass chatwoot/jane | notifycli chatwoot login -u jane@example.com
notifycli chatwoot login https://chat.example.com -a 1 --remote 3
"""
    ),
)
def chatwoot_login(
    ctx: typer.Context,
    url: Url = None,
    *,
    remote: Remote = None,
    dry_run: DryRun = False,
) -> None:
    """Connect to a Chatwoot, or keep the token of a further user.

    The token (profile, access token) is read from standard input, or typed unseen on a terminal.
    It is checked there and kept in the keyring. It is its user's: -u makes sure of whose it is. On
    a terminal it goes on: it pulls, offers a webhook or the live socket, and runs doctor.
    """
    session = session_of(ctx)
    url, remote = split_dashboard(url, remote)
    with session.store() as store:
        of = token_service(session, store)
        find_connection(of, url, session.given_account)  # told before the token is typed
    piped = "pass chatwoot/jane | notifycli chatwoot login"
    keychain = open_keychain(beside=session.location)
    secret = read_token(keychain, "Access token of your profile there: ", piped)
    with session.store(create=not dry_run) as store:
        of = token_service(session, store, keychain)
        login = look(of, url, secret, session.given_account, remote)
        _check_user(session, login.user)
        where = f"account {login.connection.account_id} with {login.connection.url}"
        who = f"{display_name(login.user)} ({login.user.role})"
        if dry_run:
            session.info(f"would connect {where}, as {who}")
            return
        ended = keep(of, login, secret)
    at_terminal = is_terminal(sys.stdin) and is_terminal(sys.stderr)
    if ended is None:
        session.info(f"{who} is logged in already")
    else:
        tell_ended(session, ended)
        session.info(f"connected {where}, as {who}")
    if at_terminal:
        _go_on(ctx, session, login.user)
    elif ended is not None:
        session.info(_NEXT)


@app.command(
    "status",
    cls=command_class(SOME_USERS),
    epilog=examples("notifycli chatwoot status\nnotifycli chatwoot status -o json | jq -r .[].url"),
)
def chatwoot_status(ctx: typer.Context) -> None:
    """Say who is logged in where, with what rights.

    And when it was last pulled. Each token is tried. Exits with 1 if the account isn't connected,
    and with another status if a token doesn't work.
    """
    session = session_of(ctx)
    records: list[StatusRecord] = []
    with session.store() as store:
        account = session.resolve_account(store)
        if store.connection(account) is None:
            session.info(
                f"account {account} isn't connected; notifycli chatwoot login https://your.chatwoot"
            )
            raise typer.Exit(_NO)
        desk = desk_of(session, store)
        with progress(session, "asking Chatwoot") as told:
            report = desk.each(
                "token", desk_users(session, desk), lambda user: _try(desk, user, records), told
            )
    for step in report.steps:
        if step.result in UNDONE:
            session.warn(f"{step.name}: {step.detail}")
    if session.shows_table:
        there = desk.connection.remote_account_id
        session.info(f"account {account} is account {there} at {desk.connection.url}")
    show(session, records, StatusRecord, heads=_HEADS, cells=_cells)
    if report.status:
        raise typer.Exit(report.status)


@app.command(
    "logout",
    cls=command_class(SOME_USERS),
    epilog=examples("notifycli chatwoot logout\nnotifycli chatwoot logout -u jane@example.com"),
)
def chatwoot_logout(ctx: typer.Context, *, dry_run: DryRun = False) -> None:
    """Forget the tokens and the connection.

    With -u, the tokens of these users alone. Users, preferences and the history stay. The tokens
    stay valid there.
    """
    session = session_of(ctx)
    with session.store() as store:
        desk = desk_of(session, store)
        some = bool(session.given_users)
        users = session.resolve_users(store, desk.account) if some else desk.users()
        tokens = sum(desk.token(user) is not None for user in users)
        if dry_run:
            whole = "" if some else " and the connection"
            session.info(f"would forget {plural(tokens, 'token')}{whole}")
            return
        tell_ended(session, logout(desk, users, disconnect=not some))
    session.info(
        f"{plural(tokens, 'token')} forgotten; to end them at {desk.connection.url} too, reset "
        "them there"
    )


def _go_on(ctx: typer.Context, session: Session, user: User) -> None:
    """Do what comes after a login; Ctrl-C leaves the rest to be typed."""
    from notifycli.cli.doctor import doctor  # noqa: PLC0415

    rest = ["notifycli chatwoot pull", "notifycli chatwoot login", "notifycli doctor"]
    try:
        chatwoot_pull(ctx, replace=False, force=False, dry_run=False)
        del rest[0]
        if user.role == "administrator":
            _offer_events(session)
        del rest[0]
        doctor(ctx, fix=False)
    except (KeyboardInterrupt, NotifycliError):
        session.info(f"what is connected stays so; go on with: {', '.join(rest)}")
        raise
    session.info("next: notifycli why -u EMAIL --since yesterday")


def _offer_events(session: Session) -> None:
    """Have events come from now on: by a webhook, by the live socket, or not at all."""
    session.info(
        "What happens from now on can be kept:\n"
        "  1  by a webhook, if your Chatwoot can reach notifycli listen\n"
        "  2  by the live socket: notifycli chatwoot watch\n"
        "  3  not now; the past can be asked all the same"
    )
    choice = ask("1, 2 or 3", "3")
    if choice == "2":
        session.info("start it, and leave it running: notifycli chatwoot watch")
    if choice != "1":
        return
    url = ask("The address at which it reaches listen", "https://")
    if not url.removeprefix("https://").removeprefix("http://"):
        session.info("no webhook was made")
        return
    with session.store() as store:
        desk = desk_of(session, store)
        with desk.open(next(reading_order(desk.users()))) as api:
            secret = api.make_webhook(url)
        try:
            if secret is not None:
                _add_secret(store, desk, secret)
        except (KeyboardInterrupt, NotifycliError):
            session.warn(
                "the webhook was made, and its secret isn't kept: remove it there (Settings > "
                "Integrations > Webhooks), then: notifycli chatwoot login"
            )
            raise
    signed = "" if secret is not None else " --unsigned"
    session.info(f"a webhook to {printable(url)} was made; receive it: notifycli listen{signed}")


def _add_secret(store: Store, desk: Desk, secret: Secret) -> None:
    kept = get_secret(store, "listen.secret")
    several = [] if kept is None else kept.reveal().split()
    every = Secret(" ".join([*several, secret.reveal()]))
    keep_secret(store, desk.life.keychain, "listen.secret", every)


def _check_user(session: Session, user: User) -> None:
    for named in session.user:
        if named not in {str(user.id), user.email} and named.lower() != (user.email or "").lower():
            raise UsageError(
                f"this token is {display_name(user)}'s, not {named}'s",
                "copy it from that user's own profile",
            )


def _try(desk: Desk, user: User, records: list[StatusRecord]) -> SyncResult:
    """Try a user's token; what it finds is recorded, and raised if it is bad."""
    token = desk.token(user)
    connection = desk.connection
    found = StatusRecord(
        connection.account_id,
        connection.url,
        connection.remote_account_id,
        user.id,
        user.email,
        user.role,
        token.masked if token else "",
        "works",
        to_record(connection.pulled_at),
    )
    records.append(found)
    try:
        with desk.open(user) as api:
            profile = api.member()
    except NotifycliError as error:
        found.state = in_a_line(error)
        raise
    roles = {there.id: there.role for there in profile.accounts}
    found.role = role_of(roles.get(connection.remote_account_id) or profile.role)
    return SyncResult("token", user.id, display_name(user), "works", "")


def _cells(item: StatusRecord) -> list[str]:
    pulled = in_words(None if item.pulled_at is None else parse_moment(item.pulled_at), now())
    user = item.email or str(item.user_id)
    return [printable(user), item.role, item.token, printable(item.state), pulled]


@app.command(
    "tokens",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot tokens --platform
pass chatwoot/platform | notifycli chatwoot tokens --platform
notifycli chatwoot tokens --platform -u jane@example.com --dry-run
"""
    ),
)
def chatwoot_tokens(
    ctx: typer.Context,
    *,
    platform: Annotated[
        bool,
        typer.Option("--platform", help="From the platform API, with a platform app's token."),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Keep every agent's token, without asking each of them for it.

    For a server of your own: the token of a platform app (its super admin page) is read from
    standard input, or typed unseen on a terminal. It is used once and not kept. It needs a login.
    """
    session = session_of(ctx)
    if not platform:
        raise UsageError(
            "where do the tokens come from?",
            "from your own server, with a platform app's token: notifycli chatwoot tokens "
            "--platform; or user by user: notifycli chatwoot login",
        )
    with session.store() as store:
        desk = desk_of(session, store)
        some = session.given_users or session.selects_many
        users = (
            session.resolve_users(store, desk.account)
            if some
            else learn_agents(desk, dry_run=dry_run)
        )
        piped = "pass chatwoot/platform | notifycli chatwoot tokens --platform"
        secret = read_token(desk.life.keychain, "Access token of the platform app: ", piped)
        with progress(session, "asking for tokens") as told, PlatformApi(desk, secret) as api:
            report = fetch_tokens(desk, api, users, told, dry_run=dry_run)
    finish(session, report, dry_run=dry_run)


@app.command(
    "rotate",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot rotate --dry-run
notifycli chatwoot rotate -u jane@example.com
notifycli chatwoot rotate
"""
    ),
)
def chatwoot_rotate(ctx: typer.Context, *, dry_run: DryRun = False) -> None:
    """Replace the tokens that are held, there and here.

    Each new one is tried, and each old one too: it must be refused. Whatever else uses an old one
    needs the new one then. A rotation that was broken off is finished first.
    """
    session = session_of(ctx)
    with session.store() as store:
        desk = desk_of(session, store)
        with progress(session, "rotating tokens") as told:
            report = rotate(desk, desk_users(session, desk), told, dry_run=dry_run)
    finish(session, report, dry_run=dry_run)


@app.command(
    "pull",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot pull
notifycli chatwoot pull --dry-run -o table
notifycli chatwoot pull -u jane@example.com
notifycli chatwoot pull --replace
"""
    ),
)
def chatwoot_pull(
    ctx: typer.Context,
    *,
    replace: Replace = False,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Fetch the directory, and preferences of users with a token.

    All is stored in one change, which prefs undo takes back as far as preferences go. With -u it is
    these users' preferences alone, without the directory. What was changed here since the last pull
    stays, until you push it; what was changed on both sides is a conflict (75).
    """
    from notifycli.chatwoot.sync import pull, read_there  # noqa: PLC0415 - not for a login

    session = session_of(ctx)
    whole = not (session.given_users or session.selects_many)
    if replace and not whole:
        raise UsageError("--replace is for the whole directory", "leave out the users")
    with session.store(create=not dry_run) as store:
        desk = desk_of(session, store)
        users = desk_users(session, desk)
        directory = None
        if whole:
            with progress(session, "reading the directory") as told:
                directory = read_there(desk, told, replace=replace)
        with progress(session, "reading preferences") as told:
            pulled = pull(
                desk, users, directory, told, replace=replace, force=force, dry_run=dry_run
            )
        if not dry_run:
            forget_leftovers(session, store)
        unread = 0 if not whole else len(store.users(desk.account)) - len(users)
    for line in pulled.unread:
        session.info(line)
    if unread > 0:
        session.info(
            f"the preferences of {plural(unread, 'user')} can't be read without their tokens; "
            f"{READ_PREFERENCES}"
        )
    finish(session, pulled.report, dry_run=dry_run)


class DivergenceRecord(Struct):
    """A preference that isn't the same here and there, as printed."""

    user_id: int
    email: str | None
    key: str
    here: str
    there: str
    changed: str
    """Where, since both agreed: `here`, `there` or `both`; `unknown` if it was never pulled."""


@app.command(
    "diff",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot diff
notifycli chatwoot diff -u jane@example.com
notifycli chatwoot diff --exit-code -q > differences.jsonl
"""
    ),
)
def chatwoot_diff(
    ctx: typer.Context,
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if anything differs.")
    ] = False,
) -> None:
    """Show what differs here and there, and where it was changed.

    That is of users whose tokens are held. With --exit-code it ends with 77 where it finds nothing,
    but users were left out.
    """
    from notifycli.chatwoot.sync import diff  # noqa: PLC0415 - see chatwoot_pull

    session = session_of(ctx)
    with session.store() as store:
        desk = desk_of(session, store)
        with progress(session, "comparing") as told:
            found, report = diff(desk, users := desk_users(session, desk), told)
        partial = _tell_left_out(session, desk, session.warn if exit_code else session.info)
    for step in report.steps:
        if step.result in UNDONE:
            session.warn(f"{step.name}: {step.detail}")
        elif step.detail:
            session.info(f"{step.name}: left as it is there: {step.detail}")
    records = [DivergenceRecord(user.id, user.email, *item) for user, item in found]
    show(session, records, DivergenceRecord, heads=_DIFFERENCES, cells=_difference_cells)
    if report.status:
        raise typer.Exit(report.status)
    if not found:
        whose = f" of {plural(len(users), 'user')} whose tokens are held" if partial else ""
        session.info(f"no differences{whose}")
    if exit_code and (found or partial):
        raise typer.Exit(_DIFFERENT if found else NotPermittedError.status)


@app.command(
    "push",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli chatwoot push --dry-run -o table
notifycli chatwoot push -u jane@example.com
notifycli chatwoot push --team 2
"""
    ),
)
def chatwoot_push(
    ctx: typer.Context,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Write also over what was changed there meanwhile.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Write preferences of users whose tokens are held.

    What is written is what holds here: locks and defaults too. A user whose preferences were
    changed there since the last pull is refused (75): pull first. Flags and settings there that
    aren't ours stay as they are, and what was written is read back.
    """
    from notifycli.chatwoot.sync import push  # noqa: PLC0415 - see chatwoot_pull

    session = session_of(ctx)
    with session.store() as store:
        desk = desk_of(session, store)
        with progress(session, "writing preferences") as told:
            report = push(desk, desk_users(session, desk), told, force=force, dry_run=dry_run)
        _tell_left_out(session, desk, session.info)
    finish(session, report, dry_run=dry_run)


def _difference_cells(item: DivergenceRecord) -> list[str]:
    return [
        printable(item.email or str(item.user_id)),
        short_key(item.key),
        item.here,
        item.there,
        item.changed,
    ]
