"""`notifycli user`: the users of an account."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import USER, command_class, examples, group, none_of, session_of
from notifycli.cli.directory.members import Name
from notifycli.cli.output import show, show_one
from notifycli.cli.session import NO_USERS_YET, Session, display_name, find_user
from notifycli.cli.types import a_number
from notifycli.errors import UsageError
from notifycli.rules.directory import ROLES, Role, User
from notifycli.store.store import Store

app = group("The users of an account.")

Reference = Annotated[
    str | None, typer.Argument(metavar="[USER]", help="The user, by e-mail or id; as -u does.")
]


class UserRecord(Struct):
    """A user, as printed."""

    id: int
    email: str | None
    name: str
    role: str


def _record(user: User) -> UserRecord:
    return UserRecord(user.id, user.email, user.name, user.role)


def _named(session: Session, store: Store, reference: str | None) -> User:
    account = session.resolve_account(store)
    return (
        find_user(store, account, reference) if reference else session.resolve_user(store, account)
    )


def _role(text: str) -> Role:
    for role in ROLES:
        if text == role:
            return role
    raise none_of(text, ROLES)


@app.command(
    "add",
    cls=command_class(),
    epilog=examples(
        """
notifycli user add jane@example.com --name Jane
notifycli user add root@example.com --role administrator --id 9
"""
    ),
)
def user_add(
    ctx: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")],
    id_: Annotated[
        int | None,
        typer.Option(
            "--id",
            parser=a_number("id"),
            metavar="N",
            help="The id that Chatwoot gives the user; the next free one if left out.",
        ),
    ] = None,
    name: Name = None,
    role: Annotated[
        str, typer.Option(parser=_role, metavar="|".join(ROLES), help="What the user may do.")
    ] = "agent",
) -> None:
    """Add a user; the account is created with its first one."""
    from notifycli.documents.directory_document import address_fault  # noqa: PLC0415 - used here alone

    session = session_of(ctx)
    if fault := address_fault(email):
        raise UsageError(fault, "an address looks like jane@example.com")
    with session.store(create=True) as store:
        account = session.resolve_account(store, may_be_new=True)
        with store.change(account, session.command, session.who) as change:
            for reference in (id_, email):
                if reference is not None and store.user(account, reference):
                    raise UsageError(f"account {account} has a user {reference} already")
            new = store.free_user_id(account) if id_ is None else id_
            change.put_users([User(new, email, name or "", _role(role))])
    session.info(f"added {email} as user {new} of account {account}")
    if id_ is None:
        session.info(
            f"the id {new} is made up; events know the user by the one of Chatwoot: --id N"
        )


@app.command(
    "list",
    cls=command_class(),
    epilog=examples(
        """
notifycli user list
notifycli user list | jq -r 'select(.role == "administrator") | .email'
"""
    ),
)
def user_list(ctx: typer.Context) -> None:
    """List the users, by id."""
    session = session_of(ctx)
    with session.store() as store:
        users = store.users(session.resolve_account(store))
    show(session, map(_record, users), UserRecord)
    if not users:
        session.info(f"no users yet; {NO_USERS_YET}")


@app.command(
    "show",
    cls=command_class(USER),
    epilog=examples("notifycli user show jane@example.com\nnotifycli user show -u 7 -o json"),
)
def user_show(ctx: typer.Context, reference: Reference = None) -> None:
    """Show one user."""
    session = session_of(ctx)
    with session.store() as store:
        user = _named(session, store, reference)
    show_one(session, _record(user))


@app.command(
    "remove",
    cls=command_class(USER),
    epilog=examples("notifycli user remove jane@example.com"),
)
def user_remove(ctx: typer.Context, reference: Reference = None) -> None:
    """Remove a user and all that is set for them.

    Their memberships go too, and their tokens end.
    """
    from notifycli.cli.tokens import forget_leftovers  # noqa: PLC0415 - used here alone

    session = session_of(ctx)
    if reference is None and not session.user:
        raise UsageError("no user named", "name one here: notifycli user remove EMAIL")
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        user = _named(session, store, reference)
        with store.change(account, session.command, session.who) as change:
            change.remove(user)
        forget_leftovers(session, store)
    session.info(f"removed user {user.id} ({display_name(user)}) from account {account}")
