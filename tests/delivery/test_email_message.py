"""What a mail is made of: threads, ids, templates; and that nothing gets out of its place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.delivery.email_message import (
    FIELDS,
    AddressError,
    Templates,
    compose,
    copy_to,
    mailbox,
    names,
    sender,
    write,
)
from notifycli.errors import ConfigurationError, UsageError
from notifycli.rules.notifications import TYPES, NotificationType

from .notices import LETTERHEAD, notice

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
    *("Auto-Submitted", "List-Unsubscribe", "MIME-Version", "Content-Type"),
]
ODD = st.sampled_from("\r\n\0\t\v\f\x1c\x85\u2028\u2029\u202e.<>\"'&$={}|@,;:\\ \ud800é漢😀")
HOSTILE = st.sampled_from(
    [
        *("\r\nBcc: eve@example.com\r\n\r\n", "\nX-Header: x", "\r\n.\r\nMAIL FROM:<e@e>\r\n"),
        *("<script>alert(1)</script>", '"><a href="https://eve.example">', "</p><b>", "&lt;i&gt;"),
        *("=?utf-8?q?=0D=0ABcc:_e@e?=", "$link", "${user}", "$$", "\n-- \n"),
    ]
)
ANYTHING = st.lists(st.one_of(HOSTILE, st.text(ODD | st.characters(), max_size=40))).map("".join)


def read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=SMTPUTF8)
    assert isinstance(message, EmailMessage)
    return message


def _unquoted(text: str) -> int:
    """Count the lines that say something and are none of the message's."""
    return sum(bool(line.strip()) and not line.startswith(">") for line in text.split("\n"))


class _Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"br", "blockquote"}:
            self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]


class TestNothingGetsOut:
    @given(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from([row.type for row in TYPES]),
                **dict.fromkeys(("contact", "author", "inbox_name", "user_name", "text"), ANYTHING),
            }
        )
    )
    def test_whatever_people_are_called_and_write_the_mail_has_its_headers_and_elements(
        self, said_by: dict[str, Any]
    ) -> None:
        said = notice(**said_by)
        mail = compose(said, LETTERHEAD, NOON)
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|[\0\x80-\xff]", mail.content)
        assert max(map(len, mail.content.split(b"\r\n"))) <= 998
        message = read(mail.content)
        assert message.keys() == HEADERS
        assert not any(value.defects for value in message.values())
        assert [address.addr_spec for address in message["To"].addresses] == ["jane@example.com"]
        assert [address.addr_spec for address in message["From"].addresses] == ["desk@acme.example"]
        parts = list(message.iter_parts())
        assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
        harmless = write(notice(type=said.type), LETTERHEAD)
        assert _unquoted(parts[0].get_content()) == _unquoted(harmless.text)
        page, plain = _Page(parts[1].get_content()), _Page(harmless.html)
        assert page.tags == plain.tags
        assert page.links == plain.links

    @given(ANYTHING)
    def test_an_address_is_one_address_or_refused(self, text: str) -> None:
        try:
            found = mailbox(text)
        except AddressError:
            return
        mail = compose(notice(email=text), LETTERHEAD, NOON)
        assert re.fullmatch(r"[^\s<>,;()\"\\]+@[a-zA-Z0-9.:\[\]-]+", found.address)
        to = read(mail.content)["To"].addresses
        assert [address.addr_spec for address in to] == [mail.recipient] == [found.address]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Jane Miller",
            "Jané",
            "Miller, Jane",
            'Jane "J" Miller',
            "Jane \\ Miller",
            "漢字",
            "a@b",
        ),
        *("=?utf-8?q?=0D=0ABcc:_eve?=", "St. John (Berlin)", "Ja\tne"),
    ],
)
def test_a_name_is_read_as_it_was_written(name: str) -> None:
    to = read(compose(notice(user_name=name), LETTERHEAD, NOON).content)["To"]
    assert to.addresses[0].display_name == name.replace("\t", " ")


