"""`notifycli inbox`: inboxes and who their members are."""

from __future__ import annotations

import typer

from notifycli.cli.command import examples, noun, session, takes
from notifycli.cli.directory.members import Id, Members, Name, member_ids, remove
from notifycli.cli.output import show
from notifycli.cli.session import plural
from notifycli.rules.audience import Inbox

app = noun("Inboxes and who their members are: they see its conversations.")


@app.command(
    "add",
    cls=takes(),
    epilog=examples(
        """
notifycli inbox add 3 --name Website --member jane@example.com --member omar@example.com
notifycli inbox add 4
"""
    ),
)
def inbox_add(ctx: typer.Context, id_: Id, name: Name = None, members: Members = None) -> None:
    """Add an inbox, or rename it and add members to it.

    While no member is on record, every user of the account is taken to see its conversations.
    """
    this = session(ctx)
    with this.store(create=True) as store:
        account = this.the_account(store, may_be_new=True)
        with store.change(account, this.command, this.who) as change:
            old = {inbox.id: inbox for inbox in store.inboxes(account)}.get(id_, Inbox(id_))
            added = member_ids(store, account, members or ())
            everyone = tuple(sorted({*(old.members or ()), *added})) if added else old.members
            change.put_inbox(Inbox(id_, old.name if name is None else name, everyone))
    known = "no members on record: every user sees it" if everyone is None else ""
    this.note(f"inbox {id_} has {known or plural(len(everyone or ()), 'member')}")


@app.command("list", cls=takes(), epilog=examples("notifycli inbox list -o json"))
def inbox_list(ctx: typer.Context) -> None:
    """List the inboxes with the ids of their members."""
    this = session(ctx)
    with this.store() as store:
        inboxes = store.inboxes(this.the_account(store))
    show(this, inboxes, Inbox)
    if not inboxes:
        this.note("no inboxes yet; add one: notifycli inbox add ID")


@app.command("remove", cls=takes(), epilog=examples("notifycli inbox remove 3"))
def inbox_remove(ctx: typer.Context, id_: Id) -> None:
    """Remove an inbox.

    What users have set for it stays, and is there if it comes back.
    """
    this = session(ctx)
    with this.store(create=True) as store:
        remove(this, store.inboxes(this.the_account(store)), id_, "inbox", store)
