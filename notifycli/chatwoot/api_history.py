"""What happened in a Chatwoot, by its API, as the events that its webhooks would have sent.

An administrator's token reads every conversation. Several are read at once, within the server's
limit; each is kept in a file of the cache as soon as it is there, so that whoever breaks off goes
on where they were, and what has not changed since isn't read again. A log with holes is filled:
what it lacks is put where it belongs in time.

Messages as the API lists them become events too: `chatwoot conv 123 messages -o json`, or its
array. The list has messages and sentences about changes, with whole seconds, of a part of a
conversation. Who was assigned before the first sentence that tells isn't in it: where none does,
today's assignee stands in. Chatwoot's own command line leaves out of which conversation and inbox
they are.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from notifycli.chatwoot.activity import Act, Names
from notifycli.chatwoot.client import (
    ChatwootApi,
    MissingThereError,
    PersonThere,
    RemoteConversation,
    RemoteMessage,
    ReportingEvent,
)
from notifycli.chatwoot.rebuild import (
    STATUSES,
    AnyRow,
    ConversationRow,
    Inexact,
    Json,
    MessageRow,
    Rebuilder,
    ReportRow,
    Unlisted,
    status_told,
)
from notifycli.errors import UsageError
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import UNSAID, Event
from notifycli.events.timestamps import SECOND, parse_moment
from notifycli.rules.directory import Team, User

AT_ONCE = 8
"""How many conversations are read at the same time."""
REQUESTS_A_MINUTE = 2_400
"""A little below the 3,000 that a Chatwoot takes from one address: a dashboard wants some too."""
_OUTGOING, _ACTIVITY = 1, 2
_HANDED_OVER = "conversation_bot_handoff"
_REPORTS = frozenset({_HANDED_OVER, "conversation_resolved", "conversation_opened"})


class Wanted(NamedTuple):
    """What is asked for: a span of microseconds since 1970 UTC, conversations and inboxes."""

    since: int | None = None
    until: int | None = None
    conversations: Sequence[int] = ()
    inboxes: frozenset[int] = frozenset()


class Found(Struct):
    """A conversation with all that was read of it."""

    conversation: RemoteConversation
    messages: list[RemoteMessage]
    reports: list[ReportingEvent] | None


class PastEvents(NamedTuple):
    """The events, each a line of a log, by time, and what they don't know."""

    lines: list[bytes]
    inexact: Inexact


