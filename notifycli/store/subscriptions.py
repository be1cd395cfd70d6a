"""Push subscriptions on record, and the VAPID keys that they are bound to.

An endpoint is a capability: who knows it can knock at the device, but only with a signature of the
key it is bound to (RFC 8292), which is in the keychain. `p256dh` is public; `auth` lets its holder
encrypt to the device, not read what it gets. So they lie in the store, whose file is its owner's
alone, and are never printed whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from notifycli.errors import TryAgainError, UsageError

if TYPE_CHECKING:
    from notifycli.store.store import Database

MOST_FOR_A_USER = 20
"""More browsers than anybody has; each of them is asked for every push."""
NEW = 0
"""The id of what isn't on record yet."""


class PushKey(msgspec.Struct, frozen=True):
    """A VAPID key pair (RFC 8292). The youngest is the current one; `bound` counts subscriptions.

    `public_key` is the `applicationServerKey` of the Push API: an uncompressed P-256 point of 65
    bytes in base64url. `secret_name` is where the keychain has the private key.
    """

    id: int
    public_key: str
    secret_name: str
    created_at: int
    bound: int = 0


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Where a push for a user can be sent to (RFC 8030), and what encrypts it (RFC 8291).

    Times are microseconds since 1970 UTC. `failures` counts those since the last success.
    """

    id: int = NEW
    account_id: int
    user_id: int
    key_id: int
    endpoint: str
    p256dh: str
    auth: str
    label: str = ""
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    failures: int = 0


class Invitation(msgspec.Struct, frozen=True):
    """A link by which a user can subscribe one browser; of it the SHA-256 of its secret."""

    digest: str
    account_id: int
    user_id: int
    expires_at: int


_FIELDS = Subscription.__struct_fields__
_STORED = tuple(field for field in _FIELDS if field != "id")
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM push_subscription"


class Subscriptions:
    """What is read of subscriptions and keys, and the notes that leave no trace in the history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_account(self, account: int) -> list[Subscription]:
        """Return an account's subscriptions by user and age."""
        return list(self._read("WHERE account_id = ? ORDER BY user_id, id", account))

    def of_user(self, account: int, user: int) -> list[Subscription]:
        """Return a user's subscriptions, the oldest first."""
        where = "WHERE account_id = ? AND user_id = ? ORDER BY id"
        return list(self._read(where, account, user))

    def push_keys(self) -> list[PushKey]:
        """Return all keys, the current one first."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT id, public_key, secret_name, created_at,"
                " (SELECT count(*) FROM push_subscription WHERE key_id = push_key.id)"
                " FROM push_key ORDER BY id DESC"
            )
            return [PushKey(*row) for row in rows]

    def add_key(self, key: PushKey, replaces: int | None) -> None:
        """Make a key the current one, in the place of the key `replaces`.

        Raises `TryAgainError` if the current one is another by now.
        """
        with self._database.transaction():
            (current,) = self._database.execute("SELECT max(id) FROM push_key").fetchone()
            if current != replaces:
                raise TryAgainError(
                    "another process has changed the push key meanwhile",
                    "see what it is: notifycli push keys show",
                )
            self._database.execute(
                "INSERT INTO push_key (public_key, secret_name, created_at) VALUES (?, ?, ?)",
                (key.public_key, key.secret_name, key.created_at),
            )

    def forget_key(self, key: PushKey) -> bool:
        """Take an old key off the record, unless a subscription is bound to it."""
        with self._database.transaction():
            gone = self._database.execute(
                "DELETE FROM push_key WHERE id = ? AND id < (SELECT max(id) FROM push_key)"
                " AND NOT EXISTS (SELECT 1 FROM push_subscription WHERE key_id = push_key.id)",
                (key.id,),
            )
            return gone.rowcount > 0

    def invite(self, invitations: Iterable[Invitation], now: int) -> None:
        """Put invitations on record, and forget those whose time is over."""
        with self._database.transaction():
            self._database.execute("DELETE FROM push_invitation WHERE expires_at <= ?", (now,))
            self._database.executemany(
                "INSERT INTO push_invitation (digest, account_id, user_id, expires_at)"
                " VALUES (?, ?, ?, ?)",
                (msgspec.structs.astuple(item) for item in invitations),
            )

    def invitation(self, digest: str, now: int) -> Invitation | None:
        """Return the invitation with this digest, if its time isn't over."""
        with self._database.errors():
            row = self._database.execute(
                "SELECT digest, account_id, user_id, expires_at FROM push_invitation"
                " WHERE digest = ? AND expires_at > ?",
                (digest, now),
            ).fetchone()
        return None if row is None else Invitation(*row)

    def note_results(self, taken: Iterable[tuple[int, int]], failed: Iterable[int]) -> None:
        """Record when pushes were taken, by subscription, and which subscriptions failed."""
        with self._database.transaction():
            self._database.executemany(
                "UPDATE push_subscription SET last_used_at = ?, failures = 0 WHERE id = ?",
                ((at, id_) for id_, at in taken),
            )
            self._database.executemany(
                "UPDATE push_subscription SET failures = failures + 1 WHERE id = ?",
                ((id_,) for id_ in failed),
            )

    def _read(self, where: str, *parameters: object) -> Iterator[Subscription]:
        with self._database.errors():
            yield from map(_subscription, self._database.execute(f"{_SELECT} {where}", parameters))


