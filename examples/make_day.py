"""Write the day's events from its screenplay.

`day.toml` tells who does what, and when; `directory.json` says who is who. What comes out has the
shape of Chatwoot's webhooks. To change the day, change the screenplay and run this script.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]

FOLDER = Path(__file__).parent
# Winter time all day: a zone's name would need a zone database, which not every system has.
BERLIN = timezone(timedelta(hours=1))
# Of a second: servers don't act on the full one.
FRACTION = 0.25
MESSAGE_TYPES = ("incoming", "outgoing", "activity", "template")
ACCOUNT: Json = {"id": 1, "name": "Acme"}
BOT = {"id": 1, "name": "Acme Bot", "type": "agent_bot"}
SENDER_TYPES = {"incoming": "Contact", "agent_bot": "AgentBot", "user": "User"}
# What every message, person and conversation of such a day has alike.
TEXT: Json = {"content_type": "text", "content_attributes": {}, "additional_attributes": {}}
LISTED: Json = {"status": "sent", "external_source_ids": {}, "sentiment": {}}
EMPTY: Json = {"custom_attributes": {}, "identifier": None, "thumbnail": ""}
COMMON: Json = {"can_reply": True, "custom_attributes": {}, "labels": [], "priority": None}
RESTING: Json = {"snoozed_until": None, "first_reply_created_at": None, "agent_last_seen_at": 0}
AGENT: Json = {"avatar_url": "", "availability_status": None, "thumbnail": ""}
BROWSER = {"browser_name": "Firefox", "browser_version": "147.0", "platform_name": "Windows"}


class Cue(NamedTuple):
    """One line of a scene: at this time, somebody does something."""

    at: int
    who: str
    verb: str
    text: str


class Desk:
    """What all stories share: who and what there is, and the numbers given so far."""

    def __init__(self, directory: Json, screenplay: Json) -> None:
        people = directory["users"] + screenplay["former"]
        self.people: Json = {person["name"].split()[0].lower(): person for person in people}
        self.teams: Json = {
            t["name"]: {"id": t["id"], "name": t["name"]} for t in directory["teams"]
        }
        self.inboxes: Json = {inbox["name"]: inbox for inbox in screenplay["inbox"]}
        self.contacts: dict[str, int] = {}
        self.messages = 88210


def utc(at: int) -> str:
    """Write a time as Chatwoot writes a message's."""
    return f"{datetime.fromtimestamp(at + FRACTION, tz=UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def user_of(person: Json) -> Json:
    """Give what messages and conversations both show of an agent."""
    return {"id": person["id"], "name": person["name"], "type": "user"}


