"""The tables of the outbox, as the migration that adds it lays them out."""

from __future__ import annotations

OUTBOX = (
    # Refers to no user or inbox: what was sent stays known when its user has gone, or it would be
    # sent again to one who comes back. `due_at` is when a pending one is next to be tried, and
    # when the lease of one that is being sent ends.
    """
CREATE TABLE notice (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  event_key BLOB NOT NULL,
  account_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  channel TEXT NOT NULL,
  event TEXT NOT NULL,
  conversation_id INTEGER,
  inbox_id INTEGER,
  inbox_name TEXT NOT NULL,
  message_id INTEGER,
  at INTEGER,
  contact TEXT NOT NULL,
  author TEXT NOT NULL,
  text TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'sending', 'sent', 'dead', 'dropped')),
  owner TEXT NOT NULL DEFAULT '',
  since INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  why TEXT NOT NULL DEFAULT '',
  remedy TEXT NOT NULL DEFAULT ''
)""",
    "CREATE UNIQUE INDEX notice_key ON notice (event_key, user_id, type, channel)",
    # What is open is little beside what was sent: a lease looks at that alone.
    "CREATE INDEX notice_open ON notice (id) WHERE state IN ('pending', 'sending')",
    """
CREATE INDEX notice_line ON notice (account_id, user_id, channel, conversation_id, id)
  WHERE state IN ('pending', 'sending')""",
    "CREATE INDEX notice_done ON notice (changed_at) WHERE state IN ('sent', 'dropped')",
    "CREATE INDEX notice_dead ON notice (id) WHERE state = 'dead'",
    # How far a file has been read that is followed, and by what it is known again.
    """
CREATE TABLE followed (
  path TEXT PRIMARY KEY,
  inode INTEGER NOT NULL,
  start BLOB NOT NULL,
  offset INTEGER NOT NULL
) WITHOUT ROWID""",
)
