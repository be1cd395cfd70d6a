"""Events as Chatwoot's webhooks would have sent them, from what it keeps of the past.

What is kept are conversations as they are now, messages, sentences about changes, and a few rows
with times. The events are today's webhook bodies, in the order of time. What had to be guessed is
named in each (`"approximate": ["assignee"]`) and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import replace

from notifycli.chatwoot.activity import Act, Activity, Names

Json = dict[str, Any]
STATUSES = ("open", "resolved", "pending", "snoozed")
"""By Chatwoot's number, as of `conversations.status`."""
_MESSAGE_TYPES = ("incoming", "outgoing", "activity", "template")
_ACTIVITY = 2
_HANDED_OVER = "conversation_bot_handoff"
_SLA_EVENTS = (
    "sla_missed_first_response",
    "sla_missed_next_response",
    "sla_missed_resolution",
)
_STATUS_OF_REPORT = {"conversation_resolved": "resolved", "conversation_opened": "open"}
_STATUS_OF_CHANGE = {
    Act.RESOLVED: "resolved",
    Act.OPEN: "open",
    Act.PENDING: "pending",
    Act.SNOOZED: "snoozed",
}


class Row(Struct, frozen=True, kw_only=True):
    """Something with a time (ISO 8601, UTC) in a conversation, by its display id."""

    at: str
    account: int
    conversation: int


class ConversationRow(Struct, frozen=True, kw_only=True):
    """A conversation as it is now; `at` is when it was created."""

    at: str
    account: int
    id: int
    inbox: int | None
    status: int
    assignee: int | None = None
    bot_assignee: int | None = None
    team: int | None = None
    blocked: bool | None = None
    handed_over: bool = False
    """Whether a bot once handed it over."""
    reported: bool = True
    """Whether a hand-over would be known."""
    seems_pending: bool = False
    """Whether what came of it looks as if a bot had it first."""
    partial: bool = False
    """Whether there are only some of its messages. Then `at` is the first one's time, `status`
    isn't known, and `assignee` is who may have been assigned until a sentence tells."""


class MessageRow(Row, frozen=True, kw_only=True):
    """A message. `content` is the text of an activity; of others, the markup of mentions alone."""

    id: int
    type: int
    private: bool = False
    sender_type: str | None = None
    sender: int | None = None
    content: str | None = None
    status: str | None = None
    """The status that an activity says outright (4.16)."""


class JoinedRow(Row, frozen=True, kw_only=True):
    """A user who began to take part when nothing was said, and was assigned at some time."""

    user: int


class ReportRow(Row, frozen=True, kw_only=True):
    """A row of `reporting_events`. `user` was the assignee at that moment."""

    name: str
    user: int | None = None


class SlaRow(Row, frozen=True, kw_only=True):
    """A missed service level: 0 first response, 1 next response, 2 resolution."""

    type: int


AnyRow = ConversationRow | MessageRow | JoinedRow | ReportRow | SlaRow


class Unlisted(NamedTuple):
    """How many conversations a Chatwoot counts, and how many it listed before its list ended."""

    counted: int
    listed: int


class Inexact(Struct):
    """What the rebuilt events don't know, counted."""

    approximate: Counter[str] = field(default_factory=Counter)
    """By field: `status`, `assignee`."""
    unresolved: Counter[str] = field(default_factory=Counter)
    """Names in sentences that are nobody's, or more than one's."""
    unexplained: int = 0
    """Conversations whose assignee of today no sentence tells of."""
    unlisted: Unlisted | None = None
    """Where Chatwoot listed fewer conversations than it counts."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Rows of types that came later, by kind and type."""
    deleted: list[int] = field(default_factory=list)
    """Conversations that were deleted while they were read."""


class _State(Struct):
    row: ConversationRow
    status: str
    """`""` where it isn't known."""
    assignee: int | UnsetType | None = None
    team: int | None = None
    told: bool = False
    """Whether anything was said of an assignee."""
    opened: ReportRow | None = None
    """A report that it was opened while pending, until what follows may say who did it."""


