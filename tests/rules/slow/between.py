"""What comes between events: `docs/beyond.md`, "Nobody answers" and "A digest".

There is no queue of what is to come. Before each event all that could have come since the one
before is found again, by going through time minute by minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.rules.slow.bodies import Event, Json, as_microseconds
from tests.rules.slow.hours import MINUTE, duration, in_hours, written

if TYPE_CHECKING:
    from tests.rules.slow.own import Conversation, Replay

WAITING = "conversation_waiting"
ESCALATION = "escalation"
SPANS = {WAITING: "waiting_after", ESCALATION: "escalate_after"}
LONGEST = 366 * 24 * 60 * MINUTE
DIGEST = "digest"


def is_by_customer(event: Event) -> bool:
    incoming = event.name == "message_created" and event.message_type == "incoming"
    return incoming and not event.private


def is_reply(event: Event) -> bool:
    outgoing = event.name == "message_created" and event.message_type == "outgoing"
    return outgoing and not event.private and event.author is not None


# "Waiting for a reply"


@dataclass
class Wait:
    message: Event
    begin: int
    inbox: int | None
    """The one that is kept at the beginning."""
    reached: int
    """Deadlines before this moment have come, whomever they concerned."""
    come: set[tuple[str, int]] = field(default_factory=set)
    """Those that have come of the ones before the event that is to come."""


def follow_wait(event: Event, kept: Conversation, before: str | None, now: int | None) -> None:
    """Keep the customer's first message without a reply, and whether a wait runs.

    `before` is the status that was kept before this event.
    """
    laid_aside = event.status in ("resolved", "snoozed") and event.status != before
    if is_reply(event) or laid_aside:
        kept.unanswered = kept.wait = None
    if is_by_customer(event) and now is not None and kept.unanswered is None:
        kept.unanswered = event
    if kept.unanswered is None or kept.status == "pending":
        kept.wait = None
    elif kept.wait is None:
        assert now is not None
        kept.wait = Wait(kept.unanswered, now, kept.inbox, now)


# "The deadline"


def deadline(begin: int, span: int, hours: str, before: int) -> int | None:
    """Return the first moment by which that much of these hours has gone, if it is before that."""
    moment, left = begin, span
    while left > 0 and moment < before:
        end_of_minute = (moment // MINUTE + 1) * MINUTE
        if hours == "off":
            end_of_minute = before
        if hours == "off" or in_hours(hours, moment):
            counted = min(left, end_of_minute - moment)
            moment, left = moment + counted, left - counted
        else:
            moment = end_of_minute
    return moment if left == 0 and moment < before else None


@dataclass(frozen=True, order=True)
class Deadline:
    """In the order in which they come."""

    moment: int
    conversation: int
    place: int
    user: int

    @property
    def type(self) -> str:
        return (WAITING, ESCALATION)[self.place]


def next_deadline(replay: Replay, account: int, before: int) -> Deadline | None:
    found = []
    for (of_account, conversation), kept in replay.conversations.items():
        if of_account != account or kept.wait is None:
            continue
        wait = kept.wait
        users = set(replay.directory(account).users)
        users |= {kept.assignee} if kept.assignee is not None else set()
        for place, type_ in enumerate((WAITING, ESCALATION)):
            for user in users:
                moment = deadline_of(replay, wait, type_, user, before)
                has_come = (type_, user) in wait.come
                if moment is not None and moment >= wait.reached and not has_come:
                    found.append(Deadline(moment, conversation, place, user))
    return min(found, default=None)


def deadline_of(replay: Replay, wait: Wait, type_: str, user: int, before: int) -> int | None:
    """Return it by what the user has "at the wait's beginning"."""
    account, conversation = wait.message.account, wait.message.conversation
    span, hours = (
        replay.value(account, user, wait.inbox, key, conversation=conversation, now=wait.begin)[0]
        for key in (SPANS[type_], "business_hours")
    )
    return deadline(wait.begin, duration(span), hours, min(before, wait.begin + LONGEST + 1))


def decide_at(replay: Replay, account: int, due: Deadline) -> list[Json]:
    """ "Whom it concerns", of the one whose deadline it is."""
    kept = replay.conversations[account, due.conversation]
    assert kept.wait is not None
    kept.wait.come.add((due.type, due.user))
    decider = replay.decider(replace(kept.wait.message, name=due.type), kept, None)
    decider.moment = due.moment
    if due.type == ESCALATION:
        concerned = decider.can_see(due.user)
    elif kept.assignee is not None:
        concerned = due.user == kept.assignee
    else:
        concerned = due.user in decider.directory.members_of_inbox(kept.inbox)
    if concerned and decider.has_set(due.user, due.type):
        decider.decide_type(due.type, {due.user}, set())
    return decider.decisions


# "Held"


@dataclass
class Held:
    account: int
    user: int
    channel: str
    conversation: int
    line: int
    origin: str
    inbox: int | None
    since: int | None
    """From when on it can be due: its event's time, and all that has gone by is over."""


# "Overtaken"


def overtake(replay: Replay, event: Event, before: str | None) -> None:
    here = (event.account, event.conversation)
    if is_reply(event) or (event.status == "resolved" and before != "resolved"):
        replay.held = [one for one in replay.held if (one.account, one.conversation) != here]
    if event.name == "message_created":
        let_go(replay, event.account, event.author, event.conversation)
    if event.name == "conversation_typing_on":
        let_go(replay, event.account, event.typist, event.conversation)
    if event.present_user is not None and event.visible is not False:
        let_go(replay, event.account, event.present_user, event.shown_conversation)


