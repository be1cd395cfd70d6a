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

# `secret_name` is unique among all stores, since several may share one keychain.
_TOKENS = (
    """
CREATE TABLE token (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  secret_name TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL,
  masked TEXT NOT NULL,
  label TEXT NOT NULL,
  made_elsewhere INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'rotated', 'revoked')),
  secret_kept INTEGER NOT NULL,
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
)""",
    "CREATE INDEX token_name ON token (account_id, user_id, name)",
    "CREATE UNIQUE INDEX token_current ON token (account_id, user_id, name) WHERE state = 'active'",
    # A token made elsewhere may be stored again after it was revoked here.
    "CREATE UNIQUE INDEX token_live_digest ON token (digest) WHERE state IN ('active', 'rotated')",
    # Refers to no token: its row 0 says when one was last refused.
    """
CREATE TABLE token_use (
  token_id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
)""",
    "CREATE TABLE token_leftover (secret_name TEXT PRIMARY KEY) WITHOUT ROWID",
    # Whatever removes a user removes their tokens; the secrets must not be forgotten with them.
    """
CREATE TRIGGER token_removed AFTER DELETE ON token BEGIN
  DELETE FROM token_use WHERE token_id = OLD.id;
  INSERT OR IGNORE INTO token_leftover SELECT OLD.secret_name WHERE OLD.secret_kept;
END""",
    """
CREATE TABLE token_change (
  change_id INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
  user_id INTEGER NOT NULL,
  token_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  masked TEXT NOT NULL,
  old TEXT,
  new TEXT NOT NULL
)""",
    "CREATE INDEX token_change_change ON token_change (change_id)",
)


@migrations()
def m001_create_directory_preferences_and_history(db: Database) -> None:
    """Lay out the first version."""
    for script in (_DIRECTORY, _PREFERENCES, _HISTORY):
        # Not executescript: it would commit the transaction that the migration runs in.
        for statement in script.split(";\n"):
            if statement.strip():
                db.execute(statement)


@migrations()
def m002_add_tokens(db: Database) -> None:
    """Make room for access tokens: digests and dates, last uses, and the trace they leave."""
    for statement in _TOKENS:
        db.execute(statement)


@migrations()
def m003_add_presets(db: Database) -> None:
    """Make room for named sets of preferences."""
    db.execute(
        "CREATE TABLE preset (name TEXT NOT NULL COLLATE NOCASE, key TEXT NOT NULL,"
        " value TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID"
    )


@migrations()
def m004_add_settings(db: Database) -> None:
    """Make room for what the channels need to be told."""
    db.execute("CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")


@migrations()
def m005_add_ui_settings(db: Database) -> None:
    """Make room for what a dashboard keeps of a user besides preferences."""
    db.execute(
        "CREATE TABLE ui_setting (account_id INTEGER NOT NULL, user_id INTEGER NOT NULL,"
        " key TEXT NOT NULL, value TEXT NOT NULL, place INTEGER NOT NULL,"
        " PRIMARY KEY (account_id, user_id, key),"
        " FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE) WITHOUT ROWID"
    )


# No token is in here: what is kept under `rotating` is a name in the keychain.
_CHATWOOT = (
    """
CREATE TABLE chatwoot (
  account_id INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
  url TEXT NOT NULL,
  remote_account_id INTEGER NOT NULL,
  pulled_at INTEGER
)""",
    """
CREATE TABLE chatwoot_user (
  account_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  seen BLOB,
  rotating TEXT,
  PRIMARY KEY (account_id, user_id),
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
) WITHOUT ROWID""",
)


@migrations()
def m006_add_chatwoot(db: Database) -> None:
    """Make room for the connection to a Chatwoot, and for what was seen there."""
    for statement in _CHATWOOT:
        db.execute(statement)


