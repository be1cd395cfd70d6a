"""What Chatwoot did beside what the replay says that it should have done, for each version.

What is found and wasn't predicted is always evidence, as far as the events reach. What is predicted
and isn't found is evidence where it couldn't have been lost since: of rows, the last of a user and
conversation, within a month, among the last 300 of a user; of the log, what falls into its time,
unless the agent may have been present, or has no subscription that we know of.

A row of `notifications` says that the rules named a user, not that anything was sent. The log says
what was sent, after all gates, in sentences of which the type, the user and the conversation are
read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct, field

from notifycli.errors import DataError
from notifycli.events.event import CREATED, Event
from notifycli.events.timestamps import SECOND, format_moment, parse_moment
from notifycli.rules.decision import Decision, Outcome, Reason
from notifycli.rules.notifications import NEW_MESSAGE_TYPES, Channel, NotificationType
from notifycli.rules.replay import Replay
from notifycli.rules.state import HANDOFF

if TYPE_CHECKING:
    from notifycli.chatwoot.client import ChatwootApi

_T = NotificationType
_SENT = re.compile(
    rb"(Email|Browser push|FCM push) sent to (\S+) with (?:subject|title) (.*\d.*)", re.ASCII
)
_TIME = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_NANOSECONDS = re.compile(r"([.,]\d{6})\d+")
_NUMBER = re.compile(r"\[ID - (\d{1,18})\]|\(#(\d{1,18})\)", re.ASCII)
_WORDING: tuple[tuple[re.Pattern[str], frozenset[NotificationType]], ...] = tuple(
    (re.compile(pattern), frozenset(types))
    for pattern, types in (
        (r"your assigned conversation (\[ID|\(#)", {_T.ASSIGNED_MESSAGE}),
        (r"your participating conversation (\[ID|\(#)", {_T.PARTICIPATING_MESSAGE}),
        (r"new message is created", {_T.ASSIGNED_MESSAGE, _T.PARTICIPATING_MESSAGE}),
        (r"mentioned in", {_T.MENTION}),
        (r"[\])] has been created", {_T.CREATION}),
        (r"[\])] has been assigned", {_T.ASSIGNMENT}),
        (r"(?i)SLA.* first response", {_T.SLA_FIRST}),
        (r"(?i)SLA.* next response", {_T.SLA_NEXT}),
        (r"(?i)SLA.* resolution", {_T.SLA_RESOLUTION}),
    )
)
"""Mails' subjects are fixed English; titles of pushes are in the account's language."""
ANY_TYPE = frozenset(_T) - {_T.NEW_MESSAGE, _T.UNASSIGNED_MESSAGE}
_NOT_AT_ALL = "no line says that an e-mail or a push was sent"


class Observation(Struct, frozen=True, gc=False):
    """One thing that Chatwoot did for a user."""

    at: int
    """Microseconds since 1970 UTC."""
    user: int
    conversation: int
    types: frozenset[NotificationType]
    """What it may be: some wordings stand for several."""
    channel: Channel | None = None
    """What it was sent by; `None` for a row, which only names the user."""
    message: int | None = None


class Evidence(Struct):
    """All that is known of what an account's Chatwoot did."""

    observations: list[Observation] = []
    rows: bool = False
    """Whether there are rows: then a row that is missing can be evidence."""
    log: tuple[int, int] | None = None
    """From when to when there is a log: then a mail that is missing can be evidence."""
    users: frozenset[int] | None = None
    """Whom it is of; `None` for everybody."""
    strangers: frozenset[str] = frozenset()
    """Addresses in the log that are nobody's in the account."""

    def take_rows(self, rows: Iterable[tuple[str, int, bytes]], account: int) -> None:
        """Take in the lines of `notifications.jsonl`. Raises `DataError`."""
        from notifycli.chatwoot.export import Notification  # noqa: PLC0415 - a log can spare it

        decode = msgspec.json.Decoder(Notification).decode
        self.rows = True
        for file, number, line in rows:
            try:
                row = decode(line)
                if row.account_id == account:
                    at = parse_moment(row.at)
                    self._add_row(row.user_id, row.type, row.conversation_id, row.message_id, at)
            except (msgspec.MsgspecError, ValueError) as error:
                raise DataError(
                    f"{file}:{number}: is no row of Chatwoot's notifications: {error}",
                    "chatwoot import-export writes them, as notifications.jsonl",
                ) from None

    def ask(self, api: ChatwootApi, user: int) -> None:
        """Take in what Chatwoot itself shows a user. Raises the API's errors."""
        self.rows = True
        for row in api.notifications():
            if row.conversation is None:
                continue
            self._add_row(user, row.type, row.conversation, row.message, parse_moment(row.at))

    def take_log(self, lines: Iterable[tuple[str, int, bytes]], users: Mapping[str, int]) -> None:
        """Take in a worker's log; `users` by address in lower case. Raises `DataError`."""
        place, span, strangers = "the log", list[int](), set[str]()
        for file, _, line in lines:
            place, at = file, _time_of(line)
            if at is not None:
                span = [min([at, *span]), max([at, *span])]
            sent = _SENT.search(line)
            if sent is None or not span:
                continue
            address = sent[2].decode("utf-8", "replace").lower()
            if address in users:
                channel = Channel.EMAIL if sent[1] == b"Email" else Channel.PUSH
                text = sent[3].decode("utf-8", "replace")
                self._add_sent(users[address], channel, text, span[1] if at is None else at)
            elif _NUMBER.search(sent[3].decode("utf-8", "replace")):
                strangers.add(address)
        if not any(one.channel for one in self.observations) and not strangers:
            raise DataError(
                f"{place}: {_NOT_AT_ALL}, or none has a time",
                "give the worker's log at its default level: docker logs -t CONTAINER 2>&1",
            )
        self.log = span[0], span[1]
        self.strangers = frozenset(strangers)

    def _add_row(
        self, user: int, type_: str, conversation: int, message: int | None, at: int
    ) -> None:
        types = frozenset(known for known in ANY_TYPE if known == type_)
        if types and self.is_of(user):
            self.observations.append(Observation(at, user, conversation, types, None, message))

    def _add_sent(self, user: int, channel: Channel, text: str, at: int) -> None:
        number = _NUMBER.search(text)
        if number is not None and self.is_of(user):
            named = (types for pattern, types in _WORDING if pattern.search(text))
            conversation, types = int(number[1] or number[2]), next(named, ANY_TYPE)
            self.observations.append(Observation(at, user, conversation, types, channel))

    def is_of(self, user: int) -> bool:
        """Whether it is of this user too."""
        return self.users is None or user in self.users

    def subscribed(self) -> frozenset[int]:
        """Return who had some push: only theirs can be missing."""
        return frozenset(one.user for one in self.observations if one.channel is Channel.PUSH)


