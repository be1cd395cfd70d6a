"""`notifycli email`, and what the doctor says of it."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest

from notifycli.store.store import open_store
from tests.conftest import Notifycli

from .mail_server import PASSWORD, USER, Certificate, Post, serving

JANE = ("-u", "jane@example.com")


def configure(desk: Notifycli, port: int, *more: str) -> None:
    settings = [f"smtp.port={port}", "smtp.security=plain", "email.sender=desk@acme.example"]
    desk.ok("config", "set", "smtp.host=127.0.0.1", *settings, *more)


class TestTest:
    def test_it_sends_a_mail_and_tells_each_step(self, desk: Notifycli) -> None:
        with serving(Post()) as post:
            configure(desk, post.port, "desk.url=https://desk.example")
            done = desk.ok("email", "test", *JANE)
        (mail,) = post.received
        message_id = mail.message["Message-ID"]
        assert done.records == [
            {
                "user_id": 7,
                "email": "jane@example.com",
                "outcome": "delivered",
                "detail": f"{message_id} 250 2.0.0 taken as 1",
            }
        ]
        steps = done.stderr.splitlines()
        assert steps[0].startswith(f"✓ connected to 127.0.0.1:{post.port} in ")
        assert steps[1:6] == [
            "✓ not encrypted: within this machine",
            "✓ not logged in: smtp.username is not set",
            "✓ MAIL FROM:<desk@acme.example>: 250 2.1.0 sender fine",
            "✓ RCPT TO:<jane@example.com>: 250 2.1.5 recipient fine",
            "✓ the server took the mail: 250 2.0.0 taken as 1",
        ]
        assert str(mail.message["From"]) == "Acme <desk@acme.example>"

    def test_with_a_login_whose_password_the_environment_has(
        self, desk: Notifycli, trusted: Certificate
    ) -> None:
        with serving(Post(), starttls=trusted.context, login=True) as post:
            configure(desk, post.port, "smtp.security=starttls", f"smtp.username={USER}")
            done = desk.ok(
                "email", "test", *JANE, environment={"NOTIFYCLI_SMTP_PASSWORD": PASSWORD}
            )
            refused = desk("email", "test", *JANE, environment={"NOTIFYCLI_SMTP_PASSWORD": "no"})
        assert [mail.login for mail in post.received] == [USER]
        assert "✓ encrypted by TLSv1.3, " in done.stderr
        assert f"✓ logged in as {USER}: 235 " in done.stderr
        assert PASSWORD not in done.stderr
        assert (refused.status, refused.stdout) == (78, b"")
        server, why = f"127.0.0.1:{post.port}", "535 5.7.8 Authentication credentials invalid"
        assert refused.stderr.splitlines()[-2:] == [
            f"error: {server} refuses the login of {USER}: {why}",
            "  notifycli config set smtp.username=… ; notifycli config set smtp.password",
        ]

    def test_a_refusal_is_a_no_with_the_servers_words(self, desk: Notifycli) -> None:
        with serving(Post({"RCPT": "550 5.1.1 no such user"})) as post:
            configure(desk, post.port)
            done = desk("email", "test", *JANE, "-q")
        assert (done.status, [record["outcome"] for record in done.records]) == (1, ["refused"])
        assert done.records[0]["detail"].endswith("said to RCPT: 550 5.1.1 no such user")
        assert done.stderr.splitlines() == [
            f"error: 127.0.0.1:{post.port} said to RCPT: 550 5.1.1 no such user",
            "  is the user's address right? See: notifycli user list",
        ]

    @pytest.mark.parametrize(
        ("settings", "status", "told"),
        [
            ([], 78, "error: smtp.host is not set\n  set it: notifycli config set smtp.host=…\n"),
            (
                ["smtp.host=mail.example.com", "smtp.security=plain", "email.sender=a@b.example"],
                78,
                "error: smtp.security is plain, and mail.example.com is another machine\n",
            ),
            (
                ["smtp.host=127.0.0.1", "smtp.port=1", "email.sender=a@b.example"],
                69,
                ": nothing listens there; are smtp.host, smtp.port and smtp.security right?\n",
            ),
        ],
    )
    def test_what_is_missing_is_told_with_the_next_step(
        self, desk: Notifycli, settings: list[str], status: int, told: str
    ) -> None:
        if settings:
            desk.ok("config", "set", *settings)
        done = desk("email", "test", *JANE)
        assert (done.status, done.stdout, told in done.stderr) == (status, b"", True)

    def test_a_user_without_an_address(self, desk: Notifycli) -> None:
        desk.ok("directory", "import", "-", stdin=b'{"users":[{"id":5,"name":"Nils"}]}')
        done = desk("email", "test", "-u", "5")
        assert (done.status, "user 5 has no e-mail address" in done.stderr) == (2, True)


class TestLinks:
    """To the account as its Chatwoot numbers it, at the desk's own address if that is set."""

    def connect(self, desk: Notifycli) -> None:
        with open_store(desk.store) as store, store.change(1, "chatwoot login", "test") as change:
            change.chatwoot.connect("https://chat.example.com", 5)

    def link(self, desk: Notifycli) -> str:
        (said,) = desk.ok("email", "preview", *JANE).records
        (link,) = re.findall(r"https://\S+/conversations/\d+", str(said["text"]))
        return str(link)

    def test_a_connected_account_is_that_of_its_chatwoot(self, desk: Notifycli) -> None:
        self.connect(desk)
        assert self.link(desk) == "https://chat.example.com/app/accounts/5/conversations/1"

    def test_the_desks_own_address_has_the_same_number(self, desk: Notifycli) -> None:
        self.connect(desk)
        desk.ok("config", "set", "desk.url=https://desk.example.com")
        assert self.link(desk) == "https://desk.example.com/app/accounts/5/conversations/1"

    def test_an_account_that_isnt_connected_has_its_own(self, desk: Notifycli) -> None:
        desk.ok("config", "set", "desk.url=https://desk.example.com")
        assert self.link(desk) == "https://desk.example.com/app/accounts/1/conversations/1"


