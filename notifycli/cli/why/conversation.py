"""How `why` tells of a conversation and everybody in it: on a terminal, and as a page.

Both are its timeline: events down, people across, and a mark for each channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from rich.text import Text

from notifycli.cli.output import console, print_rich, write_file
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import encode
from notifycli.cli.times import day_of, in_local_time
from notifycli.cli.why.why_records import Askers, EventAnswer, WhyRecord
from notifycli.cli.why.why_text import amounts_of, reasons_of, tally
from notifycli.events.event import Event, Message
from notifycli.report import page
from notifycli.report.findings import SUBJECTS, kind_name
from notifycli.rules.counts import Kind
from notifycli.rules.decision import Outcome, Reason
from notifycli.rules.notifications import Channel, channel_order
from notifycli.text import printable

MOST_PEOPLE = 60
"""The people that a page shows: those who get most."""
_LETTERS = {Channel.EMAIL: "E", Channel.PUSH: "P", Channel.AUDIO: "S"}
_LEGEND = (
    "E an e-mail, P a push, S a sound; ! fires and can't be delivered; · is withheld; blank: "
    "it isn't about them"
)
_CLOCK = slice(11, 19)
_DATE_AND_CLOCK = slice(5, 16)
_DAY = 10
_LABEL = 40
_LONGEST_NAME = 12
_GAP = 2
_NAMED = 8


class Came(StrEnum):
    """What came of a notification."""

    FIRES = "fires"
    IN_VAIN = "in vain"
    """It fires, and has nowhere to go."""
    WITHHELD = "withheld"


_STYLES = {Came.FIRES: "bold green", Came.IN_VAIN: "bold yellow", Came.WITHHELD: "dim"}


class Mark(NamedTuple):
    """What was decided for a person, on a channel, and what there is to say of it."""

    event: int
    """Its number among the events."""
    person: int
    """A user's id."""
    kind: Kind
    came: Came
    reason: Reason
    sentence: str
    command: str | None


class Timeline(NamedTuple):
    """A conversation, as far as its events were read."""

    title: str
    summary: str
    withheld: str
    """Why what was withheld was."""
    link: str
    zone: str
    names: Mapping[int, str]
    """People, by their ids."""
    events: Sequence[tuple[str, Event]]
    """Each with its time, in words."""
    marks: Sequence[Mark]

    def people(self) -> list[int]:
        """Return whom the marks are about: who gets most first."""
        came = {
            kind: Counter(mark.person for mark in self.marks if mark.came is kind) for kind in Came
        }
        told = {mark.person for mark in self.marks}
        return sorted(told, key=lambda person: (*(-came[kind][person] for kind in Came), person))


def timeline(shown: Timeline) -> str:
    """Return the page."""
    people = shown.people()
    places = {person: i for i, person in enumerate(people[:MOST_PEOPLE])}
    texts: dict[str, int] = {}
    return page(
        "timeline",
        {
            "title": shown.title,
            "summary": shown.summary,
            "withheld": shown.withheld,
            "link": shown.link,
            "zone": shown.zone,
            "people": [shown.names[person] for person in places],
            "others": len(people) - len(places),
            "events": [
                (at, event_words(event, shown.names), event.name, event.line)
                for at, event in shown.events
            ],
            "marks": [
                (
                    mark.event,
                    places[mark.person],
                    mark.kind.channel,
                    SUBJECTS.get(mark.kind.type, ""),
                    kind_name(mark.kind),
                    mark.came,
                    mark.reason,
                    texts.setdefault(mark.sentence, len(texts)),
                    texts.setdefault(mark.command or "", len(texts)),
                )
                for mark in shown.marks
                if mark.person in places
            ],
            "texts": [*texts],
        },
    )


def event_words(event: Event, names: Mapping[int, str]) -> str:
    """Say what happened: who wrote, to whom the conversation was given, what became of it."""
    if event.message is not None:
        return _message_words(event, event.message, names)
    if event.assignment and isinstance(event.assignee, int):
        return f"Assigned to {_name(event.assignee, names)}"
    if event.assignment:
        return "Assigned to nobody"
    if event.status is not None and "status" in event.name:
        return f"Now {event.status}"
    return event.name.replace("_", " ").capitalize()


def _message_words(event: Event, message: Message, names: Mapping[int, str]) -> str:
    if message.type == "activity":
        return "Activity message"
    if message.private or message.type != "incoming":
        kind = "Private note" if message.private else "Message"
        return kind if event.author is None else f"{kind} by {_name(event.author, names)}"
    return "Message from the customer"


def _name(user: int, names: Mapping[int, str]) -> str:
    return names.get(user, f"user {user}")


def write_timeline(
    session: Session, answers: list[EventAnswer], askers: Askers, conversation: int, path: str
) -> None:
    """Write the page, if there is anything to draw, and say where it is. Raises as `write_file`."""
    if answers:
        write_file(path, encode(timeline(_timeline(answers, askers, conversation)), "utf-8"))
    session.info(f"wrote {path}" if answers else f"there is nothing to draw: no {path} is written")


def tell_conversation(
    session: Session, answers: list[EventAnswer], askers: Askers, conversation: int
) -> None:
    """Print a summary, the events with a column for each person, and what each of them got."""
    if not answers:
        return
    shown = _timeline(answers, askers, conversation)
    out = console(session)
    for line in _lines(shown, answers, out.width if out.is_terminal else None):
        line.rstrip()
        # A pipe has no width that lines would have to be broken for.
        print_rich(out, line, soft_wrap=not out.is_terminal)
    session.info(
        f"each in sentences: notifycli why -u USER --conversation {conversation} EVENTS; "
        "as a page: --report FILE.html"
    )


