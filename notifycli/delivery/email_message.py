"""From a notice to a mail: its headers, its two parts, and who it goes to (RFC 5322).

Addresses are ASCII where that is possible at all. Headers are written in the form in which they
travel (RFC 5322, 2.2; RFC 2047). `email.message` parses a header's value and lays it out again. On
the way it decodes what looks like an encoded word, line ends and all, and drops the quotes of a
long name (CVE-2024-6923 and its kin): with names that customers choose, both add headers and
addresses. Here a value is made once, and is broken at its spaces alone. It takes a tenth of the
time besides.

What a mail says is made of templates: those that come with the program, and those that a desk puts
over them. A template is text with fields, `$contact`, or `${contact|a customer}` where the field
may be empty. A line that has fields all of which are empty is left out; a line whose field has
several lines is written once for each. That is all there is: nothing in a template can be run, and
in HTML every value is escaped, whoever it comes from.
"""

from __future__ import annotations

import hashlib
import os
import re
from binascii import b2a_qp
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from notifycli.errors import ConfigurationError, NotPermittedError, UsageError
from notifycli.rules.directory import address_fault
from notifycli.rules.notifications import SHORT_NAMES, NotificationType
from notifycli.rules.preferences import nearest
from notifycli.store.outbox import Notice

_LOCAL = re.compile(r"(?!.*=\?)[\w!#$%&'*+/=?^`{|}~-][\w!#$%&'*+/=?^`{|}~.-]*")
_DOMAIN = re.compile(
    r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE
)
_LITERAL = re.compile(r"\[[0-9a-z:.]+\]", re.IGNORECASE)
_NAMED = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<address>[^<>]+)>\s*")
_LONGEST_LOCAL = 64
_LONGEST = 254
"""Both in octets (RFC 5321, 4.5.3.1; erratum 1690 of RFC 3696)."""


class AddressError(ValueError):
    """It is no address to which, or from which, a mail could go; the message says why."""


class Mailbox(NamedTuple):
    """An address with the name of who has it."""

    name: str
    local: str
    domain: str
    """In ASCII (A-labels, RFC 5890): every server takes those."""

    @property
    def address(self) -> str:
        """The address alone, as the envelope has it."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 takes it (RFC 6531)."""
        return not self.local.isascii()


def mailbox(address: str, name: str = "") -> Mailbox:
    """Read an address such as `jane@bücher.example`. Raises `AddressError`.

    What would have to be quoted (RFC 5321's Quoted-string) is refused: no desk gives such
    addresses to its agents, and quoting is how more than one address is smuggled into a header.
    """
    if fault := address_fault(address):
        raise AddressError(fault)
    local, _, domain = address.rpartition("@")
    domain = ascii_domain(domain)
    if len(local.encode()) > _LONGEST_LOCAL or len(f"{local}@{domain}".encode()) > _LONGEST:
        raise AddressError(f"{address!r} is longer than an e-mail address can be")
    if not (_LOCAL.fullmatch(local) and (_DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain))):
        raise AddressError(f"{address!r} is no e-mail address")
    return Mailbox(name, local, domain)


def sender(text: str) -> Mailbox:
    """Read `desk@acme.example` or `Acme Support <desk@acme.example>`. Raises `AddressError`."""
    named = _NAMED.fullmatch(text)
    if not named:
        return mailbox(text.strip())
    return mailbox(named["address"].strip(), named["name"].strip('"'))


def ascii_domain(domain: str) -> str:
    """Give a domain as the DNS has it (A-labels). Raises `AddressError`."""
    if domain.isascii():
        return domain
    import idna  # noqa: PLC0415 - only what isn't ASCII needs its tables

    try:
        # UTS 46 maps what people type, capitals for one, to what IDNA 2008 takes (RFC 5895).
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise AddressError(f"{domain!r} can't be the name of a domain: {error}") from None


