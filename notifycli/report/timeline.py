"""A conversation's timeline: events down, people across, and a mark for each channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from notifycli.events.event import Event, Message
from notifycli.report import page
from notifycli.report.findings import SUBJECTS, kind_name
from notifycli.rules.counts import Kind
from notifycli.rules.decision import Reason

MOST_PEOPLE = 60
"""The people that a page shows: those who get most."""


class Came(StrEnum):
    """What came of a notification."""

    FIRES = "fires"
    IN_VAIN = "in vain"
    """It fires, and has nowhere to go."""
    WITHHELD = "withheld"


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
