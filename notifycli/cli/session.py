"""One run of the program: what the common options say, and what follows from them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from notifycli.cli.terminal import (
    filled,
    input_descriptor,
    is_terminal,
    is_utf_8,
    print_error,
)
from notifycli.errors import NotifycliError, UsageError
from notifycli.events.event import LARGEST_ID
from notifycli.rules.directory import Inbox, Team, User
from notifycli.rules.preferences import nearest, nearest_user
from notifycli.store.store import Location, Store, damage_error, locate, open_store
from notifycli.text import printable

T = TypeVar("T")
if TYPE_CHECKING:
    from notifycli.replay.sources import Inputs

Group = TypeVar("Group", Inbox, Team)

CONNECT = "connect your Chatwoot: notifycli chatwoot login URL"
"""What to type first, with nothing here yet."""
_NAMED = 3
READ_PREFERENCES = (
    "read it: notifycli chatwoot login with that user's token, then notifycli chatwoot pull; of "
    "all, from your own server: notifycli chatwoot tokens --platform, or export-sql"
)
"""What to type where a user's preferences in Chatwoot aren't known."""
NO_USERS_YET = (
    f"{CONNECT}; learn them: notifycli directory learn EVENTS; "
    "or add one with the id of Chatwoot: notifycli user add EMAIL --id N"
)
"""What to type where nobody is on record."""
_LISTED = 5
_FIRST_ACCOUNT = 1
_LONGEST_NUMBER = 20
_COMMAND = re.compile(r"(?<!inject )\bnotifycli (?=[a-z](?P<rest>(?:(?!notifycli )[^;\n])*))")
"""A command that a text suggests, with what is typed after it; none that pipx is told."""
_NAMES_STORE, _NAMES_ACCOUNT = re.compile(r" --db[ =]"), re.compile(r" (?:-a|--account\b)")
Reference = int | str
"""An inbox or a team, by its id or by its name."""


def _find_password(url: str) -> str | None:
    from notifycli.cli.remote import find_password  # noqa: PLC0415 - only a server's store needs it

    return find_password(url)


def is_web_address(text: str) -> bool:
    """Whether it is the address of a `notifycli serve`, as far as its beginning tells."""
    return text.lower().startswith(("https://", "http://"))


class Session:
    """The common options, as far as they were given, on the program or on the command."""

    all_users = False
    output: str | None = None
    quiet = False
    verbose = False
    no_color = False
    csv_safe = False
    command = ""
    """What history tells of a change: the command, without its values."""
    arguments: Sequence[str] = ()
    """What was typed after the program's name."""

    def __init__(self, *, db: str | None = None, account: int | None = None) -> None:
        self.db = db
        self.account = account
        self.user: list[str] = []
        self.role: list[str] = []
        self.team: list[Reference] = []
        self.inbox_members: list[Reference] = []
        self._missing_told = False
        self._opened = False
        self._only_account = False
        """Whether there is no other than the named one, as far as anybody has looked."""

    @cached_property
    def location(self) -> Location:
        """Where the store is. Raises `UsageError` for an address of no store."""
        if is_web_address(self.store_name):
            from notifycli.cli.remote import locate_server  # noqa: PLC0415 - few stores are remote

            return locate_server(self.store_name, self.command, self.info)
        return locate(self.store_name or None, _find_password)

    @cached_property
    def store_name(self) -> str:
        """How the store was named; "" if it wasn't."""
        return self.db or os.environ.get("NOTIFYCLI_DB", "")

    @property
    def shows_table(self) -> bool:
        """Whether records are laid out for people: on a terminal, or where a table is asked for."""
        return self.output == "table" or (self.output is None and is_terminal(sys.stdout))

    def store(self, *, create: bool = False) -> Store:
        """Open the store; without `create`, a missing one is as good as empty and isn't made."""
        if self.store_name and not (create or self._missing_told):
            self._missing_told = not self.location.exists
            if self._missing_told:
                self.info(f"there is no store at {self.location.name} yet")
        self._opened = True
        store = open_store(self.location, create=create)
        if store.upgrade:
            before, now, copy = store.upgrade
            self.info(
                f"the store is now of version {now}; as it was, of version {before}, it is kept in "
                f"{copy}: remove that once all is well"
            )
        return store

    def damage(self) -> NotifycliError | None:
        """Give the error that a store is damaged, if one was opened and is."""
        if not self._opened or self.location.link is not None:
            return None
        try:
            with open_store(self.location, create=False) as store:
                return damage_error(self.location.name) if store.damage() else None
        except NotifycliError as error:
            return error

    @property
    def who(self) -> str:
        """Who makes the changes of this run, for the history."""
        import getpass  # noqa: PLC0415 - only changes need it

        try:
            return printable(getpass.getuser())
        except (OSError, KeyError):
            return "unknown"

    @property
    def given_account(self) -> int | None:
        """The account that `-a` or `NOTIFYCLI_ACCOUNT` names."""
        text = os.environ.get("NOTIFYCLI_ACCOUNT")
        if self.account is not None or not text:
            return self.account
        number = number_in(text)
        if number is None or not 1 <= number <= LARGEST_ID:
            raise UsageError(
                f"NOTIFYCLI_ACCOUNT: {text!r} is no account number",
                "set it to a number from 1 on, or: unset NOTIFYCLI_ACCOUNT",
            )
        return number

    def resolve_account(self, store: Store, *, may_be_new: bool = False) -> int:
        """Give the account that is meant: the named one, else the only one, else 1.

        Raises `UsageError` where several are possible or, unless `may_be_new`, the named one isn't
        on record.
        """
        accounts = [account.id for account in store.accounts()]
        given = self.given_account
        self._only_account = not set(accounts) - {given}
        if given is not None:
            if given not in accounts and not may_be_new:
                known = ", ".join(map(str, accounts)) or "none yet"
                raise UsageError(f"there is no account {given}", f"accounts on record: {known}")
            return given
        if len(accounts) > 1:
            listed = ", ".join(map(str, accounts))
            raise UsageError(
                f"there are several accounts: {listed}",
                "name one: -a N, or set NOTIFYCLI_ACCOUNT",
            )
        return accounts[0] if accounts else _FIRST_ACCOUNT

    def fallback_account(self, store: Store) -> int:
        """Give the account of events that name none: `-a`, else the only one known, else 1."""
        accounts = store.accounts()
        only = accounts[0].id if len(accounts) == 1 else _FIRST_ACCOUNT
        given = self.given_account
        return only if given is None else given

    @property
    def given_users(self) -> list[str]:
        """The users that `-u` or `NOTIFYCLI_USER` names, as they were written."""
        from_environment = os.environ.get("NOTIFYCLI_USER")
        if from_environment and not is_utf_8(from_environment):
            raise UsageError(f"NOTIFYCLI_USER: {printable(from_environment)!r} isn't UTF-8")
        return self.user or ([from_environment] if from_environment else [])

    @property
    def selects_many(self) -> bool:
        """Whether the users are named in a way that may mean several."""
        groups = self.all_users or self.role or self.team or self.inbox_members
        return bool(groups) or len(self.user) > 1

    def resolve_users(self, store: Store, account: int) -> list[User]:
        """Give the users who are meant: all whom an option names, or the account's only one.

        Raises `UsageError` where that is nobody.
        """
        if self.all_users or self.role or self.team or self.inbox_members:
            return self._select(store, account)
        if self.given_users:
            try:
                named = [find_user(store, account, reference) for reference in self.given_users]
            except UsageError as error:
                variable = "" if self.user else "NOTIFYCLI_USER: "
                raise UsageError(f"{variable}{error.message}", error.hint) from None
            return list({user.id: user for user in named}.values())
        only = store.only_user(account)
        if only is None:
            raise _nobody_named(store, account)
        return [only]

    def _select(self, store: Store, account: int) -> list[User]:
        users = store.users(account)
        chosen = {find_user(store, account, reference).id for reference in self.user}
        chosen.update(user.id for user in users if self.all_users or user.role in self.role)
        for team in self.team:
            chosen.update(find_group(store.teams(account), team, "team", "--team").members)
        for inbox in self.inbox_members:
            chosen.update(
                find_group(store.inboxes(account), inbox, "inbox", "--inbox-members").members or ()
            )
        if not chosen:
            raise UsageError(
                f"nobody in account {account} is selected by {self._selection()}",
                "see who there is: notifycli user list, team list, inbox list",
            )
        return [user for user in users if user.id in chosen]

    def _selection(self) -> str:
        options = (
            ("--all-users",) * self.all_users,
            (f"--role {role}" for role in self.role),
            (f"--team {team}" for team in self.team),
            (f"--inbox-members {inbox}" for inbox in self.inbox_members),
        )
        return " ".join(option for group in options for option in group)

    def resolve_user(self, store: Store, account: int) -> User:
        """Give the one user who is meant. Raises `UsageError` if several are."""
        users = self.resolve_users(store, account)
        if len(users) != 1:
            raise UsageError("this command takes one user", "name just one: -u REF")
        return users[0]

    def input_files(self, given: list[str] | None) -> list[str]:
        """Give the input files that are meant: standard input, if none is named.

        An address with wildcards names all that it stands for. Raises as `find_remote` does.
        """
        files = given or ["-"]
        self.awaits(*files)
        if not any("://" in file for file in files):
            return files
        from notifycli.replay.sources import find_remote, is_remote  # noqa: PLC0415 - few logs lie elsewhere

        return [one for file in files for one in (find_remote(file) if is_remote(file) else [file])]

    def inputs(self, given: list[str] | None) -> Inputs:
        """Return the events that are meant, to be read: standard input, if no file is named."""
        from notifycli.replay.sources import Inputs  # noqa: PLC0415 - few commands read events

        return Inputs(tuple(self.input_files(given)), input_descriptor, self.suggest)

    def suggest(self, command: str, file: str) -> str:
        """Complete a command that reads a file for this one, which stands there as VERB.

        It is then what was typed, with standard input in the file's place.
        """
        return self.typed(command).replace("notifycli VERB", self.again(file))

    def again(self, file: str = "") -> str:
        """Give the command that was typed, with standard input in a file's place."""
        from notifycli.replay.sources import STDIN, shown  # noqa: PLC0415 - few commands read events

        # What signs an address isn't repeated.
        words = (shown(word) for word in self.arguments)
        return " ".join(["notifycli", *(quoted(STDIN if w == file else w) for w in words)])

    def typed_options(self, *names: str) -> str:
        """Give these options as they were typed."""
        words, found = iter(self.arguments), list[str]()
        for word in words:
            if word in names:
                found += word, next(words, "")
            elif word.partition("=")[0] in names:
                found.append(word)
        return "".join(f" {quoted(word)}" for word in found)

    def awaits(self, *files: str) -> None:
        """Tell whoever sits at a terminal, if one of the files is what they are to type."""
        if "-" in files and is_terminal(sys.stdin):
            self.info("reading standard input; end it with Ctrl-D")

    @property
    def db_option(self) -> str:
        """How a suggested command names this run's store; "" where it finds that by itself."""
        # An address that wasn't accepted may hold a password.
        is_known = self.db and ("://" not in self.db or "location" in vars(self))
        return f" --db {quoted(self.db or '')}" if is_known else ""

    @property
    def user_options(self) -> str:
        """How a suggested command names the users that `-u` named."""
        return "".join(f" -u {quoted(reference)}" for reference in self.user)

    def typed(self, text: str) -> str:
        """Have the commands that a text suggests be about this run's store and account.

        What the environment says holds for the next command as well.
        """

        def name(command: re.Match[str]) -> str:
            rest = command["rest"]
            if " --help" in rest:
                return command[0]
            account = "" if self.account is None or self._only_account else f" -a {self.account}"
            db = "" if _NAMES_STORE.search(rest) else self.db_option
            return f"notifycli{db}{'' if _NAMES_ACCOUNT.search(rest) else account} "

        return _COMMAND.sub(name, text)

    def info(self, text: str) -> None:
        """Tell something on standard error that is no data and no error."""
        if not self.quiet:
            text = self.typed(text)
            print_error(_at_words(text) if is_terminal(sys.stderr) else text)

    def warn(self, text: str) -> None:
        """Tell on standard error what may be a mistake."""
        print_error(f"warning: {self.typed(text)}")


