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


def mentioned_users(content: str, directory: Directory, *, private: bool) -> set[int]:
    """Give the ids of the directory's users whom a message mentions.

    In a private note by Chatwoot's markup, of a user or of every member of a team; in any message
    by "@" directly followed by the user's e-mail address (the product page's "@your mail id").
    """
    users: set[int] = set()
    if private and "mention://" in content:
        for kind, digits in _MARKUP.findall(content):
            id_ = int(digits)
            users |= {id_} if kind == "user" else directory.team_members(id_)
    if "@" in content:
        for address in _ADDRESS.findall(content):
            user = directory.user_with_email(address)
            if user is not None:
                users.add(user)
    return users & directory.users.keys()
