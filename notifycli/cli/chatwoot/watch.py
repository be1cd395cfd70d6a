"""`notifycli chatwoot watch`: the live socket, into a file that `simulate` replays."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.chatwoot.connection import desk_of
from notifycli.cli.command import command_class, examples, part, session_of
from notifycli.cli.log_writer import LogFormat, LogWriter
from notifycli.cli.server import journal_path, print_stopped
from notifycli.cli.session import Session, display_name, plural

if TYPE_CHECKING:
    from notifycli.chatwoot.stream import Address

app = part()


Out = Annotated[
    Path | None,
    typer.Option(
        "-O", "--out", metavar="FILE", help="Where to keep events. [default: as listen does]"
    ),
]
Deliver = Annotated[
    bool,
    typer.Option("--deliver", help="Send what fires, as deliver --follow does."),
]


@app.command(
    "watch",
    cls=command_class(),
    epilog=examples(
        """
notifycli chatwoot watch
notifycli chatwoot watch -O ~/desk/events.jsonl
notifycli chatwoot watch --deliver        and send what fires
"""
    ),
)
def chatwoot_watch(
    ctx: typer.Context,
    *,
    out: Out = None,
    deliver: Deliver = False,
) -> None:
    """Keep what your Chatwoot's live socket tells.

    That is an event a line. It needs no webhook and no address that others can reach, and tells who
    is online, which webhooks don't. What was missed while the connection was lost is fetched from
    the history. Ctrl-C or SIGTERM stops it.

    Whoever is connected counts as online: their own e-mails wait, and new conversations may be
    given to them. So log in as an administrator who is in no inbox.
    """
    import asyncio  # noqa: PLC0415 - 50 ms that the help can spare

    from notifycli.cli.chatwoot.watch_stream import Watch  # noqa: PLC0415
    from notifycli.cli.server import deliver_meanwhile  # noqa: PLC0415
    from notifycli.server.journal import Journal  # noqa: PLC0415

    session = session_of(ctx)
    writer = LogWriter(session, LogFormat.TEXT)
    log = writer.note
    address = _address(session)
    journal = Journal((out or journal_path(session)).expanduser(), log)
    journal.open()
    with ExitStack() as stack:
        stack.callback(journal.close)
        if deliver:
            stack.enter_context(deliver_meanwhile(session, journal.path, writer))
        watch = Watch(session, journal, log)
        with suppress(KeyboardInterrupt):
            asyncio.run(watch.go_on(address))
    print_stopped(session, f"; {plural(watch.kept, 'event')} received")


def _address(session: Session) -> Address:
    """Find whose stream is read, and say what that means before it is."""
    from notifycli.chatwoot.stream import Address  # noqa: PLC0415 - see chatwoot_watch
    from notifycli.cli.chatwoot.past_events import administrator  # noqa: PLC0415

    with session.store() as store:
        desk = desk_of(session, store)
        user = administrator(desk)
        with desk.open(user) as api:
            token = api.pubsub_token()
        theirs = [one for one in store.inboxes(desk.account) if user.id in (one.members or ())]
    who = display_name(user)
    session.info(f"connecting to {desk.connection.url} as {who}, who counts as online meanwhile")
    if theirs:
        inboxes = ", ".join(one.name or str(one.id) for one in theirs)
        session.warn(
            f"{who} is in {inboxes}: their own e-mails wait, and new conversations may "
            "be given to them; better log in as an administrator who is in no inbox"
        )
    there = desk.connection
    return Address(there.url, there.remote_account_id, user.id, token, desk.account)
