"""Random small worlds: a directory, preferences, and events in which everything collides.

Ids come from tiny ranges on purpose: an agent, a contact, a conversation and an inbox share
theirs, so that reading one for another shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

from hypothesis import strategies as st

Json = dict[str, Any]
T = TypeVar("T")

ACCOUNTS = (1, 2)
USERS = (1, 2, 3, 4)
# The last one is in no directory: an agent who left, or was never known.
AGENTS_IN_EVENTS = (1, 2, 3, 4, 5)
CONVERSATIONS = (1, 2)
INBOXES = (1, 2, 3)
TEAMS = (1, 2)
# Some are the beginning or the end of another one.
EMAILS = (
    "jane@example.com",
    "Omar@Example.com",
    "mary.jane@example.com",
    "jane@example.co",
    "jane@example.com.au",
    "kim-lee@example.com",
)
STATUSES = ("open", "open", "open", "pending", "pending", "bot", "resolved", "snoozed")
PERMISSIONS = (
    "conversation_manage",
    "conversation_unassigned_manage",
    "conversation_participating_manage",
    "contact_manage",
)

NOTIFICATION_TYPES = (
    "conversation_creation",
    "conversation_assignment",
    "conversation_mention",
    "assigned_conversation_new_message",
    "participating_conversation_new_message",
    "unassigned_conversation_new_message",
    "sla_missed_first_response",
    "sla_missed_next_response",
    "sla_missed_resolution",
)
SWITCH_KEYS = tuple(f"{c}.{t}" for c in ("email", "push") for t in NOTIFICATION_TYPES)
TEAM_KEYS = ("email.team_assignment", "push.team_assignment")
WAITING_KEYS = (
    "email.conversation_waiting",
    "push.conversation_waiting",
    "email.escalation",
    "push.escalation",
    "waiting_after",
    "escalate_after",
    "business_hours",
)
ADDED_KEYS = tuple(
    f"{channel}.{type_}"
    for channel in ("slack", "a-webhook")
    for type_ in (*NOTIFICATION_TYPES, "team_assignment", "conversation_waiting", "escalation")
)
# Of what comes between events, which is of no event, and of added channels.
BETWEEN = (*WAITING_KEYS, "quiet_hours_then", *ADDED_KEYS)
AUDIO_VALUES = (
    "all",
    "assigned",
    "unassigned",
    "others",
    "assigned+unassigned",
    "assigned+others",
    "unassigned+others",
    "none",
)
DURATIONS = ("0s", "20s", "60s", "61s", "5m", "1h")
QUIET_HOURS = (
    "off",
    "22:00-07:00",
    "22:00-07:00 Europe/Berlin",
    "22:00-07:00 Europe/Berlin mon-fri",
    "22:00-23:00 mon-fri",
    "09:00-17:00 America/New_York",
    "03:30-03:31 Asia/Kolkata",
    "00:00-00:00",
    "12:00-12:00 sat-sun",
    "22:00-21:59 fri-mon",
    "00:00-06:00 Pacific/Auckland sat",
)
SPANS = ("0s", "1s", "60s", "90s", "5m", "15m", "1h", "8h", "25h")
BUSINESS_HOURS = (
    "off",
    "off",
    "22:00-23:30",
    "09:00-17:00 Europe/Berlin mon-fri",
    "01:00-03:30 Europe/Berlin sun",
    "21:59-22:01 fri,mon",
    "23:00-01:00 America/New_York",
    "00:00-00:00",
)
AUDIO_EVENTS = (
    "none",
    "message",
    "created",
    "assigned",
    "message+created",
    "message+assigned",
    "created+assigned",
    "message+created+assigned",
)
# A Friday evening and the night in which Berlin's clocks go forward, and odd quarters of days.
BEGINNINGS = (
    datetime(2026, 3, 27, 21, 58, tzinfo=UTC),
    datetime(2026, 3, 28, 23, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC),
    datetime(2026, 3, 31, 12, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, 0, 250_000, tzinfo=UTC),
)
STEPS = tuple(
    timedelta(seconds=seconds, microseconds=microseconds)
    for seconds, microseconds in (
        (0, 0),
        (0, 0),
        (1, 0),
        (5, 0),
        (19, 999_999),
        (20, 0),
        (59, 999_999),
        (60, 0),
        (60, 1),
        (61, 0),
        (300, 0),
        (900, 0),
        (901, 0),
        (3600, 0),
        (8 * 3600, 0),
        (24 * 3600, 0),
        (60 * 3600, 0),
        (-1, 0),
        (-60, 0),
        (-3600, 0),
        (-24 * 3600, 0),
    )
)
TIME_FORMS = (
    "iso_z",
    "iso_millis",
    "iso_offset",
    "iso_compact_offset",
    "named_utc",
    "seconds",
    "fraction",
    "seconds_string",
    "fraction_string",
    "small_z",
    "milliseconds",
    "milliseconds_string",
    "microseconds",
)

UNKNOWN_NAMES = ("conversation_exploded", "message.exploded", "brand_new_thing")
BAD_LINES = (
    "not json",
    '{"event": "message_created", "conversation": {"id": 1}',
    "[]",
    '"message_created"',
    "12",
    "null",
    "{}",
    '{"id": 1, "status": "pending"}',
    '{"event": null, "id": 1}',
    '{"event": 5, "id": 1}',
    '{"event": "conversation_created", "id": [1]}',
    '{"event": "message_created", "conversation": 5, "message_type": "incoming"}',
    '{"event": "message_created", "message_type": "incoming", "content": "@jane@example.com"}',
    '{"event": "message_created", "conversation": {"id": 1}}',
    '{"event": "conversation_created", "status": "pending"}',
    '{"type": "ping", "message": 1772532000}',
    "",
    "   ",
    "\t\n",
)


@dataclass(frozen=True)
class World:
    directory: Json
    preferences: list[Json]
    lines: list[str]
    fallback_account: int


@dataclass(frozen=True)
class Pen:
    """Draws, and leans to the people and places that the events around it are about.

    Without that leaning, what needs two events on the same conversation would be rare.
    """

    draw: st.DrawFn
    main_agent: int = USERS[0]
    main_conversation: int = CONVERSATIONS[0]
    main_inbox: int = INBOXES[0]
    addresses: tuple[str, ...] = ()

    def some(self, *choices: T) -> T:
        return self.draw(st.sampled_from(choices))

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def one_in(self, number: int) -> bool:
        """Never for a shrunk example, so that what is rare goes first."""
        return self.draw(st.integers(0, number - 1)) == number - 1

    def agent(self) -> int:
        return self.some(*[self.main_agent] * 4, *AGENTS_IN_EVENTS)

    def conversation(self) -> int:
        return self.some(*[self.main_conversation] * 3, *CONVERSATIONS)

    def inbox(self) -> int:
        return self.some(*[self.main_inbox] * 4, *INBOXES)

    def spelled(self, number: int) -> int | str:
        return str(number) if self.one_in(8) else number


# The directory


def what_chatwoot_says_of_a_user(pen: Pen) -> Json:
    said: Json = {}
    if pen.one_in(4):
        said["permissions"] = sorted(pen.draw(st.sets(st.sampled_from(PERMISSIONS))))
    if pen.one_in(4):
        said["confirmed"] = pen.maybe()
    return said


@st.composite
def directories(draw: st.DrawFn) -> Json:
    pen = Pen(draw)
    gone = draw(st.sets(st.sampled_from(USERS), max_size=3)) if pen.maybe() else set()
    ids = [user for user in USERS if user not in gone]
    addresses = draw(st.permutations(EMAILS))
    users = [
        {
            "id": user,
            "email": None if pen.one_in(8) else addresses[place],
            "name": f"User {user}",
            "role": pen.some("agent", "agent", "administrator"),
            **what_chatwoot_says_of_a_user(pen),
        }
        for place, user in enumerate(ids)
    ]
    some_of_them = st.sets(st.sampled_from(ids)).map(sorted)
    members = st.just(ids) | some_of_them | some_of_them | st.none()
    inboxes = [
        {
            "id": inbox,
            "name": f"Inbox {inbox}",
            "members": draw(members),
            **({"bot": pen.maybe()} if pen.one_in(3) else {}),
        }
        for inbox in sorted(draw(st.sets(st.sampled_from(INBOXES), min_size=1)))
    ]
    teams = [
        {"id": team, "name": f"Team {team}", "members": draw(some_of_them)}
        for team in sorted(draw(st.sets(st.sampled_from(TEAMS))))
    ]
    return {
        "account": {"id": pen.some(1, 1, 1, 2), "name": "Acme"},
        "users": users,
        "inboxes": inboxes,
        "teams": teams,
    }


# The preferences: a row's empty columns are None


def preference_values(key: str, *, digests: bool) -> st.SearchStrategy[str]:
    if key in (*SWITCH_KEYS, *TEAM_KEYS, *WAITING_KEYS[:4], *ADDED_KEYS):
        return st.sampled_from(("on", "on", "off"))
    values = {
        "audio": AUDIO_VALUES,
        "audio.when": ("always", "hidden"),
        "inactive_after": DURATIONS,
        "quiet_hours": QUIET_HOURS,
        "mute": ("on", "off"),
        "when_unavailable": ("withhold", "digest" if digests else "withhold", "send"),
        "participants_after_resolve": ("leave", "leave", "stay"),
        "waiting_after": SPANS,
        "escalate_after": SPANS,
        "business_hours": BUSINESS_HOURS,
        "quiet_hours_then": ("hold", "hold", "drop"),
        "audio.events": AUDIO_EVENTS,
    }
    return st.sampled_from(values[key])


OTHER_KEYS = ("audio", "audio.when", "inactive_after", "quiet_hours")
# Of docs/beyond.md: `mute` first, which isn't for everybody.
BEYOND_KEYS = ("mute", "when_unavailable", "participants_after_resolve", "audio.events", *TEAM_KEYS)


# Of a value that holds for a time: the beginning itself, and moments around what comes after it.
ENDS = st.builds(
    lambda begin, later: (begin + later).strftime("%Y-%m-%dT%H:%M:%SZ"),
    st.sampled_from(BEGINNINGS),
    st.sampled_from([timedelta(seconds=seconds) for seconds in (0, 1, 60, 300, 3600, 8 * 3600)]),
)


@st.composite
def preference_rows(draw: st.DrawFn, directory: Json, more: tuple[str, ...] = ()) -> list[Json]:
    """Draw values of the keys that are always drawn, and of these."""
    pen = Pen(draw)
    beyond_keys = (*BEYOND_KEYS, *more)
    broad_keys = (*SWITCH_KEYS, "audio", *beyond_keys[1:])
    digests = "quiet_hours_then" in more
    account = directory["account"]["id"]
    user_ids = [user["id"] for user in directory["users"]]
    inbox_ids = [inbox["id"] for inbox in directory["inboxes"]]
    rows: dict[tuple[Any, ...], Json] = {}

    def put(account: int, layer: str, user: int | None, place: int | None, key: str) -> None:
        in_conversation = layer == "conversation"
        end = f" until {draw(ENDS)}" if in_conversation and pen.one_in(3) else ""
        rows[(account, layer, user, place, key)] = {
            "account": account,
            "layer": layer,
            "user": user,
            "inbox": None if in_conversation else place,
            "conversation": place if in_conversation else None,
            "key": key,
            "value": draw(preference_values(key, digests=digests)) + end,
        }

    # Without broad values of this kind nearly every decision would be `disabled`.
    broad = pen.some("none", "default", "default", "user", "user")
    if broad != "none":
        user = draw(st.sampled_from(user_ids)) if broad == "user" else None
        left_out = draw(st.sets(st.sampled_from(broad_keys), max_size=8))
        for key in broad_keys:
            if key not in left_out:
                put(account, broad, user, None, key)
    if pen.one_in(3):
        put(account, "default", None, None, "quiet_hours")
    switches = draw(st.lists(st.sampled_from(SWITCH_KEYS), max_size=10))
    others = draw(st.lists(st.sampled_from(OTHER_KEYS), max_size=10))
    beyond = draw(st.lists(st.sampled_from(beyond_keys), max_size=8))
    for key in switches + others + beyond:
        layer = pen.some("user", "user", "inbox", "inbox", "default", "lock")
        user = draw(st.sampled_from(user_ids)) if layer in ("user", "inbox") else None
        inbox = draw(st.sampled_from(inbox_ids)) if layer == "inbox" else None
        elsewhere = layer in ("default", "lock") and pen.one_in(8)
        put(3 - account if elsewhere else account, layer, user, inbox, key)
    any_key = st.sampled_from((*SWITCH_KEYS, *OTHER_KEYS, *["mute"] * 9, *beyond_keys))
    for key in draw(st.lists(any_key, max_size=5)):
        put(account, "conversation", draw(st.sampled_from(user_ids)), pen.conversation(), key)
    return draw(st.permutations(list(rows.values())))


# The events: first without their time, so that deleting one leaves the others as they are


ENVELOPES = ("message", "raw", "json", "record", "value", "row", "text", "cable")


@dataclass(frozen=True)
class Sketch:
    body: Json
    step: timedelta
    time_fields: tuple[str, ...]
    time_form: str
    envelope: str
    received: bool
    raw: str | None = None


def spell_time(when: datetime, form: str) -> Any:
    seconds = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    exact = f"{seconds}.{when.microsecond:06d}"
    eastern, western = timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))
    return {
        "iso_z": when.replace(tzinfo=None).isoformat() + "Z",
        "iso_millis": when.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
        "iso_offset": when.astimezone(eastern).isoformat(),
        "iso_compact_offset": when.astimezone(western).strftime("%Y-%m-%dT%H:%M:%S.%f%z"),
        "named_utc": when.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "seconds": seconds,
        "fraction": float(exact),
        "seconds_string": str(seconds),
        "fraction_string": exact,
        "small_z": when.replace(tzinfo=None).isoformat().replace("T", "t") + "z",
        "milliseconds": seconds * 1000 + when.microsecond // 1000,
        "milliseconds_string": str(seconds * 1000 + when.microsecond // 1000),
        "microseconds": seconds * 1_000_000 + when.microsecond,
    }[form]


def add_account(pen: Pen, body: Json, account: int) -> None:
    where = pen.some("object", "object", "flat", "conversation", "messages", "nowhere")
    if pen.one_in(10):
        account = pen.some(*ACCOUNTS)
    if where == "object":
        body["account"] = {"id": pen.spelled(account), "name": "Acme"}
    if where == "flat":
        body["account_id"] = pen.spelled(account)
    if where == "conversation" and "conversation" in body:
        body["conversation"]["account_id"] = account
    is_conversation = "message_type" not in body and "user" not in body
    if where == "messages" and (is_conversation or "conversation" in body):
        # The newest message of the payload has an assignee of its own, which is not read.
        inner = {"account_id": account, "conversation": {"assignee_id": pen.agent()}}
        body.get("conversation", body)["messages"] = [inner, {"account_id": 3 - account}]


def assignee_state(pen: Pen) -> Json:
    how = pen.some("absent", "meta", "meta", "meta", "nobody", "bot", "flat", "flat")
    if how == "absent":
        return {}
    if how == "flat":
        return {"assignee_id": None if pen.one_in(3) else pen.spelled(pen.agent())}
    if how == "nobody":
        return {"meta": {"assignee": None}}
    meta: Json = {"assignee": {"id": pen.spelled(pen.agent()), "name": "Somebody"}}
    if how == "bot":
        meta["assignee_type"] = "AgentBot"
    elif pen.maybe():
        meta["assignee_type"] = "User"
    return {"meta": meta}


def conversation_state(pen: Pen) -> Json:
    """What a payload says of its conversation, any part of which may be missing."""
    state = assignee_state(pen)
    if pen.maybe():
        state["inbox_id"] = pen.spelled(pen.inbox())
    if pen.maybe():
        state["status"] = pen.some(*STATUSES)
    meta: Json = state.get("meta", {})
    if pen.one_in(3):
        meta["team"] = {"id": pen.some(*TEAMS)} if pen.maybe() else None
    if pen.one_in(3):
        meta["sender"] = {"id": pen.agent(), "type": "contact"}
        meta["sender"]["blocked"] = pen.one_in(6)
    if meta:
        state["meta"] = meta
    if pen.one_in(5):
        people = pen.draw(st.lists(st.sampled_from(AGENTS_IN_EVENTS), max_size=3))
        as_objects = pen.maybe()
        state["participants"] = [{"id": one} if as_objects else one for one in people]
    return state


def surrounded(pen: Pen) -> Json:
    """A conversation as messages and typing carry it."""
    number = pen.conversation()
    shape = pen.some("webhook", "webhook", "live", "display", "flat")
    if shape == "webhook":
        state = conversation_state(pen)
        if pen.one_in(3):
            # When the conversation last changed is not when the message came.
            state |= {"updated_at": 1_700_000_000.5, "created_at": 1_600_000_000}
        if pen.one_in(6):
            state["display_id"] = 3 - number
        return {"conversation": {"id": pen.spelled(number), **state}}
    if shape == "display":
        return {"conversation": {"display_id": number}, "conversation_id": 3 - number}
    body: Json = {"conversation_id": pen.spelled(number)}
    if pen.maybe():
        body["inbox_id"] = pen.spelled(pen.inbox())
    elif pen.maybe():
        body["inbox"] = {"id": pen.inbox(), "name": "Inbox"}
    if shape == "live" and pen.maybe():
        assignee = None if pen.one_in(3) else pen.agent()
        body["conversation"] = {"assignee_id": assignee, "unread_count": 1}
    elif shape == "flat" and pen.one_in(3):
        body["assignee_id"] = None if pen.one_in(3) else pen.agent()
    return body


def conversation_itself(pen: Pen) -> Json:
    """A conversation as its own events carry it: its fields at the top."""
    return {"id": pen.spelled(pen.conversation()), **conversation_state(pen)}


def change(pen: Pen, previous: Any, current: Any) -> Any:
    if pen.maybe():
        return {"previous_value": previous, "current_value": current}
    return [previous, current]


def changed_attributes(pen: Pen, changes: Json) -> Any:
    if pen.one_in(3):
        changes = {"updated_at": change(pen, None, "2026-01-01"), **changes}
    if pen.maybe():
        return changes
    return [{name: value} for name, value in changes.items()]


def add_performer(pen: Pen, body: Json) -> None:
    if pen.maybe():
        performer: Json = {"id": pen.spelled(pen.agent())}
        kind = pen.some("user", "user", "agent_bot", "")
        body["performed_by"] = {**performer, "type": kind} if kind else performer
    if pen.one_in(4):
        performer = {"id": pen.spelled(pen.agent())}
        kind = pen.some("user", "contact", "")
        body["performer"] = {**performer, "type": kind} if kind else performer


def carried_assignee(body: Json) -> Any:
    if "assignee_id" in body:
        return body["assignee_id"]
    assignee = body.get("meta", {}).get("assignee")
    return assignee["id"] if assignee else None


def carried_team(body: Json) -> Any:
    team = body.get("meta", {}).get("team")
    return team["id"] if team else None


def given_to_a_team(pen: Pen) -> Json:
    """An update or a `team_changed`, which mostly shows the team."""
    body = conversation_itself(pen)
    add_performer(pen, body)
    if not pen.one_in(4):
        body.setdefault("meta", {})["team"] = {"id": pen.some(*TEAMS)}
    current = carried_team(body)
    if "team" not in body.get("meta", {}) and pen.maybe():
        current = pen.some(*TEAMS)
    pair = change(pen, None, current)
    body["changed_attributes"] = changed_attributes(pen, {"team_id": pair})
    return body


def conversation_updated(pen: Pen) -> Json:
    body = conversation_itself(pen)
    add_performer(pen, body)
    what = pen.some("assignee", "assignee", "assignee", "status", "other", "nothing", "team")
    if what == "assignee":
        current = carried_assignee(body)
        if "assignee_id" not in body and "assignee" not in body.get("meta", {}):
            current = None if pen.one_in(4) else pen.spelled(pen.agent())
        previous = None if pen.maybe() else pen.agent()
        pair = change(pen, previous, current)
        body["changed_attributes"] = changed_attributes(pen, {"assignee_id": pair})
    if what == "status":
        before = pen.some("pending", "pending", "bot", "resolved")
        pair = change(pen, before, body.get("status", "open"))
        body["changed_attributes"] = changed_attributes(pen, {"status": pair})
    if what == "team":
        pair = change(pen, None, carried_team(body))
        body["changed_attributes"] = changed_attributes(pen, {"team_id": pair})
    if what == "other":
        body["changed_attributes"] = changed_attributes(pen, {"priority": change(pen, None, 1)})
    return body


def status_changed(pen: Pen) -> Json:
    body = conversation_itself(pen)
    body["status"] = pen.some("open", "open", "pending", "resolved")
    if pen.maybe():
        pair = change(pen, pen.some("pending", "resolved"), body["status"])
        body["changed_attributes"] = changed_attributes(pen, {"status": pair})
    elif pen.maybe():
        body["changed_attributes"] = None
    if pen.one_in(4):
        add_performer(pen, body)
    return body


def content(pen: Pen) -> str | None:
    if pen.one_in(10):
        return None
    agent, address = pen.agent(), pen.some(*pen.addresses, *EMAILS)
    mail = (
        f"@{address}",
        f"@{address.upper()} hi",
        f"see @{address}.",
        f"(@{address})",
        f"_@{address}, please",
        f"@{address}-\n",
        f"@{address}...",
        f"x@{address}",
        f".@{address}",
        f"-@{address}",
        f"@{address}m",
        f"@{address}.nz",
        f"@{address}-based",
        f"@@{address}",
        f"é@{address}",
    )
    markup = (
        f"[@User {agent}](mention://user/{agent}/User%20{agent})",
        f"(mention://user/{agent}/Jane) and (mention://user/{pen.agent()}/Omar)",
        f"(mention://team/{pen.some(*TEAMS)}/support)",
        "(mention://user/x/Jane) (mention://group/1/all)",
        f"mention://user/{agent}/bare",
    )
    # The first ones of `mail` and `markup` do mention; they come up more often than the rest.
    pieces = st.one_of(
        st.just("hello"),
        st.sampled_from(mail),
        st.sampled_from(mail[:5]),
        st.sampled_from(markup),
        st.sampled_from(markup[:3]),
    )
    return pen.some(" ", "\n").join(pen.draw(st.lists(pieces, max_size=2)))


def add_sender(pen: Pen, body: Json, who: str) -> None:
    if who == "agent":
        number = pen.spelled(pen.agent())
        if pen.maybe():
            body["sender"] = {"id": number, "name": "Somebody", "type": "user"}
        else:
            body["sender_type"], body["sender_id"] = "User", number
    if who == "contact":
        body["sender"] = {"id": pen.agent(), "name": "Somebody"}
        if pen.maybe():
            body["sender"]["type"] = "contact"
        if pen.one_in(3):
            body["sender"]["blocked"] = pen.one_in(6)
    if who == "bot":
        body["sender"] = {"id": pen.agent(), "type": "agent_bot", "blocked": True}
    if who == "contact id":
        body["sender_type"], body["sender_id"] = "Contact", pen.agent()
    if who == "nobody":
        body["sender"] = None


def message(pen: Pen) -> Json:
    # Two messages of one id are one that came twice.
    body: Json = {"id": pen.spelled(pen.draw(st.integers(1, 40))), **surrounded(pen)}
    kind = pen.some(0, 0, 0, 1, 1, 1, 2, 3)
    names = ("incoming", "outgoing", "activity", "template")
    body["message_type"] = kind if pen.maybe() else names[kind]
    body["content"] = content(pen)
    if (kind == 1 and pen.maybe()) or pen.one_in(12):
        body["private"] = True
    elif pen.maybe():
        body["private"] = False
    senders = {0: ("contact", "contact", "contact id", "nobody"), 1: ("agent", "agent", "bot")}
    add_sender(pen, body, pen.some(*senders.get(kind, ("nobody",))))
    if pen.maybe():
        body["status"] = "sent"
    return body


def typing(pen: Pen) -> Json:
    kind = pen.some("user", "user", "contact", "")
    user: Json = {"id": pen.spelled(pen.agent()), "name": "Somebody"}
    return {**surrounded(pen), "user": {**user, "type": kind} if kind else user}


def presence(pen: Pen) -> Json:
    if pen.one_in(4):
        people = pen.draw(st.sets(st.sampled_from(AGENTS_IN_EVENTS), max_size=3))
        return {"users": {str(one): pen.some("online", "busy", "offline") for one in people}}
    body: Json = {"user": {"id": pen.spelled(pen.agent())}}
    if pen.one_in(3):
        body["user"]["availability_status"] = pen.some("online", "busy", "offline")
    if not pen.one_in(3):
        body["visible"] = not pen.one_in(4)
    if not pen.one_in(3):
        body["conversation_id"] = pen.spelled(pen.conversation())
    return body


def sla(pen: Pen) -> Json:
    body = conversation_itself(pen)
    if pen.maybe():
        body["conversation_id"] = body["id"]
    return body


def silent(pen: Pen) -> Json:
    return {"id": pen.agent(), "name": "Somebody", "blocked": True}


def created(pen: Pen) -> Json:
    body = conversation_itself(pen)
    add_performer(pen, body)
    if pen.one_in(3):
        # The last one is the one that the creation is about.
        carried = [carried_message(pen) for _ in range(pen.some(1, 1, 2))]
        body["messages"] = carried
    return body


def carried_message(pen: Pen) -> Json:
    carried: Json = {"id": 900, "message_type": pen.some(0, 1, 1, 1, "outgoing")}
    add_sender(pen, carried, pen.some("agent", "agent", "agent", "bot", "nobody"))
    return carried


def handed_over(pen: Pen) -> Json:
    body = conversation_itself(pen)
    if pen.maybe():
        body.pop("status", None)
    if pen.one_in(6):
        add_performer(pen, body)
    return body


def with_a_bot(pen: Pen) -> Json:
    """The first half of a hand-over: the second is what comes by chance, or `opened`."""
    return {**conversation_itself(pen), "id": pen.main_conversation, "status": "pending"}


def opened(pen: Pen) -> Json:
    """The second half, in one of its forms."""
    body = {"id": pen.main_conversation, "inbox_id": pen.main_inbox, "status": "open"}
    if pen.one_in(3):
        body |= assignee_state(pen)
    if pen.one_in(3):
        pair = change(pen, pen.some("pending", "bot"), "open")
        body["changed_attributes"] = changed_attributes(pen, {"status": pair})
    elif pen.maybe():
        body["changed_attributes"] = None
    if pen.one_in(4):
        add_performer(pen, body)
    return body


CONVERSATION_TIMES = ("updated_at", "last_activity_at", "timestamp", "created_at")
KINDS = {
    "message_created": (message, 18),
    "message_updated": (message, 1),
    "conversation_created": (created, 4),
    "conversation_updated": (conversation_updated, 5),
    "assignee_changed": (created, 2),
    "given": (given_to_a_team, 4),
    "conversation_status_changed": (status_changed, 3),
    "conversation_opened": (handed_over, 1),
    "conversation_resolved": (handed_over, 1),
    "conversation_bot_handoff": (handed_over, 2),
    "sla_missed_first_response": (sla, 1),
    "sla_missed_next_response": (sla, 1),
    "sla_missed_resolution": (sla, 1),
    "conversation_typing_on": (typing, 3),
    "conversation_typing_off": (typing, 1),
    "presence_update": (presence, 11),
    "pending": (with_a_bot, 3),
    "opened": (opened, 5),
    "contact_created": (silent, 1),
    "contact_updated": (silent, 1),
    "webwidget_triggered": (silent, 1),
    "inbox_created": (silent, 1),
    "unknown": (created, 2),
    "bad": (silent, 1),
}
OTHER_NAMES = {
    "unknown": UNKNOWN_NAMES,
    "given": ("conversation_updated", "team_changed"),
    "pending": ("conversation_updated", "conversation_status_changed"),
    "opened": (
        "conversation_updated",
        "conversation_updated",
        "conversation_status_changed",
        "conversation_status_changed",
        "conversation_bot_handoff",
    ),
}
NAMES = tuple(name for name, (_, weight) in KINDS.items() for _ in range(weight))


def time_fields(pen: Pen, name: str) -> tuple[str, ...]:
    if pen.one_in(8) or KINDS[name][0] is silent:
        return ()
    if name.startswith(("message_", "presence_", "conversation_typing")):
        return ("created_at",)
    return CONVERSATION_TIMES[pen.draw(st.integers(0, 3)) :]


@st.composite
def sketches(draw: st.DrawFn, directory: Json, main: tuple[int, int, int]) -> Sketch:
    people = [user for user in directory["users"] if user["email"]]
    people += [user for user in people if user["id"] == main[0]] * 4
    addresses = tuple(user["email"] for user in people)
    pen = Pen(draw, *main, addresses)
    name = pen.some(*NAMES)
    raw = pen.some(*BAD_LINES) if name == "bad" else None
    build = KINDS[name][0]
    body = build(pen)
    if build is not silent or pen.maybe():
        add_account(pen, body, directory["account"]["id"])
    body["event"] = pen.some(*OTHER_NAMES.get(name, (name,)))
    if pen.one_in(3):
        # Only the subject is parted from the rest by a dot in Chatwoot's own names.
        for subject in (
            "conversation",
            "message",
            "assignee",
            "team",
            "presence",
            "contact",
            "inbox",
        ):
            body["event"] = body["event"].replace(subject + "_", subject + ".", 1)
    envelope = pen.some(*[""] * 6, "body", "payload", "data", "data", *ENVELOPES)
    if not envelope and build is not silent and pen.one_in(8):
        # An envelope's name in an event that needs none.
        body[pen.some("body", "payload", "raw")] = pen.some("hello", {"id": 1}, ["hello"])
    return Sketch(
        body=body,
        step=pen.some(*STEPS),
        time_fields=time_fields(pen, name),
        time_form=pen.some(*TIME_FORMS),
        envelope=envelope,
        received=pen.one_in(6),
        raw=raw,
    )


def render(sketch: Sketch, now: datetime) -> str:
    if sketch.raw is not None:
        return sketch.raw
    body = dict(sketch.body)
    for place, name in enumerate(sketch.time_fields):
        # The first one counts; the others would be felt.
        body[name] = spell_time(now - place * timedelta(hours=5), sketch.time_form)
    beside = {"received_at": spell_time(now, sketch.time_form)} if sketch.received else {}
    if sketch.envelope == "data":
        name = body.pop("event")
        return json.dumps({**beside, "event": name, "data": body})
    if sketch.envelope == "cable":
        frame = {"event": body.pop("event"), "data": body}
        return json.dumps({**beside, "identifier": "{}", "message": frame})
    if sketch.envelope == "row":
        # A receiver's own table has an id, and an event's name, of its own.
        return json.dumps({**beside, "id": 1, "event": body["event"], "payload": body})
    if sketch.envelope == "text":
        return json.dumps({**beside, "log": json.dumps(body)})
    if sketch.envelope:
        return json.dumps({**beside, sketch.envelope: body, "headers": {"host": "example.com"}})
    return json.dumps({**beside, **body}, ensure_ascii=False)


@st.composite
def scenes(draw: st.DrawFn, directory: Json, least: int = 0) -> list[Sketch]:
    agents = st.sampled_from([user["id"] for user in directory["users"]])
    places = st.sampled_from([inbox["id"] for inbox in directory["inboxes"]])
    main = (draw(agents), draw(st.sampled_from(CONVERSATIONS)), draw(places))
    return draw(st.lists(sketches(directory, main), min_size=least, max_size=8))


@st.composite
def event_lines(draw: st.DrawFn, directory: Json) -> list[str]:
    now = draw(st.sampled_from(BEGINNINGS))
    # Several short lists give longer inputs than one long list does, and shrink as well.
    scene = scenes(directory)
    drawn = draw(st.tuples(scenes(directory, least=1), scene, scene, scene, scene))
    lines: list[str] = []
    for sketch in [sketch for part in drawn for sketch in part]:
        now += sketch.step
        lines.append(render(sketch, now))
    return list(sent_twice(Pen(draw), lines))


def sent_twice(pen: Pen, lines: list[str]) -> Iterator[str]:
    """Servers and relays send twice: a line at once, a message at any time later."""
    late: list[str] = []
    for line in lines:
        yield line
        if pen.one_in(12):
            yield line
        if "message_type" in line and pen.one_in(8):
            late.append(line)
        if late and pen.one_in(4):
            yield late.pop()


@st.composite
def worlds(draw: st.DrawFn, more: tuple[str, ...] = ()) -> World:
    directory = draw(directories())
    return World(
        directory=directory,
        preferences=draw(preference_rows(directory, more)),
        lines=draw(event_lines(directory)),
        fallback_account=directory["account"]["id"],
    )