def let_go(replay: Replay, account: int, user: int | None, conversation: object) -> None:
    replay.held = [
        one
        for one in replay.held
        if (one.account, one.user, one.conversation) != (account, user, conversation)
    ]


# "Due"


def is_free(replay: Replay, one: Held, now: int | None) -> bool:
    """Whether neither their quiet hours nor their absence holds back what is held of this."""
    hours = value_there(replay, one, "quiet_hours", now)
    quiet = now is not None and hours != "off" and in_hours(hours, now)
    return not quiet and not is_away(replay, one, now)


def is_away(replay: Replay, one: Held, now: int | None) -> bool:
    absent = replay.presence(one.account, one.user).availability in ("busy", "offline")
    return absent and value_there(replay, one, "when_unavailable", now) != "send"


def value_there(replay: Replay, one: Held, key: str, now: int | None) -> str:
    place = (one.account, one.user, one.inbox)
    return replay.value(*place, key, conversation=one.conversation, now=now)[0]


def first_free(replay: Replay, one: Held, before: int) -> int | None:
    """Return when a conversation is due on a channel, by the first event that is left of it."""
    first = first_left(replay, one)
    if first.since is None or first.since >= before:
        return None
    for begin, end in pairwise(ends_of_values(replay, first.since, before)):
        # No value changes in here.
        if is_away(replay, first, begin):
            continue
        hours = value_there(replay, first, "quiet_hours", begin)
        for now in minutes(begin, end):
            if hours == "off" or not in_hours(hours, now):
                return now
    return None


def first_left(replay: Replay, one: Held) -> Held:
    return next(other for other in replay.held if whose(other) == whose(one))


def whose(one: Held) -> tuple[int, int, str, int]:
    return one.account, one.user, one.channel, one.conversation


def ends_of_values(replay: Replay, begin: int, before: int) -> list[int]:
    untils = (row["value"].partition(" until ")[2] for row in replay.rows)
    ends = {as_microseconds(until) for until in untils if until}
    return sorted({begin, before, *(end for end in ends if end and begin < end < before)})


def minutes(begin: int, end: int) -> Iterator[int]:
    yield begin
    yield from range((begin // MINUTE + 1) * MINUTE, end, MINUTE)


# "When"


@dataclass(frozen=True, order=True)
class Due:
    moment: int
    user: int


def next_digest(replay: Replay, account: int, before: int) -> Due | None:
    found = []
    for one in replay.held:
        moment = first_free(replay, one, before) if one.account == account else None
        if moment is not None:
            found.append(Due(moment, one.user))
    return min(found, default=None)


# "What"


def digest(replay: Replay, due: list[Held], moment: int | None) -> list[Json]:
    """Return what is due to a user, which is held no longer."""
    replay.held = [one for one in replay.held if one not in due]
    left = [one for one in due if is_left(replay, one, moment)]
    decisions = []
    for channel in ("email", "push"):
        of_channel = [one for one in left if one.channel == channel]
        if of_channel:
            first = of_channel[0]
            decisions.append(
                {
                    "line": first.line,
                    "at": written(moment),
                    "event": DIGEST,
                    "account_id": first.account,
                    "conversation_id": None,
                    "inbox_id": None,
                    "message_id": None,
                    "user_id": first.user,
                    "type": DIGEST,
                    "channel": channel,
                    "outcome": "fire",
                    "reason": "enabled",
                    "origin": first.origin,
                    "conversations": tuple(dict.fromkeys(one.conversation for one in of_channel)),
                }
            )
    return decisions


def is_left(replay: Replay, one: Held, moment: int | None) -> bool:
    kept = replay.conversations[one.account, one.conversation]
    if kept.blocked or not replay.directory(one.account).can_see(one.user, kept):
        return False
    muted, _ = replay.value(
        one.account, one.user, kept.inbox, "mute", conversation=one.conversation, now=moment
    )
    return muted == "off"


# Both, in their order


def come_between(replay: Replay, account: int, time: int) -> list[Json]:
    """What comes before an event of this time."""
    decisions: list[Json] = []
    while True:
        late, told = next_deadline(replay, account, time), next_digest(replay, account, time)
        if late is not None and (told is None or late.moment <= told.moment):
            decisions += decide_at(replay, account, late)
        elif told is not None:
            due = [
                one
                for one in replay.held
                if (one.account, one.user) == (account, told.user)
                and first_free(replay, one, time) == told.moment
            ]
            decisions += digest(replay, due, told.moment)
        else:
            break
    for (of_account, _), kept in replay.conversations.items():
        if of_account == account and kept.wait is not None:
            kept.wait.reached = max(kept.wait.reached, time)
    for one in replay.held:
        if one.account == account:
            one.since = time if one.since is None else max(one.since, time)
    return decisions


def come_with(replay: Replay, event: Event) -> list[Json]:
    """The digests of those whom an event shows available."""
    now, shown = replay.clocks.get(event.account), set(event.availabilities or {})
    if event.present_user is not None and event.availability is not None:
        shown.add(event.present_user)
    decisions: list[Json] = []
    for user in sorted(shown):
        if replay.presence(event.account, user).availability == "online":
            theirs = [
                one for one in replay.held if (one.account, one.user) == (event.account, user)
            ]
            decisions += digest(
                replay,
                [one for one in theirs if is_free(replay, first_left(replay, one), now)],
                now,
            )
            for one in theirs:
                one.since = now
    return decisions