def _time_of(line: bytes) -> int | None:
    found = _TIME.search(line)
    if found is None:
        return None
    try:
        return parse_moment(_NANOSECONDS.sub(r"\1", found[0].decode()).replace(",", "."))
    except ValueError:
        return None


_EARLY, _LATE = 60 * SECOND, 600 * SECOND
"""How much sooner or later than its event somebody may have been named: times are guessed."""
_SENT_EARLY = 5 * SECOND
"""How much sooner than its event something may have been sent: some times are whole seconds."""
_TIDIED = 30 * SECOND
_AT_ONCE = 10 * SECOND
"""How far a user's browsers and telephones are apart."""
_MONTH = 30 * 24 * 3600 * SECOND
_ROWS_KEPT = 300
_NAMES = frozenset({Reason.ENABLED, Reason.DISABLED, Reason.ACTIVE})
"""The reasons by which the rules have named a user."""
_SLA = frozenset({_T.SLA_FIRST, _T.SLA_NEXT, _T.SLA_RESOLUTION})

Place = tuple[int, int]
"""A user and a conversation."""


class Result(StrEnum):
    """How what was done and what was predicted compare."""

    NOT_PREDICTED = "not_predicted"
    NOT_FOUND = "not_found"
    AGREED = "agreed"
    NO_EVIDENCE = "no_evidence"
    """One side has it alone, and that proves nothing."""


