"""`notifycli inbox` and `notifycli team`: which there are, and who their members are."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from msgspec import UNSET, Struct, UnsetType, structs

from notifycli.cli.command import command_class, examples, group, part, session_of
from notifycli.cli.directory import (
    DryRun,
    Id,
    Manner,
    Members,
    Name,
    Yes,
    member_ids,
    remove,
)
from notifycli.cli.output import show
from notifycli.cli.session import CONNECT, find_group, plural
from notifycli.rules.directory import Inbox, Team

app = part()
inboxes = group("Inboxes and who their members are: they see its conversations.")
teams = group("Teams and who their members are: they see what is given to the team.")
app.add_typer(inboxes, name="inbox")
app.add_typer(teams, name="team")


class InboxRecord(Struct):
    """An inbox, as printed."""

    id: int
    name: str
    members: tuple[int, ...] | None


class PulledInboxRecord(InboxRecord):
    """An inbox of which a Chatwoot has told more."""

    bot: bool | UnsetType


def _records(inboxes: Sequence[Inbox]) -> tuple[list[InboxRecord], type[InboxRecord]]:
    if all(inbox.bot is None for inbox in inboxes):
        return [InboxRecord(i.id, i.name, i.members) for i in inboxes], InboxRecord
    return [
        PulledInboxRecord(i.id, i.name, i.members, UNSET if i.bot is None else i.bot)
        for i in inboxes
    ], PulledInboxRecord


@inboxes.command(
    "add",
    cls=command_class(),
    epilog=examples(
        """
notifycli inbox add 3 --name Website --member jane@example.com --member omar@example.com
notifycli inbox add 4
"""
    ),
)
def inbox_add(ctx: typer.Context, id_: Id, name: Name = None, members: Members = None) -> None:
    """Add an inbox, or rename it and add members to it.

    While no member is on record, every user of the account is taken to see its conversations. To
    take a member away, give the whole list to `directory import`: {"inboxes": [{"id": 3,
    "members": [7]}]}.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store, may_be_new=True)
        with store.change(account, session.command, session.who) as change:
            old = {inbox.id: inbox for inbox in store.inboxes(account)}.get(id_, Inbox(id_))
            added = member_ids(store, account, members or ())
            everyone = tuple(sorted({*(old.members or ()), *added})) if added else old.members
            named = old.name if name is None else name
            change.put_inbox(structs.replace(old, name=named, members=everyone))
    known = "no members on record: every user sees it" if everyone is None else ""
    session.info(f"inbox {id_} has {known or plural(len(everyone or ()), 'member')}")


@inboxes.command("list", cls=command_class(), epilog=examples("notifycli inbox list -o json"))
def inbox_list(ctx: typer.Context) -> None:
    """List the inboxes with the ids of their members."""
    session = session_of(ctx)
    with session.store() as store:
        inboxes = store.inboxes(session.resolve_account(store))
    show(session, *_records(inboxes))
    if not inboxes:
        session.info(f"no inboxes yet; {CONNECT}; or add one: notifycli inbox add ID")


@inboxes.command("remove", cls=command_class(), epilog=examples("notifycli inbox remove 3"))
def inbox_remove(ctx: typer.Context, id_: Id, *, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Remove an inbox.

    What users have set for it stays, and is there if it comes back.
    """
    session = session_of(ctx)
    with session.store(create=not dry_run) as store:
        account = session.resolve_account(store)
        group = find_group(store.inboxes(account), id_, "inbox")
        remove(session, store, account, group, Manner(yes, dry_run))


@teams.command(
    "add",
    cls=command_class(),
    epilog=examples("notifycli team add 2 --name Support --member jane@example.com"),
)
def team_add(ctx: typer.Context, id_: Id, name: Name = None, members: Members = None) -> None:
    """Add a team, or rename it and add members to it.

    To take a member away, give the whole list to `directory import`: {"teams": [{"id": 2,
    "members": [7]}]}.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store, may_be_new=True)
        with store.change(account, session.command, session.who) as change:
            old = {team.id: team for team in store.teams(account)}.get(id_, Team(id_))
            everyone = {*old.members, *member_ids(store, account, members or ())}
            change.put_team(Team(id_, old.name if name is None else name, tuple(sorted(everyone))))
    session.info(f"team {id_} has {plural(len(everyone), 'member')}")


@teams.command("list", cls=command_class(), epilog=examples("notifycli team list -o json"))
def team_list(ctx: typer.Context) -> None:
    """List the teams with the ids of their members."""
    session = session_of(ctx)
    with session.store() as store:
        teams = store.teams(session.resolve_account(store))
    show(session, teams, Team)
    if not teams:
        session.info(f"no teams yet; {CONNECT}; or add one: notifycli team add ID")


@teams.command("remove", cls=command_class(), epilog=examples("notifycli team remove 2"))
def team_remove(ctx: typer.Context, id_: Id, *, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Remove a team."""
    session = session_of(ctx)
    with session.store(create=not dry_run) as store:
        account = session.resolve_account(store)
        group = find_group(store.teams(account), id_, "team")
        remove(session, store, account, group, Manner(yes, dry_run))