_LONGEST_SUBJECT = 150
_LINE = 76
"""Characters on a line that holds encoded words (RFC 2047, 2)."""
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~ -]+")
_LONGEST_NAME = 60
_ENCODING = b"Content-Transfer-Encoding: quoted-printable"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMED_FIRST = re.compile(r"^#(\d+).*$", re.MULTILINE)
"""A line of what a digest says: a conversation, and what was written there."""


class Branding(Struct, frozen=True):
    """What all mails of a desk have in common."""

    sender: Mailbox
    accounts: Mapping[int, str]
    """The accounts' names."""
    dashboards: Mapping[int, str]
    """The accounts' dashboards, those that are known; in ASCII, without a slash at the end."""
    templates: Templates

    def desk(self, account: int) -> str:
        """Give the name under which a desk writes."""
        return self.accounts.get(account) or "Support desk"


class Mail(Struct, frozen=True):
    """A mail on its way: the envelope (RFC 5321, 2.3.1) and the content, with CRLF."""

    sender: str
    recipient: str
    needs_utf8: bool
    message_id: str
    content: bytes


class MailText(Struct, frozen=True):
    """What a mail says."""

    subject: str
    text: str
    html: str


def compose(notice: Notice, letterhead: Branding, now: datetime) -> Mail:
    """Write the mail of a notice. Raises `AddressError` if it can't go to the user's address.

    The same notice has the same `Message-ID` whenever it is sent: to a reader, a mail that arrives
    a second time is the same one (RFC 5322, 3.6.4).
    """
    sender = letterhead.sender
    if not sender.name:
        sender = sender._replace(name=letterhead.desk(notice.account_id))
    recipient = mailbox(notice.email or "", notice.user_name)
    utf8 = sender.needs_utf8 or recipient.needs_utf8
    parts = write(notice, letterhead)
    digest = digest_of(notice)
    message_id = f"<notice.{digest}@{sender.domain}>"
    headers = {
        "From": address(sender),
        "To": address(recipient),
        "Subject": words(parts.subject),
        "Date": format_datetime(now),
        "Message-ID": message_id,
    }
    if notice.conversation_id is not None:
        # Nobody has the mail of this id; what refers to it is shown as one thread (RFC 5256).
        root = f"<conversation.{notice.account_id}.{notice.conversation_id}@{sender.domain}>"
        headers |= {"In-Reply-To": root, "References": root}
    headers["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: no out-of-office answers
    if settings := _settings_page(notice, letterhead):
        headers["List-Unsubscribe"] = f"<{settings}>"  # RFC 2369, 3.2
    head = "".join(header(name, value) for name, value in headers.items())
    # No text in quoted-printable has this (RFC 2045, 6.7).
    content = head.encode() + _alternatives(f"=_{digest}", parts)
    return Mail(sender.address, recipient.address, utf8, message_id, content)


def _alternatives(boundary: str, parts: MailText) -> bytes:
    """Write the parts of a mail, and the headers that tell of them (RFC 2046, 5.1.4)."""
    lines = [
        *(b"MIME-Version: 1.0", b'Content-Type: multipart/alternative; boundary="%b"', b""),
        *(b"--%b", b'Content-Type: text/plain; charset="utf-8"', _ENCODING, b"", b"%b"),
        *(b"--%b", b'Content-Type: text/html; charset="utf-8"', _ENCODING, b"", b"%b"),
        *(b"--%b--", b""),
    ]
    mark = boundary.encode()
    filled = (mark, mark, _encode_header(parts.text), mark, _encode_header(parts.html), mark)
    return b"\r\n".join(lines) % filled


def _encode_header(text: str) -> bytes:
    """Write a text in quoted-printable: not every server on the way takes 8BITMIME."""
    return b2a_qp(text.replace("\n", "\r\n").encode(), quotetabs=False, istext=True)


class ShortText(NamedTuple):
    """What a mail says, without any layout: its subject, what happened, and where to look."""

    subject: str
    text: str
    link: str


def write_short(notice: Notice, letterhead: Branding) -> ShortText:
    """Write what a notice says to others than a mail's reader, by the same templates."""
    values = _values(notice, letterhead)
    wording = _wording(notice, letterhead, values)
    text = "\n\n".join(filter(None, (wording.notice, values["text"])))
    return ShortText(wording.subject, text, values["link"])


def _wording(notice: Notice, letterhead: Branding, values: Mapping[str, str]) -> Wording:
    wording = letterhead.templates.wording(notice.type, values)
    subject = one_line(wording.subject)
    if len(subject) > _LONGEST_SUBJECT:
        subject = f"{subject[: _LONGEST_SUBJECT - 1]}…"
    return wording._replace(subject=subject)


def write(notice: Notice, letterhead: Branding) -> MailText:
    """Write what the mail of a notice says."""
    values = _values(notice, letterhead)
    wording, templates = _wording(notice, letterhead, values), letterhead.templates
    text, html = templates.text(wording, values), templates.html(wording, values)
    if notice.type is NotificationType.DIGEST and (place := _conversations(notice, letterhead)):
        html = _link(html, place)
    return MailText(wording.subject, text, html)


def _link(page: str, place: str) -> str:
    """Make links of the conversations that a digest names in its text."""
    return re.sub(rf"{re.escape(escape(place))}\d+", r'<a href="\g<0>">\g<0></a>', page)


def _lines(text: str) -> str:
    kept = (c if c.isprintable() else "\n" if c == "\n" else " " for c in text)
    return "\n".join(line.rstrip() for line in "".join(kept).strip().split("\n"))


def _values(notice: Notice, letterhead: Branding) -> dict[str, str]:
    conversation = "?" if notice.conversation_id is None else str(notice.conversation_id)
    text = notice.text
    if notice.type is NotificationType.DIGEST:
        conversation = ", #".join(_NAMED_FIRST.findall(text))
        if place := _conversations(notice, letterhead):
            text = _NAMED_FIRST.sub(rf"\g<0>\n{place}\1", text)
    time = "" if notice.at is None else _EPOCH + timedelta(microseconds=notice.at)
    return {
        "user": one_line(notice.user_name),
        "desk": one_line(letterhead.desk(notice.account_id)),
        "conversation": conversation,
        "contact": one_line(notice.contact),
        "author": one_line(notice.author),
        "inbox": one_line(notice.inbox_name),
        "text": _lines(text),
        "time": f"{time:%Y-%m-%d %H:%M} UTC" if time else "",
        "link": _conversation_page(notice, letterhead),
        "settings": _settings_page(notice, letterhead),
    }


def _conversation_page(notice: Notice, letterhead: Branding) -> str:
    place = _conversations(notice, letterhead)
    known = place and notice.conversation_id is not None
    return f"{place}{notice.conversation_id}" if known else ""


def _conversations(notice: Notice, letterhead: Branding) -> str:
    """Give where a conversation is seen, up to its number."""
    dashboard = letterhead.dashboards.get(notice.account_id)
    return "" if dashboard is None else f"{dashboard}/conversations/"


def _settings_page(notice: Notice, letterhead: Branding) -> str:
    """Give the page of the user's own profile, where notifications are switched off."""
    dashboard = letterhead.dashboards.get(notice.account_id)
    return "" if dashboard is None else f"{dashboard}/profile/settings"


def digest_of(notice: Notice) -> str:
    """Tell this notice from all others, those of other stores included."""
    what = (
        *(notice.id, notice.account_id, notice.user_id, notice.email, notice.type, notice.event),
        *(notice.conversation_id, notice.message_id, notice.at),
    )
    return hashlib.sha256(repr(what).encode()).hexdigest()[:32]


def header(name: str, value: str) -> str:
    """Give the lines of a header, broken at the spaces of its value, with CRLF."""
    lines = [f"{name}:"]
    for word in value.split(" "):
        if len(lines[-1]) + 1 + len(word) > _LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines) + "\r\n"