class Finding(Struct, frozen=True):
    """One thing that was done, or predicted, as printed."""

    result: Result
    line: int | None
    """Of the event that it is predicted by."""
    at: str | None
    account_id: int
    conversation_id: int
    message_id: int | None
    user_id: int
    email: str | None
    type: str
    """The type or, where the wording stands for several, all of them."""
    channel: str
    """`email`, `push`, or `app` for a row, which says only that the rules named the user."""
    reason: str
    remedy: str | None


class Prediction(NamedTuple):
    """What a profile's rules say that is done."""

    decision: Decision
    channel: Channel | None
    event: Event
    number: int
    """Of the event, in their order."""

    @property
    def at(self) -> int | None:
        """When."""
        return self.event.at

    @property
    def place(self) -> Place:
        """Whom it is for, and where; who has no conversation has none here."""
        return self.decision.user_id, self.decision.conversation_id or 0


class Reach(Struct):
    """What the events tell of: beyond it, nothing is said."""

    first: int | None = None
    last: int | None = None
    conversations: set[int] = field(default_factory=set)
    messages: set[int] = field(default_factory=set)
    presence: bool = False
    """Whether they tell who is connected."""

    def take(self, event: Event) -> None:
        """Take in an event of the account."""
        if event.at is not None:
            self.first = event.at if self.first is None else min(self.first, event.at)
            self.last = event.at if self.last is None else max(self.last, event.at)
        if event.conversation is not None:
            self.conversations.add(event.conversation)
        if event.message is not None and event.message.id is not None:
            self.messages.add(event.message.id)
        self.presence = self.presence or event.connected is not None

    def covers(self, seen: Observation) -> bool:
        """Whether something was done while the events were logged, and where they were."""
        if self.first is None or self.last is None:
            return False
        during = self.first - _EARLY <= seen.at <= self.last + _LATE
        return during and seen.conversation in self.conversations


