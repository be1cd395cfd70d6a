"""The log of what several hosts receive, followed by the snapshot's horizon.

Numbers are given before a transaction commits, so that a higher one can be seen before a lower one:
whoever reads on from the last number loses events. What a transaction has written is read only once
no older transaction runs, and in the order of transactions, behind which none can come any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from notifycli.errors import TryAgainError
from notifycli.store.received_events import AccountPlace, Arrival, KeptState, Place, ReceivedEvent

if TYPE_CHECKING:
    from notifycli.store.store import Database

LEASE_SECONDS = 15.0
"""How long whoever was killed keeps others from an account."""
_UNTIL = "clock_timestamp() + ? * interval '1 s'"
_WRITE = """
INSERT INTO received (account_id, body, delivery) VALUES (?, ?, ?)
    ON CONFLICT (delivery) DO NOTHING
"""
_RENEW = f"""
UPDATE account_lease SET until = {_UNTIL} WHERE owner = ?
RETURNING account_id, transaction::text, event_id
"""
_TAKE = f"""
UPDATE account_lease SET owner = ?, until = {_UNTIL} WHERE account_id IN (
  SELECT account_id FROM account_lease
   WHERE until < clock_timestamp() AND account_id = coalesce(?::bigint, account_id)
   ORDER BY until, account_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING account_id, transaction::text, event_id
"""
# A bare `transaction` in ORDER BY would be the text that is selected: 10 before 9.
_READ = """
SELECT r.transaction::text, r.id, r.body FROM received r
 WHERE r.account_id = ? AND (r.transaction, r.id) > (?::xid8, ?)
   AND r.transaction < pg_snapshot_xmin(pg_current_snapshot())
 ORDER BY r.transaction, r.id LIMIT ?
"""
_ADVANCE = f"""
UPDATE account_lease SET transaction = ?::xid8, event_id = ?, until = {_UNTIL}
 WHERE account_id = ? AND owner = ?
"""
_KEEP = """
INSERT INTO account_state (account_id, transaction, event_id, state) VALUES (?, ?::xid8, ?, ?)
    ON CONFLICT (account_id) DO UPDATE SET transaction = excluded.transaction,
       event_id = excluded.event_id, state = excluded.state
"""
_KEPT = "SELECT transaction::text, event_id, state FROM account_state WHERE account_id = ?"
_FORGET = """
DELETE FROM received r USING account_state s WHERE s.account_id = r.account_id
   AND (r.transaction, r.id) <= (s.transaction, s.event_id)
   AND r.received_at < clock_timestamp() - ? * interval '1 day'
"""
_AHEAD = "transaction >= pg_snapshot_xmax(pg_current_snapshot())"
_RENUMBER = f"UPDATE received SET transaction = pg_current_xact_id() WHERE {_AHEAD}"
_FORGET_STATES = f"DELETE FROM account_state WHERE {_AHEAD}"
_BEGIN_ANEW = f"UPDATE account_lease SET transaction = '0', event_id = 0 WHERE {_AHEAD}"
_PAGE = "SELECT id, body FROM received WHERE id > ? ORDER BY id LIMIT 500"


class PostgreSQLReceived:
    """What each method does is told by `Received`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, arrivals: Sequence[Arrival]) -> int:
        """Write events; those of one transaction share its place and keep their order."""
        with self._database.brief():
            # In one order, so that two hosts which are sent the same don't wait for each other.
            for account in sorted({arrival.account for arrival in arrivals}):
                self._database.execute(
                    "INSERT INTO account_lease (account_id) VALUES (?) ON CONFLICT DO NOTHING",
                    (account,),
                )
            return sum(self._database.execute(_WRITE, arrival).rowcount for arrival in arrivals)

    def lease(self, owner: str, only: int | None = None) -> dict[int, Place]:
        """Renew, and take one more."""
        with self._database.brief():
            rows = self._database.execute(_RENEW, (LEASE_SECONDS, owner)).fetchall()
            rows += self._database.execute(_TAKE, (owner, LEASE_SECONDS, only)).fetchall()
        return {account: Place(int(transaction), event) for account, transaction, event in rows}

    def release(self, owner: str) -> None:
        """Let others take what the owner holds."""
        with self._database.brief():
            self._database.execute(
                "UPDATE account_lease SET owner = '', until = '-infinity' WHERE owner = ?", (owner,)
            )

    def read(self, account: int, after: Place, most: int) -> list[ReceivedEvent]:
        """Read up to the snapshot's horizon."""
        with self._database.errors():
            rows = self._database.execute(
                _READ, (account, str(after.transaction), after.event, most)
            ).fetchall()
        return [ReceivedEvent(Place(int(number), id_), body) for number, id_, body in rows]

    def advance(self, reached: AccountPlace) -> None:
        """Note a place, if the lease is still held; that it has run out alone doesn't matter."""
        account, owner, (transaction, event), state = reached
        parameters = (str(transaction), event, LEASE_SECONDS, account, owner)
        if not self._database.execute(_ADVANCE, parameters).rowcount:
            raise TryAgainError(
                f"another host delivers account {account} by now", "it goes on by itself"
            )
        if state is not None:
            self._database.execute(_KEEP, (account, str(transaction), event, state))

    def state(self, account: int) -> KeptState | None:
        """Return what was kept of an account last."""
        with self._database.errors():
            row = self._database.execute(_KEPT, (account,)).fetchone()
        return None if row is None else KeptState(Place(int(row[0]), row[1]), row[2])

    def tidy(self, days: int) -> None:
        """Forget what was delivered, and mend what another server has numbered."""
        with self._database.brief():
            self._database.execute(_FORGET, (days,))
            self._database.execute(_RENUMBER)
            self._database.execute(_FORGET_STATES)
            # What was delivered is in the outbox, and is not sent again.
            self._database.execute(_BEGIN_ANEW)

    def body(self, account: int, event: int) -> str | None:
        """Return the body of one."""
        with self._database.errors():
            row = self._database.execute(
                "SELECT body FROM received WHERE id = ? AND account_id = ?", (event, account)
            ).fetchone()
        return None if row is None else str(row[0])

    def count(self) -> int:
        """Count them."""
        with self._database.errors():
            return int(self._database.execute("SELECT count(*) FROM received").fetchone()[0])

    def bodies(self) -> Iterator[str]:
        """Return all bodies, a page after the other."""
        last = 0
        while True:
            with self._database.errors():
                rows = self._database.execute(_PAGE, (last,)).fetchall()
            if not rows:
                return
            yield from (body for _, body in rows)
            last = rows[-1][0]

    def newest(self, account: int, most: int) -> list[str]:
        """Return an account's newest bodies."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT body FROM received WHERE account_id = ?"
                " ORDER BY transaction DESC, id DESC LIMIT ?",
                (account, most),
            ).fetchall()
        return [body for (body,) in reversed(rows)]
