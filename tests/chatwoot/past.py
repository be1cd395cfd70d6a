"""The past in a Chatwoot of the tests' own: conversations and messages, as its API gives them.

It answers as the real one does: a conversation is its last state, pages hold 25 and shift when
something happens while they are read, messages come 100 at a time and with activities, times are
whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.chatwoot.recorded import Asked, Chatwoot, Json, Person, Reply

_A_PAGE, _MESSAGES = 25, 100


@dataclass
class Talk:
    """A conversation of the past; times are Unix seconds."""

    id: int
    inbox: int
    created_at: int
    messages: list[Json] = field(default_factory=list)
    status: str = "open"
    assignee: int | None = None
    assignee_type: str = "user"
    reports: list[Json] = field(default_factory=list)
    updated_at: float | None = None
    """Newer versions tell it."""

    @property
    def last_activity_at(self) -> int:
        times: list[int] = [message["created_at"] for message in self.messages]
        return max(self.created_at, *times)


class PastChatwoot(Chatwoot):
    """A Chatwoot with conversations; `paged` is called after each page that was given."""

    def __init__(self) -> None:
        super().__init__()
        self.talks: dict[int, Talk] = {}
        self.has_reports = True
        self.paged: Callable[[int], None] = lambda _page: None

    def say(self, talk: Talk, at: int, **message: Any) -> None:
        """Add a message to a conversation."""
        number = 1 + sum(len(other.messages) for other in self.talks.values())
        self.talks.setdefault(talk.id, talk).messages.append(
            {
                "id": number,
                "content": "hello",
                "message_type": 0,
                "content_type": "text",
                "content_attributes": {},
                "private": False,
                "created_at": at,
                "conversation_id": talk.id,
                "inbox_id": talk.inbox,
                "sender": {"id": 900, "type": "contact", "name": "Kit Lane"},
                **message,
            }
        )

    def _of_account(self, asked: Asked, person: Person, what: str) -> Any:
        path, query = urlsplit(what).path, parse_qs(urlsplit(what).query)
        if not path.startswith("conversations"):
            return super()._of_account(asked, person, what)
        if path == "conversations":
            return self._page(query)
        found = re.fullmatch(r"conversations/(\d+)(/messages|/reporting_events)?", path)
        if found is None or int(found[1]) not in self.talks:
            raise Reply(404, {"error": "Resource could not be found"})
        talk = self.talks[int(found[1])]
        if found[2] == "/messages":
            return self._messages(talk, query)
        if found[2]:
            if not self.has_reports:
                raise Reply(404, {"error": "Resource could not be found"})
            return talk.reports
        return self._conversation(talk)

    def _page(self, query: dict[str, list[str]]) -> Json:
        assert query["status"] == ["all"]
        assert query["sort_by"] == ["last_activity_at_desc"]
        number = int(query["page"][0])
        given = self.page(number)
        self.paged(number)
        return given

    def page(self, number: int) -> Json:
        """Return a page of the conversations as they are now."""
        talks = sorted(self.talks.values(), key=lambda talk: (-talk.last_activity_at, talk.id))
        given = talks[(number - 1) * _A_PAGE : number * _A_PAGE]
        payload = [self._conversation(talk) for talk in given]
        return {"data": {"meta": {"all_count": len(talks)}, "payload": payload}}

    def _messages(self, talk: Talk, query: dict[str, list[str]]) -> Json:
        after, before = int(query["after"][0]), int(query["before"][0])
        given = [message for message in talk.messages if after < message["id"] < before]
        return {"meta": {}, "payload": given[:_MESSAGES]}

    def _conversation(self, talk: Talk) -> Json:
        assignee = talk.assignee and {"id": talk.assignee, "type": talk.assignee_type}
        return {
            "id": talk.id,
            "inbox_id": talk.inbox,
            "status": talk.status,
            "created_at": talk.created_at,
            "last_activity_at": talk.last_activity_at,
            **({} if talk.updated_at is None else {"updated_at": talk.updated_at}),
            "messages": talk.messages[-1:],
            "meta": {
                "sender": {"id": 900, "name": "Kit Lane", "blocked": False},
                "channel": "Channel::WebWidget",
                **({"assignee": assignee} if assignee else {}),
            },
        }