class Comparison:
    """One profile's predictions, event by event, against the evidence."""

    def __init__(self, replay: Replay, account: int, evidence: Evidence, reach: Reach) -> None:
        self.replay = replay
        self.profile = replay.accounts[account].profile
        self.agreed: dict[int, Prediction] = {}
        """By the number of the observation."""
        self._account = replay.accounts[account]
        self._id = account
        self.evidence, self._reach = evidence, reach
        self._seen = evidence.observations
        self._number = 0
        self._held: dict[int, Decision] = {}
        self._missing: list[Prediction] = []
        self._rows: dict[Place, tuple[Prediction, bool]] = {}
        self._subscribed = evidence.subscribed()
        self._index: dict[Place, list[int]] = {}
        self._row_times: dict[int, list[int]] = {}
        for number, seen in enumerate(self._seen):
            self._index.setdefault((seen.user, seen.conversation), []).append(number)
            if seen.channel is None:
                self._row_times.setdefault(seen.user, []).append(seen.at)

    def take(self, event: Event) -> None:
        """Replay an event."""
        self._number += 1
        decisions = self.replay.decide(event)
        if event.account != self._id:
            return
        for _, same in groupby(decisions, key=lambda one: (one.user_id, one.type)):
            of_type = [one for one in same if one.channel is not Channel.AUDIO]
            if of_type and self.evidence.is_of(of_type[0].user_id):
                self._take_type(event, of_type)

    def _take_type(self, event: Event, decisions: list[Decision]) -> None:
        if self.evidence.rows and self._is_row(decisions):
            self._predict(Prediction(decisions[0], None, event, self._number))
        for one in decisions:
            sent = one.outcome is Outcome.FIRE and (one.channel is Channel.PUSH or one.deliverable)
            if self.evidence.log is not None and sent:
                self._predict(Prediction(one, one.channel, event, self._number))
        place = decisions[0].user_id, decisions[0].conversation_id or 0
        for number in self._index.get(place, ()):
            seen = self._seen[number]
            for one in decisions:
                row = seen.channel is None
                if (row or seen.channel is one.channel) and _fits(seen, one, event.at):
                    self._held[number] = decisions[0] if row else one

    def _is_row(self, decisions: list[Decision]) -> bool:
        """Whether the app itself shows it."""
        reasons = {one.reason for one in decisions}
        if self.profile.row_needs_switch or decisions[0].type is _T.CREATION:
            reasons -= {Reason.DISABLED}
        return not _NAMES.isdisjoint(reasons)

    def _predict(self, prediction: Prediction) -> None:
        number = self._match(prediction)
        if number is not None:
            self.agreed[number] = prediction
        if prediction.channel is None:
            self._rows[prediction.place] = prediction, number is not None
        elif number is None:
            self._missing.append(prediction)

    def _match(self, prediction: Prediction) -> int | None:
        """Return which observation shows that it was done: the first that no other one took."""
        for number in self._index.get(prediction.place, ()):
            seen = self._seen[number]
            if number in self.agreed or seen.channel is not prediction.channel:
                continue
            if _fits(seen, prediction.decision, prediction.at):
                return number
        return None

    def differences(self) -> set[tuple[object, ...]]:
        """Return what differs, as it can be told from what differs by another profile."""
        unseen = {("seen", number) for number, _ in self._not_predicted()}
        return unseen | {_name(one) for one in self._unmatched() if not self._excuse(one)}

    def _not_predicted(self) -> Iterator[tuple[int, Observation]]:
        """Return what was done within reach of the events, and nothing predicts."""
        for number, seen in enumerate(self._seen):
            if number not in self.agreed and self._reach.covers(seen) and not self._again(seen):
                yield number, seen

    def _again(self, seen: Observation) -> bool:
        """Whether a push went to one more browser or telephone of the same user."""
        return seen.channel is Channel.PUSH and any(
            number in self.agreed
            and one.channel is seen.channel
            and one.types == seen.types
            and abs(one.at - seen.at) < _AT_ONCE
            for number in self._index[seen.user, seen.conversation]
            for one in (self._seen[number],)
        )

    def _unmatched(self) -> Iterator[Prediction]:
        yield from (row for row, found in self._rows.values() if not found)
        yield from self._missing

    def _excuse(self, one: Prediction) -> str | None:
        """Return why it proves nothing that a prediction has no match; `None` if it does."""
        return self._row_excuse(one) if one.channel is None else self._log_excuse(one)

    def _row_excuse(self, one: Prediction) -> str | None:
        of_user = self._row_times.get(one.place[0], [])
        here = [self._seen[number] for number in self._index.get(one.place, ())]
        if one.at is None:
            return "no_time"
        if any(seen.channel is None and seen.at >= one.at for seen in here):
            return "replaced_by_a_newer_one"
        latest = max([one.at, self._reach.last or one.at, *of_user[-1:]])
        if one.at < latest - _MONTH:
            return "older_than_a_month"
        if len(of_user) >= _ROWS_KEPT and one.at < of_user[0]:
            return "past_the_last_300"
        return None

    def _log_excuse(self, one: Prediction) -> str | None:
        first, last = self.evidence.log or (0, 0)
        decision = one.decision
        if one.at is None:
            return "no_time"
        if not first <= one.at <= last - _EARLY:
            return "outside_the_log"
        if one.channel is Channel.PUSH and decision.user_id not in self._subscribed:
            return "no_subscription_known"
        if any(_follows(one, other) for other in self.agreed.values()):
            return "perhaps_dropped_for_a_newer_one"
        waits = one.channel is Channel.EMAIL and decision.type in NEW_MESSAGE_TYPES
        settings = self._account.evaluator.settings.of(decision.user_id, decision.inbox_id)
        if waits and settings.connected_for and not self._reach.presence:
            return "perhaps_present"
        return None

    def findings(self, better: Comparison | None, *, everything: bool) -> Iterator[Finding]:
        """Return what differs; with `everything`, what agrees and what proves nothing too.

        What a profile that explains more has no difference in is said to be of its version.
        """
        left = None if better is None else better.differences()
        version = "" if better is None else better.profile.name
        other = f"rules of another version: --rules {version}"
        for number, _ in self._not_predicted():
            explained = left is not None and ("seen", number) not in left
            yield self._seen_finding(number, other if explained else None)
        for one in self._unmatched():
            excuse = self._excuse(one)
            explained = left is not None and _name(one) not in left
            remedy = other if explained else self._unmet_remedy(one)
            if excuse is None:
                yield self._finding(Result.NOT_FOUND, one, one.decision.reason, remedy)
            elif everything:
                yield self._finding(Result.NO_EVIDENCE, one, excuse, None)
        if everything:
            for one in self.agreed.values():
                yield self._finding(Result.AGREED, one, one.decision.reason, None)
            for seen in self._seen:
                if not self._reach.covers(seen):
                    yield self._of_seen(Result.NO_EVIDENCE, seen, None, "not_in_events", None)

    def _finding(self, result: Result, one: Prediction, reason: str, remedy: str | None) -> Finding:
        decision = one.decision
        return Finding(
            result,
            decision.line,
            decision.at,
            decision.account_id,
            one.place[1],
            decision.message_id if decision.type in NEW_MESSAGE_TYPES | {_T.MENTION} else None,
            decision.user_id,
            decision.email,
            decision.type,
            one.channel or "app",
            reason,
            remedy,
        )

    def _seen_finding(self, number: int, remedy: str | None) -> Finding:
        seen, held = self._seen[number], self._held.get(number)
        reason = "not_named" if held is None else str(held.reason)
        if held is not None and any(one.decision == held for one in self.agreed.values()):
            reason, remedy = "once_more", remedy or _ONCE_MORE
        remedy = remedy or self._seen_remedy(seen, held)
        return self._of_seen(Result.NOT_PREDICTED, seen, held, reason, remedy)

    def _of_seen(
        self,
        result: Result,
        seen: Observation,
        held: Decision | None,
        reason: str,
        remedy: str | None,
    ) -> Finding:
        user = self._account.directory.users.get(seen.user)
        return Finding(
            result,
            None if held is None else held.line,
            format_moment(seen.at),
            self._id,
            seen.conversation,
            seen.message,
            seen.user,
            None if user is None else user.email,
            " ".join(sorted(seen.types)),
            seen.channel or "app",
            reason,
            remedy,
        )

    def _seen_remedy(self, seen: Observation, held: Decision | None) -> str:
        directory = self._account.directory
        if seen.user not in directory.users:
            return "the directory lacks this user: notifycli chatwoot pull"
        if seen.message is not None and seen.message not in self._reach.messages:
            return "no event has this message: fill the log with notifycli chatwoot history -O FILE"
        if held is not None:
            return _HELD.get(held.reason, _UNCLEAR)
        if seen.types <= _SLA:
            return "no webhook tells of it: take the events of notifycli chatwoot import-export"
        conversation = self._account.conversations.get(seen.conversation)
        inbox = None if conversation is None else conversation.inbox
        if not directory.is_member(seen.user, inbox):
            return f"no member of inbox {inbox} here: notifycli chatwoot pull"
        return _UNNAMED.get(min(seen.types), _UNCLEAR)

    def _unmet_remedy(self, one: Prediction) -> str:
        by = one.event.performed_by is not None or one.event.performed_by_other
        if one.decision.type is _T.ASSIGNMENT and not by:
            return "the events don't say who assigned it: perhaps they took it themselves"
        if one.decision.type is _T.CREATION and one.event.name not in (CREATED, HANDOFF):
            return "taken as a bot's hand-over; perhaps a person opened the conversation"
        unclear = _DELETED if one.channel is None else _UNCLEAR
        return _UNMET.get(one.decision.type, unclear)


