"""One change of the store: what it may do, and the trace it leaves in the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from notifycli.errors import DataError, NotPermittedError, UsageError
from notifycli.events.event import LARGEST_ID
from notifycli.rules.directory import Inbox, Team, User
from notifycli.rules.preferences import Layer
from notifycli.store.sql_store import USER_COLUMNS, as_bool, as_flag, user_of
from notifycli.store.staged_values import (
    LAYER_OF_SCOPE,
    NO_PLACE,
    NOBODY,
    Locked,
    Staging,
    scope_of,
)

if TYPE_CHECKING:
    from notifycli.store.chatwoot_accounts import ConnectionChanges
    from notifycli.store.store import Cursor, Database
    from notifycli.store.subscriptions import SubscriptionChanges
    from notifycli.store.tokens import TokenChanges

Item = User | Inbox | Team
Kind = Literal["account", "user", "inbox", "team"]

_KEPT_ROWS = {
    "ui_setting": "key, value, place",
    "push_subscription": "key_id, endpoint, p256dh, auth, label, created_at, expires_at, failures",
}
"""What goes with a user and comes back with them, and isn't told by the history."""
_HAS_KEY = "SELECT 1 FROM push_key WHERE id = ?"
_HAS_ADDRESS = 'SELECT 1 FROM "user" WHERE account_id = ? AND email = ?'
_PUT_USER = f"""
INSERT INTO "user" (account_id, {USER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account_id, id) DO UPDATE SET email = excluded.email,
       name = excluded.name, role = excluded.role, confirmed = excluded.confirmed,
       permissions = excluded.permissions, made_up = excluded.made_up
"""

_RETURNED = """
  FROM preference_change v
 WHERE v.change_id = :past AND v.new IS NULL AND v.user_id IN
       (SELECT d.item_id FROM directory_change d
          JOIN "user" u ON u.account_id = :account AND u.id = d.item_id
         WHERE d.change_id = :past AND d.kind = 'user' AND d.new IS NULL)
"""
_TELL_RETURNED = f"""
INSERT INTO preference_change (change_id, layer, user_id, scope, key, old, new)
SELECT :change, v.layer, v.user_id, v.scope, v.key, NULL, v.old {_RETURNED}
   AND NOT EXISTS (SELECT 1 FROM user_preference p
                    WHERE p.account_id = :account AND p.user_id = v.user_id
                      AND p.scope = coalesce(v.scope, 0) AND p.key = v.key)
"""
_SET_RETURNED = f"""
INSERT INTO user_preference (account_id, user_id, scope, key, value)
SELECT :account, v.user_id, coalesce(v.scope, 0), v.key, v.old {_RETURNED}
    ON CONFLICT DO NOTHING
"""


class Target(NamedTuple):
    """Where a value is set: a layer and, where it has them, a user and an inbox or conversation."""

    layer: Layer
    user: int | None = None
    inbox: int | None = None
    conversation: int | None = None


class Entry(NamedTuple):
    """One value to set at its place; `None` takes it away."""

    target: Target
    key: str
    value: str | None


class DirectoryDifference(NamedTuple):
    """What a change did to one thing of the directory; `None` is "not there"."""

    kind: Kind
    id: int
    old: str | None
    """JSON; of an account, its name."""
    new: str | None


class Trace(NamedTuple):
    """What the history tells of a change, besides what differs."""

    command: str
    who: str
    at: str
    """ISO 8601 in UTC, to the second."""


