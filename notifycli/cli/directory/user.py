"""`notifycli user`: the users of an account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from msgspec import UNSET, Struct, UnsetType, structs

from notifycli.cli.command import (
    USER,
    a_number,
    command_class,
    examples,
    group,
    none_of,
    session_of,
)
from notifycli.cli.directory import (
    DryRun,
    Manner,
    Name,
    Yes,
    carry_out,
    tell_new_ids,
)
from notifycli.cli.output import show, show_one
from notifycli.cli.session import NO_USERS_YET, Session, display_name, find_user
from notifycli.errors import UsageError
from notifycli.rules.directory import ROLES, Role, User
from notifycli.store import Store

app = group("The users of an account.")

Reference = Annotated[
    str | None, typer.Argument(metavar="[USER]", help="The user, by e-mail or id; as -u does.")
]


_MADE_UP = (
    "the id {id} is made up; events know the user by the one of Chatwoot:"
    " notifycli user set {user} --id N"
)


class UserRecord(Struct):
    """A user, as printed."""

    id: int
    email: str | None
    name: str
    role: str


class PulledUserRecord(UserRecord):
    """A user of whom a Chatwoot has told more."""

    confirmed: bool | UnsetType
    permissions: tuple[str, ...] | UnsetType


def _records(users: Sequence[User]) -> tuple[list[UserRecord], type[UserRecord]]:
    """Give what is printed of users: what nobody has told of any of them isn't there."""
    if all(user.confirmed is None and user.permissions is None for user in users):
        return [UserRecord(u.id, u.email, u.name, u.role) for u in users], UserRecord
    return [
        PulledUserRecord(
            *(u.id, u.email, u.name, u.role),
            UNSET if u.confirmed is None else u.confirmed,
            UNSET if u.permissions is None else u.permissions,
        )
        for u in users
    ], PulledUserRecord


def _find(session: Session, store: Store, reference: str | None) -> User:
    account = session.resolve_account(store)
    return (
        find_user(store, account, reference) if reference else session.resolve_user(store, account)
    )


def _role(text: str) -> Role:
    for role in ROLES:
        if text == role:
            return role
    raise none_of(text, ROLES)


RoleOption = Annotated[
    Any,  # Typer takes no Literal beside a parser
    typer.Option("--role", parser=_role, metavar="|".join(ROLES), help="What the user may do."),
]


Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]
NewId = Annotated[
    int | None,
    typer.Option(
        "--id",
        parser=a_number("id"),
        metavar="N",
        help="The id that Chatwoot gives the user; the next free one if left out.",
    ),
]


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
    email: Email,
    id_: NewId = None,
    name: Name = None,
    role: RoleOption = None,
) -> None:
    """Add a user; the account is created with its first one."""
    session = session_of(ctx)
    _check_address(email)
    with session.store(create=True) as store:
        account = session.resolve_account(store, may_be_new=True)
        with store.change(account, session.command, session.who) as change:
            known = store.user(account, email)
            if known is not None and (id_ is None or not known.made_up):
                raise UsageError(
                    f"account {account} has a user {email} already",
                    f"change what is known of them: notifycli user set {email} --name NAME",
                )
            if known is not None and id_ is not None:
                change.give_id(known, id_)
            elif id_ is not None:
                change.settle_ids([(id_, email)])
                if (taken := store.user(account, id_)) is not None:
                    raise UsageError(
                        f"account {account} has a user {id_} already: {display_name(taken)}",
                        f"if they are the same: notifycli user set {id_} --email {email}",
                    )
            new = change.free_user_id() if id_ is None else id_
            user = store.user(account, new) or User(new, email, made_up=id_ is None)
            change.put_users([_with(user, email, name, role)])
            tell_new_ids(session, change)
    if known is None:
        session.info(f"added {email} as user {new} of account {account}")
    if id_ is None:
        session.info(_MADE_UP.format(id=new, user=email))


@app.command(
    "set",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli user set jane@example.com --name 'Jane Doe' --role administrator
notifycli user set jane@example.com --email jane.doe@example.com
notifycli user set jane@example.com --id 7
"""
    ),
)
def user_set(
    ctx: typer.Context,
    reference: Reference = None,
    *,
    email: Annotated[
        str | None, typer.Option("--email", metavar="EMAIL", help="The new e-mail address.")
    ] = None,
    name: Name = None,
    role: RoleOption = None,
    id_: Annotated[
        int | None,
        typer.Option(
            "--id",
            parser=a_number("id"),
            metavar="N",
            help="The id that Chatwoot gives the user; all that is theirs goes with them.",
        ),
    ] = None,
) -> None:
    """Change the e-mail address, the name, the role or the id of a user."""
    session = session_of(ctx)
    if email is None and name is None and role is None and id_ is None:
        raise UsageError("nothing to change", "name --email, --name, --role or --id")
    if email is not None:
        _check_address(email)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        user = _find(session, store, reference)
        with store.change(account, session.command, session.who) as change:
            if id_ is not None:
                change.give_id(user, id_)
                user = store.user(account, id_) or user
            change.put_users([_with(user, email or user.email, name, role)])
            tell_new_ids(session, change)
    session.info(f"user {user.id} of account {account} is changed")


def _check_address(email: str) -> None:
    from notifycli.rules.directory import address_fault  # noqa: PLC0415 - see user_add

    if fault := address_fault(email):
        raise UsageError(fault, "an address looks like jane@example.com")


def _with(user: User, email: str | None, name: str | None, role: Role | None) -> User:
    return structs.replace(
        user,
        email=email,
        name=user.name if name is None else name,
        role=role or user.role,
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
    show(session, *_records(users))
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
        user = _find(session, store, reference)
    show_one(session, _records([user])[0][0])
    if user.made_up:
        session.info(_MADE_UP.format(id=user.id, user=display_name(user)))


@app.command(
    "remove",
    cls=command_class(USER),
    epilog=examples("notifycli user remove jane@example.com"),
)
def user_remove(
    ctx: typer.Context, reference: Reference = None, *, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Remove a user and all that is set for them.

    Their memberships and their addresses on other channels go too, and their tokens end.
    `notifycli directory undo` takes it back, but for the tokens and those addresses.
    """
    session = session_of(ctx)
    if reference is None and not session.user:
        raise UsageError("no user named", "name one here: notifycli user remove EMAIL")
    with session.store(create=not dry_run) as store:
        account = session.resolve_account(store)
        user = _find(session, store, reference)
        carry_out(session, store, account, Manner(yes, dry_run), lambda change: change.remove(user))