class TestThreads:
    def test_mails_of_a_conversation_hang_together_and_those_of_others_do_not(self) -> None:
        here = read(compose(notice(), LETTERHEAD, NOON).content)
        again = read(compose(notice(id=6, message_id=10), LETTERHEAD, NOON).content)
        elsewhere = read(compose(notice(account_id=2), LETTERHEAD, NOON).content)
        assert here["References"] == here["In-Reply-To"] == again["References"]
        assert here["References"] != elsewhere["References"]
        assert here["Message-ID"] != again["Message-ID"]

    def test_a_mail_that_is_sent_again_has_the_same_id(self) -> None:
        later = datetime(2026, 3, 5, tzinfo=UTC)
        first, second = (compose(notice(), LETTERHEAD, at) for at in (NOON, later))
        assert first.message_id == second.message_id

    @pytest.mark.parametrize(
        "change",
        [
            *({"id": 6}, {"account_id": 2}, {"user_id": 8}, {"email": "b@example.com"}),
            *({"type": NotificationType.CREATION}, {"event": "x"}, {"conversation_id": 43}),
            *({"message_id": 10}, {"at": 0}),
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_notice_that_differs_has_another_id(self, change: dict[str, Any]) -> None:
        ours, other = (compose(n, LETTERHEAD, NOON) for n in (notice(), notice(**change)))
        assert ours.message_id != other.message_id

    def test_without_a_conversation_there_is_no_thread(self) -> None:
        message = read(compose(notice(conversation_id=None), LETTERHEAD, NOON).content)
        assert {"References", "In-Reply-To"}.isdisjoint(message.keys())


def test_a_desk_without_an_address_links_nowhere() -> None:
    letterhead = msgspec.structs.replace(LETTERHEAD, dashboards={})
    message = read(compose(notice(), letterhead, NOON).content)
    text, html = (part.get_content() for part in message.iter_parts())
    assert "List-Unsubscribe" not in message
    assert "http" not in text
    assert _Page(html).links == []


def test_a_long_link_stays_one_word() -> None:
    url = f"https://{'a' * 60}.example/{'b' * 100}"
    letterhead = msgspec.structs.replace(LETTERHEAD, dashboards={1: url})
    content = compose(notice(), letterhead, NOON).content
    line = f"List-Unsubscribe: <{url}/profile/settings>\r\n"
    assert line.encode() in content


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("desk@acme.example", "", "desk@acme.example"),
        ("Acme <desk@acme.example>", "Acme", "desk@acme.example"),
        ('"Acme, Ltd" <desk@acme.example>', "Acme, Ltd", "desk@acme.example"),
        (" Acme Süd <désk@bücher.example> ", "Acme Süd", "désk@xn--bcher-kva.example"),
    ],
)
def test_a_sender_may_have_a_name(text: str, name: str, address: str) -> None:
    found = sender(text)
    assert (found.name, found.address) == (name, address)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Acme", "'Acme' is no e-mail address"),
        ("<a@b> <c@d>", "characters that an e-mail address can't have"),
        ("a@" + "b" * 300, "longer than an e-mail address can be"),
        ("a@ü..de", "can't be the name of a domain"),
    ],
)
def test_a_sender_that_is_none_is_refused(text: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        sender(text)


class TestTemplates:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        folder = tmp_path / "own"
        folder.mkdir()
        return folder

    @pytest.mark.parametrize("row", TYPES, ids=lambda row: row.short)
    def test_every_type_says_something_of_its_own_with_all_and_with_nothing_known(
        self, row: Any
    ) -> None:
        nothing = {"contact": "", "author": "", "inbox_name": "", "text": "", "user_name": ""}
        full = write(notice(type=row.type), LETTERHEAD)
        bare = write(notice(type=row.type, at=None, **nothing), LETTERHEAD)
        others = {write(notice(type=r.type), LETTERHEAD).subject for r in TYPES if r != row}
        assert full.subject not in others
        for part in (full, bare):
            assert part.subject
            assert "$" not in f"{part.subject}{part.text}{part.html}"
            assert "  " not in part.subject
        assert "blockquote" not in bare.html

    def test_the_folder_of_a_desk_goes_before(self, own: Path) -> None:
        (own / "conversation_mention.txt").write_text(
            "Subject: $author hat Dich in Nr. $conversation erwähnt ($$5)\n\n"
            "${author|Jemand} & Du, mit ${contact|einem Kunden}.\n$link\n"
        )
        letterhead = msgspec.structs.replace(LETTERHEAD, templates=Templates(own), dashboards={})
        said = write(notice(author="Ömer", contact=""), letterhead)
        assert said.subject == "Ömer hat Dich in Nr. 42 erwähnt ($5)"
        assert said.text.splitlines()[2] == "Ömer & Du, mit einem Kunden."
        assert "<p>Ömer &amp; Du, mit einem Kunden.</p>" in said.html
        other = write(notice(type=NotificationType.CREATION), letterhead)
        assert other.subject == "New conversation #42 with Alex Rivera"

    def test_an_empty_subject_is_the_type(self, own: Path) -> None:
        (own / "conversation_mention.txt").write_text("Subject: $contact\n\nHello.\n")
        letterhead = msgspec.structs.replace(LETTERHEAD, templates=Templates(own))
        said = write(notice(contact=""), letterhead)
        assert (said.subject, said.text.splitlines()[2]) == ("conversation mention", "Hello.")

    @pytest.mark.parametrize(
        ("name", "content", "told"),
        [
            (
                "conversation_mention.txt",
                "Subject: x\n\nHello $contakt",
                "conversation_mention.txt:3: $contakt is no field; did you mean $contact?",
            ),
            (
                "conversation_mention.txt",
                "Subject: costs 5 $\n",
                "conversation_mention.txt:1: a $ that begins no field is written $$",
            ),
            (
                "conversation_mention.txt",
                "Subject: ${contact|a {b}}\n",
                "conversation_mention.txt:1: a $ that begins no field is written $$",
            ),
            (
                "conversation_mention.txt",
                "Hello",
                "conversation_mention.txt:1: its first line must be the subject: Subject: …",
            ),
            (
                "conversation_mention.txt",
                "",
                "conversation_mention.txt:1: its first line must be the subject: Subject: …",
            ),
            (
                "conversation_mention.txt",
                "Subject: $notice",
                "conversation_mention.txt:1: $notice is for the layouts alone",
            ),
            (
                "layout.html",
                "<p>$text</p>",
                "layout.html: it has no $notice, which is what the mail says",
            ),
            ("layout.txt", b"$notice \xff", "layout.txt: it is no UTF-8 text"),
            (
                "conversation_mentoin.txt",
                "x",
                "conversation_mentoin.txt: no template has this name",
            ),
        ],
    )
    def test_a_broken_one_is_told_with_its_place(
        self, own: Path, name: str, content: str | bytes, told: str
    ) -> None:
        (own / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ConfigurationError) as caught:
            Templates(own)
        assert caught.value.message == f"{own}/{told}"

    def test_a_folder_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"can't be read: .*No such file"):
            Templates(tmp_path / "none")

    def test_other_files_in_the_folder_do_no_harm(self, own: Path) -> None:
        (own / "README.md").write_text("ours")
        assert all(file.builtin for file in Templates(own).files.values())

    def test_copies_are_what_is_built_in_and_overwrite_nothing(self, own: Path) -> None:
        copy_to(own)
        assert sorted(path.name for path in own.iterdir()) == sorted(names())
        letterhead = msgspec.structs.replace(LETTERHEAD, templates=Templates(own))
        assert write(notice(), letterhead) == write(notice(), LETTERHEAD)
        with pytest.raises(UsageError, match="already"):
            copy_to(own)

    def test_every_field_can_be_used(self, own: Path) -> None:
        (own / "layout.txt").write_text("".join(f"{name}: ${name}\n" for name in FIELDS))
        letterhead = msgspec.structs.replace(LETTERHEAD, templates=Templates(own))
        text = write(notice(text="one\ntwo"), letterhead).text
        assert text.splitlines() == [
            "user: Jane Miller",
            "desk: Acme",
            "conversation: 42",
            "contact: Alex Rivera",
            "author: Omar Haddad",
            "inbox: Website",
            "text: one",
            "text: two",
            "time: 2026-03-03 20:25 UTC",
            "link: https://desk.example/app/accounts/1/conversations/42",
            "settings: https://desk.example/app/accounts/1/profile/settings",
            "subject: Omar Haddad mentioned you in conversation #42",
            "notice: Omar Haddad mentioned you in the conversation with Alex Rivera:",
        ]