def one_line(text: str) -> str:
    """Give the text without anything that ends a header or a line, or steers a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def words(text: str) -> str:
    """Write a text for a header: encoded if it isn't ASCII, or looks as if it were encoded."""
    line = one_line(text)
    if line.isascii() and "=?" not in line:
        return line
    return Header(line, "utf-8", maxlinelen=_LINE - 1, header_name="Subject").encode(linesep="")


@lru_cache(maxsize=1024)
def address(mailbox: Mailbox) -> str:
    """Write an address with its name for a header (RFC 5322, 3.4)."""
    name = one_line(mailbox.name)[:_LONGEST_NAME].strip()
    if not name:
        return mailbox.address
    if name.isascii() and "=?" not in name:
        escaped = name.replace("\\", r"\\").replace('"', r"\"")
        phrase = name if _ATOMS.fullmatch(name) else f'"{escaped}"'
    else:
        phrase = words(name)
    return f"{phrase} <{mailbox.address}>"


FIELDS: Mapping[str, str] = {
    "user": "who is notified",
    "desk": "the account's name",
    "conversation": "the conversation's number",
    "contact": "whom the conversation is with",
    "author": "who wrote the message",
    "inbox": "the inbox's name",
    "text": "what the message says",
    "time": "when it happened",
    "link": "the conversation's page, if desk.url is set",
    "settings": "the page on which the user chooses what to be told, if desk.url is set",
    "subject": "in a layout: the type's subject",
    "notice": "in a layout: what the type's template says",
}
BUILTIN = Path(__file__).with_name("templates")
TEXT_LAYOUT = "layout.txt"
HTML_LAYOUT = "layout.html"
_SUBJECT = "Subject: "
_BLANK_LINES = re.compile(r"\n{3,}")
"""They are left where a line between them was left out."""
_ENCLOSED = ("subject", "notice")
# As in string.Template, and a value for what is empty, as in a shell.
_FIELD = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[a-z_]+)|\{(?P<braced>[a-z_]+)(?:\|(?P<otherwise>[^{}$|]+))?\})?"
)


