"""The tables of push keys and subscriptions, as the migration that adds them lays them out."""

from __future__ import annotations

PUSH = (
    """
CREATE TABLE push_key (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  public_key TEXT NOT NULL UNIQUE,
  secret_name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
)""",
    # An endpoint may serve a person in several accounts.
    """
CREATE TABLE push_subscription (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL REFERENCES push_key,
  endpoint TEXT NOT NULL,
  p256dh TEXT NOT NULL,
  auth TEXT NOT NULL,
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  failures INTEGER NOT NULL,
  UNIQUE (account_id, user_id, endpoint),
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
)""",
    "CREATE INDEX push_subscription_key ON push_subscription (key_id)",
    """
CREATE TABLE subscription_change (
  change_id INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
  user_id INTEGER NOT NULL,
  subscription_id INTEGER NOT NULL,
  label TEXT NOT NULL,
  what TEXT NOT NULL CHECK (what IN ('added', 'removed'))
)""",
    "CREATE INDEX subscription_change_change ON subscription_change (change_id)",
)
# Of the link no more than its digest: who reads the store can't open it.
INVITATIONS = """
CREATE TABLE push_invitation (
  digest TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
) WITHOUT ROWID"""