_OUTBOX = (
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


@migrations()
def m007_add_outbox(db: Database) -> None:
    """Make room for notifications that are to be sent, and for how far files were followed."""
    for statement in _OUTBOX:
        db.execute(statement)


_PUSH = (
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
_INVITATIONS = """
CREATE TABLE push_invitation (
  digest TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  FOREIGN KEY (account_id, user_id) REFERENCES user ON DELETE CASCADE
) WITHOUT ROWID"""


@migrations()
def m008_add_push_subscriptions(db: Database) -> None:
    """Make room for push keys and the subscriptions that are bound to them."""
    for statement in _PUSH:
        db.execute(statement)


@migrations()
def m009_add_what_profiles_ask(db: Database) -> None:
    """Make room for what Chatwoot says of users and inboxes, and mark ids that are made up."""
    for column in ("confirmed INTEGER", "permissions TEXT", "made_up INTEGER NOT NULL DEFAULT 0"):
        db.execute(f"ALTER TABLE user ADD COLUMN {column}")
    db.execute("ALTER TABLE inbox ADD COLUMN bot INTEGER")
    db.execute("CREATE INDEX user_made_up ON user (account_id) WHERE made_up = 1")


@migrations()
def m010_add_removed_rows(db: Database) -> None:
    """Make room for what a removed user had that the history doesn't tell: for taking it back."""
    db.execute(
        "CREATE TABLE removed_row (change_id INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,"
        " user_id INTEGER NOT NULL, table_name TEXT NOT NULL, cells TEXT NOT NULL)"
    )
    db.execute("CREATE INDEX removed_row_change ON removed_row (change_id)")


@migrations()
def m011_add_push_invitations(db: Database) -> None:
    """Make room for links by which users subscribe browsers of their own."""
    db.execute(_INVITATIONS)


@migrations()
def m012_name_secrets_of_settings(db: Database) -> None:
    """Give each store names of its own in the keychain: all stores had shared one.

    A store that was there before goes on with what it found under the shared name, until it sets
    or unsets its own.
    """
    db.execute(
        "CREATE TABLE setting_secret (key TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID"
    )
    if db.execute("PRAGMA user_version").fetchone()[0]:
        for key in ("smtp.password", "listen.secret"):
            db.execute("INSERT INTO setting_secret VALUES (?, ?)", (key, f"config/{key}"))


_NUMBERED = {
    "preference_change": """
CREATE TABLE preference_change (
  id INTEGER PRIMARY KEY,
  change_id INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
  layer TEXT NOT NULL,
  user_id INTEGER,
  inbox_id INTEGER,
  key TEXT NOT NULL,
  old TEXT,
  new TEXT
)""",
    "directory_change": """
CREATE TABLE directory_change (
  id INTEGER PRIMARY KEY,
  change_id INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('account', 'user', 'inbox', 'team')),
  item_id INTEGER NOT NULL,
  old TEXT,
  new TEXT
)""",
}


@migrations()
def m013_number_what_changes_did(db: Database) -> None:
    """Give what a change did its order by a column: an engine may have no `rowid`."""
    for table, layout in _NUMBERED.items():
        db.execute(f"ALTER TABLE {table} RENAME TO unnumbered")
        db.execute(layout)
        db.execute(f"INSERT INTO {table} SELECT rowid, * FROM unnumbered")
        db.execute("DROP TABLE unnumbered")
        db.execute(f"CREATE INDEX {table}_change ON {table} (change_id)")


@migrations()
def m014_let_values_be_of_conversations(db: Database) -> None:
    """Name the column for what it tells: an inbox, or by a number below 0 a conversation."""
    for table in ("user_preference", "preference_change"):
        db.execute(f"ALTER TABLE {table} RENAME COLUMN inbox_id TO scope")


@migrations()
def m015_add_vault(db: Database) -> None:
    """Make room for the secrets of all hosts that use the store, sealed."""
    db.execute(
        "CREATE TABLE vault (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL,"
        " sealed BLOB NOT NULL)"
    )


@migrations()
def m016_find_changes_of_conversations(db: Database) -> None:
    """Find those few among all changes: whoever looks at the history asks whether there are any."""
    db.execute(
        "CREATE INDEX preference_change_conversation ON preference_change (scope) WHERE scope < 0"
    )


@migrations()
def m017_find_changes_of_users(db: Database) -> None:
    """Find the changes of a user, newest first, without looking through those of all."""
    db.execute("CREATE INDEX preference_change_user ON preference_change (user_id, change_id DESC)")


@migrations()
def m018_add_tones(db: Database) -> None:
    """Make room for tones of one's own."""
    db.execute("CREATE TABLE tone (name TEXT PRIMARY KEY, sound BLOB NOT NULL)")
