"""Mails a second, beside a bare loop of `smtplib` on one connection.

Both hand the same mails to the same server in a process of its own: one that answers at once, and
one that takes 10 ms to, as over a network. The loop is what anybody would write: an `EmailMessage`
of two parts, `send_message`, the next; its texts are ready, ours come from the templates. The third
way is a loop over bytes that were made before, which no sender of notifications can have.
"""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from pathlib import Path

from benchmarks.frame import Done, Race, Way, WrongError
from notifycli.delivery.channels import Delivered
from notifycli.delivery.email_channel import EmailSender
from notifycli.delivery.email_message import Branding, MailText, Templates, sender, write
from notifycli.delivery.smtp import MailServer, Security
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import Notice

_OURS, _LOOP, _BYTES = "ours@example.com", "loop@example.com", "bytes@example.com"
_ROOT = Path(__file__).parent.parent
_CONCURRENCY = 20
_PARTS: dict[int, MailText] = {}


def races(folder: Path, small: bool) -> Iterator[Race]:  # noqa: ARG001 - it needs no files
    """Race over a server that answers at once, and over one that takes its time."""
    for seconds, amount in ((0.0, 500), (0.01, 100)):
        count = 20 if small else amount
        with _serving(seconds) as port:
            yield _race(f"a server that takes {seconds * 1000:.0f} ms", port, _notices(count))


def _race(name: str, port: int, notices: list[Notice]) -> Race:
    ready = [_message(_BYTES, notice).as_bytes() for notice in notices]
    ways = [
        Way("notifycli", partial(_sent, port, notices)),
        Way("smtplib in a loop", partial(_loop, port, notices), most=1.0),
        Way("… with mails made before", partial(_loop_of_bytes, port, notices, ready)),
    ]
    return Race(
        name, ways, amount=len(notices), unit="mails", check=partial(_check, port, len(notices))
    )


def _sent(port: int, notices: Sequence[Notice]) -> Done:
    async def run() -> int:
        server = MailServer("127.0.0.1", port, Security.PLAIN)
        turns = asyncio.Semaphore(_CONCURRENCY)  # as many as `deliver` has on their way
        async with EmailSender(server, _letterhead(_OURS)) as mails:

            async def one(notice: Notice) -> bool:
                async with turns:
                    return isinstance(await mails.send(notice), Delivered)

            return sum(await asyncio.gather(*map(one, notices)))

    return Done(asyncio.run(run()))


def _loop(port: int, notices: Sequence[Notice]) -> Done:
    with smtplib.SMTP("127.0.0.1", port, "localhost") as smtp:
        for notice in notices:
            smtp.send_message(_message(_LOOP, notice))
    return Done(len(notices))


def _loop_of_bytes(port: int, notices: Sequence[Notice], ready: Sequence[bytes]) -> Done:
    with smtplib.SMTP("127.0.0.1", port, "localhost") as smtp:
        for notice, content in zip(notices, ready, strict=True):
            smtp.sendmail(_BYTES, notice.email or "", content)
    return Done(len(notices))


def _message(from_: str, notice: Notice) -> EmailMessage:
    parts = _PARTS[notice.id]
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Acme", addr_spec=from_)
    message["To"] = Address(notice.user_name, addr_spec=notice.email or "")
    message["Subject"] = parts.subject
    message.set_content(parts.text)
    message.add_alternative(parts.html, subtype="html")
    return message


def _letterhead(from_: str) -> Branding:
    return Branding(
        sender(from_), {1: "Acme"}, {1: "https://desk.example/app/accounts/1"}, Templates()
    )


def _notices(count: int) -> list[Notice]:
    made = [_notice(number) for number in range(count)]
    letterhead = _letterhead(_LOOP)
    _PARTS.update((notice.id, write(notice, letterhead)) for notice in made)
    return made


def _notice(number: int) -> Notice:
    return Notice(
        id=number,
        account_id=1,
        user_id=number % 50,
        email=f"agent{number % 50}@example.com",
        user_name=f"Agent {number % 50}",
        channel=Channel.EMAIL,
        type=NotificationType.MENTION,
        event="message_created",
        conversation_id=number,
        inbox_id=3,
        inbox_name="Website",
        message_id=number,
        at=1_772_569_525_000_000,
        contact="Alex Rivera",
        author="Omar Haddad",
        text="Can you look at this?\nThe customer can't log in since yesterday.",
    )


def _check(port: int, count: int, answers: Sequence[int]) -> None:
    """Look whether the server got every mail of each way, and that they say the same."""
    with smtplib.SMTP("127.0.0.1", port, "localhost") as smtp:
        smtp.ehlo()
        digests = [smtp.docmd("VRFY", whose)[1] for whose in (_OURS, _LOOP, _BYTES)]
    if [*answers] != [count] * len(answers):
        raise WrongError(f"{answers} mails were sent, not {count}")
    if not digests[0].startswith(b"%d-" % count) or len(set(digests)) > 1:
        raise WrongError(f"the mails aren't the same: {digests}")


@contextmanager
def _serving(seconds: float) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.mail_server", str(seconds)]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with process.stdout as output:
            yield int(output.readline())
    finally:
        process.terminate()
        process.wait()
