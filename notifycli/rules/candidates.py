"""From an event to the notification types it leads to, and whom each of them concerns."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from notifycli.events.event import Event
from notifycli.events.event_names import MESSAGE_CREATED, SLA_EVENTS, STATUS_EVENTS
from notifycli.rules.directory import Directory
from notifycli.rules.mentions import mentioned_users
from notifycli.rules.notifications import NotificationType
from notifycli.rules.route import Named
from notifycli.rules.state import Conversation


def named(event: Event, conversation: Conversation, directory: Directory) -> Iterator[Named]:
    """Give the types in their order, of an event that its conversation has taken over."""
    assignee = () if conversation.assignee is None else (conversation.assignee,)
    if event.name == MESSAGE_CREATED:
        yield from _named_by_message(event, conversation, directory)
    elif event.name == "conversation_created":
        yield Named(NotificationType.CREATION, directory.recipients(event.inbox), audience=True)
        yield Named(NotificationType.ASSIGNMENT, assignee)
    elif event.name == "conversation_bot_handoff" or (
        event.name in STATUS_EVENTS
        and event.previous_status == "pending"
        and event.status == "open"
    ):
        yield Named(NotificationType.CREATION, directory.recipients(event.inbox), audience=True)
    elif event.assignment:
        yield Named(NotificationType.ASSIGNMENT, assignee)
    elif event.name in SLA_EVENTS:
        people = directory.administrators.union(conversation.participants(), assignee)
        yield Named(NotificationType(event.name), sorted(people))


def kind_of_message(event: Event) -> Hashable | None:
    """Give what it depends on, beside its conversation, whom a message concerns and who may hear.

    `None` if that depends on what it says.
    """
    message = event.message
    if message is None or message.private or message.content:
        return None
    return message.type, event.known_team, event.author


def _named_by_message(
    event: Event, conversation: Conversation, directory: Directory
) -> Iterator[Named]:
    message, assignee = event.message, conversation.assignee
    assert message is not None  # noqa: S101 - every message_created has one
    if message.type in ("incoming", "outgoing"):
        if message.content or message.is_private_note:
            mentioned = mentioned_users(message.content, directory, private=message.is_private_note)
            conversation.join(
                user for user in mentioned if directory.can_see(user, event.inbox, event.known_team)
            )
            yield Named(NotificationType.MENTION, sorted(mentioned))
        if not message.is_private_note:
            if assignee is not None:
                yield Named(NotificationType.ASSIGNED_MESSAGE, (assignee,))
            yield Named(NotificationType.PARTICIPATING_MESSAGE, conversation.participants())
            if assignee is None and message.type == "incoming":
                recipients = directory.recipients(event.inbox)
                yield Named(NotificationType.UNASSIGNED_MESSAGE, recipients, audience=True)
    viewers = directory.viewers(event.inbox, event.known_team)
    usual = viewers is directory.viewers(event.inbox)
    yield Named(NotificationType.NEW_MESSAGE, viewers, audience=usual)