class Change:
    """A change in the making; `Store.change` makes them. Everything happens in its account."""

    add_tone = "add it"
    """How to come by a tone that there isn't."""

    def __init__(self, database: Database, account: int, trace: Trace) -> None:
        self._database = database
        self._account = account
        self._trace = trace
        self._id: int | None = None
        self._preferences = 0
        self._addresses = 0
        self._parts: list[TokenChanges | SubscriptionChanges] = []
        """Those that were asked for, and may differ."""
        self._directory: list[DirectoryDifference] = []
        if not self._one("SELECT 1 FROM account WHERE id = ?", account):
            self._execute("INSERT INTO account (id) VALUES (?)", account)

    @cached_property
    def tokens(self) -> TokenChanges:
        """What it does to tokens."""
        from notifycli.store.tokens import TokenChanges

        self._parts.append(part := TokenChanges(self._database, self._account))
        return part

    @cached_property
    def subscriptions(self) -> SubscriptionChanges:
        """What it does to push subscriptions."""
        from notifycli.store.subscriptions import SubscriptionChanges

        self._parts.append(part := SubscriptionChanges(self._database, self._account))
        return part

    @cached_property
    def chatwoot(self) -> ConnectionChanges:
        """What it does to what is known of a Chatwoot; the history tells none of it."""
        from notifycli.store.chatwoot_accounts import ConnectionChanges

        return ConnectionChanges(self._database, self._account)

    def __len__(self) -> int:
        """How many things differ from what they were."""
        return self._preferences + len(self._directory) + sum(map(len, self._parts))

    @property
    def directory(self) -> Sequence[DirectoryDifference]:
        """What differs in the directory from what it was, in the order of the changes."""
        return self._directory

    def set(self, entries: Iterable[Entry], *, again: bool = False) -> int:
        """Set or take away values; gives how many differ from before.

        Raises `NotPermittedError` where a lock that was there before forbids to set a value of a
        lower layer; with `again`, a value that is there already may be set again.
        """
        staging = Staging(self._database)
        staging.put(
            (
                self._account,
                *(target.layer, target.user or NOBODY),
                scope_of(target.inbox, target.conversation),
                *(key, value, NO_PLACE),
            )
            for target, key, value in entries
        )
        return self.settle(staging, again=again)

    def settle(
        self,
        staging: Staging,
        told: Callable[[Locked], str] | None = None,
        *,
        again: bool = True,
    ) -> int:
        """Set the account's values that were staged; gives how many differ from before.

        With a user's values of conversations go those that have ended, which aren't counted.
        Raises `NotPermittedError` as `set` does, of all values that are locked; `told` names one;
        and `UsageError` for a tone that there isn't.
        """
        if unknown := staging.unknown_tones():
            from notifycli.store.presets_and_tones import Tones, unknown_tone

            raise unknown_tone(unknown[0], Tones(self._database).names(), self.add_tone)
        if locked := staging.find_locked(self._account, again=again):
            raise _refusal(self._account, locked, told)
        # The history tells of these, too: what held then is known from it.
        ended = staging.put_ended(self._account, self._database.now())
        if not staging.differ(self._account):
            return 0
        changed = staging.write(self._account, self._change_id())
        self._preferences += changed - ended
        return changed - ended

    def name_account(self, name: str) -> None:
        """Name the account."""
        old = self._one("SELECT name FROM account WHERE id = ?", self._account)
        if old is not None and old[0] != name:
            self._execute("UPDATE account SET name = ? WHERE id = ?", name, self._account)
            self._directory.append(DirectoryDifference("account", self._account, old[0], name))

    @property
    def account(self) -> int:
        """The account that is changed."""
        return self._account

    @property
    def preferences(self) -> int:
        """How many preferences differ from what they were."""
        return self._preferences

    @property
    def id(self) -> int:
        """Its number in the history; only where something differs."""
        return self._change_id()

    @property
    def ended_tokens(self) -> int:
        """How many tokens have ended with their users."""
        return len(self.tokens)

    @property
    def ended_addresses(self) -> int:
        """How many addresses on added channels have gone with their users."""
        return self._addresses

    def item(self, kind: str, id_: int) -> Item | None:
        """Return a user, an inbox or a team as it is."""
        if kind == "user":
            return self._user(id_)
        return self._inbox(id_) if kind == "inbox" else self._team(id_)

    def put(self, item: Item) -> None:
        """Add a thing of the directory, or make the one with its id like it.

        Members whom the account doesn't have are left out.
        """
        if isinstance(item, User):
            self.put_users([item])
            return
        here = [user for user in item.members or () if self._user(user) is not None]
        if isinstance(item, Team):
            self.put_team(msgspec.structs.replace(item, members=tuple(here)))
        else:
            members = None if item.members is None else tuple(here)
            self.put_inbox(msgspec.structs.replace(item, members=members))

    def put_users(self, users: Iterable[User]) -> None:
        """Add users, or make those with their ids like them.

        Raises `DataError` where an address would belong to two users.
        """
        changed = [user for user in users if self._note("user", user.id, self._user(user.id), user)]
        # First nobody keeps an address that changes, so that two users can swap theirs.
        self._database.executemany(
            'UPDATE "user" SET email = NULL WHERE account_id = ? AND id = ?',
            ((self._account, user.id) for user in changed),
        )
        for user in changed:
            if user.email is not None and self._one(_HAS_ADDRESS, self._account, user.email):
                raise DataError(
                    f"user {user.id}: the address {user.email} belongs to another user already",
                    "see who has it: notifycli user list",
                )
            self._execute(
                _PUT_USER,
                *(
                    self._account,
                    user.id,
                    user.email,
                    user.name,
                    user.role,
                    as_flag(user.confirmed),
                ),
                *(_words(user.permissions), int(user.made_up)),
            )

    def free_user_id(self, taken: Iterable[int] = ()) -> int:
        """Return an id that no user of the account has, and that isn't one of `taken`."""
        row = self._one(
            'SELECT id FROM "user" WHERE account_id = ? ORDER BY id DESC LIMIT 1', self._account
        )
        beside = {*taken, row[0] if row else 0}
        if max(beside) < LARGEST_ID:
            return int(max(beside)) + 1
        return next(i for i in count(1) if i not in beside and self._user(i) is None)

    def settle_ids(self, told: Iterable[tuple[int, str | None]], *, certain: bool = True) -> None:
        """Have made-up ids give way to those told, each with the address of whose it is, if known.

        Who has an address under a made-up id gets the id that is told of it, with all that is
        theirs, unless that is somebody with another address: both then stay as they are. Who has a
        made-up id that is told of somebody else gets another one. Who has the very id that is told
        keeps it, and with `certain` it is made up no longer.
        """
        made_up = {user.id: user for user in self._users_of_made_up_ids()}
        owners = {user.email.casefold(): user.id for user in made_up.values() if user.email}
        real = dict(told) if made_up else {}
        moves: dict[int, int | None] = {}
        for id_, email in real.items():
            owner = None if email is None else owners.get(email.casefold())
            if owner is not None and owner != id_:
                there = None if id_ in made_up else self._user(id_)
                if there is None or there.email is None:
                    moves[owner] = id_
            if id_ in made_up and owner != id_:
                moves.setdefault(id_, None)
            elif id_ in made_up and certain:
                self.put_users([msgspec.structs.replace(made_up[id_], made_up=False)])
        # Two may swap their ids: first all of them go where nobody is.
        beside: dict[int, int] = {}
        for id_ in moves:
            beside[id_] = self.free_user_id(real)
            self._renumber(id_, beside[id_], made_up=True)
        for id_, new in moves.items():
            if new is not None:
                self._renumber(beside[id_], new, made_up=False)
            settled = new or beside[id_]
            self._note("user", settled, made_up[id_], self._user(settled))

    def give_id(self, user: User, id_: int) -> None:
        """Give a user an id, with all that is theirs; they take over who has it without an address.

        Raises `UsageError` if the id is somebody else's.
        """
        self.settle_ids([(id_, user.email)])
        there = self._user(id_)
        if there is not None and there.email not in (None, user.email):
            raise UsageError(
                f"user {id_} is {there.email}", "see who there is: notifycli user list"
            )
        if self._user(user.id) is not None and id_ != user.id:
            self._renumber(user.id, id_, made_up=False)
            self._note("user", id_, user, self._user(id_))

    def _renumber(self, old: int, new: int, *, made_up: bool) -> None:
        renumber(self._database, self._account, old, new, made_up=made_up)
        # What this change has done to them so far is told of the new id, as is all of their past.
        place: dict[str, object] = {"old": old, "new": new}
        for i, (kind, id_, *sides) in enumerate(self._directory):
            if (kind, id_) == ("user", old):
                self._directory[i] = DirectoryDifference(kind, new, *sides)
            elif kind in ("inbox", "team"):
                moved = (None if side is None else _with_member(side, place) for side in sides)
                self._directory[i] = DirectoryDifference(kind, id_, *moved)

    def put_inbox(self, inbox: Inbox) -> None:
        """Add an inbox, or make the one with this id like it."""
        if self._note("inbox", inbox.id, self._inbox(inbox.id), inbox):
            self._execute(
                "INSERT INTO inbox (account_id, id, name, members_known, bot)"
                " VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (account_id, id) DO UPDATE SET name = excluded.name,"
                " members_known = excluded.members_known, bot = excluded.bot",
                *(self._account, inbox.id, inbox.name),
                *(int(inbox.members is not None), as_flag(inbox.bot)),
            )
            self._replace_members("inbox", inbox.id, inbox.members or ())

    def put_team(self, team: Team) -> None:
        """Add a team, or make the one with this id like it."""
        if self._note("team", team.id, self._team(team.id), team):
            self._execute(
                "INSERT INTO team (account_id, id, name) VALUES (?, ?, ?)"
                " ON CONFLICT (account_id, id) DO UPDATE SET name = excluded.name",
                *(self._account, team.id, team.name),
            )
            self._replace_members("team", team.id, team.members)

    def remove(self, item: Item) -> None:
        """Remove a user with their tokens and all that is set for them, an inbox or a team.

        The keychain still holds their tokens' secrets then, and their addresses on added channels:
        `Tokens.leftovers` names them.
        """
        kind: Kind = "user" if isinstance(item, User) else "inbox"
        if isinstance(item, Team):
            kind = "team"
        self._note(kind, item.id, item, None)
        if isinstance(item, User):
            self.tokens.revoke_of_user(item.id)
            self._addresses += _forget_addresses(self._database, self._account, item.id)
            _drop_notices(self._database, self._account, item.id)
            self._leave_all("inbox", item.id)
            self._leave_all("team", item.id)
            self._keep_rows(item.id)
            self._preferences += self._execute(
                "INSERT INTO preference_change (change_id, layer, user_id, scope, key, old, new)"
                f" SELECT ?, {LAYER_OF_SCOPE}, user_id,"
                " nullif(scope, 0), key, value, NULL FROM user_preference"
                " WHERE account_id = ? AND user_id = ?",
                *(self._change_id(), self._account, item.id),
            ).rowcount
        self._execute(
            f'DELETE FROM "{kind}" WHERE account_id = ? AND id = ?', self._account, item.id
        )

    def _keep_rows(self, user: int) -> None:
        """Keep what the history doesn't tell of a user who is about to be removed."""
        for table, columns in _KEPT_ROWS.items():
            rows = self._rows(
                f"SELECT {columns} FROM {table} WHERE account_id = ? AND user_id = ?",
                *(self._account, user),
            )
            for row in rows:
                self._execute(
                    "INSERT INTO removed_row VALUES (?, ?, ?, ?)",
                    *(self._change_id(), user, table, msgspec.json.encode(row).decode()),
                )

    def restore_rows(self, past: int) -> None:
        """Put back what the users had whom a past change removed, where they have nothing now.

        What they had set may be locked: a lock beats what was set before it, and leaves it there.
        """
        place = {"account": self._account, "past": past}
        if self._database.execute(f"SELECT 1 {_RETURNED} LIMIT 1", place).fetchone():
            place["change"] = self._change_id()
            self._preferences += self._database.execute(_TELL_RETURNED, place).rowcount
            self._database.execute(_SET_RETURNED, place)
        for user, table, cells in self._rows(
            "SELECT user_id, table_name, cells FROM removed_row WHERE change_id = ?", past
        ):
            columns, row = _KEPT_ROWS[table], msgspec.json.decode(cells)
            if table == "push_subscription" and not self._one(_HAS_KEY, row[0]):
                continue
            marks = ", ".join("?" * len(row))
            self._execute(
                f"INSERT INTO {table} (account_id, user_id, {columns}) VALUES (?, ?, {marks})"
                " ON CONFLICT DO NOTHING",
                *(self._account, user, *row),
            )

    def _leave_all(self, kind: Literal["inbox", "team"], user: int) -> None:
        for (id_,) in self._rows(
            f"SELECT {kind}_id FROM {kind}_member WHERE account_id = ? AND user_id = ?",
            *(self._account, user),
        ):
            group = self._inbox(id_) if kind == "inbox" else self._team(id_)
            if group is not None:
                left = tuple(member for member in group.members or () if member != user)
                self._note(kind, id_, group, msgspec.structs.replace(group, members=left))

    def record(self) -> None:
        """Write the trace of all that differs."""
        if self:
            self._database.executemany(
                "INSERT INTO directory_change (change_id, kind, item_id, old, new)"
                " VALUES (?, ?, ?, ?, ?)",
                [(self._change_id(), *row) for row in self._directory],
            )
            for part in self._parts:
                part.record(self._change_id())

    def _change_id(self) -> int:
        if self._id is None:
            self._execute(
                "INSERT INTO change (at, who, account_id, command) VALUES (?, ?, ?, ?)",
                *(self._trace.at, self._trace.who, self._account, self._trace.command),
            )
            # Nobody else writes meanwhile. RETURNING is younger than what servers run.
            (self._id,) = self._execute("SELECT max(id) FROM change").fetchone()
        return int(self._id)

    def _note(self, kind: Kind, id_: int, old: Item | None, new: Item | None) -> bool:
        if old == new:
            return False
        before, after = (
            None if item is None else msgspec.json.encode(item).decode() for item in (old, new)
        )
        self._directory.append(DirectoryDifference(kind, id_, before, after))
        return True

    def _users_of_made_up_ids(self) -> list[User]:
        rows = self._rows(
            f'SELECT {USER_COLUMNS} FROM "user" WHERE account_id = ? AND made_up = 1',
            self._account,
        )
        return list(map(user_of, rows))

    def _user(self, id_: int) -> User | None:
        row = self._one(
            f'SELECT {USER_COLUMNS} FROM "user" WHERE account_id = ? AND id = ?',
            *(self._account, id_),
        )
        return None if row is None else user_of(row)

    def _inbox(self, id_: int) -> Inbox | None:
        row = self._one(
            "SELECT name, members_known, bot FROM inbox WHERE account_id = ? AND id = ?",
            *(self._account, id_),
        )
        if row is None:
            return None
        members = self._members("inbox", id_) if row[1] else None
        return Inbox(id_, row[0], members, as_bool(row[2]))

    def _team(self, id_: int) -> Team | None:
        row = self._one("SELECT name FROM team WHERE account_id = ? AND id = ?", self._account, id_)
        return None if row is None else Team(id_, row[0], self._members("team", id_))

    def _members(self, kind: Kind, id_: int) -> tuple[int, ...]:
        rows = self._rows(
            f"SELECT user_id FROM {kind}_member WHERE account_id = ? AND {kind}_id = ?"
            " ORDER BY user_id",
            *(self._account, id_),
        )
        return tuple(user for (user,) in rows)

    def _replace_members(self, kind: Kind, id_: int, members: Iterable[int]) -> None:
        self._execute(
            f"DELETE FROM {kind}_member WHERE account_id = ? AND {kind}_id = ?",
            *(self._account, id_),
        )
        self._database.executemany(
            f"INSERT INTO {kind}_member (account_id, {kind}_id, user_id) VALUES (?, ?, ?)",
            ((self._account, id_, user) for user in members),
        )

    def _execute(self, sql: str, *parameters: object) -> Cursor:
        return self._database.execute(sql, parameters)

    def _rows(self, sql: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        yield from self._execute(sql, *parameters).fetchall()

    def _one(self, sql: str, *parameters: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._execute(sql, *parameters).fetchone()
        return row


def _words(permissions: Iterable[str] | None) -> str | None:
    return None if permissions is None else " ".join(permissions)


def _refusal(
    account: int, locked: Sequence[Locked], told: Callable[[Locked], str] | None
) -> NotPermittedError:
    keys = " ".join(sorted({item.key for item in locked}))
    hint = f"an administrator can unlock it: notifycli prefs unset --lock {keys}"
    if told is None:
        first = locked[0]
        message = f"{first.key} is locked to {first.lock} for account {account}"
        return NotPermittedError(message, hint)
    listed = "\n".join(f"{told(item)}: {item.key} is locked to {item.lock}" for item in locked)
    return NotPermittedError(f"{listed}\nnothing was stored", hint)


# An address is one user's at a time. Of two current tokens of a name, one is the current one, and
# the other stays valid.
_USERS = (
    'UPDATE "user" SET email = NULL WHERE account_id = :account AND id = :old',
    """
INSERT INTO "user" (account_id, id, name, role, confirmed, permissions)
SELECT account_id, :new, name, role, confirmed, permissions FROM "user"
 WHERE account_id = :account AND id = :old
    ON CONFLICT DO NOTHING""",
    """
UPDATE "user" SET email = coalesce(:email, email), made_up = :made_up,
       name = CASE name WHEN '' THEN :name ELSE name END
 WHERE account_id = :account AND id = :new""",
    """
UPDATE token SET state = 'rotated'
 WHERE account_id = :account AND user_id = :old AND state = 'active' AND name IN
       (SELECT name FROM token
         WHERE account_id = :account AND user_id = :new AND state = 'active')""",
)
_OF_A_USER = {
    "inbox_member": ("inbox_id",),
    "team_member": ("team_id",),
    "user_preference": ("scope", "key"),
    "ui_setting": ("key",),
    "chatwoot_user": (),
    "token": ("id",),
    "push_subscription": ("endpoint",),
    "push_invitation": ("digest",),
    "notice": ("event_key", "type", "channel"),
}
"""The tables that hold what is a user's, and what tells the rows of one user apart."""
_PAST_OF_A_USER = ("preference_change", "token_change", "subscription_change", "removed_row")
_OF_ACCOUNT = "change_id IN (SELECT id FROM change WHERE account_id = :account)"


def renumber(database: Database, account: int, old: int, new: int, *, made_up: bool) -> None:
    """Move a user to an id; who has it already becomes one with them, and keeps what both have."""
    place: dict[str, object] = {"account": account, "old": old, "new": new, "made_up": int(made_up)}
    found = database.execute(
        'SELECT email, name FROM "user" WHERE account_id = :account AND id = :old', place
    )
    place["email"], place["name"] = found.fetchone()
    for statement in _USERS:
        database.execute(statement, place)
    here = "WHERE account_id = :account AND"
    for table, apart in _OF_A_USER.items():
        same = "".join(f" AND b.{column} = {table}.{column}" for column in apart)
        database.execute(
            f"DELETE FROM {table} {here} user_id = :old AND EXISTS"
            f" (SELECT 1 FROM {table} b WHERE b.account_id = :account AND b.user_id = :new{same})",
            place,
        )
        database.execute(f"UPDATE {table} SET user_id = :new {here} user_id = :old", place)
    _move_addresses(database, account, old, new)
    _rewrite_past(database, place)
    database.execute(f'DELETE FROM "user" {here} id = :old', place)


def _move_addresses(database: Database, account: int, old: int, new: int) -> None:
    from notifycli.store.settings import address_key

    found = database.execute(
        "SELECT key FROM setting_secret WHERE key LIKE ?", (address_key(account, old, "%"),)
    ).fetchall()
    for (key,) in found:
        moved = address_key(account, new, str(key).rpartition("/")[2])
        database.execute(
            "UPDATE setting_secret SET key = ? WHERE key = ?"
            " AND NOT EXISTS (SELECT 1 FROM setting_secret b WHERE b.key = ?)",
            (moved, key, moved),
        )
    _forget_addresses(database, account, old)


def _forget_addresses(database: Database, account: int, user: int) -> int:
    """Forget a user's addresses on added channels, but for their names in the keychain."""
    from notifycli.store.settings import address_key

    theirs = (address_key(account, user, "%"),)
    database.execute(
        "INSERT INTO token_leftover (secret_name) SELECT name FROM setting_secret"
        " WHERE key LIKE ? ON CONFLICT DO NOTHING",
        theirs,
    )
    return database.execute("DELETE FROM setting_secret WHERE key LIKE ?", theirs).rowcount


def _drop_notices(database: Database, account: int, user: int) -> None:
    """Drop what waits for a user who is removed: whoever has the id next isn't meant by it."""
    row = (database.now(), f"user {user} has left account {account}", account, user)
    for unsent in ("state IN ('pending', 'sending')", "state = 'dead'"):  # each has its index
        database.execute(
            "UPDATE notice SET state = 'dropped', owner = '', changed_at = ?, why = ?, remedy = '',"
            " contact = '', author = '', text = ''"
            f" WHERE account_id = ? AND user_id = ? AND {unsent}",
            row,
        )


def _rewrite_past(database: Database, place: dict[str, object]) -> None:
    for table in _PAST_OF_A_USER:
        database.execute(
            f"UPDATE {table} SET user_id = :new WHERE user_id = :old AND {_OF_ACCOUNT}",
            place,
        )
    database.execute(
        "UPDATE directory_change SET item_id = :new"
        f" WHERE kind = 'user' AND item_id = :old AND {_OF_ACCOUNT}",
        place,
    )
    for row, *sides in database.execute(
        "SELECT id, old, new FROM directory_change"
        f" WHERE kind IN ('inbox', 'team') AND {_OF_ACCOUNT}",
        place,
    ).fetchall():
        moved = [None if side is None else _with_member(side, place) for side in sides]
        if moved != sides:
            database.execute(
                "UPDATE directory_change SET old = ?, new = ? WHERE id = ?", (*moved, row)
            )


def _with_member(side: str, place: dict[str, object]) -> str:
    """Return an inbox or a team of the history with a member who has another id by now."""
    group = msgspec.json.decode(side)
    members = group.get("members") or ()
    if place["old"] not in members:
        return side
    moved = {place["new"] if member == place["old"] else member for member in members}
    return msgspec.json.encode({**group, "members": sorted(moved)}).decode()
