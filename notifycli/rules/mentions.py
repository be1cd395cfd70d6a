"""Whom a message mentions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from notifycli.events.event import Message
from notifycli.rules.directory import Directory
from notifycli.rules.profile import Profile

# Chatwoot's own pattern (app/services/messages/mention_service.rb).
_MARKUP = re.compile(r"\(mention://(user|team)/(\d{1,18})/.+?\)", re.ASCII)
# "@" and an address, neither of them part of something longer. The domain is matched label by
# label, so that a full stop or a hyphen that ends the sentence stays outside.
_LOCAL = r"[\w.!\#$%&'*+/=?^`{|}~-]+"
_DOMAIN = r"(?> [^\W_]+ (?: -+ [^\W_]+ )* (?: \. [^\W_]+ (?: -+ [^\W_]+ )* )* )"
_ADDRESS = re.compile(
    rf"(?<![^\W_]) (?<![.+%-]) @ ( {_LOCAL} @ {_DOMAIN} ) (?! [.-]* [^\W_] | [.-]* [+%] )",
    re.VERBOSE,
)
_AMONG_ANY = re.compile(rf"@ (?= ({_LOCAL} @) ({_DOMAIN}) )", re.VERBOSE)
_LONGEST_DOMAIN = 255
_WIDE_SPACE = "\N{IDEOGRAPHIC SPACE}"


def marked_users(content: str, directory: Directory, profile: Profile) -> set[int]:
    """Give the ids in Chatwoot's markup: of users, and of every member of a team."""
    users: set[int] = set()
    if "mention://" in content:
        for kind, digits in _MARKUP.findall(content):
            if kind == "team" and profile.team_mentions:
                users |= directory.team_members(int(digits))
            elif not (profile.ids_as_text and digits.startswith("0")):
                users.add(int(digits))
    return users


def addressed_users(content: str, directory: Directory) -> set[int]:
    """Give the users whose e-mail address follows directly on an "@"."""
    if content.isascii():
        if "@" not in content:
            return set()
        found: Iterator[int | None] = map(directory.user_with_email, _ADDRESS.findall(content))
    else:
        found = _addressed_among_any(unicodedata.normalize("NFKC", content), directory)
    return {user for user in found if user is not None}


def _addressed_among_any(content: str, directory: Directory) -> Iterator[int | None]:
    """Give the users addressed in a text of any script, in NFKC.

    Chinese and other scripts without capitals are written without a space beside an address, and
    may be in one: of several readings the longest that is a user's holds.
    """
    for at in _among_any(content):
        local, domain = at.groups()
        after = _after(at, content).lstrip(".-")
        for end in range(min(len(domain), _LONGEST_DOMAIN), 0, -1):
            user = None if _continues(after) else directory.user_with_email(local + domain[:end])
            if user is not None:
                yield user
                break
            after = after if domain[end - 1] in ".-" else domain[end - 1]


def _among_any(content: str) -> Iterator[re.Match[str]]:
    """Return where an address may begin in a text of any script, in NFKC."""
    for at in _AMONG_ANY.finditer(content):
        before = content[at.start() - 1 : at.start()]
        if before not in (".", "-") and not _continues(before):
            yield at


def _after(at: re.Match[str], content: str) -> str:
    """Return what follows on an address, up to the first character that may continue it."""
    rest = content[at.end(2) : at.end(2) + _LONGEST_DOMAIN]
    return rest[: len(rest) - len(rest.lstrip(".-")) + 1]


def mentions_in(message: Message) -> str:
    """Return of what a message says no more than its mentions, which are the same to all rules."""
    content = message.content
    marked = _MARKUP.findall(content) if message.private else []
    found = [f"(mention://{kind}/{digits}/_)" for kind, digits in marked]
    if content.isascii():
        found += [f"@{address}" for address in _ADDRESS.findall(content)]
        return " ".join(found)
    text = unicodedata.normalize("NFKC", content)
    found += [f"@{''.join(at.groups())}{_after(at, text)}" for at in _among_any(text)]
    # As the text was, so that it is read in the same way.
    return _WIDE_SPACE.join(["", *found]) if found else ""


def _continues(character: str) -> bool:
    """Whether an address goes on with a character: a letter that has capitals, or a digit."""
    return character.isdigit() or character.upper() != character.lower() or character in ("+", "%")
