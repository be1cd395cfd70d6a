"""`notifycli directory`: users, inboxes and teams as one document."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from notifycli.cli.command import a_number, command_class, examples, group, session_of
from notifycli.cli.directory import DryRun, Manner, Yes, carry_out, tell_new_ids
from notifycli.cli.inputs import find_inputs, read_document
from notifycli.cli.output import write
from notifycli.cli.session import plural
from notifycli.cli.terminal import print_error
from notifycli.documents.directory_document import (
    Learnt,
    add_learnt,
    export_directory,
    import_directory,
    read_directory,
    unknown_fields,
)
from notifycli.replay.scan import take_record
from notifycli.replay.sources import BadLines, place_of, read_records
from notifycli.store.history import undo
from notifycli.store.transaction import Change

app = group("Users, inboxes and teams as one document.")

Events = Annotated[
    list[str] | None,
    typer.Argument(metavar="[EVENTS]...", help="Files of events; - or none is standard input."),
]


@app.command(
    "import",
    cls=command_class(),
    epilog=examples(
        """
notifycli directory import directory.json
notifycli directory export -a 1 | notifycli directory import - -a 2
"""
    ),
)
def directory_import(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A JSON document; - is stdin.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove what the document doesn't have.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Add and update what a document says: all, or nothing."""
    session = session_of(ctx)
    session.awaits(file)
    place = place_of(file)
    text = read_document(file)
    document = read_directory(text, place)
    for told in unknown_fields(text):
        session.warn(f"{place}: {told}")
    with session.store(create=not dry_run) as store:
        own, given = document.account.id, session.given_account
        if given is not None and own not in (None, given):
            session.warn(f"{place} is of account {own}: imported into account {given} all the same")
        account = given or own or session.resolve_account(store)

        def put(change: Change) -> None:
            import_directory(
                change, store, account, document, place, replace=replace, certain=False
            )

        if not carry_out(session, store, account, Manner(yes, dry_run), put):
            return
        users = plural(len(store.users(account)), "user")
        inboxes = plural(len(store.inboxes(account)), "inbox")
        teams = plural(len(store.teams(account)), "team")
    session.info(f"account {account} has {users}, {inboxes} and {teams}")


@app.command(
    "export",
    cls=command_class(),
    epilog=examples("notifycli directory export > directory.json"),
)
def directory_export(ctx: typer.Context) -> None:
    """Print the whole directory as one JSON document."""
    session = session_of(ctx)
    with session.store() as store:
        document = export_directory(store, session.resolve_account(store))
    write([msgspec.json.format(msgspec.json.encode(document), indent=2), b"\n"])


@app.command(
    "learn",
    cls=command_class(),
    epilog=examples(
        """
notifycli directory learn events.jsonl
zcat webhooks-*.gz | notifycli directory learn
"""
    ),
)
def directory_learn(ctx: typer.Context, events: Events = None) -> None:
    """Add the agents and inboxes that appear in events.

    Who is already on record is only completed, never changed. Events don't say who the members of
    an inbox are: until you do, every user is taken to see its conversations.
    """
    session = session_of(ctx)
    bad = BadLines(print_error)
    with session.store(create=True) as store:
        learnt = Learnt(session.fallback_account(store))
        # Of which conversation something is makes no difference here.
        for file, number, text in read_records(
            find_inputs(session, events, conversations=[1]), bad
        ):
            for fault in take_record(text, number, learnt.note)[1]:
                bad.add(f"{file}:{number}", fault)
        with store.changes(session.command, session.who) as changes:
            for account in sorted({*learnt.agents, *learnt.inboxes}):
                change = changes(account)
                add_learnt(change, store, account, learnt)
                tell_new_ids(session, change)
                told = f"{len(change)} users and inboxes"
                session.info(f"account {account}: {told} added or completed")
    if not learnt.agents and not learnt.inboxes:
        session.info("nothing learned: no event names an agent or an inbox")
    raise typer.Exit(bad.finish())


@app.command(
    "undo",
    cls=command_class(),
    epilog=examples(
        """
notifycli directory undo
notifycli directory undo 12 --dry-run
"""
    ),
)
def directory_undo(
    ctx: typer.Context,
    id_: Annotated[
        int | None,
        typer.Argument(
            parser=a_number("number of a change"),
            metavar="[ID]",
            help="The change's number; the last if left out.",
        ),
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even where something has been changed since.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Take back a change of users, inboxes and teams.

    All of it is taken back, or nothing.

    Whoever was removed is there again with their memberships and preferences; their tokens stay
    ended. That is a change too: undo it, and what was taken back is there again.
    """
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        past = store.history.directory_change(account, id_)
        # The history tells with it which change was taken back.
        session.command = f"{session.command} {past.id}"
        if carry_out(
            *(session, store, account, Manner(yes, dry_run)),
            lambda change: undo(store, change, past.id, force=force),
        ):
            session.info(
                f"took back change {past.id} of account {account}: {past.command}, by {past.who}"
                f" at {past.at}"
            )