class _Field(NamedTuple):
    """A field in a line, and what is written where it is empty."""

    name: str
    otherwise: str


_Line = tuple[str | _Field, ...]
"""A line of a template: text and fields in turn."""


class Wording(NamedTuple):
    """The words of one mail, before any layout."""

    subject: str
    notice: str


class TemplateFile(Struct, frozen=True):
    """One template, read and checked."""

    name: str
    path: Path
    lines: tuple[_Line, ...]

    @property
    def builtin(self) -> bool:
        """Whether it is the one that comes with the program."""
        return self.path.parent == BUILTIN

    def render(self, values: Mapping[str, str]) -> str:
        """Fill the fields in."""
        return "\n".join(part for line in self.lines for part in _render(line, values))


class Templates:
    """All templates: those in `folder` where it has them, else the built-in ones."""

    def __init__(self, folder: Path | None = None) -> None:
        """Read and check them. Raises `ConfigurationError`, with the place of what is wrong."""
        own = {} if folder is None else _own(folder)
        self.files = {name: _read(name, own.get(name, BUILTIN / name)) for name in names()}

    def wording(self, type_: NotificationType, values: Mapping[str, str]) -> Wording:
        """Give what a mail of this type says, as plain text."""
        template = self.files[f"{type_}.txt"]
        subject = "".join(_render(template.lines[0], values)).removeprefix(_SUBJECT).strip()
        notice = "\n".join(part for line in template.lines[1:] for part in _render(line, values))
        return Wording(subject or str(type_).replace("_", " "), notice.strip("\n"))

    def text(self, wording: Wording, values: Mapping[str, str]) -> str:
        """Give the plain text of a mail."""
        text = self.files[TEXT_LAYOUT].render({**values, **wording._asdict()})
        return _BLANK_LINES.sub("\n\n", text).strip("\n") + "\n"

    def html(self, wording: Wording, values: Mapping[str, str]) -> str:
        """Give the HTML of a mail; every value is escaped."""
        escaped = {
            name: escape(value).replace("\n", "<br>")
            for name, value in {**values, **wording._asdict()}.items()
        }
        return self.files[HTML_LAYOUT].render(escaped).strip("\n") + "\n"


def own_or_builtin(folder: str | None) -> Templates:
    """Give the templates as `email.templates` wants them. Raises `ConfigurationError`."""
    return Templates(Path(folder) if folder else None)


