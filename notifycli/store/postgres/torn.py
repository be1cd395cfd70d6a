"""What may be torn in a database: by a copy that was broken off, or by hands that know better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifycli.store.copy_store import TABLES

if TYPE_CHECKING:
    from notifycli.store.store import Reader

NUMBERED = """
SELECT table_name FROM information_schema.columns
 WHERE table_schema = 'notifycli' AND is_identity = 'YES' ORDER BY table_name
"""
"""The tables that give numbers to new rows."""
_WAITING = """
SELECT a.account_id, count(*) FROM account_lease a JOIN received r ON r.account_id = a.account_id
   AND (r.transaction, r.id) > (a.transaction, a.event_id)
 WHERE a.transaction > '0' AND a.until < clock_timestamp()
   AND r.received_at < clock_timestamp() - interval '5 min'
 GROUP BY a.account_id ORDER BY a.account_id LIMIT 1
"""


def find_trouble(database: Reader) -> tuple[str, str]:
    """Return the first thing that is wrong, and what mends it; "" twice if nothing is."""
    tables = ", ".join(f"('{table}')" for table in (*TABLES, "received", "account_lease"))
    missing = database.execute(
        f"SELECT name FROM (VALUES {tables}) t (name)"
        " WHERE to_regclass('notifycli.\"' || name || '\"') IS NULL ORDER BY name"
    ).fetchall()
    if missing:
        listed = ", ".join(name for (name,) in missing)
        return f"tables are missing: {listed}", "notifycli restore FILE --replace"
    for (table,) in database.execute(NUMBERED).fetchall():
        highest, given = database.execute(
            f'SELECT (SELECT max(id) FROM "{table}"), last_value FROM pg_sequences'
            f" WHERE format('%I.%I', schemaname, sequencename)"
            f" = pg_get_serial_sequence('notifycli.{table}', 'id')"
        ).fetchone()
        if (highest or 0) > (given or 0):
            sequence = f"pg_get_serial_sequence('notifycli.{table}', 'id')"
            was = f"{highest} is taken, and {given or 0} was the last that was given"
            return (
                f"the numbers of {table} are given anew: {was}",
                f"psql: SELECT setval({sequence}, {highest})",
            )
    waiting = database.execute(_WAITING).fetchone()
    if waiting:
        account, count = waiting
        late = f"{count} received events of account {account} have waited for 5 minutes"
        return f"{late}: nobody delivers them", "notifycli deliver --follow --store"
    return "", ""