class TestTemplates:
    def test_where_they_cannot_be_copied_to_is_77(self, desk: Notifycli) -> None:
        refused = desk("email", "templates", "--copy", "/proc/own")
        assert (refused.status, refused.stdout) == (77, b"")
        assert refused.stderr.startswith("error: /proc/own can't be written: ")
        assert refused.stderr.endswith("\n  name another folder\n")

    def test_own_ones_are_copied_changed_listed_and_previewed(self, desk: Notifycli) -> None:
        desk.ok("email", "templates", "--copy", "own")
        desk.ok("config", "set", "email.templates=own")
        for path in Path("own").iterdir():
            if path.name != "conversation_mention.txt":
                path.unlink()
        Path("own/conversation_mention.txt").write_text("Subject: Hallo $user\n\nSieh $contact!\n")
        origins = {
            record["name"]: record["origin"] for record in desk.ok("email", "templates").records
        }
        assert origins.pop("conversation_mention.txt") == "own"
        assert set(origins.values()) == {"builtin"}
        (said,) = desk.ok("email", "preview", "--type", "mention", *JANE).records
        assert said["subject"] == "Hallo Jane"
        assert "<p>Sieh Alex Rivera!</p>" in said["html"]
        assert desk.ok("email", "preview", "--html", *JANE).stdout.decode() == said["html"]
        on_terminal = desk.ok("email", "preview", "-o", "table", *JANE).stdout.decode()
        assert on_terminal == f"Subject: {said['subject']}\n\n{said['text']}"

    def test_a_broken_one_is_told_by_every_command_that_needs_it(self, desk: Notifycli) -> None:
        Path("own").mkdir()
        configure(desk, 1, "email.templates=own")
        Path("own/layout.txt").write_text("\n$notise\n")
        told = f"{Path('own').absolute()}/layout.txt:2: $notise is no field; did you mean $notice?"
        for command in (["templates"], ["preview"], ["test", *JANE]):
            done = desk("email", *command)
            assert (done.status, done.stderr.splitlines()[0]) == (78, f"error: {told}")
        finding = doctor(desk)
        assert (finding["status"], finding["meaning"]) == ("fail", told)

    def test_a_folder_that_is_not_there_is_refused(self, desk: Notifycli) -> None:
        done = desk("config", "set", "email.templates=own")
        told = (
            "error: email.templates: 'own': there is no such folder; make it: "
            "notifycli email templates --copy FOLDER\n"
        )
        assert (done.status, done.stderr) == (2, told)

    def test_a_type_that_is_none(self, desk: Notifycli) -> None:
        done = desk("email", "preview", "--type", "mentoin")
        assert (done.status, "did you mean mention?" in done.stderr) == (2, True)

    def test_a_preview_needs_no_settings_and_no_users(self, notifycli: Notifycli) -> None:
        (said,) = notifycli.ok("email", "preview", "--type", "sla_first").records
        assert said["subject"] == "First response overdue in conversation #1"


def doctor(desk: Notifycli) -> dict[str, str]:
    (found,) = (r for r in desk("doctor").records if r["check"] == "email")
    return found


class TestDoctor:
    def test_without_a_mail_server_it_says_how_to_name_one(self, desk: Notifycli) -> None:
        found = doctor(desk)
        assert (found["status"], found["found"]) == ("note", "no mail server")
        assert found["fix"].startswith("notifycli config set smtp.host=")

    def test_a_server_that_answers_is_fine_and_gets_no_mail(self, desk: Notifycli) -> None:
        with serving(Post()) as post:
            configure(desk, post.port)
            found = doctor(desk)
        assert (found["status"], found["meaning"], post.received) == ("ok", "it answers", [])
        assert found["found"].startswith("desk@acme.example: connected to 127.0.0.1:")

    def test_a_dead_server_fails_in_words(self, desk: Notifycli, port: int) -> None:
        configure(desk, port)
        assert doctor(desk) == {
            "check": "email",
            "status": "fail",
            "found": f"127.0.0.1:{port}",
            "meaning": f"127.0.0.1:{port}: nothing listens there",
            "fix": "are smtp.host, smtp.port and smtp.security right?",
        }

    def test_a_server_of_another_kind_fails_in_words(self, desk: Notifycli) -> None:
        def greet() -> None:
            with listening.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            configure(desk, port)
            greeting = threading.Thread(target=greet)
            greeting.start()
            meaning = doctor(desk)["meaning"]
            greeting.join()
        assert meaning == f"127.0.0.1:{port}: the server doesn't speak SMTP there"

    def test_a_certificate_that_is_not_trusted_fails_with_what_to_do(
        self, desk: Notifycli, certificate: Certificate
    ) -> None:
        with serving(Post(), starttls=certificate.context) as post:
            configure(desk, post.port, "smtp.security=starttls")
            found = doctor(desk)
        assert (found["status"], "SSL_CERT_FILE" in found["fix"]) == ("fail", True)
        assert "its certificate is not trusted" in found["meaning"]
