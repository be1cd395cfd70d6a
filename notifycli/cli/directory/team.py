"""`notifycli team`: teams and who their members are."""

from __future__ import annotations

import typer

from notifycli.cli.command import examples, noun, session, takes
from notifycli.cli.directory.members import Id, Members, Name, member_ids, remove
from notifycli.cli.output import show
from notifycli.cli.session import plural
from notifycli.rules.audience import Team

app = noun("Teams and who their members are: they see what is given to the team.")


@app.command(
    "add",
    cls=takes(),
    epilog=examples("notifycli team add 2 --name Support --member jane@example.com"),
)
def team_add(ctx: typer.Context, id_: Id, name: Name = None, members: Members = None) -> None:
    """Add a team, or rename it and add members to it."""
    this = session(ctx)
    with this.store(create=True) as store:
        account = this.the_account(store, may_be_new=True)
        with store.change(account, this.command, this.who) as change:
            old = {team.id: team for team in store.teams(account)}.get(id_, Team(id_))
            everyone = {*old.members, *member_ids(store, account, members or ())}
            change.put_team(Team(id_, old.name if name is None else name, tuple(sorted(everyone))))
    this.note(f"team {id_} has {plural(len(everyone), 'member')}")


@app.command("list", cls=takes(), epilog=examples("notifycli team list -o json"))
def team_list(ctx: typer.Context) -> None:
    """List the teams with the ids of their members."""
    this = session(ctx)
    with this.store() as store:
        teams = store.teams(this.the_account(store))
    show(this, teams, Team)
    if not teams:
        this.note("no teams yet; add one: notifycli team add ID")


@app.command("remove", cls=takes(), epilog=examples("notifycli team remove 2"))
def team_remove(ctx: typer.Context, id_: Id) -> None:
    """Remove a team."""
    this = session(ctx)
    with this.store(create=True) as store:
        remove(this, store.teams(this.the_account(store)), id_, "team", store)