_UNCLEAR = "the preferences or the directory may have been others then: notifycli chatwoot pull"
_DELETED = "perhaps deleted there; else the directory may have been another one then"
_ONCE_MORE = "the events tell of one fewer: perhaps their log lacks some"
_HELD = {
    Reason.DISABLED: "it is switched on there: notifycli chatwoot pull",
    Reason.NO_ACCESS: "membership, team or role differ there: notifycli chatwoot pull",
    Reason.SELF_ASSIGNED: "somebody else assigned it than the events say",
    Reason.ACTIVE: "they were not connected there",
    Reason.BLOCKED_CONTACT: "the contact was not blocked then",
    Reason.PENDING_CONVERSATION: "the conversation was not pending then",
}
"""What may be different, by why it should not have been done."""
_UNNAMED = {
    _T.CREATION: "perhaps a bot handed over: which are said to have none: notifycli inbox list",
    _T.ASSIGNMENT: "no event assigns it to them",
    _T.ASSIGNED_MESSAGE: "no event had assigned it to them",
    _T.PARTICIPATING_MESSAGE: "perhaps added by hand, which no webhook tells",
    _T.MENTION: "the message doesn't mention them, or they couldn't be mentioned",
}
"""What may be different, by what nobody should have been told of."""
_UNMET = {
    _T.CREATION: "perhaps no member of the inbox then: members are those of today",
    _T.PARTICIPATING_MESSAGE: "perhaps taken out by hand, which no webhook tells",
}


