"""What `chatwoot login` does on a terminal once the token is kept."""

from __future__ import annotations

import os

import pexpect
import pytest

from tests.chatwoot.recorded import JANE, ROOT, Chatwoot
from tests.conftest import Notifycli, Program

SECRET = "CanaryOfTheWebhook"  # noqa: S105 - that's what it is
URL = "https://desk.example.com/events"
SIGNED = [
    *("conversation_created", "conversation_updated", "conversation_status_changed"),
    *("message_created", "message_updated"),
]
TYPING = ["conversation_typing_on", "conversation_typing_off"]


def log_in(program: Program, chatwoot: Chatwoot, token: str, *answers: str) -> str:
    """Log in at a terminal, and give what it showed."""
    command, *arguments = program.command("chatwoot", "login", chatwoot.url)
    child = pexpect.spawn(
        command,
        arguments,
        env=dict(os.environ),
        cwd=program.folder,
        encoding="utf-8",
        timeout=60,
        dimensions=(50, 200),
    )
    child.expect("Access token of your profile there: ")
    shown = ""
    child.sendline(token)
    for answer in answers:
        child.expect(r"\[(3|https://)\]")
        shown += str(child.before)
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    return shown + str(child.before)


@pytest.mark.parametrize(
    ("secret", "subscriptions", "listen"),
    [
        pytest.param(SECRET, SIGNED + TYPING, "notifycli listen", id="signed"),
        pytest.param(None, SIGNED, "notifycli listen --unsigned", id="older"),
    ],
)
def test_an_administrator_goes_on_to_pull_a_webhook_and_the_doctor(
    desk: tuple[Notifycli, Program],
    chatwoot: Chatwoot,
    secret: str | None,
    subscriptions: list[str],
    listen: str,
) -> None:
    notifycli, program = desk
    chatwoot.webhook_secret = secret
    shown = log_in(program, chatwoot, ROOT, "1", URL)
    assert chatwoot.webhooks == [{"url": URL, "subscriptions": subscriptions}]
    steps = ["connected account 1", "jane@example.com", f"receive it: {listen}\r\n", "why -u EMAIL"]
    assert sorted(steps, key=shown.index) == steps
    assert SECRET not in shown
    assert len(notifycli.ok("user", "list").records) == 3
    kept = {one["key"]: one["origin"] for one in notifycli.ok("config", "list").records}
    assert kept["listen.secret"] == ("keyring" if secret else "default")


@pytest.fixture
def desk(notifycli: Notifycli, program: Program) -> tuple[Notifycli, Program]:
    """Give the program, in this process and in one of its own."""
    return notifycli, program


def test_an_agent_is_offered_no_webhook(program: Program, chatwoot: Chatwoot) -> None:
    shown = log_in(program, chatwoot, JANE)
    assert "by a webhook" not in shown
    assert chatwoot.webhooks == []


def test_whoever_stopped_at_the_offer_logs_in_again_and_an_address_is_taken_once(
    desk: tuple[Notifycli, Program], chatwoot: Chatwoot
) -> None:
    program = desk[1]
    chatwoot.webhook_secret = SECRET
    log_in(program, chatwoot, ROOT, "3")
    assert chatwoot.webhooks == []
    again = log_in(program, chatwoot, ROOT, "1", URL)
    assert "is logged in already" in again
    assert len(chatwoot.webhooks) == 1
    refused = log_in(program, chatwoot, ROOT, "1", URL)
    assert f"takes no webhook to {URL}: Url has already been taken" in refused
    assert "remove it there first" in refused