class Rebuilder:
    """Rows in the order of time in, events out; those before `since` only lead up to them.

    `names` by account; `bots` by account and inbox, `None` where it isn't known whether one works
    there.
    """

    def __init__(
        self,
        names: Mapping[int, Names],
        bots: Mapping[int, Mapping[int, bool | None]],
        since: str = "",
    ) -> None:
        self.inexact = Inexact()
        self._names = names
        self._bots = bots
        self._since = since
        self._conversations: dict[tuple[int, int], _State] = {}

    def events(self, rows: Iterable[AnyRow]) -> Iterator[Json]:
        """Return the events of rows, oldest first."""
        for row in rows:
            for event in self._events_of(row):
                if row.at >= self._since:
                    for what in event.get("approximate", ()):
                        self.inexact.approximate[what] += 1
                    yield event
        for state in self._conversations.values():
            if state.opened is not None and state.opened.at >= self._since:
                yield from _report(state.opened, state)
        self.inexact.unexplained = sum(
            state.row.assignee is not None and not (state.told or state.row.partial)
            for state in self._conversations.values()
        )

    def _events_of(self, row: AnyRow) -> Iterator[Json]:
        if isinstance(row, ConversationRow):
            yield from self._begin(row)
            return
        state = self._conversations.get((row.account, row.conversation))
        if state is None:
            return
        yield from self._settle_opening(row, state)
        match row:
            case MessageRow(type=type_) if type_ == _ACTIVITY:
                yield from self._activity(row, state)
            case MessageRow(type=type_) if type_ in range(len(_MESSAGE_TYPES)):
                yield _message(row, state)
            case JoinedRow():
                yield from _assignment(row, state, row.user, None, ["assignee"])
            case ReportRow(name="conversation_opened") if state.status == "pending":
                state.opened = row
            case ReportRow():
                yield from _report(row, state)
            case SlaRow(type=type_) if type_ in range(len(_SLA_EVENTS)):
                yield {**_conversation(state), "event": _SLA_EVENTS[type_], "updated_at": row.at}
            case SlaRow() | MessageRow():
                kind = "sla" if isinstance(row, SlaRow) else "message"
                self.inexact.unknown[f"{kind} {row.type}"] += 1

    def _settle_opening(self, row: Row, state: _State) -> Iterator[Json]:
        """Return what was held back of an opening, unless the row tells of it, and by whom."""
        opened, state.opened = state.opened, None
        if opened is None or (isinstance(row, ReportRow) and row.name == _HANDED_OVER):
            return
        if not (isinstance(row, MessageRow) and status_told(row, self._said(row)) == "open"):
            yield from _report(replace(opened, at=row.at), state)

    def _begin(self, row: ConversationRow) -> Iterator[Json]:
        if row.partial:
            assignee = UNSET if row.assignee is None else row.assignee
            self._conversations[row.account, row.id] = _State(row, "", assignee)
        else:
            yield self._creation(row)

    def _creation(self, row: ConversationRow) -> Json:
        bots = self._bots.get(row.account, {})
        bot = None if row.inbox is None else bots.get(row.inbox)
        pending = row.handed_over or bot or (row.seems_pending and bot is None)
        state = _State(row, "pending" if pending else "open")
        self._conversations[row.account, row.id] = state
        guessed = not row.handed_over and (pending or (bot is None and not row.reported))
        event = {**_conversation(state), "event": "conversation_created"}
        return _approximate(event, ["status"] if guessed else [])

    def _activity(self, row: MessageRow, state: _State) -> Iterator[Json]:
        said = self._said(row)
        status = status_told(row, said)
        if status is not None:
            yield from _status(row, state, status, said and said.actor)
        elif said is not None:
            if said.unresolved is not None:
                self.inexact.unresolved[said.unresolved] += 1
            yield from _hand_over(row, state, said)

    def _said(self, row: MessageRow) -> Activity | None:
        names = self._names.get(row.account)
        return names.read(row.content or "") if names and row.type == _ACTIVITY else None


