"""What has been changed, newest first, and how to take it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, structs

from notifycli.errors import NotPermittedError
from notifycli.rules.directory import Inbox, Team, User

if TYPE_CHECKING:
    from notifycli.store.remote_format import Past
    from notifycli.store.store import Store
    from notifycli.store.transaction import Change, DirectoryDifference
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from notifycli.errors import UsageError
from notifycli.store.staged_values import Staging, conversation_of, differ, inbox_of

if TYPE_CHECKING:
    from notifycli.store.store import Database


T = TypeVar("T")
_TOLD = 10
_PAST_COLUMNS = {
    "preference_change": "v.layer, v.user_id, v.scope, v.key, v.old, v.new",
    "directory_change": "v.kind, v.item_id, v.old, v.new",
}

# A user is named by the address of today: the history keeps ids.
_VALUES = """
SELECT c.id, replace(c.at, '+00:00', 'Z'), c.who, c.command, c.account_id, v.layer, v.user_id,
       u.email, v.scope, v.key, v.old, v.new
  FROM change c JOIN preference_change v ON v.change_id = c.id
  LEFT JOIN "user" u ON u.account_id = c.account_id AND u.id = v.user_id
 WHERE c.account_id = ?
"""

# The last row of a value is what the change left.
_CHANGED_SINCE = f"""
SELECT made.layer, made.user_id, made.scope, made.key, made.new,
       coalesce(p.value, a.value) AS now
  FROM preference_change made
  LEFT JOIN user_preference p ON p.account_id = :account AND p.user_id = made.user_id
   AND p.scope = coalesce(made.scope, 0) AND p.key = made.key
  LEFT JOIN account_preference a ON a.account_id = :account AND a.layer = made.layer
   AND a.key = made.key
 WHERE made.id IN (SELECT max(id) FROM preference_change
                    WHERE change_id = :change GROUP BY layer, user_id, scope, key)
   AND {differ("coalesce(p.value, a.value)", "made.new")}
"""


class ChangedValue(Struct):
    """A value that a change has changed, as printed. `None` is "not set"."""

    id: int
    """The change's number; several values may have the same."""
    at: str
    """ISO 8601 in UTC."""
    who: str
    command: str
    account_id: int
    layer: str
    user_id: int | None
    email: str | None
    inbox_id: int | None
    key: str
    old: str | None
    new: str | None


class ChangedInConversation(ChangedValue):
    """The same in the layer `conversation`."""

    conversation_id: int


class PastChange(NamedTuple):
    """A change on record."""

    id: int
    at: str
    who: str
    command: str