class Pace:
    """Spreads requests of several threads evenly, so that no limit is met."""

    def __init__(self, a_minute: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._between = 60 / a_minute
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Wait for one's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._between
        if turn > now:
            self._sleep(turn - now)


class Cache:
    """What was read of conversations, a line each, in a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.found: dict[int, Found] = {}

    def open(self) -> None:
        """Read what is there; a line that was broken off is as good as none."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        decode = msgspec.json.Decoder(Found).decode
        with self._path.open("rb") as file:
            for line in file:
                try:
                    found = decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue
                self.found[found.conversation.id] = found
        self._file = self._path.open("ab")

    def add(self, found: Found) -> None:
        """Keep a conversation from now on."""
        assert self._file is not None  # noqa: S101 - open() comes first
        self.found[found.conversation.id] = found
        self._file.write(b"\n" + msgspec.json.encode(found) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class PastReader:
    """Reads conversations with one `Api` a thread. `progress` hears of how many of how many."""

    def __init__(
        self,
        apis: Sequence[ChatwootApi],
        cache: Cache,
        progress: Callable[[int, int], None],
        pace: Pace,
    ) -> None:
        self._apis = apis
        self._cache = cache
        self._progress = progress
        self._pace = pace
        self._can_report: bool | None = None
        """`None` until the server has answered; what it has told once it can tell."""
        self.unlisted: Unlisted | None = None
        """Is told once all was read."""
        self.deleted: list[int] = []
        """Which conversations were deleted while they were read."""

    def read(self, wanted: Wanted, may_have_bot: Callable[[int], bool]) -> list[Found]:
        """Return the conversations that are wanted, by id. Raises the API's errors.

        One that is deleted while it is read is left out. Reports are asked of conversations in
        inboxes that `may_have_bot`.
        """
        from concurrent.futures import as_completed  # noqa: PLC0415 - 10 ms that the help can spare

        from notifycli.daemon_threads import Daemons  # noqa: PLC0415

        conversations = {c.id: c for c in self._list_conversations(wanted)}
        missing = [
            c for c in conversations.values() if not self._is_whole(c, bot=may_have_bot(c.inbox_id))
        ]
        known = len(conversations) - len(missing)
        self._progress(known, len(conversations))
        threads, free = Daemons(len(self._apis), "history"), list(self._apis)

        def fetch(conversation: RemoteConversation) -> Found | None:
            api = free.pop()
            try:
                return self._fetch(api, conversation, bot=may_have_bot(conversation.inbox_id))
            except MissingThereError:
                return None
            finally:
                free.append(api)

        try:
            jobs = {threads.submit(partial(fetch, one)): one.id for one in missing}
            for count, job in enumerate(as_completed(jobs), known + 1):
                self._keep(jobs[job], job.result())
                self._progress(count, len(conversations))
        except BaseException:
            for job in jobs:
                job.cancel()
            raise
        finally:
            threads.end()
        self.deleted.sort()
        return [self._cache.found[id_] for id_ in sorted({*conversations}.difference(self.deleted))]

    def _known(self, conversation: RemoteConversation) -> Found | None:
        """Return what was read of a conversation that shows no change since."""
        # All that is listed is compared: the time of the last activity has whole seconds.
        found = self._cache.found.get(conversation.id)
        return found if found is not None and found.conversation == conversation else None

    def _is_whole(self, conversation: RemoteConversation, *, bot: bool) -> bool:
        found = self._known(conversation)
        return found is not None and (found.reports is not None or not bot)

    def _keep(self, id_: int, found: Found | None) -> None:
        if found is None:
            self.deleted.append(id_)
        elif self._cache.found.get(id_) is not found:
            self._cache.add(found)

    def _list_conversations(self, wanted: Wanted) -> Iterator[RemoteConversation]:
        if wanted.conversations:
            for id_ in wanted.conversations:
                self._pace.wait()
                yield self._apis[0].conversation(id_)
            return
        yield from (
            c for c in self._pages(wanted) if not wanted.inboxes or c.inbox_id in wanted.inboxes
        )

    def _pages(self, wanted: Wanted) -> Iterator[RemoteConversation]:
        """Return the conversations with activity since; pages shift while they are read.

        What becomes active meanwhile moves to the first page, and pushes another to the next one:
        so they are read again until they hold nothing new.
        """
        since = (wanted.since or 0) / SECOND
        newest: dict[int, float] = {}
        counted, ended = None, False
        first_pass = news = True
        while news:
            news, page = False, 1
            while True:
                self._pace.wait()
                answer = self._apis[0].conversations(page)
                found, counted = answer.payload, answer.meta.all_count or counted
                ended = ended or not found
                recent = [c for c in found if c.last_activity_at >= since]
                new = [c for c in recent if newest.get(c.id) != c.last_activity_at]
                newest.update((c.id, c.last_activity_at) for c in new)
                yield from new
                news = news or bool(new)
                if not recent or len(recent) < len(found):
                    break
                if not new:
                    # What gives the same page for each number (a cache, for one) never ends.
                    ended = ended or first_pass
                    break
                page += 1
            first_pass = False
        # Only a list that came to its end, and not just to what is older, has all that are counted.
        if ended and counted is not None and len(newest) < counted:
            self.unlisted = Unlisted(counted, len(newest))

    def _fetch(self, api: ChatwootApi, conversation: RemoteConversation, *, bot: bool) -> Found:
        found = self._known(conversation)
        if found is None:
            self._pace.wait()
            found = Found(conversation, api.messages(conversation.id), None)
        if bot and found.reports is None and self._can_report is not False:
            self._pace.wait()
            reports = api.reporting_events(conversation.id)
            self._can_report = self._can_report or reports is not None
            found = found if reports is None else replace(found, reports=reports)
        return found


def rebuild(
    account: int,
    found: Iterable[Found],
    wanted: Wanted,
    names: Names,
    bots: Mapping[int, bool | None],
) -> PastEvents:
    """Return the events of conversations in the span that is wanted, by time. `bots` by inbox."""
    since = "" if wanted.since is None else iso_time(wanted.since / SECOND)
    until = None if wanted.until is None else iso_time(wanted.until / SECOND)
    rebuilder = Rebuilder({account: names}, {account: bots}, since)
    every = (row for one in found for row in _rows(account, one, names))
    rows = (row for row in every if until is None or row.at < until)
    # As lines they take a tenth of the memory.
    timed = [(_time_of(event), msgspec.json.encode(event)) for event in rebuilder.events(rows)]
    timed.sort(key=itemgetter(0))
    return PastEvents([line for _, line in timed], rebuilder.inexact)


def names_of(api: ChatwootApi) -> Names:
    """Return the names of the account's users and teams."""
    return Names(
        [User(agent.id, agent.email, agent.name or "") for agent in api.agents()],
        [Team(team.id, team.name or "") for team in api.teams()],
    )


def _time_of(event: Json) -> str:
    of_conversation = event["event"] != "message_created" and event.get("updated_at")
    return str(of_conversation or event["created_at"])


def _rows(account: int, found: Found, names: Names) -> list[AnyRow]:
    conversation, meta = found.conversation, found.conversation.meta
    messages = [message_row(account, conversation.id, message) for message in found.messages]
    reports = [r for r in found.reports or () if r.name in _REPORTS]
    status = conversation.status if conversation.status in STATUSES else "open"
    first = ConversationRow(
        at=iso_time(conversation.created_at),
        account=account,
        id=conversation.id,
        inbox=conversation.inbox_id,
        status=STATUSES.index(status),
        assignee=meta.assignee.user if meta.assignee else None,
        team=meta.team.id if meta.team else None,
        blocked=meta.sender.blocked if meta.sender else None,
        handed_over=any(report.name == _HANDED_OVER for report in reports),
        reported=found.reports is not None,
        seems_pending=_seems_pending(conversation, messages, names),
    )
    rows: list[AnyRow] = [*messages]
    rows += [
        ReportRow(at=at, account=account, conversation=conversation.id, name=r.name, user=r.user_id)
        for r in reports
        if (at := _report_time(r)) is not None
    ]
    return [first, *sorted(rows, key=lambda row: row.at)]


def _seems_pending(
    conversation: RemoteConversation, messages: Iterable[MessageRow], names: Names
) -> bool:
    """Whether it was opened before anything closed it, or is pending and nothing made it so."""
    activities = (row for row in messages if row.type == _ACTIVITY)
    told = (status_told(row, names.read(row.content or "")) for row in activities)
    first = next(filter(None, told), None)
    return conversation.status == "pending" if first is None else first == "open"


def message_row(account: int, conversation: int, message: RemoteMessage) -> MessageRow:
    """Return a message's row; who doesn't say what they are is a user where it is outgoing."""
    sender = message.sender
    kinds = {"user": "User", "contact": "Contact"}
    likely = "user" if message.message_type == _OUTGOING else "contact"
    return MessageRow(
        at=iso_time(message.created_at),
        account=account,
        conversation=conversation,
        id=message.id,
        type=message.message_type,
        private=message.private,
        sender_type=kinds.get(sender.type or likely, "AgentBot") if sender else None,
        sender=sender.id if sender else None,
        content=message.content,
        status=message.status,
    )


def _report_time(report: ReportingEvent) -> str | None:
    at = report.event_end_time or report.created_at
    return None if at is None else iso_time(parse_moment(at) / SECOND)


def iso_time(seconds: float) -> str:
    """Return Unix seconds in ISO 8601, as events have them."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}Z"


_Key = tuple[object, ...]
_SAME = 60 * SECOND
"""Two changes to the same within this are one: what is rebuilt has whole seconds, and a webhook
comes after the fact."""


class Filled(NamedTuple):
    """The lines of the whole log in the order of time, and how many of them are new."""

    lines: Iterator[bytes]
    added: int


def fill(log: Iterable[bytes], events: Iterable[bytes]) -> Filled:
    """Return the log with those of the events, ordered by time, that it lacks.

    Lines stay as they are, in their order; one that is no event too.
    """
    lines: list[tuple[int, bytes]] = []
    known = Known()
    for line in log:
        known.note(line)
        lines.append((known.latest, line))
    new = list(known.missing(events))
    merged = heapq.merge(lines, new, key=lambda one: one[0])
    return Filled((line for _, line in merged), len(new))


class Known:
    """What a log tells of, line by line: all of it, or with `limit` about the last so many."""

    def __init__(self, limit: int | None = None) -> None:
        self.latest = 0
        """The latest time so far, in microseconds since 1970 UTC."""
        self._times: defaultdict[_Key, list[int]] = defaultdict(list)
        self._limit = limit

    def note(self, line: bytes) -> None:
        """Take in a line; one that is no event tells of nothing."""
        try:
            event = decode_event(line, 0)
        except EventError:
            return
        self.latest = max(self.latest, event.at or 0)
        self._times[_key(event)].append(self.latest)
        if self._limit is not None and len(self._times) > 2 * self._limit:
            for key in list(islice(self._times, self._limit)):
                del self._times[key]

    def missing(self, events: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Return those of the events that it doesn't tell of, with their times."""
        for line in events:
            event = decode_event(line, 0)
            at = event.at or 0
            if not any(abs(time - at) <= _SAME for time in self._times.get(_key(event), ())):
                yield at, line


def _key(event: Event) -> _Key:
    """Return what two accounts of one happening have in common."""
    if event.message is not None and event.message.id is not None:
        return event.account, event.conversation, "message", event.message.id
    if event.assignment:
        assignee = None if event.assignee is UNSAID else event.assignee
        return event.account, event.conversation, "assignment", assignee
    if event.name in {
        "conversation_status_changed",
        "conversation_opened",
        "conversation_resolved",
    }:
        return event.account, event.conversation, "status", event.status
    return event.account, event.conversation, event.name


ListedRecord = tuple[str, int, bytes]
_TELL_WHO_IS_ASSIGNED = frozenset(
    {
        Act.SELF_ASSIGNED,
        Act.ASSIGNED,
        Act.ASSIGNED_VIA_TEAM,
        Act.UNASSIGNED,
    }
)


class Listing(NamedTuple):
    """The events of a file, by time, and what they don't know; other records come first."""

    records: list[ListedRecord]
    messages: int
    inexact: Inexact


class _Sender(PersonThere, frozen=True):
    name: str | None = None
    email: str | None = None


class _Listed(RemoteMessage, frozen=True, kw_only=True):
    sender: _Sender | None = None
    conversation_id: int | None = None
    inbox_id: int | None = None
    account_id: int | None = None


class _ListingMeta(Struct, frozen=True):
    assignee: PersonThere | None = None


class _Page(Struct, frozen=True):
    payload: list[_Listed] | None
    meta: _ListingMeta = _ListingMeta()


class _Placed(NamedTuple):
    """A message, where it stands, and who is assigned today, if that is told."""

    file: str
    line: int
    message: _Listed
    assignee: int | None


_ConversationKey = tuple[int, int]
_decode_page = msgspec.json.Decoder(_Page).decode
_decode_message = msgspec.json.Decoder(_Listed).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def events_of_listing(
    records: Iterable[ListedRecord],
    account: int,
    conversation: int | None,
    users: Iterable[User],
    teams: Iterable[Team],
) -> Listing:
    """Return the events of listed messages; a record that lists none stays as it is.

    What names no account or conversation is of those given. Raises `UsageError` where none is.
    """
    others: list[ListedRecord] = []
    # By id: a page may be read twice, or end with what the next one begins with.
    conversations: dict[_ConversationKey, dict[int, _Placed]] = defaultdict(dict)
    for record in records:
        placed = _messages_of(record)
        if placed is None:
            others.append(record)
            continue
        for one in placed:
            number = one.message.conversation_id or conversation
            if number is None:
                raise UsageError(
                    f"{one.file}:{one.line}: these messages don't say of which conversation they "
                    "are",
                    "name it: --conversation 123",
                )
            conversations[one.message.account_id or account, number][one.message.id] = one
    everything = [one for messages in conversations.values() for one in messages.values()]
    people = {(user.id, user.name): user for user in (*_writers(everything), *users)}
    names = Names(people.values(), teams)
    rebuilder = Rebuilder({key[0]: names for key in conversations}, {})
    found = [*others, *_rebuild_listed(rebuilder, conversations, names)]
    return Listing(found, len(everything), rebuilder.inexact)


def _messages_of(record: ListedRecord) -> list[_Placed] | None:
    file, line, text = record
    try:
        fields = _decode_fields(text)
        if "event" in fields:
            return None
        if "payload" in fields:
            page = _decode_page(text)
            today = page.meta.assignee or PersonThere()
            return [_Placed(file, line, one, today.user) for one in page.payload or ()]
        return [_Placed(file, line, _decode_message(text), None)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _writers(messages: Iterable[_Placed]) -> Iterator[User]:
    """Return the users who wrote, whom the directory here may not know."""
    for sender in (one.message.sender for one in messages):
        if sender is not None and sender.type == "user" and sender.id and sender.name:
            yield User(sender.id, sender.email, sender.name)


def _rebuild_listed(
    rebuilder: Rebuilder, conversations: dict[_ConversationKey, dict[int, _Placed]], names: Names
) -> Iterator[ListedRecord]:
    rows = [
        row
        for key, messages in conversations.items()
        for row in _rows_of_listing(key, messages, names)
    ]
    rows.sort(key=lambda placed: placed[1].at)
    read: list[_Placed] = []

    def feed() -> Iterator[AnyRow]:
        for placed, row in rows:
            read.append(placed)
            yield row

    for event in rebuilder.events(feed()):
        here = read[-1]
        if event["event"] == "message_created" and here.message.sender is not None:
            event["sender"] = _complete(here.message.sender, event.get("sender", {}))
        yield here.file, here.line, msgspec.json.encode(event)


def _complete(sender: _Sender, known: Json) -> Json:
    told = {"name": sender.name, "email": sender.email}
    return known | {key: value for key, value in told.items() if value}


def _rows_of_listing(
    key: _ConversationKey, messages: dict[int, _Placed], names: Names
) -> Iterator[tuple[_Placed, AnyRow]]:
    account, conversation = key
    ordered = [messages[id_] for id_ in sorted(messages)]
    first = ordered[0]
    said = (
        names.read(one.message.content or "")
        for one in ordered
        if one.message.message_type == _ACTIVITY
    )
    told = any(one is not None and one.change in _TELL_WHO_IS_ASSIGNED for one in said)
    yield (
        first,
        ConversationRow(
            at=iso_time(first.message.created_at),
            account=account,
            id=conversation,
            inbox=next((one.message.inbox_id for one in ordered if one.message.inbox_id), None),
            status=0,
            assignee=None
            if told
            else next((one.assignee for one in ordered if one.assignee), None),
            partial=True,
        ),
    )
    for one in ordered:
        yield one, message_row(account, conversation, one.message)
