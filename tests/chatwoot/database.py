"""A Chatwoot's database of the tests' own: a real PostgreSQL with the columns of four versions.

Every column that holds a secret holds a canary, and so does every text that a customer or an agent
wrote: none of them may ever come out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import needs_package

SECRET = "CanaryOfTheDatabase"  # noqa: S105 - that's what it is
VERSIONS = ("2.14", "3.8", "4.8", "4.16")
_PROGRAMS = "/usr/lib/postgresql/*/bin"

_TABLES = f"""
CREATE TABLE accounts (id serial PRIMARY KEY, name text, locale int DEFAULT 0);
CREATE TABLE users (
  id serial PRIMARY KEY, name text, display_name text, email text, confirmed_at timestamp,
  ui_settings jsonb DEFAULT '{{}}',
  encrypted_password text DEFAULT '{SECRET}', pubsub_token text DEFAULT '{SECRET}',
  tokens json DEFAULT '{{"t": "{SECRET}"}}', reset_password_token text DEFAULT '{SECRET}'
);
CREATE TABLE access_tokens (id serial PRIMARY KEY, owner_id bigint, token text DEFAULT '{SECRET}');
CREATE TABLE account_users (
  id serial PRIMARY KEY, account_id bigint, user_id bigint, role int DEFAULT 0,
  availability int DEFAULT 0, auto_offline boolean DEFAULT true
);
CREATE TABLE inboxes (id serial PRIMARY KEY, account_id bigint, name text);
CREATE TABLE inbox_members (
  id serial PRIMARY KEY, user_id bigint, inbox_id bigint, created_at timestamp DEFAULT now()
);
CREATE TABLE teams (id serial PRIMARY KEY, account_id bigint, name text);
CREATE TABLE team_members (
  id serial PRIMARY KEY, user_id bigint, team_id bigint, created_at timestamp DEFAULT now()
);
CREATE TABLE agent_bot_inboxes (
  id serial PRIMARY KEY, inbox_id bigint, agent_bot_id bigint, status int DEFAULT 0
);
CREATE TABLE integrations_hooks (
  id serial PRIMARY KEY, status int DEFAULT 1, inbox_id int, account_id int, app_id text,
  access_token text DEFAULT '{SECRET}'
);
CREATE TABLE notification_settings (
  id serial PRIMARY KEY, account_id bigint, user_id bigint, email_flags int, push_flags int
);
CREATE TABLE contacts (id serial PRIMARY KEY, name text DEFAULT '{SECRET}');
CREATE TABLE conversations (
  id serial PRIMARY KEY, display_id bigint, account_id bigint, inbox_id bigint,
  status int DEFAULT 0, assignee_id bigint, team_id bigint, contact_id bigint,
  created_at timestamp, last_activity_at timestamp
);
CREATE TABLE messages (
  id serial PRIMARY KEY, conversation_id bigint, message_type int, private boolean DEFAULT false,
  sender_type text, sender_id bigint, content text, content_attributes json DEFAULT '{{}}',
  created_at timestamp
);
CREATE TABLE conversation_participants (
  id serial PRIMARY KEY, user_id bigint, conversation_id bigint, created_at timestamp
);
CREATE TABLE reporting_events (
  id serial PRIMARY KEY, name text, user_id bigint, conversation_id bigint,
  event_end_time timestamp, created_at timestamp
);
CREATE TABLE notifications (
  id serial PRIMARY KEY, account_id bigint, user_id bigint, notification_type int,
  primary_actor_type text, primary_actor_id bigint, secondary_actor_type text,
  secondary_actor_id bigint, created_at timestamp, read_at timestamp
);
CREATE TABLE notification_subscriptions (
  id serial PRIMARY KEY, user_id bigint, subscription_type int,
  identifier text DEFAULT '{SECRET}', subscription_attributes jsonb DEFAULT '{{"k": "{SECRET}"}}'
);
"""
_SINCE_3_8 = """
CREATE TABLE sla_events (
  id serial PRIMARY KEY, conversation_id bigint, event_type int, created_at timestamp
);
ALTER TABLE contacts ADD COLUMN blocked boolean DEFAULT false NOT NULL;
"""
_SINCE_4_8 = """
CREATE TABLE captain_inboxes (
  id serial PRIMARY KEY, captain_assistant_id bigint, inbox_id bigint
);
CREATE TABLE custom_roles (id serial PRIMARY KEY, account_id bigint, name text, permissions text[]);
ALTER TABLE account_users ADD COLUMN custom_role_id bigint;
ALTER TABLE conversations ADD COLUMN assignee_agent_bot_id bigint;
"""
_SINCE_4_16 = "ALTER TABLE users ADD COLUMN otp_secret text DEFAULT '" + SECRET + "';"


class Postgres(NamedTuple):
    """A running server, reached through its socket."""

    socket: Path
    port: int = 5432
    control: tuple[str, ...] = ()
    """`pg_ctl`, for this server."""

    def psql(self, database: str, script: str) -> str:
        """Run a script as the README says. Returns what it prints."""
        done = subprocess.run(
            [
                "psql",
                "-h",
                str(self.socket),
                "-p",
                str(self.port),
                "-U",
                "postgres",
                "-X",
                "-qAt",
                database,
            ],
            input=script.encode(),
            capture_output=True,
            check=False,
        )
        assert done.stderr == b""
        assert done.returncode == 0
        return done.stdout.decode()

    def restart(self) -> None:
        """Kill it, and start it again."""
        command = [*self.control, "-m", "immediate", "-l", str(self.socket / "log"), "restart"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.socket)

    def create(self, version: str, purpose: str) -> str:
        """Make an empty database with the columns of a version. Returns its name."""
        name = f"{purpose}_{version.replace('.', '_')}"
        self.psql("postgres", f"CREATE DATABASE {name}")
        later = (("3.8", _SINCE_3_8), ("4.8", _SINCE_4_8), ("4.16", _SINCE_4_16))
        newer = [sql for since, sql in later if VERSIONS.index(since) <= VERSIONS.index(version)]
        self.psql(name, "\n".join([_TABLES, *newer]))
        return name


@contextmanager
def postgres(folder: Path, port: int = 5432, settings: str = "") -> Iterator[Postgres]:
    """Start a PostgreSQL of its own in a folder; skip where there is none.

    Without TCP, unless its settings (`-c name=value`) say otherwise.
    """
    programs = max(Path("/").glob(_PROGRAMS[1:]), default=None)
    if programs is None or shutil.which("psql") is None:
        pytest.skip(needs_package("postgresql"))
    folder.mkdir(parents=True, exist_ok=True)
    as_server: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "postgres")
        as_server = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    run = [*as_server, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres"]
    subprocess.run([*run, "--no-sync", "-E", "UTF8"], check=True, capture_output=True, cwd=folder)
    control = (*as_server, str(programs / "pg_ctl"), "-D", str(data), "-w")
    options = f"-c port={port} -c listen_addresses= -c unix_socket_directories={folder}"
    options += f" -c fsync=off {settings}"
    started = [*control, "-o", options, "-l", str(folder / "log"), "start"]
    subprocess.run(started, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        yield Postgres(folder, port, control)
    finally:
        stopped = [*control, "-m", "immediate", "stop"]
        subprocess.run(stopped, check=True, stdout=subprocess.DEVNULL, cwd=folder)