class History:
    """The history of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def values(
        self,
        account: int,
        *,
        users: Sequence[int] = (),
        keys: Sequence[str] = (),
        since: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ChangedValue]:
        """Give changed values, the newest change first; of these users, keys and times alone.

        `since` is ISO 8601 in UTC to the second, as the history has it.
        """
        sql = _VALUES
        parameters: list[object] = [account, *users, *keys]
        for column, chosen in (("v.user_id", users), ("v.key", keys)):
            if chosen:
                sql += f" AND {column} IN ({', '.join('?' for _ in chosen)})"
        if since is not None:
            sql, parameters = f"{sql} AND c.at >= ?", [*parameters, since]
        return self._newest_first(sql, parameters, limit)

    def values_for(self, account: int, user: int | None) -> Iterator[ChangedValue]:
        """Return changed values that may hold for a user, the newest change first.

        They are the user's own, and those of everybody; for `None` all of the account.
        """
        if user is None:
            return self._newest_first(_VALUES, [account])
        sql = f"{_VALUES} AND (v.user_id = ? OR v.user_id IS NULL)"
        return self._newest_first(sql, [account, user])

    def speaks_of_conversations(self, account: int) -> bool:
        """Whether a value of the layer `conversation` was ever changed."""
        with self._database.errors():
            found = self._database.execute(
                "SELECT EXISTS (SELECT 1 FROM preference_change v JOIN change c"
                " ON c.id = v.change_id WHERE c.account_id = ? AND v.scope < 0)",
                [account],
            ).fetchone()
        return bool(found[0])

    def begin(self, account: int) -> str | None:
        """Return when preferences were first changed: ISO 8601 in UTC, or `None` for never."""
        with self._database.errors():
            first = self._database.execute(
                "SELECT c.at FROM change c WHERE c.account_id = ? AND EXISTS"
                " (SELECT 1 FROM preference_change v WHERE v.change_id = c.id)"
                " ORDER BY c.id LIMIT 1",
                [account],
            ).fetchone()
        return None if first is None else str(first[0])

    def revision(self, account: int) -> int:
        """Return the number of an account's last change; 0 before the first."""
        with self._database.errors():
            found = self._database.execute(
                "SELECT id FROM change WHERE account_id = ? ORDER BY id DESC LIMIT 1", (account,)
            ).fetchone()
        return int(found[0]) if found else 0

    def past(self, account: int, most: int) -> Past:
        """Return the newest changes, whole, that did at most so many things to preferences."""
        from notifycli.store.remote_format import Past, PastItem, PastRecord, PastValue  # noqa: PLC0415 - serve alone

        values = self._done_to("preference_change", PastValue, account, 0, most + 1)
        oldest = values[-1][0] if len(values) > most else 0
        with self._database.errors():
            rows = self._database.execute(
                "SELECT id, at, who, command FROM change WHERE account_id = ? AND id > ?"
                " ORDER BY id DESC",
                (account, oldest),
            ).fetchall()
        records = {row[0]: PastRecord(*row) for row in rows}
        for id_, value in values:
            if id_ > oldest:
                records[id_].values.append(value)
        for id_, item in self._done_to("directory_change", PastItem, account, oldest, most):
            records[id_].directory.append(item)
        told = [one for one in records.values() if one.values or one.directory]
        return Past(told, complete=not oldest)

    def _done_to(
        self, table: str, type_: Callable[..., T], account: int, after: int, most: int
    ) -> list[tuple[int, T]]:
        """Return what the newest changes did, each with the number of the change."""
        columns = _PAST_COLUMNS[table]
        with self._database.errors():
            rows = self._database.execute(
                f"SELECT c.id, {columns} FROM change c JOIN {table} v ON v.change_id = c.id"
                " WHERE c.account_id = ? AND c.id > ? ORDER BY c.id DESC, v.id LIMIT ?",
                (account, after, most),
            ).fetchall()
        return [(row[0], type_(*row[1:])) for row in rows]

    def _newest_first(
        self, sql: str, parameters: list[object], limit: int | None = None
    ) -> Iterator[ChangedValue]:
        sql += " ORDER BY c.id DESC, v.id"
        if limit is not None:
            sql, parameters = f"{sql} LIMIT ?", [*parameters, limit]
        with self._database.errors():
            for row in self._database.execute(sql, parameters):
                *before, scope, key, old, new = row
                value = ChangedValue(*(*before, inbox_of(scope), key, old, new))
                conversation = conversation_of(scope)
                if conversation is not None:
                    value = ChangedInConversation(
                        **structs.asdict(value), conversation_id=conversation
                    )
                yield value

    def directory_change(self, account: int, id_: int | None) -> PastChange:
        """Return a change of the directory by its number, or the last one. Raises `UsageError`."""
        row = self._change(account, id_, "directory_change")
        if row is None:
            which = "no change" if id_ is None else f"no change {id_}"
            raise UsageError(
                f"account {account} has {which} of the directory to take back",
                "each command that removes somebody says its number",
            )
        return row

    def directory_of(self, id_: int) -> list[tuple[str, int, str | None, str | None]]:
        """Return what a change did to the directory: kind, id, what was and what was made of it."""
        return self._database.execute(
            "SELECT kind, item_id, old, new FROM directory_change WHERE change_id = ? ORDER BY id",
            (id_,),
        ).fetchall()

    def removed_user(self, account: int, reference: str) -> int | None:
        """Return the id of the last user who was removed, and whom an id or an address names."""
        rows = self._database.execute(
            "SELECT item_id, old FROM directory_change d JOIN change c ON c.id = d.change_id"
            " WHERE account_id = ? AND kind = 'user' AND new IS NULL ORDER BY d.id DESC",
            (account,),
        )
        for id_, old in rows.fetchall():
            email = msgspec.json.decode(old, type=User).email or ""
            if reference.casefold() in (str(id_), email.casefold()):
                return int(id_)
        return None

    def was_taken(self, account: int, user: int, id_: int, change: int) -> bool:
        """Whether somebody else had an id when a change gave it to a user: the two are one now."""
        rows = self._database.execute(
            "SELECT old, new FROM directory_change d JOIN change c ON c.id = d.change_id"
            " WHERE account_id = ? AND kind = 'user' AND item_id = ? AND change_id < ?"
            " ORDER BY d.id DESC",
            (account, user, change),
        )
        for sides in rows.fetchall():
            # Each side tells the id of its time, whichever the user has by now.
            ids = [None if side is None else msgspec.json.decode(side)["id"] for side in sides]
            if id_ in ids:
                return ids[1] == id_
        return False

    def _change(self, account: int, id_: int | None, table: str) -> PastChange | None:
        which, parameters = ("", (account,)) if id_ is None else (" AND id = ?", (account, id_))
        row = self._database.execute(
            "SELECT id, replace(at, '+00:00', 'Z'), who, command FROM change c"
            f" WHERE account_id = ?{which} AND EXISTS"
            f" (SELECT 1 FROM {table} v WHERE v.change_id = c.id) ORDER BY id DESC LIMIT 1",
            parameters,
        ).fetchone()
        return None if row is None else PastChange(*row)

    def change(self, account: int, id_: int | None) -> PastChange:
        """Return a change of preferences by its number, or the last one. Raises `UsageError`."""
        row = self._change(account, id_, "preference_change")
        if row is None:
            if id_ is None:
                raise UsageError(
                    f"account {account} has no change of preferences to take back",
                    "set one: notifycli prefs set KEY=VALUE",
                )
            raise UsageError(
                f"account {account} has no change {id_} of preferences",
                "see what there is: notifycli prefs history",
            )
        return row

    def stage_undoing(self, staging: Staging, account: int, id_: int, *, force: bool) -> None:
        """Stage what a change replaced.

        Raises `NotPermittedError` if a user has gone since or, unless `force`, if one of the
        values is no longer what the change made of it.
        """
        gone = self._database.execute(
            "SELECT DISTINCT user_id FROM preference_change v WHERE change_id = ? AND user_id > 0"
            ' AND NOT EXISTS (SELECT 1 FROM "user" u WHERE u.account_id = ? AND u.id = v.user_id)',
            (id_, account),
        ).fetchall()
        if gone:
            named = ", ".join(str(user) for (user,) in gone[:_TOLD])
            removed = self._database.execute(
                "SELECT max(change_id) FROM directory_change d JOIN change c ON c.id = d.change_id"
                " WHERE kind = 'user' AND item_id = ? AND new IS NULL AND account_id = ?",
                (gone[0][0], account),
            ).fetchone()[0]
            raise NotPermittedError(
                f"change {id_} is of users whom account {account} no longer has: {named}",
                f"take back their removal first: notifycli directory undo {removed}",
            )
        since = [] if force else self._later_changes(account, id_)
        if since:
            more = f"\n… and {len(since) - _TOLD:,} more" if len(since) > _TOLD else ""
            listed = "\n".join(since[:_TOLD])
            raise NotPermittedError(
                f"what change {id_} set has been changed since:\n{listed}{more}",
                "take it back all the same: --force; see who did it: notifycli prefs history",
            )
        staging.put_old_values(account, id_)

    def _later_changes(self, account: int, id_: int) -> list[str]:
        rows = self._database.execute(_CHANGED_SINCE, {"account": account, "change": id_})
        return [
            f"{_place(layer, user, scope)} {key}: was made {_display(new)}, is {_display(now)}"
            for layer, user, scope, key, new, now in rows
        ]


