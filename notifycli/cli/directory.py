"""`notifycli user`, `inbox`, `team` and `directory`: who there is, and all of it as a document.

What removes something asks first, and names it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from msgspec import UNSET, Struct, UnsetType, json, structs

from notifycli.cli.command import (
    USER,
    a_number,
    command_class,
    examples,
    group,
    none_of,
    session_of,
)
from notifycli.cli.output import show, show_one, write
from notifycli.cli.session import (
    CONNECT,
    NO_USERS_YET,
    Group,
    Session,
    display_name,
    find_group,
    find_user,
    plural,
    quoted,
    quoted_name,
)
from notifycli.cli.terminal import confirm, is_terminal, print_error
from notifycli.errors import UsageError
from notifycli.rules.directory import ROLES, Inbox, Role, Team, User
from notifycli.store.history import DirectoryStep, step_of, undo
from notifycli.store.store import Store
from notifycli.store.transaction import Change
from notifycli.text import is_printable

users = group("The users of an account.")
inboxes = group("Inboxes and who their members are: they see its conversations.")
teams = group("Teams and who their members are: they see what is given to the team.")
app = group("Users, inboxes and teams as one document.")

_NAMED = 5
_MADE_UP = (
    "the id {id} is made up; events know the user by the one of Chatwoot:"
    " notifycli user set {user} --id N"
)
Work = Callable[[Change], None]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before something is removed.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
]


class Manner(NamedTuple):
    """How a change is to be made."""

    yes: bool
    dry_run: bool


def _carry_out(session: Session, store: Store, account: int, asked: Manner, work: Work) -> bool:
    """Do the work in one change, or show what it would do; gives whether it was done.

    On a terminal it is asked for first, if it removes anything. Raises `typer.Abort` for a no.
    """
    from notifycli.cli.token import forget_leftovers  # noqa: PLC0415 - used here alone

    if asked.dry_run or (is_terminal(sys.stdin) and not asked.yes):
        with store.rehearsal(account) as change:
            work(change)
            steps = list(map(step_of, change.directory))
            lost = _name_lost(change)
        if asked.dry_run:
            show(session, steps, DirectoryStep)
            session.info(f"nothing was changed{f'; it would remove {lost}' if lost else ''}")
            return False
        if lost:
            confirm(f"Remove {lost}?")
    with store.change(account, session.command, session.who) as change:
        work(change)
        _tell_new_ids(session, change)
        lost = _name_lost(change)
    forget_leftovers(session, store)
    if lost:
        session.info(f"removed: {lost}; take it back: notifycli directory undo {change.id}")
    if tokens := change.ended_tokens:
        session.info(f"{plural(tokens, 'token')} ended, and can't be taken back")
    if addresses := change.ended_addresses:
        gone = f"{addresses} addresses on other channels are"
        if addresses == 1:
            gone = "an address on another channel is"
        session.info(
            f"{gone} forgotten, and can't be taken back: notifycli channel add adds one anew"
        )
    return True


def _tell_new_ids(session: Session, change: Change) -> None:
    """Tell who had a made-up id and has another one now."""
    for one in change.directory:
        if one.kind == "user" and one.old is not None and one.new is not None:
            old, new = (json.decode(side, type=User) for side in (one.old, one.new))
            if old.id != new.id:
                session.info(f"{new.email or new.name}: the id {old.id} has become {new.id}")


def _name_lost(change: Change) -> str:
    """Name what a change removes; nothing if that is nothing."""
    steps = [step_of(one) for one in change.directory if one.new is None]
    named = [f"{step.kind} {step.id} {step.name}".rstrip() for step in steps[:_NAMED]]
    more = f" and {len(steps) - _NAMED:,} more" if len(steps) > _NAMED else ""
    # Only with its user does a preference go here, or come back with them.
    values = f" with {plural(change.preferences, 'preference')}" if change.preferences else ""
    return f"{', '.join(named)}{more}{values}" if steps else ""


def _check_name(text: str | None) -> str | None:
    """Refuse a name that a terminal could take as a command."""
    if text is not None and not is_printable(text):
        raise typer.BadParameter("the name has control characters")
    return text


Id = Annotated[
    int,
    typer.Argument(parser=a_number("id"), metavar="ID", help="The id that Chatwoot gives it."),
]
Name = Annotated[
    str | None,
    typer.Option("--name", callback=_check_name, metavar="NAME", help="The name to show."),
]
Members = Annotated[
    list[str] | None,
    typer.Option("--member", metavar="USER", help="A member, by e-mail or id; may be repeated."),
]


def _member_ids(store: Store, account: int, references: Iterable[str]) -> tuple[int, ...]:
    """Give the ids of the users that are named, in their order."""
    return tuple(sorted({find_user(store, account, ref).id for ref in references}))


def _remove(session: Session, store: Store, account: int, group: Group, asked: Manner) -> None:
    """Remove an inbox or a team."""
    _carry_out(session, store, account, asked, lambda change: change.remove(group))


Reference = Annotated[
    str | None, typer.Argument(metavar="[USER]", help="The user, by e-mail or id; as -u does.")
]


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


def _user_records(users: Sequence[User]) -> tuple[list[UserRecord], type[UserRecord]]:
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
    if reference is not None:
        session.user = [reference, *session.user]
    return session.resolve_user(store, session.resolve_account(store))


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


@users.command(
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
                    f"change what is known of them: notifycli user set {quoted(email)} --name NAME",
                )
            if known is not None and id_ is not None:
                change.give_id(known, id_)
            elif id_ is not None:
                change.settle_ids([(id_, email)])
                if (taken := store.user(account, id_)) is not None:
                    raise UsageError(
                        f"account {account} has a user {id_} already: {display_name(taken)}",
                        f"if they are the same: notifycli user set {id_} --email {quoted(email)}",
                    )
            new = change.free_user_id() if id_ is None else id_
            user = store.user(account, new) or User(new, email, made_up=id_ is None)
            change.put_users([_with(user, email, name, role)])
            _tell_new_ids(session, change)
    if known is None:
        session.info(f"added {email} as user {new} of account {account}")
    if id_ is None:
        session.info(_MADE_UP.format(id=new, user=quoted(email)))


@users.command(
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
        owner = None if email is None else store.user(account, email)
        if owner is not None and owner.id != user.id:
            raise UsageError(
                f"account {account} has a user {email} already: user {owner.id}",
                "give that one another address first, or remove it",
            )
        with store.change(account, session.command, session.who) as change:
            if id_ is not None:
                change.give_id(user, id_)
                user = store.user(account, id_) or user
            change.put_users([_with(user, email or user.email, name, role)])
            _tell_new_ids(session, change)
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


@users.command(
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
    show(session, *_user_records(users))
    if not users:
        session.info(f"no users yet; {NO_USERS_YET}")


@users.command(
    "show",
    cls=command_class(USER),
    epilog=examples("notifycli user show jane@example.com\nnotifycli user show -u 7 -o json"),
)
def user_show(ctx: typer.Context, reference: Reference = None) -> None:
    """Show one user."""
    session = session_of(ctx)
    with session.store() as store:
        user = _find(session, store, reference)
    show_one(session, _user_records([user])[0][0])
    if user.made_up:
        session.info(_MADE_UP.format(id=user.id, user=quoted_name(user)))


@users.command(
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
        _carry_out(
            session, store, account, Manner(yes, dry_run), lambda change: change.remove(user)
        )


class InboxRecord(Struct):
    """An inbox, as printed."""

    id: int
    name: str
    members: tuple[int, ...] | None


class PulledInboxRecord(InboxRecord):
    """An inbox of which a Chatwoot has told more."""

    bot: bool | UnsetType


def _inbox_records(inboxes: Sequence[Inbox]) -> tuple[list[InboxRecord], type[InboxRecord]]:
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
            added = _member_ids(store, account, members or ())
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
    show(session, *_inbox_records(inboxes))
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
        _remove(session, store, account, group, Manner(yes, dry_run))


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
            everyone = {*old.members, *_member_ids(store, account, members or ())}
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
        _remove(session, store, account, group, Manner(yes, dry_run))


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
    from notifycli.cli.inputs import read_document  # noqa: PLC0415 - users and groups need none
    from notifycli.documents.directory_document import (  # noqa: PLC0415
        import_directory,
        read_directory,
        unknown_fields,
    )
    from notifycli.replay.sources import place_of  # noqa: PLC0415

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

        if not _carry_out(session, store, account, Manner(yes, dry_run), put):
            return
        size = _size_of(store, account)
    session.info(f"account {account} has {size}")


def _size_of(store: Store, account: int) -> str:
    users = plural(len(store.users(account)), "user")
    inboxes = plural(len(store.inboxes(account)), "inbox")
    return f"{users}, {inboxes} and {plural(len(store.teams(account)), 'team')}"


@app.command(
    "export",
    cls=command_class(),
    epilog=examples("notifycli directory export > directory.json"),
)
def directory_export(ctx: typer.Context) -> None:
    """Print the whole directory as one JSON document."""
    from notifycli.documents.directory_document import (  # noqa: PLC0415 - see directory_import
        export_directory,
    )

    session = session_of(ctx)
    with session.store() as store:
        document = export_directory(store, session.resolve_account(store))
    write([json.format(json.encode(document), indent=2), b"\n"])


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
    from notifycli.cli.inputs import find_inputs  # noqa: PLC0415 - see directory_import
    from notifycli.documents.directory_document import Learnt, add_learnt  # noqa: PLC0415
    from notifycli.replay.scan import take_record  # noqa: PLC0415
    from notifycli.replay.sources import BadLines, read_records  # noqa: PLC0415

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
                _tell_new_ids(session, change)
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
    ended. Whoever was given an id has the old one, or where that was made up, and isn't free,
    another made-up one. That is a change too: undo it, and what was taken back is there again.
    """
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        past = store.history.directory_change(account, id_)
        # The history tells with it which change was taken back.
        session.command = f"{session.command} {past.id}"
        if _carry_out(
            *(session, store, account, Manner(yes, dry_run)),
            lambda change: undo(store, change, past.id, force=force),
        ):
            session.info(
                f"took back change {past.id} of account {account}: {past.command}, by {past.who}"
                f" at {past.at}"
            )
