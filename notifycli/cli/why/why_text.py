"""How `why` tells a person what they asked: event by event, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.text import Text

from notifycli.cli.decision_records import what
from notifycli.cli.output import console, print_rich
from notifycli.cli.session import Session, plural
from notifycli.cli.times import day_of, in_local_time
from notifycli.cli.why.why_records import UNLOCKING, Asker, EventAnswer, WhyRecord, joining
from notifycli.events.event import Due, Event
from notifycli.rules.decision import Outcome, in_short
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import NoticeState
from notifycli.text import printable

_CHANNELS = {Channel.EMAIL: "an e-mail", Channel.PUSH: "a push", Channel.AUDIO: "a sound"}
_BECAME: dict[NoticeState | None, str] = {
    NoticeState.PENDING: "is to get {}, which waits",
    NoticeState.SENDING: "is to get {}, which is on its way",
    NoticeState.SENT: "got {}",
    NoticeState.DEAD: "should have got {}, which couldn't be sent: notifycli deliver status",
    NoticeState.DROPPED: "should have got {}, which was given up",
}
"""What the outbox has made of it; of what never was in there, a replay can say what would be."""
_FIRES, _IN_VAIN, _NOT = "✓", "!", "✗"
_FOR_EVERYBODY = "(this takes the lock away for everybody in the account)"


class _Absence(NamedTuple):
    """Why nothing was decided about the user."""

    told: str
    command: str | None = None


class _Span:
    """Events in a row: the first of them, and what a line about all of them says."""

    def __init__(self, first: EventAnswer) -> None:
        self.first = first
        self.last = first.event.line
        self.names = {first.event.name: None}
        self.several = False
        self.of_one_conversation = True

    def take(self, answer: EventAnswer) -> None:
        """Take one more in."""
        event = answer.event
        self.last, self.several = event.line, True
        self.names[event.name] = None
        if event.conversation != self.first.event.conversation:
            self.of_one_conversation = False


def tell(session: Session, answers: Iterable[EventAnswer], asker: Asker) -> None:
    """Print a summary, what they would not get, and what they would.

    Events in a row that nothing is to be said of are told of in one.
    """
    misses: list[EventAnswer | tuple[_Absence, _Span]] = []
    gets: list[EventAnswer] = []
    alike = groupby(answers, lambda answer: (_absence(answer, asker), answer.event.file))
    for (absence, _), group in alike:
        if absence is not None:
            misses.append((absence, _span_of(group)))
            continue
        for answer in group:
            withheld, given = _part(answer)
            misses += [withheld] * bool(withheld.records)
            gets += [given] * bool(given.records)
    teller = _Teller(session, asker)
    about = [one for one in misses if isinstance(one, EventAnswer)]
    if about or gets:
        teller.tell_summary(_summary(asker, about, gets))
    for miss in misses:
        if isinstance(miss, EventAnswer):
            teller.tell(miss)
        else:
            teller.tell_absence(*miss)
    for get in gets:
        teller.tell(get)
    if misses and not about and not gets:
        session.info(f"nothing in these events is about {asker.name}")


def _part(answer: EventAnswer) -> tuple[EventAnswer, EventAnswer]:
    """Return of an answer what doesn't reach the user, and what does."""
    withheld = [record for record in answer.records if _sign(record) != _FIRES]
    given = [record for record in answer.records if _sign(record) == _FIRES]
    return answer._replace(records=withheld), answer._replace(records=given)


def _span_of(answers: Iterator[EventAnswer]) -> _Span:
    span = _Span(next(answers))
    for answer in answers:
        span.take(answer)
    return span


def _summary(asker: Asker, misses: list[EventAnswer], gets: list[EventAnswer]) -> str:
    """Say in a sentence when, how much and why not."""
    times = sorted(one.event.at for one in (*misses, *gets) if one.event.at is not None)
    days = list(dict.fromkeys(day_of(times[end]) for end in (0, -1))) if times else []
    whom = ", ".join([asker.name, " to ".join(days)] if days else [asker.name])
    records = [record for one in (*misses, *gets) for record in one.records]
    return f"{whom}: {tally(records)}"


def tally(records: Sequence[WhyRecord]) -> str:
    """Say how much would be got, and how much not, and why: `would get 2 notifications; …`."""
    why = reasons_of(records)
    return f"{amounts_of(records)}{': ' * bool(why)}{why}."


def amounts_of(records: Sequence[WhyRecord]) -> str:
    """Say how much would be got, and how much not."""
    signs = Counter(map(_sign, records))
    parts = [f"would get {plural(signs[_FIRES], 'notification')}"]
    if signs[_IN_VAIN]:
        parts.append(f"{signs[_IN_VAIN]} that can't be delivered")
    return "; ".join([*parts, f"{signs[_NOT]} withheld"])


