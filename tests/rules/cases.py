"""`spec/rules.md` as a table of examples, in its own order.

Each row gives all decisions of all its events, the suppressed ones too, so that it can be held
against any evaluator. Where a conversation must be known before the event that a row is about,
`known` tells of it: it notifies nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from notifycli.rules.decision import Reason
from notifycli.rules.notifications import BEYOND_CHATWOOT, NotificationType

Json = dict[str, Any]

CREATED = "conversation_creation"
ASSIGNED = "conversation_assignment"
MENTION = "conversation_mention"
MESSAGE = "assigned_conversation_new_message"
PARTICIPATING = "participating_conversation_new_message"
UNASSIGNED = "unassigned_conversation_new_message"
SLA_FIRST = "sla_missed_first_response"
SLA_NEXT = "sla_missed_next_response"
SLA_RESOLUTION = "sla_missed_resolution"
SOUND = "new_message"

# A Tuesday, 2026-03-03 12:00:00 UTC.
NOON = 1_772_539_200
EACH_ITS_OWN = 500
MINUTE, HOUR, DAY = 60, 3600, 86_400

JANE = {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"}
OMAR = {"id": 8, "email": "omar@example.com", "name": "Omar", "role": "agent"}
ROOT = {"id": 9, "email": "root@example.com", "name": "Root", "role": "administrator"}
KIM = {"id": 6, "email": "kim@example.com", "name": "Kim", "role": "agent"}

DIRECTORY: Json = {
    "account": {"id": 1, "name": "Acme"},
    "users": [JANE, OMAR, ROOT],
    "inboxes": [{"id": 3, "name": "Website", "members": [7, 8]}],
    "teams": [{"id": 2, "name": "Support", "members": [7]}],
}
# Kim is in no inbox and sees only what is given to team 5.
WITH_KIM: Json = {
    **DIRECTORY,
    "users": [KIM, JANE, OMAR, ROOT],
    "teams": [{"id": 5, "name": "Sales", "members": [6, 7]}],
}
ALONE: Json = {
    **DIRECTORY,
    "users": [JANE],
    "inboxes": [
        {"id": 3, "name": "Website", "members": [7]},
        {"id": 4, "name": "Shop", "members": [7]},
    ],
}

FULL_WIDTH_AT = "\N{FULLWIDTH COMMERCIAL AT}"


def full_width(text: str) -> str:
    """As an East Asian keyboard writes ASCII."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def with_inboxes(*inboxes: Json) -> Json:
    return {**DIRECTORY, "inboxes": list(inboxes)}


def with_permissions(*permissions: str) -> Json:
    return {**DIRECTORY, "users": [{**JANE, "permissions": list(permissions)}, OMAR, ROOT]}


def with_a_bot(*, known: bool) -> Json:
    return with_inboxes({"id": 3, "name": "Website", "members": [7], "bot": known})


BEYOND = {Reason.MUTED, Reason.UNAVAILABLE, NotificationType.DIGEST, *BEYOND_CHATWOOT}
"""What Chatwoot hasn't got, and nothing here needs: its rows are in `test_beyond`."""


class Expected(NamedTuple):
    user: int
    type: str
    channel: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class Case:
    name: str
    directory: Json
    preferences: tuple[Json, ...]
    events: tuple[Json, ...]
    expected: tuple[Expected, ...]
    # The origins of all expected decisions, in a row that is about them.
    origins: tuple[str | None, ...] | None = None


def case(
    name: str,
    events: list[Json],
    *expected: tuple[Expected, ...],
    prefs: list[Json] | None = None,
    directory: Json = DIRECTORY,
    origins: list[str | None] | None = None,
) -> Case:
    return Case(
        name=name,
        directory=directory,
        preferences=tuple(prefs or []),
        events=tuple(numbered(events)),
        expected=tuple(one for several in expected for one in several),
        origins=None if origins is None else tuple(origins),
    )


def numbered(events: list[Json]) -> Iterator[Json]:
    """Give each message an id of its own, for what came already notifies nobody."""
    for place, event in enumerate(events):
        yield {**event, "id": 500 + place} if event.get("id") == EACH_ITS_OWN else event


# What is expected


def fires(user: int, type_: str, *channels: str) -> tuple[Expected, ...]:
    named = channels or ("email", "push")
    return tuple(Expected(user, type_, channel, "fire", "enabled") for channel in named)


def stays(user: int, type_: str, reason: str, *channels: str) -> tuple[Expected, ...]:
    named = channels or ("email", "push")
    return tuple(Expected(user, type_, channel, "suppress", reason) for channel in named)


def sounds(*users: int) -> tuple[Expected, ...]:
    return tuple(Expected(user, SOUND, "audio", "fire", "enabled") for user in users)


def silent(reason: str, *users: int) -> tuple[Expected, ...]:
    return tuple(Expected(user, SOUND, "audio", "suppress", reason) for user in users)


# What is set


def row(layer: str, key: str, value: str, user: int | None, inbox: int | None) -> Json:
    return {
        "account": 1,
        "layer": layer,
        "user": user,
        "inbox": inbox,
        "key": key,
        "value": value,
    }


def own(user: int, key: str, value: str = "on") -> Json:
    return row("user", key, value, user, None)


def in_inbox(inbox: int, user: int, key: str, value: str = "on") -> Json:
    return row("inbox", key, value, user, inbox)


def default(key: str, value: str = "on") -> Json:
    return row("default", key, value, None, None)


def lock(key: str, value: str = "on") -> Json:
    return row("lock", key, value, None, None)


def both(user: int, type_: str, value: str = "on") -> list[Json]:
    return [own(user, f"email.{type_}", value), own(user, f"push.{type_}", value)]


def everything_on(*types: str) -> list[Json]:
    return [default(f"{channel}.{type_}") for type_ in types for channel in ("email", "push")]


# What happens


def written(sender_type: str, sender: int, message_type: int) -> Json:
    """A message as a conversation's own event carries it."""
    return {"message_type": message_type, "sender_type": sender_type, "sender_id": sender}


def state(*, assignee: Any = ..., blocked: Any = ..., team: Any = ..., **fields: Any) -> Json:
    """Conversation 42 in inbox 3; what is left out is not carried."""
    meta: Json = {}
    if assignee is not ...:
        meta["assignee"] = None if assignee is None else {"id": assignee, "type": "user"}
    if blocked is not ...:
        meta["sender"] = {"id": 7, "type": "contact", "blocked": blocked}
    if team is not ...:
        meta["team"] = None if team is None else {"id": team}
    return {"id": 42, "inbox_id": 3, **fields, **({"meta": meta} if meta else {})}


def conversation(event: str, *, at: Any = ..., **fields: Any) -> Json:
    time = {} if at is ... else {"updated_at": NOON + at}
    return {"event": event, **time, **state(**fields)}


def created(**fields: Any) -> Json:
    return conversation("conversation_created", **fields)


def assigned(assignee: int | None, *, previous: int | None = None, **fields: Any) -> Json:
    change = {"previous_value": previous, "current_value": assignee}
    changed = [{"assignee_id": change}, {"updated_at": {"previous_value": 1}}]
    return conversation(
        "conversation_updated", assignee=assignee, changed_attributes=changed, **fields
    )


def status(new: str, **fields: Any) -> Json:
    return conversation("conversation_status_changed", status=new, **fields)


def by(user: int) -> Json:
    return {"id": user, "type": "user"}


def message(type_: str, content: str | None, sender: Json | None, at: Any, fields: Json) -> Json:
    time = {} if at is ... else {"created_at": NOON + at}
    about = {"id": EACH_ITS_OWN, "content": content, "message_type": type_, "sender": sender}
    return {"event": "message_created", **time, **about, "conversation": state(**fields)}


def customer(content: str | None = "hello", *, at: Any = ..., **fields: Any) -> Json:
    return message("incoming", content, {"id": 7, "type": "contact"}, at, fields)


def reply(author: int, content: str = "hello", *, at: Any = ..., **fields: Any) -> Json:
    return message("outgoing", content, {"id": author, "type": "user"}, at, fields)


def with_id(number: int, event: Json) -> Json:
    return {**event, "id": number}


def note(author: int, content: str = "hello", *, at: Any = ..., **fields: Any) -> Json:
    return {**reply(author, content, at=at, **fields), "private": True}


def known(**fields: Any) -> Json:
    return {"event": "conversation_typing_off", "conversation": state(**fields)}


def seen(user: int, *, at: Any = ..., **fields: Any) -> Json:
    time = {} if at is ... else {"created_at": NOON + at}
    return {"event": "presence_update", "user": {"id": user}, **time, **fields}


def types(user: int, *, at: int, kind: str = "user") -> Json:
    return {
        "event": "conversation_typing_on",
        "created_at": NOON + at,
        "user": {"id": user, "type": kind},
        "conversation": state(),
    }


def connected(users: Json, *, at: int) -> Json:
    return {"event": "presence.update", "data": {"users": users, "created_at": NOON + at}}


def untimed(event: Json) -> Json:
    return {name: value for name, value in event.items() if name != "created_at"}


