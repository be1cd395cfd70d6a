"""Whom a message mentions."""

from __future__ import annotations

import re

from notifycli.rules.directory import Directory

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


def marked_users(content: str, directory: Directory, *, teams: bool = True) -> set[int]:
    """Give the ids in Chatwoot's markup: of users, and of every member of a team.

    Without `teams`, a team's number is read as a user's, as old servers do.
    """
    users: set[int] = set()
    if "mention://" in content:
        for kind, digits in _MARKUP.findall(content):
            id_ = int(digits)
            users |= {id_} if kind == "user" or not teams else directory.team_members(id_)
    return users


def addressed_users(content: str, directory: Directory) -> set[int]:
    """Give the users whose e-mail address follows directly on an "@"."""
    if "@" not in content:
        return set()
    found = (directory.user_with_email(address) for address in _ADDRESS.findall(content))
    return {user for user in found if user is not None}
