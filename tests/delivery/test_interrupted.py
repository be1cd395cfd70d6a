"""Stopped while a mail server says nothing: it ends at once, and no notification is lost."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from notifycli.delivery import email_channel as email
from notifycli.delivery.channels import Later, Outcome
from notifycli.delivery.email_channel import EmailSender
from notifycli.delivery.smtp import MailServer, Security
from tests.conftest import Notifycli, Program
from tests.outbox.desk import asked

from .mail_server import HANG, Post, hurry, serving
from .notices import LETTERHEAD, notice
from .test_email_commands import JANE, configure

LONGEST_SECONDS = 25.0
"""Less than the program gives a mail server to answer, and longer than a machine stands still."""


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        yield listening


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def interrupted(program: Program, silent: socket.socket, *arguments: str) -> tuple[int, str]:
    """Interrupt a command once it waits for the server; give its status and what it told."""
    process = subprocess.Popen(
        program.command(*arguments),
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    connection, _ = silent.accept()
    with connection:
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        try:
            told = process.communicate(timeout=LONGEST_SECONDS)[1]
        finally:
            process.kill()
            process.communicate()
    return process.returncode, told


def test_a_test_mail(desk: Notifycli, program: Program, silent: socket.socket) -> None:
    configure(desk, port_of(silent))
    status, told = interrupted(program, silent, "email", "test", *JANE)
    assert (status, told) == (130, "")


def test_deliver_keeps_what_it_has_not_begun_to_send(
    desk: Notifycli, program: Program, silent: socket.socket
) -> None:
    configure(desk, port_of(silent))
    desk.ok("prefs", "set", "email.message=on", *JANE)
    desk.write_events("e.jsonl", [asked(message) for message in range(100, 130)])
    status, told = interrupted(program, silent, "deliver", "e.jsonl", "--channel", "email")
    waiting = desk.ok("deliver", "status", "--state", "pending").records
    assert (status, "30 notifications still to be sent" in told) == (130, True)
    assert (len(waiting), {record["attempts"] for record in waiting}) == (30, {0})


def test_connections_that_are_opened_anew_are_given_up(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "_REST_SECONDS", 0)
    server = MailServer("127.0.0.1", port_of(silent), Security.PLAIN, seconds=10 * LONGEST_SECONDS)

    def refuse() -> None:
        silent.accept()[0].close()

    async def run() -> list[Outcome | BaseException]:
        refusing = asyncio.create_task(asyncio.to_thread(refuse))
        async with EmailSender(server, LETTERHEAD, connections=2) as sender:
            await refusing
            sends = [asyncio.create_task(sender.send(notice(id=i))) for i in range(6)]
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                sender.hurry()
                return await asyncio.gather(*sends, return_exceptions=True)

    begun = time.monotonic()
    outcomes = asyncio.run(run())
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 6
    assert time.monotonic() - begun < LONGEST_SECONDS


def test_a_mail_that_the_server_has_heard_of_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurry(monkeypatch, "DATA", 1.0)

    async def run(post: Post) -> Outcome:
        server = MailServer("127.0.0.1", post.port, Security.PLAIN, seconds=60)
        async with EmailSender(server, LETTERHEAD) as sender:
            sending = asyncio.create_task(sender.send(notice()))
            await asyncio.to_thread(post.hangs.wait, LONGEST_SECONDS)
            sender.hurry()
            return await sending

    with serving(Post({"DATA": HANG})) as post:
        outcome = asyncio.run(run(post))
    assert outcome == Later(
        f"127.0.0.1:{post.port}: no answer within 60 s; it may have taken the mail"
    )