def reasons_of(records: Sequence[WhyRecord]) -> str:
    """Say why so much is withheld: `6 switched off, 1 their own messages`."""
    reasons = Counter(in_short(r.reason) for r in records if _sign(r) == _NOT)
    return ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())


class _Teller:
    """Prints, and refers back to what has been said of how to change something."""

    def __init__(self, session: Session, asker: Asker) -> None:
        self._link = asker.link
        self._out = console(session)
        self._said: dict[str, str] = {}
        """The commands, and in which line of the events each was told."""

    def tell(self, answer: EventAnswer) -> None:
        """Print what there is to say of an event, decision by decision."""
        self._print_headline(_Span(answer))
        for record in answer.records:
            sign = _sign(record)
            told = f"{_verdict(sign, record)}: {printable(record.sentence)}"
            self._tell(told, record.command, answer)

    def tell_summary(self, text: str) -> None:
        """Print what all of it comes to."""
        self._print(printable(text), style="bold")
        self._print("")

    def tell_absence(self, absence: _Absence, span: _Span) -> None:
        """Print why there is nothing to say of events in a row; none of them is kept."""
        self._print_headline(span)
        self._tell(absence.told, absence.command, span.first)

    def _print_headline(self, span: _Span) -> None:
        conversation = span.first.event.conversation
        one = self._link and conversation is not None and span.of_one_conversation
        link = f" link {self._link}{conversation}" if one else ""
        self._print(_headline(span), style=f"bold{link}")

    def _tell(self, told: str, command: str | None, answer: EventAnswer) -> None:
        if command is None:
            self._print(f"  {told}.")
        elif command in self._said:
            self._print(f"  {told}; see {self._said[command]}.")
        else:
            self._said[command] = _place(answer.event, f"line {answer.event.line}")
            self._print(f"  {told}.")
            print_rich(self._out, f"    {command}", style="cyan", soft_wrap=True)
            if UNLOCKING in command:
                self._print(f"    {_FOR_EVERYBODY}")

    def _print(self, text: str, style: str = "") -> None:
        # A pipe has no width that lines would have to be broken for.
        print_rich(self._out, Text(text, style=style), soft_wrap=not self._out.is_terminal)


def _absence(answer: EventAnswer, asker: Asker) -> _Absence | None:
    event = answer.event
    if answer.records:
        return None
    if answer.hidden_by_role:
        allowed = ", ".join(asker.user.permissions or ())
        has = f"only {allowed}" if allowed else "no permissions"
        told = f"Nothing: {asker.name} can't see the conversation, as their custom role has {has}"
        return _Absence(told)
    if asker.user.id not in asker.account.directory.viewers(event.inbox, event.known_team):
        told = f"Nothing: {asker.name} can't see the conversation (inbox {event.inbox})"
        return _Absence(told, joining(asker.user, event.inbox, asker.option))
    if answer.others:
        return _Absence(f"Nothing: this concerns others, not {asker.name}")
    return _Absence("Nothing: this notifies nobody")


def _headline(span: _Span) -> str:
    """Name an event; of several the lines, what they are called, and what they share."""
    first = span.first.event
    lines = f"lines {first.line} to {span.last}" if span.several else f"line {first.line}"
    parts = [_place(first, lines)]
    if first.at is not None:
        parts.append(in_local_time(first.at))
    parts.append(", ".join(span.names))
    if first.conversation is not None and span.of_one_conversation:
        parts.append(f"conversation {first.conversation}")
    if isinstance(first, Due) and first.told:
        named = ", ".join(str(conversation) for conversation, _ in first.told)
        parts.append(f"{'conversations' if len(first.told) > 1 else 'conversation'} {named}")
    if isinstance(first, Due) and first.since is not None:
        parts.append(f"a customer has waited since {in_local_time(first.since)}")
    if first.message is not None and first.message.id is not None and not span.several:
        parts.append(f"message {first.message.id}")
    return " · ".join(printable(part) for part in parts)


def _place(event: Event, lines: str) -> str:
    return lines if event.file is None else printable(f"{lines} of {event.file}")


def _sign(record: WhyRecord) -> str:
    if record.outcome is Outcome.SUPPRESS:
        return _NOT
    return _IN_VAIN if record.deliverable is False else _FIRES


def _verdict(sign: str, record: WhyRecord) -> str:
    thing, audio = _CHANNELS.get(record.channel), record.channel is Channel.AUDIO
    thing = thing or f"a message by {record.channel}"
    told_by_key = record.key == f"{record.channel}.{record.type}"
    if not told_by_key and not (audio and record.type is NotificationType.NEW_MESSAGE):
        thing = f"{thing} ({what(record.channel, record.type)})"
    told = {
        _FIRES: _BECAME.get(record.delivery, "would get {}").format(thing),
        _IN_VAIN: f"{thing} would fire, but can't be delivered",
        _NOT: f"no {thing.split(' ', 1)[1]}",
    }
    return f"{sign} {told[sign]}"
