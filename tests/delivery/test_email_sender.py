"""Mails on their way to a real server: what arrives, and what comes of every way it can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifycli.delivery.channels import Delivered, Later, Outcome, Refused
from notifycli.delivery.email_channel import EmailSender
from notifycli.delivery.smtp import MailServer, Security
from notifycli.errors import ConfigurationError
from notifycli.secrets.token_format import Secret
from notifycli.store.outbox import Notice

from .mail_server import CLOSE, HANG, PASSWORD, USER, Certificate, Post, hurry, serving
from .notices import LETTERHEAD, notice

PATIENT, HASTY = 60.0, 0.5


def server(post: Post, security: str = "plain", **options: Any) -> MailServer:
    return MailServer(host="127.0.0.1", port=post.port, security=Security(security), **options)


def sent(
    to: MailServer, notices: Sequence[Notice], *, connections: int = 1, watch: Any = None
) -> list[Outcome]:
    async def run() -> list[Outcome]:
        more = {} if watch is None else {"watch": watch}
        async with EmailSender(to, LETTERHEAD, connections=connections, **more) as sender:
            return list(await asyncio.gather(*map(sender.send, notices)))

    return asyncio.run(run())


def test_a_mail_arrives_whole(trusted: Certificate) -> None:
    steps: list[str] = []
    with serving(Post(), starttls=trusted.context, login=True) as post:
        to = server(post, "starttls", username=USER, password=Secret(PASSWORD))
        before = datetime.now(UTC) - timedelta(seconds=1)
        (outcome,) = sent(to, [notice()], watch=steps.append)
    (mail,) = post.received
    message_id = mail.message["Message-ID"]
    assert outcome == Delivered(f"{message_id} 250 2.0.0 taken as 1")
    assert before <= mail.message["Date"].datetime <= datetime.now(UTC)
    assert (mail.sender, mail.recipients) == ("desk@acme.example", ["jane@example.com"])
    assert (mail.encrypted, mail.login) == (True, USER)
    headers = {name: str(value) for name, value in mail.message.items()}
    del headers["Date"], headers["Content-Type"]
    assert headers == {
        "From": "Acme Süd <desk@acme.example>",
        "To": "Jane Miller <jane@example.com>",
        "Subject": "Omar Haddad mentioned you in conversation #42",
        "Message-ID": message_id,
        "In-Reply-To": "<conversation.1.42@acme.example>",
        "References": "<conversation.1.42@acme.example>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": "<https://desk.example/app/accounts/1/profile/settings>",
        "MIME-Version": "1.0",
    }
    text, html = mail.message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().splitlines() == [
        "Hello Jane Miller,",
        "",
        "Omar Haddad mentioned you in the conversation with Alex Rivera:",
        "",
        "> Can you look at this?",
        "> .",
        "> <b>It is urgent.</b>",
        "",
        "https://desk.example/app/accounts/1/conversations/42",
        "",
        "-- ",
        "Acme",
        "Time: 2026-03-03 20:25 UTC",
        "Change what you are notified of: https://desk.example/app/accounts/1/profile/settings",
    ]
    assert "<br>.<br>&lt;b&gt;It is urgent.&lt;/b&gt;</blockquote>" in html.get_content()
    assert [step.partition(" ")[0] for step in steps] == [
        *("connected", "encrypted", "logged", "MAIL", "RCPT", "the")
    ]
    assert PASSWORD not in " ".join(steps)


def test_tls_from_the_first_byte_on(trusted: Certificate) -> None:
    with serving(Post(), tls=trusted.context) as post:
        (outcome,) = sent(server(post, "tls"), [notice()])
    assert isinstance(outcome, Delivered)
    assert [mail.encrypted for mail in post.received] == [True]


@pytest.mark.parametrize("pipelining", [True, False])
def test_many_mails_go_over_one_connection_and_a_refused_one_does_no_harm(
    *, pipelining: bool
) -> None:
    replies = {"gone@example.com": "550 5.1.1 no such user here"}
    with serving(Post(replies, pipelining=pipelining)) as post:
        outcomes = sent(
            server(post),
            [
                notice(id=i, email="gone@example.com" if i == 2 else "a@example.com")
                for i in range(5)
            ],
        )
    refused = Refused(
        f"127.0.0.1:{post.port} said to RCPT: 550 5.1.1 no such user here",
        "is the user's address right? See: notifycli user list",
    )
    assert [type(outcome) for outcome in outcomes] == [
        *(Delivered, Delivered, Refused, Delivered, Delivered)
    ]
    assert outcomes[2] == refused
    assert (len(post.connections), len(post.received), post.resets) == (1, 4, 1)


def test_several_connections_carry_mails_at_the_same_time() -> None:
    with serving(Post()) as post:
        outcomes = sent(server(post), [notice(id=i) for i in range(40)], connections=4)
    assert {type(outcome) for outcome in outcomes} == {Delivered}
    assert 1 < len(post.connections) <= 4
    assert len({mail.message["Message-ID"] for mail in post.received}) == 40


def test_a_connection_that_the_server_ends_is_opened_anew() -> None:
    async def run(to: MailServer) -> list[Outcome]:
        async with EmailSender(to, LETTERHEAD, connections=1) as sender:
            outcomes = []
            for i in range(3):
                outcomes.append(await sender.send(notice(id=i)))
                assert await asyncio.to_thread(post.closed.acquire, timeout=PATIENT)
            return outcomes

    with serving(Post(closes_after=1)) as post:
        outcomes = asyncio.run(run(server(post)))
    assert [type(outcome) for outcome in outcomes] == [Delivered] * 3
    assert (len(post.connections), len(post.received)) == (3, 3)


def test_after_a_hundred_mails_a_connection_is_a_new_one() -> None:
    with serving(Post()) as post:
        sent(server(post), [notice(id=i) for i in range(101)])
    assert [sum(m.connection == c for m in post.received) for c in (0, 1)] == [100, 1]


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        pytest.param(
            {"MAIL": "451 4.3.0 try again"},
            Later("HERE said to MAIL: 451 4.3.0 try again"),
            id="the sender, for now",
        ),
        pytest.param(
            {"MAIL": "553 5.7.1 not your address"},
            Refused(
                "HERE said to MAIL: 553 5.7.1 not your address",
                "may this server send for that sender? notifycli config set email.sender=…",
            ),
            id="the sender, for good",
        ),
        pytest.param(
            {"MAIL": "530 5.7.0 who are you"},
            Later("HERE said to MAIL: 530 5.7.0 who are you; set smtp.username and smtp.password"),
            id="a login is wanted: no mail is lost for it",
        ),
        pytest.param(
            {"RCPT": "450 4.2.1 greylisted"},
            Later("HERE said to RCPT: 450 4.2.1 greylisted"),
            id="the recipient, for now",
        ),
        pytest.param(
            {"DATA": "452 4.3.1 disk full"},
            Later("HERE said to DATA: 452 4.3.1 disk full"),
            id="the mail, for now",
        ),
        pytest.param(
            {"DATA": "552 5.2.2 mailbox\tfull\x1b[31m"},
            Refused(
                "HERE said to DATA: 552 5.2.2 mailbox full [31m",
                "the mailbox is full, or the mail too big for the server",
            ),
            id="the mail, for good, in harmless characters",
        ),
        pytest.param(
            {"RCPT": CLOSE}, Later("HERE: the server ended the connection"), id="gone before"
        ),
        pytest.param(
            {"DATA": CLOSE},
            Later("HERE: the server ended the connection; it may have taken the mail"),
            id="gone after",
        ),
        pytest.param({"MAIL": HANG}, Later("HERE: no answer within 60 s"), id="slow before"),
        pytest.param(
            {"DATA": HANG},
            Later("HERE: no answer within 60 s; it may have taken the mail"),
            id="slow after",
        ),
    ],
)
def test_what_the_server_says_is_told_in_its_words(
    replies: dict[str, str], outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    if HANG in replies.values():
        [command] = replies
        hurry(monkeypatch, command)
    with serving(Post(replies)) as post:
        (found,) = sent(server(post, seconds=PATIENT), [notice()])
    where = f"127.0.0.1:{post.port}"
    assert type(found) is type(outcome)
    assert repr(found) == repr(outcome).replace("HERE", where)
    assert not post.received


def test_a_dead_server_is_asked_once_and_the_mails_are_for_later(port: int) -> None:
    outcomes = sent(MailServer("127.0.0.1", port, Security.PLAIN), [notice()] * 200)
    later = [outcome for outcome in outcomes if isinstance(outcome, Later)]
    assert {outcome.why for outcome in later} == {
        (
            f"127.0.0.1:{port}: nothing listens there; "
            "are smtp.host, smtp.port and smtp.security right?"
        )
    }
    assert [outcome.tried for outcome in later] == [True] + [False] * 199
    assert all(0 < (outcome.after or 0) <= 10 for outcome in later)


def test_nobody_waits_for_a_server_when_told_to_stop() -> None:
    async def run(to: MailServer) -> None:
        async with EmailSender(to, LETTERHEAD) as sender:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sender.send(notice()), HASTY)

    async def bounded(to: MailServer) -> None:
        await asyncio.wait_for(run(to), PATIENT)

    with serving(Post({"MAIL": HANG})) as post:
        asyncio.run(bounded(server(post, seconds=300.0)))


class TestSettings:
    """What only a change of settings mends is told before anything is sent."""

    def test_a_wrong_password_is_no_dead_letter_and_is_not_shown(
        self, trusted: Certificate
    ) -> None:
        with serving(Post(), starttls=trusted.context, login=True) as post:
            to = server(post, "starttls", username=USER, password=Secret("Canary-ü"))
            with pytest.raises(
                ConfigurationError, match="refuses the login of desk: 535"
            ) as caught:
                sent(to, [notice()])
        assert "Canary" not in repr((caught.value, caught.value.hint, caught.value.__context__))
        assert not post.received

    def test_a_certificate_that_nobody_trusts(self, certificate: Certificate) -> None:
        with (
            serving(Post(), starttls=certificate.context) as post,
            pytest.raises(ConfigurationError, match="certificate is not trusted: self"),
        ):
            sent(server(post, "starttls"), [notice()])

    def test_a_certificate_for_another_name(
        self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = Certificate(tmp_path, "mail.example.com")
        monkeypatch.setenv("SSL_CERT_FILE", str(other.path))
        with (
            serving(Post(), tls=other.context) as post,
            pytest.raises(ConfigurationError, match="not trusted: IP address mismatch"),
        ):
            sent(server(post, "tls"), [notice()])

    def test_a_server_without_starttls(self) -> None:
        with serving(Post()) as post, pytest.raises(ConfigurationError, match="no STARTTLS"):
            sent(server(post, "starttls"), [notice()])

    def test_a_server_without_logins(self) -> None:
        with serving(Post()) as post, pytest.raises(ConfigurationError, match="no authentication"):
            sent(server(post, username=USER, password=Secret(PASSWORD)), [notice()])

    def test_a_server_that_speaks_tls_from_the_start_is_not_waited_for(
        self, trusted: Certificate
    ) -> None:
        with serving(Post(), tls=trusted.context) as post:
            (outcome,) = sent(server(post, "starttls", seconds=HASTY), [notice()])
        assert isinstance(outcome, Later)

    @pytest.mark.parametrize("host", ["mail.example.com", "192.0.2.1", "localhost.example.com"])
    def test_plain_is_for_this_machine_alone(self, host: str) -> None:
        with pytest.raises(ConfigurationError, match=r"smtp\.security is plain"):
            MailServer(host, 25, Security.PLAIN)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
    def test_plain_within_this_machine(self, host: str) -> None:
        assert MailServer(host, 25, Security.PLAIN).name == f"{host}:25"

    def test_a_user_without_a_password(self) -> None:
        with pytest.raises(ConfigurationError, match="there is no password"):
            MailServer("mail.example.com", 587, Security.STARTTLS, username=USER)


class TestInternationalisedAddresses:
    """RFC 6531 where the part before the @ needs it, IDNA where the domain does."""

    @pytest.mark.parametrize("smtputf8", [True, False])
    def test_a_domain_goes_to_every_server(self, *, smtputf8: bool) -> None:
        with serving(Post(), smtputf8=smtputf8) as post:
            (outcome,) = sent(server(post), [notice(email="jane@Bücher.example")])
        (mail,) = post.received
        assert isinstance(outcome, Delivered)
        assert mail.recipients == ["jane@xn--bcher-kva.example"]
        assert str(mail.message["To"]) == "Jane Miller <jane@xn--bcher-kva.example>"
        assert "SMTPUTF8" not in mail.options

    def test_a_name_goes_to_a_server_that_takes_it(self) -> None:
        with serving(Post()) as post:
            (outcome,) = sent(server(post), [notice(email="jané@bücher.example")])
        (mail,) = post.received
        assert isinstance(outcome, Delivered)
        assert mail.recipients == ["jané@xn--bcher-kva.example"]
        assert str(mail.message["To"]) == "Jane Miller <jané@xn--bcher-kva.example>"
        assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(mail.options)

    def test_a_server_that_does_not_take_it_is_told_of(self) -> None:
        with serving(Post(), smtputf8=False) as post:
            (outcome,) = sent(server(post), [notice(email="jané@example.com")])
        assert outcome == Refused(
            f"127.0.0.1:{post.port} takes ASCII addresses alone (no SMTPUTF8), "
            "not jané@example.com from desk@acme.example",
            "use another address, or a server that has SMTPUTF8 (RFC 6531)",
        )

    @pytest.mark.parametrize(
        "email", [None, "", "jane", "a@b, c@d", 'x"y@example.com', "a@b..c", "=?utf-8?q?x?=@e.com"]
    )
    def test_what_is_no_address_never_reaches_the_server(self, email: str | None) -> None:
        with serving(Post()) as post:
            (outcome,) = sent(server(post), [notice(email=email)])
        assert isinstance(outcome, Refused)
        assert not post.received