def status_told(row: MessageRow, said: Activity | None) -> str | None:
    """Return the status that an activity tells of, outright or by what its sentence says."""
    return row.status or (said and _STATUS_OF_CHANGE.get(said.change))


def _hand_over(row: MessageRow, state: _State, said: Activity) -> Iterator[Json]:
    """Return the event of a sentence that says to whom a conversation was given."""
    state.told = True
    if said.change in {Act.TEAM_ASSIGNED, Act.TEAM_REMOVED}:
        if said.unresolved is None:
            before, state.team = (
                state.team,
                said.team if said.change is Act.TEAM_ASSIGNED else None,
            )
            yield _change(row, state, "team_id", (before, state.team), said.actor)
        return
    if said.change is Act.UNASSIGNED:
        yield from _assignment(row, state, None, said.actor, [])
    elif said.unresolved is None:
        if said.change is Act.ASSIGNED_VIA_TEAM:
            state.team = said.team
        yield from _assignment(row, state, said.assignee, said.actor, [])


def _assignment(
    row: Row, state: _State, user: int | None, actor: int | None, approximate: list[str]
) -> Iterator[Json]:
    state.told = True
    if user != state.assignee:
        before, state.assignee = state.assignee or None, user
        event = _change(row, state, "assignee_id", (before, user), actor)
        yield _approximate(event, approximate)


def _report(row: ReportRow, state: _State) -> Iterator[Json]:
    if row.name == _HANDED_OVER:
        state.status = "open"
        yield {**_conversation(state), "event": row.name, "updated_at": row.at}
    else:
        yield from _status(row, state, _STATUS_OF_REPORT[row.name])


def _status(row: Row, state: _State, status: str, actor: int | None = None) -> Iterator[Json]:
    if status != state.status:
        state.status = status
        event = {
            **_conversation(state),
            "event": "conversation_status_changed",
            "updated_at": row.at,
        }
        yield _performed(event, actor)


def _change(
    row: Row, state: _State, what: str, values: tuple[int | None, int | None], actor: int | None
) -> Json:
    before, now = values
    event = {
        **_conversation(state),
        "event": "conversation_updated",
        "updated_at": row.at,
        "changed_attributes": [{what: {"previous_value": before, "current_value": now}}],
    }
    return _performed(event, actor)


def _message(row: MessageRow, state: _State) -> Json:
    conversation = _conversation(state)
    body: Json = {
        "event": "message_created",
        "id": row.id,
        "content": row.content,
        "message_type": _MESSAGE_TYPES[row.type],
        "private": row.private,
        "created_at": row.at,
        "account": conversation.pop("account"),
    }
    if state.row.inbox is not None:
        body["inbox"] = {"id": state.row.inbox}
    body["conversation"] = conversation
    if row.sender is not None:
        kind = {"User": "user", "Contact": "contact"}.get(row.sender_type or "", "agent_bot")
        body["sender"] = {"id": row.sender, "type": kind}
    return _approximate(body, ["assignee"] if state.row.partial and not state.told else [])


def _conversation(state: _State) -> Json:
    row, assignee = state.row, state.assignee
    meta: Json = {} if assignee is UNSET else {"assignee": assignee and _user(assignee)}
    if not row.partial or state.team is not None:
        meta["team"] = None if state.team is None else {"id": state.team}
    meta["sender"] = {"blocked": bool(row.blocked), "type": "contact"}
    conversation: Json = {"id": row.id, "account": {"id": row.account}}
    if row.inbox is not None:
        conversation["inbox_id"] = row.inbox
    if state.status:
        conversation["status"] = state.status
    return {**conversation, "created_at": row.at, "meta": meta}


def _user(id_: int) -> Json:
    return {"id": id_, "type": "user"}


def _performed(event: Json, actor: int | None) -> Json:
    return event if actor is None else {**event, "performed_by": _user(actor)}


def _approximate(event: Json, fields: list[str]) -> Json:
    return {**event, "approximate": fields} if fields else event
