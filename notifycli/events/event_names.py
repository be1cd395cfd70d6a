"""The names of events, and which of them matter."""

from __future__ import annotations

PRESENCE = "presence_update"
CREATED = "conversation_created"
MESSAGE_CREATED = "message_created"
SLA_EVENTS = ("sla_missed_first_response", "sla_missed_next_response", "sla_missed_resolution")
STATUS_EVENTS = ("conversation_status_changed", "conversation_opened", "conversation_resolved")
"""One event and, in old servers, two names more for it."""
STATUS_BY_EVENT = {
    "conversation_opened": "open",
    "conversation_resolved": "resolved",
    "conversation_bot_handoff": "open",
}
"""The status that an event's name tells, where the event carries none."""
CONVERSATION_EVENTS = frozenset(
    {
        CREATED,
        "conversation_updated",
        "conversation_status_changed",
        "conversation_opened",
        "conversation_resolved",
        "conversation_bot_handoff",
        "conversation_contact_changed",
        "conversation_mentioned",
        "conversation_read",
        "assignee_changed",
        "team_changed",
    }
)
MESSAGE_EVENTS = frozenset(
    {MESSAGE_CREATED, "message_updated", "first_reply_created", "reply_created"}
)
AUTOMATION = "automation_event_"
"""What the names begin with of events that an automation rule or a macro sends."""
TYPING_ON = "conversation_typing_on"
TYPING_EVENTS = (TYPING_ON, "conversation_typing_off")
READ_EVENTS = CONVERSATION_EVENTS.union(MESSAGE_EVENTS, SLA_EVENTS, TYPING_EVENTS, (PRESENCE,))
"""The events whose fields matter. A body of any other event need not even have their types."""

KNOWN_EVENTS = READ_EVENTS | {
    "account_cache_invalidated",
    "account_created",
    "agent_added",
    "agent_removed",
    "campaign_triggered",
    "contact_created",
    "contact_deleted",
    "contact_merged",
    "contact_updated",
    "copilot_message_created",
    "inbox_created",
    "inbox_updated",
    "notification_created",
    "notification_deleted",
    "notification_updated",
    "webwidget_triggered",
}
"""All names that Chatwoot is known to send; what isn't among them is counted as unknown."""


def is_known(name: str) -> bool:
    """Whether Chatwoot is known to send events of this name, or automation rules are."""
    name = normal_name(name)
    return name in KNOWN_EVENTS or name.startswith(AUTOMATION)


def normal_name(name: str) -> str:
    """Return the webhook's name for a webhook's or an internal, dotted name."""
    return name.strip().lower().replace(".", "_")
