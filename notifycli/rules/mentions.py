"""Whom a message mentions."""

from __future__ import annotations

import re

from notifycli.rules.directory import Directory
from notifycli.rules.profile import Profile

# Chatwoot's own pattern (app/services/messages/mention_service.rb).
_MARKUP = re.compile(r"\(mention://(user|team)/(\d{1,18})/.+?\)", re.ASCII)
# "@" and an address, neither of them part of something longer. The domain is matched label by
# label, so that a full stop or a hyphen that ends the sentence stays outside.
_ADDRESS = re.compile(
    r"""
    (?<![^\W_]) (?<![.+%-]) @
    (
      [\w.!\#$%&'*+/=?^`{|}~-]+ @
      (?> [^\W_]+ (?: -+ [^\W_]+ )* (?: \. [^\W_]+ (?: -+ [^\W_]+ )* )* )
    )
    (?! [.-]* [^\W_] | [.-]* [+%] )
    """,
    re.VERBOSE,
)


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
    if "@" not in content:
        return set()
    found = (directory.user_with_email(address) for address in _ADDRESS.findall(content))
    return {user for user in found if user is not None}