class Story:
    """One conversation. The methods named by a verb are what can happen in a scene."""

    def __init__(self, desk: Desk, told: Json, opened: int) -> None:
        self.desk, self.opened = desk, opened
        self.id, self.contact = told["id"], told["contact"]
        self.contact_id = desk.contacts.setdefault(self.contact, 2041 + len(desk.contacts))
        self.inbox: Json = desk.inboxes[told["inbox"]]
        self.subject: str | None = told.get("subject")
        self.blocked = False
        self.status: str = told.get("status", "open")
        self.assignee: Json | None = desk.people[told["assignee"]] if "assignee" in told else None
        self.team: Json | None = None
        self.last: Json | None = None
        self.unread = self.waiting = 0

    def person(self) -> Json:
        """Give the contact as a conversation shows them."""
        address = self.contact.lower().replace(" ", ".") + "@customers.example.com"
        return {
            "additional_attributes": {},
            **EMPTY,
            "email": address if self.inbox["channel"] == "Email" else None,
            "id": self.contact_id,
            "name": self.contact,
            "phone_number": "+15550100" if self.inbox["channel"] == "Whatsapp" else None,
            "blocked": self.blocked,
        }

    def origin(self) -> Json:
        """Give what the channel knows of where the conversation came from."""
        if self.inbox["channel"] == "Email":
            return {"source": "email", "mail_subject": self.subject}
        if self.inbox["channel"] != "WebWidget":
            return {}
        return {
            "browser": BROWSER,
            "referer": "https://shop.example.com/contact",
            "initiated_at": {"timestamp": utc(self.opened)},
            "browser_language": "en",
        }

    def body(self, at: int) -> Json:
        """Give the conversation as it stands."""
        agent = self.assignee and user_of(self.assignee) | AGENT
        return {
            "additional_attributes": self.origin(),
            "channel": f"Channel::{self.inbox['channel']}",
            "contact_inbox": {
                "id": self.contact_id + 300,
                "contact_id": self.contact_id,
                "inbox_id": self.inbox["id"],
                "source_id": f"source-{self.contact_id}",
                "created_at": utc(self.opened),
            },
            "id": self.id,
            "inbox_id": self.inbox["id"],
            "messages": [self.last] if self.last else [],
            "meta": {
                "sender": {**self.person(), "type": "contact"},
                "assignee": agent,
                "assignee_type": agent and "User",
                "team": self.team,
            },
            "status": self.status,
            **COMMON,
            **RESTING,
            "unread_count": self.unread,
            "waiting_since": self.waiting,
            "last_activity_at": at,
            "timestamp": at,
            "created_at": self.opened,
            "updated_at": at + FRACTION,
        }

    def changed(self, cue: Cue, event: str, key: str, before: Any, now: Any) -> Json:
        """Tell of the conversation itself, and of what in it was changed, by whom."""
        change = {key: {"previous_value": before, "current_value": now}}
        by = self.desk.people.get(cue.who)
        performer = {"performed_by": {"id": by["id"], "type": "user"}} if by else {}
        return self.body(cue.at) | {"event": event, "changed_attributes": [change]} | performer

    def message(self, cue: Cue, kind: str, sender: Json | None, *, private: bool = False) -> Json:
        """Write a message into the conversation, and tell of it."""
        self.desk.messages += 1
        if kind == "incoming":
            self.unread, self.waiting = self.unread + 1, self.waiting or cue.at
        elif kind == "outgoing" and not private:
            self.unread = self.waiting = 0
        common = {"id": self.desk.messages, "content": cue.text, "private": private, **TEXT}
        self.last = common | {
            "account_id": ACCOUNT["id"],
            "inbox_id": self.inbox["id"],
            "conversation_id": self.id,
            "message_type": MESSAGE_TYPES.index(kind),
            "created_at": cue.at,
            "updated_at": utc(cue.at),
            **LISTED,
            "sender_type": SENDER_TYPES[sender.get("type", kind)] if sender else None,
            "sender_id": sender["id"] if sender else None,
            "processed_message_content": cue.text,
            "conversation": {"unread_count": self.unread, "last_activity_at": cue.at},
            "sender": sender,
        }
        return {
            "account": ACCOUNT,
            **common,
            "conversation": self.body(cue.at),
            "created_at": utc(cue.at),
            "inbox": {"id": self.inbox["id"], "name": self.inbox["name"]},
            "message_type": kind,
            "sender": sender,
            "event": "message_created",
        }

    def arrives(self, _cue: Cue) -> Iterator[Json]:
        """Open the website's chat window for the first time."""
        yield {"account": ACCOUNT, **self.person(), "event": "contact_created"}

    def opens(self, cue: Cue) -> Iterator[Json]:
        """Begin the conversation with a first message."""
        self.opened = cue.at
        yield self.body(cue.at) | {"event": "conversation_created"}
        yield from self.says(cue)

    def says(self, cue: Cue) -> Iterator[Json]:
        """Write a message: a contact, an agent, or the bot."""
        person = self.desk.people.get(cue.who)
        if person:
            sender = user_of(person) | {"email": person["email"]}
            yield self.message(cue, "outgoing", sender, private=cue.verb == "notes")
        elif cue.who == "bot":
            yield self.message(cue, "outgoing", BOT)
        else:
            yield self.message(cue, "incoming", {"account": ACCOUNT, **self.person()})

    def notes(self, cue: Cue) -> Iterator[Json]:
        """Leave a private note."""
        yield from self.says(cue)

    def sends(self, cue: Cue) -> Iterator[Json]:
        """Send one of the desk's automatic texts."""
        yield self.message(cue, "template", None)

    def types(self, cue: Cue) -> Iterator[Json]:
        """Be seen typing."""
        person = self.desk.people.get(cue.who)
        user = {"id": person["id"], "type": "user"} if person else self.person()
        where = {"id": self.id, "inbox_id": self.inbox["id"]}
        # Chatwoot gives these events no time of their own.
        yield {"event": "conversation_typing_on", "user": user, "conversation": where}

    def assigns(self, cue: Cue) -> Iterator[Json]:
        """Give the conversation to an agent, or to `nobody`."""
        before, self.assignee = self.assignee, self.desk.people.get(cue.text)
        ids = [person["id"] if person else None for person in (before, self.assignee)]
        yield self.changed(cue, "conversation_updated", "assignee_id", *ids)
        told = f"Assigned to {cue.text.title()}" if self.assignee else "Unassigned"
        yield self.message(cue._replace(text=f"{told} by {cue.who.title()}"), "activity", None)

    def repeats(self, cue: Cue) -> Iterator[Json]:
        """Send the last assignment once more, as servers and relays do now and then."""
        id_ = self.assignee["id"] if self.assignee else None
        yield self.changed(cue, "conversation_updated", "assignee_id", None, id_)

    def gives(self, cue: Cue) -> Iterator[Json]:
        """Give the conversation to a team."""
        before, self.team = self.team, self.desk.teams[cue.text]
        ids = [team["id"] if team else None for team in (before, self.team)]
        yield self.changed(cue, "conversation_updated", "team_id", *ids)

    def sets(self, cue: Cue) -> Iterator[Json]:
        """Change the status."""
        before, self.status = self.status, cue.text
        yield self.changed(cue, "conversation_status_changed", "status", before, cue.text)

    def blocks(self, _cue: Cue) -> Iterator[Json]:
        """Block the contact."""
        self.blocked = True
        yield {"account": ACCOUNT, **self.person(), "event": "contact_updated"}

    def misses(self, cue: Cue) -> Iterator[Json]:
        """Miss a service level: `first_response`, `next_response` or `resolution`."""
        yield self.body(cue.at) | {"event": f"sla_missed_{cue.text}"}

    def comes(self, cue: Cue, **window: Any) -> Iterator[Json]:
        """Bring the app's window to the front."""
        seen = {"event": "presence_update", "user": {"id": self.desk.people[cue.who]["id"]}}
        yield seen | {"visible": True} | window | {"created_at": cue.at}

    def views(self, cue: Cue) -> Iterator[Json]:
        """Open this conversation in the app."""
        yield from self.comes(cue, conversation_id=self.id)

    def hides(self, cue: Cue) -> Iterator[Json]:
        """Put the app's window behind others, or go away."""
        yield from self.comes(cue, visible=False, conversation_id=None)


