"""The schema, as the migrations that lead to it from an empty file and every earlier version.

A migration that has been released is never edited: the next one mends it.
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("notifycli")

_DIRECTORY = """
CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL DEFAULT ''
);
CREATE TABLE user (
  account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  id INTEGER NOT NULL,
  email TEXT COLLATE NOCASE,
  name TEXT NOT NULL DEFAULT '',
  role TEXT NOT NULL CHECK (role IN ('agent', 'administrator')),
  PRIMARY KEY (account_id, id),
  UNIQUE (account_id, email)
) WITHOUT ROWID;
CREATE TABLE inbox (
  account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  id INTEGER NOT NULL,
  name TEXT NOT NULL DEFAULT '',
  members_known INTEGER NOT NULL,
  PRIMARY KEY (account_id, id)
) WITHOUT ROWID;
CREATE TABLE inbox_member (
  account_id INTEGER NOT NULL,
  inbox_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, inbox_id, user_id),
  FOREIGN KEY (account_id, inbox_id) REFERENCES inbox ON DELETE CASCADE,
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX inbox_member_user ON inbox_member (account_id, user_id);
CREATE TABLE team (
  account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  id INTEGER NOT NULL,
  name TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (account_id, id)
) WITHOUT ROWID;
CREATE TABLE team_member (
  account_id INTEGER NOT NULL,
  team_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, team_id, user_id),
  FOREIGN KEY (account_id, team_id) REFERENCES team ON DELETE CASCADE,
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX team_member_user ON team_member (account_id, user_id);
"""

# Inbox 0 stands for "in every inbox": a primary key can't hold NULL, and no inbox has that id.
_PREFERENCES = """
CREATE TABLE account_preference (
  account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  layer TEXT NOT NULL CHECK (layer IN ('lock', 'default')),
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (account_id, layer, key)
) WITHOUT ROWID;
CREATE TABLE user_preference (
  account_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  inbox_id INTEGER NOT NULL DEFAULT 0,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (account_id, user_id, inbox_id, key),
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
) WITHOUT ROWID;
"""

# History outlives what it tells of, so nothing in it refers to the directory.
_HISTORY = """
CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  account_id INTEGER NOT NULL,
  command TEXT NOT NULL
);
CREATE TABLE preference_change (
  change_id INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
  layer TEXT NOT NULL,
  user_id INTEGER,
  inbox_id INTEGER,
  key TEXT NOT NULL,
  old TEXT,
  new TEXT
);
CREATE INDEX preference_change_change ON preference_change (change_id);
CREATE TABLE directory_change (
  change_id INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('account', 'user', 'inbox', 'team')),
  item_id INTEGER NOT NULL,
  old TEXT,
  new TEXT
);
CREATE INDEX directory_change_change ON directory_change (change_id);
"""


@migrations()
def m001_create_directory_preferences_and_history(db: Database) -> None:
    """Lay out the first version."""
    for script in (_DIRECTORY, _PREFERENCES, _HISTORY):
        # Not executescript: it would commit the transaction that the migration runs in.
        for statement in script.split(";\n"):
            if statement.strip():
                db.execute(statement)


@migrations()
def m003_add_presets(db: Database) -> None:
    """Make room for named sets of preferences."""
    db.execute(
        "CREATE TABLE preset (name TEXT NOT NULL COLLATE NOCASE, key TEXT NOT NULL,"
        " value TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID"
    )
