"""Another id for a user: everything that is theirs, and their past, goes with them."""

from __future__ import annotations

import sqlite3

import msgspec

# An address is one user's at a time. Of two current tokens of a name, one is the current one, and
# the other stays valid.
_USERS = (
    "UPDATE user SET email = NULL WHERE account_id = :account AND id = :old",
    """
INSERT INTO user (account_id, id, name, role, confirmed, permissions)
SELECT account_id, :new, name, role, confirmed, permissions FROM user
 WHERE account_id = :account AND id = :old
    ON CONFLICT DO NOTHING""",
    """
UPDATE user SET email = coalesce(:email, email), made_up = :made_up,
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
    "user_preference": ("inbox_id", "key"),
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


def renumber(
    connection: sqlite3.Connection, account: int, old: int, new: int, *, made_up: bool
) -> None:
    """Move a user to an id; who has it already becomes one with them, and keeps what both have."""
    place: dict[str, object] = {"account": account, "old": old, "new": new, "made_up": made_up}
    found = connection.execute(
        "SELECT email, name FROM user WHERE account_id = :account AND id = :old", place
    )
    place["email"], place["name"] = found.fetchone()
    for statement in _USERS:
        connection.execute(statement, place)
    here = "WHERE account_id = :account AND"
    for table, apart in _OF_A_USER.items():
        same = "".join(f" AND b.{column} = {table}.{column}" for column in apart)
        connection.execute(
            f"DELETE FROM {table} {here} user_id = :old AND EXISTS"  # noqa: S608 - our own tables
            f" (SELECT 1 FROM {table} b WHERE b.account_id = :account AND b.user_id = :new{same})",
            place,
        )
        connection.execute(f"UPDATE {table} SET user_id = :new {here} user_id = :old", place)  # noqa: S608 - our own tables
    _rewrite_past(connection, place)
    connection.execute(f"DELETE FROM user {here} id = :old", place)  # noqa: S608 - a constant


def _rewrite_past(connection: sqlite3.Connection, place: dict[str, object]) -> None:
    for table in _PAST_OF_A_USER:
        connection.execute(
            f"UPDATE {table} SET user_id = :new WHERE user_id = :old AND {_OF_ACCOUNT}",  # noqa: S608 - our own tables
            place,
        )
    connection.execute(
        "UPDATE directory_change SET item_id = :new"  # noqa: S608 - a constant
        f" WHERE kind = 'user' AND item_id = :old AND {_OF_ACCOUNT}",
        place,
    )
    for row, *sides in connection.execute(
        "SELECT rowid, old, new FROM directory_change"  # noqa: S608 - a constant
        f" WHERE kind IN ('inbox', 'team') AND {_OF_ACCOUNT}",
        place,
    ).fetchall():
        moved = [None if side is None else _with_member(side, place) for side in sides]
        if moved != sides:
            connection.execute(
                "UPDATE directory_change SET old = ?, new = ? WHERE rowid = ?", (*moved, row)
            )


def _with_member(side: str, place: dict[str, object]) -> str:
    """Give an inbox or a team of the history with a member who has another id by now."""
    group = msgspec.json.decode(side)
    members = group.get("members") or ()
    if place["old"] not in members:
        return side
    moved = {place["new"] if member == place["old"] else member for member in members}
    return msgspec.json.encode({**group, "members": sorted(moved)}).decode()
