"""Programs that we did not write, at `serve`: Chatwoot's own client, and a reader of OpenAPI."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chatwoot import ChatwootClient
from chatwoot.exceptions import ChatwootAuthError, ChatwootPermissionError
from chatwoot.types.agent import Agent

from tests.conftest import Notifycli
from tests.tokens.harness import MemoryKeychain

from .conftest import JANE, ROOT, tokens
from .webhooks import Process, running

NO_THROTTLE = """
from notifycli.server.middleware import Throttle
Throttle.wait = lambda *_: 0
"""


@pytest.fixture
def server(desk: Notifycli) -> Iterator[Process]:
    desk.ok("prefs", "set", "email.sla_next=on", "--lock")
    with running("serve", "--db", str(desk.store), before=NO_THROTTLE) as server:
        yield server


@pytest.fixture
def client(desk: Notifycli, server: Process, keychain: MemoryKeychain) -> Iterator[ChatwootClient]:
    with ChatwootClient(server.url, tokens(desk.store, keychain)[JANE]) as client:
        yield client


def test_chatwoots_own_client_reads_the_directory(client: ChatwootClient) -> None:
    profile = client.profile.get()
    assert (profile.id, profile.email, profile.role, [a.name for a in profile.accounts]) == (
        *(7, "jane@example.com", "agent"),
        ["Acme"],
    )
    people = {7: "Jane", 8: "Omar", 9: "Root"}
    assert {agent.id: agent.name for agent in client.agents.list(1)} == people
    assert {inbox.id: inbox.name for inbox in client.inboxes.list(1)} == {3: "Website"}
    assert client.inboxes.get(1, 3).name == "Website"
    assert client.teams.get(1, 2).name == "Support"
    teams = [(team.id, team.name, team.is_member) for team in client.teams.list(1)]
    assert teams == [(2, "Support", True)]
    assert [agent.id for agent in client.teams.agents.list(1, 2)] == [7]
    # Its own fault: it looks for `payload` in what it has taken out of it already.
    assert client.inboxes.agents.list(1, 3) == []
    unwrapped = client._http.get("/api/v1/accounts/1/inbox_members/3")  # noqa: SLF001
    assert isinstance(unwrapped, list)
    assert [Agent(**item).name for item in unwrapped] == ["Jane", "Omar"]


def test_chatwoots_own_client_understands_what_is_refused(
    client: ChatwootClient, server: Process
) -> None:
    with ChatwootClient(server.url, "x" * 24) as stranger, pytest.raises(ChatwootAuthError):
        stranger.profile.get()
    # The client has no notification settings: its transport asks for them.
    path = "/api/v1/accounts/1/notification_settings"
    with pytest.raises(ChatwootPermissionError):
        client._http.patch(path, json={"notification_settings": {"selected_email_flags": []}})  # noqa: SLF001
    # What the lock says agrees with it.
    email = ["email_conversation_mention", "email_sla_missed_next_response"]
    wanted = {"notification_settings": {"selected_email_flags": email}}
    answered = client._http.patch(path, json=wanted)  # noqa: SLF001
    assert isinstance(answered, dict)
    assert answered["selected_email_flags"] == email


@pytest.mark.slow
def test_what_the_document_says_holds_whatever_is_sent(
    desk: Notifycli, server: Process, keychain: MemoryKeychain, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "run", "--no-color"),
            # The phase that draws nothing: it asks the same on every machine, however slow.
            *("--phases", "coverage"),
            # A new token would end the run.
            *("--exclude-path", "/api/v1/profile/reset_access_token"),
            # A point on the curve can't be made up from a schema.
            *("--exclude-operation-id", "subscribe"),
            *("--header", f"api_access_token: {tokens(desk.store, keychain)[ROOT]}"),
            f"{server.url}/openapi.json",
        ],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    selected = re.search(r"Selected: (\d+)/(\d+)\n\s+Tested: (\d+)", done.stdout)
    assert selected is not None, done.stdout
    chosen, every, tested = map(int, selected.groups())
    assert chosen == tested == every - 2
    assert server.stop() == 0
    assert " 500 " not in server.told