def quoted(text: str) -> str:
    """Give a word of a suggested command as a shell takes it."""
    import shlex  # noqa: PLC0415 - only what suggests a command needs it

    return shlex.quote(text)


def _at_words(text: str) -> str:
    """Break lines that are wider than the terminal between words, as it wouldn't itself."""
    import shutil  # noqa: PLC0415 - only a terminal needs it

    width = shutil.get_terminal_size().columns - 1  # as a line of an error is broken
    return "\n".join(filled(line, width) for line in text.split("\n"))


def number_in(text: str) -> int | None:
    """Give the number that a text of digits alone is; `None` for any other, or one too large."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _LONGEST_NUMBER else None


def read_reference(text: str) -> Reference:
    """Read an id, or else a name; what is called so is seen once the store is open."""
    number = number_in(str(text))
    return text if number is None or not 1 <= number <= LARGEST_ID else number


def find_user(store: Store, account: int, reference: str) -> User:
    """Give the user whom an id, an address, a name, or the beginning of one of them names.

    Raises `UsageError` where that is nobody or several.
    """
    number = number_in(reference)
    named = reference if number is None or not 0 < number <= LARGEST_ID else number
    user = store.user(account, named)
    if user is None:
        users = store.users(account)
        if not users:
            raise _no_users_yet(account)
        called = [] if number is not None else _find_by_name(reference, users, _names_of)
        if len(called) == 1:
            return called[0]
        if called:
            listed = ", ".join(map(display_name, called[:_LISTED]))
            raise UsageError(
                f"account {account} has several users called {reference!r}", f"name one: {listed}"
            )
        near = nearest_user(reference, [n for u in users for n in (u.email, str(u.id)) if n])
        hint = f"did you mean {near}?" if near else "see who there is: notifycli user list"
        raise UsageError(f"account {account} has no user {reference!r}", hint)
    return user


def find_group(groups: Iterable[Group], reference: Reference, kind: str, option: str = "") -> Group:
    """Give the inbox or team that an id, a name, or the beginning of a name names.

    Errors begin with the `option` that named it. Raises `UsageError` where that is none or several.
    """
    there = list(groups)
    if isinstance(reference, int):
        called = [group for group in there if group.id == reference]
    else:
        called = _find_by_name(reference, there, lambda group: [group.name])
    if len(called) == 1:
        return called[0]
    word = str(reference) if isinstance(reference, int) else repr(reference)
    listed = ", ".join(f"{group.id} {group.name}".strip() for group in called or there)
    by = f"{option}: " if option and isinstance(reference, str) else ""
    if called:
        which = f"several {'inboxes' if kind == 'inbox' else 'teams'} are called {word}"
        raise UsageError(f"{by}{which}", f"name one by id: {listed}")
    hint = f"there are: {listed}" if listed else f"none yet; add one: notifycli {kind} add ID"
    raise UsageError(f"{by}there is no {kind} {word}", hint)


def find_inbox(store: Store, account: int, inbox: Reference) -> int:
    """Give the id of the inbox that is meant. Raises `UsageError` if the account has none such."""
    if isinstance(inbox, str):
        return find_group(store.inboxes(account), inbox, "inbox", "--inbox").id
    if not store.has_inbox(account, inbox):
        known = {str(item.id): item.name for item in store.inboxes(account)}
        near = nearest(str(inbox), known) or ", ".join(known) or "none yet"
        raise UsageError(
            f"account {account} has no inbox {inbox}",
            f"nearest: {near}; add it: notifycli inbox add {inbox}",
        )
    return inbox


def find_inboxes(store: Store, account: int | None, given: Iterable[str] | None) -> frozenset[int]:
    """Give the ids of inboxes, of an account or of any; an id may be of none on record.

    Raises `UsageError` where a name is that of none or of several.
    """
    named = [read_reference(text) for text in given or ()]
    accounts = [one.id for one in store.accounts()] if account is None else [account]
    by_name = any(isinstance(one, str) for one in named)
    there = [inbox for id_ in accounts for inbox in store.inboxes(id_)] if by_name else []
    return frozenset(
        one if isinstance(one, int) else find_group(there, one, "inbox", "--inbox").id
        for one in named
    )


def _find_by_name(text: str, things: Iterable[T], names_of: Callable[[T], list[str]]) -> list[T]:
    """Give what has this name, without regard to case; if nothing has, what begins so.

    A whole address is the beginning of none: it may be somebody's who isn't here.
    """
    word = text.strip().casefold()
    named = [(thing, [n.casefold() for n in names_of(thing) if n]) for thing in things]
    whole = [thing for thing, names in named if word in names]
    if whole or not word or word.partition("@")[2]:
        return whole
    return [thing for thing, names in named if any(n.startswith(word) for n in names)]


def _names_of(user: User) -> list[str]:
    email = user.email or ""
    return [user.name, email.partition("@")[0], email]


def plural(count: int, thing: str) -> str:
    """Write a count of things: `1 event`, `2 events`, `2 inboxes`, `2 pushes`."""
    ending = "" if count == 1 else "es" if thing.endswith(("x", "sh")) else "s"
    return f"{count} {thing}{ending}"


def display_name(user: User) -> str:
    """Give the name by which a user can be named: the address or, failing that, the id."""
    return user.email or str(user.id)


def display_names(users: Sequence[User]) -> str:
    """Name the first few of many users, and say how many more there are."""
    named = ", ".join(map(display_name, users[:_NAMED]))
    return f"{named} and {len(users) - _NAMED:,} more" if len(users) > _NAMED else named


def quoted_name(user: User) -> str:
    """Give the name by which a suggested command names a user, as a shell takes it."""
    return quoted(display_name(user))


def _nobody_named(store: Store, account: int) -> UsageError:
    users = store.users(account)
    if not users:
        return _no_users_yet(account)
    names = ", ".join(display_name(user) for user in users[:_LISTED])
    more = f" and {len(users) - _LISTED} more" if len(users) > _LISTED else ""
    return UsageError(
        f"account {account} has several users: {names}{more}",
        "name one: -u EMAIL or -u ID, or set NOTIFYCLI_USER",
    )


def _no_users_yet(account: int) -> UsageError:
    return UsageError(f"account {account} has no users yet", NO_USERS_YET)