def _place(layer: str, user: int | None, scope: int | None) -> str:
    whose = "" if user is None else f" of user {user}"
    return f"{layer}{whose}{'' if scope is None else f' in {layer} {abs(scope)}'}"


def _display(value: str | None) -> str:
    return "not set" if value is None else value


Item = User | Inbox | Team

_TYPES: dict[str, type[Item]] = {"user": User, "inbox": Inbox, "team": Team}
_UNTOLD = ("made_up", "subscribed", "added")


class DirectoryStep(Struct):
    """What a change does to one thing of the directory, as printed."""

    kind: str
    id: int
    name: str
    result: str
    """`added`, `changed` or `removed`."""
    detail: str


def step_of(difference: DirectoryDifference) -> DirectoryStep:
    """Tell what a change does to one thing."""
    kind, id_, old, new = difference
    if kind == "account":
        return DirectoryStep(kind, id_, new or "", "changed", f"name {old or '-'}→{new}")
    before = {} if old is None else msgspec.json.decode(old)
    after = {} if new is None else msgspec.json.decode(new)
    name = str((after or before).get("email") or (after or before).get("name") or "")
    if old is None or new is None:
        return DirectoryStep(kind, id_, name, "added" if old is None else "removed", "")
    differing = [k for k in after if after[k] != before.get(k) and k not in _UNTOLD]
    detail = ", ".join(f"{k} {_text(before.get(k))}→{_text(after[k])}" for k in differing)
    return DirectoryStep(kind, id_, name, "changed", detail)


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else str(value)