def _fits(seen: Observation, decision: Decision, at: int | None) -> bool:
    """Whether an observation can be of what was decided."""
    if decision.type not in seen.types:
        return False
    if seen.message is not None and decision.message_id is not None:
        return seen.message == decision.message_id
    early = _EARLY if seen.channel is None else _SENT_EARLY
    return at is None or at - early <= seen.at <= at + _LATE


def _follows(one: Prediction, other: Prediction) -> bool:
    """Whether another one came so soon that Chatwoot may have dropped the first before it went out.

    It tidies up a user's older notifications of a conversation. Of two alike, what was found may
    be either's.
    """
    same = one.place == other.place and one.channel is other.channel
    if not same or one.at is None or other.at is None:
        return False
    later = other.at - one.at
    alike = one.decision.type == other.decision.type
    return (-_TIDIED if alike else 0) < later < _TIDIED


def _name(one: Prediction) -> tuple[object, ...]:
    decision = one.decision
    return "predicted", one.number, decision.user_id, decision.type, one.channel


def compare(
    events: Iterable[Event], account: int, replays: Iterable[Replay], evidence: Evidence
) -> list[Comparison]:
    """Replay the events in each profile, and compare each with the evidence."""
    reach = Reach()
    evidence.observations.sort(key=lambda one: one.at)
    comparisons = [Comparison(replay, account, evidence, reach) for replay in replays]
    for event in events:
        for comparison in comparisons:
            comparison.take(event)
        if event.account == account:
            reach.take(event)
    return comparisons


class Guess(NamedTuple):
    """Which versions explain most."""

    best: Comparison
    """The newest of them."""
    differences: int
    versions: str
    """From which one on, until before which one: `4.14 or newer`, `4.0.3 to before 4.4`."""


def guess(comparisons: Sequence[Comparison]) -> Guess:
    """Return which of the comparisons, the oldest version first, explains most.

    Where nothing was found there is nothing to explain, and it is the newest.
    """
    counts = [len(one.differences()) for one in comparisons]
    fewest = min(counts)
    last = max(place for place, count in enumerate(counts) if count == fewest)
    if not comparisons[0].evidence.observations:
        fewest, last = counts[-1], len(counts) - 1
    first = last
    while first and counts[first - 1] == fewest:
        first -= 1
    names = [one.profile.name.partition("@")[2] for one in comparisons]
    if last == len(names) - 1:
        versions = names[last] if first == last else f"{names[first]} or newer"
    else:
        versions = f"{names[first]} to before {names[last + 1]}"
    return Guess(comparisons[last], fewest, versions)