def cues_of(scene: str, day: str) -> Iterator[Cue]:
    """Read a scene: on each line `HH:MM:SS WHO VERB [TEXT]`."""
    for line in filter(None, map(str.strip, scene.splitlines())):
        clock, who, verb, text = (*line.split(maxsplit=3), "")[:4]
        at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=BERLIN)
        yield Cue(int(at.timestamp()), who, verb, text)


def events(directory: Json, screenplay: Json) -> Iterator[Json]:
    """Play all stories at once, in the order of the clock."""
    desk = Desk(directory, screenplay)
    played: list[tuple[Cue, Story]] = []
    for told in screenplay["story"]:
        cues = list(cues_of(told["scene"], screenplay["day"]))
        story = Story(desk, told, cues[0].at - told.get("days_old", 0) * 24 * 60 * 60)
        played += [(cue, story) for cue in cues]
    for cue, story in sorted(played, key=lambda one: one[0].at):
        yield from getattr(story, cue.verb)(cue)


def main() -> None:
    """Write `day.jsonl` beside this script, or the file that is named."""
    target, *further = [*map(Path, sys.argv[1:]), FOLDER / "day.jsonl"]
    if further[1:] or target.name.startswith("-"):
        sys.exit("usage: python examples/make_day.py [FILE]")
    directory = json.loads((FOLDER / "directory.json").read_text(encoding="utf-8"))
    screenplay = tomllib.loads((FOLDER / "day.toml").read_text(encoding="utf-8"))
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    lines = map(encode, events(directory, screenplay))
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