UNHEARD = silent("disabled", 7, 8, 9)
UNHEARD_ALONE = silent("disabled", 7)
INAUDIBLE = silent("not_audible", 7, 8, 9)
NOBODY_TOLD_OF_UNASSIGNED = (*stays(7, UNASSIGNED, "disabled"), *stays(8, UNASSIGNED, "disabled"))
OFF_AT_7 = stays(7, MESSAGE, "disabled")
TO_7 = fires(7, MESSAGE)
ALL_MESSAGES = everything_on(MESSAGE, PARTICIPATING, UNASSIGNED)

SECTION_2 = [
    case(
        "who has set nothing is told of assignments only",
        [created(assignee=7), customer("@jane@example.com", assignee=7)],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        fires(7, ASSIGNED),
        stays(7, MENTION, "disabled"),
        OFF_AT_7,
        UNHEARD,
    ),
    case(
        "a type is on or off for e-mail and for push separately",
        [created()],
        stays(7, CREATED, "disabled", "email"),
        fires(7, CREATED, "push"),
        stays(8, CREATED, "disabled"),
        prefs=[own(7, f"push.{CREATED}")],
    ),
]

SECTION_3 = [
    case(
        "a built-in default decides where nothing is set",
        [created(assignee=7)],
        stays(7, CREATED, "disabled"),
        fires(7, ASSIGNED),
        directory=ALONE,
        origins=["builtin", "builtin", "builtin", "builtin"],
    ),
    case(
        "the account's default beats the built-in one",
        [created()],
        fires(7, CREATED, "email"),
        stays(7, CREATED, "disabled", "push"),
        prefs=[default(f"email.{CREATED}")],
        directory=ALONE,
        origins=["default", "builtin"],
    ),
    case(
        "a user's own value beats the account's default",
        [created()],
        stays(7, CREATED, "disabled"),
        prefs=[default(f"email.{CREATED}"), own(7, f"email.{CREATED}", "off")],
        directory=ALONE,
        origins=["user", "builtin"],
    ),
    case(
        "the value for an inbox beats the user's own in that inbox",
        [created()],
        fires(7, CREATED, "email"),
        stays(7, CREATED, "disabled", "push"),
        prefs=[own(7, f"email.{CREATED}", "off"), in_inbox(3, 7, f"email.{CREATED}")],
        directory=ALONE,
        origins=["inbox", "builtin"],
    ),
    case(
        "the value for an inbox means nothing in another inbox",
        [created(inbox_id=4)],
        stays(7, CREATED, "disabled"),
        prefs=[own(7, f"email.{CREATED}", "off"), in_inbox(3, 7, f"email.{CREATED}")],
        directory=ALONE,
        origins=["user", "builtin"],
    ),
    case(
        "a lock beats every other layer",
        [created()],
        fires(7, CREATED, "email"),
        stays(7, CREATED, "disabled", "push"),
        prefs=[
            default(f"email.{CREATED}", "off"),
            own(7, f"email.{CREATED}", "off"),
            in_inbox(3, 7, f"email.{CREATED}", "off"),
            lock(f"email.{CREATED}"),
        ],
        directory=ALONE,
        origins=["lock", "builtin"],
    ),
    case(
        "another account's lock and default mean nothing",
        [created()],
        stays(7, CREATED, "disabled"),
        prefs=[
            {**lock(f"email.{CREATED}"), "account": 2},
            {**default(f"push.{CREATED}"), "account": 2},
        ],
        directory=ALONE,
        origins=["builtin", "builtin"],
    ),
    case(
        "another user's values mean nothing",
        [created()],
        stays(7, CREATED, "disabled"),
        prefs=[own(8, f"email.{CREATED}"), in_inbox(3, 8, f"push.{CREATED}")],
        directory=ALONE,
    ),
]