class SubscriptionChanges:
    """What a change of the store does to the subscriptions of its account, and the trace of it."""

    def __init__(self, database: Database, account: int) -> None:
        self._database = database
        self._account = account
        self._traces: list[tuple[int, int, str, str]] = []

    def __len__(self) -> int:
        """How many subscriptions were added, renewed or removed."""
        return len(self._traces)

    def put(self, wanted: Subscription) -> Subscription:
        """Add a subscription, or renew the user's one with that endpoint; gives it with its id.

        Raises `UsageError` if the user has as many as there may be.
        """
        self._check_room(wanted)
        marks = ", ".join("?" * len(_STORED))
        row = self._database.execute(
            f"INSERT INTO push_subscription ({', '.join(_STORED)}) VALUES ({marks})"
            " ON CONFLICT (account_id, user_id, endpoint) DO UPDATE SET key_id = excluded.key_id,"
            " p256dh = excluded.p256dh, auth = excluded.auth, label = excluded.label,"
            " expires_at = excluded.expires_at, failures = 0 RETURNING id",
            [getattr(wanted, field) for field in _STORED],
        ).fetchone()
        stored = msgspec.structs.replace(wanted, id=row[0])
        self._trace(stored, "added")
        return stored

    def _check_room(self, wanted: Subscription) -> None:
        whose = (wanted.account_id, wanted.user_id)
        (others,) = self._database.execute(
            "SELECT count(*) FROM push_subscription"
            " WHERE account_id = ? AND user_id = ? AND endpoint <> ?",
            (*whose, wanted.endpoint),
        ).fetchone()
        if others >= MOST_FOR_A_USER:
            raise UsageError(
                f"user {wanted.user_id} of account {wanted.account_id} has {MOST_FOR_A_USER} "
                "subscriptions already, which is the most",
                "remove one: notifycli push list; notifycli push remove ID",
            )

    def use(self, invitation: Invitation) -> bool:
        """End an invitation; False if somebody else has used it."""
        gone = self._database.execute(
            "DELETE FROM push_invitation WHERE digest = ?", (invitation.digest,)
        )
        return gone.rowcount > 0

    def remove(self, subscriptions: Iterable[Subscription]) -> int:
        """Remove subscriptions; gives how many were still there."""
        before = len(self)
        for item in subscriptions:
            gone = self._database.execute("DELETE FROM push_subscription WHERE id = ?", (item.id,))
            if gone.rowcount:
                self._trace(item, "removed")
        return len(self) - before

    def record(self, change_id: int) -> None:
        """Write the trace of all that differs."""
        self._database.executemany(
            "INSERT INTO subscription_change VALUES (?, ?, ?, ?, ?)",
            ((change_id, *trace) for trace in self._traces),
        )

    def _trace(self, item: Subscription, what: str) -> None:
        self._traces.append((item.user_id, item.id, item.label, what))


def _subscription(row: tuple[Any, ...]) -> Subscription:
    return Subscription(**dict(zip(_FIELDS, row, strict=True)))
