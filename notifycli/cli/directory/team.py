"""`notifycli team`: teams and who their members are."""

from __future__ import annotations

import typer

from notifycli.cli.command import command_class, examples, group, session_of
from notifycli.cli.directory.directory_change import (
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
from notifycli.rules.directory import Team

app = group("Teams and who their members are: they see what is given to the team.")


@app.command(
    "add",
    cls=command_class(),
    epilog=examples("notifycli team add 2 --name Support --member jane@example.com"),
)
def team_add(ctx: typer.Context, id_: Id, name: Name = None, members: Members = None) -> None:
    """Add a team, or rename it and add members to it."""
    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store, may_be_new=True)
        with store.change(account, session.command, session.who) as change:
            old = {team.id: team for team in store.teams(account)}.get(id_, Team(id_))
            everyone = {*old.members, *member_ids(store, account, members or ())}
            change.put_team(Team(id_, old.name if name is None else name, tuple(sorted(everyone))))
    session.info(f"team {id_} has {plural(len(everyone), 'member')}")


@app.command("list", cls=command_class(), epilog=examples("notifycli team list -o json"))
def team_list(ctx: typer.Context) -> None:
    """List the teams with the ids of their members."""
    session = session_of(ctx)
    with session.store() as store:
        teams = store.teams(session.resolve_account(store))
    show(session, teams, Team)
    if not teams:
        session.info(f"no teams yet; {CONNECT}; or add one: notifycli team add ID")


@app.command("remove", cls=command_class(), epilog=examples("notifycli team remove 2"))
def team_remove(ctx: typer.Context, id_: Id, *, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Remove a team."""
    session = session_of(ctx)
    with session.store(create=not dry_run) as store:
        account = session.resolve_account(store)
        group = find_group(store.teams(account), id_, "team")
        remove(session, store, account, group, Manner(yes, dry_run))