def copy_to(folder: Path) -> list[Path]:
    """Copy the built-in templates; nothing that is there is overwritten.

    Raises `UsageError` where there is something, and `NotPermittedError`.
    """
    targets = [folder / name for name in names()]
    # pathlib's raises for a name that is too long.
    if there := [path for path in targets if os.path.exists(path)]:  # noqa: PTH110
        raise UsageError(
            f"there is {there[0]} already", "name another folder, or move away what is there"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in targets:
            path.write_bytes((BUILTIN / path.name).read_bytes())
    except OSError as error:
        raise NotPermittedError(
            f"{folder} can't be written: {error.strerror}", "name another folder"
        ) from None
    return targets


def names() -> tuple[str, ...]:
    """Give the names of all templates."""
    return (*(f"{type_}.txt" for type_ in SHORT_NAMES), TEXT_LAYOUT, HTML_LAYOUT)


def _own(folder: Path) -> dict[str, Path]:
    """Find a desk's own templates; another file in the folder is likely a mistyped name."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigurationError(
            f"the folder of templates can't be read: {folder}: {error.strerror}",
            "make it: notifycli email templates --copy FOLDER; "
            "or use the built-in ones: notifycli config unset email.templates",
        ) from None
    known = names()
    for path in paths:
        if path.suffix in {".txt", ".html"} and path.name not in known:
            near = nearest(path.name, known)
            raise ConfigurationError(
                f"{path}: no template has this name",
                f"did you mean {near}?" if near else f"templates are: {', '.join(known)}",
            )
    return {path.name: path for path in paths if path.name in known}


def _read(name: str, path: Path) -> TemplateFile:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise _fault(path, 0, error.strerror or "it can't be read") from None
    except UnicodeDecodeError:
        raise _fault(path, 0, "it is no UTF-8 text") from None
    is_layout = name in {TEXT_LAYOUT, HTML_LAYOUT}
    known = tuple(field for field in FIELDS if is_layout or field not in _ENCLOSED)
    lines = tuple(_line(path, n, line, known) for n, line in enumerate(text.splitlines(), 1))
    if not is_layout and not text.startswith(_SUBJECT):
        raise _fault(path, 1, f"its first line must be the subject: {_SUBJECT}…")
    if is_layout and _Field("notice", "") not in chain.from_iterable(lines):
        raise _fault(path, 0, "it has no $notice, which is what the mail says")
    return TemplateFile(name, path, lines)


def _line(path: Path, number: int, text: str, known: tuple[str, ...]) -> _Line:
    parts: list[str | _Field] = []
    end = 0
    for match in _FIELD.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        name = match["plain"] or match["braced"]
        if match["dollar"]:
            parts.append("$")
        elif not name:
            raise _fault(path, number, "a $ that begins no field is written $$")
        elif name in FIELDS and name not in known:
            raise _fault(path, number, f"${name} is for the layouts alone")
        elif name not in known:
            near = nearest(name, known)
            meant = f"; did you mean ${near}?" if near else ""
            raise _fault(path, number, f"${name} is no field{meant}")
        else:
            parts.append(_Field(name, match["otherwise"] or ""))
    return (*parts, text[end:])


def _fault(path: Path, number: int, what: str) -> ConfigurationError:
    place = f"{path}:{number}" if number else str(path)
    return ConfigurationError(
        f"{place}: {what}", "see the fields: notifycli email templates --help"
    )


def _render(line: _Line, values: Mapping[str, str]) -> Iterator[str]:
    """Give what becomes of a line: nothing, itself, or one line for each of a longer value's."""
    parts = [p if isinstance(p, str) else values[p.name] or p.otherwise for p in line]
    filled = [text for text, part in zip(parts, line, strict=True) if isinstance(part, _Field)]
    if filled and not any(filled):
        return
    longest = max(filled, key=lambda text: text.count("\n"), default="")
    if "\n" not in longest:
        yield "".join(parts)
        return
    for row in longest.split("\n"):
        yield "".join(row if text is longest else text for text in parts)
