"""What a mail says: the templates that come with the program, and those that a desk puts over them.

A template is text with fields, `$contact`, or `${contact|a customer}` where the field may be empty.
A line that has fields all of which are empty is left out; a line whose field has several lines is
written once for each. That is all there is: nothing in a template can be run, and in HTML every
value is escaped, whoever it comes from.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from notifycli.errors import ConfigurationError, UsageError
from notifycli.rules.notifications import SHORT_NAMES, NotificationType
from notifycli.rules.preferences import nearest

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
            name: html.escape(value).replace("\n", "<br>")
            for name, value in {**values, **wording._asdict()}.items()
        }
        return self.files[HTML_LAYOUT].render(escaped).strip("\n") + "\n"


def own_or_builtin(folder: str | None) -> Templates:
    """Give the templates as `email.templates` wants them. Raises `ConfigurationError`."""
    return Templates(Path(folder) if folder else None)


def copy_to(folder: Path) -> list[Path]:
    """Copy the built-in templates; nothing that is there is overwritten. Raises `UsageError`."""
    targets = [folder / name for name in names()]
    if there := [path for path in targets if path.exists()]:
        raise UsageError(
            f"there is {there[0]} already", "name another folder, or move away what is there"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in targets:
            path.write_bytes((BUILTIN / path.name).read_bytes())
    except OSError as error:
        raise UsageError(f"{folder} can't be written: {error.strerror}") from None
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