_Sides = dict[tuple[str, int], str | None]
"""By kind and id, a thing as JSON; `None` is "not there"."""


class _Move(NamedTuple):
    """Somebody to whom a change gave another id."""

    before: User
    made: int
    now: int
    """Their id of today: a later change may have given them one more."""


def undo(store: Store, change: Change, past: int, *, force: bool) -> None:
    """Make all that a past change did undone: the directory, and the preferences with it.

    Members who came or went since stay as they are. Raises `NotPermittedError` where anything else
    is no longer what that change made of it, unless `force`, and where nothing is left to undo.
    """
    rows = store.history.directory_of(past)
    was = {(kind, id_): old for kind, id_, old, _ in reversed(rows)}
    made = {(kind, id_): new for kind, id_, _, new in rows}
    change.settle_ids(
        (
            (id_, msgspec.json.decode(old, type=User).email)
            for (kind, id_), old in was.items()
            if kind == "user" and old is not None
        ),
        certain=False,
    )
    moves = list(_moves(was, made))
    since = [f"user {m.now}: id was made {m.made}, is {m.now}" for m in moves if m.made != m.now]
    added = _put_back(change, was, made, since)
    if not force:
        _refuse_guesses(store, change.account, past, since, moves)
    staging = store.staging()
    store.history.stage_undoing(staging, change.account, past, force=force)
    change.restore_rows(past)
    # What goes with a user may be locked, as what comes back with one.
    for item in added:
        change.remove(item)
    change.settle(staging)
    _give_back_ids(change, moves, {item.id for item in added if isinstance(item, User)})
    if not change:
        raise NotPermittedError(
            f"nothing is left of change {past} to take back: all is as it was before",
            "see what there is: notifycli directory export",
        )


def _put_back(change: Change, was: _Sides, made: _Sides, since: list[str]) -> list[Item]:
    """Make all as it was, but for what was added, which is given; adds what was changed `since`."""
    added: list[Item] = []
    # Users first: they are members of the others.
    for kind, id_ in sorted(was, key=lambda place: place[0] != "user"):
        old, new = was[kind, id_], made[kind, id_]
        if kind == "account":
            change.name_account(old or "")
            continue
        now = change.item(kind, id_)
        before, after = (None if s is None else _item(kind, id_, s) for s in (old, new))
        if isinstance(before, User) and isinstance(now, User) and after is None:
            _refuse_stranger(before, now)
        since += _later_changes(kind, id_, before, after, now)
        if before is not None:
            change.put(_restore(before, after, now))
        elif now is not None:
            added.append(now)
    return added