SECTION_4 = [
    case(
        "an administrator who is no member sees a conversation, and is not told of its creation",
        [created(), known(assignee=9), customer()],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        stays(9, MESSAGE, "disabled"),
        UNHEARD,
    ),
    case(
        "an administrator who is a member is told of creations as other members are",
        [created()],
        fires(9, CREATED),
        prefs=both(9, CREATED),
        directory=with_inboxes({"id": 3, "members": [9]}),
    ),
    case(
        "with an unknown inbox everybody is told of creations and sees the conversation",
        [created(inbox_id=77), known(inbox_id=77, assignee=6), customer(inbox_id=77)],
        stays(6, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        stays(9, CREATED, "disabled"),
        stays(6, MESSAGE, "disabled"),
        silent("disabled", 6, 7, 8, 9),
        directory=WITH_KIM,
    ),
    case(
        "an inbox whose members are not on record is as good as unknown",
        [created()],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        stays(9, CREATED, "disabled"),
        directory=with_inboxes({"id": 3, "name": "Website", "members": None}),
    ),
    case(
        "an inbox that is known to have no members is seen by administrators alone",
        [created(), customer(assignee=7)],
        stays(7, MESSAGE, "no_access"),
        silent("disabled", 9),
        directory=with_inboxes({"id": 3, "name": "Website", "members": []}),
    ),
    case(
        "a member of the team that a conversation is given to sees it, and is told of no creation",
        [created(team=5), customer(assignee=6, team=5)],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        stays(6, MESSAGE, "disabled"),
        silent("disabled", 6, 7, 8, 9),
        directory=WITH_KIM,
    ),
    case(
        "a conversation's own events name its team too",
        [assigned(6, team=5)],
        fires(6, ASSIGNED),
        directory=WITH_KIM,
    ),
    case(
        "a team is kept until an event says that there is another or none",
        [known(assignee=6, team=5), customer(), customer(team=None)],
        stays(6, MESSAGE, "disabled"),
        silent("disabled", 6, 7, 8, 9),
        stays(6, MESSAGE, "no_access"),
        UNHEARD,
        directory=WITH_KIM,
    ),
    case(
        "a custom role without a permission for conversations sees none",
        [created(assignee=7), customer()],
        stays(7, CREATED, "no_access"),
        stays(8, CREATED, "disabled"),
        stays(7, ASSIGNED, "no_access"),
        stays(7, MESSAGE, "no_access"),
        silent("disabled", 8, 9),
        directory=with_permissions("contact_manage"),
    ),
    case(
        "a custom role that manages its own conversations sees what is theirs or they take part in",
        [created(), customer(assignee=7), customer(assignee=8), customer(participants=[])],
        stays(7, CREATED, "no_access"),
        stays(8, CREATED, "disabled"),
        stays(7, MESSAGE, "disabled"),
        UNHEARD,
        stays(8, MESSAGE, "disabled"),
        stays(7, PARTICIPATING, "disabled"),
        UNHEARD,
        stays(8, MESSAGE, "disabled"),
        silent("disabled", 8, 9),
        directory=with_permissions("conversation_participating_manage"),
    ),
    case(
        "a custom role that manages unassigned conversations sees those and their own",
        [created(), customer(assignee=7), reply(8, assignee=8)],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        stays(7, MESSAGE, "disabled"),
        UNHEARD,
        stays(8, MESSAGE, "self_authored"),
        stays(7, PARTICIPATING, "no_access"),
        silent("not_audible", 8, 9),
        directory=with_permissions("conversation_unassigned_manage"),
    ),
    case(
        "a custom role that manages all conversations sees what its inboxes and teams let them",
        [created(), assigned(6)],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        stays(6, ASSIGNED, "no_access"),
        directory={
            **WITH_KIM,
            "users": [
                {**KIM, "permissions": ["conversation_manage"]},
                {**JANE, "permissions": ["conversation_manage"]},
                OMAR,
                ROOT,
            ],
        },
    ),
    case(
        "in another account nobody of this directory sees anything",
        [created(account_id=2, assignee=7)],
        stays(7, ASSIGNED, "no_access"),
    ),
]

SECTION_5_CREATION = [
    case(
        "a creation with an assignee is an assignment too",
        [created(assignee=8)],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        fires(8, ASSIGNED),
    ),
    case(
        "a creation whose assignee is a bot is no assignment",
        [created(meta={"assignee": {"id": 7}, "assignee_type": "AgentBot"})],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
    ),
    case(
        "a change from pending to open counts as a creation",
        [status("open", changed_attributes=[{"status": ["pending", "open"]}])],
        fires(7, CREATED),
        stays(8, CREATED, "disabled"),
        prefs=both(7, CREATED),
    ),
    case(
        "the status before a change is the kept one where the event does not say it",
        [known(status="pending"), status("open", changed_attributes=None)],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
    ),
    case(
        "what the event says of the status before wins over what was kept",
        [known(status="pending"), status("open", changed_attributes={"status": ["snoozed"] * 2})],
    ),
    case(
        "other changes of status notify nobody",
        [status("pending"), status("resolved"), status("open"), status("snoozed")],
    ),
    case(
        "conversation_opened is a change to open",
        [known(status="pending"), conversation("conversation_opened")],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
    ),
    case(
        "conversation_resolved is a change to resolved",
        [
            known(status="pending"),
            conversation("conversation_resolved"),
            conversation("conversation_opened"),
        ],
    ),
    case(
        "a bot's hand-over counts as a creation and as no assignment",
        [known(status="pending"), conversation("conversation_bot_handoff", assignee=7)],
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
    ),
    case(
        "a creation is made by whoever performed it",
        [
            created(assignee=7, performed_by=by(7), performer=by(8)),
            created(assignee=7, performer=by(7)),
            created(assignee=7, performer={"id": 7}),
            created(assignee=7, performer={"id": 7, "type": "agent_bot"}, status="resolved"),
        ],
        *[(*stays(7, CREATED, "disabled"), *stays(7, ASSIGNED, "self_assigned"))] * 3,
        stays(7, CREATED, "disabled"),
        stays(7, ASSIGNED, "already_notified"),
        directory=ALONE,
    ),
    case(
        "else a creation is made by whoever wrote the outgoing message that it carries",
        [created(assignee=7, messages=[written("User", 7, 1)])],
        stays(7, CREATED, "disabled"),
        stays(7, ASSIGNED, "self_assigned"),
        directory=ALONE,
    ),
    case(
        "a creation that no user performed is made by whoever wrote the message that it carries",
        [
            created(
                assignee=7,
                performed_by={"id": 3, "type": "agent_bot"},
                messages=[written("User", 7, 1)],
            )
        ],
        stays(7, CREATED, "disabled"),
        stays(7, ASSIGNED, "self_assigned"),
        directory=ALONE,
    ),
    *[
        case(
            f"a creation is not made by {who}",
            [created(assignee=7, messages=messages)],
            stays(7, CREATED, "disabled"),
            fires(7, ASSIGNED),
            directory=ALONE,
        )
        for who, messages in (
            ("a contact with the assignee's id", [written("Contact", 7, 0)]),
            ("a bot with the assignee's id", [written("AgentBot", 7, 1)]),
            ("another agent who wrote first", [written("User", 8, 1)]),
            ("nobody, where it carries no message", []),
            ("who did not write the last message", [written("User", 7, 1), written("User", 8, 1)]),
            ("whom a customer answered in it", [written("User", 7, 1), written("Contact", 9, 0)]),
        )
    ],
    case(
        "who performed a creation comes before who wrote its message",
        [created(assignee=7, performed_by=by(9), messages=[written("User", 7, 1)])],
        stays(7, CREATED, "disabled"),
        fires(7, ASSIGNED),
        directory=ALONE,
    ),
]

OPENED = (*stays(7, CREATED, "disabled"), *stays(8, CREATED, "disabled"))
OPENED_AGAIN = (*stays(7, CREATED, "already_notified"), *stays(8, CREATED, "already_notified"))

SECTION_5_HAND_OVER = [
    case(
        "an update that comes before the change of status tells of a hand-over, once",
        [
            known(status="pending"),
            conversation("conversation_updated", status="open", at=0),
            status("open", at=1),
            conversation("conversation_bot_handoff", at=2),
        ],
        OPENED,
        OPENED_AGAIN,
    ),
    case(
        "an update of auto-assignment that shows the conversation open is a hand-over as well",
        [known(status="pending", assignee=None), assigned(7, status="open")],
        OPENED,
        fires(7, ASSIGNED),
    ),
    case(
        "a message that shows the conversation open is a hand-over as well",
        [known(status="pending"), customer(status="open", assignee=None)],
        OPENED,
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
    ),
    case(
        "a hand-over that a message shows is beside what one is told of the message",
        [known(status="pending"), customer(status="open", assignee=None)],
        fires(7, CREATED),
        fires(8, CREATED),
        fires(7, UNASSIGNED),
        fires(8, UNASSIGNED),
        UNHEARD,
        prefs=everything_on(CREATED, UNASSIGNED),
        directory=with_permissions("conversation_manage"),
    ),
    case(
        "a hand-over that an update tells of is told once, though the update says the change too",
        [
            known(status="pending"),
            status("open", at=0),
            conversation(
                "conversation_updated",
                status="open",
                changed_attributes=[{"status": ["pending", "open"]}],
            ),
        ],
        OPENED,
        OPENED_AGAIN,
    ),
    case(
        "a hand-over is told again when the conversation was pending again",
        [
            known(status="pending"),
            status("open", at=0),
            known(status="pending"),
            status("open", at=1),
        ],
        OPENED,
        OPENED,
    ),
    case(
        "a hand-over of a conversation of which nothing is known is told, and not twice",
        [
            conversation("conversation_bot_handoff", at=0),
            conversation("conversation_bot_handoff", at=1),
        ],
        OPENED,
        OPENED_AGAIN,
    ),
    case(
        "already_notified comes before disabled in a hand-over, and no_access before it",
        [
            known(status="pending"),
            status("open", at=0),
            conversation("conversation_bot_handoff", blocked=True),
        ],
        OPENED,
        stays(7, CREATED, "blocked_contact"),
        stays(8, CREATED, "blocked_contact"),
    ),
    case(
        "the old name of pending means the same, as the status and in a change",
        [
            known(status="bot"),
            customer(),
            status("open", at=0),
            {**status("open", changed_attributes=[{"status": ["bot", "open"]}]), "id": 43},
        ],
        stays(7, UNASSIGNED, "pending_conversation"),
        stays(8, UNASSIGNED, "pending_conversation"),
        silent("pending_conversation", 7, 8, 9),
        OPENED,
        OPENED,
    ),
    case(
        "a change of status in which an assignee appears is a person, and the update after it",
        [
            known(status="pending", assignee=None),
            status("open", assignee=7, changed_attributes=None),
            conversation(
                "conversation_updated",
                status="open",
                assignee=7,
                changed_attributes=[{"status": ["pending", "open"]}],
            ),
        ],
    ),
    case(
        "a change of status that shows the assignee who was there already is a bot",
        [known(status="pending", assignee=7), status("open", assignee=7)],
        OPENED,
    ),
    case(
        "an event done by a user is a person",
        [
            known(status="pending"),
            conversation("conversation_updated", status="open", performed_by=by(8)),
            known(status="pending"),
            conversation("conversation_updated", status="open", performer={"id": 8}, at=0),
        ],
    ),
    case(
        "an event done by an automation rule is none",
        [known(status="pending"), status("open", performed_by={"id": 8})],
        OPENED,
    ),
    case(
        "where the inbox has no bot it is a person",
        [known(status="pending"), status("open")],
        directory=with_a_bot(known=False),
    ),
    case(
        "where the inbox has no bot, a hand-over that the server itself tells of is one",
        [known(status="pending"), conversation("conversation_bot_handoff")],
        stays(7, CREATED, "disabled"),
        directory=with_a_bot(known=False),
    ),
    case(
        "where the inbox has a bot it is a hand-over",
        [known(status="pending"), status("open")],
        stays(7, CREATED, "disabled"),
        directory=with_a_bot(known=True),
    ),
    case(
        "what a person did is no hand-over of the next time that it is pending",
        [
            known(status="pending", assignee=None),
            status("open", assignee=7),
            known(status="pending"),
            status("open", assignee=7, at=0),
        ],
        OPENED,
    ),
    case(
        "a resolved conversation is not handed over",
        [known(status="pending"), status("resolved"), status("open")],
    ),
    case(
        "a creation is told once where pending was known before it",
        [known(status="pending"), created(status="open")],
        OPENED,
    ),
]

SECTION_5_ASSIGNMENT = [
    case(
        "an assignment is known by its change, in a list of objects",
        [assigned(7)],
        fires(7, ASSIGNED),
    ),
    case(
        "an assignment is known by its change, in one object, which says the assignee too",
        [
            conversation(
                "conversation_updated",
                changed_attributes={"assignee_id": {"previous_value": 8, "current_value": 7}},
            )
        ],
        fires(7, ASSIGNED),
    ),
    case(
        "an assignment is known by its change, as a pair in Chatwoot's internal form",
        [
            {
                "event": "conversation.updated",
                "data": state(changed_attributes={"assignee_id": [None, "7"]}),
            }
        ],
        fires(7, ASSIGNED),
    ),
    case(
        "assignee_changed is an assignment, under its dotted name too",
        [conversation("assignee.changed", assignee=7)],
        fires(7, ASSIGNED),
    ),
    case(
        "an update that changes something else is no assignment",
        [conversation("conversation_updated", assignee=7, changed_attributes=[{"priority": [1]}])],
    ),
    case(
        "taking the assignee away notifies nobody",
        [assigned(None, previous=7)],
    ),
    case(
        "a bot as assignee is nobody",
        [{**assigned(7), "meta": {"assignee": {"id": 7}, "assignee_type": "AgentBot"}}],
    ),
    case(
        "an assignment to somebody already told is told once",
        [assigned(7), assigned(7, at=0)],
        fires(7, ASSIGNED),
        stays(7, ASSIGNED, "already_notified"),
    ),
    case(
        "an update that repeats the assignee of a creation is told once",
        [created(assignee=7), assigned(7)],
        stays(7, CREATED, "disabled"),
        fires(7, ASSIGNED),
        stays(7, ASSIGNED, "already_notified"),
        directory=ALONE,
    ),
    case(
        "a message that shows the new assignee first is no telling",
        [customer(assignee=7), assigned(7)],
        OFF_AT_7,
        UNHEARD,
        fires(7, ASSIGNED),
    ),
    case(
        "whom one told is forgotten as soon as an event shows another assignee",
        [assigned(7), known(assignee=8), assigned(7, at=0)],
        fires(7, ASSIGNED),
        fires(7, ASSIGNED),
    ),
    case(
        "whom one told is forgotten as soon as an event shows no assignee",
        [assigned(7), known(assignee=None), assigned(7, at=0)],
        fires(7, ASSIGNED),
        fires(7, ASSIGNED),
    ),
    case(
        "whom one told is kept over events that do not say who is the assignee",
        [assigned(7), known(), assigned(7, at=0)],
        fires(7, ASSIGNED),
        stays(7, ASSIGNED, "already_notified"),
    ),
    case(
        "an assignment counts as told whatever its outcome was",
        [assigned(7, status="pending"), assigned(7, status="open", performed_by=by(9))],
        stays(7, ASSIGNED, "pending_conversation"),
        stays(7, ASSIGNED, "already_notified"),
    ),
    case(
        "whom one told is kept for each conversation",
        [assigned(7), {**assigned(7), "id": 43}],
        fires(7, ASSIGNED),
        fires(7, ASSIGNED),
    ),
]

SECTION_5_PARTICIPANTS = [
    case(
        "a former assignee goes on taking part",
        [known(assignee=8), known(assignee=7), customer()],
        TO_7,
        fires(8, PARTICIPATING),
        UNHEARD,
        prefs=everything_on(MESSAGE, PARTICIPATING),
    ),
    case(
        "a list of participants is the whole list, of former assignees and mentioned ones too",
        [
            known(assignee=8),
            known(assignee=None),
            note(9, "@jane@example.com"),
            known(participants=[9]),
            customer(),
        ],
        stays(7, MENTION, "disabled"),
        silent("disabled", 7, 8),
        silent("self_authored", 9),
        stays(9, PARTICIPATING, "disabled"),
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
    ),
    case(
        "who is assigned after a list of participants joins it",
        [known(participants=[]), known(assignee=8), known(assignee=7), customer()],
        stays(7, MESSAGE, "disabled"),
        stays(8, PARTICIPATING, "disabled"),
        UNHEARD,
    ),
    case(
        "a mentioned user takes part from the message that mentions them",
        [customer("@omar@example.com", assignee=7), customer()],
        stays(8, MENTION, "disabled"),
        stays(7, MESSAGE, "disabled"),
        stays(8, PARTICIPATING, "disabled"),
        UNHEARD,
        stays(7, MESSAGE, "disabled"),
        stays(8, PARTICIPATING, "disabled"),
        UNHEARD,
    ),
    case(
        "a mentioned user who cannot see the conversation does not take part",
        [reply(8, "@kim@example.com", assignee=8, team=None), customer(team=5)],
        stays(6, MENTION, "no_access"),
        stays(8, MESSAGE, "self_authored"),
        INAUDIBLE,
        stays(8, MESSAGE, "disabled"),
        silent("disabled", 6, 7, 8, 9),
        directory=WITH_KIM,
    ),
    case(
        "who is added takes part until another list leaves them out",
        [
            known(assignee=7, participants=[8, {"id": 9}]),
            reply(8),
            known(participants=[]),
            reply(8),
        ],
        TO_7,
        stays(8, PARTICIPATING, "self_authored"),
        fires(9, PARTICIPATING),
        INAUDIBLE,
        TO_7,
        INAUDIBLE,
        prefs=everything_on(MESSAGE, PARTICIPATING),
    ),
]

SECTION_5_TWICE = [
    case(
        "a message that came already notifies nobody again, whatever came between",
        [
            with_id(1, customer(assignee=None, at=0)),
            with_id(2, customer(assignee=7, at=1)),
            with_id(1, customer(assignee=None, at=0)),
            with_id(3, customer(at=2)),
        ],
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
        OFF_AT_7,
        UNHEARD,
        OFF_AT_7,
        UNHEARD,
    ),
    case(
        "a message of another conversation or account with the same id is another message",
        [
            with_id(1, customer()),
            {**with_id(1, customer()), "conversation": {**state(), "id": 43}},
            {**with_id(1, customer(assignee=7)), "account_id": 2},
        ],
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
        stays(7, MESSAGE, "no_access"),
    ),
    case(
        "a message that was changed did not come already by that",
        [{**with_id(1, customer()), "event": "message_updated"}, with_id(1, customer())],
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
    ),
    case(
        "a message is remembered for a hundred of its conversation",
        [with_id(number, note(7)) for number in (*range(1, 102), 2, 1)],
        *[silent("self_authored", 7)] * 102,
        directory=ALONE,
    ),
    case(
        "a message of any id is remembered, beside those with smaller ones",
        [
            with_id(number, note(7))
            for number in (1, 2**32 - 1, 2**32, 2**63 - 1, *(1, 2**32, -3, -3))
        ],
        *[silent("self_authored", 7)] * 5,
        directory=ALONE,
    ),
    case(
        "a conversation's event that repeats the one before to the letter notifies nobody again",
        [created(at=0), created(at=0), created(at=1)],
        stays(7, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        directory=ALONE,
    ),
    case(
        "a missed service level that comes twice is told once",
        [conversation(SLA_FIRST, assignee=7, at=0), conversation(SLA_FIRST, assignee=7, at=0)],
        stays(7, SLA_FIRST, "disabled"),
        directory=ALONE,
    ),
]

SECTION_5_MESSAGES = [
    case(
        "a note of any type is private: it mentions, it sounds, and it is no new message",
        [
            {**message(type_, "@jane@example.com", None, ..., {"assignee": 7}), "private": True}
            for type_ in ("incoming", "activity", "template")
        ],
        *[(*fires(7, MENTION), *UNHEARD)] * 3,
        prefs=[*everything_on(MENTION), *ALL_MESSAGES],
    ),
    case(
        "the assignee is told of their own type alone, and who switched that off wants no other",
        [customer(assignee=7, participants=[7, 8])],
        stays(7, MESSAGE, "disabled"),
        fires(8, PARTICIPATING),
        UNHEARD,
        prefs=everything_on(PARTICIPATING),
    ),
    case(
        "a private note mentions a user by Chatwoot's markup, and is no new message",
        [note(8, "[@Jane](mention://user/7/Jane%20Doe) look", assignee=7)],
        fires(7, MENTION),
        silent("disabled", 7),
        silent("self_authored", 8),
        silent("disabled", 9),
        prefs=both(7, MENTION),
    ),
    case(
        "a private note mentions every member of a team, each once",
        [note(8, "(mention://team/5/sales) (mention://user/7/Jane) @jane@example.com", team=5)],
        stays(6, MENTION, "disabled"),
        stays(7, MENTION, "disabled"),
        silent("disabled", 6, 7),
        silent("self_authored", 8),
        silent("disabled", 9),
        directory=WITH_KIM,
    ),
    case(
        "Chatwoot's markup mentions nobody in a message that is not private",
        [reply(8, "(mention://user/7/Jane)"), customer("(mention://team/2/Support)")],
        INAUDIBLE,
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
    ),
    case(
        "an address after an @ mentions without regard to case, in a customer's message too",
        [customer("ask @JANE@Example.com, or (@omar@example.com).", assignee=9)],
        stays(7, MENTION, "disabled"),
        stays(8, MENTION, "disabled"),
        stays(9, MESSAGE, "disabled"),
        stays(7, PARTICIPATING, "disabled"),
        stays(8, PARTICIPATING, "disabled"),
        UNHEARD,
    ),
    case(
        "a full stop or hyphen that ends the word is no part of an address",
        [note(9, "see @jane@example.com."), note(9, "@omar@example.com- hello")],
        stays(7, MENTION, "disabled"),
        silent("disabled", 7, 8),
        silent("self_authored", 9),
        stays(8, MENTION, "disabled"),
        silent("disabled", 7, 8),
        silent("self_authored", 9),
    ),
    *[
        case(
            f"no user is mentioned by {content!r}, which holds a longer address or another one",
            [note(9, content)],
            silent("disabled", 7, 8),
            silent("self_authored", 9),
        )
        for content in (
            "x@jane@example.com",
            ".@jane@example.com",
            "-@jane@example.com",
            "+@jane@example.com",
            "%@jane@example.com",
            "@jane@example.com+1",
            "@jane@example.community",
            "@jane@example.com.au",
            "@jane@example.com-pany.org",
            "@mary.jane@example.com",
            "jane@example.com",
        )
    ],
    *[
        case(
            f"{address!r} is mentioned by {content!r}",
            [note(9, content)],
            stays(7, MENTION, "disabled"),
            silent("disabled", 7),
            silent("self_authored", 9),
            directory={**DIRECTORY, "users": [{**JANE, "email": address}, ROOT]},
        )
        for address, content in (
            ("jane@example.com", f"{FULL_WIDTH_AT}jane@example.com"),
            ("jane@example.com", full_width("@jane@example.com")),
            ("jane@example.com", "你好@jane@example.com请看"),
            ("jane@example.com", "ユーザー@jane@example.comさん"),
            ("jane@example.com", "@jane@example.com…"),
            ("jane@example.com", "@joé@jane @jane@example.com"),
            ("zoë@example.com", "@zoe\u0308@example.com"),
            ("zoe\u0308@example.com", "@ZOË@example.com"),
            ("张伟@example.com", "请@张伟@example.com看"),
            ("jane@bücher.example", "@jane@xn--bcher-kva.example"),
            ("jane@xn--bcher-kva.example", "@jane@BÜCHER.example, please"),
            ("jane@bücher.example", "@jane@bu\u0308cher.example"),
            ("jane@例子.example", "@jane@例子.example请"),
            ("jane@例子", "看@jane@例子。"),
        )
    ],
    *[
        case(
            f"{content!r} mentions nobody",
            [note(9, content)],
            silent("disabled", 7, 8),
            silent("self_authored", 9),
        )
        for content in (
            "é@jane@example.com",
            "好x@jane@example.com",
            "好.@jane@example.com",
            "@jane@example.comé",
            "@jane@example.com.é",
            "@jane@example.com1请",
            "@jane@example.com+请",
            "你好jane@example.com",
        )
    ],
    case(
        "a customer's full-width sign mentions as well",
        [customer(f"{FULL_WIDTH_AT}jane{FULL_WIDTH_AT}example.com", assignee=8)],
        stays(7, MENTION, "disabled"),
        stays(8, MESSAGE, "disabled"),
        stays(7, PARTICIPATING, "disabled"),
        UNHEARD,
    ),
    case(
        "ids and addresses that the directory does not have are no candidates",
        [note(9, "(mention://user/66/Nobody) (mention://team/66/None) @nobody@example.com")],
        silent("disabled", 7, 8),
        silent("self_authored", 9),
    ),
    case(
        "a new message goes to the assignee, who takes part as well",
        [customer(assignee=7)],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "an outgoing message is a new message too",
        [reply(8, assignee=7)],
        TO_7,
        INAUDIBLE,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a customer's message that nobody is assigned to goes to the inbox's members",
        [customer(assignee=None)],
        fires(7, UNASSIGNED),
        fires(8, UNASSIGNED),
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a customer's message that a bot is assigned to goes to the inbox's members",
        [customer(meta={"assignee": {"id": 7}, "assignee_type": "AgentBot"})],
        fires(7, UNASSIGNED),
        fires(8, UNASSIGNED),
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a customer's message in an unknown inbox goes to everybody if nobody is assigned",
        [customer(inbox_id=77)],
        fires(7, UNASSIGNED),
        fires(8, UNASSIGNED),
        fires(9, UNASSIGNED),
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "an agent's message that nobody is assigned to goes to nobody",
        [reply(8, assignee=None)],
        INAUDIBLE,
        prefs=ALL_MESSAGES,
    ),
    case(
        "activity and template messages notify nobody and mention nobody",
        [
            message("activity", "@jane@example.com", None, ..., {"assignee": 7}),
            message("template", "@jane@example.com", None, ..., {"assignee": 7}),
        ],
        INAUDIBLE,
        INAUDIBLE,
        prefs=[*ALL_MESSAGES, *everything_on(MENTION)],
    ),
    case(
        "of one message a user is notified by the first type that fires on either channel",
        [customer("@jane@example.com", assignee=None)],
        fires(7, MENTION, "email"),
        stays(7, MENTION, "disabled", "push"),
        stays(7, PARTICIPATING, "already_notified"),
        stays(7, UNASSIGNED, "already_notified"),
        stays(8, UNASSIGNED, "disabled"),
        UNHEARD,
        prefs=[own(7, f"email.{MENTION}"), *both(7, PARTICIPATING), *both(7, UNASSIGNED)],
    ),
    case(
        "a type that fires on no channel leaves the later ones their turn",
        [customer("@jane@example.com", assignee=None)],
        stays(7, MENTION, "disabled"),
        stays(7, PARTICIPATING, "disabled"),
        stays(7, UNASSIGNED, "disabled", "email"),
        fires(7, UNASSIGNED, "push"),
        stays(8, UNASSIGNED, "disabled"),
        UNHEARD,
        prefs=[own(7, f"push.{UNASSIGNED}")],
    ),
    case(
        "a participant of a conversation without an assignee is notified of it once",
        [known(participants=[7], assignee=None), customer()],
        fires(7, PARTICIPATING),
        stays(7, UNASSIGNED, "already_notified"),
        fires(8, UNASSIGNED),
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
]

SECTION_5_OTHERS = [
    *[
        case(
            f"{name} goes to participants, the assignee and every administrator, each once",
            [known(participants=[8, 9], assignee=7), conversation(name)],
            fires(7, name),
            stays(8, name, "disabled"),
            stays(9, name, "disabled"),
            prefs=both(7, name),
        )
        for name in (SLA_FIRST, SLA_NEXT, SLA_RESOLUTION)
    ],
    case(
        "every other event notifies nobody",
        [
            {**customer("@jane@example.com", assignee=7), "event": "message_updated"},
            {"event": "contact_created", "id": 42, "blocked": True},
            {"event": "contact_updated", "id": 42, "changed_attributes": [{"assignee_id": [1, 7]}]},
            {"event": "webwidget_triggered", "id": 42, "inbox": {"id": 3}},
            {"event": "inbox_created", "id": 3},
            types(8, at=0),
            seen(8),
        ],
    ),
    case(
        "an unknown event changes nothing, not even the time",
        [
            seen(7, at=0),
            conversation("conversation_exploded", at=HOUR, assignee=8, status="pending"),
            customer(assignee=7),
        ],
        stays(7, MESSAGE, "active"),
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "assignee, status, inbox and a blocked contact are kept for later events",
        [
            known(assignee=7, status="pending", blocked=True, inbox_id=77),
            {"event": "message_created", "conversation_id": 42, "message_type": "incoming"},
        ],
        stays(7, MESSAGE, "blocked_contact"),
        silent("pending_conversation", 6, 7, 8, 9),
        directory=WITH_KIM,
    ),
    case(
        "events that notify nobody tell of assignee, inbox and participants",
        [
            {**customer(assignee=8), "event": "message_updated"},
            {"event": "conversation_updated", "id": 42, "participants": ["8"], "assignee_id": "7"},
            {
                "event": "conversation_typing_on",
                "conversation_id": "42",
                "inbox": {"id": 77},
                "user": {"id": 7},
            },
            conversation(SLA_NEXT),
            {"event": "message_created", "conversation_id": 42, "message_type": "incoming"},
        ],
        stays(7, SLA_NEXT, "disabled"),
        stays(8, SLA_NEXT, "disabled"),
        stays(9, SLA_NEXT, "disabled"),
        OFF_AT_7,
        stays(8, PARTICIPATING, "disabled"),
        UNHEARD,
    ),
    case(
        "what an event carries wins over what was kept",
        [
            known(assignee=7, status="pending", blocked=True, inbox_id=77),
            customer(assignee=None, status="open", blocked=False, inbox_id=3),
        ],
        OPENED,
        stays(7, PARTICIPATING, "disabled"),
        NOBODY_TOLD_OF_UNASSIGNED,
        UNHEARD,
        directory=WITH_KIM,
    ),
]

STAYS_ACTIVE = stays(7, MESSAGE, "active")

SECTION_6 = [
    case(
        "who is named by Chatwoot's own form is active, and who is offline is not",
        [
            connected({"7": "online", "8": "busy", "9": "offline"}, at=0),
            customer(assignee=None, participants=[7, 8, 9], at=1),
        ],
        stays(7, PARTICIPATING, "active"),
        stays(8, PARTICIPATING, "active"),
        fires(9, PARTICIPATING),
        stays(7, UNASSIGNED, "active"),
        stays(8, UNASSIGNED, "active"),
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "connected users are active for forty seconds",
        [connected({"7": "online"}, at=0), customer(assignee=7, at=39), customer(at=40)],
        STAYS_ACTIVE,
        UNHEARD,
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "connected users are active until the next such event says otherwise",
        [
            connected({"7": "online"}, at=0),
            connected({"8": "online"}, at=20),
            customer(assignee=7, at=21),
        ],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "who was seen otherwise is active still when they are not connected any more",
        [
            types(7, at=0),
            connected({"7": "online"}, at=0),
            connected({}, at=20),
            customer(assignee=7, at=59),
        ],
        STAYS_ACTIVE,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a typing event happened when it was received",
        [
            {"received_at": "2026-03-03T12:00:00Z", "body": untimed(types(7, at=0))},
            customer(assignee=7, at=59),
            customer(at=60),
        ],
        STAYS_ACTIVE,
        UNHEARD,
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "an event without a time happens when the one before it in its account did",
        [
            seen(7, at=0),
            {**seen(7, at=HOUR), "account_id": 2},
            customer(assignee=7),
        ],
        STAYS_ACTIVE,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "with nothing known a user is inactive",
        [customer(assignee=7, at=0)],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "who wrote a message a moment ago is active, and the built-in 60 seconds decide it",
        [reply(7, assignee=7, at=0), customer(at=59)],
        stays(7, MESSAGE, "self_authored"),
        silent("not_audible", 7),
        STAYS_ACTIVE,
        UNHEARD_ALONE,
        prefs=ALL_MESSAGES,
        directory=ALONE,
        origins=[None] * 3 + ["builtin"] * 3,
    ),
    case(
        "who wrote a private note is active",
        [note(7, assignee=7, at=0), customer(at=59)],
        silent("self_authored", 7),
        STAYS_ACTIVE,
        UNHEARD_ALONE,
        prefs=ALL_MESSAGES,
        directory=ALONE,
    ),
    case(
        "who was typing is active",
        [types(7, at=0), customer(assignee=7, at=59)],
        STAYS_ACTIVE,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a contact's typing says nothing of the agent with the same id",
        [types(7, at=0, kind="contact"), customer(assignee=7, at=1)],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a contact's message says nothing of the agent with the same id",
        [customer(assignee=7, at=0), customer(at=1)],
        TO_7,
        UNHEARD,
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "who a presence event tells of is active",
        [seen(7, at=0), customer(assignee=7, at=59)],
        STAYS_ACTIVE,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "what one user does says nothing of another",
        [seen(8, at=0), customer(assignee=7, at=1)],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a presence event of a window that is not in front is no sign of activity",
        [seen(7, at=0, visible=False), customer(assignee=7, at=1)],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "a user is inactive again after exactly the time that they set",
        [seen(7, at=0), customer(assignee=7, at=300 - 0.000001), customer(at=300)],
        STAYS_ACTIVE,
        UNHEARD,
        TO_7,
        UNHEARD,
        prefs=[*ALL_MESSAGES, own(7, "inactive_after", "5m")],
    ),
    case(
        "a user who was seen later than the event is active, times having jumped back",
        [seen(7, at=59), customer(assignee=7, at=0), customer(at=-1)],
        STAYS_ACTIVE,
        UNHEARD,
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "the last event that tells of a user counts, even where its time is earlier",
        [seen(7, at=HOUR), seen(7, at=0), customer(assignee=7, at=HOUR)],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "with inactive_after=0s a user is never active",
        [seen(7, at=0), customer(assignee=7, at=0), customer(at=-1)],
        TO_7,
        UNHEARD,
        TO_7,
        UNHEARD,
        prefs=[*ALL_MESSAGES, own(7, "inactive_after", "0s")],
    ),
    case(
        "an event without a time happens when the one before it did",
        [seen(7, at=0), known(), customer(assignee=7), customer(at=60), customer()],
        STAYS_ACTIVE,
        UNHEARD,
        TO_7,
        UNHEARD,
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "where no time is known everybody is inactive",
        [seen(7), customer(assignee=7)],
        TO_7,
        UNHEARD,
        prefs=ALL_MESSAGES,
    ),
    case(
        "creations, assignments, mentions and missed service levels fire for an active user",
        [
            seen(7, at=0),
            created(at=0),
            assigned(7, at=0),
            note(8, "@jane@example.com", at=0),
            conversation(SLA_FIRST, at=0),
        ],
        fires(7, CREATED),
        fires(7, ASSIGNED),
        fires(7, MENTION),
        UNHEARD_ALONE,
        fires(7, SLA_FIRST),
        prefs=everything_on(CREATED, MENTION, SLA_FIRST),
        directory=ALONE,
    ),
]

EVERY_TYPE_ON = everything_on(
    CREATED, ASSIGNED, MENTION, MESSAGE, PARTICIPATING, UNASSIGNED, SLA_FIRST, SLA_RESOLUTION
)


def in_quiet_hours(name: str, value: str, at: float, quiet: bool) -> Case:
    told = stays(7, CREATED, "quiet_hours") if quiet else fires(7, CREATED)
    origin = "user" if quiet else "default"
    return case(
        name,
        [created(at=at)],
        told,
        prefs=[*EVERY_TYPE_ON, own(7, "quiet_hours", value)],
        directory=ALONE,
        origins=[origin, origin],
    )


SECTION_7 = [
    case(
        "pending_conversation stops creations, assignments and unassigned, and nothing else",
        [
            created(status="pending", assignee=7),
            customer("@jane@example.com"),
            conversation(SLA_FIRST),
            customer(assignee=None, participants=[]),
        ],
        stays(7, CREATED, "pending_conversation"),
        stays(7, ASSIGNED, "pending_conversation"),
        fires(7, MENTION),
        stays(7, MESSAGE, "already_notified"),
        silent("pending_conversation", 7),
        fires(7, SLA_FIRST),
        stays(7, UNASSIGNED, "pending_conversation"),
        silent("pending_conversation", 7),
        prefs=EVERY_TYPE_ON,
        directory=ALONE,
        origins=[None] * 4 + ["default"] * 2 + [None] * 3 + ["default"] * 2 + [None] * 3,
    ),
    case(
        "a hand-over is out of pending unless it says otherwise",
        [
            known(status="pending"),
            conversation("conversation_bot_handoff"),
            conversation("conversation_bot_handoff", status="pending"),
        ],
        fires(7, CREATED),
        stays(7, CREATED, "pending_conversation"),
        prefs=EVERY_TYPE_ON,
        directory=ALONE,
    ),
    case(
        "blocked_contact stops all but mentions",
        [
            created(blocked=True, assignee=7),
            customer("@jane@example.com"),
            customer(assignee=None),
            conversation(SLA_RESOLUTION),
        ],
        stays(7, CREATED, "blocked_contact"),
        stays(7, ASSIGNED, "blocked_contact"),
        fires(7, MENTION),
        stays(7, MESSAGE, "blocked_contact"),
        silent("blocked_contact", 7),
        stays(7, PARTICIPATING, "blocked_contact"),
        stays(7, UNASSIGNED, "blocked_contact"),
        silent("blocked_contact", 7),
        stays(7, SLA_RESOLUTION, "blocked_contact"),
        prefs=EVERY_TYPE_ON,
        directory=ALONE,
    ),
    case(
        "no_access stops whoever cannot see the conversation, for every type that can name them",
        [assigned(6), note(8, "@kim@example.com"), reply(8), conversation(SLA_FIRST)],
        stays(6, ASSIGNED, "no_access"),
        stays(6, MENTION, "no_access"),
        silent("disabled", 7, 9),
        stays(6, MESSAGE, "no_access"),
        silent("not_audible", 7, 9),
        stays(6, SLA_FIRST, "no_access"),
        stays(9, SLA_FIRST, "disabled"),
        prefs=both(6, MESSAGE),
        directory={
            **WITH_KIM,
            "users": [KIM, JANE, ROOT],
            "inboxes": [{"id": 3, "members": [7]}],
        },
    ),
    case(
        "no_access stops whoever left the account, in an unknown inbox too",
        [assigned(55, inbox_id=77)],
        stays(55, ASSIGNED, "no_access"),
    ),
    case(
        "self_authored stops mentions and new messages to their author",
        [reply(7, "@jane@example.com", assignee=7)],
        stays(7, MENTION, "self_authored"),
        stays(7, MESSAGE, "self_authored"),
        INAUDIBLE,
        prefs=EVERY_TYPE_ON,
    ),
    case(
        "an author is known by sender_type and sender_id too",
        [
            {
                "event": "message_created",
                "conversation": state(assignee=7),
                "message_type": 1,
                "sender_type": "User",
                "sender_id": 7,
            }
        ],
        stays(7, MESSAGE, "self_authored"),
        INAUDIBLE,
    ),
    case(
        "self_assigned stops an assignment of one's own, at a creation too",
        [
            assigned(7, performed_by={"id": "7", "type": "user"}),
            created(assignee=8, performed_by=by(8)),
        ],
        stays(7, ASSIGNED, "self_assigned"),
        stays(7, CREATED, "disabled"),
        stays(8, CREATED, "disabled"),
        stays(8, ASSIGNED, "self_assigned"),
    ),
    case(
        "who did it is the one whom the change names, whomever the event shows by then",
        [{**assigned(7, performer=by(8)), "changed_attributes": {"assignee_id": [None, 8]}}],
        stays(7, ASSIGNED, "self_assigned"),
    ),
    case(
        "an assignment by a bot with the assignee's id is not the assignee's own",
        [assigned(7, performed_by={"id": 7, "type": "agent_bot"})],
        fires(7, ASSIGNED),
    ),
    case(
        "an assignment by an automation rule, which has no type, is not the assignee's own",
        [assigned(7, performed_by={"id": 7, "name": "Route new chats"})],
        fires(7, ASSIGNED),
    ),
    case(
        "disabled names the layer that switched it off",
        [assigned(7)],
        stays(7, ASSIGNED, "disabled"),
        prefs=[own(7, f"email.{ASSIGNED}", "off"), lock(f"push.{ASSIGNED}", "off")],
        origins=["user", "lock"],
    ),
    in_quiet_hours("quiet hours include their first minute", "12:00-13:00", 0, True),
    in_quiet_hours("quiet hours have not begun a moment before", "12:00-13:00", -0.000001, False),
    in_quiet_hours("quiet hours last till their end", "11:00-12:01", 59.999999, True),
    in_quiet_hours("quiet hours do not include their last minute", "11:00-12:01", 60, False),
    in_quiet_hours("quiet hours are in their zone", "21:00-22:00 Asia/Tokyo", 0, True),
    in_quiet_hours("quiet hours are not in another zone", "12:00-13:00 Asia/Tokyo", 0, False),
    in_quiet_hours("quiet hours hold on their days", "12:00-13:00 mon-fri", 0, True),
    in_quiet_hours("quiet hours do not hold on other days", "12:00-13:00 wed-mon", 0, False),
    in_quiet_hours("quiet hours go over midnight", "22:00-07:00", 18 * HOUR, True),
    in_quiet_hours("a night belongs to its evening", "22:00-07:00 tue", 18 * HOUR, True),
    in_quiet_hours("an evening begins its night", "12:00-07:00 tue", 0, True),
    in_quiet_hours("an evening of another day begins none", "12:00-07:00 mon", 0, False),
    in_quiet_hours("a night does not include its last minute", "22:00-07:00", 19 * HOUR, False),
    in_quiet_hours("a night is not its morning's", "22:00-07:00 wed", 18 * HOUR, False),
    in_quiet_hours("a zone has days of its own", "00:00-07:00 Asia/Tokyo wed", 4 * HOUR, True),
    in_quiet_hours("from a time to the same is a day and night", "12:00-12:00", -1, True),
    in_quiet_hours("such a day begins at its time", "12:00-12:00 tue", -1, False),
    case(
        "quiet hours stop all but mentions",
        [
            created(assignee=7, at=0),
            customer("@jane@example.com"),
            customer(),
            customer(assignee=None),
            conversation(SLA_FIRST),
        ],
        stays(7, CREATED, "quiet_hours"),
        stays(7, ASSIGNED, "quiet_hours"),
        fires(7, MENTION),
        stays(7, MESSAGE, "already_notified"),
        UNHEARD_ALONE,
        stays(7, MESSAGE, "quiet_hours"),
        UNHEARD_ALONE,
        stays(7, PARTICIPATING, "quiet_hours"),
        stays(7, UNASSIGNED, "quiet_hours"),
        UNHEARD_ALONE,
        stays(7, SLA_FIRST, "quiet_hours"),
        prefs=[*EVERY_TYPE_ON, lock("quiet_hours", "12:00-13:00")],
        directory=ALONE,
    ),
    case(
        "quiet hours do not hold where no time is known",
        [created()],
        fires(7, CREATED),
        prefs=[*EVERY_TYPE_ON, own(7, "quiet_hours", "00:00-00:00")],
        directory=ALONE,
    ),
    case(
        "active stops all new-message types, and names the layer of inactive_after",
        [seen(7, at=0), customer(assignee=None, participants=[7], at=1), customer(assignee=7)],
        stays(7, PARTICIPATING, "active"),
        stays(7, UNASSIGNED, "active"),
        UNHEARD_ALONE,
        STAYS_ACTIVE,
        UNHEARD_ALONE,
        prefs=[*EVERY_TYPE_ON, in_inbox(3, 7, "inactive_after", "1h")],
        directory=ALONE,
        origins=[*["inbox"] * 4, "builtin", *["inbox"] * 2, "builtin"],
    ),
]

# Each of these has everything against it, from the reason it names on.
QUIET_NOW = own(7, "quiet_hours", "12:00-13:00")

SECTION_7_ORDER = [
    case(
        "pending_conversation comes before blocked_contact",
        [assigned(7, status="pending", blocked=True)],
        stays(7, ASSIGNED, "pending_conversation"),
    ),
    case(
        "blocked_contact comes before no_access",
        [assigned(55, blocked=True)],
        stays(55, ASSIGNED, "blocked_contact"),
    ),
    case(
        "no_access comes before self_authored and self_assigned",
        [reply(55, assignee=55), assigned(55, performed_by=by(55))],
        stays(55, MESSAGE, "no_access"),
        INAUDIBLE,
        stays(55, ASSIGNED, "no_access"),
    ),
    case(
        "self_assigned comes before already_notified",
        [assigned(7), assigned(7, performed_by=by(7))],
        fires(7, ASSIGNED),
        stays(7, ASSIGNED, "self_assigned"),
    ),
    case(
        "already_notified comes before disabled",
        [assigned(7), assigned(7, at=0)],
        fires(7, ASSIGNED, "email"),
        stays(7, ASSIGNED, "disabled", "push"),
        stays(7, ASSIGNED, "already_notified"),
        prefs=[own(7, f"push.{ASSIGNED}", "off")],
    ),
    case(
        "disabled comes before quiet_hours, and quiet_hours before active",
        [seen(7, at=0), customer(assignee=7, at=1)],
        stays(7, MESSAGE, "quiet_hours", "email"),
        stays(7, MESSAGE, "disabled", "push"),
        UNHEARD_ALONE,
        prefs=[own(7, f"email.{MESSAGE}"), QUIET_NOW],
        directory=ALONE,
    ),
]


def heard(name: str, audio: str, assignee: int | None, *expected: Expected) -> Case:
    silenced = OFF_AT_7 if assignee == 7 else NOBODY_TOLD_OF_UNASSIGNED
    return case(
        name,
        [customer(assignee=assignee)],
        silenced,
        expected,
        silent("disabled", 9),
        prefs=[own(7, "audio", audio), own(8, "audio", audio)],
    )


SECTION_7_AUDIO = [
    case(
        "who can see the conversation hears of an incoming message, and nobody else",
        [customer(assignee=7)],
        OFF_AT_7,
        sounds(7, 8, 9),
        prefs=[default("audio", "all")],
        directory=WITH_KIM,
        origins=[*["builtin"] * 2, *["default"] * 3],
    ),
    case(
        "not_audible: what agents, the system and bots send out does not sound",
        [
            reply(8, assignee=9),
            message("activity", "assigned", None, ..., {}),
            message("template", "welcome", None, ..., {}),
        ],
        stays(9, MESSAGE, "disabled"),
        INAUDIBLE,
        INAUDIBLE,
        INAUDIBLE,
        prefs=[default("audio", "all")],
    ),
    case(
        "a private note sounds, but not to its author",
        [note(8)],
        sounds(7),
        silent("self_authored", 8),
        sounds(9),
        prefs=[default("audio", "all")],
    ),
    case(
        "pending_conversation comes before blocked_contact, and blocked_contact before the rest",
        [note(7, status="pending", blocked=True), note(7, status="open")],
        silent("pending_conversation", 7),
        silent("blocked_contact", 7),
        directory=ALONE,
    ),
    case(
        "self_authored comes before disabled",
        [note(7)],
        silent("self_authored", 7),
        directory=ALONE,
    ),
    case(
        "disabled is what audio=none says",
        [note(8)],
        silent("disabled", 7),
        prefs=[default("audio", "all"), own(7, "audio", "none")],
        directory=ALONE,
        origins=["user"],
    ),
    heard("audio=all covers everything", "all", 7, *sounds(7, 8)),
    heard(
        "audio=assigned covers one's own conversations",
        "assigned",
        7,
        *sounds(7),
        *silent("not_assigned", 8),
    ),
    heard(
        "audio=assigned does not cover a conversation that is nobody's",
        "assigned",
        None,
        *silent("not_assigned", 7, 8),
    ),
    heard(
        "audio=unassigned covers a conversation that is nobody's", "unassigned", None, *sounds(7, 8)
    ),
    heard(
        "audio=unassigned does not cover a conversation with an assignee",
        "unassigned",
        7,
        *silent("not_assigned", 7, 8),
    ),
    heard(
        "audio=others covers what is assigned to somebody else",
        "others",
        7,
        *silent("not_assigned", 7),
        *sounds(8),
    ),
    heard(
        "audio=others does not cover a conversation that is nobody's",
        "others",
        None,
        *silent("not_assigned", 7, 8),
    ),
    heard(
        "audio values are joined with a plus",
        "assigned+unassigned",
        7,
        *sounds(7),
        *silent("not_assigned", 8),
    ),
    case(
        "not_assigned comes before quiet_hours, and names the layer of audio",
        [note(8, assignee=None, at=0)],
        silent("not_assigned", 7),
        prefs=[own(7, "audio", "assigned"), QUIET_NOW],
        directory=ALONE,
        origins=["user"],
    ),
    case(
        "quiet_hours comes before viewing",
        [seen(7, visible=True, conversation_id=42), note(8, at=0)],
        silent("quiet_hours", 7),
        prefs=[default("audio", "all"), QUIET_NOW],
        directory=ALONE,
        origins=["user"],
    ),
    case(
        "viewing: a visible window that shows this conversation is silent, whatever audio.when is",
        [seen(7, visible=True, conversation_id="42"), note(8)],
        silent("viewing", 7),
        prefs=[default("audio", "all"), own(7, "audio.when", "always")],
        directory=ALONE,
        origins=[None],
    ),
    case(
        "window_visible: a visible window is silent while audio.when is hidden",
        [seen(7, visible=True, conversation_id=43), note(8)],
        silent("window_visible", 7),
        prefs=[default("audio", "all"), default("audio.when", "hidden")],
        directory=ALONE,
        origins=["default"],
    ),
    case(
        "a visible window sounds with audio.when=always",
        [seen(7, visible=True, conversation_id=43), note(8)],
        sounds(7),
        prefs=[default("audio", "all"), own(7, "audio.when", "always")],
        directory=ALONE,
    ),
    case(
        "a window that went to the back sounds, though it still shows this conversation",
        [seen(7, visible=True, conversation_id=42), seen(7, visible=False), note(8)],
        sounds(7),
        prefs=[default("audio", "all")],
        directory=ALONE,
    ),
    case(
        "a presence event that says nothing of the window leaves it as it was",
        [seen(7, visible=True, conversation_id=42), seen(7), note(8)],
        silent("viewing", 7),
        prefs=[default("audio", "all")],
        directory=ALONE,
    ),
]

EVENTS = [
    case(
        "a wrapped event is unwrapped, as the live socket and other receivers wrap it",
        [
            {"event": "conversation.created", "data": state()},
            {"body": created(at=0), "headers": {}},
            {"payload": created(at=1)},
            {"body": json.dumps(created(at=2))},
            {"id": 5, "event": "anything", "conversation_id": 4, "raw": created(at=3)},
            {"identifier": "{}", "message": {"event": "conversation.created", "data": state()}},
            {"records": 1, "Records": [{"body": created(at=4)}]},
        ],
        stays(7, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        stays(7, CREATED, "disabled"),
        directory=ALONE,
    ),
    case(
        "what has an event of its own is the body, whatever stands beside it",
        [{**customer(assignee=8), "body": created()}],
        stays(7, CREATED, "disabled"),
        directory=ALONE,
    ),
    case(
        "an object without an event of its own is no body, beside an event that has its facts",
        [{**created(), "payload": {"id": 1}, "message": "hello"}],
        stays(7, CREATED, "disabled"),
        directory=ALONE,
    ),
    case(
        "what a cable says of itself is passed over",
        [{"type": "welcome"}, {"type": "ping", "message": 1_772_532_000}, created()],
        stays(7, CREATED, "disabled"),
        directory=ALONE,
    ),
    case(
        "an event without a conversation, and a message of which nothing is said, are no events",
        [
            {"event": "message_created", "content": "hello", "message_type": 0},
            {"event": "conversation_created", "account": {"id": 1}, "inbox_id": 3},
            {"event": "message_created", "conversation": state(assignee=7)},
            {"event": "message_created", "message": {"content": "hello"}, "conversation_id": 42},
        ],
    ),
    case(
        "received_at stands in for a time that the body has not",
        [
            {"received_at": "2026-03-03T12:00:30Z", "body": created()},
            {"received_at": "2026-03-03T12:00:30Z", "body": created(at=HOUR)},
        ],
        stays(7, CREATED, "quiet_hours"),
        fires(7, CREATED),
        prefs=[*EVERY_TYPE_ON, own(7, "quiet_hours", "12:00-12:01")],
        directory=ALONE,
    ),
    case(
        "half a surrogate pair costs its character, not the event",
        [customer("\ud83d @jane@example.com", assignee=8)],
        stays(7, MENTION, "disabled"),
        stays(8, MESSAGE, "no_access"),
        stays(7, PARTICIPATING, "disabled"),
        UNHEARD_ALONE,
        directory=ALONE,
    ),
    case(
        "ids may be strings of digits",
        [{**assigned(7), "id": "42", "inbox_id": "3", "meta": {"assignee": {"id": "7"}}}],
        fires(7, ASSIGNED),
    ),
    *[
        case(
            f"{time!r} is a time",
            [{**created(), "updated_at": time, "created_at": 0}],
            stays(7, CREATED, "quiet_hours"),
            prefs=[*EVERY_TYPE_ON, own(7, "quiet_hours", "12:00-12:01")],
            directory=ALONE,
        )
        for time in (
            NOON,
            NOON + 0.5,
            str(NOON),
            f"{NOON}.999999",
            "2026-03-03T12:00:00Z",
            "2026-03-03T12:00:59.999Z",
            "2026-03-03T17:30:00+05:30",
            "2026-03-03T04:00:00-0800",
            "2026-03-03 12:00:00 UTC",
            "2026-03-03t12:00:00z",
            NOON * 1000,
            f"{NOON}693",
            (NOON + 0.25) * 1000,
            NOON * 1_000_000 + 693,
        )
    ],
    case(
        "the live socket gives a message's conversation as conversation_id, without its state",
        [
            known(assignee=7),
            {
                "event": "message.created",
                "data": {
                    "id": 500,
                    "content": "hello",
                    "message_type": 0,
                    "status": "pending",
                    "conversation_id": 42,
                    "conversation": {"assignee_id": None},
                    "sender_type": "Contact",
                    "sender_id": 7,
                },
            },
        ],
        stays(7, PARTICIPATING, "disabled"),
        stays(7, UNASSIGNED, "disabled"),
        UNHEARD_ALONE,
        directory=ALONE,
    ),
    case(
        "display_id stands for a conversation's id, which comes first",
        [
            known(assignee=7),
            {
                "event": "message_created",
                "conversation": {"display_id": 42},
                "conversation_id": 43,
                "message_type": "outgoing",
            },
            {
                "event": "message_created",
                "conversation": {"id": 42, "display_id": 43},
                "message_type": "outgoing",
            },
        ],
        OFF_AT_7,
        silent("not_audible", 7),
        OFF_AT_7,
        silent("not_audible", 7),
        directory=ALONE,
    ),
    case(
        "an assignee in the payload's newest message is not the conversation's",
        [created(messages=[{"account_id": 1, "conversation": {"assignee_id": 7}}])],
        stays(7, CREATED, "disabled"),
        directory=ALONE,
    ),
    case(
        "the payload's first message says the account where nothing else does",
        [created(assignee=7, messages=[{"account_id": 2}, {"account_id": 1}])],
        stays(7, ASSIGNED, "no_access"),
        directory=ALONE,
    ),
    case(
        "a contact who wrote may be blocked, whereas a bot's being blocked says nothing",
        [
            {**customer(assignee=7), "sender": {"id": 1, "type": "agent_bot", "blocked": True}},
            {**customer(), "sender": {"id": 1, "blocked": True}},
            customer(),
            {**customer(), "sender": {"id": 1, "type": "contact", "blocked": False}},
        ],
        OFF_AT_7,
        UNHEARD_ALONE,
        stays(7, MESSAGE, "blocked_contact"),
        silent("blocked_contact", 7),
        stays(7, MESSAGE, "blocked_contact"),
        silent("blocked_contact", 7),
        OFF_AT_7,
        UNHEARD_ALONE,
        directory=ALONE,
    ),
    case(
        "an event without a name and one with an impossible id are passed over",
        [state(), {**created(), "id": [42]}, assigned(7)],
        fires(7, ASSIGNED),
    ),
]

SECTION_8 = [
    case(
        "example 1: a customer opens a conversation",
        [created()],
        fires(7, CREATED, "email"),
        stays(7, CREATED, "disabled", "push"),
        stays(8, CREATED, "disabled"),
        prefs=[own(7, f"email.{CREATED}")],
    ),
    case(
        "example 2: a conversation is assigned by somebody else",
        [assigned(7, performed_by=by(9))],
        fires(7, ASSIGNED),
    ),
    case(
        "example 3: an agent takes a conversation",
        [assigned(7, performed_by=by(7))],
        stays(7, ASSIGNED, "self_assigned"),
    ),
    case(
        "example 4: a customer writes to an agent who was last seen an hour ago",
        [seen(7, at=0), customer(assignee=7, at=HOUR)],
        fires(7, MESSAGE, "email"),
        stays(7, MESSAGE, "disabled", "push"),
        UNHEARD,
        prefs=[own(7, f"email.{MESSAGE}")],
    ),
    case(
        "example 5: a customer writes to an agent who answered 20 seconds before",
        [reply(7, assignee=7, at=0), customer(at=20)],
        stays(7, MESSAGE, "self_authored"),
        INAUDIBLE,
        stays(7, MESSAGE, "active", "email"),
        stays(7, MESSAGE, "disabled", "push"),
        UNHEARD,
        prefs=[own(7, f"email.{MESSAGE}")],
    ),
    case(
        "example 6: a reply mentions the assignee",
        [reply(8, "@jane@example.com knows more", assignee=7)],
        stays(7, MENTION, "disabled", "email"),
        fires(7, MENTION, "push"),
        stays(7, MESSAGE, "already_notified"),
        INAUDIBLE,
        prefs=[own(7, f"email.{MESSAGE}"), own(7, f"push.{MENTION}")],
    ),
    case(
        "example 7: a customer's message sounds to who wants it",
        [customer(assignee=7)],
        OFF_AT_7,
        sounds(7, 8),
        silent("disabled", 9),
        prefs=[own(7, "audio", "assigned"), own(8, "audio", "all")],
    ),
    case(
        "example 8: a lock wins over what was set before it",
        [created()],
        stays(7, CREATED, "disabled"),
        prefs=[own(7, f"email.{CREATED}"), lock(f"email.{CREATED}", "off")],
        directory=ALONE,
        origins=["lock", "builtin"],
    ),
]

CASES: list[Case] = [
    *SECTION_2,
    *SECTION_3,
    *SECTION_4,
    *SECTION_5_CREATION,
    *SECTION_5_HAND_OVER,
    *SECTION_5_TWICE,
    *SECTION_5_ASSIGNMENT,
    *SECTION_5_PARTICIPANTS,
    *SECTION_5_MESSAGES,
    *SECTION_5_OTHERS,
    *SECTION_6,
    *SECTION_7,
    *SECTION_7_ORDER,
    *SECTION_7_AUDIO,
    *EVENTS,
    *SECTION_8,
]