def _lines(shown: Timeline, answers: Iterable[EventAnswer], width: int | None) -> Iterator[Text]:
    why = f": {shown.withheld}" if shown.withheld else ""
    yield Text(printable(f"{shown.title}: {shown.summary}{why}."), style="bold")
    if shown.link:
        yield Text(shown.link, style=f"link {shown.link}")
    yield Text()
    yield from _grid(shown, width)
    yield Text()
    added = sorted({m.kind.channel for m in shown.marks if m.kind.channel.is_added})
    letters = "".join(f"{channel[0].upper()} by {channel}, " for channel in added)
    yield Text(f"{letters}{_LEGEND}.")
    yield Text()
    told: dict[int, list[WhyRecord]] = {person: [] for person in shown.people()}
    for record in (record for one in answers for record in one.records):
        told[record.user_id].append(record)
    left_out = []
    for person, records in told.items():
        if any(_came(record) is Came.FIRES for record in records):
            yield Text(f"{printable(shown.names[person])} {tally(records)}")
        else:
            left_out.append(printable(shown.names[person]))
    if left_out:
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        yield Text(f"Nothing for {', '.join(left_out[:_NAMED])}{more}.")


def _timeline(answers: list[EventAnswer], askers: Askers, conversation: int) -> Timeline:
    users = askers.account.directory.users.values()
    namesakes = Counter(user.name for user in users)
    names = {
        user.id: user.name
        if user.name and namesakes[user.name] == 1
        else user.email or f"user {user.id}"
        for user in users
    }
    times = [one.event.at for one in answers if one.event.at is not None]
    records = [record for one in answers for record in one.records]
    days = dict.fromkeys(map(day_of, (min(times), max(times)))) if times else ()
    told = {record.user_id for record in records}
    people = {record.user_id for record in records if _came(record) is Came.FIRES}
    link = next((askers.of(user).link for user in users), "")
    return Timeline(
        title=", ".join([f"Conversation {conversation}", *([" to ".join(days)] if days else [])]),
        summary=f"{len(people)} of {plural(len(told), 'user')} {amounts_of(records)}",
        withheld=reasons_of(records),
        link=f"{link}{conversation}" if link else "",
        zone=in_local_time(min(times)).rpartition(" ")[2] if times else "local time",
        names=names,
        events=[
            ("" if one.event.at is None else in_local_time(one.event.at), one.event)
            for one in answers
        ],
        marks=[
            _mark(number, record) for number, one in enumerate(answers) for record in one.records
        ],
    )


def _mark(number: int, record: WhyRecord) -> Mark:
    kind, came = Kind(record.channel, record.type), _came(record)
    return Mark(number, record.user_id, kind, came, record.reason, record.sentence, record.command)


def _came(record: WhyRecord) -> Came:
    if record.outcome is Outcome.SUPPRESS:
        return Came.WITHHELD
    return Came.IN_VAIN if record.deliverable is False else Came.FIRES


def _short_names(names: Sequence[str]) -> list[str]:
    """Return first names where they do, cut to what a column has room for."""
    firsts = [name.partition("@")[0].partition(" ")[0] for name in names]
    often = Counter(firsts)
    return [
        (first if often[first] == 1 else name)[:_LONGEST_NAME]
        for first, name in zip(firsts, names, strict=True)
    ]


def _grid(shown: Timeline, width: int | None) -> Iterator[Text]:
    """Draw events and people: as many as fit in a width, those who get most."""
    people = shown.people()
    heads = _short_names([printable(shown.names[person]) for person in people])
    channels = sorted({*Channel, *(mark.kind.channel for mark in shown.marks)}, key=channel_order)
    column = max(len(channels) - len(Channel) + 1, *map(len, heads), 0) + _GAP
    if width is not None:
        people = people[: max(1, (width - _LABEL) // column)]
    yield Text(" " * _LABEL + "".join(head.ljust(column) for head in heads[: len(people)]), "bold")
    marks: dict[tuple[int, int], list[Mark]] = {}
    for mark in shown.marks:
        marks.setdefault((mark.event, mark.person), []).append(mark)
    days = {at[:_DAY] for at, _ in shown.events}
    clock = _DATE_AND_CLOCK if len(days) > 1 else _CLOCK
    for number, (at, event) in enumerate(shown.events):
        words = printable(f"{at[clock]} {event_words(event, shown.names)}".strip())
        line = Text(words[: _LABEL - 2].ljust(_LABEL))
        for person in people:
            line.append_text(_cell(marks.get((number, person), []), channels, column))
        yield line
    if others := len(heads) - len(people):
        yield Text(f"… and {plural(others, 'column')} more than there is room for")


def _cell(marks: Iterable[Mark], channels: Iterable[Channel], width: int) -> Text:
    """Draw what came of an event for somebody: a sign for each channel, always at its place."""
    came = {channel: [m.came for m in marks if m.kind.channel is channel] for channel in channels}
    cell = Text()
    for channel, several in came.items():
        if not several:
            cell.append(" ")
            continue
        best = min(several, key=list(Came).index)
        letter = _LETTERS.get(channel, channel[0].upper())
        sign = {Came.FIRES: letter, Came.IN_VAIN: "!", Came.WITHHELD: "·"}[best]
        cell.append(sign, style=_STYLES[best])
    return cell.append(" " * (width - len(cell)))