def _refuse_stranger(before: User, now: User) -> None:
    """Raise `NotPermittedError` if who has a removed user's id has another address, too."""
    if now.email and before.email and now.email.casefold() != before.email.casefold():
        raise NotPermittedError(
            f"user {now.id} was {before.email}, and is {now.email} by now",
            f"if they are the same: notifycli user set {now.id} --email {before.email}; if not,"
            f" that one has to go first: notifycli user remove {now.id}",
        )


def _moves(was: _Sides, made: _Sides) -> Iterator[_Move]:
    """Give those who have another id than before a change, the last one first.

    One made-up id is as good as another.
    """
    for (kind, now), old in was.items():
        new = made[kind, now]
        if kind == "user" and old is not None and new is not None:
            before, after = (msgspec.json.decode(side, type=User) for side in (old, new))
            if before.id not in (after.id, now) and not (before.made_up and after.made_up):
                yield _Move(before, after.id, now)


def _refuse_guesses(
    store: Store, account: int, past: int, since: list[str], moves: list[_Move]
) -> None:
    """Raise `NotPermittedError` where it isn't known what a change would be taken back to."""
    if since:
        raise NotPermittedError(
            f"what change {past} did has been changed since:\n" + "\n".join(since),
            "take it back all the same: --force",
        )
    for move in moves:
        if store.history.was_taken(account, move.now, move.made, past):
            raise NotPermittedError(
                f"change {past} made user {move.now} one with who had that id: nobody knows any"
                " more what was whose",
                "give the old id back with all that both had: --force",
            )


def _give_back_ids(change: Change, moves: list[_Move], removed: set[int]) -> None:
    """Give users the ids back that they had; another made-up one for one that isn't free.

    Raises `NotPermittedError` where an id is somebody else's by now.
    """
    for before, _, now in moves:
        user, there, id_ = change.item("user", now), change.item("user", before.id), before.id
        if before.made_up and (there is not None or id_ in removed):
            # The history would tell of those who were removed with it as of the same user.
            id_ = change.free_user_id(removed)
        elif isinstance(there, User) and not there.made_up:
            raise NotPermittedError(
                f"user {now} had the id {id_}, which is {there.email or there.name}'s by now",
                f"give that one another id first: notifycli user set {id_} --id N",
            )
        if isinstance(user, User):
            change.give_id(user, id_)
            change.put_users([structs.replace(user, id=id_, made_up=before.made_up)])


def _item(kind: str, id_: int, side: str) -> Item:
    # Whose id was made up may have another one by now.
    return structs.replace(msgspec.json.decode(side, type=_TYPES[kind]), id=id_)


def _later_changes(
    kind: str, id_: int, before: Item | None, after: Item | None, now: Item | None
) -> Iterator[str]:
    """Tell what is neither as the change made it nor as it was before."""
    if now is None and before is not None and after is not None:
        yield f"{kind} {id_}: has been removed"
    if now is not None and now != before and after is None:
        yield f"{kind} {id_}: has been added again"
    if now is None or after is None:
        return
    for name in now.__struct_fields__:
        made, is_ = getattr(after, name), getattr(now, name)
        if name != "members" and is_ != made and is_ != getattr(before or after, name):
            yield f"{kind} {id_}: {name} was made {_text(made)}, is {_text(is_)}"


def _restore(before: Item, after: Item | None, now: Item | None) -> Item:
    """Return what was, but for members who came or went since."""
    if isinstance(before, User) or after is None or now is None or isinstance(after, User):
        return before
    if isinstance(now, User) or None in (before.members, after.members, now.members):
        return before
    left = {*(before.members or ())} - {*(after.members or ())}
    joined = {*(after.members or ())} - {*(before.members or ())}
    return structs.replace(before, members=tuple(sorted({*(now.members or ())} - joined | left)))
